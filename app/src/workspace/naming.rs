//! What differs between two lanes' settings, for names and marks: `lr 0.1 → 0.3`.

use super::outline::{Body, Node};
use super::short::token;
use super::{LaneSpec, options};
use serde::{Deserialize, Serialize};

/// A setting that two lanes do not share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The lane's field: `scope`, `optimizer.lr`, `params.depth`.
    pub field: String,
    /// Its value in the one, as the file writes it; `None` where it is left out.
    pub from: Option<String>,
    /// Its value in the other.
    pub to: Option<String>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short = self.field.strip_prefix("optimizer.").unwrap_or(&self.field);
        let short = short.strip_prefix("params.").unwrap_or(short);
        let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
        write!(f, "{short} {} → {}", word(&self.from), word(&self.to))
    }
}

impl Difference {
    /// The second lane's value as names show it: `k=4`, `lr=0.1`, `example`. `None` where it leaves the setting out.
    pub fn token(&self) -> Option<String> {
        self.to.as_ref().map(|to| token(&self.field, to))
    }
}

/// What differs between two lanes' settings, names and seeds left out, in the order of the file.
pub fn differences(from: &LaneSpec, to: &LaneSpec) -> Vec<Difference> {
    let (before, after) = (settings(from), settings(to));
    let find = |list: &[(String, String)], path: &str| {
        list.iter().find(|(other, _)| other == path).map(|(_, value)| value.clone())
    };
    let mut fields: Vec<&String> = Vec::new();
    for (path, _) in before.iter().chain(&after) {
        if !fields.contains(&path) {
            fields.push(path);
        }
    }
    let differ = |field: &String| {
        let (from, to) = (find(&before, field), find(&after, field));
        (from != to).then(|| Difference { field: field.clone(), from, to })
    };
    let mut found: Vec<Difference> = fields.into_iter().filter_map(differ).collect();
    if from.strategy != to.strategy {
        let (from, to) = (Some(from.strategy.clone()), Some(to.strategy.clone()));
        found.insert(0, Difference { field: "strategy".into(), from, to });
    }
    found
}

/// Every setting of a lane that is set, by path, in the order of the file; name, strategy and seeds left out.
pub(super) fn settings(spec: &LaneSpec) -> Vec<(String, String)> {
    let Ok(text) = options().to_string(spec) else { return Vec::new() };
    let Some(Node { body: Body::Fields(fields), .. }) = Node::parse(&text) else { return Vec::new() };
    let mut found = Vec::new();
    for (name, node) in fields.iter().filter(|(name, _)| !["strategy", "name", "seeds"].contains(&name.as_str())) {
        collect(name, node, &text, &mut found);
    }
    found
}

fn collect(path: &str, node: &Node, text: &str, found: &mut Vec<(String, String)>) {
    let written = &text[node.span.clone()];
    match &node.body {
        Body::Fields(parts) => {
            let name = written.split('(').next().unwrap_or("");
            if !name.is_empty() {
                found.push((path.into(), name.into()));
            }
            parts.iter().for_each(|(name, node)| collect(&format!("{path}.{name}"), node, text, found));
        }
        Body::Entries(parts) => {
            parts.iter().for_each(|(name, node)| collect(&format!("{path}.{name}"), node, text, found))
        }
        // A mixture's members, each by its place; `central(0.5)` is no list.
        Body::Items(items) if written.starts_with('[') => {
            items.iter().enumerate().for_each(|(place, node)| collect(&format!("{path}[{place}]"), node, text, found))
        }
        Body::Scalar | Body::Items(_) if written == "None" => {}
        Body::Scalar | Body::Items(_) => found.push((path.into(), written.trim_matches('"').into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Document, setting};

    /// What differs between the first two lanes, and nothing between the first and itself.
    fn words(lanes: &str) -> Vec<String> {
        let text = format!("(problem: Network(data: (name: \"digits\"), model: mlp(hidden: [8])), {lanes})");
        let runs = Document::parse(&text, "test").unwrap().workspace.grid().unwrap();
        assert!(differences(&runs[0].spec, &runs[0].spec).is_empty());
        differences(&runs[0].spec, &runs[1].spec).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn differences_name_the_field_and_both_values() {
        let text = r#"lanes: [(strategy: "a", optimizer: sgd(lr: 1), params: {"depth": 2}),
            (strategy: "a", scope: batch, optimizer: sgd(lr: 2), seeds: [4])]"#;
        let found = words(text);
        assert_eq!(found, ["depth 2 → –", "lr 1.0 → 2.0", "scope – → batch"]);
    }

    #[test]
    fn members_of_a_mixture_differ_by_their_place() {
        let lanes = |second: &str| {
            format!(
                r#"lanes: [(strategy: "mixture", of: [(strategy: "a"), (strategy: "b", params: {{"depth": 1}})]),
                   (strategy: "mixture", of: [(strategy: "a"), {second}])]"#
            )
        };
        let found = words(&lanes(r#"(strategy: "b", weight: 2, params: {"depth": 3})"#));
        assert_eq!(found, ["of[1].weight 1.0 → 2.0", "of[1].params.depth 1 → 3"]);
        let found = words(&lanes(r#"(strategy: "c", params: {"depth": 1}), (strategy: "a")"#));
        assert_eq!(found, ["of[1].strategy b → c", "of[2].strategy – → a", "of[2].weight – → 1.0"]);
        assert_eq!(
            (token("of[1].weight", "2.0"), token("of[1].params.depth", "3")),
            ("weight[1]=2.0".into(), "depth[1]=3".into())
        );
        assert_eq!((token("of[0].strategy", "b"), setting("optimizer.lr")), ("b".to_owned(), "lr".to_owned()));
    }
}
