//! A graph as a list of steps, executed forwards and backwards.

use super::buffers::Buffers;
use super::real::Real;

/// Memory of all runs of a program.
pub(super) struct Memory<T> {
    pub numbers: Buffers<T>,
    pub bytes: Buffers<u8>,
    pub indices: Buffers<u32>,
}

impl<T: Real> Memory<T> {
    pub fn new() -> Self {
        Self { numbers: Buffers::new(), bytes: Buffers::new(), indices: Buffers::new() }
    }
}

/// What an operator keeps for its backward pass besides inputs and output.
pub(super) struct Saved<T> {
    pub numbers: Vec<T>,
    pub bytes: Vec<u8>,
    pub indices: Vec<u32>,
}

impl<T> Default for Saved<T> {
    fn default() -> Self {
        Self { numbers: Vec::new(), bytes: Vec::new(), indices: Vec::new() }
    }
}

impl<T> Saved<T> {
    fn size(&self) -> u64 {
        let numbers = self.numbers.len() * size_of::<T>() + self.bytes.len() + self.indices.len() * 4;
        numbers as u64
    }
}

/// What an operator may look at when it goes backwards; an input or output that it did not ask to be kept is empty.
pub(super) struct Kept<'a, T> {
    pub inputs: &'a [&'a [T]],
    pub output: &'a [T],
    pub saved: &'a Saved<T>,
}

/// One operator with one output; shapes and constants are inside.
pub(super) trait Op<T: Real>: Send + Sync {
    /// Overwrites `output`.
    fn forward(&self, inputs: &[&[T]], output: &mut [T], memory: &Memory<T>) -> Saved<T>;

    /// Adds the vector-Jacobian product with respect to input `wrt` to `into`.
    fn backward(&self, wrt: usize, kept: &Kept<'_, T>, adjoint: &[T], into: &mut [T], memory: &Memory<T>);

    /// Whether going backwards to input `wrt` reads input `input`.
    fn reads(&self, _wrt: usize, _input: usize) -> bool {
        false
    }

    /// Whether going backwards reads the output.
    fn reads_output(&self) -> bool {
        false
    }

    /// Takes a ReLU behind the operator inside; false where that cannot be.
    fn fuse_relu(&mut self) -> bool {
        false
    }

    /// Takes `scale x + shift` per channel behind the operator inside; false where that cannot be.
    fn fuse_affine(&mut self, _scale: &[T], _shift: &[T]) -> bool {
        false
    }
}

/// Where an operator's input comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Value(usize),
    Constant(usize),
}

pub(super) struct Step<T> {
    pub op: Box<dyn Op<T>>,
    pub inputs: Vec<Source>,
    pub output: usize,
}

/// Values are numbered; 0 is the image as the graph takes it.
pub(super) struct Program<T> {
    pub steps: Vec<Step<T>>,
    pub constants: Vec<Vec<T>>,
    /// Elements of each value.
    pub sizes: Vec<usize>,
    /// Value of each asked layer.
    pub layers: Vec<usize>,
    /// Whether going backwards needs a value; filled by [`Program::finish`].
    kept: Vec<bool>,
    /// Last step that reads a value going forwards; filled by [`Program::finish`].
    last_use: Vec<usize>,
}

/// What a forward pass leaves for the backward pass.
pub(super) struct Record<T> {
    values: Vec<Vec<T>>,
    saved: Vec<Saved<T>>,
}

impl<T> Record<T> {
    /// Bytes held.
    pub fn size(&self) -> u64 {
        let values: usize = self.values.iter().map(|value| value.len() * size_of::<T>()).sum();
        values as u64 + self.saved.iter().map(Saved::size).sum::<u64>()
    }
}

impl<T: Real> Program<T> {
    pub fn new(input: usize) -> Self {
        Self {
            steps: Vec::new(),
            constants: Vec::new(),
            sizes: vec![input],
            layers: Vec::new(),
            kept: Vec::new(),
            last_use: Vec::new(),
        }
    }

    /// Works out what must be kept, and for how long; to be called once, when all steps and layers are there.
    pub fn finish(&mut self) {
        self.kept = vec![false; self.sizes.len()];
        self.last_use = vec![0; self.sizes.len()];
        for (index, step) in self.steps.iter().enumerate() {
            self.kept[step.output] |= step.op.reads_output();
            let variable = |source: &Source| matches!(source, Source::Value(_));
            for (input, source) in step.inputs.iter().enumerate() {
                let Source::Value(value) = *source else { continue };
                self.last_use[value] = index;
                let reads = (0..step.inputs.len())
                    .any(|wrt| variable(&step.inputs[wrt]) && step.op.reads(wrt, input));
                self.kept[value] |= reads;
            }
        }
    }

    /// Runs all steps on `image`, showing each value to `seen` when it is there.
    pub fn forward(
        &self,
        image: Vec<T>,
        memory: &Memory<T>,
        keep: bool,
        seen: &mut dyn FnMut(usize, &[T]),
    ) -> Record<T> {
        let mut values: Vec<Vec<T>> = self.sizes.iter().map(|_| Vec::new()).collect();
        seen(0, &image);
        values[0] = image;
        let mut record = Record { values, saved: Vec::with_capacity(self.steps.len()) };
        for (index, step) in self.steps.iter().enumerate() {
            let mut output = memory.numbers.take(self.sizes[step.output]);
            let inputs = self.inputs(step, &record.values);
            let saved = step.op.forward(&inputs, &mut output, memory);
            seen(step.output, &output);
            record.values[step.output] = output;
            if keep {
                record.saved.push(saved);
            } else {
                give_saved(saved, memory);
            }
            for source in step.inputs.iter().copied().chain([Source::Value(step.output)]) {
                let Source::Value(value) = source else { continue };
                if self.last_use[value] <= index && !(keep && self.kept[value]) {
                    memory.numbers.give(std::mem::take(&mut record.values[value]));
                }
            }
        }
        if !keep || !self.kept[0] {
            memory.numbers.give(std::mem::take(&mut record.values[0]));
        }
        record
    }

    /// The gradient with respect to the image; `start` puts the adjoints of layers into the empty or full buffers of values.
    pub fn backward(&self, record: Record<T>, mut adjoints: Vec<Vec<T>>, memory: &Memory<T>) -> Vec<T> {
        let Record { mut values, mut saved } = record;
        for step in self.steps.iter().rev() {
            let kept_here = saved.pop().unwrap_or_default();
            let adjoint = std::mem::take(&mut adjoints[step.output]);
            if !adjoint.is_empty() {
                let inputs = self.inputs(step, &values);
                let kept = Kept { inputs: &inputs, output: &values[step.output], saved: &kept_here };
                for (wrt, source) in step.inputs.iter().enumerate() {
                    let Source::Value(value) = *source else { continue };
                    if adjoints[value].is_empty() {
                        adjoints[value] = memory.numbers.zeros(self.sizes[value]);
                    }
                    step.op.backward(wrt, &kept, &adjoint, &mut adjoints[value], memory);
                }
            }
            memory.numbers.give(adjoint);
            memory.numbers.give(std::mem::take(&mut values[step.output]));
            give_saved(kept_here, memory);
        }
        memory.numbers.give(std::mem::take(&mut values[0]));
        let image = std::mem::take(&mut adjoints[0]);
        if image.is_empty() { memory.numbers.zeros(self.sizes[0]) } else { image }
    }

    fn inputs<'a>(&'a self, step: &Step<T>, values: &'a [Vec<T>]) -> Vec<&'a [T]> {
        let of = |source: &Source| match *source {
            Source::Value(value) => values[value].as_slice(),
            Source::Constant(constant) => self.constants[constant].as_slice(),
        };
        step.inputs.iter().map(of).collect()
    }
}

fn give_saved<T: Real>(saved: Saved<T>, memory: &Memory<T>) {
    memory.numbers.give(saved.numbers);
    memory.bytes.give(saved.bytes);
    memory.indices.give(saved.indices);
}
