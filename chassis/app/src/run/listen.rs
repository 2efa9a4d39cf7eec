use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use super::ServeError;

/// Connections that may wait to be accepted. One more is not refused: the kernel drops its first
/// packet, and whoever connects tries again a second later, which is longer than callers wait.
const BACKLOG: u32 = 1024;

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
    let listener = listen(address).await.map_err(failed)?;
    Ok((listener.local_addr().map_err(failed)?, listener))
}

/// On the first of the addresses that can be listened on.
async fn listen(address: &str) -> io::Result<TcpListener> {
    let mut failure = io::Error::new(io::ErrorKind::InvalidInput, "no such host");
    for address in tokio::net::lookup_host(address).await? {
        match listen_on(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A service that is started again takes its old address at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpStream;
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_crowd_at_the_door_is_let_in_however_busy_the_service() {
        let (address, _nobody_accepts) = bind("listen", "127.0.0.1:0").await.unwrap();
        let mut crowd = Vec::new();
        for number in 0..300 {
            // Less than the second after which a dropped packet is sent again.
            let connecting = timeout(Duration::from_millis(900), TcpStream::connect(address));
            let connected = connecting
                .await
                .unwrap_or_else(|_| panic!("{number} waits"));
            crowd.push(connected.unwrap());
        }
    }

    #[tokio::test]
    async fn an_address_that_is_taken_or_none_is_an_error() {
        let (address, _listener) = bind("listen", "127.0.0.1:0").await.unwrap();
        for address in [address.to_string(), "nowhere".to_owned()] {
            let refused = bind("listen", &address).await.unwrap_err();
            assert!(refused.to_string().contains("listen"), "{refused}");
        }
    }
}
