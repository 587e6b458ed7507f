//! Numbers as people read them.

/// For figures, which have no need of the last bits.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "a figure has three digits, not sixteen"
)]
pub fn as_f64(count: u64) -> f64 {
    count as f64
}

/// Three digits, and a letter for thousands, millions and billions.
#[must_use]
pub fn number(value: f64) -> String {
    let size = value.abs();
    // What rounds up to the next letter takes it.
    let (scaled, letter) = if size >= 999.5e6 {
        (value / 1e9, " G")
    } else if size >= 999.5e3 {
        (value / 1e6, " M")
    } else if size >= 9_999.5 {
        (value / 1e3, " k")
    } else {
        (value, "")
    };
    let digits = match scaled.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        size if size >= 0.09995 => 3,
        _ => 4,
    };
    let text = format!("{scaled:.digits$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}{letter}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        let cases = [
            (2_410_000.0, "2.41 M"),
            (999_700.0, "1 M"),
            (9_999.6, "10 k"),
            (1234.0, "1234"),
            (48.26, "48.3"),
            (1.0, "1"),
            (0.0641, "0.0641"),
            (0.0, "0"),
            (100.0, "100"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }
}
