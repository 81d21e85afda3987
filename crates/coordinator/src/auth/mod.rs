//! Who calls, and what they may do: decided from the headers, before a message is decoded.
//!
//! - [`Identity`], [`Role`]: a caller
//! - [`Identities`]: the file of tokens and certificates, read again when it changes
//! - [`table`]: RPC → who may call it
//! - [`Guard`]: the layer in front of all services

mod certificate;
mod identities;
mod identity;
mod layer;
mod refusals;
pub mod table;

pub use identities::{Identities, IdentitiesError, MAX_IDENTITIES, MAX_IDENTITIES_BYTES};
pub use identity::{Identity, Role};
pub use layer::{Door, Guard, GuardLayer, Link};
pub use refusals::Refusals;
