//! Numbers as people read them: thousands apart, three digits where more would be noise.

use crate::outcome::Unit;

/// What stands where nothing was measured.
pub const NOTHING: &str = "-";

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of some unit, with the unit behind it.
pub fn with_unit(value: Option<f64>, unit: Unit) -> String {
    let Some(value) = value.filter(|value| value.is_finite()) else {
        return NOTHING.to_owned();
    };
    match unit {
        Unit::Count => amount(value),
        Unit::PerSecond => format!("{} /s", amount(value)),
        Unit::Microseconds => duration(value),
        Unit::Seconds => duration(value * 1e6),
        Unit::Bytes => bytes(value),
        Unit::Share => format!("{} %", short(value * 100.0)),
    }
}

/// A number as it was measured: thousands apart, at most three digits behind the point.
pub fn exact(value: f64) -> String {
    let text = format!("{:.3}", value.abs());
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let rest = rest.trim_end_matches('0');
    let sign = if value < 0.0 { "-" } else { "" };
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), grouped);
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{rest}")
}

/// A number without a unit, as columns want it: whole from 100 up, three digits below.
pub fn bare(value: f64) -> String {
    if value.abs() >= 100.0 {
        exact(value.round())
    } else {
        short(value)
    }
}

/// The same, but what is whole stays whole.
fn amount(value: f64) -> String {
    if value.fract() == 0.0 {
        exact(value)
    } else {
        bare(value)
    }
}

fn duration(microseconds: f64) -> String {
    let value = three_digits(microseconds);
    match value.abs() {
        size if size < 1e3 => format!("{} us", short(value)),
        size if size < 1e6 => format!("{} ms", short(value / 1e3)),
        size if size < 1e9 => format!("{} s", short(value / 1e6)),
        _ => format!("{} s", exact((microseconds / 1e6).round())),
    }
}

fn bytes(value: f64) -> String {
    const MIB: f64 = 1_048_576.0;
    match value.abs() {
        size if size < MIB => format!("{} B", exact(value.round())),
        size if size < 1024.0 * MIB => format!("{} MiB", short(value / MIB)),
        _ => format!("{} GiB", short(value / MIB / 1024.0)),
    }
}

/// Three digits that count, trailing zeros too, so that columns show the same precision.
fn short(value: f64) -> String {
    let value = three_digits(value);
    if value == 0.0 {
        return "0".to_owned();
    }
    let behind = (2.0 - value.abs().log10().floor()).clamp(0.0, 4.0) as usize;
    if behind == 0 {
        exact(value)
    } else {
        format!("{value:.behind$}")
    }
}

fn three_digits(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345, "12,345"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn units_fit_the_size() {
        for (value, unit, text) in [
            (0.0, Unit::Count, "0"),
            (7.0, Unit::Count, "7"),
            (2.5, Unit::Count, "2.50"),
            (1_234.6, Unit::Count, "1,235"),
            (-1_234.0, Unit::Count, "-1,234"),
            (1_500_000.4, Unit::PerSecond, "1,500,000 /s"),
            (0.0, Unit::Microseconds, "0 us"),
            (0.344, Unit::Microseconds, "0.344 us"),
            (5.0, Unit::Microseconds, "5.00 us"),
            (812.4, Unit::Microseconds, "812 us"),
            (999.4, Unit::Microseconds, "999 us"),
            (999.6, Unit::Microseconds, "1.00 ms"),
            (5_341.0, Unit::Microseconds, "5.34 ms"),
            (999_600.0, Unit::Microseconds, "1.00 s"),
            (61.25, Unit::Seconds, "61.2 s"),
            (4_321.0, Unit::Seconds, "4,321 s"),
            (0.0104, Unit::Seconds, "10.4 ms"),
            (6_144.0, Unit::Bytes, "6,144 B"),
            (1_048_575.0, Unit::Bytes, "1,048,575 B"),
            (1_048_576.0, Unit::Bytes, "1.00 MiB"),
            (45.26 * 1_048_576.0, Unit::Bytes, "45.3 MiB"),
            (3.0 * 1_073_741_824.0, Unit::Bytes, "3.00 GiB"),
            (0.982, Unit::Share, "98.2 %"),
            (1.984, Unit::Share, "198 %"),
            (12.5, Unit::Share, "1,250 %"),
        ] {
            assert_eq!(with_unit(Some(value), unit), text, "{value} {unit:?}");
        }
    }

    #[test]
    fn what_was_not_measured_is_no_number() {
        for nothing in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            assert_eq!(with_unit(nothing, Unit::Bytes), "-");
        }
    }

    #[test]
    fn exact_numbers_lose_only_what_is_past_a_thousandth() {
        for (value, text) in [
            (1_500_000.0, "1,500,000"),
            (0.9, "0.9"),
            (-12.25, "-12.25"),
            (1_234.567_8, "1,234.568"),
            (0.0, "0"),
        ] {
            assert_eq!(exact(value), text);
        }
    }
}
