//! Writing a workspace so that it reads back equal.

use super::{Workspace, options};
use ron::ser::PrettyConfig;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The workspace as RON, every field written out.
///
/// # Errors
/// None for any workspace that was read; RON's writer for values it cannot express.
pub fn to_ron(workspace: &Workspace) -> Result<String, ron::Error> {
    let style = PrettyConfig::new().depth_limit(6).indentor("    ").new_line("\n").compact_arrays(false);
    options().to_string_pretty(workspace, style).map(|text| text + "\n")
}

/// The workspace as RON, without the lines of what is left out: as a person would begin to edit it.
///
/// # Errors
/// As [`to_ron`].
pub fn to_ron_brief(workspace: &Workspace) -> Result<String, ron::Error> {
    // Text has no line breaks in RON, so that a line is a field as a whole.
    let left_out = |line: &&str| {
        [": None,", ": {},", " of: [],", "sweep: [],", "exclude: [],"].iter().any(|end| line.ends_with(end))
    };
    let text = to_ron(workspace)?;
    Ok(text.lines().filter(|line| !left_out(line)).flat_map(|line| [line, "\n"]).collect())
}

/// Why a workspace was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// There is a file already, and it was not said to go.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// The file cannot be written.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

/// Writes `text` to `path`, at once: a reader finds the old file or the new one.
///
/// # Errors
/// [`SaveError::Exists`] where there is a file and `over` does not say that it may go; [`SaveError::Io`] when it cannot be
/// written. The file is then as it was.
pub fn save(path: &Path, text: &str, over: bool) -> Result<(), SaveError> {
    if !over && path.exists() {
        return Err(SaveError::Exists(path.into()));
    }
    let failed = |source: io::Error| SaveError::Io { path: path.into(), source };
    // A link stays a link: the file that it points at is written.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    if let Ok(data) = std::fs::metadata(&path) {
        file.as_file().set_permissions(data.permissions()).map_err(failed)?;
    } else {
        open_to_readers(file.as_file()).map_err(failed)?;
    }
    match over {
        true => file.persist(&path).map(drop).map_err(|error| failed(error.error)),
        false => file.persist_noclobber(&path).map(drop).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => SaveError::Exists(path.clone()),
            _ => failed(error.error),
        }),
    }
}

/// A temporary file is its owner's alone; a document is for those who may read others of the folder.
#[cfg(unix)]
fn open_to_readers(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn open_to_readers(_: &std::fs::File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::*;
    use proptest::collection::{btree_map, vec};
    use proptest::option::of;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![any::<f64>().prop_filter("finite", |value| value.is_finite()), 0.0..1.0, Just(0.1)]
    }

    fn text() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z-]{1,12}", any::<String>()]
    }

    fn optimizer() -> impl Strategy<Value = OptimizerSpec> {
        (0..3u8, number(), number(), number(), any::<bool>()).prop_map(|(kind, lr, a, b, nesterov)| match kind {
            0 => OptimizerSpec::Sgd { lr, momentum: a, nesterov, weight_decay: b },
            1 => OptimizerSpec::Adam { lr, beta1: a, beta2: b, epsilon: 1e-8 },
            _ => OptimizerSpec::AdamW { lr, beta1: a, beta2: 0.999, epsilon: 1e-8, weight_decay: b },
        })
    }

    fn schedule() -> impl Strategy<Value = ScheduleSpec> {
        (0..5u8, any::<u64>(), number()).prop_map(|(kind, steps, factor)| match kind {
            0 => ScheduleSpec::Constant,
            1 => ScheduleSpec::Step { every: steps, factor },
            2 => ScheduleSpec::Cosine { warm_up: steps, floor: factor },
            3 => ScheduleSpec::Exponential { factor },
            _ => ScheduleSpec::WarmUp { steps },
        })
    }

    fn param() -> impl Strategy<Value = ParamValue> {
        prop_oneof![
            any::<bool>().prop_map(ParamValue::Bool),
            any::<i64>().prop_map(ParamValue::Int),
            number().prop_map(ParamValue::Float),
            text().prop_map(ParamValue::Text),
        ]
    }

    fn scope() -> impl Strategy<Value = Scope> {
        prop_oneof![Just(Scope::Batch), Just(Scope::Layer), Just(Scope::Example), Just(Scope::ExampleLayer)]
    }

    fn member() -> impl Strategy<Value = MemberSpec> {
        (text(), number(), btree_map(text(), param(), 0..3)).prop_map(|(strategy, weight, params)| MemberSpec {
            strategy,
            weight,
            params,
        })
    }

    fn lane() -> impl Strategy<Value = LaneSpec> {
        let params = (btree_map(text(), param(), 0..3), vec(member(), 0..3));
        let names = (text(), of(text()), params, of(vec(any::<u64>(), 0..3)));
        let settings = (of(scope()), of(any::<usize>()), of(number()), of(any::<bool>()), of(number()));
        (names, settings, of(optimizer()), of(schedule())).prop_map(
            |((strategy, name, (params, of), seeds), (scope, guesses, clip, flag, source), optimizer, schedule)| {
                LaneSpec {
                    strategy,
                    name,
                    params,
                    of,
                    scope,
                    guesses,
                    at_once: guesses,
                    combine: flag.map(|flag| if flag { Combine::Mean } else { Combine::Span }),
                    scaling: flag.map(|flag| if flag { GuessScaling::Raw } else { GuessScaling::Unit }),
                    normalise: flag.map(|flag| if flag { Normalise::None } else { Normalise::Batch }),
                    clip,
                    source: source.map(ScalarSource::Central),
                    output: flag.map(|flag| if flag { OutputSignal::Exact } else { OutputSignal::Guess }),
                    losses: flag.map(|greedy| LossesSpec::Local {
                        greedy,
                        patches: !greedy,
                        groups: 3,
                        aggregate: greedy,
                    }),
                    optimizer,
                    schedule,
                    seeds,
                }
            },
        )
    }

    fn model() -> impl Strategy<Value = ModelSpec> {
        let (activation, init) = (ActivationSpec::Tanh, InitSpec::KaimingUniform);
        let pools = prop_oneof![Just(PoolSpec::None), (1..9usize).prop_map(PoolSpec::Max)];
        let layer = (1..99usize, pools).prop_map(|(channels, pool)| ConvLayerSpec {
            channels,
            kernel: 5,
            stride: 2,
            padding: 0,
            pool,
        });
        prop_oneof![
            (vec(any::<usize>(), 0..4), any::<bool>()).prop_map(move |(hidden, norm)| ModelSpec::Mlp(MlpSpec {
                hidden,
                activation,
                init,
                norm,
                residual: !norm
            })),
            vec(layer, 0..3).prop_map(move |layers| ModelSpec::Conv(ConvSpec {
                layers,
                hidden: vec![7],
                groups: 2,
                activation,
                init
            })),
            (vec((1..9usize, 1..3usize, 1..3usize), 0..3), 1..4usize).prop_map(move |(stages, groups)| {
                let stage = |(channels, blocks, stride)| StageSpec { channels, blocks, stride };
                let stages = stages.into_iter().map(stage).collect();
                ModelSpec::Resnet(ResnetSpec { stages, groups, activation, init })
            }),
            (1..9usize, 1..9usize).prop_map(move |(width, groups)| ModelSpec::LocalMixer(LocalMixerSpec {
                patch: 4,
                width,
                groups,
                blocks: 2,
                activation,
                init
            })),
            (1..9usize, 1..9usize).prop_map(move |(width, heads)| ModelSpec::Transformer(TransformerSpec {
                patch: 4,
                width,
                blocks: 1,
                heads,
                hidden: 5,
                activation: ActivationSpec::LeakyRelu,
                init
            })),
            (1..9usize).prop_map(move |patch| ModelSpec::Mixer(MixerSpec {
                patch,
                width: 3,
                blocks: 2,
                token_hidden: 5,
                channel_hidden: 6,
                activation,
                init
            })),
        ]
    }

    fn value() -> impl Strategy<Value = AxisValue> {
        let written = prop_oneof![
            number().prop_map(|value| format!("{value:?}")),
            Just("example_layer".to_string()),
            Just("sgd(lr: 0.1, /* why */ momentum: 0.9)".to_string()),
            text().prop_map(|text| format!("{text:?}")),
        ];
        written.prop_filter_map("RON", |text| AxisValue::new(&text).ok())
    }

    fn workspace() -> impl Strategy<Value = Workspace> {
        let axis = (text(), vec(value(), 0..3), vec(text(), 0..2)).prop_map(|(path, values, only)| Axis {
            path,
            values,
            only,
        });
        let tune = (text(), vec(value(), 0..3), of(any::<u64>())).prop_map(|(over, values, steps)| Tune {
            over,
            values,
            steps,
            metric: TuneMetric::ValidationAccuracy,
            seed: 3,
        });
        let data = (text(), of(text()), number(), of(any::<usize>())).prop_map(|(name, path, validation, limit)| {
            DataSpec { name, path, scale: Scaling::Signed, validation, limit }
        });
        let head = (text(), text(), data, model(), vec(lane(), 0..3));
        let tail =
            (vec(axis, 0..3), of(tune), vec(any::<u64>(), 0..3), of(number()), of(optimizer()), of(any::<u64>()));
        (head, tail).prop_map(
            |((name, question, data, model, lanes), (sweep, tune, seeds, seconds, optimizer, steps))| Workspace {
                name,
                question,
                problem: Problem::Network(NetworkProblem { data, model, loss: LossSpec::MeanSquaredError, batch: 7 }),
                defaults: LaneDefaults { optimizer, ..LaneDefaults::default() },
                lanes,
                sweep,
                tune,
                seeds,
                data_seed: u64::MAX,
                steps: 1,
                seconds,
                measure: Measure::default(),
                dtype: Precision::F64,
                diagnostic: true,
                exclude: vec!["a \"b\"".into()],
                stop: seconds.map(|bound| Stop { when: format!("loss<{bound}") }),
                budget: seconds.map(|flop| Budget { flop: Some(flop), examples: Some(7), ..Budget::default() }),
                quick: steps.map(|steps| Quick { steps: Some(steps), set: vec!["lr=1".into()], ..Quick::default() }),
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..ProptestConfig::with_cases(256) })]

        #[test]
        fn what_is_written_reads_back_equal(workspace in workspace()) {
            let text = to_ron(&workspace).unwrap();
            let back: Workspace = options().from_str(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
            prop_assert_eq!(&back, &workspace);
            let brief = to_ron_brief(&workspace).unwrap();
            let back: Workspace = options().from_str(&brief).map_err(|error| TestCaseError::fail(format!("{error}\n{brief}")))?;
            prop_assert_eq!(back, workspace);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in any::<String>(), at in any::<prop::sample::Index>()) {
            let quickstart = EMBEDDED[0].text;
            let mut place = at.index(quickstart.len());
            while !quickstart.is_char_boundary(place) {
                place -= 1;
            }
            let changed = format!("{}{text}{}", &quickstart[..place], &quickstart[place..]);
            if let Ok(document) = Document::parse(&changed, "x.ron") {
                drop(document.check());
            }
            drop(Document::parse(&changed[..place], "x.ron").map_err(|error| error.to_string()));
        }
    }

    #[test]
    fn saving_asks_before_it_overwrites_and_writes_all_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ron");
        save(&path, "one", false).unwrap();
        assert!(matches!(save(&path, "two", false), Err(SaveError::Exists(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
        save(&path, "two", true).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
        let nowhere = folder.path().join("missing/a.ron");
        assert!(matches!(save(&nowhere, "x", true), Err(SaveError::Io { .. })));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn shipped_workspaces_read_back_equal() {
        for embedded in EMBEDDED {
            let workspace = embedded.document().unwrap().workspace;
            let text = to_ron(&workspace).unwrap();
            assert_eq!(Document::parse(&text, "x.ron").unwrap().workspace, workspace);
        }
    }
}
