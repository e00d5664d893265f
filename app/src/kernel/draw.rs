//! Draws: a number is a function of (seed, instance, step, site, guess, draw) and its place in the matrix, so any part
//! of any matrix can be drawn again, in any order and by any number of threads.
//!
//! The recipe is the one that `gw_rng` in the plugin interface gives to plugins.

use super::access::update;
use super::general;
use super::parallel::grains;
use super::philox::{LANES, Words, philox, splitmix64};
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

/// Numbers that one group of Philox blocks gives.
const GROUP: usize = 4 * LANES;
/// Numbers that one thread draws at a time.
const GRAIN: usize = 64 * GROUP;

wide! {
    /// Elements `start..` of the matrix, `start` a multiple of 4.
    fn draw_pass<T: Real>(kind: Draw, scale: f64, key: [u32; 2], counter: [u32; 3], start: u64, out: &mut [T]) {
        let mut block = (start / 4) as u32;
        let mut groups = out.chunks_exact_mut(GROUP);
        for group in &mut groups {
            T::draw_blocks(kind, scale, &philox(block, counter, key), group);
            block = block.wrapping_add(LANES as u32);
        }
        let rest = groups.into_remainder();
        if !rest.is_empty() {
            let mut group = [T::ZERO; GROUP];
            T::draw_blocks(kind, scale, &philox(block, counter, key), &mut group);
            rest.copy_from_slice(&group[..rest.len()]);
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

/// Lane-wise numbers of `words` to their places: number j of a block is number j of each group of four.
#[inline(always)]
fn interleave<T: Copy>(numbers: &[[T; LANES]; 4], out: &mut [T]) {
    for (lane, four) in out.chunks_exact_mut(4).enumerate().take(LANES) {
        for (number, lanes) in four.iter_mut().zip(numbers) {
            *number = lanes[lane];
        }
    }
}

/// [`Real::draw_blocks`] in double precision.
#[inline(always)]
pub(super) fn blocks_f64(kind: Draw, scale: f64, words: &Words, out: &mut [f64]) {
    let uniform = |word: u32| (f64::from(word) + 0.5) * 2f64.powi(-32);
    let mut numbers = [[0.0; LANES]; 4];
    match kind {
        Draw::Normal => {
            for pair in [0, 2] {
                for lane in 0..LANES {
                    let radius = (-2.0 * uniform(words[pair][lane]).ln()).sqrt();
                    let (sin, cos) = (TAU * uniform(words[pair + 1][lane])).sin_cos();
                    numbers[pair][lane] = scale * (radius * cos);
                    numbers[pair + 1][lane] = scale * (radius * sin);
                }
            }
        }
        Draw::Uniform => {
            for (numbers, words) in numbers.iter_mut().zip(words) {
                for (number, word) in numbers.iter_mut().zip(words) {
                    *number = scale * uniform(*word);
                }
            }
        }
        Draw::Rademacher => {
            for (numbers, words) in numbers.iter_mut().zip(words) {
                for (number, word) in numbers.iter_mut().zip(words) {
                    *number = if word >> 31 == 0 { scale } else { -scale };
                }
            }
        }
    }
    interleave(&numbers, out);
}

/// [`Real::draw_blocks`] in single precision: every step is arithmetic on lanes.
#[inline(always)]
pub(super) fn blocks_f32(kind: Draw, scale: f64, words: &Words, out: &mut [f32]) {
    let scale = scale as f32;
    let mut numbers = [[0f32; LANES]; 4];
    match kind {
        Draw::Normal => {
            for pair in [0, 2] {
                for lane in 0..LANES {
                    let radius = (-2.0 * ln_uniform(words[pair][lane])).sqrt();
                    let (sin, cos) = sin_cos_turns(words[pair + 1][lane]);
                    numbers[pair][lane] = scale * (radius * cos);
                    numbers[pair + 1][lane] = scale * (radius * sin);
                }
            }
        }
        Draw::Uniform => {
            for lane in 0..LANES {
                for (numbers, words) in numbers.iter_mut().zip(words) {
                    // Rounding must not reach 1.
                    let uniform = (words[lane] as f32 + 0.5) * 2f32.powi(-32);
                    numbers[lane] = scale * if uniform < 1.0 { uniform } else { 1.0 - f32::EPSILON / 2.0 };
                }
            }
        }
        Draw::Rademacher => {
            for lane in 0..LANES {
                for (numbers, words) in numbers.iter_mut().zip(words) {
                    // The word's highest bit is the sign.
                    numbers[lane] = f32::from_bits(scale.to_bits() ^ (words[lane] & 0x8000_0000));
                }
            }
        }
    }
    interleave(&numbers, out);
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
