//! Weights that are stored beside the model file.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::file::{MAX_MODEL_BYTES, invalid, read_bounded};
use super::proto::tensor_proto::DataLocation;
use super::proto::{GraphProto, ModelProto, TensorProto};
use crate::Error;
use crate::hex::hex;

/// Most external weight files of one model.
pub const MAX_EXTERNAL_FILES: usize = 4096;

/// Where a tensor's bytes lie.
struct Location {
    /// Without links.
    file: PathBuf,
    /// As the model names it.
    named: PathBuf,
    offset: u64,
    length: Option<u64>,
}

/// Moves external weights into the model and returns the digest of the model with them.
pub(super) fn inline(path: &Path, model: &mut ModelProto, sha256: &str) -> Result<String, Error> {
    let Some(graph) = &mut model.graph else { return Ok(sha256.to_owned()) };
    let mut files = BTreeMap::new();
    let mut total = 0u64;
    visit(graph, &mut |tensor| {
        if !is_external(tensor) {
            return Ok(());
        }
        let location = locate(path, tensor)?;
        let bytes = read_range(path, tensor.name(), &location)?;
        total = total.saturating_add(bytes.len() as u64);
        if total > MAX_MODEL_BYTES {
            return Err(invalid(
                path,
                format!("the weights take more than {MAX_MODEL_BYTES} bytes, the most a model may have"),
            ));
        }
        files.insert(location.file, ());
        if files.len() > MAX_EXTERNAL_FILES {
            return Err(invalid(path, format!("more than {MAX_EXTERNAL_FILES} weight files")));
        }
        tensor.raw_data = Some(bytes);
        tensor.data_location = None;
        tensor.external_data.clear();
        Ok(())
    })?;
    if files.is_empty() {
        return Ok(sha256.to_owned());
    }
    // A file may be larger than what the model takes of it.
    let sizes = files.keys().map(|file| std::fs::metadata(file).map_or(0, |metadata| metadata.len()));
    if sizes.fold(0u64, u64::saturating_add) > MAX_MODEL_BYTES {
        return Err(invalid(
            path,
            format!("its weight files have more than {MAX_MODEL_BYTES} bytes, the most a model may have"),
        ));
    }
    let mut hash = Sha256::new();
    hash.update(format!("onnx-with-external-data\n{sha256}\n"));
    for file in files.keys() {
        let content = read_bounded(file, MAX_MODEL_BYTES)?;
        hash.update(format!("{}\n", hex(&Sha256::digest(&content))));
    }
    Ok(hex(&hash.finalize()))
}

/// The external weight files of a model, as it names them, each once.
pub(super) fn files(path: &Path, model: &mut ModelProto) -> Result<Vec<PathBuf>, Error> {
    let Some(graph) = &mut model.graph else { return Ok(Vec::new()) };
    let mut files = BTreeMap::new();
    visit(graph, &mut |tensor| {
        if is_external(tensor) {
            files.insert(locate(path, tensor)?.named, ());
        }
        if files.len() > MAX_EXTERNAL_FILES {
            return Err(invalid(path, format!("more than {MAX_EXTERNAL_FILES} weight files")));
        }
        Ok(())
    })?;
    Ok(files.into_keys().collect())
}

/// Whether any tensor is stored outside the model file.
pub(super) fn is_needed(model: &ModelProto) -> bool {
    model.graph.as_ref().is_some_and(graph_needs)
}

fn graph_needs(graph: &GraphProto) -> bool {
    let mut attributes = graph.node.iter().flat_map(|node| &node.attribute);
    graph.initializer.iter().any(is_external)
        || attributes.any(|attribute| {
            attribute.t.as_ref().is_some_and(is_external)
                || attribute.g.iter().chain(&attribute.graphs).any(graph_needs)
        })
}

fn visit(
    graph: &mut GraphProto,
    action: &mut dyn FnMut(&mut TensorProto) -> Result<(), Error>,
) -> Result<(), Error> {
    for tensor in &mut graph.initializer {
        action(tensor)?;
    }
    for attribute in graph.node.iter_mut().flat_map(|node| &mut node.attribute) {
        if let Some(tensor) = &mut attribute.t {
            action(tensor)?;
        }
        for inner in attribute.g.iter_mut().chain(&mut attribute.graphs) {
            visit(inner, action)?;
        }
    }
    Ok(())
}

fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location() == DataLocation::External
}

/// Resolves a location without leaving the directory of the model: the name is a plain relative path, and links may not lead out.
fn locate(path: &Path, tensor: &TensorProto) -> Result<Location, Error> {
    let entry =
        |key: &str| tensor.external_data.iter().find(|entry| entry.key() == key).map(|entry| entry.value());
    let refuse = |what: String| invalid(path, format!("weight {:?}: {what}", tensor.name()));
    let name =
        entry("location").ok_or_else(|| refuse("stored in another file, but no file is named".into()))?;
    let number = |key: &str| -> Result<Option<u64>, Error> {
        let parse =
            |text: &str| text.parse().map_err(|_| refuse(format!("external {key} {text:?} is not a number")));
        entry(key).map(parse).transpose()
    };
    let relative = Path::new(name);
    let plain = !name.is_empty()
        && relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let outside = || refuse(format!("stored in {name:?}, which is outside the directory of the model"));
    if !plain {
        return Err(outside());
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let canonical =
        |path: &Path| path.canonicalize().map_err(|source| Error::Read { path: path.to_owned(), source });
    let named = directory.join(relative);
    let file = canonical(&named)?;
    if !file.starts_with(canonical(directory)?) {
        return Err(outside());
    }
    Ok(Location { file, named, offset: number("offset")?.unwrap_or(0), length: number("length")? })
}

fn read_range(path: &Path, name: &str, location: &Location) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read { path: location.file.clone(), source };
    let file = ventral_input::open(&location.file).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let length = location.length.unwrap_or_else(|| size.saturating_sub(location.offset));
    let within = location.offset.checked_add(length).is_some_and(|end| end <= size);
    let wanted = usize::try_from(length).ok().filter(|_| within && length <= MAX_MODEL_BYTES);
    let Some(wanted) = wanted else {
        return Err(invalid(
            path,
            format!(
                "weight {name:?}: bytes {}+{length} of {} are wanted but the file has {size}; export or fetch it again",
                location.offset,
                location.file.display()
            ),
        ));
    };
    let mut bytes = vec![0; wanted];
    file.read_exact_at(&mut bytes, location.offset).map_err(failed)?;
    Ok(bytes)
}
