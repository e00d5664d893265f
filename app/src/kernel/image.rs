//! Images, held position by position (rows (example, y, x), one column a channel): im2col rows and back, and pooling.

use super::access::{expect, update};
use super::general;
use super::parallel::rows;
use super::real::{Real, on_real};
use super::wide::wide;
use candle_core::{Result, Tensor};

/// Where a square window lies on an image as it steps along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Channels.
    pub channels: usize,
    /// Height of the image.
    pub height: usize,
    /// Width of the image.
    pub width: usize,
    /// Side of the window.
    pub side: usize,
    /// Step between windows.
    pub stride: usize,
    /// Zeros around the image.
    pub padding: usize,
}

impl Windows {
    /// Height and width of the grid of windows; `None` when the window is larger than the padded image, or nothing.
    pub fn grid(&self) -> Option<(usize, usize)> {
        let along = |length: usize| {
            let room = (length + 2 * self.padding).checked_sub(self.side)?;
            Some(room.checked_div(self.stride)? + 1)
        };
        if self.side == 0 { None } else { Some((along(self.height)?, along(self.width)?)) }
    }

    pub(super) fn extents(&self, name: &str) -> Result<(usize, usize)> {
        match self.grid() {
            Some(grid) => Ok(grid),
            None => candle_core::bail!(
                "{name}: windows of side {} and stride {} do not fit an image of {}×{} with padding {}",
                self.side,
                self.stride,
                self.height,
                self.width,
                self.padding
            ),
        }
    }

    /// Columns of the im2col rows.
    pub fn columns(&self) -> usize {
        self.channels * self.side * self.side
    }

    /// Calls `f(offset in the window, position in the image)` for the positions of a window inside the image.
    #[inline(always)]
    fn inside(&self, y: usize, x: usize, mut f: impl FnMut(usize, usize)) {
        for ky in 0..self.side {
            let Some(iy) = (y * self.stride + ky).checked_sub(self.padding).filter(|iy| *iy < self.height) else {
                continue;
            };
            for kx in 0..self.side {
                let Some(ix) = (x * self.stride + kx).checked_sub(self.padding).filter(|ix| *ix < self.width) else {
                    continue;
                };
                f(ky * self.side + kx, iy * self.width + ix);
            }
        }
    }
}

/// Im2col rows: `dst` is (examples · windows) × (channels · side²), columns ordered channel, row, column, as convolution
/// weights are; `src` is (examples · positions) × channels.
///
/// # Errors
/// When the extents do not fit, or both share a storage.
pub fn im2col(dst: &Tensor, src: &Tensor, windows: Windows) -> Result<()> {
    let (gy, gx) = windows.extents("im2col")?;
    let image = windows.height * windows.width;
    let examples = super::access::shape(src).0 / image.max(1);
    expect("im2col", "the image", src, examples * image, windows.channels)?;
    expect("im2col", "the destination", dst, examples * gy * gx, windows.columns())?;
    if general::takes(dst) {
        return general::im2col(dst, src, windows);
    }
    on_real!(dst, T => update::<T, _, 1, 1>("im2col", [dst], [src], |[dst], [src]| {
        // Stands for what lies outside the image.
        let outside = T::ZEROS.get(..windows.channels);
        each_line(dst, windows.columns(), 2 * windows.columns(), windows, |line, example, y| {
            let image = image_at(src, windows, example);
            match (outside, windows.side) {
                (Some(outside), 1) => gather_line::<1, 1, T>(line, image, windows, y, outside),
                (Some(outside), 2) => gather_line::<2, 4, T>(line, image, windows, y, outside),
                (Some(outside), 3) => gather_line::<3, 9, T>(line, image, windows, y, outside),
                (Some(outside), 5) => gather_line::<5, 25, T>(line, image, windows, y, outside),
                _ => {
                    for (x, row) in line.chunks_exact_mut(windows.columns()).enumerate() {
                        gather_any(row, image, windows, (y, x));
                    }
                }
            }
        });
    }))
}

/// The im2col rows of a line of windows of side `SIDE` and `AREA` positions: each is written once, from its beginning to its end.
fn gather_line<const SIDE: usize, const AREA: usize, T: Real>(
    line: &mut [T],
    image: &[T],
    windows: Windows,
    y: usize,
    outside: &[T],
) {
    let Windows { channels, height, width, stride, padding, .. } = windows;
    let along = |at: usize, k: usize, length: usize| {
        (at * stride + k).checked_sub(padding).filter(|position| *position < length)
    };
    let lines: [Option<usize>; SIDE] = std::array::from_fn(|ky| along(y, ky, height));
    for (x, row) in line.chunks_exact_mut(channels * AREA).enumerate() {
        let mut pixels = [&outside[..channels]; AREA];
        for kx in 0..SIDE {
            let Some(x) = along(x, kx, width) else { continue };
            for (ky, y) in lines.iter().enumerate() {
                if let Some(y) = y {
                    pixels[ky * SIDE + kx] = &image[(y * width + x) * channels..][..channels];
                }
            }
        }
        for (channel, numbers) in row.as_chunks_mut::<AREA>().0.iter_mut().enumerate() {
            for (number, pixel) in numbers.iter_mut().zip(&pixels) {
                *number = pixel[channel];
            }
        }
    }
}

/// An im2col row of a window of any size.
fn gather_any<T: Real>(row: &mut [T], image: &[T], windows: Windows, (y, x): (usize, usize)) {
    let channels = windows.channels;
    row.fill(T::ZERO);
    windows.inside(y, x, |offset, position| {
        let pixel = &image[position * channels..][..channels];
        for (numbers, s) in row.chunks_exact_mut(windows.side * windows.side).zip(pixel) {
            numbers[offset] = *s;
        }
    });
}

/// `dst ← beta·dst + ` the transpose of [`im2col`] applied to `src`: every window's numbers added to where they came from.
///
/// # Errors
/// When the extents do not fit, or both share a storage.
pub fn col2im(dst: &Tensor, beta: f64, src: &Tensor, windows: Windows) -> Result<()> {
    let (gy, gx) = windows.extents("col2im")?;
    let image = windows.height * windows.width;
    let examples = super::access::shape(dst).0 / image.max(1);
    expect("col2im", "the image", dst, examples * image, windows.channels)?;
    expect("col2im", "the source", src, examples * gy * gx, windows.columns())?;
    if general::takes(dst) {
        return general::col2im(dst, beta, src, windows);
    }
    on_real!(dst, T => update::<T, _, 1, 1>("col2im", [dst], [src], |[dst], [src]| {
        let (columns, channels, area) = (windows.columns(), windows.channels, windows.side * windows.side);
        let size = image * channels;
        rows(dst, size, size + gy * gx * columns, |first, images| {
            for (i, image) in images.chunks_exact_mut(size).enumerate() {
                scale_image(image, beta);
                let rows = &src[(first + i) * gy * gx * columns..(first + i + 1) * gy * gx * columns];
                for (window, row) in rows.chunks_exact(columns).enumerate() {
                    windows.inside(window / gx, window % gx, |offset, position| {
                        let pixel = &mut image[position * channels..(position + 1) * channels];
                        for (d, s) in pixel.iter_mut().zip(row.chunks_exact(area)) {
                            *d += s[offset];
                        }
                    });
                }
            }
        });
    }))
}

fn scale_image<T: Real>(image: &mut [T], beta: f64) {
    if beta == 0.0 {
        image.fill(T::ZERO);
    } else if beta != 1.0 {
        image.iter_mut().for_each(|x| *x *= T::of(beta));
    }
}

/// `dst ← ` the mean of each window: `dst` is (examples · windows) × channels.
///
/// # Errors
/// When the extents do not fit, or both share a storage.
pub fn average_pool(dst: &Tensor, src: &Tensor, windows: Windows) -> Result<()> {
    pool("average_pool", dst, src, windows)?;
    if general::takes(dst) {
        return general::average_pool(dst, src, windows);
    }
    on_real!(dst, T => update::<T, _, 1, 1>("average_pool", [dst], [src], |[dst], [src]| {
        let factor = T::of(1.0 / (windows.side * windows.side) as f64);
        let cost = windows.channels * (1 + windows.side * windows.side);
        each_line(dst, windows.channels, cost, windows, |line, example, y| {
            average_line(line, image_at(src, windows, example), windows, y, factor);
        });
    }))
}

wide! {
    /// A line of [`average_pool`].
    fn average_line<T: Real>(line: &mut [T], image: &[T], windows: Windows, y: usize, factor: T) {
        let Windows { channels, width, side, stride, .. } = windows;
        for (x, row) in line.chunks_exact_mut(channels).enumerate() {
            row.fill(T::ZERO);
            for ky in 0..side {
                let from = ((y * stride + ky) * width + x * stride) * channels;
                for pixel in image[from..from + side * channels].chunks_exact(channels) {
                    row.iter_mut().zip(pixel).for_each(|(d, s)| *d += factor * *s);
                }
            }
        }
    }
}

/// `dst ← beta·dst + ` the transpose of [`average_pool`] applied to `src`.
///
/// # Errors
/// When the extents do not fit, or both share a storage.
pub fn average_pool_adjoint(dst: &Tensor, beta: f64, src: &Tensor, windows: Windows) -> Result<()> {
    pool("average_pool_adjoint", src, dst, windows)?;
    if general::takes(dst) {
        return general::average_pool_adjoint(dst, beta, src, windows);
    }
    on_real!(dst, T => update::<T, _, 1, 1>("average_pool_adjoint", [dst], [src], |[dst], [src]| {
        let factor = T::of(1.0 / (windows.side * windows.side) as f64);
        spread_windows(dst, beta, src, windows, |image, row, _, y, x| {
            windows.inside(y, x, |_, position| {
                let pixel = &mut image[position * windows.channels..][..windows.channels];
                pixel.iter_mut().zip(row).for_each(|(d, s)| *d += factor * *s);
            });
        });
    }))
}

/// `dst ← ` the largest of each window, `place ←` where in the window it was (row · side + column, the first of equals).
///
/// # Errors
/// When the extents do not fit, or two operands share a storage.
pub fn max_pool(dst: &Tensor, place: &Tensor, src: &Tensor, windows: Windows) -> Result<()> {
    pool("max_pool", dst, src, windows)?;
    super::access::same_shape("max_pool", place, dst)?;
    if general::takes(dst) {
        return general::max_pool(dst, place, src, windows);
    }
    on_real!(dst, T => update::<T, _, 2, 1>("max_pool", [dst, place], [src], |[dst, place], [src]| {
        let (channels, lowest) = (windows.channels, T::of(f64::NEG_INFINITY));
        let (gy, gx) = windows.grid().unwrap_or((1, 1));
        super::parallel::row_pairs(dst, place, (channels, channels), 2 * channels, |first, rows, places| {
            for (i, (row, place)) in rows.chunks_exact_mut(channels).zip(places.chunks_exact_mut(channels)).enumerate() {
                let (example, window) = ((first + i) / (gy * gx), (first + i) % (gy * gx));
                row.fill(lowest);
                place.fill(T::ZERO);
                windows.inside(window / gx, window % gx, |offset, position| {
                    for ((d, p), s) in row.iter_mut().zip(place.iter_mut()).zip(pixel(src, windows, example, position)) {
                        // A NaN wins, so that it is seen.
                        if *s > *d || s.wide().is_nan() {
                            *d = *s;
                            *p = T::of(offset as f64);
                        }
                    }
                });
            }
        });
    }))
}

/// `dst ← src` at the places of [`max_pool`]; `place` is repeated over the blocks of `dst`.
///
/// # Errors
/// When the extents do not fit, or `dst` shares its storage with a source.
pub fn max_pool_tangent(dst: &Tensor, src: &Tensor, place: &Tensor, windows: Windows) -> Result<()> {
    pool("max_pool_tangent", dst, src, windows)?;
    super::access::stacked("max_pool_tangent", dst, place)?;
    if general::takes(dst) {
        return general::max_pool_tangent(dst, src, place, windows);
    }
    on_real!(dst, T => update::<T, _, 1, 2>("max_pool_tangent", [dst], [src, place], |[dst], [src, place]| {
        let (gy, gx) = windows.grid().unwrap_or((1, 1));
        each_window(dst, windows, |row, example, y, x| {
            let window = ((example * gy + y) * gx + x) * windows.channels % place.len();
            let places = &place[window..window + windows.channels];
            for (channel, (d, place)) in row.iter_mut().zip(places).enumerate() {
                let position = position(windows, y, x, place.wide() as usize);
                *d = pixel(src, windows, example, position)[channel];
            }
        });
    }))
}

/// `dst ← beta·dst + ` the transpose of [`max_pool_tangent`] applied to `src`.
///
/// # Errors
/// When the extents do not fit, or `dst` shares its storage with a source.
pub fn max_pool_adjoint(dst: &Tensor, beta: f64, src: &Tensor, place: &Tensor, windows: Windows) -> Result<()> {
    pool("max_pool_adjoint", src, dst, windows)?;
    super::access::stacked("max_pool_adjoint", src, place)?;
    if general::takes(dst) {
        return general::max_pool_adjoint(dst, beta, src, place, windows);
    }
    on_real!(dst, T => update::<T, _, 1, 2>("max_pool_adjoint", [dst], [src, place], |[dst], [src, place]| {
        spread_windows(dst, beta, src, windows, |image, row, first, y, x| {
            let places = &place[first % place.len()..][..windows.channels];
            for (channel, (s, place)) in row.iter().zip(places).enumerate() {
                image[position(windows, y, x, place.wide() as usize) * windows.channels + channel] += *s;
            }
        });
    }))
}

/// Refuses extents that do not fit; pooling is without padding.
fn pool(name: &str, pooled: &Tensor, image: &Tensor, windows: Windows) -> Result<()> {
    let (gy, gx) = windows.extents(name)?;
    let positions = windows.height * windows.width;
    let examples = super::access::shape(image).0 / positions.max(1);
    if windows.padding != 0 {
        candle_core::bail!("{name}: pooling takes no padding");
    }
    expect(name, "the image", image, examples * positions, windows.channels)?;
    expect(name, "the pooled image", pooled, examples * gy * gx, windows.channels)
}

fn position(windows: Windows, y: usize, x: usize, offset: usize) -> usize {
    (y * windows.stride + offset / windows.side) * windows.width + x * windows.stride + offset % windows.side
}

#[inline(always)]
fn pixel<T>(src: &[T], windows: Windows, example: usize, position: usize) -> &[T] {
    &src[(example * windows.height * windows.width + position) * windows.channels..][..windows.channels]
}

/// The image of an example.
fn image_at<T>(src: &[T], windows: Windows, example: usize) -> &[T] {
    let size = windows.height * windows.width * windows.channels;
    &src[example * size..(example + 1) * size]
}

/// Calls `f(line, example, y)` for the lines of windows, whose rows of `width` numbers lie side by side; a row costs `cost`.
fn each_line<T: Real>(
    dst: &mut [T],
    width: usize,
    cost: usize,
    windows: Windows,
    f: impl Fn(&mut [T], usize, usize) + Sync,
) {
    let (gy, gx) = windows.grid().unwrap_or((1, 1));
    rows(dst, gx * width, gx * cost, |first, lines| {
        for (i, line) in lines.chunks_exact_mut(gx * width).enumerate() {
            f(line, (first + i) / gy, (first + i) % gy);
        }
    });
}

/// Calls `f(row, example, y, x)` for the rows of pooled images.
fn each_window<T: Real>(dst: &mut [T], windows: Windows, f: impl Fn(&mut [T], usize, usize, usize) + Sync) {
    let (gy, gx) = windows.grid().unwrap_or((1, 1));
    let cost = windows.channels * (1 + windows.side * windows.side);
    rows(dst, windows.channels, cost, |first, rows| {
        for (i, row) in rows.chunks_exact_mut(windows.channels).enumerate() {
            let (example, window) = ((first + i) / (gy * gx), (first + i) % (gy * gx));
            f(row, example, window / gx, window % gx);
        }
    });
}

/// Scales the images by `beta`, then calls `f(image, row of src, where it starts, y, x)` for the windows of each.
fn spread_windows<T: Real>(
    dst: &mut [T],
    beta: f64,
    src: &[T],
    windows: Windows,
    f: impl Fn(&mut [T], &[T], usize, usize, usize) + Sync,
) {
    let (gy, gx) = windows.grid().unwrap_or((1, 1));
    let (channels, size) = (windows.channels, windows.height * windows.width * windows.channels);
    rows(dst, size, 2 * size, |first, images| {
        for (i, image) in images.chunks_exact_mut(size).enumerate() {
            scale_image(image, beta);
            let from = (first + i) * gy * gx * channels;
            for (window, row) in src[from..from + gy * gx * channels].chunks_exact(channels).enumerate() {
                f(image, row, from + window * channels, window / gx, window % gx);
            }
        }
    });
}
