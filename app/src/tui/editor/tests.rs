//! The form of a lane: what keys do to it, what it comes to, and that no keys at all bring it into a state that cannot be drawn.

use super::field::{Entry, FieldId};
use super::{LaneForm, Outcome, Purpose, reduce};
use crate::estimate::GuessKind;
use crate::session::Command;
use crate::session::offer::{Offer, Offers};
use crate::session::protocol::Snapshot;
use crate::tui::Source;
use crate::tui::action::Action;
use crate::tui::draw::draw;
use crate::tui::lanes::{Group, groups};
use crate::tui::smooth::Derived;
use crate::tui::state::{Overlay, State};
use crate::tui::synthetic::Synthetic;
use crate::tui::theme::{Theme, Tier};
use crate::tui::update::{Effect, update};
use crate::workspace::{LaneDefaults, LaneSpec, LossesSpec, MemberSpec, OptimizerSpec, ParamValue, Scope, differences};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

fn session() -> Arc<Snapshot> {
    static SESSION: OnceLock<Arc<Snapshot>> = OnceLock::new();
    Arc::clone(SESSION.get_or_init(|| Synthetic::new(2, 60, 5000, false).snapshot()))
}

fn form(key: Action, selected: usize) -> State {
    let mut state = State { selected: Some(selected), size: (120, 40), ..State::default() };
    update(&mut state, key, &session());
    state
}

fn opened(state: &State) -> &LaneForm {
    match &state.overlay {
        Some(Overlay::Lane(form)) => form,
        other => panic!("{other:?}, {:?}", state.notice),
    }
}

/// The form of a running mixture.
pub(super) fn mixture() -> LaneForm {
    let member = |strategy: &str, weight| MemberSpec { strategy: strategy.to_owned(), weight, params: BTreeMap::new() };
    let session = session();
    let of = vec![member("weight-transpose", 2.0), member("activation-mixing", 0.5)];
    let scope = Some(Scope::ExampleLayer);
    let spec = LaneSpec { strategy: "mixture".to_owned(), of, scope, ..session.lanes[0].info.spec.clone() };
    let mut offers = Offers::clone(&session.offers);
    offers.strategies.push(Offer::mixture());
    LaneForm::change(&Arc::new(offers), &spec, vec![0], "mixture", &[0]).expect("on offer")
}

fn go(state: &mut State, id: &FieldId) {
    for _ in 0..60 {
        if opened(state).focus == *id {
            return;
        }
        update(state, Action::FocusNext, &session());
    }
    panic!("no field {id:?}");
}

fn write(state: &mut State, id: &FieldId, text: &str) {
    go(state, id);
    update(state, Action::Cursor(i8::MAX), &session());
    for _ in 0..40 {
        update(state, Action::Erase, &session());
    }
    text.chars().for_each(|letter| drop(update(state, Action::Type(letter), &session())));
}

fn fault(state: &State, id: &FieldId) -> Option<String> {
    opened(state).fields().into_iter().find(|field| field.id == *id).expect("shown").fault
}

fn added(effects: Vec<Effect>) -> Vec<LaneSpec> {
    let spec = |effect| match effect {
        Effect::Send(Command::Add(spec, _)) => *spec,
        other => panic!("{other:?}"),
    };
    effects.into_iter().map(spec).collect()
}

fn param(key: &str) -> FieldId {
    FieldId::Param { strategy: "weight-transpose".to_owned(), key: key.to_owned() }
}

#[test]
fn a_new_lane_has_what_was_typed_and_a_command_for_each_seed() {
    let mut now = form(Action::NewLane, 0);
    let transpose = |form: &LaneForm| form.value(&FieldId::Strategy) == "weight-transpose";
    for _ in 0..9 {
        if !transpose(opened(&now)) {
            update(&mut now, Action::Cursor(1), &session());
        }
    }
    assert!(transpose(opened(&now)));
    write(&mut now, &FieldId::Seeds, "3..5");
    write(&mut now, &FieldId::Name, "mine");
    write(&mut now, &FieldId::Guesses, "4");
    write(&mut now, &FieldId::Rate, "0.25");
    write(&mut now, &param("depth"), "2");
    go(&mut now, &param("mask"));
    update(&mut now, Action::Cursor(1), &session());
    let lanes = added(update(&mut now, Action::Accept, &session()));
    assert_eq!(now.overlay, None);
    assert_eq!(lanes.iter().map(|lane| lane.seeds.clone().unwrap()).collect::<Vec<_>>(), [[3], [4]]);
    let lane = &lanes[0];
    assert_eq!((lane.strategy.as_str(), lane.name.as_deref()), ("weight-transpose", Some("mine")));
    assert_eq!((lane.guesses, lane.scope, lane.optimizer.unwrap().lr()), (Some(4), Some(Scope::ExampleLayer), 0.25));
    // What was left at the schema's default is left out.
    let params: Vec<_> = lane.params.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    assert_eq!(params, [("depth", ParamValue::Int(2)), ("mask", ParamValue::Text("none".to_owned()))]);
}

#[test]
fn what_is_wrong_is_said_at_the_field_while_it_is_typed_and_holds_the_form() {
    let mut now = form(Action::CopyLane, 2);
    for (id, text, says) in [
        (FieldId::Guesses, "many", "expected a whole number"),
        (FieldId::Guesses, "0", "expected at least 1 guess a step"),
        (FieldId::Clip, "-1", "expected a bound above 0"),
        (FieldId::Rate, "", "expected a number"),
        (FieldId::Rate, "-0.5", "expected a learning rate of at least 0"),
        (FieldId::Momentum, "1", "expected a number from 0, below 1"),
        (FieldId::Seeds, "0..", "expected seeds"),
        (param("depth"), "9", "expected a whole number, 1 to 8"),
        (param("depth"), "1.5", "expected a whole number, 1 to 8"),
        (param("ridge"), "-1", "expected a number, at least 0"),
    ] {
        let mut wrong = now.clone();
        write(&mut wrong, &id, text);
        let found = fault(&wrong, &id).unwrap_or_else(|| panic!("{id:?} {text} passes"));
        assert!(found.starts_with(says), "{found}");
        go(&mut wrong, &FieldId::Strategy);
        assert_eq!(update(&mut wrong, Action::Accept, &session()), []);
        assert_eq!(opened(&wrong).focus, id, "the form points at what is wrong");
    }
    // What goes only with something else is refused where it stands.
    go(&mut now, &FieldId::Nesterov);
    update(&mut now, Action::Cursor(1), &session());
    assert!(fault(&now, &FieldId::Nesterov).unwrap().contains("momentum above 0"));
    write(&mut now, &FieldId::Momentum, "0.9");
    assert_eq!(fault(&now, &FieldId::Nesterov), None);
    assert!(fault(&now, &param("depth")).is_none());
}

/// The number of guesses at once has a field where it has a meaning, and is left out where it has none.
#[test]
fn guesses_at_once_are_a_field_of_several_signals() {
    let mut now = form(Action::CopyLane, 2);
    let shown = |state: &State| opened(state).fields().into_iter().any(|field| field.id == FieldId::AtOnce);
    assert!(!shown(&now));
    write(&mut now, &FieldId::Guesses, "4");
    assert!(shown(&now));
    write(&mut now, &FieldId::AtOnce, "3");
    let found = fault(&now, &FieldId::AtOnce).expect("a fault");
    assert!(found.starts_with("expected a divisor of `guesses`"), "{found}");
    write(&mut now, &FieldId::AtOnce, "2");
    assert_eq!(fault(&now, &FieldId::AtOnce), None);
    let copied = |state: &State| added(update(&mut state.clone(), Action::Accept, &session()))[0].at_once;
    assert_eq!(copied(&now), Some(2));
    let mut one = now.clone();
    write(&mut one, &FieldId::Guesses, "1");
    assert!(!shown(&one) && copied(&one).is_none());
    // One scalar for the batch needs them all.
    let mut batch = now.clone();
    go(&mut batch, &FieldId::Scope);
    for _ in 0..4 {
        if opened(&batch).value(&FieldId::Scope) != "batch" {
            update(&mut batch, Action::Cursor(1), &session());
        }
    }
    let found = fault(&batch, &FieldId::AtOnce).expect("a fault");
    assert!(found.contains("kept side by side"), "{found}");
}

#[test]
fn a_lane_can_have_losses_of_its_blocks_and_keeps_them() {
    let mut now = form(Action::CopyLane, 2);
    let borders = |state: &State| opened(state).fields().into_iter().any(|field| field.id == FieldId::Borders);
    assert!(!borders(&now));
    go(&mut now, &FieldId::Losses);
    update(&mut now, Action::Cursor(1), &session());
    assert!(borders(&now));
    // 128 channels.
    write(&mut now, &FieldId::Groups, "5");
    let found = fault(&now, &FieldId::Groups).expect("a fault");
    assert!(found.contains("128") && found.contains('5'), "{found}");
    write(&mut now, &FieldId::Groups, "4");
    go(&mut now, &FieldId::Borders);
    update(&mut now, Action::Cursor(1), &session());
    let found = fault(&now, &FieldId::Groups).expect("a fault");
    assert!(found.contains("greedy"), "{found}");
    go(&mut now, &FieldId::Aggregate);
    update(&mut now, Action::Cursor(1), &session());
    let lanes = added(update(&mut now, Action::Accept, &session()));
    assert_eq!(lanes[0].losses, Some(LossesSpec::Local { greedy: false, patches: false, groups: 4, aggregate: false }));

    let mut kept = form(Action::EditLane, 2);
    let field = opened(&kept).fields().into_iter().find(|field| field.id == FieldId::Losses).expect("shown");
    assert!(field.locked.expect("locked").contains("copy it"));
    go(&mut kept, &FieldId::Losses);
    update(&mut kept, Action::Cursor(1), &session());
    assert_eq!(opened(&kept).value(&FieldId::Losses), "global");
    assert_eq!(opened(&kept).changes(), Vec::<String>::new());
}

#[test]
fn a_mixture_s_form_shows_and_keeps_what_it_adds() {
    let form = mixture();
    let ids = |form: &LaneForm| form.fields().into_iter().map(|field| field.id).collect::<Vec<_>>();
    let of = form.fields().into_iter().find(|field| field.id == FieldId::Of).expect("shown");
    let text = r#"[(strategy: "weight-transpose", weight: 2.0), (strategy: "activation-mixing", weight: 0.5)]"#;
    assert_eq!((of.value.as_str(), of.fault, form.changes()), (text, None, vec![]));
    assert_eq!(form.kind(), Some(GuessKind::Signal));
    assert!(ids(&form).contains(&FieldId::Normalise));

    // A copy has other members as it likes; of directions in weights it has no rows to normalise.
    let mut offers = Offers::clone(form.offers());
    offers.defaults = LaneDefaults::default();
    let offers = Arc::new(offers);
    let mut copy = LaneForm::copy(&offers, &form.base, &[1], 0).expect("on offer");
    let mut put = |text: &str| {
        copy.point(FieldId::Of);
        copy.write(text.to_owned(), 0);
        (copy.kind(), copy.faults().into_iter().next(), copy.commands())
    };
    let (kind, fault, commands) = put(r#"[(strategy: "weight-perturbation")]"#);
    assert_eq!((kind, fault), (Some(GuessKind::Weight), None));
    let commands = commands.unwrap();
    let [Command::Add(spec, Some(0))] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!((spec.of.len(), spec.of[0].weight, spec.scope), (1, 1.0, Some(Scope::Batch)));
    for (text, says) in [
        ("", "a mixture needs at least one strategy"),
        ("[(strategy: \"backprop\")]", "no guess"),
        ("[(strategy: \"nothing\")]", "there is no strategy `nothing`"),
        ("[(strategy: \"weight-transpose\", params: {\"depth\": 9})]", "1 to 8"),
        ("[(strategy: \"weight-transpose\", params: {\"deep\": 1})]", "no parameter `deep`"),
        ("[(strategy: \"weight-transpose\"), (strategy: \"weight-perturbation\")]", "mix strategies of one kind"),
        ("[(strategy: ", ""),
    ] {
        let (_, fault, commands) = put(text);
        assert!(matches!(&fault, Some((FieldId::Of, message)) if message.contains(says)), "{text}: {fault:?}");
        assert_eq!(commands, Err(FieldId::Of), "{text}");
    }
}

#[test]
fn a_lane_more_belongs_to_the_problem_of_the_selected_one() {
    for (action, selected) in [(Action::NewLane, 1), (Action::CopyLane, 2)] {
        let mut now = form(action, selected);
        let session = session();
        let groups = groups(&session);
        let of = |group: &&Group<'_>| group.lanes.iter().any(|lane| lane.info.lane == selected);
        let lane = groups.iter().find(of).expect("a group").first().info.lane;
        let effects = update(&mut now, Action::Accept, &session);
        assert!(!effects.is_empty());
        for effect in effects {
            assert!(matches!(effect, Effect::Send(Command::Add(_, Some(beside))) if beside == lane), "{effect:?}");
        }
    }
}

#[test]
fn fields_follow_the_strategy_and_the_optimizer() {
    let mut now = form(Action::NewLane, 0);
    let ids = |state: &State| opened(state).fields().into_iter().map(|field| field.id).collect::<Vec<_>>();
    update(&mut now, Action::Type('b'), &session());
    assert_eq!(opened(&now).value(&FieldId::Strategy), "backprop");
    assert!(!ids(&now).contains(&FieldId::Scope));
    for _ in 0..9 {
        update(&mut now, Action::Type('w'), &session());
        if opened(&now).value(&FieldId::Strategy) == "weight-perturbation" {
            break;
        }
    }
    let scope = opened(&now).fields().into_iter().find(|field| field.id == FieldId::Scope).unwrap();
    assert_eq!(scope.entry, Entry::Choice(vec!["batch".to_owned(), "layer".to_owned()]));
    assert!(!ids(&now).contains(&FieldId::Normalise));
    go(&mut now, &FieldId::Optimizer);
    update(&mut now, Action::Type('a'), &session());
    assert!(ids(&now).contains(&FieldId::Beta1) && !ids(&now).contains(&FieldId::Momentum));
    let lanes = added(update(&mut now, Action::Accept, &session()));
    assert_eq!(lanes[0].scope, Some(Scope::Batch));
    assert!(matches!(lanes[0].optimizer, Some(OptimizerSpec::Adam { .. })));
}

#[test]
fn a_change_reaches_every_seed_and_says_what_it_changes() {
    let mut now = form(Action::EditLane, 2);
    assert!(matches!(&opened(&now).purpose, Purpose::Change { lanes, .. } if *lanes == [2, 3]));
    assert!(opened(&now).changes().is_empty());
    write(&mut now, &FieldId::Rate, "0.3");
    write(&mut now, &param("depth"), "2");
    assert_eq!(opened(&now).changes(), ["depth 1 → 2", "lr 0.1 → 0.3"]);
    let effects = update(&mut now, Action::Accept, &session());
    let lanes: Vec<usize> = effects
        .iter()
        .map(|effect| match effect {
            Effect::Send(Command::Retune(lane, spec)) => {
                assert_eq!(spec.optimizer.unwrap().lr(), 0.3);
                *lane
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(lanes, [2, 3]);
}

#[test]
fn what_cannot_change_while_running_says_so() {
    let mut now = form(Action::EditLane, 2);
    for id in [FieldId::Strategy, FieldId::Seeds, FieldId::Name] {
        go(&mut now, &id);
        let before = opened(&now).value(&id).to_owned();
        for action in [Action::Type('z'), Action::Erase, Action::Delete, Action::Cursor(1)] {
            update(&mut now, action, &session());
        }
        assert_eq!(opened(&now).value(&id), before);
        assert!(opened(&now).fields().iter().any(|field| field.id == id && field.locked.is_some()));
    }
}

#[test]
fn lanes_that_have_ended_and_sessions_without_strategies_open_no_form() {
    let ended = Synthetic::new(1, 5000, 5000, false).snapshot();
    let mut now = State::default();
    update(&mut now, Action::EditLane, &ended);
    assert!(now.notice.as_ref().is_some_and(|text| text.contains("has ended; c copies it")), "{:?}", now.notice);
    let mut now = State::default();
    update(&mut now, Action::NewLane, &Snapshot::default());
    assert_eq!((now.overlay.is_none(), now.notice.is_some()), (true, true));
}

#[test]
fn pictures_of_the_forms() {
    let mut wrong = form(Action::EditLane, 2);
    write(&mut wrong, &param("depth"), "12");
    for (name, state, size) in [
        ("lane_new_120x40", form(Action::NewLane, 0), (120, 40)),
        ("lane_edit_80x24", wrong, (80, 24)),
        ("lane_copy_40x12", form(Action::CopyLane, 0), (40, 12)),
    ] {
        insta::assert_snapshot!(name, text(&State { size, ..state }, size, &Theme::default()));
    }
}

fn text(state: &State, (width, height): (u16, u16), theme: &Theme) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let session = session();
    let frame =
        terminal.draw(|frame| drop(draw(state, &session, theme, &Derived::default(), frame.buffer_mut()))).unwrap();
    let rows = frame.buffer.content().chunks(usize::from(width));
    rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>().trim_end().to_owned() + "\n").collect()
}

fn any_key() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => prop_oneof![Just('0'), Just('1'), Just('9'), Just('.'), Just('-'), Just('a'), Just('é'), Just(' '), any::<char>()]
            .prop_map(Action::Type),
        2 => Just(Action::FocusNext),
        1 => Just(Action::FocusPrevious),
        1 => Just(Action::Erase),
        1 => Just(Action::Delete),
        2 => prop_oneof![Just(-1i8), Just(1), Just(i8::MIN), Just(i8::MAX)].prop_map(Action::Cursor),
        1 => (-12i8..12).prop_map(Action::Scroll),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(11), ..ProptestConfig::with_cases(192) })]

    #[test]
    fn no_keys_break_a_form(
        keys in prop::collection::vec(any_key(), 0..60), selected in 0usize..10, open in 0u8..3,
        width in 1u16..140, height in 1u16..50,
    ) {
        let action = [Action::NewLane, Action::CopyLane, Action::EditLane][usize::from(open)].clone();
        let mut now = form(action, selected);
        for key in keys {
            prop_assert_eq!(update(&mut now, key, &session()), []);
            let form = opened(&now);
            let fields = form.fields();
            let field = fields.iter().find(|field| field.id == form.focus);
            prop_assert!(field.is_some_and(|field| form.cursor <= field.value.chars().count()), "{:?}", form.focus);
        }
        text(&now, (width, height), &Theme { tier: Tier::Mono, ascii: true, ..Theme::default() });
        // A form that sends something sends only what is sound; one that does not points at what is wrong.
        let mut sent = opened(&now).clone();
        let faults = sent.faults();
        match reduce(&mut sent, Action::Accept) {
            Outcome::Stay => prop_assert!(faults.iter().any(|(id, _)| *id == sent.focus)),
            Outcome::Send(commands) => {
                prop_assert!(faults.is_empty() && !commands.is_empty());
                for command in commands {
                    let (Command::Add(spec, _) | Command::Retune(_, spec)) = command else { panic!("{command:?}") };
                    prop_assert_eq!(session().offers.faults(&spec), []);
                }
            }
        }
    }

    #[test]
    fn a_form_that_is_opened_and_accepted_changes_nothing(selected in 0usize..10) {
        let mut now = form(Action::EditLane, selected);
        prop_assert!(opened(&now).changes().is_empty());
        for effect in update(&mut now, Action::Accept, &session()) {
            let Effect::Send(Command::Retune(lane, spec)) = effect else { panic!("{effect:?}") };
            let before = &session().lanes[lane].info.spec;
            let resolved = before.resolved(&session().offers.defaults);
            prop_assert!(differences(&resolved, &spec).is_empty(), "{:?}", differences(&resolved, &spec));
        }
    }
}
