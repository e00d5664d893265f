//! Where the files of a set lie: the folders that torchvision, the official archives, Debian's package and
//! `scripts/fetch-data.sh` leave behind.

use super::embedded::{EMBEDDED, Embedded};
use super::file::Source;
use super::mat::Mat;
use super::{DataError, Examples, cifar, idx, svhn};
use std::path::{Path, PathBuf};

/// How the files of a set are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetKind {
    /// Four IDX files.
    Idx,
    /// `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`.
    Cifar10,
    /// `train.bin` and `test.bin`.
    Cifar100,
    /// `train_32x32.mat` and `test_32x32.mat`.
    Svhn,
}

impl SetKind {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idx => "IDX",
            Self::Cifar10 => "CIFAR-10 .bin",
            Self::Cifar100 => "CIFAR-100 .bin",
            Self::Svhn => "SVHN .mat",
        }
    }
}

/// A set that is read from files.
struct Known {
    name: &'static str,
    kind: SetKind,
    /// `None`: as many as the labels show.
    classes: Option<usize>,
    /// Folders below the one named in which its files may lie.
    folders: &'static [&'static str],
    /// Whether the script fetches it.
    fetched: bool,
}

const KNOWN: [Known; 6] = [
    Known {
        name: "mnist",
        kind: SetKind::Idx,
        classes: Some(10),
        folders: &["", "mnist", "MNIST/raw", "raw"],
        fetched: true,
    },
    Known {
        name: "fashion-mnist",
        kind: SetKind::Idx,
        classes: Some(10),
        folders: &["", "fashion-mnist", "FashionMNIST/raw", "raw"],
        fetched: true,
    },
    Known {
        name: "cifar-10",
        kind: SetKind::Cifar10,
        classes: Some(10),
        folders: &["", "cifar-10", "cifar-10-batches-bin"],
        fetched: true,
    },
    Known {
        name: "cifar-100",
        kind: SetKind::Cifar100,
        classes: Some(100),
        folders: &["", "cifar-100", "cifar-100-binary"],
        fetched: false,
    },
    Known { name: "svhn", kind: SetKind::Svhn, classes: Some(10), folders: &["", "svhn"], fetched: false },
    Known { name: "idx", kind: SetKind::Idx, classes: None, folders: &["", "raw"], fetched: false },
];

/// A set that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Name to write in a workspace.
    pub name: String,
    /// Its layout.
    pub kind: SetKind,
    /// The folder its files lie in.
    pub folder: PathBuf,
}

impl Found {
    /// Reads training and test examples.
    ///
    /// # Errors
    /// [`DataError`] names the file at fault.
    pub fn read(&self) -> Result<(Examples, Examples), DataError> {
        let known = KNOWN.iter().find(|known| known.name == self.name);
        let hint = known.map_or_else(String::new, hint);
        let there = |name: &str| {
            let path = self.folder.join(name);
            if path.is_file() {
                return Ok(path);
            }
            Err(DataError::MissingFile { folder: self.folder.clone(), file: format!("`{name}`"), hint: hint.clone() })
        };
        let open = |name: &str| Source::open(&there(name)?);
        match self.kind {
            SetKind::Cifar10 => {
                let train: Result<Vec<_>, _> = CIFAR10_TRAIN.iter().map(|name| open(name)).collect();
                Ok((cifar::read(train?, 1, 10)?, cifar::read(vec![open("test_batch.bin")?], 1, 10)?))
            }
            SetKind::Cifar100 => {
                Ok((cifar::read(vec![open("train.bin")?], 2, 100)?, cifar::read(vec![open("test.bin")?], 2, 100)?))
            }
            SetKind::Svhn => {
                let (train, test) = (there(SVHN[0])?, there(SVHN[1])?);
                Ok((svhn::read(Mat::open(&train)?)?, svhn::read(Mat::open(&test)?)?))
            }
            SetKind::Idx => self.read_idx(known.and_then(|known| known.classes), &hint),
        }
    }

    fn read_idx(&self, classes: Option<usize>, hint: &str) -> Result<(Examples, Examples), DataError> {
        let find = |role| {
            idx_file(&self.folder, role)?.ok_or_else(|| DataError::MissingFile {
                folder: self.folder.clone(),
                file: format!("whose name holds {} (`{}`)", role.what, role.usual),
                hint: hint.to_string(),
            })
        };
        let read = |images, labels| {
            let (images, labels): (PathBuf, PathBuf) = (find(images)?, find(labels)?);
            let examples = idx::read(Source::open(&images)?, Source::open(&labels)?, u8::MAX)?;
            Ok::<_, DataError>((examples, labels.display().to_string()))
        };
        let (train, train_labels) = read(TRAIN_IMAGES, TRAIN_LABELS)?;
        let (test, test_labels) = read(TEST_IMAGES, TEST_LABELS)?;
        let classes = classes.unwrap_or(train.classes.max(test.classes));
        Ok((train.with_classes(classes, &train_labels)?, test.with_classes(classes, &test_labels)?))
    }
}

const CIFAR10_TRAIN: [&str; 5] =
    ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];
/// SVHN's training and test file.
const SVHN: [&str; 2] = ["train_32x32.mat", "test_32x32.mat"];

/// One of the four files of an IDX set.
#[derive(Clone, Copy)]
struct Role {
    what: &'static str,
    usual: &'static str,
    parts: &'static [&'static str],
    second: &'static str,
}

const TRAIN_IMAGES: Role =
    Role { what: "training images", usual: "train-images-idx3-ubyte", parts: &["train"], second: "images" };
const TRAIN_LABELS: Role =
    Role { what: "training labels", usual: "train-labels-idx1-ubyte", parts: &["train"], second: "labels" };
const TEST_IMAGES: Role =
    Role { what: "test images", usual: "t10k-images-idx3-ubyte", parts: &["t10k", "test"], second: "images" };
const TEST_LABELS: Role =
    Role { what: "test labels", usual: "t10k-labels-idx1-ubyte", parts: &["t10k", "test"], second: "labels" };

/// The file of `folder` in that role: `…train-images….idx3-ubyte` and its kin, raw before gzip.
fn idx_file(folder: &Path, role: Role) -> Result<Option<PathBuf>, DataError> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(DataError::io(folder))? {
        let name = entry.map_err(DataError::io(folder))?.file_name().to_string_lossy().into_owned();
        let lower = name.to_lowercase();
        let fits = role.parts.iter().any(|part| lower.contains(&format!("{part}-{}", role.second)));
        if fits && (lower.contains("ubyte") || lower.ends_with(".idx") || lower.ends_with(".idx.gz")) {
            names.push(name);
        }
    }
    names.sort();
    let stem = |name: &str| name.strip_suffix(".gz").unwrap_or(name).to_string();
    match names.as_slice() {
        [] => Ok(None),
        [first, rest @ ..] => match rest.iter().find(|other| stem(other) != stem(first)) {
            Some(other) => Err(DataError::Ambiguous {
                folder: folder.into(),
                role: role.what,
                first: first.clone(),
                second: other.clone(),
            }),
            None => Ok(Some(folder.join(first))),
        },
    }
}

/// Names of all sets that a workspace can name.
pub fn set_names() -> impl Iterator<Item = &'static str> {
    EMBEDDED.iter().map(|set| set.name).chain(KNOWN.iter().map(|known| known.name))
}

/// Finds the files of the set called `name`: in `path` (which may be relative to the workspace's folder) or, when none
/// is named, in the usual places.
///
/// # Errors
/// [`DataError::UnknownSet`] and [`DataError::NotFound`], which says where it looked and how to get the files.
pub(super) fn locate(name: &str, path: Option<&str>, workspace: Option<&Path>) -> Result<Found, DataError> {
    let Some(known) = KNOWN.iter().find(|known| known.name == name) else {
        return Err(unknown(name));
    };
    let bases = match path {
        Some(path) => {
            let mut bases: Vec<PathBuf> = workspace.map(|folder| folder.join(path)).into_iter().collect();
            bases.push(PathBuf::from(path));
            bases.dedup();
            bases
        }
        None if known.classes.is_none() => {
            return Err(DataError::Request(format!(
                "data set `{name}` needs `path`: the folder of its four IDX files"
            )));
        }
        None => usual_places(workspace),
    };
    for base in &bases {
        for folder in known.folders {
            // A usual place holds many sets: only its subfolders tell which one a file belongs to.
            if path.is_none() && matches!(*folder, "" | "raw") {
                continue;
            }
            let folder = if folder.is_empty() { base.clone() } else { base.join(folder) };
            if holds(&folder, known.kind) {
                return Ok(Found { name: name.into(), kind: known.kind, folder });
            }
        }
    }
    Err(DataError::NotFound { name: name.into(), searched: bases, hint: hint(known) })
}

/// The sets that lie in or below `folder`, in the layouts this program knows.
pub fn detect(folder: &Path) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for known in &KNOWN {
        for below in known.folders {
            let folder = if below.is_empty() { folder.to_path_buf() } else { folder.join(below) };
            // Files right in the folder could be any set of the IDX family, unless the folder's name tells.
            let named = KNOWN.iter().any(|other| other.kind == SetKind::Idx && is_home(&folder, other));
            let fits = known.kind != SetKind::Idx || is_home(&folder, known) || (known.name == "idx" && !named);
            let seen = found.iter().any(|other| other.folder == folder && other.kind == known.kind);
            if fits && !seen && holds(&folder, known.kind) {
                found.push(Found { name: known.name.into(), kind: known.kind, folder });
            }
        }
    }
    found
}

/// The file-based sets that lie in the usual places.
pub fn installed(workspace: Option<&Path>) -> Vec<Found> {
    KNOWN.iter().filter_map(|known| locate(known.name, None, workspace).ok()).collect()
}

/// Whether `folder` carries a name under which the set's files lie.
fn is_home(folder: &Path, known: &Known) -> bool {
    known.folders.iter().any(|name| !matches!(*name, "" | "raw") && folder.ends_with(name))
}

fn holds(folder: &Path, kind: SetKind) -> bool {
    match kind {
        SetKind::Idx => {
            folder.is_dir()
                && [TRAIN_IMAGES, TEST_IMAGES].iter().any(|&role| !matches!(idx_file(folder, role), Ok(None)))
        }
        SetKind::Cifar10 => CIFAR10_TRAIN.iter().any(|name| folder.join(name).is_file()),
        SetKind::Cifar100 => folder.join("train.bin").is_file(),
        SetKind::Svhn => SVHN.iter().any(|name| folder.join(name).is_file()),
    }
}

fn usual_places(workspace: Option<&Path>) -> Vec<PathBuf> {
    let mut places = Vec::new();
    places.extend(std::env::var_os("GUESSWORK_DATA").map(PathBuf::from));
    places.extend(workspace.filter(|folder| *folder != Path::new(".")).map(|folder| folder.join("data")));
    places.push(PathBuf::from("data"));
    if let Ok(base) = etcetera::choose_base_strategy() {
        places.push(etcetera::BaseStrategy::data_dir(&base).join("guesswork/data"));
    }
    places.push(PathBuf::from("/usr/share/datasets"));
    places.dedup();
    places
}

fn hint(known: &Known) -> String {
    match known.name {
        name if known.fetched => format!("get it with `scripts/fetch-data.sh {name}`, or name its folder in `path`"),
        "cifar-100" => "unpack the binary version (cifar-100-binary.tar.gz) from \
                        https://www.cs.toronto.edu/~kriz/cifar.html and name its folder in `path`"
            .into(),
        "svhn" => {
            "get train_32x32.mat and test_32x32.mat from http://ufldl.stanford.edu/housenumbers, into data/svhn or a \
                   folder named in `path`"
                .into()
        }
        _ => "`path` names the folder of the training and test images and labels in IDX format".into(),
    }
}

fn unknown(name: &str) -> DataError {
    let nearest = set_names()
        .map(|known| (strsim::damerau_levenshtein(known, &name.to_lowercase()), known))
        .min()
        .filter(|(distance, known)| *distance <= known.len().div_ceil(3));
    DataError::UnknownSet {
        name: name.into(),
        suggestion: nearest.map(|(_, known)| known.to_string()),
        known: set_names().collect::<Vec<_>>().join(", "),
    }
}

/// Reads the set called `name`: the embedded one, or the files that [`locate`] finds. Also says where they lie.
pub(super) fn read(
    name: &str,
    path: Option<&str>,
    workspace: Option<&Path>,
) -> Result<(Examples, Examples, String), DataError> {
    if let Some(embedded) = Embedded::find(name) {
        if path.is_some() {
            return Err(DataError::Request(format!("data set `{name}` is embedded: leave `path` out")));
        }
        let (train, test) = embedded.read()?;
        return Ok((train, test, "embedded".into()));
    }
    let found = locate(name, path, workspace)?;
    let (train, test) = found.read()?;
    Ok((train, test, found.folder.display().to_string()))
}
