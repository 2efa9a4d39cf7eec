//! The little that the doctor reads of a metrics page (Prometheus text).

/// Sum over the samples of a metric whose labels hold every one of `labels` (`state="up"`);
/// none if there is no such sample.
pub(crate) fn sum(page: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let values = page.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (found, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once('}')?,
            None => ("", rest.strip_prefix(' ')?),
        };
        let matches = labels
            .iter()
            .all(|label| found.split(',').any(|one| one == *label));
        let value = value.split_whitespace().next()?.parse::<f64>().ok()?;
        matches.then_some(value)
    });
    values.fold(None, |sum, value| Some(sum.unwrap_or_default() + value))
}

/// The samples above zero of a metric, as `labels value`.
pub(crate) fn above_zero(page: &str, name: &str) -> Vec<String> {
    page.lines()
        .filter_map(|line| {
            let (labels, value) = line
                .strip_prefix(name)?
                .strip_prefix('{')?
                .rsplit_once('}')?;
            let value = value.split_whitespace().next()?;
            (value.parse::<f64>().ok()? > 0.0).then(|| format!("{labels} {value}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_found_by_name_and_labels() {
        let page = "# HELP spans_dropped_total Spans.\n\
                    spans_dropped_total{reason=\"queue_full\",service=\"users\"} 3\n\
                    spans_dropped_total{reason=\"refused\",service=\"users\"} 0\n\
                    spans_dropped_total_other 9\n\
                    store_bytes 1.5e3\n";
        assert_eq!(sum(page, "spans_dropped_total", &[]), Some(3.0));
        assert_eq!(
            sum(page, "spans_dropped_total", &["reason=\"refused\""]),
            Some(0.0)
        );
        assert_eq!(sum(page, "store_bytes", &[]), Some(1500.0));
        assert_eq!(sum(page, "missing", &[]), None);
        assert_eq!(
            above_zero(page, "spans_dropped_total"),
            ["reason=\"queue_full\",service=\"users\" 3"]
        );
    }
}
