use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::ServeError;

/// Listens on the address that a setting names.
pub(super) async fn bind(
    key: &'static str,
    address: &str,
) -> Result<(SocketAddr, TcpListener), ServeError> {
    let failed = |source| ServeError::Listen {
        address: address.to_owned(),
        key,
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    Ok((listener.local_addr().map_err(failed)?, listener))
}
