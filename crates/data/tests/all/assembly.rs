//! NetCDF assemblies: reading, averaging, repeats, writing.

use ndarray::Array3;
use ventral_data::{Assembly, Table, Values, parse_assembly, read_assembly, write_assembly};

use crate::support::{fixture, golden, numbers, real_data, same};

fn text(table: &Table, name: &str) -> Vec<String> {
    table.column(name).unwrap_or_else(|| panic!("no column {name} in {}", table.names())).to_text()
}

#[test]
fn reads_what_xarray_wrote() {
    let assembly = read_assembly(&fixture("recording.nc")).unwrap();
    let values: Vec<f64> = assembly.values.iter().copied().collect();
    assert!(same(&values, &numbers(&golden("recording.json")["values"])));
    assert_eq!(assembly.identifier, "test.Recording");
    assert_eq!(assembly.values.dim(), (8, 4, 1));
    assert_eq!(assembly.time_bins, [(70.0, 170.0)]);
    assert_eq!(text(&assembly.presentation, "object_name")[0], "äpfel");
    assert_eq!(
        assembly.presentation.column("repetition"),
        Some(&Values::Integer(vec![2, 1, 1, 1, 3, 3, 2, 2]))
    );
    assert_eq!(assembly.neuroid.column("kept"), Some(&Values::Boolean(vec![true, false, true, true])));
    assert_eq!(text(&assembly.neuroid, "depth_mm"), ["0.5", "", "1.5", "2.0"]);
    assert_eq!(assembly.extra_groups, ["spikes"]);
}

#[test]
fn reads_other_orders_byte_orders_fill_values_and_old_index_names() {
    let assembly = read_assembly(&fixture("odd.nc")).unwrap();
    let values: Vec<f64> = assembly.values.iter().copied().collect();
    assert!(same(&values, &[1.0, 4.0, 2.0, 5.0, f64::NAN, 6.0]), "{values:?}");
    assert_eq!(assembly.neuroid_axis, "choice");
    assert_eq!(text(&assembly.neuroid, "choice"), ["dog", "cat"]);
    assert_eq!(text(&assembly.presentation, "weight"), ["0.5", "0.25", "2.0"]);
    assert_eq!(assembly.stimulus_ids().unwrap(), ["001", "002", "003"]);
    assert!(assembly.time_bins.is_empty());
}

#[test]
fn averages_as_the_reference() {
    let golden = golden("recording.json");
    let averaged = read_assembly(&fixture("recording.nc")).unwrap().average_repetitions().unwrap();
    assert!(averaged.presentation.column("repetition").is_none());
    for (row, expected) in golden["averaged"].as_array().unwrap().iter().enumerate() {
        let values: Vec<f64> = averaged.values.slice(ndarray::s![row, .., 0]).to_vec();
        for (a, b) in values.iter().zip(numbers(expected)) {
            assert!((a - b).abs() < 1e-15, "row {row}: {a} {b}");
        }
        let labels = golden["averaged_rows"][row].as_array().unwrap();
        assert_eq!(text(&averaged.presentation, "stimulus_id")[row], labels[0].as_str().unwrap());
        assert_eq!(text(&averaged.presentation, "object_name")[row], labels[1].as_str().unwrap());
    }
}

#[test]
fn repeats_are_a_cube_with_nan_for_what_is_missing() {
    let assembly = read_assembly(&fixture("recording.nc")).unwrap();
    let cube = assembly.repeats(0).unwrap();
    assert_eq!(cube.dim(), (3, 3, 4));
    assert!(
        cube.slice(ndarray::s![2, 1, ..]).iter().all(|v| v.is_nan()),
        "stimulus b has no third repetition"
    );
    assert_eq!(cube[[1, 1, 0]], assembly.values[[0, 0, 0]]);
    assert_eq!(cube[[0, 0, 3]], assembly.values[[1, 3, 0]]);
    assert!(assembly.repeats(1).unwrap_err().to_string().contains("time bin 1 does not exist"));
}

fn small(repetition: &[i64], trial: &[i64]) -> Assembly {
    let mut presentation = Table::new(2);
    presentation.push("stimulus_id", Values::Text(vec!["x".into(), "x".into()])).unwrap();
    presentation.push("repetition", Values::Integer(repetition.to_vec())).unwrap();
    presentation.push("trial", Values::Integer(trial.to_vec())).unwrap();
    Assembly {
        identifier: "small".into(),
        values: Array3::from_elem((2, 1, 1), 1.0),
        presentation,
        neuroid: Table::new(1),
        time_bins: Vec::new(),
        neuroid_axis: "neuroid".into(),
        extra_groups: Vec::new(),
    }
}

#[test]
fn coordinates_that_differ_between_repetitions_are_named() {
    let error = small(&[1, 2], &[7, 8]).average_repetitions().unwrap_err().to_string();
    assert!(error.contains("stimulus `x` differ in trial"), "{error}");
    let error = small(&[1, 1], &[7, 7]).repeats(0).unwrap_err().to_string();
    assert!(error.contains("two presentations with repetition 1"), "{error}");
}

#[test]
fn what_is_written_is_read_back_equal() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["recording.nc", "odd.nc"] {
        let mut original = read_assembly(&fixture(name)).unwrap();
        let path = directory.path().join(name);
        write_assembly(&path, &original).unwrap();
        let again = read_assembly(&path).unwrap();
        assert!(same(original.values.as_slice().unwrap(), again.values.as_slice().unwrap()));
        original.extra_groups.clear();
        original.values = again.values.clone();
        assert_eq!(original.identifier, again.identifier);
        assert_eq!(format!("{:?}", original.presentation), format!("{:?}", again.presentation));
        assert_eq!(format!("{:?}", original.neuroid), format!("{:?}", again.neuroid));
        assert_eq!(original.time_bins, again.time_bins);
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "no temporary file is left");
}

#[test]
fn unwritable_and_damaged_files_are_errors() {
    let original = read_assembly(&fixture("recording.nc")).unwrap();
    let error =
        write_assembly(std::path::Path::new("/proc/no/such/file.nc"), &original).unwrap_err().to_string();
    assert!(error.contains("/proc/no/such/file.nc"), "{error}");
    let bytes = std::fs::read(fixture("recording.nc")).unwrap();
    let error = parse_assembly(bytes[..bytes.len() / 2].to_vec(), "half").unwrap_err().to_string();
    assert!(error.contains("damaged"), "{error}");
    let error = read_assembly(&fixture("stimuli.csv")).unwrap_err().to_string();
    assert!(error.contains("stimuli.csv") && error.contains("NetCDF"), "{error}");
}

#[test]
fn a_variable_that_claims_more_than_the_file_can_hold_is_refused() {
    let path = fixture("bomb.nc");
    assert!(path.metadata().unwrap().len() < 20_000);
    let error = read_assembly(&path).unwrap_err().to_string();
    assert!(
        error.contains("bomb.nc") && error.contains("800000000 bytes") && error.contains("limit"),
        "{error}"
    );
}

#[test]
fn reads_published_files() {
    let Some(data) = real_data() else { return };
    let assembly = read_assembly(&data.join("brainio/assy_test_TestMe.nc")).unwrap();
    assert_eq!(assembly.values.dim(), (6, 3, 1));
    assert_eq!(text(&assembly.presentation, "stimulus_id")[..3], ["n0", "n1", "n1"]);
    let assembly = read_assembly(&data.join("brainio/assy_test_package_assembly.nc")).unwrap();
    assert_eq!(assembly.time_bins, [(0.0, 10.0)]);
    assert_eq!(assembly.values.iter().sum::<f64>(), (1..=18).sum::<i32>() as f64);
    let error =
        read_assembly(&data.join("brainio/assy_test_package_assembly_extras.nc")).unwrap_err().to_string();
    assert!(error.contains("event") && error.contains("presentation"), "{error}");
    let folder = data.join("geirhos-behaviour/rajalingham2018_probabilities");
    let assembly = read_assembly(&folder.join("raj_alexnet.nc")).unwrap();
    assert_eq!((assembly.values.dim(), assembly.neuroid_axis.as_str()), ((240, 24, 1), "choice"));
    assert_eq!(assembly.values[[0, 0, 0]] as f32, 0.07814528);
    assert_eq!(text(&assembly.neuroid, "choice")[2], "calc01");
}
