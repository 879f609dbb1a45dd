//! What the process tells whoever started it: three numbers that a Job's podFailurePolicy is written against.

/// How `phasegate run` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// Done, blocked or superseded: this Job is complete.
    Done,
    /// Something that may pass stood in the way, or a signal came: start it again.
    TryAgain,
    /// It never will, until somebody changes something.
    Never,
}

impl Exit {
    /// Every way to end.
    pub const ALL: [Self; 3] = [Self::Done, Self::TryAgain, Self::Never];

    /// The exit code. 75 and 78 are EX_TEMPFAIL and EX_CONFIG of sysexits.h.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::TryAgain => 75,
            Self::Never => 78,
        }
    }

    /// The word used in the summary and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::TryAgain => "try again",
            Self::Never => "never will",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_that_rendered_jobs_rely_on() {
        assert_eq!(Exit::ALL.map(Exit::code), [0, 75, 78]);
    }

    #[test]
    fn the_worse_of_two_ends_is_the_greater() {
        assert_eq!(Exit::Done.max(Exit::TryAgain).max(Exit::Never), Exit::Never);
    }
}
