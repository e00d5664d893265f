//! The command line: what is typed after `:`, read with the table of actions. `:step 100`, `:layout 3`, `:2000`.
//!
//! A name may be cut short as long as it means one action; `_` is as good as `-`. Words with blanks stand in quotes.
#![forbid(unsafe_code)]

pub mod complete;
pub mod line;
pub mod prompt;

use super::action::{ACTIONS, Action, Argument, Entry};
use strsim::damerau_levenshtein;

/// The action that `text` asks for; `None` when it is blank.
///
/// # Errors
/// No such name, or arguments that it does not take: what was expected.
pub fn read(text: &str) -> Result<Option<Action>, String> {
    let text = text.trim().trim_start_matches(':').trim_start();
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if name.is_empty() {
        return Ok(None);
    }
    if let Ok(step) = text.parse() {
        return Ok(Some(Action::GoTo(step)));
    }
    let entry = find(name)?;
    let words = words(rest, entry.arguments)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    entry.with(&words).map(Some)
}

/// The row called `name`, or the only one that begins so.
fn find(name: &str) -> Result<&'static Entry, String> {
    let plain = plain(name);
    let named = |entry: &&Entry| entry.id() == plain;
    if let Some(entry) = ACTIONS.iter().find(named) {
        return Ok(entry);
    }
    let begun: Vec<&Entry> = ACTIONS.iter().filter(|entry| entry.id().starts_with(&plain)).collect();
    match begun.as_slice() {
        [entry] => Ok(entry),
        [] => Err(match nearest(&plain) {
            Some(id) => format!("no action is called `{name}`: did you mean `{id}`?"),
            None => format!("no action is called `{name}`; tab lists them, :help explains them"),
        }),
        several => {
            let ids: Vec<String> = several.iter().take(6).map(|entry| entry.id()).collect();
            let more = if several.len() > 6 { ", …" } else { "" };
            Err(format!("`{name}` begins {} actions: {}{more}", several.len(), ids.join(", ")))
        }
    }
}

/// A name as the table writes it.
pub fn plain(name: &str) -> String {
    name.to_lowercase().replace('_', "-")
}

/// The action's name that is most like `name`, when one is like it at all.
pub fn nearest(name: &str) -> Option<String> {
    let ids = ACTIONS.iter().map(Entry::id);
    let near = ids.map(|id| (damerau_levenshtein(name, &id), id)).min()?;
    (near.0 <= near.1.len().max(name.len()).div_ceil(3)).then_some(near.1)
}

/// The words of `text`: parted by blanks, unless they stand in double quotes. The last argument takes the rest of the line when
/// it is free text.
fn words(text: &str, arguments: &[Argument]) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if words.len() + 1 == arguments.len() && matches!(arguments.last(), Some(Argument::Text(_))) {
            words.push(rest.to_owned());
            break;
        }
        if let Some(quoted) = rest.strip_prefix('"') {
            let (word, after) = quoted.split_once('"').ok_or_else(|| "a quote is not closed".to_owned())?;
            words.push(word.to_owned());
            rest = after.trim_start();
        } else {
            let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            words.push(word.to_owned());
            rest = after.trim_start();
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_arguments_and_bare_steps() {
        assert_eq!(read("step 100"), Ok(Some(Action::Step(100))));
        assert_eq!(read(":pause"), Ok(Some(Action::TogglePause)));
        assert_eq!(read("ZOOM_IN"), Ok(Some(Action::ZoomIn)));
        assert_eq!(read("2000"), Ok(Some(Action::GoTo(2000))));
        assert_eq!(read("  : "), Ok(None));
        assert_eq!(read("smooth-m"), Ok(Some(Action::Smoother)));
    }

    #[test]
    fn errors_say_what_was_expected() {
        let error = |text: &str| read(text).unwrap_err();
        assert!(error("puase").contains("did you mean `pause`?"), "{}", error("puase"));
        assert!(error("zoom-").contains("zoom-in, zoom-out"), "{}", error("zoom-"));
        assert!(error("xyzzyxyzzy").contains("tab lists them"));
        assert!(error("go").contains(":go STEP"));
        assert!(error("go there").contains("whole number"));
    }

    #[test]
    fn words_may_stand_in_quotes() {
        let two = [Argument::Pane, Argument::File];
        assert_eq!(words("loss \"a b.png\"", &two).unwrap(), ["loss", "a b.png"]);
        assert_eq!(words(" a  b c", &[Argument::Number("A"), Argument::Text("B")]).unwrap(), ["a", "b c"]);
        assert!(words("\"a", &two).is_err());
    }
}
