//! Checks of sanitized text: it is read by the same tokens as the text that it was made of.

use super::super::database::System;
use super::is_boolean;
use super::token::{Token, Tokens};

/// No value is left.
pub(crate) fn values(sql: &str, system: System) {
    let clean = super::sanitize(sql, system);
    for token in Tokens::new(&clean, system.double_quotes_are_strings()) {
        let value = match token {
            Token::String(_) | Token::Number(_) | Token::Unclear => true,
            Token::Word(word) => is_boolean(word),
            _ => false,
        };
        assert!(!value, "{token:?} is left in {clean:?}");
    }
}
