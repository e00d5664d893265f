//! The letters of pictures: Roboto (Apache License 2.0), cut to what is needed and embedded, so that pictures look the same on every
//! machine. What it does not have is drawn as what comes nearest.

use super::scene::Weight;
use ttf_parser::{Face, GlyphId, OutlineBuilder};

const REGULAR: &[u8] = include_bytes!("fonts/Roboto-Regular.ttf");
const MEDIUM: &[u8] = include_bytes!("fonts/Roboto-Medium.ttf");

/// A font at a size.
pub struct Font<'a> {
    face: Option<Face<'a>>,
    scale: f64,
}

impl Font<'_> {
    /// The font of a weight, with an em of `size`.
    pub fn new(weight: Weight, size: f64) -> Self {
        let data = if weight == Weight::Medium { MEDIUM } else { REGULAR };
        let face = Face::parse(data, 0).ok();
        let scale = face.as_ref().map_or(0.0, |face| size / f64::from(face.units_per_em()));
        Self { face, scale }
    }

    fn glyph(&self, letter: char) -> Option<GlyphId> {
        let face = self.face.as_ref()?;
        let near = match letter {
            '⊙' => '·',
            '→' => '>',
            '←' => '<',
            '\u{202f}' | '\u{2009}' => ' ',
            letter => letter,
        };
        face.glyph_index(letter).or_else(|| face.glyph_index(near)).or_else(|| face.glyph_index('?'))
    }

    /// Width of `text`.
    pub fn width(&self, text: &str) -> f64 {
        let advance = |letter| self.face.as_ref()?.glyph_hor_advance(self.glyph(letter)?);
        text.chars().filter_map(advance).map(|units| f64::from(units) * self.scale).sum()
    }

    /// Hands the outlines of `text`, which begins at (`x`, `y`) on its baseline, to `pen`; of each point the place.
    pub fn outline(&self, text: &str, (x, y): (f64, f64), pen: &mut dyn OutlineBuilder) {
        let Some(face) = self.face.as_ref() else { return };
        let mut at = x;
        for id in text.chars().filter_map(|letter| self.glyph(letter)) {
            let mut placed = Placed { pen: &mut *pen, x: at, y, scale: self.scale };
            face.outline_glyph(id, &mut placed);
            at += face.glyph_hor_advance(id).map_or(0.0, |units| f64::from(units) * self.scale);
        }
    }
}

/// Outlines in the font's units, brought to their place; the font's y grows upwards.
struct Placed<'a> {
    pen: &'a mut dyn OutlineBuilder,
    x: f64,
    y: f64,
    scale: f64,
}

impl Placed<'_> {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        ((self.x + f64::from(x) * self.scale) as f32, (self.y - f64::from(y) * self.scale) as f32)
    }
}

impl OutlineBuilder for Placed<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.pen.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.pen.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.pen.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.pen.curve_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.pen.close();
    }
}

/// `text` cut to `room`, with an ellipsis where something was lost.
pub fn fit(text: &str, weight: Weight, size: f64, room: f64) -> String {
    let font = Font::new(weight, size);
    if font.width(text) <= room {
        return text.to_owned();
    }
    let mut cut: Vec<char> = text.chars().collect();
    while !cut.is_empty() {
        cut.pop();
        let shorter = cut.iter().collect::<String>() + "…";
        if font.width(&shorter) <= room {
            return shorter;
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_weights_have_what_pictures_say() {
        for weight in [Weight::Regular, Weight::Medium] {
            let font = Font::new(weight, 10.0);
            let face = font.face.as_ref().expect("the embedded font is sound");
            for letter in "Loss |cos(ĝ,g)| √(2/(πn)) η ε σ ‖ĝ‖/‖g‖ ± − × · – … ² Wᵀ".chars()
            {
                assert!(face.glyph_index(letter).is_some(), "{letter}");
            }
            assert!(font.width("mm") > font.width("ii") && (9.0..24.0).contains(&font.width("mm")));
        }
    }

    #[test]
    fn long_texts_are_cut_to_the_room() {
        let cut = fit("activity-perturbation", Weight::Regular, 12.0, 60.0);
        assert!(cut.ends_with('…') && Font::new(Weight::Regular, 12.0).width(&cut) <= 60.0, "{cut}");
        assert_eq!(fit("loss", Weight::Regular, 12.0, 60.0), "loss");
        assert_eq!(fit("loss", Weight::Regular, 12.0, 0.0), "");
    }
}
