//! The dashboards against Grafana's own schema, which it publishes as types for TypeScript
//! (`@grafana/grafana-foundation-sdk`): a field, an option or a value that Grafana does not know is
//! an error of the compiler. What is left out has Grafana's default.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use testing::engines::program;

use super::{dashboards, list, panels, text};

/// Types of JSON that may leave anything out, made of types for programs: an enum is one of its
/// values.
const LENIENT: &str = "
type Json<T> = T extends string ? `${T}`
  : T extends number | boolean | null ? T
  : T extends (infer U)[] ? Json<U>[]
  : T extends object ? { [K in keyof T]?: Json<T[K]> }
  : T;
";

/// One statement for each part of a dashboard whose type depends on a kind that it names.
fn program_of(all: &[Value]) -> String {
    let base = "@grafana/grafana-foundation-sdk";
    let mut program = format!("import * as dashboard from '{base}/dashboard';\n");
    program.push_str(&format!(
        "import * as prometheus from '{base}/prometheus';\n"
    ));
    for kind in ["heatmap", "stat", "table", "timeseries"] {
        program.push_str(&format!("import * as {kind} from '{base}/{kind}';\n"));
    }
    program.push_str(LENIENT);
    let mut count = 0;
    let mut state = |of: &str, value: &Value| {
        if !value.is_null() {
            count += 1;
            program.push_str(&format!("const v{count}: Json<{of}> = {value};\n"));
        }
    };
    for one in all {
        let mut shell = one.clone();
        for panel in shell["panels"].as_array_mut().unwrap() {
            panel["targets"] = json!([]);
        }
        for annotation in shell["annotations"]["list"].as_array_mut().unwrap() {
            annotation["target"] = json!({});
        }
        state("dashboard.Dashboard", &shell);
        for panel in panels(one) {
            let kind = text(&panel["type"]);
            state(&format!("{kind}.Options"), &panel["options"]);
            let custom = &panel["fieldConfig"]["defaults"]["custom"];
            state(&format!("{kind}.FieldConfig"), custom);
            for target in list(&panel["targets"]) {
                state("prometheus.Dataquery", target);
            }
        }
        for annotation in list(&one["annotations"]["list"]) {
            state("prometheus.Dataquery", &annotation["target"]);
        }
    }
    program
}

/// What the compiler says against them; none if Node or the types are not installed.
fn compile(all: &[Value]) -> Option<String> {
    let compiler = program("grafana-schema", "node_modules/typescript/bin/tsc")?;
    let node = program("node", "node")?;
    let modules = compiler.ancestors().nth(3).unwrap();
    let folder = tempfile::tempdir().unwrap();
    link(modules, &folder.path().join("node_modules"));
    fs::write(folder.path().join("dashboards.ts"), program_of(all)).unwrap();
    let output = Command::new(node)
        .arg(&compiler)
        .args([
            "--noEmit", "--strict", "--target", "es2022", "--module", "esnext",
        ])
        .args(["--moduleResolution", "bundler", "dashboards.ts"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        output.status.success(),
        said.trim().is_empty(),
        "{output:?}"
    );
    Some(said)
}

fn link(from: &Path, to: &Path) {
    std::os::unix::fs::symlink(fs::canonicalize(from).unwrap(), to).unwrap();
}

#[test]
fn dashboards_are_of_grafanas_types() {
    let all = dashboards();
    let Some(said) = compile(&all) else {
        return;
    };
    assert!(said.is_empty(), "{said}");

    // And it would say so if they were not.
    let broken = [
        (
            "/panels/0/fieldConfig/defaults",
            "unti",
            json!("s"),
            "\"unti\"",
        ),
        (
            "/panels/0/options",
            "graphMode",
            json!("graph"),
            "\"graph\"",
        ),
        (
            "/panels/0/targets/0",
            "expression",
            json!("up"),
            "\"expression\"",
        ),
        ("", "graphTooltip", json!("shared"), "DashboardCursorSync"),
    ];
    let gateway = all.iter().find(|one| one["uid"] == "gateway").unwrap();
    let all = broken.each_ref().map(|(part, field, wrong, _)| {
        let mut dashboard = gateway.clone();
        dashboard.pointer_mut(part).unwrap()[*field] = wrong.clone();
        dashboard
    });
    let said = compile(&all).unwrap();
    for (part, field, _, complaint) in broken {
        assert!(said.contains(complaint), "{part} {field} passes: {said}");
    }
}
