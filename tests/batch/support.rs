//! Small workspaces in a folder of their own, the program run on them, and what it wrote.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A folder with a workspace `tiny.ron`, removed at the end.
pub struct Place {
    folder: TempDir,
}

/// What a run came to.
pub struct Ran {
    pub out: String,
    pub error: String,
    pub code: i32,
}

/// A small network on the embedded digits; `rest` are more fields of the workspace.
pub fn digits(lanes: &str, rest: &str) -> String {
    format!(
        "(
            problem: Network(data: (name: \"digits\"), model: mlp(hidden: [12, 12]), batch: 32),
            defaults: (normalise: row),
            lanes: [{lanes}],
            {rest}
        )"
    )
}

/// A plugin library beside this test by the name of its crate.
pub fn library(name: &str) -> PathBuf {
    let extension = if cfg!(target_os = "macos") { "dylib" } else { "so" };
    std::env::current_exe().unwrap().parent().unwrap().join(format!("lib{name}.{extension}"))
}

impl Place {
    pub fn new(workspace: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tiny.ron"), workspace).unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program in this folder, nothing of the surroundings let through, with no input.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_guesswork"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env_remove("GUESSWORK_DATA").env_remove("GUESSWORK_PLUGIN_PATH");
        command.env("XDG_DATA_HOME", self.folder.path());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// `guesswork --batch tiny.ron` and these.
    pub fn batch(&self, arguments: &[&str]) -> Ran {
        self.run(&[&["--batch", "tiny.ron"], arguments].concat())
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().expect("ended by a signal");
        Self { out: text(output.stdout), error: text(output.stderr), code }
    }
}

impl Ran {
    /// The records on standard output.
    pub fn records(&self) -> Vec<Value> {
        records(&self.out)
    }

    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "standard output:\n{}\nstandard error:\n{}", self.out, self.error);
        self
    }

    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.error.contains(word), "`{word}` is not in:\n{}", self.error);
        }
        self
    }
}

/// JSON Lines, every one of which must be an object.
pub fn records(text: &str) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(parse).inspect(|record: &Value| assert!(record.is_object(), "{record}")).collect()
}

pub fn records_of(file: &Path) -> Vec<Value> {
    records(&std::fs::read_to_string(file).unwrap())
}

/// Those of one kind.
pub fn kind<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record["record"] == kind).collect()
}

/// The lane's numbers of steps, in the order of its records.
pub fn steps(records: &[Value], lane: u64) -> Vec<u64> {
    let steps = kind(records, "step").into_iter().filter(|record| record["lane"] == lane);
    steps.map(|record| record["step"].as_u64().unwrap()).collect()
}

/// How the lane ended.
pub fn end(records: &[Value], lane: u64) -> &Value {
    let ends: Vec<&Value> = kind(records, "end").into_iter().filter(|record| record["lane"] == lane).collect();
    assert_eq!(ends.len(), 1, "ends of lane {lane}");
    ends[0]
}

/// What two runs of one experiment have in common: lanes one after the other, without messages and times.
pub fn timeless(mut records: Vec<Value>) -> Vec<Value> {
    fn clean(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.remove("time");
                fields.values_mut().for_each(clean);
            }
            Value::Array(values) => values.iter_mut().for_each(clean),
            _ => {}
        }
    }
    records.retain(|record| record["record"] != "message" && record["record"] != "run");
    records.iter_mut().for_each(clean);
    records.sort_by_key(|record| record["lane"].as_u64().unwrap_or(u64::MAX));
    records
}

/// All tensors of all lanes' checkpoints of a run folder: type, shape and bytes.
pub fn tensors(run: &Path) -> BTreeMap<String, (String, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for file in std::fs::read_dir(run.join("checkpoints")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "safetensors") {
            continue;
        }
        let lane = path.file_stem().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        for (name, view) in safetensors::SafeTensors::deserialize(&bytes).unwrap().tensors() {
            let shape = format!("{:?} {:?}", view.dtype(), view.shape());
            found.insert(format!("{lane}: {name}"), (shape, view.data().to_vec()));
        }
    }
    assert!(!found.is_empty());
    found
}
