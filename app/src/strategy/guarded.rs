//! Tensors with redzones: memory that a plugin may write, with elements before and after it that it may not.
//!
//! The redzones hold a value that is compared after every call. The inside can be filled with a NaN of a payload of its
//! own, so that an element that was never written can be told from a NaN that was computed.
#![allow(unsafe_code)]

use crate::kernel;
use candle_core::{DType, Device, Result, Tensor};

/// Elements of a redzone: 64 bytes of f32, so that the inside starts at a cache line when the storage does.
const REDZONE: usize = 16;
/// What the redzones hold: exact in f32 and f64.
const SENTINEL: f64 = 14_309_978.0;
/// The NaN of an element that was not written.
const UNWRITTEN_F32: u32 = 0x7fc0_6775;
/// As above, in double precision.
const UNWRITTEN_F64: u64 = 0x7ff8_0000_0000_6775;

/// A tensor between two redzones.
#[derive(Debug)]
pub(super) struct Guarded {
    whole: Tensor,
    inner: Tensor,
    /// Where the two redzones begin, of a tensor in the host's memory. Nobody gives the storage other memory: kernels and plugins
    /// write it in place.
    zones: Option<Zones>,
}

#[derive(Clone, Copy, Debug)]
struct Zones {
    before: *const u8,
    past: *const u8,
    wide: bool,
}

// SAFETY: addresses inside the storage of `Guarded::whole`, which they live with; read through `&Guarded` only, between calls
// of the plugin that may write there.
unsafe impl Send for Zones {}
// SAFETY: as above.
unsafe impl Sync for Zones {}

/// Where a redzone was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overrun {
    /// `before` or `past the end of`.
    pub side: &'static str,
    /// Distance from the inside in elements, from 1; the farthest one touched.
    pub distance: usize,
}

/// A non-finite element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Finding {
    /// It was never written.
    Unwritten(usize),
    /// It was written with this value.
    NonFinite(usize, f64),
}

impl Guarded {
    /// Zeros of the given shape, between redzones.
    pub fn new(shape: &[usize], dtype: DType, device: &Device) -> Result<Self> {
        let count: usize = shape.iter().product();
        let whole = Tensor::zeros(count + 2 * REDZONE, dtype, device)?;
        kernel::fill(&whole.narrow(0, 0, REDZONE)?, SENTINEL)?;
        kernel::fill(&whole.narrow(0, REDZONE + count, REDZONE)?, SENTINEL)?;
        let inner = whole.narrow(0, REDZONE, count)?.reshape(shape)?;
        let zones = kernel::cpu_pointer(&whole).map(|(pointer, bytes)| {
            let size = bytes / (count + 2 * REDZONE);
            Zones { before: pointer, past: pointer.wrapping_add((REDZONE + count) * size), wide: size == 8 }
        });
        Ok(Self { whole, inner, zones })
    }

    /// The inside.
    pub fn tensor(&self) -> &Tensor {
        &self.inner
    }

    /// The first redzone that does not hold what it should.
    pub fn overrun(&self) -> Result<Option<Overrun>> {
        if self.intact() == Some(true) {
            return Ok(None);
        }
        let count = self.inner.elem_count();
        let zone = |start: usize| -> Result<[bool; REDZONE]> {
            let mut touched = [false; REDZONE];
            let mut look = |index: usize, value: f64| touched[index] = value.to_bits() != SENTINEL.to_bits();
            match kernel::cpu_pointer(&self.whole) {
                Some((pointer, _)) if self.whole.dtype() == DType::F32 => {
                    for index in 0..REDZONE {
                        // SAFETY: the storage holds `count` + 2·REDZONE f32 and outlives the loop.
                        look(index, f64::from(unsafe { pointer.cast::<f32>().add(start + index).read() }));
                    }
                }
                Some((pointer, _)) => {
                    for index in 0..REDZONE {
                        // SAFETY: the storage holds `count` + 2·REDZONE f64 and outlives the loop.
                        look(index, unsafe { pointer.cast::<f64>().add(start + index).read() });
                    }
                }
                None => {
                    let values = self.whole.narrow(0, start, REDZONE)?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
                    values.into_iter().enumerate().for_each(|(index, value)| look(index, value));
                }
            }
            Ok(touched)
        };
        if let Some(last) = zone(REDZONE + count)?.iter().rposition(|&touched| touched) {
            return Ok(Some(Overrun { side: "past the end of", distance: last + 1 }));
        }
        let first = zone(0)?.iter().position(|&touched| touched);
        Ok(first.map(|first| Overrun { side: "before", distance: REDZONE - first }))
    }

    /// Whether both redzones hold what they should; `None` where they cannot be read in place.
    #[inline]
    pub fn intact(&self) -> Option<bool> {
        let Zones { before, past, wide } = self.zones?;
        let whole = |zone: *const u8| {
            // SAFETY: a redzone of as many f32 or f64 (by `wide`) lies there, in a storage that outlives this; nobody writes it
            // between calls.
            unsafe {
                match wide {
                    false => (*zone.cast::<[u32; REDZONE]>()) == [(SENTINEL as f32).to_bits(); REDZONE],
                    true => (*zone.cast::<[u64; REDZONE]>()) == [SENTINEL.to_bits(); REDZONE],
                }
            }
        };
        Some(whole(before) && whole(past))
    }

    /// Fills the inside with the NaN of unwritten elements.
    pub fn forget(&self) -> Result<()> {
        self.forget_part(0, self.inner.elem_count())
    }

    /// Fills `count` elements of the inside from `start` on with the NaN of unwritten elements.
    pub fn forget_part(&self, start: usize, count: usize) -> Result<()> {
        let Some((pointer, _)) = kernel::cpu_pointer(&self.whole) else {
            return kernel::fill(&self.whole.narrow(0, REDZONE + start, count)?, f64::NAN);
        };
        let start = REDZONE + start;
        if start + count + REDZONE > self.whole.elem_count() {
            candle_core::bail!("elements {start} to {} lie outside", start + count);
        }
        if self.whole.dtype() == DType::F32 {
            // SAFETY: inside the storage, as just checked, of f32; nobody else reads or writes it between calls.
            unsafe { std::slice::from_raw_parts_mut(pointer.cast::<u32>().add(start), count) }.fill(UNWRITTEN_F32);
        } else {
            // SAFETY: inside the storage, as just checked, of f64; nobody else reads or writes it between calls.
            unsafe { std::slice::from_raw_parts_mut(pointer.cast::<u64>().add(start), count) }.fill(UNWRITTEN_F64);
        }
        Ok(())
    }
}

/// The first non-finite element of `tensor`, which must be contiguous.
pub(super) fn first_finding(tensor: &Tensor) -> Result<Option<Finding>> {
    let Some((row, column)) = kernel::first_non_finite(tensor)? else { return Ok(None) };
    let index = row * tensor.dims().iter().skip(1).product::<usize>() + column;
    let element = tensor.flatten_all()?.narrow(0, index, 1)?;
    let (value, unwritten) = if tensor.dtype() == DType::F32 {
        let value = element.to_vec1::<f32>()?[0];
        (f64::from(value), value.to_bits() == UNWRITTEN_F32)
    } else {
        let value = element.to_vec1::<f64>()?[0];
        (value, value.to_bits() == UNWRITTEN_F64)
    };
    Ok(Some(if unwritten { Finding::Unwritten(index) } else { Finding::NonFinite(index, value) }))
}

/// A number that changes when the memory of `tensor` does; `None` where it cannot be read in place.
pub(super) fn fingerprint(tensor: &Tensor) -> Option<u64> {
    let (pointer, length) = kernel::cpu_pointer(tensor)?;
    // SAFETY: the storage's own memory of that many bytes; the plugin is not running.
    let bytes = unsafe { std::slice::from_raw_parts(pointer, length) };
    let (words, rest) = bytes.as_chunks::<8>();
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let hash = words.iter().fold(length as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    Some(rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poke(guarded: &Guarded, element: isize, value: f64) {
        let (pointer, _) = kernel::cpu_pointer(guarded.tensor()).unwrap();
        // SAFETY: the redzones are part of the storage; the tests stay within them.
        unsafe {
            match guarded.tensor().dtype() {
                DType::F32 => pointer.cast::<f32>().offset(element).write(value as f32),
                _ => pointer.cast::<f64>().offset(element).write(value),
            }
        }
    }

    #[test]
    fn overruns_are_seen_on_both_sides_and_only_there() {
        for dtype in [DType::F32, DType::F64] {
            let guarded = Guarded::new(&[3, 5], dtype, &Device::Cpu).unwrap();
            poke(&guarded, 0, 1.0);
            poke(&guarded, 14, 1.0);
            assert_eq!(guarded.overrun().unwrap(), None);
            poke(&guarded, -1, 1.0);
            assert_eq!(guarded.overrun().unwrap(), Some(Overrun { side: "before", distance: 1 }));
            poke(&guarded, 17, f64::NAN);
            assert_eq!(guarded.overrun().unwrap(), Some(Overrun { side: "past the end of", distance: 3 }));
        }
    }

    #[test]
    fn unwritten_and_computed_nan_are_told_apart() {
        for dtype in [DType::F32, DType::F64] {
            let guarded = Guarded::new(&[2, 2], dtype, &Device::Cpu).unwrap();
            assert_eq!(first_finding(guarded.tensor()).unwrap(), None);
            guarded.forget().unwrap();
            poke(&guarded, 0, 1.0);
            assert_eq!(first_finding(guarded.tensor()).unwrap(), Some(Finding::Unwritten(1)));
            for element in 1..4 {
                poke(&guarded, element, 0.0);
            }
            poke(&guarded, 2, f64::INFINITY);
            assert_eq!(first_finding(guarded.tensor()).unwrap(), Some(Finding::NonFinite(2, f64::INFINITY)));
        }
    }

    #[test]
    fn a_changed_bit_changes_the_fingerprint() {
        let guarded = Guarded::new(&[7, 3], DType::F32, &Device::Cpu).unwrap();
        let before = fingerprint(guarded.tensor());
        assert_eq!(fingerprint(guarded.tensor()), before);
        poke(&guarded, 20, f64::from(f32::MIN_POSITIVE));
        assert_ne!(fingerprint(guarded.tensor()), before);
    }
}
