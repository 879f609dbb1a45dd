//! One read for all who wait. A gate with a thousand questions reads twice and not a thousand times: whoever waits while
//! a read is under way takes the answer of the next one, never of that one, because it began before the question.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};

use crate::Reading;

/// The one connection of a reader, and its last answer.
pub(crate) struct Turns<C> {
    clock: AtomicU64,
    slot: Mutex<Slot<C>>,
}

struct Slot<C> {
    connection: Option<C>,
    last: Option<(u64, Reading)>,
}

/// What a caller gets who has waited for its turn.
pub(crate) enum Turn<'a, C> {
    /// An answer that somebody else asked for, after this caller came.
    Answered(Reading),
    /// The connection.
    Mine(Mine<'a, C>),
}

/// The connection, as long as nobody else has it. What is not put back is closed: a read given up half-way must leave
/// no half-read connection behind.
pub(crate) struct Mine<'a, C> {
    slot: MutexGuard<'a, Slot<C>>,
    began: u64,
}

impl<C> Turns<C> {
    pub(crate) fn new() -> Self {
        Self { clock: AtomicU64::new(0), slot: Mutex::new(Slot { connection: None, last: None }) }
    }

    /// Waits for a turn.
    pub(crate) async fn next(&self) -> Turn<'_, C> {
        let came = self.clock.fetch_add(1, Ordering::SeqCst);
        let slot = self.slot.lock().await;
        match &slot.last {
            Some((began, reading)) if *began > came => Turn::Answered(reading.clone()),
            Some(_) | None => Turn::Mine(Mine { slot, began: self.clock.fetch_add(1, Ordering::SeqCst) }),
        }
    }
}

impl<C> Mine<'_, C> {
    pub(crate) fn take(&mut self) -> Option<C> {
        self.slot.connection.take()
    }

    pub(crate) fn put_back(&mut self, connection: C) {
        self.slot.connection = Some(connection);
    }

    /// Leaves an answer for those who came before this turn began.
    pub(crate) fn answer(&mut self, reading: &Reading) {
        self.slot.last = Some((self.began, reading.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_serves_those_who_came_before_it_was_asked_for_and_nobody_else() {
        let turns = Turns::<()>::new();
        let Turn::Mine(mut first) = turns.next().await else { panic!("nobody was there") };
        // Two come while the first read is under way: it may show what was before them.
        let (second, third) = (turns.next(), turns.next());
        tokio::pin!(second, third);
        assert!(futures_now(&mut second).is_none() && futures_now(&mut third).is_none());
        first.answer(&Reading::NotBegun);
        drop(first);
        let Turn::Mine(mut second) = second.await else { panic!("the first read is too old for the second caller") };
        second.answer(&Reading::NotBegun);
        drop(second);
        assert!(
            matches!(third.await, Turn::Answered(Reading::NotBegun)),
            "the second read is new enough for the third"
        );
        assert!(matches!(turns.next().await, Turn::Mine(_)), "and too old for whoever comes now");
    }

    #[tokio::test]
    async fn a_turn_that_failed_answers_nobody_and_keeps_no_connection() {
        let turns = Turns::<u8>::new();
        let Turn::Mine(mut mine) = turns.next().await else { panic!("nobody was there") };
        mine.put_back(7);
        drop(mine);
        let Turn::Mine(mut mine) = turns.next().await else { panic!("nothing was answered") };
        assert_eq!(mine.take(), Some(7));
        drop(mine);
        let Turn::Mine(mut mine) = turns.next().await else { panic!("nothing was answered") };
        assert_eq!(mine.take(), None);
    }

    /// What it gives without waiting.
    fn futures_now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}
