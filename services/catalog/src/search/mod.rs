//! Each replica's own index of whole products: searches and listings are answered from it alone.
//!
//! It lives in memory and is built from the rows at start; rows are the truth. It never decides
//! what a product is, and its order depends only on the query and the product, never on what else
//! is in the index: pages fit together across edits and across replicas.

mod follow;
mod index;
mod query;
mod rank;
mod text;

pub(crate) use follow::{FollowError, Follower};
pub(crate) use index::{Found, Index, IndexError, Search};
pub(crate) use rank::Place;
