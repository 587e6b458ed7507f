//! [`Slab`]: the running keys of a shard, by index and generation.

/// Where a running key is. A reference to one that has gone finds nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct SlabRef {
    pub(crate) index: u32,
    /// 28 bits.
    pub(crate) generation: u32,
}

const GENERATION_MASK: u32 = (1 << 28) - 1;

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
    cells: Vec<Cell<T>>,
    /// Invariant: exactly the cells without a value.
    free: Vec<u32>,
    generation: u32,
}

impl<T> Slab<T> {
    pub(crate) fn new() -> Self {
        Self {
            cells: Vec::new(),
            free: Vec::new(),
            generation: 0,
        }
    }

    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> SlabRef {
        self.generation = (self.generation + 1) & GENERATION_MASK;
        let cell = Cell {
            generation: self.generation,
            value: Some(value),
        };
        let index = if let Some(index) = self.free.pop() {
            *self
                .cells
                .get_mut(to_usize(index))
                .expect("a free index lies in the slab") = cell;
            index
        } else {
            self.cells.push(cell);
            u32::try_from(self.cells.len() - 1).expect("the limit of running keys is far below")
        };
        SlabRef {
            index,
            generation: self.generation,
        }
    }

    #[inline]
    pub(crate) fn get(&self, at: SlabRef) -> Option<&T> {
        let cell = self.cells.get(to_usize(at.index))?;
        if cell.generation == at.generation {
            cell.value.as_ref()
        } else {
            None
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, at: SlabRef) -> Option<&mut T> {
        let cell = self.cells.get_mut(to_usize(at.index))?;
        if cell.generation == at.generation {
            cell.value.as_mut()
        } else {
            None
        }
    }

    #[inline]
    pub(crate) fn remove(&mut self, at: SlabRef) -> Option<T> {
        self.remove_as(at, |value| value)
    }

    /// As [`remove`](Self::remove), for a caller who needs a part of the value: the rest is not copied.
    #[inline]
    pub(crate) fn remove_as<U>(&mut self, at: SlabRef, part: impl FnOnce(T) -> U) -> Option<U> {
        let cell = self.cells.get_mut(to_usize(at.index))?;
        if cell.generation != at.generation {
            return None;
        }
        let part = part(cell.value.take()?);
        self.free.push(at.index);
        if self.free.len() == self.cells.len() && self.cells.len() > 1024 {
            self.cells = Vec::new();
            self.free = Vec::new();
        }
        Some(part)
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.cells.len() - self.free.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SlabRef, &T)> {
        self.cells.iter().zip(0..).filter_map(|(cell, index)| {
            let at = SlabRef {
                index,
                generation: cell.generation,
            };
            cell.value.as_ref().map(|value| (at, value))
        })
    }

    pub(crate) fn validate(&self) {
        let empty = self
            .cells
            .iter()
            .filter(|cell| cell.value.is_none())
            .count();
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
    use super::{GENERATION_MASK, Slab, SlabRef};

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
        slab.cells.capacity()
    }

    #[test]
    fn a_large_slab_that_is_empty_gives_its_memory_back() {
        assert_eq!(kept(1025, 0), 0);
        assert!(kept(1024, 0) >= 1024, "a small one keeps it");
        assert!(kept(1025, 1) >= 1025, "references would lose their values");
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
