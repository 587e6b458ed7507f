//! [`Indicators`]: the five numbers that say whether deduplication does its work.

use std::time::Duration;

use crate::observe::metrics::distribution::{Distribution, as_f64};
use crate::observe::metrics::family::{Family, Value};
use crate::observe::metrics::snapshot::Metrics;

/// The five numbers that say whether deduplication does its work, over a span of time.
///
/// [The guide](crate::guide::metrics) defines each, and says which values are good and what it cannot show.
///
/// # Examples
///
/// ```
/// use hapax::Store;
///
/// let store = Store::in_memory().open()?;
/// let indicators = store.metrics().indicators();
/// assert_eq!(indicators.duplicate_effects_max(), 0);
/// assert_eq!(indicators.retries_per_operation(), None, "there was no claim");
/// # Ok::<(), hapax::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Indicators {
    duplicate_effects_max: u64,
    duplicate_share_max: Option<f64>,
    lapsed_share: Option<f64>,
    replay_p95: Option<Duration>,
    disk_growth: Option<f64>,
    key_growth: Option<f64>,
    retries_per_operation: Option<f64>,
}

impl Indicators {
    /// The most effects that can have happened more than once: runs in place of a holder that lapsed or died,
    /// and leases that were dropped without an outcome.
    #[must_use]
    pub fn duplicate_effects_max(&self) -> u64 {
        self.duplicate_effects_max
    }

    /// The same for each run that was started; `None` without a run.
    #[must_use]
    pub fn duplicate_share_max(&self) -> Option<f64> {
        self.duplicate_share_max
    }

    /// Leases that lapsed, for each run that was started; `None` without a run.
    #[must_use]
    pub fn lapsed_share(&self) -> Option<f64> {
        self.lapsed_share
    }

    /// The time within which 95 of 100 stored answers were given, rounded up to the bound of a bucket. `None`
    /// without a timed answer, and the greatest duration if it is over all bounds.
    #[must_use]
    pub fn replay_p95(&self) -> Option<Duration> {
        self.replay_p95
    }

    /// Bytes on the medium that were added each second, less those that were given back; `None`
    /// for a single snapshot.
    #[must_use]
    pub fn disk_growth(&self) -> Option<f64> {
        self.disk_growth
    }

    /// Keys that were added each second, less those that went; `None` for a single snapshot.
    #[must_use]
    pub fn key_growth(&self) -> Option<f64> {
        self.key_growth
    }

    /// Claims of keys that had been claimed before, for each key that was claimed for the first time; `None`
    /// without such a key.
    #[must_use]
    pub fn retries_per_operation(&self) -> Option<f64> {
        self.retries_per_operation
    }
}

impl Metrics {
    /// The five indicators since the store was opened.
    #[must_use]
    pub fn indicators(&self) -> Indicators {
        self.indicators_over(None)
    }

    /// The five indicators since an earlier snapshot of the same open store, or since open if that snapshot
    /// is of another.
    ///
    /// # Examples
    ///
    /// ```
    /// use hapax::{Policy, Store};
    ///
    /// let store = Store::in_memory().open()?;
    /// let jobs = store.namespace("jobs", Policy::at_least_once())?;
    /// let before = store.metrics();
    /// jobs.insert("job")?;
    /// jobs.insert("job")?;
    /// let since = store.metrics().indicators_since(&before);
    /// assert_eq!(since.retries_per_operation(), Some(1.0));
    /// assert_eq!(since.duplicate_effects_max(), 0);
    /// # Ok::<(), hapax::Error>(())
    /// ```
    #[must_use]
    pub fn indicators_since(&self, earlier: &Self) -> Indicators {
        self.indicators_over(Some(earlier))
    }

    fn indicators_over(&self, earlier: Option<&Self>) -> Indicators {
        // Another opening has counted from zero.
        let earlier = earlier.filter(|earlier| earlier.run == self.run);
        let count = |name: &str, labels: &[(&str, &str)]| {
            let before = earlier.map_or(0, |earlier| earlier.total(name, labels));
            self.total(name, labels).saturating_sub(before)
        };
        let claims = |outcome| count("hapax_claims_total", &[("outcome", outcome)]);
        let share = |part: u64, whole: u64| (whole > 0).then(|| as_f64(part) / as_f64(whole));
        let granted = claims("granted");
        let reruns = count("hapax_reruns_total", &[]);
        let duplicates =
            count("hapax_reclaims_total", &[]) + count("hapax_dropped_leases_total", &[]);
        let again = ["in_progress", "completed", "failed", "in_doubt", "repeat"];
        let again = again.map(claims).iter().sum::<u64>() + reruns;
        let growth = |name: &str| {
            let earlier = earlier?;
            let seconds = self.at().checked_sub(earlier.at())?.as_secs_f64();
            let grown = self.gauge(name, &[])? - earlier.gauge(name, &[])?;
            (seconds > 0.0).then(|| grown / seconds)
        };
        Indicators {
            duplicate_effects_max: duplicates,
            duplicate_share_max: share(duplicates, granted),
            lapsed_share: share(count("hapax_lapses_total", &[]), granted),
            replay_p95: self.replays_since(earlier).and_then(|seen| p95(&seen)),
            disk_growth: growth("hapax_disk_bytes"),
            key_growth: growth("hapax_entries"),
            retries_per_operation: share(again, granted.saturating_sub(reruns)),
        }
    }

    /// How long stored answers took.
    fn replays_since(&self, earlier: Option<&Self>) -> Option<Distribution> {
        let of = |metrics: &Self| {
            let family = metrics.family("hapax_claim_duration_seconds");
            let series = family.into_iter().flat_map(Family::series);
            let replays = series.filter(|series| {
                series.has(&[("outcome", "completed")]) || series.has(&[("outcome", "failed")])
            });
            let seen = replays.filter_map(|series| match series.value() {
                Value::Histogram(seen) => Some(seen.clone()),
                _ => None,
            });
            seen.reduce(|all, more| all.with(&more))
        };
        let now = of(self)?;
        Some(match earlier.and_then(of) {
            Some(before) => now.since(&before),
            None => now,
        })
    }
}

fn p95(seen: &Distribution) -> Option<Duration> {
    let bound = seen.quantile(0.95)?;
    Some(Duration::try_from_secs_f64(bound).unwrap_or(Duration::MAX))
}
