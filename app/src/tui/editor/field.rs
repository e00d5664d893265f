//! One line of a form: what it is called, what it holds, what may stand there.
#![forbid(unsafe_code)]

/// Names a field of the lane form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldId {
    /// The strategy.
    Strategy,
    /// What a mixture adds.
    Of,
    /// Name of the lane.
    Name,
    /// Its seeds: a lane each.
    Seeds,
    /// How many scalars share a guess.
    Scope,
    /// K.
    Guesses,
    /// How many of them go through the layers side by side.
    AtOnce,
    /// How K guesses become one.
    Combine,
    /// Raw or unit.
    Scaling,
    /// Rows of a guess.
    Normalise,
    /// Bound of the scalar.
    Clip,
    /// Exact or by differences.
    Source,
    /// Step of the differences.
    Difference,
    /// The output layer's signal.
    Output,
    /// By the logits' loss, or each block by its own.
    Losses,
    /// Whether signals stop between blocks of local losses.
    Borders,
    /// Whether each row has a loss.
    Patches,
    /// Channel groups with a loss each.
    Groups,
    /// Whether those losses are copies of the block's.
    Aggregate,
    /// Which optimizer.
    Optimizer,
    /// η.
    Rate,
    /// Of SGD.
    Momentum,
    /// Of SGD.
    Nesterov,
    /// Of SGD and AdamW.
    WeightDecay,
    /// Of Adam.
    Beta1,
    /// Of Adam.
    Beta2,
    /// Of Adam.
    Epsilon,
    /// The learning rate over time.
    Schedule,
    /// Steps between drops.
    Every,
    /// Factor of a drop or a step.
    Factor,
    /// Steps of the rise.
    WarmUp,
    /// Factor at the end.
    Floor,
    /// A parameter of a strategy.
    Param {
        /// The strategy's id.
        strategy: String,
        /// The parameter's key.
        key: String,
    },
}

/// How a field is filled in.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// By typing.
    Text,
    /// By going through some words.
    Choice(Vec<String>),
}

/// A field as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Which.
    pub id: FieldId,
    /// Heading it stands under.
    pub heading: &'static str,
    /// Its name.
    pub label: String,
    /// What it holds.
    pub value: String,
    /// What holds while nothing stands there.
    pub empty: String,
    /// How it is filled in.
    pub entry: Entry,
    /// What it means and what may stand there.
    pub help: String,
    /// Why it cannot be changed here.
    pub locked: Option<&'static str>,
    /// What is wrong with its value.
    pub fault: Option<String>,
}

impl Field {
    /// The field after `by` words of a choice, around the end.
    pub fn choice(&self, by: isize) -> Option<&str> {
        let Entry::Choice(words) = &self.entry else { return None };
        let place = words.iter().position(|word| *word == self.value).unwrap_or(0) as isize;
        words.get((place + by).rem_euclid(words.len().max(1) as isize) as usize).map(String::as_str)
    }

    /// The next word of a choice that begins with `letter`.
    pub fn choice_by_letter(&self, letter: char) -> Option<&str> {
        let Entry::Choice(words) = &self.entry else { return None };
        let place = words.iter().position(|word| *word == self.value).unwrap_or(0);
        let begins = |word: &&String| word.chars().next().is_some_and(|first| first.eq_ignore_ascii_case(&letter));
        words.iter().cycle().skip(place + 1).take(words.len()).find(begins).map(String::as_str)
    }
}
