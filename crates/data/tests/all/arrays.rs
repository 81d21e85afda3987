//! npy, npz, safetensors, MATLAB: values, and sizes that lie.

use std::io::Write;

use ventral_data::{
    MatValue, NpyArray, Numbers, NumericArray, ParseError, limits, parse_activations, parse_mat, parse_npy,
    parse_npz, parse_safetensors, read_activations, read_mat,
};
use zip::write::SimpleFileOptions;

use crate::support::{fixture, real_data};

fn numeric(name: &str) -> NumericArray {
    match parse_npy(&std::fs::read(fixture(name)).unwrap()).unwrap() {
        NpyArray::Numeric(array) => array,
        NpyArray::Text(_) => panic!("{name} is text"),
    }
}

#[test]
fn npy_of_every_order_and_width() {
    let x = numeric("f64.npy").to_f64();
    assert_eq!(x.shape(), [4, 3, 2]);
    assert_eq!(x[[3, 2, 1]], 23.0 / 7.0);
    let fortran = numeric("f32_fortran.npy").to_f32();
    assert_eq!(fortran.shape(), [4, 3]);
    assert_eq!(fortran[[1, 2]], (10.0f64 / 7.0) as f32);
    assert_eq!(numeric("i16_big.npy").numbers(), &Numbers::I16(vec![0, 1, 2, 3, 4, 5]));
    let half = numeric("f16.npy").to_f64();
    assert_eq!(half[[0, 1]], 0.28564453125);
    assert!((half[[3, 2]] - 22.0 / 7.0).abs() < 1e-3);
}

fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

#[test]
fn half_precision_covers_its_special_values() {
    let bits: Vec<u8> = [0x0001u16, 0x03ff, 0x0400, 0x7bff, 0xfc00, 0x8000, 0xbc00]
        .iter()
        .flat_map(|b| b.to_le_bytes())
        .collect();
    let NpyArray::Numeric(array) = parse_npy(&npy("<f2", "(7,)", &bits)).unwrap() else { panic!("text") };
    let expected =
        [2f64.powi(-24), 1023.0 * 2f64.powi(-24), 2f64.powi(-14), 65504.0, f64::NEG_INFINITY, 0.0, -1.0];
    assert_eq!(array.to_f64().into_raw_vec_and_offset().0, expected);
    let NpyArray::Numeric(nan) = parse_npy(&npy("<f2", "(1,)", &[0x01, 0x7c])).unwrap() else {
        panic!("text")
    };
    assert!(nan.to_f64()[[0]].is_nan());
}

#[test]
fn npy_headers_that_lie_are_refused_before_allocation() {
    let bound = limits::MAX_ELEMENTS;
    let error = parse_npy(&npy("|u1", &format!("({},)", bound + 1), b"")).unwrap_err();
    assert!(matches!(error, ParseError::Limit { name: "MAX_ELEMENTS", .. }), "{error}");
    let error = parse_npy(&npy("|u1", &format!("({bound},)"), b"abc")).unwrap_err();
    assert_eq!(error, ParseError::Truncated { what: "the array", needed: bound, found: 3 });
    for shape in ["(1152921504606846976,)", "(4294967296, 4294967296)", "(0, 1152921504606846976)"] {
        assert!(
            matches!(parse_npy(&npy("<f8", shape, b"")).unwrap_err(), ParseError::Limit { .. }),
            "{shape}"
        );
    }
    let nine = format!("({})", "1, ".repeat(limits::MAX_AXES + 1));
    assert!(matches!(
        parse_npy(&npy("<f8", &nine, &[0; 8])).unwrap_err(),
        ParseError::Limit { name: "MAX_AXES", .. }
    ));
    assert!(parse_npy(&npy("<f8", &format!("({})", "1, ".repeat(limits::MAX_AXES)), &[0; 8])).is_ok());
    for (descr, reason) in [("|O", "not objects"), ("<c8", "not objects"), ("?f8", "byte order")] {
        let error = parse_npy(&npy(descr, "(1,)", &[0; 8])).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let error = parse_npy(&npy("<f8", "(-1,)", b"")).unwrap_err().to_string();
    assert!(error.contains("bad length '-1'"), "{error}");
}

#[test]
fn activations_of_every_format_agree() {
    let npz = read_activations(&fixture("layers.npz")).unwrap();
    assert_eq!(npz.ids.unwrap(), ["a", "bö", "c", "d"]);
    let names: Vec<&str> = npz.layers.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names, ["conv1", "fc"]);
    assert_eq!(npz.layers[0].1.dim(), (4, 6));
    assert_eq!(npz.layers[0].1[[3, 5]], (23.0f64 / 7.0) as f32);
    let tensors = read_activations(&fixture("layers.safetensors")).unwrap();
    assert_eq!(tensors.ids.unwrap(), ["a", "b", "c", "d"]);
    assert_eq!(tensors.layers[0].1, npz.layers[0].1);
    assert!((tensors.layers[1].1[[3, 1]] - npz.layers[1].1[[3, 1]]).abs() < 2e-3, "fc is stored as f16");
    let npy = read_activations(&fixture("f64.npy")).unwrap();
    assert_eq!((npy.layers[0].0.as_str(), npy.ids.is_none()), ("f64", true));
    assert_eq!(npy.layers[0].1, npz.layers[0].1);
    let netcdf = read_activations(&fixture("odd.nc")).unwrap();
    assert_eq!(
        (netcdf.ids.unwrap(), netcdf.layers[0].1.dim()),
        (vec!["001".into(), "002".into(), "003".into()], (3, 2))
    );
}

fn zip_of(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in arrays {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn inconsistent_activations_are_errors() {
    let (four, three) = (npy("|u1", "(4, 1)", &[0; 4]), npy("|u1", "(3, 1)", &[0; 3]));
    let error = parse_activations(zip_of(&[("a", four.clone()), ("b", three)]), "").unwrap_err().to_string();
    assert!(error.contains("`a` has 4 stimuli, layer `b` has 3"), "{error}");
    let ids = npy("|S1", "(3,)", b"xyz");
    let error =
        parse_activations(zip_of(&[("a", four), ("stimulus_id", ids.clone())]), "").unwrap_err().to_string();
    assert!(error.contains("3 identifiers for 4 stimuli"), "{error}");
    let error = parse_activations(zip_of(&[("stimulus_id", ids)]), "").unwrap_err().to_string();
    assert!(error.contains("no layer"), "{error}");
    let error =
        parse_npz(&zip_of(&[("bomb", npy("<f8", "(1152921504606846976,)", b""))])).unwrap_err().to_string();
    assert!(error.contains("`bomb`") && error.contains("MAX_ELEMENTS"), "{error}");
}

#[test]
fn safetensors_that_lie_are_errors() {
    let whole = std::fs::read(fixture("layers.safetensors")).unwrap();
    let error = parse_safetensors(&whole[..whole.len() - 1]).unwrap_err().to_string();
    assert!(error.contains("truncated"), "{error}");
    let header = br#"{"x":{"dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,4]}}"#;
    let bomb = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat();
    assert!(parse_safetensors(&bomb).is_err());
    assert!(parse_safetensors(&u64::MAX.to_le_bytes()).is_err());
}

#[test]
fn matlab_files_plain_and_compressed() {
    for name in ["plain.mat", "compressed.mat"] {
        let mat = read_mat(&fixture(name)).unwrap();
        let matrix = mat.numeric("matrix").unwrap().to_f64();
        assert_eq!((matrix.shape(), matrix[[1, 0]]), (&[2usize, 3][..], 1.0));
        assert_eq!(mat.texts("names").unwrap(), ["chair", "dög", ""]);
        assert_eq!(mat.texts("rows").unwrap(), ["abc", "de"]);
        assert_eq!(mat.texts("folds[1]").unwrap(), [""]);
        let images = mat.lookup("stimuli[*].image").unwrap();
        assert_eq!(images.len(), 3);
        assert!(
            matches!(images[2], MatValue::Numeric(a) if a.shape() == [2, 3, 3] && a.numbers() == &Numbers::U8(vec![2; 18]))
        );
        assert_eq!(mat.numeric("stimuli[1].RDM").unwrap().to_f64()[[0, 2]], 2.25);
        assert_eq!(mat.numeric("one.inner.deep").unwrap().to_f64()[[0, 0]], 7.0);
        assert_eq!(mat.numeric("flag").unwrap().to_f64().into_raw_vec_and_offset().0, [1.0, 0.0]);
        for (path, reason) in [
            ("nothing", "there is no variable `nothing`; the file has: matrix"),
            ("stimuli.image", "add [0] or [*]"),
            ("stimuli[3].image", "there is no element 3, there are 3"),
            ("stimuli[0].imag", "there is no field `imag`; the struct has: name, image, RDM"),
            ("stimuli[0]", "name a field"),
            ("matrix.x", "cannot go into a numeric array [2, 3]"),
            ("matrix[", "is not variable[index].field"),
            ("names", "numbers are needed"),
        ] {
            let error = mat.numeric(path).unwrap_err();
            assert!(error.contains(reason), "{path}: {error}");
        }
    }
}

#[test]
fn matlab_sizes_that_lie_are_errors() {
    let plain = std::fs::read(fixture("plain.mat")).unwrap();
    let dimensions = plain.windows(8).position(|w| w == [2, 0, 0, 0, 3, 0, 0, 0]).unwrap();
    let mut bomb = plain.clone();
    bomb[dimensions..dimensions + 8].copy_from_slice(&[0, 0, 0, 0x40, 0, 0, 0, 0x40]);
    let error = parse_mat(&bomb).unwrap_err();
    assert!(matches!(error, ParseError::Limit { name: "MAX_ELEMENTS", .. }), "{error}");
    bomb[dimensions..dimensions + 8].copy_from_slice(&[3, 0, 0, 0, 3, 0, 0, 0]);
    assert!(matches!(parse_mat(&bomb).unwrap_err(), ParseError::Truncated { needed: 9, found: 6, .. }));
    assert!(matches!(parse_mat(&plain[..plain.len() - 9]).unwrap_err(), ParseError::Truncated { .. }));
    assert!(matches!(parse_mat(&plain[..100]).unwrap_err(), ParseError::Truncated { .. }));
    let hdf5 = parse_mat(b"\x89HDF\r\n\x1a\n").unwrap_err().to_string();
    assert!(hdf5.contains("-v7"), "{hdf5}");
}

/// A MATLAB file of one variable: a cell in a cell, `depth` times.
fn nested_cells(depth: usize) -> Vec<u8> {
    let element = |kind: u32, data: &[u8]| -> Vec<u8> {
        let padding = vec![0; data.len().next_multiple_of(8) - data.len()];
        [&kind.to_le_bytes()[..], &(data.len() as u32).to_le_bytes(), data, &padding].concat()
    };
    let cell = |inner: &[u8]| {
        let parts = [
            element(6, &[1, 0, 0, 0, 0, 0, 0, 0]),
            element(5, &[1, 0, 0, 0, 1, 0, 0, 0]),
            element(1, b"x"),
            inner.to_vec(),
        ];
        element(14, &parts.concat())
    };
    let body = (0..depth).fold(element(14, b""), |inner, _| cell(&inner));
    let mut header = vec![b' '; 124];
    header.extend([0, 1, b'I', b'M']);
    [header, body].concat()
}

#[test]
fn deep_nesting_is_refused_at_the_bound() {
    assert!(parse_mat(&nested_cells(limits::MAX_NESTING)).is_ok());
    let error = parse_mat(&nested_cells(limits::MAX_NESTING + 1)).unwrap_err();
    assert!(matches!(error, ParseError::Limit { name: "MAX_NESTING", .. }), "{error}");
}

#[test]
fn reads_published_matlab_files() {
    let Some(data) = real_data() else { return };
    let mat = read_mat(&data.join("object2vec-fmri/subj001_roistack.mat")).unwrap();
    assert_eq!(mat.numeric("roistack.betas").unwrap().shape(), [81, 1870]);
    assert_eq!(mat.texts("roistack.rois").unwrap().join(" "), "EVC LOC PFS OPA PPA RSC FFA OFA STS EBA");
    assert_eq!(mat.texts("roistack.conds").unwrap()[80], "vase");
    let mat = read_mat(&data.join("object2vec-fmri/subj001_sets.mat")).unwrap();
    assert_eq!(mat.texts("sets[0]").unwrap()[0], "bicycle");
    let mat = read_mat(&data.join("kriegeskorte92/92_brainRDMs.mat")).unwrap();
    assert_eq!(mat.lookup("RDMs[*].RDM").unwrap().len(), 8);
    for name in ["92_behavRDMs.mat", "92_modelRDMs.mat", "rdm92_V1model.mat"] {
        assert!(!read_mat(&data.join("kriegeskorte92").join(name)).unwrap().variables.is_empty(), "{name}");
    }
}
