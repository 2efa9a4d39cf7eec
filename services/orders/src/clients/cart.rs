use axum::http::StatusCode;
use calls::{Calls, edges};
use serde::Deserialize;
use uuid::Uuid;

use super::Unsettled;

/// What a member wants to buy.
#[derive(Debug, Deserialize)]
pub(crate) struct Cart {
    pub items: Vec<Line>,
    /// Changes with every edit.
    pub version: u64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Line {
    pub product_id: Uuid,
    pub quantity: u32,
}

#[derive(Clone)]
pub(crate) struct Client {
    read: calls::Client,
    empty: calls::Client,
}

const CART: &str = "/inner/v1/carts/{member_id}";

impl Client {
    pub(super) fn new(calls: &Calls) -> Self {
        Self {
            read: calls.to(&edges::ORDERS_CART),
            empty: calls.to(&edges::ORDERS_CART_EMPTY),
        }
    }

    pub(crate) async fn read(&self, member: &str) -> Result<Cart, Unsettled> {
        let answer = self.read.get(CART, path(member)).send().await?;
        match answer.status {
            StatusCode::OK => answer.json().map_err(|_| Unsettled::form("cart")),
            _ => Err(Unsettled::answer(&answer)),
        }
    }

    /// Empties the cart if it still has this version.
    pub(crate) async fn empty(&self, member: &str, version: u64) -> Result<(), Unsettled> {
        let version = version.to_string();
        let call = self.empty.delete(CART, path(member));
        let answer = call.query(&[("version", &version)]).send().await?;
        match answer.status {
            StatusCode::NO_CONTENT => Ok(()),
            _ => Err(Unsettled::answer(&answer)),
        }
    }
}

/// The id as one segment of a path, whatever is in it.
fn path(member: &str) -> String {
    let mut path = String::from("/inner/v1/carts/");
    for byte in member.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                path.push(char::from(byte));
            }
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn an_id_stays_one_segment() {
        for (member, path_of) in [
            ("0198-mina", "/inner/v1/carts/0198-mina"),
            ("../a?b", "/inner/v1/carts/%2E%2E%2Fa%3Fb"),
        ] {
            assert_eq!(path(member), path_of);
        }
    }
}
