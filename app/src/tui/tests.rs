//! Properties of the reducer, pictures of the screen with their colours, and the screen at every size.

use super::action::{ACTIONS, Action};
use super::chart::Scale;
use super::draw::draw;
use super::panes::{PANES, PaneId};
use super::smooth::Derived;
use super::state::{Overlay, State, Window};
use super::synthetic::Synthetic;
use super::theme::{Theme, Tier};
use super::update::{Effect, update};
use super::view::Band;
use super::{Hit, Target};
use crate::session::Source;
use crate::session::protocol::{Command, Snapshot, Status, Until};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;
use std::fmt::Write;
use std::sync::{Arc, OnceLock};

/// A session that all tests read: five lanes, three seeds, the last diverged.
fn session() -> Arc<Snapshot> {
    static SESSION: OnceLock<Arc<Snapshot>> = OnceLock::new();
    Arc::clone(SESSION.get_or_init(|| Synthetic::new(1, 1240, 5000, true).snapshot()))
}

fn with_status(status: Status) -> Snapshot {
    Snapshot { status, ..Snapshot::clone(&session()) }
}

fn screen(state: &State, snapshot: &Snapshot, theme: &Theme, size: (u16, u16)) -> (Buffer, Vec<Hit>) {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    let mut hits = Vec::new();
    let frame = terminal.draw(|frame| hits = draw(state, snapshot, theme, &Derived::default(), frame.buffer_mut()));
    (frame.unwrap().buffer.clone(), hits)
}

/// The text of a screen, then for each row the runs of equal colours, so that a changed colour is a changed picture.
pub(super) fn picture(buffer: &Buffer) -> String {
    let mut text = String::new();
    let width = usize::from(buffer.area.width).max(1);
    for row in buffer.content().chunks(width) {
        let line: String = row.iter().map(|cell| cell.symbol()).collect();
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let name = |colour: Color| match colour {
        Color::Reset => "-".to_owned(),
        Color::Rgb(r, g, b) => format!("{r:02x}{g:02x}{b:02x}"),
        other => format!("{other:?}"),
    };
    text.push_str("colours: column fg/bg\n");
    for (y, row) in buffer.content().chunks(width).enumerate() {
        let mut before = None;
        let _ = write!(text, "{y:>3}");
        for (x, cell) in row.iter().enumerate() {
            let ink = if cell.symbol() == " " { Color::Reset } else { cell.fg };
            let colours = (ink, cell.bg);
            if before != Some(colours) {
                let _ = write!(text, " {x}:{}/{}", name(ink), name(cell.bg));
                before = Some(colours);
            }
        }
        text.push('\n');
    }
    text
}

fn state(size: (u16, u16)) -> State {
    State { size, ..State::default() }
}

fn press(state: &mut State, actions: &[Action]) -> Vec<Effect> {
    actions.iter().flat_map(|action| update(state, action.clone(), &session())).collect()
}

#[test]
fn pictures_of_every_class_of_terminal() {
    for (width, height) in [(200, 50), (80, 24), (40, 12), (20, 5)] {
        let (buffer, _) = screen(&state((width, height)), &session(), &Theme::default(), (width, height));
        insta::assert_snapshot!(format!("screen_{width}x{height}"), picture(&buffer));
    }
}

#[test]
fn pictures_of_the_crosshair_the_palette_and_the_help() {
    let mut crosshair = state((120, 36));
    press(&mut crosshair, &[Action::Crosshair(-1), Action::Crosshair(-10), Action::Crosshair(-10), Action::NextLayer]);
    let mut palette = state((80, 24));
    press(&mut palette, &[Action::Palette, Action::Type('l'), Action::Type('o'), Action::Type('g')]);
    let mut help = state((80, 24));
    press(&mut help, &[Action::Help]);
    for (name, state) in [("crosshair", crosshair), ("palette", palette), ("help", help)] {
        let (buffer, _) = screen(&state, &session(), &Theme::default(), state.size);
        insta::assert_snapshot!(name, picture(&buffer));
    }
}

#[test]
fn pictures_of_a_session_that_starts_and_of_one_that_failed() {
    let title = "fashion-mini · mlp 784-128-128-128-10".to_owned();
    let starting = Snapshot { title: title.clone(), steps: 5000, ..Snapshot::default() };
    let (buffer, _) = screen(&state((120, 36)), &starting, &Theme::default(), (120, 36));
    insta::assert_snapshot!("starting", picture(&buffer));
    let status = Status::Failed("data folder /data/mnist: no train-images-idx3-ubyte".to_owned());
    let failed = Snapshot { status, title, steps: 5000, ..Snapshot::default() };
    let (buffer, _) = screen(&state((80, 24)), &failed, &Theme::default(), (80, 24));
    insta::assert_snapshot!("failed", picture(&buffer));
}

#[test]
fn pictures_without_colours_and_without_unicode() {
    let theme = Theme { tier: Tier::Mono, ascii: true, ..Theme::default() };
    let (buffer, _) = screen(&state((120, 36)), &session(), &theme, (120, 36));
    insta::assert_snapshot!("mono_ascii", picture(&buffer));
    for cell in buffer.content() {
        assert!(cell.symbol().is_ascii(), "{:?}", cell.symbol());
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{:?}", cell.symbol());
    }
}

#[test]
fn each_tier_keeps_to_its_colours() {
    for (tier, allowed) in [
        (Tier::Ansi16, (|c| !matches!(c, Color::Rgb(..) | Color::Indexed(_))) as fn(Color) -> bool),
        (Tier::Ansi256, |c| matches!(c, Color::Indexed(16..) | Color::Reset)),
        (Tier::True, |c| matches!(c, Color::Rgb(..) | Color::Reset)),
    ] {
        for dark in [true, false] {
            let theme = Theme { tier, dark, ..Theme::default() };
            let (buffer, _) = screen(&state((200, 50)), &session(), &theme, (200, 50));
            assert!(buffer.content().iter().all(|cell| allowed(cell.fg) && allowed(cell.bg)), "{tier:?}");
        }
    }
}

#[test]
fn a_diverged_lane_is_marked_where_it_broke() {
    let (buffer, _) = screen(&state((200, 50)), &session(), &Theme::default(), (200, 50));
    let theme = Theme::default();
    let marks: Vec<Color> = buffer.content().iter().filter(|cell| cell.symbol() == "✕").map(|cell| cell.fg).collect();
    assert!(marks.contains(&theme.lane_faint(4, 0.8)), "the loss pane marks the NaN in the lane's colour");
    assert!(picture(&buffer).contains("weight-perturbation diverged: loss is NaN at step 700"));
}

#[test]
fn the_numbers_on_screen_are_those_of_the_history() {
    use crate::record::{Key, Quantity};
    let mut chosen = state((200, 50));
    press(&mut chosen, &[Action::Crosshair(-1), Action::Crosshair(-10)]);
    let step = chosen.crosshair.unwrap();
    let (buffer, _) = screen(&chosen, &session(), &Theme::default(), (200, 50));
    let text = picture(&buffer);
    let lane = &session().lanes[1];
    for site in 0..4 {
        let (_, value) = lane.history.series(Key::site(Quantity::Cosine, site)).unwrap().at(step).unwrap();
        assert!(text.contains(&super::format::value(value)), "layer {site} at step {step}: {value}");
    }
}

#[test]
fn a_session_without_lanes_or_data_has_a_screen() {
    for (width, height) in [(200, 50), (80, 24), (40, 12), (3, 2)] {
        screen(&state((width, height)), &Snapshot::default(), &Theme::default(), (width, height));
        let fresh = Synthetic::new(2, 0, 5000, false).snapshot();
        screen(&state((width, height)), &fresh, &Theme::default(), (width, height));
        let one = Synthetic::new(1, 1, 5000, false).snapshot();
        screen(&state((width, height)), &one, &Theme::default(), (width, height));
    }
}

/// Many lanes of long names over many layers, as a sweep on a mixer has.
fn crowd(lanes: usize, sites: usize) -> Snapshot {
    let session = session();
    let view = |lane: usize| {
        let model = &session.lanes[lane % session.lanes.len()];
        let mut info = crate::record::LaneInfo::clone(&model.info);
        info.lane = lane;
        info.name = format!("{} 漢字 η {lane} of a sweep", info.name);
        info.sites = (0..sites).map(|site| format!("block{site}.token.fc1")).collect();
        crate::session::protocol::LaneView { info: Arc::new(info), ..model.clone() }
    };
    Snapshot { lanes: (0..lanes).map(view).collect(), ..Snapshot::clone(&session) }
}

#[test]
fn many_lanes_and_layers_fit_anywhere() {
    for (lanes, sites) in [(40, 60), (200, 3), (1, 300), (3, 0)] {
        let snapshot = crowd(lanes, sites);
        for (width, height) in [(200, 50), (116, 26), (100, 50), (80, 24), (64, 16), (40, 12), (30, 6), (1, 1)] {
            for layout in 1..=5 {
                let mut now = State { layout, crosshair: Some(600), ..state((width, height)) };
                for _ in 0..lanes.min(45) {
                    update(&mut now, Action::NextLane, &snapshot);
                }
                let (buffer, _) = screen(&now, &snapshot, &Theme::default(), (width, height));
                assert_eq!(buffer.area.area(), u32::from(width) * u32::from(height));
            }
        }
    }
}

#[test]
fn the_selected_lane_of_many_is_in_the_list() {
    let snapshot = crowd(60, 4);
    let mut now = state((200, 50));
    for _ in 0..45 {
        update(&mut now, Action::NextLane, &snapshot);
    }
    let id = now.selected.unwrap();
    assert!(id >= 45);
    let (_, hits) = screen(&now, &snapshot, &Theme::default(), (200, 50));
    assert!(hits.iter().any(|hit| hit.target == Target::Lane(id)));
}

#[test]
fn pausing_and_quitting() {
    let mut now = State::default();
    assert_eq!(update(&mut now, Action::TogglePause, &with_status(Status::Running)), [Effect::Send(Command::Pause)]);
    assert_eq!(update(&mut now, Action::TogglePause, &with_status(Status::Paused)), [Effect::Send(Command::Resume)]);
    assert_eq!(update(&mut now, Action::Step(1), &with_status(Status::Paused)), [Effect::Send(Command::Step(1))]);
    assert_eq!(update(&mut now, Action::Quit, &with_status(Status::Running)), []);
    assert!(matches!(now.overlay, Some(Overlay::Confirm { .. })));
    assert_eq!(update(&mut now, Action::Back, &with_status(Status::Running)), []);
    assert_eq!(now.overlay, None);
    update(&mut now, Action::Quit, &with_status(Status::Running));
    let effects = update(&mut now, Action::Type('y'), &with_status(Status::Running));
    assert_eq!(effects, [Effect::Send(Command::Stop), Effect::Quit]);
    assert_eq!(
        update(&mut now, Action::Quit, &with_status(Status::Finished)),
        [Effect::Send(Command::Stop), Effect::Quit]
    );
}

#[test]
fn dropping_and_retuning_reach_every_seed() {
    let seeds = Synthetic::new(3, 40, 5000, false).snapshot();
    let mut now = State { selected: Some(3), ..State::default() };
    let effects = update(&mut now, Action::RateUp, &seeds);
    let expected: Vec<Effect> = (3..6).map(|lane| Effect::Send(Command::LearningRate(lane, 0.316))).collect();
    assert_eq!(effects, expected);
    let effects = update(&mut now, Action::RateDown, &seeds);
    assert_eq!(effects[0], Effect::Send(Command::LearningRate(3, 0.0316)));
    assert_eq!(update(&mut now, Action::DropLane, &seeds), []);
    let effects = update(&mut now, Action::Accept, &seeds);
    assert_eq!(effects, (3..6).map(|lane| Effect::Send(Command::Drop(lane))).collect::<Vec<_>>());
}

#[test]
fn runs_go_on_to_a_step_an_epoch_or_a_target() {
    let mut now = State::default();
    let sent = |now: &mut State, action| update(now, action, &session());
    // 1240 steps taken, 11 in an epoch: the next one ends at 1243.
    assert_eq!(sent(&mut now, Action::RunEpochs(1)), [Effect::Send(Command::RunUntil(Until::Step(1243)))]);
    assert_eq!(sent(&mut now, Action::RunEpochs(3)), [Effect::Send(Command::RunUntil(Until::Step(1265)))]);
    assert_eq!(sent(&mut now, Action::RunTo(2000)), [Effect::Send(Command::RunUntil(Until::Step(2000)))]);
    assert_eq!(sent(&mut now, Action::RunTo(1240)), []);
    assert!(now.notice.as_ref().is_some_and(|text| text.contains("passed already")), "{:?}", now.notice);
    let target = Until::Meets(Arc::new(crate::filter::parse("loss<0.5").unwrap()));
    assert_eq!(sent(&mut now, Action::RunUntil("loss<0.5".to_owned())), [Effect::Send(Command::RunUntil(target))]);
    assert_eq!(sent(&mut now, Action::RunUntil("loss<".to_owned())), []);
    assert_eq!(sent(&mut now, Action::Stop), []);
    assert_eq!(sent(&mut now, Action::Accept), [Effect::Send(Command::Stop)]);
}

#[test]
fn a_filter_hides_lanes_and_keeps_their_colours() {
    let mut now = state((120, 36));
    press(&mut now, &[Action::Filter("strategy=activ*".to_owned())]);
    let session = session();
    let lanes = super::lanes::shown(&now, &session);
    let names: Vec<(&str, usize)> = lanes.iter().map(|group| (group.name.as_str(), group.colour)).collect();
    assert_eq!(names, [("activation-mixing", 2), ("activity-perturbation", 3)]);
    assert_eq!(now.selected, Some(2));
    press(&mut now, &[Action::NextLane, Action::NextLane]);
    assert_eq!(now.selected, Some(3));
    press(&mut now, &[Action::Filter("loss<0".to_owned())]);
    assert!(now.notice.as_ref().is_some_and(|text| text.contains("no lane meets loss<0")));
    screen(&now, &session, &Theme::default(), (120, 36));
    press(&mut now, &[Action::Filter(String::new())]);
    assert_eq!(super::lanes::shown(&now, &session).len(), 5);
}

#[test]
fn the_figures_that_filters_ask_for_are_those_of_reports() {
    use crate::filter::{Facts, Numeric};
    use crate::record::{Key, Observer, Quantity, StepReport, tally::Tally};
    let session = session();
    let lane = &session.lanes[1];
    let mut tally = Tally::new("", None);
    tally.lane_started(&lane.info);
    let series = |quantity| lane.history.series(Key::whole(quantity)).unwrap();
    for quantity in [Quantity::Loss, Quantity::TestAccuracy, Quantity::Cosine] {
        let series = series(quantity);
        for (step, value) in (0..series.len()).filter_map(|index| series.get(index)) {
            let values = vec![(Key::whole(quantity), value)];
            tally.step(&StepReport {
                lane: 1,
                step,
                values,
                metrics: Vec::new(),
                spectra: Vec::new(),
                seconds: Default::default(),
            });
        }
    }
    let facts = super::lanes::facts(lane);
    for (field, figure) in [
        (Numeric::Loss, crate::record::summary::Figure::TrainLoss),
        (Numeric::TestAccuracy, crate::record::summary::Figure::TestAccuracy),
        (Numeric::BestTestAccuracy, crate::record::summary::Figure::BestTestAccuracy),
        (Numeric::MeanCosine, crate::record::summary::Figure::MeanCosine),
    ] {
        let reported = tally.summary(true).lanes[0].figures[&figure].0;
        let shown = facts.number(&field).unwrap();
        assert!((shown - reported).abs() <= 1e-12 * reported.abs(), "{field:?}: {shown} {reported}");
    }
}

#[test]
fn the_evidence_of_a_verdict_is_a_key_or_a_click_away() {
    let mut now = state((200, 50));
    assert_eq!(press(&mut now, &[Action::Evidence]), [Effect::Evidence]);
    let (_, hits) = screen(&now, &session(), &Theme::default(), (200, 50));
    let verdicts: Vec<_> = hits
        .iter()
        .filter_map(|hit| match hit.target {
            Target::Verdict(evidence) => Some((hit.area, evidence)),
            _ => None,
        })
        .collect();
    let (area, first) = verdicts.first().copied().expect("a lane has diverged");
    let click = crossterm::event::Event::Mouse(crossterm::event::MouseEvent {
        kind: crossterm::event::MouseEventKind::Down(crossterm::event::MouseButton::Left),
        column: area.x + 1,
        row: area.y,
        modifiers: crossterm::event::KeyModifiers::NONE,
    });
    let action = super::input::Input::default().action(&click, &now, &hits).unwrap();
    assert_eq!(action, Action::Look(first));
    press(&mut now, &[action]);
    assert_eq!((now.focus, now.zoomed, now.selected), (PaneId::Loss, true, Some(4)));
    assert_eq!((now.crosshair, now.window), (Some(700), Window::Fixed(600, 700)));
    press(&mut now, &[Action::Back, Action::Back, Action::Back]);
    assert_eq!((now.zoomed, now.crosshair, now.window), (false, None, Window::All));
}

#[test]
fn the_palette_does_what_it_names() {
    let mut now = State::default();
    let typed: Vec<Action> = "layout cu".chars().map(Action::Type).collect();
    press(&mut now, &[Action::Palette]);
    press(&mut now, &typed);
    press(&mut now, &[Action::Accept]);
    assert_eq!((now.layout, now.overlay), (2, None));
}

#[test]
fn selecting_stops_at_the_ends_and_follows_the_folding() {
    let seeds = Synthetic::new(3, 4, 5000, false).snapshot();
    let mut now = State::default();
    for _ in 0..9 {
        update(&mut now, Action::NextLane, &seeds);
    }
    assert_eq!(now.selected, Some(12));
    for _ in 0..9 {
        update(&mut now, Action::PreviousLane, &seeds);
    }
    assert_eq!(now.selected, Some(0));
}

#[test]
fn a_click_on_a_lane_selects_it() {
    let now = state((200, 50));
    let (_, hits) = screen(&now, &session(), &Theme::default(), (200, 50));
    let lane = hits.iter().find(|hit| hit.target == Target::Lane(3)).unwrap();
    let mut input = super::input::Input::default();
    let mouse = crossterm::event::MouseEvent {
        kind: crossterm::event::MouseEventKind::Down(crossterm::event::MouseButton::Left),
        column: lane.area.x + 4,
        row: lane.area.y,
        modifiers: crossterm::event::KeyModifiers::NONE,
    };
    let action = input.action(&crossterm::event::Event::Mouse(mouse), &now, &hits).unwrap();
    let mut now = now;
    press(&mut now, &[action]);
    assert_eq!(now.selected, Some(3));
}

#[test]
fn zooming_keeps_the_crosshair_in_view() {
    let mut now = State { crosshair: Some(300), ..State::default() };
    press(&mut now, &[Action::ZoomIn, Action::ZoomIn]);
    let Window::Fixed(first, last) = now.window else { panic!("{:?}", now.window) };
    assert!(first <= 300 && 300 <= last && last - first < 400);
    press(&mut now, &[Action::ZoomOut, Action::ZoomOut]);
    assert_eq!(now.window, Window::All);
}

fn any_band() -> impl Strategy<Value = Band> {
    (0..PANES.len(), any::<Option<(u64, u64)>>(), any::<Option<(u16, u16)>>()).prop_map(|(pane, across, along)| Band {
        pane: PANES[pane].id,
        across,
        along,
    })
}

fn any_action() -> impl Strategy<Value = Action> {
    let table = (0..ACTIONS.len()).prop_map(|index| ACTIONS[index].action.clone());
    let shows = (0..PANES.len()).prop_map(|index| Action::Show(PANES[index].id));
    let pointing = (any::<Option<u8>>(), any::<Option<u16>>(), any::<Option<u16>>(), 0..PANES.len()).prop_map(
        |(lane, step, layer, pane)| Action::Point {
            pane: Some(PANES[pane].id),
            lane: lane.map(usize::from),
            step: step.map(u64::from),
            layer,
        },
    );
    prop_oneof![
        12 => table,
        1 => shows,
        1 => pointing,
        1 => any::<char>().prop_map(Action::Type),
        1 => Just(Action::Erase),
        1 => Just(Action::Accept),
        1 => any::<i8>().prop_map(Action::Scroll),
        1 => any::<i8>().prop_map(Action::Crosshair),
        1 => any::<i8>().prop_map(Action::Pan),
        1 => any_band().prop_map(Action::Window),
        1 => any_band().prop_map(Action::Stretch),
        1 => (any::<u64>(), any::<bool>()).prop_map(|(at, closer)| Action::Magnify { at, closer }),
        1 => (0..PANES.len(), any::<u16>(), any::<bool>()).prop_map(|(pane, part, closer)| {
            Action::MagnifyValues { pane: PANES[pane].id, part, closer }
        }),
        1 => any::<u8>().prop_map(Action::Layout),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn no_sequence_of_actions_breaks_the_state(actions in prop::collection::vec(any_action(), 0..60), running in any::<bool>()) {
        let snapshot = with_status(if running { Status::Running } else { Status::Paused });
        let mut now = State::default();
        for action in actions {
            now.scales = vec![(super::panes::PaneId::Loss, Scale::linear(0.1, 2.0)), (now.focus, Scale::log(0.001, 1.0))];
            let effects = update(&mut now, action, &snapshot);
            prop_assert!(now.layout >= 1 && now.layout <= now.layouts.count());
            prop_assert!(now.values.iter().all(|values| values.low.is_finite() && values.low < values.high));
            // A filter may leave no lane to select.
            let chosen = now.selected.is_some_and(|id| snapshot.lanes.iter().any(|lane| lane.info.lane == id));
            prop_assert!(chosen || now.filter.is_some());
            prop_assert!(now.layer.is_none_or(|layer| layer < 4));
            let steps = now.steps(&snapshot);
            prop_assert!(steps.first < steps.last);
            let asked = matches!(now.overlay, Some(Overlay::Confirm { .. }));
            prop_assert!(!(asked && effects.contains(&Effect::Quit)));
            for effect in effects {
                if let Effect::Send(Command::LearningRate(_, rate)) = effect {
                    prop_assert!(rate > 0.0 && rate.is_finite());
                }
            }
        }
        // Whatever was done, this many escapes lead back to the whole run.
        for _ in 0..6 {
            update(&mut now, Action::Back, &snapshot);
        }
        prop_assert!(now.overlay.is_none() && !now.zoomed && now.crosshair.is_none() && now.window == Window::All);
        prop_assert!(now.values.is_empty());
    }

    #[test]
    fn any_state_can_be_drawn_at_any_size(
        actions in prop::collection::vec(any_action(), 0..30), width in 1u16..=220, height in 1u16..=60,
        seeds in 1u64..4, done in prop_oneof![Just(0u64), Just(1), Just(3), 10..800u64], tier in 0..4usize, ascii in any::<bool>(),
    ) {
        let snapshot = Synthetic::new(seeds, done, 5000, true).snapshot();
        let mut now = state((width, height));
        let (_, hits) = screen(&now, &snapshot, &Theme::default(), (width, height));
        super::navigate::saw(&mut now, &hits);
        for action in actions {
            update(&mut now, action, &snapshot);
        }
        let tier = [Tier::Mono, Tier::Ansi16, Tier::Ansi256, Tier::True][tier];
        let (_, hits) = screen(&now, &snapshot, &Theme { tier, dark: ascii, ascii, ..Theme::default() }, (width, height));
        for hit in hits {
            prop_assert!(hit.area.right() <= width && hit.area.bottom() <= height, "{:?}", hit);
        }
    }
}
