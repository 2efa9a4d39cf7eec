//! What may be said about an SQL statement: its summary, and its text without values.
//!
//! Both read any engine's SQL, and neither lets a value through: where engines disagree about
//! where a value ends, the rest of the statement is left out.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod summary;
#[cfg(test)]
mod tests;
mod token;

use self::token::{Token, Tokens};
use super::database::System;

/// The operations of a statement and their targets, in order and as they are written, in at most
/// 255 characters: the attribute
/// [`db.query.summary`](https://opentelemetry.io/docs/specs/semconv/db/database-spans/#generating-a-summary-of-the-query),
/// which also names the span. Empty if the statement has none.
///
/// ```
/// let sql = "INSERT INTO shipping (order_id) SELECT id FROM orders WHERE id = $1";
/// assert_eq!(telemetry::database::summary(sql), "INSERT shipping SELECT orders");
/// ```
#[must_use]
pub fn summary(sql: &str) -> String {
    summary::of(sql)
}

/// A statement's text with `?` in the place of every value, without comments, and with
/// `IN (?, ?)` as `IN (?)`: the attribute
/// [`db.query.text`](https://opentelemetry.io/docs/specs/semconv/db/database-spans/#sanitization-of-dbquerytext)
/// of a statement whose values are not parameters. Placeholders stay.
///
/// ```
/// use telemetry::database::{System, sanitize};
/// let sql = "SELECT * FROM members WHERE email = 'a@b' AND age > $1";
/// let clean = "SELECT * FROM members WHERE email = ? AND age > $1";
/// assert_eq!(sanitize(sql, System::POSTGRESQL), clean);
/// ```
#[must_use]
pub fn sanitize(sql: &str, system: System) -> String {
    let mut out = String::with_capacity(sql.len());
    // How long the text was at `(` after `IN`, while nothing but placeholders has followed.
    let mut list = None;
    let mut after_in = false;
    for token in Tokens::new(sql, system.double_quotes_are_strings()) {
        let value = match token {
            Token::String(_) | Token::Number(_) | Token::Unclear => true,
            Token::Word(word) => is_boolean(word),
            _ => false,
        };
        match token {
            Token::Word(_) if value => out.push('?'),
            Token::Space if out.is_empty() || out.ends_with(' ') => {}
            Token::Space => out.push(' '),
            Token::Sign(sign) => out.push(sign),
            Token::Word(text) | Token::Quoted(text) | Token::Placeholder(text) => {
                out.push_str(text);
            }
            Token::String(_) | Token::Number(_) | Token::Unclear => out.push('?'),
        }
        match token {
            Token::Sign('(') if after_in => list = Some(out.len()),
            Token::Sign(')') => {
                if let Some(start) = list.take() {
                    out.truncate(start);
                    out.push_str("?)");
                }
            }
            Token::Space | Token::Sign(',') | Token::Placeholder("?") => {}
            _ if value => {}
            _ => list = None,
        }
        if token != Token::Space {
            after_in = matches!(token, Token::Word(word) if word.eq_ignore_ascii_case("IN"));
        }
    }
    out.truncate(out.trim_end().len());
    out
}

fn is_boolean(word: &str) -> bool {
    word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false")
}
