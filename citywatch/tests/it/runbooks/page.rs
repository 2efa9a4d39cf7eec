//! A runbook's page: its headings, its links and its executable blocks, in the grammar that
//! `runbooks/README.md` gives.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) headings: Vec<String>,
    /// What `[text](target)` points at.
    pub(super) links: Vec<String>,
    pub(super) blocks: Vec<Block>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) runner: Runner,
    pub(super) id: String,
    pub(super) heading: String,
    /// Keys of the info string but the id.
    pub(super) keys: BTreeMap<String, String>,
    pub(super) body: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runner {
    Promql,
    Jaeger,
    Sh,
}

impl Page {
    /// # Errors
    /// What is wrong, and in which line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut page = Self {
            title: String::new(),
            headings: Vec::new(),
            links: Vec::new(),
            blocks: Vec::new(),
        };
        let mut lines = text.lines().enumerate();
        while let Some((at, line)) = lines.next() {
            let trimmed = line.trim_start();
            if let Some(info) = trimmed.strip_prefix("```") {
                let indent = line.len() - trimmed.len();
                let mut body = Vec::new();
                loop {
                    let Some((_, line)) = lines.next() else {
                        return Err(format!("line {}: a block without an end", at + 1));
                    };
                    if line.trim() == "```" {
                        break;
                    }
                    body.push(line.get(indent..).unwrap_or_default());
                }
                let heading = page.headings.last().cloned().unwrap_or_default();
                let block = Block::parse(info, heading, body.join("\n"))
                    .map_err(|error| format!("line {}: {error}", at + 1))?;
                page.blocks.extend(block);
            } else if let Some(heading) = line.strip_prefix("## ") {
                page.headings.push(heading.to_owned());
            } else if let Some(title) = line.strip_prefix("# ") {
                title.clone_into(&mut page.title);
            } else {
                page.links.extend(links(line));
            }
        }
        let mut ids = BTreeSet::new();
        match page.blocks.iter().find(|block| !ids.insert(&block.id)) {
            Some(block) => Err(format!("two blocks are called {}", block.id)),
            None => Ok(page),
        }
    }
}

fn links(line: &str) -> impl Iterator<Item = String> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
}

impl Block {
    /// None for a block that is only read.
    fn parse(info: &str, heading: String, body: String) -> Result<Option<Self>, String> {
        let mut words = words(info)?.into_iter();
        let runner = words.next().unwrap_or_default();
        if words.next().as_deref() != Some("runbook") {
            return Ok(None);
        }
        let runner = match runner.as_str() {
            "promql" => Runner::Promql,
            "jaeger" => Runner::Jaeger,
            "sh" => Runner::Sh,
            other => return Err(format!("nobody runs `{other}`")),
        };
        let mut keys = BTreeMap::new();
        for word in words {
            let (key, value) = word
                .split_once('=')
                .ok_or(format!("`{word}` has no value"))?;
            if keys.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(format!("`{key}` twice"));
            }
        }
        let id = keys.remove("id").ok_or("a block without an id")?;
        let block = Self {
            runner,
            id,
            heading,
            keys,
            body,
        };
        block
            .check()
            .map_err(|error| format!("{}: {error}", block.id))?;
        Ok(Some(block))
    }

    fn check(&self) -> Result<(), String> {
        if self.id.is_empty() || !self.id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') {
            return Err("an id is words of small letters".to_owned());
        }
        if self.body.trim().is_empty() {
            return Err("nothing to run".to_owned());
        }
        for (key, value) in &self.keys {
            match (key.as_str(), value.as_str()) {
                ("during", "fault" | "after") | ("kind", "mitigation") => {}
                ("expect", value) => check_expectation(value)?,
                ("within" | "timeout", value) if is_seconds(value) => {}
                ("bind", value) if is_name(value) => {}
                ("label", value) if self.keys.contains_key("bind") && !value.is_empty() => {}
                ("when", value) if value.split_once('=').is_some() => {}
                _ => return Err(format!("`{key}={value}` means nothing")),
            }
        }
        let changes = self.keys.contains_key("kind");
        if changes != (self.runner == Runner::Sh) {
            return Err("only a mitigation changes something, and by `sh`".to_owned());
        }
        if changes != (self.heading == "Mitigation") {
            return Err("mitigations, and nothing else, stand under Mitigation".to_owned());
        }
        let asks = self.keys.contains_key("expect") && self.keys.contains_key("during");
        if changes == asks {
            return Err("a check says what it expects, and when; a mitigation does not".to_owned());
        }
        if bound(&self.keys) && !self.keys.contains_key("label") {
            return Err("which label is bound?".to_owned());
        }
        Ok(())
    }

    /// Variables of the body, without their `$`.
    pub(super) fn variables(&self) -> BTreeSet<String> {
        self.body
            .split('$')
            .skip(1)
            .map(|rest| {
                rest.chars()
                    .take_while(|c| c.is_ascii_uppercase() || *c == '_')
                    .collect()
            })
            .collect()
    }
}

fn bound(keys: &BTreeMap<String, String>) -> bool {
    keys.contains_key("bind")
}

/// `any`, `== 0`, `count >= 1`.
fn check_expectation(text: &str) -> Result<(), String> {
    if text == "any" {
        return Ok(());
    }
    let comparison = text.strip_prefix("count ").unwrap_or(text);
    match comparison.split_once(' ') {
        Some(("==" | "!=" | "<" | "<=" | ">" | ">=", number)) if number.parse::<f64>().is_ok() => {
            Ok(())
        }
        _ => Err(format!("`{text}` expects nothing")),
    }
}

fn is_seconds(text: &str) -> bool {
    text.strip_suffix('s')
        .is_some_and(|number| number.parse::<u32>().is_ok())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
}

/// Words apart by spaces; what stands in double quotes is one.
fn words(info: &str) -> Result<Vec<String>, String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for letter in info.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            letter => words.last_mut().expect("never empty").push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    if quoted {
        Err("a quote without an end".to_owned())
    } else {
        Ok(words)
    }
}
