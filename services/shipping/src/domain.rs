//! What a shipment is, and how it moves. No I/O, no clock, no SQL.

use app::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// How far a shipment has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It is being packed.
    Preparing,
    /// It is on its way.
    Dispatched,
    /// It has arrived.
    Delivered,
}

impl State {
    const ALL: [Self; 3] = [Self::Preparing, Self::Dispatched, Self::Delivered];

    /// The word for it, on the wire and in the store.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Dispatched => "dispatched",
            Self::Delivered => "delivered",
        }
    }

    /// What [`label`](Self::label) says, read back.
    pub(crate) fn of(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.label() == label)
    }

    /// What comes next; `None` if nothing does.
    pub(crate) fn next(self) -> Option<Move> {
        match self {
            Self::Preparing => Some(Move::Dispatch),
            Self::Dispatched => Some(Move::Deliver),
            Self::Delivered => None,
        }
    }
}

/// A step of a shipment on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Move {
    /// It leaves.
    Dispatch,
    /// It arrives.
    Deliver,
}

impl Move {
    pub(crate) const ALL: [Self; 2] = [Self::Dispatch, Self::Deliver];

    /// The word for it, in metrics.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch",
            Self::Deliver => "deliver",
        }
    }

    /// The name of its span.
    pub(crate) fn span(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch shipment",
            Self::Deliver => "deliver shipment",
        }
    }
}

/// A shipment: what an order's member can be told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Shipment {
    #[serde(rename = "shipment_id")]
    pub id: Uuid,
    pub order_id: Uuid,
    #[serde(skip)]
    pub member_id: String,
    pub state: State,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub dispatched_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub delivered_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn a_state_has_one_word_and_two_moves_lead_to_the_end() {
        for state in State::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.label());
            assert_eq!(State::of(state.label()), Some(state));
        }
        assert_eq!(State::of("lost"), None);
        let moves = State::ALL.map(|state| state.next().map(super::Move::label));
        assert_eq!(moves, [Some("dispatch"), Some("deliver"), None]);
    }
}
