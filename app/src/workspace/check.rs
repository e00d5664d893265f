//! What a well-formed workspace may still get wrong: empty lists, sizes of zero, rates out of range, a sweep of a field
//! that no lane has, a target that is never measured. Each finding names its place in the file.

use super::diagnostic::{Place, nearest};
use super::facts::exclusion;
use super::grid::of_member;
use super::outline::Node;
use super::rules::check_lane;
use super::{
    Budget, ConvSpec, Diagnostic, Document, EditError, LaneDefaults, LaneSpec, LocalMixerSpec, MixerSpec, MlpSpec,
    ModelSpec, NetworkProblem, PoolSpec, Problem, ResnetSpec, TransformerSpec, apply_axis, edit, path,
};
use crate::filter::{self, Asked, Numeric};
use std::collections::BTreeMap;

/// Everything that is wrong with the document.
pub(super) fn check(document: &Document) -> Vec<Diagnostic> {
    let mut check = Check { document, outline: Node::parse(&document.text), found: Vec::new() };
    check.run();
    check.found
}

/// The largest size of a model: that of two in a product, in an example's rows and in bytes still is a number of 64 bits.
const LARGEST: usize = 1 << 24;

/// Of a path into `of` that leads nowhere.
const NO_MEMBER: &str = "no lane is a mixture that has this in `of`";

struct Check<'a> {
    document: &'a Document,
    outline: Option<Node>,
    found: Vec<Diagnostic>,
}

impl Check<'_> {
    /// Notes that `message` holds of the value at `at`, unless `fine`.
    fn need(&mut self, fine: bool, at: &str, message: impl Into<String>) {
        if !fine {
            self.report(at, message.into(), None);
        }
    }

    fn report(&mut self, at: &str, message: String, hint: Option<String>) {
        let document = self.document;
        let changed = document.changed.iter().find(|(path, _)| at.starts_with(path.as_str())).map(|(_, by)| by);
        let place = match (&self.outline, path::parse(at)) {
            (Some(outline), Ok(path)) if changed.is_none() => {
                let (node, depth) = outline.follow(&path);
                let length = if depth == path.len() { node.span.len() } else { 1 };
                Some(Place::of(&document.text, node.span.start..node.span.start + length))
            }
            _ => None,
        };
        let message = changed.map_or(message.clone(), |by| format!("`{at}` as set {by}: {message}"));
        self.found.push(Diagnostic::new(&document.label, &document.text, place, message, hint));
    }

    fn run(&mut self) {
        let document = self.document;
        let workspace = &document.workspace;
        let Problem::Network(problem) = &workspace.problem;
        self.network(problem);
        self.defaults(&workspace.defaults);
        self.need(!workspace.lanes.is_empty(), "lanes", "at least one lane is needed");
        for (index, lane) in workspace.lanes.iter().enumerate() {
            let at = format!("lanes[{index}]");
            self.need(!lane.strategy.trim().is_empty(), &format!("{at}.strategy"), "the strategy has no name");
            self.settings(&at, lane);
            if let Some(seeds) = &lane.seeds {
                self.seeds(&format!("{at}.seeds"), seeds);
            }
        }
        self.names(&workspace.lanes);
        self.sweep();
        self.exclude();
        self.stop(problem);
        self.budget();
        self.tune(problem);
        self.seeds("seeds", &workspace.seeds);
        self.need(workspace.steps > 0, "steps", "expected at least 1 step");
        let seconds = workspace.seconds.is_none_or(|seconds| seconds > 0.0 && seconds.is_finite());
        self.need(seconds, "seconds", "expected a time above 0");
        let rate = workspace.measure.one_step_rate;
        self.need(rate > 0.0 && rate.is_finite(), "measure.one_step_rate", "expected a step size above 0");
        let guesses = workspace.measure.bias_guesses;
        let top = workspace.measure.hessian_top;
        self.need((1..=200).contains(&top), "measure.hessian_top", "expected 1 to 200 eigenvalues a probe");
        self.need((2..=100_000).contains(&guesses), "measure.bias_guesses", "expected 2 to 100 000 guesses a probe");
    }

    fn network(&mut self, problem: &NetworkProblem) {
        self.need(problem.batch > 0, "problem.batch", "expected at least 1 example in a batch");
        let data = &problem.data;
        self.need(!data.name.trim().is_empty(), "problem.data.name", "the data set has no name");
        let share = (0.0..=0.9).contains(&data.validation);
        self.need(share, "problem.data.validation", "expected a share from 0 to 0.9");
        self.need(data.limit != Some(0), "problem.data.limit", "expected at least 1 training example");
        match &problem.model {
            ModelSpec::Mlp(MlpSpec { hidden, .. }) => self.widths(hidden),
            ModelSpec::Conv(ConvSpec { layers, hidden, groups, .. }) => {
                self.widths(hidden);
                self.need(*groups <= LARGEST, "problem.model.groups", format!("expected at most {LARGEST}"));
                self.need(!layers.is_empty(), "problem.model.layers", "expected at least one convolution");
                for (index, layer) in layers.iter().enumerate() {
                    let pool = match layer.pool {
                        PoolSpec::None => 1,
                        PoolSpec::Average(side) | PoolSpec::Max(side) => side,
                    };
                    let sizes = [("channels", layer.channels), ("kernel", layer.kernel), ("stride", layer.stride)];
                    for (field, size) in sizes.into_iter().chain([("pool", pool)]) {
                        self.size(size, &format!("problem.model.layers[{index}].{field}"), "a number");
                    }
                    let at = format!("problem.model.layers[{index}].padding");
                    self.need(layer.padding <= LARGEST, &at, format!("expected at most {LARGEST}"));
                }
            }
            ModelSpec::Resnet(ResnetSpec { stages, groups, .. }) => {
                self.need(!stages.is_empty(), "problem.model.stages", "expected at least one stage");
                for (index, stage) in stages.iter().enumerate() {
                    let sizes = [("channels", stage.channels), ("blocks", stage.blocks), ("stride", stage.stride)];
                    for (field, size) in sizes {
                        self.size(size, &format!("problem.model.stages[{index}].{field}"), "a number");
                    }
                }
                self.sizes(&[("groups", groups)]);
            }
            ModelSpec::Mixer(MixerSpec { patch, width, blocks, token_hidden, channel_hidden, .. }) => {
                self.sizes(&[
                    ("patch", patch),
                    ("width", width),
                    ("blocks", blocks),
                    ("token_hidden", token_hidden),
                    ("channel_hidden", channel_hidden),
                ]);
            }
            ModelSpec::LocalMixer(LocalMixerSpec { patch, width, groups, blocks, .. }) => {
                self.sizes(&[("patch", patch), ("width", width), ("groups", groups), ("blocks", blocks)]);
            }
            ModelSpec::Transformer(TransformerSpec { patch, width, blocks, heads, hidden, .. }) => {
                self.sizes(&[
                    ("patch", patch),
                    ("width", width),
                    ("blocks", blocks),
                    ("heads", heads),
                    ("hidden", hidden),
                ]);
            }
        }
    }

    fn sizes(&mut self, sizes: &[(&str, &usize)]) {
        for (field, size) in sizes {
            self.size(**size, &format!("problem.model.{field}"), "a number");
        }
    }

    fn widths(&mut self, hidden: &[usize]) {
        for (index, &width) in hidden.iter().enumerate() {
            self.size(width, &format!("problem.model.hidden[{index}]"), "a width");
        }
    }

    /// Notes a size of the model that is zero, or so large that sums and products of sizes no longer are numbers.
    fn size(&mut self, size: usize, at: &str, what: &str) {
        self.need((1..=LARGEST).contains(&size), at, format!("expected {what} from 1 to {LARGEST}"));
    }

    fn defaults(&mut self, defaults: &LaneDefaults) {
        let nothing = LaneSpec {
            strategy: String::new(),
            name: None,
            params: BTreeMap::new(),
            of: Vec::new(),
            scope: None,
            guesses: None,
            at_once: None,
            combine: None,
            scaling: None,
            normalise: None,
            clip: None,
            source: None,
            output: None,
            losses: None,
            optimizer: None,
            schedule: None,
            seeds: None,
        };
        let LaneDefaults { guesses, clip, source, optimizer, schedule, .. } = *defaults;
        self.settings("defaults", &LaneSpec { guesses, clip, source, optimizer, schedule, ..nothing });
    }

    fn settings(&mut self, at: &str, lane: &LaneSpec) {
        for (field, message) in check_lane(lane, self.document.workspace.steps) {
            self.report(&format!("{at}.{field}"), message, None);
        }
    }

    fn seeds(&mut self, at: &str, seeds: &[u64]) {
        self.need(!seeds.is_empty(), at, "at least one seed is needed");
        for (index, seed) in seeds.iter().enumerate() {
            let fine = !seeds[..index].contains(seed);
            self.need(fine, &format!("{at}[{index}]"), format!("seed {seed} stands here a second time"));
        }
    }

    fn names(&mut self, lanes: &[LaneSpec]) {
        for (index, lane) in lanes.iter().enumerate() {
            let Some(name) = &lane.name else { continue };
            let at = format!("lanes[{index}].name");
            self.need(!name.trim().is_empty(), &at, "the name is empty; leave it out to have one made");
            let earlier = lanes[..index].iter().any(|other| other.name.as_ref() == Some(name));
            self.need(!earlier, &at, format!("an earlier lane is called `{name}` too"));
        }
    }

    fn sweep(&mut self) {
        let document = self.document;
        let workspace = &document.workspace;
        let strategies: Vec<&str> = workspace.lanes.iter().map(|lane| lane.strategy.as_str()).collect();
        let found = self.found.len();
        for (place, axis) in workspace.sweep.iter().enumerate() {
            let at = format!("sweep[{place}]");
            self.need(!axis.values.is_empty(), &format!("{at}.values"), "an axis needs at least one value");
            for (index, name) in axis.only.iter().enumerate() {
                if !strategies.contains(&name.as_str()) {
                    let hint = nearest(name, &strategies, "strategies of the lanes");
                    self.report(
                        &format!("{at}.only[{index}]"),
                        format!("no lane has the strategy `{name}`"),
                        Some(hint),
                    );
                }
            }
            let concerned = workspace.lanes.iter().filter(|lane| axis.concerns(lane)).collect::<Vec<_>>();
            let fine = !concerned.is_empty() || of_member(&axis.path).is_none();
            self.need(fine, &format!("{at}.path"), NO_MEMBER);
            for (index, value) in axis.values.iter().enumerate() {
                self.value(&at, &axis.path, "path", index, value, &concerned);
            }
        }
        if found == self.found.len()
            && let Err(error) = workspace.grid()
        {
            self.report("sweep", error.message, error.hint);
        }
    }

    fn exclude(&mut self) {
        let found = self.found.len();
        let workspace = &self.document.workspace;
        for (index, text) in workspace.exclude.iter().enumerate() {
            if let Err(message) = exclusion(text) {
                self.report(&format!("exclude[{index}]"), message, None);
            }
        }
        let none = !workspace.lanes.is_empty() && workspace.grid().is_ok_and(|runs| runs.is_empty());
        if found == self.found.len() && !workspace.exclude.is_empty() && none {
            self.report("exclude", "every run is left out".into(), None);
        }
    }

    fn stop(&mut self, problem: &NetworkProblem) {
        let workspace = &self.document.workspace;
        let Some(stop) = &workspace.stop else { return };
        let filter = match filter::parse(&stop.when) {
            Ok(filter) => filter,
            Err(error) => return self.report("stop.when", error.to_string(), None),
        };
        let asks = filter.asks();
        self.need(!asks.is_empty(), "stop.when", "expected what a lane ends at, as test_accuracy >= 0.8");
        let measure = &workspace.measure;
        for asked in asks {
            let Asked::Number(number) = asked else { continue };
            let (measured, fix) = match number {
                Numeric::TestLoss | Numeric::TestAccuracy | Numeric::BestTestAccuracy => {
                    (measure.test > 0, "set `test` in `measure`")
                }
                Numeric::ValidationLoss | Numeric::ValidationAccuracy => (
                    measure.test > 0 && problem.data.validation > 0.0,
                    "set `validation` in the problem's data, and `test` in `measure`",
                ),
                Numeric::GeneralisationGap => {
                    (measure.test > 0 && measure.train > 0, "set `test` and `train` in `measure`")
                }
                Numeric::MeanCosine => (measure.alignment > 0, "set `alignment` in `measure`"),
                _ => continue,
            };
            if !measured {
                let message = format!("`{}` is not measured while a lane runs", number.name());
                self.report("stop.when", message, Some(fix.into()));
            }
        }
    }

    fn budget(&mut self) {
        let Some(Budget { examples, derivatives, flop, seconds }) = self.document.workspace.budget else { return };
        self.need(examples != Some(0), "budget.examples", "expected at least 1 example");
        self.need(derivatives != Some(0), "budget.derivatives", "expected at least 1 directional derivative");
        let above = |value: Option<f64>| value.is_none_or(|value| value > 0.0 && value.is_finite());
        self.need(above(flop), "budget.flop", "expected a number of operations above 0");
        self.need(above(seconds), "budget.seconds", "expected a time above 0");
    }

    fn tune(&mut self, problem: &NetworkProblem) {
        let document = self.document;
        let Some(tune) = &document.workspace.tune else { return };
        if problem.data.validation == 0.0 {
            let hint = "set `validation: 0.1` in the problem's data, say";
            self.report("tune", "tuning needs a validation split".into(), Some(hint.into()));
        }
        self.need(!tune.values.is_empty(), "tune.values", "tuning needs at least one candidate");
        self.need(tune.steps != Some(0), "tune.steps", "expected at least 1 step");
        let lanes = &document.workspace.lanes;
        let concerned: Vec<&LaneSpec> = lanes.iter().filter(|lane| tune.concerns(lane)).collect();
        let missing = if of_member(&tune.over).is_some() { NO_MEMBER } else { "no lane has this to choose" };
        self.need(!concerned.is_empty() || lanes.is_empty(), "tune.over", missing);
        for (index, value) in tune.values.iter().enumerate() {
            self.value("tune", &tune.over, "over", index, value, &concerned);
        }
    }

    /// A value of an axis or of a tuning, tried on each lane that it concerns; the first refusal is reported.
    fn value(
        &mut self,
        at: &str,
        path: &str,
        field: &str,
        index: usize,
        value: &super::AxisValue,
        lanes: &[&LaneSpec],
    ) {
        if path.starts_with("problem.") && field == "path" {
            return self.value_of_problem(at, path, index, value);
        }
        let defaults = &self.document.workspace.defaults;
        for lane in lanes {
            match apply_axis(&lane.resolved(defaults), path, value) {
                Ok(changed) => {
                    // Its settings must be sound too: a rate of −1 is a number, but no rate.
                    let before = self.found.len();
                    self.settings(&format!("{at}.values[{index}]"), &changed);
                    self.settings_of_lane_only(before, lane);
                    if self.found.len() > before {
                        self.found.truncate(before + 1);
                        return;
                    }
                }
                Err(error) => return self.refused(at, field, index, error),
            }
        }
    }

    /// A value of an axis of the problem: what it makes of it must be sound.
    fn value_of_problem(&mut self, at: &str, path: &str, index: usize, value: &super::AxisValue) {
        let document = self.document;
        match edit::apply_problem(&document.workspace.problem, path, value) {
            Err(error) => self.refused(at, "path", index, error),
            Ok(Problem::Network(changed)) => {
                let before = self.found.len();
                self.network(&changed);
                let after = self.found.split_off(before);
                let Problem::Network(own) = &document.workspace.problem;
                self.network(own);
                let known: Vec<String> = self.found.split_off(before).into_iter().map(|found| found.message).collect();
                if let Some(new) = after.into_iter().find(|found| !known.contains(&found.message)) {
                    self.report(&format!("{at}.values[{index}]"), new.message, new.hint);
                }
            }
        }
    }

    /// A path that does not exist is wrong for every value: it is said once, at the path.
    fn refused(&mut self, at: &str, field: &str, index: usize, error: EditError) {
        let unknown = error.message.starts_with("unknown field") || error.message.contains("there is no");
        match (unknown, index) {
            (true, 0) => self.report(&format!("{at}.{field}"), error.message, error.hint),
            (true, _) => {}
            (false, _) => self.report(&format!("{at}.values[{index}]"), error.message, error.hint),
        }
    }

    /// Forgets findings from `before` on that the lane has without the changed value: they are reported at the lane.
    fn settings_of_lane_only(&mut self, before: usize, lane: &LaneSpec) {
        let defaults = &self.document.workspace.defaults;
        let after = self.found.split_off(before);
        self.settings("lanes", &lane.resolved(defaults));
        let own: Vec<String> = self.found.split_off(before).into_iter().map(|found| found.message).collect();
        self.found.extend(after.into_iter().filter(|found| !own.contains(&found.message)));
    }
}
