//! SIGTERM and SIGINT as a flag that the run looks at between statements.

use tokio::sync::watch;

/// Whether somebody asked this process to leave. Clones share the flag.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// Sets the flag of one [`Stop`].
#[derive(Debug)]
pub struct StopSender(watch::Sender<bool>);

impl StopSender {
    /// Asks to leave.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// A flag and what sets it.
    pub fn pair() -> (StopSender, Self) {
        let (sender, receiver) = watch::channel(false);
        (StopSender(sender), Self(receiver))
    }

    /// Whether the flag is set.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once the flag is set; never when nobody is left who could set it.
    pub async fn wait(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|set| *set).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Sleeps, and returns early once the flag is set.
    pub async fn sleep(&self, duration: std::time::Duration) {
        tokio::select! {
            () = tokio::time::sleep(duration) => {}
            () = self.wait() => {}
        }
    }
}

/// A flag that SIGTERM and SIGINT set.
///
/// # Errors
/// When the process may not listen for signals.
pub fn on_signals() -> std::io::Result<Stop> {
    use tokio::signal::unix::{SignalKind, signal};
    let (sender, stop) = Stop::pair();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        sender.stop();
        // The sender must outlive the run: a flag nobody can set any more is waited for in vain.
        std::future::pending::<()>().await;
    });
    Ok(stop)
}
