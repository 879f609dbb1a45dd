//! What differs between engines: quoting, placeholders, the shape of statements.

use crate::Engine;

/// The name, quoted for `engine`. A dot separates schema and table, each quoted: no name of ours contains one.
pub fn quote(engine: Engine, name: &str) -> String {
    let mark = match engine {
        Engine::Postgres | Engine::Sqlite => '"',
        Engine::Mysql | Engine::Mariadb => '`',
    };
    let mut quoted = String::with_capacity(name.len().saturating_add(2));
    for (index, part) in name.split('.').enumerate() {
        if index > 0 {
            quoted.push('.');
        }
        quoted.push(mark);
        for c in part.chars() {
            if c == mark {
                quoted.push(mark);
            }
            quoted.push(c);
        }
        quoted.push(mark);
    }
    quoted
}

/// The placeholder of the `n`th bound value, counted from 1.
pub fn placeholder(engine: Engine, n: usize) -> String {
    match engine {
        Engine::Postgres => format!("${n}"),
        Engine::Sqlite => format!("?{n}"),
        Engine::Mysql | Engine::Mariadb => "?".to_owned(),
    }
}
