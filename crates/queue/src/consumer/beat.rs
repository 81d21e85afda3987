//! Leases are renewed from a thread of its own with its own connection: nothing that keeps the others busy delays a beat.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{Config, Connect, Control, answer};
use crate::contract::Queue;

/// Starts the thread; it ends with the consumer.
pub fn start(config: Arc<Config>, connect: Connect, control: Control) -> io::Result<thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let beating = move || runtime.block_on(beat(&config, &connect, &control));
    thread::Builder::new().name("beat".to_owned()).spawn(beating)
}

async fn beat(config: &Config, connect: &Connect, control: &Control) {
    let mut queue: Option<Arc<dyn Queue>> = None;
    while !control.has_ended() {
        if queue.is_none() {
            match answer(connect()).await {
                Ok(connected) => queue = Some(connected),
                Err(error) => control.failed(&error),
            }
        }
        if let Some(queue) = &queue {
            let leases = control.leases();
            match answer(queue.beat(&config.record(leases.len(), control.trouble()), &leases)).await {
                Ok(reply) => {
                    control.reached();
                    control.heard(&reply, config);
                }
                Err(error) => control.failed(&error),
            }
        }
        pause(control, config.beat).await;
    }
}

/// Waits in short steps: the end of the consumer ends the thread soon.
async fn pause(control: &Control, beat: Duration) {
    const STEP: Duration = Duration::from_millis(100);
    let mut left = beat;
    while !left.is_zero() && !control.has_ended() {
        let step = left.min(STEP);
        tokio::time::sleep(step).await;
        left -= step;
    }
}
