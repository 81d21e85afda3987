//! Reading NIfTI files as nibabel does, refusing bad ones, writing maps.

use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use ventral_data::{
    Intent, MapValues, NiftiMap, NiftiReader, NiftiType, Placement, read_header, read_volume,
};

use crate::support::{Nifti, fixture, golden, numbers, real_data};

fn made(name: &str) -> PathBuf {
    fixture("nifti").join(name)
}

/// All values of a file, volume by volume.
fn all(path: &Path) -> Vec<f32> {
    let mut reader = NiftiReader::open(path).unwrap();
    let mut values = Vec::new();
    for _ in 0..reader.header().volumes {
        reader.next(None, &mut values).unwrap();
    }
    reader.finish().unwrap();
    values
}

/// What reading bytes fails with; `None` if they can be read to the end.
fn problem(bytes: Vec<u8>) -> Option<String> {
    let read = || {
        let mut reader = NiftiReader::from_bytes(bytes, Path::new("made.nii"))?;
        let mut values = Vec::new();
        for _ in 0..reader.header().volumes {
            values.clear();
            reader.next(None, &mut values)?;
        }
        reader.finish()
    };
    read().err().map(|e: ventral_data::Error| e.to_string())
}

fn compare(path: &Path, expected: &serde_json::Value) {
    let name = path.display();
    let header = read_header(path).unwrap();
    let [x, y, z] = header.grid.shape;
    let shape: Vec<usize> = numbers(&expected["shape"]).iter().map(|&n| n as usize).collect();
    // Axes of length 1 beyond the fourth are none.
    assert_eq!([x, y, z, header.volumes], shape[..4], "{name}");
    for (row, expected) in header.grid.affine.iter().zip(expected["affine"].as_array().unwrap()) {
        for (found, expected) in row.iter().zip(numbers(expected)) {
            assert!((found - expected).abs() < 1e-6, "{name}: {:?}", header.grid.affine);
        }
    }
    let values = all(path);
    let sum: f64 = values.iter().map(|&v| f64::from(v)).sum();
    let weighted: f64 = values.iter().enumerate().map(|(i, &v)| (i % 97 + 1) as f64 * f64::from(v)).sum();
    let scale = expected["absolute"].as_f64().unwrap() * 1e-12;
    assert!((sum - expected["sum"].as_f64().unwrap()).abs() <= scale, "{name}: {sum}");
    assert!((weighted - expected["weighted"].as_f64().unwrap()).abs() <= 97.0 * scale, "{name}: {weighted}");
}

#[test]
fn every_type_order_scaling_and_affine_is_read_as_nibabel_reads_it() {
    let golden = golden("nifti/golden.json");
    let files = golden["made"].as_object().unwrap();
    assert!(files.len() >= 19);
    for (name, expected) in files {
        compare(&made(name), expected);
    }
}

#[test]
fn real_files_are_read_as_nibabel_reads_them() {
    let Some(data) = real_data() else { return };
    let golden = golden("nifti/golden.json");
    let files = golden["real"].as_object().unwrap();
    assert_eq!(files.len(), 5);
    for (name, expected) in files {
        compare(&data.join("nifti-samples").join(name), expected);
    }
}

#[test]
fn the_same_numbers_are_the_same_however_they_are_stored() {
    let little = all(&made("scaled.nii"));
    assert_eq!(little, all(&made("scaled_big.nii.gz")));
    assert_eq!(little, all(&made("scaled_2_big.nii")));
    let raw = all(&made("slope_zero.nii"));
    assert_eq!(raw.iter().map(|v| v * 0.25 - 100.5).collect::<Vec<_>>(), little);
    let header = read_header(&made("scaled_2_big.nii")).unwrap();
    assert_eq!((header.version, header.big_endian, header.data_type), (2, true, NiftiType::I16));
    assert_eq!(header.scaling, Some((0.25, -100.5)));
    assert_eq!(read_header(&made("slope_zero.nii")).unwrap().scaling, None);
}

#[test]
fn voxels_are_taken_in_the_order_asked_for() {
    let whole = all(&made("scaled_big.nii.gz"));
    let mut reader = NiftiReader::open(&made("scaled_big.nii.gz")).unwrap();
    reader.skip().unwrap();
    let mut some = vec![f32::NAN];
    reader.next(Some(&[23, 0, 5]), &mut some).unwrap();
    assert_eq!(some[1..], [whole[24 + 23], whole[24], whole[24 + 5]]);
    let error = reader.next(None, &mut some).unwrap_err().to_string();
    assert!(error.contains("no volume 2"), "{error}");
    let mut reader = NiftiReader::open(&made("scaled_big.nii.gz")).unwrap();
    let error = reader.next(Some(&[24]), &mut some).unwrap_err().to_string();
    assert!(error.contains("no voxel 24, a volume has 24"), "{error}");
    let error = read_volume(&made("scaled.nii")).unwrap_err().to_string();
    assert!(error.contains("2 volumes, one is needed") && error.contains("scaled.nii"), "{error}");
}

#[test]
fn what_is_not_read_is_named() {
    for (name, reason) in
        [("five_axes.nii.gz", "5 axes (3 x 2 x 2 x 2 x 2)"), ("complex.nii.gz", "COMPLEX64")]
    {
        let error = read_header(&made(name)).unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains("not supported") && error.contains(name), "{error}");
    }
    let plain = Nifti::new([2, 2, 2], 1).bytes();
    for (code, name) in [
        (1i16, "BINARY"),
        (128, "RGB24"),
        (1536, "FLOAT128"),
        (1792, "COMPLEX128"),
        (2048, "COMPLEX256"),
        (2304, "RGBA32"),
    ] {
        let mut bytes = plain.clone();
        bytes[70..72].copy_from_slice(&code.to_le_bytes());
        let error = problem(bytes).unwrap();
        assert!(error.contains(name), "{error}");
    }
    let mut pair = plain;
    pair[344..348].copy_from_slice(b"ni1\0");
    assert!(problem(pair).unwrap().contains(".hdr and .img"));
}

/// A header with one field changed.
fn changed(at: usize, value: &[u8]) -> Option<String> {
    let mut bytes = Nifti::new([2, 3, 4], 2).bytes();
    bytes[at..at + value.len()].copy_from_slice(value);
    problem(bytes)
}

#[test]
fn lying_headers_are_refused() {
    let short = |value: i16| value.to_le_bytes();
    let float = |value: f32| value.to_le_bytes();
    assert_eq!(changed(148, b"any text"), None);
    for (at, value, reason) in [
        (0, &347i32.to_le_bytes()[..], "348 or 540"),
        (40, &short(0), "dim[0]"),
        (40, &short(-1), "dim[0] is not 1 to 7"),
        (42, &short(0), "dim[1] is 0"),
        (42, &short(-5), "dim[1] is -5"),
        (48, &short(3), "2 left"),
        (48, &short(1), "announces 1 volumes, there are more"),
        (46, &short(i16::MAX), "truncated"),
        (70, &short(17), "datatype is 17"),
        (72, &short(16), "bitpix is 16"),
        (108, &float(351.0), "vox_offset is 351"),
        (108, &float(352.5), "vox_offset is 352.5"),
        (108, &float(f32::NAN), "vox_offset is NaN"),
        (108, &float(1e9), "MAX_NIFTI_OFFSET"),
        (112, &[2.0f32.to_le_bytes(), f32::NAN.to_le_bytes()].concat(), "scl_inter is NaN"),
        (280, &float(f32::INFINITY), "srow_x"),
        (280, &[0; 48], "without volume"),
        (344, b"n+7\0", "magic"),
    ] {
        // What is left of a volume is counted in bytes.
        let reason = if reason == "2 left" { "truncated" } else { reason };
        let found = changed(at, value).unwrap_or_else(|| panic!("{at} {reason} was accepted"));
        assert!(found.contains(reason), "{at}: {found}");
    }
}

#[test]
fn sizes_have_limits() {
    let two = |dim: [i64; 8]| {
        let mut bytes = std::fs::read(made("scaled_2_big.nii")).unwrap();
        for (axis, length) in dim.iter().enumerate() {
            bytes[16 + 8 * axis..24 + 8 * axis].copy_from_slice(&length.to_be_bytes());
        }
        problem(bytes).unwrap()
    };
    let axis = 1 << 20;
    // At the bound the sizes are accepted, and the data are too few.
    assert!(two([3, axis, 1, 1, 1, 1, 1, 1]).contains("truncated"));
    assert!(two([3, axis + 1, 1, 1, 1, 1, 1, 1]).contains("MAX_VOLUME_AXIS"));
    assert!(two([3, axis, 1 << 10, 1, 1, 1, 1, 1]).contains("truncated"));
    assert!(two([3, axis, (1 << 10) + 1, 1, 1, 1, 1, 1]).contains("MAX_VOXELS"));
    assert!(two([4, 1, 1, 1, axis, 1, 1, 1]).contains("truncated"));
    assert!(two([4, 1, 1, 1, axis + 1, 1, 1, 1]).contains("MAX_VOLUME_AXIS"));
    assert!(two([3, i64::MAX, i64::MAX, i64::MAX, 1, 1, 1, 1]).contains("MAX_VOLUME_AXIS"));
    assert!(two([7, 2, 2, 2, 2, 1, 1, 2]).contains("7 axes"));
}

#[test]
fn truncated_and_damaged_compression_is_noticed() {
    let whole = std::fs::read(made("scaled_big.nii.gz")).unwrap();
    assert_eq!(problem(whole.clone()), None);
    for end in 0..whole.len() {
        let error = problem(whole[..end].to_vec()).unwrap_or_else(|| panic!("cut at {end} was accepted"));
        assert!(error.contains("truncated") || error.contains("348 or 540"), "{end}: {error}");
    }
    let mut wrong = whole.clone();
    let checksum = whole.len() - 8;
    wrong[checksum] ^= 1;
    assert!(problem(wrong).unwrap().contains("the gzip stream is damaged"));
    let plain = std::fs::read(made("scaled.nii")).unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&plain[..plain.len() - 1]).unwrap();
    let error = NiftiReader::open(file.path()).unwrap_err().to_string();
    assert!(error.contains("448 bytes needed, 447 left"), "{error}");
}

#[test]
fn directories_and_missing_files_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    assert!(NiftiReader::open(directory.path()).unwrap_err().to_string().contains("directory"));
    assert!(
        NiftiReader::open(&directory.path().join("none.nii")).unwrap_err().to_string().contains("none.nii")
    );
}

fn written(placement: &Placement, values: MapValues<'_>, path: &Path) -> Vec<u8> {
    let header = read_header(&made("three_axes.nii.gz")).unwrap();
    let map = NiftiMap {
        grid: &header.grid,
        placement,
        intent: Intent::Correlation(10.0),
        description: "corrélations, layer conv1",
        values,
    };
    map.write(path).unwrap();
    assert_eq!(map.to_bytes().unwrap(), std::fs::read(path).unwrap());
    std::fs::read(path).unwrap()
}

#[test]
fn maps_come_back_and_lie_where_their_input_lies() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sub-01_stat-r_statmap.nii.gz");
    for name in
        ["three_axes.nii.gz", "qform.nii.gz", "qform_left.nii.gz", "sizes_only.nii.gz", "scaled_2_big.nii"]
    {
        let input = read_header(&made(name)).unwrap();
        let mut map: Vec<f32> = (0..24).map(|i| i as f32 / 7.0).collect();
        map[3] = f32::NAN;
        let first = written(&input.placement, MapValues::F32(&map), &path);
        let volume = read_volume(&path).unwrap();
        assert_eq!(volume.values[4..], map[4..]);
        assert!(volume.values[3].is_nan());
        assert_eq!(volume.header.data_type, NiftiType::F32);
        assert_eq!(volume.header.grid.shape, [3, 4, 2]);
        for (found, expected) in
            volume.header.grid.affine.iter().flatten().zip(input.grid.affine.iter().flatten())
        {
            assert!((found - expected).abs() < 1e-5, "{name}");
        }
        let codes = |p: &Placement| (p.qform_code, p.sform_code);
        assert_eq!(codes(&volume.header.placement), codes(&input.placement), "{name}");
        assert_eq!(first, written(&input.placement, MapValues::F32(&map), &path), "the same bytes again");
        assert_eq!(first[4..8], [0; 4], "no time stamp");
    }
    let placement = read_header(&made("qform.nii.gz")).unwrap().placement;
    let mask: Vec<u8> = (0..24).map(|i| i % 2).collect();
    written(&placement, MapValues::U8(&mask), &path);
    assert_eq!(read_volume(&path).unwrap().values, mask.iter().map(|&v| f32::from(v)).collect::<Vec<_>>());
    let labels: Vec<i16> = (0..48).map(|i| i * 100 - 2000).collect();
    written(&placement, MapValues::I16(&labels), &path);
    assert_eq!(read_header(&path).unwrap().volumes, 2);
    assert_eq!(all(&path), labels.iter().map(|&v| f32::from(v)).collect::<Vec<_>>());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn another_reader_understands_the_maps() {
    use nifti::{IntoNdArray, NiftiObject, ReaderOptions};
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("map.nii.gz");
    let placement = read_header(&made("qform.nii.gz")).unwrap().placement;
    let map: Vec<f32> = (0..48).map(|i| i as f32 / 7.0).collect();
    written(&placement, MapValues::F32(&map), &path);
    let object = ReaderOptions::new().read_file(&path).unwrap();
    let header = object.header();
    assert_eq!((header.intent_code, header.intent_p1, header.datatype, header.bitpix), (2, 10.0, 16, 32));
    assert_eq!((header.qform_code, header.sform_code, header.vox_offset), (1, 0, 352.0));
    assert!(header.descrip.starts_with("corrélations, layer conv1\0".as_bytes()));
    let array = object.into_volume().into_ndarray::<f32>().unwrap();
    assert_eq!(array.shape(), [3, 4, 2, 2]);
    assert_eq!(array[[1, 2, 1, 1]], map[1 + 3 * (2 + 4 * (1 + 2))]);
}

#[test]
fn maps_of_the_wrong_size_are_refused() {
    let header = read_header(&made("three_axes.nii.gz")).unwrap();
    let bytes = |values: &[u8], shape: [usize; 3]| {
        let grid = ventral_searchlight::Grid { shape, ..header.grid };
        let values = MapValues::U8(values);
        let map = NiftiMap {
            grid: &grid,
            placement: &header.placement,
            intent: Intent::None,
            description: "",
            values,
        };
        map.to_bytes().map(|_| ()).map_err(|e| e.to_string())
    };
    assert!(bytes(&[0; 23], [3, 4, 2]).unwrap_err().contains("23 values"));
    assert!(bytes(&[], [3, 4, 2]).unwrap_err().contains("0 values"));
    assert_eq!(bytes(&[0; 32767], [32767, 1, 1]), Ok(()));
    assert!(bytes(&[0; 32768], [32768, 1, 1]).unwrap_err().contains("32767"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_of_headers_return(
        file in prop::sample::select(vec!["scaled.nii", "scaled_2_big.nii", "scaled_big.nii.gz"]),
        flips in prop::collection::vec((0usize..600, 0..8u32), 1..6),
    ) {
        let mut bytes = std::fs::read(made(file)).unwrap();
        for (position, bit) in flips {
            let position = position % bytes.len();
            bytes[position] ^= 1 << bit;
        }
        let _ = problem(bytes);
    }
}
