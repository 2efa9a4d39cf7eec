use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Extensions, Method, StatusCode};
use identity::ServiceSigner;
use reqwest::{Request, Url};
use reqwest_middleware::ClientWithMiddleware;
use serde::Serialize;
use serde::de::DeserializeOwned;
use telemetry::http::UrlTemplate;

use crate::chain::Journey;
use crate::deadline::{self, Deadline};
use crate::edges::Edge;
use crate::error::{CallError, CallErrorKind, kind_of};

/// Calls along one edge. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub(crate) edge: &'static Edge,
    /// What paths are put after.
    pub(crate) base_url: Arc<str>,
    pub(crate) chain: ClientWithMiddleware,
    /// Says who calls, if the callee is one of the city.
    pub(crate) signer: Option<Arc<ServiceSigner>>,
}

impl Client {
    /// A `GET`. `template` is the form of `path` that names the span:
    /// `/inner/v1/reservations/{order_id}`.
    pub fn get(&self, template: &'static str, path: impl Into<String>) -> Call {
        self.call(Method::GET, template, path.into())
    }

    /// A `PUT`; see [`get`](Self::get).
    pub fn put(&self, template: &'static str, path: impl Into<String>) -> Call {
        self.call(Method::PUT, template, path.into())
    }

    /// A `POST`; see [`get`](Self::get).
    pub fn post(&self, template: &'static str, path: impl Into<String>) -> Call {
        self.call(Method::POST, template, path.into())
    }

    /// A `DELETE`; see [`get`](Self::get).
    pub fn delete(&self, template: &'static str, path: impl Into<String>) -> Call {
        self.call(Method::DELETE, template, path.into())
    }

    fn call(&self, method: Method, template: &'static str, path: String) -> Call {
        Call {
            client: self.clone(),
            method,
            template,
            path,
            query: Vec::new(),
            body: None,
        }
    }
}

/// A call that is about to be made.
#[must_use = "a call is made by `send`"]
pub struct Call {
    client: Client,
    method: Method,
    template: &'static str,
    path: String,
    query: Vec<(String, String)>,
    body: Option<Result<Vec<u8>, serde_json::Error>>,
}

impl Call {
    /// Sends this as JSON.
    pub fn json(mut self, body: &impl Serialize) -> Self {
        self.body = Some(serde_json::to_vec(body));
        self
    }

    /// Adds these to the query; they are encoded here.
    pub fn query(mut self, pairs: &[(&str, &str)]) -> Self {
        let pairs = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        self.query.extend(pairs);
        self
    }

    /// Makes the call on the terms of its edge: an answer of any status, or why there is none.
    ///
    /// It takes no longer than the edge's deadline, nor than is left of the [current
    /// one](crate::deadline::current).
    ///
    /// # Errors
    /// No answer came. [`CallError::may_have_happened`] says whether the callee may have acted.
    pub async fn send(self) -> Result<Answer, CallError> {
        let edge = self.client.edge;
        let unsendable = |_| CallError::new(edge, CallErrorKind::Request, false);
        let request = self.request().map_err(unsendable)?;

        let own = Deadline::after(deadline::now(), edge.deadline);
        let deadline = deadline::current().map_or(own, |current| current.sooner(own));
        let mut extensions = Extensions::new();
        extensions.insert(UrlTemplate(self.template));
        extensions.insert(Journey::new(deadline));
        let chain = &self.client.chain;
        let outcome = chain
            .execute_with_extensions(request, &mut extensions)
            .await;
        let failed = |error| {
            let reached = extensions.get::<Journey>().is_some_and(|way| way.reached);
            CallError::new(edge, kind_of(&error), reached)
        };
        let mut response = outcome.map_err(failed)?;
        Ok(Answer {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            // It was read within the chain: nothing is waited for.
            body: response
                .bytes()
                .await
                .map_err(|error| failed(error.into()))?,
        })
    }

    fn request(&self) -> Result<Request, Unsendable> {
        let mut url = Url::parse(&format!("{}{}", self.client.base_url, self.path))
            .map_err(|_| Unsendable)?;
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        let mut request = Request::new(self.method.clone(), url);
        if let Some(body) = &self.body {
            let body = body.as_ref().map_err(|_| Unsendable)?;
            *request.body_mut() = Some(body.clone().into());
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
        }
        if let Some(signer) = &self.client.signer {
            let token = signer.token_for(self.client.edge.callee);
            let token = HeaderValue::try_from(format!("Bearer {token}"));
            let mut token = token.map_err(|_| Unsendable)?;
            token.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, token);
        }
        Ok(request)
    }
}

struct Unsendable;

/// What the callee answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status, of any class.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its whole body, at most [`MAX_ANSWER`](crate::MAX_ANSWER) bytes.
    pub body: Bytes,
}

impl Answer {
    /// The body, read as JSON.
    ///
    /// # Errors
    /// It is not JSON, or not of this form.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The stable `code` of a problem answer (RFC 9457), if it is one.
    #[must_use]
    pub fn problem_code(&self) -> Option<String> {
        let media_type = self.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        if !media_type.starts_with("application/problem+json") {
            return None;
        }
        #[derive(serde::Deserialize)]
        struct Problem {
            code: String,
        }
        self.json::<Problem>().ok().map(|problem| problem.code)
    }
}
