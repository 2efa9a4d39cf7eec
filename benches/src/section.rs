//! A part of the report: figures, and the bars that they are held to.

use crate::table::Table;

/// One bar, and what was seen.
#[derive(Debug, Clone)]
pub(crate) struct Bar {
    pub(crate) figure: String,
    pub(crate) bar: String,
    pub(crate) seen: String,
    /// Median and quartiles over the repetitions, where there are some.
    pub(crate) spread: String,
    pub(crate) met: bool,
    /// It does not depend on how busy the machine is: not to meet it is a failure.
    pub(crate) asserted: bool,
}

/// Figures of one kind.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) table: Table,
    pub(crate) bars: Vec<Bar>,
}

impl Section {
    /// The figures, and below them the bars, for a terminal.
    pub(crate) fn terminal(&self) -> String {
        let Section { title, table, bars } = self;
        let table = table.terminal();
        let bars = bars_table(bars).terminal();
        format!("\n{title}\n\n{table}\n{bars}")
    }

    /// Nothing that is asserted is missed.
    pub(crate) fn holds(&self) -> bool {
        self.bars.iter().all(|bar| bar.met || !bar.asserted)
    }
}

/// Bars as rows.
pub(crate) fn bars_table(bars: &[Bar]) -> Table {
    let repeated = bars.iter().any(|bar| !bar.spread.is_empty());
    let mut head = vec!["figure", "bar", "seen", "met"];
    if repeated {
        head.insert(3, "median (quartiles)");
    }
    let mut table = Table::new(&head);
    for bar in bars {
        let met = match (bar.met, bar.asserted) {
            (true, _) => "yes",
            (false, true) => "NO",
            (false, false) => "no",
        };
        let mut cells = vec![&bar.figure, &bar.bar, &bar.seen];
        if repeated {
            cells.push(&bar.spread);
        }
        let cells = cells.into_iter().cloned();
        table.row(cells.chain([met.to_owned()]));
    }
    table
}
