//! Who is called.

use crate::metrics::LabelValue;
use crate::span::handle::Span;
use std::sync::Arc;

/// `server.address` and `server.port`.
#[derive(Debug, Clone, Default)]
pub(super) struct Server {
    /// Empty when it is not known.
    address: Arc<str>,
    /// 0 when there is none, or none that needs a mention.
    port: u16,
}

impl Server {
    pub(super) fn new(address: &str, port: u16) -> Server {
        Server {
            address: address.into(),
            port,
        }
    }

    pub(super) fn describe(&self, span: &mut Span) {
        if !self.address.is_empty() {
            span.push("server.address", &*self.address);
            if self.port != 0 {
                span.push("server.port", self.port);
            }
        }
    }

    pub(super) fn labels(&self) -> [LabelValue; 2] {
        [Arc::clone(&self.address).into(), self.port.into()]
    }

    /// `address:port`, as a span's name has it.
    pub(super) fn name(&self) -> Option<String> {
        match (&*self.address, self.port) {
            ("", _) => None,
            (address, 0) => Some(address.to_owned()),
            (address, port) => Some(format!("{address}:{port}")),
        }
    }
}
