//! Memory that is used again, so that a step does not ask the operating system for hundreds of megabytes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Buffers that were given back, by length.
pub(super) struct Buffers<T> {
    free: Mutex<HashMap<usize, Vec<Vec<T>>>>,
}

impl<T: Copy + Default> Buffers<T> {
    pub fn new() -> Self {
        Self { free: Mutex::new(HashMap::new()) }
    }

    /// A buffer of `length` numbers, with anything in it.
    pub fn take(&self, length: usize) -> Vec<T> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let found = free.get_mut(&length).and_then(Vec::pop);
        drop(free);
        found.unwrap_or_else(|| vec![T::default(); length])
    }

    /// A buffer of `length` zeros.
    pub fn zeros(&self, length: usize) -> Vec<T> {
        let mut buffer = self.take(length);
        buffer.fill(T::default());
        buffer
    }

    /// Gives a buffer back.
    pub fn give(&self, buffer: Vec<T>) {
        if !buffer.is_empty() {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            free.entry(buffer.len()).or_default().push(buffer);
        }
    }
}
