//! A tree of spans as text: name on the left, time in the middle, bars on the right.

use std::fmt::Write;

use super::tree::{Link, Row, Tree};
use crate::terminal::{Paint, duration};

/// Below this the bars would say nothing.
const SHORTEST_BARS: usize = 10;
const DURATION: usize = 8;
/// Deeper levels are drawn at this depth.
const DEEPEST: usize = 12;

/// At most `width` columns a line; but another trace's id is never cut.
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
        for link in &row.links {
            let _ = writeln!(out, "{}", paint.dim(&linked(row, link, width)));
        }
    }
    if tree.rows.iter().any(|row| row.queued.is_some()) {
        let _ = writeln!(out, "{}", paint.dim("░ queued: sent, and not yet taken"));
    }
    out
}

/// The line of a link, below its span.
fn linked(row: &Row, link: &Link, width: usize) -> String {
    let indent = "  ".repeat(row.depth.min(DEEPEST) + 1);
    match link {
        Link::Here(name) => {
            let line = fitted(&format!("{indent}↳ linked to {name}"), width);
            line.trim_end().to_owned()
        }
        Link::Elsewhere { trace_id, span_id } => {
            format!("{indent}↳ linked to span {span_id} of trace {trace_id}")
        }
    }
}

fn label(row: &Row) -> String {
    let indent = "  ".repeat(row.depth.min(DEEPEST));
    let mark = match (&row.error, row.orphan) {
        (Some(error), _) => format!(" ✗ {error}"),
        (None, true) => " ? parent missing".to_owned(),
        (None, false) => String::new(),
    };
    let queued = row
        .queued
        .map(|queued| format!(" · queued {}", duration(queued)))
        .unwrap_or_default();
    format!("{indent}{} {}{queued}{mark}", row.service, row.operation)
}

/// The part of the trace's time in which the span ran, never less than one mark; before it the part
/// in which it was queued, no less either where there is room.
fn bar(row: &Row, whole: u64, width: usize) -> String {
    let whole = u128::from(whole.max(1));
    let place = |micros: u64| {
        let column = u128::from(micros) * width as u128 / whole;
        usize::try_from(column).unwrap_or(width).min(width)
    };
    let from = place(row.start).min(width.saturating_sub(1));
    let to = place(row.start + row.duration).max(from + 1);
    let queued = row.queued.map_or(from, |queued| {
        let since = place(row.start.saturating_sub(queued));
        since.min(from.saturating_sub(1))
    });
    let (before, queued, ran) = (queued, from - queued, to - from);
    format!(
        "{}{}{}",
        " ".repeat(before),
        "░".repeat(queued),
        "█".repeat(ran)
    )
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
    use super::super::tree::tests::{example, queued_example};
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
    fn the_wait_in_a_queue_is_drawn_and_told_and_links_are_named() {
        let text = draw(&queued_example(), 90, Paint::plain());
        let expected = "\
0af7651916cd43dd8448eb211c80319c  4 spans, 3 services, 100 ms
orders POST /api/orders                            9.0 ms  ██
  orders publish orders                            1.0 ms    █
    shipping process orders · queued 40.0 ms      12.0 ms    ░░░░░░░░░░░░████
  notifications process orders · queued 71.0 ms   20.0 ms    ░░░░░░░░░░░░░░░░░░░░░░███████
    ↳ linked to orders publish orders
    ↳ linked to span 7 of trace 83a9efd15c1c98a977e0711cc93ee28b
░ queued: sent, and not yet taken
";
        assert_eq!(text, expected);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in [40, 60, 80, 200] {
            for tree in [example(), queued_example()] {
                let text = draw(&tree, width, Paint::plain());
                let lines = text.lines().skip(2);
                for line in lines.filter(|line| !line.contains(" of trace ")) {
                    assert!(columns(line) <= width, "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn wide_letters_are_counted_as_two() {
        assert_eq!(fitted("커피 한 잔", 6), "커피 …");
        assert_eq!(columns(&fitted("커피", 10)), 10);
    }
}
