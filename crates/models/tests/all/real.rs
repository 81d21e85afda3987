//! Real models on real images.

use std::io::{Cursor, Read};
use std::path::Path;

use ndarray::{Array1, Array2, Array3, s};
use ndarray_npy::ReadNpyExt;
use ventral_metrics::correlation::pearson;
use ventral_metrics::statistics::nan_median;
use ventral_models::{ActivationSource, Network, NetworkActivations, StreamLimits, stream};

use crate::support::{data_dir, npz, repository_card, with_threads};

pub const ALL: [&str; 10] = [
    "googlenet",
    "squeezenet1_1",
    "resnet20_cifar10",
    "resnet56_cifar10",
    "v4_from_V4data_direct_fit_50",
    "v4_from_cornets_50",
    "v4_from_ensemble_model_5",
    "v4_from_ensemble_model_50",
    "v4_from_resnet50_50",
    "v4_linear_from_ensemble_model_50",
];

/// Images `range` of V4 session 201025.
fn v4_images(data: &Path, range: std::ops::Range<usize>) -> Vec<Array3<u8>> {
    let file = std::fs::File::open(data.join("v4-cowley/images_201025.zip")).unwrap();
    let mut archive = zip::ZipArchive::new(file).unwrap();
    let mut names: Vec<String> = archive
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .filter(|name| name.ends_with(".jpg"))
        .collect();
    names.sort();
    let mut decode = |name: &String| {
        let mut bytes = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        let image = image::ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .unwrap()
            .decode()
            .unwrap()
            .to_rgb8();
        let (width, height) = image.dimensions();
        Array3::from_shape_vec((height as usize, width as usize, 3), image.into_raw()).unwrap()
    };
    names[range].iter().map(&mut decode).collect()
}

fn network(name: &str, data: &Path) -> Network {
    Network::load(&repository_card(name, data)).unwrap()
}

#[test]
fn every_card_loads_its_model() {
    let Some(data) = data_dir() else { return };
    for name in ALL {
        let card = repository_card(name, &data);
        let network = Network::load(&card).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(card.identifier, name);
        assert_eq!(network.digest(), card.digest().unwrap());
        network.layer("logits").unwrap();
        eprintln!("{name}: {} layers, {} tensors", network.layers().len(), network.tensors().len());
        assert!(network.layers().len() >= 6);
    }
    let googlenet = network("googlenet", &data);
    let names: Vec<&str> = googlenet.layers().iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names.len(), 20, "{names:?}");
    assert_eq!(googlenet.layer("logits").unwrap(), googlenet.layer("loss3/classifier").unwrap());
    assert_eq!(googlenet.layers()[googlenet.layer("inception_4c/output").unwrap()].shape, [512, 14, 14]);
}

#[test]
fn googlenet_bytes_do_not_depend_on_threads_company_or_other_layers() {
    let Some(data) = data_dir() else { return };
    let network = network("googlenet", &data);
    let images = v4_images(&data, 0..6);
    let source = NetworkActivations::new(&network, &images, None);
    let layers: Vec<usize> = (0..network.layers().len()).collect();
    let reference = with_threads(1, || source.activations(0..6, &layers).unwrap());
    let two = with_threads(2, || source.activations(0..6, &layers).unwrap());
    assert_eq!(two, reference);
    for layer in layers {
        let alone = source.activations(3..5, &[layer]).unwrap();
        assert_eq!(alone[0], reference[layer].slice(s![3..5, ..]), "{}", network.layers()[layer].name);
    }
    assert!(
        reference.iter().all(|values| values.row(0) != values.row(1)),
        "different images differ in every layer"
    );
}

#[test]
fn googlenet_agrees_with_onnxruntime() {
    let Some(data) = data_dir() else { return };
    let network = network("googlenet", &data);
    let images = vec![npz("googlenet.npz", "image")];
    let source = NetworkActivations::new(&network, &images, None);
    let layers: Vec<usize> = (0..network.layers().len()).collect();
    let found = source.activations(0..1, &layers).unwrap();
    let mut worst = 0f32;
    for (layer, values) in network.layers().iter().zip(found) {
        let features: Array1<i64> = npz("googlenet.npz", &format!("features:{}", layer.name));
        let golden: Array1<f32> = npz("googlenet.npz", &format!("values:{}", layer.name));
        let scale: Array1<f32> = npz("googlenet.npz", &format!("scale:{}", layer.name));
        for (&feature, &expected) in features.iter().zip(&golden) {
            let difference = (values[[0, feature as usize]] - expected).abs() / scale[0];
            assert!(difference <= 1e-5, "{} feature {feature}: {difference:e}", layer.name);
            worst = worst.max(difference);
        }
    }
    eprintln!("googlenet against onnxruntime: worst difference {worst:e} of the layer's scale");
}

/// Median over neurons of the correlation between the predicted and the recorded responses to the held-out images.
fn v4_prediction(name: &str, data: &Path, images: &Vec<Array3<u8>>, responses: &Array2<f64>) -> f64 {
    let network = network(name, data);
    let source = NetworkActivations::new(&network, images, None);
    let predicted = source.activations(0..images.len(), &[network.layer("y").unwrap()]).unwrap().remove(0);
    let correlations: Vec<f64> = (0..89)
        .map(|neuron| {
            let model = predicted.column(33 + neuron).mapv(f64::from);
            pearson(model.view(), responses.slice(s![neuron, 600..])).unwrap()
        })
        .collect();
    nan_median(&correlations)
}

#[test]
fn v4_models_predict_the_neurons_they_were_made_for() {
    let Some(data) = data_dir() else { return };
    let responses = std::fs::File::open(data.join("v4-cowley/responses_201025.npy")).unwrap();
    let responses = Array2::<f64>::read_npy(responses).unwrap();
    let images = v4_images(&data, 600..1200);
    let score = |name: &str| {
        let r = v4_prediction(name, &data, &images, &responses);
        eprintln!("{name}: median r {r:.4}");
        r
    };
    let ensemble = score("v4_from_ensemble_model_50");
    let resnet = score("v4_from_resnet50_50");
    let cornet = score("v4_from_cornets_50");
    let direct = score("v4_from_V4data_direct_fit_50");
    let linear = score("v4_linear_from_ensemble_model_50");
    assert!(ensemble > direct && resnet > direct && cornet > direct && direct > linear);
    assert!((0.60..0.70).contains(&ensemble), "published .60 to .69, got {ensemble}");
    // The linear model hangs on single grey levels of the JPEG decoder: 0.316 with PIL's pixels, by us as by onnxruntime, and 0.25
    // with decoders that differ from PIL by 0.1 to 0.2 levels on average. The others move by less than 0.001.
    assert!((0.20..0.33).contains(&linear), "published .29 and .32 for other linear models, got {linear}");
}

#[test]
fn a_large_layer_streams_within_a_small_limit() {
    let Some(data) = data_dir() else { return };
    let network = network("v4_from_ensemble_model_5", &data);
    let images = v4_images(&data, 0..40);
    let source = NetworkActivations::new(&network, &images, None);
    let layer = network.layer("r0").unwrap();
    let whole = source.activations(0..40, &[layer]).unwrap().remove(0);
    let limits = StreamLimits { memory_bytes: 1 << 20, spill_dir: None, spill_bytes: 0 };
    let mut tiles = 0;
    let mut sink = |_, first: u64, tile: ndarray::ArrayView2<'_, f32>| {
        let first = first as usize;
        assert_eq!(tile, whole.slice(s![.., first..first + tile.ncols()]));
        tiles += 1;
        Ok(())
    };
    let report = stream(&source, &[layer], &limits, &mut sink, &|_| ()).unwrap();
    assert!(report.passes > 1 && report.peak_bytes <= 1 << 20, "{report:?}");
    assert_eq!(tiles, whole.ncols().div_ceil(2048));
}
