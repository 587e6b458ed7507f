//! [`Part`]: sorted slots under one scale.

use crate::state::slot::Slot;

/// A slot as it is stored; all zero while it is empty.
pub(super) type Words = [u32; 6];

pub(super) const EMPTY: Words = [0; 6];

/// Slots after the last home: the last run ends there, as good as always.
pub(super) const TAIL: usize = 64;

/// Slots that stand at their homes, or as little after them as the ones before allow.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Invariants: what is not empty is sorted by the first word of its digest; between a slot and
    /// its home nothing is empty; the last one is empty.
    pub(super) slots: Vec<Words>,
    /// Homes: the slots after them take what is pushed beyond the last home.
    pub(super) homes: usize,
}

/// Where the words of a digest are, or would be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) at: usize,
    pub(super) is_taken: bool,
}

/// Where a slot belongs: digests are spread over the homes in their order.
#[inline]
pub(super) fn home(word: u32, homes: usize) -> usize {
    let homes = u64::try_from(homes).expect("a table is in memory");
    let scaled = (u64::from(word) * homes) >> 32;
    usize::try_from(scaled).expect("it is less than the homes")
}

#[inline]
pub(super) fn is_taken(words: &Words) -> bool {
    // The state of a key is never zero.
    words[3] != 0
}

impl Part {
    /// Room for so many homes, and nothing that stands there.
    pub(super) fn with_homes(homes: usize) -> Self {
        let slots = Vec::with_capacity(homes + TAIL);
        Self { slots, homes }
    }

    #[inline]
    pub(super) fn find(&self, [a, b, c]: [u32; 3]) -> Found {
        let mut at = home(a, self.homes);
        let is_taken = loop {
            let Some(words) = self.slots.get(at) else {
                break false;
            };
            let [x, y, z, ..] = *words;
            if !is_taken(words) || x > a {
                break false;
            }
            if [x, y, z] == [a, b, c] {
                break true;
            }
            at += 1;
        };
        Found { at, is_taken }
    }

    /// Puts a slot where it belongs, and moves what is there up.
    #[inline]
    pub(super) fn insert(&mut self, at: usize, words: Words) {
        let mut end = at;
        while self.slots.get(end).is_some_and(is_taken) {
            end += 1;
        }
        if end + 1 >= self.slots.len() {
            self.lengthen();
        }
        if end > at {
            self.slots.copy_within(at..end, at + 1);
        }
        self.slots[at] = words;
    }

    /// Makes room after the last home, where the last run has come to the end.
    #[cold]
    fn lengthen(&mut self) {
        self.slots.resize(self.slots.len() + TAIL, EMPTY);
    }

    /// Takes a slot out; what is away from its home moves up.
    pub(super) fn remove(&mut self, at: usize) {
        let mut end = at + 1;
        while self
            .slots
            .get(end)
            .is_some_and(|words| is_taken(words) && home(words[0], self.homes) < end)
        {
            end += 1;
        }
        self.slots.copy_within(at + 1..end, at);
        self.slots[end - 1] = EMPTY;
    }

    /// Lets what does not stay go, from the first run after `from` to the end of the run that `until` lies in: what is
    /// left of each run moves up. Calls `gone` for each that goes. Gives where it ended.
    pub(super) fn sweep(
        &mut self,
        from: usize,
        until: usize,
        stays: impl Fn(Slot) -> bool,
        mut gone: impl FnMut(&Words),
    ) -> usize {
        // In the midst of a run a slot could not move up to its home.
        let skipped = match from {
            0 => 0,
            _ => {
                let before = self.slots[from - 1..].iter();
                before.take_while(|words| is_taken(words)).count()
            }
        };
        let mut next = from + skipped;
        for at in from + skipped..self.slots.len() {
            let words = self.slots[at];
            if !is_taken(&words) {
                if at >= until {
                    return at;
                }
                continue;
            }
            self.slots[at] = EMPTY;
            if stays(Slot::from_words(words)) {
                // Never after where it was: fewer stand before it.
                let to = home(words[0], self.homes).max(next);
                self.slots[to] = words;
                next = to + 1;
            } else {
                gone(&words);
            }
        }
        self.slots.len()
    }

    /// Takes over slots that belong after all that are here, those of them that stay. Calls `gone` for the others. What is
    /// empty is written when it is come to, not before.
    pub(super) fn append(
        &mut self,
        slots: &[Words],
        stays: impl Fn(Slot) -> bool,
        mut gone: impl FnMut(&Words),
    ) {
        self.slots.truncate(self.end());
        for words in slots.iter().filter(|words| is_taken(words)) {
            if !stays(Slot::from_words(*words)) {
                gone(words);
                continue;
            }
            let home = home(words[0], self.homes);
            while self.slots.len() < home {
                self.slots.push(EMPTY);
            }
            self.slots.push(*words);
        }
        self.slots.push(EMPTY);
    }

    /// The place after the last slot.
    fn end(&self) -> usize {
        let empty = self.slots.iter().rev().take_while(|words| !is_taken(words));
        self.slots.len() - empty.count()
    }

    /// Has empty places up to the homes of digests before this word, or up to the last home, and a few more.
    pub(super) fn close_end(&mut self, before: Option<u32>) {
        let homes = before.map_or(self.homes, |word| home(word, self.homes));
        let len = (homes + TAIL).max(self.slots.len());
        self.slots.resize(len, EMPTY);
    }

    /// The first slot at this place or after it that has another word than the slot before it: its place and its word.
    pub(super) fn cut(&self, at: usize) -> Option<(usize, u32)> {
        let before = self
            .slots
            .get(..at)?
            .iter()
            .rev()
            .find(|words| is_taken(words));
        let mut rest = self.slots[at..].iter().zip(at..);
        let (words, at) = rest.find(|(words, _)| {
            is_taken(words) && before.is_none_or(|before| before[0] != words[0])
        })?;
        Some((at, words[0]))
    }

    pub(super) fn taken(&self, from: usize) -> impl Iterator<Item = &Words> {
        let slots = self.slots.get(from..).unwrap_or_default();
        slots.iter().filter(|words| is_taken(words))
    }

    /// Panics where an invariant does not hold. Slots that have moved from here keep their places taken.
    pub(super) fn validate(&self) {
        assert!(
            self.slots.last().is_none_or(|words| *words == EMPTY),
            "the last slot is empty"
        );
        let (mut before, mut run_from) = (0, 0);
        for (at, words) in self.slots.iter().enumerate() {
            if !is_taken(words) {
                run_from = at + 1;
                continue;
            }
            assert!(before <= words[0], "slots are sorted");
            before = words[0];
            let home = home(words[0], self.homes);
            assert!(
                run_from <= home && home <= at,
                "nothing is empty between a slot and its home"
            );
        }
    }
}
