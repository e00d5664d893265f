//! What `guesswork schema` prints: every type of the workspace file with its fields, types, defaults and meaning.
//!
//! It is read from the source of [`super::schema`] itself, whose doc comments say all that; so it cannot fall behind.
//! It knows the shape that rustfmt gives that file and nothing more of Rust; a test holds it to what Serde accepts.

use std::collections::BTreeMap;
use std::fmt::Write;

/// One type of the schema.
#[derive(Clone, Debug, PartialEq)]
struct Item {
    name: String,
    about: String,
    /// Names of a structure's fields or an enumeration's variants, each with its text.
    parts: Vec<Part>,
    structure: bool,
}

/// A field or a variant.
#[derive(Clone, Debug, PartialEq)]
struct Part {
    name: String,
    kind: String,
    about: String,
    /// What holds when it is left out; `None` when it must be there.
    default: Option<String>,
    /// Fields of a variant.
    parts: Vec<Part>,
}

/// The reference as plain text.
pub fn reference() -> String {
    let mut text = String::from(
        "A workspace file is RON: (field: value, …). Options are written without Some, text stands in quotes,\n\
         // and /* */ are comments. Fields marked * must be there.\n",
    );
    for item in items() {
        let _ = writeln!(text, "\n{}: {}", item.name, item.about);
        for part in &item.parts {
            write_part(&mut text, part, item.structure, 2);
        }
    }
    text
}

/// The sentence on a field of the file, by the names that lead to it from the top: `["problem", "data", "scale"]`. With its type
/// and default. `None` where there is no such field.
pub fn about(path: &[String]) -> Option<String> {
    let items = items();
    let mut here = items.iter().find(|item| item.name == "Workspace")?;
    let mut found = None;
    for key in path {
        let part = part(&items, here, key)?;
        let default = part.default.as_ref().filter(|default| !default.is_empty());
        let default = default.map_or(String::new(), |default| format!(", {default} when left out"));
        found = Some(format!("{}: {}{default}. {}", part.name, part.kind, part.about));
        let letters = |c: char| !c.is_alphanumeric();
        here = match items.iter().find(|item| part.kind.split(letters).any(|word| word == item.name)) {
            Some(next) => next,
            None => break,
        };
    }
    found
}

/// How a value of the structure `name` is written: the fields that must be there, then the names of all. `None` where there is no
/// such structure.
pub(super) fn form(name: &str) -> Option<String> {
    let item = items().into_iter().find(|item| item.structure && item.name == name)?;
    let needed = item.parts.iter().filter(|part| part.default.is_none() && !part.kind.ends_with("optional"));
    let mut shown: Vec<String> = needed.map(|part| format!("{}: {}", part.name, example(&part.kind))).collect();
    if shown.len() < item.parts.len() {
        shown.push("…".into());
    }
    let names: Vec<String> = item.parts.iter().map(|part| format!("`{}`", part.name)).collect();
    Some(format!("write it as ({}); the fields are {}", shown.join(", "), names.join(", ")))
}

/// The words that a field of this name begins with, as they are written: of every enumeration that a field of the file so called is of.
/// Empty where there is none.
pub(super) fn words_of(field: &str) -> Vec<String> {
    let items = items();
    let structures = items.iter().filter(|item| item.structure).flat_map(|item| &item.parts);
    let variants =
        items.iter().filter(|item| !item.structure).flat_map(|item| &item.parts).flat_map(|part| &part.parts);
    let kinds: Vec<&str> =
        structures.chain(variants).filter(|part| part.name == field).map(|part| part.kind.as_str()).collect();
    let named = |item: &&Item| kinds.iter().any(|kind| kind.trim_end_matches(", optional") == item.name);
    let words = items.iter().filter(|item| !item.structure).filter(named).flat_map(|item| &item.parts);
    let written = |part: &Part| match part.kind.is_empty() && part.parts.is_empty() {
        true => part.name.clone(),
        false => format!("{}(…)", part.name),
    };
    words.map(written).collect()
}

/// What stands in the place of a value of a kind.
fn example(kind: &str) -> String {
    match kind {
        "text" => "\"…\"".into(),
        kind if kind.starts_with('[') => "[…]".into(),
        _ => "…".into(),
    }
}

/// The field `key` of a type; of any of its variants where it has some.
fn part(items: &[Item], item: &Item, key: &str) -> Option<Part> {
    let named = |parts: &[Part]| parts.iter().find(|part| part.name == key).cloned();
    if item.structure {
        return named(&item.parts);
    }
    item.parts.iter().find_map(|variant| {
        named(&variant.parts).or_else(|| {
            let inner = items.iter().find(|item| item.name == variant.kind && item.structure)?;
            named(&inner.parts)
        })
    })
}

fn write_part(text: &mut String, part: &Part, field: bool, indent: usize) {
    let mut head = part.name.clone();
    match (field, part.kind.as_str()) {
        (false, "") => {}
        (false, kind) => head = format!("{head}({kind})"),
        (true, kind) => {
            let star = if part.default.is_none() { "*" } else { "" };
            head = format!("{head}{star}: {kind}");
        }
    }
    if let Some(default) = part.default.as_ref().filter(|default| !default.is_empty()) {
        let _ = write!(head, " = {default}");
    }
    let _ = writeln!(text, "{:indent$}{head:<width$} {}", "", part.about, width = 44 - indent.min(40));
    for inner in &part.parts {
        write_part(text, inner, true, indent + 4);
    }
}

/// The types in the order of the source.
fn items() -> Vec<Item> {
    let source = super::schema::SOURCE;
    let functions = functions(source);
    let implementations = implementations(source);
    let mut items = Vec::new();
    let mut lines = Lines { lines: source.lines() };
    let mut head = Head::default();
    while let Some(line) = lines.lines.next() {
        let declared =
            |word: &str| line.strip_prefix(word).and_then(|rest| rest.strip_suffix(" {")).map(str::to_string);
        if let Some(name) = declared("pub struct ") {
            let whole = head.attribute("default").and(implementations.get(&name));
            let optional = head.attribute("default").is_some();
            let parts = lines.parts("}", &Head::default(), &functions);
            let parts =
                parts.into_iter().map(|part| match (whole.and_then(|values| values.get(&part.name)), optional) {
                    (Some(value), _) => Part { default: Some(value.clone()), ..part },
                    (None, true) => Part { default: part.default.or(Some(String::new())), ..part },
                    (None, false) => part,
                });
            items.push(Item { name, about: head.about(), parts: parts.collect(), structure: true });
        } else if let Some(name) = declared("pub enum ") {
            let parts = lines.parts("}", &head, &functions);
            items.push(Item { name, about: head.about(), parts, structure: false });
        } else if head.take(line) {
            continue;
        }
        head = Head::default();
    }
    fill_enumerated_defaults(&mut items, &implementations);
    items
}

/// Doc comment and attributes before a declaration.
#[derive(Clone, Debug, Default)]
struct Head {
    docs: Vec<String>,
    attributes: String,
}

impl Head {
    fn take(&mut self, line: &str) -> bool {
        let line = line.trim();
        if let Some(doc) = line.strip_prefix("///") {
            self.docs.push(doc.trim().replace("[`", "`").replace("`]", "`"));
        } else if line.starts_with("#[") {
            self.attributes.push_str(line);
        } else {
            return false;
        }
        true
    }

    fn about(&self) -> String {
        self.docs.join(" ").replace("LaneSpec::", "").replace("Axis::", "")
    }

    /// The value of a Serde attribute: empty when it stands alone.
    fn attribute(&self, name: &str) -> Option<&str> {
        let serde = self.attributes.split("#[serde(").skip(1);
        let mut parts = serde.flat_map(|rest| rest.split(")]").next().unwrap_or("").split(", "));
        parts.find_map(|part| match part.split_once(" = ") {
            Some((key, value)) => (key == name).then(|| value.trim_matches('"')),
            None => (part == name).then_some(""),
        })
    }
}

struct Lines<'a> {
    lines: std::str::Lines<'a>,
}

impl Lines<'_> {
    /// Fields or variants up to the line that is `end`. `outer` holds the attributes of the type.
    fn parts(&mut self, end: &str, outer: &Head, functions: &BTreeMap<String, String>) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut head = Head::default();
        while let Some(line) = self.lines.next() {
            let code = line.trim();
            if code == end {
                break;
            }
            if head.take(code) {
                continue;
            }
            let declared = code.trim_end_matches(',');
            let (rust, kind, inner) = if let Some((name, kind)) = declared.split_once(": ") {
                (name.trim_start_matches("pub "), kind_text(kind), Vec::new())
            } else if let Some(name) = declared.strip_suffix(" {") {
                (name, String::new(), self.parts("},", &Head::default(), functions))
            } else if let Some((name, kind)) = declared.split_once('(') {
                (name, kind_text(kind.trim_end_matches(')')), Vec::new())
            } else {
                (declared, String::new(), Vec::new())
            };
            let name = match (head.attribute("rename"), outer.attribute("rename_all")) {
                (Some(name), _) => name.to_string(),
                (None, Some(_)) => snake(rust),
                (None, None) => rust.to_string(),
            };
            let default = head.attribute("default").map(|function| match functions.get(function) {
                Some(value) => value.clone(),
                None => empty_value(&kind),
            });
            let mut about = head.about();
            if head.attributes.contains("#[default]") {
                about.push_str(" The default.");
            }
            parts.push(Part { name, kind, about, default, parts: inner });
            head = Head::default();
        }
        parts
    }
}

/// Bodies of the one-line functions that give defaults.
fn functions(source: &str) -> BTreeMap<String, String> {
    let bodies = source.split("\nfn ").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once("()")?;
        let body = rest.split_once("{\n")?.1.split_once("\n}")?.0.trim();
        Some((name.to_string(), value_text(body)))
    });
    bodies.collect()
}

/// Field values of `impl Default for X { … Self { … } … }` and `Self::Variant { … }`, by type and field.
fn implementations(source: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let bodies = source.split("impl Default for ").skip(1).filter_map(|rest| {
        let (name, rest) = rest.split_once(" {")?;
        let body = rest.split_once("-> Self {")?.1.split_once("}\n")?.0;
        let (head, fields) = body.split_once('{')?;
        let mut values: BTreeMap<String, String> = fields
            .trim_end()
            .trim_end_matches('}')
            .split(',')
            .filter_map(|field| field.split_once(':'))
            .map(|(field, value)| (field.trim().to_string(), value.trim().to_string()))
            .collect();
        values.insert(String::new(), head.trim().trim_start_matches("Self").trim_start_matches("::").to_string());
        Some((name.to_string(), values))
    });
    bodies.collect()
}

/// Fields whose default is that of their enumeration get its name.
fn fill_enumerated_defaults(items: &mut [Item], implementations: &BTreeMap<String, BTreeMap<String, String>>) {
    let mut defaults: BTreeMap<String, String> = BTreeMap::new();
    for item in items.iter().filter(|item| !item.structure) {
        let named = implementations.get(&item.name).and_then(|values| values.get("")).map(|name| snake(name));
        let marked = item.parts.iter().find(|part| part.about.ends_with("The default.")).map(|part| part.name.clone());
        if let Some(default) = marked.or(named) {
            defaults.insert(item.name.clone(), default);
        }
    }
    for part in items.iter_mut().flat_map(|item| &mut item.parts) {
        if part.default.as_deref() == Some("")
            && let Some(default) = defaults.get(&part.kind)
        {
            part.default = Some(default.clone());
        }
    }
}

/// A Rust type in the words of the file.
fn kind_text(kind: &str) -> String {
    let inside = |outer: &str| kind.strip_prefix(outer).and_then(|rest| rest.strip_suffix('>'));
    match kind {
        "String" => "text".into(),
        "usize" | "u64" | "i64" => "whole number".into(),
        "f64" => "number".into(),
        "bool" => "true or false".into(),
        "AxisValue" => "value".into(),
        "BTreeMap<String, ParamValue>" => "{\"key\": value, …}".into(),
        _ => match (inside("Option<"), inside("Vec<")) {
            (Some(inner), _) => format!("{}, optional", kind_text(inner)),
            (_, Some(inner)) => format!("[{}, …]", kind_text(inner)),
            _ => kind.into(),
        },
    }
}

fn empty_value(kind: &str) -> String {
    match kind {
        "text" => "\"\"".into(),
        "whole number" | "number" => "0".into(),
        "true or false" => "false".into(),
        kind if kind.starts_with('[') => "[]".into(),
        kind if kind.starts_with('{') => "{}".into(),
        _ => String::new(),
    }
}

fn value_text(body: &str) -> String {
    match body.split_once("::") {
        Some((_, variant)) => snake(variant),
        None => body.trim_start_matches("vec!").to_string(),
    }
}

fn snake(name: &str) -> String {
    let mut text = String::new();
    for (index, letter) in name.char_indices() {
        if letter.is_uppercase() && index > 0 {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::*;
    use ron::error::Error;
    use serde::de::DeserializeOwned;

    /// The names that Serde itself expects, as its complaint about a name that cannot be lists them.
    fn accepted<T: DeserializeOwned>(text: &str) -> Vec<&'static str> {
        match options().from_str::<T>(text).err().map(|error| error.code) {
            Some(Error::NoSuchStructField { expected, .. } | Error::NoSuchEnumVariant { expected, .. }) => {
                expected.to_vec()
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    fn listed(name: &str) -> Vec<String> {
        let items = items();
        let item = items.iter().find(|item| item.name == name).unwrap_or_else(|| panic!("no {name}"));
        item.parts.iter().map(|part| part.name.clone()).collect()
    }

    macro_rules! agree {
        ($text:literal: $($name:ident),*) => {
            $(assert_eq!(listed(stringify!($name)), accepted::<$name>($text), stringify!($name));)*
        };
    }

    #[test]
    fn lists_what_serde_accepts() {
        agree!("(no_such_field: 1)": Workspace, NetworkProblem, DataSpec, MlpSpec, ConvSpec, ConvLayerSpec, MixerSpec,
            LaneDefaults, LaneSpec, MemberSpec, Axis, Stop, Budget, Quick, Tune, Measure);
        agree!("no_such_variant": Problem, Scaling, ModelSpec, PoolSpec, ActivationSpec, InitSpec, LossSpec, Precision,
            Scope, Combine, GuessScaling, Normalise, ScalarSource, OutputSignal, LossesSpec, OptimizerSpec, ScheduleSpec, TuneMetric);
        let optimizer = items().into_iter().find(|item| item.name == "OptimizerSpec").unwrap();
        let fields: Vec<&str> = optimizer.parts[0].parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(fields, accepted::<OptimizerSpec>("sgd(no_such_field: 1)"));
    }

    #[test]
    fn fields_are_explained_by_the_names_that_lead_to_them() {
        let about = |path: &str| super::about(&path.split('.').map(str::to_owned).collect::<Vec<_>>());
        assert!(about("steps").is_some_and(|text| text.contains("Steps each lane takes") && text.contains("2000")));
        assert!(about("problem.data.scale").is_some_and(|text| text.contains("How pixels become numbers")));
        assert!(about("problem.model.hidden").is_some_and(|text| text.contains("Widths of the hidden layers")));
        assert!(about("lanes.optimizer.momentum").is_some_and(|text| text.contains("Momentum")));
        assert!(about("lanes.schedule.warm_up").is_some_and(|text| text.contains("linear rise")));
        assert!(about("lanes.of.weight").is_some_and(|text| text.contains("w_m") && text.contains("1.0")));
        assert_eq!(about("lanes.colour"), None);
    }

    #[test]
    fn a_structure_is_shown_with_what_must_be_there() {
        let data = form("DataSpec").expect("a structure");
        assert!(data.starts_with("write it as (name: \"…\", …); the fields are `name`, "), "{data}");
        let axis = form("Axis").expect("a structure");
        assert!(axis.starts_with("write it as (path: \"…\", values: […], …"), "{axis}");
        assert_eq!((form("Scope"), form("Nothing")), (None, None));
    }

    #[test]
    fn shows_defaults() {
        let items = items();
        let default = |item: &str, part: &str| {
            let item = items.iter().find(|other| other.name == item).unwrap();
            item.parts.iter().find(|other| other.name == part).unwrap().default.clone()
        };
        let shown = |text: &str| Some(text.to_string());
        assert_eq!(default("Workspace", "steps"), shown("2000"));
        assert_eq!(default("Workspace", "seeds"), shown("[0]"));
        assert_eq!(default("Workspace", "lanes"), None);
        assert_eq!(default("Workspace", "dtype"), shown("f32"));
        assert_eq!(default("DataSpec", "scale"), shown("standard"));
        assert_eq!(default("ConvLayerSpec", "kernel"), shown("3"));
        assert_eq!(default("MixerSpec", "activation"), shown("gelu"));
        assert_eq!(default("Measure", "test"), shown(&Measure::default().test.to_string()));
        assert_eq!(default("Measure", "alignment"), shown(&Measure::default().alignment.to_string()));
        assert_eq!(default("LaneSpec", "scope"), shown(""));
    }
}
