//! `ventral submit` and `ventral drill`.

use std::io::IsTerminal;
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ventral_client::request_id;
use ventral_client::upload::Progress;
use ventral_plan::{Digest, JobSpec};
use ventral_proto::v1::{Job, SubmitDrillRequest, SubmitRequest};

use super::args::{DrillArgs, SubmitArgs};
use super::jobs::JobLine;
use super::{Remote, follow};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::units;

/// Uploads and submits a spec.
pub fn submit(context: &Context, remote: &Remote, arguments: &SubmitArgs) -> Outcome {
    let (name, bundle) = upload(context, remote, &arguments.spec)?;
    let request = SubmitRequest {
        request_id: arguments.request_id.clone().unwrap_or_else(request_id),
        name,
        bundle: bundle.to_string(),
        priority: arguments.priority,
        profile: arguments.profile.clone().unwrap_or_default(),
    };
    let job = remote.wait(remote.client.submit(&request))?;
    accepted(context, remote, &job, arguments.follow)
}

/// Submits a drill.
pub fn drill(context: &Context, remote: &Remote, arguments: &DrillArgs) -> Outcome {
    let request = SubmitDrillRequest {
        request_id: request_id(),
        name: arguments.name.clone(),
        units: arguments.units,
        milliseconds: arguments.milliseconds,
        priority: 0,
    };
    let job = remote.wait(remote.client.submit_drill(&request))?;
    accepted(context, remote, &job, arguments.follow)
}

fn accepted(context: &Context, remote: &Remote, job: &Job, follow: bool) -> Outcome {
    if !follow {
        return context.print(&JobLine::of(job), || {
            format!("job {} is accepted; `ventral watch {}` shows its progress", job.id, job.id)
        });
    }
    tell!("job {} is accepted", job.id);
    let last = follow::to_end(remote, &job.id)?;
    follow::finish(context, remote, &last)
}

/// Uploads all files a spec names; returns the spec's name and the manifest's digest.
pub fn upload(context: &Context, remote: &Remote, spec: &Path) -> Outcome<(String, Digest)> {
    let name = spec_name(spec)?;
    let bundle =
        ventral_bundle::collect(spec, context.data.as_deref()).map_err(|error| Exit::Input(error.into()))?;
    for problem in &bundle.problems {
        tell!("warning: {problem}");
    }
    let bar = Bar::new();
    let digest = remote.wait(remote.client.upload_bundle(&bundle, &|progress| bar.show(progress)))?;
    bar.finish();
    Ok((name, digest))
}

fn spec_name(file: &Path) -> Outcome<String> {
    let text = ventral_input::read_card(file)
        .map_err(|error| Exit::input(format!("{}: {error}", file.display())))?;
    Ok(JobSpec::from_toml(&text, &file.display().to_string())?.name)
}

struct Bar {
    bar: ProgressBar,
    told: std::sync::Mutex<Progress>,
}

impl Bar {
    fn new() -> Self {
        let target = match std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let template =
            "{prefix:28!} {wide_bar:.cyan/dim} {bytes:>10}/{total_bytes}  {bytes_per_sec:>12}  {eta:>5} left";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("━╸─"));
        Self { bar, told: std::sync::Mutex::default() }
    }

    fn show(&self, progress: Progress) {
        self.bar.set_prefix(format!("uploading {} of {} files", progress.files_done, progress.files));
        self.bar.set_length(progress.bytes);
        self.bar.set_position(progress.bytes_done);
        if let Ok(mut told) = self.told.lock() {
            *told = progress;
        }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
        let Ok(told) = self.told.lock() else { return };
        match told.files {
            0 => tell!("all files are in the store already"),
            files => tell!("{files} files uploaded, {}", units::bytes(told.bytes)),
        }
    }
}
