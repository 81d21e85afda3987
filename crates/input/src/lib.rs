//! What comes from outside: files that are opened, names that are accepted, text that is printed.
//!
//! Every file that a user names is opened by [`open`] and every card is read by [`read_card`]; every folder is searched by [`walk`];
//! every text that came out of a file goes through [`printable`] before a person or a spreadsheet sees it.

mod files;
mod name;
mod text;
mod walk;

pub use files::{MAX_CARD_BYTES, open, read, read_card};
pub use name::{MAX_NAME_BYTES, check_name};
pub use text::{csv_cell, json, printable, shortened};
pub use walk::{MAX_WALKED, walk};
