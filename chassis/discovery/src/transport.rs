//! Requests to the registry: credentials, time limits, and what its answers mean.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use identity::ServiceSigner;
use reqwest::{Response, Url};
use reqwest_middleware::ClientWithMiddleware;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::error::RegistryError;
use crate::sse::{Event, Parser};
use crate::wire::Problem;

/// What the registry is called in a service token's `aud`.
const AUDIENCE: &str = "registry";
/// A whole request, or the head of an event stream. The registry works from memory: what takes
/// longer is a registry that hangs.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// The registry sends a comment every five seconds on a quiet stream.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(16);

/// Who asks.
#[derive(Clone)]
pub enum Credentials {
    /// A service, by a token that it signs for each call.
    Service(Arc<ServiceSigner>),
    /// Whoever runs the city, by the operator's token.
    Operator(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service(_) => "Credentials::Service",
            Self::Operator(_) => "Credentials::Operator",
        })
    }
}

/// What the last answer, or its absence, said of the registry; logged when it changes, never more
/// often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Unknown,
    Answers,
    Refuses,
    Away,
}

pub(crate) struct Transport {
    pub(crate) base_url: String,
    http: ClientWithMiddleware,
    credentials: Option<Credentials>,
    standing: Mutex<Standing>,
    /// Ends every background task of this client.
    pub(crate) stopping: CancellationToken,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("base_url", &self.base_url)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// A request to be: its method, its path below the base URL, and what else it carries.
pub(crate) struct Call<'a> {
    method: Method,
    path: &'a str,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(method: Method, path: &'a str) -> Self {
        Self {
            method,
            path,
            headers: HeaderMap::new(),
            body: None,
        }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(crate) fn json(mut self, body: &impl Serialize) -> Result<Self, RegistryError> {
        let body =
            serde_json::to_vec(body).map_err(|error| RegistryError::Protocol(error.to_string()))?;
        self.body = Some(body);
        let json = HeaderValue::from_static("application/json");
        Ok(self.header(http::header::CONTENT_TYPE, json))
    }
}

impl Transport {
    pub(crate) fn new(
        base_url: &str,
        http: ClientWithMiddleware,
        credentials: Option<Credentials>,
        stopping: CancellationToken,
    ) -> Self {
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            http,
            credentials,
            standing: Mutex::new(Standing::Unknown),
            stopping,
        }
    }

    /// The same registry under another token.
    pub(crate) fn until(&self, stopping: CancellationToken) -> Self {
        let (http, credentials) = (self.http.clone(), self.credentials.clone());
        Self::new(&self.base_url, http, credentials, stopping)
    }

    /// Asks, and reads the answer's JSON.
    pub(crate) async fn fetch<T: DeserializeOwned>(
        &self,
        call: Call<'_>,
    ) -> Result<T, RegistryError> {
        let read = async { Ok(self.send(call).await?.json().await?) };
        let outcome = timeout(REQUEST_TIMEOUT, read)
            .await
            .unwrap_or(Err(RegistryError::Timeout));
        self.noted(outcome)
    }

    /// Asks for something whose answer has no body worth reading.
    pub(crate) async fn tell(&self, call: Call<'_>) -> Result<(), RegistryError> {
        let told = async { self.send(call).await.map(drop) };
        let outcome = timeout(REQUEST_TIMEOUT, told)
            .await
            .unwrap_or(Err(RegistryError::Timeout));
        self.noted(outcome)
    }

    /// Opens an event stream: only its head is under the request's time limit.
    pub(crate) async fn events(&self, path: &str) -> Result<EventStream, RegistryError> {
        let call = Call::new(Method::GET, path)
            .header(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let head = timeout(REQUEST_TIMEOUT, self.send(call))
            .await
            .unwrap_or(Err(RegistryError::Timeout));
        let response = self.noted(head)?;
        Ok(EventStream {
            response,
            parser: Parser::default(),
            pending: Vec::new(),
        })
    }

    async fn send(&self, call: Call<'_>) -> Result<Response, RegistryError> {
        let url = self.url(call.path)?;
        let mut headers = call.headers;
        if let Some(value) = self.authorization()? {
            headers.insert(AUTHORIZATION, value);
        }
        let mut request = self.http.request(call.method, url).headers(headers);
        if let Some(body) = call.body {
            request = request.body(body);
        }
        let response = request.send().await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(response).await)
    }

    fn url(&self, path: &str) -> Result<Url, RegistryError> {
        let base = Url::parse(&self.base_url).map_err(|_| RegistryError::InvalidUrl)?;
        let is_base = base.query().is_none() && base.fragment().is_none();
        if !is_base || !matches!(base.scheme(), "http" | "https") {
            return Err(RegistryError::InvalidUrl);
        }
        Url::parse(&format!("{}{path}", self.base_url)).map_err(|_| RegistryError::InvalidUrl)
    }

    fn authorization(&self) -> Result<Option<HeaderValue>, RegistryError> {
        let token = match &self.credentials {
            None => return Ok(None),
            Some(Credentials::Service(signer)) => signer.token_for(AUDIENCE),
            Some(Credentials::Operator(token)) => token.clone(),
        };
        let mut value = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| RegistryError::Protocol("token is not a header value".to_owned()))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// Takes note of what an outcome says of the registry.
    fn noted<T>(&self, outcome: Result<T, RegistryError>) -> Result<T, RegistryError> {
        match &outcome {
            Ok(_) => self.stands(Standing::Answers, None),
            Err(error) => self.note(error),
        }
        outcome
    }

    pub(crate) fn note(&self, error: &RegistryError) {
        let standing = match error {
            RegistryError::InvalidName | RegistryError::NoAddress { .. } => return,
            RegistryError::InvalidUrl => Standing::Away,
            _ if error.is_unreachable() => Standing::Away,
            RegistryError::Refused { status, .. }
                if matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) =>
            {
                Standing::Refuses
            }
            _ => Standing::Answers,
        };
        self.stands(standing, Some(error));
    }

    fn stands(&self, standing: Standing, error: Option<&RegistryError>) {
        let mut last = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *last, standing);
        drop(last);
        if before == standing {
            return;
        }
        let registry = self.base_url.as_str();
        let error = error.map(|error| error as &dyn std::error::Error);
        match standing {
            Standing::Away => {
                warn!(
                    registry,
                    error, "registry is away, going on with what is known"
                );
            }
            Standing::Refuses => warn!(registry, error, "registry refuses this service"),
            Standing::Answers if before != Standing::Unknown => {
                info!(registry, "registry is back");
            }
            Standing::Answers | Standing::Unknown => {}
        }
    }
}

async fn refusal(response: Response) -> RegistryError {
    let status = response.status();
    let problem: Problem = response.json().await.unwrap_or_default();
    let code = problem.code.unwrap_or_else(|| "unknown".to_owned());
    if status == StatusCode::PRECONDITION_FAILED {
        return RegistryError::VersionConflict;
    }
    RegistryError::Refused {
        status,
        code,
        detail: problem.detail,
    }
}

/// An open stream of events.
#[derive(Debug)]
pub(crate) struct EventStream {
    response: Response,
    parser: Parser,
    /// Events that came in one piece, last first.
    pending: Vec<Event>,
}

impl EventStream {
    /// The next event; `None` when the registry has ended the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, RegistryError> {
        loop {
            if let Some(event) = self.pending.pop() {
                return Ok(Some(event));
            }
            let piece = timeout(SILENCE_TIMEOUT, self.response.chunk())
                .await
                .map_err(|_| RegistryError::Timeout)??;
            let Some(piece) = piece else { return Ok(None) };
            self.parser
                .push(&piece, &mut self.pending)
                .map_err(|error| RegistryError::Protocol(error.to_string()))?;
            self.pending.reverse();
        }
    }
}
