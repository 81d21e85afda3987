//! Shows events: bars on a terminal, a line per finished piece of work elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ventral_plan::{Plan, ScoreUnit, SynthesisUnit};
use ventral_worker::{Event, Observer};

use crate::steps::StepClock;
use crate::units;

/// Set by the first Ctrl-C; units stop at the next batch.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether the user wants to stop.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Makes Ctrl-C and SIGTERM stop at the next batch; a second one ends the process at once.
pub fn stop_on_signal() {
    // A handler that cannot be installed leaves the default: the process ends, finished units are kept all the same.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        tell!("stopping: finished units are kept (again to stop at once)");
    });
}

/// Writes progress to standard error.
pub struct Progress<'a> {
    plan: &'a Plan,
    bar: Mutex<Option<ProgressBar>>,
    steps: Mutex<Option<StepClock>>,
    /// Scores of the unit that is being read.
    scored: AtomicU64,
    terminal: bool,
}

impl<'a> Progress<'a> {
    /// Progress of a plan.
    pub fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            bar: Mutex::new(None),
            steps: Mutex::new(None),
            scored: AtomicU64::new(0),
            terminal: std::io::stderr().is_terminal(),
        }
    }

    fn start(&self, length: u64, prefix: String, unit: &str) {
        self.clear();
        if !self.terminal {
            return;
        }
        let template = format!(
            "{{prefix:28!}} {{wide_bar:.cyan/dim}} {{pos:>6}}/{{len}} {unit}  {{per_sec:>12}}  {{eta:>5}} left  {{msg}}"
        );
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸─");
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        bar.set_style(style.with_key(
            "per_sec",
            |state: &indicatif::ProgressState, w: &mut dyn std::fmt::Write| {
                let _ = write!(w, "{:.1}/s", state.per_sec());
            },
        ));
        bar.set_prefix(prefix);
        bar.enable_steady_tick(Duration::from_millis(200));
        self.set(Some(bar));
    }

    fn set(&self, bar: Option<ProgressBar>) {
        if let Ok(mut slot) = self.bar.lock() {
            *slot = bar;
        }
    }

    fn with_bar(&self, act: impl FnOnce(&ProgressBar)) {
        if let Ok(slot) = self.bar.lock()
            && let Some(bar) = slot.as_ref()
        {
            act(bar);
        }
    }

    fn clear(&self) {
        self.with_bar(ProgressBar::finish_and_clear);
        self.set(None);
    }

    fn checking(&self, done: usize, total: usize) {
        match done {
            0 => self.start(total as u64, "checking the store".to_owned(), "objects"),
            done if done == total => self.clear(),
            _ => self.with_bar(|bar| bar.inc(1)),
        }
    }

    fn synthesis_started(&self, unit: &SynthesisUnit, done: u64) {
        let total = self.plan.spec.synthesis.as_ref().map_or(0, |spec| spec.steps);
        let from = if done > 0 { format!(", from step {}", units::count(done)) } else { String::new() };
        self.line(&format!("{}{from}", self.plan.synthesis_title(unit)));
        if let Ok(mut steps) = self.steps.lock() {
            *steps = Some(StepClock::start(done));
        }
        let model = &self.plan.models[unit.model].identifier;
        self.start(total, format!("{model} {}", unit.seed), "steps");
        self.with_bar(|bar| {
            bar.set_position(done);
            // The steps of before took no time now.
            bar.reset_eta();
        });
    }

    fn step(&self, unit: &SynthesisUnit, done: u64, total: u64, [mean_abs_r, max_abs_r]: [f64; 2]) {
        let Ok(mut steps) = self.steps.lock() else { return };
        let Some(clock) = steps.as_mut() else { return };
        if self.terminal {
            self.with_bar(|bar| {
                bar.set_position(done);
                bar.set_message(clock.message(done, mean_abs_r, max_abs_r));
            });
        } else if let Some(text) = clock.line(done, total, mean_abs_r, max_abs_r) {
            self.line(&format!("{} {}: {text}", self.plan.models[unit.model].identifier, unit.seed));
        }
    }

    fn scored(&self, unit: &ScoreUnit) {
        if unit.apart {
            return self.with_bar(|bar| bar.inc(1));
        }
        let scored = self.scored.fetch_add(1, Ordering::Relaxed) + 1;
        let name = ventral_input::printable(&self.plan.models[unit.model].layers[unit.layer].name);
        self.with_bar(|bar| bar.set_message(format!("{name}, {} scores", units::count(scored))));
    }

    fn line(&self, text: &str) {
        let mut shown = false;
        self.with_bar(|bar| {
            bar.suspend(|| tell!("{text}"));
            shown = true;
        });
        if !shown {
            tell!("{text}");
        }
    }
}

impl Observer for Progress<'_> {
    fn on(&self, event: &Event<'_>) {
        match event {
            Event::FeaturesStarted { unit, missing } => {
                let model = &self.plan.models[unit.model].identifier;
                let (stimuli, _) = self.plan.stimuli_of(unit);
                self.line(&format!(
                    "{model}: reading {missing} of {} layers on {stimuli} stimuli",
                    unit.plain().count()
                ));
                self.scored.store(0, Ordering::Relaxed);
                self.start(stimuli as u64, model.clone(), "stimuli");
            }
            Event::Stimuli { done, total } => self.with_bar(|bar| {
                bar.set_length(*total);
                bar.set_position(*done);
            }),
            Event::LayerStored { unit, layer } => {
                let target = unit.layers[*layer].layer;
                let name = self.plan.models[unit.model].layers[target].name.clone();
                self.with_bar(|bar| bar.set_message(ventral_input::printable(&name).into_owned()));
            }
            Event::FeaturesFinished { unit, seconds, placement } => {
                self.clear();
                let model = &self.plan.models[unit.model].identifier;
                let done = if self.scored.load(Ordering::Relaxed) > 0 { "read and scored" } else { "read" };
                self.line(&format!("{model}: {done} in {} ({placement})", units::duration(*seconds)));
            }
            Event::ScoresStarted { missing } => {
                self.line(&format!("scoring {missing} layers x benchmarks"));
                self.start(*missing as u64, "scoring".to_owned(), "scores");
            }
            Event::ScoreStored { unit } => self.scored(unit),
            Event::MapsStarted { missing, centres } => {
                self.line(&format!("mapping {} centres in {missing} units", units::count(*centres as u64)));
                self.start(*centres as u64, "mapping".to_owned(), "centres");
            }
            Event::Centres { done } => self.with_bar(|bar| bar.inc(*done as u64)),
            Event::MapStored { unit } => {
                let subject =
                    unit.subject.map_or("all", |subject| &self.plan.scans[unit.scan].subjects[subject].id);
                self.with_bar(|bar| bar.set_message(format!("{subject} {}", self.plan.map_source(unit))));
            }
            Event::MapsFinished { centres, seconds } => {
                self.clear();
                let rate = *centres as f64 / seconds.max(1e-3);
                let (time, rate) = (units::duration(*seconds), units::count(rate as u64));
                self.line(&format!(
                    "mapped {} centres in {time} ({rate} per second)",
                    units::count(*centres as u64)
                ));
            }
            Event::SynthesisStarted { unit, done } => self.synthesis_started(unit, *done),
            Event::Step { unit, done, total, mean_abs_r, max_abs_r } => {
                self.step(unit, *done, *total, [*mean_abs_r, *max_abs_r]);
            }
            Event::Evaluating { unit, stop } => {
                self.clear();
                let model = &self.plan.models[unit.model].identifier;
                self.line(&format!("{model} {}: {stop}; evaluating the images", unit.seed));
            }
            Event::SynthesisStored { unit, seconds } => {
                let model = &self.plan.models[unit.model].identifier;
                self.line(&format!("{model} {}: stored after {}", unit.seed, units::duration(*seconds)));
            }
            Event::Checking { done, total } => self.checking(*done, *total),
            Event::Discarded { path, problem } => {
                self.line(&format!("discarded {}: {problem}; it is made anew", path.display()));
            }
            Event::Failed { unit, reason, .. } => self.line(&format!("failed: {unit}: {reason}")),
        }
    }

    fn interrupted(&self) -> bool {
        interrupted()
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}
