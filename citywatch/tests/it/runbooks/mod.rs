//! The runbooks: a page for each alert, each page in the same form, and every block of it such that
//! a runner can execute it.

mod page;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use page::{Page, Runner};

use super::prometheus::{Prometheus, files, repository};

const HEADINGS: [&str; 5] = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Verify"];

/// Pages by the name of their file.
fn pages() -> Vec<(String, Page)> {
    let mut pages = Vec::new();
    for path in files("runbooks", "md") {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if name == "README" {
            continue;
        }
        let page = Page::parse(&fs::read_to_string(&path).unwrap())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        pages.push((name, page));
    }
    pages
}

/// Queries of all pages, each with where it stands; variables hold something.
pub(crate) fn queries() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, page) in pages() {
        for block in page.blocks {
            if block.runner != Runner::Promql {
                continue;
            }
            let mut query = block.body.clone();
            for variable in block.variables() {
                query = query.replace(&format!("${variable}"), "orders");
            }
            found.push((format!("{name} / {}", block.id), query));
        }
    }
    found
}

#[tokio::test]
async fn each_alert_has_its_page_and_each_page_its_alert() {
    let Some(prometheus) = Prometheus::of_rules().await else {
        return;
    };
    let mut alerts = BTreeSet::new();
    for alert in prometheus
        .rules()
        .await
        .into_iter()
        .filter(|rule| rule.alert)
    {
        let linked = &alert.annotations["runbook_url"];
        assert_eq!(*linked, format!("runbooks/{}.md", alert.name));
        alerts.insert(alert.name);
    }
    let pages: BTreeSet<String> = pages().into_iter().map(|(name, _)| name).collect();
    assert_eq!(pages, alerts);
}

#[test]
fn pages_have_the_same_form() {
    for (name, page) in pages() {
        assert_eq!(page.title, name);
        assert_eq!(page.headings, HEADINGS, "{name}");
        // What a runner can tell a fault by, and the end of it.
        for time in ["fault", "after"] {
            let blocks = page.blocks.iter();
            let found = blocks.filter(|block| block.keys.get("during").is_some_and(|d| d == time));
            assert!(found.count() > 0, "{name} has no block for `during={time}`");
        }
        let mut known = BTreeSet::from(["JOB".to_owned()]);
        for block in &page.blocks {
            let unknown: Vec<_> = block.variables().difference(&known).cloned().collect();
            assert!(unknown.is_empty(), "{name} {}: {unknown:?}", block.id);
            known.extend(block.keys.get("bind").cloned());
        }
    }
}

#[tokio::test]
async fn queries_of_pages_are_queries() {
    let Some(prometheus) = Prometheus::of_rules().await else {
        return;
    };
    for (name, query) in queries() {
        let parsed = prometheus.parse(&query).await;
        let parsed = parsed.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!parsed.metrics().is_empty(), "{name} asks for no metric");
    }
}

#[test]
fn links_lead_somewhere() {
    for path in files("runbooks", "md") {
        let text = fs::read_to_string(&path).unwrap();
        let page = Page::parse(&text).unwrap();
        for link in page.links {
            let target = link.split('#').next().unwrap();
            let inside = !link.contains("://") && !target.is_empty();
            let there = path.parent().unwrap().join(target);
            assert!(!inside || there.exists(), "{}: {link}", path.display());
        }
        for file in mentioned(&text) {
            let there = repository().join(&file);
            assert!(there.exists(), "{}: {file}", path.display());
        }
    }
}

/// Files of the repository that a text names in backquotes.
fn mentioned(text: &str) -> Vec<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter(|word| word.contains('/') && Path::new(word).extension().is_some())
        .filter(|word| !word.contains([' ', '<', '$', '\n']))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_readme_knows_every_key() {
    let readme = fs::read_to_string(repository().join("runbooks/README.md")).unwrap();
    for (name, page) in pages() {
        assert!(
            readme.contains(&format!("({name}.md)")),
            "no link to {name}"
        );
        for key in page.blocks.iter().flat_map(|block| block.keys.keys()) {
            assert!(readme.contains(&format!("`{key}`")), "{name}: `{key}`");
        }
    }
}

#[test]
fn a_page_is_read_as_it_is_written() {
    let page = Page::parse(
        "# Down\n## Diagnosis\n1. See [it](x.md#top)\n\n   ```promql runbook id=up expect=\"== 0\" \
         during=fault\n   up{job=\"$JOB\"}\n   ```\n\n```text\nread only\n```\n",
    )
    .unwrap();
    assert_eq!(page.title, "Down");
    assert_eq!(page.headings, ["Diagnosis"]);
    assert_eq!(page.links, ["x.md#top"]);
    let [block] = &page.blocks[..] else {
        panic!("{page:?}");
    };
    assert_eq!((block.runner, block.id.as_str()), (Runner::Promql, "up"));
    assert_eq!(block.body, "up{job=\"$JOB\"}");
    assert_eq!(block.keys["expect"], "== 0");
    assert_eq!(block.variables(), BTreeSet::from(["JOB".to_owned()]));
}

#[test]
fn what_no_runner_could_run_is_refused() {
    let block = |heading: &str, info: &str| {
        Page::parse(&format!("# P\n## {heading}\n```{info}\nup\n```\n")).map(|_| ())
    };
    let right = "promql runbook id=a expect=any during=fault";
    assert_eq!(block("Diagnosis", right), Ok(()));
    for (heading, info) in [
        ("Diagnosis", "promql runbook expect=any during=fault"),
        ("Diagnosis", "promql runbook id=A expect=any during=fault"),
        ("Diagnosis", "promql runbook id=a during=fault"),
        ("Diagnosis", "promql runbook id=a expect=any"),
        ("Diagnosis", "promql runbook id=a expect=some during=fault"),
        (
            "Diagnosis",
            "promql runbook id=a expect=\"> many\" during=fault",
        ),
        ("Diagnosis", "promql runbook id=a expect=\"> 1 during=fault"),
        ("Diagnosis", "promql runbook id=a expect=any during=always"),
        (
            "Diagnosis",
            "promql runbook id=a expect=any during=fault within=soon",
        ),
        (
            "Diagnosis",
            "promql runbook id=a expect=any during=fault speed=high",
        ),
        (
            "Diagnosis",
            "promql runbook id=a expect=any during=fault bind=JOB",
        ),
        (
            "Diagnosis",
            "promql runbook id=a expect=any expect=any during=fault",
        ),
        ("Diagnosis", "sql runbook id=a expect=any during=fault"),
        ("Diagnosis", "sh runbook id=a expect=any during=fault"),
        ("Diagnosis", "sh runbook id=a kind=mitigation"),
        ("Mitigation", "promql runbook id=a expect=any during=fault"),
    ] {
        assert!(block(heading, info).is_err(), "{heading}: {info} passes");
    }
    let twice = format!("# P\n## Diagnosis\n```{right}\nup\n```\n```{right}\nup\n```\n");
    assert!(Page::parse(&twice).is_err());
    assert!(Page::parse("# P\n```promql runbook id=a\nup\n").is_err());
}
