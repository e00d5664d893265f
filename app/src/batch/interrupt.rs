//! SIGINT and SIGTERM: the first is noted, the second ends the process at once.
//!
//! Others keep their meaning: SIGHUP of a closed terminal ends the run (or does not, under `nohup`), and the checkpoints of
//! the last seconds are there to resume from.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Which signal asked for the end.
#[derive(Debug, Default)]
pub(super) struct Interrupt {
    signal: Arc<AtomicUsize>,
    registered: Vec<SigId>,
}

impl Interrupt {
    /// Listens to the process' signals until it is dropped. A signal that cannot be listened to keeps its meaning.
    pub(super) fn listen() -> Self {
        let mut interrupt = Self::default();
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: a signal that finds the flag set is the second one.
            let registered = [
                flag::register_conditional_shutdown(signal, 128 + signal, asked.clone()),
                flag::register(signal, asked.clone()),
                flag::register_usize(signal, interrupt.signal.clone(), signal as usize),
            ];
            interrupt.registered.extend(registered.into_iter().flatten());
        }
        interrupt
    }

    /// The signal that came, if one did.
    pub(super) fn signal(&self) -> Option<u8> {
        u8::try_from(self.signal.load(Ordering::SeqCst)).ok().filter(|signal| *signal > 0)
    }

    /// One that acts as if `signal` had come, or will when the flag is set.
    #[cfg(test)]
    pub(super) fn with(signal: Arc<AtomicUsize>) -> Self {
        Self { signal, registered: Vec::new() }
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            low_level::unregister(id);
        }
    }
}
