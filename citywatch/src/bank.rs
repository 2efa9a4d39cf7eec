//! The bank that the city charges: no service of it, but a city without one sells nothing, so `up`
//! runs it too.
//!
//! It has no section in the settings, no key and no place in the registry, and is told nothing
//! that the city knows. Its own variables (`ACQUIRER_DELAY_MS`, …) reach it from whoever starts
//! `up`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;

use crate::data_dir::DataDir;

/// Its name on the board, in the logs and for `hold`.
pub(crate) const NAME: &str = "acquirer";

pub(crate) const ABOUT: &str = "the bank outside the city";

/// The variable that names its listener, and what it says when nobody set it.
pub(crate) const LISTEN: (&str, &str) = ("ACQUIRER_LISTEN", "127.0.0.1:0");

const PREFIX: &str = "ACQUIRER_";

/// What it is told beside what it inherits.
pub(crate) fn environment(
    data: &DataDir,
    listen: SocketAddr,
    token: &str,
) -> Vec<(String, String)> {
    let told = [
        ("ACQUIRER_LISTEN", listen.to_string()),
        ("ACQUIRER_BOOK", book(data).display().to_string()),
        ("ACQUIRER_TOKEN", token.to_owned()),
    ];
    told.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Its book, which outlives the city's stores and is read by nobody but the ledger.
pub(crate) fn book(data: &DataDir) -> PathBuf {
    data.path().join("acquirer.book.jsonl")
}

/// Variables of this process that it must not see: the city's.
pub(crate) fn withheld() -> Vec<String> {
    inherited().filter(|name| !is_its_own(name)).collect()
}

/// Whether a variable is for it alone: services are not told.
pub(crate) fn is_its_own(variable: &str) -> bool {
    variable.starts_with(PREFIX)
}

fn inherited() -> impl Iterator<Item = String> {
    std::env::vars_os()
        .filter_map(|(name, _)| OsString::into_string(name).ok())
        .filter(|name| {
            ["CITYWATCH_", "OTEL_", PREFIX]
                .iter()
                .any(|ours| name.starts_with(ours))
        })
}

/// Runs it in this process.
pub(crate) fn run(leash: bool) -> Result<()> {
    Ok(acquirer::run(leash)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn it_is_told_where_to_listen_and_to_write_and_nothing_of_the_city() {
        let data = DataDir::named(Some(Path::new("/tmp/city"))).unwrap();
        let told = environment(&data, ([127, 0, 0, 1], 4000).into(), "token");
        assert!(told.iter().all(|(name, _)| is_its_own(name)), "{told:?}");
        assert!(told.iter().any(|(_, value)| value == "127.0.0.1:4000"));
        assert!(withheld().iter().all(|name| !is_its_own(name)));
    }
}
