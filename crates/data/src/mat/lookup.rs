//! Naming a part of a MATLAB file: `roistack.betas`, `RDMs[1].RDM`, `stimuli[*].image`.

use super::{MatFile, MatStruct, MatValue};
use crate::arrays::NumericArray;

impl MatFile {
    /// The values that a path names.
    ///
    /// A path is a variable, then any of `.field`, `[index]` (from 0, column-major) and `[*]` (every element).
    /// A field of a struct array with more than one element needs an index.
    ///
    /// # Errors
    /// A sentence that says which step failed and what is there.
    pub fn lookup(&self, path: &str) -> Result<Vec<&MatValue>, String> {
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let (name, mut rest) = path.split_at(end);
        let names = || self.variables.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>().join(", ");
        let variable = self.variables.iter().find(|(n, _)| n == name);
        let (_, value) =
            variable.ok_or_else(|| format!("there is no variable `{name}`; the file has: {}", names()))?;
        let mut parts: Vec<Part<'_>> = vec![Part::Value(value)];
        while !rest.is_empty() {
            let (step, after) =
                next_step(rest).ok_or_else(|| format!("`{path}` is not variable[index].field"))?;
            let mut next = Vec::new();
            for part in &parts {
                part.follow(&step, &mut next).map_err(|e| format!("`{path}`: {e}"))?;
            }
            (parts, rest) = (next, after);
        }
        parts
            .iter()
            .map(|p| p.value().ok_or_else(|| format!("`{path}` ends in a struct element; name a field")))
            .collect()
    }

    /// The one value that a path names.
    ///
    /// # Errors
    /// As [`MatFile::lookup`], and if there are none or several.
    pub fn one(&self, path: &str) -> Result<&MatValue, String> {
        match self.lookup(path)?[..] {
            [value] => Ok(value),
            ref several => Err(format!("`{path}` names {} values, one is needed", several.len())),
        }
    }

    /// The numeric array that a path names.
    ///
    /// # Errors
    /// As [`MatFile::one`], and if it is not numeric.
    pub fn numeric(&self, path: &str) -> Result<&NumericArray, String> {
        numeric(self.one(path)?).map_err(|e| format!("`{path}`: {e}"))
    }

    /// The texts that a path names: a cell array of texts, or a character array by rows.
    ///
    /// # Errors
    /// As [`MatFile::one`], and if it is anything else.
    pub fn texts(&self, path: &str) -> Result<Vec<String>, String> {
        texts(self.one(path)?).map_err(|e| format!("`{path}`: {e}"))
    }
}

/// The array, if the value is numeric.
pub(crate) fn numeric(value: &MatValue) -> Result<&NumericArray, String> {
    match value {
        MatValue::Numeric(array) => Ok(array),
        other => Err(format!("numbers are needed, it is {}", other.describe())),
    }
}

/// The texts of a cell array of texts or of a character array.
pub(crate) fn texts(value: &MatValue) -> Result<Vec<String>, String> {
    let one = |value: &MatValue| match value {
        MatValue::Text(rows) if rows.len() == 1 => Ok(rows[0].clone()),
        // MATLAB writes an empty text as an empty numeric array.
        MatValue::Numeric(array) if array.numbers().is_empty() => Ok(String::new()),
        other => Err(format!("texts are needed, an element is {}", other.describe())),
    };
    match value {
        MatValue::Text(rows) => Ok(rows.clone()),
        MatValue::Cell(_, elements) => elements.iter().map(one).collect(),
        other => Err(format!("texts are needed, it is {}", other.describe())),
    }
}

enum Step<'p> {
    Field(&'p str),
    Index(usize),
    All,
}

fn next_step(rest: &str) -> Option<(Step<'_>, &str)> {
    if let Some(rest) = rest.strip_prefix('.') {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        return (!name.is_empty()).then_some((Step::Field(name), after));
    }
    let (inside, after) = rest.strip_prefix('[')?.split_once(']')?;
    let step = if inside == "*" { Step::All } else { Step::Index(inside.parse().ok()?) };
    Some((step, after))
}

/// A value, or one element of a struct array.
enum Part<'v> {
    Value(&'v MatValue),
    Element(&'v MatStruct, usize),
}

impl<'v> Part<'v> {
    fn value(&self) -> Option<&'v MatValue> {
        if let Part::Value(value) = self { Some(value) } else { None }
    }

    fn follow(&self, step: &Step<'_>, out: &mut Vec<Part<'v>>) -> Result<(), String> {
        match (self, step) {
            (Part::Element(s, index), Step::Field(name)) => out.push(Part::Value(field(s, *index, name)?)),
            (Part::Value(MatValue::Struct(s)), Step::Field(name)) => {
                let count = elements(s);
                if count != 1 {
                    return Err(format!(
                        "the struct array has {count} elements; add [0] or [*] before .{name}"
                    ));
                }
                out.push(Part::Value(field(s, 0, name)?));
            }
            (Part::Value(MatValue::Struct(s)), Step::Index(index)) => {
                let count = elements(s);
                if *index >= count {
                    return Err(format!("there is no element {index}, there are {count}"));
                }
                out.push(Part::Element(s, *index));
            }
            (Part::Value(MatValue::Struct(s)), Step::All) => {
                out.extend((0..elements(s)).map(|i| Part::Element(s, i)))
            }
            (Part::Value(MatValue::Cell(_, cells)), Step::Index(index)) => {
                let missing = || format!("there is no element {index}, there are {}", cells.len());
                out.push(Part::Value(cells.get(*index).ok_or_else(missing)?));
            }
            (Part::Value(MatValue::Cell(_, cells)), Step::All) => out.extend(cells.iter().map(Part::Value)),
            (Part::Value(other), _) => return Err(format!("cannot go into {}", other.describe())),
            (Part::Element(..), _) => return Err("an element of a struct array needs .field".to_string()),
        }
        Ok(())
    }
}

fn elements(s: &MatStruct) -> usize {
    if s.fields.is_empty() { 0 } else { s.values.len() / s.fields.len() }
}

fn field<'v>(s: &'v MatStruct, element: usize, name: &str) -> Result<&'v MatValue, String> {
    let position = s.fields.iter().position(|f| f == name);
    let position = position
        .ok_or_else(|| format!("there is no field `{name}`; the struct has: {}", s.fields.join(", ")))?;
    s.values.get(element * s.fields.len() + position).ok_or_else(|| format!("element {element} is missing"))
}
