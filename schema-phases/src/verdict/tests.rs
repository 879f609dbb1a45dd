//! Every combination of the first rule.

use super::*;
