use std::sync::Arc;

use crate::breaker::Rules;

/// The terms that hold for all edges, and may change while the service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Retries, in percent of the calls that are made; an edge with few calls has one a second.
    /// 0: no call is made again. 100 and more: there is no budget, every call that failed is made
    /// again as often as its edge allows.
    pub retry_budget_percent: u32,
    /// When breakers open.
    pub breaker: Rules,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retry_budget_percent: 8,
            breaker: Rules::default(),
        }
    }
}

/// Reads the policy that is in force.
pub(crate) type Policies = Arc<dyn Fn() -> Policy + Send + Sync>;
