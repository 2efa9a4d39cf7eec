//! Where a message ends: conflicting lengths, bad chunking, what smuggles a request past a proxy
//! (RFC 9112, 6.1 to 7.1 and 11.2).

use super::{Table, withstands};

#[tokio::test]
async fn ambiguous_and_broken_framing_is_refused_and_smuggles_nothing_in() {
    withstands(table).await;
}

fn table(letter: char) -> Table {
    let post = |lines: &str, body: &str| {
        format!("POST /open?{letter} HTTP/1.1\r\nhost: t\r\n{lines}\r\n\r\n{body}")
    };
    let old = |line: &str| format!("POST /open?{letter} HTTP/1.0\r\n{line}\r\n\r\n0\r\n\r\n");
    let chunked = |body: &str| post("transfer-encoding: chunked", body);
    let coded = |coding: &str| post(&format!("transfer-encoding: {coding}"), "0\r\n\r\n");
    let length = |length: &str| post(&format!("content-length: {length}"), "hello");
    let both = |lines: &str| post(lines, "0\r\n\r\n");
    Table::default()
        .closes(
            400,
            "ambiguous_length",
            [
                (
                    "length, coding",
                    both("content-length: 5\r\ntransfer-encoding: chunked"),
                ),
                (
                    "coding, length",
                    both("transfer-encoding: chunked\r\ncontent-length: 5"),
                ),
                (
                    "in capitals",
                    both("Content-Length: 5\r\nTRANSFER-ENCODING:chunked"),
                ),
                (
                    "zero, coding",
                    both("content-length: 0\r\ntransfer-encoding: chunked"),
                ),
                (
                    "unknown coding",
                    both("content-length: 5\r\ntransfer-encoding: xchunked"),
                ),
                (
                    "identity",
                    both("transfer-encoding: identity\r\ncontent-length: 5"),
                ),
                (
                    "lengths that differ",
                    post("content-length: 5\r\ncontent-length: 6", "hello"),
                ),
                (
                    "lengths that agree",
                    post("content-length: 5\r\ncontent-length: 5", "hello"),
                ),
                (
                    "none and some",
                    post("content-length: 0\r\ncontent-length: 5", "hello"),
                ),
            ],
        )
        .closes(
            400,
            "malformed_request",
            [
                ("list of lengths", length("5, 5")),
                ("negative length", length("-5")),
                ("signed length", length("+5")),
                ("length in hex", length("0x5")),
                ("length in words", length("five")),
                ("length beyond 64 bits", length("99999999999999999999")),
                (
                    "space before colon",
                    post("transfer-encoding : chunked", "0\r\n\r\n"),
                ),
                ("coding in 1.0", old("transfer-encoding: chunked")),
            ],
        )
        .closes(
            501,
            "unsupported_transfer_coding",
            [
                ("another beside", coded("gzip, chunked")),
                ("chunked twice", coded("chunked, chunked")),
                (
                    "on two lines",
                    coded("chunked\r\ntransfer-encoding: chunked"),
                ),
                (
                    "identity on two lines",
                    coded("chunked\r\ntransfer-encoding: identity"),
                ),
                ("unknown", coded("xchunked")),
                ("on a folded line", coded("\r\n chunked")),
                ("with a parameter", coded("chunked;q=1")),
                ("quoted", coded("\"chunked\"")),
            ],
        )
        .closes(
            400,
            "malformed_body",
            [
                ("no size", chunked("\r\nhello\r\n0\r\n\r\n")),
                ("size in words", chunked("five\r\nhello\r\n0\r\n\r\n")),
                ("negative size", chunked("-5\r\nhello\r\n0\r\n\r\n")),
                ("size with prefix", chunked("0x5\r\nhello\r\n0\r\n\r\n")),
                (
                    "size beyond 64 bits",
                    chunked("fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
                ),
                ("longer than its size", chunked("5\r\nhelloXX0\r\n\r\n")),
                ("size ends in a bare LF", chunked("5\nhello\r\n0\r\n\r\n")),
                ("ends in bare LFs", chunked("0\n\n")),
            ],
        )
}
