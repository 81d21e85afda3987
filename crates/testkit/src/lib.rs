//! For tests: a redis-server of their own, free ports, a faulty TCP proxy, waiting for conditions.
//!
//! - module [`redis`]: [`RedisServer`], killed when it is dropped or when the test ends in any other way
//! - module [`proxy`]: [`TcpProxy`] that cuts, refuses, delays and swallows
//! - module [`files`], for [`files_below`]
//! - module [`ports`], for [`free_port`]
//! - module [`wait`]: [`wait_until`] and [`wait_until_async`]

pub mod files;
pub mod ports;
pub mod proxy;
pub mod redis;
pub mod wait;

pub use files::files_below;
pub use ports::free_port;
pub use proxy::TcpProxy;
pub use redis::{RedisOptions, RedisServer, RedisUsers};
pub use wait::{wait_until, wait_until_async};
