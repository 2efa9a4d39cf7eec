//! How much one span may say.

/// How much one span may say. What goes beyond is left out, and the span says how much that was.
///
/// The defaults are those of the
/// [specification](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#attribute-limits).
/// Apart from them, a span whose encoded form exceeds 2 MiB is dropped and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT`, else `OTEL_ATTRIBUTE_COUNT_LIMIT`: attributes of a span.
    pub attribute_count: u32,
    /// `OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT`, else `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`:
    /// characters of a text, also of each text in a list, or raw bytes. Unset, there is no limit.
    pub attribute_value_length: Option<usize>,
    /// `OTEL_SPAN_EVENT_COUNT_LIMIT`: events of a span.
    pub event_count: u32,
    /// `OTEL_SPAN_LINK_COUNT_LIMIT`: links of a span.
    pub link_count: u32,
    /// `OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT`: attributes of one event.
    pub event_attribute_count: u32,
    /// `OTEL_LINK_ATTRIBUTE_COUNT_LIMIT`: attributes of one link.
    pub link_attribute_count: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            attribute_count: 128,
            attribute_value_length: None,
            event_count: 128,
            link_count: 128,
            event_attribute_count: 128,
            link_attribute_count: 128,
        }
    }
}

impl Limits {
    /// The value as it is recorded: text beyond the limit is cut at a character's border.
    pub(crate) fn cut<'a>(&self, text: &'a str) -> &'a str {
        match self.attribute_value_length {
            // No text has more characters than bytes.
            Some(limit) if text.len() > limit => first(text, limit),
            _ => text,
        }
    }

    /// Raw bytes as they are recorded.
    pub(crate) fn cut_bytes<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let limit = self.attribute_value_length.unwrap_or(usize::MAX);
        &bytes[..bytes.len().min(limit)]
    }
}

#[cold]
fn first(text: &str, characters: usize) -> &str {
    let end = text.char_indices().nth(characters);
    end.map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_counted_in_characters() {
        let limits = |length| Limits {
            attribute_value_length: length,
            ..Limits::default()
        };
        for (length, text, cut) in [
            (None, "wörld", "wörld"),
            (Some(5), "wörld", "wörld"),
            (Some(4), "wörld", "wörl"),
            (Some(2), "wörld", "wö"),
            (Some(0), "wörld", ""),
            (Some(1), "😀😀", "😀"),
            (Some(3), "", ""),
        ] {
            assert_eq!(limits(length).cut(text), cut, "{length:?}");
        }
        assert_eq!(limits(Some(2)).cut_bytes(&[1, 2, 3]), [1, 2]);
        assert_eq!(limits(None).cut_bytes(&[1, 2, 3]), [1, 2, 3]);
    }
}
