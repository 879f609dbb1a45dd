//! What every ledger must do, whatever it is kept in. Each function is one behaviour; [`crate::ledger_conformance`]
//! makes a test of each for one kind of bench.
//!
//! Public and free of panics, because the suite is run from other crates too: the engines' tests start real servers.

mod backfill;
mod bench;
mod change;
mod golden;
mod refusal;
mod writers;

pub use backfill::{
    a_backfill_goes_on_range_by_range, a_batch_leaves_nothing_when_it_fails, a_pause_is_seen_by_everybody,
    a_takeover_fences_batches_off, a_takeover_waits_for_a_batch, batches_of_one_runner_do_not_wait_for_each_other,
};
pub use bench::{Bench, Broken, Cell as Column, Tamper, Tampered};
pub use change::{
    a_change_goes_all_the_way, a_conflict_leaves_nothing, a_failed_statement_leaves_nothing,
    a_first_takeover_makes_the_ledger, a_statement_may_not_leave_the_transaction, an_empty_database_has_not_begun,
    strange_values_come_back_as_they_were, touched_rows_are_counted,
};
pub use golden::{a_ledger_of_format_1_is_brought_forward, a_ledger_of_format_2_still_reads, write_golden};
pub use refusal::{
    a_damaged_ledger_names_the_table, another_format_is_refused_in_both_directions,
    another_server_is_for_the_runner_to_take_over, artefacts_without_a_ledger_are_never_not_begun,
};
pub use writers::{
    a_given_up_commit_leaves_nothing, a_held_table_is_not_waited_for, a_takeover_waits_for_the_transaction_before,
    an_older_generation_is_fenced_off, no_answer_is_older_than_its_question, one_session_has_the_lock,
    readers_do_not_wait_for_writers, two_first_takeovers_make_one_ledger,
};

/// Makes one test of each behaviour. `$bench` is an expression that makes a bench anew, asynchronously:
/// `ledger_conformance!(MemoryBench::new())`.
#[macro_export]
macro_rules! ledger_conformance {
    ($bench:expr) => {
        $crate::ledger_conformance! { @each $bench =>
            an_empty_database_has_not_begun
            a_first_takeover_makes_the_ledger
            a_change_goes_all_the_way
            strange_values_come_back_as_they_were
            a_conflict_leaves_nothing
            a_failed_statement_leaves_nothing
            a_statement_may_not_leave_the_transaction
            touched_rows_are_counted
            one_session_has_the_lock
            an_older_generation_is_fenced_off
            a_takeover_waits_for_the_transaction_before
            two_first_takeovers_make_one_ledger
            a_given_up_commit_leaves_nothing
            a_held_table_is_not_waited_for
            readers_do_not_wait_for_writers
            no_answer_is_older_than_its_question
            another_format_is_refused_in_both_directions
            artefacts_without_a_ledger_are_never_not_begun
            another_server_is_for_the_runner_to_take_over
            a_damaged_ledger_names_the_table
            a_ledger_of_format_1_is_brought_forward
            a_ledger_of_format_2_still_reads
            a_backfill_goes_on_range_by_range
            a_batch_leaves_nothing_when_it_fails
            batches_of_one_runner_do_not_wait_for_each_other
            a_takeover_fences_batches_off
            a_takeover_waits_for_a_batch
            a_pause_is_seen_by_everybody
        }
    };
    (@each $bench:expr => $($behaviour:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                let bench = $bench.await;
                if let Err(broken) = $crate::conformance::$behaviour(&bench).await {
                    panic!("{broken}");
                }
            }
        )*
    };
}
