//! Log lines on standard error, and spans for whoever collects traces.

use std::borrow::Cow;
use std::io;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use super::LogFormat;
use super::traces::{self, Traces};
use crate::exit::{Exit, Outcome};

/// Environment variable with what is logged, such as `debug` or `ventral_worker=debug,info`.
const FILTER: &str = "VENTRAL_LOG";

/// What makes a text safe to print.
type Filter = fn(&str) -> Cow<'_, str>;

/// Standard error, for lines with texts from files in them.
struct Lines {
    safe: Filter,
}

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        io::stderr().lock().write_all((self.safe)(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts logs, and traces to `otlp` if that is given; keep what is returned to the end.
///
/// # Errors
/// A filter or an endpoint that cannot be used.
pub fn init(role: &'static str, format: LogFormat, otlp: Option<&str>) -> Outcome<Option<Traces>> {
    let filter = match std::env::var(FILTER) {
        Ok(text) => EnvFilter::try_new(&text).map_err(|error| Exit::input(format!("{FILTER}: {error}")))?,
        Err(_) => EnvFilter::new("info"),
    };
    let safe: Filter = match format {
        LogFormat::Json => ventral_input::json,
        LogFormat::Human => ventral_input::printable,
    };
    let lines = fmt::layer().with_writer(move || Lines { safe });
    let lines = match format {
        LogFormat::Json => lines.json().with_span_list(false).flatten_event(true).boxed(),
        LogFormat::Human => lines.compact().with_ansi(false).with_target(false).boxed(),
    };
    let traces = otlp.map(|endpoint| traces::start(role, endpoint)).transpose()?;
    let spans = traces.as_ref().map(Traces::layer);
    let started = tracing_subscriber::registry().with(filter).with(lines).with(spans).try_init();
    started.map_err(|error| Exit::Internal(error.into()))?;
    Ok(traces)
}
