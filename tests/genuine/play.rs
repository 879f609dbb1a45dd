//! Starts a program, waits for its end and keeps what it said.

use std::{fmt, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::Command,
};

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
    play_watching(command, limit, |_| {}).await
}

/// The same, and `watch` sees each line of the log when it comes.
pub(crate) async fn play_watching(command: &mut Command, limit: Duration, mut watch: impl FnMut(&str)) -> Played {
    let program = command.as_std().get_program().to_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()));
    let (mut stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let mut played = Played { code: None, out: String::new(), err: String::new() };
    let Played { code, out, err } = &mut played;
    let log = async {
        let mut lines = BufReader::new(stderr).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            watch(&line);
            err.push_str(&line);
            err.push('\n');
        }
    };
    let end = async { tokio::join!(child.wait(), stdout.read_to_string(out), log) };
    let (status, read, ()) = tokio::time::timeout(limit, end)
        .await
        .unwrap_or_else(|_| panic!("{} took longer than {limit:?}", program.display()));
    *code = status.unwrap().code();
    read.unwrap();
    played
}
