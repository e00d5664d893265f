//! Every shipped strategy as the tests of architectures run it: with which parameters, and where it is refused in which words.

use crate::proposer::catalog;
use guesswork::workspace::{ParamValue, Scope};
use std::collections::BTreeSet;

/// What a refusal may depend on.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Whether the model is a chain of dense layers with an activation after each but the last.
    pub chain: bool,
    /// Sites that are scored.
    pub outputs: usize,
    pub scope: Scope,
}

impl Place {
    fn per_example(&self) -> bool {
        matches!(self.scope, Scope::Example | Scope::ExampleLayer)
    }
}

/// A strategy with some parameters.
pub struct Case {
    pub id: &'static str,
    /// Whether it writes directions in weight space.
    pub weight: bool,
    pub params: Vec<(&'static str, ParamValue)>,
    /// Where it is refused and what the refusal says; the first that applies.
    refusals: Vec<(fn(&Place) -> bool, &'static str)>,
}

impl Case {
    fn refused(mut self, applies: fn(&Place) -> bool, words: &'static str) -> Self {
        self.refusals.push((applies, words));
        self
    }

    fn with(mut self, key: &'static str, value: ParamValue) -> Self {
        self.params.push((key, value));
        self
    }

    fn float(self, key: &'static str, value: f64) -> Self {
        self.with(key, ParamValue::Float(value))
    }

    fn word(self, key: &'static str, value: &str) -> Self {
        self.with(key, ParamValue::Text(value.to_owned()))
    }

    fn on_chains(self, words: &'static str) -> Self {
        self.refused(|place| !place.chain, words)
    }

    fn of_one_output(self, words: &'static str) -> Self {
        self.refused(|place| place.outputs > 1, words)
    }

    fn at_example_layer(self, words: &'static str) -> Self {
        self.refused(|place| place.scope != Scope::ExampleLayer, words)
    }

    /// What the refusal at a place must say; `None` where it runs.
    pub fn refusal(&self, place: &Place) -> Option<&'static str> {
        self.refusals.iter().find(|(applies, _)| applies(place)).map(|(_, words)| *words)
    }
}

/// Of a strategy that writes signals.
fn signal(id: &'static str) -> Case {
    Case { id, weight: false, params: Vec::new(), refusals: Vec::new() }
}

/// Of one that writes directions in weight space: a direction has no example.
fn weight(id: &'static str) -> Case {
    Case { weight: true, ..signal(id) }.refused(Place::per_example, "set scope to batch or layer")
}

/// Of one that divides its bias out.
fn debiased(id: &'static str) -> Case {
    signal(id).float("debias", 0.1).at_example_layer("set `scope` to example-layer or `debias` to 0")
}

/// Every strategy of the catalogue, with the parameters that change what it needs.
///
/// Fails when the catalogue has a strategy without a case, or a case's strategy is not in it.
pub fn cases() -> Vec<Case> {
    let cases = vec![
        weight("weight-perturbation"),
        weight("activation-subspace"),
        weight("spsa"),
        weight("mezo"),
        weight("momentum"),
        signal("activity-perturbation"),
        signal("likelihood-ratio"),
        signal("weight-transpose"),
        signal("weight-transpose").with("depth", ParamValue::Int(3)),
        debiased("weight-transpose"),
        debiased("weight-transpose").with("depth", ParamValue::Int(2)),
        signal("downstream"),
        debiased("downstream"),
        signal("jacobian-transpose"),
        debiased("jacobian-transpose").of_one_output("the Jacobian of one output"),
        signal("activation-mixing"),
        signal("activation-mixing").with("shared", ParamValue::Bool(true)).with("centred", ParamValue::Bool(true)),
        debiased("activation-mixing"),
        debiased("activation-mixing").with("centred", ParamValue::Bool(true)),
        signal("label-guess"),
        signal("label-guess").with("depth", ParamValue::Int(1)).word("class", "uniform"),
        signal("self-sharpening"),
        signal("orthogonal-transpose").on_chains("set `k` to 0"),
        signal("orthogonal-transpose").with("k", ParamValue::Int(0)),
        signal("whitened").on_chains("set `mask` to outside"),
        signal("whitened").word("mask", "both").on_chains("set `mask` to outside"),
        signal("whitened").word("mask", "outside"),
        signal("feedback-alignment"),
        signal("direct-feedback").of_one_output("use feedback-alignment, or a lane with global losses"),
        signal("learned-feedback").of_one_output("a lane with global losses"),
        signal("local-loss"),
        signal("local-loss").word("loss", "patch"),
    ];
    let listed: BTreeSet<&str> = cases.iter().map(|case| case.id).collect();
    let found: BTreeSet<&str> = catalog().strategies.iter().map(|info| info.id.as_str()).collect();
    assert_eq!(listed, found, "the strategies that have a case, and those of the catalogue");
    cases
}
