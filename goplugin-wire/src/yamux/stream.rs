//! One yamux stream: what waits in either direction, and the windows that bound it.

use std::collections::VecDeque;

/// What either side may send before the other grants more; yamux fixes it.
pub(crate) const WINDOW: u32 = 256 * 1024;

#[derive(Debug)]
pub(crate) struct Stream {
    /// Received and not yet read. INVARIANT: `inbox + may_receive + consumed == WINDOW`.
    inbox: Vec<u8>,
    may_receive: u32,
    consumed: u32,
    outbox: VecDeque<u8>,
    may_send: u32,
    local: Local,
    remote_finished: bool,
}

/// Our half of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Local {
    Open,
    /// FIN goes out behind what is still in the outbox.
    Finishing,
    Finished,
}

impl Stream {
    pub(crate) fn new() -> Self {
        Self {
            inbox: Vec::new(),
            may_receive: WINDOW,
            consumed: 0,
            outbox: VecDeque::new(),
            may_send: WINDOW,
            local: Local::Open,
            remote_finished: false,
        }
    }

    /// How many bytes the peer may still send.
    pub(crate) const fn may_receive(&self) -> u32 {
        self.may_receive
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.may_receive = self.may_receive.saturating_sub(bytes.len() as u32);
        self.inbox.extend_from_slice(bytes);
    }

    /// Everything received so far, and the window to grant for it, if it is worth a frame.
    pub(crate) fn read(&mut self) -> (Vec<u8>, Option<u32>) {
        let bytes = std::mem::take(&mut self.inbox);
        self.consumed += bytes.len() as u32;
        // Half a window, as Go's yamux waits for.
        if self.consumed < WINDOW / 2 || self.remote_finished {
            return (bytes, None);
        }
        let grant = std::mem::take(&mut self.consumed);
        self.may_receive += grant;
        (bytes, Some(grant))
    }

    /// Takes a grant of the peer's; false if the sum is absurd.
    pub(crate) fn grant(&mut self, bytes: u32) -> bool {
        self.may_send.checked_add(bytes).map(|sum| self.may_send = sum).is_some()
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if self.local == Local::Open {
            self.outbox.extend(bytes);
        }
    }

    pub(crate) fn unsent(&self) -> usize {
        self.outbox.len()
    }

    /// The next payload to send, at most `longest` bytes of it.
    pub(crate) fn next_payload(&mut self, longest: usize) -> Option<Vec<u8>> {
        let length = self.outbox.len().min(longest).min(self.may_send as usize);
        if length == 0 {
            return None;
        }
        self.may_send -= length as u32;
        Some(self.outbox.drain(..length).collect())
    }

    pub(crate) fn has_output(&self) -> bool {
        let payload = !self.outbox.is_empty() && self.may_send != 0;
        payload || (self.local == Local::Finishing && self.outbox.is_empty())
    }

    pub(crate) fn finish(&mut self) {
        if self.local == Local::Open {
            self.local = Local::Finishing;
        }
    }

    /// Whether FIN is to be sent now; it is said once.
    pub(crate) fn take_fin(&mut self) -> bool {
        let due = self.local == Local::Finishing && self.outbox.is_empty();
        if due {
            self.local = Local::Finished;
        }
        due
    }

    pub(crate) const fn finish_remotely(&mut self) {
        self.remote_finished = true;
    }

    pub(crate) const fn remote_finished(&self) -> bool {
        self.remote_finished
    }

    /// Both halves are over and nothing waits to be read.
    pub(crate) fn is_over(&self) -> bool {
        self.remote_finished && self.local == Local::Finished && self.inbox.is_empty()
    }
}
