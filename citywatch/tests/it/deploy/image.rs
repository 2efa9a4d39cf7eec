use std::fs;
use std::path::Path;
use std::process::Command;

use testing::engines;

use super::{CITYWATCH, Compose, root};

/// `scripts/check-image` names the binary that is built as the image's is.
const BINARY: &str = "CITYWATCH_IMAGE_BINARY";

#[test]
fn the_binary_needs_nothing_but_what_the_image_has() {
    let may_mount = Command::new("unshare")
        .args(["--mount", "--net", "ip", "link"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !may_mount {
        engines::skip("no folder can be made a root here: root, unshare and ip are needed");
        return;
    }
    let binary = std::env::var(BINARY).unwrap_or_else(|_| CITYWATCH.to_owned());
    let binary = Path::new(&binary).canonicalize().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let script = root().join("citywatch/tests/it/deploy/empty_root.sh");
    let ran = Command::new("unshare")
        .args(["--mount", "--net", "sh"])
        .arg(script.canonicalize().unwrap())
        .args([binary.as_path(), folder.path()])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .envs(Compose::read().environment("registry"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
}

/// What the compose file counts on.
#[test]
fn the_image_runs_the_binary_as_nobody() {
    let dockerfile = fs::read_to_string(root().join("deploy/Dockerfile")).unwrap();
    let last = dockerfile.rsplit_once("FROM ").unwrap().1;
    for line in [
        "USER 65532:65532",
        "COPY --from=build --chown=65532:65532 /image /",
        "ENTRYPOINT [\"/citywatch\"]",
    ] {
        assert!(last.lines().any(|said| said == line), "{line}");
    }
    // glibc of one Debian runs what was linked to that of the same.
    assert!(dockerfile.contains("FROM rust:1.95-bookworm"));
    assert!(last.starts_with("gcr.io/distroless/cc-debian12:nonroot"));
    // Folders that volumes take their owner from.
    for folder in ["/image/data", "/image/keys"] {
        assert!(dockerfile.contains(folder), "{folder}");
    }
}
