//! Observers that stand around other observers.
#![forbid(unsafe_code)]

use super::{LaneChange, LaneEnd, LaneId, LaneInfo, Message, Observer, StepReport};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

impl<T: Observer + ?Sized> Observer for Box<T> {
    fn lane_started(&mut self, info: &LaneInfo) {
        (**self).lane_started(info);
    }

    fn step(&mut self, report: &StepReport) {
        (**self).step(report);
    }

    fn lane_changed(&mut self, change: &LaneChange) {
        (**self).lane_changed(change);
    }

    fn lane_ended(&mut self, end: &LaneEnd) {
        (**self).lane_ended(end);
    }

    fn message(&mut self, message: &Message) {
        (**self).message(message);
    }

    fn flush(&mut self) {
        (**self).flush();
    }

    fn sync(&mut self) {
        (**self).sync();
    }
}

/// An observer that the trainer tells and the face asks.
///
/// The lock is free but for the moments of a call; whoever asks while the trainer writes waits for that write.
#[derive(Debug, Default)]
pub struct Shared<T>(Arc<Mutex<T>>);

impl<T> Shared<T> {
    /// Shares `inner`.
    pub fn new(inner: T) -> Self {
        Self(Arc::new(Mutex::new(inner)))
    }

    /// The observer itself. A thread that panicked while it held the lock does not keep others from it.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Observer> Observer for Shared<T> {
    fn lane_started(&mut self, info: &LaneInfo) {
        self.lock().lane_started(info);
    }

    fn step(&mut self, report: &StepReport) {
        self.lock().step(report);
    }

    fn lane_changed(&mut self, change: &LaneChange) {
        self.lock().lane_changed(change);
    }

    fn lane_ended(&mut self, end: &LaneEnd) {
        self.lock().lane_ended(end);
    }

    fn message(&mut self, message: &Message) {
        self.lock().message(message);
    }

    fn flush(&mut self) {
        self.lock().flush();
    }

    fn sync(&mut self) {
        self.lock().sync();
    }
}

/// An observer that has already been told of some lanes' starts, in an earlier part of the run.
///
/// A resumed session tells of every lane's start once more; that is kept from `inner` where it is known. A second start of a
/// lane is a reset and passes.
#[derive(Debug)]
pub struct Continued<T> {
    inner: T,
    started: BTreeSet<LaneId>,
}

impl<T> Continued<T> {
    /// `inner` knows of the start of the lanes `started`, and will be told of it again.
    pub fn new(inner: T, started: BTreeSet<LaneId>) -> Self {
        Self { inner, started }
    }
}

impl<T: Observer> Observer for Continued<T> {
    fn lane_started(&mut self, info: &LaneInfo) {
        if !self.started.remove(&info.lane) {
            self.inner.lane_started(info);
        }
    }

    fn step(&mut self, report: &StepReport) {
        self.inner.step(report);
    }

    fn lane_changed(&mut self, change: &LaneChange) {
        self.inner.lane_changed(change);
    }

    fn lane_ended(&mut self, end: &LaneEnd) {
        self.inner.lane_ended(end);
    }

    fn message(&mut self, message: &Message) {
        self.inner.message(message);
    }

    fn flush(&mut self) {
        self.inner.flush();
    }

    fn sync(&mut self) {
        self.inner.sync();
    }
}
