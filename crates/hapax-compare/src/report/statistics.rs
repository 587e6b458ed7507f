//! The middle of a few measurements, and how far they lie apart.

/// Median, least and greatest.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Spread {
    /// The middle one; between the two middle ones of an even count.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// The spread of these values; `None` for an empty list.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self { median, min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_odd_and_even_counts() {
        let spread = Spread::of(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!((spread.min, spread.median, spread.max), (1.0, 2.0, 3.0));
        assert_eq!(
            Spread::of(&[4.0, 1.0, 2.0, 3.0]).unwrap().median.to_bits(),
            2.5_f64.to_bits()
        );
        assert_eq!(
            Spread::of(&[7.0]).unwrap().median.to_bits(),
            7.0_f64.to_bits()
        );
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn one_wild_run_does_not_move_it() {
        let spread = Spread::of(&[1.0, 1.1, 900.0]).unwrap();
        assert_eq!((spread.median, spread.max), (1.1, 900.0));
    }
}
