//! The protocol of design section 1 for the model checker: runners, gates, the Rollouts controller, kubelet, Git and
//! people, one step of any of them at a time, in every order.
//!
//! Every decision is asked of the very functions that run in production (`judge`, `may_move`, `recover`, `next_move`,
//! `currency`); only the world around them is modelled. What a version can live with is stated a second time in plain
//! numbers, and the properties use only those. The page `docs/decisions/0001` says what is and what is not modelled.

mod action;
mod deployment;
mod explore;
mod git;
mod guards;
mod live;
mod loose;
mod packed;
mod pods;
mod properties;
mod rollout;
mod rules;
mod runner;
mod scenario;
mod scenarios;
mod system;
mod tests;
mod world;
