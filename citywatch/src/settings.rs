//! Every setting of every service, as its struct documents it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use app::settings::Mode;
use clap::Args;
use serde_json::{Value, json};

use crate::services::{self, Entry, SERVICES, Setting, variable};
use crate::terminal::{Paint, out, outln};
use crate::up::stack;

/// Show every setting: what it does, its default, how to change it.
#[derive(Args, Debug)]
#[command(after_help = "\
Defaults < file < environment < registry documents. `boot` and `secret` keys are read at start; \
`live` keys also change while the city runs (`citywatch config set`). The output is a settings \
file: save it as citywatch.toml and uncomment what you change.")]
pub(crate) struct Arguments {
    /// One service, or `stack` [default: all]
    service: Option<String>,
    /// Read values from this file too [default: citywatch.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn command(arguments: &Arguments) -> Result<ExitCode> {
    let sources = services::sources(arguments.config.as_deref())?;
    let entries: Vec<&Entry> = match arguments.service.as_deref() {
        Some(stack::SECTION) => Vec::new(),
        Some(name) => vec![services::find(name)?],
        None => SERVICES.iter().collect(),
    };
    let mut sections = Vec::new();
    for entry in entries {
        sections.push((entry.name, entry.about, entry.settings(&sources)?));
    }
    if arguments
        .service
        .as_deref()
        .is_none_or(|name| name == stack::SECTION)
    {
        let settings = stack::settings(&sources)?;
        sections.push((stack::SECTION, stack::ABOUT, settings));
    }
    if arguments.json {
        let all: serde_json::Map<String, Value> = sections
            .iter()
            .map(|(section, _, settings)| ((*section).to_owned(), as_json(section, settings)))
            .collect();
        outln!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    let paint = Paint::stdout();
    // What all have is said once, unless one service was asked for.
    if arguments.service.is_none()
        && let Some((_, _, settings)) = sections.first()
    {
        let shared = settings.iter().filter(|setting| setting.shared);
        out!(
            "{}",
            as_toml("city", "for every service at once", shared, paint)
        );
    }
    for (section, about, settings) in &sections {
        let wanted = |setting: &&Setting| !setting.shared || arguments.service.is_some();
        let shown = settings.iter().filter(wanted);
        out!("{}", as_toml(section, about, shown, paint));
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(section: &str, settings: &[Setting]) -> Value {
    settings
        .iter()
        .map(|setting| {
            json!({
                "name": setting.key.name,
                "mode": setting.key.mode,
                "shared": setting.shared,
                "default": setting.default,
                "value": setting.value,
                "variable": variable(section, setting.key.name),
                "doc": doc(setting).join(" "),
            })
        })
        .collect()
}

fn doc(setting: &Setting) -> Vec<&'static str> {
    setting
        .key
        .doc
        .iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty())
        .collect()
}

fn as_toml<'a>(
    section: &str,
    about: &str,
    settings: impl Iterator<Item = &'a Setting>,
    paint: Paint,
) -> String {
    let mut out = format!(
        "{} {}\n",
        paint.bold(&format!("[{section}]")),
        paint.dim(&format!("# {about}"))
    );
    for setting in settings {
        let mode = match setting.key.mode {
            Mode::Boot => "boot",
            Mode::Live => "live",
            Mode::Secret => "secret",
        };
        out.push('\n');
        for line in doc(setting) {
            out.push_str(&paint.dim(&format!("# {line}")));
            out.push('\n');
        }
        let name = setting.key.name;
        let variable = variable(section, name);
        out.push_str(&paint.dim(&format!("# {mode}; {variable}")));
        if setting.key.mode == Mode::Secret {
            let file = format!(", or {variable}_FILE: the name of a file that holds it");
            out.push_str(&paint.dim(&file));
        }
        out.push('\n');
        let default = toml_value(&setting.default);
        out.push_str(&format!("# {name} = {default}\n"));
        if setting.value != setting.default {
            out.push_str(&paint.green(&format!("{name} = {}\n", toml_value(&setting.value))));
        }
    }
    out.push('\n');
    out
}

/// A JSON value in TOML's inline form.
fn toml_value(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(toml_value).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| format!("{key} = {}", toml_value(value)))
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::Null => "\"\"".to_owned(),
        // JSON's strings, numbers and booleans are TOML's too.
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::settings::Sources;

    #[test]
    fn the_default_file_is_one_that_can_be_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("citywatch.toml");
        for entry in SERVICES {
            let settings = entry.settings(&Sources::default()).unwrap();
            let text = as_toml(entry.name, entry.about, settings.iter(), Paint::plain());
            let uncommented: String = text
                .lines()
                .map(|line| match line.strip_prefix("# ") {
                    Some(rest) if rest.contains(" = ") => format!("{rest}\n"),
                    _ => format!("{line}\n"),
                })
                .collect();
            std::fs::write(&path, &uncommented).unwrap();
            let sources = Sources::open(Some(&path)).unwrap();
            let back = entry.settings(&sources).unwrap();
            for (one, other) in settings.iter().zip(&back) {
                assert_eq!(one.value, other.value, "{}.{}", entry.name, one.key.name);
            }
        }
    }
}
