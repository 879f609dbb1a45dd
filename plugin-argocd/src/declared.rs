//! `Declared`: what the files of one commit declare. Pure: text in, plans and manifests out.

use std::collections::{BTreeMap, BTreeSet};

use schema_changes::Plan;

use crate::{
    checkout::Checkout,
    manifest::{Manifest, ManifestFile, kustomization, workload},
    params::AppManifests,
    problem::{Problem, join},
};

/// The plans and the app's manifests of one commit.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Declared {
    pub(crate) plans: Vec<DeclaredPlan>,
    pub(crate) files: Vec<ManifestFile>,
}

/// One database's plan, and the folder it lies in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DeclaredPlan {
    /// Empty for the folder that was read itself.
    pub(crate) folder: String,
    pub(crate) plan: Plan,
}

const DATABASE_FILE: &str = "phasegate.yaml";

impl Declared {
    pub(crate) fn manifests(&self) -> Vec<&Manifest> {
        self.files.iter().flat_map(|file| &file.manifests).collect()
    }

    pub(crate) fn versions(&self) -> Vec<workload::Version<'_>> {
        workload::versions(&self.manifests())
    }
}

impl DeclaredPlan {
    /// The path of one of its files, below the folder that was read.
    pub(crate) fn path(&self, file: &str) -> String {
        join(&self.folder, file)
    }

    /// The path of the file that declares the database.
    pub(crate) fn database_file(&self) -> String {
        self.path(DATABASE_FILE)
    }
}

/// Reads the files of one commit.
///
/// # Errors
/// Everything that is wrong with any of them.
pub(crate) fn declared(checkout: &Checkout, manifests: AppManifests) -> Result<Declared, Vec<Problem>> {
    let (declared, problems) = what_can_be_read(checkout, manifests);
    if problems.is_empty() { Ok(declared) } else { Err(problems) }
}

/// The same of a commit that is past: what cannot be read there nobody can correct any more.
pub(crate) fn what_can_be_read(checkout: &Checkout, manifests: AppManifests) -> (Declared, Vec<Problem>) {
    let mut problems = misspelt(checkout);
    let folders = folders(checkout);
    let mut declared = Declared::default();
    let mut ours = BTreeSet::new();
    for folder in &folders {
        let files = files_of(folder, &folders, checkout);
        ours.extend(files.keys().filter(|path| path.starts_with("changes/")).map(|path| join(folder, path)));
        ours.insert(join(folder, DATABASE_FILE));
        match Plan::read(&files) {
            Ok(plan) => {
                ours.extend(plan.files.keys().map(|path| join(folder, path)));
                declared.plans.push(DeclaredPlan { folder: folder.clone(), plan });
            }
            Err(errors) => problems.extend(errors.into_iter().map(|error| Problem::in_plan(folder, error))),
        }
    }
    problems.extend(declared_twice(&declared.plans));
    if manifests == AppManifests::PassThrough {
        for (path, text) in &checkout.files {
            let yaml = path.ends_with(".yaml") || path.ends_with(".yml");
            if !yaml || ours.contains(path) {
                continue;
            }
            if matches!(base_name(path), "kustomization.yaml" | "kustomization.yml") {
                problems.push(kustomization(path));
                continue;
            }
            match ManifestFile::read(path, text) {
                Ok(file) => declared.files.extend(file),
                Err(problem) => problems.push(problem),
            }
        }
    }
    (declared, problems)
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The folders with a `phasegate.yaml`; the outermost may be the empty path.
fn folders(checkout: &Checkout) -> BTreeSet<String> {
    checkout
        .files
        .keys()
        .filter_map(|path| match path.strip_suffix(DATABASE_FILE)? {
            "" => Some(String::new()),
            folder => folder.strip_suffix('/').map(str::to_owned),
        })
        .collect()
}

/// `phasegate.yml` would be passed through as a manifest, and no Job would ever run.
fn misspelt(checkout: &Checkout) -> Vec<Problem> {
    let wrong = checkout.files.keys().filter(|path| base_name(path) == "phasegate.yml");
    wrong.map(|path| Problem::new(path, "the file of a Database is called phasegate.yaml", "rename it")).collect()
}

/// The files below a folder, by path relative to it, without those of plans in folders of it.
fn files_of(folder: &str, folders: &BTreeSet<String>, checkout: &Checkout) -> BTreeMap<String, String> {
    let below = |path: &str, folder: &str| -> Option<String> {
        if folder.is_empty() {
            Some(path.to_owned())
        } else {
            path.strip_prefix(folder)?.strip_prefix('/').map(str::to_owned)
        }
    };
    let inner: Vec<&String> =
        folders.iter().filter(|other| other.as_str() != folder && below(other, folder).is_some()).collect();
    checkout
        .files
        .iter()
        .filter(|(path, _)| inner.iter().all(|other| below(path, other).is_none()))
        .filter_map(|(path, text)| Some((below(path, folder)?, text.clone())))
        .collect()
}

fn declared_twice(plans: &[DeclaredPlan]) -> Vec<Problem> {
    let mut first: BTreeMap<&str, &DeclaredPlan> = BTreeMap::new();
    let mut problems = Vec::new();
    for plan in plans {
        let name = plan.plan.database.name.as_str();
        if let Some(other) = first.get(name) {
            problems.push(Problem::new(
                plan.database_file(),
                format!("the database {name} is declared in {} too", other.database_file()),
                "rename one, or move its changes into the other",
            ));
        } else {
            first.insert(name, plan);
        }
    }
    problems
}
