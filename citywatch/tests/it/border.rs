//! The borders of ARCHITECTURE.md, read from what cargo resolves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use cargo_metadata::{Metadata, MetadataCommand};

const SERVICES: [&str; 8] = [
    "citywatch-cart",
    "citywatch-catalog",
    "citywatch-gateway",
    "citywatch-inventory",
    "citywatch-orders",
    "citywatch-payments",
    "citywatch-registry",
    "citywatch-users",
];

/// From the bottom up: each may depend on those before it, never on those behind.
const FOUNDATION: [&str; 9] = [
    "citywatch-telemetry",
    "citywatch-identity",
    "citywatch-stores",
    "citywatch-discovery",
    "citywatch-faults",
    "citywatch-calls",
    "citywatch-app",
    "citywatch-testing",
    "citywatch-events",
];

struct Workspace {
    metadata: Metadata,
    /// Our packages, and which of ours each depends on, tests included.
    ours: BTreeMap<String, BTreeSet<String>>,
}

fn workspace() -> Workspace {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(root)
        .no_deps()
        .other_options(["--locked", "--offline"].map(str::to_owned))
        .exec()
        .unwrap();
    let members: BTreeSet<_> = metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    let ours = metadata
        .workspace_packages()
        .iter()
        .map(|package| {
            let needs = package
                .dependencies
                .iter()
                .map(|needed| needed.name.clone());
            (
                package.name.to_string(),
                needs.filter(|name| members.contains(name)).collect(),
            )
        })
        .collect();
    Workspace { metadata, ours }
}

impl Workspace {
    fn is_service(name: &str) -> bool {
        SERVICES.contains(&name) || name == "citywatch-observatory"
    }
}

/// Everything that a package is linked with, tests and build scripts left out. Asked of `cargo tree`:
/// the metadata also hold optional packages that some feature would only add to.
fn linked_with(name: &str) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal"])
        .args(["--prefix", "none", "--format", "{p}", "--package", name])
        .arg("--manifest-path")
        .arg(root)
        .output()
        .unwrap();
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let tree = String::from_utf8(tree.stdout).unwrap();
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

#[test]
fn every_package_is_known_here() {
    let known: BTreeSet<_> = SERVICES
        .iter()
        .chain(&FOUNDATION)
        .chain(&["citywatch-observatory", "citywatch", "citywatch-benches"])
        .chain(&["citywatch-acquirer"])
        .map(|name| (*name).to_owned())
        .collect();
    let found: BTreeSet<_> = workspace().ours.into_keys().collect();
    assert_eq!(
        found, known,
        "a new crate takes its place in this test and in ARCHITECTURE.md"
    );
}

#[test]
fn no_service_depends_on_another() {
    for (name, needs) in workspace().ours {
        if Workspace::is_service(&name) {
            let others: Vec<_> = needs
                .iter()
                .filter(|need| Workspace::is_service(need))
                .collect();
            assert!(others.is_empty(), "{name} depends on {others:?}");
        }
    }
}

#[test]
fn the_foundation_depends_downwards_only() {
    let ours = workspace().ours;
    for (height, name) in FOUNDATION.iter().enumerate() {
        for need in &ours[*name] {
            let below = FOUNDATION[..height].contains(&need.as_str());
            assert!(
                below,
                "{name} depends on {need}, which does not lie below it"
            );
        }
    }
    assert!(
        ours["citywatch-telemetry"].is_empty(),
        "telemetry stands alone"
    );
}

#[test]
fn only_citywatch_depends_on_services() {
    for (name, needs) in workspace().ours {
        let services: Vec<_> = needs
            .iter()
            .filter(|need| Workspace::is_service(need))
            .collect();
        assert!(
            name == "citywatch" || services.is_empty(),
            "{name} depends on {services:?}"
        );
        assert!(
            !needs.contains("citywatch-benches"),
            "{name} depends on what measures it"
        );
    }
}

#[test]
fn the_bank_is_nobodys_part_and_has_no_part_of_ours() {
    let ours = workspace().ours;
    assert!(ours["citywatch-acquirer"].is_empty());
    for service in SERVICES {
        // Its tests may charge the real one.
        assert!(
            !linked_with(service).contains("citywatch-acquirer"),
            "{service} knows the bank's code"
        );
    }
    let telemetry = linked_with("citywatch-acquirer");
    let telemetry = telemetry.iter().find(|name| name.contains("opentelemetry"));
    assert_eq!(telemetry, None);
}

#[test]
fn the_gateway_compiles_no_database_driver() {
    let linked = linked_with("citywatch-gateway");
    for driver in ["sqlx", "sqlx-core", "libsqlite3-sys", "tantivy", "redb"] {
        assert!(
            !linked.contains(driver),
            "the gateway is linked with {driver}"
        );
    }
}

#[test]
fn there_is_one_crypto_provider() {
    let linked = linked_with("citywatch");
    assert!(linked.contains("aws-lc-rs"));
    for other in ["ring", "openssl-sys", "native-tls", "rsa", "ed25519-dalek"] {
        assert!(
            !linked.contains(other),
            "the tree holds {other} beside aws-lc-rs"
        );
    }
}

#[test]
fn libraries_have_short_names() {
    for package in workspace().metadata.workspace_packages() {
        for target in &package.targets {
            if target.is_lib() {
                assert_eq!(format!("citywatch-{}", target.name), *package.name);
            }
        }
    }
}

#[test]
fn the_map_names_every_crate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap();
    let map = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    for package in workspace().metadata.workspace_packages() {
        let folder = package.manifest_path.parent().unwrap().as_std_path();
        let folder = folder.strip_prefix(&root).unwrap().display().to_string();
        assert!(
            map.contains(&format!("`{folder}`")),
            "ARCHITECTURE.md does not name `{folder}`"
        );
    }
}
