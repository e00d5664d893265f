//! What a MAT-file is made of: elements, each a tag with the type and the size of what follows, in the order of bytes that
//! the header marks.

use super::super::DataError;
use std::io::{ErrorKind, Read};

/// Bytes of an element's tag; elements begin at multiples of it.
pub(super) const TAG: u64 = 8;

pub(super) const INT8: u32 = 1;
pub(super) const UINT8: u32 = 2;
pub(super) const INT16: u32 = 3;
pub(super) const UINT16: u32 = 4;
pub(super) const INT32: u32 = 5;
pub(super) const UINT32: u32 = 6;
pub(super) const SINGLE: u32 = 7;
pub(super) const DOUBLE: u32 = 9;
pub(super) const INT64: u32 = 12;
pub(super) const UINT64: u32 = 13;
pub(super) const MATRIX: u32 = 14;
pub(super) const COMPRESSED: u32 = 15;
pub(super) const UTF8: u32 = 16;

/// An element's type for people.
pub(super) fn type_name(kind: u32) -> String {
    let name = match kind {
        INT8 => "8-bit integers",
        UINT8 => "unsigned bytes",
        INT16 => "16-bit integers",
        UINT16 => "unsigned 16-bit integers",
        INT32 => "32-bit integers",
        UINT32 => "unsigned 32-bit integers",
        SINGLE => "32-bit floats",
        DOUBLE => "64-bit floats",
        INT64 => "64-bit integers",
        UINT64 => "unsigned 64-bit integers",
        MATRIX => "a matrix",
        COMPRESSED => "a compressed matrix",
        UTF8 => "text in UTF-8",
        other => return format!("type {other:#x}"),
    };
    format!("{name} (type {kind})")
}

/// Bytes of one number of this type; `None` for what is no number.
pub(super) fn width(kind: u32) -> Option<u64> {
    match kind {
        INT8 | UINT8 => Some(1),
        INT16 | UINT16 => Some(2),
        INT32 | UINT32 | SINGLE => Some(4),
        DOUBLE | INT64 | UINT64 => Some(8),
        _ => None,
    }
}

/// Which end of a number comes first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// Up to eight bytes, the lowest first.
    fn lowest_first(self, bytes: &[u8]) -> [u8; 8] {
        let mut ordered = [0; 8];
        let part = &mut ordered[..bytes.len().min(8)];
        part.copy_from_slice(&bytes[..part.len()]);
        if self == Self::Big {
            part.reverse();
        }
        ordered
    }

    /// The number in up to four bytes.
    pub fn u32(self, bytes: &[u8]) -> u32 {
        u64::from_le_bytes(self.lowest_first(bytes)) as u32
    }

    /// One number of type `kind`; integers beyond 2^53 are rounded.
    pub fn number(self, kind: u32, bytes: &[u8]) -> f64 {
        let b = self.lowest_first(bytes);
        let whole = u64::from_le_bytes(b);
        match kind {
            INT8 => f64::from(whole as i8),
            INT16 => f64::from(whole as i16),
            INT32 => f64::from(whole as i32),
            INT64 => whole as i64 as f64,
            SINGLE => f64::from(f32::from_bits(whole as u32)),
            DOUBLE => f64::from_bits(whole),
            _ => whole as f64,
        }
    }
}

/// What is wrong with a stream that cannot be read on.
pub(super) fn broken(file: &str, error: std::io::Error) -> DataError {
    let found = match error.kind() {
        ErrorKind::UnexpectedEof => "its end before that of the matrix".to_owned(),
        ErrorKind::InvalidInput | ErrorKind::InvalidData => error.to_string(),
        _ => return DataError::Io { path: file.into(), source: error },
    };
    DataError::Format { file: file.into(), what: "zlib stream", found, expected: "a whole file; fetch it again".into() }
}

/// The bytes of an element, or of the file, of which so many are left.
pub(super) struct Body<'a> {
    /// Name in messages.
    pub file: &'a str,
    pub order: Order,
    pub left: u64,
    pub reader: &'a mut dyn Read,
}

impl Body<'_> {
    /// An error of this place.
    pub fn fault(&self, what: &'static str, found: String, expected: impl Into<String>) -> DataError {
        DataError::Format { file: self.file.into(), what, found, expected: expected.into() }
    }

    /// Fills `bytes`; fewer are left only of a matrix whose parts say too much.
    pub fn exact(&mut self, bytes: &mut [u8]) -> Result<(), DataError> {
        let length = bytes.len() as u64;
        if length > self.left {
            let found = format!("its end {} bytes too early", length - self.left);
            return Err(self.fault("matrix", found, "all of its parts"));
        }
        self.reader.read_exact(bytes).map_err(|error| broken(self.file, error))?;
        self.left -= length;
        Ok(())
    }

    /// Type and size of an element whose bytes follow its tag.
    pub fn long_tag(&mut self) -> Result<(u32, u64), DataError> {
        let mut tag = [0; TAG as usize];
        self.exact(&mut tag)?;
        Ok((self.order.u32(&tag[..4]), self.order.u32(&tag[4..]).into()))
    }

    /// Type and size of an element, and its bytes where they lie in the tag: then its first four hold both.
    pub fn tag(&mut self) -> Result<(u32, u64, Option<[u8; 4]>), DataError> {
        let mut tag = [0; TAG as usize];
        self.exact(&mut tag)?;
        let [first, size] = [&tag[..4], &tag[4..]].map(|bytes| self.order.u32(bytes));
        if first >> 16 == 0 {
            return Ok((first, size.into(), None));
        }
        let (kind, size) = (first & 0xffff, first >> 16);
        if size > 4 {
            return Err(self.fault("small element", format!("{size} bytes"), "at most 4"));
        }
        Ok((kind, size.into(), Some([tag[4], tag[5], tag[6], tag[7]])))
    }

    /// The bytes of an element of one of `kinds` and of at most `most` bytes, with what pads it.
    pub fn short(&mut self, what: &'static str, kinds: &[u32], most: u64) -> Result<Vec<u8>, DataError> {
        let (kind, size, small) = self.tag()?;
        if !kinds.contains(&kind) {
            return Err(self.fault(what, type_name(kind), type_name(kinds[0])));
        }
        if size > most {
            return Err(self.fault(what, format!("{size} bytes"), format!("at most {most}")));
        }
        if let Some(bytes) = small {
            return Ok(bytes[..size as usize].to_vec());
        }
        let mut bytes = vec![0; size as usize];
        self.exact(&mut bytes)?;
        let padding = (size.next_multiple_of(TAG) - size).min(self.left);
        self.exact(&mut [0; TAG as usize][..padding as usize])?;
        Ok(bytes)
    }
}
