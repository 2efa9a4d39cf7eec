//! SQL as tokens, without knowing whose SQL it is.
//!
//! Engines disagree about quotes: `"a"` is a name to most and a string to MySQL, `'a\'` is a whole
//! string to most and the beginning of one to MySQL. Where the difference could let a value through,
//! the tokens end instead: what is not understood is not shown.

/// A piece of SQL, borrowed from the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword, a name or a function.
    Word(&'a str),
    /// A name in quotes, with them: `"a b"`, `` `a` ``, `[a b]`.
    Quoted(&'a str),
    /// A string, with its quotes and prefix: `'a'`, `N'a'`, `$$a$$`.
    String(&'a str),
    /// Any other value that stands in the text.
    Number(&'a str),
    /// What stands for a value: `?`, `$1`, `:name`, `@p`.
    Placeholder(&'a str),
    /// Anything else, one character.
    Sign(char),
    /// White space or a comment.
    Space,
    /// From here on engines read different things.
    Unclear,
}

/// The tokens of a statement; nothing comes after [`Token::Unclear`].
#[derive(Debug, Clone)]
pub(super) struct Tokens<'a> {
    rest: &'a str,
    /// `"a"` is a string, as in MySQL.
    double_quotes_are_strings: bool,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(sql: &'a str, double_quotes_are_strings: bool) -> Tokens<'a> {
        Tokens {
            rest: sql,
            double_quotes_are_strings,
        }
    }

    fn take(&mut self, len: usize) -> &'a str {
        let (token, rest) = self.rest.split_at(len);
        self.rest = rest;
        token
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let len = self.rest.find(|c| !keep(c)).unwrap_or(self.rest.len());
        self.take(len)
    }

    fn unclear(&mut self) -> Token<'a> {
        self.rest = "";
        Token::Unclear
    }

    /// A string whose opening quote stands at `quote`.
    fn string(&mut self, at: usize, quote: char) -> Token<'a> {
        match end_of_string(&self.rest[at..], quote) {
            Some(len) => Token::String(self.take(at + len)),
            None => self.unclear(),
        }
    }

    fn name_in_quotes(&mut self, quote: char) -> Token<'a> {
        match end_of_name(self.rest, quote) {
            Some(len) => Token::Quoted(self.take(len)),
            None => self.unclear(),
        }
    }

    /// `[a b]` is a name to SQL Server and SQLite, `[1, 'a']` an array to PostgreSQL.
    fn bracket(&mut self) -> Token<'a> {
        let name = |inner: &str| {
            inner.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && inner.chars().all(|c| is_word(c) || c == ' ')
        };
        match self.rest[1..].split_once(']') {
            Some((inner, _)) if name(inner) => Token::Quoted(self.take(inner.len() + 2)),
            _ => self.sign('['),
        }
    }

    /// `$1`, or a string of PostgreSQL such as `$$a$$` and `$tag$a$tag$`.
    fn dollar(&mut self) -> Token<'a> {
        let tag = self.rest[1..].find(|c: char| !(c.is_alphanumeric() || c == '_'));
        let tag = tag.map_or(self.rest.len(), |len| len + 1);
        if self.rest[tag..].starts_with('$') && !self.rest[1..].starts_with(digit) {
            let fence = &self.rest[..=tag];
            return match self.rest[fence.len()..].find(fence) {
                Some(len) => Token::String(self.take(len + 2 * fence.len())),
                None => self.unclear(),
            };
        }
        if tag > 1 {
            Token::Placeholder(self.take(tag))
        } else {
            self.sign('$')
        }
    }

    /// `:name`, `@name` and the like; the signs alone are operators.
    fn marked(&mut self, mark: char) -> Token<'a> {
        let marks = self.rest.len() - self.rest.trim_start_matches(mark).len();
        let name = self.rest[marks..].find(|c| !is_word(c));
        let len = name.unwrap_or(self.rest.len() - marks);
        // `::` casts, `@@` asks for a variable.
        if len > 0 && (marks == 1 || mark == '@') {
            Token::Placeholder(self.take(marks + len))
        } else {
            self.sign(mark)
        }
    }

    fn number(&mut self) -> Token<'a> {
        let hex = self.rest.starts_with("0x") || self.rest.starts_with("0X");
        let mut before = ' ';
        let mut len = self.rest.len();
        for (at, c) in self.rest.char_indices() {
            let exponent = !hex && matches!(c, '+' | '-') && matches!(before, 'e' | 'E');
            if !(is_word(c) || c == '.' || exponent) {
                len = at;
                break;
            }
            before = c;
        }
        Token::Number(self.take(len))
    }

    /// Comments nest in PostgreSQL and do not elsewhere.
    fn comment(&mut self) -> Token<'a> {
        let Some(end) = self.rest[2..].find("*/") else {
            return self.unclear();
        };
        if self.rest[2..2 + end].contains("/*") {
            return self.unclear();
        }
        self.take(end + 4);
        Token::Space
    }

    fn sign(&mut self, sign: char) -> Token<'a> {
        self.take(sign.len_utf8());
        Token::Sign(sign)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let first = self.rest.chars().next()?;
        let second = self.rest[first.len_utf8()..].chars().next();
        Some(match (first, second) {
            _ if first.is_whitespace() => {
                self.take_while(char::is_whitespace);
                Token::Space
            }
            ('-', Some('-')) => {
                self.take_while(|c| c != '\n');
                Token::Space
            }
            ('/', Some('*')) => self.comment(),
            ('\'', _) => self.string(0, '\''),
            ('n' | 'N' | 'e' | 'E' | 'x' | 'X' | 'b' | 'B', Some('\'')) => self.string(1, '\''),
            ('"', _) if self.double_quotes_are_strings => self.string(0, '"'),
            ('"' | '`', _) => self.name_in_quotes(first),
            ('[', _) => self.bracket(),
            ('$', _) => self.dollar(),
            (':' | '@', _) => self.marked(first),
            ('?', _) => {
                let digits = self.rest[1..].find(|c| !digit(c));
                let len = digits.unwrap_or(self.rest.len() - 1);
                Token::Placeholder(self.take(len + 1))
            }
            ('0'..='9', _) | ('.', Some('0'..='9')) => self.number(),
            _ if is_word(first) => Token::Word(self.take_while(is_word)),
            _ => self.sign(first),
        })
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

fn digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// Behind the closing quote. A doubled quote is part of the string to all engines; one behind a
/// backslash is that to some only, and there is no telling where the string ends.
fn end_of_string(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices().skip(1).peekable();
    let mut escapes = false;
    while let Some((at, c)) = chars.next() {
        if c != quote {
            escapes = c == '\\' && !escapes;
            continue;
        }
        if escapes {
            return None;
        }
        if chars.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + 1);
        }
    }
    None
}

/// Behind the closing quote of a name.
fn end_of_name(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + 1);
        }
    }
    None
}
