//! Copies this binary: an init container takes it from its image, which holds nothing else, into the controller's pod.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// What it is called where it is installed.
const NAME: &str = "phasegate-rollouts";

/// Why it was not installed.
#[derive(Debug, Error)]
pub enum InstallError {
    /// This binary cannot be read.
    #[error("cannot read this binary, `{}`", path.display())]
    Unreadable {
        /// Where it lies.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The folder takes no files.
    #[error("cannot write `{}`; give the user of this container a volume it may write there", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// Copies the program `binary` into `directory`, whole or not at all, for everyone to run, and says where it is.
///
/// # Errors
/// When the one cannot be read or the other not be written.
pub fn install(binary: &Path, directory: &Path) -> Result<PathBuf, InstallError> {
    let unreadable = |cause| InstallError::Unreadable { path: binary.to_owned(), cause };
    let mut from = File::open(binary).map_err(unreadable)?;
    let destination = directory.join(NAME);
    let part = directory.join(format!(".{NAME}.part"));
    let unwritable = |cause| InstallError::Unwritable { path: destination.clone(), cause };
    let written = write(&mut from, &part, &destination).map_err(unwritable);
    if written.is_err() {
        // What is left of it is nobody's; the error that counts is the first.
        let _ = fs::remove_file(&part);
    }
    written.map(|()| destination)
}

/// Beside, then renamed: a controller that starts meanwhile finds the old binary or the new one.
fn write(from: &mut File, part: &Path, destination: &Path) -> io::Result<()> {
    let mut to = File::create(part)?;
    io::copy(from, &mut to)?;
    // Whatever the umask: the controller may be another user.
    to.set_permissions(Permissions::from_mode(0o755))?;
    to.sync_all()?;
    fs::rename(part, destination)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lands_whole_and_anyone_may_run_it() {
        let directory = tempfile::tempdir().unwrap();
        let binary = directory.path().join("binary");
        fs::write(&binary, b"new").unwrap();
        let volume = directory.path().join("volume");
        fs::create_dir(&volume).unwrap();
        fs::write(volume.join(NAME), b"the one before").unwrap();
        let installed = install(&binary, &volume).unwrap();
        assert_eq!(fs::read(&installed).unwrap(), b"new");
        assert_eq!(fs::metadata(&installed).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::read_dir(&volume).unwrap().count(), 1, "nothing lies beside it");
    }

    #[test]
    fn what_is_missing_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let absent = directory.path().join("absent");
        let binary = directory.path().join("binary");
        fs::write(&binary, b"new").unwrap();
        assert!(
            matches!(install(&absent, directory.path()), Err(InstallError::Unreadable { path, .. }) if path == absent)
        );
        let error = install(&binary, &absent).unwrap_err();
        assert!(matches!(&error, InstallError::Unwritable { path, .. } if *path == absent.join(NAME)), "{error}");
    }
}
