//! The two sets inside the executable. Their sources and licences: `data/embedded/README.md`.

use super::file::Source;
use super::{DataError, Examples, idx};

/// A set inside the executable.
#[derive(Clone, Copy, Debug)]
pub struct Embedded {
    /// Its name.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Licence and owner.
    pub licence: &'static str,
    classes: usize,
    maximum: u8,
    files: [&'static [u8]; 4],
}

macro_rules! files {
    ($folder:literal) => {
        [
            include_bytes!(concat!("embedded/", $folder, "/train-images-idx3-ubyte.gz")),
            include_bytes!(concat!("embedded/", $folder, "/train-labels-idx1-ubyte.gz")),
            include_bytes!(concat!("embedded/", $folder, "/t10k-images-idx3-ubyte.gz")),
            include_bytes!(concat!("embedded/", $folder, "/t10k-labels-idx1-ubyte.gz")),
        ]
    };
}

/// The sets inside the executable.
pub const EMBEDDED: [Embedded; 2] = [
    Embedded {
        name: "fashion-mini",
        about: "Fashion-MNIST, the first 150 + 50 of each class",
        licence: "MIT, © 2017 Zalando SE",
        classes: 10,
        maximum: 255,
        files: files!("fashion-mnist-mini"),
    },
    Embedded {
        name: "digits",
        about: "UCI optical recognition of handwritten digits",
        licence: "CC BY 4.0, Alpaydin and Kaynak 1998",
        classes: 10,
        maximum: 16,
        files: files!("digits"),
    },
];

impl Embedded {
    /// The set called `name`.
    pub fn find(name: &str) -> Option<Self> {
        EMBEDDED.into_iter().find(|set| set.name == name)
    }

    /// Training and test examples.
    ///
    /// # Errors
    /// As the readers' do; not for the sets of this list.
    pub fn read(&self) -> Result<(Examples, Examples), DataError> {
        let part = |part: &str, images: &'static [u8], labels: &'static [u8]| {
            let name = format!("embedded {} {part}", self.name);
            let images = Source::slice(format!("{name} images"), images)?;
            let labels = Source::slice(format!("{name} labels"), labels)?;
            idx::read(images, labels, self.maximum)?.with_classes(self.classes, &name)
        };
        let [train_images, train_labels, test_images, test_labels] = self.files;
        Ok((part("training", train_images, train_labels)?, part("test", test_images, test_labels)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sets_are_whole() {
        let (train, test) = Embedded::find("fashion-mini").unwrap().read().unwrap();
        assert_eq!((train.count, test.count, train.size()), (1500, 500, 784));
        assert_eq!((train.class_counts(), test.class_counts()), (vec![150; 10], vec![50; 10]));
        let (train, test) = Embedded::find("digits").unwrap().read().unwrap();
        assert_eq!((train.count, test.count, train.height, train.width), (1437, 360, 8, 8));
        assert_eq!(train.pixels.iter().max(), Some(&16));
        assert!(Embedded::find("mnist").is_none());
    }
}
