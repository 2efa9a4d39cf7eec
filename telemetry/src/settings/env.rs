//! Reading variables by the
//! [types of the specification](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#configuration-types):
//! an empty value is an unset one, and a number or an enum value that is not understood is as if
//! unset, too, which is reported and not forgotten.

use super::{SettingsError, table};
use std::cell::RefCell;
use std::time::Duration;

/// Where variables come from, and what was ignored of them.
pub(super) struct Environment<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    ignored: RefCell<Vec<SettingsError>>,
}

impl<'a> Environment<'a> {
    pub(super) fn new(variable: &'a dyn Fn(&str) -> Option<String>) -> Environment<'a> {
        Environment {
            variable,
            ignored: RefCell::default(),
        }
    }

    /// The value without surrounding white space, if any is left.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let value = (self.variable)(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// Only "true" is true, in whatever case.
    pub(super) fn boolean(&self, name: &str) -> bool {
        let Some(value) = self.text(name) else {
            return false;
        };
        let yes = value.eq_ignore_ascii_case("true");
        if !yes && !value.eq_ignore_ascii_case("false") {
            self.ignore(name, &value);
        }
        yes
    }

    /// A whole number, `least` or more.
    pub(super) fn integer(&self, name: &str, least: u64) -> Option<u64> {
        self.parse(name, |value| {
            value.parse().ok().filter(|number| *number >= least)
        })
    }

    /// A whole number of milliseconds.
    pub(super) fn duration(&self, name: &str) -> Option<Duration> {
        self.parse(name, |value| value.parse().ok().map(Duration::from_millis))
    }

    /// A duration whose zero means "no limit"; it becomes 49 days.
    pub(super) fn timeout(&self, name: &str) -> Option<Duration> {
        let timeout = self.duration(name)?;
        Some(match timeout.is_zero() {
            true => Duration::from_millis(u32::MAX.into()),
            false => timeout,
        })
    }

    /// One of the words, in whatever case.
    pub(super) fn one_of<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Option<T> {
        self.parse(name, |value| word(value, words))
    }

    /// Those of the words that the value lists, each once. None if there is none.
    pub(super) fn list_of<T: Copy + PartialEq>(
        &self,
        name: &str,
        words: &[(&str, T)],
    ) -> Option<Vec<T>> {
        let value = self.text(name)?;
        let mut listed = Vec::new();
        for entry in value.split(',').map(str::trim) {
            match word(entry, words) {
                Some(known) if listed.contains(&known) => {}
                Some(known) => listed.push(known),
                None => self.ignore(name, entry),
            }
        }
        (!listed.is_empty()).then_some(listed)
    }

    /// What `read` makes of the value; what it cannot read is ignored.
    pub(super) fn parse<T>(&self, name: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = self.text(name)?;
        let parsed = read(&value);
        if parsed.is_none() {
            self.ignore(name, &value);
        }
        parsed
    }

    /// Notes a value that is as if unset. A variable that several signals read is noted once.
    pub(super) fn ignore(&self, name: &str, value: &str) {
        let ignored = error(name, value);
        let mut all = self.ignored.borrow_mut();
        if !all.contains(&ignored) {
            all.push(ignored);
        }
    }

    pub(super) fn into_ignored(self) -> Vec<SettingsError> {
        self.ignored.into_inner()
    }
}

/// What is wrong with a value, in the words of the table.
pub(super) fn error(name: &str, value: &str) -> SettingsError {
    SettingsError {
        variable: name.to_owned(),
        value: value.to_owned(),
        expected: table::accepted(name),
    }
}

fn word<T: Copy>(value: &str, words: &[(&str, T)]) -> Option<T> {
    let known = words
        .iter()
        .find(|(word, _)| value.eq_ignore_ascii_case(word));
    known.map(|(_, meaning)| *meaning)
}
