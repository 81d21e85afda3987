//! Shapes and constants, found by running the graph once on the scorer's engine.

use std::collections::HashMap;

use ndarray::Array4;
use rten::Value;
use rten_tensor::Layout as _;

use crate::Error;
use crate::engine::Engine;

/// A tensor that is the same for every image.
#[derive(Debug, Clone)]
pub(super) struct Constant {
    pub shape: Vec<usize>,
    pub data: Data,
}

#[derive(Debug, Clone)]
pub(super) enum Data {
    Floats(Vec<f32>),
    Integers(Vec<i64>),
}

/// What one run tells.
pub(super) struct Facts {
    /// Shapes of tensors that depend on the image; `None` where they are not of floating-point numbers.
    pub shapes: HashMap<String, Option<Vec<usize>>>,
    pub constants: HashMap<String, Constant>,
}

/// Runs a grey image through the graph.
pub(super) fn facts(
    engine: &Engine,
    image: &Array4<f32>,
    values: &[String],
    constants: &[String],
) -> Result<Facts, Error> {
    let known = |names: &[String]| -> Vec<(String, rten::NodeId)> {
        names.iter().filter_map(|name| Some((name.clone(), engine.tensor(name)?))).collect()
    };
    let (values, constants) = (known(values), known(constants));
    let handles: Vec<_> = values.iter().chain(&constants).map(|(_, handle)| *handle).collect();
    let worker = engine.worker();
    let found = engine.run(&worker, image.view(), &handles);
    engine.rest(worker);
    let mut found = found?.into_iter();
    let mut facts = Facts { shapes: HashMap::new(), constants: HashMap::new() };
    for ((name, _), value) in values.into_iter().zip(found.by_ref()) {
        facts.shapes.insert(name, value.as_tensor_view::<f32>().map(|view| view.shape().to_vec()));
    }
    for ((name, _), value) in constants.into_iter().zip(found) {
        if let Some(constant) = constant(&value) {
            facts.constants.insert(name, constant);
        }
    }
    Ok(facts)
}

fn constant(value: &Value) -> Option<Constant> {
    if let Some(view) = value.as_tensor_view::<f32>() {
        let data = Data::Floats(view.to_contiguous().data().to_vec());
        return Some(Constant { shape: view.shape().to_vec(), data });
    }
    let view = value.as_tensor_view::<i32>()?;
    let data = Data::Integers(view.to_contiguous().data().iter().map(|&value| value.into()).collect());
    Some(Constant { shape: view.shape().to_vec(), data })
}
