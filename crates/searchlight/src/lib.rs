//! The mathematics of brain maps. Pure: no files, no clock.
