//! What can go wrong with data, each with the file, what was found and expected, and the next step.

use std::path::PathBuf;

/// What went wrong with a data set.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// No set of this name.
    #[error("there is no data set `{name}`{}; the sets are {known}", match .suggestion {
        Some(suggestion) => format!(" (did you mean `{suggestion}`?)"),
        None => String::new(),
    })]
    UnknownSet {
        /// The name asked for.
        name: String,
        /// The nearest known name.
        suggestion: Option<String>,
        /// All names.
        known: String,
    },
    /// The files of a set are nowhere.
    #[error("data set `{name}` was not found; looked in {}\n{hint}", list(.searched))]
    NotFound {
        /// The set.
        name: String,
        /// Where it was looked for.
        searched: Vec<PathBuf>,
        /// How to get it.
        hint: String,
    },
    /// A folder holds some files of a set but not this one.
    #[error("{}: no file {file}\n{hint}", .folder.display())]
    MissingFile {
        /// The folder.
        folder: PathBuf,
        /// What the file may be called.
        file: String,
        /// How to get it.
        hint: String,
    },
    /// Two files could be meant.
    #[error("{}: both `{first}` and `{second}` could be the {role}; keep one", .folder.display())]
    Ambiguous {
        /// The folder.
        folder: PathBuf,
        /// What is looked for.
        role: &'static str,
        /// One file.
        first: String,
        /// Another.
        second: String,
    },
    /// The operating system could not read or write.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The content is not what the format says.
    #[error("{file}: {what}: found {found}, expected {expected}")]
    Format {
        /// The file.
        file: String,
        /// Which part: magic number, element type, size, ….
        what: &'static str,
        /// What stands there.
        found: String,
        /// What should.
        expected: String,
    },
    /// The file ends too early.
    #[error("{file}: truncated: {found} bytes of {expected}; fetch it again")]
    Truncated {
        /// The file.
        file: String,
        /// Bytes there.
        found: u64,
        /// Bytes that its header or format asks for.
        expected: u64,
    },
    /// Images and labels do not go together.
    #[error("{images_file} holds {images} images but {labels_file} holds {labels} labels")]
    Count {
        /// File of the images.
        images_file: String,
        /// Its count.
        images: usize,
        /// File of the labels.
        labels_file: String,
        /// Its count.
        labels: usize,
    },
    /// A label beyond the classes.
    #[error("{file}: label {label} of example {index} is out of range: the set has {classes} classes, 0 to {}", .classes - 1)]
    Label {
        /// The file.
        file: String,
        /// The example, from 0.
        index: usize,
        /// Its label.
        label: usize,
        /// Classes of the set.
        classes: usize,
    },
    /// No examples at all.
    #[error("{file}: holds no examples")]
    Empty {
        /// The file.
        file: String,
    },
    /// What the workspace asks of the data cannot be done.
    #[error("{0}")]
    Request(String),
    /// The device could not hold the tensors.
    #[error("the data could not be placed on the device: {0}")]
    Device(#[from] candle_core::Error),
}

impl DataError {
    /// For `map_err` on the result of a file operation.
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    if paths.is_empty() { "no folder".into() } else { paths.join(", ") }
}
