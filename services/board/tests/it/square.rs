//! A board that members write on.

use board::Board;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use testing::{Running, Town};

use crate::users::Users;

pub(crate) const MINA: &str = "0198c5f2-0000-7000-8000-000000000001";
pub(crate) const JO: &str = "0198c5f2-0000-7000-8000-000000000002";

pub(crate) struct Square {
    pub(crate) service: Running,
    pub(crate) users: Users,
}

/// A board, and users who know Mina.
pub(crate) async fn open() -> Square {
    open_with(json!({})).await
}

pub(crate) async fn open_with(overrides: Value) -> Square {
    let town = Town::new();
    let users = Users::start(&town).await;
    users.know(MINA, "김민아");
    let service = start(&town, &users, overrides).await;
    Square { service, users }
}

/// One instance in this town.
pub(crate) async fn start(town: &Town, users: &Users, overrides: Value) -> Running {
    town.start::<Board>(settings(users, &overrides)).await
}

pub(crate) fn settings(users: &Users, overrides: &Value) -> Value {
    let mut settings = json!({ "instances": { "users": [users.address] } });
    for (key, value) in overrides.as_object().unwrap() {
        settings[key] = value.clone();
    }
    settings
}

impl Square {
    pub(crate) fn write(&self, member: &str, draft: &Value) -> RequestBuilder {
        write(&self.service, member, draft)
    }

    /// A post, once it is written.
    pub(crate) async fn written(&self, member: &str, title: &str) -> Value {
        let answer = self.write(member, &draft(title)).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        answer.json().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        get(&self.service, path).await
    }

    /// A page of the board.
    pub(crate) async fn page(&self, query: &str) -> Value {
        let answer = self.get(&format!("/api/posts{query}")).await;
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    /// Names of the authors on the first page, newest post first.
    pub(crate) async fn authors(&self) -> Vec<Value> {
        let page = self.page("").await;
        let items = page["items"].as_array().unwrap().iter();
        items.map(|post| post["author"]["name"].clone()).collect()
    }

    /// How many names came from there.
    pub(crate) async fn named(&self, outcome: &str) -> u64 {
        let page = self.service.metrics().await;
        let series = format!("citywatch_board_names_total{{outcome=\"{outcome}\"}} ");
        let line = page.lines().find_map(|line| line.strip_prefix(&*series));
        line.unwrap_or_else(|| panic!("no {series}"))
            .parse()
            .unwrap()
    }
}

pub(crate) fn draft(title: &str) -> Value {
    json!({ "title": title, "body": "첫 줄\nsecond line" })
}

pub(crate) fn write(service: &Running, member: &str, draft: &Value) -> RequestBuilder {
    let url = format!("{}/api/posts", service.url);
    let token = service.town().member_token(member, &[]);
    service.http.post(url).bearer_auth(token).json(draft)
}

pub(crate) async fn get(service: &Running, path: &str) -> Response {
    let url = format!("{}{path}", service.url);
    service.http.get(url).send().await.unwrap()
}
