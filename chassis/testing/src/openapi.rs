//! The interface that is checked in is the interface that runs.

use std::path::Path;

use app::Service;

/// Compares the service's `openapi.json` with what its code says; with `UPDATE_OPENAPI=1` in the
/// environment the file is written anew instead.
///
/// # Panics
/// They differ, or the file cannot be read or written.
pub fn assert_current<S: Service>(manifest_dir: &str) {
    let path = Path::new(manifest_dir).join("openapi.json");
    let mut current = app::openapi::<S>()
        .to_pretty_json()
        .expect("the interface is JSON");
    current.push('\n');
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, current).expect("openapi.json can be written");
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == current,
        "{} is out of date: run `UPDATE_OPENAPI=1 scripts/test {}` and commit it",
        path.display(),
        S::NAME,
    );
}
