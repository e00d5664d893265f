//! MAT-files of version 5, what MATLAB's `save -v6` and `save -v7` write: a header of 128 bytes, then an element for each
//! variable, a matrix as it is or compressed (zlib). Only arrays of numbers are opened, everything else is passed over.
//!
//! Nothing is kept of what is read, and no size is believed before it fits the bytes that hold it: the file, the element
//! around it, and for a compressed one the most that deflate can make of its bytes. Source: MathWorks, *MAT-File Format*,
//! Level 5.

mod element;

use super::DataError;
use element::{Body, COMPRESSED, INT8, INT32, MATRIX, Order, TAG, UINT8, UINT32, UTF8, broken, type_name, width};
use flate2::read::ZlibDecoder;
use std::fs::File;
use std::io::{BufReader, Cursor, ErrorKind, Read, copy, sink};
use std::path::Path;

/// Bytes before the first element: text, an offset that is of no use here, version, endian mark.
const HEADER: usize = 128;
/// Deflate writes at most so many bytes for one: two bits for a run of 258.
const MOST_INFLATED: u64 = 1032;
/// Most axes of an array, and most bytes of its name.
const MOST_AXES: u64 = 32;
const LONGEST_NAME: u64 = 4096;
/// Numbers that are decoded at once.
const CHUNK: u64 = 4096;

/// The class of unsigned bytes.
pub(super) const CLASS_UINT8: u8 = 9;
/// The class of 64-bit floats.
pub(super) const CLASS_DOUBLE: u8 = 6;
/// Set in the array flags where an imaginary part follows.
const COMPLEX: u32 = 0x0800;

/// A file that is read once, from its beginning to its end.
pub(super) struct Mat<'a> {
    /// Name in messages.
    file: String,
    order: Order,
    /// Bytes of the whole file.
    length: u64,
    /// Behind the header.
    reader: Box<dyn Read + 'a>,
}

impl<'a> Mat<'a> {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// [`DataError`]: it cannot be read, is too short, no MAT-file, or one of another version.
    pub fn open(path: &Path) -> Result<Mat<'static>, DataError> {
        let file = File::open(path).map_err(DataError::io(path))?;
        let length = file.metadata().map_err(DataError::io(path))?.len();
        Mat::new(path.display().to_string(), Box::new(BufReader::new(file)), length)
    }

    /// Reads a slice.
    #[cfg(test)]
    pub fn slice(name: &str, bytes: &'a [u8]) -> Result<Self, DataError> {
        Self::new(name.into(), Box::new(bytes), bytes.len() as u64)
    }

    fn new(file: String, mut reader: Box<dyn Read + 'a>, length: u64) -> Result<Self, DataError> {
        if length < HEADER as u64 {
            return Err(DataError::Truncated { file, found: length, expected: HEADER as u64 });
        }
        let mut header = [0; HEADER];
        reader.read_exact(&mut header).map_err(DataError::io(&file))?;
        let order = match &[header[126], header[127]] {
            b"IM" => Order::Little,
            b"MI" => Order::Big,
            [first, second] => {
                let found = format!("{first:02x} {second:02x} at byte 126");
                let expected = "`IM` or `MI` (a MAT-file of version 5); fetch it again".into();
                return Err(DataError::Format { file, what: "endian mark", found, expected });
            }
        };
        match order.u32(&header[124..126]) {
            0x0100 => Ok(Self { file, order, length, reader }),
            version => {
                let hdf5 = if version == 0x0200 { " (version 7.3, HDF5)" } else { "" };
                let expected = "0x0100 (version 5); save it with `-v7`".into();
                Err(DataError::Format { file, what: "version", found: format!("{version:#06x}{hdf5}"), expected })
            }
        }
    }

    /// Name in messages.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Shows each array to `visit`, which may read its numbers or leave them.
    ///
    /// # Errors
    /// [`DataError`] names the file, and the variable once its name is known: truncated, an element of another type or of a
    /// size that does not fit, a broken zlib stream; and whatever `visit` returns.
    pub fn each(mut self, mut visit: impl FnMut(&mut Array<'_>) -> Result<(), DataError>) -> Result<(), DataError> {
        let Self { file, order, length, reader } = &mut self;
        let (file, order, length) = (file.as_str(), *order, *length);
        let mut at = HEADER as u64;
        while at < length {
            let truncated = |expected| Err(DataError::Truncated { file: file.into(), found: length, expected });
            if length - at < TAG {
                return truncated(at + TAG);
            }
            let (kind, size) = Body { file, order, left: length - at, reader: &mut *reader }.long_tag()?;
            let end = at + TAG + size;
            if end > length {
                return truncated(end);
            }
            let mut element = reader.by_ref().take(size);
            match kind {
                MATRIX => matrix(Body { file, order, left: size, reader: &mut element }, &mut visit)?,
                COMPRESSED => compressed(Body { file, order, left: size, reader: &mut element }, &mut visit)?,
                other => {
                    let (found, expected) = (type_name(other), "a matrix (14) or a compressed one (15)".into());
                    return Err(DataError::Format { file: file.into(), what: "element type", found, expected });
                }
            }
            copy(&mut element, &mut sink()).map_err(DataError::io(file))?;
            at = end;
        }
        Ok(())
    }
}

/// A matrix in a zlib stream.
fn compressed(
    packed: Body<'_>,
    visit: &mut impl FnMut(&mut Array<'_>) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let Body { file, order, left, reader } = packed;
    let most = left.saturating_mul(MOST_INFLATED);
    let mut stream = ZlibDecoder::new(reader);
    let (kind, size) = Body { file, order, left: most, reader: &mut stream }.long_tag()?;
    let format = |what, found, expected: String| Err(DataError::Format { file: file.into(), what, found, expected });
    if kind != MATRIX {
        return format("compressed element", type_name(kind), "a matrix (14)".into());
    }
    if size > most {
        let found = format!("a matrix of {size} bytes in {left} compressed ones");
        return format("compressed element", found, format!("at most {most} bytes; fetch the file again"));
    }
    let mut inside = stream.by_ref().take(size);
    matrix(Body { file, order, left: size, reader: &mut inside }, visit)?;
    copy(&mut inside, &mut sink()).map_err(|error| broken(file, error))?;
    if inside.limit() > 0 {
        return Err(broken(file, ErrorKind::UnexpectedEof.into()));
    }
    // Reading on to the end of the stream compares its checksum.
    match copy(&mut stream, &mut sink()).map_err(|error| broken(file, error))? {
        0 => Ok(()),
        more => format("compressed element", format!("{more} bytes behind the matrix"), "its end".into()),
    }
}

fn matrix(
    mut body: Body<'_>,
    visit: &mut impl FnMut(&mut Array<'_>) -> Result<(), DataError>,
) -> Result<(), DataError> {
    if body.left == 0 {
        return Ok(());
    }
    let flags = body.short("array flags", &[UINT32], TAG)?;
    let word = body.order.u32(&flags[..flags.len().min(4)]);
    let class = word as u8;
    // 16 and above are functions and opaque objects, built in another way and never what is looked for.
    if !(1..=15).contains(&class) {
        return Ok(());
    }
    let order = body.order;
    let dimensions = body.short("dimensions", &[INT32], 4 * MOST_AXES)?;
    if dimensions.len() < 8 || !dimensions.len().is_multiple_of(4) {
        return Err(body.fault("dimensions", format!("{} bytes", dimensions.len()), "4 for each of two or more"));
    }
    let mut extents = Vec::new();
    for extent in dimensions.chunks_exact(4).map(|bytes| order.number(INT32, bytes)) {
        if extent < 0.0 {
            return Err(body.fault("dimensions", extent.to_string(), "numbers from 0"));
        }
        extents.push(extent as usize);
    }
    let name = body.short("array name", &[INT8, UINT8, UTF8], LONGEST_NAME)?;
    let name = String::from_utf8_lossy(&name).into_owned();
    let place = format!("{}, variable `{name}`", body.file);
    visit(&mut Array { name, class, complex: word & COMPLEX != 0, extents, place, body })
}

/// An array of the file. The first of its indices runs fastest.
pub(super) struct Array<'a> {
    /// The variable's name.
    pub name: String,
    /// Number of the class its numbers had in MATLAB; the file may hold them in a narrower type.
    pub class: u8,
    /// Whether an imaginary part follows.
    pub complex: bool,
    /// Numbers along each axis: two or more.
    pub extents: Vec<usize>,
    /// File and variable, for messages.
    pub place: String,
    body: Body<'a>,
}

impl<'a> Array<'a> {
    /// What it is, for people.
    pub fn class_name(&self) -> String {
        let name = match self.class {
            1 => "a cell array",
            2 => "a structure",
            3 => "an object",
            4 => "characters",
            5 => "a sparse array",
            CLASS_DOUBLE => "64-bit floats",
            7 => "32-bit floats",
            8 => "8-bit integers",
            CLASS_UINT8 => "unsigned bytes",
            10 => "16-bit integers",
            11 => "unsigned 16-bit integers",
            12 => "32-bit integers",
            13 => "unsigned 32-bit integers",
            14 => "64-bit integers",
            _ => "unsigned 64-bit integers",
        };
        if self.complex { format!("complex {name}") } else { name.to_owned() }
    }

    /// `32×32×3×10`.
    pub fn shape(&self) -> String {
        self.extents.iter().map(ToString::to_string).collect::<Vec<_>>().join("×")
    }

    /// Opens its numbers, for an array of numbers.
    ///
    /// # Errors
    /// [`DataError::Format`]: a type that is no number, or bytes that are not as many as the extents ask for.
    pub fn numbers(&mut self) -> Result<Numbers<'_, 'a>, DataError> {
        let (kind, size, small) = self.body.tag()?;
        let place = self.place.clone();
        let format = |what, found, expected| Err(DataError::Format { file: place.clone(), what, found, expected });
        let Some(width) = width(kind) else {
            return format("element type", type_name(kind), "numbers".into());
        };
        let expected = self.extents.iter().try_fold(width, |bytes, &extent| bytes.checked_mul(extent as u64));
        if expected != Some(size) {
            let bytes = expected.map_or_else(|| "more than 2^64".to_owned(), |bytes| bytes.to_string());
            let asked = format!("{bytes} bytes for {} numbers", self.shape());
            return format("size of the numbers", format!("{size} bytes"), asked);
        }
        if small.is_none() && size > self.body.left {
            let found = format!("{size} bytes where {} are left", self.body.left);
            return format("size of the numbers", found, "no more than the matrix has; fetch the file again".into());
        }
        Ok(Numbers { body: &mut self.body, kind, width, count: size / width, small: small.map(Cursor::new) })
    }
}

/// The numbers of an array, opened.
pub(super) struct Numbers<'b, 'a> {
    body: &'b mut Body<'a>,
    kind: u32,
    width: u64,
    /// How many there are; the element is large enough for all of them.
    count: u64,
    /// The bytes that lie in the tag.
    small: Option<Cursor<[u8; 4]>>,
}

impl Numbers<'_, '_> {
    /// Whether each takes one unsigned byte in the file.
    pub fn are_bytes(&self) -> bool {
        self.kind == UINT8
    }

    /// What they are in the file, for people.
    pub fn type_name(&self) -> String {
        type_name(self.kind)
    }

    /// The next bytes, as they lie in the file.
    ///
    /// # Errors
    /// [`DataError`] where fewer are there, or the stream is broken.
    pub fn bytes(&mut self, bytes: &mut [u8]) -> Result<(), DataError> {
        match &mut self.small {
            Some(small) => small.read_exact(bytes).map_err(|error| broken(self.body.file, error)),
            None => self.body.exact(bytes),
        }
    }

    /// Hands the numbers to `take` one after the other.
    ///
    /// # Errors
    /// As [`Numbers::bytes`], and whatever `take` returns.
    pub fn each(mut self, mut take: impl FnMut(f64) -> Result<(), DataError>) -> Result<(), DataError> {
        let width = self.width as usize;
        let mut buffer = vec![0; self.count.min(CHUNK) as usize * width];
        while self.count > 0 {
            let now = self.count.min(CHUNK);
            let part = &mut buffer[..now as usize * width];
            self.bytes(part)?;
            for bytes in part.chunks_exact(width) {
                take(self.body.order.number(self.kind, bytes))?;
            }
            self.count -= now;
        }
        Ok(())
    }
}
