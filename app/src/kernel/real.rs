//! The two element types, and what the loops ask of them.

use candle_core::{CpuStorage, DType, Result, WithDType, bail};
use std::fmt::Debug;
use std::iter::Sum;
use std::ops::Neg;

/// f32 or f64.
pub(super) trait Real: WithDType + Default + Debug + Neg<Output = Self> + Sum + faer::traits::RealField {
    /// 0.
    const ZERO: Self;
    /// Zeros, to be read in place of what is not there.
    const ZEROS: &'static [Self];
    /// 1.
    const ONE: Self;

    /// The nearest number of this type.
    fn of(value: f64) -> Self;
    /// The same number in double precision.
    fn wide(self) -> f64;
    /// eˣ.
    fn exp(self) -> Self;
    /// √x.
    fn sqrt(self) -> Self;
    /// tanh x.
    fn tanh(self) -> Self;
    /// Φ(x) and the density φ(x) of the standard normal distribution.
    fn normal_distribution(self) -> (Self, Self);
    /// The larger of two numbers.
    fn max(self, other: Self) -> Self;
    /// Neither infinite nor NaN.
    fn is_finite(self) -> bool;
    /// The largest magnitude; infinite or NaN where an element is.
    fn largest(numbers: &[Self]) -> Self;
    /// The numbers of a storage, writable.
    fn slice_mut(storage: &mut CpuStorage) -> Result<&mut [Self]>;
    /// Standard normal, uniform or Rademacher numbers of whole Philox blocks: see [`super::draw`].
    fn draw_blocks(kind: super::Draw, scale: f64, words: &super::draw::Words, out: &mut [Self; super::draw::GROUP]);
}

macro_rules! real {
    ($type:ty, $variant:ident, $exp:path, $tanh:path, $normal:path, $draw:path, $largest:path) => {
        impl Real for $type {
            const ZERO: Self = 0.0;
            const ZEROS: &'static [Self] = &[0.0; 4096];
            const ONE: Self = 1.0;

            #[inline(always)]
            fn of(value: f64) -> Self {
                value as Self
            }

            #[inline(always)]
            fn wide(self) -> f64 {
                f64::from(self)
            }

            #[inline(always)]
            fn exp(self) -> Self {
                $exp(self)
            }

            #[inline(always)]
            fn sqrt(self) -> Self {
                <$type>::sqrt(self)
            }

            #[inline(always)]
            fn tanh(self) -> Self {
                $tanh(self)
            }

            #[inline(always)]
            fn normal_distribution(self) -> (Self, Self) {
                $normal(self)
            }

            #[inline(always)]
            fn max(self, other: Self) -> Self {
                if other > self { other } else { self }
            }

            #[inline(always)]
            fn is_finite(self) -> bool {
                <$type>::is_finite(self)
            }

            fn largest(numbers: &[Self]) -> Self {
                $largest(numbers)
            }

            fn slice_mut(storage: &mut CpuStorage) -> Result<&mut [Self]> {
                match storage {
                    CpuStorage::$variant(numbers) => Ok(numbers),
                    other => {
                        use candle_core::backend::BackendStorage;
                        bail!("expected {:?}, found {:?}", DType::$variant, other.dtype())
                    }
                }
            }

            #[inline(always)]
            fn draw_blocks(
                kind: super::Draw,
                scale: f64,
                words: &super::draw::Words,
                out: &mut [Self; super::draw::GROUP],
            ) {
                $draw(kind, scale, words, out)
            }
        }
    };
}

real!(
    f32,
    F32,
    super::special::exp_f32,
    super::special::tanh_f32,
    super::special::normal_f32,
    super::draw::blocks_f32,
    super::reduce::largest_f32
);
real!(f64, F64, f64::exp, f64::tanh, super::special::normal_f64, super::draw::blocks_f64, super::reduce::largest_f64);

/// Evaluates an expression with `$real` standing for the element type of `$tensor`.
macro_rules! on_real {
    ($tensor:expr, $real:ident => $body:expr) => {
        match $tensor.dtype() {
            candle_core::DType::F32 => {
                type $real = f32;
                $body
            }
            candle_core::DType::F64 => {
                type $real = f64;
                $body
            }
            other => candle_core::bail!("kernels take f32 and f64, not {other:?}"),
        }
    };
}
pub(super) use on_real;
