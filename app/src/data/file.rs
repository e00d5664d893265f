//! A file's bytes, decompressed when they begin with gzip's magic number, whatever the file is called.

use super::DataError;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// First bytes of a gzip file (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Where bytes come from: a file or an embedded slice, and its name in messages.
pub(super) struct Source<'a> {
    /// Name in messages.
    pub name: String,
    reader: Box<dyn Read + 'a>,
}

impl<'a> Source<'a> {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Source<'static>, DataError> {
        let file = BufReader::new(File::open(path).map_err(DataError::io(path))?);
        Source::new(path.display().to_string(), file)
    }

    /// Reads a slice.
    pub fn slice(name: impl Into<String>, bytes: &'a [u8]) -> Result<Self, DataError> {
        Self::new(name.into(), bytes)
    }

    fn new(name: String, mut reader: impl Read + 'a) -> Result<Self, DataError> {
        let mut head = Vec::with_capacity(GZIP.len());
        reader.by_ref().take(GZIP.len() as u64).read_to_end(&mut head).map_err(DataError::io(&name))?;
        let packed = head == GZIP;
        let whole = std::io::Cursor::new(head).chain(reader);
        let reader: Box<dyn Read + 'a> =
            if packed { Box::new(BufReader::new(MultiGzDecoder::new(whole))) } else { Box::new(whole) };
        Ok(Self { name, reader })
    }

    /// Up to `length` bytes: fewer only where the file ends; a compressed stream that breaks off is an error.
    pub fn read_up_to(&mut self, length: u64) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        match self.reader.by_ref().take(length).read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(DataError::Format {
                file: self.name.clone(),
                what: "gzip stream",
                found: format!("its end after {} bytes", bytes.len()),
                expected: "a whole file; fetch it again".into(),
            }),
            Err(source) => Err(DataError::Io { path: self.name.clone().into(), source }),
        }
    }

    /// Exactly `length` bytes, of `total` that the file must have.
    pub fn read_exact(&mut self, length: u64, total: u64) -> Result<Vec<u8>, DataError> {
        let bytes = self.read_up_to(length)?;
        if (bytes.len() as u64) < length {
            let found = total - length + bytes.len() as u64;
            return Err(DataError::Truncated { file: self.name.clone(), found, expected: total });
        }
        Ok(bytes)
    }

    /// Nothing may follow the `total` bytes read so far.
    pub fn end(mut self, total: u64) -> Result<(), DataError> {
        if self.read_up_to(1)?.is_empty() {
            return Ok(());
        }
        Err(DataError::Format {
            file: self.name,
            what: "size",
            found: "more bytes".into(),
            expected: format!("{total} bytes as the header says"),
        })
    }
}
