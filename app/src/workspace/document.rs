//! A workspace together with the text it came from, so that what is found wrong later can be pointed at.

use super::outline::Node;
use super::{Diagnostic, EMBEDDED, EditError, Embedded, Workspace, WorkspaceError};
use super::{Place, check, diagnostic, doubly_bracketed, edit, options, path};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// A workspace and its text.
#[derive(Clone, Debug)]
pub struct Document {
    /// What the text says, and what has been set since.
    pub workspace: Workspace,
    /// Name of the file in messages.
    pub label: String,
    /// The text.
    pub text: String,
    /// Folder of the file: relative paths begin there. `None` for a shipped workspace.
    pub folder: Option<PathBuf>,
    /// Paths changed since, and by whom: `on the command line`, `by quick`.
    pub(super) changed: Vec<(String, &'static str)>,
}

impl Document {
    /// Reads a text; `label` names it in messages. What it means is not checked yet: see [`Document::check`].
    ///
    /// # Errors
    /// [`WorkspaceError::Invalid`] with line, column and what was expected.
    pub fn parse(text: &str, label: &str) -> Result<Self, WorkspaceError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // `Network((…))`, as RON is written elsewhere, is read too; errors are told of the usual way.
        let mut workspace: Workspace = options()
            .from_str(text)
            .or_else(|error| doubly_bracketed().from_str(text).map_err(|_| error))
            .map_err(|error| WorkspaceError::Invalid(vec![Diagnostic::from_ron(label, text, &error)]))?;
        if workspace.name.is_empty() {
            let stem = Path::new(label).file_stem().map(|stem| stem.to_string_lossy().into_owned());
            workspace.name = stem.unwrap_or_default();
        }
        Ok(Self { workspace, label: label.into(), text: text.into(), folder: None, changed: Vec::new() })
    }

    /// Reads a file, or the shipped workspace of that name (`quickstart`) when there is no such file.
    ///
    /// # Errors
    /// As [`Document::parse`]; [`WorkspaceError::Io`] and [`WorkspaceError::Unknown`] when nothing can be read.
    pub fn open(path: &Path) -> Result<Self, WorkspaceError> {
        let label = path.display().to_string();
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(source) => {
                return match Embedded::find(&label) {
                    Some(embedded) if !path.exists() => embedded.document(),
                    None if source.kind() == ErrorKind::NotFound => Err(WorkspaceError::unknown(&label)),
                    _ if path.is_dir() => {
                        let text = "it is a folder; name a workspace file, as DIR/workspace.ron of a run folder";
                        Err(WorkspaceError::Io { path: path.into(), source: io::Error::new(source.kind(), text) })
                    }
                    _ => Err(WorkspaceError::Io { path: path.into(), source }),
                };
            }
        };
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let text = format!("it is no UTF-8 text (byte {at}); a workspace is a text file in RON");
            WorkspaceError::Io { path: path.into(), source: io::Error::new(ErrorKind::InvalidData, text) }
        })?;
        let mut document = Self::parse(&text, &label)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        document.folder = Some(folder.into());
        Ok(document)
    }

    /// Where the value at a path stands in the text; where its nearest parent stands when it is left out. `None` when the text
    /// is not well formed or the path is none.
    pub fn place(&self, at: &str) -> Option<Place> {
        let (outline, path) = (Node::parse(&self.text)?, path::parse(at).ok()?);
        let (node, depth) = outline.follow(&path);
        let length = if depth == path.len() { node.span.len() } else { 1 };
        Some(Place::of(&self.text, node.span.start..node.span.start + length))
    }

    /// Sets the value at a path: `steps=100`, `lanes.*.scope=example`, `lr=0.1`.
    ///
    /// # Errors
    /// [`WorkspaceError::Edit`]: no such path, or a value of another type.
    pub fn set(&mut self, assignment: &str) -> Result<(), WorkspaceError> {
        Ok(self.change(assignment, "on the command line")?)
    }

    /// [`Document::set`], by whom.
    pub(super) fn change(&mut self, assignment: &str, by: &'static str) -> Result<(), EditError> {
        let Some((path, value)) = assignment.split_once('=') else {
            let (path, value) = (assignment.into(), String::new());
            let (message, hint) = ("it has no value".into(), Some("write path=value, as steps=100".into()));
            return Err(EditError { path, value, message, hint });
        };
        let (workspace, changed) = edit::set(&self.workspace, path.trim(), value.trim())?;
        self.workspace = workspace;
        self.changed.extend(changed.into_iter().map(|path| (path, by)));
        Ok(())
    }

    /// Checks what the values mean: sizes, ranges, names, paths of the sweep; also of what `--quick` makes of the file, where
    /// nothing was set since. Whether strategies and data exist is not asked here.
    ///
    /// # Errors
    /// [`WorkspaceError::Invalid`] with everything that was found.
    pub fn check(&self) -> Result<(), WorkspaceError> {
        let mut found = check::check(self);
        if found.is_empty() && self.changed.is_empty() && self.workspace.quick.is_some() {
            let mut quick = self.clone();
            match quick.quicken() {
                Ok(()) => found = check::check(&quick),
                Err(WorkspaceError::Invalid(more)) => found = more,
                Err(other) => return Err(other),
            }
        }
        if found.is_empty() { Ok(()) } else { Err(WorkspaceError::Invalid(found)) }
    }
}

impl Workspace {
    /// Reads and checks a file (or the shipped workspace of that name).
    ///
    /// # Errors
    /// As [`Document::open`] and [`Document::check`].
    pub fn load(path: &Path) -> Result<Self, WorkspaceError> {
        let document = Document::open(path)?;
        document.check()?;
        Ok(document.workspace)
    }

    /// Reads and checks a text; `label` names it in messages.
    ///
    /// # Errors
    /// As [`Document::parse`] and [`Document::check`].
    pub fn from_text(text: &str, label: &str) -> Result<Self, WorkspaceError> {
        let document = Document::parse(text, label)?;
        document.check()?;
        Ok(document.workspace)
    }
}

impl WorkspaceError {
    /// There is no workspace called `name`.
    pub fn unknown(name: &str) -> Self {
        let names = EMBEDDED.map(|embedded| embedded.name);
        let suggestion = diagnostic::suggestion(name.trim_end_matches(".ron"), &names).map(str::to_string);
        Self::Unknown { name: name.into(), suggestion, shipped: names.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A workspace that is sound, with one place changed.
    fn with(from: &str, to: &str) -> String {
        let text = r#"// A question?
(
    problem: Network(
        data: (name: "digits"),
        model: mlp(hidden: [8]),
    ),
    lanes: [
        (strategy: "a", scope: example),
        (strategy: "backprop", optimizer: sgd(lr: 0.1)),
    ],
    steps: 10,
)
"#;
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    }

    fn refused(from: &str, to: &str) -> String {
        match Workspace::from_text(&with(from, to), "x.ron") {
            Err(error) => error.to_string(),
            Ok(_) => panic!("`{to}` was accepted"),
        }
    }

    fn opens(message: &str, start: &str) {
        assert!(message.starts_with(start), "{message}");
    }

    #[test]
    fn a_sound_text_is_read_and_named_after_its_file() {
        let document = Document::parse(&with("", ""), "some/x.ron").unwrap();
        document.check().unwrap();
        assert_eq!((document.workspace.name.as_str(), document.workspace.steps), ("x", 10));
        assert!(Document::parse(&format!("\u{feff}{}", document.text), "x.ron").is_ok());
        let elsewhere = ron::to_string(&document.workspace).unwrap();
        assert!(elsewhere.contains("Network((data:") && elsewhere.contains("Some("), "{elsewhere}");
        assert_eq!(Document::parse(&elsewhere, "some/x.ron").unwrap().workspace, document.workspace);
    }

    #[test]
    fn an_error_shows_line_caret_and_the_nearest_name() {
        let expected = "x.ron:8:25: unknown field `scop`
   |
 8 |         (strategy: \"a\", scop: example),
   |                         ^^^^
   did you mean `scope`? the fields are `strategy`, `name`, `params`, `of`, `scope`, `guesses`, `at_once`, `combine`, \
                        `scaling`, `normalise`, `clip`, `source`, `output`, `losses`, `optimizer`, `schedule`, `seeds`";
        assert_eq!(refused("scope:", "scop:"), expected);
    }

    #[test]
    fn readers_errors_say_what_was_expected() {
        opens(&refused("mlp(", "mpl("), "x.ron:5:16: unknown value `mpl`");
        opens(&refused("example)", "exmple)"), "x.ron:8:32: unknown value `exmple`");
        opens(&refused("steps: 10", "steps: ten"), "x.ron:11:12: expected a whole number");
        opens(&refused("[8]", "[8.5]"), "x.ron:5:30: expected a whole number");
        opens(&refused("[8]", "[-8]"), "x.ron:5:29: expected a whole number that is not negative");
        opens(&refused("lr: 0.1", "l: 0.1"), "x.ron:9:47: unknown field `l`");
        opens(&refused("lr: 0.1", ""), "x.ron:9:47: the field `lr` of `sgd` is missing");
        opens(&refused("\"digits\"", "digits"), "x.ron:4:22: expected text in quotes");
        opens(
            &refused("steps: 10", "steps: 10, steps: 11"),
            "x.ron:11:16: the field `steps` stands here a second time",
        );
        opens(&refused("[8]),\n    ),", "[8]),\n    )"), "x.ron:7:5: expected a comma");
        let bare = refused("problem: Network(", "problem: (");
        opens(&bare, "x.ron:3:14: expected a word as the value of `problem`");
        assert!(bare.ends_with("write `Network(…)`"), "{bare}");
        let scope = refused("scope: example", "scope: \"example\"");
        opens(&scope, "x.ron:8:32: expected a word as the value of `scope`");
        assert!(scope.ends_with("write `batch`, `layer`, `example`, `example_layer`"), "{scope}");
        assert!(Workspace::from_text("", "x.ron").unwrap_err().to_string().contains("the file is empty"));
        assert!(Workspace::from_text("(", "x.ron").is_err());
    }

    #[test]
    fn meaning_is_checked_with_its_place() {
        opens(&refused("steps: 10", "steps: 0"), "x.ron:11:12: expected at least 1 step");
        opens(&refused("[8]", "[8, 0]"), "x.ron:5:32: expected a width from 1 to 16777216");
        opens(&refused("[8]", "[8, 16777217]"), "x.ron:5:32: expected a width from 1 to 16777216");
        opens(&refused("lr: 0.1", "lr: -1"), "x.ron:9:51: expected a learning rate");
        opens(&refused("scope: example", "clip: 0"), "x.ron:8:31: expected a bound above 0");
        opens(&refused("scope: example", "guesses: 0"), "x.ron:8:34: expected at least 1 guess");
        opens(&refused("scope: example", "guesses: 4, at_once: 3"), "x.ron:8:46: expected a divisor of `guesses`");
        opens(&refused("scope: example", "source: central(0)"), "x.ron:8:33: expected a step of the difference");
        opens(&refused("lr: 0.1", "lr: 1, nesterov: true"), "x.ron:9:64: Nesterov's form needs");
        opens(&refused("\"digits\"", "\"digits\", validation: 1"), "x.ron:4:44: expected a share from 0 to 0.9");
        opens(&refused("steps: 10", "seeds: [1, 2, 1]"), "x.ron:11:19: seed 1 stands here a second time");
        opens(&refused("steps: 10", "steps: 10, seeds: []"), "x.ron:11:23: at least one seed");
        let none = with("", "").replace("(strategy: \"a\", scope: example),", "");
        let none = none.replace("(strategy: \"backprop\", optimizer: sgd(lr: 0.1)),", "");
        opens(&Workspace::from_text(&none, "x.ron").unwrap_err().to_string(), "x.ron:7:12: at least one lane");
    }

    #[test]
    fn what_a_mixture_is_made_of_is_checked_with_its_place() {
        let of = |members: &str| refused("\"a\", scope: example", &format!("\"mixture\", of: [{members}]"));
        opens(&of(""), "x.ron:8:35: a mixture needs at least one strategy");
        opens(&of("(strategy: \"a\", weight: 0)"), "x.ron:8:60: expected a weight other than 0");
        opens(&of("(strategy: \"a\", weight: inf)"), "x.ron:8:60: expected a weight other than 0");
        opens(&of("(strategy: \"a\"), (strategy: \"backprop\")"), "x.ron:8:64: `backprop` is the gradient itself");
        opens(&of("(strategy: \"mixture\")"), "x.ron:8:47: a mixture in a mixture");
        opens(&of("(strategy: \"\")"), "x.ron:8:47: the strategy has no name");
        opens(&of("(strategy: \"a\", wieght: 1)"), "x.ron:8:52: unknown field `wieght`");
        opens(&refused("\"a\", scope: example", "\"mixture\""), "x.ron:8:9: a mixture needs at least one strategy");
        opens(&refused("scope: example", "of: [(strategy: \"b\")]"), "x.ron:8:29: only a mixture is made of");
        let own = "\"mixture\", of: [(strategy: \"a\")], params: {\"depth\": 1}";
        opens(&refused("\"a\", scope: example", own), "x.ron:8:62: a mixture has no parameters of its own");
        let mixed = "\"mixture\", of: [(strategy: \"a\")]";
        let swept = |axis: &str| {
            let text = with("\"a\", scope: example", mixed).replacen("steps: 10", &format!("sweep: [({axis})]"), 1);
            Workspace::from_text(&text, "x.ron").map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(swept("path: \"of[0].weight\", values: [0.5, -1]"), Ok(()));
        let zero = swept("path: \"of[0].weight\", values: [0.5, 0]").unwrap_err();
        opens(&zero, "x.ron:11:50: expected a weight other than 0");
        let none = swept("path: \"of[1].weight\", values: [0.5]").unwrap_err();
        opens(&none, "x.ron:11:20: no lane is a mixture that has this in `of`");
    }

    #[test]
    fn sweep_and_tuning_are_checked_on_the_lanes() {
        let sweep = |axis: &str| refused("steps: 10", &format!("sweep: [({axis})]"));
        opens(&sweep("path: \"lrr\", values: [1]"), "x.ron:11:20: unknown field `lrr`");
        opens(&sweep("path: \"lr\", values: [1, fast]"), "x.ron:11:38: expected a number");
        opens(&sweep("path: \"lr\", values: [1, -1]"), "x.ron:11:38: expected a learning rate");
        opens(&sweep("path: \"lr\", values: []"), "x.ron:11:34: an axis needs at least one value");
        let only = sweep("path: \"lr\", values: [1], only: [\"backprp\"]");
        assert!(
            only.contains("no lane has the strategy `backprp`") && only.contains("did you mean `backprop`?"),
            "{only}"
        );
        opens(
            &refused("steps: 10", "tune: (over: \"lr\", values: [1])"),
            "x.ron:11:11: tuning needs a validation split",
        );
        let nobody = refused("steps: 10", "tune: (over: \"of[0].weight\", values: [1])");
        assert!(nobody.contains("x.ron:11:18: no lane is a mixture that has this in `of`"), "{nobody}");
        let many = (0..400).map(|value| value.to_string()).collect::<Vec<_>>().join(",");
        let axis = format!("(path: \"lr\", values: [{many}])");
        assert!(refused("steps: 10", &format!("sweep: [{axis}, {axis}]")).contains("at most 100000 runs"));
    }

    #[test]
    fn findings_at_changed_values_name_the_change() {
        let mut document = Document::parse(&with("", ""), "x.ron").unwrap();
        document.set("lanes.*.clip=-1").unwrap();
        let message = document.check().unwrap_err().to_string();
        opens(&message, "x.ron: `lanes[0].clip` as set on the command line: expected a bound above 0");
        assert!(document.set("steps").unwrap_err().to_string().contains("write path=value"));
    }

    #[test]
    fn shipped_workspaces_are_found_by_name() {
        assert_eq!(Document::open(Path::new("quickstart")).unwrap().workspace.name, "quickstart");
        let message = Document::open(Path::new("quikstart.ron")).unwrap_err().to_string();
        assert!(message.contains("did you mean `quickstart`?"), "{message}");
        assert!(matches!(Document::open(Path::new("/")), Err(WorkspaceError::Io { .. })));
    }
}
