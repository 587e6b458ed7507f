//! [`Slab`]: the running keys of a shard, by index and generation.
//!
//! Values lie in chunks of equal size, so a slab that grows moves none of them.

/// Where a running key is. A reference to one that has gone finds nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct SlabRef {
    pub(crate) index: u32,
    /// 28 bits.
    pub(crate) generation: u32,
}

const GENERATION_MASK: u32 = (1 << 28) - 1;

/// Cells of a chunk: the most that are moved when a slab grows, and those only in the first one.
const CHUNK: usize = 64;

#[derive(Debug)]
struct Cell<T> {
    generation: u32,
    value: Option<T>,
}

/// Values under references that are never confused with later ones.
///
/// Generations count per slab, not per cell, so memory can be given back: a reference fits another
/// value only after 2^28 inserts, and the user of one compares the token as well.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    /// Invariant: all but the last have [`CHUNK`] cells.
    chunks: Vec<Vec<Cell<T>>>,
    cells: usize,
    /// Invariant: exactly the cells without a value.
    free: Vec<u32>,
    generation: u32,
}

impl<T> Slab<T> {
    pub(crate) fn new() -> Self {
        Self {
            chunks: Vec::new(),
            cells: 0,
            free: Vec::new(),
            generation: 0,
        }
    }

    #[inline]
    fn cell(&self, index: u32) -> Option<&Cell<T>> {
        let index = to_usize(index);
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    #[inline]
    fn cell_mut(&mut self, index: u32) -> Option<&mut Cell<T>> {
        let index = to_usize(index);
        self.chunks.get_mut(index / CHUNK)?.get_mut(index % CHUNK)
    }

    /// The chunk with room for a cell. The first one grows as far as it is used, by doubling: most
    /// shards run few keys at once.
    #[cold]
    fn chunk_with_room(&mut self) -> &mut Vec<Cell<T>> {
        if self.cells % CHUNK == 0 {
            let room = if self.cells == 0 { 0 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        self.chunks.last_mut().expect("there is one")
    }

    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> SlabRef {
        self.generation = (self.generation + 1) & GENERATION_MASK;
        let cell = Cell {
            generation: self.generation,
            value: Some(value),
        };
        let index = if let Some(index) = self.free.pop() {
            *self.cell_mut(index).expect("a free index lies in the slab") = cell;
            index
        } else {
            self.chunk_with_room().push(cell);
            self.cells += 1;
            u32::try_from(self.cells - 1).expect("the limit of running keys is far below")
        };
        SlabRef {
            index,
            generation: self.generation,
        }
    }

    #[inline]
    pub(crate) fn get(&self, at: SlabRef) -> Option<&T> {
        let cell = self.cell(at.index)?;
        if cell.generation == at.generation {
            cell.value.as_ref()
        } else {
            None
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, at: SlabRef) -> Option<&mut T> {
        let cell = self.cell_mut(at.index)?;
        if cell.generation == at.generation {
            cell.value.as_mut()
        } else {
            None
        }
    }

    #[inline]
    pub(crate) fn remove(&mut self, at: SlabRef) -> Option<T> {
        let cell = self.cell_mut(at.index)?;
        if cell.generation != at.generation {
            return None;
        }
        let value = cell.value.take()?;
        self.free.push(at.index);
        if self.free.len() == self.cells && self.cells > 1024 {
            self.chunks = Vec::new();
            self.cells = 0;
            self.free = Vec::new();
        }
        Some(value)
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.cells - self.free.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SlabRef, &T)> {
        self.chunks
            .iter()
            .flatten()
            .zip(0..)
            .filter_map(|(cell, index)| {
                let at = SlabRef {
                    index,
                    generation: cell.generation,
                };
                cell.value.as_ref().map(|value| (at, value))
            })
    }

    pub(crate) fn validate(&self) {
        let cells = self.chunks.iter().flatten();
        let empty = cells.filter(|cell| cell.value.is_none()).count();
        let mut full = self.chunks.iter().rev().skip(1);
        assert!(
            full.all(|chunk| chunk.len() == CHUNK)
                && self.chunks.iter().map(Vec::len).sum::<usize>() == self.cells,
            "chunks are whole"
        );
        assert_eq!(
            empty,
            self.free.len(),
            "the free list names every empty cell"
        );
    }
}

#[inline]
fn to_usize(index: u32) -> usize {
    usize::try_from(index).expect("an index of 32 bits fits")
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, GENERATION_MASK, Slab, SlabRef};

    #[test]
    fn a_reference_finds_its_value_and_no_later_one() {
        let mut slab = Slab::new();
        let (a, b) = (slab.insert('a'), slab.insert('b'));
        assert_eq!((slab.get(a), slab.get(b)), (Some(&'a'), Some(&'b')));
        assert_eq!(slab.remove(a), Some('a'));
        assert_eq!(slab.get(a), None);
        assert_eq!(slab.remove(a), None);
        let c = slab.insert('c');
        assert_eq!(c.index, a.index, "the place is used again");
        assert_eq!(slab.get(a), None);
        assert_eq!(slab.get_mut(a), None);
        assert_eq!(slab.remove(a), None);
        *slab.get_mut(c).unwrap() = 'd';
        assert_eq!(slab.len(), 2);
        let all: Vec<(SlabRef, char)> = slab.iter().map(|(at, value)| (at, *value)).collect();
        assert_eq!(all, [(c, 'd'), (b, 'b')]);
        slab.validate();
    }

    #[test]
    fn generations_are_28_bits_and_wrap() {
        let mut slab = Slab::new();
        slab.generation = (1 << 28) - 2;
        let (last, first) = (slab.insert('a'), slab.insert('b'));
        assert_eq!((last.generation, first.generation), ((1 << 28) - 1, 0));
        assert_eq!(slab.insert('c').generation, 1);
        assert_eq!(GENERATION_MASK, 0x0fff_ffff);
    }

    /// Fills a slab, empties it but for `left`, and answers the room that it keeps.
    fn kept(values: usize, left: usize) -> usize {
        let mut slab = Slab::new();
        let all: Vec<SlabRef> = (0..values).map(|value| slab.insert(value)).collect();
        for at in &all[left..] {
            slab.remove(*at);
        }
        slab.validate();
        assert_eq!(slab.len(), left);
        slab.chunks.iter().map(Vec::capacity).sum()
    }

    #[test]
    fn a_large_slab_that_is_empty_gives_its_memory_back() {
        assert_eq!(kept(1025, 0), 0);
        assert!(kept(1024, 0) >= 1024, "a small one keeps it");
        assert!(kept(1025, 1) >= 1025, "references would lose their values");
    }

    #[test]
    fn a_slab_that_grows_moves_no_value() {
        let mut slab = Slab::new();
        let mut all = Vec::new();
        for value in 0..10 * CHUNK {
            let at = slab.insert(value);
            all.push((at, std::ptr::from_ref(slab.get(at).unwrap())));
            slab.validate();
        }
        // The first chunk begins small, so what it has may move while it grows.
        for (at, place) in &all[CHUNK..] {
            assert!(std::ptr::eq(slab.get(*at).unwrap(), *place));
        }
        assert!(
            slab.iter()
                .map(|(at, _)| at)
                .eq(all.iter().map(|(at, _)| *at))
        );
    }

    #[test]
    #[should_panic(expected = "the free list names every empty cell")]
    fn an_empty_cell_that_is_not_free_is_noticed() {
        let mut slab = Slab::new();
        let at = slab.insert('a');
        slab.remove(at);
        slab.free.clear();
        slab.validate();
    }
}
