//! Tensors as slices: the numbers of a Candle storage, read or written in place.
//!
//! A destination is reached through Candle's in-place operations, which hold its lock while the loop runs; sources are
//! read under theirs. A destination must not share its storage with another operand.
#![allow(unsafe_code)]

use super::real::Real;
use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Storage, Tensor, bail};
use std::cell::{Cell, RefCell};

/// A tensor as a matrix: first dimension × the rest; a vector is one row.
pub(super) fn shape(tensor: &Tensor) -> (usize, usize) {
    match tensor.dims() {
        [] => (1, 1),
        [n] => (1, *n),
        [rows, rest @ ..] => (*rows, rest.iter().product()),
    }
}

/// Refuses operands whose extents differ.
pub(super) fn same_shape(name: &str, dst: &Tensor, src: &Tensor) -> Result<()> {
    let ((m, n), (rows, columns)) = (shape(dst), shape(src));
    if (m, n) != (rows, columns) {
        bail!("{name}: the source is {rows}×{columns}, the destination {m}×{n}");
    }
    Ok(())
}

/// Refuses a factor that is not as wide as `whole`, or whose rows do not divide it: it is repeated over stacked blocks.
pub(super) fn stacked(name: &str, whole: &Tensor, factor: &Tensor) -> Result<()> {
    let ((m, n), (rows, columns)) = (shape(whole), shape(factor));
    if columns != n || (rows == 0 && m > 0) || (rows > 0 && m % rows != 0) {
        bail!("{name}: {rows}×{columns} cannot be repeated over the blocks of {m}×{n}");
    }
    Ok(())
}

/// Refuses an operand that is not `rows` × `columns`.
pub(super) fn expect(name: &str, what: &str, tensor: &Tensor, rows: usize, columns: usize) -> Result<()> {
    let (m, n) = shape(tensor);
    if (m, n) != (rows, columns) {
        bail!("{name}: {what} is {m}×{n}, expected {rows}×{columns}");
    }
    Ok(())
}

fn range(name: &str, layout: &Layout) -> Result<(usize, usize)> {
    match layout.contiguous_offsets() {
        Some(range) => Ok(range),
        None => bail!("{name}: a tensor of shape {:?} is not contiguous", layout.shape()),
    }
}

/// What tells storages apart: where the storage lies that the lock guards.
fn storage_key(tensor: &Tensor) -> usize {
    let (storage, _) = tensor.storage_and_layout();
    std::ptr::from_ref::<Storage>(&storage).addr()
}

/// What to do while a destination is locked.
type Then<'a> = &'a mut dyn FnMut(&mut CpuStorage, &Layout) -> Result<()>;

struct Hold<'a> {
    name: &'static str,
    then: RefCell<Then<'a>>,
}

impl InplaceOp1 for Hold<'_> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        (self.then.borrow_mut())(storage, layout)
    }
}

type Raw<T> = (*mut T, usize);

/// Locks the destinations one inside the other and calls `last` while all are held.
fn nest<T: Real>(
    name: &'static str,
    dsts: &[&Tensor],
    slots: &[Cell<Raw<T>>],
    last: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    let (Some((dst, dsts)), Some((slot, slots))) = (dsts.split_first(), slots.split_first()) else { return last() };
    if dst.elem_count() == 0 {
        slot.set((std::ptr::NonNull::dangling().as_ptr(), 0));
        return nest(name, dsts, slots, last);
    }
    let mut then = |storage: &mut CpuStorage, layout: &Layout| {
        let (start, end) = range(name, layout)?;
        let numbers = &mut T::slice_mut(storage)?[start..end];
        slot.set((numbers.as_mut_ptr(), numbers.len()));
        nest(name, dsts, slots, last)
    };
    dst.inplace_op1(&Hold { name, then: RefCell::new(&mut then) })
}

/// Calls `f` with the numbers of the destinations, writable, and of the sources. All must be contiguous, of type `T` and
/// on the CPU.
pub(super) fn update<T: Real, R, const D: usize, const N: usize>(
    name: &'static str,
    dsts: [&Tensor; D],
    srcs: [&Tensor; N],
    f: impl FnOnce([&mut [T]; D], [&[T]; N]) -> R,
) -> Result<R> {
    let keys = dsts.map(storage_key);
    for (i, key) in keys.iter().enumerate() {
        if keys[..i].contains(key) || srcs.iter().any(|src| storage_key(src) == *key) {
            bail!("{name}: a destination shares its storage with another operand");
        }
    }
    let slots: [Cell<Raw<T>>; D] = std::array::from_fn(|_| Cell::new((std::ptr::null_mut(), 0)));
    let mut f = Some(f);
    let mut result = None;
    read(name, srcs, |sources| {
        nest(name, &dsts, &slots, &mut || {
            let slices = std::array::from_fn(|i| {
                let (pointer, length) = slots[i].get();
                // SAFETY: `nest` holds the write lock of every destination around this call and put there a pointer to
                // `length` numbers of it (a dangling one to none); the storages are distinct, as checked above.
                unsafe { std::slice::from_raw_parts_mut(pointer, length) }
            });
            result = f.take().map(|f| f(slices, sources));
            Ok(())
        })
    })??;
    match result {
        Some(result) => Ok(result),
        None => bail!("{name}: Candle did not run the operation"),
    }
}

/// Calls `f` with the numbers of the sources. All must be contiguous, of type `T` and on the CPU.
pub(super) fn read<T: Real, R, const N: usize>(
    name: &'static str,
    srcs: [&Tensor; N],
    f: impl FnOnce([&[T]; N]) -> R,
) -> Result<R> {
    let guards = srcs.map(Tensor::storage_and_layout);
    let mut slices: [&[T]; N] = [&[]; N];
    for (slice, (storage, layout)) in slices.iter_mut().zip(&guards) {
        let (start, end) = range(name, layout)?;
        *slice = match &**storage {
            Storage::Cpu(storage) => &T::cpu_storage_as_slice(storage)?[start..end],
            _ => bail!("{name}: the operands live on different devices"),
        };
    }
    Ok(f(slices))
}

/// Address and length in bytes of a CPU tensor's own memory, from its offset on; `None` on other devices and for
/// tensors that are not contiguous.
///
/// The memory lives as long as the storage does. Writing through the pointer while Candle or a kernel reads or writes
/// the same storage is a data race: the caller must hold the tensors of a step for itself.
pub fn cpu_pointer(tensor: &Tensor) -> Option<(*mut u8, usize)> {
    let (storage, layout) = tensor.storage_and_layout();
    let (start, end) = layout.contiguous_offsets()?;
    let Storage::Cpu(storage) = &*storage else { return None };
    let (base, size) = match storage {
        CpuStorage::F32(numbers) => (numbers.as_ptr().cast::<u8>(), 4),
        CpuStorage::F64(numbers) => (numbers.as_ptr().cast::<u8>(), 8),
        _ => return None,
    };
    Some((base.wrapping_add(start * size).cast_mut(), (end - start) * size))
}
