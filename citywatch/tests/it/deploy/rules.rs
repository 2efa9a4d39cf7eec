use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use testing::engines;

use super::{ACQUIRER, Compose, citywatch, make_keys, root, strings};

/// Whose image has nothing to ask itself with.
const WITHOUT_HEALTH_CHECK: [&str; 1] = ["otel-collector"];

#[test]
fn it_follows_the_specification() {
    let Some(judge) = engines::program("check-jsonschema", "bin/python3") else {
        return;
    };
    let judged = Command::new(judge)
        .args(["-m", "check_jsonschema"])
        .args(["--builtin-schema", "vendor.compose-spec", "compose.yml"])
        .current_dir(root())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&judged.stdout);
    assert!(judged.status.success(), "{said}");
}

#[test]
fn every_container_is_confined() {
    for (name, service) in Compose::read().services() {
        let must = |holds: bool, what: &str| assert!(holds, "{name}: {what}");
        must(service["read_only"] == true, "its root is not read only");
        must(
            strings(&service["cap_drop"]) == ["ALL"],
            "it keeps capabilities",
        );
        must(service["cap_add"].is_null(), "it is given capabilities");
        must(service["privileged"].is_null(), "it is privileged");
        must(
            strings(&service["security_opt"]) == ["no-new-privileges:true"],
            "it may gain privileges",
        );
        let user = service["user"].as_str().unwrap_or("0");
        must(user.split(':').next() != Some("0"), "it runs as root");
        let limits = &service["deploy"]["resources"]["limits"];
        must(limits["cpus"].is_string(), "it may take every core");
        must(limits["memory"].is_string(), "it may take all memory");
        must(
            service["logging"]["options"]["max-size"].is_string(),
            "its log grows for ever",
        );
        let network = service["network_mode"].as_str();
        must(
            matches!(network, None | Some("none")),
            "it is on another network",
        );
        for port in strings(&service["ports"]) {
            must(
                port.starts_with("127.0.0.1:"),
                "it is published beyond this machine",
            );
        }
    }
}

#[test]
fn images_are_pinned() {
    for (name, service) in Compose::read().services() {
        let image = service["image"].as_str().unwrap();
        let tag = image.rsplit_once(':').map(|(_, tag)| tag);
        let number = |tag: &str| {
            tag.trim_start_matches('v')
                .starts_with(|c: char| c.is_ascii_digit())
        };
        assert!(tag.is_some_and(number), "{name}: {image} names no version");
        if image.starts_with("citywatch") {
            assert_eq!(image, format!("citywatch:{}", env!("CARGO_PKG_VERSION")));
        }
    }
}

#[test]
fn health_is_asked_without_a_shell_and_waited_for_where_it_is_asked() {
    let compose = Compose::read();
    let ends = |service: &Value| service["restart"] == "no";
    let asked = |service: &Value| service["healthcheck"]["test"][0] == "CMD";
    for (name, service) in compose.services() {
        let exempt = ends(service) || WITHOUT_HEALTH_CHECK.contains(&name.as_str());
        assert_ne!(asked(service), exempt, "{name}: health check");
        for (other, dependency) in service["depends_on"].as_object().into_iter().flatten() {
            let other = compose
                .services()
                .get(other)
                .unwrap_or_else(|| panic!("{name}: {other}"));
            match dependency["condition"].as_str() {
                Some("service_healthy") => assert!(asked(other), "{name}: never healthy"),
                Some("service_completed_successfully") => {
                    assert!(ends(other), "{name}: never ends");
                }
                condition => panic!("{name}: waits for {condition:?}"),
            }
            let profiles = |service: &Value| strings(&service["profiles"]).join(",");
            let always = profiles(other).is_empty();
            assert!(
                always || profiles(other) == profiles(service),
                "{name}: not in its profile"
            );
        }
    }
}

#[test]
fn the_whole_city_is_there_each_with_its_own_folders() {
    let printed = citywatch(&["settings", "--json"]).output().unwrap();
    let table: Value = serde_json::from_slice(&printed.stdout).unwrap();
    // Not every section is a service: those are which can be asked how they are.
    let served = |settings: &&Value| {
        let mut names = settings.as_array().into_iter().flatten();
        names.any(|setting| setting["name"] == "admin_listen")
    };
    let mut wanted: BTreeSet<&str> = table
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, settings)| served(settings))
        .map(|(name, _)| name.as_str())
        .collect();
    wanted.insert(ACQUIRER);
    let compose = Compose::read();
    let there: BTreeSet<&str> = compose.city().map(|(name, _)| name.as_str()).collect();
    assert_eq!(there, wanted);
    for (name, service) in compose.city() {
        assert_eq!(service["command"][1], **name);
        let volumes = service["volumes"].as_array().unwrap();
        assert_eq!(volumes[0], format!("{name}:/data"));
        let keys = &volumes[1];
        assert_eq!(
            (&keys["source"], &keys["target"]),
            (&"keys".into(), &"/keys".into())
        );
        assert_eq!(keys["volume"]["subpath"], **name);
        assert_eq!(keys["read_only"], true, "{name}");
        assert_eq!(volumes.len(), 2, "{name} sees more than its own");
    }
}

#[test]
fn what_is_mounted_exists_and_cannot_be_written_to() {
    let compose = Compose::read();
    let mut used = BTreeSet::new();
    for (name, service) in compose.services() {
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let Some(short) = volume.as_str() else {
                used.insert(volume["source"].as_str().unwrap());
                continue;
            };
            let (source, target) = short.split_once(':').unwrap();
            if let Some(file) = source.strip_prefix("./") {
                assert!(root().join(file).exists(), "{name} mounts {file}");
                assert!(target.ends_with(":ro"), "{name} may write to {file}");
            } else {
                used.insert(source);
            }
        }
    }
    let declared: BTreeSet<&str> = compose.0["volumes"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(used, declared);
}

/// The files that `keys` makes are read here as the services read them.
#[test]
fn every_variable_is_a_setting_and_none_is_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let keys = make_keys(folder.path());
    let compose = Compose::read();
    for name in compose.services().keys() {
        for (variable, value) in compose.environment(name) {
            let secret = ["PASSWORD", "TOKEN", "SECRET"]
                .iter()
                .any(|word| variable.contains(word));
            assert!(
                !secret || variable.ends_with("_FILE"),
                "{name}: {variable} is a secret"
            );
            if let Some(file) = value.strip_prefix("/keys/") {
                let file = keys.join(name).join(file);
                assert!(file.exists(), "{name}: nobody makes {}", file.display());
            }
        }
    }
    for (name, _) in compose.city().filter(|(name, _)| *name != ACQUIRER) {
        let own = format!("CITYWATCH_{}__", name.to_uppercase());
        let mut environment = compose.environment(name);
        for (variable, value) in &mut environment {
            let read = ["CITYWATCH_CITY__", &own, "OTEL_", "MALLOC_"];
            assert!(
                read.iter().any(|prefix| variable.starts_with(prefix)),
                "{name} does not read {variable}"
            );
            if let Some(file) = value.strip_prefix("/keys/") {
                *value = keys.join(name).join(file).display().to_string();
            }
        }
        let shown = citywatch(&["settings", name])
            .envs(environment)
            .output()
            .unwrap();
        assert!(
            shown.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&shown.stderr)
        );
    }
}
