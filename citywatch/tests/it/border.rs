//! The borders of ARCHITECTURE.md, read from what cargo resolves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use cargo_metadata::{Metadata, MetadataCommand};

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
    /// What lies in `services`.
    fn services(&self) -> BTreeSet<String> {
        let folder = self.metadata.workspace_root.join("services");
        let packages = self.metadata.workspace_packages().into_iter();
        let services: BTreeSet<String> = packages
            .filter(|package| package.manifest_path.starts_with(&folder))
            .map(|package| package.name.to_string())
            .collect();
        assert!(services.len() >= 9, "{services:?}");
        services
    }

    /// The same, and the observatory, which is run as they are.
    fn served(&self) -> BTreeSet<String> {
        let mut all = self.services();
        all.insert("citywatch-observatory".to_owned());
        all
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
    let workspace = workspace();
    let mut known = workspace.served();
    let others = ["citywatch", "citywatch-acquirer", "citywatch-benches"];
    known.extend(FOUNDATION.iter().chain(&others).map(|name| (*name).into()));
    let found: BTreeSet<_> = workspace.ours.into_keys().collect();
    assert_eq!(
        found, known,
        "a new crate takes its place in this test and in ARCHITECTURE.md"
    );
}

#[test]
fn no_service_depends_on_another() {
    let workspace = workspace();
    let services = workspace.served();
    for name in &services {
        let others: Vec<_> = workspace.ours[name].intersection(&services).collect();
        assert!(others.is_empty(), "{name} depends on {others:?}");
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
    let workspace = workspace();
    let served = workspace.served();
    for (name, needs) in workspace.ours {
        let services: Vec<_> = needs.intersection(&served).collect();
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
    let workspace = workspace();
    assert!(workspace.ours["citywatch-acquirer"].is_empty());
    for service in workspace.services() {
        // Its tests may charge the real one.
        assert!(
            !linked_with(&service).contains("citywatch-acquirer"),
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
