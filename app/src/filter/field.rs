//! What can be asked of a lane, by name.
#![forbid(unsafe_code)]

/// A fact that is a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wordy {
    /// Name, without the seed.
    Name,
    /// Id of the strategy.
    Strategy,
    /// `batch`, `layer`, `example`, `example_layer`.
    Scope,
    /// `sgd`, `adam`, `adamw`.
    Optimizer,
    /// `constant`, `step`, `cosine`, `exponential`, `warm_up`.
    Schedule,
    /// `mean`, `span`.
    Combine,
    /// `raw`, `unit`.
    Scaling,
    /// `none`, `row`, `batch`.
    Normalise,
    /// `signal`, `weight`, `estimate`, `reference`.
    Kind,
    /// How it ended: `done`, `diverged`, …; `running` while it has not.
    End,
}

/// A fact that is a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Numeric {
    /// Learning rate of the optimizer.
    Rate,
    /// Seed.
    Seed,
    /// Steps taken.
    Steps,
    /// Guesses a step.
    Guesses,
    /// Running mean of the training loss.
    Loss,
    /// Running mean of the training accuracy.
    Accuracy,
    /// Last loss on the test split.
    TestLoss,
    /// Last accuracy on the test split.
    TestAccuracy,
    /// Best accuracy on the test split.
    BestTestAccuracy,
    /// Last loss on the validation split.
    ValidationLoss,
    /// Last accuracy on the validation split.
    ValidationAccuracy,
    /// Last accuracy on the training split less that on the test split.
    GeneralisationGap,
    /// Mean over the run of cos(ĝ, g).
    MeanCosine,
    /// A parameter of the strategy, by its key.
    Param(String),
}

/// How a lane stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not ended.
    Running,
    /// It has ended, for whatever reason.
    Ended,
    /// All steps taken.
    Done,
    /// It diverged.
    Diverged,
    /// Its plugin or the engine failed.
    Failed,
    /// It was dropped by a person.
    Dropped,
    /// It is a trial of the tuning stage.
    Trial,
    /// It is the reference.
    Backprop,
}

/// Something to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// A word.
    Word(Wordy),
    /// A number.
    Number(Numeric),
}

/// Words and their names; the first of a field is how it is written.
pub const WORDS: &[(&str, Wordy)] = &[
    ("name", Wordy::Name),
    ("strategy", Wordy::Strategy),
    ("scope", Wordy::Scope),
    ("optimizer", Wordy::Optimizer),
    ("schedule", Wordy::Schedule),
    ("combine", Wordy::Combine),
    ("scaling", Wordy::Scaling),
    ("normalise", Wordy::Normalise),
    ("kind", Wordy::Kind),
    ("end", Wordy::End),
];

/// Numbers and their names; the first of a field is how it is written.
pub const NUMBERS: &[(&str, Numeric)] = &[
    ("lr", Numeric::Rate),
    ("learning_rate", Numeric::Rate),
    ("seed", Numeric::Seed),
    ("steps", Numeric::Steps),
    ("step", Numeric::Steps),
    ("guesses", Numeric::Guesses),
    ("k", Numeric::Guesses),
    ("loss", Numeric::Loss),
    ("train_loss", Numeric::Loss),
    ("accuracy", Numeric::Accuracy),
    ("train_accuracy", Numeric::Accuracy),
    ("test_loss", Numeric::TestLoss),
    ("test_accuracy", Numeric::TestAccuracy),
    ("best_test_accuracy", Numeric::BestTestAccuracy),
    ("validation_loss", Numeric::ValidationLoss),
    ("validation_accuracy", Numeric::ValidationAccuracy),
    ("generalisation_gap", Numeric::GeneralisationGap),
    ("mean_cosine", Numeric::MeanCosine),
    ("cosine", Numeric::MeanCosine),
];

/// States and their names.
pub const STATES: &[(&str, State)] = &[
    ("running", State::Running),
    ("ended", State::Ended),
    ("done", State::Done),
    ("diverged", State::Diverged),
    ("failed", State::Failed),
    ("dropped", State::Dropped),
    ("trial", State::Trial),
    ("backprop", State::Backprop),
];

impl Field {
    /// The field of that name.
    pub fn named(name: &str) -> Option<Self> {
        let lower = name.to_lowercase();
        if let Some(key) = name.strip_prefix("params.").filter(|key| !key.is_empty()) {
            return Some(Self::Number(Numeric::Param(key.to_owned())));
        }
        let word = WORDS.iter().find(|(other, _)| *other == lower).map(|(_, field)| Self::Word(*field));
        word.or_else(|| NUMBERS.iter().find(|(other, _)| *other == lower).map(|(_, field)| Self::Number(field.clone())))
    }
}

impl Wordy {
    /// Its name.
    pub fn name(self) -> &'static str {
        WORDS.iter().find(|(_, other)| *other == self).map_or("", |(name, _)| name)
    }
}

impl Numeric {
    /// Its name.
    pub fn name(&self) -> String {
        match self {
            Self::Param(key) => format!("params.{key}"),
            other => {
                NUMBERS.iter().find(|(_, field)| field == other).map_or(String::new(), |(name, _)| (*name).to_owned())
            }
        }
    }
}

impl State {
    /// The state of that name.
    pub fn named(name: &str) -> Option<Self> {
        STATES.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, state)| *state)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        STATES.iter().find(|(_, other)| *other == self).map_or("", |(name, _)| name)
    }
}

/// Names of all fields, for errors.
pub fn names() -> Vec<&'static str> {
    WORDS.iter().map(|(name, _)| *name).chain(NUMBERS.iter().map(|(name, _)| *name)).collect()
}
