//! What a plugin says while it works: metrics and messages, bounded, so that a chatty plugin costs its own lane only.
#![forbid(unsafe_code)]

use std::sync::{Mutex, PoisonError};

/// Most messages kept between two collections.
const MESSAGES: usize = 64;
/// Most metrics kept between two collections.
const METRICS: usize = 256;
/// Longest series.
pub(super) const SERIES: u64 = 4096;
/// Longest message, in bytes.
const MESSAGE_BYTES: usize = 4096;

/// How grave a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A failure.
    Error,
    /// Something the person should see.
    Warn,
    /// Of ordinary interest.
    Info,
    /// For the plugin's author.
    Debug,
}

/// What was said since the last collection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Events {
    /// Named scalars (one value) and series.
    pub metrics: Vec<(String, Vec<f64>)>,
    /// Messages, oldest first.
    pub messages: Vec<(Level, String)>,
    /// Metrics and messages beyond the bounds.
    pub dropped: u64,
}

impl Events {
    /// Keeps a message, cut when it is long.
    pub(super) fn message(&mut self, level: Level, mut text: String) {
        if self.messages.len() >= MESSAGES {
            self.dropped += 1;
            return;
        }
        if text.len() > MESSAGE_BYTES {
            let end = (0..=MESSAGE_BYTES).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
            text.truncate(end);
            text.push('…');
        }
        self.messages.push((level, text));
    }

    /// Keeps a metric; a later value of the same name replaces the earlier.
    pub(super) fn metric(&mut self, name: String, values: Vec<f64>) {
        match self.metrics.iter().position(|(other, _)| *other == name) {
            Some(index) => self.metrics[index].1 = values,
            None if self.metrics.len() >= METRICS => self.dropped += 1,
            None => self.metrics.push((name, values)),
        }
    }
}

static OUTSIDE: Mutex<Events> = Mutex::new(Events { metrics: Vec::new(), messages: Vec::new(), dropped: 0 });

/// Keeps a message that was written outside any call.
pub(super) fn outside(level: Level, text: String) {
    OUTSIDE.lock().unwrap_or_else(PoisonError::into_inner).message(level, text);
}

/// Messages that plugins wrote outside any call (while loading, being created or prepared), of all instances of the
/// process.
pub fn take_outside_events() -> Events {
    std::mem::take(&mut *OUTSIDE.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut events = Events::default();
        for index in 0..MESSAGES + 3 {
            events.message(Level::Info, format!("{index}"));
        }
        events.metric("a".into(), vec![1.0]);
        events.metric("a".into(), vec![2.0]);
        assert_eq!((events.messages.len(), events.dropped), (MESSAGES, 3));
        assert_eq!(events.metrics, [("a".to_owned(), vec![2.0])]);
        let mut long = Events::default();
        long.message(Level::Info, "é".repeat(MESSAGE_BYTES));
        assert!(long.messages[0].1.len() <= MESSAGE_BYTES + '…'.len_utf8() && long.messages[0].1.ends_with('…'));
    }
}
