//! Checkpoints that come back to the bit, that are damaged, of another lane, or cannot be written.

use super::*;

fn example(lane: LaneId, step: u64) -> (LaneCheckpoint, BTreeMap<String, Tensor>) {
    let meta = LaneCheckpoint {
        lane,
        step,
        seed: u64::MAX - 1,
        strategy: "weight-transpose".into(),
        version: "1.0.0".into(),
        ended: Some(EndReason::Diverged("loss is NaN".into())),
        seconds: StageSeconds { forward: 0.1, guess: 1.0 / 3.0, ..StageSeconds::default() },
        plugin_state: vec![1, 2, 255, 0],
        extras: BTreeMap::from([("gemm".into(), "blocked".into())]),
    };
    let cpu = &Device::Cpu;
    let tensors = BTreeMap::from([
        ("fc1.weight".into(), Tensor::new(&[[1f32, f32::NAN, -0.0], [f32::INFINITY, 5e-45, 6.0]], cpu).expect("a")),
        ("ring".into(), Tensor::new(&[0.1f64, step as f64], cpu).expect("b")),
        ("counts".into(), Tensor::new(&[i64::MIN, 7], cpu).expect("c")),
        ("empty".into(), Tensor::zeros((0, 3), DType::F32, cpu).expect("d")),
        ("scalar".into(), Tensor::new(3u32, cpu).expect("e")),
    ]);
    (meta, tensors)
}

fn bits(tensor: &Tensor) -> Vec<u8> {
    Stored::of(tensor).expect("on the host").bytes
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("lane-0.safetensors");
    (folder, path)
}

#[test]
fn everything_comes_back_to_the_bit() {
    let (_folder, path) = folder();
    let (meta, tensors) = example(0, 12);
    save(&path, &meta, &tensors).expect("saved");
    let loaded = load(&path, 0, &Device::Cpu).expect("loaded");
    assert_eq!(loaded.meta, meta);
    assert_eq!(loaded.fallback, None);
    assert!(loaded.names().eq(tensors.keys().map(String::as_str)));
    for (name, tensor) in &tensors {
        let found = loaded.tensor(name, tensor.dims(), tensor.dtype()).expect("same shape");
        assert_eq!(bits(found), bits(tensor), "{name}");
    }
    assert_eq!(peek(&path, 0).expect("there"), meta);
    assert!(!beside(&path, "tmp").exists() && !beside(&path, "previous").exists());
}

#[test]
fn candle_reads_the_tensors() {
    let (_folder, path) = folder();
    let (meta, mut tensors) = example(0, 1);
    tensors.remove("empty");
    save(&path, &meta, &tensors).expect("saved");
    let found = candle_core::safetensors::load(&path, &Device::Cpu).expect("loaded");
    assert_eq!(found["fc1.weight"].dims(), [2, 3]);
}

#[test]
fn wrong_lane_shape_and_strategy_are_named() {
    let (_folder, path) = folder();
    let (meta, tensors) = example(3, 1);
    save(&path, &meta, &tensors).expect("saved");
    let text = load(&path, 2, &Device::Cpu).expect_err("lane 3").to_string();
    assert!(text.contains("lane 3") && text.contains("expected lane 2"), "{text}");
    let loaded = load(&path, 3, &Device::Cpu).expect("loaded");
    let text = loaded.tensor("ring", &[3], DType::F64).expect_err("2 values").to_string();
    assert!(text.contains("`ring` of [2]") && text.contains("[3]"), "{text}");
    assert!(loaded.tensor("ring", &[2], DType::F32).is_err());
    let text = loaded.tensor("velocity", &[2], DType::F64).expect_err("absent").to_string();
    assert!(text.contains("none named `velocity`"), "{text}");
    loaded.check(meta.seed, &meta.strategy, &meta.version).expect("the same");
    assert!(loaded.check(meta.seed, &meta.strategy, "1.1.0").is_err());
}

#[test]
fn any_cut_is_noticed() {
    let (_folder, path) = folder();
    let (meta, tensors) = example(0, 1);
    save(&path, &meta, &tensors).expect("saved");
    let whole = fs::read(&path).expect("there");
    for length in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
        fs::write(&path, &whole[..length]).expect("cut");
        let error = load(&path, 0, &Device::Cpu).expect_err("cut");
        assert!(matches!(error, CheckpointError::Damaged { .. }), "{length}: {error}");
    }
}

#[test]
fn a_changed_byte_of_a_tensor_is_noticed() {
    let (_folder, path) = folder();
    let (meta, tensors) = example(0, 1);
    save(&path, &meta, &tensors).expect("saved");
    let mut bytes = fs::read(&path).expect("there");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, &bytes).expect("changed");
    assert!(matches!(load(&path, 0, &Device::Cpu), Err(CheckpointError::Damaged { .. })));
}

#[test]
fn a_half_written_temporary_does_no_harm() {
    let (_folder, path) = folder();
    let (meta, tensors) = example(0, 1);
    save(&path, &meta, &tensors).expect("saved");
    fs::write(beside(&path, "tmp"), b"half of the ne").expect("left over");
    assert_eq!(load(&path, 0, &Device::Cpu).expect("the old one").meta.step, 1);
    let (meta, tensors) = example(0, 2);
    save(&path, &meta, &tensors).expect("saved over it");
    assert_eq!(peek(&path, 0).expect("the new one").step, 2);
}

#[test]
fn a_loss_between_the_renames_falls_back() {
    let (_folder, path) = folder();
    let (meta, tensors) = example(0, 1);
    save(&path, &meta, &tensors).expect("saved");
    fs::rename(&path, beside(&path, "previous")).expect("first rename");
    let loaded = load(&path, 0, &Device::Cpu).expect("the one before");
    assert_eq!(loaded.meta.step, 1);
    assert!(loaded.fallback.expect("said").contains("no checkpoint"));
    // The second rename reached the disk but the bytes did not: right length, zeros.
    let length = fs::metadata(beside(&path, "previous")).expect("there").len();
    fs::write(&path, vec![0; length as usize]).expect("zeros");
    let loaded = load(&path, 0, &Device::Cpu).expect("the one before");
    assert!(loaded.fallback.expect("said").contains("damaged"));
    // The next save cleans up.
    let (meta, tensors) = example(0, 2);
    save(&path, &meta, &tensors).expect("saved");
    assert_eq!(load(&path, 0, &Device::Cpu).expect("the new one").fallback, None);
    assert!(!beside(&path, "previous").exists());
}

#[test]
fn failing_to_write_keeps_the_old_one() {
    let (_folder, path) = folder();
    let (meta, mut tensors) = example(0, 1);
    save(&path, &meta, &tensors).expect("saved");
    let half = Tensor::zeros(2, DType::BF16, &Device::Cpu).expect("a tensor");
    tensors.insert("half".into(), half);
    let text = save(&path, &meta, &tensors).expect_err("no bf16").to_string();
    assert!(text.contains("`half`"), "{text}");
    fs::create_dir(beside(&path, "tmp")).expect("in the way");
    tensors.remove("half");
    assert!(matches!(save(&path, &meta, &tensors), Err(CheckpointError::Write { .. })));
    assert_eq!(peek(&path, 0).expect("the old one").step, 1);
}
