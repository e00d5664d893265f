//! Tensors of a safetensors file, read one at a time: a file is never in memory as a whole.
#![forbid(unsafe_code)]

use crate::kernel;
use candle_core::safetensors::Load;
use candle_core::{Device, Error, Result, Tensor, bail};
use safetensors::tensor::{Metadata, TensorInfo, TensorView};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Numbers that are read at once into a tensor that is there.
const AT_ONCE: usize = 1 << 17;
/// Bytes before the header: its length.
const PREFIX: u64 = 8;

/// A safetensors file that is open.
#[derive(Debug)]
pub struct Stored {
    path: PathBuf,
    file: File,
    /// Where the numbers begin.
    start: u64,
    metadata: Metadata,
}

impl Stored {
    /// Opens a file and reads what tensors it has.
    ///
    /// # Errors
    /// When it cannot be read, or is no safetensors file.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(|error| wrong(path, error))?;
        let whole = file.metadata().map_err(|error| wrong(path, error))?.len();
        let mut prefix = [0; PREFIX as usize];
        file.read_exact(&mut prefix).map_err(|error| wrong(path, error))?;
        let header = u64::from_le_bytes(prefix);
        let Some(start) = header.checked_add(PREFIX).filter(|&start| start <= whole) else {
            bail!("{}: a header of {header} bytes in a file of {whole}", path.display());
        };
        let mut text = vec![0; header as usize];
        file.read_exact(&mut text).map_err(|error| wrong(path, error))?;
        let metadata: Metadata = serde_json::from_slice(&text).map_err(|error| wrong(path, error))?;
        Ok(Self { path: path.to_owned(), file, start, metadata })
    }

    /// Extents of a tensor.
    ///
    /// # Errors
    /// When there is none of the name.
    pub fn shape(&self, name: &str) -> Result<&[usize]> {
        Ok(&self.info(name)?.shape)
    }

    /// Reads a tensor.
    ///
    /// # Errors
    /// When there is none of the name, or it cannot be read or brought to the device.
    pub fn tensor(&mut self, name: &str, device: &Device) -> Result<Tensor> {
        let whole = self.shape(name)?.first().copied().unwrap_or(1);
        self.rows(name, 0..whole, device)
    }

    /// Reads a tensor into one of its shape, of f32 or f64, a few rows at a time.
    ///
    /// # Errors
    /// As [`Stored::tensor`]; when the shapes differ.
    pub fn read_into(&mut self, name: &str, dst: &Tensor) -> Result<()> {
        let shape = self.shape(name)?;
        if shape != dst.dims() {
            bail!("{}: `{name}` is {shape:?}, expected {:?}", self.path.display(), dst.dims());
        }
        let count = shape.first().copied().unwrap_or(1);
        let step = (AT_ONCE * count / dst.elem_count().max(1)).max(1);
        for start in (0..count).step_by(step) {
            let length = step.min(count - start);
            let part = self.rows(name, start..start + length, dst.device())?.to_dtype(dst.dtype())?;
            let into = if dst.rank() == 0 { dst.clone() } else { dst.narrow(0, start, length)? };
            kernel::copy(&into, &part)?;
        }
        Ok(())
    }

    fn info(&self, name: &str) -> Result<&TensorInfo> {
        match self.metadata.info(name) {
            Some(info) => Ok(info),
            None => bail!("{}: no tensor named `{name}`", self.path.display()),
        }
    }

    /// Reads rows of a tensor, counted along its first extent; of one without extents the number itself.
    fn rows(&mut self, name: &str, rows: Range<usize>, device: &Device) -> Result<Tensor> {
        let TensorInfo { dtype, ref shape, data_offsets: (from, to) } = *self.info(name)?;
        let mut shape = shape.clone();
        let row = (to - from) / shape.first().copied().unwrap_or(1).max(1);
        let mut bytes = vec![0; row * rows.len()];
        let place = self.start + (from + row * rows.start) as u64;
        let read = self.file.seek(SeekFrom::Start(place)).and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(|error| wrong(&self.path, error))?;
        if let Some(first) = shape.first_mut() {
            *first = rows.len();
        }
        TensorView::new(dtype, shape, &bytes).map_err(|error| wrong(&self.path, error))?.load(device)
    }
}

fn wrong(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::msg(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;
    use std::collections::HashMap;

    #[test]
    fn tensors_come_back_one_by_one_and_what_is_wrong_is_said() {
        let folder = std::env::temp_dir().join(format!("guesswork-stored-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("some.safetensors");
        let device = Device::Cpu;
        let a = Tensor::arange(0.0, 6.0, &device).unwrap().to_dtype(DType::F64).unwrap().reshape((2, 3)).unwrap();
        let b = Tensor::new(&[7_u32, 8, 9], &device).unwrap();
        let all = HashMap::from([("a".to_owned(), a.clone()), ("b".to_owned(), b.clone())]);
        candle_core::safetensors::save(&all, &file).unwrap();
        let mut stored = Stored::open(&file).unwrap();
        assert_eq!(stored.tensor("b", &device).unwrap().to_vec1::<u32>().unwrap(), [7, 8, 9]);
        let found = stored.tensor("a", &device).unwrap();
        assert_eq!(found.to_vec2::<f64>().unwrap(), a.to_vec2::<f64>().unwrap());
        // More rows than are read at once, of another type than the file's, and one number alone.
        let large =
            Tensor::arange(0_f32, 3.0 * AT_ONCE as f32, &device).unwrap().reshape((3 * AT_ONCE / 64, 64)).unwrap();
        let one = Tensor::new(0.25_f32, &device).unwrap();
        let other = folder.join("other.safetensors");
        let both = HashMap::from([("large".to_owned(), large.clone()), ("one".to_owned(), one)]);
        candle_core::safetensors::save(&both, &other).unwrap();
        let mut second = Stored::open(&other).unwrap();
        let (into, number) =
            (large.to_dtype(DType::F64).unwrap().zeros_like().unwrap(), Tensor::new(1_f32, &device).unwrap());
        second.read_into("large", &into).unwrap();
        second.read_into("one", &number).unwrap();
        let wide = |x: &Tensor| x.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        assert!(wide(&into) == wide(&large) && wide(&number) == [0.25]);
        assert!(second.read_into("large", &number).unwrap_err().to_string().contains("expected []"));
        assert!(stored.tensor("c", &device).unwrap_err().to_string().contains("no tensor named `c`"));
        let bytes = std::fs::read(&file).unwrap();
        let short = |length: usize| {
            std::fs::write(&file, &bytes[..length]).unwrap();
            Stored::open(&file).and_then(|mut stored| {
                stored.tensor("a", &device)?;
                stored.tensor("b", &device)
            })
        };
        for length in [0, 7, 20, bytes.len() - 1] {
            assert!(short(length).unwrap_err().to_string().contains("some.safetensors"), "{length} bytes");
        }
        assert!(short(bytes.len()).is_ok());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
