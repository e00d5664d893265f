//! The binary version of CIFAR: records of one label byte (CIFAR-100: coarse, then fine; the fine one is kept) and
//! 3·32·32 bytes, plane by plane. Source: cs.toronto.edu/~kriz/cifar.html.

use super::file::Source;
use super::{DataError, Examples};

/// Side of an image.
pub(super) const SIDE: usize = 32;
/// Bytes of an image.
pub(super) const IMAGE: usize = 3 * SIDE * SIDE;

/// Reads one or more files of records, each with `label_bytes` labels of which the last counts.
///
/// # Errors
/// [`DataError`] names the file at fault: empty, not a whole number of records, or a label out of range.
pub(super) fn read(sources: Vec<Source>, label_bytes: usize, classes: usize) -> Result<Examples, DataError> {
    let record = label_bytes + IMAGE;
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for mut source in sources {
        let bytes = source.read_up_to(u64::MAX)?;
        let file = source.name;
        if bytes.is_empty() {
            return Err(DataError::Empty { file });
        }
        let rest = bytes.len() % record;
        if rest != 0 {
            return Err(DataError::Format {
                file,
                what: "size",
                found: format!("{} bytes", bytes.len()),
                expected: format!("a whole number of records of {record} bytes ({rest} bytes are left over)"),
            });
        }
        for (index, record) in bytes.chunks_exact(record).enumerate() {
            let (head, image) = record.split_at(label_bytes);
            let label = head[label_bytes - 1];
            if usize::from(label) >= classes {
                return Err(DataError::Label { file, index, label: label.into(), classes });
            }
            labels.push(label);
            pixels.extend_from_slice(image);
        }
    }
    let count = labels.len();
    Ok(Examples { pixels, labels, count, channels: 3, height: SIDE, width: SIDE, classes, maximum: 255 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(labels: &[u8], value: u8) -> Vec<u8> {
        [labels, &[value; IMAGE]].concat()
    }

    #[test]
    fn reads_records_of_both_sets() {
        let ten = [record(&[3], 7), record(&[9], 8)].concat();
        let examples = read(vec![Source::slice("a", &ten).unwrap(), Source::slice("b", &ten).unwrap()], 1, 10).unwrap();
        assert_eq!((examples.count, &examples.labels[..]), (4, &[3, 9, 3, 9][..]));
        assert_eq!(examples.pixels[IMAGE], 8);
        let hundred = record(&[4, 99], 1);
        assert_eq!(read(vec![Source::slice("a", &hundred).unwrap()], 2, 100).unwrap().labels, [99]);
    }

    #[test]
    fn faults_name_the_file() {
        let message = |bytes: &[u8]| read(vec![Source::slice("f", bytes).unwrap()], 1, 10).unwrap_err().to_string();
        assert!(message(&record(&[10], 0)).starts_with("f: label 10 of example 0 is out of range"));
        assert!(
            message(&record(&[1], 0)[..100]).contains("found 100 bytes, expected a whole number of records of 3073")
        );
        assert!(message(&[]).contains("no examples"));
    }
}
