//! Matrices of a call: a handle that the host knows, and how large it is.

#![forbid(unsafe_code)]

use crate::abi::gw_tensor;
use core::marker::PhantomData;

/// A matrix to read: rows × columns, row-major. Lives as long as the call.
#[derive(Clone, Copy, Debug)]
pub struct Input<'s> {
    pub(crate) handle: gw_tensor,
    rows: usize,
    columns: usize,
    call: PhantomData<&'s ()>,
}

/// A matrix to write (and read): an output, a persistent matrix or scratch. Lives as long as the call.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'s> {
    pub(crate) handle: gw_tensor,
    rows: usize,
    columns: usize,
    call: PhantomData<&'s ()>,
}

/// The source of an operation: any matrix.
#[derive(Clone, Copy, Debug)]
pub struct Source<'s> {
    pub(crate) handle: gw_tensor,
    call: PhantomData<&'s ()>,
}

/// A factor of a matrix product: any matrix, or its transpose.
#[derive(Clone, Copy, Debug)]
pub struct Operand<'s> {
    pub(crate) handle: gw_tensor,
    pub(crate) transposed: bool,
    call: PhantomData<&'s ()>,
}

/// [`Input`] or [`Matrix`].
pub trait Handle<'s>: Copy {
    #[doc(hidden)]
    fn from_parts(handle: gw_tensor, shape: [usize; 2], seal: Seal) -> Self;
    #[doc(hidden)]
    fn handle(self) -> gw_tensor;
    #[doc(hidden)]
    fn shape(self) -> [usize; 2];
}

/// Only this crate makes one: nobody else can make a matrix out of a number, which keeps slices sound.
#[doc(hidden)]
pub struct Seal(());

impl Seal {
    #[inline]
    pub(crate) fn new() -> Self {
        Self(())
    }
}

macro_rules! handle {
    ($name:ident) => {
        impl<'s> Handle<'s> for $name<'s> {
            fn from_parts(handle: gw_tensor, [rows, columns]: [usize; 2], _: Seal) -> Self {
                Self { handle, rows, columns, call: PhantomData }
            }

            fn handle(self) -> gw_tensor {
                self.handle
            }

            fn shape(self) -> [usize; 2] {
                [self.rows, self.columns]
            }
        }

        impl<'s> $name<'s> {
            /// Number of rows.
            pub fn rows(self) -> usize {
                self.rows
            }

            /// Number of columns.
            pub fn columns(self) -> usize {
                self.columns
            }

            /// The transpose, as a factor of a product.
            pub fn t(self) -> Operand<'s> {
                Operand { handle: self.handle, transposed: true, call: PhantomData }
            }
        }

        impl<'s> From<$name<'s>> for Source<'s> {
            fn from(matrix: $name<'s>) -> Self {
                Self { handle: matrix.handle, call: PhantomData }
            }
        }

        impl<'s> From<$name<'s>> for Operand<'s> {
            fn from(matrix: $name<'s>) -> Self {
                Self { handle: matrix.handle, transposed: false, call: PhantomData }
            }
        }
    };
}

handle!(Input);
handle!(Matrix);
