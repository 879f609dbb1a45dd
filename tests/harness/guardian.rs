//! A server that ends with the test process, however that ends.
//!
//! It is the child of a small shell that waits for the end of its own input and then stops the server and removes its
//! files. The other end of that input belongs to the test process.

use std::{
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

/// Stops the server and removes its files as soon as nobody holds the other end of the input.
const GUARDIAN: &str = r#"dir=$1; signal=$2; shift 2; "$@" >"$dir/log" 2>&1 & server=$!
cat >/dev/null; kill "-$signal" "$server" 2>/dev/null; wait "$server" 2>/dev/null; rm -rf "$dir""#;

/// A server under guard. Dropping it stops the server and removes its directory.
#[derive(Debug)]
pub(crate) struct Guarded {
    guardian: Child,
    input: Option<ChildStdin>,
}

/// Starts `server`, whose output goes to `log` in `directory`, and which is ended by `signal` (a name without SIG).
///
/// # Errors
/// The shell cannot be started.
pub(crate) fn guard(server: &Command, directory: &Path, signal: &str) -> io::Result<Guarded> {
    let mut guardian = Command::new("sh");
    guardian.args(["-c", GUARDIAN, "guardian"]).arg(directory).arg(signal);
    guardian.arg(server.get_program()).args(server.get_args());
    // A group of its own: Ctrl-C ends the tests, and the guardian must outlive them.
    let mut guardian = guardian.current_dir("/").stdin(Stdio::piped()).process_group(0).spawn()?;
    let input = guardian.stdin.take();
    Ok(Guarded { guardian, input })
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.input.take());
        self.guardian.wait().ok();
    }
}
