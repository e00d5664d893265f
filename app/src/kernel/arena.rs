//! Scratch matrices that are used again: a step that has run once allocates no tensor memory any more.

use candle_core::{DType, Device, Result, Tensor};
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

/// Buffers that wait to be used: one dimension, a power of two long.
type Free = Arc<Mutex<Vec<Tensor>>>;

/// A store of scratch matrices of one type on one device.
#[derive(Debug)]
pub struct Arena {
    dtype: DType,
    device: Device,
    free: Free,
}

/// A matrix lent by an [`Arena`]; its memory goes back when this is dropped. Do not keep clones of the tensor.
#[derive(Debug)]
pub struct Scratch {
    matrix: Tensor,
    buffer: Tensor,
    free: Free,
}

impl Arena {
    /// An empty store.
    pub fn new(dtype: DType, device: &Device) -> Self {
        Self { dtype, device: device.clone(), free: Free::default() }
    }

    /// A `rows` × `columns` matrix of undefined content.
    ///
    /// # Errors
    /// When the device cannot allocate.
    pub fn take(&self, rows: usize, columns: usize) -> Result<Scratch> {
        let length = (rows * columns).max(1);
        let waiting = {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let smallest = free.iter().enumerate().filter(|(_, buffer)| buffer.elem_count() >= length);
            // A buffer much too large is left for those who need it.
            let smallest = smallest.filter(|(_, buffer)| buffer.elem_count() / 4 <= length);
            let found = smallest.min_by_key(|(_, buffer)| buffer.elem_count()).map(|(index, _)| index);
            found.map(|index| free.swap_remove(index))
        };
        let buffer = match waiting {
            Some(buffer) => buffer,
            None => Tensor::zeros(length.next_power_of_two(), self.dtype, &self.device)?,
        };
        let matrix = buffer.narrow(0, 0, rows * columns)?.reshape((rows, columns))?;
        Ok(Scratch { matrix, buffer, free: Arc::clone(&self.free) })
    }
}

impl Deref for Scratch {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        &self.matrix
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.buffer.clone());
    }
}
