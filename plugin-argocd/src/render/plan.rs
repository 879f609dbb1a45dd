//! The plan's files in ConfigMaps: each below the limit, immutable, named by what it holds.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, ConfigMapProjection, KeyToPath};

use super::{
    Ask,
    labels::{labels, metadata},
    naming,
};
use crate::problem::Problem;

/// Bytes of one ConfigMap's files. Client-side apply keeps a JSON copy of the object in an annotation, and annotations
/// may have 256 KiB: that copy is what is measured.
const LIMIT: usize = 200 * 1024;

/// One ConfigMap and which file each of its keys is.
pub(super) struct Part {
    pub(super) config_map: ConfigMap,
    pub(super) projection: ConfigMapProjection,
}

/// Cuts the plan into parts, in the order of the files' names.
///
/// # Errors
/// Every file that is too long for one ConfigMap.
pub(super) fn parts(ask: &Ask<'_>) -> Result<Vec<Part>, Vec<Problem>> {
    let files = &ask.declared.plan.files;
    let too_long: Vec<Problem> = files
        .iter()
        .filter(|(path, text)| size(path, text) > LIMIT)
        .map(|(path, text)| {
            Problem::new(
                ask.declared.path(path),
                format!("it has {} bytes, and a file of a plan travels in a ConfigMap of {LIMIT} at most", text.len()),
                "split it; load data with a backfill or outside of Phasegate, not with statements",
            )
        })
        .collect();
    if !too_long.is_empty() {
        return Err(too_long);
    }
    let mut groups: Vec<BTreeMap<&str, &str>> = Vec::new();
    let mut used = LIMIT;
    for (path, text) in files {
        let more = size(path, text);
        if used + more > LIMIT {
            groups.push(BTreeMap::new());
            used = 0;
        }
        used += more;
        if let Some(group) = groups.last_mut() {
            group.insert(path, text);
        }
    }
    groups.iter().map(|group| part(ask, group)).collect()
}

fn part(ask: &Ask<'_>, files: &BTreeMap<&str, &str>) -> Result<Part, Vec<Problem>> {
    let mut data: BTreeMap<String, String> = BTreeMap::new();
    let mut items = Vec::new();
    for (path, text) in files {
        let key = key(path, &data);
        items.push(KeyToPath { key: key.clone(), path: (*path).to_owned(), mode: None });
        data.insert(key, (*text).to_owned());
    }
    let digest = naming::digest(&data).map_err(|error| {
        vec![Problem::new(ask.declared.database_file(), format!("cannot write the plan: {error}"), "report this")]
    })?;
    let name = naming::plan_part(&ask.declared.plan.database.name, &digest);
    // No label of the plan: the same content may be part of the next plan, and keeps its name.
    let metadata = metadata(ask, name.clone(), labels(ask));
    Ok(Part {
        config_map: ConfigMap { metadata, data: Some(data), immutable: Some(true), ..ConfigMap::default() },
        projection: ConfigMapProjection { name, items: Some(items), optional: None },
    })
}

/// A key has no slash; the volume puts the file back where it was.
fn key(path: &str, taken: &BTreeMap<String, String>) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
    let stem: String = path.replace('/', "--").chars().map(plain).take(230).collect();
    let mut key = stem.clone();
    let mut number = 1;
    while taken.contains_key(&key) {
        number += 1;
        key = format!("{stem}.{number}");
    }
    key
}

/// Bytes of a file in the JSON that Go writes, which escapes more than it must.
fn size(path: &str, text: &str) -> usize {
    let written = |c: char| match c {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => 6,
        other => other.len_utf8(),
    };
    path.len() + text.chars().map(written).sum::<usize>() + 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_no_slash_and_never_meet() {
        let mut taken = BTreeMap::new();
        for path in ["changes/a.yaml", "changes--a.yaml", "changes/ä b.sql", "changes/ö b.sql", &"x/".repeat(300)] {
            let key = key(path, &taken);
            assert!(key.len() <= 253 && !taken.contains_key(&key), "{key}");
            assert!(key.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)), "{key}");
            taken.insert(key, String::new());
        }
    }

    #[test]
    fn size_is_what_the_last_applied_annotation_takes() {
        assert_eq!(size("", "abc") - size("", ""), 3);
        assert_eq!(size("", "a\n\"") - size("", ""), 5);
        assert_eq!(size("", "<ü") - size("", ""), 8);
    }
}
