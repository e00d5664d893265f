//! Tensors of a safetensors file, read one at a time: a file is never in memory as a whole.
#![forbid(unsafe_code)]

use candle_core::safetensors::Load;
use candle_core::{Device, Error, Result, Tensor, bail};
use safetensors::tensor::{Metadata, TensorView};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

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

    /// Reads a tensor.
    ///
    /// # Errors
    /// When there is none of the name, or it cannot be read or brought to the device.
    pub fn tensor(&mut self, name: &str, device: &Device) -> Result<Tensor> {
        let Some(info) = self.metadata.info(name) else {
            bail!("{}: no tensor named `{name}`", self.path.display());
        };
        let (from, to) = info.data_offsets;
        let mut bytes = vec![0; to - from];
        let read = self.file.seek(SeekFrom::Start(self.start + from as u64));
        read.and_then(|_| self.file.read_exact(&mut bytes)).map_err(|error| wrong(&self.path, error))?;
        let view = TensorView::new(info.dtype, info.shape.clone(), &bytes);
        view.map_err(|error| wrong(&self.path, error))?.load(device)
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
