//! Direct access to the host's memory, on the CPU: a tensor's elements as a slice.

#![allow(unsafe_code)]

use crate::error::{Error, Result};
use crate::matrix::{Handle, Input, Matrix};
use crate::model::DType;
use crate::step::Step;
use core::slice;

/// Element types that tensors can be read as: `f32` and `f64`.
pub trait Element: Copy + sealed::Sealed + 'static {
    /// Bits of an element.
    const BITS: u8;

    /// The value in double precision.
    fn wide(self) -> f64;

    /// The nearest value of this type.
    fn of(value: f64) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl Element for f32 {
    const BITS: u8 = 32;

    fn wide(self) -> f64 {
        f64::from(self)
    }

    fn of(value: f64) -> Self {
        value as f32
    }
}

impl Element for f64 {
    const BITS: u8 = 64;

    fn wide(self) -> f64 {
        self
    }

    fn of(value: f64) -> Self {
        value
    }
}

/// Direct access to the host's memory, on the CPU.
impl<'s> Step<'s> {
    /// The elements of an input, row by row: the storage's own memory.
    ///
    /// # Errors
    /// When the tensor is not in host memory, or its elements are not `T`.
    pub fn slice<T: Element>(&self, input: Input<'s>) -> Result<&'s [T]> {
        let (data, count) = self.call.data(input.handle, T::BITS)?;
        if count == 0 {
            return Ok(&[]);
        }
        // SAFETY: an `Input` comes from `gw_tensors.input` or is a view of one: memory of the host, aligned, of `count`
        // initialised elements, that nobody writes before the call returns, which is after 's.
        Ok(unsafe { slice::from_raw_parts(data.cast::<T>(), count) })
    }

    /// The elements of a writable matrix, row by row: the storage's own memory. The step is borrowed as long, so that
    /// neither another slice nor an operation can touch them meanwhile.
    ///
    /// # Errors
    /// As [`Step::slice`].
    pub fn slice_mut<T: Element>(&mut self, matrix: Matrix<'s>) -> Result<&mut [T]> {
        let (data, count) = self.call.data(matrix.handle, T::BITS)?;
        if count == 0 {
            return Ok(&mut []);
        }
        // SAFETY: a `Matrix` is an output, persistent or scratch tensor of this call, or a view of one: memory of the
        // host, aligned, of `count` initialised elements, apart from every input; exclusive while the step is borrowed.
        Ok(unsafe { slice::from_raw_parts_mut(data.cast::<T>(), count) })
    }

    /// `into ←` the elements of any matrix, row by row, in double precision.
    ///
    /// # Errors
    /// When the matrix is not in host memory, or of a type that this version does not know.
    pub fn read<H: Handle<'s>>(&self, matrix: H, into: &mut Vec<f64>) -> Result {
        match self.model().dtype {
            DType::F32 => self.read_as::<f32, H>(matrix, into),
            DType::F64 => self.read_as::<f64, H>(matrix, into),
            DType::Other(other) => Err(unknown(other)),
        }
    }

    /// `matrix ← values`, row by row, rounded to the element type.
    ///
    /// # Errors
    /// As [`Step::read`]; when there are more or fewer values than elements.
    pub fn write(&mut self, matrix: Matrix<'s>, values: &[f64]) -> Result {
        match self.model().dtype {
            DType::F32 => self.write_as::<f32>(matrix, values),
            DType::F64 => self.write_as::<f64>(matrix, values),
            DType::Other(other) => Err(unknown(other)),
        }
    }

    fn read_as<T: Element, H: Handle<'s>>(&self, matrix: H, into: &mut Vec<f64>) -> Result {
        let (data, count) = self.call.data(matrix.handle(), T::BITS)?;
        into.clear();
        if count > 0 {
            // SAFETY: memory of the host, aligned, of `count` initialised elements; a slice that could be written through
            // borrows the step exclusively, so there is none now.
            let elements = unsafe { slice::from_raw_parts(data.cast::<T>().cast_const(), count) };
            into.extend(elements.iter().map(|element| element.wide()));
        }
        Ok(())
    }

    fn write_as<T: Element>(&mut self, matrix: Matrix<'s>, values: &[f64]) -> Result {
        let elements = self.slice_mut::<T>(matrix)?;
        if elements.len() != values.len() {
            let text = format!("{} values for a matrix of {} elements", values.len(), elements.len());
            return Err(Error::invalid(text));
        }
        elements.iter_mut().zip(values).for_each(|(element, value)| *element = T::of(*value));
        Ok(())
    }
}

fn unknown(dtype: u32) -> Error {
    Error::unsupported(format!("element type {dtype} is not known to this version of guesswork-plugin"))
}
