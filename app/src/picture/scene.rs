//! A drawing as shapes, in units that are pixels at scale 1; y grows downwards.

/// Red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    /// `part` of the way to `other`.
    pub fn blend(self, other: Self, part: f64) -> Self {
        let part = part.clamp(0.0, 1.0);
        let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * part).round() as u8;
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }

    /// Black or white, whichever reads on it.
    pub fn ink(self) -> Self {
        let light = 0.299 * f64::from(self.0) + 0.587 * f64::from(self.1) + 0.114 * f64::from(self.2);
        if light > 140.0 { Self(16, 16, 18) } else { Self(250, 250, 252) }
    }
}

/// Where the given place is in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// At its start.
    Start,
    /// In its middle.
    Middle,
    /// At its end.
    End,
}

/// How heavy letters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// For what is read.
    Regular,
    /// For titles.
    Medium,
}

/// A point.
pub type Point = (f64, f64);

/// A rectangle: left, top, width, height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl Area {
    /// Its right edge.
    pub fn right(&self) -> f64 {
        self.x + self.width
    }

    /// Its lower edge.
    pub fn bottom(&self) -> f64 {
        self.y + self.height
    }
}

/// A shape.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// A filled rectangle with sharp edges.
    Block {
        /// Where.
        area: Area,
        /// Its colour.
        fill: Colour,
    },
    /// A line through points.
    Line {
        /// The points.
        points: Vec<Point>,
        /// Its colour.
        stroke: Colour,
        /// Its width.
        width: f64,
        /// Drawn and left-out lengths; none for a line without holes.
        dash: Option<[f64; 2]>,
    },
    /// A filled polygon.
    Polygon {
        /// Its corners.
        points: Vec<Point>,
        /// Its colour.
        fill: Colour,
        /// How much it hides what lies behind it: 1 for all.
        opacity: f64,
    },
    /// A filled disc.
    Disc {
        /// Its middle.
        centre: Point,
        /// Its radius.
        radius: f64,
        /// Its colour.
        fill: Colour,
    },
    /// A line of text; the place is on its baseline.
    Text {
        /// The place.
        at: Point,
        /// The text.
        text: String,
        /// Height of the letters' em.
        size: f64,
        /// How heavy.
        weight: Weight,
        /// Its colour.
        fill: Colour,
        /// Where the place is in it.
        align: Align,
        /// Read from below to above.
        upright: bool,
    },
    /// Shapes of which only what lies within an area shows.
    Within {
        /// The area.
        area: Area,
        /// The shapes.
        shapes: Vec<Shape>,
    },
}

/// A drawing.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
    /// Its ground.
    pub ground: Colour,
    /// Its shapes, the last in front.
    pub shapes: Vec<Shape>,
}
