//! Direct access to the host's memory, on the CPU: a tensor's elements as a slice.

#![allow(unsafe_code)]

use crate::error::Result;
use crate::step::{Input, Matrix, Step};
use core::slice;

/// Element types that tensors can be read as: `f32` and `f64`.
pub trait Element: Copy + sealed::Sealed + 'static {
    /// Bits of an element.
    const BITS: u8;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl Element for f32 {
    const BITS: u8 = 32;
}

impl Element for f64 {
    const BITS: u8 = 64;
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
}
