//! What a mixture is made of as one line of text, for forms and the command line: the list of the workspace file, with what is
//! left at its default left out.

use super::diagnostic::words;
use super::{MemberSpec, ParamValue, options};

/// The list of `of` as a person would write it.
pub fn text(of: &[MemberSpec]) -> String {
    let members: Vec<String> = of.iter().map(member).collect();
    format!("[{}]", members.join(", "))
}

fn member(member: &MemberSpec) -> String {
    let mut text = format!("(strategy: {:?}", member.strategy);
    if member.weight != 1.0 {
        text.push_str(&format!(", weight: {:?}", member.weight));
    }
    if !member.params.is_empty() {
        let params: Vec<String> =
            member.params.iter().map(|(key, value)| format!("{key:?}: {}", param(value))).collect();
        text.push_str(&format!(", params: {{{}}}", params.join(", ")));
    }
    text + ")"
}

fn param(value: &ParamValue) -> String {
    match value {
        ParamValue::Bool(value) => value.to_string(),
        ParamValue::Int(value) => value.to_string(),
        ParamValue::Float(value) => format!("{value:?}"),
        ParamValue::Text(value) => format!("{value:?}"),
    }
}

/// Reads what [`text`] writes, or any other RON of such a list; nothing at all is an empty list.
///
/// # Errors
/// What was expected, and the nearest name where one was misspelt.
pub fn read(text: &str) -> Result<Vec<MemberSpec>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    options().from_str(text).map_err(|error| match words(text, &error) {
        (message, Some(hint)) => format!("{message}; {hint}"),
        (message, None) => message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn what_is_written_reads_back_equal() {
        let params = [
            ("depth", ParamValue::Int(-2)),
            ("ridge", ParamValue::Float(1e-9)),
            ("shared", ParamValue::Bool(true)),
            ("note", ParamValue::Text("a \"b\", [c]\n\\é".into())),
        ];
        let params: BTreeMap<_, _> = params.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let plain = MemberSpec { strategy: "a".into(), weight: 1.0, params: BTreeMap::new() };
        let of = [plain.clone(), MemberSpec { weight: -0.5, params, ..plain }];
        assert_eq!(text(&of[..1]), r#"[(strategy: "a")]"#);
        assert_eq!(read(&text(&of)).unwrap(), of);
        assert_eq!((read("  ").unwrap(), read("[]").unwrap(), text(&[])), (vec![], vec![], "[]".to_owned()));
    }

    #[test]
    fn what_cannot_be_read_says_what_was_expected() {
        let wrong = read("[(strategy: \"a\", wieght: 2)]").unwrap_err();
        assert!(wrong.contains("unknown field `wieght`") && wrong.contains("did you mean `weight`?"), "{wrong}");
        assert!(read("[(weight: 1)]").unwrap_err().contains("`strategy`"));
        for text in ["(", "[", "a + b", "[(strategy: a)]", "[(strategy: \"a\")] x"] {
            assert!(!read(text).unwrap_err().is_empty(), "{text}");
        }
    }
}
