//! What is published is there with its change, in its subject's order, once, for those who may
//! read it.

mod desk;
mod faults;
mod feed;
mod order;
mod outbox;
mod retention;
mod traces;
mod waiting;
