//! Keys: each does something that can be seen, the clipboard, sizes that change while one is pressed, files of one's own.

use crate::SMALL;
use crate::screen::{Place, Workbench, step_of, wait_until};
use guesswork::tui::action::{ACTIONS, Action};
use std::path::Path;

/// What a terminal sends for a key, by the name that `keys.ron` has for it.
fn bytes(key: &str) -> String {
    let arrow = |name: &str| match name {
        "up" => 'A',
        "down" => 'B',
        "right" => 'C',
        "left" => 'D',
        other => panic!("no bytes are known for the key {other}"),
    };
    match key {
        "space" => " ".to_owned(),
        "enter" => "\r".to_owned(),
        "tab" => "\t".to_owned(),
        "shift-tab" => "\u{1b}[Z".to_owned(),
        "esc" => "\u{1b}".to_owned(),
        "f1" => "\u{1b}OP".to_owned(),
        "f3" => "\u{1b}OR".to_owned(),
        key if key.chars().count() == 1 => key.to_owned(),
        key => match (key.strip_prefix("ctrl-"), key.strip_prefix("shift-")) {
            (Some(letter), _) => char::from(letter.as_bytes()[0] & 0x1f).to_string(),
            (_, Some(name)) => format!("\u{1b}[1;2{}", arrow(name)),
            _ => format!("\u{1b}[{}", arrow(key)),
        },
    }
}

/// The workbench, paused after some steps of which the alignment was measured.
fn paused(place: &Place, environment: &[(&str, &str)]) -> Workbench {
    let mut bench = place.bench(&["small.ron", "--out", "run"], 200, 50, environment);
    bench.wait_for("some steps", |screen| step_of(screen).is_some_and(|step| step > 60));
    bench.press(" ");
    bench.wait_for("the pause", |screen| screen.contains("paused"));
    bench.settled_step();
    bench
}

/// Keys that bring about a state in which `action` has something to do.
fn before(action: &Action) -> &'static [&'static str] {
    match action {
        Action::PreviousLane => &["j"],
        Action::NextLane => &["k"],
        Action::Crosshair(by) if *by > 0 => &["b", "b"],
        Action::Crosshair(_) => &["left"],
        Action::NextLayer => &["[", "["],
        Action::ZoomOut | Action::Whole | Action::ViewBack | Action::Pan(-3) => &["i"],
        Action::Pan(_) => &["i", "<"],
        Action::ViewForward => &["i", "u"],
        Action::Layout(1) => &["2"],
        Action::Layout(_) => &["1"],
        Action::Back => &["left"],
        _ => &[],
    }
}

/// Keys that take back what `action` opened.
fn after(action: &Action) -> &'static [&'static str] {
    match action {
        Action::Command(_) | Action::Stop | Action::Reset | Action::Browse | Action::Help | Action::Palette => &["esc"],
        Action::NewLane | Action::CopyLane | Action::EditLane | Action::DropLane => &["esc"],
        Action::ExportMenu | Action::CopyMenu | Action::Evidence => &["esc"],
        Action::Open | Action::ZoomPane => &["z"],
        Action::Perf => &["f3"],
        Action::TogglePause => &["space"],
        _ => &[],
    }
}

/// Presses a key and waits for what it does.
fn press(bench: &mut Workbench, key: &str) {
    let looked = bench.look();
    bench.press(&bytes(key));
    bench.wait_for(&format!("what `{key}` does"), |_| bench.look() != looked);
    bench.come_to_rest();
}

#[test]
fn every_key_of_the_help_table_does_something_that_can_be_seen() {
    let place = Place::new(SMALL);
    let mut bench = paused(&place, &[]);
    for entry in ACTIONS {
        for key in entry.keys.iter().map(|chord| chord.written()) {
            match entry.action {
                // These are told apart below: what they do is not a change of the picture.
                Action::Quit | Action::Redraw | Action::Suspend => continue,
                _ => {}
            }
            // A crosshair or a notice of the key before would hide what this one does.
            bench.come_to_rest();
            for key in before(&entry.action) {
                bench.press(&bytes(key));
                bench.come_to_rest();
            }
            let looked = bench.look();
            bench.press(&bytes(&key));
            bench.wait_for(&format!("what `{key}` does: {}", entry.name), |_| bench.look() != looked);
            if entry.action == Action::RunEpochs(1) || entry.action == Action::Step(1) {
                bench.wait_for("the pause", |screen| screen.contains("paused"));
            }
            bench.come_to_rest();
            for key in after(&entry.action) {
                press(&mut bench, key);
            }
            bench.wait_for(&format!("the pause that `{key}` found"), |screen| screen.contains("paused"));
            bench.come_to_rest();
        }
    }

    // ^L sends everything anew.
    let sent = bench.raw().len();
    bench.press(&bytes("ctrl-l"));
    bench.wait_for("everything anew", |_| bench.raw()[sent..].contains("\u{1b}[2J"));
    // ^Z hands the terminal to the shell.
    bench.press(&bytes("ctrl-z"));
    wait_until("a stop", || bench.process_state().starts_with('T'));
    bench.assert_restored();
    bench.signal("CONT");
    bench.wait_for("the screen again", |screen| screen.contains("paused"));
    bench.press("q");
    assert_eq!(bench.exit_code(), 0);
    bench.assert_restored();
}

#[test]
fn a_size_that_changes_while_a_key_is_pressed_is_not_missed() {
    let place = Place::new(SMALL);
    let mut bench = paused(&place, &[]);
    for round in 0..25 {
        bench.press(if round % 2 == 0 { "j" } else { "k" });
        bench.resize(12, 3);
        bench.resize(200, 50);
        bench.wait_for("the whole dashboard", |screen| {
            ["Lanes", "Formula", "Alignment", "quit"].iter().all(|words| screen.contains(words))
        });
    }
    bench.press("q");
    assert_eq!(bench.exit_code(), 0);
}

/// The bytes that OSC 52 put on the clipboard last.
fn clipboard(bench: &Workbench) -> Option<String> {
    let raw = bench.raw();
    let (_, rest) = raw.rsplit_once("\u{1b}]52;c;")?;
    let (coded, _) = rest.split_once(['\u{7}', '\u{1b}'])?;
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0u32, 0, Vec::new());
    for letter in coded.bytes().filter(|letter| *letter != b'=') {
        bits = bits << 6 | letters.iter().position(|other| *other == letter)? as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    String::from_utf8(bytes).ok()
}

#[test]
fn what_is_copied_goes_to_the_clipboard_and_is_exact() {
    let place = Place::new(SMALL);
    let mut bench = paused(&place, &[]);
    bench.press("y");
    bench.wait_for("the menu", |screen| screen.contains("Copy from loss"));
    bench.press("a");
    bench.wait_for("the news", |screen| screen.contains("copied 2 lines"));
    let copied = clipboard(&bench).expect("something is on the clipboard");
    let last = bench.step() - 1;
    let records = || std::fs::read_to_string(place.path("run/records.jsonl")).expect("there are records");
    let of = |lane: usize| format!(r#"{{"record":"step","lane":{lane},"step":{last},"#);
    wait_until("the records of the last step", || (0..2).all(|lane| records().contains(&of(lane))));
    let text = records();
    for (lane, line) in copied.lines().enumerate() {
        let (_, value) = line.split_once('\t').expect("a name and a value");
        let record = text.lines().find(|record| record.starts_with(&of(lane))).expect("just seen");
        let record: serde_json::Value = serde_json::from_str(record).expect("a record");
        assert_eq!(value.parse::<f64>().ok(), record["loss"].as_f64(), "{line}");
    }

    bench.press("y");
    bench.wait_for("the menu", |screen| screen.contains("Copy from loss"));
    bench.press("t");
    bench.wait_for("the news", |screen| !screen.contains("copied 2 lines") && screen.contains("copied "));
    let text = clipboard(&bench).expect("something is on the clipboard");
    assert!(text.contains("Loss") && text.contains('╭'), "{text}");
    bench.press("q");
    assert_eq!(bench.exit_code(), 0);
}

/// Starts with a configuration of one file, and expects a refusal that says `words`.
fn refused(file: &str, text: &str, words: &str) {
    let place = Place::new(SMALL);
    std::fs::create_dir(place.path("config")).expect("a folder");
    std::fs::write(place.path("config").join(file), text).expect("a file");
    let mut bench = place.bench(&["small.ron", "--config", "config"], 160, 40, &[]);
    assert_eq!(bench.exit_code(), 3, "{}", bench.raw());
    bench.wait_for_words(words);
    assert!(!bench.raw().contains("\u{1b}[?1049h"), "the alternate screen was entered");
    assert!(!Path::new(&place.path("state")).exists(), "a run was begun");
}

#[test]
fn a_mistake_in_ones_own_files_is_told_with_its_place_before_anything_starts() {
    refused(
        "keys.ron",
        "(\n    preset: default,\n    bind: {\n        \"puase\": [\"p\"],\n    },\n)",
        "keys.ron:4:10: unknown action `puase`",
    );
    refused("keys.ron", "(bind: {\"pause\": [\"shift-p\"]})", "keys.ron:1:19: ");
    refused("keys.ron", "(bind: {\"pause\": [\"s\"]})", "keys.ron:1:19: ");
    refused("layouts.ron", "[\n    (name: \"mine\", dashboard: pane(show: loos)),\n]", "layouts.ron:2:");
    refused("theme.ron", "(ground: grey)", "theme.ron:1:10: unknown value `grey`");
}

#[test]
fn keys_of_ones_own_are_taken() {
    let place = Place::new(SMALL);
    std::fs::create_dir(place.path("config")).expect("a folder");
    std::fs::write(place.path("config/keys.ron"), "(bind: {\"pause\": [\"Z\"]})").expect("a file");
    let mut bench = place.bench(&["small.ron", "--config", "config"], 120, 40, &[]);
    bench.wait_for("the key line", |screen| screen.contains("Z pause"));
    bench.press("Z");
    bench.wait_for("the pause", |screen| screen.contains("paused"));
    bench.press("q");
    assert_eq!(bench.exit_code(), 0);
}
