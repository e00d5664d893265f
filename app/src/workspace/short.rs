//! Short words for values of settings, as names of lanes and titles of pictures show them.

use super::{ModelSpec, options};

/// `k=4`, `lr=0.1`, and for what explains itself only the value: `example`, `row`, `adam`, `mnist`, `128×3`,
/// `conv-16-32`. Of a mixture's members with their place: `weight[1]=0.5`.
pub fn token(path: &str, value: &str) -> String {
    if path.starts_with("of[") && path.ends_with("].strategy") {
        return value.to_owned();
    }
    match path {
        "problem.data.name" => value.trim_matches('"').to_owned(),
        "problem.model" => architecture(value),
        "problem.model.hidden" => widths(value),
        "scope" | "losses" | "optimizer" | "schedule" => value.to_owned(),
        "guesses" => format!("k={value}"),
        path => format!("{}={value}", setting(path)),
    }
}

/// What a setting is called in names: `lr` for `optimizer.lr`, `weight[1]` for `of[1].weight`.
pub fn setting(path: &str) -> String {
    let last = |path: &str| path.rsplit('.').next().unwrap_or(path).to_owned();
    match path.strip_prefix("of[").and_then(|rest| rest.split_once("].")) {
        Some((place, field)) => format!("{}[{place}]", last(field)),
        None => last(path),
    }
}

/// `[128, 128, 128]` as `128×3`, other widths as `64-32`.
pub fn widths(list: &str) -> String {
    let parts: Vec<&str> =
        list.trim_matches(['[', ']']).split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [] => "none".to_owned(),
        [first, rest @ ..] if !rest.is_empty() && rest.iter().all(|other| other == first) => {
            format!("{first}×{}", parts.len())
        }
        parts => parts.join("-"),
    }
}

/// A whole network by its kind and sizes: `mlp-128×3`, `conv-16-32+64` (channels, then hidden widths), `resnet-2×16-2×32` (blocks ×
/// channels of each stage), `mixer-2×64` (blocks × width). Networks that differ in something else have the same word.
pub fn architecture(model: &str) -> String {
    let kind = model.split('(').next().unwrap_or(model).trim();
    let joined = |sizes: Vec<String>| format!("{kind}-{}", sizes.join("-"));
    let Ok(spec) = options().from_str::<ModelSpec>(model) else { return kind.to_owned() };
    match &spec {
        ModelSpec::Mlp(spec) => joined(vec![widths(&format!("{:?}", spec.hidden))]),
        ModelSpec::Conv(spec) => {
            let word = joined(spec.layers.iter().map(|layer| layer.channels.to_string()).collect());
            if spec.hidden.is_empty() { word } else { format!("{word}+{}", widths(&format!("{:?}", spec.hidden))) }
        }
        ModelSpec::Resnet(spec) => {
            joined(spec.stages.iter().map(|stage| format!("{}×{}", stage.blocks, stage.channels)).collect())
        }
        ModelSpec::Mixer(spec) => joined(vec![format!("{}×{}", spec.blocks, spec.width)]),
        ModelSpec::LocalMixer(spec) => joined(vec![format!("{}×{}", spec.blocks, spec.width)]),
        ModelSpec::Transformer(spec) => joined(vec![format!("{}×{}", spec.blocks, spec.width)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_told_apart_by_kind_and_sizes() {
        for (model, word) in [
            ("mlp(hidden: [128, 128, 128])", "mlp-128×3"),
            ("mlp(hidden: [])", "mlp-none"),
            ("conv(\n    layers: [(channels: 16), (channels: 32, pool: max(2))],\n)", "conv-16-32"),
            ("conv(layers: [(channels: 8)], hidden: [64, 32])", "conv-8+64-32"),
            ("resnet(stages: [(channels: 16, blocks: 1), (channels: 32, blocks: 2, stride: 2)])", "resnet-1×16-2×32"),
            ("mixer(patch: 7, width: 48, blocks: 2, token_hidden: 32, channel_hidden: 96)", "mixer-2×48"),
            ("local_mixer(patch: 7, width: 16, groups: 4, blocks: 3)", "local_mixer-3×16"),
            ("transformer(patch: 7, width: 64, blocks: 2, heads: 4, hidden: 128)", "transformer-2×64"),
            ("of_tomorrow(size: 3)", "of_tomorrow"),
        ] {
            assert_eq!(architecture(model), word);
            assert_eq!(token("problem.model", model), word);
        }
    }
}
