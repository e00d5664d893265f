//! Exports read back: values equal the records, pictures have their words and pixels.

use super::super::Source;
use super::super::synthetic::Synthetic;
use super::*;
use crate::record::{Key, Quantity};

struct Stage {
    state: State,
    snapshot: std::sync::Arc<Snapshot>,
    derived: Derived,
    theme: Theme,
}

impl Stage {
    fn new(seeds: u64) -> Self {
        Self {
            state: State { size: (200, 50), ..State::default() },
            snapshot: Synthetic::new(seeds, 400, 5000, false).snapshot(),
            derived: Derived::default(),
            theme: Theme::default(),
        }
    }

    fn scene(&self) -> Scene<'_> {
        Scene { state: &self.state, snapshot: &self.snapshot, derived: &self.derived, theme: &self.theme }
    }

    fn text(&self, pane: PaneId, format: Format) -> String {
        String::from_utf8(self.scene().bytes(pane, format).unwrap()).unwrap()
    }
}

#[test]
fn csv_holds_every_recorded_value_of_the_loss() {
    let stage = Stage::new(2);
    let text = stage.text(PaneId::Loss, Format::Csv);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("curve,line,seed,step,value,smoothed"));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    for lane in &stage.snapshot.lanes {
        let series = lane.history.series(Key::whole(Quantity::Loss)).unwrap();
        let seed = lane.info.seed.to_string();
        let mine: Vec<(u64, f64)> = rows
            .iter()
            .filter(|row| row[0] == lane.info.name && row[1] == "solid" && row[2] == seed)
            .map(|row| (row[3].parse().unwrap(), row[4].parse().unwrap()))
            .collect();
        let recorded: Vec<(u64, f64)> = (0..series.len()).filter_map(|index| series.get(index)).collect();
        assert_eq!(mine.len(), recorded.len());
        for (a, b) in mine.iter().zip(&recorded) {
            assert!(a.0 == b.0 && (a.1.to_bits() == b.1.to_bits() || a.1.is_nan()), "{a:?} {b:?}");
        }
    }
    assert!(rows.iter().any(|row| row[1] == "dashed"), "the test split is there");
}

#[test]
fn json_has_the_same_values_and_says_what_they_are() {
    let stage = Stage::new(1);
    let read: serde_json::Value = serde_json::from_str(&stage.text(PaneId::Alignment, Format::Json)).unwrap();
    assert_eq!(read["pane"], "alignment");
    assert!(read["identity"][1].as_str().unwrap().contains(env!("CARGO_PKG_VERSION")), "{}", read["identity"]);
    let rows = read["rows"].as_array().unwrap();
    let series = stage.snapshot.lanes[1].history.series(Key::site(Quantity::Cosine, 2)).unwrap();
    let (step, value) = series.get(3).unwrap();
    let found = rows.iter().find(|row| row[2] == "fc3" && row[3].as_u64() == Some(step)).unwrap();
    assert_eq!(found[4].as_f64(), Some(value));
}

#[test]
fn pictures_name_what_they_show() {
    let stage = Stage::new(3);
    let svg = stage.text(PaneId::Loss, Format::Svg);
    for words in
        ["Loss", "mean and range of 3 seeds", "dashed: test split", "weight-transpose", "seeds 0, 1, 2", ">step<"]
    {
        assert!(svg.contains(words), "{words}");
    }
    let svg = stage.text(PaneId::Alignment, Format::Svg);
    for words in ["fc1", "fc4", "cos(ĝ, g)", "weight-transpose"] {
        assert!(svg.contains(words), "{words}");
    }
    for pane in [PaneId::Loss, PaneId::Cosine, PaneId::Alignment, PaneId::Matrix, PaneId::Spectrum] {
        let bytes = stage.scene().bytes(pane, Format::Png).unwrap();
        let mut reader = ::png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let inked = pixels.chunks_exact(3).filter(|pixel| pixel.iter().any(|part| *part < 200)).count();
        assert!(inked > 3000, "{pane:?}: {inked}");
    }
}

#[test]
fn a_rank_is_not_called_a_split() {
    let mut stage = Stage::new(1);
    (stage.state.selected, stage.state.layer) = (Some(2), Some(1));
    let svg = stage.text(PaneId::Spectrum, Format::Svg);
    for words in [">Rank<", "solid: effective, dashed: stable", ">fc2, stable<"] {
        assert!(svg.contains(words), "{words}");
    }
    assert!(!svg.contains("test split") && !svg.contains('─'));
}

#[test]
fn every_pane_has_every_form() {
    let stage = Stage::new(1);
    for pane in PANES {
        for format in [Format::Csv, Format::Json, Format::Ansi] {
            assert!(!stage.text(pane.id, format).trim().is_empty(), "{:?} {format:?}", pane.id);
        }
        let json: serde_json::Value = serde_json::from_str(&stage.text(pane.id, Format::Json)).unwrap();
        assert!(json["columns"].is_array(), "{:?}", pane.id);
    }
    for pane in PANES {
        let svg = stage.text(pane.id, Format::Svg);
        assert!(svg.contains("<text") && svg.contains(env!("CARGO_PKG_VERSION")), "{:?}", pane.id);
        assert!(stage.scene().bytes(pane.id, Format::Png).unwrap().starts_with(b"\x89PNG"), "{:?}", pane.id);
    }
    // Of panes of text the words, the title of their frame, and what is drawn as lines and areas.
    let formula = stage.text(PaneId::Formula, Format::Svg);
    assert!(formula.contains(">Formula<") && formula.contains("arXiv"), "{formula}");
    let cost = stage.text(PaneId::Cost, Format::Svg);
    assert!(cost.contains("Cost") && cost.contains("<rect x=") && cost.contains("measuring"), "{cost}");
    let lanes = stage.text(PaneId::Lanes, Format::Csv);
    assert!(lanes.lines().count() == 6 && lanes.contains("weight-transpose"), "{lanes}");
}

#[test]
fn a_file_is_not_replaced_unless_asked_for() {
    let stage = Stage::new(1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loss.csv");
    let mut request = Request { pane: PaneId::Loss, format: Format::Csv, file: Some(path.clone()), overwrite: false };
    assert!(stage.scene().export(&request).unwrap().contains("loss.csv"));
    assert!(stage.scene().export(&request).unwrap_err().contains("overwrite"));
    request.overwrite = true;
    assert!(stage.scene().export(&request).is_ok());
    request.file = Some(folder.path().join("no/such/folder/loss.csv"));
    assert!(stage.scene().export(&request).unwrap_err().contains("no/such/folder"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), stage.text(PaneId::Loss, Format::Csv));
}

#[test]
fn values_are_copied_in_full() {
    let mut stage = Stage::new(1);
    stage.state.selected = Some(2);
    assert!(stage.state.beta() > 0.0, "what is shown is smoothed, what is copied is not");
    let series = stage.snapshot.lanes[2].history.series(Key::whole(Quantity::Loss)).unwrap();
    let newest = series.last().unwrap().1;
    assert_eq!(stage.scene().text(Copied::Value).unwrap().parse::<f64>(), Ok(newest));
    stage.state.crosshair = Some(100);
    let then = series.at(100).unwrap().1;
    assert_eq!(stage.scene().text(Copied::Value).unwrap().parse::<f64>(), Ok(then));
    assert_eq!(stage.scene().text(Copied::Values).unwrap().lines().count(), 5);
    stage.state.focus = PaneId::Formula;
    assert!(stage.scene().text(Copied::Value).is_err());
    assert!(stage.scene().text(Copied::Text).unwrap().contains("Formula"));
}
