//! What a filter says, where it says that something is wrong, and that it reads back as it was written.

use super::field::{NUMBERS, STATES, WORDS};
use super::{Comparison, Facts, Filter, Numeric, Span, State, Wordy, evaluate, parse};
use proptest::prelude::*;

struct Lane;

impl Facts for Lane {
    fn word(&self, field: Wordy) -> Option<String> {
        Some(
            match field {
                Wordy::Name => "weight-transpose k=4",
                Wordy::Strategy => "weight-transpose",
                Wordy::Scope => "example_layer",
                Wordy::Optimizer => "sgd",
                _ => return None,
            }
            .to_owned(),
        )
    }

    fn number(&self, field: &Numeric) -> Option<f64> {
        match field {
            Numeric::Rate => Some(0.003),
            Numeric::Seed => Some(2.0),
            Numeric::TestAccuracy => Some(0.81),
            Numeric::Loss => Some(f64::NAN),
            Numeric::Param(key) if key == "depth" => Some(2.0),
            _ => None,
        }
    }

    fn is(&self, state: State) -> bool {
        state == State::Running
    }
}

fn holds(text: &str) -> bool {
    parse(text).unwrap_or_else(|error| panic!("{}", error.marked(text))).holds(&Lane)
}

#[test]
fn conditions_hold_of_the_lanes_they_describe() {
    for yes in [
        "",
        "strategy=weight-transpose scope=example* lr>0.001 seed in 0..3 test_accuracy>=0.8 !diverged",
        "scope=EXAMPLE-LAYER",
        "transpose",
        "\"k=4\"",
        "backprop or running",
        "not (backprop or diverged)",
        "!diverged and lr <= 0.003",
        "strategy != downstream",
        "seed in 5, 0..2, 2",
        "scope in layer, example*",
        "params.depth = 2",
        "running (seed=1 or seed=2)",
        "loss != 1",
    ] {
        assert!(holds(yes), "{yes}");
    }
    for no in [
        "scope=example",
        "lr>0.003",
        "seed in 0..2",
        "diverged",
        "downstream",
        "running diverged",
        // Never measured, or not a number: no comparison holds.
        "validation_loss<9",
        "validation_loss!=9",
        "loss<1",
        "loss>=1",
        "params.other=0",
        "schedule!=constant",
    ] {
        assert!(!holds(no), "{no}");
    }
}

#[test]
fn and_binds_closer_than_or() {
    assert_eq!(parse("a b or c"), parse("(a b) or c"));
    assert_ne!(parse("a b or c"), parse("a (b or c)"));
    assert_eq!(parse("a and b"), parse("a b"));
    assert_eq!(parse("!a b"), parse("(!a) b"));
}

#[test]
fn errors_point_at_the_place() {
    for (text, column, length, says) in [
        ("lr>", 4, 1, "expected a number for `lr` after this"),
        ("lr > fast", 6, 4, "expected a number for `lr`, found `fast`"),
        ("stratgy=backprop", 1, 7, "did you mean `strategy`?"),
        ("running xyzzyxyzzy=3", 9, 10, "the fields are name, strategy"),
        ("scope > layer", 7, 1, "compare it with = or !=, not >"),
        ("seed in 3..3", 9, 4, "the range `3..3` is empty"),
        ("seed in a", 9, 1, "as 0..3"),
        ("(running or diverged", 1, 1, "this bracket is not closed"),
        ("running)", 8, 1, "expected the end, or another condition, found `)`"),
        ("name=\"abc", 6, 4, "this quote is not closed"),
        ("lr", 1, 2, "`lr` is compared with something: lr=…"),
        ("running or", 11, 1, "expected a condition"),
        ("running and or lr>1", 13, 2, "expected a condition"),
        ("running & lr>1", 9, 1, "found `&`"),
        ("é lr>x", 6, 1, "found `x`"),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!((error.column, error.length), (column, length), "{text}: {error}");
        assert!(error.message.contains(says), "{text}: {error}");
    }
    let deep = "(".repeat(2000);
    assert!(parse(&deep).unwrap_err().message.contains("brackets within each other"));
    assert!(parse(&"!".repeat(2000)).unwrap_err().message.contains("negations"));
    let marked = parse("lr > fast").unwrap_err().marked("lr > fast");
    assert!(marked.ends_with("\n  lr > fast\n       ^^^^"), "{marked}");
}

#[test]
fn stars_stand_for_any_letters() {
    for (word, pattern, expected) in [
        ("example_layer", "example*", true),
        ("example", "example*", true),
        ("weight-transpose", "*transp*", true),
        ("weight-transpose", "w*t*e", true),
        ("weight-transpose", "w*x*e", false),
        ("ab", "a*b*", true),
        ("", "*", true),
        ("a", "", false),
    ] {
        assert_eq!(evaluate::matches(word, pattern), expected, "{word} {pattern}");
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z*_-]{1,8}", Just("or".to_owned()), Just("lr".to_owned()), Just("done".to_owned()), any::<String>()]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |value| value.is_finite()),
        (0..100i32).prop_map(f64::from),
        Just(1e-8)
    ]
}

fn numeric() -> impl Strategy<Value = Numeric> {
    prop_oneof![(0..NUMBERS.len()).prop_map(|index| NUMBERS[index].1.clone()), "[a-z_]{1,6}".prop_map(Numeric::Param),]
}

fn leaf() -> impl Strategy<Value = Filter> {
    let word = (0..WORDS.len()).prop_map(|index| WORDS[index].1);
    let words = (0..WORDS.len()).prop_map(|index| WORDS[index].1);
    let comparison = prop_oneof![
        Just(Comparison::Equal),
        Just(Comparison::Differs),
        Just(Comparison::Below),
        Just(Comparison::AtMost),
        Just(Comparison::Above),
        Just(Comparison::AtLeast),
    ];
    let span = prop_oneof![
        number().prop_map(Span::One),
        (number(), number()).prop_filter_map("not empty", |(a, b)| (a < b).then_some(Span::Range(a, b))),
    ];
    prop_oneof![
        (word, any::<bool>(), text()).prop_map(|(field, differs, pattern)| Filter::Word { field, differs, pattern }),
        (numeric(), comparison, number()).prop_map(|(field, comparison, value)| Filter::Number {
            field,
            comparison,
            value
        }),
        (words, prop::collection::vec(text(), 1..4)).prop_map(|(field, patterns)| Filter::OneOf { field, patterns }),
        (numeric(), prop::collection::vec(span, 1..4)).prop_map(|(field, spans)| Filter::Within { field, spans }),
        (0..STATES.len()).prop_map(|index| Filter::Is(STATES[index].1)),
        text().prop_map(Filter::Named),
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::All),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Any),
            inner.prop_map(|part| Filter::Not(Box::new(part))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(5), ..ProptestConfig::with_cases(512) })]

    #[test]
    fn what_is_written_reads_back_as_the_same_filter(filter in filter()) {
        let text = filter.to_string();
        let back = parse(&text).map_err(|error| TestCaseError::fail(error.marked(&text)))?;
        prop_assert_eq!(back, filter, "{}", text);
    }

    #[test]
    fn no_text_makes_the_parser_panic_and_errors_lie_within_it(text in any::<String>()) {
        if let Err(error) = parse(&text) {
            prop_assert!(error.column >= 1 && error.column <= text.chars().count() + 1, "{:?} of {:?}", error, text);
            error.marked(&text);
        }
    }

    #[test]
    fn a_filter_and_its_negation_part_the_lanes(filter in filter()) {
        prop_assert_ne!(filter.holds(&Lane), Filter::Not(Box::new(filter)).holds(&Lane));
    }
}
