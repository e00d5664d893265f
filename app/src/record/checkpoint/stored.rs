//! A tensor as it lies in a file, and the sum that tells damage.

use candle_core::{DType, Device, Shape, Tensor};
use flate2::Crc;
use safetensors::Dtype;

/// A tensor's bytes on the host, little-endian.
pub(super) struct Stored {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) bytes: Vec<u8>,
}

impl Stored {
    pub(super) fn of(tensor: &Tensor) -> candle_core::Result<Self> {
        let flat = tensor.to_device(&Device::Cpu)?.flatten_all()?;
        let bytes = match tensor.dtype() {
            DType::F32 => bytemuck::cast_slice(&flat.to_vec1::<f32>()?).to_vec(),
            DType::F64 => bytemuck::cast_slice(&flat.to_vec1::<f64>()?).to_vec(),
            DType::U32 => bytemuck::cast_slice(&flat.to_vec1::<u32>()?).to_vec(),
            DType::I64 => bytemuck::cast_slice(&flat.to_vec1::<i64>()?).to_vec(),
            DType::U8 => flat.to_vec1::<u8>()?,
            other => candle_core::bail!("{} cannot be stored in a checkpoint", other.as_str()),
        };
        Ok(Self { dtype: tensor.dtype().into(), shape: Shape::from(tensor.dims()).into_dims(), bytes })
    }
}

impl safetensors::View for Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        self.bytes.as_slice().into()
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// CRC-32.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}
