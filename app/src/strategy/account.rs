//! What an instance asked the services to do: FLOP of its products, and, while timed, how long the kernels took.
//!
//! What a call takes beside the kernels is the price of the boundary; `guesswork plugin bench` measures it so.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The running account of an instance.
#[derive(Debug, Default)]
pub(super) struct Account {
    flop: AtomicU64,
    kernels: AtomicU64,
    nanoseconds: AtomicU64,
    timed: AtomicBool,
}

/// Kernels that were run while timed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelTime {
    /// How many.
    pub count: u64,
    /// How long they took together, the reading of the clock included once each.
    pub time: Duration,
}

impl Account {
    /// Counts a product. Calls of an instance come one at a time: no other count can come between.
    #[inline]
    pub fn count(&self, flop: u64) {
        self.flop.store(self.flop.load(Ordering::Relaxed) + flop, Ordering::Relaxed);
    }

    /// FLOP so far.
    pub fn flop(&self) -> u64 {
        self.flop.load(Ordering::Relaxed)
    }

    /// Runs a kernel, against the clock while timed.
    #[inline]
    pub fn kernel<R>(&self, work: impl FnOnce() -> R) -> R {
        let start = self.timed.load(Ordering::Relaxed).then(Instant::now);
        let result = work();
        if let Some(start) = start {
            self.ran(start);
        }
        result
    }

    #[cold]
    fn ran(&self, start: Instant) {
        let nanoseconds = start.elapsed().as_nanos() as u64;
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        self.kernels.fetch_add(1, Ordering::Relaxed);
    }

    /// Times kernels from now on, or no longer.
    pub fn time(&self, timed: bool) {
        self.timed.store(timed, Ordering::Relaxed);
    }

    /// What was timed since the last call.
    pub fn take(&self) -> KernelTime {
        let time = Duration::from_nanos(self.nanoseconds.swap(0, Ordering::Relaxed));
        KernelTime { count: self.kernels.swap(0, Ordering::Relaxed), time }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_timed_only_when_told_to() {
        let account = Account::default();
        assert_eq!(account.kernel(|| 7), 7);
        assert_eq!(account.take(), KernelTime::default());
        account.time(true);
        account.kernel(|| std::hint::black_box((0..10_000).sum::<u64>()));
        account.kernel(|| ());
        let taken = account.take();
        assert!(taken.count == 2 && taken.time > Duration::ZERO, "{taken:?}");
        assert_eq!(account.take(), KernelTime::default());
        account.time(false);
        account.kernel(|| ());
        assert_eq!(account.take().count, 0);
    }
}
