//! From a workspace to the runs it asks for: lanes × sweep × seeds, less what it leaves out, each with its problem, its
//! settings filled in and a name.

use super::facts::{Settings, exclusion};
use super::naming::settings;
use super::path::{self, Segment};
use super::short::token;
use super::{AxisValue, EditError, LaneDefaults, LaneSpec, Problem, Workspace, apply_axis, edit};
use crate::filter::Filter;
use std::collections::BTreeMap;

/// Id of the host's reference lane: the true gradient by backpropagation.
pub const BACKPROP: &str = "backprop";

/// Id of the host's sum of other strategies, those of [`LaneSpec::of`].
pub const MIXTURE: &str = "mixture";

/// Largest number of runs of one workspace.
pub const MOST_RUNS: usize = 100_000;

/// One run of the grid.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneRun {
    /// Place in the grid, from 0: lanes in order, within a lane the sweep's values, within those the seeds.
    pub index: usize,
    /// The lane of the file it comes from.
    pub lane: usize,
    /// Name for people, without the seed: runs that differ in the seed alone share it.
    pub name: String,
    /// Seed of initialisation and guesses.
    pub seed: u64,
    /// What it trains: the workspace's problem, with the sweep's values.
    pub problem: Problem,
    /// Its settings: the workspace's defaults and the built-in ones filled in, so that only `scope`, `at_once`, `clip` and
    /// `name` may be left open (a scope's default is the strategy's).
    pub spec: LaneSpec,
    /// The sweep's values it was made with, by path.
    pub axes: Vec<(String, AxisValue)>,
}

impl LaneSpec {
    /// With the workspace's defaults and then the built-in ones in place of what is left out, but for `scope`, `at_once` (which has
    /// no default in the workspace) and `clip`.
    pub fn resolved(&self, defaults: &LaneDefaults) -> Self {
        let d = defaults;
        Self {
            strategy: self.strategy.clone(),
            name: self.name.clone(),
            params: self.params.clone(),
            of: self.of.clone(),
            scope: self.scope.or(d.scope),
            guesses: self.guesses.or(d.guesses).or(Some(1)),
            at_once: self.at_once,
            combine: self.combine.or(d.combine).or(Some(Default::default())),
            scaling: self.scaling.or(d.scaling).or(Some(Default::default())),
            normalise: self.normalise.or(d.normalise).or(Some(Default::default())),
            clip: self.clip.or(d.clip),
            source: self.source.or(d.source).or(Some(Default::default())),
            output: self.output.or(d.output).or(Some(Default::default())),
            losses: self.losses.or(d.losses).or(Some(Default::default())),
            optimizer: self.optimizer.or(d.optimizer).or(Some(Default::default())),
            schedule: self.schedule.or(d.schedule).or(Some(Default::default())),
            seeds: self.seeds.clone(),
        }
    }
}

/// A lane with one choice of the sweep's values.
struct Variant {
    lane: usize,
    problem: Problem,
    spec: LaneSpec,
    axes: Vec<(String, AxisValue)>,
    seeds: Vec<u64>,
}

impl Workspace {
    /// All runs of this workspace. An axis that is not about the losses or the optimizer passes over the backprop lane unless `only`
    /// names it: it would train the same thing again. One of a mixture's members passes over all lanes that have no such member.
    ///
    /// # Errors
    /// [`EditError`] when an axis has a path or a value that does not fit, an exclusion cannot be read, or there are more than
    /// [`MOST_RUNS`] runs.
    pub fn grid(&self) -> Result<Vec<LaneRun>, EditError> {
        let mut variants: Vec<Variant> = Vec::new();
        for (lane, spec) in self.lanes.iter().enumerate() {
            let seeds = spec.seeds.clone().unwrap_or_else(|| self.seeds.clone());
            let (problem, resolved) = (self.problem.clone(), spec.resolved(&self.defaults));
            let mut mine = vec![Variant { lane, problem, spec: resolved, axes: Vec::new(), seeds }];
            for axis in self.sweep.iter().filter(|axis| axis.concerns(spec)) {
                let count = variants.len() + mine.len().saturating_mul(axis.values.len());
                if count > MOST_RUNS {
                    return Err(EditError {
                        path: "sweep".into(),
                        value: format!("{count} runs and more"),
                        message: format!("a workspace holds at most {MOST_RUNS} runs"),
                        hint: Some("use fewer values, or several workspaces".into()),
                    });
                }
                let mut crossed = Vec::with_capacity(mine.len() * axis.values.len());
                for variant in &mine {
                    for value in &axis.values {
                        let (mut problem, mut spec) = (variant.problem.clone(), variant.spec.clone());
                        match axis.of_problem() {
                            true => problem = edit::apply_problem(&problem, &axis.path, value)?,
                            false => spec = apply_axis(&spec, &axis.path, value)?,
                        }
                        let mut axes = variant.axes.clone();
                        axes.push((axis.path.clone(), value.clone()));
                        crossed.push(Variant { lane, problem, spec, axes, seeds: variant.seeds.clone() });
                    }
                }
                mine = crossed;
            }
            variants.append(&mut mine);
        }
        let exclusions = self.exclusions()?;
        for Variant { spec, seeds, .. } in &mut variants {
            let name = spec.name.as_deref().unwrap_or(&spec.strategy);
            seeds.retain(|&seed| {
                let settings = Settings { name, spec, scope: spec.scope, seed };
                !exclusions.iter().any(|filter| filter.holds(&settings))
            });
        }
        variants.retain(|variant| !variant.seeds.is_empty());
        let names = names(&variants);
        let mut runs = Vec::new();
        for (variant, name) in variants.into_iter().zip(names) {
            for &seed in &variant.seeds {
                let Variant { lane, problem, spec, axes, .. } = &variant;
                runs.push(LaneRun {
                    index: runs.len(),
                    lane: *lane,
                    name: name.clone(),
                    seed,
                    problem: problem.clone(),
                    spec: spec.clone(),
                    axes: axes.clone(),
                });
            }
        }
        Ok(runs)
    }

    fn exclusions(&self) -> Result<Vec<Filter>, EditError> {
        let read = |(place, text): (usize, &String)| {
            let refused =
                |message| EditError { path: format!("exclude[{place}]"), value: text.clone(), message, hint: None };
            exclusion(text).map_err(refused)
        };
        self.exclude.iter().enumerate().map(read).collect()
    }
}

impl super::Axis {
    /// Whether it changes the problem rather than a lane's settings.
    pub fn of_problem(&self) -> bool {
        self.path.starts_with("problem.")
    }

    /// Whether this axis multiplies that lane.
    pub fn concerns(&self, spec: &LaneSpec) -> bool {
        if !self.only.is_empty() {
            return self.only.contains(&spec.strategy);
        }
        self.of_problem() || concerns(&self.path, spec)
    }
}

impl super::Tune {
    /// Whether it chooses a value for that lane.
    pub fn concerns(&self, spec: &LaneSpec) -> bool {
        concerns(&self.over, spec)
    }
}

/// Where a path leads to what a mixture is made of: how many members a lane needs to have the one it names.
pub(super) fn of_member(path: &str) -> Option<usize> {
    match path::parse(path).ok()?.as_slice() {
        [Segment::Key(of), rest @ ..] if of == "of" => Some(match rest.first() {
            Some(Segment::Index(place)) => place.saturating_add(1),
            _ => 0,
        }),
        _ => None,
    }
}

/// Whether a lane has what a path of its settings leads to, and is another with another value there.
fn concerns(path: &str, spec: &LaneSpec) -> bool {
    if let Some(needed) = of_member(path) {
        return spec.strategy == MIXTURE && spec.of.len() >= needed;
    }
    let field = path.split('.').next().unwrap_or("");
    spec.strategy != BACKPROP || ["lr", "losses", "optimizer", "schedule", "seeds"].contains(&field)
}

/// The given name, or the strategy, and whatever differs among those of the same name.
fn names(variants: &[Variant]) -> Vec<String> {
    let bases: Vec<&str> =
        variants.iter().map(|variant| variant.spec.name.as_deref().unwrap_or(&variant.spec.strategy)).collect();
    let of_problem = |variant: &Variant| {
        let axes = variant.axes.iter().filter(|(path, _)| path.starts_with("problem."));
        axes.map(|(path, value)| (path.clone(), value.text().to_owned())).collect::<Vec<_>>()
    };
    let settings: Vec<Vec<(String, String)>> =
        variants.iter().map(|variant| [of_problem(variant), settings(&variant.spec)].concat()).collect();
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    bases.iter().enumerate().for_each(|(index, base)| groups.entry(base).or_default().push(index));
    let mut names: Vec<String> = bases.iter().map(|base| base.to_string()).collect();
    for group in groups.values().filter(|group| group.len() > 1) {
        // How many variants of the group have each (setting, value): it differs when not all do.
        let mut counts: BTreeMap<&(String, String), usize> = BTreeMap::new();
        group.iter().flat_map(|&index| &settings[index]).for_each(|pair| *counts.entry(pair).or_default() += 1);
        for &index in group {
            for pair in settings[index].iter().filter(|pair| counts[pair] < group.len()) {
                names[index].push(' ');
                names[index].push_str(&token(&pair.0, &pair.1));
            }
        }
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for name in &mut names {
        let times = seen.entry(name.clone()).or_default();
        *times += 1;
        if *times > 1 {
            name.push_str(&format!(" #{times}"));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use crate::workspace::{Document, GuessScaling, LaneRun, Scope};

    fn grid(rest: &str) -> Vec<LaneRun> {
        let text = format!("(problem: Network(data: (name: \"digits\"), model: mlp(hidden: [8])), {rest})");
        Document::parse(&text, "test").unwrap().workspace.grid().unwrap()
    }

    fn names(rest: &str) -> Vec<String> {
        grid(rest).into_iter().map(|run| run.name).collect()
    }

    #[test]
    fn defaults_are_filled_in() {
        let runs = grid(
            r#"defaults: (guesses: 4, scaling: unit, clip: 3), lanes: [(strategy: "a", guesses: 2), (strategy: "backprop")]"#,
        );
        assert_eq!(runs.len(), 2);
        let spec = &runs[0].spec;
        assert_eq!((spec.guesses, spec.scaling, spec.clip), (Some(2), Some(GuessScaling::Unit), Some(3.0)));
        assert_eq!((spec.scope, spec.optimizer), (None, Some(Default::default())));
        assert_eq!((runs[1].index, runs[1].lane, runs[1].spec.guesses), (1, 1, Some(4)));
    }

    #[test]
    fn lanes_sweep_and_seeds_are_crossed_in_order() {
        let runs = grid(
            r#"lanes: [(strategy: "a"), (strategy: "backprop", seeds: [9])], seeds: [0, 1],
               sweep: [(path: "scope", values: [layer, example]), (path: "lr", values: [0.1, 1])]"#,
        );
        let table: Vec<_> = runs.iter().map(|run| (run.name.as_str(), run.seed)).collect();
        assert_eq!(
            table,
            [
                ("a layer lr=0.1", 0),
                ("a layer lr=0.1", 1),
                ("a layer lr=1.0", 0),
                ("a layer lr=1.0", 1),
                ("a example lr=0.1", 0),
                ("a example lr=0.1", 1),
                ("a example lr=1.0", 0),
                ("a example lr=1.0", 1),
                ("backprop lr=0.1", 9),
                ("backprop lr=1.0", 9),
            ]
        );
        assert_eq!(runs[4].spec.scope, Some(Scope::Example));
        assert_eq!(runs[4].axes[0].1.text(), "example");
        assert_eq!(runs[9].index, 9);
    }

    #[test]
    fn names_show_what_differs_and_nothing_else() {
        assert_eq!(names(r#"lanes: [(strategy: "a"), (strategy: "b", guesses: 4)]"#), ["a", "b"]);
        let lanes = r#"lanes: [
            (strategy: "a", scope: example, guesses: 4),
            (strategy: "a", scope: batch, params: {"mask": "none"}),
            (strategy: "a", name: "mine", optimizer: adam(lr: 1)),
            (strategy: "a", scope: batch, source: central(0.5))]"#;
        assert_eq!(
            names(lanes),
            [
                "a example k=4 source=tangent",
                "a mask=none batch k=1 source=tangent",
                "mine",
                "a batch k=1 source=central(0.5)"
            ]
        );
        assert_eq!(names(r#"lanes: [(strategy: "a"), (strategy: "a")]"#), ["a", "a #2"]);
        assert_eq!(
            names(r#"lanes: [(strategy: "a", optimizer: sgd(lr: 1)), (strategy: "a", optimizer: adam(lr: 1))]"#).len(),
            2
        );
    }

    #[test]
    fn an_axis_of_the_problem_makes_problems() {
        let runs = grid(
            r#"lanes: [(strategy: "backprop"), (strategy: "a")], sweep: [
               (path: "problem.data.name", values: ["digits", "mnist"], only: ["a"]),
               (path: "problem.model.hidden", values: [[8, 8], [4]])]"#,
        );
        let table: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
        let expected = ["backprop 8×2", "backprop 4", "a digits 8×2", "a digits 4", "a mnist 8×2", "a mnist 4"];
        assert_eq!(table, expected);
        let crate::workspace::Problem::Network(problem) = &runs[5].problem;
        assert_eq!((problem.data.name.as_str(), problem.batch), ("mnist", 128));
        assert_eq!(runs[0].problem, runs[2].problem);
    }

    #[test]
    fn what_is_excluded_has_no_run_and_no_say_in_names() {
        let rest = |exclude: &str| {
            format!(
                r#"lanes: [(strategy: "a"), (strategy: "w")], seeds: [0, 1], exclude: [{exclude}], sweep: [
                   (path: "scope", values: [batch, example]), (path: "lr", values: [0.1, 1])]"#
            )
        };
        let table = |exclude: &str| -> Vec<String> {
            grid(&rest(exclude)).iter().map(|run| format!("{} {}", run.name, run.seed)).collect()
        };
        assert_eq!(
            table(r#""strategy=w scope=example", "lr=1 seed=1", "strategy=a (scope=batch or lr>0.5)""#),
            ["a 0", "a 1", "w lr=0.1 0", "w lr=0.1 1", "w lr=1.0 0"]
        );
        assert!(table(r#""lr>0""#).is_empty());
        let text =
            format!("(problem: Network(data: (name: \"digits\"), model: mlp(hidden: [8])), {})", rest(r#""done""#));
        let error = Document::parse(&text, "test").unwrap().workspace.grid().unwrap_err();
        assert!(error.message.contains("`done` is not known before a run"), "{error}");
    }

    #[test]
    fn an_axis_of_a_member_is_of_mixtures_that_have_it() {
        let lanes = r#"lanes: [(strategy: "backprop"), (strategy: "a"), (strategy: "mixture", of: [(strategy: "a")]),
            (strategy: "mixture", of: [(strategy: "a"), (strategy: "b", params: {"depth": 1})])]"#;
        assert_eq!(names(lanes), ["backprop", "a", "mixture", "mixture b weight[1]=1.0 depth[1]=1"]);
        let swept = format!(
            r#"{lanes}, sweep: [(path: "of[1].weight", values: [0.5, 2]), (path: "of[1].params.depth", values: [1, 3])]"#
        );
        let runs = grid(&swept);
        let last = runs.last().unwrap();
        assert_eq!((runs.len(), last.spec.of[0].weight, last.spec.of[1].weight), (3 + 4, 1.0, 2.0));
        assert_eq!(last.spec.of[1].params["depth"], crate::workspace::ParamValue::Int(3));
        assert_eq!(last.name, "mixture b weight[1]=2.0 depth[1]=3");
    }

    #[test]
    fn axes_may_be_for_some_strategies_only() {
        let runs = names(
            r#"lanes: [(strategy: "a"), (strategy: "w")], sweep: [
               (path: "scope", values: [batch, layer, example], only: ["a"]),
               (path: "scope", values: [batch, layer], only: ["w"])]"#,
        );
        assert_eq!(runs, ["a batch", "a layer", "a example", "w batch", "w layer"]);
    }
}
