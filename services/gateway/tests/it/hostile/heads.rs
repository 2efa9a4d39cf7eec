//! What a head may look like: malformed and duplicate lines, versions, hosts and targets.

use super::{Table, withstands};

#[tokio::test]
async fn malformed_heads_are_refused() {
    withstands(malformed).await;
}

fn malformed(letter: char) -> Table {
    let with = |lines: &str| format!("GET /open?{letter} HTTP/1.1\r\nhost: t\r\n{lines}\r\n\r\n");
    let line = |line: &str| format!("{line}\r\nhost: t\r\nx: {letter}\r\n\r\n");
    Table::default()
        .closes(
            400,
            "malformed_request",
            [
                ("no request", format!("nonsense {letter}\r\n\r\n")),
                ("no version", line("GET /open")),
                ("two spaces", line("GET  /open HTTP/1.1")),
                ("space in the target", line("GET /open x HTTP/1.1")),
                ("folded line", with("x: a\r\n b")),
                ("no colon", with("x")),
                ("empty name", with(": x")),
                ("bad name", with("x(y): z")),
                ("space in a name", with("x y: z")),
                ("name beyond ASCII", with("x\u{e9}: z")),
                ("NUL in a value", with("x: a\0b")),
                ("CR in a value", with("x: a\rb")),
            ],
        )
        .closes(
            400,
            "malformed_request",
            [
                (
                    "a TLS greeting",
                    b"\x16\x03\x01\x02\x00\x01\xfc\x03\x03\r\n\r\n".as_slice(),
                ),
                (
                    "target that is no text",
                    b"GET /open/\xff HTTP/1.1\r\nhost: t\r\n\r\n",
                ),
            ],
        )
        .closes(
            505,
            "version_not_supported",
            [
                ("version 2.0", line("GET /open HTTP/2.0")),
                ("version 0.9", line("GET /open HTTP/0.9")),
                ("version 1.2", line("GET /open HTTP/1.2")),
                (
                    "preface of HTTP/2",
                    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned() + &"\0".repeat(9),
                ),
            ],
        )
        .closes(
            417,
            "expectation_failed",
            [("expectation", with(&format!("expect: miracles-{letter}")))],
        )
}

#[tokio::test]
async fn there_is_one_host_and_the_target_is_a_path_on_it() {
    withstands(misdirected).await;
}

fn misdirected(letter: char) -> Table {
    let hosts = |lines: &str| format!("GET /open HTTP/1.1\r\nx: {letter}\r\n{lines}\r\n");
    let target = |target: &str| format!("GET {target} HTTP/1.1\r\nhost: t\r\n\r\n");
    let long = letter.to_string().repeat(10_000);
    Table::default()
        .closes(
            400,
            "invalid_host",
            [
                ("no host", hosts("")),
                ("twice the same", hosts("host: t\r\nhost: t\r\n")),
                ("two", hosts(&format!("host: t\r\nHost: {letter}\r\n"))),
                ("empty", hosts("host:\r\n")),
                ("a path", hosts("host: a/b\r\n")),
                ("a user", hosts("host: u@t\r\n")),
                ("spaces", hosts("host: a b\r\n")),
                ("long", hosts(&format!("host: {long}\r\n"))),
            ],
        )
        .closes(
            400,
            "invalid_target",
            [
                ("another host", target(&format!("http://{letter}/open"))),
                ("another scheme", target("ftp://t/open")),
                (
                    "dots",
                    target(&format!("/open/{letter}/../../v1/instances")),
                ),
                ("encoded dots", target("/open/%2e%2E/x")),
                ("half encoded dots", target("/open/.%2e/x")),
                ("asterisk", target("*")),
            ],
        )
        .closes(
            501,
            "method_not_implemented",
            [(
                "tunnel",
                format!("CONNECT {letter}:80 HTTP/1.1\r\nhost: {letter}:80\r\n\r\n"),
            )],
        )
}
