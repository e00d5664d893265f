//! Settings by name, as `:set lr 0.01` writes them: the fields of a lane's form, one at a time.
#![forbid(unsafe_code)]

use super::field::{Entry, Field, FieldId};
use super::lane::LaneForm;
use crate::record::LaneId;
use crate::session::offer::Offers;
use crate::tui::lanes::Group;
use crate::workspace::sheet::hint;
use std::sync::Arc;

/// The form for other settings of `group`.
///
/// # Errors
/// Why it cannot be changed.
pub fn form_of(group: &Group<'_>, offers: &Arc<Offers>) -> Result<LaneForm, String> {
    let running: Vec<LaneId> =
        group.lanes.iter().filter(|lane| lane.ended.is_none()).map(|lane| lane.info.lane).collect();
    if running.is_empty() {
        return Err(format!("{} has ended; c copies it", group.name));
    }
    let spec = &group.first().info.spec;
    LaneForm::change(offers, spec, running, &group.name, &group.seeds())
        .ok_or_else(|| "this session does not have the lane's strategy".to_owned())
}

impl FieldId {
    /// Its name on the command line, as in a workspace file; the parts of an optimizer or a schedule by themselves.
    pub fn setting(&self) -> &str {
        match self {
            Self::Strategy => "strategy",
            Self::Of => "of",
            Self::Name => "name",
            Self::Seeds => "seeds",
            Self::Scope => "scope",
            Self::Guesses => "guesses",
            Self::AtOnce => "at_once",
            Self::Combine => "combine",
            Self::Scaling => "scaling",
            Self::Normalise => "normalise",
            Self::Clip => "clip",
            Self::Source => "source",
            Self::Difference => "difference",
            Self::Output => "output",
            Self::Losses => "losses",
            Self::Borders => "borders",
            Self::Patches => "patches",
            Self::Groups => "groups",
            Self::Aggregate => "aggregate",
            Self::Optimizer => "optimizer",
            Self::Rate => "lr",
            Self::Momentum => "momentum",
            Self::Nesterov => "nesterov",
            Self::WeightDecay => "weight_decay",
            Self::Beta1 => "beta1",
            Self::Beta2 => "beta2",
            Self::Epsilon => "epsilon",
            Self::Schedule => "schedule",
            Self::Every => "every",
            Self::Factor => "factor",
            Self::WarmUp => "warm_up",
            Self::Floor => "floor",
            Self::Param { key, .. } => key,
        }
    }
}

/// The last part of `optimizer.lr`, which is what a setting is called.
fn short(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, short)| short)
}

impl LaneForm {
    /// The fields that can be set, in the order of the form.
    pub fn settings(&self) -> Vec<Field> {
        self.fields().into_iter().filter(|field| field.locked.is_none()).collect()
    }

    /// The field that `name` means, if there is one now.
    pub fn setting(&self, name: &str) -> Option<Field> {
        self.settings().into_iter().find(|field| field.id.setting() == short(name))
    }

    /// Puts `text` into the field that is called `name`.
    ///
    /// # Errors
    /// No such setting, or not a value of it: what was expected.
    pub fn assign(&mut self, name: &str, text: &str) -> Result<(), String> {
        if let Some(why) =
            self.fields().iter().find(|field| field.id.setting() == short(name)).and_then(|field| field.locked)
        {
            return Err(format!("{name}: {why}"));
        }
        let Some(field) = self.setting(name) else {
            let names: Vec<String> = self.settings().iter().map(|field| field.id.setting().to_owned()).collect();
            return Err(format!("no setting `{name}`: {}", hint(short(name), &names, "settings")));
        };
        let text = text.trim();
        match &field.entry {
            Entry::Choice(words) if !words.iter().any(|word| word == text) => {
                return Err(format!("{name}: `{text}`: expected {}", words.join(", ")));
            }
            // Where a field may be empty, a word for that is easier to type.
            Entry::Text if text == "none" && !field.empty.is_empty() => self.put(field.id.clone(), ""),
            _ => self.put(field.id.clone(), text),
        }
        match self.faults().into_iter().next() {
            Some((_, message)) => Err(format!("{name}: `{text}`: {message}")),
            None => Ok(()),
        }
    }

    fn put(&mut self, id: FieldId, text: &str) {
        self.point(id);
        self.write(text.to_owned(), text.chars().count());
    }
}

#[cfg(test)]
mod tests {
    use super::super::Purpose;
    use super::*;
    use crate::session::Command;
    use crate::tui::Source;
    use crate::tui::lanes::groups;
    use crate::tui::synthetic::Synthetic;

    fn form(strategy: &str) -> LaneForm {
        let snapshot = Synthetic::new(1, 40, 100, false).snapshot();
        let groups = groups(&snapshot);
        let group = groups.iter().find(|group| group.first().info.spec.strategy == strategy).unwrap();
        form_of(group, &snapshot.offers).unwrap()
    }

    #[test]
    fn a_setting_is_set_by_its_name_with_or_without_what_it_belongs_to() {
        for name in ["lr", "optimizer.lr"] {
            let mut form = form("weight-transpose");
            form.assign(name, "0.25").unwrap();
            let commands = form.commands().unwrap();
            assert!(matches!(form.purpose, Purpose::Change { .. }));
            let [Command::Retune(_, spec)] = commands.as_slice() else { panic!("{commands:?}") };
            assert_eq!(spec.optimizer.unwrap().lr(), 0.25);
        }
        let mut form = form("weight-transpose");
        form.assign("scope", "batch").unwrap();
        form.assign("clip", "2").unwrap();
        form.assign("clip", "none").unwrap();
        assert_eq!(form.changes().len(), 1, "{:?}", form.changes());
    }

    #[test]
    fn what_a_mixture_adds_is_set_as_in_a_file() {
        let mut form = super::super::tests::mixture();
        let of = |weight: f64| {
            format!(
                "[(strategy: \"weight-transpose\", weight: {weight:?}), (strategy: \"activation-mixing\", weight: 0.5)]"
            )
        };
        form.assign("of", &of(-3.0)).unwrap();
        assert_eq!(form.changes(), ["of[0].weight 2.0 → -3.0"]);
        let commands = form.commands().unwrap();
        let [Command::Retune(_, spec)] = commands.as_slice() else { panic!("{commands:?}") };
        assert_eq!(spec.of.iter().map(|member| member.weight).collect::<Vec<_>>(), [-3.0, 0.5]);
        let mut refused = |text: &str| form.assign("of", text).unwrap_err();
        assert!(refused(&of(0.0)).contains("expected a weight other than 0"));
        assert!(refused("[(strategy: \"weight-transpose\")]").contains("keeps the strategies"));
        assert!(refused("[weight-transpose]").starts_with("of: `[weight-transpose]`: "));
    }

    #[test]
    fn what_cannot_be_set_says_what_was_expected() {
        let error = |name: &str, text: &str| form("weight-transpose").assign(name, text).unwrap_err();
        assert!(error("lrr", "1").contains("did you mean `lr`"), "{}", error("lrr", "1"));
        assert!(error("lr", "-1").contains("at least 0"), "{}", error("lr", "-1"));
        assert!(error("lr", "fast").contains("expected a number"));
        assert!(error("scope", "everything").contains("expected batch, layer"), "{}", error("scope", "everything"));
        assert!(error("seeds", "1").contains("copy the lane"));
        // Of another optimizer.
        assert!(error("beta1", "0.5").contains("no setting `beta1`"));
    }
}
