use crate::decode::{Damaged, Decode, Progress};
use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

/// RFC 9659: windows of at most 8 MiB.
const MAX_WINDOW_LOG: u32 = 23;

/// RFC 8878: frames, and skippable frames, one after the other.
pub struct Zstd {
    context: DCtx<'static>,
    between_frames: bool,
}

impl Zstd {
    pub fn new() -> Option<Self> {
        let mut context = DCtx::try_create()?;
        context
            .set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG))
            .ok()?;
        Some(Self {
            context,
            between_frames: true,
        })
    }
}

impl Decode for Zstd {
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Progress, Damaged> {
        // Between two frames, a call without input would begin the next one.
        if self.between_frames && input.is_empty() {
            return Ok(Progress::default());
        }
        let mut from = InBuffer::around(input);
        let mut to = OutBuffer::around(output);
        let wanted = self
            .context
            .decompress_stream(&mut to, &mut from)
            .map_err(|_| Damaged)?;
        self.between_frames = wanted == 0;
        Ok(Progress {
            consumed: from.pos(),
            produced: to.pos(),
        })
    }

    fn is_complete(&mut self) -> bool {
        self.between_frames
    }
}
