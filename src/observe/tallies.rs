//! [`Tallies`]: the counters of one shard, each namespace in a [`Column`].

use crate::observe::counters::Counters;

/// The column of the counters that a namespace has in every shard. The first namespaces to be made or opened
/// have one of their own, so that counters are bounded for any number of namespaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Column(u8);

/// Namespaces that have a column of their own; the others share one more.
pub(crate) const COLUMNS_MAX: usize = 64;

impl Column {
    /// The column that the other namespaces share.
    pub(crate) const OTHERS: Self = Self(64);

    /// The column of the `number`-th namespace.
    pub(crate) fn of(number: usize) -> Self {
        let own = u8::try_from(number).ok().filter(|_| number < COLUMNS_MAX);
        own.map_or(Self::OTHERS, Self)
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// The counters of one shard, by namespace.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    /// Nothing is counted, to see what counting costs.
    off: bool,
    /// The first column is at hand; most stores have no other.
    first: Counters,
    /// The others, made when there is something to count.
    more: Vec<Option<Box<Counters>>>,
}

impl Tallies {
    pub(crate) fn turn_off(&mut self) {
        self.off = true;
    }

    /// Counts something of a namespace.
    #[inline]
    pub(crate) fn count(&mut self, column: Column, add: impl FnOnce(&mut Counters)) {
        if self.off {
            return;
        }
        match column.index().checked_sub(1) {
            None => add(&mut self.first),
            Some(index) => add(self.one_of_more(index)),
        }
    }

    fn one_of_more(&mut self, index: usize) -> &mut Counters {
        if self.more.len() <= index {
            self.more.resize_with(index + 1, || None);
        }
        self.more[index].get_or_insert_default()
    }

    /// The columns that something was counted in.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (usize, &Counters)> {
        let more = self.more.iter().enumerate();
        let more = more.filter_map(|(index, counters)| Some((index + 1, &**counters.as_ref()?)));
        std::iter::once((0, &self.first)).chain(more)
    }

    pub(crate) fn sum(&self) -> Counters {
        self.columns()
            .fold(Counters::default(), |mut sum, (_, counters)| {
                sum += *counters;
                sum
            })
    }
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS_MAX, Column, Tallies};

    #[test]
    fn namespaces_beyond_the_cap_share_a_column() {
        let mut tallies = Tallies::default();
        for number in 0..COLUMNS_MAX + 10 {
            tallies.count(Column::of(number), |counters| counters.granted += 1);
        }
        let columns: Vec<_> = tallies.columns().map(|(_, seen)| seen.granted).collect();
        assert_eq!(columns.len(), COLUMNS_MAX + 1);
        assert_eq!((columns[0], columns[COLUMNS_MAX]), (1, 10));
        assert_eq!(tallies.sum().granted, 74);
    }
}
