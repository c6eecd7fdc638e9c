//! What passes of an input: most of it where it lies, without a copy.

use bytes::Bytes;

/// An input on its way, and the pieces that have come of it.
pub struct Passed {
    input: Bytes,
    /// What passes as it is begins here, and what is still to be looked at.
    kept: usize,
    at: usize,
    /// What is put in between.
    put: Vec<u8>,
    pieces: Vec<Bytes>,
}

impl Passed {
    pub fn new(input: Bytes) -> Self {
        Self {
            input,
            kept: 0,
            at: 0,
            put: Vec::new(),
            pieces: Vec::new(),
        }
    }

    pub fn goes_on(&self) -> bool {
        self.at < self.input.len()
    }

    /// What is still to be looked at.
    pub fn rest(&self) -> &[u8] {
        self.input.get(self.at..).unwrap_or_default()
    }

    /// The next bytes pass.
    pub fn keep(&mut self, bytes: usize) {
        self.push_put();
        self.at += bytes;
    }

    /// The next bytes do not pass.
    pub fn leave_out(&mut self, bytes: usize) {
        self.push_kept();
        self.at += bytes;
        self.kept = self.at;
    }

    /// Other bytes pass, behind what has passed.
    pub fn put(&mut self, bytes: &[u8]) {
        self.push_kept();
        self.put.extend_from_slice(bytes);
    }

    pub fn finish(mut self) -> Vec<Bytes> {
        self.push_kept();
        self.push_put();
        self.pieces
    }

    fn push_kept(&mut self) {
        if self.kept < self.at {
            self.pieces.push(self.input.slice(self.kept..self.at));
            self.kept = self.at;
        }
    }

    fn push_put(&mut self) {
        if !self.put.is_empty() {
            self.pieces.push(std::mem::take(&mut self.put).into());
        }
    }
}
