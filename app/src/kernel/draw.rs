//! Draws: a number is a function of (seed, instance, step, site, guess, draw) and its place in the matrix, so any part
//! of any matrix can be drawn again, in any order and by any number of threads.
//!
//! The recipe is the one that `gw_rng` in the plugin interface gives to plugins.

use super::access::update;
use super::general;
use super::parallel::grains;
use super::philox::{self, LANES, splitmix64};
use super::real::{Real, on_real};
use super::wide::wide;
use candle_core::{Result, Tensor};
use std::f64::consts::TAU;

/// Distribution of a draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// N(0, 1), by Box–Muller.
    Normal,
    /// U(0, 1), the ends left out.
    Uniform,
    /// −1 or +1 with equal chance.
    Rademacher,
}

/// What a matrix of draws is a function of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrawKey {
    /// Seed of the run.
    pub seed: u64,
    /// Who draws: lanes of one seed differ in this.
    pub instance: u64,
    /// Step of the lane.
    pub step: u64,
    /// Site, of which 16 bits count.
    pub site: u32,
    /// Guess, of which 16 bits count.
    pub guess: u32,
    /// Number of the draw at this site and guess, of which 16 bits count.
    pub draw: u32,
}

impl DrawKey {
    fn philox_key(&self) -> [u32; 2] {
        let mixed = splitmix64(self.seed ^ splitmix64(self.instance));
        [mixed as u32, (mixed >> 32) as u32]
    }

    fn counter(&self) -> [u32; 3] {
        let pair = |high: u32, low: u32| (high << 16) | (low & 0xFFFF);
        [self.step as u32, pair(self.site, self.guess), pair(self.draw, (self.step >> 32) as u32)]
    }
}

/// Words of two rows of Philox blocks, which become numbers side by side: neither waits for the other.
pub(super) type Words = [philox::Words; 2];
/// Numbers that they give.
pub(super) const GROUP: usize = 2 * 4 * LANES;
/// Groups whose words are computed before their numbers.
const BATCH: usize = 4;
/// Numbers that one thread draws at a time.
const GRAIN: usize = 32 * GROUP;

wide! {
    /// Elements `start..` of the matrix, `start` a multiple of 4.
    fn draw_pass<T: Real>(kind: Draw, scale: f64, key: [u32; 2], counter: [u32; 3], start: u64, out: &mut [T]) {
        // Words first, numbers then: each of the two loops is a row of rounds that do not wait for each other.
        let mut words = [[[[0; LANES]; 4]; 2]; BATCH];
        let mut block = (start / 4) as u32;
        for batch in out.chunks_mut(BATCH * GROUP) {
            let count = batch.len().div_ceil(GROUP);
            philox::fill(&mut words[..count], block, counter, key);
            block = block.wrapping_add((count * GROUP / 4) as u32);
            let (groups, rest) = batch.as_chunks_mut::<GROUP>();
            for (words, group) in words.iter().zip(&mut *groups) {
                T::draw_blocks(kind, scale, words, group);
            }
            if !rest.is_empty() {
                let mut group = [T::ZERO; GROUP];
                T::draw_blocks(kind, scale, &words[groups.len()], &mut group);
                rest.copy_from_slice(&group[..rest.len()]);
            }
        }
    }
}

/// `out ← scale · draws`, elements `start` to `start + out.len() − 1` of the matrix that `key` names.
fn draw_into<T: Real>(kind: Draw, scale: f64, key: DrawKey, start: u64, out: &mut [T]) {
    let (philox_key, counter) = (key.philox_key(), key.counter());
    // Up to the next whole block, then whole blocks.
    let lead = out.len().min(((4 - start % 4) % 4) as usize);
    let (head, body) = out.split_at_mut(lead);
    if !head.is_empty() {
        let mut block = [T::ZERO; 4];
        draw_pass(kind, scale, philox_key, counter, start - start % 4, &mut block);
        let from = (start % 4) as usize;
        head.copy_from_slice(&block[from..from + lead]);
    }
    let start = start + lead as u64;
    grains(body, GRAIN, |offset, piece| draw_pass(kind, scale, philox_key, counter, start + offset as u64, piece));
}

/// `dst ← scale · draws`.
///
/// # Errors
/// When `dst` is not contiguous, or not f32 or f64.
pub fn fill_draws(dst: &Tensor, kind: Draw, scale: f64, key: DrawKey) -> Result<()> {
    fill_draws_at(dst, kind, scale, key, 0)
}

/// `dst ← scale ·` the draws from element `start` on: rows of a larger matrix.
///
/// # Errors
/// When `dst` is not contiguous, or not f32 or f64.
pub fn fill_draws_at(dst: &Tensor, kind: Draw, scale: f64, key: DrawKey, start: u64) -> Result<()> {
    if general::takes(dst) {
        return general::on_host([dst], [], |[dst], []| fill_draws_at(dst, kind, scale, key, start));
    }
    on_real!(dst, T => update::<T, _, 1, 0>("fill_draws", [dst], [], |[dst], []| draw_into(kind, scale, key, start, dst)))
}

/// The same draws in double precision into a slice: elements `start` to `start + out.len() − 1`.
pub fn draws(kind: Draw, key: DrawKey, start: u64, out: &mut [f64]) {
    draw_into(kind, 1.0, key, start, out);
}

/// `f` of the four words of each block, block by block: with all four numbers of a block in one round the compiler
/// interleaves them in registers.
#[inline(always)]
fn each_block<T: Copy>(words: &Words, out: &mut [T; GROUP], f: impl Fn([u32; 4]) -> [T; 4]) {
    for lane in 0..LANES {
        let four = |[a, b, c, d]: &philox::Words| f([a[lane], b[lane], c[lane], d[lane]]);
        let (first, second) = (four(&words[0]), four(&words[1]));
        let mut put = |place: usize, [a, b, c, d]: [T; 4]| {
            (out[place], out[place + 1], out[place + 2], out[place + 3]) = (a, b, c, d);
        };
        put(4 * lane, first);
        put(4 * (LANES + lane), second);
    }
}

/// [`Real::draw_blocks`] in double precision.
#[inline(always)]
pub(super) fn blocks_f64(kind: Draw, scale: f64, words: &Words, out: &mut [f64; GROUP]) {
    let uniform = |word: u32| (f64::from(word) + 0.5) * 2f64.powi(-32);
    let normal = |[first, second]: [u32; 2]| {
        let radius = (-2.0 * uniform(first).ln()).sqrt();
        let (sin, cos) = (TAU * uniform(second)).sin_cos();
        [scale * (radius * cos), scale * (radius * sin)]
    };
    match kind {
        Draw::Normal => each_block(words, out, |[a, b, c, d]| {
            let ([a, b], [c, d]) = (normal([a, b]), normal([c, d]));
            [a, b, c, d]
        }),
        Draw::Uniform => each_block(words, out, |words| words.map(|word| scale * uniform(word))),
        Draw::Rademacher => {
            each_block(words, out, |words| words.map(|word| if word >> 31 == 0 { scale } else { -scale }));
        }
    }
}

/// [`Real::draw_blocks`] in single precision: every step is arithmetic on lanes.
#[inline(always)]
pub(super) fn blocks_f32(kind: Draw, scale: f64, words: &Words, out: &mut [f32; GROUP]) {
    let scale = scale as f32;
    let normal = |[first, second]: [u32; 2]| {
        let radius = (-2.0 * ln_uniform(first)).sqrt();
        let (sin, cos) = sin_cos_turns(second);
        [scale * (radius * cos), scale * (radius * sin)]
    };
    match kind {
        Draw::Normal => each_block(words, out, |[a, b, c, d]| {
            let ([a, b], [c, d]) = (normal([a, b]), normal([c, d]));
            [a, b, c, d]
        }),
        Draw::Uniform => each_block(words, out, |words| {
            words.map(|word| {
                // Rounding must not reach 1.
                let uniform = (word as f32 + 0.5) * 2f32.powi(-32);
                scale * if uniform < 1.0 { uniform } else { 1.0 - f32::EPSILON / 2.0 }
            })
        }),
        // The word's highest bit is the sign.
        Draw::Rademacher => {
            each_block(words, out, |words| words.map(|word| f32::from_bits(scale.to_bits() ^ (word & 0x8000_0000))))
        }
    }
}

/// ln((word + ½)·2⁻³²) with a relative error of about 1e-7, near 1 too: there the distance from 1 is taken from the
/// integer. With u = 2ᵉ(1 + f) and f in [√½ − 1, √2 − 1] it is e·ln 2 + ln(1 + f).
#[inline(always)]
fn ln_uniform(word: u32) -> f32 {
    const SCALE: f32 = 1.0 / 4_294_967_296.0;
    let near_one = word >= 0xC000_0000;
    let distance = if near_one { (!word) as f32 + 0.5 } else { 0.0 };
    let bits = ((word as f32 + 0.5) * SCALE).to_bits();
    // The bits of √½ are taken off so that the exponent steps there.
    let shifted = bits.wrapping_sub(0x3F35_04F3);
    let exponent = (shifted as i32 >> 23) as f32;
    let mantissa = f32::from_bits((shifted & 0x007F_FFFF).wrapping_add(0x3F35_04F3));
    let (e, f) = if near_one { (0.0, -distance * SCALE) } else { (exponent, mantissa - 1.0) };
    // Minimax polynomial of (ln(1 + f) − f + f²/2)/f³ on that interval, single precision (Cephes).
    let mut p = 7.037_683_6e-2f32;
    p = p * f - 1.151_461e-1;
    p = p * f + 1.167_699_87e-1;
    p = p * f - 1.242_014_1e-1;
    p = p * f + 1.424_932_3e-1;
    p = p * f - 1.666_805_7e-1;
    p = p * f + 2.000_071_4e-1;
    p = p * f - 2.499_999_4e-1;
    p = p * f + 3.333_333e-1;
    let square = f * f;
    let log1p = f + (square * f * p - 0.5 * square);
    log1p + e * std::f32::consts::LN_2
}

/// sin and cos of 2π(word + ½)/2³². The quarter turn and the rest of the angle are read off the integer.
#[inline(always)]
fn sin_cos_turns(word: u32) -> (f32, f32) {
    let quarter = word.wrapping_add(1 << 29) >> 30;
    let rest = word.wrapping_sub(quarter << 30) as i32;
    let x = (rest as f32 + 0.5) * (TAU / 4_294_967_296.0) as f32;
    let square = x * x;
    // Polynomials on [−π/4, π/4], single precision (Cephes).
    let sin = ((-1.951_529_6e-4f32 * square + 8.332_161e-3) * square - 1.666_665_5e-1) * square * x + x;
    let cos = ((2.443_315_7e-5f32 * square - 1.388_731_6e-3) * square + 4.166_664_6e-2) * square * square
        - 0.5 * square
        + 1.0;
    let (s, c) = if quarter & 1 == 0 { (sin, cos) } else { (cos, sin) };
    let sign = |negative: bool, x: f32| if negative { -x } else { x };
    (sign(quarter & 2 != 0, s), sign((quarter + 1) & 2 != 0, c))
}
