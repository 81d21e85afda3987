//! Decoding images and reading stimulus sets.

use std::io::Write;
use std::path::Path;

use ndarray::ArrayD;
use ventral_data::{Error, Image, NpyArray, ParseError, StimulusSet, limits, parse_npz};
use zip::write::SimpleFileOptions;

use crate::support::{fixture, real_data};

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixture("images").join(name)).unwrap()
}

fn expected() -> Vec<(String, ArrayD<u8>)> {
    let arrays = parse_npz(&std::fs::read(fixture("images.npz")).unwrap()).unwrap();
    let pixels = |(name, array)| match array {
        NpyArray::Numeric(array) => (name, array.to_u8().unwrap()),
        NpyArray::Text(_) => panic!("{name} is text"),
    };
    arrays.into_iter().map(pixels).collect()
}

#[test]
fn pixels_equal_pil_in_every_mode() {
    let all = expected();
    assert_eq!(all.len(), 14);
    for (name, pixels) in all {
        let image = Image::decode(&bytes(&name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(image.pixels.into_dyn(), pixels, "{name}");
    }
}

#[test]
fn what_the_reference_cannot_use_is_refused() {
    for (name, reason) in [("jpeg_cmyk.jpg", "CMYK"), ("png_gray16.png", "16-bit grey")] {
        let error = Image::decode(&bytes(name)).unwrap_err();
        assert!(matches!(&error, ParseError::Unsupported(what, _) if what.contains(reason)), "{error}");
    }
    assert!(matches!(Image::decode(b"GIF89a....").unwrap_err(), ParseError::Unsupported(..)));
}

#[test]
fn truncated_images_are_errors() {
    for (name, _) in expected() {
        let whole = bytes(&name);
        for cut in [whole.len() / 2, whole.len() * 3 / 4, 20] {
            assert!(Image::decode(&whole[..cut]).is_err(), "{name} cut at {cut}");
        }
    }
}

/// A BMP whose header claims `side` x `side` pixels of 24 bits, and no data.
fn bmp_header(side: u32) -> Vec<u8> {
    let words = |values: &[u32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let (file, bitmap) = (words(&[54, 0, 54]), words(&[40, side, side, 1 | 24 << 16, 0, 0, 0, 0, 0, 0]));
    [b"BM", &file[..], &bitmap].concat()
}

#[test]
fn huge_dimensions_are_refused_before_allocation() {
    let side = (limits::MAX_IMAGE_PIXELS as f64).sqrt() as u32;
    let error = Image::decode(&bmp_header(side + 1)).unwrap_err();
    assert!(matches!(error, ParseError::Limit { name: "MAX_IMAGE_PIXELS", .. }), "{error}");
    let error = Image::decode(&bmp_header(side)).unwrap_err();
    assert!(matches!(error, ParseError::Invalid(_)), "at the bound only the missing data are wrong: {error}");
    let mut jpeg = bytes("jpeg_444.jpg");
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0, 0xff, 0]);
    let error = Image::decode(&jpeg).unwrap_err();
    assert!(matches!(error, ParseError::Limit { name: "MAX_IMAGE_PIXELS", .. }), "{error}");
}

#[test]
fn endless_scans_are_refused() {
    let mut jpeg = bytes("jpeg_progressive.jpg");
    let start = jpeg.windows(2).position(|w| w == [0xff, 0xda]).unwrap();
    let scan = jpeg[start..jpeg.len() - 2].to_vec();
    for _ in 0..limits::MAX_JPEG_SCANS {
        jpeg.extend(&scan);
    }
    let error = Image::decode(&jpeg).unwrap_err();
    assert!(matches!(error, ParseError::Limit { name: "MAX_JPEG_SCANS", .. }), "{error}");
}

#[test]
fn a_table_with_an_archive_keeps_order_and_text_identifiers() {
    let set = StimulusSet::from_table("test", &fixture("stimuli.csv"), &fixture("stimuli.zip")).unwrap();
    assert_eq!(set.ids, ["007", "010", "9"]);
    assert_eq!(set.labels("object_name").unwrap(), ["dog", "cat", "dog"]);
    let (_, jpeg) = expected().into_iter().find(|(name, _)| name == "jpeg_420.jpg").unwrap();
    assert_eq!(set.image(0).unwrap().pixels.into_dyn(), jpeg);
    let folder = StimulusSet::from_table("test", &fixture("stimuli.csv"), &fixture("images")).unwrap();
    assert_eq!(set.digest().unwrap(), folder.digest().unwrap(), "the container does not matter");
    let swapped = set.select(&[1, 0, 2]).unwrap();
    assert_eq!(swapped.image(1).unwrap(), set.image(0).unwrap());
    assert_ne!(set.digest().unwrap(), swapped.digest().unwrap(), "the order does");
    assert!(set.select(&[3]).is_none());
}

#[test]
fn folders_and_archives_by_pattern() {
    let folder = StimulusSet::from_directory("test", &fixture("images"), "png_*.png").unwrap();
    assert_eq!(folder.ids[..3], ["png_gray16", "png_l", "png_la"]);
    let deep = StimulusSet::from_directory("test", &fixture(""), "*/*.jpg").unwrap();
    assert_eq!(deep.ids[0], "images/jpeg_420");
    assert_eq!(deep.labels("folder").unwrap()[0], "images");
    let zip = StimulusSet::from_zip("test", &fixture("stimuli.zip"), "*.png").unwrap();
    assert_eq!(zip.ids, ["png_l", "png_rgb"]);
    let error = StimulusSet::from_zip("test", &fixture("stimuli.zip"), "*.gif").unwrap_err().to_string();
    assert!(error.contains("no image"), "{error}");
}

fn write_zip(path: &Path, entries: &[(&str, &[u8])]) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, content) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
}

#[test]
fn bad_stimulus_sets_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let (zip, csv) = (directory.path().join("s.zip"), directory.path().join("s.csv"));
    write_zip(&zip, &[("a.png", b"x"), ("a.jpg", b"x")]);
    let error = StimulusSet::from_zip("s", &zip, "*").unwrap_err();
    assert!(matches!(&error, Error::DuplicateId { id, .. } if id == "a"), "{error}");
    std::fs::write(&csv, "stimulus_id,filename\n1,a.png\n2,missing.png\n").unwrap();
    let error = StimulusSet::from_table("s", &csv, &zip).unwrap_err();
    assert!(
        matches!(&error, Error::Missing { missing: 1, total: 2, first, .. } if first == "missing.png"),
        "{error}"
    );
    std::fs::write(&csv, "stimulus_id,filename\n1,../../etc/passwd\n").unwrap();
    let error = StimulusSet::from_table("s", &csv, directory.path()).unwrap_err().to_string();
    assert!(error.contains("outside"), "{error}");
    std::fs::write(&csv, "id,filename\n1,a.png\n").unwrap();
    let error = StimulusSet::from_table("s", &csv, &zip).unwrap_err().to_string();
    assert!(error.contains("stimulus_id") && error.contains("id, filename"), "{error}");
    write_zip(&zip, &[("../up.png", b"x")]);
    let error = StimulusSet::from_zip("s", &zip, "*").unwrap_err().to_string();
    assert!(error.contains("../up.png") && error.contains("outside"), "{error}");
}

#[test]
fn a_zip_bomb_is_refused_at_the_bound() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bomb.zip");
    let content = vec![0u8; limits::MAX_IMAGE_BYTES as usize + 1];
    write_zip(&path, &[("over.png", &content), ("at.png", &content[1..])]);
    assert!(path.metadata().unwrap().len() < 1 << 20);
    let set = StimulusSet::from_zip("bomb", &path, "*").unwrap();
    assert!(
        set.image(0).unwrap_err().to_string().contains("image format"),
        "at the bound the content is read"
    );
    let error = set.image(1).unwrap_err().to_string();
    assert!(error.contains("MAX_IMAGE_BYTES") && error.contains("bomb.zip!over.png"), "{error}");
}

#[test]
fn reads_published_stimuli() {
    let Some(data) = real_data() else { return };
    let v4 = StimulusSet::from_zip("v4", &data.join("v4-cowley/images_201025.zip"), "*.jpg").unwrap();
    assert_eq!((v4.len(), v4.ids[0].as_str()), (1200, "image0001"));
    assert_eq!(v4.image(1199).unwrap().pixels.dim(), (112, 112, 3));
    let objects =
        StimulusSet::from_directory("o2v", &data.join("object2vec-fmri/stimuli_224"), "*/*.jpg").unwrap();
    assert_eq!((objects.len(), objects.ids[0].as_str()), (810, "airplane/airplane001"));
    let file = data.join("kriegeskorte92/Kriegeskorte_Neuron2008_supplementalData.mat");
    let monkeys = StimulusSet::from_mat("k92", &file, "stimuli_92objs[*].image").unwrap();
    assert_eq!((monkeys.len(), monkeys.ids[0].as_str()), (92, "01"));
    assert_eq!(monkeys.image(91).unwrap().pixels.dim(), (175, 175, 3));
}
