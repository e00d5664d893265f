//! How a lane turns guesses into an estimate: scope, K, combination, scaling, normalisation, clip, source of the scalar,
//! output signal. Combinations without meaning are refused here, by name, before anything runs.
#![forbid(unsafe_code)]

use crate::workspace::{Combine, GuessScaling, LaneDefaults, LaneSpec, Normalise, OutputSignal, ScalarSource, Scope};
use thiserror::Error;

/// What a strategy's guess is, as far as the estimate is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuessKind {
    /// A signal E_l at each site.
    Signal,
    /// A direction V_l in weight space.
    Weight,
    /// The estimate ĝ_l itself: nothing is left to choose.
    Estimate,
}

/// Everything that combines with a guess, resolved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How many scalars share a guess.
    pub scope: Scope,
    /// Guesses a step, K.
    pub guesses: usize,
    /// How many of them go through the layers side by side; see [`Settings::resolve_at_once`].
    pub at_once: Option<usize>,
    /// How K guesses become one estimate.
    pub combine: Combine,
    /// `raw` or `unit`.
    pub scaling: GuessScaling,
    /// Normalisation of a guess' rows.
    pub normalise: Normalise,
    /// Clip of |B·d_i| or |d|.
    pub clip: Option<f64>,
    /// Where the scalar comes from.
    pub source: ScalarSource,
    /// The output layer's signal.
    pub output: OutputSignal,
}

/// A combination of settings that has no meaning.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{field}: {reason}; {advice}")]
pub struct SettingsError {
    /// The lane's field.
    pub field: &'static str,
    /// Why it cannot be.
    pub reason: String,
    /// What to write instead.
    pub advice: String,
}

pub(super) fn refuse<T>(
    field: &'static str,
    reason: impl Into<String>,
    advice: impl Into<String>,
) -> Result<T, SettingsError> {
    Err(SettingsError { field, reason: reason.into(), advice: advice.into() })
}

/// Puts `plain` in place of a value that the defaults gave.
fn pass_over<T: PartialEq>(field: &mut T, default: Option<T>, plain: T) {
    if default.is_some_and(|default| default == *field) {
        *field = plain;
    }
}

impl Settings {
    /// One raw guess a step with exact scalars, at `scope`.
    pub fn plain(scope: Scope) -> Self {
        Self {
            scope,
            guesses: 1,
            at_once: None,
            combine: Combine::Mean,
            scaling: GuessScaling::Raw,
            normalise: Normalise::None,
            clip: None,
            source: ScalarSource::Tangent,
            output: OutputSignal::Guess,
        }
    }

    /// The settings of a lane whose strategy makes guesses of `kind` and takes its scalars from `source` where the lane does not
    /// say; `spec` has the workspace's `defaults` filled in.
    /// What comes from the defaults is passed over where it has no meaning for the kind; what the lane itself asks for
    /// is refused.
    ///
    /// # Errors
    /// When a combination has no meaning: names the field, the reason and what to write.
    pub fn resolve(
        spec: &LaneSpec,
        defaults: &LaneDefaults,
        kind: GuessKind,
        source: ScalarSource,
    ) -> Result<Self, SettingsError> {
        let own_scope = if kind == GuessKind::Signal { Scope::ExampleLayer } else { Scope::Batch };
        let plain = Self::plain(own_scope);
        let mut settings = Self {
            scope: spec.scope.unwrap_or(own_scope),
            guesses: spec.guesses.unwrap_or(1),
            at_once: spec.at_once,
            combine: spec.combine.unwrap_or_default(),
            scaling: spec.scaling.unwrap_or_default(),
            normalise: spec.normalise.unwrap_or_default(),
            clip: spec.clip,
            source: spec.source.unwrap_or(source),
            output: spec.output.unwrap_or_default(),
        };
        if kind != GuessKind::Signal {
            let in_weights = matches!(settings.scope, Scope::Batch | Scope::Layer);
            pass_over(&mut settings.scope, defaults.scope.filter(|_| !in_weights), plain.scope);
            pass_over(&mut settings.normalise, defaults.normalise, plain.normalise);
            pass_over(&mut settings.output, defaults.output, plain.output);
        }
        if kind == GuessKind::Estimate {
            pass_over(&mut settings.guesses, defaults.guesses, plain.guesses);
            pass_over(&mut settings.combine, defaults.combine, plain.combine);
            pass_over(&mut settings.scaling, defaults.scaling, plain.scaling);
            pass_over(&mut settings.clip, defaults.clip.map(Some), plain.clip);
            pass_over(&mut settings.source, defaults.source, plain.source);
        }
        settings.check(kind)?;
        settings.check_at_once(kind)?;
        if spec.losses.unwrap_or_default().has_copies() {
            settings.check_copies(kind)?;
        }
        Ok(settings)
    }

    /// `spec` with these settings written out.
    pub fn written(&self, spec: &LaneSpec) -> LaneSpec {
        LaneSpec {
            scope: Some(self.scope),
            guesses: Some(self.guesses),
            combine: Some(self.combine),
            scaling: Some(self.scaling),
            normalise: Some(self.normalise),
            clip: self.clip,
            source: Some(self.source),
            output: Some(self.output),
            ..spec.clone()
        }
    }

    fn check(&self, kind: GuessKind) -> Result<(), SettingsError> {
        if self.guesses == 0 {
            return refuse("guesses", "a step needs at least one guess", "write 1 or more");
        }
        if let Some(clip) = self.clip
            && !(clip.is_finite() && clip > 0.0)
        {
            return refuse("clip", format!("{clip} is not a positive number"), "leave it out for no clip");
        }
        if let ScalarSource::Central(h) | ScalarSource::OneSided(h) = self.source
            && !(h.is_finite() && h > 0.0)
        {
            return refuse("source", format!("the step h = {h} is not a positive number"), "write central(0.001), say");
        }
        if self.source == ScalarSource::None {
            let none = |field| {
                refuse(field, "without a scalar (source none) the guess is the estimate as it is", "leave it out")
            };
            if self.combine != Combine::Mean {
                return none("combine");
            }
            if self.scaling != GuessScaling::Raw {
                return none("scaling");
            }
            if self.clip.is_some() {
                return none("clip");
            }
        }
        if self.combine == Combine::Span && self.scaling == GuessScaling::Unit {
            return refuse(
                "scaling",
                "the projection on a span does not depend on the length of a guess",
                "leave it raw",
            );
        }
        match kind {
            GuessKind::Signal => Ok(()),
            GuessKind::Weight => {
                if matches!(self.scope, Scope::Example | Scope::ExampleLayer) {
                    return refuse(
                        "scope",
                        "a direction in weight space has one scalar for the batch or one a layer, none an example",
                        "write batch or layer",
                    );
                }
                if self.normalise != Normalise::None {
                    return refuse(
                        "normalise",
                        "it scales the rows of a signal guess, and this guess is in weight space",
                        "write none",
                    );
                }
                if self.output == OutputSignal::Exact {
                    return refuse(
                        "output",
                        "it replaces the guessed signal at the logits, and this guess is in weight space",
                        "write guess",
                    );
                }
                Ok(())
            }
            GuessKind::Estimate => {
                if self.guesses != 1 || self.combine != Combine::Mean {
                    return refuse(
                        "guesses",
                        "the strategy gives one estimate a step",
                        "leave guesses and combine out",
                    );
                }
                if self.scaling != GuessScaling::Raw || self.normalise != Normalise::None || self.clip.is_some() {
                    return refuse(
                        "scaling",
                        "the strategy gives the estimate itself: there is no scalar to scale or clip and no row to normalise",
                        "leave scaling, normalise and clip out",
                    );
                }
                if self.source != ScalarSource::Tangent || self.output != OutputSignal::Guess {
                    return refuse("source", "the strategy gives the estimate itself", "leave source and output out");
                }
                Ok(())
            }
        }
    }

    /// What copies of losses need: a scalar each, and a guess that each can be told to have reached.
    fn check_copies(&self, kind: GuessKind) -> Result<(), SettingsError> {
        let own = "each copy of a loss, for a patch and group of channels, has a scalar of its own";
        if kind != GuessKind::Signal {
            let reason = format!("{own}, and this strategy's guess is no signal that one could be told from");
            return refuse("losses", reason, "write local() without patches and groups, or aggregate: false");
        }
        if !self.per_example() {
            return refuse("scope", format!("{own}, in each example"), "write example or example_layer");
        }
        if self.output != OutputSignal::Exact {
            let reason = "the heads of copied losses see all patches and groups: they have no scalar of their own";
            return refuse("output", reason, "write exact");
        }
        if self.source != ScalarSource::Tangent {
            return refuse("source", format!("{own}, which the tangent gives"), "write tangent, or leave it out");
        }
        if self.combine != Combine::Mean || self.scaling != GuessScaling::Raw {
            let field = if self.combine == Combine::Mean { "scaling" } else { "combine" };
            let reason = format!("{own}, and lengths and products of guesses are not told apart by copies");
            return refuse(field, reason, "leave it out");
        }
        Ok(())
    }

    /// Whether each site has a scalar of its own.
    pub fn per_layer(&self) -> bool {
        matches!(self.scope, Scope::Layer | Scope::ExampleLayer)
    }

    /// Whether each example has a scalar of its own: the guess perturbs signals, not weights.
    pub fn per_example(&self) -> bool {
        matches!(self.scope, Scope::Example | Scope::ExampleLayer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::LossesSpec;

    fn spec() -> LaneSpec {
        ron::from_str(r#"(strategy: "s")"#).unwrap()
    }

    #[test]
    fn defaults_follow_the_kind() {
        let scope =
            |kind| Settings::resolve(&spec(), &LaneDefaults::default(), kind, ScalarSource::Tangent).unwrap().scope;
        assert_eq!(scope(GuessKind::Signal), Scope::ExampleLayer);
        assert_eq!(scope(GuessKind::Weight), Scope::Batch);
    }

    #[test]
    fn the_strategy_says_where_scalars_come_from_unless_the_lane_does() {
        let source = |spec: &LaneSpec| {
            let own = ScalarSource::Central(0.001);
            Settings::resolve(spec, &LaneDefaults::default(), GuessKind::Weight, own).unwrap().source
        };
        assert_eq!(source(&spec()), ScalarSource::Central(0.001));
        let exact = LaneSpec { source: Some(ScalarSource::Tangent), ..spec() };
        assert_eq!(source(&exact), ScalarSource::Tangent);
    }

    #[test]
    fn defaults_without_meaning_for_a_kind_are_passed_over() {
        let defaults = LaneDefaults {
            scope: Some(Scope::Example),
            normalise: Some(Normalise::Row),
            guesses: Some(4),
            ..LaneDefaults::default()
        };
        let resolve =
            |kind| Settings::resolve(&spec().resolved(&defaults), &defaults, kind, ScalarSource::Tangent).unwrap();
        let weight = resolve(GuessKind::Weight);
        assert_eq!((weight.scope, weight.normalise, weight.guesses), (Scope::Batch, Normalise::None, 4));
        assert_eq!(resolve(GuessKind::Estimate).guesses, 1);
        assert_eq!(resolve(GuessKind::Signal).normalise, Normalise::Row);
    }

    #[test]
    fn combinations_without_meaning_are_refused_by_name() {
        let refused = |change: &dyn Fn(&mut LaneSpec), kind| {
            let mut lane = spec();
            change(&mut lane);
            Settings::resolve(&lane, &LaneDefaults::default(), kind, ScalarSource::Tangent).map_err(|error| error.field)
        };
        assert_eq!(refused(&|lane| lane.scope = Some(Scope::Example), GuessKind::Weight), Err("scope"));
        assert_eq!(refused(&|lane| lane.normalise = Some(Normalise::Row), GuessKind::Weight), Err("normalise"));
        assert_eq!(refused(&|lane| lane.output = Some(OutputSignal::Exact), GuessKind::Weight), Err("output"));
        assert_eq!(refused(&|lane| lane.guesses = Some(0), GuessKind::Signal), Err("guesses"));
        assert_eq!(refused(&|lane| lane.clip = Some(-1.0), GuessKind::Signal), Err("clip"));
        assert_eq!(refused(&|lane| lane.guesses = Some(2), GuessKind::Estimate), Err("guesses"));
        let central = |lane: &mut LaneSpec| lane.source = Some(ScalarSource::Central(f64::NAN));
        assert_eq!(refused(&central, GuessKind::Signal), Err("source"));
        assert_eq!(refused(&|lane| lane.source = Some(ScalarSource::OneSided(0.0)), GuessKind::Weight), Err("source"));
        let bare = |change: &dyn Fn(&mut LaneSpec)| {
            let with = |lane: &mut LaneSpec| {
                lane.source = Some(ScalarSource::None);
                change(lane);
            };
            refused(&with, GuessKind::Signal).map(|settings| settings.source)
        };
        assert_eq!(bare(&|_| ()), Ok(ScalarSource::None));
        assert_eq!(bare(&|lane| lane.combine = Some(Combine::Span)), Err("combine"));
        assert_eq!(bare(&|lane| lane.scaling = Some(GuessScaling::Unit)), Err("scaling"));
        assert_eq!(bare(&|lane| lane.clip = Some(1.0)), Err("clip"));
        let span = |lane: &mut LaneSpec| {
            lane.combine = Some(Combine::Span);
            lane.scaling = Some(GuessScaling::Unit);
        };
        assert_eq!(refused(&span, GuessKind::Signal), Err("scaling"));
        let copies = |change: &dyn Fn(&mut LaneSpec), kind| {
            let with = |lane: &mut LaneSpec| {
                lane.losses = Some(LossesSpec::Local { greedy: true, patches: false, groups: 2, aggregate: true });
                lane.output = Some(OutputSignal::Exact).filter(|_| kind == GuessKind::Signal);
                change(lane);
            };
            refused(&with, kind).map(|settings| settings.scope)
        };
        assert_eq!(copies(&|_| (), GuessKind::Signal), Ok(Scope::ExampleLayer));
        assert_eq!(copies(&|_| (), GuessKind::Weight), Err("losses"));
        assert_eq!(copies(&|_| (), GuessKind::Estimate), Err("losses"));
        assert_eq!(copies(&|lane| lane.scope = Some(Scope::Layer), GuessKind::Signal), Err("scope"));
        assert_eq!(copies(&|lane| lane.output = None, GuessKind::Signal), Err("output"));
        assert_eq!(copies(&|lane| lane.source = Some(ScalarSource::None), GuessKind::Signal), Err("source"));
        assert_eq!(copies(&|lane| lane.scaling = Some(GuessScaling::Unit), GuessKind::Signal), Err("scaling"));
        assert_eq!(copies(&|lane| lane.combine = Some(Combine::Span), GuessKind::Signal), Err("combine"));
    }
}
