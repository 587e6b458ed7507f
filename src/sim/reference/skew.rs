//! [`Skew`]: how the monotonic clock of a process differs from that of the server.

/// How the monotonic clock of a process differs from that of the server.
///
/// The default is a clock that began with the server's, and runs as fast.
///
/// # Examples
///
/// ```
/// use hapax::sim::{Server, Skew};
///
/// let server = Server::new();
/// // It has been up for an hour, and runs three parts in a thousand too slow.
/// let late = server.client_with(Skew::default().offset_ms(3_600_000).drift_per_mille(-3));
/// # let _ = late;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[must_use]
pub struct Skew {
    offset_ms: u64,
    drift_per_mille: i16,
}

const MILLE: u128 = 1000;

impl Skew {
    /// Where it stood when the clock of the server began.
    pub fn offset_ms(mut self, offset_ms: u64) -> Self {
        self.offset_ms = offset_ms;
        self
    }

    /// How many parts in a thousand it runs too fast, or too slow if negative.
    ///
    /// # Panics
    /// When it would stand still, or run back.
    pub fn drift_per_mille(mut self, drift_per_mille: i16) -> Self {
        assert!(drift_per_mille > -1000, "a clock runs forward");
        self.drift_per_mille = drift_per_mille;
        self
    }

    fn rate(self) -> u128 {
        u128::try_from(1000 + i32::from(self.drift_per_mille)).expect("a clock runs forward")
    }

    /// Where it stands when the clock of the server stands there.
    pub(super) fn of_server(self, server_ms: u64) -> u64 {
        let passed_ms = u128::from(server_ms) * self.rate() / MILLE;
        let passed_ms = u64::try_from(passed_ms).unwrap_or(u64::MAX);
        self.offset_ms.saturating_add(passed_ms)
    }

    /// The first moment of the server at which it stands there, or further.
    pub(super) fn to_server(self, own_ms: u64) -> u64 {
        let passed_ms = u128::from(own_ms.saturating_sub(self.offset_ms)) * MILLE;
        u64::try_from(passed_ms.div_ceil(self.rate())).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::Skew;

    #[test]
    fn a_moment_comes_back_as_the_first_at_which_it_is_reached() {
        for drift in [-999, -500, -3, 0, 3, 500, 2000] {
            let skew = Skew::default().offset_ms(70).drift_per_mille(drift);
            assert_eq!(skew.of_server(0), 70);
            for own_ms in 70..200 {
                let server_ms = skew.to_server(own_ms);
                assert!(skew.of_server(server_ms) >= own_ms, "{drift} {own_ms}");
                let before = server_ms.checked_sub(1).map(|ms| skew.of_server(ms));
                assert!(before.is_none_or(|ms| ms < own_ms), "{drift} {own_ms}");
            }
        }
        assert_eq!(Skew::default().to_server(u64::MAX), u64::MAX);
    }
}
