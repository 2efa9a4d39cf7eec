//! The witnesses, and what each of them says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use app::money::Money;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::bank;
use crate::city::CityState;
use crate::data_dir::DataDir;
use crate::journal::{self, Item, Record};
use crate::up::board::Status;

/// Longest time that a witness takes to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A line of the bank's book.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Booked {
    pub(crate) kind: Kind,
    pub(crate) reference: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Charge,
    Refund,
}

/// A product's row in inventory.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Stock {
    pub(crate) product_id: String,
    pub(crate) initial: i64,
    pub(crate) adjusted: i64,
    pub(crate) on_hand: i64,
    pub(crate) held: i64,
    pub(crate) sold: i64,
}

/// An order's claim on the shelves.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Reservation {
    pub(crate) order_id: String,
    pub(crate) state: Claim,
    pub(crate) items: Vec<Item>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Claim {
    Held,
    Confirmed,
    Released,
    Expired,
}

/// What the orders service says of an order.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Stated {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) total: Money,
}

/// All that is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) journal: Vec<Record>,
    pub(crate) book: Vec<Booked>,
    pub(crate) stock: Vec<Stock>,
    pub(crate) reservations: Vec<Reservation>,
    pub(crate) orders: Vec<Stated>,
}

/// Where the witnesses are found.
pub(crate) struct Witnesses {
    pub(crate) journals: Vec<PathBuf>,
    /// The book as a file; otherwise the bank is asked.
    pub(crate) book: Option<PathBuf>,
    pub(crate) data: DataDir,
    client: Client,
}

#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl Witnesses {
    pub(crate) fn new(
        data: DataDir,
        journals: Vec<PathBuf>,
        book: Option<PathBuf>,
    ) -> Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .context("make an HTTP client")?;
        Ok(Self {
            journals,
            book,
            data,
            client,
        })
    }

    /// Asks all of them. The orders come last: what is seen of them is never older than the money
    /// and the stock.
    pub(crate) async fn hear(&self) -> Result<Evidence> {
        let state = CityState::read_running(&self.data)?;
        let state = state.with_context(|| {
            format!(
                "no city runs in {}: inventory and orders must be asked; citywatch up",
                self.data.path().display()
            )
        })?;
        let token = self.data.operator_token()?;
        let mut journal: Vec<Record> = Vec::new();
        for path in &self.journals {
            journal.extend(journal::read(path)?);
        }
        Ok(Evidence {
            journal,
            book: self.book(&state).await?,
            stock: self.all(&state, &token, "inventory", "stock").await?,
            reservations: self
                .all(&state, &token, "inventory", "reservations")
                .await?,
            orders: self.all(&state, &token, "orders", "orders").await?,
        })
    }

    async fn book(&self, state: &CityState) -> Result<Vec<Booked>> {
        let text = match &self.book {
            Some(path) => read(path)?,
            None => {
                let base = state
                    .addresses
                    .get(bank::NAME)
                    .context("the acquirer has no address; name its book with --book")?;
                let asking = async {
                    let answer = self.client.get(format!("{base}/book")).send().await?;
                    answer.error_for_status()?.text().await
                };
                asking.await.context("ask the acquirer for its book")?
            }
        };
        journal::lines(&text).context("the acquirer's book")
    }

    /// Every page of a list that a service shows the operator.
    async fn all<T: DeserializeOwned>(
        &self,
        state: &CityState,
        token: &str,
        service: &str,
        list: &str,
    ) -> Result<Vec<T>> {
        let address = state
            .processes
            .values()
            .filter(|process| process.service == service && process.status == Status::Ready)
            .find_map(|process| process.public.as_deref());
        let Some(address) = address else {
            bail!("{service} is not there to be asked; citywatch release {service}");
        };
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = vec![("limit", "100")];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let url = format!("http://{address}/inner/v1/{list}");
            let url = Url::parse_with_params(&url, &query).context("a service's address")?;
            let asking = async {
                let answer = self.client.get(url).bearer_auth(token).send().await?;
                answer.error_for_status()?.json::<Page<T>>().await
            };
            let page = asking
                .await
                .with_context(|| format!("ask {service} for its {list}"))?;
            all.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(all);
            }
        }
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}
