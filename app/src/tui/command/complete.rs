//! What could be typed next on the command line: names of actions, then what each argument can be.
#![forbid(unsafe_code)]

use super::super::action::{ACTIONS, Argument, Entry};
use super::super::config::layouts::Layouts;
use super::super::editor::LaneForm;
use super::super::editor::assign::form_of;
use super::super::editor::field::{Entry as Value, Field};
use super::super::lanes::groups;
use super::super::panes::{PANES, PaneId};
use super::plain;
use crate::record::LaneId;
use crate::session::protocol::Snapshot;
use std::path::Path;

/// Files of a folder that are offered at most.
const MOST_FILES: usize = 200;

/// One way to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The word as it is to stand in the line.
    pub word: String,
    /// What it means.
    pub help: String,
}

/// What names come from.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The lanes.
    pub snapshot: &'a Snapshot,
    /// The layouts.
    pub layouts: &'a Layouts,
    /// The selected lane.
    pub selected: Option<LaneId>,
}

/// The ways to complete the last word of `text`, and where that word begins.
pub fn offers(text: &str, world: World<'_>) -> (usize, Vec<Offer>) {
    let start = text.len() - text.trim_start().trim_start_matches(':').trim_start().len();
    let Some((name, rest)) = text[start..].split_once(char::is_whitespace) else {
        return (start, actions(&text[start..]));
    };
    let Ok(entry) = super::find(name) else { return (text.len(), Vec::new()) };
    let begin = last_word(rest);
    let place = rest[..begin].split_whitespace().count();
    let word = &rest[begin..];
    let before = rest[..begin].split_whitespace().last().unwrap_or("");
    let offers =
        entry.arguments.get(place).map(|argument| of_argument(argument, before, word.trim_start_matches('"'), world));
    (text.len() - word.len(), offers.unwrap_or_default())
}

/// Where the last word of `rest` begins; within quotes blanks are part of it.
fn last_word(rest: &str) -> usize {
    let mut begin = 0;
    let mut quoted = false;
    for (place, letter) in rest.char_indices() {
        quoted ^= letter == '"';
        if letter.is_whitespace() && !quoted {
            begin = place + letter.len_utf8();
        }
    }
    begin
}

fn actions(name: &str) -> Vec<Offer> {
    let name = plain(name);
    let mut found: Vec<&Entry> = ACTIONS.iter().filter(|entry| entry.id().contains(&name)).collect();
    found.sort_by_key(|entry| (!entry.id().starts_with(&name), entry.id()));
    let offer = |entry: &Entry| {
        let usage = entry.usage();
        let arguments = usage.split_once(' ').map_or(String::new(), |(_, arguments)| format!("{arguments}  "));
        Offer { word: entry.id(), help: arguments + entry.help }
    };
    found.into_iter().map(offer).collect()
}

/// The ways to complete `word`, an argument after the word `before`.
fn of_argument(argument: &Argument, before: &str, word: &str, world: World<'_>) -> Vec<Offer> {
    let named = |names: Vec<(String, String)>| {
        let low = plain(word);
        let fits = names.into_iter().filter(|(name, _)| plain(name).starts_with(&low));
        fits.map(|(word, help)| Offer { word: quoted(&word), help }).collect()
    };
    match argument {
        Argument::Choice(words) => named(words.iter().map(|word| ((*word).to_owned(), String::new())).collect()),
        Argument::Pane => {
            let panes = PANES.iter().filter(|pane| pane.id != PaneId::LaneLine);
            named(panes.map(|pane| (pane.id.slug(), pane.name.to_owned())).collect())
        }
        Argument::Layout => {
            let layouts = world.layouts.all().iter().enumerate();
            named(layouts.map(|(index, layout)| (layout.name.clone(), format!("layout {}", index + 1))).collect())
        }
        Argument::Lane => named(groups(world.snapshot).into_iter().map(|group| (group.name, String::new())).collect()),
        Argument::Setting => {
            let fields = form(world).map_or(Vec::new(), |form| form.settings());
            let now = |field: &Field| if field.value.is_empty() { field.empty.clone() } else { field.value.clone() };
            named(fields.iter().map(|field| (field.id.setting().to_owned(), now(field))).collect())
        }
        Argument::Value => match form(world).and_then(|form| form.setting(before)) {
            Some(Field { entry: Value::Choice(words), .. }) => {
                named(words.into_iter().map(|word| (word, String::new())).collect())
            }
            Some(field) => named(vec![(field.value.clone(), field.help)]),
            None => Vec::new(),
        },
        Argument::File => files(word),
        Argument::Number(_) | Argument::Text(_) => Vec::new(),
    }
}

/// The form of the selected lane, where it can be changed.
fn form(world: World<'_>) -> Option<LaneForm> {
    let groups = groups(world.snapshot);
    let holds = |id: LaneId| groups.iter().find(|group| group.lanes.iter().any(|lane| lane.info.lane == id));
    let group = world.selected.and_then(holds).or(groups.first())?;
    form_of(group, &world.snapshot.offers).ok()
}

/// `word` as the command line reads it back.
fn quoted(word: &str) -> String {
    if word.contains(char::is_whitespace) { format!("\"{word}\"") } else { word.to_owned() }
}

/// Files and folders that begin with what was typed.
fn files(typed: &str) -> Vec<Offer> {
    let (folder, begun) = typed.rfind('/').map_or(("", typed), |slash| typed.split_at(slash + 1));
    let place = if folder.is_empty() { Path::new(".") } else { Path::new(folder) };
    let Ok(entries) = std::fs::read_dir(place) else { return Vec::new() };
    let mut found: Vec<Offer> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let hidden = name.starts_with('.') && !begun.starts_with('.');
            let end = if entry.path().is_dir() { "/" } else { "" };
            let whole = quoted(&format!("{folder}{name}{end}"));
            (name.starts_with(begun) && !hidden).then_some(Offer { word: whole, help: String::new() })
        })
        .take(MOST_FILES)
        .collect();
    found.sort_by(|a, b| a.word.cmp(&b.word));
    found
}

/// What all offers begin with.
pub fn common(offers: &[Offer]) -> &str {
    let Some(first) = offers.first().map(|offer| offer.word.as_str()) else { return "" };
    let shared =
        |other: &str| first.char_indices().zip(other.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
    let end = offers.iter().map(|offer| shared(&offer.word).unwrap_or(first.len().min(offer.word.len()))).min();
    &first[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::super::super::Source;
    use super::super::super::synthetic::Synthetic;
    use super::*;

    fn words(text: &str) -> (usize, Vec<String>) {
        let snapshot = Synthetic::new(1, 40, 100, false).snapshot();
        let (start, offers) = offers(text, World { snapshot: &snapshot, layouts: &Layouts::default(), selected: None });
        (start, offers.into_iter().map(|offer| offer.word).collect())
    }

    #[test]
    fn names_then_arguments_are_offered() {
        let (start, found) = words(":zoom-");
        assert_eq!((start, found), (1, vec!["zoom-in".to_owned(), "zoom-out".to_owned()]));
        assert!(words("").1.len() == ACTIONS.len());
        assert_eq!(words("show one").1, ["one-step"]);
        assert_eq!(words("show one").0, 5);
        assert_eq!(words("layout cu").1, ["curves"]);
        assert_eq!(words("set l").1, ["lr"]);
        assert_eq!(words("set optimizer ad").1, ["adam", "adamw"]);
        assert_eq!(words("set lr ").1.len(), 1);
        assert!(words("nonsense x").1.is_empty());
        assert!(words("step 1").1.is_empty());
    }

    #[test]
    fn what_offers_share_is_typed_at_once() {
        let offer = |word: &str| Offer { word: word.to_owned(), help: String::new() };
        assert_eq!(common(&[offer("zoom-in"), offer("zoom-out")]), "zoom-");
        assert_eq!(common(&[offer("zoom"), offer("zoom-out")]), "zoom");
        assert_eq!(common(&[offer("ε")]), "ε");
        assert_eq!(common(&[]), "");
    }

    #[test]
    fn files_of_a_folder_are_offered() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("one.png"), "").unwrap();
        std::fs::create_dir(folder.path().join("on a shelf")).unwrap();
        let begun = format!("{}/on", folder.path().display());
        let found: Vec<String> = files(&begun).into_iter().map(|offer| offer.word).collect();
        assert_eq!(found, [format!("\"{begun} a shelf/\""), format!("{begun}e.png")]);
        assert!(files("/no/such/folder/x").is_empty());
    }
}
