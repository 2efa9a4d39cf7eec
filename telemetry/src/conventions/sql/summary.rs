//! `db.query.summary` of a statement: its operations and their targets, in order.

use super::token::{Token, Tokens};

/// Characters of a summary.
const MAX: usize = 255;

/// Words between an operation and its target.
const BETWEEN: &[&str] = &[
    "ABORT",
    "CONCURRENTLY",
    "DELAYED",
    "EXISTS",
    "FAIL",
    "HIGH_PRIORITY",
    "IF",
    "IGNORE",
    "IMMEDIATE",
    "INTO",
    "LATERAL",
    "LOW_PRIORITY",
    "NOT",
    "ON",
    "ONLY",
    "OR",
    "OVERWRITE",
    "QUICK",
    "REPLACE",
    "ROLLBACK",
    "TABLE",
    "TOP",
];
/// Words that end a list of tables.
const CLAUSES: &[&str] = &[
    "WHERE",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "FETCH",
    "FOR",
    "WINDOW",
    "RETURNING",
    "SET",
    "VALUES",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "MINUS",
    "WHEN",
    "QUALIFY",
    "DEFAULT",
];
/// What a data definition defines, as far as its name says something about the load.
const OBJECTS: &[&str] = &[
    "TABLE",
    "INDEX",
    "VIEW",
    "DATABASE",
    "SCHEMA",
    "PROCEDURE",
    "FUNCTION",
    "TRIGGER",
    "SEQUENCE",
];
/// Statements whose other words mean other things: `COPY t FROM 'file'`, `GRANT SELECT ON t`.
const OPAQUE: &[&str] = &["COMMENT", "COPY", "DENY", "GRANT", "REVOKE", "SET"];
/// First words that another statement may follow.
const PREFIXES: &[&str] = &[
    "EXPLAIN", "DESCRIBE", "DESC", "ANALYZE", "BEGIN", "PREPARE", "DECLARE",
];

/// What a pair of parentheses, or the statement itself, holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// A statement.
    Statement,
    /// Tables of a `FROM`, grouped.
    Tables,
    /// Columns, arguments, conditions: no target is in there.
    Values,
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The first word of a statement.
    Operation,
    /// The same, but other words may come before it: `EXPLAIN (VERBOSE) SELECT`.
    OperationLater,
    /// The names and queries of a `WITH`.
    Common,
    /// The kind of thing that `CREATE` and its like are about.
    Object,
    /// A table, or a procedure.
    Target,
    /// A table, and its name may be in single quotes.
    Table,
    Anything,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    holds: Holds,
    next: Next,
    /// A comma leads to one more table.
    list: bool,
    /// After the target, if there is one, nothing more is understood.
    opaque: bool,
}

impl Frame {
    fn new(holds: Holds) -> Frame {
        let next = match holds {
            Holds::Statement => Next::Operation,
            Holds::Tables => Next::Table,
            Holds::Values => Next::Anything,
        };
        Frame {
            holds,
            next,
            list: holds == Holds::Tables,
            opaque: false,
        }
    }
}

struct Summary<'a> {
    tokens: Tokens<'a>,
    text: String,
    chars: usize,
    full: bool,
    frames: Vec<Frame>,
    /// Names that a `WITH` defines: they are no tables.
    common: Vec<&'a str>,
    /// The two words before, in capitals.
    before: [String; 2],
}

pub(super) fn of(sql: &str) -> String {
    let mut summary = Summary {
        tokens: Tokens::new(sql, false),
        text: String::new(),
        chars: 0,
        full: false,
        frames: vec![Frame::new(Holds::Statement)],
        common: Vec::new(),
        before: Default::default(),
    };
    while let Some(token) = summary.tokens.next() {
        summary.token(token);
        if summary.full {
            break;
        }
    }
    summary.text
}

impl<'a> Summary<'a> {
    fn token(&mut self, token: Token<'a>) {
        match token {
            Token::Space | Token::Unclear => return,
            Token::Word(word) => return self.word(word),
            Token::Quoted(name) => {
                self.name(name);
                self.remember("");
            }
            Token::String(name) => {
                if self.frame().next == Next::Table {
                    self.push(name);
                }
            }
            Token::Sign('(') => return self.open(),
            Token::Sign(')') => {
                if self.frames.len() > 1 {
                    self.frames.pop();
                }
                return;
            }
            Token::Sign(';') => {
                self.frames.truncate(1);
                self.frames[0] = Frame::new(Holds::Statement);
                self.common.clear();
                return;
            }
            Token::Sign(',') => {
                let frame = self.frame();
                if frame.next != Next::Common {
                    frame.next = if frame.list {
                        Next::Table
                    } else {
                        Next::Anything
                    };
                }
                self.remember(",");
                return;
            }
            Token::Sign('.') => self.remember("."),
            Token::Number(_) | Token::Placeholder(_) | Token::Sign(_) => {}
        }
        let frame = self.frame();
        if matches!(frame.next, Next::Target | Next::Table) {
            frame.next = Next::Anything;
        }
    }

    fn frame(&mut self) -> &mut Frame {
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    fn remember(&mut self, word: &str) {
        self.before.swap(0, 1);
        word.clone_into(&mut self.before[1]);
    }

    fn word(&mut self, word: &'a str) {
        let upper = word.to_ascii_uppercase();
        let frame = *self.frame();
        match frame.next {
            // A column, whatever it is called.
            _ if self.before[1] == "." => {}
            Next::Anything if frame.opaque => {}
            Next::Common if upper == "RECURSIVE" => return,
            Next::Common if self.defines() => self.common.push(word),
            Next::Operation | Next::OperationLater | Next::Common => self.operation(word, &upper),
            Next::Object => self.object(word, &upper),
            Next::Target | Next::Table if BETWEEN.contains(&upper.as_str()) => {}
            Next::Target | Next::Table if !self.keyword(word, &upper) => self.name(word),
            Next::Anything => {
                self.keyword(word, &upper);
            }
            Next::Target | Next::Table => {}
        }
        self.remember(&upper);
    }

    /// Within a `WITH`, a name is defined next.
    fn defines(&self) -> bool {
        matches!(self.before[1].as_str(), "WITH" | ",")
    }

    /// The first word of a statement.
    fn operation(&mut self, word: &'a str, upper: &str) {
        let later = matches!(self.frame().next, Next::OperationLater | Next::Common);
        let next = match upper {
            "WITH" => Next::Common,
            "SELECT" | "DELETE" | "VALUES" => Next::Anything,
            "INSERT" | "UPDATE" | "MERGE" | "REPLACE" => Next::Target,
            _ if later => return,
            "CREATE" | "ALTER" | "DROP" => Next::Object,
            "CALL" | "EXEC" | "EXECUTE" | "USE" | "TRUNCATE" | "LOCK" | "COPY" => Next::Target,
            _ if PREFIXES.contains(&upper) => Next::OperationLater,
            _ => Next::Anything,
        };
        let frame = self.frame();
        frame.next = next;
        frame.list = matches!(upper, "UPDATE" | "TRUNCATE" | "LOCK");
        frame.opaque = OPAQUE.contains(&upper);
        if upper != "WITH" && word.chars().all(|c| c.is_ascii_alphabetic()) {
            self.push(word);
        }
    }

    fn object(&mut self, word: &'a str, upper: &str) {
        if !OBJECTS.contains(&upper) {
            return;
        }
        self.push(word);
        let list = self.before[1] == "DROP";
        let frame = self.frame();
        frame.next = Next::Target;
        frame.list = list;
    }

    /// Whether a word within a statement is a keyword that changes what comes next.
    fn keyword(&mut self, word: &'a str, upper: &str) -> bool {
        let [before, last] = &self.before;
        let distinct = last == "DISTINCT" && (before == "IS" || before == "NOT");
        let (next, list) = match upper {
            _ if self.frames.last().is_some_and(|f| f.holds == Holds::Values) => return false,
            "SELECT" => {
                self.push(word);
                (Next::Anything, false)
            }
            "FROM" if distinct => (Next::Anything, false),
            "FROM" | "JOIN" | "STRAIGHT_JOIN" | "APPLY" => (Next::Table, true),
            "INTO" => (Next::Target, false),
            "USING" if !self.opens() => (Next::Target, true),
            "USING" => (Next::Anything, true),
            "OUTFILE" | "DUMPFILE" => (Next::Anything, false),
            _ if CLAUSES.contains(&upper) => (Next::Anything, false),
            _ => return false,
        };
        let frame = self.frame();
        frame.next = next;
        frame.list = list;
        true
    }

    /// A target, with its schema if it has one.
    fn name(&mut self, first: &'a str) {
        if self.frame().next == Next::Common && self.defines() {
            self.common.push(first);
        }
        if !matches!(self.frame().next, Next::Target | Next::Table) {
            return;
        }
        self.frame().next = Next::Anything;
        let mut name = first.to_owned();
        loop {
            let mut ahead = self.tokens.clone();
            if significant(&mut ahead) != Some(Token::Sign('.')) {
                break;
            }
            let Some(Token::Word(part) | Token::Quoted(part)) = significant(&mut ahead) else {
                break;
            };
            name.push('.');
            name.push_str(part);
            self.tokens = ahead;
        }
        if !self
            .common
            .iter()
            .any(|common| common.eq_ignore_ascii_case(&name))
        {
            self.push(&name);
        }
    }

    fn open(&mut self) {
        let mut ahead = self.tokens.clone();
        let statement = matches!(significant(&mut ahead), Some(Token::Word(word))
            if ["SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES"]
                .iter()
                .any(|first| first.eq_ignore_ascii_case(word)));
        let frame = self.frame();
        let holds = match frame.next {
            _ if statement => Holds::Statement,
            Next::Table => Holds::Tables,
            _ => Holds::Values,
        };
        let begun = statement && frame.next == Next::Operation;
        if begun || matches!(frame.next, Next::Target | Next::Table) {
            frame.next = Next::Anything;
        }
        let opaque = frame.opaque;
        self.frames.push(Frame {
            opaque,
            ..Frame::new(holds)
        });
    }

    /// A parenthesis comes next.
    fn opens(&self) -> bool {
        significant(&mut self.tokens.clone()) == Some(Token::Sign('('))
    }

    /// Adds a word, unless it is one too many: then the summary is done.
    fn push(&mut self, word: &str) {
        let space = usize::from(!self.text.is_empty());
        let chars = self.chars + space + word.chars().count();
        if chars > MAX {
            self.full = true;
            return;
        }
        if space == 1 {
            self.text.push(' ');
        }
        self.text.push_str(word);
        self.chars = chars;
    }
}

fn significant<'a>(tokens: &mut Tokens<'a>) -> Option<Token<'a>> {
    tokens.find(|token| *token != Token::Space)
}
