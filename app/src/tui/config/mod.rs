//! What a person sets once: keys, layouts, colours, as RON files in a folder of theirs, into which every message points.
//!
//! Each file may be missing or blank: then what is built in holds. This is the only place of the screen that reads files of its own.
#![forbid(unsafe_code)]

pub mod keys;
pub mod layouts;
pub mod theme;

use super::keymap::Keymap;
use crate::workspace::{Diagnostic, WorkspaceError};
use etcetera::BaseStrategy;
use layouts::Layouts;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use theme::ThemeFile;

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Which keys do what.
    pub keymap: Keymap,
    /// The layouts of keys 1 to 9.
    pub layouts: Layouts,
    /// Colours and glyphs.
    pub theme: ThemeFile,
}

/// One of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// `keys.ron`
    Keys,
    /// `layouts.ron`
    Layouts,
    /// `theme.ron`
    Theme,
}

impl File {
    /// All files.
    pub const ALL: [Self; 3] = [Self::Keys, Self::Layouts, Self::Theme];

    /// Its name in the folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys.ron",
            Self::Layouts => "layouts.ron",
            Self::Theme => "theme.ron",
        }
    }

    /// What is built in, as a file to begin with.
    pub fn default_text(self) -> String {
        match self {
            Self::Keys => keys::default_text(),
            Self::Layouts => layouts::DEFAULT.to_owned(),
            Self::Theme => theme::default_text(),
        }
    }
}

/// The folder of a person's own configuration: `guesswork` under the XDG configuration folder. None without a home.
pub fn folder() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|base| base.config_dir().join("guesswork"))
}

impl Config {
    /// Reads the files of `folder` that are there.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, or the first that cannot be read.
    pub fn load(folder: &Path) -> Result<Self, WorkspaceError> {
        let mut config = Self::default();
        let mut found: Vec<Diagnostic> = Vec::new();
        for file in File::ALL {
            let path = folder.join(file.name());
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(source) => return Err(WorkspaceError::Io { path, source }),
            };
            let label = path.display().to_string();
            let wrong = match file {
                File::Keys => keys::read(&label, &text).map(|keymap| config.keymap = keymap),
                File::Layouts => Layouts::read(&label, &text).map(|layouts| config.layouts = layouts),
                File::Theme => theme::read(&label, &text).map(|theme| config.theme = theme),
            };
            found.extend(wrong.err().unwrap_or_default());
        }
        if found.is_empty() { Ok(config) } else { Err(WorkspaceError::Invalid(found)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_there_are_read_and_all_that_is_wrong_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Config::load(folder.path()).unwrap(), Config::default());
        std::fs::write(folder.path().join("keys.ron"), "(preset: vim)").unwrap();
        let config = Config::load(folder.path()).unwrap();
        assert_ne!(config.keymap, Keymap::default());
        std::fs::write(folder.path().join("keys.ron"), "(preset: emacs)").unwrap();
        std::fs::write(folder.path().join("theme.ron"), "(ground: grey)").unwrap();
        let error = Config::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("keys.ron:1:10: unknown value `emacs`"), "{error}");
        assert!(error.contains("theme.ron:1:10: unknown value `grey`"), "{error}");
    }

    #[test]
    fn every_default_text_reads_back_as_what_is_built_in() {
        let folder = tempfile::tempdir().unwrap();
        for file in File::ALL {
            std::fs::write(folder.path().join(file.name()), file.default_text()).unwrap();
        }
        assert_eq!(Config::load(folder.path()).unwrap(), Config::default());
    }
}
