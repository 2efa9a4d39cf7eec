use stores::sql::StoreError;

/// Why an event was not published. The transaction is not to be committed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The body is not JSON.
    #[error("the event cannot be written as JSON")]
    Body(#[from] serde_json::Error),
    /// It has so many bytes of JSON.
    #[error("the event is too large: {0} bytes")]
    TooLarge(usize),
    /// The row was not written.
    #[error("the event was not written to the outbox")]
    Store(#[from] StoreError),
}

/// Why nothing was read from the outbox.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Events behind the position are no longer kept: whoever reads has to begin anew from what
    /// the service itself knows.
    #[error("events behind the position are no longer kept")]
    Truncated,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
