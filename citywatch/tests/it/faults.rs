//! Fault points of the running city, as an operator sees and arms them.

use serde_json::{Value, json};

use super::harness::City;

/// A point of one process.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) name: String,
    /// Passed so often since the process began.
    pub(crate) hits: u64,
}

impl City {
    fn faults_url(&self, process: &str) -> Option<String> {
        let state = self.state();
        let admin = state["processes"][process]["admin"].as_str()?;
        Some(format!("http://{admin}/faults"))
    }

    fn operator(&self) -> String {
        let token = std::fs::read_to_string(self.data().join("operator-token")).unwrap();
        token.trim().to_owned()
    }

    /// Every point of a process; none while it is down.
    pub(crate) async fn points(&self, process: &str) -> Vec<Point> {
        let Some(url) = self.faults_url(process) else {
            return Vec::new();
        };
        let asking = self.http.get(url).bearer_auth(self.operator()).send().await;
        let Ok(answer) = asking else {
            return Vec::new();
        };
        let list: Value = answer.json().await.unwrap_or_default();
        let points = list["points"].as_array().cloned().unwrap_or_default();
        let point = |point: &Value| Point {
            name: point["name"].as_str().unwrap_or_default().to_owned(),
            hits: point["hits"].as_u64().unwrap_or_default(),
        };
        points.iter().map(point).collect()
    }

    /// Arms a fault; says whether the process took it.
    pub(crate) async fn arm(&self, process: &str, point: &str, fault: &Value) -> bool {
        let Some(url) = self.faults_url(process) else {
            return false;
        };
        let request = self.http.put(format!("{url}/{point}")).json(fault);
        let answer = request.bearer_auth(self.operator()).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    pub(crate) async fn disarm(&self, process: &str, point: &str) {
        if let Some(url) = self.faults_url(process) {
            let request = self.http.delete(format!("{url}/{point}"));
            // Whoever died has disarmed itself.
            let _ = request.bearer_auth(self.operator()).send().await;
        }
    }
}

/// The process ends itself there.
pub(crate) fn kill() -> Value {
    json!({"action": "kill", "count": 1, "lease_ms": 30_000})
}

/// The process stops there, for longer than anybody's lease of a saga.
pub(crate) fn stop(lease_ms: u64) -> Value {
    json!({"action": "stop", "count": 1, "lease_ms": lease_ms})
}
