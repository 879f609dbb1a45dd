//! Starts a program, waits for its end and keeps what it said.

use std::{fmt, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::process::Command;

/// What a program said, and how it ended.
pub(crate) struct Played {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Played {
    /// What follows `word` on the first line that begins with it.
    pub(crate) fn line(&self, word: &str) -> Option<&str> {
        self.out.lines().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '))
    }

    /// The JSON of the `answer` line.
    pub(crate) fn answer(&self) -> Value {
        let line = self.line("answer").unwrap_or_else(|| panic!("no answer: {self}"));
        serde_json::from_str(line).unwrap()
    }
}

impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<&str> = self.err.lines().collect();
        let last = lines[lines.len().saturating_sub(30)..].join("\n");
        write!(f, "exit code {:?}\n{}\nthe end of its log:\n{last}", self.code, self.out)
    }
}

/// Runs it, and kills it after `limit`. The drivers take what they started with them.
pub(crate) async fn play(command: &mut Command, limit: Duration) -> Played {
    let program = command.as_std().get_program().to_owned();
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(limit, command.output())
        .await
        .unwrap_or_else(|_| panic!("{} took longer than {limit:?}", program.display()))
        .unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Played { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}
