//! SQL as text: cut into words, strings and statements, without knowing what they mean.
//!
//! Not a parser: what it does not know stays one opaque statement. It only has to be right about where a string, a
//! comment, a quoted name or a body begins and ends, so that a `;` in one of them splits nothing.

use crate::Engine;

/// More statements in one file than a person writes.
const MAX_STATEMENTS: usize = 10_000;

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// White space or a comment.
    Gap,
    /// A bare word: a keyword or a name.
    Word,
    /// A quoted name.
    QuotedName,
    /// A string or dollar-quoted body.
    Text,
    /// A number, or a placeholder such as `$1`.
    Number,
    /// One other character.
    Symbol,
}

/// One piece of the text. The pieces of a text, joined, are the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// Line of its first character, from 1.
    pub(crate) line: u32,
    /// Where it begins, in bytes.
    pub(crate) start: usize,
}

impl Token<'_> {
    /// Whether it is this bare word, in any case.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether it is this character.
    pub(crate) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    /// The name it stands for, as the engine would look it up; `None` when it is none.
    pub(crate) fn name(&self, engine: Engine) -> Option<String> {
        match self.kind {
            Kind::Word if engine == Engine::Postgres => Some(self.text.to_lowercase()),
            Kind::Word => Some(self.text.to_owned()),
            Kind::QuotedName => {
                let mark = self.text.chars().next_back()?;
                let inner = self.text.get(1..self.text.len().checked_sub(1)?)?;
                Some(inner.replace(&format!("{mark}{mark}"), &mark.to_string()))
            }
            Kind::Gap | Kind::Text | Kind::Number | Kind::Symbol => None,
        }
    }

    /// Where it ends, in bytes.
    pub(crate) fn end(&self) -> usize {
        self.start.saturating_add(self.text.len())
    }
}

/// A string, name, comment or body that never ends, or too much of everything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub(crate) struct BadSqlText {
    pub(crate) line: u32,
    pub(crate) what: String,
}

/// The pieces of `text`, in order.
pub(crate) fn tokens(engine: Engine, text: &str) -> Result<Vec<Token<'_>>, BadSqlText> {
    let mut found: Vec<Token<'_>> = Vec::new();
    let (mut rest, mut line, mut start) = (text, 1_u32, 0_usize);
    while let Some(first) = rest.chars().next() {
        let after_word = found.last().is_some_and(|last| last.kind == Kind::Word);
        let unended = |what: &str| BadSqlText { line, what: format!("the {what} that begins here never ends") };
        if is_mysql(engine) && (rest.starts_with("/*!") || rest.starts_with("/*M!")) {
            // Skipped as a comment, it would be left out in silence.
            let what = "a comment that some servers read as SQL; write it plainly".to_owned();
            return Err(BadSqlText { line, what });
        }
        let (kind, length) = piece(engine, rest, first, after_word).map_err(unended)?;
        let (token, tail) = rest.split_at_checked(length).unwrap_or((rest, ""));
        found.push(Token { kind, text: token, line, start });
        line = line.saturating_add(u32::try_from(token.matches('\n').count()).unwrap_or(u32::MAX));
        start = start.saturating_add(token.len());
        rest = tail;
    }
    Ok(found)
}

/// The kind and length of the piece at the beginning of `rest`; an error names what has no end.
fn piece(engine: Engine, rest: &str, first: char, after_word: bool) -> Result<(Kind, usize), &'static str> {
    if first.is_whitespace() {
        return Ok((Kind::Gap, span(rest, char::is_whitespace)));
    }
    // MySQL wants white space behind the dashes: `1--1` is two minus signs.
    let dashes = rest.strip_prefix("--").is_some_and(|rest| {
        !is_mysql(engine) || rest.chars().next().is_none_or(|c| c.is_whitespace() || c.is_control())
    });
    if dashes || (first == '#' && is_mysql(engine)) {
        return Ok((Kind::Gap, span(rest, |c| c != '\n')));
    }
    if rest.starts_with("/*") {
        return comment_end(engine, rest).map(|end| (Kind::Gap, end)).ok_or("comment");
    }
    match first {
        '\'' => quoted_end(rest, 0, '\'', is_mysql(engine)).map(|end| (Kind::Text, end)).ok_or("string"),
        // E'...' knows backslashes; the prefix must not be the end of a longer word.
        'e' | 'E' if engine == Engine::Postgres && !after_word && rest.get(1..2) == Some("'") => {
            quoted_end(rest, 1, '\'', true).map(|end| (Kind::Text, end)).ok_or("string")
        }
        '"' if is_mysql(engine) => quoted_end(rest, 0, '"', true).map(|end| (Kind::Text, end)).ok_or("string"),
        '"' => quoted_end(rest, 0, '"', false).map(|end| (Kind::QuotedName, end)).ok_or("quoted name"),
        '`' if engine != Engine::Postgres => {
            quoted_end(rest, 0, '`', false).map(|end| (Kind::QuotedName, end)).ok_or("quoted name")
        }
        '[' if engine == Engine::Sqlite => {
            rest.find(']').map(|end| (Kind::QuotedName, end.saturating_add(1))).ok_or("quoted name")
        }
        '$' if engine == Engine::Postgres => Ok(match dollar_tag(rest) {
            Some(tag) => {
                let body = rest.get(tag.len()..).unwrap_or_default();
                let end = body.find(tag).ok_or("dollar-quoted body")?;
                (Kind::Text, end.saturating_add(tag.len().saturating_mul(2)))
            }
            None if rest.chars().nth(1).is_some_and(|c| c.is_ascii_digit()) => {
                (Kind::Number, span_after(rest, 1, |c| c.is_ascii_digit()))
            }
            None => (Kind::Symbol, 1),
        }),
        '?' | ':' | '@' | '$' if placeholder(engine, rest) => {
            Ok((Kind::Number, span_after(rest, 1, |c| c.is_alphanumeric() || c == '_')))
        }
        c if c.is_ascii_digit() => {
            Ok((Kind::Number, span(rest, |c| c.is_ascii_alphanumeric() || c == '.' || c == '_')))
        }
        c if c.is_alphabetic() || c == '_' => {
            Ok((Kind::Word, span(rest, |c| c.is_alphanumeric() || c == '_' || c == '$')))
        }
        c => Ok((Kind::Symbol, c.len_utf8())),
    }
}

fn is_mysql(engine: Engine) -> bool {
    matches!(engine, Engine::Mysql | Engine::Mariadb)
}

fn placeholder(engine: Engine, rest: &str) -> bool {
    let named = rest.chars().nth(1).is_some_and(|c| c.is_alphanumeric() || c == '_');
    match rest.chars().next() {
        Some('?') => engine != Engine::Postgres,
        Some(':' | '@' | '$') => engine == Engine::Sqlite && named,
        _ => false,
    }
}

fn span(rest: &str, inside: impl Fn(char) -> bool) -> usize {
    rest.find(|c| !inside(c)).unwrap_or(rest.len())
}

fn span_after(rest: &str, skip: usize, inside: impl Fn(char) -> bool) -> usize {
    skip.saturating_add(span(rest.get(skip..).unwrap_or_default(), inside))
}

/// Where the quote that begins at byte `open` ends; a doubled mark is part of it.
fn quoted_end(rest: &str, open: usize, mark: char, backslash: bool) -> Option<usize> {
    let mut chars = rest.char_indices().skip_while(|(at, _)| *at <= open).peekable();
    while let Some((at, c)) = chars.next() {
        if backslash && c == '\\' {
            chars.next();
        } else if c == mark {
            if chars.peek().is_some_and(|(_, next)| *next == mark) {
                chars.next();
            } else {
                return Some(at.saturating_add(c.len_utf8()));
            }
        }
    }
    None
}

/// Where the block comment ends. PostgreSQL's nest.
fn comment_end(engine: Engine, rest: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut chars = rest.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        if c == '/' && next == Some('*') && (depth == 0 || engine == Engine::Postgres) {
            depth = depth.saturating_add(1);
            chars.next();
        } else if c == '*' && next == Some('/') {
            depth = depth.saturating_sub(1);
            chars.next();
            if depth == 0 {
                return Some(at.saturating_add(2));
            }
        }
    }
    None
}

/// `$$` or `$tag$`, when the text begins with one.
fn dollar_tag(rest: &str) -> Option<&str> {
    let inner = rest.strip_prefix('$')?;
    let length = inner.find('$')?;
    let tag = inner.get(..length)?;
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let good = tag.chars().all(word) && !tag.starts_with(|c: char| c.is_ascii_digit());
    if good { rest.get(..length.saturating_add(2)) } else { None }
}

/// One statement of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement<'a> {
    /// The text, without the comments before it and the semicolon after it.
    pub(crate) text: &'a str,
    /// Line of its first word, from 1.
    pub(crate) line: u32,
    /// Its pieces without the gaps.
    pub(crate) tokens: Vec<Token<'a>>,
}

impl Statement<'_> {
    /// Whether its bare words begin with these, other pieces not counted in between.
    pub(crate) fn begins(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(at, word)| self.tokens.get(at).is_some_and(|token| token.is_word(word)))
    }

    /// Whether these bare words follow one another somewhere.
    pub(crate) fn has(&self, words: &[&str]) -> bool {
        self.position(words).is_some()
    }

    /// Where these bare words follow one another first.
    pub(crate) fn position(&self, words: &[&str]) -> Option<usize> {
        self.tokens
            .windows(words.len().max(1))
            .position(|window| window.iter().zip(words).all(|(token, word)| token.is_word(word)))
    }

    /// Whether the engine refuses it inside a transaction, or would commit around it.
    pub(crate) fn is_alone(&self, engine: Engine) -> bool {
        if is_mysql(engine) {
            let data = ["INSERT", "UPDATE", "DELETE", "REPLACE", "SELECT", "WITH", "SET", "DO", "VALUES"];
            return !data.iter().any(|word| self.begins(&[word]));
        }
        let concurrently = self.has(&["CONCURRENTLY"])
            && (self.begins(&["CREATE"])
                || self.begins(&["DROP"])
                || self.begins(&["REINDEX"])
                || (self.begins(&["ALTER"]) && self.has(&["DETACH"])));
        let database = ["DATABASE", "TABLESPACE"]
            .iter()
            .any(|object| self.begins(&["CREATE", object]) || self.begins(&["DROP", object]));
        self.begins(&["VACUUM"])
            || (engine == Engine::Postgres && (concurrently || database || self.begins(&["ALTER", "SYSTEM"])))
    }

    /// Whether it begins, ends or marks a transaction, which is the runner's to do.
    pub(crate) fn is_transaction_control(&self) -> bool {
        let first = ["BEGIN", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"];
        first.iter().any(|word| self.begins(&[word]))
            || self.begins(&["START", "TRANSACTION"])
            || self.begins(&["SET", "TRANSACTION"])
            || self.begins(&["PREPARE", "TRANSACTION"])
    }
}

/// The statements of a file, in order.
pub(crate) fn statements(engine: Engine, text: &str) -> Result<Vec<Statement<'_>>, BadSqlText> {
    let mut found = Vec::new();
    let mut current: Vec<Token<'_>> = Vec::new();
    let mut depth = 0_usize;
    for token in tokens(engine, text)? {
        if token.kind == Kind::Gap {
            continue;
        }
        if token.is_symbol(";") && depth == 0 {
            found.extend(finish(text, std::mem::take(&mut current)));
            if found.len() > MAX_STATEMENTS {
                let what = format!("the file has more than {MAX_STATEMENTS} statements");
                return Err(BadSqlText { line: token.line, what });
            }
            continue;
        }
        let ends = current.last().is_some_and(|last| last.is_word("END"));
        if token.is_word("BEGIN") || (token.is_word("CASE") && !ends) {
            if depth > 0 || has_body(engine, &current) {
                depth = depth.saturating_add(1);
            }
        } else if token.is_word("END") {
            depth = depth.saturating_sub(1);
        } else if ends && is_mysql(engine) && ["IF", "WHILE", "LOOP", "REPEAT"].iter().any(|word| token.is_word(word)) {
            // END IF closes nothing that was counted.
            depth = depth.saturating_add(1);
        }
        current.push(token);
    }
    if let (true, Some(first)) = (depth > 0, current.first()) {
        return Err(BadSqlText {
            line: first.line,
            what: "the body of the statement that begins here never ends".into(),
        });
    }
    found.extend(finish(text, current));
    Ok(found)
}

/// Whether a statement that begins like this may hold a body of statements, BEGIN to END.
fn has_body(engine: Engine, so_far: &[Token<'_>]) -> bool {
    let word = |word: &str| so_far.iter().take(5).any(|token| token.is_word(word));
    let created = so_far.first().is_some_and(|token| token.is_word("CREATE"));
    created
        && match engine {
            Engine::Sqlite => word("TRIGGER"),
            // Only the standard's `BEGIN ATOMIC` stands outside a string there; PL/pgSQL bodies are dollar-quoted.
            Engine::Postgres => word("FUNCTION") || word("PROCEDURE"),
            Engine::Mysql | Engine::Mariadb => word("TRIGGER") || word("FUNCTION") || word("PROCEDURE"),
        }
}

fn finish<'a>(text: &'a str, tokens: Vec<Token<'a>>) -> Option<Statement<'a>> {
    let (first, last) = (tokens.first()?, tokens.last()?);
    Some(Statement { text: text.get(first.start..last.end())?, line: first.line, tokens })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(engine: Engine, text: &str) -> Vec<String> {
        statements(engine, text).unwrap().into_iter().map(|s| format!("{}: {}", s.line, s.text)).collect()
    }

    #[test]
    fn a_semicolon_inside_something_splits_nothing() {
        use Engine::{Postgres, Sqlite};
        let rows: [(Engine, &str, &[&str]); 17] = [
            (Postgres, "", &[]),
            (Postgres, ";;  ; -- nothing\n /* ; */", &[]),
            (Postgres, "select 1; select 2", &["1: select 1", "1: select 2"]),
            (Postgres, "-- a;\nselect 1;\n\nselect 2;", &["2: select 1", "4: select 2"]),
            (Postgres, "select ';', 'it''s;' ; x", &["1: select ';', 'it''s;'", "1: x"]),
            (Postgres, r"select E'\';' ; x", &[r"1: select E'\';'", "1: x"]),
            (Postgres, r"select '\' ; x", &[r"1: select '\'", "1: x"]),
            (Postgres, "select \"a;\"\"b\" ; x", &["1: select \"a;\"\"b\"", "1: x"]),
            (Postgres, "do $$ begin; end $$; x", &["1: do $$ begin; end $$", "1: x"]),
            (Postgres, "do $a$ $b$ ; $$ $a$; x", &["1: do $a$ $b$ ; $$ $a$", "1: x"]),
            (Postgres, "select $1; x", &["1: select $1", "1: x"]),
            (Postgres, "/* a /* ; */ ; */ x; y", &["1: x", "1: y"]),
            (Sqlite, "/* a /* ; */ x; y", &["1: x", "1: y"]),
            (Sqlite, "select [a;b], `c;d`; x", &["1: select [a;b], `c;d`", "1: x"]),
            (
                Sqlite,
                "create trigger t after insert on c when case when 1 then 1 end begin update c set a = case when 1 then 2 end; select 1; end; x",
                &[
                    "1: create trigger t after insert on c when case when 1 then 1 end begin update c set a = case when 1 then 2 end; select 1; end",
                    "1: x",
                ],
            ),
            (
                Postgres,
                "create function f() returns int begin atomic select case when true then 1 end; end; x",
                &["1: create function f() returns int begin atomic select case when true then 1 end; end", "1: x"],
            ),
            (Postgres, "select case when a then b end; x", &["1: select case when a then b end", "1: x"]),
        ];
        for (engine, text, want) in rows {
            assert_eq!(split(engine, text), want, "{text}");
        }
    }

    #[test]
    fn mysql_reads_backslashes_double_quotes_and_hashes() {
        let rows: [(&str, &[&str]); 6] = [
            (r"select 'it\'s;' ; x", &[r"1: select 'it\'s;'", "1: x"]),
            ("select \"a;\" ; x", &["1: select \"a;\"", "1: x"]),
            ("select `a;` ; x # ; y", &["1: select `a;`", "1: x"]),
            ("select 1--1; x -- ; y", &["1: select 1--1", "1: x"]),
            (
                "create trigger t before insert on c for each row begin if 1 then set new.a = 1; end if; end; x",
                &[
                    "1: create trigger t before insert on c for each row begin if 1 then set new.a = 1; end if; end",
                    "1: x",
                ],
            ),
            (
                "create procedure p() begin while 1 do select case a when 1 then 2 end; end while; end; x",
                &["1: create procedure p() begin while 1 do select case a when 1 then 2 end; end while; end", "1: x"],
            ),
        ];
        for (text, want) in rows {
            assert_eq!(split(Engine::Mariadb, text), want, "{text}");
        }
        let bad = statements(Engine::Mysql, "select 1;\n/*!50000 drop table t */").unwrap_err();
        assert!(bad.line == 2 && bad.what.contains("plainly"), "{bad}");
        let alone = |text| statements(Engine::Mysql, text).unwrap().remove(0).is_alone(Engine::Mysql);
        assert!(alone("create index i on t (a)") && alone("analyze table t") && !alone("update t set a = 1"));
    }

    #[test]
    fn what_never_ends_is_named_with_its_line() {
        let rows = [
            (Engine::Postgres, "x;\nselect 'a", 2, "string"),
            (Engine::Postgres, "select \"a", 1, "quoted name"),
            (Engine::Postgres, "\n\n/* a", 3, "comment"),
            (Engine::Postgres, "do $x$ $$", 1, "dollar-quoted body"),
            (Engine::Sqlite, "select [a", 1, "quoted name"),
            (Engine::Sqlite, "\ncreate trigger t after insert on c begin select 1;", 2, "body"),
        ];
        for (engine, text, line, what) in rows {
            let bad = statements(engine, text).unwrap_err();
            assert_eq!(bad.line, line, "{text}");
            assert!(bad.what.contains(what), "{text}: {bad}");
        }
    }

    #[test]
    fn statements_are_known_by_their_words() {
        let one = |text| statements(Engine::Postgres, text).unwrap().remove(0);
        for alone in ["create unique index concurrently i on t (a)", "VACUUM t", "drop index concurrently i"] {
            assert!(one(alone).is_alone(Engine::Postgres), "{alone}");
        }
        assert!(!one("create index i on t (a)").is_alone(Engine::Postgres));
        assert!(!one("alter table t add column concurrently int").is_alone(Engine::Postgres));
        for control in ["BEGIN", "commit", "start transaction", "rollback to x", "savepoint a", "END"] {
            assert!(one(control).is_transaction_control(), "{control}");
        }
        assert!(!one("alter table begin add a int").is_transaction_control());
    }

    #[test]
    fn names_are_folded_as_the_engine_folds_them() {
        let name = |engine, text| tokens(engine, text).unwrap()[0].name(engine).unwrap();
        assert_eq!(name(Engine::Postgres, "Full_Name"), "full_name");
        assert_eq!(name(Engine::Postgres, "\"Full\"\"Name\""), "Full\"Name");
        assert_eq!(name(Engine::Sqlite, "Full_Name"), "Full_Name");
        assert_eq!(name(Engine::Sqlite, "[a b]"), "a b");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_the_pieces_make_up_the_whole(text in "[a-z$'\"`\\[\\];\\\\/*\\-\n ]{0,60}|.{0,60}") {
            for engine in Engine::ALL {
                if let Ok(tokens) = tokens(engine, &text) {
                    prop_assert_eq!(tokens.iter().map(|t| t.text).collect::<String>(), text.clone());
                }
                let _ = statements(engine, &text);
            }
        }

        #[test]
        fn splitting_what_was_split_changes_nothing(parts in proptest::collection::vec("[a-z]{1,8}( '[a-z;]{0,4}')?", 1..6)) {
            let text = parts.join(";\n");
            let split: Vec<String> =
                statements(Engine::Postgres, &text).unwrap().iter().map(|s| s.text.to_owned()).collect();
            prop_assert_eq!(split, parts);
        }
    }
}
