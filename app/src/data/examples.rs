//! Labelled images as raw bytes, before any scaling.

use super::DataError;

/// Labelled images: `count` images of `channels` × `height` × `width` bytes, example by example, plane by plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examples {
    /// count · channels · height · width bytes.
    pub pixels: Vec<u8>,
    /// One class an example.
    pub labels: Vec<u8>,
    /// Examples, N.
    pub count: usize,
    /// Planes of an image, C.
    pub channels: usize,
    /// Rows of an image, H.
    pub height: usize,
    /// Columns of an image, W.
    pub width: usize,
    /// Classes: every label is smaller.
    pub classes: usize,
    /// Value of a white pixel: 255, or 16 for `digits`.
    pub maximum: u8,
}

impl Examples {
    /// Bytes of one image, C·H·W.
    pub fn size(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Examples of each class.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes];
        for &label in &self.labels {
            if let Some(count) = counts.get_mut(usize::from(label)) {
                *count += 1;
            }
        }
        counts
    }

    /// The examples at `indices`, in that order. Indices beyond the end are left out.
    pub fn select(&self, indices: &[u32]) -> Self {
        let size = self.size();
        let mut pixels = Vec::with_capacity(indices.len() * size);
        let mut labels = Vec::with_capacity(indices.len());
        for index in indices.iter().map(|&index| index as usize).filter(|&index| index < self.count) {
            pixels.extend_from_slice(&self.pixels[index * size..(index + 1) * size]);
            labels.push(self.labels[index]);
        }
        Self { count: labels.len(), pixels, labels, ..*self }
    }

    /// Sets the number of classes, after checking every label against it.
    ///
    /// # Errors
    /// [`DataError::Label`] names `file` and the first label out of range.
    pub(super) fn with_classes(mut self, classes: usize, file: &str) -> Result<Self, DataError> {
        match self.labels.iter().position(|&label| usize::from(label) >= classes) {
            Some(index) => {
                Err(DataError::Label { file: file.into(), index, label: self.labels[index].into(), classes })
            }
            None => {
                self.classes = classes;
                Ok(self)
            }
        }
    }
}
