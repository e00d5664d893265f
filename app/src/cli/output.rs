//! Standard output and error. A reader that goes away (`guesswork schema | head`) is a quiet end, never a panic.

use super::{Exit, Failure};
use std::io::{ErrorKind, Write};

/// Writes to standard output.
///
/// # Errors
/// [`Failure`] when it cannot be written for any other reason than that its reader went away.
pub fn print(text: &str) -> Result<Exit, Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::output(error)),
        Ok(()) | Err(_) => Ok(Exit::Done),
    }
}

/// Writes `error: message` to standard error; there is no one to tell when that fails.
pub fn print_error(message: &str) {
    let _ = writeln!(std::io::stderr().lock(), "error: {message}");
}

/// Writes lines to standard error; there is no one to tell when that fails.
pub(super) fn print_note(lines: &[String]) {
    let mut error = std::io::stderr().lock();
    for line in lines {
        let _ = writeln!(error, "{line}");
    }
}
