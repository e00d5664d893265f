//! The workspaces that ship with the program, so that it works from any folder.

use super::{Document, WorkspaceError};

/// A shipped workspace.
#[derive(Clone, Copy, Debug)]
pub struct Embedded {
    /// Its name, the file's stem.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        [$(Embedded { name: $name, text: include_str!(concat!("../../../workspaces/", $name, ".ron")) }),*]
    };
}

/// The shipped workspaces; the first is what the program opens when nothing is named.
pub const EMBEDDED: [Embedded; 23] = shipped![
    "quickstart",
    "conv",
    "mixer",
    "transformer",
    "scope-matters",
    "sharpening",
    "table",
    "paper-cosine",
    "paper-accuracy",
    "paper-one-step",
    "paper-self-sharpening",
    "paper-bias",
    "hessian",
    "paper-mixer",
    "rank-sweep",
    "combine",
    "equal-budget",
    "mixture",
    "cnn",
    "resnet",
    "neighbours",
    "fixed-feedback",
    "standin-cifar10"
];

impl Embedded {
    /// The one called `name` (or `name.ron`, or `workspaces/name.ron`).
    pub fn find(name: &str) -> Option<Self> {
        let name = name.strip_prefix("workspaces/").unwrap_or(name);
        let name = name.strip_suffix(".ron").unwrap_or(name);
        EMBEDDED.into_iter().find(|embedded| embedded.name == name)
    }

    /// Reads it.
    ///
    /// # Errors
    /// None, as a test makes sure.
    pub fn document(&self) -> Result<Document, WorkspaceError> {
        Document::parse(self.text, &format!("workspaces/{}.ron", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_sound_and_open_with_their_question() {
        for embedded in EMBEDDED {
            let document = embedded.document().unwrap_or_else(|error| panic!("{error}"));
            document.check().unwrap_or_else(|error| panic!("{error}"));
            assert!(!document.workspace.grid().unwrap().is_empty());
            assert!(embedded.text.starts_with("// ") && embedded.text.contains('?'), "{}", embedded.name);
            assert!(document.workspace.question.ends_with('?'), "{}", embedded.name);
            assert_eq!(document.workspace.name, embedded.name);
        }
        assert!(Embedded::find("workspaces/conv.ron").is_some());
        assert!(Embedded::find("nothing").is_none());
    }
}
