//! Where things stand in a RON text: a tree of names and byte spans.
//!
//! Serde forgets where a value stood. This reads the text a second time, knowing only brackets, names, colons and
//! commas, so that checks can point at a place and `--set` can replace one value. It runs on text that RON's own reader
//! has accepted; on any other it gives up with `None`.

use super::path::Segment;
use std::ops::Range;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// Bytes of the whole value.
    pub span: Range<usize>,
    /// What it is made of.
    pub body: Body,
}

/// What a value is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// A number, text, name, or anything else without parts.
    Scalar,
    /// `(name: value, …)`, with or without a name before it.
    Fields(Vec<(String, Node)>),
    /// `[value, …]` or `(value, …)`.
    Items(Vec<Node>),
    /// `{key: value, …}`; text keys without their quotes.
    Entries(Vec<(String, Node)>),
}

impl Node {
    /// Reads a whole text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { text, at: 0 };
        reader.blanks()?;
        while reader.eat("#!") {
            reader.blanks()?;
            reader.value()?;
            reader.blanks()?;
        }
        let node = reader.value()?;
        reader.blanks()?;
        (reader.at == text.len()).then_some(node)
    }

    /// The child that `segment` names.
    pub fn child(&self, segment: &Segment) -> Option<&Node> {
        match (&self.body, segment) {
            (Body::Fields(parts) | Body::Entries(parts), Segment::Key(key)) => {
                parts.iter().find(|(name, _)| name == key).map(|(_, node)| node)
            }
            (Body::Items(items), Segment::Index(index)) => items.get(*index),
            _ => None,
        }
    }

    /// The deepest node along `path`, and how many segments lead to it.
    pub fn follow(&self, path: &[Segment]) -> (&Node, usize) {
        let mut node = self;
        for (depth, segment) in path.iter().enumerate() {
            match node.child(segment) {
                Some(child) => node = child,
                None => return (node, depth),
            }
        }
        (node, path.len())
    }

    /// Names of its fields or entries.
    pub fn names(&self) -> Vec<String> {
        match &self.body {
            Body::Fields(parts) | Body::Entries(parts) => parts.iter().map(|(name, _)| name.clone()).collect(),
            Body::Scalar | Body::Items(_) => Vec::new(),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Skips blanks and comments; block comments nest.
    fn blanks(&mut self) -> Option<()> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            if blank > 0 {
                self.at += blank;
            } else if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if self.eat("/*") {
                let mut depth = 1;
                while depth > 0 {
                    if self.eat("/*") {
                        depth += 1;
                    } else if self.eat("*/") {
                        depth -= 1;
                    } else {
                        self.at += self.peek()?.len_utf8();
                    }
                }
            } else {
                return Some(());
            }
        }
    }

    fn value(&mut self) -> Option<Node> {
        let start = self.at;
        let body = match self.peek()? {
            '[' => Body::Items(self.list("[", "]", Self::value)?),
            '{' => Body::Entries(self.list("{", "}", Self::entry)?),
            '(' => self.parentheses()?,
            '"' | '\'' => self.quoted()?,
            'b' | 'r' if self.opens_text() => self.quoted()?,
            _ => {
                let rest = self.rest();
                let end = rest.find(|c: char| !(c.is_alphanumeric() || "_+-.#".contains(c))).unwrap_or(rest.len());
                if end == 0 {
                    return None;
                }
                self.at += end;
                let name_end = self.at;
                self.blanks()?;
                if self.peek() == Some('(') {
                    let body = self.parentheses()?;
                    // `Some(value)` stands for the value.
                    return match (&self.text[start..name_end], body) {
                        ("Some", Body::Items(items)) if items.len() == 1 => items.into_iter().next(),
                        (_, body) => Some(Node { span: start..self.at, body }),
                    };
                }
                self.at = name_end;
                Body::Scalar
            }
        };
        Some(Node { span: start..self.at, body })
    }

    /// Whether a raw or byte text begins here.
    fn opens_text(&self) -> bool {
        let after = self.rest().trim_start_matches('b').trim_start_matches('r').trim_start_matches('#');
        after.starts_with(['"', '\''])
    }

    fn quoted(&mut self) -> Option<Body> {
        self.eat("b");
        if self.eat("r") {
            let hashes = self.rest().len() - self.rest().trim_start_matches('#').len();
            self.at += hashes;
            let closing = format!("\"{}", "#".repeat(hashes));
            self.eat("\"").then_some(())?;
            self.at += self.rest().find(&closing)? + closing.len();
            return Some(Body::Scalar);
        }
        let quote = self.peek()?;
        self.at += 1;
        loop {
            let next = self.peek()?;
            self.at += next.len_utf8();
            if next == quote {
                return Some(Body::Scalar);
            }
            if next == '\\' {
                self.at += self.peek()?.len_utf8();
            }
        }
    }

    fn list<T>(&mut self, open: &str, close: &str, part: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.eat(open).then_some(())?;
        let mut parts = Vec::new();
        loop {
            self.blanks()?;
            if self.eat(close) {
                return Some(parts);
            }
            parts.push(part(self)?);
            self.blanks()?;
            if !self.eat(",") {
                return self.eat(close).then_some(parts);
            }
        }
    }

    fn entry(&mut self) -> Option<(String, Node)> {
        let start = self.at;
        self.value()?;
        let key = self.text[start..self.at].trim_matches('"').to_string();
        self.blanks()?;
        self.eat(":").then_some(())?;
        self.blanks()?;
        Some((key, self.value()?))
    }

    /// `(name: value, …)` or `(value, …)`.
    fn parentheses(&mut self) -> Option<Body> {
        let start = self.at;
        if let Some(fields) = self.list("(", ")", Self::entry)
            && !fields.is_empty()
        {
            return Some(Body::Fields(fields));
        }
        self.at = start;
        Some(Body::Items(self.list("(", ")", Self::value)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::path::parse;

    fn find<'a>(text: &'a str, path: &str) -> Option<&'a str> {
        let node = Node::parse(text).unwrap();
        let path = parse(path).unwrap();
        let (found, depth) = node.follow(&path);
        (depth == path.len()).then(|| &text[found.span.clone()])
    }

    #[test]
    fn finds_values_through_names_lists_and_maps() {
        let text = r##"#![enable(implicit_some)]
        // a comment (with: brackets)
        ( /* one /* nested */ */ a: Network(b: (c: "x, )\" y",), d: [1.5e-3, sgd(lr: 0.1)]),
          'e': 1, map: { "k": r#"raw " text"#, }, unit: (), opt: Some((z: -2)) )"##;
        let text = text.replace("'e': 1, ", "");
        assert_eq!(find(&text, "a.b.c"), Some(r#""x, )\" y""#));
        assert_eq!(find(&text, "a.d[0]"), Some("1.5e-3"));
        assert_eq!(find(&text, "a.d.1.lr"), Some("0.1"));
        assert_eq!(find(&text, "a.d[1]"), Some("sgd(lr: 0.1)"));
        assert_eq!(find(&text, "map.k"), Some(r##"r#"raw " text"#"##));
        assert_eq!(find(&text, "opt.z"), Some("-2"));
        assert_eq!(find(&text, "unit"), Some("()"));
        assert_eq!(find(&text, "a.d[2]"), None);
        assert_eq!(find(&text, "a.x"), None);
    }

    #[test]
    fn gives_up_on_broken_text() {
        for text in ["", "(a: 1", "(a: \"b)", "[1,,2]", "(a: 1) b", "/* open"] {
            assert_eq!(Node::parse(text), None, "{text}");
        }
    }
}
