//! From the text of a card to the card, with errors that name the field.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::card::BenchmarkCard;
use crate::error::{Error, Result};

/// A suggestion that shares less than this with the misspelt name is no help.
const MIN_SIMILARITY: f64 = 0.6;

impl BenchmarkCard {
    /// Parses a card; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::UnknownField`] with the nearest known name, or [`Error::Field`].
    pub fn parse(text: &str, path: &Path) -> Result<BenchmarkCard> {
        let card: BenchmarkCard = parse_toml(text, path)?;
        names(&card).into_iter().try_for_each(|(field, name)| check_name(field, name, path))?;
        Ok(card)
    }

    /// Reads a card; `path` is the file or its folder.
    ///
    /// # Errors
    /// [`Error::Io`], or as [`BenchmarkCard::parse`].
    pub fn load(path: &Path) -> Result<BenchmarkCard> {
        let path = &super::card_file(path);
        BenchmarkCard::parse(&crate::files::read_card(path)?, path)
    }
}

/// The fields that become parts of paths and keys.
pub(super) fn names(card: &BenchmarkCard) -> [(&'static str, &str); 3] {
    [("identifier", &card.identifier), ("version", &card.version), ("region", &card.region)]
}

/// An error unless a field has the alphabet of names.
pub(crate) fn check_name(field: &str, name: &str, path: &Path) -> Result<()> {
    ventral_input::check_name(name).map_err(|problem| Error::field(path, field, problem))
}

/// Parses TOML; the errors of its crate become errors that name section and field.
pub(crate) fn parse_toml<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T> {
    toml::from_str(text).map_err(|e| {
        let message = e.message();
        let mut section = e.span().map(|span| section_of(text, span.start)).unwrap_or_default();
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        match quoted.split_first() {
            Some((unknown, known)) if message.starts_with("unknown field") => {
                // The unknown name may be that of the section itself.
                if e.span().is_some_and(|span| line_of(text, span.start).trim_start().starts_with('[')) {
                    section =
                        section.trim_end_matches('.').strip_suffix(unknown).unwrap_or(&section).to_owned();
                }
                Error::UnknownField {
                    path: path.to_path_buf(),
                    field: format!("{section}{unknown}"),
                    nearest: nearest(unknown, known).map(|name| format!("{section}{name}")),
                }
            }
            Some((missing, _)) if message.starts_with("missing field") => {
                Error::field(path, format!("{section}{missing}"), "is missing; add it")
            }
            _ => {
                let line = e.span().map_or(1, |span| {
                    text.as_bytes()[..span.start.min(text.len())].split(|&b| b == b'\n').count()
                });
                let key = e.span().map(|span| key_of(text, span.start)).unwrap_or_default();
                Error::field(path, format!("{section}{key}"), format!("line {line}: {}", plain(message)))
            }
        }
    })
}

/// A key of TOML without its quotes.
pub(crate) fn unquoted(key: &str) -> &str {
    key.trim().trim_matches(['"', '\''])
}

fn nearest(unknown: &str, known: &[&str]) -> Option<String> {
    let scored = known.iter().map(|name| (strsim::jaro_winkler(unknown, name), *name));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= MIN_SIMILARITY).then(|| best.1.to_string())
}

/// The table header above a position, with a point behind it.
fn section_of(text: &str, position: usize) -> String {
    let position = text.floor_char_boundary(position);
    let end = text[position..].find('\n').map_or(text.len(), |n| position + n);
    let header = text[..end].lines().rev().find_map(|line| line.trim().strip_prefix('[')?.split_once(']'));
    header.map_or(String::new(), |(name, _)| format!("{}.", name.trim_matches(['[', ' '])))
}

/// A message of the TOML crate without the names of Rust's types.
fn plain(message: &str) -> String {
    let Some((found, expected)) = message.rsplit_once("expected ") else { return message.to_owned() };
    let expected = match expected {
        "usize" | "u64" | "u32" | "u16" | "u8" => "a whole number, 0 or above",
        "isize" | "i64" | "i32" => "a whole number",
        "f64" | "f32" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        _ if expected.starts_with("struct ") => "a section",
        _ => expected,
    };
    format!("{found}expected {expected}")
}

/// The line of a position.
fn line_of(text: &str, position: usize) -> &str {
    let position = text.floor_char_boundary(position);
    let start = text[..position].rfind('\n').map_or(0, |n| n + 1);
    text[start..].lines().next().unwrap_or_default()
}

/// The key on the line of a position, if it has one.
fn key_of(text: &str, position: usize) -> String {
    let line = line_of(text, position);
    line.split_once('=').map_or(String::new(), |(key, _)| key.trim().to_string())
}
