//! Single cases that random writes do not reach: names, keys, rights, other triggers, other refactorings.
