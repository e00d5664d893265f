//! What strategies print while the screen is up: standard output and error are turned into a pipe, and its lines go to the log.
//!
//! Only what is a terminal is turned: an output that was redirected to a file stays there. Nobody who prints ever waits for the
//! screen: lines that nobody takes are counted and dropped.
#![forbid(unsafe_code)]

use super::tty::Tty;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use std::io::{self, BufRead, BufReader, IsTerminal, PipeReader, PipeWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long the end of what was printed is waited for.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long nothing may be seen before a person is told what is waited for.
const UNSAID: Duration = Duration::from_millis(200);
/// Lines that wait to be taken.
const WAITING: usize = 256;
/// Bytes kept of a line.
const LONGEST: usize = 400;

static CAPTURE: OnceLock<Capture> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// The pipe, and the streams as they were.
pub struct Capture {
    pipe: PipeWriter,
    out: OwnedFd,
    error: Option<OwnedFd>,
    lines: Receiver<String>,
    /// Tells that all that was printed before a [`MARK`] has been read.
    marks: Receiver<()>,
}

/// A line of our own in the pipe.
const MARK: &[u8] = b"\0\n";

/// Holds what is printed before the screen is there to show it, and says on the terminal what is waited for where that takes long. Where
/// no screen comes, dropping it lets all of it out, on standard error.
#[derive(Debug)]
#[must_use = "dropped, it lets out what was printed"]
pub struct Early(Option<Waiting>);

impl Early {
    /// Turns the streams into the pipe; the terminal stays known. `what` is happening until the screen comes.
    ///
    /// # Errors
    /// When there is no terminal, or the system has no more handles.
    pub fn hold(what: &'static str) -> io::Result<Self> {
        super::terminal::available()?;
        let tty = Tty::get()?;
        Capture::hold()?;
        Ok(Self(Some(Waiting::begin(tty, what)?)))
    }

    /// A screen follows, which takes what was printed.
    pub fn leave_to_the_screen(mut self) {
        drop(self.0.take());
        std::mem::forget(self);
    }
}

impl Drop for Early {
    fn drop(&mut self) {
        drop(self.0.take());
        Capture::release();
        for line in Capture::rest() {
            // Nobody is left to tell when standard error is gone too.
            let _ = writeln!(io::stderr(), "{line}");
        }
    }
}

/// A thread that says what is waited for, and takes it back when this is dropped.
#[derive(Debug)]
struct Waiting {
    over: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Waiting {
    fn begin(tty: &'static Tty, what: &'static str) -> io::Result<Self> {
        let (over, told) = bounded::<()>(0);
        let say = move || {
            if told.recv_timeout(UNSAID) == Err(RecvTimeoutError::Timeout) {
                tty.write(format!("{what} ...").into_bytes());
                let _ = told.recv();
                tty.write(b"\r\x1b[K".to_vec());
                tty.wait(PATIENCE);
            }
        };
        let thread = thread::Builder::new().name("waiting".to_owned()).spawn(say)?;
        Ok(Self { over: Some(over), thread: Some(thread) })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing that could panic.
            let _ = thread.join();
        }
    }
}

impl Capture {
    fn get() -> io::Result<&'static Self> {
        if let Some(capture) = CAPTURE.get() {
            return Ok(capture);
        }
        let (reader, pipe) = io::pipe()?;
        let out = io::stdout().as_fd().try_clone_to_owned()?;
        let error = io::stderr();
        let error = if error.is_terminal() { Some(error.as_fd().try_clone_to_owned()?) } else { None };
        let ((sender, lines), (mark, marks)) = (bounded(WAITING), bounded(1));
        let capture = CAPTURE.get_or_init(|| Self { pipe, out, error, lines, marks });
        thread::Builder::new().name("printed".to_owned()).spawn(move || read(reader, &sender, &mark))?;
        Ok(capture)
    }

    /// Turns the streams into the pipe.
    ///
    /// # Errors
    /// When the system has no more handles.
    pub fn hold() -> io::Result<()> {
        let capture = Self::get()?;
        rustix::stdio::dup2_stdout(&capture.pipe)?;
        if capture.error.is_some() {
            rustix::stdio::dup2_stderr(&capture.pipe)?;
        }
        Ok(())
    }

    /// Gives the streams back as they were.
    pub fn release() {
        let Some(capture) = CAPTURE.get() else { return };
        // There is nobody left to tell of a failure but through these very streams.
        let _ = rustix::stdio::dup2_stdout(&capture.out);
        if let Some(error) = &capture.error {
            let _ = rustix::stdio::dup2_stderr(error);
        }
    }

    /// The lines, once the streams have been held.
    pub fn lines() -> Receiver<String> {
        CAPTURE.get().map_or_else(crossbeam_channel::never, |capture| capture.lines.clone())
    }

    /// The lines that were printed and that nobody has taken, once the streams are released.
    fn rest() -> Vec<String> {
        let Some(capture) = CAPTURE.get() else { return Vec::new() };
        if (&capture.pipe).write_all(MARK).is_ok() {
            // Read in no time, unless the thread that reads is gone.
            let _ = capture.marks.recv_timeout(PATIENCE);
        }
        capture.lines.try_iter().collect()
    }

    /// Lines dropped since the last call.
    pub fn take_dropped() -> u64 {
        DROPPED.swap(0, Ordering::Relaxed)
    }
}

fn read(pipe: PipeReader, lines: &Sender<String>, mark: &Sender<()>) {
    let mut pipe = BufReader::new(pipe);
    let mut bytes = Vec::new();
    while let Ok(1..) = pipe.read_until(b'\n', &mut bytes) {
        let marked = bytes.ends_with(MARK);
        let line = plain(&bytes);
        bytes.clear();
        if !line.is_empty() {
            match lines.try_send(line) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    DROPPED.fetch_add(1, Ordering::Relaxed);
                }
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
        if marked {
            // Nobody waits for more than one.
            let _ = mark.try_send(());
        }
    }
}

/// A line without what would move a cursor: escape sequences and control characters go, and what is too long is cut.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]);
    let mut line = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => {
                // `ESC [ … letter`, or a single character.
                if characters.next_if_eq(&'[').is_some() {
                    while characters.next_if(|c| !c.is_ascii_alphabetic()).is_some() {}
                }
                characters.next();
            }
            '\t' => line.push(' '),
            character if character.is_control() => {}
            character => line.push(character),
        }
    }
    let line = line.trim_end();
    if bytes.len() > LONGEST { format!("{line}…") } else { line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_plain() {
        assert_eq!(plain(b"a\tb\r\n"), "a b");
        assert_eq!(plain(b"\x1b[1;31mred\x1b[0m \x1b7x\x07\n"), "red x");
        assert_eq!(plain(b"\n"), "");
        assert_eq!(plain("é\u{fffd}".as_bytes()), "é\u{fffd}");
        let long = plain(&vec![b'x'; 5000]);
        assert!(long.ends_with('…') && long.len() < LONGEST + 4);
    }
}
