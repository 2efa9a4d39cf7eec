//! The catalog as its users meet it.

use catalog::Catalog;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use testing::{Running, Town};

pub(crate) struct Shop {
    pub(crate) service: Running,
    admin: String,
}

/// One instance with the usual products.
pub(crate) async fn open() -> Shop {
    open_in(&Town::new(), json!({})).await
}

pub(crate) async fn open_in(town: &Town, settings: Value) -> Shop {
    Shop {
        service: town.start::<Catalog>(settings).await,
        admin: town.member_token("0198-admin", &["admin"]),
    }
}

impl Shop {
    pub(crate) async fn get(&self, path: &str) -> Response {
        let url = format!("{}{path}", self.service.url);
        self.service.http.get(url).send().await.unwrap()
    }

    /// The answer to a query, which must be fine.
    pub(crate) async fn list(&self, parameters: &[(&str, &str)]) -> Value {
        let response = self.try_list(parameters).await;
        assert_eq!(response.status(), StatusCode::OK, "{parameters:?}");
        response.json().await.unwrap()
    }

    pub(crate) async fn try_list(&self, parameters: &[(&str, &str)]) -> Response {
        let url = format!("{}/api/products", self.service.url);
        let request = self.service.http.get(url).query(parameters);
        request.send().await.unwrap()
    }

    /// English names of what is found.
    pub(crate) async fn names(&self, query: &str) -> Vec<String> {
        let page = self.list(&[("query", query)]).await;
        let items = page["items"].as_array().unwrap();
        let name = |item: &Value| item["name"]["en"].as_str().unwrap().to_owned();
        items.iter().map(name).collect()
    }

    /// Every page after the other.
    pub(crate) async fn walk(&self, parameters: &[(&str, &str)]) -> Vec<String> {
        let mut ids = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut parameters = parameters.to_vec();
            if let Some(cursor) = &cursor {
                parameters.push(("cursor", cursor));
            }
            let page = self.list(&parameters).await;
            let items = page["items"].as_array().unwrap();
            ids.extend(
                items
                    .iter()
                    .map(|item| item["id"].as_str().unwrap().to_owned()),
            );
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return ids,
            }
        }
    }

    /// A request for prices by another service.
    pub(crate) fn as_service(&self, caller: &str) -> RequestBuilder {
        let url = format!("{}/inner/v1/prices", self.service.url);
        let token = self.service.town().service_token(caller, "catalog");
        self.service.http.get(url).bearer_auth(token)
    }

    /// A request by an admin.
    pub(crate) fn edit(&self, method: Method, path: &str) -> RequestBuilder {
        self.edit_by_anyone(method, path).bearer_auth(&self.admin)
    }

    fn edit_by_anyone(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/api/admin/products{path}", self.service.url);
        self.service.http.request(method, url)
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Response {
        let mut request = match headers.iter().any(|(name, _)| *name == "authorization") {
            true => self.edit_by_anyone(method, path),
            false => self.edit(method, path),
        };
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.unwrap()
    }

    /// Adds a product and gives it back.
    pub(crate) async fn add(&self, ko: &str, en: &str) -> Value {
        let response = self.send(Method::POST, "", &[], Some(&draft(ko, en))).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        response.json().await.unwrap()
    }
}

pub(crate) fn draft(ko: &str, en: &str) -> Value {
    json!({
        "name": { "ko": ko, "en": en },
        "description": { "ko": "", "en": "" },
        "category": "kitchen",
        "price": { "amount": 12_900, "currency": "KRW" },
    })
}
