//! The files of another commit, asked of the `git` command: what `--base` compares with.

use std::{
    ffi::OsStr,
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
    thread,
};

use super::{Checkout, Limits, is_excluded, is_hidden, is_wanted};
use crate::problem::Problem;

/// The files below `directory` as they were in the commit `reference`.
pub(crate) fn read_commit(
    directory: &Path,
    reference: &str,
    exclude: &[String],
    limits: Limits,
) -> Result<Checkout, Vec<Problem>> {
    read(directory, reference, exclude, limits).map_err(|problem| vec![problem])
}

fn read(directory: &Path, reference: &str, exclude: &[String], limits: Limits) -> Result<Checkout, Problem> {
    // Resolved first and alone, so that nothing a user writes can be taken for an option or a path.
    let commit = git(
        directory,
        reference,
        ["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{reference}^{{commit}}")],
    )
    .map_err(|mut problem| {
        if problem.message.ends_with(": ") {
            problem.message = "there is no such commit".to_owned();
            problem.remedy =
                "name a branch, a tag or a commit; in CI, fetch it first (a shallow clone lacks it)".to_owned();
        }
        problem
    })?;
    let commit = String::from_utf8_lossy(&commit).trim().to_owned();
    let listed = git(directory, reference, ["ls-tree", "-r", "-z", "-l", &commit, "--", "."])?;
    let listed = String::from_utf8(listed)
        .map_err(|_| Problem::new(place(reference), "it holds a file name that is not UTF-8", "rename the file"))?;
    let mut wanted = Vec::new();
    let mut total: u64 = 0;
    for (index, line) in listed.split_terminator('\0').enumerate() {
        if index >= limits.entries {
            let message = format!("there are more than {} files", limits.entries);
            return Err(Problem::new(place(reference), message, "run it in the folder that holds phasegate.yaml"));
        }
        let Some(Entry { object, bytes, path }) = Entry::read(line) else { continue };
        if path.split('/').any(is_hidden) || is_excluded(path, exclude) || !is_wanted(path) {
            continue;
        }
        total = total.saturating_add(bytes);
        if bytes > limits.file_bytes || total > limits.total_bytes {
            let message = format!("{path} makes it more than is read ({bytes} bytes)");
            return Err(Problem::new(place(reference), message, "list it in the parameter exclude"));
        }
        wanted.push((object.to_owned(), path.to_owned()));
    }
    contents(directory, reference, &wanted)
}

fn place(reference: &str) -> String {
    format!("--base {}", reference.chars().take(80).collect::<String>())
}

struct Entry<'a> {
    object: &'a str,
    bytes: u64,
    path: &'a str,
}

impl<'a> Entry<'a> {
    /// `100644 blob <object> <bytes>\t<path>`; links and submodules are no entries.
    fn read(line: &'a str) -> Option<Self> {
        let (about, path) = line.split_once('\t')?;
        let mut about = about.split_ascii_whitespace();
        let (mode, kind, object, bytes) = (about.next()?, about.next()?, about.next()?, about.next()?);
        (kind == "blob" && mode.starts_with("100")).then_some(())?;
        Some(Self { object, bytes: bytes.parse().ok()?, path })
    }
}

/// Asks one `git cat-file` for all of them.
fn contents(directory: &Path, reference: &str, wanted: &[(String, String)]) -> Result<Checkout, Problem> {
    let failed = |why: &str| Problem::new(place(reference), format!("git cat-file: {why}"), "check the repository");
    let mut child = command(directory, ["cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(&error.kind().to_string()))?;
    let questions: String = wanted.iter().map(|(object, _)| format!("{object}\n")).collect();
    let stdin = child.stdin.take();
    // Written beside the reading: both pipes are finite.
    let asking = thread::spawn(move || stdin.map(|mut pipe| pipe.write_all(questions.as_bytes())));
    let mut answers = Vec::new();
    let read = child.stdout.take().map(|mut pipe| pipe.read_to_end(&mut answers));
    let status = child.wait().map_err(|error| failed(&error.kind().to_string()))?;
    let asked = asking.join().ok().flatten();
    if !status.success() || !matches!(read, Some(Ok(_))) || !matches!(asked, Some(Ok(()))) {
        return Err(failed("it failed"));
    }
    let mut checkout = Checkout::default();
    let mut rest = answers.as_slice();
    for (_, path) in wanted {
        let (text, after) = next_answer(rest).ok_or_else(|| failed("its answer is cut short"))?;
        let text = String::from_utf8(text.to_vec())
            .map_err(|_| Problem::new(place(reference), format!("{path} is not UTF-8 text"), "save it as UTF-8"))?;
        checkout.files.insert(path.clone(), text);
        rest = after;
    }
    Ok(checkout)
}

/// `<object> blob <bytes>\n<content>\n`, and what follows.
fn next_answer(answers: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = answers.iter().position(|byte| *byte == b'\n')?;
    let (header, rest) = answers.split_at_checked(end)?;
    let length: usize = std::str::from_utf8(header).ok()?.rsplit(' ').next()?.parse().ok()?;
    let (content, rest) = rest.get(1..)?.split_at_checked(length)?;
    Some((content, rest.get(1..)?))
}

fn git<const N: usize>(directory: &Path, reference: &str, args: [&str; N]) -> Result<Vec<u8>, Problem> {
    let output = command(directory, args).stdin(Stdio::null()).output().map_err(|error| {
        let message = format!("cannot run git: {}", error.kind());
        Problem::new(place(reference), message, "install git, or leave --base away")
    })?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect::<String>();
    let verb = args.first().copied().unwrap_or_default();
    Err(Problem::new(place(reference), format!("git {verb}: {said}"), "run it inside the Git repository"))
}

fn command<const N: usize>(directory: &Path, args: [&str; N]) -> Command {
    let mut command = Command::new("git");
    command
        .arg("--no-pager")
        .arg("-C")
        .arg(OsStr::new(directory))
        .args(args)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        .stdout(Stdio::piped());
    command
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn run(directory: &Path, args: &[&str]) {
        let mut git = Command::new("git");
        git.arg("-C").arg(directory).args(["-c", "user.name=t", "-c", "user.email=t@example.org"]).args(args);
        assert!(git.output().unwrap().status.success(), "{args:?}");
    }

    fn repository() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("app/changes")).unwrap();
        fs::write(dir.path().join("app/phasegate.yaml"), "one\n").unwrap();
        fs::write(dir.path().join("app/changes/0001.sql"), "").unwrap();
        fs::write(dir.path().join("other.yaml"), "no\n").unwrap();
        run(dir.path(), &["init", "-q"]);
        run(dir.path(), &["add", "."]);
        run(dir.path(), &["commit", "-q", "-m", "one"]);
        fs::write(dir.path().join("app/phasegate.yaml"), "two\n").unwrap();
        dir
    }

    #[test]
    fn the_files_below_the_folder_are_as_they_were_in_the_commit() {
        let dir = repository();
        let checkout = read_commit(&dir.path().join("app"), "HEAD", &[], Limits::USUAL).unwrap();
        let files: Vec<(&str, &str)> = checkout.files.iter().map(|(path, text)| (&**path, &**text)).collect();
        assert_eq!(files, [("changes/0001.sql", ""), ("phasegate.yaml", "one\n")]);
    }

    #[test]
    fn a_reference_is_never_an_option_and_an_unknown_one_is_said_to_be_unknown() {
        let dir = repository();
        for bad in ["nowhere", "--output=/tmp/x", "-h", "", "HEAD:app"] {
            let problems = read_commit(dir.path(), bad, &[], Limits::USUAL).unwrap_err();
            let message = problems[0].to_string();
            assert!(
                message.contains("there is no such commit") || message.contains("git rev-parse"),
                "{bad}: {message}"
            );
        }
        let outside = tempfile::tempdir().unwrap();
        assert!(read_commit(outside.path(), "HEAD", &[], Limits::USUAL).is_err());
    }
}
