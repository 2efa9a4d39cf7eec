//! Durations as Go writes them: `1h15m`, `1.5s`, `300ms`, `0`.
//! Grammar: <https://pkg.go.dev/time#ParseDuration>.

/// Nanoseconds; the error is worded as Go does, since clients show it.
pub(super) fn parse(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut nanos = 0i128;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (whole, after) = rest.split_at(digits);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => {
                let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
                after.split_at(after.len() - rest.len())
            }
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(invalid());
        }
        let end = after
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        if name.is_empty() {
            return Err(format!("time: missing unit in duration {text:?}"));
        }
        let unit = unit(name)
            .ok_or_else(|| format!("time: unknown unit {name:?} in duration {text:?}"))?;
        nanos = number(whole, fraction, unit)
            .and_then(|part| nanos.checked_add(part))
            .ok_or_else(invalid)?;
        rest = after;
    }
    i64::try_from(if negative { -nanos } else { nanos }).map_err(|_| invalid())
}

fn unit(name: &str) -> Option<i128> {
    Some(match name {
        "ns" => 1,
        // Micro sign, Greek letter mu.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

fn number(whole: &str, fraction: &str, unit: i128) -> Option<i128> {
    let whole: i128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    // No unit has more than 13 digits of nanoseconds: further ones change nothing.
    let fraction = &fraction[..fraction.len().min(15)];
    let parts: i128 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().ok()?
    };
    let of = 10i128.pow(fraction.len() as u32);
    whole.checked_mul(unit)?.checked_add(parts * unit / of)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let cases = [
            ("0", 0),
            ("5s", 5_000_000_000),
            ("1.5ms", 1_500_000),
            ("-1.5h", -5_400_000_000_000),
            ("3h30m", 12_600_000_000_000),
            ("10.5s4m", 250_500_000_000),
            ("100us", 100_000),
            ("100\u{b5}s", 100_000),
            ("100\u{3bc}s", 100_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("0.3333333333333333333h", 1_199_999_999_999),
            ("+7ns", 7),
        ];
        for (text, nanos) in cases {
            assert_eq!(parse(text), Ok(nanos), "{text}");
        }
        let bad = [
            "", "3", "-", "s", ".", "-.", ".s", "+.s", "1d", "20x", "1e3s", "1 s", "한",
        ];
        for text in bad {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("9999999999h").is_err());
        assert!(parse(&"9".repeat(500)).is_err());
        assert!(parse(&format!("{}s", "9".repeat(50))).is_err());
        assert_eq!(
            parse("1d").unwrap_err(),
            "time: unknown unit \"d\" in duration \"1d\""
        );
    }
}
