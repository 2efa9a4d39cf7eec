//! Entities that the environment says the resource is about, by the
//! [specification](https://opentelemetry.io/docs/specs/otel/entities/entity-propagation/).

use super::env::Environment;
use super::pairs::pairs;
use http::Uri;

const NAME: &str = "OTEL_ENTITIES";

/// Something that the resource is about: a service, a host, a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// Its type, such as `host`.
    pub kind: String,
    /// What tells it from others of its type.
    pub id: Vec<(String, String)>,
    /// What else is known about it.
    pub description: Vec<(String, String)>,
    /// Where the names of its attributes are defined.
    pub schema_url: Option<String>,
}

/// Malformed entities are ignored, one by one.
pub(super) fn read(env: &Environment<'_>) -> Vec<Entity> {
    let Some(value) = env.text(NAME) else {
        return Vec::new();
    };
    let mut entities = Vec::new();
    for text in value.split(';').map(str::trim) {
        if text.is_empty() {
            continue;
        }
        match parse(env, text) {
            Some(entity) => add(env, &mut entities, entity),
            None => env.ignore(NAME, text),
        }
    }
    entities
}

fn parse(env: &Environment<'_>, text: &str) -> Option<Entity> {
    let (kind, rest) = text.split_once('{')?;
    let (id, rest) = rest.split_once('}')?;
    let (description, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let schema_url = match rest.strip_prefix('@') {
        None if rest.is_empty() => None,
        None => return None,
        Some(url) => {
            let absolute = url.parse::<Uri>().is_ok_and(|url| url.scheme().is_some());
            if !absolute {
                env.ignore(NAME, url);
            }
            absolute.then(|| url.to_owned())
        }
    };
    let entity = Entity {
        kind: kind.to_owned(),
        id: attributes(id)?,
        description: attributes(description)?,
        schema_url,
    };
    (is_name(kind) && !entity.id.is_empty()).then_some(entity)
}

/// A value that holds one of the reserved characters has to be percent-encoded.
fn attributes(list: &str) -> Option<Vec<(String, String)>> {
    if list.contains(['{', '}', '[', ']', '@']) {
        return None;
    }
    let pairs = pairs(list)?;
    let well = list.matches('=').count() == pairs.len();
    (well && pairs.iter().all(|(key, _)| is_name(key))).then_some(pairs)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Of two entities that contradict each other the last counts.
fn add(env: &Environment<'_>, entities: &mut Vec<Entity>, entity: Entity) {
    let value = |of: &[(String, String)], key: &str| {
        let found = of.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| value.clone())
    };
    entities.retain(|earlier| {
        let replaced = earlier.kind == entity.kind
            && earlier
                .id
                .iter()
                .any(|(key, _)| entity.id.iter().any(|(other, _)| other == key));
        if replaced {
            env.ignore(NAME, &earlier.kind);
        }
        !replaced
    });
    for earlier in entities.iter_mut() {
        earlier.description.retain(|(key, old)| {
            let clash = value(&entity.description, key).is_some_and(|new| new != *old);
            if clash {
                env.ignore(NAME, key);
            }
            !clash
        });
    }
    entities.push(entity);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> (Vec<Entity>, usize) {
        let variable = |name: &str| (name == NAME).then(|| text.to_owned());
        let env = Environment::new(&variable);
        let entities = read(&env);
        (entities, env.into_ignored().len())
    }

    /// Type and attributes, each on one line.
    fn shown(text: &str) -> Vec<String> {
        let list = |pairs: &[(String, String)]| {
            let pairs = pairs.iter().map(|(key, value)| format!("{key}={value}"));
            pairs.collect::<Vec<_>>().join("|")
        };
        let (entities, _) = read_all(text);
        let shown = entities.iter().map(|entity| {
            let (id, description) = (list(&entity.id), list(&entity.description));
            let url = entity.schema_url.as_deref().unwrap_or("-");
            format!("{} {id} {description} {url}", entity.kind)
        });
        shown.collect()
    }

    #[test]
    fn the_examples_of_the_specification() {
        for (text, expected, ignored) in [
            (
                "service{service.name=my-app,service.instance.id=instance-1}[service.version=1.0.0]",
                vec![
                    "service service.name=my-app|service.instance.id=instance-1 service.version=1.0.0 -",
                ],
                0,
            ),
            (
                "service{service.name=a}[service.version=1]@https://opentelemetry.io/schemas/1.21.0;\
                 host{host.id=host-123}[host.name=web-server-01]",
                vec![
                    "service service.name=a service.version=1 https://opentelemetry.io/schemas/1.21.0",
                    "host host.id=host-123 host.name=web-server-01 -",
                ],
                0,
            ),
            (
                ";service{service.name=app1};;host{host.id=host-123};",
                vec!["service service.name=app1  -", "host host.id=host-123  -"],
                0,
            ),
            (
                "service{service.name=my%2Capp}[config=key%3Dvalue%5Bprod%5D]",
                vec!["service service.name=my,app config=key=value[prod] -"],
                0,
            ),
            (
                "service{service.name=app1};invalid{syntax;service{service.name=app2}",
                vec!["service service.name=app2  -"],
                2,
            ),
            (
                "service{};host{host.id=123}",
                vec!["host host.id=123  -"],
                1,
            ),
            (
                "service{service.name=app1}[version=1.0];service{service.name=app1}[version=2.0]",
                vec!["service service.name=app1 version=2.0 -"],
                1,
            ),
            (
                "service{service.name=app1}@invalid-url",
                vec!["service service.name=app1  -"],
                1,
            ),
            (
                "a{a.id=1}[version=1.0];b{b.id=1}[version=2.0]",
                vec!["a a.id=1  -", "b b.id=1 version=2.0 -"],
                1,
            ),
            ("1a{b=c}", vec![], 1),
            ("a{b=c=d}", vec![], 1),
        ] {
            assert_eq!(shown(text), expected, "{text}");
            assert_eq!(read_all(text).1, ignored, "{text}");
        }
    }
}
