//! The frames that h2 sends, on their way to the server: the window that the settings announce becomes [`START`], and the
//! growth that h2 grants to streams is left out for that of `windows.rs`.

use super::windows::START;

/// The connection preface (RFC 9113 section 3.4).
const PREFACE_BYTES: usize = 24;
const HEAD_BYTES: usize = 9;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const SETTING_BYTES: usize = 6;
const INITIAL_WINDOW_SIZE: [u8; 2] = [0, 4];

/// Follows the frames of an h2 client.
pub struct Sent {
    /// What passes as it is: the preface, or the rest of a frame.
    left: usize,
    /// The head of the next frame; of those that may change, the payload too.
    held: Vec<u8>,
    /// For the end of the frame that is on its way.
    behind: Vec<u8>,
}

impl Default for Sent {
    fn default() -> Self {
        Self {
            left: PREFACE_BYTES,
            held: Vec::new(),
            behind: Vec::new(),
        }
    }
}

impl Sent {
    pub fn pass(&mut self, mut bytes: &[u8], output: &mut Vec<u8>) {
        while !bytes.is_empty() {
            let wanted = match self.left {
                0 => self.wanted(),
                left => left,
            };
            let (piece, rest) = bytes.split_at(bytes.len().min(wanted));
            bytes = rest;
            if self.left > 0 {
                self.left -= piece.len();
                output.extend_from_slice(piece);
            } else {
                self.held.extend_from_slice(piece);
                self.pass_held(output);
            }
        }
        self.flush(output);
    }

    /// Sends frames of the client's own, behind the one that is on its way.
    pub fn add(&mut self, frames: &[u8], output: &mut Vec<u8>) {
        self.behind.extend_from_slice(frames);
        self.flush(output);
    }

    /// How many bytes of the frame have to be held yet.
    fn wanted(&self) -> usize {
        let payload = self.head().filter(|head| head.may_change());
        let whole = HEAD_BYTES + payload.map_or(0, |head| head.len);
        whole - self.held.len()
    }

    fn pass_held(&mut self, output: &mut Vec<u8>) {
        let Some(head) = self.head() else { return };
        if !head.may_change() {
            self.left = head.len;
        } else if self.wanted() > 0 {
            return;
        }
        if head.kind == SETTINGS {
            announce(self.held.get_mut(HEAD_BYTES..).unwrap_or_default());
        }
        if head.kind != WINDOW_UPDATE || head.stream == 0 {
            output.extend_from_slice(&self.held);
        }
        self.held.clear();
    }

    fn flush(&mut self, output: &mut Vec<u8>) {
        if self.left == 0 && self.held.is_empty() {
            output.append(&mut self.behind);
        }
    }

    fn head(&self) -> Option<Head> {
        let [a, b, c, kind, _, stream @ ..] = *self.held.first_chunk::<HEAD_BYTES>()?;
        Some(Head {
            len: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            stream: u32::from_be_bytes(stream),
        })
    }
}

struct Head {
    len: usize,
    kind: u8,
    stream: u32,
}

impl Head {
    fn may_change(&self) -> bool {
        matches!(self.kind, SETTINGS | WINDOW_UPDATE)
    }
}

fn announce(settings: &mut [u8]) {
    for setting in settings.chunks_exact_mut(SETTING_BYTES) {
        let (id, value) = setting.split_at_mut(INITIAL_WINDOW_SIZE.len());
        if id == INITIAL_WINDOW_SIZE {
            value.copy_from_slice(&START.to_be_bytes());
        }
    }
}
