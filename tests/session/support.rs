//! A paused session whose steps are taken by command and waited for by what it reports, never by the clock.

use guesswork::record::{Key, LaneChange, LaneEnd, LaneId, LaneInfo, Observer, Quantity, StepReport};
use guesswork::session::{Command, Experiment, Session, Summary};
use guesswork::workspace::{Document, LaneSpec};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Two lanes on the embedded digits; one strategy without and one with rows of its own.
pub const SMALL: &str = r#"(
    problem: Network(data: (name: "digits"), model: mlp(hidden: [12, 12]), batch: 16),
    lanes: [
        (strategy: "weight-transpose", scope: example, optimizer: sgd(lr: 0.01)),
        (strategy: "activity-perturbation", optimizer: adam(lr: 0.002)),
    ],
    steps: 1000,
    measure: (alignment: 5, test: 0),
)"#;

/// What an observer was told.
#[derive(Clone, Debug)]
pub enum Told {
    Started(Box<LaneInfo>),
    Step(StepReport),
    Changed(Box<LaneChange>),
    Ended(LaneEnd),
}

struct Tell(Sender<Told>);

impl Tell {
    fn tell(&self, told: Told) {
        // A test that has seen enough hangs up.
        let _ = self.0.send(told);
    }
}

impl Observer for Tell {
    fn lane_started(&mut self, info: &LaneInfo) {
        self.tell(Told::Started(Box::new(info.clone())));
    }

    fn step(&mut self, report: &StepReport) {
        self.tell(Told::Step(report.clone()));
    }

    fn lane_changed(&mut self, change: &LaneChange) {
        self.tell(Told::Changed(Box::new(change.clone())));
    }

    fn lane_ended(&mut self, end: &LaneEnd) {
        self.tell(Told::Ended(end.clone()));
    }
}

/// A session under way.
pub struct Live {
    pub session: Session,
    told: Receiver<Told>,
    /// Losses of each lane by step, as bits.
    pub losses: BTreeMap<LaneId, Vec<(u64, u64)>>,
    pub changes: Vec<LaneChange>,
    pub started: Vec<LaneInfo>,
    pub ended: Vec<LaneEnd>,
}

pub fn workspace(text: &str) -> guesswork::workspace::Workspace {
    Document::parse(text, "small.ron").expect("a workspace").workspace
}

impl Live {
    pub fn start(text: &str) -> Self {
        Self::with(text, None, false)
    }

    pub fn with(text: &str, checkpoints: Option<&Path>, resume: bool) -> Self {
        let experiment = Experiment {
            paused: true,
            keep_open: true,
            history: true,
            threads: Some(1),
            checkpoints: checkpoints.map(Path::to_owned),
            resume,
            ..Experiment::new(workspace(text))
        };
        let (sender, told) = channel();
        let session = Session::start(experiment, vec![Box::new(Tell(sender))]).expect("a session");
        Self { session, told, losses: BTreeMap::new(), changes: Vec::new(), started: Vec::new(), ended: Vec::new() }
    }

    pub fn send(&self, command: Command) {
        assert!(self.session.send(command.clone()), "{command:?}");
    }

    /// Takes in what is told until `enough` says so.
    pub fn until(&mut self, what: &str, enough: impl Fn(&Self) -> bool) {
        while !enough(self) {
            let told = self.told.recv_timeout(Duration::from_secs(60));
            match told.unwrap_or_else(|_| panic!("never told: {what}; {:?}", self.session.snapshot().messages)) {
                Told::Started(info) => self.started.push(*info),
                Told::Changed(change) => self.changes.push(*change),
                Told::Ended(end) => self.ended.push(end),
                Told::Step(report) => {
                    if let Some(loss) = report.get(Key::whole(Quantity::Loss)) {
                        self.losses.entry(report.lane).or_default().push((report.step, loss.to_bits()));
                    }
                }
            }
        }
    }

    /// Takes `rounds` steps of every lane; `lane` is one of them.
    pub fn step(&mut self, rounds: u64, lane: LaneId) {
        let before = self.losses.get(&lane).map_or(0, Vec::len);
        self.send(Command::Step(rounds));
        self.until("steps", |live| live.losses.get(&lane).map_or(0, Vec::len) == before + rounds as usize);
    }

    /// The settings that a lane was started with.
    pub fn spec(&mut self, lane: LaneId) -> LaneSpec {
        self.until("the lane's start", |live| live.started.iter().any(|info| info.lane == lane));
        self.started.iter().rfind(|info| info.lane == lane).expect("just seen").spec.clone()
    }

    /// Waits for the refusal of that number and returns its text.
    pub fn refusal(&self, number: u64) -> String {
        let start = Instant::now();
        loop {
            match &self.session.snapshot().refused {
                Some(refused) if refused.number == number => return refused.text.clone(),
                _ => assert!(start.elapsed() < Duration::from_secs(60), "never refused"),
            }
            std::thread::yield_now();
        }
    }

    pub fn stop(self) -> Summary {
        self.session.send(Command::Stop);
        self.session.join().expect("an ordinary end")
    }
}
