//! The log of a run folder: every message as a line for people, with the time.
#![forbid(unsafe_code)]

use super::output::Output;
use super::time::Utc;
use super::{LaneId, Level, Message, Observer};
use std::fs::File;
use std::io::Write;

/// Writes `2024-05-01T12:00:00Z WARN lane 2 step 40: text`.
#[derive(Debug)]
pub struct Log<W: Write> {
    output: Output<W>,
}

impl Log<File> {
    /// Goes on at the end of `file`; `target` names it in errors.
    pub fn append(file: File, target: impl Into<String>) -> Self {
        Self { output: Output::file(file, target) }
    }
}

/// `ERROR lane 2 step 40: text`.
pub fn line(message: &Message) -> String {
    let level = match message.level {
        Level::Error => "ERROR",
        Level::Warn => "WARN",
        Level::Info => "INFO",
        Level::Debug => "DEBUG",
    };
    let place = match (message.lane, message.step) {
        (Some(lane), Some(step)) => format!(" {} step {step}", lane_name(lane)),
        (Some(lane), None) => format!(" {}", lane_name(lane)),
        (None, Some(step)) => format!(" step {step}"),
        (None, None) => String::new(),
    };
    // A message is one line whatever a plugin wrote; control characters could steer a terminal.
    let text: String = message.text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{level}{place}: {text}")
}

fn lane_name(lane: LaneId) -> String {
    format!("lane {lane}")
}

impl<W: Write + Send> Observer for Log<W> {
    fn message(&mut self, message: &Message) {
        self.output.write(format!("{} {}\n", Utc::now().rfc3339(), line(message)).as_bytes());
        self.output.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line() {
        let message = Message { lane: Some(2), step: Some(40), level: Level::Warn, text: "a\nb\x1b[2J\n".into() };
        assert_eq!(line(&message), "WARN lane 2 step 40: a b [2J");
    }
}
