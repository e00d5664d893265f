//! The IDX format of the MNIST family: two zero bytes, element type, rank, extents (big-endian u32), elements.
//!
//! Images are N×H×W or N×C×H×W, labels N, all unsigned bytes; raw or gzip. Source: yann.lecun.com/exdb/mnist.

use super::file::Source;
use super::{DataError, Examples};

const UNSIGNED_BYTE: u8 = 0x08;

struct Array {
    file: String,
    extents: Vec<usize>,
    bytes: Vec<u8>,
}

/// Images with their labels; `classes` is the largest label + 1 until the caller knows better.
///
/// # Errors
/// [`DataError`] names the file at fault: wrong magic number, element type or rank, truncated, too long, empty, or
/// counts that differ.
pub(super) fn read(images: Source, labels: Source, maximum: u8) -> Result<Examples, DataError> {
    let images = read_array(images, &[3, 4], "images: rank 3 (N×H×W) or 4 (N×C×H×W)")?;
    let labels = read_array(labels, &[1], "labels: rank 1")?;
    let (count, channels, height, width) = match images.extents[..] {
        [count, height, width] => (count, 1, height, width),
        [count, channels, height, width] => (count, channels, height, width),
        _ => return Err(DataError::Empty { file: images.file }),
    };
    if images.bytes.is_empty() {
        return Err(DataError::Empty { file: images.file });
    }
    if labels.bytes.len() != count {
        return Err(DataError::Count {
            images_file: images.file,
            images: count,
            labels_file: labels.file,
            labels: labels.bytes.len(),
        });
    }
    let classes = labels.bytes.iter().max().map_or(0, |&label| usize::from(label) + 1);
    Ok(Examples { pixels: images.bytes, labels: labels.bytes, count, channels, height, width, classes, maximum })
}

fn read_array(mut source: Source, ranks: &[u8], expected: &str) -> Result<Array, DataError> {
    let format = |file: &str, what, found, expected: String| {
        Err(DataError::Format { file: file.to_string(), what, found, expected })
    };
    let magic = source.read_exact(4, 4)?;
    let (element, rank) = match magic[..] {
        [0, 0, element, rank] => (element, rank),
        _ => {
            let found = magic.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
            return format(&source.name, "magic number", found, "00 00 08 and the rank (IDX, unsigned bytes)".into());
        }
    };
    if element != UNSIGNED_BYTE {
        let found = match element {
            0x09 => "signed bytes".into(),
            0x0b => "16-bit integers".into(),
            0x0c => "32-bit integers".into(),
            0x0d => "32-bit floats".into(),
            0x0e => "64-bit floats".into(),
            other => format!("type {other:#04x}"),
        };
        return format(&source.name, "element type", found, "unsigned bytes (0x08)".into());
    }
    if !ranks.contains(&rank) {
        return format(&source.name, "rank", rank.to_string(), expected.into());
    }
    let header = 4 + 4 * u64::from(rank);
    let extents: Vec<usize> = source
        .read_exact(header - 4, header)?
        .chunks_exact(4)
        .map(|bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
        .collect();
    let length = extents.iter().try_fold(1u64, |product, &extent| product.checked_mul(extent as u64));
    let Some(total) = length.and_then(|length| length.checked_add(header)) else {
        let found = extents.iter().map(ToString::to_string).collect::<Vec<_>>().join("×");
        return format(&source.name, "extents", found, "a product below 2^64".into());
    };
    let bytes = source.read_exact(total - header, total)?;
    let file = source.name.clone();
    source.end(total)?;
    Ok(Array { file, extents, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn idx(extents: &[u32], bytes: &[u8]) -> Vec<u8> {
        let mut file = vec![0, 0, 8, extents.len() as u8];
        extents.iter().for_each(|extent| file.extend(extent.to_be_bytes()));
        file.extend(bytes);
        file
    }

    fn read_bytes(images: &[u8], labels: &[u8]) -> Result<Examples, DataError> {
        read(Source::slice("images", images)?, Source::slice("labels", labels)?, 255)
    }

    #[test]
    fn reads_grey_and_colour() {
        let pixels: Vec<u8> = (0..24).collect();
        let examples = read_bytes(&idx(&[2, 3, 4], &pixels), &idx(&[2], &[1, 0])).unwrap();
        assert_eq!((examples.count, examples.channels, examples.height, examples.width), (2, 1, 3, 4));
        assert_eq!((examples.pixels, examples.labels, examples.classes), (pixels.clone(), vec![1, 0], 2));
        let examples = read_bytes(&idx(&[2, 3, 2, 2], &pixels), &idx(&[2], &[4, 0])).unwrap();
        assert_eq!((examples.channels, examples.height, examples.width, examples.classes), (3, 2, 2, 5));
    }

    #[test]
    fn gzip_is_known_by_its_magic() {
        let raw = idx(&[1, 1, 2], &[7, 9]);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&raw).unwrap();
        let packed = packed.finish().unwrap();
        let labels = idx(&[1], &[0]);
        assert_eq!(read_bytes(&packed, &labels).unwrap(), read_bytes(&raw, &labels).unwrap());
        for cut in [5, 9, 12] {
            let message = read_bytes(&packed[..packed.len() - cut], &labels).unwrap_err().to_string();
            assert!(message.starts_with("images: gzip stream: found its end after"), "{message}");
        }
    }

    #[test]
    fn faults_name_the_file_and_what_was_expected() {
        let labels = idx(&[1], &[0]);
        let message = |images: &[u8], labels: &[u8]| read_bytes(images, labels).unwrap_err().to_string();
        assert_eq!(message(&idx(&[1, 1, 2], &[7]), &labels), "images: truncated: 17 bytes of 18; fetch it again");
        assert!(message(&idx(&[1, 1, 2], &[7, 8, 9]), &labels).contains("more bytes, expected 18 bytes"));
        assert!(message(b"PK\x03\x04rest", &labels).contains("magic number: found 50 4b 03 04"));
        assert!(message(b"", &labels).contains("images: truncated: 0 bytes of 4"));
        assert!(message(&[0, 0, 0x0d, 3], &labels).contains("32-bit floats, expected unsigned bytes"));
        assert!(message(&idx(&[2], &[1, 2]), &labels).contains("rank: found 1"));
        assert!(message(&idx(&[0, 2, 2], &[]), &idx(&[0], &[])).contains("holds no examples"));
        assert!(message(&idx(&[1, 1, 2], &[7, 8]), &idx(&[2], &[0, 0])).contains("1 images but labels holds 2 labels"));
        assert!(message(&idx(&[u32::MAX; 4], &[]), &labels).contains("2^64"));
    }
}
