//! Which fields the form of a lane has, given what was chosen so far, and what each means.
#![forbid(unsafe_code)]

use super::field::{Entry, Field, FieldId};
use super::lane::LaneForm;
use super::words::{BORDERS, COMBINATIONS, NORMALISATIONS, OUTPUTS, SCALINGS, SCOPES, word, words};
use crate::estimate::GuessKind;
use crate::strategy::ParamKind;
use crate::workspace::MIXTURE;

/// The fields, in order; what is wrong with them is not said yet.
pub fn rows(form: &LaneForm) -> Vec<Field> {
    let mut rows = Rows { form, heading: "", rows: Vec::new() };
    rows.lane();
    rows.losses();
    match form.kind() {
        Some(kind @ (GuessKind::Signal | GuessKind::Weight)) => rows.guess(kind),
        Some(GuessKind::Estimate) | None => {}
    }
    rows.optimizer();
    rows.schedule();
    rows.params();
    rows.rows
}

struct Rows<'a> {
    form: &'a LaneForm,
    heading: &'static str,
    rows: Vec<Field>,
}

impl Rows<'_> {
    fn row(&mut self, id: FieldId, label: &str, entry: Entry, help: &str) {
        let value = self.form.value(&id).to_owned();
        let locked = self.form.locked(&id);
        let (heading, label, help, empty) = (self.heading, label.to_owned(), help.to_owned(), String::new());
        self.rows.push(Field { id, heading, label, value, empty, entry, help, locked, fault: None });
    }

    fn text(&mut self, id: FieldId, label: &str, help: &str) {
        self.row(id, label, Entry::Text, help);
    }

    fn choice(&mut self, id: FieldId, label: &str, words: Vec<String>, help: &str) {
        self.row(id, label, Entry::Choice(words), help);
    }

    /// Says what holds while the last row is empty.
    fn empty(&mut self, text: String) {
        if let Some(row) = self.rows.last_mut() {
            row.empty = text;
        }
    }

    /// Puts what holds into the last row, where that is not what was chosen.
    fn holds(&mut self, value: String) {
        if let Some(row) = self.rows.last_mut() {
            row.value = value;
        }
    }

    fn lane(&mut self) {
        let ids = self.form.offers().strategies.iter().map(|offer| offer.id.clone()).collect();
        let about = self.form.offer().map_or(String::new(), |offer| offer.description.clone());
        self.choice(FieldId::Strategy, "strategy", ids, &about);
        if self.form.value(&FieldId::Strategy) == MIXTURE {
            let of = "What is added, as in a file: [(strategy: \"weight-transpose\"), (strategy: \"label-guess\", weight: 0.5)].";
            self.text(FieldId::Of, "of", of);
        }
        let seeds = "Seeds of weights and guesses, a lane each: 0, or 0..3 for 0 to 2, or 1,4,9.";
        self.text(FieldId::Seeds, "seeds", seeds);
        let name = "Name on the screen and in records; made from the strategy and what differs when left empty.";
        self.text(FieldId::Name, "name", name);
        self.empty(self.form.value(&FieldId::Strategy).to_owned());
    }

    fn guess(&mut self, kind: GuessKind) {
        let signal = kind == GuessKind::Signal;
        self.heading = "guess";
        let scopes = if signal { words(SCOPES) } else { words(&SCOPES[..2]) };
        let scope =
            "How many scalars share a guess: one for the batch, one a layer, one an example, one an example and layer.";
        self.choice(FieldId::Scope, "scope", scopes, scope);
        self.holds(word(SCOPES, &self.form.scope(kind)));
        self.text(FieldId::Guesses, "guesses K", "Guesses a step, a whole number from 1.");
        if self.form.has_at_once() {
            let at_once =
                "How many go through the layers side by side, a divisor of K: memory grows with it, the numbers stay.";
            self.text(FieldId::AtOnce, "at once", at_once);
            self.empty("as few as keep products fast".to_owned());
        }
        let combine = "K guesses become one estimate by their mean, or by the projection on their span.";
        self.choice(FieldId::Combine, "combine", words(COMBINATIONS), combine);
        let scaling = "raw: ĝ = d·V. unit: ĝ = d·V/‖V‖², whatever the length of a guess.";
        self.choice(FieldId::Scaling, "scaling", words(SCALINGS), scaling);
        if signal {
            let normalise = "row: each row of a guess has norm √n. batch: the whole guess has norm √(B·n).";
            self.choice(FieldId::Normalise, "normalise", words(NORMALISATIONS), normalise);
        }
        let clip = "Bound of |B·d| (example scopes) or |d|, a number above 0; empty for none.";
        self.text(FieldId::Clip, "clip", clip);
        self.empty("none".to_owned());
        let source = "tangent: exact, by forward mode. central: (L(θ+hV) − L(θ−hV))/2h. one-sided: (L(θ+hV) − L(θ))/h. none: the \
                      guess is the estimate.";
        self.choice(
            FieldId::Source,
            "source",
            ["tangent", "central", "one-sided", "none"].map(str::to_owned).to_vec(),
            source,
        );
        if matches!(self.form.value(&FieldId::Source), "central" | "one-sided") {
            self.text(FieldId::Difference, "step h", "Step of the differences, a number above 0.");
        }
        if signal {
            let output = "exact: the output layer uses its own signal p − y, which needs no backpropagation.";
            self.choice(FieldId::Output, "output", words(OUTPUTS), output);
        }
    }

    fn losses(&mut self) {
        let local = self.form.value(&FieldId::Losses) == "local";
        let about =
            "global: all layers by the loss at the logits. local: each block by the loss of a head on its output.";
        self.choice(FieldId::Losses, "losses", vec!["global".to_owned(), "local".to_owned()], about);
        if local {
            let about = "stop: greedy, no signal leaves a block. pass: later losses train earlier blocks too.";
            self.choice(FieldId::Borders, "borders", words(BORDERS), about);
            let about = "true: a loss for each row of a block's output (position, token). false: one of their mean.";
            let flags = ["false", "true"].map(str::to_owned).to_vec();
            self.choice(FieldId::Patches, "patches", flags.clone(), about);
            self.text(
                FieldId::Groups,
                "groups",
                "Channel groups with a loss each, a whole number that divides the channels.",
            );
            let about =
                "true: they are copies of the block's loss, with a scalar each. false: each predicts by itself.";
            self.choice(FieldId::Aggregate, "aggregate", flags, about);
        }
    }

    fn optimizer(&mut self) {
        self.heading = "optimizer";
        let which = self.form.value(&FieldId::Optimizer).to_owned();
        let words = ["sgd", "adam", "adamw"].map(str::to_owned).to_vec();
        self.choice(FieldId::Optimizer, "method", words, "Another optimizer begins with its moments at zero.");
        self.text(FieldId::Rate, "learning rate", "η, a number from 0; the schedule multiplies it.");
        if which == "sgd" {
            self.text(FieldId::Momentum, "momentum", "Weight of the past updates, from 0, below 1.");
            let words = ["false", "true"].map(str::to_owned).to_vec();
            self.choice(FieldId::Nesterov, "nesterov", words, "Nesterov's form of momentum.");
        } else {
            self.text(FieldId::Beta1, "beta 1", "Decay of the first moment, from 0, below 1.");
            self.text(FieldId::Beta2, "beta 2", "Decay of the second moment, from 0, below 1.");
            self.text(FieldId::Epsilon, "epsilon", "Added to the root of the second moment, a number above 0.");
        }
        if which != "adam" {
            self.text(FieldId::WeightDecay, "weight decay", "A number from 0.");
        }
    }

    fn schedule(&mut self) {
        let which = self.form.value(&FieldId::Schedule).to_owned();
        let words = ["constant", "step", "cosine", "exponential", "warm_up"].map(str::to_owned).to_vec();
        let about = match which.as_str() {
            "step" => "The learning rate drops by a factor every so many steps.",
            "cosine" => "Half a cosine from 1 to the floor over the run, after a linear rise.",
            "exponential" => "The learning rate is multiplied by a factor every step.",
            "warm_up" => "A linear rise over so many steps, then constant.",
            _ => "The learning rate stays as it is.",
        };
        self.choice(FieldId::Schedule, "schedule", words, about);
        match which.as_str() {
            "step" => {
                self.text(FieldId::Every, "every", "Steps between drops, a whole number from 1.");
                self.text(FieldId::Factor, "factor", "Factor of each drop, a number above 0.");
            }
            "cosine" => {
                self.text(FieldId::WarmUp, "warm-up", "Steps of the linear rise, a whole number; 0 for none.");
                self.text(FieldId::Floor, "floor", "Factor at the end of the run, 0 to 1.");
            }
            "exponential" => self.text(FieldId::Factor, "factor", "Factor of each step, a number above 0."),
            "warm_up" => self.text(FieldId::WarmUp, "warm-up", "Steps of the linear rise, a whole number from 1."),
            _ => {}
        }
    }

    fn params(&mut self) {
        self.heading = "parameters";
        let Some(offer) = self.form.offer() else { return };
        for spec in &offer.params {
            let id = FieldId::Param { strategy: offer.id.clone(), key: spec.key.clone() };
            let entry = match &spec.kind {
                ParamKind::Bool { .. } => Entry::Choice(vec!["false".to_owned(), "true".to_owned()]),
                ParamKind::Choice { choices, .. } => Entry::Choice(choices.clone()),
                _ => Entry::Text,
            };
            let about = spec.doc.trim_end_matches('.');
            let help = format!(
                "{about}{}{}; {} when left alone.",
                if about.is_empty() { "" } else { ". " },
                capital(&spec.expected()),
                spec.default_value()
            );
            let field = Field {
                heading: self.heading,
                label: spec.key.clone(),
                value: self.form.param_value(spec),
                empty: String::new(),
                entry,
                help,
                locked: None,
                fault: None,
                id,
            };
            self.rows.push(field);
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
