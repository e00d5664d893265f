//! SVHN where its files are given: from MATLAB's files to a trained lane, and what is said of files that are not whole.

use crate::support::Place;
use std::io::Write;

const IMAGE: usize = 3 * 32 * 32;

/// A tag and its bytes, filled up to a multiple of eight, little-endian.
fn element(kind: u32, bytes: &[u8]) -> Vec<u8> {
    let mut element = [kind.to_le_bytes().as_slice(), &(bytes.len() as u32).to_le_bytes(), bytes].concat();
    element.resize(element.len().next_multiple_of(8), 0);
    element
}

fn matrix(name: &str, extents: &[u32], bytes: &[u8]) -> Vec<u8> {
    let extents: Vec<u8> = extents.iter().flat_map(|extent| extent.to_le_bytes()).collect();
    let unsigned_bytes = [9, 0].map(u32::to_le_bytes).concat();
    let parts = [element(6, &unsigned_bytes), element(5, &extents), element(1, name.as_bytes()), element(2, bytes)];
    element(14, &parts.concat())
}

/// A file of `count` examples, digit after digit: each digit has a bright column of its own in the green plane.
fn file(count: usize, compressed: bool) -> Vec<u8> {
    let mut pixels = vec![0u8; count * IMAGE];
    for (example, image) in pixels.chunks_exact_mut(IMAGE).enumerate() {
        image[(32 + 3 * (example % 10)) * 32..][..32].fill(200 + example as u8 % 50);
    }
    let labels: Vec<u8> = (0..count).map(|example| if example % 10 == 0 { 10 } else { example as u8 % 10 }).collect();
    let mut file = b"MATLAB 5.0 MAT-file".to_vec();
    file.resize(124, b' ');
    file.extend(b"\x00\x01IM");
    for matrix in [matrix("X", &[32, 32, 3, count as u32], &pixels), matrix("y", &[count as u32, 1], &labels)] {
        if compressed {
            let mut stream = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            stream.write_all(&matrix).unwrap();
            let stream = stream.finish().unwrap();
            file.extend([15, stream.len() as u32].map(u32::to_le_bytes).concat());
            file.extend(stream);
        } else {
            file.extend(matrix);
        }
    }
    file
}

/// A linear classifier on the set, with its files in `data/svhn`.
fn place() -> Place {
    let place = Place::new(
        r#"(
            problem: Network(data: (name: "svhn"), model: mlp(hidden: []), batch: 20),
            lanes: [(strategy: "backprop", optimizer: adam(lr: 0.01))],
            steps: 60,
            measure: (alignment: 0, test: 30, train: 60),
        )"#,
    );
    std::fs::create_dir_all(place.path("data/svhn")).unwrap();
    std::fs::write(place.path("data/svhn/train_32x32.mat"), file(60, true)).unwrap();
    std::fs::write(place.path("data/svhn/test_32x32.mat"), file(30, false)).unwrap();
    place
}

#[test]
fn its_files_are_found_counted_and_trained_on() {
    let place = place();
    let list = place.run(&["data", "list"]).expect(0).out;
    let line = list.lines().find(|line| line.starts_with("svhn ")).unwrap_or_else(|| panic!("{list}"));
    assert!(line.contains("60 + 30, 3×32×32, 10 classes"), "{line}");
    let report = place.run(&["data", "check", "data"]).expect(0).out;
    assert!(report.contains("svhn (SVHN .mat): 60 + 30, 3×32×32, 10 classes"), "{report}");
    assert_eq!(report.lines().filter(|line| line.split_whitespace().skip(1).eq(["6", "3"])).count(), 10, "{report}");

    place.batch(&["--out", "run"]).expect(0);
    let summary = std::fs::read_to_string(place.path("run/summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let figures = &summary["groups"][0]["figures"];
    for accuracy in ["train_split_accuracy", "test_accuracy"] {
        assert_eq!(figures[accuracy]["mean"], 1.0, "{accuracy}: {figures}");
    }
}

#[test]
fn files_that_are_missing_or_cut_end_the_run_before_it_begins() {
    let place = place();
    let train = place.path("data/svhn/train_32x32.mat");
    let whole = std::fs::read(&train).unwrap();
    std::fs::write(&train, &whole[..whole.len() - 1]).unwrap();
    place.batch(&[]).expect(3).says(&["train_32x32.mat: truncated", "fetch it again"]);
    std::fs::write(&train, &whole).unwrap();
    std::fs::remove_file(place.path("data/svhn/test_32x32.mat")).unwrap();
    place.batch(&[]).expect(3).says(&["no file `test_32x32.mat`", "ufldl.stanford.edu/housenumbers"]);
    std::fs::remove_file(&train).unwrap();
    place.batch(&[]).expect(3).says(&["data set `svhn` was not found", "data/svhn"]);
    let list = place.run(&["data", "list"]).expect(0).out;
    assert!(list.contains("svhn           not found; train_32x32.mat and test_32x32.mat"), "{list}");
}
