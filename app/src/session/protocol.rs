//! What crosses between the face (screen or batch) and the trainer thread.

use super::Experiment;
use super::history::LaneHistory;
use super::offer::Offers;
use crate::filter::Filter;
use crate::record::{EndReason, LaneId, LaneInfo, Message, StageSeconds};
use crate::workspace::{LaneSpec, Workspace};
use std::sync::Arc;

/// A command to the trainer, applied between steps.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Stop stepping until [`Command::Resume`].
    Pause,
    /// Step on.
    Resume,
    /// Take so many rounds, then pause.
    Step(u64),
    /// Step on until something is reached, then pause.
    RunUntil(Until),
    /// Start all lanes anew from step 0.
    Reset,
    /// Add a lane; where the sweep has several problems it trains that of the given lane, else the first.
    Add(Box<LaneSpec>, Option<LaneId>),
    /// End a lane; take it off the screen when it has ended.
    Drop(LaneId),
    /// Set a lane's learning rate.
    LearningRate(LaneId, f64),
    /// Go over to other settings of the same strategy: weights, curve and place in the batches stay. Name and seeds of the
    /// settings do not count.
    Retune(LaneId, Box<LaneSpec>),
    /// Copy the last batch of a lane into the next snapshot.
    Peek(LaneId),
    /// Say something in the run's log: what came from outside of the trainer.
    Say(Box<Message>),
    /// Write checkpoints where a run folder is there, and end.
    Stop,
}

/// What a run goes on to.
#[derive(Clone, Debug, PartialEq)]
pub enum Until {
    /// The first lane has taken so many steps.
    Step(u64),
    /// One lane more meets this.
    Meets(Arc<Filter>),
}

impl std::fmt::Display for Until {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Step(step) => write!(f, "step {step}"),
            Self::Meets(filter) => write!(f, "{filter}"),
        }
    }
}

/// Where a snapshot comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// A trainer of this process, which takes commands.
    #[default]
    Training,
    /// A run on disk that nobody writes. Read-only.
    Opened,
    /// A run that another process writes, or wrote a moment ago. Read-only.
    Attached,
}

/// What the trainer is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Status {
    /// Loading data, plugins, models: what is under way.
    #[default]
    Starting,
    /// Stepping.
    Running,
    /// Waiting.
    Paused,
    /// All lanes have ended.
    Finished,
    /// Nobody trains, and not all lanes have come to their end: of a run on disk.
    Stopped,
    /// The trainer itself failed.
    Failed(String),
}

/// How one lane stands.
#[derive(Clone, Debug)]
pub struct LaneView {
    /// What it is.
    pub info: Arc<LaneInfo>,
    /// Steps taken.
    pub step: u64,
    /// Why it ended, when it has.
    pub ended: Option<EndReason>,
    /// Seconds by stage since it started.
    pub seconds: StageSeconds,
    /// Its series: shared with the trainer, append-only.
    pub history: Arc<LaneHistory>,
}

/// A lane's last batch, copied for the screen.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchView {
    /// The lane.
    pub lane: LaneId,
    /// Its step that the batch was of.
    pub step: u64,
    /// Planes of an image.
    pub channels: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Pixels of the first images, image by image, row by row, channels side by side.
    pub pixels: Vec<u8>,
    /// Class of each image.
    pub labels: Vec<u32>,
    /// What the lane took each for; empty where it is not known.
    pub predictions: Vec<u32>,
}

impl BatchView {
    /// Images copied.
    pub fn count(&self) -> usize {
        self.labels.len()
    }

    /// Red, green and blue of a pixel; grey images have all three alike.
    pub fn pixel(&self, image: usize, row: usize, column: usize) -> [u8; 3] {
        let at = ((image * self.height + row) * self.width + column) * self.channels;
        let part = |channel: usize| self.pixels.get(at + channel).copied().unwrap_or(0);
        if self.channels >= 3 { [part(0), part(1), part(2)] } else { [part(0); 3] }
    }
}

impl LaneView {
    /// Whether it shows the same as `other`: the same series, of the same length in steps.
    pub fn is_like(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.info, &other.info)
            && Arc::ptr_eq(&self.history, &other.history)
            && (self.step, &self.ended, self.seconds) == (other.step, &other.ended, other.seconds)
    }
}

/// The whole session at one moment. Published by the trainer, at most 60 times a second.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Grows with every publication.
    pub revision: u64,
    /// What the trainer is doing.
    pub status: Status,
    /// Where this comes from: whether commands mean anything.
    pub origin: Origin,
    /// The workspace's name.
    pub name: String,
    /// `fashion-mini · mlp 784-128-128-128-10`.
    pub title: String,
    /// `cpu×2`, `cuda:0`.
    pub device: String,
    /// Steps each lane is to take.
    pub steps: u64,
    /// Rounds a second over the last while.
    pub steps_per_second: f64,
    /// Operations a second of the machine's matrix products; 0 where it was not measured.
    pub peak: f64,
    /// The batch that was last asked for.
    pub batch: Option<Arc<BatchView>>,
    /// Lanes in order.
    pub lanes: Vec<LaneView>,
    /// The latest messages, oldest first, at most 1000.
    pub messages: Arc<Vec<Message>>,
    /// Messages and events that did not fit.
    pub dropped: u64,
    /// What the run goes on to, where it was told; it pauses there.
    pub until: Option<Until>,
    /// The workspace that the session was started with.
    pub workspace: Option<Arc<Workspace>>,
    /// What lanes can be added; empty while loading, and where no lane can be added.
    pub offers: Arc<Offers>,
    /// The last command that was refused.
    pub refused: Option<Arc<Refusal>>,
}

/// A command that the trainer refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Counts refusals, from 1.
    pub number: u64,
    /// Why, and what to do instead.
    pub text: String,
}

impl Snapshot {
    /// What there is to see before anything is loaded.
    pub(super) fn before(experiment: &Experiment) -> Self {
        let workspace = &experiment.workspace;
        Self {
            name: workspace.name.clone(),
            steps: workspace.steps,
            workspace: Some(Arc::new(workspace.clone())),
            ..Self::default()
        }
    }
}
