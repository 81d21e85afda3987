//! Reading what scripts answer.

use ::redis::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::types::{Error, Event, Failure, FailureKind, Happening, UnitId};

/// What came back is not what the scripts of this version answer.
pub(super) fn corrupt(what: &str, found: &Value) -> Error {
    let kind = match found {
        Value::Nil => "nothing",
        Value::Int(_) => "a number",
        Value::BulkString(_) | Value::SimpleString(_) => "a text",
        Value::Array(_) => "a list",
        _ => "something else",
    };
    Error::Corrupt(format!("{what} is missing or of another kind: {kind}"))
}

pub(super) fn list(what: &str, value: Value) -> Result<Vec<Value>, Error> {
    match value {
        Value::Array(values) => Ok(values),
        Value::Nil => Ok(Vec::new()),
        other => Err(corrupt(what, &other)),
    }
}

pub(super) fn bytes(what: &str, value: Value) -> Result<Vec<u8>, Error> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        other => Err(corrupt(what, &other)),
    }
}

pub(super) fn text(what: &str, value: Value) -> Result<String, Error> {
    String::from_utf8(bytes(what, value)?).map_err(|_| Error::Corrupt(format!("{what} is not UTF-8")))
}

pub(super) fn number(what: &str, value: Value) -> Result<u64, Error> {
    let bad = |found: &str| Error::Corrupt(format!("{what} is no number: {found}"));
    match value {
        Value::Int(number) => u64::try_from(number).map_err(|_| bad("negative")),
        other => {
            let digits = text(what, other)?;
            digits.parse().map_err(|_| bad(&digits))
        }
    }
}

/// The name of a variant as an enumeration of [`crate::types`] is written.
pub(super) fn variant<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, Error> {
    let name = text(what, value)?;
    serde_json::from_value(serde_json::Value::String(name))
        .map_err(|_| Error::Corrupt(format!("{what} is none of this version")))
}

/// The name that [`variant`] reads.
pub(super) fn variant_name<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => Ok(name.into_bytes()),
        _ => Err(Error::Corrupt("a variant without a name".to_owned())),
    }
}

/// The values of one row, in their order.
pub(super) struct Row {
    what: &'static str,
    values: std::vec::IntoIter<Value>,
}

impl Row {
    pub(super) fn new(what: &'static str, value: Value) -> Result<Self, Error> {
        Ok(Self { what, values: list(what, value)?.into_iter() })
    }

    pub(super) fn value(&mut self) -> Value {
        self.values.next().unwrap_or(Value::Nil)
    }

    pub(super) fn text(&mut self) -> Result<String, Error> {
        let value = self.value();
        text(self.what, value)
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        let value = self.value();
        bytes(self.what, value)
    }

    pub(super) fn number(&mut self) -> Result<u64, Error> {
        let value = self.value();
        number(self.what, value)
    }

    pub(super) fn small<T: TryFrom<u64>>(&mut self) -> Result<T, Error> {
        let found = self.number()?;
        T::try_from(found).map_err(|_| Error::Corrupt(format!("{}: {found} is too large", self.what)))
    }

    pub(super) fn variant<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let value = self.value();
        variant(self.what, value)
    }

    /// Kind, reason and evidence; `None` where there was no failure.
    pub(super) fn failure(&mut self) -> Result<Option<Failure>, Error> {
        match self.value() {
            Value::Nil => Ok(None),
            kind => {
                let kind: FailureKind = variant(self.what, kind)?;
                Ok(Some(Failure { kind, reason: self.text()?, evidence: self.text()? }))
            }
        }
    }
}

/// An entry of the events: its id and the event.
pub(super) fn event(entry: Value) -> Result<(String, Event), Error> {
    let mut entry = Row::new("event", entry)?;
    let id = entry.text()?;
    let mut fields = Row::new("event", entry.value())?;
    let mut next = || {
        fields.value();
        fields.value()
    };
    let what = text("event", next())?;
    let unit = UnitId(text("event", next())?);
    let (job, worker) = (text("event", next())?, text("event", next())?);
    let at_ms = number("event", next())?;
    let mut failure = || -> Result<Failure, Error> {
        let kind = variant("event", next())?;
        Ok(Failure { kind, reason: text("event", next())?, evidence: text("event", next())? })
    };
    let what = match what.as_str() {
        "died" => Happening::Died { failure: failure()? },
        "needs_input" => Happening::NeedsInput { failure: failure()? },
        "finished" => Happening::Finished { report: bytes("event", next())? },
        other => return Err(Error::Corrupt(format!("event of unknown kind {other:?}"))),
    };
    Ok((id, Event { unit, job, worker, what, at_ms }))
}
