//! A scene as a PNG file, drawn with anti-aliasing.

use super::font::Font;
use super::scene::{Align, Colour, Point, Scene, Shape};
use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Mask, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash, Transform,
};
use ttf_parser::OutlineBuilder;

/// Pixels along an edge, at most.
const MOST: f32 = 16_384.0;

/// The file of `scene`, `scale` pixels for each unit.
///
/// # Errors
/// When that makes no pixels, or too many.
pub fn file(scene: &Scene, scale: f32) -> Result<Vec<u8>, String> {
    let (width, height) = (scene.width as f32 * scale, scene.height as f32 * scale);
    if !(1.0..=MOST).contains(&width) || !(1.0..=MOST).contains(&height) {
        return Err(format!("a picture has 1 to {MOST} pixels along each edge; {width} × {height} were asked for"));
    }
    let mut pixmap =
        Pixmap::new(width.round() as u32, height.round() as u32).ok_or("there is no memory for the picture")?;
    pixmap.fill(opaque(scene.ground));
    draw(&mut pixmap, &scene.shapes, Transform::from_scale(scale, scale), None);
    encode(&pixmap)
}

fn opaque(Colour(r, g, b): Colour) -> Color {
    Color::from_rgba8(r, g, b, 255)
}

fn paint(colour: Colour, smooth: bool) -> Paint<'static> {
    let mut paint = Paint { anti_alias: smooth, ..Paint::default() };
    paint.set_color(opaque(colour));
    paint
}

fn draw(pixmap: &mut Pixmap, shapes: &[Shape], view: Transform, mask: Option<&Mask>) {
    for shape in shapes {
        match shape {
            Shape::Block { area, fill } => {
                let rect = Rect::from_xywh(area.x as f32, area.y as f32, area.width as f32, area.height as f32);
                if let Some(rect) = rect {
                    pixmap.fill_path(
                        &PathBuilder::from_rect(rect),
                        &paint(*fill, false),
                        FillRule::Winding,
                        view,
                        mask,
                    );
                }
            }
            Shape::Line { points, stroke, width, dash } => {
                let dash = dash.and_then(|[on, off]| StrokeDash::new(vec![on as f32, off as f32], 0.0));
                let pen = Stroke {
                    width: *width as f32,
                    line_cap: LineCap::Round,
                    line_join: LineJoin::Round,
                    dash,
                    ..Stroke::default()
                };
                if let Some(path) = polygon(points, false) {
                    pixmap.stroke_path(&path, &paint(*stroke, true), &pen, view, mask);
                }
            }
            Shape::Polygon { points, fill, opacity } => {
                if let Some(path) = polygon(points, true) {
                    let mut paint = paint(*fill, true);
                    let Colour(r, g, b) = *fill;
                    paint.set_color_rgba8(r, g, b, (opacity.clamp(0.0, 1.0) * 255.0).round() as u8);
                    pixmap.fill_path(&path, &paint, FillRule::Winding, view, mask);
                }
            }
            Shape::Disc { centre: (x, y), radius, fill } => {
                if let Some(path) = PathBuilder::from_circle(*x as f32, *y as f32, *radius as f32) {
                    pixmap.fill_path(&path, &paint(*fill, true), FillRule::Winding, view, mask);
                }
            }
            Shape::Text { at: (x, y), text, size, weight, fill, align, upright } => {
                let font = Font::new(*weight, *size);
                let width = font.width(text);
                let start = match align {
                    Align::Start => 0.0,
                    Align::Middle => -width / 2.0,
                    Align::End => -width,
                };
                let mut pen = Pen(PathBuilder::new());
                font.outline(text, (start, 0.0), &mut pen);
                let turn = if *upright { Transform::from_rotate(-90.0) } else { Transform::identity() };
                let place = turn.post_translate(*x as f32, *y as f32).post_concat(view);
                if let Some(path) = pen.0.finish() {
                    pixmap.fill_path(&path, &paint(*fill, true), FillRule::Winding, place, mask);
                }
            }
            Shape::Within { area, shapes } => {
                let rect = Rect::from_xywh(area.x as f32, area.y as f32, area.width as f32, area.height as f32);
                let mut inside = Mask::new(pixmap.width(), pixmap.height());
                if let (Some(rect), Some(inside)) = (rect, inside.as_mut()) {
                    inside.fill_path(&PathBuilder::from_rect(rect), FillRule::Winding, false, view);
                }
                draw(pixmap, shapes, view, inside.as_ref());
            }
        }
    }
}

fn polygon(points: &[Point], closed: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    let (first, rest) = points.split_first()?;
    path.move_to(first.0 as f32, first.1 as f32);
    rest.iter().for_each(|(x, y)| path.line_to(*x as f32, *y as f32));
    if closed {
        path.close();
    }
    path.finish()
}

/// Outlines of letters as a path.
struct Pen(PathBuilder);

impl OutlineBuilder for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.0.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.0.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.0.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.0.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.0.close();
    }
}

/// The pixels, all of them opaque, as RGB.
fn encode(pixmap: &Pixmap) -> Result<Vec<u8>, String> {
    let rgb: Vec<u8> = pixmap.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, pixmap.width(), pixmap.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written =
        encoder.write_header().and_then(|mut writer| writer.write_image_data(&rgb).and_then(|()| writer.finish()));
    written.map_err(|error| format!("the PNG encoder: {error}"))?;
    Ok(bytes)
}
