//! The process that opens models: cards come in on standard input, one JSON document per line, answers go out on standard output.

use std::io::{self, BufRead, Write};
use std::sync::mpsc;
use std::thread;

use super::{Reply, Request};
use crate::job::card_of;
use crate::model::load_card;
use crate::synthesis::gradient_facts;
use crate::{Error, LoadedModel};

/// Opens models until `input` ends; when it ends while one is opened, `at_end` is called from another thread. Limits its own memory to
/// `memory_bytes`: an allocation beyond them ends this process.
///
/// # Errors
/// An input or output that fails.
pub fn serve_opener(
    memory_bytes: u64,
    input: impl BufRead + Send + 'static,
    mut output: impl Write,
    at_end: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let (sender, requests) = mpsc::channel::<io::Result<String>>();
    // Nobody waits for an answer once the input has ended.
    thread::spawn(move || {
        for line in input.lines() {
            if sender.send(line).is_err() {
                return;
            }
        }
        at_end();
    });
    limit_memory(memory_bytes);
    for line in requests {
        let request: Request = serde_json::from_str(&line?)?;
        let reply = match open(&request) {
            Ok(()) => Reply::Opened,
            Err(error) => Reply::Refused(error.to_string()),
        };
        serde_json::to_writer(&mut output, &reply)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

fn open(request: &Request) -> Result<(), Error> {
    let data_dir = request.data_dir.as_deref();
    let Some(spec) = &request.spec else {
        return LoadedModel::load(&load_card(&request.card, data_dir)?).map(drop);
    };
    let card = card_of(spec, &request.card, data_dir)?;
    let model = LoadedModel::load(&card)?;
    if spec.synthesis.is_some() {
        // A model without a gradient is there for its scores; whoever asked finds out why.
        let _ = gradient_facts(spec, &card, &model, &model.facts(&card, None)?);
    }
    Ok(())
}

/// Memory that is written to counts, address space that is only reserved does not. Where the system knows no such limit there is none.
fn limit_memory(bytes: u64) {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Data);
        limit.current = Some(limit.current.map_or(bytes, |old| old.min(bytes)));
        if let Err(error) = setrlimit(Resource::Data, limit) {
            eprintln!("cannot limit the memory of this process: {error}");
        }
    }
}
