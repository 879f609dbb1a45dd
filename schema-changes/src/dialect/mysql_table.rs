//! What only the full definition of a table says on MariaDB and MySQL: SHOW CREATE TABLE.

use crate::{
    Engine,
    sql_text::{Kind, Token, tokens},
};

/// One column or constraint of a definition: its pieces without gaps.
type Item<'a> = Vec<Token<'a>>;

/// Why a column cannot be mapped, and the remedy.
pub(crate) fn unmappable(definition: &str, column: &str) -> Option<(String, &'static str)> {
    for item in items(definition) {
        let own = is_column(&item, column);
        if own && has(&item, &["AUTO_INCREMENT"]) {
            return Some(("is numbered by the engine".into(), "map another column"));
        }
        if own && has(&item, &["ON", "UPDATE"]) {
            let why = "has ON UPDATE CURRENT_TIMESTAMP, which the new shape would not have";
            return Some((why.into(), "use a sql change"));
        }
        if has(&item, &["CHECK"]) && mentions(&item, column) {
            let why = "is in a CHECK constraint, which the new shape would not have";
            return Some((why.into(), "drop the constraint in a sql change first"));
        }
        if !own && (has(&item, &["GENERATED"]) || has(&item, &["AS"])) && mentions(&item, column) {
            let other = item.first().and_then(|token| token.name(Engine::Mariadb)).unwrap_or_default();
            let why = format!("is what the generated column `{other}` is made of");
            return Some((why, "drop the generated column in a change of its own first"));
        }
    }
    None
}

/// Whether the engine numbers the column.
pub(crate) fn is_numbered(definition: &str, column: &str) -> bool {
    items(definition).iter().any(|item| is_column(item, column) && has(item, &["AUTO_INCREMENT"]))
}

/// Whether a foreign key writes the column by itself, which no trigger sees.
pub(crate) fn is_cascaded(definition: &str, column: &str) -> bool {
    items(definition).iter().any(|item| {
        let before_references = item.split(|token| token.is_word("REFERENCES")).next().unwrap_or_default();
        let writes = [
            ["ON", "UPDATE", "CASCADE"].as_slice(),
            &["ON", "UPDATE", "SET", "NULL"],
            &["ON", "DELETE", "SET", "NULL"],
            &["ON", "UPDATE", "SET", "DEFAULT"],
            &["ON", "DELETE", "SET", "DEFAULT"],
        ];
        has(item, &["FOREIGN", "KEY"])
            && mentions(before_references, column)
            && writes.iter().any(|words| has(item, words))
    })
}

fn items(definition: &str) -> Vec<Item<'_>> {
    let Ok(tokens) = tokens(Engine::Mariadb, definition) else { return Vec::new() };
    let mut tokens = tokens.into_iter().filter(|token| token.kind != Kind::Gap);
    let mut found = Vec::new();
    if tokens.find(|token| token.is_symbol("(")).is_none() {
        return found;
    }
    let (mut depth, mut current) = (1_usize, Vec::new());
    for token in tokens {
        if token.is_symbol("(") {
            depth = depth.saturating_add(1);
        } else if token.is_symbol(")") {
            depth = depth.saturating_sub(1);
        }
        if depth == 0 || (depth == 1 && token.is_symbol(",")) {
            found.push(std::mem::take(&mut current));
        } else {
            current.push(token);
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// Columns begin with a quoted name, constraints and keys with a word.
fn is_column(item: &[Token<'_>], column: &str) -> bool {
    item.first().is_some_and(|first| first.kind == Kind::QuotedName && is(first, column))
}

fn mentions(item: &[Token<'_>], column: &str) -> bool {
    item.iter().any(|token| is(token, column))
}

fn is(token: &Token<'_>, column: &str) -> bool {
    token.name(Engine::Mariadb).is_some_and(|name| name.eq_ignore_ascii_case(column))
}

fn has(item: &[Token<'_>], words: &[&str]) -> bool {
    item.windows(words.len().max(1)).any(|window| window.iter().zip(words).all(|(token, word)| token.is_word(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "CREATE TABLE `t` (\n  `id` int(11) NOT NULL AUTO_INCREMENT,\n  `a` varchar(80) NOT NULL DEFAULT 'on update check (`b`)',\n  \
        `b` text DEFAULT NULL COMMENT 'it\\'s, (',\n  `c` timestamp NOT NULL DEFAULT current_timestamp() ON UPDATE current_timestamp(),\n  \
        `d` varchar(9) GENERATED ALWAYS AS (left(`b`,9)) VIRTUAL,\n  `e` int(11) DEFAULT NULL CHECK (`e` > 0),\n  `f` int(11) DEFAULT NULL,\n  `g` int(11) DEFAULT NULL,\n  \
        PRIMARY KEY (`id`),\n  KEY `a` (`a`,`b`(10)),\n  CONSTRAINT `k` FOREIGN KEY (`f`) REFERENCES `u` (`g`) ON DELETE SET NULL,\n  \
        CONSTRAINT `l` FOREIGN KEY (`g`) REFERENCES `u` (`f`) ON DELETE CASCADE\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4";

    #[test]
    fn what_stands_in_the_way_of_a_mapping_is_found() {
        let rows = [
            ("id", "numbered"),
            ("a", ""),
            ("b", "generated column `d`"),
            ("c", "ON UPDATE"),
            ("E", "CHECK"),
            ("f", ""),
        ];
        for (column, want) in rows {
            let found = unmappable(TABLE, column).map(|(why, _)| why).unwrap_or_default();
            assert_eq!(found.is_empty(), want.is_empty(), "{column}: {found}");
            assert!(found.contains(want), "{column}: {found}");
        }
        assert!(is_numbered(TABLE, "ID") && !is_numbered(TABLE, "a"));
    }

    #[test]
    fn a_foreign_key_that_writes_rows_is_told_from_one_that_deletes_them() {
        assert!(is_cascaded(TABLE, "f"));
        assert!(!is_cascaded(TABLE, "g") && !is_cascaded(TABLE, "a"));
        assert!(!is_cascaded("", "f") && unmappable("CREATE VIEW", "a").is_none());
    }
}
