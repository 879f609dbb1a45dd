//! What the renderer's ConfigMap `phasegate-<database>` says, read and checked. Pure.

use std::collections::BTreeMap;

use schema_changes::IntegrityQuery;
use schema_phases::{BadDigest, PlanDigest};
use serde::{Deserialize, de::DeserializeOwned};

/// The format this build reads.
const FORMAT: &str = "1";
/// Engines whose ledgers this build reads.
const ENGINES: [&str; 4] = ["postgres", "mysql", "mariadb", "sqlite"];

/// A database as the renderer declared it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its engine.
    pub engine: String,
    /// The Secret with the gate's URL, in the same namespace.
    pub secret: String,
    /// The key in that Secret.
    pub key: String,
    /// The plan that Git wants.
    pub wanted: Option<PlanDigest>,
    /// Namespaces besides its own that may ask.
    pub namespaces: Vec<String>,
    /// Queries that say whether the data is whole.
    pub integrity: Vec<IntegrityQuery>,
    /// Copies that the apps read from.
    pub replicas: Vec<DeclaredReplica>,
}

/// A copy of the database, and the Secret with the gate's URL of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DeclaredReplica {
    /// What people call it.
    pub name: String,
    /// The Secret, in the same namespace.
    pub secret: String,
    /// The key in that Secret.
    pub key: String,
}

/// One entry of the key `integrity`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenQuery {
    name: String,
    query: String,
    at_most: Option<u64>,
}

/// More than the renderer lets anybody declare.
const MOST: usize = 64;

/// The ConfigMap is not one that this build can read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDeclaration {
    /// A key is absent.
    #[error("it has no key `{key}`; sync the Application that renders it")]
    NoKey {
        /// The key.
        key: &'static str,
    },
    /// It was rendered in another format.
    #[error("it has format {found} and this gate reads format {FORMAT}; use one version of Phasegate for both")]
    Format {
        /// The format found.
        found: String,
    },
    /// It is about another database.
    #[error("it declares the database `{found}`; rename one of the two")]
    OtherDatabase {
        /// The database it declares.
        found: String,
    },
    /// There is no ledger for the engine.
    #[error("its engine is {found}, and this gate reads the ledgers of {} only; use a newer Phasegate", ENGINES.join(", "))]
    Engine {
        /// The engine.
        found: String,
    },
    /// A list is none.
    #[error("its `{key}` cannot be read; sync the Application that renders it")]
    List {
        /// The key.
        key: &'static str,
    },
    /// The digest is none.
    #[error("its `wanted-digest` cannot be read: {0}; sync the Application that renders it")]
    Digest(BadDigest),
}

/// Reads the data of a ConfigMap.
///
/// # Errors
/// [`BadDeclaration`], which names the key and the remedy.
pub fn read(database: &str, data: &BTreeMap<String, String>) -> Result<Declared, BadDeclaration> {
    let key = |key: &'static str| data.get(key).map(String::as_str).ok_or(BadDeclaration::NoKey { key });
    let short = |text: &str| text.chars().take(80).collect::<String>();
    let format = key("format")?;
    if format != FORMAT {
        return Err(BadDeclaration::Format { found: short(format) });
    }
    let declared = key("database")?;
    if declared != database {
        return Err(BadDeclaration::OtherDatabase { found: short(declared) });
    }
    let engine = key("engine")?;
    if !ENGINES.contains(&engine) {
        return Err(BadDeclaration::Engine { found: short(engine) });
    }
    Ok(Declared {
        engine: engine.to_owned(),
        secret: key("gate-secret")?.to_owned(),
        key: key("gate-key")?.to_owned(),
        wanted: data.get("wanted-digest").map(|digest| digest.parse()).transpose().map_err(BadDeclaration::Digest)?,
        namespaces: data.get("namespaces").map(|list| names(list)).unwrap_or_default(),
        integrity: list::<WrittenQuery>(data, "integrity")?
            .into_iter()
            .map(|WrittenQuery { name, query, at_most }| IntegrityQuery { name, query, at_most })
            .collect(),
        replicas: list(data, "replicas")?,
    })
}

/// A list in JSON; absent means empty.
fn list<T: DeserializeOwned>(data: &BTreeMap<String, String>, key: &'static str) -> Result<Vec<T>, BadDeclaration> {
    let Some(text) = data.get(key) else { return Ok(Vec::new()) };
    let list: Vec<T> = serde_json::from_str(text).map_err(|_| BadDeclaration::List { key })?;
    if list.len() > MOST { Err(BadDeclaration::List { key }) } else { Ok(list) }
}

fn names(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Whether the text can name a namespace, a ConfigMap or a Secret: it goes into the path of an API request.
pub fn is_object_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=253).contains(&text.len())
        && text.chars().all(inner)
        && text.starts_with(ends)
        && text.ends_with(ends)
        && !text.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(changes: &[(&str, Option<&str>)]) -> BTreeMap<String, String> {
        let digest = "a".repeat(64);
        let mut data: BTreeMap<String, String> = [
            ("format", "1"),
            ("database", "customers"),
            ("engine", "postgres"),
            ("gate-secret", "customers-reader"),
            ("gate-key", "url"),
            ("wanted-digest", digest.as_str()),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        for (key, value) in changes {
            match value {
                Some(value) => data.insert((*key).to_owned(), (*value).to_owned()),
                None => data.remove(*key),
            };
        }
        data
    }

    #[test]
    fn a_rendered_config_map_is_read() {
        let declared = read("customers", &data(&[("namespaces", Some(" web, shop ,,"))])).unwrap();
        assert_eq!((declared.secret.as_str(), declared.key.as_str()), ("customers-reader", "url"));
        assert_eq!(declared.wanted, "a".repeat(64).parse().ok());
        assert_eq!(declared.namespaces, ["web", "shop"]);
        let bare = read("customers", &data(&[("wanted-digest", None), ("more", Some("later"))])).unwrap();
        assert_eq!((bare.wanted, bare.namespaces.len()), (None, 0));
        assert_eq!((bare.integrity.len(), bare.replicas.len()), (0, 0));
        let integrity = r#"[{"name":"orphans","query":"SELECT 1","atMost":3},{"name":"b","query":"c","later":1}]"#;
        let replicas = r#"[{"name":"reports","secret":"customers-replica","key":"url"}]"#;
        let full = read("customers", &data(&[("integrity", Some(integrity)), ("replicas", Some(replicas))])).unwrap();
        assert_eq!(full.integrity.iter().map(|query| query.at_most).collect::<Vec<_>>(), [Some(3), None]);
        assert_eq!(full.replicas[0].secret, "customers-replica");
    }

    #[test]
    fn anything_else_is_refused_with_the_key_and_the_remedy() {
        let rows: [(&str, Option<&str>, &str); 11] = [
            ("format", None, "no key `format`; sync"),
            ("format", Some("2"), "format 2 and this gate reads format 1"),
            ("database", Some("orders"), "declares the database `orders`"),
            ("database", None, "no key `database`"),
            (
                "engine",
                Some("oracle"),
                "its engine is oracle, and this gate reads the ledgers of postgres, mysql, mariadb, sqlite only",
            ),
            ("engine", None, "no key `engine`"),
            ("gate-secret", None, "no key `gate-secret`"),
            ("integrity", Some("SELECT 1"), "its `integrity` cannot be read; sync"),
            ("replicas", Some(r#"[{"name":"a"}]"#), "its `replicas` cannot be read; sync"),
            ("gate-key", None, "no key `gate-key`"),
            ("wanted-digest", Some("abc"), "64 lower-case hexadecimal digits"),
        ];
        for (key, value, want) in rows {
            let told = read("customers", &data(&[(key, value)])).unwrap_err().to_string();
            assert!(told.contains(want), "{key}: {told}");
        }
    }

    #[test]
    fn nothing_but_a_name_goes_into_a_path() {
        for bad in ["", "../secrets", "a/b", "A", "-a", "a-", "a b", "a%2fb", "a?x", "a..b", ".", &"a".repeat(254)] {
            assert!(!is_object_name(bad), "{bad}");
        }
        for good in ["a", "shop-2", "a.b", "7"] {
            assert!(is_object_name(good), "{good}");
        }
    }
}
