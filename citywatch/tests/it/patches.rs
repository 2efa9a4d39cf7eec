//! The patches by which `scripts/prove-suite` shows that the suite can fail: they still apply, and
//! the checks that must notice them are there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::MetadataCommand;

/// What is asked for of the shop, and of its events, at least.
const NAMED: [&str; 6] = [
    "charge-without-key",
    "cursor-outside-transaction",
    "event-before-commit",
    "parking-skipped",
    "release-missing",
    "saga-after-first-step",
];

struct Patch {
    path: PathBuf,
    text: String,
}

impl Patch {
    fn name(&self) -> &str {
        self.path.file_stem().unwrap().to_str().unwrap()
    }

    /// What stands before the first file that it changes.
    fn header(&self) -> &str {
        self.text.split("--- a/").next().unwrap()
    }
}

fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap().canonicalize().unwrap()
}

fn patches() -> Vec<Patch> {
    let folder = root().join("citywatch/tests/patches");
    let paths = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let patches = paths.map(|path| Patch {
        text: fs::read_to_string(&path).unwrap(),
        path,
    });
    patches.collect()
}

#[test]
fn every_patch_applies_and_breaks_no_check() {
    let root = root();
    let patches = patches();
    for name in NAMED {
        assert!(patches.iter().any(|patch| patch.name() == name), "{name}");
    }
    for patch in &patches {
        let applied = Command::new("git")
            .args(["apply", "--check"])
            .arg(&patch.path)
            .current_dir(&root)
            // In a copy within another repository it must not take that one for its own.
            .env("GIT_CEILING_DIRECTORIES", root.parent().unwrap())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&applied.stderr);
        assert!(applied.status.success(), "{}: {said}", patch.name());
        let files = patch
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("+++ b/"));
        for file in files {
            let is_code = file.contains("/src/") && !file.contains("tests");
            assert!(is_code, "{} changes {file}", patch.name());
        }
    }
}

#[test]
fn every_patch_says_what_it_breaks_and_names_checks_that_are_there() {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--locked", "--offline"].map(str::to_owned))
        .exec()
        .unwrap();
    for patch in patches() {
        let about = patch.name();
        let breaks = patch.header().lines().next().unwrap();
        assert!(breaks.starts_with("breaks: "), "{about}: {breaks}");
        let lines = patch.header().lines();
        let checks: Vec<&str> = lines
            .filter_map(|line| line.strip_prefix("check: "))
            .collect();
        assert!(!checks.is_empty(), "nothing must notice {about}");
        for check in checks {
            let (named, reason) = check.split_once(" => ").unwrap();
            assert!(!reason.is_empty(), "{about}: {check}");
            let [package, target, test] = named.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{about}: {check}");
            };
            let packages = metadata.workspace_packages();
            let package = packages.iter().find(|known| known.name.as_str() == package);
            let folder = package.unwrap().manifest_path.parent().unwrap();
            let folder = match target {
                "it" => folder.join("tests/it"),
                "bin" => folder.join("src"),
                _ => panic!("{about}: {target}"),
            };
            let (module, test) = test.rsplit_once("::").unwrap();
            let file = folder.join(format!("{}.rs", module.replace("::", "/")));
            let code = fs::read_to_string(&file).unwrap();
            let is_there = code.contains(&format!("fn {test}()"));
            assert!(is_there, "{about}: no {test} in {file}");
        }
    }
}
