//! Changing one value of a workspace or a lane by its path: `--set lanes.*.scope=example`, a sweep's axis, a tuning's
//! candidate.
//!
//! The value is written out in full, the text at the path replaced, and the whole read again: so a path and a value are
//! held to the same rules as the file, whatever type stands there.

use super::diagnostic::{nearest, words};
use super::outline::{Body, Node};
use super::path::{self, Segment};
use super::{AxisValue, LaneDefaults, LaneSpec, Problem, Workspace, options};
use serde::{Serialize, de::DeserializeOwned};

/// Names that stand for longer paths.
const SHORT: [(&str, &str); 3] =
    [("lr", "lanes[*].optimizer.lr"), ("batch", "problem.batch"), ("data", "problem.data.name")];

/// A change that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} = {value}: {message}{}", .hint.as_ref().map_or_else(String::new, |hint| format!("\n   {hint}")))]
pub struct EditError {
    /// The path as it was written.
    pub path: String,
    /// The value.
    pub value: String,
    /// What is wrong.
    pub message: String,
    /// The next step.
    pub hint: Option<String>,
}

/// What is wrong and what helps, before it is known which path and value it belongs to.
struct Refusal {
    message: String,
    hint: Option<String>,
}

impl Refusal {
    fn new(message: impl Into<String>, hint: Option<String>) -> Self {
        Self { message: message.into(), hint }
    }

    fn of(self, path: &str, value: &str) -> EditError {
        EditError { path: path.into(), value: value.into(), message: self.message, hint: self.hint }
    }
}

/// The lane with the field at `path` set: `lr` (short for `optimizer.lr`), `scope`, `params.depth`, ….
///
/// # Errors
/// [`EditError`]: no such field, or a value of another type.
pub fn apply_axis(spec: &LaneSpec, path: &str, value: &AxisValue) -> Result<LaneSpec, EditError> {
    let edit = || {
        let segments = path::parse(path).map_err(|message| Refusal::new(message, None))?;
        lane(spec, &LaneDefaults::default(), &segments, value.text())
    };
    edit().map_err(|refusal| refusal.of(path, value.text()))
}

/// The problem with the value at `path`, which begins with `problem.`, set: `problem.model.hidden`, `problem.data.name`, ….
///
/// # Errors
/// As [`apply_axis`].
pub(super) fn apply_problem(problem: &Problem, path: &str, value: &AxisValue) -> Result<Problem, EditError> {
    let edit = || match path::parse(path).map_err(|message| Refusal::new(message, None))?.as_slice() {
        [_, rest @ ..] if !rest.is_empty() => replace(problem, rest, value.text()),
        _ => Err(Refusal::new("there is no such field", Some("name one, as problem.model.hidden".into()))),
    };
    edit().map_err(|refusal| refusal.of(path, value.text()))
}

/// The field of a lane that [`apply_axis`] sets, as text; that of the first place where `*` stands for all. `None` where there is no
/// such field or nothing in it.
pub fn field(spec: &LaneSpec, path: &str) -> Option<String> {
    let whole = serde_json::to_value(spec).ok()?;
    let found = match path {
        "lr" => return Some(spec.optimizer?.lr().to_string()),
        path => path::parse(path).ok()?.iter().try_fold(&whole, |value, segment| match segment {
            Segment::Key(key) => value.get(key),
            Segment::Index(place) => value.get(place),
            Segment::Every => value.get(0),
        })?,
    };
    match found {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The workspace with the value at `path` set, and the paths that were changed, every `*` written out.
pub(super) fn set(workspace: &Workspace, path: &str, value: &str) -> Result<(Workspace, Vec<String>), EditError> {
    let long = SHORT.iter().find(|(short, _)| *short == path).map_or(path, |(_, long)| long);
    let edit = || {
        let segments = path::parse(long).map_err(|message| Refusal::new(message, None))?;
        match segments.as_slice() {
            [Segment::Key(lanes), place, rest @ ..] if lanes == "lanes" && !rest.is_empty() => {
                set_lanes(workspace, place, rest, value)
            }
            [Segment::Key(defaults), rest @ ..] if defaults == "defaults" && !rest.is_empty() => {
                let mut workspace = workspace.clone();
                if rest.len() > 1 || rest == [Segment::Key("lr".into())] {
                    workspace.defaults.optimizer.get_or_insert_default();
                    workspace.defaults.schedule.get_or_insert_default();
                }
                workspace.defaults = replace(&workspace.defaults, &long_form(rest), value)?;
                Ok((workspace, vec![path::text(&segments)]))
            }
            _ => Ok((replace(workspace, &segments, value)?, vec![path::text(&segments)])),
        }
    };
    edit().map_err(|refusal| refusal.of(path, value))
}

fn set_lanes(
    workspace: &Workspace,
    place: &Segment,
    rest: &[Segment],
    value: &str,
) -> Result<(Workspace, Vec<String>), Refusal> {
    let count = workspace.lanes.len();
    let chosen = match place {
        Segment::Every => 0..count,
        Segment::Index(index) if *index < count => *index..*index + 1,
        Segment::Index(index) => {
            return Err(Refusal::new(
                format!("there is no lane {index}: the lanes are 0 to {}", count as i64 - 1),
                None,
            ));
        }
        Segment::Key(key) => {
            let hint = "write lanes[0] for the first lane, lanes.* for all";
            return Err(Refusal::new(format!("`{key}` is not the number of a lane"), Some(hint.into())));
        }
    };
    let mut workspace = workspace.clone();
    let mut changed = Vec::new();
    for index in chosen {
        workspace.lanes[index] = lane(&workspace.lanes[index], &workspace.defaults, rest, value)?;
        let path = [&[Segment::Key("lanes".into()), Segment::Index(index)], long_form(rest).as_slice()].concat();
        changed.push(path::text(&path));
    }
    Ok((workspace, changed))
}

/// A lane's `lr` is its optimizer's.
fn long_form(path: &[Segment]) -> Vec<Segment> {
    match path {
        [Segment::Key(key)] if key == "lr" => vec![Segment::Key("optimizer".into()), Segment::Key("lr".into())],
        path => path.to_vec(),
    }
}

fn lane(spec: &LaneSpec, defaults: &LaneDefaults, path: &[Segment], value: &str) -> Result<LaneSpec, Refusal> {
    let path = long_form(path);
    let mut spec = spec.clone();
    // A part of what the lane leaves to the defaults: it needs the whole as its own first.
    match path.as_slice() {
        [Segment::Key(key), _, ..] if key == "optimizer" => {
            spec.optimizer = spec.optimizer.or(defaults.optimizer).or(Some(Default::default()));
        }
        [Segment::Key(key), _, ..] if key == "schedule" => {
            spec.schedule = spec.schedule.or(defaults.schedule).or(Some(Default::default()));
        }
        _ => {}
    }
    replace(&spec, &path, value)
}

/// `whole` with the value at `path` replaced by the RON text `value`, or by `value` as text where text is wanted.
fn replace<T: Serialize + DeserializeOwned>(whole: &T, path: &[Segment], value: &str) -> Result<T, Refusal> {
    let text = options().to_string(whole).map_err(|error| Refusal::new(error.to_string(), None))?;
    let outline = Node::parse(&text).ok_or_else(|| Refusal::new("cannot be written as RON", None))?;
    let (node, depth) = outline.follow(path);
    let quoted = format!("{value:?}");
    let splice = |value: &str| match (&path[depth..], &node.body) {
        ([], _) => Ok(format!("{}{value}{}", &text[..node.span.start], &text[node.span.end..])),
        ([Segment::Key(key)], Body::Entries(entries)) => {
            let comma = if entries.is_empty() { "" } else { "," };
            let end = node.span.end - 1;
            Ok(format!("{}{comma}{key:?}:{value}{}", &text[..end], &text[end..]))
        }
        (rest, _) => Err(no_such(&path[..depth], rest, node, &text)),
    };
    let read = |text: String| {
        options().from_str::<T>(&text).map_err(|error| {
            let (message, hint) = words(&text, &error);
            Refusal::new(message, hint)
        })
    };
    // A value that is no single RON value can only be text: it must not reach into its neighbours.
    let as_text = splice(&quoted)?;
    match AxisValue::new(value) {
        Ok(value) => read(splice(value.text())?).or_else(|refusal| read(as_text).map_err(|_| refusal)),
        Err(_) => read(as_text)
            .map_err(|_| Refusal::new("this is not a value", Some("write it as in a workspace file".into()))),
    }
}

fn no_such(reached: &[Segment], rest: &[Segment], node: &Node, text: &str) -> Refusal {
    let parent = if reached.is_empty() { String::new() } else { format!(" in `{}`", path::text(reached)) };
    match (&node.body, rest.first()) {
        (Body::Fields(_), Some(Segment::Key(key))) => {
            let mut names = node.names();
            if names.iter().any(|name| name == "lanes") {
                names.extend(SHORT.iter().map(|(short, _)| short.to_string()));
            }
            Refusal::new(format!("unknown field `{key}`{parent}"), Some(nearest(key, &names, "fields")))
        }
        (Body::Items(items), Some(Segment::Index(index))) => {
            Refusal::new(format!("there is no place {index}{parent}: it has {}", items.len()), None)
        }
        (_, segment) if &text[node.span.clone()] == "None" => {
            let part = segment.map_or_else(String::new, |segment| path::text(std::slice::from_ref(segment)));
            let hint = format!("set all of `{}` at once", path::text(reached));
            Refusal::new(format!("`{}` is not set, so it has no `{part}`", path::text(reached)), Some(hint))
        }
        (_, segment) => {
            let part = segment.map_or_else(String::new, |segment| path::text(std::slice::from_ref(segment)));
            Refusal::new(format!("there is no `{part}`{parent}"), None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Document, OptimizerSpec, ParamValue, Scope};

    fn workspace() -> Workspace {
        let text = r#"(problem: Network(data: (name: "digits"), model: mlp(hidden: [8])),
            defaults: (optimizer: adam(lr: 0.5)),
            lanes: [(strategy: "a"), (strategy: "b", params: {"depth": 1}, optimizer: sgd(lr: 1))])"#;
        Document::parse(text, "test").unwrap().workspace
    }

    fn changed(path: &str, value: &str) -> Workspace {
        set(&workspace(), path, value).unwrap().0
    }

    fn refused(path: &str, value: &str) -> String {
        set(&workspace(), path, value).unwrap_err().to_string()
    }

    #[test]
    fn sets_by_path() {
        assert_eq!(changed("steps", "100").steps, 100);
        assert_eq!(changed("seeds", "[1, 2]").seeds, [1, 2]);
        let scopes = changed("lanes.*.scope", "example_layer");
        assert!(scopes.lanes.iter().all(|lane| lane.scope == Some(Scope::ExampleLayer)));
        assert_eq!(changed("lanes[1].params.depth", "3").lanes[1].params["depth"], ParamValue::Int(3));
        assert_eq!(
            changed("lanes[0].params.mask", "active").lanes[0].params["mask"],
            ParamValue::Text("active".into())
        );
        assert_eq!(changed("lanes[0].clip", "2.5").lanes[0].clip, Some(2.5));
        let crate::workspace::Problem::Network(problem) = changed("batch", "7").problem;
        assert_eq!(problem.batch, 7);
    }

    #[test]
    fn text_needs_no_quotes() {
        for value in ["mnist", "\"mnist\""] {
            let crate::workspace::Problem::Network(problem) = changed("problem.data.name", value).problem;
            assert_eq!(problem.data.name, "mnist");
        }
        let crate::workspace::Problem::Network(problem) = changed("problem.data.path", "/data/my sets").problem;
        assert_eq!(problem.data.path.as_deref(), Some("/data/my sets"));
        // No value can reach into its neighbours.
        assert_eq!(changed("question", "why, steps: 3").question, "why, steps: 3");
        assert!(refused("data_seed", "1, steps: 3").contains("not a value"));
    }

    #[test]
    fn a_rate_is_set_within_the_optimizer_that_holds() {
        let all = changed("lr", "0.25");
        assert!(matches!(all.lanes[0].optimizer, Some(OptimizerSpec::Adam { lr: 0.25, .. })));
        assert!(matches!(all.lanes[1].optimizer, Some(OptimizerSpec::Sgd { lr: 0.25, .. })));
        assert_eq!(changed("lanes[0].optimizer.lr", "0.25").lanes[0], all.lanes[0]);
        assert_eq!(changed("defaults.lr", "2").defaults.optimizer.unwrap().lr(), 2.0);
        let value = AxisValue::new("0.125").unwrap();
        assert_eq!(apply_axis(&workspace().lanes[1], "lr", &value).unwrap().optimizer.unwrap().lr(), 0.125);
    }

    #[test]
    fn refusals_name_path_value_and_the_nearest_name() {
        assert_eq!(refused("steps", "many"), "steps = many: expected a whole number");
        assert!(refused("stesp", "1").contains("unknown field `stesp`\n   did you mean `steps`?"));
        assert!(refused("lanes.*.scope", "exmple").contains("did you mean `example`?"));
        assert!(refused("lanes[0].optimizer.momentm", "1").contains("unknown field `momentm` in `optimizer`"));
        assert!(refused("lanes[2].clip", "1").contains("the lanes are 0 to 1"));
        assert!(refused("lanes.first.clip", "1").contains("not the number of a lane"));
        assert!(refused("tune.seed", "1").contains("`tune` is not set"));
        assert!(
            refused("problem.model.hidden[3]", "1").contains("there is no place 3 in `problem.model.hidden`: it has 1")
        );
    }

    #[test]
    fn a_field_is_read_where_it_is_set() {
        let lanes = r#"(strategy: "mixture", optimizer: Some(sgd(lr: 0.25)), scope: Some(example_layer), params: {"depth": 2},
            of: [(strategy: "a"), (strategy: "b", weight: 0.5, params: {"depth": 3})])"#;
        let spec: LaneSpec = ron::from_str(lanes).unwrap();
        let read = |path: &str| field(&spec, path);
        assert_eq!(read("lr").as_deref(), Some("0.25"));
        assert_eq!(read("params.depth").as_deref(), Some("2"));
        assert_eq!(read("scope").as_deref(), Some("example_layer"));
        assert_eq!(read("of[1].weight").as_deref(), Some("0.5"));
        assert_eq!(read("of.1.weight").as_deref(), Some("0.5"));
        assert_eq!(read("of[*].strategy").as_deref(), Some("a"));
        assert_eq!(read("of[1].params.depth").as_deref(), Some("3"));
        assert_eq!(["params.width", "of[2].weight", "of[", "clip"].map(read), [None, None, None, None]);
    }
}
