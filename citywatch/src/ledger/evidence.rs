//! The witnesses, and what each of them says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use app::money::Money;
use reqwest::Client;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::bank;
use crate::city::CityState;
use crate::data_dir::DataDir;
use crate::events::Consumer;
use crate::journal::{self, Item, Record};
use crate::operator::Services;

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

/// A parcel, as shipping has it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Parcel {
    pub(crate) order_id: String,
    pub(crate) state: String,
}

/// A message to a member, as notifications has it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Message {
    pub(crate) kind: String,
    /// An order, or a member.
    pub(crate) about: String,
}

/// In how many orders recommendations has counted a product.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Count {
    pub(crate) product_id: String,
    pub(crate) orders: u64,
}

/// How far a service is with another's events.
#[derive(Clone, Debug)]
pub(crate) struct Behind {
    pub(crate) service: String,
    pub(crate) consumer: Consumer,
}

/// All that is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) journal: Vec<Record>,
    pub(crate) book: Vec<Booked>,
    pub(crate) stock: Vec<Stock>,
    pub(crate) reservations: Vec<Reservation>,
    pub(crate) orders: Vec<Stated>,
    pub(crate) parcels: Vec<Parcel>,
    pub(crate) messages: Vec<Message>,
    pub(crate) counts: Vec<Count>,
    pub(crate) behind: Vec<Behind>,
}

/// Where the witnesses are found.
pub(crate) struct Witnesses {
    pub(crate) journals: Vec<PathBuf>,
    /// The book as a file; otherwise the bank is asked.
    pub(crate) book: Option<PathBuf>,
    pub(crate) data: DataDir,
    client: Client,
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

    /// Asks all of them, effects before their causes: what is seen of a cause is never older than
    /// what followed from it, and the orders come last.
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
        let services = Services::of_the_city(&state, token)?;
        let all = Lists(&services);
        Ok(Evidence {
            journal,
            behind: behind(&services).await?,
            messages: all.of("notifications", "notifications").await?,
            counts: all.of("recommendations", "counts").await?,
            parcels: all.of("shipping", "shipments").await?,
            book: self.book(&state).await?,
            stock: all.of("inventory", "stock").await?,
            reservations: all.of("inventory", "reservations").await?,
            orders: all.of("orders", "orders").await?,
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
}

/// Every consumer of the city. Whoever cannot be asked may have anything left to take.
async fn behind(services: &Services) -> Result<Vec<Behind>> {
    let (standings, away) = services.standings().await;
    if let Some(away) = away.first() {
        bail!("how far is each with its events? {away}");
    }
    let behind = standings.into_iter().flat_map(|standing| {
        let service = standing.service;
        let consumers = standing.consumers.into_iter();
        consumers.map(move |consumer| Behind {
            service: service.clone(),
            consumer,
        })
    });
    Ok(behind.collect())
}

/// What services show the operator.
struct Lists<'a>(&'a Services);

impl Lists<'_> {
    async fn of<T: DeserializeOwned>(&self, service: &str, list: &str) -> Result<Vec<T>> {
        let all = self.0.list(service, &format!("/inner/v1/{list}")).await;
        all.with_context(|| format!("ask {service} for its {list}"))
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}
