//! The state of a lane as one safetensors file: tensors by name, and everything else as JSON in the file's metadata.
//!
//! One file, so that tensors and step can never disagree. It is written under a temporary name, put on the disk, and
//! renamed; meanwhile the one before it waits as `.previous`, to be used should the new one turn out missing or damaged.
//! A checksum tells damage that leaves the length right, as after a loss of power. Other programs read the tensors as those
//! of any safetensors file. What the tensors mean is the session's affair.
#![forbid(unsafe_code)]

mod error;
mod stored;
#[cfg(test)]
mod tests;

pub use error::CheckpointError;

use super::replace::{beside, sync_folder_of};
use super::{EndReason, LaneId, StageSeconds};
use candle_core::{DType, Device, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use stored::{Stored, checksum};

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
