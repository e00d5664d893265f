//! Strategies that break one rule each: what the host does then.

use crate::fixture::{Model, facts, prepared, step, strategy, written};
use candle_core::DType;
use guesswork::strategy::{Failure, Instance, Outputs, PluginError};
use guesswork::workspace::Scope;

const DTYPES: [DType; 2] = [DType::F32, DType::F64];

fn start(id: &str, dtype: DType, guesses: usize) -> (Model, Instance, Outputs) {
    let model = Model::mlp(dtype);
    let (instance, outputs) = prepared(&strategy(id), &model, &facts(Scope::ExampleLayer, guesses)).unwrap();
    (model, instance, outputs)
}

/// The error of the first step.
fn first_error(id: &str, dtype: DType) -> (PluginError, Model, Instance, Outputs) {
    let (model, mut instance, mut outputs) = start(id, dtype, 2);
    let error = step(&mut instance, &mut outputs, &model, 0).unwrap_err();
    assert_eq!(error.place.strategy, id);
    assert_eq!(error.place.step, Some(0));
    assert_eq!(error.place.site.as_deref(), Some("fc1"));
    (error, model, instance, outputs)
}

#[test]
fn a_panic_becomes_an_error_and_the_instance_is_not_called_again() {
    let (error, model, mut instance, mut outputs) = first_error("fault-panic", DType::F32);
    assert!(matches!(&error.failure, Failure::Panic(text) if text.contains("a fault at site 0")), "{error}");
    assert!(!error.fatal_for_run());
    let again = step(&mut instance, &mut outputs, &model, 1).unwrap_err();
    assert!(matches!(again.failure, Failure::Poisoned(_)), "{again}");
    let (_, mut other, mut outputs) = start("activity-perturbation", DType::F32, 1);
    step(&mut other, &mut outputs, &model, 0).unwrap();
}

#[test]
fn an_error_is_passed_on_with_its_words_and_place() {
    let (error, ..) = first_error("fault-error", DType::F64);
    assert!(error.to_string().contains("strategy `fault-error`, propose, site `fc1`, step 0: "), "{error}");
    assert!(error.to_string().contains("a fault at site 0 of step 0: é"), "{error}");
    assert!(!error.fatal_for_run());
}

#[test]
fn nan_is_named_by_layer_and_place() {
    for dtype in DTYPES {
        let (error, ..) = first_error("fault-nan", dtype);
        let Failure::NonFinite { value, at } = &error.failure else { panic!("{error}") };
        assert!(value.is_nan());
        assert_eq!((at.output, at.site.as_str(), at.guess, at.row, at.column), ("signal", "fc1", 0, 4, 0));
        assert!(!error.fatal_for_run());
    }
}

#[test]
fn nan_of_a_later_step_is_found_when_the_estimator_asks() {
    let (model, mut instance, mut outputs) = start("fault-late-nan", DType::F32, 1);
    for number in 0..6 {
        step(&mut instance, &mut outputs, &model, number).unwrap();
        assert_eq!(instance.scan(&outputs, number).is_err(), number == 5, "step {number}");
    }
    let error = instance.scan(&outputs, 5).unwrap_err();
    assert!(matches!(&error.failure, Failure::NonFinite { at, .. } if at.site == "fc1" && at.row == 4), "{error}");
    let error = step(&mut instance, &mut outputs, &model, 100).unwrap_err();
    assert!(matches!(error.failure, Failure::NonFinite { .. }), "every hundredth step is scanned: {error}");
}

#[test]
fn unwritten_outputs_are_seen_at_every_step() {
    let (error, model, mut instance, mut outputs) = first_error("fault-unwritten", DType::F32);
    assert!(matches!(&error.failure, Failure::Unwritten { output: "signal", guess: 0, .. }), "{error}");
    let error = step(&mut instance, &mut outputs, &model, 57).unwrap_err();
    assert!(matches!(&error.failure, Failure::Unwritten { .. }), "{error}");
    assert!(!error.fatal_for_run());
}

#[test]
fn writing_past_the_end_stops_the_run() {
    for dtype in DTYPES {
        let (model, mut instance, mut outputs) = start("fault-overrun", dtype, 1);
        let error = step(&mut instance, &mut outputs, &model, 0).unwrap_err();
        let expected = Failure::Redzone { output: "signal", site: "fc1".into(), side: "past the end of", distance: 1 };
        assert_eq!(error.failure, expected);
        assert!(error.fatal_for_run());
        assert!(error.to_string().contains("no longer trusted"), "{error}");
        let again = step(&mut instance, &mut outputs, &model, 1).unwrap_err();
        assert!(matches!(again.failure, Failure::Poisoned(_)), "{again}");
    }
}

#[test]
fn redzones_are_compared_at_steps_that_are_not_scanned_too() {
    let info = strategy("fault-overrun");
    let model = Model::mlp(DType::F32);
    let given = [("at".to_owned(), guesswork::workspace::ParamValue::Int(7))].into();
    let params = guesswork::strategy::Params::check(&info.id, &info.params, &given).unwrap();
    let mut instance = Instance::create(&info, &params).unwrap();
    instance.prepare(&model.graph, &model.tape, &facts(Scope::Batch, 1)).unwrap();
    let mut outputs = instance.outputs(&model.tape).unwrap();
    for number in 0..7 {
        step(&mut instance, &mut outputs, &model, number).unwrap();
    }
    assert!(step(&mut instance, &mut outputs, &model, 7).unwrap_err().fatal_for_run());
}

#[test]
fn writing_to_an_input_stops_the_run() {
    for dtype in DTYPES {
        let (error, ..) = first_error("fault-writes-input", dtype);
        assert_eq!(error.failure, Failure::InputWritten { input: "derivative of site `fc1`".into() });
        assert!(error.fatal_for_run());
    }
}

#[test]
fn an_unknown_need_is_listed_and_refused_by_name_before_any_step() {
    let info = strategy("fault-unknown-need");
    assert!(info.needs.to_string().contains("number 60"), "{}", info.needs);
    let model = Model::mlp(DType::F32);
    let error = prepared(&info, &model, &facts(Scope::Batch, 1)).unwrap_err();
    let Failure::Unsupported(text) = &error.failure else { panic!("{error}") };
    assert!(text.contains("number 60 (unknown to this version)"), "{text}");
    assert_eq!(error.place.function, "prepare");
}

#[test]
fn up_to_its_fault_a_strategy_writes_what_it_should() {
    let (model, mut instance, mut outputs) = start("fault-late-nan", DType::F64, 2);
    step(&mut instance, &mut outputs, &model, 0).unwrap();
    assert!(written(&outputs, &model).iter().all(|value| value.is_finite() && *value != 0.0));
}
