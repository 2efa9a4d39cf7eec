//! The page that lists every variable.

use super::table::{GROUPS, Group, Row};
use std::fmt::{self, Display, Formatter};

const PREFACE: &str = "\
# The environment

Every variable of the [OpenTelemetry specification][table] for traces, metrics and logs, what it
does here, and where this crate departs from it. In code each has a field in `telemetry::Settings`.
`telemetry::settings::page()` makes this page.

- An empty value is an unset one, and white space around a value does not count.
- Only `true`, in whatever case, is true.
- Words are understood in whatever case.
- A number or a word that is not understood is as if unset, as the specification demands, and is
  warned of when telemetry starts. Of a list only the words that are not understood are left out.
- Anything else that cannot be done as told is an error: telemetry that quietly does something else
  is worse than none. The error names the variable and what would have been understood; headers,
  and URLs with a password, are left out of it.

[table]: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
";

/// The page `docs/environment.md`: each variable of the environment that is read, and what it does.
#[must_use]
pub fn page() -> String {
    let groups = GROUPS.iter().map(Group::to_string);
    std::iter::once(PREFACE.to_owned()).chain(groups).collect()
}

impl Display for Group {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n## {}\n", self.title)?;
        writeln!(f, "| variable | what it does | unset | accepted |")?;
        writeln!(f, "|---|---|---|---|")?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.names.iter().map(|name| format!("`{name}`")).collect();
        write!(f, "| {} | {}", names.join("<br>"), self.what)?;
        if !self.differs.is_empty() {
            write!(f, " *Differs:* {}.", self.differs)?;
        }
        write!(f, " | {} | {} |", self.default, self.accepted)
    }
}
