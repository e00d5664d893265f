//! SVHN's files, made here byte by byte: whole ones in every form, and each way in which one can be broken.

use super::*;
use std::io::Write;

const LITTLE: bool = false;
const BIG: bool = true;

fn int(big: bool, value: u32) -> [u8; 4] {
    if big { value.to_be_bytes() } else { value.to_le_bytes() }
}

/// A tag and its bytes, filled up to a multiple of eight; up to four bytes lie in the tag.
fn element(big: bool, kind: u32, bytes: &[u8]) -> Vec<u8> {
    let mut element = match bytes.len() {
        size @ 1..=4 => [int(big, ((size as u32) << 16) | kind).as_slice(), bytes].concat(),
        size => [int(big, kind).as_slice(), &int(big, size as u32), bytes].concat(),
    };
    element.resize(element.len().next_multiple_of(8), 0);
    element
}

struct Variable<'a> {
    name: &'a str,
    class: u32,
    extents: &'a [u32],
    kind: u32,
    bytes: &'a [u8],
}

impl Variable<'_> {
    fn matrix(&self, big: bool) -> Vec<u8> {
        let extents: Vec<u8> = self.extents.iter().flat_map(|&extent| int(big, extent)).collect();
        let parts = [
            element(big, 6, &[int(big, self.class), int(big, 0)].concat()),
            element(big, 5, &extents),
            element(big, 1, self.name.as_bytes()),
            element(big, self.kind, self.bytes),
        ];
        element(big, 14, &parts.concat())
    }
}

/// The element of a compressed matrix; nothing fills it up.
fn packed(big: bool, matrix: &[u8]) -> Vec<u8> {
    let mut stream = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    stream.write_all(matrix).unwrap();
    let stream = stream.finish().unwrap();
    [int(big, 15).as_slice(), &int(big, stream.len() as u32), &stream].concat()
}

fn file(big: bool, elements: &[Vec<u8>]) -> Vec<u8> {
    let mut file = b"MATLAB 5.0 MAT-file, made by a test".to_vec();
    file.resize(124, b' ');
    file.extend(if big { *b"\x01\x00MI" } else { *b"\x00\x01IM" });
    elements.iter().for_each(|element| file.extend(element));
    file
}

/// The value of a pixel: no two of row, column, plane and example can be exchanged unseen.
fn pixel(row: usize, column: usize, plane: usize, example: usize) -> u8 {
    ((7 * row + 13 * column + 29 * plane + 53 * example) % 251) as u8
}

/// `X` of so many examples as the file holds it: the row runs fastest.
fn images(count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for example in 0..count {
        for plane in 0..3 {
            for column in 0..SIDE {
                bytes.extend((0..SIDE).map(|row| pixel(row, column, plane, example)));
            }
        }
    }
    bytes
}

fn x<'a>(extents: &'a [u32], bytes: &'a [u8]) -> Variable<'a> {
    Variable { name: "X", class: 9, extents, kind: 2, bytes }
}

fn y<'a>(extents: &'a [u32], bytes: &'a [u8]) -> Variable<'a> {
    Variable { name: "y", class: 9, extents, kind: 2, bytes }
}

fn read_bytes(bytes: &[u8]) -> Result<Examples, DataError> {
    read(Mat::slice("f", bytes)?)
}

fn message(bytes: &[u8]) -> String {
    read_bytes(bytes).unwrap_err().to_string()
}

/// One example with label 10.
fn whole(big: bool, compressed: bool) -> Vec<u8> {
    let images = images(1);
    let matrices = [x(&[32, 32, 3, 1], &images).matrix(big), y(&[1, 1], &[10]).matrix(big)];
    file(big, &if compressed { matrices.map(|matrix| packed(big, &matrix)) } else { matrices })
}

#[test]
fn both_orders_packed_or_not_are_the_same_examples() {
    let (images, doubles) = (images(3), [10.0, 1.0, 9.0]);
    for big in [LITTLE, BIG] {
        let bytes = doubles.map(|label: f64| if big { label.to_be_bytes() } else { label.to_le_bytes() }).concat();
        let shorts = [10u16, 1, 9].map(|label| if big { label.to_be_bytes() } else { label.to_le_bytes() }).concat();
        // Labels as bytes in the tag, as doubles, and as doubles that the file holds in a narrower type.
        let labels = [
            y(&[3, 1], &[10, 1, 9]),
            Variable { class: 6, kind: 9, ..y(&[3, 1], &bytes) },
            Variable { class: 6, kind: 4, ..y(&[1, 3], &shorts) },
        ];
        for labels in labels {
            let matrices = [x(&[32, 32, 3, 3], &images).matrix(big), labels.matrix(big)];
            let turned = [matrices[1].clone(), matrices[0].clone()];
            let streams = matrices.clone().map(|matrix| packed(big, &matrix));
            for elements in [matrices, turned, streams] {
                let examples = read_bytes(&file(big, &elements)).unwrap();
                let Examples { count, channels, height, width, classes, maximum, .. } = examples;
                assert_eq!((count, channels, height, width, classes, maximum), (3, 3, 32, 32, 10, 255));
                assert_eq!(examples.labels, [0, 1, 9]);
                let mut at = examples.pixels.iter();
                for example in 0..3 {
                    for plane in 0..3 {
                        for row in 0..SIDE {
                            for column in 0..SIDE {
                                assert_eq!(at.next(), Some(&pixel(row, column, plane, example)));
                            }
                        }
                    }
                }
                assert_eq!(at.next(), None);
            }
        }
    }
}

#[test]
fn one_example_has_no_last_axis_and_other_variables_are_passed_over() {
    let (images, order) = (images(1), LITTLE);
    let note = Variable { name: "note", class: 4, extents: &[1, 5], kind: 16, bytes: b"hello" };
    let opaque = element(order, 14, &element(order, 6, &[int(order, 17), int(order, 0)].concat()));
    let elements = [
        note.matrix(order),
        element(order, 14, &[]),
        packed(order, &note.matrix(order)),
        x(&[32, 32, 3], &images).matrix(order),
        opaque.clone(),
        y(&[1, 1], &[4]).matrix(order),
        packed(order, &opaque),
    ];
    let examples = read_bytes(&file(order, &elements)).unwrap();
    assert_eq!((examples.count, &examples.labels[..]), (1, &[4][..]));
}

#[test]
fn a_file_that_is_cut_is_never_read() {
    for (big, compressed) in [(LITTLE, false), (BIG, false), (LITTLE, true), (BIG, true)] {
        let whole = whole(big, compressed);
        assert!(read_bytes(&whole).is_ok());
        for cut in 0..whole.len() {
            assert!(read_bytes(&whole[..cut]).is_err(), "{cut} bytes of {}, compressed: {compressed}", whole.len());
        }
        assert_eq!(message(&whole[..100]), "f: truncated: 100 bytes of 128; fetch it again");
        let expected = format!("f: truncated: {} bytes of {}; fetch it again", whole.len() - 1, whole.len());
        assert_eq!(message(&whole[..whole.len() - 1]), expected);
    }
}

#[test]
fn a_changed_byte_is_noticed_or_without_effect() {
    // The zlib streams carry a checksum of the matrices; the rest are tags and the header.
    let file = whole(LITTLE, true);
    let examples = read_bytes(&file).unwrap();
    let mut noticed = 0;
    for place in 0..file.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = file.clone();
            changed[place] ^= change;
            match read_bytes(&changed) {
                Err(_) => noticed += 1,
                Ok(found) => assert!(found == examples, "byte {place} changed by {change:#x}"),
            }
        }
    }
    assert!(noticed > 3 * (file.len() - 124) * 9 / 10, "{noticed} of {}", 3 * file.len());
    // Without a checksum anything may come of it, but no panic.
    let file = whole(BIG, false);
    for place in (0..file.len()).filter(|place| !(300..file.len() - 100).contains(place)) {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = file.clone();
            changed[place] ^= change;
            let _ = read_bytes(&changed);
        }
    }
}

#[test]
fn what_is_no_such_file_is_told_so() {
    let whole = whole(LITTLE, false);
    let mut page = b"<!doctype html>".to_vec();
    page.resize(400, b'x');
    assert_eq!(
        message(&page),
        "f: endian mark: found 78 78 at byte 126, expected `IM` or `MI` (a MAT-file of version 5); fetch it again"
    );
    let mut hdf5 = whole.clone();
    hdf5[125] = 2;
    let expected = "f: version: found 0x0200 (version 7.3, HDF5), expected 0x0100 (version 5); save it with `-v7`";
    assert_eq!(message(&hdf5), expected);
    let mut other = whole.clone();
    other[128] = 9;
    let expected = "f: element type: found 64-bit floats (type 9), expected a matrix (14) or a compressed one (15)";
    assert_eq!(message(&other), expected);
    let no_matrix = packed(LITTLE, &element(LITTLE, 6, &[0; 8]));
    let expected = "f: compressed element: found unsigned 32-bit integers (type 6), expected a matrix (14)";
    assert_eq!(message(&file(LITTLE, &[no_matrix])), expected);
}

#[test]
fn variables_of_another_kind_are_told_so() {
    let (two, one) = (images(2), images(1));
    let labels = || y(&[2, 1], &[1, 2]);
    let message = |x: Variable<'_>, y: Variable<'_>| message(&file(LITTLE, &[x.matrix(LITTLE), y.matrix(LITTLE)]));
    let images = || x(&[32, 32, 3, 2], &two);
    for (x, expected) in [
        (Variable { name: "x", ..images() }, "f: variables: found `x`, `y`, expected `X` (images) and `y` (labels)"),
        (x(&[32, 32, 1, 6], &two), "f, variable `X`: extents: found 32×32×1×6, expected 32×32×3×N"),
        (x(&[2, 3, 32, 32], &two), "f, variable `X`: extents: found 2×3×32×32, expected 32×32×3×N"),
        (Variable { class: 10, ..images() }, "f, variable `X`: type: found 16-bit integers, expected unsigned bytes"),
        (Variable { class: 9 | 0x800, ..images() }, "f, variable `X`: type: found complex unsigned bytes"),
        (Variable { class: 2, ..images() }, "f, variable `X`: type: found a structure"),
        (
            Variable { kind: 1, ..images() },
            "f, variable `X`: element type: found 8-bit integers (type 1), expected unsigned bytes (type 2)",
        ),
        (Variable { kind: 16, ..images() }, "f, variable `X`: element type: found text in UTF-8 (type 16)"),
        (
            x(&[32, 32, 3, 3], &two),
            "f, variable `X`: size of the numbers: found 6144 bytes, expected 9216 bytes for 32×32×3×3 numbers",
        ),
        (x(&[32, 32, 3, 1], &one), "f holds 1 images but its `y` holds 2 labels"),
        (x(&[32, 32, 3, u32::MAX], &one), "f: dimensions: found -1, expected numbers from 0"),
        (x(&[32], &one), "f: dimensions: found 4 bytes, expected 4 for each of two or more"),
    ] {
        let found = message(x, labels());
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
    let half = 2.5f64.to_le_bytes();
    let double = |extents, bytes| Variable { class: 6, kind: 9, ..y(extents, bytes) };
    for (y, expected) in [
        (
            y(&[2, 1], &[1, 11]),
            "f, variable `y`: label: found 11 at example 1, expected 1 to 10, of which 10 is the digit 0",
        ),
        (y(&[2, 1], &[0, 1]), "f, variable `y`: label: found 0 at example 0"),
        (double(&[1, 1], &half), "f, variable `y`: label: found 2.5 at example 0"),
        (double(&[1, 1], &f64::NAN.to_le_bytes()), "f, variable `y`: label: found NaN at example 0"),
        (y(&[1, 2, 1], &[1, 2]), "f, variable `y`: extents: found 1×2×1, expected N×1"),
        (y(&[2, 2], &[1, 2, 1, 2]), "f, variable `y`: extents: found 2×2"),
        (Variable { class: 7, ..labels() }, "f, variable `y`: type: found 32-bit floats"),
        (y(&[3, 1], &[1, 2, 3]), "f holds 2 images but its `y` holds 3 labels"),
        (Variable { name: "labels", ..labels() }, "f: variables: found `X`, `labels`"),
    ] {
        let found = message(images(), y);
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
    assert_eq!(message(x(&[32, 32, 3, 0], &[]), y(&[0, 1], &[])), "f: holds no examples");
    assert!(super::read(Mat::slice("f", &file(LITTLE, &[])).unwrap()).unwrap_err().to_string().contains("found none"));
    // More labels than are decoded at once.
    let mut many = vec![1; 5000];
    assert_eq!(message(images(), y(&[5000, 1], &many)), "f holds 2 images but its `y` holds 5000 labels");
    many[4999] = 12;
    assert!(message(images(), y(&[5000, 1], &many)).contains("found 12 at example 4999"));
}

#[test]
fn sizes_that_do_not_fit_are_refused_before_anything_is_held() {
    // A matrix of three gigabytes in an element of some hundred bytes.
    let count = 1_000_000u32;
    let size = count * IMAGE as u32;
    let mut matrix = x(&[32, 32, 3, count], &[0; 8]).matrix(LITTLE);
    let numbers = matrix.len() - 16;
    matrix[numbers + 4..numbers + 8].copy_from_slice(&size.to_le_bytes());
    let place = numbers as u32 + size;
    let inner = matrix.clone();
    matrix[4..8].copy_from_slice(&place.to_le_bytes());
    let found = message(&file(LITTLE, &[matrix.clone()]));
    let expected = format!("f: truncated: 200 bytes of {}; fetch it again", 136 + u64::from(place));
    assert_eq!(found, expected);
    let found = message(&file(LITTLE, &[packed(LITTLE, &matrix)]));
    assert!(found.starts_with(&format!("f: compressed element: found a matrix of {place} bytes in")), "{found}");
    // The matrix itself fits, its numbers do not.
    let expected = format!("f, variable `X`: size of the numbers: found {size} bytes where 8 are left");
    for element in [inner.clone(), packed(LITTLE, &inner)] {
        let found = message(&file(LITTLE, &[element]));
        assert!(found.starts_with(&expected), "{found}");
    }
    // A size that deflate could have made, of a stream that ends before.
    let mut short = x(&[32, 32, 3, 2], &images(2)).matrix(LITTLE);
    short.truncate(short.len() - 1000);
    let found = message(&file(LITTLE, &[packed(LITTLE, &short)]));
    let expected = "f: zlib stream: found its end before that of the matrix, expected a whole file; fetch it again";
    assert_eq!(found, expected);
    // Bytes behind the matrix in its own stream.
    let long = [x(&[32, 32, 3, 1], &images(1)).matrix(LITTLE), vec![0; 8]].concat();
    let found = message(&file(LITTLE, &[packed(LITTLE, &long)]));
    assert_eq!(found, "f: compressed element: found 8 bytes behind the matrix, expected its end");
    // A stream that is none.
    let broken = [[15, 16].map(u32::to_le_bytes).concat(), vec![0xaa; 16]].concat();
    let found = message(&file(LITTLE, &[broken]));
    assert!(found.starts_with("f: zlib stream: found corrupt deflate stream"), "{found}");
    // Parts of a matrix that say more than they are.
    let mut name = y(&[1, 1], &[1]).matrix(LITTLE);
    let at = name.len() - 16;
    name[at..at + 4].copy_from_slice(&((9u32 << 16) | 1).to_le_bytes());
    assert_eq!(message(&file(LITTLE, &[name])), "f: small element: found 9 bytes, expected at most 4");
    let early = element(LITTLE, 14, &element(LITTLE, 6, &[int(LITTLE, 9), int(LITTLE, 0)].concat()));
    assert_eq!(
        message(&file(LITTLE, &[early])),
        "f: matrix: found its end 8 bytes too early, expected all of its parts"
    );
}
