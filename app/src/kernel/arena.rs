//! Scratch matrices that are used again: a step that has run once allocates nothing for them any more.

use candle_core::{DType, Device, Result, Tensor};
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// Most matrices that one piece of memory is kept as.
const VIEWS: usize = 8;

/// What waits to be used.
type Free = Arc<Mutex<Pieces>>;

#[derive(Debug, Default)]
struct Pieces {
    waiting: Vec<Arc<Piece>>,
    /// How many were made.
    made: usize,
}

/// Memory of a power of two elements, and the matrices that it was lent as.
#[derive(Debug)]
struct Piece {
    /// In the order in which they were made.
    number: usize,
    length: usize,
    buffer: Tensor,
    views: Vec<View>,
}

#[derive(Clone, Debug)]
struct View {
    extents: (usize, usize),
    matrix: Tensor,
}

/// A store of scratch matrices of one type on one device.
#[derive(Debug)]
pub struct Arena {
    dtype: DType,
    device: Device,
    free: Free,
}

/// A matrix lent by an [`Arena`]; its memory goes back when this is dropped. A clone of the tensor may outlive it, but what
/// it holds then belongs to others.
#[derive(Debug)]
pub struct Scratch {
    piece: Arc<Piece>,
    /// Which of its views it is.
    view: usize,
    free: Free,
}

impl Arena {
    /// An empty store.
    pub fn new(dtype: DType, device: &Device) -> Self {
        Self { dtype, device: device.clone(), free: Free::default() }
    }

    /// A `rows` × `columns` matrix of undefined content. Which one depends on what waits, not on the order in which it came
    /// back: the same calls, step after step, are lent the same tensors.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn take(&self, rows: usize, columns: usize) -> Result<Scratch> {
        let (extents, length) = ((rows, columns), (rows * columns).max(1));
        let (waiting, number) = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let found = free.smallest(length, extents);
            free.made += usize::from(found.is_none());
            (found.map(|(index, view)| (free.waiting.swap_remove(index), view)), free.made)
        };
        let free = Arc::clone(&self.free);
        let piece = match waiting {
            Some((piece, Some(view))) => return Ok(Scratch { piece, view, free }),
            Some((piece, None)) => piece.with_view(extents)?,
            None => {
                let length = length.next_power_of_two();
                let buffer = Tensor::zeros(length, self.dtype, &self.device)?;
                Piece { number, length, buffer, views: Vec::new() }.with_view(extents)?
            }
        };
        Ok(Scratch { view: piece.views.len() - 1, piece: Arc::new(piece), free })
    }

    /// Lends the memory of `scratch` again, as `rows` × `columns` of undefined content, where it is of this store and was lent in
    /// these extents before; whether it did.
    pub fn again(&self, scratch: &mut Scratch, rows: usize, columns: usize) -> bool {
        let piece = &scratch.piece;
        match piece.seen_as((rows, columns)) {
            Some(view) if Arc::ptr_eq(&self.free, &scratch.free) => {
                scratch.view = view;
                true
            }
            _ => false,
        }
    }
}

impl Pieces {
    /// The waiting piece to be lent and, where it was lent so before, its view of these extents: the smallest, one with such a
    /// view before others, the one made first. A buffer much too large is left for those who need it.
    fn smallest(&self, length: usize, extents: (usize, usize)) -> Option<(usize, Option<usize>)> {
        let mut best: Option<((usize, bool, usize), usize, Option<usize>)> = None;
        for (index, piece) in self.waiting.iter().enumerate() {
            let fits = piece.length >= length && piece.length / 4 <= length;
            if !fits || best.is_some_and(|((least, ..), ..)| piece.length > least) {
                continue;
            }
            let view = piece.seen_as(extents);
            let rank = (piece.length, view.is_none(), piece.number);
            if best.is_none_or(|(least, ..)| rank < least) {
                best = Some((rank, index, view));
            }
        }
        best.map(|(_, index, view)| (index, view))
    }
}

impl Piece {
    /// Which view has these extents.
    fn seen_as(&self, extents: (usize, usize)) -> Option<usize> {
        self.views.iter().position(|view| view.extents == extents)
    }

    /// The same memory with one more view, the last; when there are too many, without the others.
    fn with_view(&self, (rows, columns): (usize, usize)) -> Result<Self> {
        let matrix = self.buffer.narrow(0, 0, rows * columns)?.reshape((rows, columns))?;
        let mut views = if self.views.len() < VIEWS { self.views.clone() } else { Vec::new() };
        views.push(View { extents: (rows, columns), matrix });
        Ok(Self { number: self.number, length: self.length, buffer: self.buffer.clone(), views })
    }
}

impl Deref for Scratch {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        &self.piece.views[self.view].matrix
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).waiting.push(Arc::clone(&self.piece));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_calls_are_lent_the_same_tensors_and_none_twice() {
        let arena = Arena::new(DType::F32, &Device::Cpu);
        let step = || {
            let first = arena.take(3, 5).unwrap();
            let within = arena.take(3, 5).unwrap();
            let inner = within.id();
            drop(within);
            let (second, other) = (arena.take(3, 5).unwrap(), arena.take(7, 2).unwrap());
            assert_eq!((first.dims(), other.dims()), (&[3, 5][..], &[7, 2][..]));
            let ids = [first.id(), second.id(), other.id(), inner];
            assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
            // They come back in another order than they were lent in.
            drop((second, first, other));
            ids
        };
        step();
        let warm = step();
        for _ in 0..4 {
            assert_eq!(step(), warm);
        }
    }

    #[test]
    fn memory_is_used_again_in_another_shape_and_not_for_what_is_far_smaller() {
        let arena = Arena::new(DType::F64, &Device::Cpu);
        let address = |scratch: &Scratch| crate::kernel::cpu_pointer(scratch).map(|(pointer, _)| pointer.addr());
        let large = arena.take(8, 8).unwrap();
        let place = address(&large);
        drop(large);
        assert_ne!(address(&arena.take(1, 3).unwrap()), place);
        let flat = arena.take(2, 30).unwrap();
        assert_eq!((address(&flat), flat.dims()), (place, &[2, 30][..]));
        let number = flat.id();
        drop(flat);
        drop(arena.take(8, 8).unwrap());
        assert_eq!(arena.take(2, 30).unwrap().id(), number);
        for columns in 20..40 {
            assert_eq!(arena.take(1, columns).unwrap().dims(), [1, columns]);
        }
    }
}
