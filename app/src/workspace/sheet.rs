//! A RON text of any kind with what is found wrong in it: for files that are no workspaces but deserve the same messages.

use super::diagnostic::{Place, nearest};
use super::outline::Node;
use super::{Diagnostic, options, path};
use serde::de::DeserializeOwned;

/// A RON text, read, with what its checks have found so far.
#[derive(Debug)]
pub struct Sheet {
    file: String,
    text: String,
    outline: Option<Node>,
    found: Vec<Diagnostic>,
}

impl Sheet {
    /// Reads `text`; `file` names it in messages. An empty text is the default.
    ///
    /// # Errors
    /// Line, column and what was expected, when it cannot be read.
    pub fn read<T: DeserializeOwned + Default>(file: &str, text: &str) -> Result<(T, Self), Vec<Diagnostic>> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let outline = Node::parse(text);
        let sheet = Self { file: file.into(), text: text.into(), outline, found: Vec::new() };
        let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with("//");
        if text.lines().all(blank) {
            return Ok((T::default(), sheet));
        }
        match options().from_str(text) {
            Ok(value) => Ok((value, sheet)),
            Err(error) => Err(vec![Diagnostic::from_ron(file, text, &error)]),
        }
    }

    /// Notes that something is wrong with the value at `at`, a path as `[0].parts[1].share`.
    pub fn report(&mut self, at: &str, message: impl Into<String>, hint: Option<String>) {
        let place = self.span(at).map(|span| Place::of(&self.text, span));
        self.found.push(Diagnostic::new(&self.file, &self.text, place, message.into(), hint));
    }

    /// Notes that something is wrong with the key of the value at `at`, whose last part it is.
    pub fn report_key(&mut self, at: &str, key: &str, message: impl Into<String>, hint: Option<String>) {
        let value = self.span(at);
        let start = value.and_then(|value| self.text[..value.start].rfind(key));
        let place = start.map(|start| Place::of(&self.text, start..start + key.len()));
        self.found.push(Diagnostic::new(&self.file, &self.text, place, message.into(), hint));
    }

    /// The line on which the value at `at` stands.
    pub fn line(&self, at: &str) -> Option<usize> {
        self.span(at).map(|span| Place::of(&self.text, span).line)
    }

    fn span(&self, at: &str) -> Option<std::ops::Range<usize>> {
        let (outline, path) = (self.outline.as_ref()?, path::parse(at).ok()?);
        let (node, depth) = outline.follow(&path);
        let length = if depth == path.len() { node.span.len() } else { 1 };
        Some(node.span.start..node.span.start + length)
    }

    /// What was found.
    pub fn found(self) -> Vec<Diagnostic> {
        self.found
    }
}

/// `did you mean …?` when a name is near, and all `names` otherwise; `what` they are.
pub fn hint<T: AsRef<str>>(found: &str, names: &[T], what: &str) -> String {
    nearest(found, names, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    type Map = BTreeMap<String, Vec<i64>>;

    #[test]
    fn values_and_keys_are_pointed_at() {
        let text = "{\n    \"one\": [1],\n    \"two\": [2, 30],\n}";
        let (map, mut sheet) = Sheet::read::<Map>("x.ron", text).unwrap();
        assert_eq!(map["two"], [2, 30]);
        sheet.report("two[1]", "too much", None);
        sheet.report_key("two", "two", "unknown", Some("the hint".into()));
        let found: Vec<String> = sheet.found().iter().map(ToString::to_string).collect();
        assert!(found[0].starts_with("x.ron:3:16: too much"), "{}", found[0]);
        assert!(found[1].starts_with("x.ron:3:6: unknown") && found[1].ends_with("the hint"), "{}", found[1]);
    }

    #[test]
    fn nothing_is_the_default_and_nonsense_is_refused() {
        assert_eq!(Sheet::read::<Map>("x.ron", " // only a comment\n\n").unwrap().0, Map::new());
        let error = Sheet::read::<Map>("x.ron", "{ \"a\": [x] }").unwrap_err().remove(0);
        assert!(error.to_string().starts_with("x.ron:1:9: expected a whole number"), "{error}");
    }
}
