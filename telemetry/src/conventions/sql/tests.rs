use super::token::{Token, Tokens};
use super::*;

#[test]
fn summaries_are_operations_and_targets() {
    for (sql, expected) in [
        // The convention's own examples.
        (
            "SELECT *\nFROM   wuser_table\nWHERE  username = ?",
            "SELECT wuser_table",
        ),
        (
            "INSERT INTO shipping_details\n (order_id,\n address)\nSELECT order_id,\n address\n\
             FROM   orders\nWHERE  order_id = ?",
            "INSERT shipping_details SELECT orders",
        ),
        (
            "SELECT *\nFROM songs,\n artists\nWHERE songs.artist_id == artists.id",
            "SELECT songs artists",
        ),
        (
            "SELECT order_date\nFROM   (SELECT *\n FROM orders o\n JOIN customers c\n \
             ON o.customer_id = c.customer_id)",
            "SELECT SELECT orders customers",
        ),
        (
            "SELECT *\nFROM \"song list\",\n 'artists'",
            "SELECT \"song list\" 'artists'",
        ),
        ("{call some_stored_procedure}", "call some_stored_procedure"),
        (
            "EXECUTE some_stored_procedure",
            "EXECUTE some_stored_procedure",
        ),
        // Case, schema, quotes.
        (
            "select a from Main.\"My Table\" as t",
            "select Main.\"My Table\"",
        ),
        (
            "SELECT a FROM `db` . `t`, [dbo].[order items] x",
            "SELECT `db`.`t` [dbo].[order items]",
        ),
        // Joins, groups, lateral, functions.
        (
            "SELECT 1 FROM a x JOIN b USING (id), c ORDER BY d, e",
            "SELECT a b c",
        ),
        (
            "SELECT 1 FROM ((a JOIN b ON a.x = b.x) LEFT JOIN c ON true)",
            "SELECT a b c",
        ),
        (
            "SELECT 1 FROM t, LATERAL (SELECT 2 FROM u) AS v, w",
            "SELECT t SELECT u w",
        ),
        (
            "(SELECT 1 FROM a) UNION ALL (SELECT 2 FROM b)",
            "SELECT a SELECT b",
        ),
        (
            "SELECT 1 FROM a WHERE b IN (SELECT c FROM d, e) AND f = 3",
            "SELECT a SELECT d e",
        ),
        // A FROM that names no table.
        ("SELECT EXTRACT(YEAR FROM made) FROM t", "SELECT t"),
        ("SELECT trim(BOTH 'x' FROM 'secret') FROM t", "SELECT t"),
        ("SELECT 1 FROM t WHERE a IS NOT DISTINCT FROM b", "SELECT t"),
        ("COPY t (a, b) FROM '/home/secret'", "COPY t"),
        ("SELECT 1 FROM $1, ?, @rows, t", "SELECT t"),
        // Words that are operations elsewhere.
        ("SELECT 1 FROM t FOR UPDATE OF t", "SELECT t"),
        (
            "INSERT INTO t (a) VALUES (1), (2) ON CONFLICT (a) DO UPDATE SET a = 3",
            "INSERT t",
        ),
        (
            "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = 1",
            "MERGE t s",
        ),
        ("INSERT OR REPLACE INTO t VALUES (1)", "INSERT t"),
        (
            "UPDATE ONLY t SET a = (SELECT max(b) FROM u) FROM v",
            "UPDATE t SELECT u v",
        ),
        (
            "DELETE FROM t USING u WHERE t.a = u.a RETURNING a, b",
            "DELETE t u",
        ),
        ("SELECT a.from, b.\"select\" FROM t", "SELECT t"),
        // WITH: its names are no tables.
        (
            "WITH RECURSIVE a(n) AS (SELECT 1 FROM t), \"b\" AS MATERIALIZED (DELETE FROM u RETURNING x)\
             \nINSERT INTO v SELECT * FROM a, \"b\", w",
            "SELECT t DELETE u INSERT v SELECT w",
        ),
        // Definitions and the rest.
        (
            "CREATE TABLE IF NOT EXISTS t (a TEXT DEFAULT 'secret')",
            "CREATE TABLE t",
        ),
        (
            "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)",
            "CREATE INDEX i",
        ),
        (
            "CREATE OR REPLACE VIEW v AS SELECT * FROM t",
            "CREATE VIEW v SELECT t",
        ),
        ("DROP TABLE IF EXISTS a, b", "DROP TABLE a b"),
        ("CREATE USER secret IDENTIFIED BY 'secret'", "CREATE"),
        ("GRANT SELECT, UPDATE ON t TO secret", "GRANT"),
        ("SET password = 'secret'", "SET"),
        (
            "EXPLAIN (ANALYZE, BUFFERS) SELECT * FROM t",
            "EXPLAIN SELECT t",
        ),
        ("BEGIN IMMEDIATE", "BEGIN"),
        ("PRAGMA journal_mode = WAL", "PRAGMA"),
        (
            "BEGIN; UPDATE t SET a = 1; COMMIT;",
            "BEGIN UPDATE t COMMIT",
        ),
        ("-- SELECT\n/* FROM x */ DELETE /* y */ FROM t", "DELETE t"),
        ("", ""),
        ("?", ""),
        ("'", ""),
    ] {
        assert_eq!(summary(sql), expected, "{sql}");
    }
}

#[test]
fn a_summary_ends_before_the_word_that_is_too_long() {
    let tables: Vec<String> = (0..100).map(|at| format!("tablé_{at:02}")).collect();
    let long = summary(&format!("SELECT * FROM {}", tables.join(", ")));
    assert_eq!(long.chars().count(), 6 + 27 * 9);
    assert!(long.ends_with("tablé_26"));
    assert_eq!(
        summary(&format!("SELECT * FROM {}", "x".repeat(300))),
        "SELECT"
    );
}

#[test]
fn values_are_taken_out_of_the_text() {
    for (sql, expected) in [
        (
            "SELECT * FROM t WHERE a = 'x''y' AND b = -1.5e+3",
            "SELECT * FROM t WHERE a = ? AND b = -?",
        ),
        (
            "SELECT N'x', X'ff', 0xFF, .5, 1_000, TRUE, null",
            "SELECT ?, ?, ?, ?, ?, ?, null",
        ),
        (
            "SELECT $$x$$, $a$ $$ $a$, $1, ?2, :name, @p, a::int",
            "SELECT ?, ?, $1, ?2, :name, @p, a::int",
        ),
        (
            "SELECT a1, \"b 2\", [c 3], `d4` -- x\nFROM t /* y */ ",
            "SELECT a1, \"b 2\", [c 3], `d4` FROM t",
        ),
        ("SELECT ARRAY['x', 1][2]", "SELECT ARRAY[?, ?][?]"),
        (
            "DELETE FROM t WHERE a IN (1, 'x', ?) OR b IN ($1, $2)",
            "DELETE FROM t WHERE a IN (?) OR b IN ($1, $2)",
        ),
        // Nobody knows where these end.
        ("SELECT 'a\\' OR b = 'secret' --'", "SELECT ?"),
        ("SELECT 1 /* a /* b */ secret */", "SELECT ? ?"),
        ("SELECT 'secret", "SELECT ?"),
        ("SELECT \"secret", "SELECT ?"),
        ("SELECT $x$secret", "SELECT ?"),
    ] {
        assert_eq!(sanitize(sql, System::POSTGRESQL), expected, "{sql}");
    }
    let quoted = "SELECT `a` FROM t WHERE b = \"secret\"";
    assert_eq!(
        sanitize(quoted, System::MYSQL),
        "SELECT `a` FROM t WHERE b = ?"
    );
    assert_eq!(
        sanitize(quoted, System::SQLITE),
        "SELECT `a` FROM t WHERE b = ?"
    );
    assert_eq!(sanitize(quoted, System::POSTGRESQL), quoted);
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // Knuth's MMIX constants; the high bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

#[test]
fn whatever_it_reads_it_ends_and_says_the_same_twice() {
    let pieces = [
        "SELECT",
        "FROM",
        "WITH",
        "INSERT INTO",
        "(",
        ")",
        ",",
        ";",
        ".",
        "'",
        "\"",
        "`",
        "[",
        "]",
        "\\",
        "$",
        "$$",
        "$a$",
        "--",
        "/*",
        "*/",
        "\n",
        " ",
        "é",
        "🦀",
        "0",
        "0x",
        "1e",
        "?",
        ":",
        "::",
        "@",
        "@@",
        "a",
        "b.c",
        "IN",
        "USING",
        "COPY",
        "'x'",
        "E'",
        "\u{0}",
        "#",
        "-",
        "SET",
    ];
    let mut dice = Dice(7);
    for _ in 0..20_000 {
        let sql: String = (0..dice.roll(24)).map(|_| dice.one(&pieces)).collect();
        let short = summary(&sql);
        assert!(
            short.chars().count() <= 255 && !short.starts_with(' '),
            "{sql:?}"
        );
        for system in [System::POSTGRESQL, System::MYSQL] {
            let clean = sanitize(&sql, system);
            let tokens = Tokens::new(&clean, system.double_quotes_are_strings());
            for token in tokens {
                assert!(
                    !matches!(token, Token::String(_) | Token::Number(_)),
                    "{sql:?} {clean:?}"
                );
            }
            assert_eq!(sanitize(&clean, system), clean, "{sql:?}");
        }
    }
}

/// A statement that is known to mean something, its summary, and secrets in the places of values.
fn statement(dice: &mut Dice, depth: usize) -> (String, String) {
    let value = |dice: &mut Dice| {
        let values = [
            "'secret'",
            "'it''s secret'",
            "7351",
            "0x7351",
            "7.351e3",
            "$$secret$$",
            "N'secret'",
        ];
        dice.one(&values).to_owned()
    };
    let gap = |dice: &mut Dice| {
        dice.one(&[" ", "\n", " /* secret */ ", " -- secret\n", "\t"])
            .to_owned()
    };
    let table = |dice: &mut Dice| dice.one(&["t", "s.t", "\"a b\"", "`c`", "d1"]).to_owned();
    let (g, t, v) = (gap(dice), table(dice), value(dice));
    let (inner, its_summary) = if depth == 0 {
        (format!("SELECT{g}{v}"), "SELECT".to_owned())
    } else {
        statement(dice, depth - 1)
    };
    let query = its_summary.starts_with("SELECT");
    match dice.roll(if query { 6 } else { 3 }) {
        0 => (
            format!("SELECT a,{g}{v} FROM{g}{t} WHERE b = {v}"),
            format!("SELECT {t}"),
        ),
        1 => (
            format!("UPDATE{g}{t} SET a = {v} WHERE b IN ({v},{g}{v})"),
            format!("UPDATE {t}"),
        ),
        2 => (
            format!("DELETE FROM{g}{t} WHERE a = f({v})"),
            format!("DELETE {t}"),
        ),
        3 => (
            format!("INSERT INTO{g}{t} (a) {inner}"),
            format!("INSERT {t} {its_summary}"),
        ),
        4 => (
            format!("SELECT{g}1 FROM ({inner}) x JOIN{g}{t} ON x.a = {v}"),
            format!("SELECT {its_summary} {t}"),
        ),
        _ => (
            format!("SELECT a FROM {t} WHERE b >{g}({inner}) AND c = {v}"),
            format!("SELECT {t} {its_summary}"),
        ),
    }
}

#[test]
fn no_value_is_ever_shown() {
    let mut dice = Dice(11);
    for _ in 0..20_000 {
        let (sql, expected) = statement(&mut dice, 3);
        assert_eq!(summary(&sql), expected, "{sql}");
        let clean = sanitize(&sql, System::POSTGRESQL);
        assert!(
            !clean.contains("secret") && !clean.contains("351"),
            "{sql}\n{clean}"
        );
        assert_eq!(summary(&clean), expected, "{sql}");
    }
}
