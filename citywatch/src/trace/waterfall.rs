//! A tree of spans as text: name on the left, time in the middle, bars on the right.

use std::fmt::Write;

use super::tree::{Row, Tree};
use crate::terminal::{Paint, duration};

/// Below this the bars would say nothing.
const SHORTEST_BARS: usize = 10;
const DURATION: usize = 8;
/// Deeper levels are drawn at this depth.
const DEEPEST: usize = 12;

/// At most `width` columns a line.
pub(crate) fn draw(tree: &Tree, width: usize, paint: Paint) -> String {
    let mut out = String::new();
    let summary = format!(
        "{} spans, {} services, {}",
        tree.rows.len(),
        tree.services.len(),
        duration(tree.duration)
    );
    let _ = writeln!(out, "{}  {summary}", paint.bold(&tree.trace_id));
    for (count, what) in [
        (tree.errors(), "with an error"),
        (tree.orphans(), "without their parent"),
    ] {
        if count > 0 {
            let _ = writeln!(out, "{}", paint.red(&format!("{count} {what}")));
        }
    }
    let longest = tree
        .rows
        .iter()
        .map(|row| columns(&label(row)))
        .max()
        .unwrap_or_default();
    // Two spaces between the columns.
    let names = longest
        .min(width.saturating_sub(DURATION + 4 + SHORTEST_BARS))
        .min(width * 3 / 5);
    let bars = width
        .saturating_sub(names + DURATION + 4)
        .max(SHORTEST_BARS);
    for row in &tree.rows {
        let hue = tree.hue(&row.service);
        let label = fitted(&label(row), names);
        let time = format!("{:>DURATION$}", duration(row.duration));
        let bar = bar(row, tree.duration, bars);
        let (label, bar) = if row.error.is_some() || row.orphan {
            (paint.red(&label), paint.red(&bar))
        } else {
            (paint.hue(hue, &label), paint.hue(hue, &bar))
        };
        let _ = writeln!(out, "{label}  {time}  {}", bar.trim_end());
    }
    out
}

fn label(row: &Row) -> String {
    let indent = "  ".repeat(row.depth.min(DEEPEST));
    let mark = match (&row.error, row.orphan) {
        (Some(error), _) => format!(" ✗ {error}"),
        (None, true) => " ? parent missing".to_owned(),
        (None, false) => String::new(),
    };
    format!("{indent}{} {}{mark}", row.service, row.operation)
}

/// The part of the trace's time in which the span ran, never less than one mark.
fn bar(row: &Row, whole: u64, width: usize) -> String {
    let whole = u128::from(whole.max(1));
    let place = |micros: u64| {
        let column = u128::from(micros) * width as u128 / whole;
        usize::try_from(column).unwrap_or(width).min(width)
    };
    let from = place(row.start).min(width.saturating_sub(1));
    let to = place(row.start + row.duration).max(from + 1);
    format!("{}{}", " ".repeat(from), "█".repeat(to - from))
}

/// Exactly `width` columns: padded, or cut with a mark.
fn fitted(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    let whole = columns(text) <= width;
    let limit = if whole {
        width
    } else {
        width.saturating_sub(1)
    };
    for c in text.chars() {
        if used + wide(c) > limit {
            break;
        }
        used += wide(c);
        out.push(c);
    }
    if !whole && width > 0 {
        out.push('…');
        used += 1;
    }
    out.push_str(&" ".repeat(width.saturating_sub(used)));
    out
}

fn columns(text: &str) -> usize {
    text.chars().map(wide).sum()
}

/// Hangul, kana and ideographs take two columns of a terminal.
fn wide(c: char) -> usize {
    let two = matches!(c,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}'
        | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}');
    if two { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::super::tree::tests::example;
    use super::*;

    #[test]
    fn the_waterfall_shows_order_time_and_errors() {
        let text = draw(&example(), 72, Paint::plain());
        let expected = "\
0af7651916cd43dd8448eb211c80319c  3 spans, 2 services, 10.0 ms
1 with an error
gateway GET /api/products             10.0 ms  █████████████████████████
  gateway GET                          9.0 ms   ██████████████████████
    catalog GET /api/products ✗ 500    7.0 ms    ██████████████████
";
        assert_eq!(text, expected);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [40, 60, 80, 200] {
            let text = draw(&example(), width, Paint::plain());
            for line in text.lines().skip(2) {
                assert!(columns(line) <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn wide_letters_are_counted_as_two() {
        assert_eq!(fitted("커피 한 잔", 6), "커피 …");
        assert_eq!(columns(&fitted("커피", 10)), 10);
    }
}
