//! The feed of a real producer, as those who may read it do.

use serde_json::Value;

use crate::{Town, eventually};

impl Town {
    /// Every event that the service `producer` at `url` has published so far, read by `reader`.
    ///
    /// # Panics
    /// The feed is not for this reader.
    pub async fn published(&self, url: &str, producer: &str, reader: &str) -> Vec<Value> {
        let http = reqwest::Client::new();
        let mut all: Vec<Value> = Vec::new();
        loop {
            let mut url = format!("{url}/inner/v1/feed?limit=1000");
            if let Some(last) = all.last() {
                url = format!("{url}&lastEventId={}", last["id"].as_str().expect("an id"));
            }
            let request = http
                .get(url)
                .bearer_auth(self.service_token(reader, producer));
            let answer = request.send().await.expect("an answer");
            let answer = answer.error_for_status().expect("a batch");
            let batch: Vec<Value> = answer.json().await.expect("JSON");
            if batch.is_empty() {
                return all;
            }
            all.extend(batch);
        }
    }

    /// The same, once there are at least so many.
    ///
    /// # Panics
    /// There are not in time.
    pub async fn published_at_least(
        &self,
        many: usize,
        url: &str,
        producer: &str,
        reader: &str,
    ) -> Vec<Value> {
        eventually("the events are in the feed", async || {
            let all = self.published(url, producer, reader).await;
            (all.len() >= many).then_some(all)
        })
        .await
    }
}
