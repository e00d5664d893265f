//! The cropped digits of the Street View House Numbers: a MAT-file with `X`, unsigned bytes of 32×32×3×N (row, column,
//! colour, example; the row runs fastest), and `y`, N labels of which 10 is the digit 0. Source: Netzer, Wang, Coates,
//! Bissacco, Wu and Ng, *Reading Digits in Natural Images with Unsupervised Feature Learning*, NIPS workshop 2011;
//! ufldl.stanford.edu/housenumbers.

use super::cifar::{IMAGE, SIDE};
use super::mat::{Array, CLASS_DOUBLE, CLASS_UINT8, Mat};
use super::{DataError, Examples};
use std::io::ErrorKind;

/// Digits.
const CLASSES: usize = 10;

/// Reads a file of examples. The label is the digit, 0 to 9.
///
/// # Errors
/// [`DataError`] names the file and the variable at fault: missing, of another type or shape, a label that is no digit,
/// no examples, counts that differ; or the file is no whole MAT-file.
pub(super) fn read(mat: Mat<'_>) -> Result<Examples, DataError> {
    let file = mat.file().to_owned();
    let (mut images, mut digits, mut names) = (None, None, Vec::new());
    mat.each(|array| {
        match array.name.as_str() {
            "X" => images = Some(pixels(array)?),
            "y" => digits = Some(labels(array)?),
            _ => {}
        }
        names.push(format!("`{}`", array.name));
        Ok(())
    })?;
    let (Some(pixels), Some(labels)) = (images, digits) else {
        let found = if names.is_empty() { "none".into() } else { names.join(", ") };
        let expected = "`X` (images) and `y` (labels): the cropped digits, train_32x32.mat or test_32x32.mat".into();
        return Err(DataError::Format { file, what: "variables", found, expected });
    };
    let count = pixels.len() / IMAGE;
    if count != labels.len() {
        let labels_file = "its `y`".into();
        return Err(DataError::Count { images_file: file, images: count, labels_file, labels: labels.len() });
    }
    if count == 0 {
        return Err(DataError::Empty { file });
    }
    Ok(Examples { pixels, labels, count, channels: 3, height: SIDE, width: SIDE, classes: CLASSES, maximum: 255 })
}

/// The images of `X`, each plane by plane and row by row.
fn pixels(array: &mut Array<'_>) -> Result<Vec<u8>, DataError> {
    let file = array.place.clone();
    let fault =
        |what, found, expected: &str| DataError::Format { file: file.clone(), what, found, expected: expected.into() };
    if array.class != CLASS_UINT8 || array.complex {
        return Err(fault("type", array.class_name(), "unsigned bytes (uint8)"));
    }
    // MATLAB leaves out a last axis of one.
    let count = match array.extents[..] {
        [SIDE, SIDE, 3] => 1,
        [SIDE, SIDE, 3, count] => count,
        _ => return Err(fault("extents", array.shape(), "32×32×3×N, the cropped digits")),
    };
    let mut numbers = array.numbers()?;
    if !numbers.are_bytes() {
        return Err(fault("element type", numbers.type_name(), "unsigned bytes (type 2)"));
    }
    // The file has been found to hold so many.
    let mut pixels: Vec<u8> = Vec::new();
    if pixels.try_reserve_exact(count.saturating_mul(IMAGE)).is_err() {
        return Err(DataError::io(file)(ErrorKind::OutOfMemory.into()));
    }
    let mut image = [0; IMAGE];
    for _ in 0..count {
        numbers.bytes(&mut image)?;
        for plane in image.chunks_exact(SIDE * SIDE) {
            for row in 0..SIDE {
                pixels.extend(plane.iter().skip(row).step_by(SIDE));
            }
        }
    }
    Ok(pixels)
}

/// The digits of `y`.
fn labels(array: &mut Array<'_>) -> Result<Vec<u8>, DataError> {
    let file = array.place.clone();
    let fault =
        |what, found, expected: &str| DataError::Format { file: file.clone(), what, found, expected: expected.into() };
    if ![CLASS_UINT8, CLASS_DOUBLE].contains(&array.class) || array.complex {
        return Err(fault("type", array.class_name(), "unsigned bytes (uint8) or 64-bit floats (double)"));
    }
    if !matches!(array.extents[..], [_, 1] | [1, _]) {
        return Err(fault("extents", array.shape(), "N×1"));
    }
    let mut labels: Vec<u8> = Vec::new();
    array.numbers()?.each(|label| {
        let Some(digit) = (1..=10u8).find(|&digit| f64::from(digit) == label) else {
            let found = format!("{label} at example {}", labels.len());
            return Err(fault("label", found, "1 to 10, of which 10 is the digit 0"));
        };
        labels.push(digit % 10);
        Ok(())
    })?;
    Ok(labels)
}

#[cfg(test)]
mod tests;
