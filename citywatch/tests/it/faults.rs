//! Fault points of the running city, as an operator sees and arms them.

use std::time::Duration;

use serde_json::{Value, json};

use super::harness::City;

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

    /// The first process of each service.
    pub(crate) fn first_of_each(&self) -> Vec<String> {
        let state = self.state();
        let processes = state["processes"].as_object().unwrap().iter();
        processes
            .filter(|(_, process)| process["replica"] == 1 && process["service"] != "acquirer")
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The name of every point of a process; none while it is down.
    pub(crate) async fn points(&self, process: &str) -> Vec<String> {
        let Some(url) = self.faults_url(process) else {
            return Vec::new();
        };
        let asking = self.http.get(url).bearer_auth(self.operator()).send().await;
        let Ok(answer) = asking else {
            return Vec::new();
        };
        let list: Value = answer.json().await.unwrap_or_default();
        let points = list["points"].as_array().cloned().unwrap_or_default();
        let name = |point: &Value| point["name"].as_str().unwrap_or_default().to_owned();
        points.iter().map(name).collect()
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
    json!({"action": "kill", "count": 1, "lease_ms": 60_000})
}

/// The process stops itself there, until it is told to go on, or the lease is over.
pub(crate) fn stop(lease: Duration) -> Value {
    let lease_ms = u64::try_from(lease.as_millis()).unwrap();
    json!({"action": "stop", "count": 1, "lease_ms": lease_ms})
}
