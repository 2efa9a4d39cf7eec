//! OTLP over TLS, with certificates made for the moment.

use crate::collector::{Collector, settings};
use crate::export::{build, span};
use crate::{otlp_api, receiver};
use axum::http::{StatusCode, Uri};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use telemetry::settings::{Compression, Protocol, Tls};
use telemetry::{InitError, Service, Settings, ShutdownReport, Telemetry};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// An authority of its own, and a folder for what it signs.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as files.
struct Signed {
    certificate: PathBuf,
    key: PathBuf,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let folder = TempDir::new().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        std::fs::write(folder.path().join("ca.pem"), certificate).unwrap();
        let issuer = Issuer::new(params, key);
        Authority { folder, issuer }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sign(&self, name: &str) -> Signed {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let signed = Signed {
            certificate: self.file(&format!("{name}.pem")),
            key: self.file(&format!("{name}.key")),
        };
        std::fs::write(&signed.certificate, certificate.pem()).unwrap();
        std::fs::write(&signed.key, key.serialize_pem()).unwrap();
        signed
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(self.file("ca.pem")).unwrap();
        roots.add(ca).unwrap();
        roots
    }
}

/// A collector behind TLS; with `callers`, only for clients whom that authority has signed.
async fn collector(identity: &Signed, callers: Option<&Authority>) -> Collector {
    Collector::start_behind(listener(identity, callers).await)
}

async fn listener(identity: &Signed, callers: Option<&Authority>) -> TlsListener {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match callers {
        None => builder.with_no_client_auth(),
        Some(authority) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(Arc::new(authority.roots()), provider)
                .build()
                .unwrap(),
        ),
    };
    let chain = vec![CertificateDer::from_pem_file(&identity.certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_file(&identity.key).unwrap();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsListener {
        listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        acceptor: Arc::new(config).into(),
    }
}

struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, peer) = self.listener.accept().await.unwrap();
            // A client that does not trust us, or whom we do not trust, goes away.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

fn secure(collector: &Collector, protocol: Protocol, tls: Tls) -> Settings {
    let mut settings = settings(collector.address, protocol, Compression::Gzip);
    let otlp = settings.traces.otlp.as_mut().unwrap();
    let endpoint = otlp.endpoint.to_string();
    otlp.endpoint = endpoint
        .replace("http://127.0.0.1", "https://localhost")
        .parse::<Uri>()
        .unwrap();
    otlp.tls = tls;
    settings
}

/// Ends one span; how it fared, and how many the collector has.
async fn one_span(collector: &Collector, protocol: Protocol, tls: Tls) -> (ShutdownReport, usize) {
    let telemetry = build(secure(collector, protocol, tls));
    span(&telemetry, "/", StatusCode::OK);
    telemetry.flush().await;
    let report = telemetry.shutdown(Duration::from_millis(500)).await;
    (report, collector.requests().len())
}

const PROTOCOLS: [Protocol; 3] = [Protocol::HttpProtobuf, Protocol::HttpJson, Protocol::Grpc];

#[tokio::test]
async fn spans_arrive_at_a_collector_whose_certificate_is_trusted() {
    let authority = Authority::new();
    let identity = authority.sign("localhost");
    for protocol in PROTOCOLS {
        let collector = collector(&identity, None).await;
        let tls = Tls {
            ca: Some(authority.file("ca.pem")),
            ..Tls::default()
        };
        let (report, arrived) = one_span(&collector, protocol, tls).await;
        assert_eq!((report.spans.exported, arrived), (1, 1), "{report}");
    }
}

#[tokio::test]
async fn a_stranger_gets_no_span() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let wrong_name = authority.sign("collector.example");
    let wrong_authority = stranger.sign("localhost");
    for (identity, ca) in [
        (&wrong_authority, Some(authority.file("ca.pem"))),
        // Nobody on Mozilla's list has signed it.
        (&wrong_authority, None),
        (&wrong_name, Some(authority.file("ca.pem"))),
    ] {
        for protocol in PROTOCOLS {
            let collector = collector(identity, None).await;
            let tls = Tls {
                ca: ca.clone(),
                ..Tls::default()
            };
            let (report, arrived) = one_span(&collector, protocol, tls).await;
            assert_eq!((report.spans.exported, arrived), (0, 0), "{report}");
            assert_eq!(report.spans.dropped(), 1, "{report}");
        }
    }
}

#[tokio::test]
async fn a_collector_that_wants_to_know_the_client_does() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (identity, client) = (authority.sign("localhost"), authority.sign("orders"));
    let impostor = stranger.sign("orders");
    for protocol in PROTOCOLS {
        for (shown, expected) in [(Some(&client), 1), (Some(&impostor), 0), (None, 0)] {
            let collector = collector(&identity, Some(&authority)).await;
            let tls = Tls {
                ca: Some(authority.file("ca.pem")),
                client_certificate: shown.map(|client| client.certificate.clone()),
                client_key: shown.map(|client| client.key.clone()),
            };
            let (report, arrived) = one_span(&collector, protocol, tls).await;
            assert_eq!(report.spans.exported, expected, "{report}");
            assert_eq!(arrived as u64, expected);
        }
    }
}

#[tokio::test]
async fn files_that_are_of_no_use_are_named_at_once() {
    let authority = Authority::new();
    let (one, other) = (authority.sign("one"), authority.sign("other"));
    let missing = authority.file("missing.pem");
    let text = authority.file("text.pem");
    std::fs::write(&text, "no certificate").unwrap();
    let pair = |certificate: &PathBuf, key: &PathBuf| Tls {
        ca: None,
        client_certificate: Some(certificate.clone()),
        client_key: Some(key.clone()),
    };
    let ca = |path: &PathBuf| Tls {
        ca: Some(path.clone()),
        ..Tls::default()
    };
    let alone = Tls {
        client_certificate: Some(one.certificate.clone()),
        ..Tls::default()
    };
    for (tls, says) in [
        (ca(&missing), "cannot read"),
        (ca(&missing), "missing.pem"),
        (ca(&text), "text.pem holds no certificate in PEM format"),
        (ca(&one.key), "one.key holds no certificate in PEM format"),
        (pair(&text, &one.key), "text.pem holds no certificate"),
        (
            pair(&one.certificate, &text),
            "text.pem holds no private key",
        ),
        (pair(&one.certificate, &missing), "missing.pem"),
        (
            pair(&one.certificate, &other.key),
            "other.key cannot be used",
        ),
        (alone, "set both, or neither"),
    ] {
        let mut settings = settings(
            "127.0.0.1:4318".parse().unwrap(),
            Protocol::Grpc,
            Compression::None,
        );
        let otlp = settings.traces.otlp.as_mut().unwrap();
        otlp.endpoint = Uri::from_static("https://localhost:4318");
        otlp.tls = tls;
        let error = refused(settings);
        assert!(matches!(
            &error,
            InitError::Otlp {
                signal: "traces",
                ..
            }
        ));
        assert!(error.to_string().contains(says), "{error}");
    }
}

fn refused(settings: Settings) -> InitError {
    Telemetry::builder(Service::new("orders", "1.2.3"))
        .settings(settings)
        .without_subscriber()
        .build()
        .unwrap_err()
}

#[tokio::test]
async fn what_the_opentelemetry_apis_record_travels_by_tls() {
    let authority = Authority::new();
    let identity = authority.sign("localhost");
    for protocol in ["http/protobuf", "http/json", "grpc"] {
        let listener = listener(&identity, None).await;
        let port = listener.listener.local_addr().unwrap().port();
        let requests = receiver::receiver_behind(listener);
        let endpoint = format!("https://localhost:{port}");
        let ca = authority.file("ca.pem");
        otlp_api::record_and_shut_down(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", ca.to_str().unwrap()),
        ])
        .await;
        otlp_api::assert_recorded(&requests);
    }
}
