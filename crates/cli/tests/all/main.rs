//! The command as its user meets it: real processes, real files.

mod behavior;
mod damage;
mod errors;
mod house;
mod jobs;
mod labels;
mod locks;
mod maps;
mod preset;
mod readme;
mod remote;
mod serve;
mod silent;
mod site;
mod support;
mod synthesis;
mod undefined;
mod units;
