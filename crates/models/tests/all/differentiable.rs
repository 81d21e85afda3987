//! What differentiable execution promises besides right derivatives.

use ndarray::{Array1, Array3, ArrayView1, s};
use rayon::prelude::*;
use tempfile::TempDir;
use ventral_models::{Differentiable, Error, Real};

use crate::derivatives::{gradient_error, smooth_image};
use crate::gradient::{DEMO, all_layers, demo_card, difference, evaluate};
use crate::graphs::{Graph, integer, integers};
use crate::support::{data_dir, repository_card, with_threads};

/// The layers of a graph, and the directory that must outlive nothing but the load.
fn load<T: Real>(
    size: [usize; 2],
    layers: &[&str],
    build: impl Fn(&mut Graph),
) -> Result<Differentiable<T>, Error> {
    let directory = TempDir::new().unwrap();
    let mut graph = Graph::new();
    build(&mut graph);
    let layers: Vec<String> = layers.iter().map(|&layer| layer.to_owned()).collect();
    Differentiable::load(&graph.card(directory.path(), 17, size)?, &layers)
}

/// Gradient of the sum of all activations.
fn gradient_of_sum<T: Real>(model: &Differentiable<T>, image: &Array3<T>) -> Array3<T> {
    let (rows, trace) = evaluate(model, image);
    let ones: Vec<Array1<T>> = rows.iter().map(|row| Array1::from_elem(row.len(), T::one())).collect();
    let adjoints: Vec<ArrayView1<T>> = ones.iter().map(|ones| ones.view()).collect();
    model.backward(trace, &adjoints).unwrap()
}

#[test]
fn the_first_of_equal_values_gets_the_gradient() {
    let pool = |kernel: i64, stride: i64, pad: i64| {
        load::<f64>([4, 4], &["y"], |graph| {
            let kernel = integers("kernel_shape", &[kernel; 2]);
            graph.node(
                "MaxPool",
                "x",
                "y",
                &[kernel, integers("strides", &[stride; 2]), integers("pads", &[pad; 4])],
            );
        })
        .unwrap()
    };
    let flat = Array3::from_elem((3, 4, 4), 0.5);
    let gradient = gradient_of_sum(&pool(2, 2, 0), &flat);
    let expected =
        Array3::from_shape_fn((3, 4, 4), |(_, y, x)| if y % 2 == 0 && x % 2 == 0 { 1.0 } else { 0.0 });
    assert_eq!(gradient, expected);
    // Equal values in different columns: the earlier row wins over the earlier column.
    let mut image = Array3::zeros((3, 4, 4));
    image.slice_mut(s![.., 1, 0]).fill(1.0);
    image.slice_mut(s![.., 0, 1]).fill(1.0);
    let gradient = gradient_of_sum(&pool(4, 1, 0), &image);
    assert_eq!(gradient[[0, 0, 1]], 1.0);
    assert_eq!(gradient.sum(), 3.0);
    // Padding never wins, however small the values.
    let gradient = gradient_of_sum(&pool(3, 2, 1), &Array3::from_elem((3, 4, 4), -7.0));
    assert_eq!(gradient.sum(), 12.0);
}

#[test]
fn the_gradient_of_a_relu_at_zero_is_zero() {
    let alone = load::<f64>([2, 2], &["y"], |graph| {
        graph.weight("half", &[], vec![0.5]).node("Sub", "x half", "a", &[]).node("Identity", "a", "b", &[]);
        graph.node("Relu", "b", "y", &[]);
    });
    let in_a_sum = load::<f64>([2, 2], &["y"], |graph| {
        graph.weight("half", &[], vec![-0.5]).node("Add", "x half", "a", &[]).node("Relu", "a", "y", &[]);
    });
    let in_a_convolution = load::<f64>([2, 2], &["y"], |graph| {
        graph.weight("w", &[1, 3, 1, 1], vec![1.0, 0.0, 0.0]).weight("b", &[1], vec![-0.5]);
        graph.node("Conv", "x w b", "a", &[]).node("Relu", "a", "y", &[]);
    });
    for model in [alone.unwrap(), in_a_sum.unwrap(), in_a_convolution.unwrap()] {
        let gradient = gradient_of_sum(&model, &Array3::from_elem((3, 2, 2), 0.5));
        assert_eq!(gradient, Array3::zeros((3, 2, 2)));
        let gradient = gradient_of_sum(&model, &Array3::from_elem((3, 2, 2), 0.6));
        assert_eq!(gradient.slice(s![0, .., ..]), ndarray::Array2::ones((2, 2)));
    }
}

#[test]
fn a_trace_is_as_large_as_said_and_keeps_little() {
    let build = |graph: &mut Graph| {
        graph.random("w", &[8, 3, 3, 3], 0.5).random("b", &[8], 0.5);
        graph.node("Conv", "x w b", "a", &[integers("pads", &[1; 4])]).node("Relu", "a", "y", &[]);
    };
    let model = load::<f32>([16, 16], &["y"], build).unwrap();
    let (_, trace) = evaluate(&model, &smooth_image::<f32>([16, 16], 1));
    assert_eq!(trace.bytes(), model.trace_bytes());
    assert_eq!(trace.bytes(), 8 * 16 * 16, "one byte for each output of the ReLU");
    for name in DEMO {
        let card = demo_card(name);
        let model = Differentiable::<f32>::load(&card, &all_layers(&card)).unwrap();
        let (_, trace) = evaluate(&model, &smooth_image::<f32>(model.size(), 1));
        assert_eq!(trace.bytes(), model.trace_bytes(), "{name}");
        // A used buffer that is used again keeps its promise too.
        gradient_of_sum(&model, &smooth_image::<f32>(model.size(), 2));
        let (_, trace) = evaluate(&model, &smooth_image::<f32>(model.size(), 1));
        assert_eq!(trace.bytes(), model.trace_bytes(), "{name}");
    }
}

/// Bits of activations and gradients of several images at once.
fn bits(model: &Differentiable<f32>, images: &[Array3<f32>]) -> Vec<u32> {
    let of = |image: &Array3<f32>| {
        let (rows, trace) = evaluate(model, image);
        let adjoints: Vec<_> = rows.iter().map(|row| row.view()).collect();
        let gradient = model.backward(trace, &adjoints).unwrap();
        let numbers = rows.iter().flat_map(|row| row.iter().copied()).chain(gradient.iter().copied());
        numbers.map(f32::to_bits).collect::<Vec<u32>>()
    };
    images.par_iter().map(of).collect::<Vec<_>>().concat()
}

#[test]
fn bytes_do_not_depend_on_threads_or_company() {
    let mut models: Vec<_> = DEMO.iter().map(|name| demo_card(name)).collect();
    if let Some(data) = data_dir() {
        models.push(repository_card("googlenet", &data));
    }
    for card in models {
        let model = Differentiable::<f32>::load(&card, &all_layers(&card)).unwrap();
        let images: Vec<_> = (0..4).map(|seed| smooth_image::<f32>(model.size(), seed)).collect();
        let reference = with_threads(1, || bits(&model, &images));
        for threads in [2, 3] {
            assert!(
                with_threads(threads, || bits(&model, &images)) == reference,
                "{} {threads}",
                card.identifier
            );
        }
        let alone = with_threads(3, || bits(&model, &images[2..3]));
        let each = reference.len() / 4;
        assert!(alone == reference[2 * each..3 * each], "{}", card.identifier);
    }
}

#[test]
fn an_operator_without_gradient_is_named_if_it_matters() {
    let build = |graph: &mut Graph| {
        graph.random("w", &[2, 3, 1, 1], 1.0).node("Conv", "x w", "a", &[]);
        graph.list("repeats", &[1, 1, 2, 1]).node("Tile", "a repeats", "b", &[]).node("Relu", "b", "y", &[]);
    };
    load::<f32>([4, 4], &["a"], build).map(|_| ()).unwrap();
    let error = load::<f32>([4, 4], &["y"], build).err().unwrap();
    let Error::Operator { operator, node, .. } = &error else { panic!("{error}") };
    assert_eq!((operator.as_str(), node.as_str()), ("Tile", "\"Tile of b\""), "{error}");
}

#[test]
fn weights_made_from_the_image_are_refused() {
    let error = load::<f32>([4, 4], &["y"], |graph| {
        graph.list("shape", &[4, 3, 2, 2]).node("Reshape", "x shape", "w", &[]);
        graph.node("Conv", "x w", "y", &[integers("kernel_shape", &[2, 2])]);
    });
    let error = error.err().unwrap();
    assert!(matches!(&error, Error::Operator { operator, .. } if operator == "Conv"), "{error}");
    assert!(error.to_string().contains("depends on the image"), "{error}");
}

#[test]
fn layers_are_found_as_the_scorer_finds_them() {
    let build = |graph: &mut Graph| {
        graph.node("Shape", "x", "dims", &[]).node("Cast", "dims", "numbers", &[integer("to", 1)]);
        graph.random("w", &[48, 5], 1.0).node("Flatten", "x", "flat", &[]);
        graph.node("MatMul", "flat w", "scores", &[]).node("Softmax", "scores", "y", &[integer("axis", 1)]);
    };
    let model = load::<f32>([4, 4], &["scores", "flat", "scores"], build).unwrap();
    let names: Vec<&str> = model.layers().iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["scores", "flat", "scores"]);
    assert_eq!(model.layers()[1].shape, [48]);
    let error = load::<f32>([4, 4], &["score"], build).err().unwrap().to_string();
    assert!(error.contains("did you mean") && error.contains("scores"), "{error}");
    let error = load::<f32>([4, 4], &["numbers"], build).err().unwrap().to_string();
    assert!(error.contains("does not depend on the pixels"), "{error}");
    let model = load::<f32>([4, 4], &["logits"], build).unwrap();
    assert_eq!(model.layers()[0].name, "scores");
}

#[test]
fn a_layer_asked_twice_counts_twice() {
    let build = |graph: &mut Graph| {
        graph.random("w", &[4, 3, 3, 3], 0.5).node("Conv", "x w", "a", &[]).node("Relu", "a", "y", &[]);
    };
    let image = smooth_image::<f64>([6, 6], 3);
    let [once, twice] = [&["y", "a"][..], &["y", "a", "y", "a"]]
        .map(|layers| gradient_of_sum(&load::<f64>([6, 6], layers, build).unwrap(), &image));
    assert_eq!(twice, once * 2.0);
}

#[test]
fn wrong_shapes_are_refused() {
    let build = |graph: &mut Graph| {
        graph.node("Relu", "x", "y", &[]);
    };
    let model = load::<f32>([4, 5], &["y"], build).unwrap();
    let mut row = Array1::zeros(60);
    let error = model.forward(Array3::zeros((3, 5, 4)).view(), &mut [row.view_mut()]).err().unwrap();
    assert!(matches!(error, Error::Shape { .. }), "{error}");
    let image = Array3::zeros((3, 4, 5));
    let mut short = Array1::zeros(59);
    assert!(matches!(model.forward(image.view(), &mut [short.view_mut()]), Err(Error::Shape { .. })));
    assert!(matches!(model.forward(image.view(), &mut []), Err(Error::Shape { .. })));
    let trace = model.forward(image.view(), &mut [row.view_mut()]).unwrap();
    assert!(matches!(model.backward(trace, &[short.view()]), Err(Error::Shape { .. })));
    let broken = Array3::from_elem((3, 4, 5), f32::NAN);
    let error = model.forward(broken.view(), &mut [row.view_mut()]).err().unwrap();
    assert!(
        matches!(&error, Error::NonFinite { layer, stimulus: 0, feature: 0, .. } if layer == "y"),
        "{error}"
    );
    // A batch says which of its images it is.
    let error = error.of_stimulus(7).to_string();
    assert!(error.contains("stimulus 7 (feature 0)"), "{error}");
}

#[test]
fn a_trace_of_another_model_is_refused() {
    let build = |graph: &mut Graph| {
        graph.node("Exp", "x", "y", &[]);
    };
    let models = [1, 2].map(|_| load::<f32>([4, 5], &["y"], build).unwrap());
    let image = smooth_image::<f32>([4, 5], 1);
    let (rows, trace) = evaluate(&models[0], &image);
    let error = models[1].backward(trace, &[rows[0].view()]).unwrap_err();
    assert!(matches!(&error, Error::Trace { model } if model == "test"), "{error}");
    let (rows, trace) = evaluate(&models[0], &image);
    models[0].backward(trace, &[rows[0].view()]).unwrap();
}

#[test]
fn the_engine_names_the_library_of_its_products() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).unwrap();
    let (_, faer) = lock.split_once("name = \"faer\"\nversion = \"").unwrap();
    let (version, _) = faer.split_once('"').unwrap();
    let engine = Differentiable::<f32>::ENGINE;
    assert!(engine.ends_with(&format!(", faer {version}")), "{engine}, but Cargo.lock has faer {version}");
}

/// As the description of [`Differentiable`] promises.
const F32_BOUND: f64 = 1e-4;

#[test]
fn gradients_in_f32_are_those_in_f64() {
    for name in DEMO {
        let card = demo_card(name);
        let layers = all_layers(&card);
        let narrow = Differentiable::<f32>::load(&card, &layers).unwrap();
        let wide = Differentiable::<f64>::load(&card, &layers).unwrap();
        for seed in 1..4 {
            let [found, exact] = [
                gradient_of_sum(&narrow, &smooth_image::<f32>(narrow.size(), seed)).mapv(f64::from),
                gradient_of_sum(&wide, &smooth_image::<f32>(wide.size(), seed).mapv(f64::from)),
            ];
            let largest = exact.iter().fold(0f64, |most, value| most.max(value.abs()));
            let error = (&found - &exact).iter().fold(0f64, |most, value| most.max(value.abs())) / largest;
            eprintln!("{name}: {error:.1e}");
            assert!(error <= F32_BOUND, "{name}: {error:e}");
        }
    }
}

#[test]
fn rows_need_not_be_contiguous() {
    let build = |graph: &mut Graph| {
        graph.node("Exp", "x", "y", &[]);
    };
    let model = load::<f64>([3, 4], &["y"], build).unwrap();
    let image = smooth_image::<f64>([3, 4], 9);
    let (rows, _) = evaluate(&model, &image);
    let mut wide = ndarray::Array2::zeros((36, 2));
    let trace = model.forward(image.view(), &mut [wide.column_mut(1)]).unwrap();
    assert_eq!(wide.column(1), rows[0]);
    let gradient = model.backward(trace, &[wide.column(1)]).unwrap();
    assert_eq!(gradient, image.mapv(|x: f64| x.exp() * x.exp()));
}

#[test]
fn images_are_prepared_as_the_card_says() {
    let nchw = |graph: &mut Graph| {
        graph.random("w", &[4, 3, 3, 3], 0.5).node("Conv", "x w", "y", &[]);
    };
    for (name, resize, size) in
        [("as large as the input", "", [6, 8]), ("cut", "resize = { shorter = 11 }", [11, 11])]
    {
        for (channels, scale) in [("rgb", "1/255"), ("bgr", "1")] {
            let directory = TempDir::new().unwrap();
            let mut graph = Graph::new();
            nchw(&mut graph);
            let input = format!(
                "channels = {channels:?}\nscale = {scale:?}\nmean = [0.4, 0.5, 0.6]\nstd = [0.2, 0.3, 0.25]\n{resize}\n"
            );
            let card = graph.card_with(directory.path(), 17, [6, 8], &input).unwrap();
            let layers = ["y".to_owned()];
            assert!(difference(&card, &layers, 2e-6) > 0.0);
            let error = gradient_error(&card, &layers, 1000);
            assert!(error <= 1e-5, "{name} {channels}: {error:e}");
            let model = Differentiable::<f64>::load(&card, &layers).unwrap();
            assert_eq!(model.size(), size, "{name}");
            if size == [11, 11] {
                let gradient = gradient_of_sum(&model, &smooth_image::<f64>(size, 1));
                assert_eq!(gradient.slice(s![.., ..2, ..]).sum(), 0.0);
                assert_eq!(gradient.slice(s![.., .., ..2]).sum(), 0.0);
                assert_ne!(gradient[[0, 4, 4]], 0.0);
            }
        }
    }
}
