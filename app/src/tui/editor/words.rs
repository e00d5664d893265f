//! Settings of a lane as the words of the workspace file, for forms: read and written by the same tables.
#![forbid(unsafe_code)]

use crate::workspace::{Combine, GuessScaling, Normalise, OutputSignal, Scope};

/// A word and what it stands for.
pub type Table<T> = &'static [(&'static str, T)];

pub const SCOPES: Table<Scope> = &[
    ("batch", Scope::Batch),
    ("layer", Scope::Layer),
    ("example", Scope::Example),
    ("example_layer", Scope::ExampleLayer),
];
pub const COMBINATIONS: Table<Combine> = &[("mean", Combine::Mean), ("span", Combine::Span)];
pub const SCALINGS: Table<GuessScaling> = &[("raw", GuessScaling::Raw), ("unit", GuessScaling::Unit)];
pub const NORMALISATIONS: Table<Normalise> =
    &[("none", Normalise::None), ("row", Normalise::Row), ("batch", Normalise::Batch)];
/// Whether a signal passes from a block to the one before.
pub const BORDERS: Table<bool> = &[("stop", true), ("pass", false)];
pub const OUTPUTS: Table<OutputSignal> = &[("guess", OutputSignal::Guess), ("exact", OutputSignal::Exact)];

/// The word of `value`.
pub fn word<T: PartialEq>(table: Table<T>, value: &T) -> String {
    table.iter().find(|(_, other)| other == value).map_or(String::new(), |(word, _)| (*word).to_owned())
}

/// What `text` stands for.
pub fn meaning<T: Copy>(table: Table<T>, text: &str) -> Option<T> {
    table.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
}

/// The words of a table.
pub fn words<T>(table: Table<T>) -> Vec<String> {
    table.iter().map(|(word, _)| (*word).to_owned()).collect()
}

/// A number as it is typed.
pub fn number(value: f64) -> String {
    format!("{value:?}")
}

/// Seeds: `0`, `0..5` (the end left out), `1, 4, 7..9`.
///
/// # Errors
/// What was expected.
pub fn seeds(text: &str) -> Result<Vec<u64>, String> {
    let expected = || "expected seeds: 0, or 0..3 for 0 to 2, or 1,4,9".to_owned();
    let mut seeds = Vec::new();
    for part in text.split(',').map(str::trim) {
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| expected());
        let (from, to) = match part.split_once("..") {
            Some((from, to)) => (number(from)?, number(to)?),
            None => (number(part)?, number(part)?.saturating_add(1)),
        };
        if from >= to {
            return Err(expected());
        }
        if to - from > 100 || seeds.len() > 100 {
            return Err("expected at most 100 seeds".to_owned());
        }
        for seed in from..to {
            if seeds.contains(&seed) {
                return Err(format!("seed {seed} stands here a second time"));
            }
            seeds.push(seed);
        }
    }
    Ok(seeds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_meanings_are_those_of_the_file() {
        for (word, scope) in SCOPES {
            assert_eq!(ron::from_str::<Scope>(word).unwrap(), *scope);
        }
        for (word, value) in COMBINATIONS {
            assert_eq!(ron::from_str::<Combine>(word).unwrap(), *value);
        }
        for (word, value) in SCALINGS {
            assert_eq!(ron::from_str::<GuessScaling>(word).unwrap(), *value);
        }
        for (word, value) in NORMALISATIONS {
            assert_eq!(ron::from_str::<Normalise>(word).unwrap(), *value);
        }
        for (word, value) in OUTPUTS {
            assert_eq!(ron::from_str::<OutputSignal>(word).unwrap(), *value);
        }
    }

    #[test]
    fn seeds_are_numbers_and_ranges() {
        assert_eq!(seeds("7"), Ok(vec![7]));
        assert_eq!(seeds("0..3"), Ok(vec![0, 1, 2]));
        assert_eq!(seeds(" 1, 4 ,7..9"), Ok(vec![1, 4, 7, 8]));
        for wrong in ["", "a", "1,", "3..3", "-1", "0..1000", "1,1"] {
            assert!(seeds(wrong).is_err(), "{wrong}");
        }
    }
}
