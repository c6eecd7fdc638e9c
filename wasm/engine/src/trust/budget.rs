//! Bounds the work of an evaluation, so that a hostile chain costs little.

use std::cell::Cell;

use super::refusal::{Reason, Refusal};

pub struct Budget(Cell<usize>);

impl Budget {
    pub fn new(limit: usize) -> Self {
        Self(Cell::new(limit))
    }

    pub fn spend(&self, count: usize) -> Result<(), Refusal> {
        let left = self.0.get().checked_sub(count).ok_or_else(|| {
            let message = "the chain is too complicated to be honest";
            Refusal::new(Reason::Untrusted, message)
        })?;
        self.0.set(left);
        Ok(())
    }
}
