//! What a user gave: `ARGOCD_APP_PARAMETERS` as Argo CD writes it, and `--set` on a laptop.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Parameter, TABLE, table::Shape, unknown_parameter};
use crate::problem::Problem;

/// One value in one of the three shapes Argo CD knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    Text(String),
    List(Vec<String>),
    Map(BTreeMap<String, String>),
}

const PLACE: &str = "ARGOCD_APP_PARAMETERS";

/// Argo CD's dialect: `spec.source.plugin.parameters` as JSON (pkg/apis/application/v1alpha1, Environ).
#[derive(Deserialize)]
struct ArgoParameter {
    name: String,
    #[serde(default)]
    string: Option<String>,
    #[serde(default)]
    array: Option<Vec<String>>,
    #[serde(default)]
    map: Option<BTreeMap<String, String>>,
}

/// Reads what Argo CD hands over; nothing, `null` and `[]` are all no parameters.
pub(crate) fn from_argo(json: &str) -> Result<BTreeMap<String, Given>, Vec<Problem>> {
    if json.trim().is_empty() {
        return Ok(BTreeMap::new());
    }
    let listed: Option<Vec<ArgoParameter>> = serde_json::from_str(json).map_err(|error| {
        // The error's own text can quote a value: say only where it is.
        let message = format!("it is no JSON list of parameters (column {})", error.column());
        vec![Problem::new(PLACE, message, "write spec.source.plugin.parameters as Argo CD documents them")]
    })?;
    let mut given = BTreeMap::new();
    let mut problems = Vec::new();
    for ArgoParameter { name, string, array, map } in listed.unwrap_or_default() {
        let value = match (string, array, map) {
            (Some(text), None, None) => Given::Text(text),
            (None, Some(list), None) => Given::List(list),
            (None, None, Some(map)) => Given::Map(map),
            (None, None, None) => {
                problems.push(bad(&name, "it has no value", "give it a string, an array or a map, or remove it"));
                continue;
            }
            _ => {
                problems.push(bad(&name, "it has several values", "keep one of string, array and map"));
                continue;
            }
        };
        if given.insert(name.clone(), value).is_some() {
            problems.push(bad(&name, "it is given twice", "keep one"));
        }
    }
    if problems.is_empty() { Ok(given) } else { Err(problems) }
}

fn bad(name: &str, message: &str, remedy: &str) -> Problem {
    Problem::new(format!("parameter {}", name.chars().take(80).collect::<String>()), message, remedy)
}

/// Adds `NAME=VALUE` of each `--set` to what is given; a flag wins.
pub(crate) fn add_flags(given: &mut BTreeMap<String, Given>, flags: &[String]) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    for flag in flags {
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        match TABLE.iter().find(|row| row.name == name).map(|row| from_flag(row, value)) {
            Some(Ok(value)) => {
                given.insert(name.to_owned(), value);
            }
            Some(Err(why)) => problems.push(bad(name, &why, "write --set NAME=KEY=VALUE,KEY=VALUE")),
            None => problems.push(unknown_parameter(name)),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// One value in a flag: lists and maps are separated by commas.
pub(crate) fn from_flag(row: &Parameter, value: &str) -> Result<Given, String> {
    let items = || value.split(',').map(str::trim).filter(|item| !item.is_empty());
    Ok(match row.default.shape() {
        Shape::Text => Given::Text(value.to_owned()),
        Shape::List => Given::List(items().map(str::to_owned).collect()),
        Shape::Map => {
            let pair = |item: &str| {
                let (key, value) = item.split_once('=').ok_or_else(|| format!("`{item}` has no ="))?;
                Ok((key.to_owned(), value.to_owned()))
            };
            Given::Map(items().map(pair).collect::<Result<_, String>>()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_wins_over_what_argo_cd_gives() {
        let mut given = from_argo(r#"[{"name":"image","string":"a"},{"name":"schedule","string":"@hourly"}]"#).unwrap();
        add_flags(&mut given, &["image=b".into(), "pod-labels=x=1,y=2".into(), "tolerations=a, b".into()]).unwrap();
        assert_eq!(given["image"], Given::Text("b".into()));
        assert_eq!(given["schedule"], Given::Text("@hourly".into()));
        assert_eq!(given["pod-labels"], Given::Map([("x".into(), "1".into()), ("y".into(), "2".into())].into()));
        assert_eq!(given["tolerations"], Given::List(vec!["a".into(), "b".into()]));
        for bad in ["imag=b", "pod-labels=x"] {
            assert!(add_flags(&mut given, &[bad.into()]).is_err(), "{bad}");
        }
    }
}
