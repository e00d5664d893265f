//! The state of a lane as one safetensors file: tensors by name, and everything else as JSON in the file's metadata.
//!
//! One file, so that tensors and step can never disagree. It is written under a temporary name, put on the disk, and
//! renamed; meanwhile the one before it waits as `.previous`, to be used should the new one turn out missing or damaged.
//! A checksum tells damage that leaves the length right, as after a loss of power. Other programs read the tensors as those
//! of any safetensors file. What the tensors mean is the session's affair.
#![forbid(unsafe_code)]

use super::replace::{beside, sync_folder_of};
use super::{EndReason, LaneId, StageSeconds};
use candle_core::{DType, Device, Shape, Tensor};
use flate2::Crc;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Version of the form of checkpoints, in each of them.
pub const CHECKPOINT_SCHEMA: &str = "guesswork-checkpoint/1";

/// Name of the tensor of bytes that holds the plugin's own state.
const PLUGIN_STATE: &str = "__plugin_state__";

/// Key of the JSON text in the file's metadata.
const META: &str = "guesswork";

/// Everything about a lane but its tensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LaneCheckpoint {
    /// The lane.
    pub lane: LaneId,
    /// Steps taken, which is the number of the next step.
    pub step: u64,
    /// Seed of initialisation and guesses.
    pub seed: u64,
    /// Id of the strategy.
    pub strategy: String,
    /// Version of the strategy.
    pub version: String,
    /// Why the lane ended, when it has for good.
    pub ended: Option<EndReason>,
    /// Seconds by stage so far.
    pub seconds: StageSeconds,
    /// State that the plugin keeps on its own side, in its own form.
    #[serde(skip)]
    pub plugin_state: Vec<u8>,
    /// What else the session needs: kernel choices, names of data files, ….
    pub extras: BTreeMap<String, String>,
}

/// A checkpoint as read.
#[derive(Debug)]
pub struct Loaded {
    /// Everything but the tensors.
    pub meta: LaneCheckpoint,
    /// Where it was read from.
    pub path: PathBuf,
    /// Why the newest checkpoint was not used, when the one before it had to serve.
    pub fallback: Option<String>,
    tensors: BTreeMap<String, Tensor>,
}

/// Why a checkpoint cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be written.
    #[error("cannot write the checkpoint {}: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// A tensor cannot be stored, or not be brought to the device.
    #[error("checkpoint {}: tensor `{name}`: {error}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Candle's words.
        error: Box<candle_core::Error>,
    },
    /// There is none.
    #[error("no checkpoint at {}; the lane starts at step 0 unless one is there", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the checkpoint {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// The file is damaged: cut off, or not what was written.
    #[error("the checkpoint {} is damaged: {why}; delete it to start the lane anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How it shows.
        why: String,
    },
    /// The file is whole but not this lane's.
    #[error("the checkpoint {} is of {found}, expected {expected}", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: String,
        /// What was asked for.
        expected: String,
    },
}

impl CheckpointError {
    /// Whether the file before it may serve in its place.
    fn is_loss(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Damaged { .. } | Self::Read { .. })
    }
}

/// The metadata as it stands in the file.
#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    schema: String,
    /// CRC-32 of the tensors' bytes, by name.
    checksums: BTreeMap<String, u32>,
    lane: T,
}

/// Where the checkpoint of `lane` is, in the folder of checkpoints.
pub fn path(folder: &Path, lane: LaneId) -> PathBuf {
    folder.join(format!("lane-{lane}.safetensors"))
}

/// The lane whose checkpoint, or the one before it, has that file name.
pub fn lane_of(name: &str) -> Option<LaneId> {
    let name = name.strip_suffix(".previous").unwrap_or(name);
    name.strip_prefix("lane-")?.strip_suffix(".safetensors")?.parse().ok()
}

/// Writes a checkpoint to `path`, at once.
///
/// Tensors may be on any device; f32, f64, u8, u32 and i64 can be stored. An older checkpoint stays in place until the new
/// one is on the disk.
///
/// # Errors
/// When a tensor cannot be read from its device, or the file cannot be written; an older checkpoint is then still there.
pub fn save(path: &Path, meta: &LaneCheckpoint, tensors: &BTreeMap<String, Tensor>) -> Result<(), CheckpointError> {
    let mut stored = Vec::with_capacity(tensors.len() + 1);
    for (name, tensor) in tensors {
        let stored_tensor = Stored::of(tensor).map_err(|error| CheckpointError::Tensor {
            path: path.into(),
            name: name.clone(),
            error: error.into(),
        })?;
        stored.push((name.as_str(), stored_tensor));
    }
    let state = &meta.plugin_state;
    stored.push((PLUGIN_STATE, Stored { dtype: Dtype::U8, shape: vec![state.len()], bytes: state.clone() }));

    let envelope = Envelope {
        schema: CHECKPOINT_SCHEMA.into(),
        checksums: stored.iter().map(|(name, stored)| ((*name).into(), checksum(&stored.bytes))).collect(),
        lane: meta,
    };
    let io = |error: io::Error| CheckpointError::Write { path: path.into(), error };
    let text = serde_json::to_string(&envelope).map_err(|error| io(error.into()))?;
    let metadata = HashMap::from([(META.to_owned(), text)]);

    let temporary = beside(path, "tmp");
    let written = safetensors::serialize_to_file(stored, Some(metadata), &temporary)
        .map_err(io::Error::other)
        .and_then(|()| File::open(&temporary)?.sync_all())
        .and_then(|()| put_in_place(&temporary, path));
    if written.is_err() {
        // The first error says more than a failed removal would.
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(io)
}

/// Renames `temporary` to `path`, the file there to `.previous` for as long as that takes.
fn put_in_place(temporary: &Path, path: &Path) -> io::Result<()> {
    let previous = beside(path, "previous");
    let replaced = match fs::rename(path, &previous) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    if let Err(error) = fs::rename(temporary, path) {
        if replaced {
            // Back to where it was; should that fail too, `load` finds it under its other name.
            let _ = fs::rename(&previous, path);
        }
        return Err(error);
    }
    sync_folder_of(path)?;
    match fs::remove_file(&previous) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Reads the checkpoint of `lane` from `path` to `device`; from the one before it, where `path` is missing or damaged.
///
/// # Errors
/// [`CheckpointError::Missing`] when there is none; otherwise when it is damaged or of another lane or schema.
pub fn load(path: &Path, lane: LaneId, device: &Device) -> Result<Loaded, CheckpointError> {
    with_fallback(path, |path| {
        let bytes = read_bytes(path)?;
        let file = open(path, &bytes, lane)?;
        let (meta, views) = check(path, &file)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in views {
            let failed = |error: candle_core::Error| {
                let (path, name, error) = (path.into(), name.clone(), error.into());
                CheckpointError::Tensor { path, name, error }
            };
            let dtype: DType = view.dtype().try_into().map_err(failed)?;
            let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), device).map_err(failed)?;
            tensors.insert(name, tensor);
        }
        Ok(Loaded { meta, path: path.into(), fallback: None, tensors })
    })
    .map(|(loaded, fallback)| Loaded { fallback, ..loaded })
}

/// Reads where the checkpoint of `lane` stands, after the same checks as [`load`] but without making tensors.
///
/// # Errors
/// As [`load`].
pub fn peek(path: &Path, lane: LaneId) -> Result<LaneCheckpoint, CheckpointError> {
    with_fallback(path, |path| {
        let bytes = read_bytes(path)?;
        check(path, &open(path, &bytes, lane)?).map(|(meta, _)| meta)
    })
    .map(|(meta, _)| meta)
}

impl Loaded {
    /// Names of the tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The tensor of that name.
    ///
    /// # Errors
    /// When it is not there, or has another shape or data type.
    pub fn tensor(&self, name: &str, shape: &[usize], dtype: DType) -> Result<&Tensor, CheckpointError> {
        let expected = || format!("a tensor `{name}` of {shape:?}, {}", dtype.as_str());
        match self.tensors.get(name) {
            Some(tensor) if tensor.dims() == shape && tensor.dtype() == dtype => Ok(tensor),
            Some(tensor) => {
                let found = format!("a tensor `{name}` of {:?}, {}", tensor.dims(), tensor.dtype().as_str());
                Err(self.mismatch(found, expected()))
            }
            None => Err(self.mismatch(format!("{} tensors, none named `{name}`", self.tensors.len()), expected())),
        }
    }

    /// Checks seed and strategy against those of the lane that resumes.
    ///
    /// # Errors
    /// When the checkpoint is of another seed, strategy, or version of the strategy.
    pub fn check(&self, seed: u64, strategy: &str, version: &str) -> Result<(), CheckpointError> {
        let of = |seed: u64, strategy: &str, version: &str| format!("{strategy} {version}, seed {seed}");
        let meta = &self.meta;
        if (meta.seed, meta.strategy.as_str(), meta.version.as_str()) == (seed, strategy, version) {
            return Ok(());
        }
        Err(self.mismatch(of(meta.seed, &meta.strategy, &meta.version), of(seed, strategy, version)))
    }

    fn mismatch(&self, found: String, expected: String) -> CheckpointError {
        CheckpointError::Mismatch { path: self.path.clone(), found, expected }
    }
}

/// What `read` makes of `path`, or of the file before it and why.
fn with_fallback<T>(
    path: &Path,
    read: impl Fn(&Path) -> Result<T, CheckpointError>,
) -> Result<(T, Option<String>), CheckpointError> {
    match read(path) {
        Ok(found) => Ok((found, None)),
        Err(error) if error.is_loss() => match read(&beside(path, "previous")) {
            Ok(found) => Ok((found, Some(error.to_string()))),
            Err(_) => Err(error),
        },
        Err(error) => Err(error),
    }
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, CheckpointError> {
    fs::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => CheckpointError::Missing { path: path.into() },
        _ => CheckpointError::Read { path: path.into(), error },
    })
}

/// A file whose form is right.
struct Opened<'a> {
    envelope: Envelope<LaneCheckpoint>,
    tensors: SafeTensors<'a>,
}

fn open<'a>(path: &Path, bytes: &'a [u8], lane: LaneId) -> Result<Opened<'a>, CheckpointError> {
    let damaged = |why: String| CheckpointError::Damaged { path: path.into(), why };
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| damaged(error.to_string()))?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(error.to_string()))?;
    let text = header.metadata().as_ref().and_then(|metadata| metadata.get(META));
    let mismatch = |found: String, expected: String| CheckpointError::Mismatch { path: path.into(), found, expected };
    let Some(text) = text else {
        return Err(mismatch("another program".into(), CHECKPOINT_SCHEMA.into()));
    };
    let schema: SchemaOnly = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    if schema.schema != CHECKPOINT_SCHEMA {
        return Err(mismatch(format!("schema `{}`", schema.schema), format!("`{CHECKPOINT_SCHEMA}`")));
    }
    let envelope: Envelope<LaneCheckpoint> = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    if envelope.lane.lane != lane {
        return Err(mismatch(format!("lane {}", envelope.lane.lane), format!("lane {lane}")));
    }
    Ok(Opened { envelope, tensors })
}

/// The version alone, readable whatever else a version holds.
#[derive(Deserialize)]
struct SchemaOnly {
    schema: String,
}

type Views<'a> = Vec<(String, TensorView<'a>)>;

/// The metadata, the plugin's state in it, and the tensors, when every checksum is right.
fn check<'a>(path: &Path, file: &Opened<'a>) -> Result<(LaneCheckpoint, Views<'a>), CheckpointError> {
    let damaged = |why: String| CheckpointError::Damaged { path: path.into(), why };
    let mut meta = file.envelope.lane.clone();
    let mut views = file.tensors.tensors();
    if views.len() != file.envelope.checksums.len() {
        return Err(damaged(format!("{} tensors, {} checksums", views.len(), file.envelope.checksums.len())));
    }
    for (name, view) in &views {
        if file.envelope.checksums.get(name) != Some(&checksum(view.data())) {
            return Err(damaged(format!("the bytes of `{name}` are not those that were written")));
        }
        if name == PLUGIN_STATE {
            meta.plugin_state = view.data().to_vec();
        }
    }
    views.retain(|(name, _)| name != PLUGIN_STATE);
    Ok((meta, views))
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// A tensor's bytes on the host, little-endian.
struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored {
    fn of(tensor: &Tensor) -> candle_core::Result<Self> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn example(lane: LaneId, step: u64) -> (LaneCheckpoint, BTreeMap<String, Tensor>) {
        let meta = LaneCheckpoint {
            lane,
            step,
            seed: u64::MAX - 1,
            strategy: "weight-transpose".into(),
            version: "1.0.0".into(),
            ended: Some(EndReason::Diverged("loss is NaN".into())),
            seconds: StageSeconds { forward: 0.1, guess: 1.0 / 3.0, ..StageSeconds::default() },
            plugin_state: vec![1, 2, 255, 0],
            extras: BTreeMap::from([("gemm".into(), "blocked".into())]),
        };
        let cpu = &Device::Cpu;
        let tensors = BTreeMap::from([
            ("fc1.weight".into(), Tensor::new(&[[1f32, f32::NAN, -0.0], [f32::INFINITY, 5e-45, 6.0]], cpu).expect("a")),
            ("ring".into(), Tensor::new(&[0.1f64, step as f64], cpu).expect("b")),
            ("counts".into(), Tensor::new(&[i64::MIN, 7], cpu).expect("c")),
            ("empty".into(), Tensor::zeros((0, 3), DType::F32, cpu).expect("d")),
            ("scalar".into(), Tensor::new(3u32, cpu).expect("e")),
        ]);
        (meta, tensors)
    }

    fn bits(tensor: &Tensor) -> Vec<u8> {
        Stored::of(tensor).expect("on the host").bytes
    }

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lane-0.safetensors");
        (folder, path)
    }

    #[test]
    fn everything_comes_back_to_the_bit() {
        let (_folder, path) = folder();
        let (meta, tensors) = example(0, 12);
        save(&path, &meta, &tensors).expect("saved");
        let loaded = load(&path, 0, &Device::Cpu).expect("loaded");
        assert_eq!(loaded.meta, meta);
        assert_eq!(loaded.fallback, None);
        assert!(loaded.names().eq(tensors.keys().map(String::as_str)));
        for (name, tensor) in &tensors {
            let found = loaded.tensor(name, tensor.dims(), tensor.dtype()).expect("same shape");
            assert_eq!(bits(found), bits(tensor), "{name}");
        }
        assert_eq!(peek(&path, 0).expect("there"), meta);
        assert!(!beside(&path, "tmp").exists() && !beside(&path, "previous").exists());
    }

    #[test]
    fn candle_reads_the_tensors() {
        let (_folder, path) = folder();
        let (meta, mut tensors) = example(0, 1);
        tensors.remove("empty");
        save(&path, &meta, &tensors).expect("saved");
        let found = candle_core::safetensors::load(&path, &Device::Cpu).expect("loaded");
        assert_eq!(found["fc1.weight"].dims(), [2, 3]);
    }

    #[test]
    fn wrong_lane_shape_and_strategy_are_named() {
        let (_folder, path) = folder();
        let (meta, tensors) = example(3, 1);
        save(&path, &meta, &tensors).expect("saved");
        let text = load(&path, 2, &Device::Cpu).expect_err("lane 3").to_string();
        assert!(text.contains("lane 3") && text.contains("expected lane 2"), "{text}");
        let loaded = load(&path, 3, &Device::Cpu).expect("loaded");
        let text = loaded.tensor("ring", &[3], DType::F64).expect_err("2 values").to_string();
        assert!(text.contains("`ring` of [2]") && text.contains("[3]"), "{text}");
        assert!(loaded.tensor("ring", &[2], DType::F32).is_err());
        let text = loaded.tensor("velocity", &[2], DType::F64).expect_err("absent").to_string();
        assert!(text.contains("none named `velocity`"), "{text}");
        loaded.check(meta.seed, &meta.strategy, &meta.version).expect("the same");
        assert!(loaded.check(meta.seed, &meta.strategy, "1.1.0").is_err());
    }

    #[test]
    fn any_cut_is_noticed() {
        let (_folder, path) = folder();
        let (meta, tensors) = example(0, 1);
        save(&path, &meta, &tensors).expect("saved");
        let whole = fs::read(&path).expect("there");
        for length in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
            fs::write(&path, &whole[..length]).expect("cut");
            let error = load(&path, 0, &Device::Cpu).expect_err("cut");
            assert!(matches!(error, CheckpointError::Damaged { .. }), "{length}: {error}");
        }
    }

    #[test]
    fn a_changed_byte_of_a_tensor_is_noticed() {
        let (_folder, path) = folder();
        let (meta, tensors) = example(0, 1);
        save(&path, &meta, &tensors).expect("saved");
        let mut bytes = fs::read(&path).expect("there");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(&path, &bytes).expect("changed");
        assert!(matches!(load(&path, 0, &Device::Cpu), Err(CheckpointError::Damaged { .. })));
    }

    #[test]
    fn a_half_written_temporary_does_no_harm() {
        let (_folder, path) = folder();
        let (meta, tensors) = example(0, 1);
        save(&path, &meta, &tensors).expect("saved");
        fs::write(beside(&path, "tmp"), b"half of the ne").expect("left over");
        assert_eq!(load(&path, 0, &Device::Cpu).expect("the old one").meta.step, 1);
        let (meta, tensors) = example(0, 2);
        save(&path, &meta, &tensors).expect("saved over it");
        assert_eq!(peek(&path, 0).expect("the new one").step, 2);
    }

    #[test]
    fn a_loss_between_the_renames_falls_back() {
        let (_folder, path) = folder();
        let (meta, tensors) = example(0, 1);
        save(&path, &meta, &tensors).expect("saved");
        fs::rename(&path, beside(&path, "previous")).expect("first rename");
        let loaded = load(&path, 0, &Device::Cpu).expect("the one before");
        assert_eq!(loaded.meta.step, 1);
        assert!(loaded.fallback.expect("said").contains("no checkpoint"));
        // The second rename reached the disk but the bytes did not: right length, zeros.
        let length = fs::metadata(beside(&path, "previous")).expect("there").len();
        fs::write(&path, vec![0; length as usize]).expect("zeros");
        let loaded = load(&path, 0, &Device::Cpu).expect("the one before");
        assert!(loaded.fallback.expect("said").contains("damaged"));
        // The next save cleans up.
        let (meta, tensors) = example(0, 2);
        save(&path, &meta, &tensors).expect("saved");
        assert_eq!(load(&path, 0, &Device::Cpu).expect("the new one").fallback, None);
        assert!(!beside(&path, "previous").exists());
    }

    #[test]
    fn failing_to_write_keeps_the_old_one() {
        let (_folder, path) = folder();
        let (meta, mut tensors) = example(0, 1);
        save(&path, &meta, &tensors).expect("saved");
        let half = Tensor::zeros(2, DType::BF16, &Device::Cpu).expect("a tensor");
        tensors.insert("half".into(), half);
        let text = save(&path, &meta, &tensors).expect_err("no bf16").to_string();
        assert!(text.contains("`half`"), "{text}");
        fs::create_dir(beside(&path, "tmp")).expect("in the way");
        tensors.remove("half");
        assert!(matches!(save(&path, &meta, &tensors), Err(CheckpointError::Write { .. })));
        assert_eq!(peek(&path, 0).expect("the old one").step, 1);
    }
}
