//! How much of a value is wanted. The rest of its bytes is walked over and not kept: a Rollout has hundreds of values, of
//! which a plugin may look at ten.

/// How much of a value is wanted.
///
/// What a list or a map is of, and what is in an interface, is wanted as much as they are. Text that nobody wants may be
/// anything, also no UTF-8.
#[derive(Debug)]
pub enum Interest {
    /// All of it.
    Whole,
    /// These fields of a struct, by their Go names; of any other value, all of it.
    Fields(&'static [(&'static str, Interest)]),
    /// None of it: it will be absent, as a zero value is.
    Nothing,
}

impl Interest {
    /// Whether any of it is wanted.
    pub(crate) const fn is_any(&self) -> bool {
        match self {
            Self::Whole | Self::Fields(_) => true,
            Self::Nothing => false,
        }
    }

    /// The most fields of a struct that are wanted, where that is known.
    pub(crate) const fn fields(&self) -> usize {
        match self {
            Self::Fields(fields) => fields.len(),
            Self::Whole | Self::Nothing => 0,
        }
    }

    /// How much is wanted of a field.
    pub(crate) fn of_field(&'static self, name: &str) -> &'static Self {
        match self {
            Self::Fields(fields) => {
                fields.iter().find(|(wanted, _)| *wanted == name).map_or(&Self::Nothing, |(_, interest)| interest)
            }
            Self::Whole | Self::Nothing => self,
        }
    }
}
