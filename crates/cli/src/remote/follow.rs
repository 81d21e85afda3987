//! A job until it has ended: a bar on a terminal, a line per state elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use ventral_aggregator::Leaderboard;
use ventral_proto::text;
use ventral_proto::v1::{Counts, Job, JobState};

use super::Remote;
use super::jobs::JobLine;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::progress::{interrupted, stop_on_signal};
use crate::{results, synthesis, units};

/// Time between looks for Ctrl-C.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Follows a job that was submitted before.
pub fn watch(context: &Context, remote: &Remote, job: Option<&str>) -> Outcome {
    let job = remote.job(job)?;
    let last = to_end(remote, &job.id)?;
    finish(context, remote, &last)
}

/// Shows progress until the job has ended, however long the coordinator is away meanwhile. Ctrl-C leaves the job alone.
pub fn to_end(remote: &Remote, job: &str) -> Outcome<Job> {
    stop_on_signal();
    let mut display = Display::new();
    let bar = display.bar.clone();
    let mut watch = remote.client.watch(job).for_ever(move |error| {
        say(bar.as_ref(), &format!("{error}; waiting for it (Ctrl-C ends the watch, not the job)"));
    });
    remote.wait(async {
        let mut last = None;
        loop {
            let next = tokio::select! {
                next = watch.next() => next?,
                () = until_interrupted() => {
                    display.line(&format!("job {job} goes on; `ventral watch {job}` shows it again"));
                    return Err(Exit::Detached);
                }
            };
            match next {
                Some(state) => {
                    display.show(&state);
                    last = Some(state);
                }
                None => break,
            }
        }
        last.ok_or_else(|| Exit::Internal(anyhow::anyhow!("the watch of job {job} ended without a state")))
    })
}

async fn until_interrupted() {
    while !interrupted() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Prints what became of a job and returns its exit code.
pub fn finish(context: &Context, remote: &Remote, job: &Job) -> Outcome {
    #[derive(Serialize)]
    struct Summary<'a> {
        job: JobLine,
        leaderboard: Option<&'a Leaderboard>,
    }
    let has_results = matches!(job.state(), JobState::Succeeded | JobState::Partial);
    // A drill ends well without results.
    let found = if has_results { Some(remote.results(&job.id)) } else { None };
    let found = match found {
        Some(Err(_)) if job.state() == JobState::Succeeded && is_drill(remote, job)? => None,
        other => other.transpose()?,
    };
    let summary =
        Summary { job: JobLine::of(job), leaderboard: found.as_ref().map(|results| &results.leaderboard) };
    let images = match &found {
        Some(_) if !context.json => images(remote, &job.id),
        _ => String::new(),
    };
    context.print(&summary, || {
        let board = found.as_ref().map(results::leaderboard_text).unwrap_or_default();
        format!("{board}{images}\njob {}: {}\n", job.id, sentence(job))
    })?;
    match job.state() {
        JobState::Succeeded | JobState::Planned => Ok(()),
        JobState::Failed => Err(Exit::input(format!("job {} failed: {}", job.id, job.reason))),
        _ => Err(Exit::Partial),
    }
}

/// The images of a job in words. The job has ended well even where they cannot be fetched now.
fn images(remote: &Remote, job: &str) -> String {
    let images = remote.record(job).and_then(|record| synthesis::followed(remote, job, record));
    images.unwrap_or_else(|exit| {
        let why = exit.message().unwrap_or_default();
        format!("its images, if it has any, cannot be fetched now: {why}\n")
    })
}

fn is_drill(remote: &Remote, job: &Job) -> Outcome<bool> {
    let units = remote.wait(remote.client.units(&job.id, ventral_proto::v1::UnitState::Unspecified, 1))?;
    Ok(units.first().is_some_and(|unit| unit.kind == "drill"))
}

/// State and counts in words.
pub fn sentence(job: &Job) -> String {
    let counts = job.counts.unwrap_or_default();
    let mut text = text::job_state(job.state());
    text.push_str(&format!(
        ", {} units: {} found in the store, {} computed, {} failed",
        units::count(counts.total),
        units::count(counts.cached),
        units::count(counts.done),
        units::count(counts.failed)
    ));
    if let Some(ended_ms) = job.ended_ms {
        let seconds = ended_ms.saturating_sub(job.submitted_ms) as f64 / 1e3;
        text.push_str(&format!(", after {}", units::duration(seconds)));
    }
    if !job.reason.is_empty() {
        text.push_str(&format!("; {}", job.reason));
    }
    text
}

struct Display {
    bar: Option<ProgressBar>,
    state: Option<JobState>,
}

impl Display {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{prefix:28!} {wide_bar:.cyan/dim} {pos:>7}/{len} units  {eta:>5} left  {msg}";
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("━╸─");
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            bar.set_style(style);
            bar.enable_steady_tick(LOOK_EVERY);
            bar
        });
        Self { bar, state: None }
    }

    fn show(&mut self, job: &Job) {
        let Counts { total, cached, done, failed, admitted, .. } = job.counts.unwrap_or_default();
        let state = job.state();
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(job.id.clone());
                bar.set_length(total);
                bar.set_position(cached + done + failed);
                let waits =
                    if failed > 0 { format!("{failed} failed") } else { format!("{admitted} admitted") };
                bar.set_message(format!("{}, {waits}", text::job_state(state)));
            }
            None if self.state != Some(state) => tell!("{}: {}", job.id, sentence(job)),
            None => {}
        }
        self.state = Some(state);
    }

    fn line(&self, text: &str) {
        say(self.bar.as_ref(), text);
    }
}

/// Writes a line above the bar, if there is one.
fn say(bar: Option<&ProgressBar>, text: &str) {
    match bar {
        Some(bar) => bar.suspend(|| tell!("{text}")),
        None => tell!("{text}"),
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
