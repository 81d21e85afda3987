//! Shapes and constants, found by running the graph once on the scorer's engine.

use std::collections::{HashMap, HashSet};

use ndarray::Array4;
use rten::Value;
use rten_tensor::Layout as _;

use crate::Error;
use crate::engine::Engine;
use crate::walk::walk;

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
    let (values, wanted): (HashSet<&String>, HashSet<&String>) =
        (values.iter().collect(), constants.iter().collect());
    let mut facts = Facts { shapes: HashMap::new(), constants: HashMap::new() };
    let keep = |facts: &mut Facts, name: &str, value: &Value| {
        if let Some(constant) = constant(value) {
            facts.constants.insert(name.to_owned(), constant);
        }
    };
    for name in constants {
        if let Some(value) = engine.constant(name) {
            keep(&mut facts, name, &value);
        }
    }
    walk(engine, image.view(), &mut |name, value| {
        let name = name.to_owned();
        if values.contains(&name) {
            let shape = value.as_tensor_view::<f32>().map(|view| view.shape().to_vec());
            facts.shapes.insert(name, shape);
        } else if wanted.contains(&name) {
            keep(&mut facts, &name, value);
        }
    })?;
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
