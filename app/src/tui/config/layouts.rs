//! Layouts 1 to 9 as trees of panes: those built in, and those of `layouts.ron`.
#![forbid(unsafe_code)]

use super::super::panes::PaneId;
use super::super::tree::Part;
use crate::workspace::Diagnostic;
use crate::workspace::sheet::Sheet;
use serde::Deserialize;
use std::sync::LazyLock;

/// The built-in layouts, as a file to begin with.
pub const DEFAULT: &str = include_str!("layouts.ron");

/// Layouts that have a key.
const MOST: usize = 9;

/// A layout as it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Name in the header and on the command line.
    pub name: String,
    /// For terminals large enough for boxes beside each other.
    pub dashboard: Part,
    /// For smaller ones.
    pub stack: Part,
}

/// A layout as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    dashboard: Part,
    #[serde(default)]
    stack: Option<Part>,
}

/// Layouts 1 to 9, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layouts {
    layouts: Vec<Layout>,
}

impl Default for Layouts {
    fn default() -> Self {
        static BUILT_IN: LazyLock<Layouts> = LazyLock::new(|| {
            let part = Part::pane(PaneId::Loss);
            let one = Layout { name: "loss".to_owned(), dashboard: part.clone(), stack: part };
            // A test reads the built-in text; the loss alone would be better than no screen.
            Layouts::read("layouts.ron", DEFAULT).unwrap_or(Layouts { layouts: vec![one] })
        });
        BUILT_IN.clone()
    }
}

impl Layouts {
    /// Reads a `layouts.ron`; `file` names it in messages. A blank one means the built-in layouts.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let (written, mut sheet) = Sheet::read::<Vec<Written>>(file, text)?;
        if written.is_empty() && text.lines().all(|line| line.trim().is_empty() || line.trim().starts_with("//")) {
            return Ok(Self::default());
        }
        if !(1..=MOST).contains(&written.len()) {
            let message = format!(
                "expected 1 to {MOST} layouts, one for each of the keys 1 to {MOST}; there are {}",
                written.len()
            );
            sheet.report("", message, None);
        }
        for (index, layout) in written.iter().enumerate() {
            let at = format!("[{index}]");
            if layout.name.trim().is_empty() || layout.name.parse::<u64>().is_ok() {
                sheet.report(&format!("{at}.name"), "expected a name, which is more than a number", None);
            }
            if written[..index].iter().any(|other| other.name.eq_ignore_ascii_case(&layout.name)) {
                sheet.report(&format!("{at}.name"), format!("a second layout called `{}`", layout.name), None);
            }
            check_tree(&mut sheet, &format!("{at}.dashboard"), &layout.dashboard);
            if let Some(stack) = &layout.stack {
                check_tree(&mut sheet, &format!("{at}.stack"), stack);
            }
        }
        let found = sheet.found();
        if !found.is_empty() {
            return Err(found);
        }
        let layouts = written.into_iter().map(|Written { name, dashboard, stack }| {
            let stack = stack.unwrap_or_else(|| below_each_other(&dashboard));
            Layout { name, dashboard, stack }
        });
        Ok(Self { layouts: layouts.collect() })
    }

    /// How many there are.
    pub fn count(&self) -> u8 {
        self.layouts.len() as u8
    }

    /// Layout `number`, counted from 1; the first where there is none of that number.
    pub fn get(&self, number: u8) -> &Layout {
        self.layouts.get(usize::from(number).wrapping_sub(1)).unwrap_or(&self.layouts[0])
    }

    /// All layouts, in the order of their keys.
    pub fn all(&self) -> &[Layout] {
        &self.layouts
    }

    /// The number of the layout called `name`, or of that number.
    pub fn number(&self, name: &str) -> Option<u8> {
        let named = |layout: &Layout| layout.name.eq_ignore_ascii_case(name);
        let number = name.parse().ok().filter(|number| (1..=self.count()).contains(number));
        number.or_else(|| self.layouts.iter().position(named).map(|index| index as u8 + 1))
    }
}

/// The panes of a dashboard as a stack: the first of each column yields least.
fn below_each_other(part: &Part) -> Part {
    fn collect(part: &Part, depth: u8, into: &mut Vec<Part>) {
        match part {
            Part::Pane { .. } => {
                let mut pane = part.clone();
                if let Part::Pane { least, most, yields, .. } = &mut pane {
                    (*least, *most) = (None, None);
                    *yields = yields.saturating_add(depth);
                }
                into.push(pane);
            }
            Part::Beside { parts, .. } | Part::Below { parts, .. } => {
                for (index, part) in parts.iter().enumerate() {
                    collect(part, depth.saturating_add(index.min(200) as u8), into);
                }
            }
        }
    }
    let mut parts = Vec::new();
    collect(part, 0, &mut parts);
    // The line of lanes stands above every stack.
    let more_than_lanes = parts.iter().any(|part| !part.panes().contains(&PaneId::Lanes));
    if more_than_lanes {
        parts.retain(|part| !part.panes().contains(&PaneId::Lanes));
    }
    Part::Below { parts, share: 1, least: None, most: None, yields: 0 }
}

/// Notes what is wrong with a tree.
fn check_tree(sheet: &mut Sheet, at: &str, part: &Part) {
    let panes = part.panes();
    for (index, pane) in panes.iter().enumerate() {
        if panes[..index].contains(pane) {
            sheet.report(at, format!("the pane `{}` stands in this tree twice", pane.slug()), None);
        }
        if *pane == PaneId::LaneLine {
            let hint = "a stack has it at the top by itself; `lanes` is the pane for a dashboard".to_owned();
            sheet.report(at, "`lane_line` is no pane for a layout", Some(hint));
        }
    }
    check_part(sheet, at, part);
}

fn check_part(sheet: &mut Sheet, at: &str, part: &Part) {
    let (share, least, most, _) = part.size();
    if share == 0 {
        sheet.report(&format!("{at}.share"), "expected a share of at least 1", None);
    }
    if let (Some(least), Some(most)) = (least, most)
        && most < least
    {
        sheet.report(&format!("{at}.most"), format!("`most: {most}` is below `least: {least}`"), None);
    }
    if let Some((_, parts)) = part.parts() {
        if parts.is_empty() {
            sheet.report(&format!("{at}.parts"), "expected at least one part", None);
        }
        for (index, part) in parts.iter().enumerate() {
            check_part(sheet, &format!("{at}.parts[{index}]"), part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> String {
        let found = Layouts::read("layouts.ron", text).unwrap_err();
        found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_built_in_text_is_sound_and_is_what_is_used() {
        let layouts = Layouts::read("layouts.ron", DEFAULT).unwrap();
        assert_eq!(layouts, Layouts::default());
        assert!(layouts.count() >= 5);
        assert_eq!(
            (layouts.get(1).name.as_str(), layouts.number("Curves"), layouts.number("2")),
            ("overview", Some(2), Some(2))
        );
        assert_eq!((layouts.number("77"), layouts.number("nowhere")), (None, None));
    }

    #[test]
    fn one_of_ones_own() {
        let text = r#"[(name: "mine", dashboard: beside(parts: [
            below(least: 30, parts: [pane(show: lanes), pane(show: log, yields: 3)]), pane(show: loss, share: 2)]))]"#;
        let layouts = Layouts::read("layouts.ron", text).unwrap();
        let stacked: Vec<PaneId> = layouts.get(1).stack.panes();
        assert_eq!(stacked, [PaneId::Log, PaneId::Loss]);
        assert_eq!(Layouts::read("layouts.ron", "// nothing yet\n").unwrap(), Layouts::default());
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        let wrong = errors("[(name: \"a\", dashboard: pane(show: los))]");
        assert!(wrong.starts_with("layouts.ron:1:") && wrong.contains("did you mean `lo"), "{wrong}");
        let wrong = errors("[(name: \"a\", dashboard: pane(show: loss, size: 3))]");
        assert!(wrong.contains("unknown field `size`"), "{wrong}");
        let wrong =
            errors("[\n(name: \"a\", dashboard: below(parts: [pane(show: loss), pane(show: loss, share: 0)]))]");
        assert!(wrong.contains("`loss` stands in this tree twice"), "{wrong}");
        assert!(wrong.contains("layouts.ron:2:") && wrong.contains("a share of at least 1"), "{wrong}");
        let wrong = errors("[(name: \"a\", dashboard: below(parts: [], least: 5, most: 2))]");
        assert!(wrong.contains("at least one part") && wrong.contains("`most: 2` is below `least: 5`"), "{wrong}");
        assert!(errors("[]").contains("expected 1 to 9 layouts"));
        assert!(errors("[(name: \"7\", dashboard: pane(show: lane_line))]").contains("more than a number"));
    }
}
