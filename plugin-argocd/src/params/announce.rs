//! The announcement Argo CD asks for: a JSON list that its UI makes a form of.

use serde::Serialize;

use super::{Given, Parameter, TABLE, table::Shape};

/// Argo CD's dialect: `repository.ParameterAnnouncement`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Announcement {
    name: &'static str,
    title: &'static str,
    tooltip: &'static str,
    collection_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    string: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    array: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    map: Option<std::collections::BTreeMap<String, String>>,
}

/// The announcement of every parameter, as JSON with a line feed at its end.
///
/// # Errors
/// None that can happen: the table is text.
pub(crate) fn announcement() -> serde_json::Result<Vec<u8>> {
    let all: Vec<Announcement> = TABLE.iter().map(announce).collect();
    let mut json = serde_json::to_vec_pretty(&all)?;
    json.push(b'\n');
    Ok(json)
}

fn announce(row: &Parameter) -> Announcement {
    let collection_type = match row.default.shape() {
        Shape::Text => "string",
        Shape::List => "array",
        Shape::Map => "map",
    };
    let (string, array, map) = match row.default.to_given() {
        Given::Text(text) => (Some(text), None, None),
        Given::List(list) => (None, Some(list), None),
        Given::Map(map) => (None, None, Some(map)),
    };
    Announcement { name: row.name, title: row.title, tooltip: row.tooltip, collection_type, string, array, map }
}
