//! `ventral serve all`: a whole cluster in one process.

use std::sync::Arc;

use tokio::sync::watch;
use ventral_aggregator::service::ASSEMBLE_SECONDS;
use ventral_plan::pool::ASSEMBLE_POOL;
use ventral_queue::consumer::{self, Connect, Control};
use ventral_queue::{Memory, Queue};

use super::args::{AllArgs, ConsumerArgs};
use super::consumer::{cache_dir, config, connect, runtime, stop_on_signal};
use super::{aggregator, coordinator, worker};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::telemetry;

/// Jobs assembled at a time.
const ASSEMBLERS: usize = 1;

/// Serves until SIGTERM or SIGINT.
pub fn serve(context: &Context, arguments: &AllArgs) -> Outcome {
    let (worker, server) = (&arguments.worker, &arguments.server);
    let store = context.shared_store()?;
    let cached =
        store.clone().with_cache(cache_dir(&worker.cache).join("store"), worker.cache.cache_bytes / 2);
    let (work, executor) = worker::prepare(context, worker)?;
    let nameless = ConsumerArgs { name: None, ..worker.consumer.clone() };
    let assembly = config(&worker.queue, &nameless, vec![ASSEMBLE_POOL.to_owned()], ASSEMBLERS);
    let assembler = aggregator::executor(cached, ASSEMBLE_SECONDS);
    runtime()?.block_on(async {
        let common = &worker.common;
        let _traces = telemetry::init("all", common.log_format, common.otlp_endpoint.as_deref())?;
        let connect = queue(arguments);
        let core = connect().await.map_err(Exit::input)?;
        let core = coordinator::core(store, core, server, worker.queue.beat())?;
        if let Some(listen) = common.metrics_listen {
            let ready = core.clone();
            let metrics = telemetry::metrics::install()?;
            telemetry::metrics::serve(
                listen,
                metrics,
                Arc::new(move || ready.ready().map_err(|error| error.to_string())),
            )
            .await?;
        }
        let (stop, stopped) = watch::channel(false);
        let controls = [Control::default(), Control::default()];
        let drained = controls.clone();
        stop_on_signal(move || {
            drained.iter().for_each(Control::drain);
            !stop.send_replace(true)
        })?;
        let [of_worker, of_assembler] = controls;
        let (coordinating, working, assembling) = tokio::join!(
            coordinator::run(core, server, stopped),
            consumer::run(work, connect.clone(), executor, of_worker),
            consumer::run(assembly, connect, assembler, of_assembler),
        );
        coordinating?;
        working.and(assembling).map_err(|error| Exit::Machine(error.into()))
    })
}

/// Redis, or a queue in memory: everything is in one process, and the store knows what is done.
fn queue(arguments: &AllArgs) -> Connect {
    let queue = &arguments.worker.queue;
    if queue.redis.is_some() {
        return connect(queue);
    }
    let memory: Arc<dyn Queue> = Arc::new(Memory::new(queue.timing()));
    Arc::new(move || {
        let memory = memory.clone();
        Box::pin(async move { Ok(memory) })
    })
}
