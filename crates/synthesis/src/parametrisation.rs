//! parametrisation
