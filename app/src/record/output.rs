//! Where a sink's bytes go: buffered, flushed now and then, switched off by the first failure.
//!
//! Nothing here panics and nothing here returns an error: training must not end in the middle of a step because a pipe was
//! closed. The failure is kept where the face can see it ([`Output::watch`]) and decide.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How long written bytes may wait in memory. Readers that follow a file see it grow at this pace.
const FLUSH_AFTER: Duration = Duration::from_millis(50);

/// Why a sink stopped writing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot write {target}: {message}")]
pub struct WriteFailure {
    /// What was being written: a path, or `standard output`.
    pub target: String,
    /// Kind of the failure.
    pub kind: io::ErrorKind,
    /// The system's words.
    pub message: String,
}

impl WriteFailure {
    /// Whether the reader merely closed its end, as `head -1` does: the quiet end of a pipe.
    pub fn is_closed_pipe(&self) -> bool {
        self.kind == io::ErrorKind::BrokenPipe
    }
}

/// A view of an output's failure, to be asked from any thread without waiting for a write under way.
#[derive(Clone, Debug, Default)]
pub struct Watch(Arc<OnceLock<WriteFailure>>);

impl Watch {
    /// The first failure, once there is one.
    pub fn failure(&self) -> Option<&WriteFailure> {
        self.0.get()
    }
}

/// A buffered writer that turns itself off after its first failure.
#[derive(Debug)]
pub struct Output<W: Write> {
    writer: Option<BufWriter<W>>,
    durable: Option<File>,
    target: String,
    failure: Watch,
    flushed: Instant,
}

impl<W: Write> Output<W> {
    /// Writes to `writer`; `target` names it in errors.
    pub fn new(writer: W, target: impl Into<String>) -> Self {
        Self {
            writer: Some(BufWriter::with_capacity(64 * 1024, writer)),
            durable: None,
            target: target.into(),
            failure: Watch::default(),
            flushed: Instant::now(),
        }
    }

    /// Appends `bytes`; does nothing after a failure.
    pub fn write(&mut self, bytes: &[u8]) {
        if let Some(writer) = &mut self.writer {
            let result = writer.write_all(bytes);
            self.check(result);
        }
    }

    /// Hands what waits to the system, when the last time was a while ago.
    pub fn flush_if_due(&mut self) {
        if self.flushed.elapsed() >= FLUSH_AFTER {
            self.flush();
        }
    }

    /// Hands what waits to the system.
    pub fn flush(&mut self) {
        if let Some(writer) = &mut self.writer {
            let result = writer.flush();
            self.flushed = Instant::now();
            self.check(result);
        }
    }

    /// Flushes, and waits until a file's bytes are on the disk.
    pub fn sync(&mut self) {
        self.flush();
        if self.writer.is_some()
            && let Some(file) = &self.durable
        {
            let result = file.sync_data();
            self.check(result);
        }
    }

    /// A view of the failure for other threads.
    pub fn watch(&self) -> Watch {
        self.failure.clone()
    }

    fn check(&mut self, result: io::Result<()>) {
        let Err(error) = result else { return };
        let failure = WriteFailure { target: self.target.clone(), kind: error.kind(), message: error.to_string() };
        // Only the first failure is kept; dropping the writer in parts keeps it from writing its buffer once more.
        let _ = self.failure.0.set(failure);
        if let Some(writer) = self.writer.take() {
            let _ = writer.into_parts();
        }
    }
}

impl Output<File> {
    /// Writes to a file, which [`Output::sync`] puts on the disk.
    pub fn file(file: File, target: impl Into<String>) -> Self {
        // Where the handle cannot be doubled, a sync is a flush.
        let durable = file.try_clone().ok();
        let mut output = Self::new(file, target);
        output.durable = durable;
        output
    }
}

impl<W: Write> Drop for Output<W> {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Takes `room` bytes, then fails with `kind` for ever.
    pub(crate) struct Narrow {
        pub(crate) room: usize,
        pub(crate) kind: io::ErrorKind,
        pub(crate) taken: Arc<Mutex<Vec<u8>>>,
        pub(crate) refusals: Arc<Mutex<usize>>,
    }

    impl Narrow {
        pub(crate) fn new(room: usize, kind: io::ErrorKind) -> Self {
            Self { room, kind, taken: Arc::default(), refusals: Arc::default() }
        }
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                *self.refusals.lock().expect("unpoisoned") += 1;
                return Err(self.kind.into());
            }
            let count = bytes.len().min(self.room);
            self.room -= count;
            self.taken.lock().expect("unpoisoned").extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_first_failure_switches_off_and_is_kept() {
        let narrow = Narrow::new(3, io::ErrorKind::StorageFull);
        let (taken, refusals) = (narrow.taken.clone(), narrow.refusals.clone());
        let mut output = Output::new(narrow, "somewhere");
        let watch = output.watch();
        output.write(b"abcdef");
        assert!(watch.failure().is_none(), "still in the buffer");
        output.flush();
        let failure = watch.failure().expect("the disk is full").clone();
        assert_eq!(failure.kind, io::ErrorKind::StorageFull);
        assert!(failure.to_string().contains("somewhere"));
        assert!(!failure.is_closed_pipe());
        output.write(b"more");
        output.sync();
        drop(output);
        assert_eq!(taken.lock().expect("unpoisoned").as_slice(), b"abc");
        assert_eq!(*refusals.lock().expect("unpoisoned"), 1, "nothing is tried again");
    }

    #[test]
    fn what_waits_is_written_at_the_end() {
        let wide = Narrow::new(usize::MAX, io::ErrorKind::Other);
        let taken = wide.taken.clone();
        let mut output = Output::new(wide, "somewhere");
        output.write(b"abc");
        drop(output);
        assert_eq!(taken.lock().expect("unpoisoned").as_slice(), b"abc");
    }
}
