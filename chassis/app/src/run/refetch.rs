use std::time::Duration;

use discovery::RegistryClient;
use identity::KeySet;

/// Unknown key ids make us ask the registry at most this often, however many come.
const PAUSE: Duration = Duration::from_secs(10);

/// A token that names an unknown key may be newer than what is known: asks for the document of
/// keys at once, and then not again for a while. What comes in that while is answered at its end.
pub(super) async fn refetch_unknown(keys: KeySet, client: RegistryClient, document: &str) {
    loop {
        keys.unknown_kid().notified().await;
        if let Err(error) = client.refetch(document).await {
            tracing::debug!(document, %error, "keys not fetched");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use reqwest_middleware::{ClientBuilder, Error, Middleware, Next};

    use super::*;

    /// A registry that is away, and how often it was asked.
    #[derive(Clone, Default)]
    struct Away(Arc<AtomicUsize>);

    #[async_trait::async_trait]
    impl Middleware for Away {
        async fn handle(
            &self,
            _: reqwest::Request,
            _: &mut http::Extensions,
            _: Next<'_>,
        ) -> reqwest_middleware::Result<reqwest::Response> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Err(Error::middleware(std::io::Error::other("away")))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn unknown_keys_ask_at_most_once_in_ten_seconds() {
        let away = Away::default();
        let http = ClientBuilder::new(reqwest::Client::new()).with(away.clone());
        let client = RegistryClient::new("http://registry", http.build(), None);
        let keys = KeySet::new();
        tokio::spawn(refetch_unknown(keys.clone(), client, "jwks.members"));
        let asked_after = async |seconds| {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            away.0.load(Ordering::Relaxed)
        };
        assert_eq!(asked_after(60).await, 0, "nobody named an unknown key");
        for _ in 0..9 {
            keys.unknown_kid().notify_one();
            assert_eq!(asked_after(1).await, 1);
        }
        assert_eq!(asked_after(2).await, 2, "those that came too soon");
        assert_eq!(asked_after(60).await, 2);
        keys.unknown_kid().notify_one();
        assert_eq!(asked_after(1).await, 3);
    }
}
