//! The browser: searching, choosing, and what it opens.

use super::{Browser, Wanted};
use crate::tui::action::Action;
use crate::workspace::{EMBEDDED, Origin, Shelved};

fn item(path: &str, about: &str) -> Shelved {
    Shelved { origin: Origin::Here, path: path.into(), about: about.into(), sound: true }
}

#[test]
fn words_find_and_enter_opens() {
    let mut browser = Browser::new(vec![item("a.ron", "Does it work?"), item("b.ron", "Which scope is best?")]);
    assert_eq!(browser.lines().len(), 3);
    assert_eq!(browser.reduce(&Action::Accept), Some(Wanted::Session));
    "scope best".chars().for_each(|letter| drop(browser.reduce(&Action::Type(letter))));
    assert_eq!(browser.reduce(&Action::Accept), Some(Wanted::Edit(browser.items[1].clone())));
    browser.reduce(&Action::EraseWord);
    for _ in 0..9 {
        browser.reduce(&Action::Scroll(1));
    }
    assert_eq!(browser.chosen, 2);
    "zzzz".chars().for_each(|letter| drop(browser.reduce(&Action::Type(letter))));
    assert_eq!((browser.lines().len(), browser.reduce(&Action::Accept)), (0, None));
}

#[test]
fn shipped_workspaces_are_on_the_shelf() {
    let folder = tempfile::tempdir().unwrap();
    let browser = Browser::new(crate::workspace::shelf(folder.path(), None));
    assert_eq!(browser.lines().len(), 1 + EMBEDDED.len());
}
