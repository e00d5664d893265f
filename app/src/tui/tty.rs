//! The terminal as a place for bytes. A thread of its own writes them, so that a terminal that takes none (its reader has stopped, or
//! `^S` was pressed) stops neither keys nor signals nor training.
//!
//! One for the whole process, made when the screen is first entered: it keeps the terminal for itself, whatever standard output is
//! turned into later.
#![forbid(unsafe_code)]

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

static TTY: OnceLock<Tty> = OnceLock::new();

/// The writer.
pub struct Tty {
    sender: Sender<Vec<u8>>,
    written: Receiver<io::Result<()>>,
    waiting: Mutex<usize>,
    idle: Condvar,
}

impl Tty {
    /// The writer to the terminal that standard output was at the first call.
    ///
    /// # Errors
    /// When there is no handle to be had.
    pub fn get() -> io::Result<&'static Self> {
        if let Some(tty) = TTY.get() {
            return Ok(tty);
        }
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let (sender, bytes) = unbounded::<Vec<u8>>();
        // What nobody waits for need not be told.
        let (tell, written) = bounded(1);
        let tty = TTY.get_or_init(|| Self { sender, written, waiting: Mutex::new(0), idle: Condvar::new() });
        thread::Builder::new().name("terminal".to_owned()).spawn(move || serve(&file, &bytes, &tell))?;
        Ok(tty)
    }

    /// The writer, where there is one already.
    pub fn existing() -> Option<&'static Self> {
        TTY.get()
    }

    /// Hands over bytes; does not wait.
    pub fn write(&self, bytes: Vec<u8>) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        if self.sender.send(bytes).is_err() {
            self.done();
        }
    }

    /// Whether all that was handed over has been taken.
    pub fn is_idle(&self) -> bool {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) == 0
    }

    /// Waits until all has been taken, at most so long; false when it has not.
    pub fn wait(&self, timeout: Duration) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let result = self.idle.wait_timeout_while(waiting, timeout, |waiting| *waiting > 0);
        let (waiting, _) = result.unwrap_or_else(PoisonError::into_inner);
        *waiting == 0
    }

    /// Tells when bytes have been taken, or why they were not.
    pub fn written(&self) -> &Receiver<io::Result<()>> {
        &self.written
    }

    fn done(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = waiting.saturating_sub(1);
        if *waiting == 0 {
            self.idle.notify_all();
        }
    }
}

fn serve(mut file: &File, bytes: &Receiver<Vec<u8>>, tell: &Sender<io::Result<()>>) {
    for chunk in bytes {
        let result = file.write_all(&chunk);
        if let Some(tty) = TTY.get() {
            tty.done();
        }
        let failed = result.is_err();
        match tell.try_send(result) {
            Ok(()) => {}
            // A failure must not be lost behind a success that nobody has looked at yet.
            Err(full) if failed => drop(tell.send(full.into_inner())),
            Err(_) => {}
        }
    }
}
