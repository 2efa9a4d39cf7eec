//! Settings as documented structs.
//!
//! A key is `boot` (read once), `live` (a registry document may change it while the service
//! runs) or `secret` (read once, never shown). Sources, weakest first: defaults, file,
//! environment, registry documents. File and environment refuse unknown keys, documents ignore
//! and count them, so that versions can differ. A secret can be given as a file too: file and
//! environment know `<key>_file` for each.

mod common;
mod live;
mod ranges;
mod secret_file;
mod section;
mod sources;

pub use common::Common;
pub use live::Live;
pub(crate) use live::Writer;
pub use ranges::in_ranges;
#[doc(hidden)]
pub use section::read as __read;
pub use section::{Key, KeyError, Mode, Secret, Section};
pub(crate) use sources::apply_document;
pub use sources::{CITY, SettingsError, Sources};
