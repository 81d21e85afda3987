use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use ventral_input::check_name;

use crate::engine::ENGINE;
use crate::hex::hex;
use crate::onnx::OnnxFile;
use crate::preprocess::Preprocessing;
use crate::{Error, FORWARD_BATCH, suggest};

/// What a model is and how images are shown to it: `model.toml`.
///
/// A model is a network (`file` or `data`, with `[input]`), or activations (`[activations]`) or answers (`[probabilities]`) that were
/// computed elsewhere.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// Name in tables and results: letters, digits, `.`, `_` and `-`.
    pub identifier: String,
    /// ONNX file, relative to the card.
    pub file: Option<PathBuf>,
    /// ONNX file, relative to the data directory; instead of `file`.
    pub data: Option<PathBuf>,
    /// SHA-256 of the ONNX file; checked on every load when given.
    pub sha256: Option<String>,
    /// How images become the network's input.
    pub input: Option<Preprocessing>,
    /// Which tensors are layers.
    #[serde(default)]
    pub layers: LayerPatterns,
    /// Committed layer of each region (spec §2.3); other regions take the best layer.
    #[serde(default)]
    pub regions: BTreeMap<String, String>,
    /// Layer that behaviour is read out from; `logits` unless given.
    pub readout: Option<String>,
    /// ImageNet top-1 accuracy, between 0 and 1, as published.
    pub imagenet_top1: Option<f64>,
    /// Reference to cite.
    pub citation: Option<String>,
    /// Licence of the weights.
    pub licence: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Activations that were computed elsewhere, instead of a network.
    pub activations: Option<GivenFile>,
    /// Probabilities of labels that were computed elsewhere: the model's answers, instead of a network.
    pub probabilities: Option<GivenFile>,
    #[serde(skip)]
    path: PathBuf,
    #[serde(skip)]
    source: PathBuf,
}

/// Which tensors of a network are its layers, by name or glob (`inception_*/output`; `*` also matches `/`).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LayerPatterns {
    /// Tensors to take; everything when absent.
    pub include: Vec<String>,
    /// Tensors to leave out again.
    pub exclude: Vec<String>,
}

impl Default for LayerPatterns {
    fn default() -> Self {
        Self { include: vec!["*".to_owned()], exclude: Vec::new() }
    }
}

/// A file of activations or probabilities that were computed elsewhere.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenFile {
    /// The file, relative to the card.
    pub file: Option<PathBuf>,
    /// The file, relative to the data directory; instead of `file`.
    pub data: Option<PathBuf>,
}

impl ModelCard {
    /// Reads and checks a card; `data_dir` is where `data = ...` files lie.
    ///
    /// # Errors
    /// [`Error::Read`] or [`Error::Card`], naming the field and what to do.
    pub fn load(path: &Path, data_dir: Option<&Path>) -> Result<Self, Error> {
        let text =
            ventral_input::read_card(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path, data_dir)
    }

    /// [`ModelCard::load`] of a text; `path` is where the card lies.
    ///
    /// # Errors
    /// [`Error::Card`].
    pub fn parse(text: &str, path: &Path, data_dir: Option<&Path>) -> Result<Self, Error> {
        let invalid = |message: String| Error::Card { path: path.to_owned(), message };
        let mut card: Self = toml::from_str(text).map_err(|error| invalid(with_hint(&error.to_string())))?;
        card.path = path.to_owned();
        card.source = card.resolve(data_dir).map_err(invalid)?;
        card.check().map_err(invalid)?;
        Ok(card)
    }

    /// The card itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was computed elsewhere, if the card names no network.
    pub fn given(&self) -> Option<&GivenFile> {
        self.activations.as_ref().or(self.probabilities.as_ref())
    }

    /// The ONNX, activations or probabilities file, resolved.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// Whether [`ModelCard::source`] is named relative to the data directory; to the card otherwise.
    pub fn is_in_data_dir(&self) -> bool {
        self.data.is_some() || self.given().is_some_and(|given| given.data.is_some())
    }

    /// The files that the card reads: the ONNX or activations file, and the weight files that the former names.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Model`].
    pub fn files(&self) -> Result<Vec<PathBuf>, Error> {
        let mut files = vec![self.source.clone()];
        if self.given().is_none() {
            files.extend(OnnxFile::weight_files(&self.source)?);
        }
        Ok(files)
    }

    /// Visual degrees that the model's input spans; 8 unless the card says otherwise (spec §2.3).
    pub fn visual_degrees(&self) -> f64 {
        self.input.as_ref().map_or(crate::preprocess::DEFAULT_DEGREES, |input| input.degrees)
    }

    /// SHA-256 over everything that can change activations: model bytes, preprocessing, batch size and engine;
    /// not the identifier, the layer lists or the notes. Reads the model file, and checks `sha256`.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Model`], [`Error::Sha256`].
    pub fn digest(&self) -> Result<String, Error> {
        if self.given().is_some() {
            let bytes_digest = hash_file(&self.source)?;
            self.check_sha256(&bytes_digest)?;
            let what = if self.activations.is_some() { "activations" } else { "probabilities" };
            return Ok(digest_of(&format!("given {what}\nbytes {bytes_digest}\n")));
        }
        self.digest_with(&self.open()?)
    }

    /// Reads the ONNX file and checks its SHA-256.
    pub(crate) fn open(&self) -> Result<OnnxFile, Error> {
        let file = OnnxFile::read(&self.source)?;
        self.check_sha256(file.sha256())?;
        Ok(file)
    }

    pub(crate) fn digest_with(&self, file: &OnnxFile) -> Result<String, Error> {
        // The others keep the digest that they had before.
        let softmax = if file.has_softmax_by_rows() { "; softmax by rows" } else { "" };
        Ok(digest_of(&format!(
            "network\nengine {ENGINE}{softmax}\nmodel {}\nbatch {FORWARD_BATCH}\ninput {}\n",
            file.digest(),
            self.preprocessing()?.canonical()
        )))
    }

    pub(crate) fn preprocessing(&self) -> Result<&Preprocessing, Error> {
        let missing = || Error::Card {
            path: self.path.clone(),
            message: "`[input]` is missing; say at least `size = [height, width]`".into(),
        };
        self.input.as_ref().ok_or_else(missing)
    }

    fn check_sha256(&self, found: &str) -> Result<(), Error> {
        match &self.sha256 {
            Some(expected) if !expected.eq_ignore_ascii_case(found) => Err(Error::Sha256 {
                path: self.source.clone(),
                card: self.path.clone(),
                expected: expected.clone(),
                found: found.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    fn resolve(&self, data_dir: Option<&Path>) -> Result<PathBuf, String> {
        let network = self.file.is_some() || self.data.is_some();
        let (file, data, prefix) = match (&self.activations, &self.probabilities) {
            (Some(_), _) | (_, Some(_)) if network => {
                let name = if self.activations.is_some() { "activations" } else { "probabilities" };
                return Err(format!("both a network (`file` or `data`) and `[{name}]` are given; keep one"));
            }
            (Some(_), Some(_)) => {
                return Err(
                    "both `[activations]` and `[probabilities]` are given; keep one, they are two models"
                        .into(),
                );
            }
            (Some(given), None) => (&given.file, &given.data, "activations."),
            (None, Some(given)) => (&given.file, &given.data, "probabilities."),
            (None, None) => (&self.file, &self.data, ""),
        };
        match (file, data) {
            (Some(file), None) => Ok(self.path.parent().unwrap_or(Path::new("")).join(file)),
            (None, Some(data)) => data_dir.map(|directory| directory.join(data)).ok_or_else(|| {
                format!("`{prefix}data = {data:?}` needs the data directory; set VENTRAL_DATA or pass --data")
            }),
            (Some(_), Some(_)) => Err(format!("both `{prefix}file` and `{prefix}data` are given; keep one")),
            (None, None) => {
                Err(format!("neither `{prefix}file` nor `{prefix}data` is given; name the file of the model"))
            }
        }
    }

    fn check(&self) -> Result<(), String> {
        check_name(&self.identifier).map_err(|problem| format!("`identifier`: {problem}"))?;
        for region in self.regions.keys() {
            check_name(region).map_err(|problem| format!("`regions`: {problem}"))?;
        }
        if let Some(sha256) = &self.sha256
            && (sha256.len() != 64 || !sha256.chars().all(|c| c.is_ascii_hexdigit()))
        {
            return Err(format!("`sha256 = {sha256:?}`: 64 hexadecimal digits are needed"));
        }
        if self.imagenet_top1.is_some_and(|top1| !(0.0..=1.0).contains(&top1)) {
            return Err("`imagenet_top1` must lie between 0 and 1 (0.687, not 68.7)".into());
        }
        if self.layers.include.is_empty() {
            return Err("`layers.include` is empty; leave it out to take every layer".into());
        }
        if self.probabilities.is_some() && (self.readout.is_some() || !self.regions.is_empty()) {
            return Err(
                "`readout` and `[regions]` name layers, `[probabilities]` has none; remove them".into()
            );
        }
        match (&self.input, self.given()) {
            (Some(_), Some(_)) => {
                Err("`[input]` has no meaning with `[activations]` or `[probabilities]`; remove it".into())
            }
            (None, None) => Err("`[input]` is missing; say at least `size = [height, width]`".into()),
            (Some(input), None) => input.check(),
            (None, Some(_)) => Ok(()),
        }
    }
}

fn digest_of(text: &str) -> String {
    hex(&Sha256::digest(format!("ventral model 1\n{text}")))
}

fn hash_file(path: &Path) -> Result<String, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut file = ventral_input::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut HashWriter(&mut hash)).map_err(failed)?;
    Ok(hex(&hash.finalize()))
}

struct HashWriter<'a>(&'a mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Adds the nearest known field to a message about an unknown one.
fn with_hint(message: &str) -> String {
    let message = message.trim_end();
    let mut quoted = message.split("unknown field ").nth(1).unwrap_or_default().split('`').skip(1).step_by(2);
    let nearest = quoted.next().map(|wanted| suggest::nearest(wanted, quoted));
    match nearest.as_deref() {
        Some([best, ..]) => format!("{message}\ndid you mean `{best}`?"),
        _ => message.to_owned(),
    }
}
