//! From text to search terms, the same for products and for queries.
//!
//! Words (English and every script that puts spaces between words) are lowercased and lose a
//! plural `s`. Korean puts particles at the end of words and spaces where it likes, and Chinese
//! and Japanese have none: their characters become overlapping pairs, so that no dictionary is
//! needed. A query is text and nothing else: no character has a meaning of its own.

use std::collections::BTreeSet;

/// Longest beginning of a word that can be searched for.
const PREFIX_MAX: usize = 15;

/// A stretch of text that is matched as one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Run {
    /// Lowercase letters and digits.
    Word(String),
    /// Characters that are matched in pairs.
    Chars(Vec<char>),
}

/// The runs of `text` in their order; with each, whether only white space parts it from the one
/// before.
fn split(text: &str) -> Vec<(bool, Run)> {
    let mut runs: Vec<(bool, Run)> = Vec::new();
    // Whether the current run is still open, and what has come since it ended.
    let (mut open, mut only_space) = (false, false);
    for c in normalized(text) {
        let paired = is_paired(c);
        if !(paired || c.is_alphanumeric() || is_mark(c)) {
            only_space = (open || only_space) && c.is_whitespace();
            open = false;
            continue;
        }
        match runs.last_mut() {
            Some((_, Run::Word(word))) if open && !paired => word.push(c),
            Some((_, Run::Chars(chars))) if open && paired => chars.push(c),
            _ => {
                let run = if paired {
                    Run::Chars(vec![c])
                } else {
                    Run::Word(c.into())
                };
                runs.push((only_space, run));
            }
        }
        (open, only_space) = (true, false);
    }
    runs
}

/// The runs of a query, each once.
pub(super) fn runs(text: &str) -> BTreeSet<Run> {
    split(text).into_iter().map(|(_, run)| run).collect()
}

/// The whole text in one normal form, for a query that is exactly a product's name.
pub(super) fn whole(text: &str) -> String {
    let mut whole = String::new();
    for (_, run) in split(text) {
        match run {
            Run::Word(word) => whole.push_str(stem(&word)),
            Run::Chars(chars) => whole.extend(chars),
        }
        whole.push(' ');
    }
    whole.truncate(whole.trim_end().len());
    whole
}

/// Every term under which `text` is found.
pub(super) fn terms(text: &str) -> BTreeSet<String> {
    let runs = split(text);
    let mut terms = BTreeSet::new();
    let mut before: Option<char> = None;
    for (only_space, run) in &runs {
        match run {
            Run::Word(word) => {
                terms.insert(stem(word).to_owned());
                before = None;
            }
            Run::Chars(chars) => {
                terms.extend(chars.iter().map(|&c| String::from(c)));
                terms.extend(pairs(chars));
                // "무선 이어폰" is found by "무선이어폰" too.
                if let (true, Some(last), Some(&first)) = (*only_space, before, chars.first()) {
                    terms.insert(String::from_iter([last, first]));
                }
                before = chars.last().copied();
            }
        }
    }
    terms
}

/// Every beginning of every word of `text`.
pub(super) fn prefixes(text: &str) -> BTreeSet<String> {
    let mut prefixes = BTreeSet::new();
    for (_, run) in split(text) {
        if let Run::Word(word) = run {
            let ends = word.char_indices().map(|(at, c)| at + c.len_utf8());
            prefixes.extend(ends.take(PREFIX_MAX).map(|end| word[..end].to_owned()));
        }
    }
    prefixes
}

/// The term of a word.
pub(super) fn stem(word: &str) -> &str {
    match word.strip_suffix('s') {
        Some(singular) if singular.len() > 2 && !singular.ends_with('s') => singular,
        _ => word,
    }
}

/// The terms of characters that are matched in pairs; one alone is its own term.
pub(super) fn pairs(chars: &[char]) -> Vec<String> {
    match chars {
        [one] => vec![String::from(*one)],
        more => more.windows(2).map(String::from_iter).collect(),
    }
}

/// Hangul syllables, Chinese characters, kana.
fn is_paired(c: char) -> bool {
    matches!(c,
        '\u{ac00}'..='\u{d7a3}'
        | '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3134f}'
        | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fc}')
}

/// Combining marks belong to the word they stand in.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// Lowercase, full-width forms as plain ones, and Hangul in syllables: some systems send it in
/// parts (Unicode 3.12, conjoining jamo). A lone part, as half-typed syllables leave it, is
/// dropped.
fn normalized(text: &str) -> impl Iterator<Item = char> + '_ {
    let mut chars = text.chars().peekable();
    let composed = std::iter::from_fn(move || {
        let c = chars.next()?;
        let Some(lead) = part(c, '\u{1100}', 19) else {
            return Some(c);
        };
        let Some(vowel) = chars.peek().and_then(|&c| part(c, '\u{1161}', 21)) else {
            return Some(c);
        };
        chars.next();
        let tail = chars
            .peek()
            .and_then(|&c| part(c, '\u{11a7}', 28))
            .unwrap_or(0);
        if tail > 0 {
            chars.next();
        }
        char::from_u32(0xac00 + (lead * 21 + vowel) * 28 + tail)
    });
    composed
        .filter(|c| !matches!(c, '\u{1100}'..='\u{11ff}' | '\u{3131}'..='\u{318e}'))
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
            _ => c,
        })
        .flat_map(char::to_lowercase)
}

fn part(c: char, first: char, count: u32) -> Option<u32> {
    let part = u32::from(c).checked_sub(u32::from(first))?;
    (part < count).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::{Run, prefixes, runs, split, terms, whole};

    fn list<'a>(found: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
        found.into_iter().map(String::as_str).collect()
    }

    #[test]
    fn words_are_lowercase_and_singular() {
        assert_eq!(
            list(&terms("Wireless USB-C Headphones, 27\" glass")),
            ["27", "c", "glass", "headphone", "usb", "wireless"]
        );
        assert_eq!(list(&terms("bus is cups")), ["bus", "cup", "is"]);
    }

    #[test]
    fn korean_becomes_pairs_across_spaces() {
        assert_eq!(
            list(&terms("무선 이어폰")),
            ["무", "무선", "선", "선이", "어", "어폰", "이", "이어", "폰"]
        );
        assert!(!terms("무선, 이어폰").contains("선이"));
        assert!(!terms("무선 x 이어폰").contains("선이"));
    }

    #[test]
    fn mixed_text_is_split_where_the_script_changes() {
        let runs: Vec<_> = split("27인치 USB케이블")
            .into_iter()
            .map(|(_, run)| run)
            .collect();
        let word = |word: &str| Run::Word(word.to_owned());
        let chars = |chars: &str| Run::Chars(chars.chars().collect());
        assert_eq!(
            runs,
            [word("27"), chars("인치"), word("usb"), chars("케이블")]
        );
    }

    #[test]
    fn other_forms_of_the_same_text_are_the_same() {
        assert_eq!(terms("ＵＳＢ"), terms("usb"));
        assert_eq!(
            terms("\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"),
            terms("한글")
        );
        assert_eq!(terms("이어ㅍ"), terms("이어"));
        assert_eq!(whole("  Coffee   MUGS "), "coffee mug");
    }

    #[test]
    fn beginnings_are_bounded() {
        assert_eq!(list(&prefixes("Tea 차")), ["t", "te", "tea"]);
        assert_eq!(prefixes(&"x".repeat(100)).len(), 15);
    }

    #[test]
    fn no_character_has_a_meaning() {
        for text in [
            "",
            " ",
            "\"*()[]{}:^~!+-&|\\/?",
            "\u{0}\u{7f}\u{202e}",
            "👩‍👩‍👧‍👦",
            "ㅋㅋㅋ",
            "\u{1100}",
        ] {
            assert!(runs(text).is_empty(), "{text:?}");
        }
        assert_eq!(
            list(&terms("name:a AND (b OR NOT c)*")),
            ["a", "and", "b", "c", "name", "not", "or"]
        );
    }
}
