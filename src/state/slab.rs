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
/// value only after 2^28 inserts, and whoever holds one compares the token as well.
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

    pub(crate) fn get(&self, at: SlabRef) -> Option<&T> {
        let cell = self.cells.get(to_usize(at.index))?;
        if cell.generation == at.generation {
            cell.value.as_ref()
        } else {
            None
        }
    }

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
        let cell = self.cells.get_mut(to_usize(at.index))?;
        if cell.generation != at.generation {
            return None;
        }
        let value = cell.value.take()?;
        self.free.push(at.index);
        if self.free.len() == self.cells.len() && self.cells.len() > 1024 {
            self.cells = Vec::new();
            self.free = Vec::new();
        }
        Some(value)
    }

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

fn to_usize(index: u32) -> usize {
    usize::try_from(index).expect("an index of 32 bits fits")
}
