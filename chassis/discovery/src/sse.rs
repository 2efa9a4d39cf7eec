//! Server-sent events, as the HTML standard's event stream format has them
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>),
//! but strict where the standard is lenient: what is not UTF-8 and what is longer than agreed ends
//! the stream instead of being patched up or filling the memory.

/// More than any list of instances or any document can be.
const MAX_EVENT_BYTES: usize = 4 * 1024 * 1024;

/// One event with data. `retry` and `id` fields are read over: a client of the registry
/// reconnects at its own pace and is always sent the whole state first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The event's type; `message` if the stream names none.
    pub(crate) name: String,
    pub(crate) data: String,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SseError {
    #[error("event stream is not utf-8")]
    NotUtf8,
    #[error("event is longer than {MAX_EVENT_BYTES} bytes")]
    TooLong,
}

/// Takes the stream in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    /// A `\r` ended the last line: a `\n` right after it belongs to the same end.
    after_return: bool,
    started: bool,
    name: String,
    data: String,
}

impl Parser {
    /// Adds `bytes`, handing every event that they complete to `events`.
    pub(crate) fn push(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), SseError> {
        for &byte in bytes {
            let after_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if after_return => {}
                b'\n' => self.end_line(events)?,
                b'\r' => {
                    self.after_return = true;
                    self.end_line(events)?;
                }
                _ if self.line.len() + self.data.len() >= MAX_EVENT_BYTES => {
                    return Err(SseError::TooLong);
                }
                _ => self.line.push(byte),
            }
        }
        Ok(())
    }

    fn end_line(&mut self, events: &mut Vec<Event>) -> Result<(), SseError> {
        let line = std::mem::take(&mut self.line);
        let mut line = std::str::from_utf8(&line).map_err(|_| SseError::NotUtf8)?;
        if !std::mem::replace(&mut self.started, true) {
            line = line.strip_prefix('\u{feff}').unwrap_or(line);
        }
        if line.is_empty() {
            self.end_event(events);
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            // A comment (the field's name is empty), `id`, `retry`, or what the standard may add.
            _ => {}
        }
        Ok(())
    }

    fn end_event(&mut self, events: &mut Vec<Event>) {
        let mut name = std::mem::take(&mut self.name);
        let mut data = std::mem::take(&mut self.data);
        // An event without a data field is none: so says the standard.
        if data.pop().is_none() {
            return;
        }
        if name.is_empty() {
            "message".clone_into(&mut name);
        }
        events.push(Event { name, data });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, data: &str) -> Event {
        Event {
            name: name.to_owned(),
            data: data.to_owned(),
        }
    }

    fn parse(stream: &[u8]) -> Result<Vec<Event>, SseError> {
        let mut events = Vec::new();
        Parser::default().push(stream, &mut events)?;
        Ok(events)
    }

    #[test]
    fn fields_and_line_ends_as_the_standard_has_them() {
        let table: &[(&str, &[Event])] = &[
            ("data: x\n\n", &[event("message", "x")]),
            (
                "event: instances\nid: 7\ndata: {}\n\n",
                &[event("instances", "{}")],
            ),
            (
                "data:x\r\rdata:y\r\n\r\n",
                &[event("message", "x"), event("message", "y")],
            ),
            ("data: a\ndata: b\n\n", &[event("message", "a\nb")]),
            ("data:  two spaces\n\n", &[event("message", " two spaces")]),
            ("data\n\n", &[event("message", "")]),
            ("data\ndata\n\n", &[event("message", "\n")]),
            (": keep-alive\n\n", &[]),
            ("event: nothing\n\ndata: x\n\n", &[event("message", "x")]),
            (
                "retry: 5\nunknown: 1\ndata: x\n\n",
                &[event("message", "x")],
            ),
            ("\u{feff}data: x\n\n", &[event("message", "x")]),
            ("data: x\n\u{feff}data: y\n\n", &[event("message", "x")]),
            (
                "data: {\"url\":\"http://a\"}\n\n",
                &[event("message", "{\"url\":\"http://a\"}")],
            ),
            ("data: never ended\n", &[]),
            ("\n\n\n", &[]),
        ];
        for (stream, expected) in table {
            assert_eq!(
                parse(stream.as_bytes()).as_deref(),
                Ok(*expected),
                "{stream:?}"
            );
        }
    }

    #[test]
    fn what_is_cut_anywhere_reads_the_same() {
        let stream = "event: instances\r\ndata: 한국어\r\ndata: b\r\n\r\n: hi\n\ndata\n\nid: 1\r\
                      data: z\r\r\n\nevent: document\ndata: null\n\n"
            .as_bytes();
        let whole = parse(stream).unwrap();
        assert_eq!(whole.len(), 4);
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let mut parser = Parser::default();
                let mut events = Vec::new();
                for piece in [&stream[..first], &stream[first..second], &stream[second..]] {
                    parser.push(piece, &mut events).unwrap();
                }
                assert_eq!(events, whole, "cut at {first} and {second}");
            }
        }
    }

    #[test]
    fn bytes_that_are_no_text_end_the_stream() {
        assert_eq!(parse(b"data: \xff\n\n"), Err(SseError::NotUtf8));
    }

    #[test]
    fn an_endless_line_and_an_endless_event_end_the_stream() {
        let piece = [b'x'; 64 * 1024];
        let mut line = Parser::default();
        let endless = (0..=MAX_EVENT_BYTES / piece.len())
            .try_for_each(|_| line.push(&piece, &mut Vec::new()));
        assert_eq!(endless, Err(SseError::TooLong));

        let mut event = Parser::default();
        let mut data_line = b"data:".to_vec();
        data_line.extend_from_slice(&piece);
        data_line.push(b'\n');
        let endless = (0..=MAX_EVENT_BYTES / piece.len())
            .try_for_each(|_| event.push(&data_line, &mut Vec::new()));
        assert_eq!(endless, Err(SseError::TooLong));
    }
}
