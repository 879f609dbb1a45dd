//! The files of one commit, as text. This folder is the only place that reads: a directory here, a commit in `git.rs`.
//!
//! Bounded in entries and bytes, follows no link out of the repository, and says so when it leaves something unread
//! that could matter: half a checkout would render half an output, and Argo CD prunes what is missing.

pub(crate) mod git;

use std::{
    collections::BTreeMap,
    fs::{self, Metadata},
    io::{self, Read as _},
    path::{Component, Path, PathBuf},
};

use crate::problem::{Problem, join};

/// How much is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Files and directories looked at.
    pub(crate) entries: usize,
    /// Bytes of one file.
    pub(crate) file_bytes: u64,
    /// Bytes of all files.
    pub(crate) total_bytes: u64,
    /// Directories within directories.
    pub(crate) depth: usize,
}

impl Limits {
    /// What no repository of manifests comes near.
    pub(crate) const USUAL: Self = Self { entries: 10_000, file_bytes: 8 << 20, total_bytes: 64 << 20, depth: 32 };
}

/// The files that may be declarations, by their path below the directory, with `/` between its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checkout {
    pub(crate) files: BTreeMap<String, String>,
}

/// Whether a file of this path is read: YAML, SQL, and whatever else lies in a folder `changes`.
pub(crate) fn is_wanted(path: &str) -> bool {
    let known = [".yaml", ".yml", ".sql"].iter().any(|ending| path.ends_with(ending));
    known || path.split('/').rev().skip(1).any(|folder| folder == "changes")
}

/// Hidden files and folders (`.git`, `.github`, `.yamllint.yaml`) belong to tools.
pub(crate) fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

/// Reads what lies below `directory`, leaving out the paths in `exclude`. `place` is where the directory lies in its
/// repository, if somebody knows.
pub(crate) fn read_directory(
    directory: &Path,
    place: Option<&Path>,
    exclude: &[String],
    limits: Limits,
) -> Result<Checkout, Vec<Problem>> {
    let root = fs::canonicalize(directory).map_err(|error| {
        vec![Problem::new(
            directory.display().to_string(),
            format!("cannot open the folder: {}", error.kind()),
            "name a folder that exists",
        )]
    })?;
    let mut walk = Walk {
        repository: repository(&root, place),
        root,
        exclude,
        limits,
        seen: 0,
        bytes: 0,
        checkout: Checkout::default(),
        problems: Vec::new(),
    };
    let finished = walk.directory("", 0);
    if let Err(problem) = finished {
        walk.problems.push(problem);
    }
    if walk.problems.is_empty() { Ok(walk.checkout) } else { Err(walk.problems) }
}

/// How far links may lead: the folder that holds `.git`, or what `place` leaves of the path (Argo CD may send a
/// checkout without `.git`), or the directory itself. `root` is canonical, so what it ends with cannot be pretended.
fn repository(root: &Path, place: Option<&Path>) -> PathBuf {
    if let Some(found) = root.ancestors().find(|folder| folder.join(".git").exists()) {
        return found.to_owned();
    }
    let plain = |place: &&Path| place.components().all(|part| matches!(part, Component::Normal(_)));
    let below = place.filter(plain).filter(|place| root.ends_with(place)).map_or(0, |place| place.components().count());
    root.ancestors().nth(below).unwrap_or(root).to_owned()
}

struct Walk<'a> {
    root: PathBuf,
    repository: PathBuf,
    exclude: &'a [String],
    limits: Limits,
    seen: usize,
    bytes: u64,
    checkout: Checkout,
    problems: Vec<Problem>,
}

impl Walk<'_> {
    /// An `Err` ends the walk; what concerns one file only is collected.
    fn directory(&mut self, below: &str, depth: usize) -> Result<(), Problem> {
        if depth > self.limits.depth {
            return Err(Problem::new(
                below,
                format!("folders are nested more than {} deep", self.limits.depth),
                "point the Application's path at the folder that holds phasegate.yaml",
            ));
        }
        let unreadable = |error: &io::Error| {
            Problem::new(below, format!("cannot list the folder: {}", error.kind()), "make it readable")
        };
        for entry in fs::read_dir(self.root.join(below)).map_err(|error| unreadable(&error))? {
            let entry = entry.map_err(|error| unreadable(&error))?;
            self.seen += 1;
            if self.seen > self.limits.entries {
                return Err(Problem::new(
                    below,
                    format!("there are more than {} files and folders", self.limits.entries),
                    "point the Application's path at the folder that holds phasegate.yaml, or list what to leave out \
                     in the parameter exclude",
                ));
            }
            let Ok(name) = entry.file_name().into_string() else {
                self.problems.push(Problem::new(
                    join(below, &entry.file_name().to_string_lossy()),
                    "the name is not UTF-8",
                    "rename it",
                ));
                continue;
            };
            let path = join(below, &name);
            if is_hidden(&name) || is_excluded(&path, self.exclude) {
                continue;
            }
            match fs::symlink_metadata(entry.path()) {
                Ok(metadata) if metadata.is_dir() => self.directory(&path, depth + 1)?,
                Ok(metadata) if metadata.is_symlink() => self.link(&path)?,
                Ok(metadata) if is_wanted(&path) => self.file(&path, &self.root.join(&path), &metadata)?,
                Ok(_) => {}
                Err(error) => self.unreadable(&path, &error),
            }
        }
        Ok(())
    }

    fn link(&mut self, path: &str) -> Result<(), Problem> {
        let target = match fs::canonicalize(self.root.join(path)) {
            Ok(target) => target,
            Err(error) if is_wanted(path) => {
                self.unreadable(path, &error);
                return Ok(());
            }
            Err(_) => return Ok(()),
        };
        match fs::metadata(&target) {
            Ok(metadata) if metadata.is_dir() => self.problems.push(Problem::new(
                path,
                "it is a link to a folder, and links are followed to files only",
                "replace it by the folder, or list it in the parameter exclude",
            )),
            Ok(_) if !is_wanted(path) => {}
            Ok(_) if !self.is_reachable(&target) => self.problems.push(Problem::new(
                path,
                "it is a link that leaves the repository",
                "replace it by the file, or list it in the parameter exclude",
            )),
            Ok(metadata) => self.file(path, &target, &metadata)?,
            Err(error) => self.unreadable(path, &error),
        }
        Ok(())
    }

    /// Files of the repository; not Git's own, which may hold a credential.
    fn is_reachable(&self, target: &Path) -> bool {
        let inside = target.strip_prefix(&self.repository);
        inside.is_ok_and(|inside| inside.components().all(|part| part.as_os_str() != ".git"))
    }

    fn file(&mut self, path: &str, real: &Path, metadata: &Metadata) -> Result<(), Problem> {
        if !metadata.is_file() {
            // A named pipe would be read for ever.
            self.problems.push(Problem::new(
                path,
                "it is no regular file",
                "remove it, or list it in the parameter exclude",
            ));
            return Ok(());
        }
        let too_long = || {
            let message = format!("it is longer than {} bytes", self.limits.file_bytes);
            Problem::new(path, message, "split it, or list it in the parameter exclude")
        };
        if metadata.len() > self.limits.file_bytes {
            self.problems.push(too_long());
            return Ok(());
        }
        let mut bytes = Vec::new();
        let read = fs::File::open(real)
            .and_then(|file| file.take(self.limits.file_bytes.saturating_add(1)).read_to_end(&mut bytes));
        let length = match read {
            Ok(length) => u64::try_from(length).unwrap_or(u64::MAX),
            Err(error) => {
                self.unreadable(path, &error);
                return Ok(());
            }
        };
        if length > self.limits.file_bytes {
            self.problems.push(too_long());
            return Ok(());
        }
        self.bytes = self.bytes.saturating_add(length);
        if self.bytes > self.limits.total_bytes {
            return Err(Problem::new(
                path,
                format!("the files read so far have more than {} bytes", self.limits.total_bytes),
                "point the Application's path at the folder that holds phasegate.yaml, or list what to leave out in \
                 the parameter exclude",
            ));
        }
        match String::from_utf8(bytes) {
            Ok(text) => {
                self.checkout.files.insert(path.to_owned(), text);
            }
            Err(_) => self.problems.push(Problem::new(path, "it is not UTF-8 text", "save it as UTF-8")),
        }
        Ok(())
    }

    fn unreadable(&mut self, path: &str, error: &io::Error) {
        self.problems.push(Problem::new(path, format!("cannot read it: {}", error.kind()), "make it readable"));
    }
}

/// Whether `path` is one of the excluded paths or lies below one.
pub(crate) fn is_excluded(path: &str, exclude: &[String]) -> bool {
    exclude.iter().map(|prefix| prefix.trim_start_matches("./").trim_end_matches('/')).any(|prefix| {
        path.strip_prefix(prefix).is_some_and(|rest| !prefix.is_empty() && (rest.is_empty() || rest.starts_with('/')))
    })
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, process::Command};

    use super::*;

    fn read(directory: &Path) -> Result<Checkout, Vec<String>> {
        read_within(directory, Limits::USUAL)
    }

    fn read_within(directory: &Path, limits: Limits) -> Result<Checkout, Vec<String>> {
        read_directory(directory, None, &[], limits)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    fn only(result: Result<Checkout, Vec<String>>) -> String {
        let problems = result.unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0].clone()
    }

    #[test]
    fn reads_declarations_and_leaves_tools_and_other_files_alone() {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("phasegate.yaml", "a"),
            ("db/changes/0001.yaml", "b"),
            ("db/changes/notes.md", "c"),
            ("db/sql/x.sql", "d"),
            ("README.md", "no"),
            (".git/config.yaml", "no"),
            (".github/workflows/ci.yaml", "no"),
        ] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let names: Vec<String> = read(dir.path()).unwrap().files.into_keys().collect();
        assert_eq!(names, ["db/changes/0001.yaml", "db/changes/notes.md", "db/sql/x.sql", "phasegate.yaml"]);
        let some = read_directory(dir.path(), None, &["./db/changes/".into(), "phase".into()], Limits::USUAL).unwrap();
        assert_eq!(some.files.into_keys().collect::<Vec<_>>(), ["db/sql/x.sql", "phasegate.yaml"]);
    }

    #[test]
    fn a_link_to_a_file_is_read_and_one_to_elsewhere_or_to_a_folder_is_an_error() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("passwd.yaml"), "root: x").unwrap();
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.yaml"), "kind: A").unwrap();
        symlink("a.yaml", dir.path().join("b.yaml")).unwrap();
        assert_eq!(read(dir.path()).unwrap().files["b.yaml"], "kind: A");

        symlink(outside.path().join("passwd.yaml"), dir.path().join("c.yaml")).unwrap();
        let message = only(read(dir.path()));
        assert!(message.starts_with("c.yaml: it is a link that leaves the repository; "), "{message}");
        fs::remove_file(dir.path().join("c.yaml")).unwrap();

        symlink(outside.path(), dir.path().join("more")).unwrap();
        assert!(only(read(dir.path())).starts_with("more: it is a link to a folder"));
        fs::remove_file(dir.path().join("more")).unwrap();

        symlink(".", dir.path().join("loop")).unwrap();
        assert!(only(read(dir.path())).starts_with("loop: it is a link to a folder"));
        fs::remove_file(dir.path().join("loop")).unwrap();

        symlink("nowhere.yaml", dir.path().join("d.yaml")).unwrap();
        assert!(only(read(dir.path())).starts_with("d.yaml: cannot read it"));
    }

    #[test]
    fn links_lead_as_far_as_the_repository_and_not_into_what_git_keeps_there() {
        let dir = tempfile::tempdir().unwrap();
        let app = dir.path().join("teams/shop");
        fs::create_dir_all(&app).unwrap();
        fs::write(dir.path().join("base.yaml"), "kind: Base").unwrap();
        symlink("../../base.yaml", app.join("a.yaml")).unwrap();
        let read = |place: Option<&str>| {
            let read = read_directory(&app, place.map(Path::new), &[], Limits::USUAL);
            read.map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        for unknown in [None, Some("shop"), Some("other/shop"), Some("."), Some(""), Some("teams/../teams/shop")] {
            assert!(only(read(unknown)).starts_with("a.yaml: it is a link that leaves the repository"), "{unknown:?}");
        }
        assert_eq!(read(Some("teams/shop")).unwrap().files["a.yaml"], "kind: Base");
        fs::create_dir(dir.path().join(".git")).unwrap();
        assert_eq!(read(None).unwrap().files["a.yaml"], "kind: Base");

        fs::write(dir.path().join(".git/config"), "url: https://user:secret@example.com").unwrap();
        symlink("../../.git/config", app.join("b.yaml")).unwrap();
        let message = only(read(None));
        assert!(message.starts_with("b.yaml: it is a link that leaves the repository; "), "{message}");
    }

    #[test]
    fn ten_thousand_files_are_too_many_and_the_message_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("many")).unwrap();
        for number in 0..10_000 {
            fs::write(dir.path().join(format!("many/{number}.txt")), "").unwrap();
        }
        let message = only(read(dir.path()));
        assert!(message.starts_with("many: there are more than 10000 files and folders; point the App"), "{message}");
    }

    #[test]
    fn every_limit_is_held() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("1/2/3")).unwrap();
        fs::write(dir.path().join("1/a.yaml"), "12345").unwrap();
        fs::write(dir.path().join("1/b.yaml"), "12345").unwrap();
        let limits = Limits { entries: 100, file_bytes: 5, total_bytes: 10, depth: 3 };
        assert!(read_within(dir.path(), limits).is_ok());
        assert!(only(read_within(dir.path(), Limits { total_bytes: 9, ..limits })).contains("more than 9 bytes"));
        assert!(only(read_within(dir.path(), Limits { depth: 2, ..limits })).contains("nested more than 2 deep"));
        let both = read_within(dir.path(), Limits { file_bytes: 4, ..limits }).unwrap_err();
        assert_eq!(both.len(), 2, "both files are named: {both:?}");
    }

    #[test]
    fn what_is_no_text_or_no_file_is_named_and_a_pipe_is_never_opened() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("latin.yaml"), b"name: M\xfcller").unwrap();
        assert_eq!(only(read(dir.path())), "latin.yaml: it is not UTF-8 text; save it as UTF-8");
        fs::remove_file(dir.path().join("latin.yaml")).unwrap();
        let made = Command::new("mkfifo").arg(dir.path().join("pipe.yaml")).status().unwrap();
        assert!(made.success());
        // In a thread of its own: who opens the pipe waits for ever, and the test must fail instead.
        let (told, heard) = std::sync::mpsc::channel();
        let path = dir.path().to_owned();
        std::thread::spawn(move || told.send(only(read(&path))));
        let message = heard.recv_timeout(std::time::Duration::from_secs(20)).expect("the pipe was opened");
        assert!(message.starts_with("pipe.yaml: it is no regular file"));
        assert!(only(read(&dir.path().join("absent"))).contains("cannot open the folder"));
    }
}
