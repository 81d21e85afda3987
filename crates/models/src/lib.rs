//! Runs model graphs over images and streams layer activations in tiles
