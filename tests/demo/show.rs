//! What the demo prints: headings, events with the seconds since the start, and tables. Colour where a terminal is.

use std::{
    fmt::Display,
    io::{IsTerminal, Write},
    time::Instant,
};

use anstyle::{AnsiColor, Style};

/// Writes to the terminal, and knows whether it is one.
#[derive(Debug)]
pub(crate) struct Show {
    began: Instant,
    colour: bool,
}

/// How an event is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It goes on.
    Plain,
    /// Somebody waits or is refused.
    Held,
    /// Somebody may go on.
    Good,
    /// Something was lost.
    Bad,
}

impl Tone {
    const fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Held => AnsiColor::Yellow.on_default(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
        }
    }
}

impl Show {
    /// Begins at `began`.
    pub(crate) fn new(began: Instant) -> Self {
        Self { began, colour: std::io::stdout().is_terminal() }
    }

    /// A heading.
    pub(crate) fn heading(&self, text: impl Display) {
        self.write(format_args!("\n{}\n", self.painted(Style::new().bold(), text)));
    }

    /// One event.
    pub(crate) fn event(&self, tone: Tone, who: &str, what: impl Display) {
        let seconds = self.began.elapsed().as_secs_f64();
        let who = self.painted(Style::new().dimmed(), format_args!("{who:<10}"));
        self.write(format_args!("{seconds:>6.1} s  {who} {}\n", self.painted(tone.style(), what)));
    }

    /// Text as it is, indented.
    pub(crate) fn block(&self, text: &str) {
        for line in text.lines() {
            self.write(format_args!("            {}\n", self.painted(Style::new().dimmed(), line)));
        }
    }

    /// One line as it is: the result lines that programs read.
    pub(crate) fn result(&self, line: impl Display) {
        self.write(format_args!("{line}\n"));
    }

    fn painted(&self, style: Style, text: impl Display) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_string() }
    }

    fn write(&self, text: std::fmt::Arguments<'_>) {
        let mut out = std::io::stdout().lock();
        // A reader that went away is no reason to stop in the middle of the story.
        let _ = out.write_fmt(text).and_then(|()| out.flush());
    }
}
