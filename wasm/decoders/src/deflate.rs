use crate::decode::{behind_the_end, Damaged, Decode, Progress};
use flate2::{Decompress, FlushDecompress, Status};

/// RFC 1950, or RFC 1951 alone.
pub struct Deflate {
    inflate: Decompress,
    ended: bool,
}

impl Deflate {
    pub fn new(zlib: bool) -> Self {
        Self {
            inflate: Decompress::new(zlib),
            ended: false,
        }
    }
}

impl Decode for Deflate {
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, Damaged> {
        if self.ended {
            return behind_the_end(input);
        }
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(input, output, FlushDecompress::None)
            .map_err(|_| Damaged)?;
        self.ended = status == Status::StreamEnd;
        Ok(Progress {
            consumed: (self.inflate.total_in() - before_in) as usize,
            produced: (self.inflate.total_out() - before_out) as usize,
        })
    }

    fn is_complete(&mut self) -> bool {
        self.ended
    }
}
