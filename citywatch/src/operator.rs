//! Services as an operator asks them: found through the registry, or where `city.json` says that
//! they are.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use discovery::RegistryError;
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::city::CityState;
use crate::data_dir::DataDir;
use crate::registry;
use crate::up::board::Status;

/// Longest time that a service takes to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest page that a service gives.
const PAGE: &str = "100";

/// A service that could not be asked.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Away {
    pub(crate) service: String,
    pub(crate) why: String,
}

impl Away {
    pub(crate) fn new(service: &str, why: &anyhow::Error) -> Self {
        Self {
            service: service.to_owned(),
            why: format!("{why:#}"),
        }
    }
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.service, self.why)
    }
}

/// A service and where its instances take requests. They share a store: one speaks for all.
#[derive(Clone, Debug)]
struct Place {
    service: String,
    instances: Vec<SocketAddr>,
}

/// Every service of the city, with the operator's token.
pub(crate) struct Services {
    client: Client,
    token: String,
    places: Vec<Place>,
}

#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

/// What a service said no with.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Refusal {
    #[serde(skip)]
    pub(crate) status: StatusCode,
    code: Option<String>,
    detail: Option<String>,
}

impl Refusal {
    pub(crate) fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status.as_u16())?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        match &self.detail {
            Some(detail) => write!(f, ": {detail}"),
            None => Ok(()),
        }
    }
}

impl Services {
    /// Those that the registry knows.
    pub(crate) async fn of_the_registry(data: &DataDir) -> Result<Self> {
        let token = data.operator_token()?;
        let registry = registry::client(data)?;
        let mut places = Vec::new();
        for known in registry.services().await.map_err(unanswered)? {
            let instances = registry
                .instances(&known.service)
                .await
                .map_err(unanswered)?;
            places.push(Place {
                service: known.service,
                instances: instances.iter().map(|found| found.address).collect(),
            });
        }
        if places.is_empty() {
            bail!("the registry knows no service yet; it has only just started: try again");
        }
        places.sort_by(|one, other| one.service.cmp(&other.service));
        Self::new(token, places)
    }

    /// Those that `up` has started, whatever the registry knows of them.
    pub(crate) fn of_the_city(state: &CityState, token: String) -> Result<Self> {
        let mut places: Vec<Place> = Vec::new();
        for process in state.processes.values() {
            let here = process
                .public
                .as_deref()
                .filter(|_| process.status == Status::Ready);
            let here = here.and_then(|address| address.parse().ok());
            match places
                .iter_mut()
                .find(|place| place.service == process.service)
            {
                Some(place) => place.instances.extend(here),
                None => places.push(Place {
                    service: process.service.clone(),
                    instances: here.into_iter().collect(),
                }),
            }
        }
        places.retain(|place| crate::services::find(&place.service).is_ok());
        Self::new(token, places)
    }

    fn new(token: String, places: Vec<Place>) -> Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .context("make an HTTP client")?;
        Ok(Self {
            client,
            token,
            places,
        })
    }

    /// Only that one from here on.
    pub(crate) fn only(mut self, service: Option<&str>) -> Result<Self> {
        if let Some(service) = service {
            self.must_have(service)?;
            self.places.retain(|place| place.service == service);
        }
        Ok(self)
    }

    /// # Errors
    /// There is no such service; the others are named.
    pub(crate) fn must_have(&self, service: &str) -> Result<()> {
        if self.names().any(|name| name == service) {
            return Ok(());
        }
        let known: Vec<&str> = self.names().collect();
        bail!(
            "no service `{service}` runs; there are: {}",
            known.join(", ")
        )
    }

    /// Their names, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.places.iter().map(|place| place.service.as_str())
    }

    /// Every page of a list.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        service: &str,
        path: &str,
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = vec![("limit", PAGE)];
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let answer = self.ask(service, Method::GET, path, &query).await?;
            let page: Page<T> = accepted(service, answer)
                .await?
                .json()
                .await
                .with_context(|| format!("understand {path} of {service}"))?;
            all.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(all);
            }
        }
    }

    /// Has a service do something, and no more is to be known of it.
    pub(crate) async fn tell(&self, service: &str, method: Method, path: &str) -> Result<()> {
        let answer = self.ask(service, method, path, &[]).await?;
        accepted(service, answer).await.map(drop)
    }

    /// The first instance that answers.
    pub(crate) async fn ask(
        &self,
        service: &str,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Response> {
        let place = self.places.iter().find(|place| place.service == service);
        let instances = place.map_or(&[][..], |place| &place.instances);
        let mut last = None;
        for address in instances {
            let url = format!("http://{address}{path}");
            let url = Url::parse_with_params(&url, query).context("a service's address")?;
            let request = self.client.request(method.clone(), url);
            match request.bearer_auth(&self.token).send().await {
                Ok(answer) => return Ok(answer),
                Err(error) => last = Some(error),
            }
        }
        Err(match last {
            Some(error) if error.is_timeout() => {
                anyhow!("it does not answer within {} s", PATIENCE.as_secs())
            }
            Some(error) => anyhow!(error.without_url()).context("it does not answer"),
            None => anyhow!("no instance is up; citywatch release {service}"),
        })
    }
}

/// An answer that is no refusal.
pub(crate) async fn accepted(service: &str, answer: Response) -> Result<Response> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    Err(explained(service, &refusal(answer).await))
}

/// What it was refused with.
pub(crate) async fn refusal(answer: Response) -> Refusal {
    let status = answer.status();
    let refusal: Refusal = answer.json().await.unwrap_or_default();
    Refusal { status, ..refusal }
}

pub(crate) fn explained(service: &str, refusal: &Refusal) -> anyhow::Error {
    if refusal.status == StatusCode::UNAUTHORIZED {
        return anyhow!(
            "it refuses this folder's operator token: name the folder of its city with --data"
        );
    }
    anyhow!("{service} refuses with {refusal}")
}

fn unanswered(error: RegistryError) -> anyhow::Error {
    let away = error.is_unreachable();
    let error = anyhow::Error::new(error);
    if away {
        error.context(
            "services are found through the registry: is the city up? `citywatch doctor` says",
        )
    } else {
        error.context("find services through the registry")
    }
}
