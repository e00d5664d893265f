//! A run's folder: who may write to it, and where everything is.
//!
//! ```text
//! runs/20240501-120000-quickstart/
//!   workspace.ron     the workspace, overrides applied: what is compared on resume
//!   paths.ron         folders that the workspace and its strategies are found by
//!   records.jsonl     every record, append-only, readable while written
//!   records.csv       the same steps as a table, where asked for
//!   summary.json      written at the end
//!   log.txt           messages with times, of every part of the run
//!   view.ron          how the screen looked at it last
//!   checkpoints/      lane-0.safetensors, …
//!   lock              held by the process that writes; its number inside
//! ```
#![forbid(unsafe_code)]

use super::LaneId;
use super::checkpoint::{self, CheckpointError};
use super::replace::replace;
use super::time::Utc;
use super::truncate::Position;
use crate::workspace::{self, Document, Workspace, WorkspaceError};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const WORKSPACE: &str = "workspace.ron";
const LOCK: &str = "lock";
const CHECKPOINTS: &str = "checkpoints";
/// How often, and with what pauses, a lock is tried: who only looks whether a run is written holds it for a moment.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(10);

/// A run folder that this process writes to. Clones share the lock; it is released with the last of them.
#[derive(Clone, Debug)]
pub struct RunFolder {
    root: PathBuf,
    lock: Arc<Lock>,
}

/// Why a run folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The system refuses.
    #[error("run folder {}: {error}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// The folder holds other things.
    #[error("{} is not empty and holds no run; choose a new or empty folder", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds a run already.
    #[error("{} holds a run already; continue it with --resume, or choose another folder", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// There is no run to resume.
    #[error("{} holds no run: no {WORKSPACE} there", path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// Another process writes to it.
    #[error("{} is being written by process {owner}; wait for it or choose another folder", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
        /// The number of that process, as it wrote it.
        owner: String,
    },
    /// The workspace in the folder cannot be read.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The workspace cannot be written as RON.
    #[error("cannot write the workspace as RON: {0}")]
    Unwritable(#[from] ron::Error),
    /// The workspace is not the one that the run began with.
    #[error(
        "{} was begun with another workspace; a resumed run must be the same experiment. What differs:\n  {}",
        path.display(),
        differences.join("\n  ")
    )]
    Differs {
        /// The folder.
        path: PathBuf,
        /// `lanes[0].optimizer.sgd.lr: 0.1 in the run, 0.05 now`.
        differences: Vec<String>,
    },
}

impl RunFolder {
    /// A new run folder at `folder`.
    ///
    /// # Errors
    /// When the folder holds a run or anything else already, is locked, or cannot be written.
    pub fn create(folder: &Path, workspace: &Workspace) -> Result<Self, FolderError> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        Self::begin(folder.to_path_buf(), workspace)
    }

    /// A new run folder `<YYYYmmdd-HHMMSS>-<name>` (UTC) below `parent`.
    ///
    /// # Errors
    /// As [`RunFolder::create`].
    pub fn create_below(parent: &Path, workspace: &Workspace) -> Result<Self, FolderError> {
        Self::begin(create_named(parent, &file_name(&workspace.name))?, workspace)
    }

    fn begin(root: PathBuf, workspace: &Workspace) -> Result<Self, FolderError> {
        check_empty(&root)?;
        let lock = Lock::take(&root)?;
        // Once more under the lock: another process may have been faster.
        check_empty(&root)?;
        let checkpoints = root.join(CHECKPOINTS);
        fs::create_dir(&checkpoints).map_err(at(&checkpoints))?;
        let text = workspace::to_ron(workspace)?;
        let path = root.join(WORKSPACE);
        replace(&path, text.as_bytes()).map_err(at(&path))?;
        Ok(Self { root, lock: Arc::new(lock) })
    }

    /// The run folder at `folder`, to resume the run of `workspace`.
    ///
    /// The limit of seconds and the question may differ: they change no result.
    ///
    /// # Errors
    /// When there is no run, the workspace differs (says in what), or another process writes to it.
    pub fn open(folder: &Path, workspace: &Workspace) -> Result<Self, FolderError> {
        let stored = read_workspace(folder)?;
        let lock = Lock::take(folder)?;
        let differences = differences(&stored, workspace);
        if !differences.is_empty() {
            return Err(FolderError::Differs { path: folder.into(), differences });
        }
        let checkpoints = folder.join(CHECKPOINTS);
        fs::create_dir_all(&checkpoints).map_err(at(&checkpoints))?;
        Ok(Self { root: folder.into(), lock: Arc::new(lock) })
    }

    /// [`RunFolder::open`] where `folder` holds a run, otherwise [`RunFolder::create`]; tells which by `true` for the
    /// former. A job that is put back into a queue can thus always say `--resume`.
    ///
    /// # Errors
    /// As those two.
    pub fn open_or_create(folder: &Path, workspace: &Workspace) -> Result<(Self, bool), FolderError> {
        match Self::open(folder, workspace) {
            Ok(found) => Ok((found, true)),
            Err(FolderError::NoRun { .. }) => Ok((Self::create(folder, workspace)?, false)),
            Err(error) => Err(error),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Where the records are.
    pub fn records(&self) -> PathBuf {
        records_of(&self.root)
    }

    /// Where the table of steps is.
    pub fn csv(&self) -> PathBuf {
        self.root.join("records.csv")
    }

    /// Where the summary is.
    pub fn summary(&self) -> PathBuf {
        self.root.join("summary.json")
    }

    /// Where the messages are.
    pub fn log(&self) -> PathBuf {
        self.root.join("log.txt")
    }

    /// Where the checkpoints are: what the session's experiment names.
    pub fn checkpoints(&self) -> PathBuf {
        checkpoints_of(&self.root)
    }

    /// Where the checkpoint of `lane` is.
    pub fn checkpoint(&self, lane: LaneId) -> PathBuf {
        checkpoint::path(&self.checkpoints(), lane)
    }

    /// Whether other processes are really kept out. Some network file systems cannot lock.
    pub fn is_locked(&self) -> bool {
        self.lock.held
    }

    /// Where each lane with a checkpoint stands.
    ///
    /// # Errors
    /// When the folder cannot be read or a checkpoint cannot be used.
    pub fn positions(&self) -> Result<BTreeMap<LaneId, Position>, CheckpointError> {
        let folder = self.checkpoints();
        let failed = |error: io::Error| CheckpointError::Read { path: folder.clone(), error };
        let mut lanes = BTreeSet::new();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            lanes.extend(entry.map_err(failed)?.file_name().to_str().and_then(checkpoint::lane_of));
        }
        let mut positions = BTreeMap::new();
        for lane in lanes {
            let meta = checkpoint::peek(&self.checkpoint(lane), lane)?;
            let ended = meta.ended.is_some_and(|reason| reason.is_final());
            positions.insert(lane, Position { step: meta.step, ended });
        }
        Ok(positions)
    }
}

/// Whether a process writes to the run in `folder` at this moment. Where the file system cannot lock, it is taken to.
pub fn is_written(folder: &Path) -> bool {
    let Ok(file) = File::open(folder.join(LOCK)) else { return false };
    match file.try_lock_shared() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(error)) => error.kind() == io::ErrorKind::Unsupported,
    }
}

/// Where the view of the run folder `folder` is.
pub fn view_of(folder: &Path) -> PathBuf {
    folder.join("view.ron")
}

/// Where the records of the run folder `folder` are, for readers that do not write to it.
pub fn records_of(folder: &Path) -> PathBuf {
    folder.join("records.jsonl")
}

/// Where the checkpoints of the run folder `folder` are, for readers that do not write to it.
pub fn checkpoints_of(folder: &Path) -> PathBuf {
    folder.join(CHECKPOINTS)
}

/// The workspace of the run folder `folder`.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn read_workspace(folder: &Path) -> Result<Workspace, FolderError> {
    let path = folder.join(WORKSPACE);
    let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => FolderError::NoRun { path: folder.into() },
        _ => FolderError::Io { path: path.clone(), error },
    })?;
    Ok(Document::parse(&text, &path.display().to_string())?.workspace)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_path_buf();
    move |error| FolderError::Io { path, error }
}

/// `name` as one plain part of a path.
fn file_name(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' }).collect();
    match plain.trim_start_matches('.') {
        "" => "run".into(),
        plain => plain.chars().take(100).collect(),
    }
}

/// A folder of that name and this moment below `parent`, that was not there before.
fn create_named(parent: &Path, name: &str) -> Result<PathBuf, FolderError> {
    fs::create_dir_all(parent).map_err(at(parent))?;
    let stem = format!("{}-{name}", Utc::now().compact());
    let mut path = parent.join(&stem);
    for number in 2.. {
        match fs::create_dir(&path) {
            Ok(()) => break,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                path = parent.join(format!("{stem}-{number}"));
            }
            Err(error) => return Err(at(&path)(error)),
        }
    }
    Ok(path)
}

/// Refuses a folder that holds anything but a lock.
fn check_empty(root: &Path) -> Result<(), FolderError> {
    let mut foreign = false;
    for entry in fs::read_dir(root).map_err(at(root))? {
        let name = entry.map_err(at(root))?.file_name();
        if name == WORKSPACE {
            return Err(FolderError::Exists { path: root.into() });
        }
        foreign |= name != LOCK;
    }
    if foreign { Err(FolderError::Foreign { path: root.into() }) } else { Ok(()) }
}

/// A lock of the operating system on a file: it ends with the process, however that ends, so that a lock file left behind
/// by a dead process stops nobody.
#[derive(Debug)]
struct Lock {
    /// Unlocked when it is closed.
    _file: File,
    held: bool,
}

impl Lock {
    fn take(root: &Path) -> Result<Self, FolderError> {
        let path = root.join(LOCK);
        // Not cut to nothing on opening: the number in it may be another process'.
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(at(&path))?;
        let mut locked = file.try_lock();
        for _ in 1..TRIES {
            if !matches!(locked, Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(PAUSE);
            locked = file.try_lock();
        }
        let held = match locked {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // An unreadable number is no reason to say less.
                let _ = file.read_to_string(&mut owner);
                return Err(FolderError::Locked { path: root.into(), owner: owner.trim().into() });
            }
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => false,
            Err(TryLockError::Error(error)) => return Err(at(&path)(error)),
        };
        let written =
            file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(at(&path))?;
        Ok(Self { _file: file, held })
    }
}

/// What differs between the workspace of a run and the one it is to resume with, as `path: old in the run, new now`.
pub fn differences(stored: &Workspace, now: &Workspace) -> Vec<String> {
    let comparable = |workspace: &Workspace| {
        let plain = Workspace { seconds: None, question: String::new(), ..workspace.clone() };
        serde_json::to_value(plain).unwrap_or_default()
    };
    let mut found = Vec::new();
    compare("", &comparable(stored), &comparable(now), &mut found);
    let same = Workspace { seconds: now.seconds, question: now.question.clone(), ..stored.clone() } == *now;
    if found.is_empty() && !same {
        found.push("values that have no JSON form, such as NaN".into());
    }
    found
}

fn compare(path: &str, old: &serde_json::Value, new: &serde_json::Value, found: &mut Vec<String>) {
    use serde_json::Value::{Array, Null, Object};
    match (old, new) {
        (Object(a), Object(b)) => {
            let keys: BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(&path, a.get(key).unwrap_or(&Null), b.get(key).unwrap_or(&Null), found);
            }
        }
        (Array(a), Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{index}]"), a, b, found);
            }
        }
        _ if old != new => found.push(format!("{path}: {} in the run, {} now", brief(old), brief(new))),
        _ => {}
    }
}

fn brief(value: &serde_json::Value) -> String {
    let text = match value {
        serde_json::Value::Null => "nothing".into(),
        other => other.to_string(),
    };
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::jsonl::tests::workspace;

    fn temporary() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    #[test]
    fn a_run_is_created_once_and_opened_again() {
        let parent = temporary();
        let path = parent.path().join("a/b");
        let folder = RunFolder::create(&path, &workspace()).expect("created");
        assert!(folder.is_locked());
        assert!(matches!(RunFolder::create(&path, &workspace()), Err(FolderError::Exists { .. })));
        drop(folder);
        let folder = RunFolder::open(&path, &workspace()).expect("opened");
        assert_eq!(read_workspace(&path).expect("stored"), workspace());
        assert!(folder.positions().expect("none yet").is_empty());
    }

    #[test]
    fn only_one_may_write() {
        let path = temporary();
        assert!(!is_written(path.path()));
        let folder = RunFolder::create(path.path(), &workspace()).expect("created");
        assert!(is_written(path.path()));
        let clone = folder.clone();
        drop(folder);
        match RunFolder::open(path.path(), &workspace()) {
            Err(FolderError::Locked { owner, .. }) => assert_eq!(owner, std::process::id().to_string()),
            other => panic!("expected a lock: {other:?}"),
        }
        drop(clone);
        assert!(!is_written(path.path()));
        RunFolder::open(path.path(), &workspace()).expect("the lock went with the last clone");
    }

    #[test]
    fn the_lock_file_of_a_dead_process_stops_nobody() {
        let path = temporary();
        fs::write(path.path().join(LOCK), "999999999\n").expect("left over");
        let folder = RunFolder::create(path.path(), &workspace()).expect("created");
        let owner = fs::read_to_string(path.path().join(LOCK)).expect("there");
        assert_eq!(owner.trim(), std::process::id().to_string());
        assert!(folder.is_locked());
    }

    #[test]
    fn foreign_folders_are_left_alone() {
        let path = temporary();
        fs::write(path.path().join("thesis.tex"), "").expect("written");
        assert!(matches!(RunFolder::create(path.path(), &workspace()), Err(FolderError::Foreign { .. })));
        assert!(matches!(RunFolder::open(path.path(), &workspace()), Err(FolderError::NoRun { .. })));
        assert_eq!(fs::read_dir(path.path()).expect("there").count(), 1);
    }

    #[test]
    fn resume_starts_where_there_is_nothing() {
        let path = temporary();
        let (folder, resumed) = RunFolder::open_or_create(path.path(), &workspace()).expect("created");
        assert!(!resumed);
        drop(folder);
        assert!(RunFolder::open_or_create(path.path(), &workspace()).expect("opened").1);
    }

    #[test]
    fn what_differs_is_named() {
        let path = temporary();
        drop(RunFolder::create(path.path(), &workspace()).expect("created"));
        let mut other = workspace();
        other.seconds = Some(60.0);
        other.question = "why?".into();
        drop(RunFolder::open(path.path(), &other).expect("neither changes a result"));
        other.steps = 7;
        other.lanes[0].optimizer = Some(crate::workspace::OptimizerSpec::default().with_lr(0.5));
        let text = RunFolder::open(path.path(), &other).expect_err("differs").to_string();
        assert!(text.contains("lanes[0].optimizer.sgd.lr: 0.25 in the run, 0.5 now"), "{text}");
        assert!(text.contains("steps: 2000 in the run, 7 now"), "{text}");
    }

    #[test]
    fn names_become_plain_parts_of_paths() {
        assert_eq!(file_name("../a b/ç"), "-a-b-ç");
        assert_eq!(file_name("..."), "run");
        let parent = temporary();
        let first = create_named(parent.path(), "x").expect("created");
        let second = create_named(parent.path(), "x").expect("created");
        assert_ne!(first, second);
    }

    #[test]
    fn checkpoints_tell_positions_even_from_the_one_before() {
        let path = temporary();
        let folder = RunFolder::create(path.path(), &workspace()).expect("created");
        for (lane, ended) in
            [(0, None), (1, Some(crate::record::EndReason::Done)), (10, Some(crate::record::EndReason::OutOfTime))]
        {
            let meta = checkpoint::LaneCheckpoint { lane, step: 5, ended, ..Default::default() };
            checkpoint::save(&folder.checkpoint(lane), &meta, &BTreeMap::new()).expect("saved");
        }
        let newest = folder.checkpoint(0);
        fs::rename(&newest, super::super::replace::beside(&newest, "previous")).expect("renamed");
        let at = |ended| Position { step: 5, ended };
        let expected = BTreeMap::from([(0, at(false)), (1, at(true)), (10, at(false))]);
        assert_eq!(folder.positions().expect("three"), expected);
    }
}
