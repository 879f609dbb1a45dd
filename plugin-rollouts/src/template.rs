//! `PodTemplate`: what Phasegate reads of a pod template, and what it calls the version that the template makes.

use std::collections::BTreeMap;

/// Labels under this prefix name the databases that a pod uses.
pub const DATABASE_LABEL: &str = "database.phasegate.dev/";
/// Annotations under this prefix say which schema changes it was built for.
pub const SUPPORTS_ANNOTATION: &str = "supports.phasegate.dev/";

/// Annotations under this prefix name the ConfigMaps with a version's own SQL.
pub const STATEMENTS_ANNOTATION: &str = "statements.phasegate.dev/";

/// Longer names are cut in messages; Docker allows 128 characters in a tag.
const LONGEST_NAME: usize = 48;

const LABELS: [&str; 1] = [DATABASE_LABEL];
const ANNOTATIONS: [&str; 2] = [SUPPORTS_ANNOTATION, STATEMENTS_ANNOTATION];
/// Characters of an image that are kept.
const LONGEST_IMAGE: usize = 1024;

/// The labels, annotations and image that count; whatever else a template holds is left behind where it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodTemplate {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    image: String,
}

impl PodTemplate {
    /// Keeps what counts.
    pub fn new<'a>(
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        annotations: impl IntoIterator<Item = (&'a str, &'a str)>,
        image: &str,
    ) -> Self {
        Self {
            labels: under(&LABELS, labels),
            annotations: under(&ANNOTATIONS, annotations),
            image: cut(image.to_owned()),
        }
    }

    /// The same of maps that are given away.
    pub fn of_maps(
        mut labels: BTreeMap<String, String>,
        mut annotations: BTreeMap<String, String>,
        image: String,
    ) -> Self {
        labels.retain(|key, _| counts(&LABELS, key));
        annotations.retain(|key, _| counts(&ANNOTATIONS, key));
        Self { labels, annotations, image: cut(image) }
    }

    /// The labels and annotations that count, and the image.
    pub fn into_maps(self) -> (BTreeMap<String, String>, BTreeMap<String, String>, String) {
        (self.labels, self.annotations, self.image)
    }

    /// The labels that count, whole.
    pub const fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// The annotations that count, whole.
    pub const fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }

    /// The image of the first container; empty when unknown.
    pub fn image(&self) -> &str {
        &self.image
    }

    /// The databases it uses, each with the namespace its label names; empty for the pod's own.
    pub fn databases(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.iter().filter_map(|(key, value)| Some((key.strip_prefix(DATABASE_LABEL)?, value.as_str())))
    }

    /// Whether it uses the database.
    pub fn uses(&self, database: &str) -> bool {
        self.databases().any(|(name, _)| name == database)
    }

    /// What it says it was built for, of one database; empty when it says nothing.
    pub fn supports(&self, database: &str) -> &str {
        self.annotations.get(&format!("{SUPPORTS_ANNOTATION}{database}")).map_or("", String::as_str)
    }

    /// The ConfigMap with the statements it uses of one database; none when it names none.
    pub fn statements(&self, database: &str) -> Option<&str> {
        self.annotations.get(&format!("{STATEMENTS_ANNOTATION}{database}")).map(|name| name.trim())
    }

    /// What people call this version: the tag of the image, else the pod template's hash.
    pub fn version_name(&self, pod_hash: &str) -> String {
        let name = self.tag().unwrap_or(pod_hash);
        if name.is_empty() { "the canary".to_owned() } else { name.chars().take(LONGEST_NAME).collect() }
    }

    fn tag(&self) -> Option<&str> {
        let without_digest = self.image.split_once('@').map_or(self.image.as_str(), |(image, _)| image);
        let last = without_digest.rsplit_once('/').map_or(without_digest, |(_, last)| last);
        last.split_once(':').map(|(_, tag)| tag).filter(|tag| !tag.is_empty())
    }
}

fn under<'a>(prefixes: &[&str], pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    let wanted = pairs.into_iter().filter(|(key, _)| counts(prefixes, key));
    wanted.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn counts(prefixes: &[&str], key: &str) -> bool {
    prefixes.iter().any(|prefix| key.starts_with(prefix))
}

fn cut(mut image: String) -> String {
    if let Some((end, _)) = image.char_indices().nth(LONGEST_IMAGE) {
        image.truncate(end);
    }
    image
}

/// The names of two versions, told apart by their hashes where the tags are the same (`latest`).
pub fn distinct_names(canary: (&PodTemplate, &str), stable: (&PodTemplate, &str)) -> (String, String) {
    let (mut one, mut other) = (canary.0.version_name(canary.1), stable.0.version_name(stable.1));
    if one == other && canary.1 != stable.1 {
        one = format!("{one} ({})", canary.1.chars().take(16).collect::<String>());
        other = format!("{other} ({})", stable.1.chars().take(16).collect::<String>());
    }
    (one, other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(image: &str) -> PodTemplate {
        PodTemplate::new([], [], image)
    }

    #[test]
    fn a_version_is_called_by_its_tag_else_by_its_hash() {
        let rows = [
            ("shop:v2", "v2"),
            ("ghcr.io/acme/shop:v2@sha256:aa", "v2"),
            ("registry:5000/shop", "7d4b9"),
            ("registry:5000/acme/shop:1.2.3", "1.2.3"),
            ("shop@sha256:aa", "7d4b9"),
            ("shop:", "7d4b9"),
            ("", "7d4b9"),
        ];
        for (found, name) in rows {
            assert_eq!(image(found).version_name("7d4b9"), name, "{found}");
        }
        assert_eq!(image("").version_name(""), "the canary");
        assert_eq!(image(&format!("shop:{}", "ü".repeat(500))).version_name("").chars().count(), LONGEST_NAME);
    }

    #[test]
    fn two_versions_of_one_tag_are_told_apart() {
        let latest = image("shop:latest");
        let names = distinct_names((&latest, "7d4b9"), (&latest, "66c5f"));
        assert_eq!(names, ("latest (7d4b9)".to_owned(), "latest (66c5f)".to_owned()));
        let names = distinct_names((&image("shop:v2"), "7d4b9"), (&latest, "66c5f"));
        assert_eq!(names, ("v2".to_owned(), "latest".to_owned()));
    }

    #[test]
    fn only_what_counts_is_kept() {
        let labels =
            [("app", "shop"), ("database.phasegate.dev/customers", ""), ("database.phasegate.dev/orders", "o")];
        let annotations = [
            ("prometheus.io/scrape", "true"),
            ("supports.phasegate.dev/customers", "split"),
            ("statements.phasegate.dev/orders", " shop-sql "),
        ];
        let template = PodTemplate::new(labels, annotations, "");
        assert_eq!(template.databases().collect::<Vec<_>>(), [("customers", ""), ("orders", "o")]);
        assert_eq!((template.labels().len(), template.annotations().len()), (2, 2));
        assert_eq!((template.statements("orders"), template.statements("customers")), (Some("shop-sql"), None));
        assert_eq!((template.supports("customers"), template.supports("orders")), ("split", ""));
        assert!(template.uses("orders") && !template.uses("order"));
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        assert_eq!(PodTemplate::of_maps(map(&labels), map(&annotations), String::new()), template);
        for image in ["ü".repeat(LONGEST_IMAGE), "ü".repeat(LONGEST_IMAGE + 1)] {
            assert_eq!(PodTemplate::new([], [], &image).image(), "ü".repeat(LONGEST_IMAGE));
        }
    }
}
