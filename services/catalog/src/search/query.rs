//! From a query's text to what tantivy looks up, and what each kind of match is worth.
//!
//! Worth is a constant of the match, not the usual BM25: that depends on the other products, so a
//! page's place would shift with every edit and differ between replicas.

use tantivy::Term;
use tantivy::query::{BooleanQuery, ConstScoreQuery, EmptyQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};

use super::text::{self, Run};

/// The fields that are searched.
pub(super) struct Fields {
    /// Terms of the names.
    pub(super) name: Field,
    /// Beginnings of the words of the names.
    pub(super) prefix: Field,
    /// Terms of names, descriptions and the category's names.
    pub(super) text: Field,
    /// The names as a whole.
    pub(super) whole: Field,
}

const WHOLE_NAME: f32 = 32.0;
const NAME: f32 = 8.0;
const NAME_PREFIX: f32 = 4.0;
const TEXT: f32 = 1.0;

type Clause = Box<dyn Query>;

/// Most of the query's words must be found, the better the more of them, and names count more
/// than descriptions. Without a word in it nothing is found.
pub(super) fn parse(fields: &Fields, query: &str) -> Clause {
    let clauses: Vec<Clause> = text::runs(query)
        .into_iter()
        .map(|run| match run {
            Run::Word(word) => of_word(fields, &word),
            Run::Chars(chars) => of_chars(fields, &chars),
        })
        .collect();
    if clauses.is_empty() {
        return Box::new(EmptyQuery);
    }
    let found = at_least(most(clauses.len()), clauses);
    let whole = worth(WHOLE_NAME, term(fields.whole, &text::whole(query)));
    any(vec![found, whole])
}

fn of_word(fields: &Fields, word: &str) -> Clause {
    let stem = text::stem(word);
    any(vec![
        worth(NAME, term(fields.name, stem)),
        worth(NAME_PREFIX, term(fields.prefix, word)),
        worth(TEXT, term(fields.text, stem)),
    ])
}

fn of_chars(fields: &Fields, chars: &[char]) -> Clause {
    let pairs = text::pairs(chars);
    let found_in = |field, required: usize| {
        let clauses = pairs.iter().map(|pair| term(field, pair)).collect();
        at_least(required, clauses)
    };
    // Most pairs are enough: "이어폰을" is "이어폰" with a particle.
    any(vec![
        worth(NAME, found_in(fields.name, pairs.len())),
        worth(NAME_PREFIX, found_in(fields.name, most(pairs.len()))),
        worth(TEXT, found_in(fields.text, most(pairs.len()))),
    ])
}

/// Two of three, three of four, four of six; one and two of as many.
fn most(count: usize) -> usize {
    count - count / 3
}

pub(super) fn term(field: Field, text: &str) -> Clause {
    let term = Term::from_field_text(field, text);
    Box::new(TermQuery::new(term, IndexRecordOption::Basic))
}

fn worth(score: f32, clause: Clause) -> Clause {
    Box::new(ConstScoreQuery::new(clause, score))
}

fn any(clauses: Vec<Clause>) -> Clause {
    Box::new(BooleanQuery::union(clauses))
}

fn at_least(required: usize, clauses: Vec<Clause>) -> Clause {
    Box::new(BooleanQuery::union_with_minimum_required_clauses(
        clauses, required,
    ))
}
