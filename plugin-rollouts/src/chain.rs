//! An error and its causes in one line: said once, where it is finally reported.

use std::error::Error;

/// The whole chain, cut to what a message can carry.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let told = cause.to_string();
        // Drivers like to repeat their cause in their own text.
        if !text.contains(&told) {
            text.push_str(": ");
            text.push_str(&told);
        }
        source = cause.source();
    }
    text.chars().take(300).collect()
}
