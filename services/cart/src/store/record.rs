//! A cart as it is stored: JSON, so that people can read what a program cannot.

use app::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{Cart, Line, ProductId, Quantity};

const FORMAT: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: u32,
    version: u64,
    /// Epoch microseconds.
    touched_at: i64,
    /// Product and quantity.
    lines: Vec<(Uuid, u8)>,
}

/// Why bytes are not a cart. It says where, and never what they hold.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("it is not a record")]
    Json(#[source] serde_json::Error),
    #[error("it has format {0}, which this program does not know")]
    Format(u32),
    #[error("its lines cannot be a cart's")]
    Lines,
}

/// What only the format tells.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

pub(super) fn encode(cart: &Cart, touched_at: Timestamp) -> Vec<u8> {
    let lines = cart.lines().iter();
    let record = Record {
        format: FORMAT,
        version: cart.version(),
        touched_at: touched_at.micros(),
        lines: lines
            .map(|line| (line.product.0, line.quantity.count()))
            .collect(),
    };
    // Numbers and text always are JSON.
    serde_json::to_vec(&record).unwrap_or_default()
}

pub(super) fn decode(bytes: &[u8]) -> Result<(Cart, Timestamp), Unreadable> {
    let Head { format } = serde_json::from_slice(bytes).map_err(Unreadable::Json)?;
    if format != FORMAT {
        return Err(Unreadable::Format(format));
    }
    let record: Record = serde_json::from_slice(bytes).map_err(Unreadable::Json)?;
    let lines = record.lines.into_iter().map(|(product, count)| {
        Some(Line {
            product: ProductId(product),
            quantity: Quantity::new(count.into())?,
        })
    });
    let lines = lines.collect::<Option<_>>().ok_or(Unreadable::Lines)?;
    let cart = Cart::restored(lines, record.version).ok_or(Unreadable::Lines)?;
    Ok((cart, Timestamp::from_micros(record.touched_at)))
}

#[cfg(test)]
mod tests {
    use super::{Unreadable, decode, encode};
    use crate::domain::{Cart, Line, ProductId, Quantity};
    use app::Timestamp;
    use uuid::Uuid;

    #[test]
    fn it_reads_what_it_writes() {
        let now = Timestamp::from_micros(1_795_305_600_250_000);
        let mut cart = Cart::empty(41);
        for product in 0..50 {
            let product = ProductId(Uuid::from_u128(product << 90));
            let quantity = Quantity::new(99).unwrap();
            cart = cart.put(Line { product, quantity }).unwrap().unwrap();
        }
        assert_eq!(decode(&encode(&cart, now)).unwrap(), (cart, now));
    }

    #[test]
    fn what_cannot_be_a_cart_is_refused() {
        let id = Uuid::nil();
        let record = |rest: &str| format!("{{\"format\":1,\"version\":3,\"touched_at\":5{rest}}}");
        assert!(decode(record(&format!(",\"lines\":[[\"{id}\",1]]")).as_bytes()).is_ok());
        for lines in [
            "",
            ",\"lines\":[],\"more\":1",
            ",\"lines\":[[\"x\",1]]",
            &format!(",\"lines\":[[\"{id}\",-1]]"),
            &format!(",\"lines\":[[\"{id}\",300]]"),
        ] {
            let refused = decode(record(lines).as_bytes());
            assert!(matches!(refused, Err(Unreadable::Json(_))), "{lines}");
        }
        for lines in [
            format!(",\"lines\":[[\"{id}\",0]]"),
            format!(",\"lines\":[[\"{id}\",100]]"),
            format!(",\"lines\":[[\"{id}\",1],[\"{id}\",2]]"),
        ] {
            let refused = decode(record(&lines).as_bytes());
            assert!(matches!(refused, Err(Unreadable::Lines)), "{lines}");
        }
        let newer = decode(b"{\"format\":2,\"baskets\":[]}");
        assert!(matches!(newer, Err(Unreadable::Format(2))));
        for torn in [&b""[..], b"null", b"\xff\x00", b"{\"format\":1,"] {
            assert!(matches!(decode(torn), Err(Unreadable::Json(_))), "{torn:?}");
        }
    }
}
