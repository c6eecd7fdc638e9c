//! What the decoders have in common.

/// The body is not what its coding says, or goes on after its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Damaged;

/// What a call has done. Neither: more input is needed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub consumed: usize,
    pub produced: usize,
}

pub trait Decode {
    /// Decodes some of `input` to the beginning of `output`. Input that was not consumed is given again.
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, Damaged>;

    /// Whether the body may end here, when the last call has done nothing more.
    fn is_complete(&mut self) -> bool;
}

/// What a format whose bodies have one part says to input behind their end.
pub fn behind_the_end(input: &[u8]) -> Result<Progress, Damaged> {
    if input.is_empty() {
        Ok(Progress::default())
    } else {
        Err(Damaged)
    }
}
