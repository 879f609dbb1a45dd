//! Where the programs are that tests call: ours as `make static` leaves them, and the genuine counterparts of
//! `make counterparts`. One that is missing fails the test and says which of the two builds it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

/// Names another directory that holds our binaries, for a test of a debug build.
pub const DIRECTORY: &str = "PHASEGATE_BINARIES";

/// The target directory of the workspace.
#[derive(Clone, Debug)]
pub struct Target(PathBuf);

impl Target {
    /// The target directory, from the `CARGO_TARGET_TMPDIR` of an integration test.
    ///
    /// # Errors
    /// When that is no directory below another.
    pub fn around(tmpdir: &str) -> anyhow::Result<Self> {
        Ok(Self(Path::new(tmpdir).parent().context("CARGO_TARGET_TMPDIR has no parent")?.to_owned()))
    }

    /// Puts our binary `name` into the directory `into`, which stays as it is while others build.
    ///
    /// There is one rule for which build that is, and age plays no part in it: `$PHASEGATE_BINARIES/name` if that is
    /// set, else what `make static` left. `make test` builds that first.
    ///
    /// # Errors
    /// When it is not there.
    pub fn ours(&self, name: &str, into: &Path) -> anyhow::Result<PathBuf> {
        let built = match stated() {
            Some(directory) => directory.join(name),
            None => self.0.join(host()?).join("release").join(name),
        };
        if !built.is_file() {
            bail!("there is no {}; build it with `make static`, or set {DIRECTORY}", built.display());
        }
        let copy = into.join(name);
        // Another process's: a file this one has open for writing may leak into a child that a test beside this one
        // starts, and cannot be run then (ETXTBSY).
        let copied = Command::new("cp").arg("--preserve=mode").arg(&built).arg(&copy).status().context("run cp")?;
        if !copied.success() {
            bail!("cannot copy {} to {}: cp: {copied}", built.display(), copy.display());
        }
        Ok(copy)
    }

    /// The genuine counterpart `name`.
    ///
    /// # Errors
    /// When it is not there.
    pub fn counterpart(&self, name: &str) -> anyhow::Result<PathBuf> {
        let built = self.0.join("counterparts").join(name);
        if !built.is_file() {
            bail!("there is no {}; build it with `make counterparts`", built.display());
        }
        Ok(built)
    }

    /// The directory itself, for scripts that look for the counterparts by `CARGO_TARGET_DIR`.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where tests learn which build to call")]
fn stated() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// What `make static` builds for, asked of the same compiler.
fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("run rustc -vV")?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc -vV names no host")?;
    Ok(host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_names_the_make_target_that_builds_it() {
        let directory = tempfile::tempdir().unwrap();
        let target = Target::around(directory.path().join("tmp").to_str().unwrap()).unwrap();
        let said = target.counterpart("rollouts-driver-1.10.2").unwrap_err().to_string();
        assert!(said.ends_with("counterparts/rollouts-driver-1.10.2; build it with `make counterparts`"), "{said}");
        let said = target.ours("no-such-binary", directory.path()).unwrap_err().to_string();
        assert!(said.contains("/no-such-binary; build it with `make static`"), "{said}");
    }
}
