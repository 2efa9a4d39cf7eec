//! What a shopper was answered, written down by the shopper: the ledger's witness.
//!
//! Append-only JSON lines. An order is written down before it is sent (`invoke`), and then what
//! came of it: `ok` (the shop answered with an order), `fail` (the shop answered that there is
//! none), `info` (nobody knows). One key may be tried many times; it stands for one order.

mod writer;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use app::Timestamp;
use app::money::Money;
use serde::{Deserialize, Serialize};

pub(crate) use writer::Journal;

/// What happened to an attempt to order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Op {
    /// About to be sent; whatever follows may have happened.
    Invoke,
    /// Answered with an order, as it stands.
    Ok,
    /// Answered that nothing was started.
    Fail,
    /// No answer, or one that leaves it open.
    Info,
}

/// So many of a product.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) product_id: String,
    pub(crate) quantity: u64,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) at: Timestamp,
    pub(crate) op: Op,
    /// The Idempotency-Key.
    pub(crate) key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) order_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<String>,
    /// The order's total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) amount: Option<Money>,
    /// Of an `invoke`: what the shopper saw in the cart; of an `ok`: what the order holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) items: Vec<Item>,
    /// Where the observatory shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<String>,
    /// Why it is not `ok`: `503 cart_unavailable`, `timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

impl Record {
    pub(crate) fn new(op: Op, key: &str) -> Self {
        Self {
            at: Timestamp::now(),
            op,
            key: key.to_owned(),
            order_id: None,
            status: None,
            amount: None,
            items: Vec::new(),
            trace: None,
            why: None,
        }
    }
}

/// Every whole line of a journal. A torn last line was never relied on by anybody.
pub(crate) fn read(path: &Path) -> Result<Vec<Record>> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    lines(&text).with_context(|| format!("journal {}", path.display()))
}

/// JSON lines: each whole one, or the first that cannot be read.
pub(crate) fn lines<T: serde::de::DeserializeOwned>(text: &str) -> Result<Vec<T>> {
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    let mut values = Vec::new();
    for (number, line) in whole.lines().enumerate() {
        match serde_json::from_str(line) {
            Ok(value) => values.push(value),
            Err(error) => bail!("line {}: {error}", number + 1),
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_is_left_out_and_a_broken_one_before_it_is_not() {
        let whole = serde_json::to_string(&Record::new(Op::Invoke, "a")).unwrap();
        let records: Vec<Record> = lines(&format!("{whole}\n{{\"at\":")).unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].op, records[0].key.as_str()), (Op::Invoke, "a"));
        let error = lines::<Record>(&format!("{whole}\nx\n{whole}\n")).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
