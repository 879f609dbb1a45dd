//! `Expression`: a conversion as a person wrote it, and the same over the columns of another row.

use crate::{
    Engine,
    dialect::mysql,
    sql_text::{Kind, tokens},
};

const MAX_LEN: usize = 4 * 1024;

/// One SQL expression over columns of one row. It can stand in a trigger, an UPDATE and a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expression {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Verbatim(String),
    /// A name that may be a column: as looked up, and as written.
    Name {
        folded: String,
        written: String,
    },
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// Says what makes it none, or none that a trigger may contain.
    pub(crate) fn parse(engine: Engine, text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("it is empty".into());
        }
        if text.len() > MAX_LEN {
            return Err(format!("it has {} bytes; at most {MAX_LEN} are read", text.len()));
        }
        if matches!(engine, Engine::Mysql | Engine::Mariadb) && is_beyond_catalog(text) {
            return Err("it contains a character that the engine's catalog cannot show, such as an emoji".into());
        }
        let tokens = tokens(engine, text.trim()).map_err(|bad| bad.what)?;
        let mut pieces = Vec::new();
        let mut depth = 0_usize;
        let commits_ddl = matches!(engine, Engine::Mysql | Engine::Mariadb);
        for (at, token) in tokens.iter().enumerate() {
            match token.kind {
                Kind::Gap if !token.text.trim().is_empty() => return Err("it contains a comment".into()),
                Kind::Symbol if token.text == ";" => return Err("it contains a semicolon".into()),
                Kind::Symbol if token.text == "(" => depth = depth.saturating_add(1),
                Kind::Symbol if token.text == ")" => {
                    depth = depth.checked_sub(1).ok_or("a closing parenthesis has no opening one")?;
                }
                Kind::Number if !token.text.starts_with(|c: char| c.is_ascii_digit()) => {
                    return Err(format!("it contains the placeholder `{}`", token.text));
                }
                // A body quoted like the ones we write would end ours.
                Kind::Text if token.text.starts_with('$') => return Err("it contains a dollar-quoted string".into()),
                Kind::Word if ["SELECT", "NEW", "OLD"].iter().any(|word| token.is_word(word)) => {
                    return Err(format!("it contains `{}`, which a conversion cannot use", token.text));
                }
                Kind::Symbol if commits_ddl && token.text == "@" => return Err("it contains a variable".into()),
                Kind::Symbol
                    if commits_ddl
                        && token.text == "|"
                        && tokens.get(at.saturating_add(1)).is_some_and(|next| next.is_symbol("|")) =>
                {
                    return Err("`||` means OR on this engine; use concat()".into());
                }
                Kind::Gap | Kind::Word | Kind::QuotedName | Kind::Text | Kind::Number | Kind::Symbol => {}
            }
            let before = tokens.get(..at).unwrap_or_default().iter().rev().find(|token| token.kind != Kind::Gap);
            let after = tokens.iter().skip(at.saturating_add(1)).find(|token| token.kind != Kind::Gap);
            // `a.b`, `x::name` and `name(` name something other than a column of the row.
            let qualified = before.is_some_and(|token| token.is_symbol(".") || token.is_symbol(":"))
                || after.is_some_and(|token| token.is_symbol("(") || token.is_symbol("."));
            if commits_ddl && token.kind == Kind::Text {
                if before.is_some_and(|before| before.kind == Kind::Word && before.text.starts_with('_')) {
                    return Err("it names a character set before a string; use CONVERT(... USING ...)".into());
                }
                let plain = !token.text.contains('\\') && !token.text.chars().any(char::is_control);
                let text = if plain { None } else { mysql::unescaped(token.text) };
                pieces.push(Piece::Verbatim(text.map_or_else(|| token.text.to_owned(), |text| mysql::literal(&text))));
                continue;
            }
            let written = token.text.to_owned();
            pieces.push(match token.name(engine) {
                Some(folded) if !qualified => Piece::Name { folded, written },
                _ => Piece::Verbatim(written),
            });
        }
        if depth > 0 { Err("an opening parenthesis has no closing one".into()) } else { Ok(Self { pieces }) }
    }

    /// The text, with every name for which `column` knows something replaced by that.
    pub(crate) fn over(&self, column: impl Fn(&str) -> Option<String>) -> String {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Verbatim(text) => text.clone(),
                Piece::Name { folded, written } => column(folded).unwrap_or_else(|| written.clone()),
            })
            .collect()
    }

    /// The names in it that may be columns.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Name { folded, .. } => Some(folded.as_str()),
            Piece::Verbatim(_) => None,
        })
    }

    /// Whether it may be NULL as such: the catalog shows a default of NULL as none.
    pub(crate) fn is_null(&self) -> bool {
        self.over(|_| None).to_ascii_lowercase().contains("null")
    }

    /// Whether it is one literal: a number, a string, TRUE, FALSE or NULL, with a sign or a cast at most.
    pub(crate) fn is_constant(&self, engine: Engine) -> bool {
        let text = self.over(|_| None);
        let Ok(tokens) = tokens(engine, &text) else { return false };
        let mut tokens = tokens.iter().filter(|token| token.kind != Kind::Gap).peekable();
        while tokens.next_if(|token| token.is_symbol("-") || token.is_symbol("+")).is_some() {}
        let literal = tokens.next().is_some_and(|token| {
            matches!(token.kind, Kind::Number | Kind::Text)
                || ["TRUE", "FALSE", "NULL"].iter().any(|word| token.is_word(word))
        });
        let cast = match (tokens.next(), tokens.next()) {
            (None, _) => true,
            (Some(a), Some(b)) => a.is_symbol(":") && b.is_symbol(":"),
            (Some(_), None) => false,
        };
        literal && cast
    }
}

/// Whether the catalog of MariaDB and MySQL, which knows three bytes a character, would show the text otherwise: then
/// nobody could tell whether a trigger was altered.
pub(crate) fn is_beyond_catalog(text: &str) -> bool {
    text.chars().any(|c| c.len_utf8() > 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(engine: Engine, text: &str) -> Result<String, String> {
        Ok(Expression::parse(engine, text)?.over(|name| (name == "full_name").then(|| "NEW.x".to_owned())))
    }

    #[test]
    fn columns_are_replaced_and_nothing_else_is() {
        let rows = [
            ("full_name", "NEW.x"),
            ("split_part(Full_Name, ' ', 1)", "split_part(NEW.x, ' ', 1)"),
            ("\"full_name\" || 'full_name'", "NEW.x || 'full_name'"),
            ("\"Full_Name\"", "\"Full_Name\""),
            ("t.full_name", "t.full_name"),
            ("full_name(1)", "full_name(1)"),
            ("1::full_name", "1::full_name"),
            ("full_name::text", "NEW.x::text"),
        ];
        for (text, want) in rows {
            assert_eq!(over(Engine::Postgres, text).as_deref(), Ok(want), "{text}");
        }
    }

    #[test]
    fn what_could_escape_its_place_is_refused() {
        let rows = [
            ("", "empty"),
            ("a; drop table t", "semicolon"),
            ("a -- b", "comment"),
            ("(a", "no closing"),
            ("a)", "no opening"),
            ("a) or (b", "no opening"),
            ("(select 1)", "select"),
            ("NEW.a", "NEW"),
            ("$1", "placeholder"),
            ("$$a$$", "dollar-quoted"),
            ("'a", "never ends"),
        ];
        for (text, want) in rows {
            let told = over(Engine::Postgres, text).unwrap_err();
            assert!(told.contains(want), "{text}: {told}");
        }
    }

    #[test]
    fn what_mysql_means_otherwise_is_refused() {
        for (text, want) in [
            ("a || b", "concat"),
            ("@a", "variable"),
            ("a # b", "comment"),
            ("'😀'", "emoji"),
            ("_latin1 'a'", "CONVERT"),
            ("a /*! + b */", "plainly"),
        ] {
            let told = over(Engine::Mariadb, text).unwrap_err();
            assert!(told.contains(want), "{text}: {told}");
        }
        assert_eq!(
            over(Engine::Mysql, r#"concat("full_name", 'it\'s', `full_name`)"#).unwrap(),
            r#"concat("full_name", 'it''s', NEW.x)"#
        );
        assert!(over(Engine::Mysql, "a | b").is_ok());
    }

    #[test]
    fn a_constant_is_told_from_a_call() {
        let constant = |text| Expression::parse(Engine::Postgres, text).unwrap().is_constant(Engine::Postgres);
        for text in ["0", "-1.5", "'a'", "'{}'::jsonb", "true", "NULL"] {
            assert!(constant(text), "{text}");
        }
        for text in ["now()", "current_timestamp", "1 + 1", "'a' || 'b'", "gen_random_uuid()"] {
            assert!(!constant(text), "{text}");
        }
    }
}
