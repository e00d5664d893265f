//! Scratch matrices that are used again: a step that has run once allocates nothing for them any more.

use candle_core::{DType, Device, Result, Tensor};
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// What waits to be used.
type Free = Arc<Mutex<Pieces>>;

#[derive(Debug, Default)]
struct Pieces {
    waiting: Vec<Arc<Piece>>,
    /// How many were made.
    made: usize,
}

/// Memory of a power of two elements, and the matrix that it was last lent as.
#[derive(Debug)]
struct Piece {
    /// In the order in which they were made.
    number: usize,
    length: usize,
    buffer: Tensor,
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
        let length = (rows * columns).max(1);
        let fitting = |piece: &Piece| piece.matrix.dims() == [rows, columns];
        let (waiting, number) = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            // A buffer much too large is left for those who need it.
            let enough = |piece: &Piece| piece.length >= length && piece.length / 4 <= length;
            let waiting = free.waiting.iter().enumerate().filter(|(_, piece)| enough(piece));
            let smallest = waiting.min_by_key(|(_, piece)| (piece.length, !fitting(piece), piece.number));
            let found = smallest.map(|(index, _)| index);
            free.made += usize::from(found.is_none());
            (found.map(|index| free.waiting.swap_remove(index)), free.made)
        };
        let piece = match waiting {
            Some(piece) if fitting(&piece) => piece,
            Some(piece) => {
                let Piece { number, length, ref buffer, .. } = *piece;
                Arc::new(Piece::lent_as((rows, columns), number, length, buffer.clone())?)
            }
            None => {
                let length = length.next_power_of_two();
                let buffer = Tensor::zeros(length, self.dtype, &self.device)?;
                Arc::new(Piece::lent_as((rows, columns), number, length, buffer)?)
            }
        };
        Ok(Scratch { piece, free: Arc::clone(&self.free) })
    }
}

impl Piece {
    fn lent_as((rows, columns): (usize, usize), number: usize, length: usize, buffer: Tensor) -> Result<Self> {
        let matrix = buffer.narrow(0, 0, rows * columns)?.reshape((rows, columns))?;
        Ok(Self { number, length, buffer, matrix })
    }
}

impl Deref for Scratch {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        &self.piece.matrix
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
    }
}
