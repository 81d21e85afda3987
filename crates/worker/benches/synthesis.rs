//! A synthesis on a model, timed: how fast it steps, how alike its layers are, how much memory it takes.
//!
//! `VENTRAL_DATA=DIR cargo bench -p ventral-worker --bench synthesis -- CARD LAYERS [SETTINGS [EVERY [THREADS]]]`
//!
//! LAYERS are names separated by commas; SETTINGS is the JSON of `ventral_synthesis::Settings`, whose fields may be missing, such as
//! `{"images": 16, "seed": 1, "stop": {"steps": 500}}`. Prints one line of JSON when the model is loaded, and one every EVERY steps and
//! at the end. The similarities of `quantised` are those of the 8-bit images in the runtime that scores models.

use std::env;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use serde_json::json;
use ventral_models::ModelCard;
use ventral_synthesis::evaluate::{Coefficient, LayerCorrelation, Statistics, rsms};
use ventral_synthesis::{Run, Settings};
use ventral_worker::{Batch, SynthesisModel, peak_memory_bytes};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const USAGE: &str = "arguments: CARD LAYERS [SETTINGS [EVERY [THREADS]]]";

struct Arguments {
    card: String,
    layers: Vec<String>,
    settings: Settings,
    every: u64,
    threads: usize,
}

fn arguments() -> Result<Option<Arguments>> {
    // `cargo bench` adds one of its own.
    let mut given = env::args().skip(1).filter(|argument| argument != "--bench");
    let (Some(card), Some(layers)) = (given.next(), given.next()) else { return Ok(None) };
    let settings = given.next().map_or(Ok(Settings::default()), |text| serde_json::from_str(&text))?;
    let every = given.next().map_or(Ok(100), |text| text.parse())?;
    let threads = given.next().map_or(Ok(0), |text| text.parse())?;
    let layers = layers.split(',').map(str::to_owned).collect();
    Ok(Some(Arguments { card, layers, settings, every, threads }))
}

fn quantised(model: &SynthesisModel, run: &Run<f32>) -> Result<Statistics> {
    let similarities = rsms(&model.scored(&run.quantised())?)?;
    Ok(LayerCorrelation::new(similarities.view(), Coefficient::Pearson)?.statistics()?)
}

fn main() -> Result<()> {
    let Some(Arguments { card, layers, mut settings, every, threads }) = arguments()? else {
        println!("{USAGE}");
        return Ok(());
    };
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let data = env::var_os("VENTRAL_DATA");
    let path = Path::new(&card);
    let file = if path.is_dir() { path.join("model.toml") } else { path.to_owned() };
    let started = Instant::now();
    let model =
        SynthesisModel::with_layers(&ModelCard::load(&file, data.as_deref().map(Path::new))?, &layers)?;
    settings.size = model.gradient.size();
    let units: u64 = model.gradient.layers().iter().map(|layer| layer.features).sum();
    println!(
        "{}",
        json!({
            "loaded": card, "layers": layers, "units": units, "trace_bytes": model.gradient.trace_bytes(), "settings": settings,
            "threads": rayon::current_num_threads(), "load_seconds": started.elapsed().as_secs_f64(),
        })
    );
    let batch = Batch::new(&model.gradient);
    let mut run = Run::<f32>::new(settings)?;
    let (mut stepping, mut since) = (0.0, 0.0);
    loop {
        let stopped = run.stopped();
        if stopped.is_some() || (run.steps() > 0 && run.steps().is_multiple_of(every)) {
            let found = quantised(&model, &run)?;
            let last = run.records().last();
            let taken = if run.steps().is_multiple_of(every) { every } else { run.steps() % every };
            println!(
                "{}",
                json!({
                    "steps": run.steps(), "seconds_per_step": since / taken.max(1) as f64,
                    "seconds_per_step_so_far": stepping / run.steps().max(1) as f64, "transformed": last.map(|step| step.mean_abs_r),
                    "untransformed": run.records().iter().rev().find_map(|step| step.untransformed),
                    "quantised": { "mean_abs_r": found.mean_abs_r, "max_abs_r": found.max_abs_r, "worst": found.worst.map(|l| &layers[l]),
                        "smallest_sd": found.sd.iter().copied().fold(f64::INFINITY, f64::min) },
                    "clipped": last.map(|step| step.clipped), "peak_bytes": peak_memory_bytes(), "stopped": stopped,
                })
            );
            since = 0.0;
        }
        if stopped.is_some() {
            return Ok(());
        }
        let before = Instant::now();
        run.step(&batch)?;
        let seconds = before.elapsed().as_secs_f64();
        (stepping, since) = (stepping + seconds, since + seconds);
    }
}
