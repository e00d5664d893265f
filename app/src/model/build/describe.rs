//! An architecture in a line of text.

use crate::model::layer::Extent;
use crate::workspace::{ModelSpec, PoolSpec, StageSpec};

/// The architecture in a line: `mlp 784-128-128-128-10`, `conv 3×32×32 → 16@3×3 → max 2 → 10`.
pub fn describe(model: &ModelSpec, data: Extent, classes: usize) -> String {
    let image = |extent: Extent| match extent.image {
        Some((height, width)) => format!("{}×{height}×{width}", extent.width),
        None => format!("{}×{}", extent.rows, extent.width),
    };
    match model {
        ModelSpec::Mlp(spec) => {
            let widths = std::iter::once(data.len()).chain(spec.hidden.iter().copied()).chain([classes]);
            let widths: Vec<String> = widths.map(|width| width.to_string()).collect();
            let options = [(spec.norm, " norm"), (spec.residual, " residual")];
            let options: String = options.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
            format!("mlp {}{options}", widths.join("-"))
        }
        ModelSpec::Conv(spec) => {
            let mut line = format!("conv {}", image(data));
            for layer in &spec.layers {
                line += &format!(" → {}@{k}×{k}", layer.channels, k = layer.kernel);
                if layer.stride > 1 {
                    line += &format!("/{}", layer.stride);
                }
                match layer.pool {
                    PoolSpec::None => {}
                    PoolSpec::Average(side) => line += &format!(" → mean {side}"),
                    PoolSpec::Max(side) => line += &format!(" → max {side}"),
                }
            }
            for width in &spec.hidden {
                line += &format!(" → {width}");
            }
            let norm = if spec.groups > 0 { format!(" (group norm {})", spec.groups) } else { String::new() };
            format!("{line} → {classes}{norm}")
        }
        ModelSpec::Resnet(spec) => {
            let stage = |stage: &StageSpec| {
                let stride = if stage.stride > 1 { format!("/{}", stage.stride) } else { String::new() };
                format!(" → {}×{}{stride}", stage.blocks, stage.channels)
            };
            let stages: String = spec.stages.iter().map(stage).collect();
            format!("resnet {}{stages} → {classes} (group norm {})", image(data), spec.groups)
        }
        ModelSpec::Mixer(spec) => format!(
            "mixer {} → {p}×{p} patches → {} blocks of {} (token {}, channel {}) → {classes}",
            image(data),
            spec.blocks,
            spec.width,
            spec.token_hidden,
            spec.channel_hidden,
            p = spec.patch,
        ),
        ModelSpec::LocalMixer(spec) => format!(
            "local mixer {} → {p}×{p} patches → {} blocks of {} in {} groups → {classes}",
            image(data),
            spec.blocks,
            spec.width,
            spec.groups,
            p = spec.patch,
        ),
        ModelSpec::Transformer(spec) => format!(
            "transformer {} → {p}×{p} patches → {} blocks of {} ({} heads, hidden {}) → {classes}",
            image(data),
            spec.blocks,
            spec.width,
            spec.heads,
            spec.hidden,
            p = spec.patch,
        ),
    }
}
