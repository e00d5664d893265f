//! A matrix of doubles by value, for writing a formula down in a test.

#![forbid(unsafe_code)]

use std::ops::{Index, IndexMut};

/// Rows × columns, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Grid {
    /// From the values, row by row.
    ///
    /// # Panics
    /// When there are not rows · columns of them.
    pub fn new(rows: usize, columns: usize, values: Vec<f64>) -> Self {
        assert_eq!(values.len(), rows * columns, "{rows} × {columns} values are needed");
        Self { rows, columns, values }
    }

    /// The same value everywhere.
    pub fn constant(rows: usize, columns: usize, value: f64) -> Self {
        Self { rows, columns, values: vec![value; rows * columns] }
    }

    /// From a function of row and column.
    pub fn from_fn(rows: usize, columns: usize, mut f: impl FnMut(usize, usize) -> f64) -> Self {
        let values = (0..rows * columns).map(|i| f(i / columns, i % columns)).collect();
        Self { rows, columns, values }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The values, row by row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..(row + 1) * self.columns]
    }

    /// The same values as `rows` × `columns`.
    ///
    /// # Panics
    /// When the number of elements differs.
    pub fn reshape(&self, rows: usize, columns: usize) -> Self {
        Self::new(rows, columns, self.values.clone())
    }

    /// The transpose.
    pub fn t(&self) -> Self {
        Self::from_fn(self.columns, self.rows, |i, j| self[(j, i)])
    }

    /// `self · other`.
    ///
    /// # Panics
    /// When the inner extents differ.
    pub fn matmul(&self, other: &Self) -> Self {
        assert_eq!(self.columns, other.rows, "inner extents differ");
        Self::from_fn(self.rows, other.columns, |i, j| (0..self.columns).map(|k| self[(i, k)] * other[(k, j)]).sum())
    }

    fn zip(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        assert_eq!((self.rows, self.columns), (other.rows, other.columns), "extents differ");
        Self { values: self.values.iter().zip(&other.values).map(|(&a, &b)| f(a, b)).collect(), ..*self }
    }

    /// `self ⊙ other`.
    ///
    /// # Panics
    /// When the extents differ.
    pub fn hadamard(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    /// `self + other`.
    ///
    /// # Panics
    /// When the extents differ.
    pub fn plus(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    /// `f` of every element.
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { values: self.values.iter().map(|&value| f(value)).collect(), ..*self }
    }

    /// softmax along each row.
    pub fn softmax(&self) -> Self {
        let mut out = self.clone();
        for row in out.values.chunks_mut(self.columns.max(1)) {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            row.iter_mut().for_each(|value| *value = (*value - largest).exp());
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|value| *value /= sum);
        }
        out
    }

    /// Largest difference of elements; infinite when the extents differ or either has a NaN.
    pub fn distance(&self, other: &Self) -> f64 {
        if (self.rows, self.columns) != (other.rows, other.columns) {
            return f64::INFINITY;
        }
        let differences = self.values.iter().zip(&other.values).map(|(a, b)| (a - b).abs());
        differences.fold(0.0, |worst, next| if next.is_nan() { f64::INFINITY } else { worst.max(next) })
    }

    /// Checks that every element agrees within `tolerance`.
    ///
    /// # Panics
    /// When one does not: the message names the extents and the largest difference.
    #[track_caller]
    pub fn assert_close(&self, expected: &Self, tolerance: f64) {
        let distance = self.distance(expected);
        assert!(
            distance <= tolerance,
            "{} × {} differs from the expected {} × {} by {distance:e}, more than {tolerance:e}",
            self.rows,
            self.columns,
            expected.rows,
            expected.columns,
        );
    }
}

impl Index<(usize, usize)> for Grid {
    type Output = f64;

    fn index(&self, (row, column): (usize, usize)) -> &f64 {
        &self.values[row * self.columns + column]
    }
}

impl IndexMut<(usize, usize)> for Grid {
    fn index_mut(&mut self, (row, column): (usize, usize)) -> &mut f64 {
        &mut self.values[row * self.columns + column]
    }
}
