//! [`Array`]: places for slots, in chunks of equal size.
//!
//! Chunks come one by one while an array is filled, and go one by one while it is emptied: none is ever
//! made, zeroed or copied as a whole, and what one table gives back fits any other.

use crate::state::slot::Slot;

/// A slot as it is stored; all zero while it is empty.
pub(super) type Words = [u32; 6];

pub(super) const EMPTY: Words = [0; 6];

/// Places of a chunk: 48 KiB, which common allocators do not ask the kernel for one by one.
pub(super) const CHUNK: usize = 2048;

/// Places after the last home: the last run ends there, as good as always.
pub(super) const TAIL: usize = 64;

/// Slots in the order of their digests, each at its home or as little after it as the ones before allow.
#[derive(Debug, Default)]
pub(super) struct Array {
    /// Invariant: all but the last have [`CHUNK`] places, or none where what they had has moved on.
    chunks: Vec<Vec<Words>>,
    /// Homes: the places after them take what is pushed beyond the last home.
    pub(super) homes: usize,
    /// Places that are there, or were before they were left.
    end: usize,
}

/// Where a slot belongs: digests are spread over the homes in their order.
#[inline]
fn home(word: u32, homes: usize) -> usize {
    let homes = u64::try_from(homes).expect("a table is in memory");
    let scaled = (u64::from(word) * homes) >> 32;
    usize::try_from(scaled).expect("it is less than the homes")
}

#[inline]
pub(super) fn is_taken(words: &Words) -> bool {
    // The state of a key is never zero.
    Slot::state_number(words) != 0
}

impl Array {
    /// So many homes, and no place yet.
    pub(super) fn new(homes: usize) -> Self {
        Self {
            chunks: Vec::with_capacity((homes + TAIL).div_ceil(CHUNK)),
            homes,
            end: 0,
        }
    }

    #[inline]
    pub(super) fn home(&self, word: u32) -> usize {
        home(word, self.homes)
    }

    /// A first word whose home is this place, or the one before it.
    pub(super) fn word_of(&self, at: usize) -> u32 {
        let wide = |places: usize| u64::try_from(places).expect("it is in memory");
        let word = (wide(at) << 32) / wide(self.homes.max(1));
        u32::try_from(word).unwrap_or(u32::MAX)
    }

    /// The home of so many that belongs to the digests whose home here is at this place.
    pub(super) fn same_part(&self, at: usize, homes: usize) -> usize {
        let wide = |places: usize| u64::try_from(places).expect("it is in memory");
        let part = wide(at.min(self.homes)) * wide(homes) / wide(self.homes.max(1));
        usize::try_from(part).expect("it is no more than the homes")
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&Words> {
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    /// A place that is there.
    #[inline]
    pub(super) fn place(&mut self, at: usize) -> &mut Words {
        &mut self.chunks[at / CHUNK][at % CHUNK]
    }

    /// The first place from here on that holds this digest, or that a slot of it would take: whether it
    /// is there, and where.
    #[inline]
    pub(super) fn find(&self, from: usize, [a, b, c]: [u32; 3]) -> (bool, usize) {
        let mut at = from;
        loop {
            let rest = self.rest(at);
            for words in rest {
                let [x, y, z, ..] = *words;
                if !is_taken(words) || x > a {
                    return (false, at);
                }
                if [x, y, z] == [a, b, c] {
                    return (true, at);
                }
                at += 1;
            }
            if rest.is_empty() {
                return (false, at);
            }
        }
    }

    /// The first place from here on that is empty, or not there yet.
    #[inline]
    pub(super) fn free_from(&self, from: usize) -> usize {
        let mut at = from;
        loop {
            let rest = self.rest(at);
            if let Some(taken) = rest.iter().position(|words| !is_taken(words)) {
                return at + taken;
            }
            if rest.is_empty() {
                return at;
            }
            at += rest.len();
        }
    }

    /// The places from here to the end of the chunk.
    #[inline]
    pub(super) fn rest(&self, at: usize) -> &[Words] {
        let chunk = self.chunks.get(at / CHUNK);
        chunk
            .and_then(|chunk| chunk.get(at % CHUNK..))
            .unwrap_or_default()
    }

    /// Puts a slot where it belongs, and moves what is there up.
    #[inline]
    pub(super) fn insert(&mut self, at: usize, words: Words) {
        let free = self.free_from(at);
        if free >= self.end {
            self.reach(free + 1);
        }
        if at / CHUNK == free / CHUNK {
            let chunk = &mut self.chunks[at / CHUNK];
            let (at, free) = (at % CHUNK, free % CHUNK);
            if free > at {
                chunk.copy_within(at..free, at + 1);
            }
            chunk[at] = words;
        } else {
            self.insert_across(at, free, words);
        }
    }

    #[cold]
    fn insert_across(&mut self, at: usize, free: usize, words: Words) {
        for to in (at + 1..=free).rev() {
            *self.place(to) = *self.place(to - 1);
        }
        *self.place(at) = words;
    }

    /// Takes a slot out, and moves what is away from its home up.
    pub(super) fn remove(&mut self, at: usize) {
        let mut end = at + 1;
        while self
            .get(end)
            .is_some_and(|words| is_taken(words) && self.home(words[0]) < end)
        {
            end += 1;
        }
        for to in at..end - 1 {
            *self.place(to) = *self.place(to + 1);
        }
        *self.place(end - 1) = EMPTY;
    }

    /// Puts slots that follow on all others in, each at its home or as little after it as the ones before
    /// allow: not before `to`, from where on everything is empty. Without those that `drops` takes.
    pub(super) fn append(
        &mut self,
        to: usize,
        slots: &[Words],
        mut drops: impl FnMut(&Words) -> bool,
    ) {
        let (mut to, mut slots, homes) = (to, slots, self.homes);
        while !slots.is_empty() {
            self.reach(to + 1);
            let first = to - to % CHUNK;
            let chunk = self.chunks[to / CHUNK].as_mut_slice();
            while let [words, after @ ..] = slots {
                if is_taken(words) && !drops(words) {
                    to = home(words[0], homes).max(to);
                    let Some(place) = chunk.get_mut(to - first) else {
                        break;
                    };
                    *place = *words;
                    to += 1;
                }
                slots = after;
            }
        }
    }

    /// Makes all places before this one be there.
    pub(super) fn reach(&mut self, at: usize) {
        while self.end < at {
            let more = match self.chunks.last_mut() {
                Some(chunk) if chunk.len() < chunk.capacity().min(CHUNK) => {
                    let room = chunk.capacity().min(CHUNK) - chunk.len();
                    let more = room.min(at - self.end);
                    chunk.resize(chunk.len() + more, EMPTY);
                    more
                }
                _ => {
                    self.make_room();
                    0
                }
            };
            self.end += more;
        }
    }

    /// Room for what was planned for, and where the last run goes on beyond that, for a longer tail.
    #[cold]
    fn make_room(&mut self) {
        let planned = (self.homes + TAIL).saturating_sub(self.end);
        let more = if planned == 0 { TAIL } else { planned };
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK && self.end % CHUNK != 0 => {
                last.reserve_exact(more.min(CHUNK - last.len()));
            }
            _ => self.chunks.push(Vec::with_capacity(more.min(CHUNK))),
        }
    }

    /// Gives back the chunk that ends here, if one does.
    #[inline]
    pub(super) fn leave(&mut self, at: usize) {
        if at > 0 && at % CHUNK == 0 {
            self.chunks[at / CHUNK - 1] = Vec::new();
        }
    }

    /// Places from here on: each with what it holds.
    pub(super) fn places(&self, from: usize) -> impl Iterator<Item = (usize, &Words)> {
        let chunks = self.chunks.iter().enumerate().skip(from / CHUNK);
        let all = chunks.flat_map(|(number, chunk)| {
            let first = number * CHUNK;
            chunk.iter().zip(first..).map(|(words, at)| (at, words))
        });
        all.skip_while(move |(at, _)| *at < from)
    }

    pub(super) fn taken(&self, from: usize) -> impl Iterator<Item = &Words> {
        let places = self.places(from).map(|(_, words)| words);
        places.filter(|words| is_taken(words))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let places: usize = self.chunks.iter().map(Vec::capacity).sum();
        places * size_of::<Words>() + self.chunks.capacity() * size_of::<Vec<Words>>()
    }

    /// Panics where an invariant does not hold for what lies from here on.
    pub(super) fn validate(&self, from: usize) {
        for (number, chunk) in self.chunks.iter().enumerate() {
            let places = (self.end - number * CHUNK).min(CHUNK);
            let gone = (number + 1) * CHUNK <= from;
            assert_eq!(
                chunk.len(),
                if gone { 0 } else { places },
                "chunks are whole"
            );
        }
        let mut before = 0;
        let mut run_from = from;
        for (at, words) in self.places(from) {
            if !is_taken(words) {
                run_from = at + 1;
                continue;
            }
            assert!(before <= words[0], "slots are sorted");
            before = words[0];
            let home = self.home(words[0]).max(from);
            assert!(
                run_from <= home && home <= at,
                "nothing is empty between a slot and its home"
            );
        }
    }
}
