//! Reads the named constraints out of `CREATE TABLE` and `CREATE UNIQUE INDEX`, the grammar of
//! <https://www.sqlite.org/lang_createtable.html> as far as names go. What it does not
//! understand it leaves out: a constraint then has no name, nothing worse.

/// A unique constraint, a primary key, or (with `references`) a foreign key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    pub(super) references: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A bare word, or a quoted name.
    Word {
        text: String,
        quoted: bool,
    },
    Open,
    Close,
    Comma,
    Other,
}

impl Token {
    fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word { text, quoted: false } if text.eq_ignore_ascii_case(keyword))
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Word { text, .. } => Some(text),
            _ => None,
        }
    }
}

pub(super) fn constraints(sql: &str) -> Vec<Declared> {
    let tokens = tokens(sql);
    let is = |at: usize, keyword| {
        tokens
            .get(at)
            .is_some_and(|token: &Token| token.is(keyword))
    };
    if is(0, "CREATE") && is(1, "UNIQUE") && is(2, "INDEX") {
        return unique_index(&tokens[3..]).into_iter().collect();
    }
    let Some(open) = tokens.iter().position(|token| *token == Token::Open) else {
        return Vec::new();
    };
    let Some(table) = open.checked_sub(1).and_then(|at| tokens[at].name()) else {
        return Vec::new();
    };
    let mut declared = Vec::new();
    for item in items(&tokens[open + 1..]) {
        in_item(table, item, &mut declared);
    }
    declared
}

/// `[IF NOT EXISTS] name ON table (column, ...)`.
fn unique_index(tokens: &[Token]) -> Option<Declared> {
    let on = tokens.iter().position(|token| token.is("ON"))?;
    let name = tokens.get(on.checked_sub(1)?)?.name()?;
    let open = tokens.iter().position(|token| *token == Token::Open)?;
    Some(Declared {
        name: name.to_owned(),
        columns: columns(&tokens[open..])?,
        references: None,
    })
}

/// What stands between the commas of a table's outer parentheses.
fn items(tokens: &[Token]) -> impl Iterator<Item = &[Token]> {
    let mut depth = 0usize;
    let end = tokens.iter().position(|token| match token {
        Token::Open => {
            depth += 1;
            false
        }
        Token::Close if depth == 0 => true,
        Token::Close => {
            depth -= 1;
            false
        }
        _ => false,
    });
    let mut depth = 0usize;
    tokens[..end.unwrap_or(tokens.len())].split(move |token| {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth -= 1,
            _ => {}
        }
        depth == 0 && *token == Token::Comma
    })
}

/// One column with its constraints, or one constraint of the table.
fn in_item(table: &str, item: &[Token], declared: &mut Vec<Declared>) {
    let of_table = ["CONSTRAINT", "UNIQUE", "PRIMARY", "FOREIGN", "CHECK"]
        .iter()
        .any(|keyword| item.first().is_some_and(|token| token.is(keyword)));
    let own = match item.first().and_then(Token::name) {
        Some(column) if !of_table => vec![column.to_owned()],
        _ => Vec::new(),
    };
    let mut name: Option<&str> = None;
    let mut foreign: Option<Vec<String>> = None;
    let mut depth = 0usize;
    for (at, token) in item.iter().enumerate() {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        // A column may be called as a keyword only in quotes, so a bare one is the keyword.
        if depth > 0 {
            continue;
        }
        if token.is("CONSTRAINT") {
            name = item.get(at + 1).and_then(Token::name);
        } else if token.is("CHECK") || token.is("NOT") || token.is("DEFAULT") {
            name = None;
        } else if token.is("FOREIGN") {
            foreign = columns(&item[at..]);
        } else if token.is("UNIQUE") || token.is("PRIMARY") {
            let columns = if of_table {
                columns(&item[at..]).unwrap_or_default()
            } else {
                own.clone()
            };
            let default = if token.is("PRIMARY") {
                format!("{table}_pkey")
            } else {
                format!("{table}_{}_key", columns.join("_"))
            };
            declared.push(Declared {
                name: name.take().map_or(default, str::to_owned),
                columns,
                references: None,
            });
        } else if token.is("REFERENCES") {
            let columns = foreign.take().unwrap_or_else(|| own.clone());
            let default = format!("{table}_{}_fkey", columns.join("_"));
            declared.push(Declared {
                name: name.take().map_or(default, str::to_owned),
                columns,
                references: item.get(at + 1).and_then(Token::name).map(str::to_owned),
            });
        }
    }
}

/// The names in the first parentheses; `None` if an expression is among them.
fn columns(tokens: &[Token]) -> Option<Vec<String>> {
    let open = tokens.iter().position(|token| *token == Token::Open)?;
    let inside = &tokens[open + 1..];
    let close = inside.iter().position(|token| *token == Token::Close)?;
    let inside = &inside[..close];
    if inside.contains(&Token::Open) {
        return None;
    }
    inside
        .split(|token| *token == Token::Comma)
        .map(|column| column.first()?.name().map(str::to_owned))
        .collect()
}

fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '(' => tokens.push(Token::Open),
            ')' => tokens.push(Token::Close),
            ',' => tokens.push(Token::Comma),
            '-' if chars.peek() == Some(&'-') => {
                chars.by_ref().find(|c| *c == '\n');
            }
            '/' if chars.peek() == Some(&'*') => {
                let mut before = ' ';
                chars.by_ref().skip(1).find(|c| {
                    let end = before == '*' && *c == '/';
                    before = *c;
                    end
                });
            }
            '\'' => {
                chars.by_ref().find(|c| *c == '\'');
                tokens.push(Token::Other);
            }
            '"' | '`' | '[' => {
                let end = if c == '[' { ']' } else { c };
                let text = chars.by_ref().take_while(|c| *c != end).collect();
                tokens.push(Token::Word { text, quoted: true });
            }
            c if c.is_alphanumeric() || c == '_' => {
                let mut text = String::from(c);
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || *c == '_') {
                    text.push(c);
                }
                tokens.push(Token::Word {
                    text,
                    quoted: false,
                });
            }
            c if c.is_whitespace() => {}
            _ => tokens.push(Token::Other),
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::{Declared, constraints};

    fn declared(name: &str, columns: &[&str], references: Option<&str>) -> Declared {
        Declared {
            name: name.to_owned(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            references: references.map(str::to_owned),
        }
    }

    #[test]
    fn a_table_names_its_constraints() {
        let sql = r#"CREATE TABLE "orders" (
            -- not a constraint: UNIQUE (id),
            id TEXT NOT NULL CONSTRAINT orders_id PRIMARY KEY,
            code TEXT DEFAULT 'a,b)' UNIQUE, /* CONSTRAINT x UNIQUE (y) */
            total NUMERIC(10, 2) CONSTRAINT orders_total_check CHECK (total > 0) UNIQUE,
            owner TEXT REFERENCES members (id) ON DELETE CASCADE,
            a BIGINT, "unique" BIGINT,
            CONSTRAINT orders_a_key UNIQUE (a, "unique"),
            CONSTRAINT orders_a_check CHECK (a IN (1, 2)),
            CONSTRAINT orders_a_fkey FOREIGN KEY (a, code) REFERENCES others (x, y),
            UNIQUE (code COLLATE NOCASE, a)
        ) STRICT"#;
        assert_eq!(
            constraints(sql),
            vec![
                declared("orders_id", &["id"], None),
                declared("orders_code_key", &["code"], None),
                declared("orders_total_key", &["total"], None),
                declared("orders_owner_fkey", &["owner"], Some("members")),
                declared("orders_a_key", &["a", "unique"], None),
                declared("orders_a_fkey", &["a", "code"], Some("others")),
                declared("orders_code_a_key", &["code", "a"], None),
            ]
        );
    }

    #[test]
    fn an_index_is_its_own_name() {
        let sql = "CREATE UNIQUE INDEX users_email_key ON users (email) WHERE deleted = 0";
        let expected = vec![declared("users_email_key", &["email"], None)];
        assert_eq!(constraints(sql), expected);
        assert!(constraints("CREATE UNIQUE INDEX k ON users (lower(email))").is_empty());
        assert!(constraints("CREATE INDEX k ON users (email)").is_empty());
    }

    #[test]
    fn nonsense_has_no_constraints() {
        for sql in [
            "",
            "CREATE",
            "(",
            "CREATE TABLE (",
            "CREATE TABLE t (,,))",
            "'",
            "CREATE UNIQUE INDEX",
        ] {
            assert!(constraints(sql).is_empty(), "{sql}");
        }
    }
}
