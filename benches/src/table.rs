//! Tables for a terminal and, with the same cells, in Markdown.

use std::fmt::Write as _;

/// Cells by rows; the first column is left-aligned, the others are figures.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Table {
        Table {
            head: head.iter().map(|&cell| cell.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Columns in line.
    pub(crate) fn terminal(&self) -> String {
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| {
                let cells = std::iter::once(&self.head).chain(&self.rows);
                cells
                    .filter_map(|row| row.get(column))
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut out = String::new();
        for row in std::iter::once(&self.head).chain(&self.rows) {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
                if column == 0 {
                    line += cell;
                    line += &gap;
                } else {
                    line += "  ";
                    line += &gap;
                    line += cell;
                }
            }
            out += line.trim_end();
            out.push('\n');
        }
        out
    }
}

impl Table {
    /// The same cells in Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut out = String::new();
        let mut line = |cells: &[String]| {
            let missing = self.head.len().saturating_sub(cells.len());
            let _ = writeln!(out, "| {} |{}", cells.join(" | "), " |".repeat(missing));
        };
        line(&self.head);
        let mut rule = vec!["---:".to_owned(); self.head.len()];
        if let Some(first) = rule.first_mut() {
            *first = "---".to_owned();
        }
        line(&rule);
        for row in &self.rows {
            line(row);
        }
        out
    }
}

/// A whole number with commas between thousands.
pub(crate) fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut out = String::new();
    if value.round() < 0.0 {
        out.push('-');
    }
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            out.push(',');
        }
        let _ = write!(out, "{digit}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_in_line() {
        let mut table = Table::new(&["what", "ns"]);
        table.row(["µs".to_owned(), "1,000".to_owned()]);
        assert_eq!(table.terminal(), "what     ns\nµs    1,000\n");
        assert_eq!(
            table.markdown(),
            "| what | ns |\n| --- | ---: |\n| µs | 1,000 |\n"
        );
    }

    #[test]
    fn thousands_are_parted() {
        assert_eq!(thousands(-1_234_567.4), "-1,234,567");
        assert_eq!(thousands(999.6), "1,000");
        assert_eq!(thousands(-0.2), "0");
    }
}
