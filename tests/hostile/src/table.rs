//! The table of a run: what came of each family.

use std::fmt::Write;

use crate::{Ending, Outcome};

/// A row per family and one for all: inputs, wrong answers, aborts, hangs, over memory, slowest and largest run.
#[must_use]
pub fn table(outcomes: &[Outcome]) -> String {
    let mut families: Vec<&str> = Vec::new();
    for outcome in outcomes {
        if families.last() != Some(&outcome.family) && !families.contains(&outcome.family) {
            families.push(outcome.family);
        }
    }
    let mut text = format!(
        "{:<12} {:>6} {:>6} {:>6} {:>6} {:>11} {:>9} {:>9}\n",
        "family", "inputs", "wrong", "aborts", "hangs", "over memory", "slowest", "largest"
    );
    for family in families {
        row(&mut text, family, &outcomes.iter().filter(|o| o.family == family).collect::<Vec<_>>());
    }
    row(&mut text, "all", &outcomes.iter().collect::<Vec<_>>());
    text
}

fn row(text: &mut String, name: &str, outcomes: &[&Outcome]) {
    let count = |wanted: fn(&Ending) -> bool| outcomes.iter().filter(|o| wanted(&o.ending)).count();
    let slowest = outcomes.iter().map(|o| o.time.as_secs_f64()).fold(0.0, f64::max);
    let largest = outcomes.iter().map(|o| o.bytes >> 20).max().unwrap_or(0);
    let _ = writeln!(
        text,
        "{name:<12} {:>6} {:>6} {:>6} {:>6} {:>11} {slowest:>7.1} s {largest:>5} MiB",
        outcomes.len(),
        count(|e| matches!(e, Ending::Wrong(_))),
        count(|e| matches!(e, Ending::Abort(_))),
        count(|e| matches!(e, Ending::Hang)),
        count(|e| matches!(e, Ending::OverMemory)),
    );
}

/// A line per case that did not end as it should.
#[must_use]
pub fn failures(outcomes: &[Outcome]) -> String {
    let failed = outcomes.iter().filter(|outcome| outcome.ending != Ending::Good);
    failed
        .map(|o| format!("{}: {}: {:?} ({:.1} s)\n", o.family, o.name, o.ending, o.time.as_secs_f64()))
        .collect()
}
