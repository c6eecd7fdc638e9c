//! The frames that h2 sends, on their way to the server: the window that the settings announce becomes [`START`], and the
//! growth that h2 grants to streams is left out for that of `windows.rs`, which is told of streams that begin or are reset.
//!
//! No frame begins in one TLS record and ends in the next, unless it is longer than a record. Browsers send so too, and Tomcat up
//! to 10.1.44 damages bodies or ends the connection otherwise.

use std::collections::VecDeque;

use super::output::{Output, OUTPUT_LIMIT};
use super::windows::START;

/// The connection preface (RFC 9113 section 3.4).
const PREFACE_BYTES: usize = 24;
pub const HEAD_BYTES: usize = 9;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;
const SETTING_BYTES: usize = 6;
const INITIAL_WINDOW_SIZE: [u8; 2] = [0, 4];

/// Follows the frames of an h2 client.
pub struct Sent {
    /// What passes as it is: the preface, or the rest of a frame.
    left: usize,
    /// The head of the next frame; of those that may change, the payload too.
    held: Vec<u8>,
    /// For the end of the frame, or of the head in several frames, that is on its way.
    behind: Vec<u8>,
    in_block: bool,
    last_stream: u32,
    events: VecDeque<StreamEvent>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// Its request leaves.
    Begins(u32),
    /// Nobody reads its response any more.
    IsReset(u32),
}

impl Default for Sent {
    fn default() -> Self {
        Self {
            left: PREFACE_BYTES,
            held: Vec::new(),
            behind: Vec::new(),
            in_block: false,
            last_stream: 0,
            events: VecDeque::new(),
        }
    }
}

impl Sent {
    /// Gives how many bytes have passed, or are held. The others have to wait until the output is taken.
    pub fn pass(&mut self, bytes: &[u8], output: &mut Output) -> usize {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.left == 0 && self.wanted() == 0 && !self.pass_held(output) {
                break;
            }
            let wanted = match self.left {
                0 => self.wanted(),
                left => left,
            };
            let (piece, behind) = rest.split_at(rest.len().min(wanted));
            rest = behind;
            if self.left > 0 {
                self.left -= piece.len();
                output.extend_from_slice(piece);
            } else {
                self.held.extend_from_slice(piece);
            }
        }
        self.go_on(output);
        bytes.len() - rest.len()
    }

    /// Sends frames of the client's own, behind the one that is on its way.
    pub fn add(&mut self, frames: &[u8], output: &mut Output) {
        self.behind.extend_from_slice(frames);
        self.go_on(output);
    }

    /// The output has been taken: this is the next.
    pub fn go_on(&mut self, output: &mut Output) {
        if self.left == 0 && !self.held.is_empty() && self.wanted() == 0 {
            self.pass_held(output);
        }
        if self.left == 0 && self.held.is_empty() && !self.in_block {
            output.keep_together(self.behind.len());
            output.extend_from_slice(&self.behind);
            self.behind.clear();
        }
    }

    /// What has become of a stream, in order. Call until there is nothing more.
    pub fn next_event(&mut self) -> Option<StreamEvent> {
        self.events.pop_front()
    }

    /// How many bytes of the frame have to be held yet.
    fn wanted(&self) -> usize {
        let payload = self.head().filter(|head| head.may_change());
        let whole = HEAD_BYTES + payload.map_or(0, |head| head.len);
        whole - self.held.len()
    }

    /// False where the output has no room for the frame.
    fn pass_held(&mut self, output: &mut Output) -> bool {
        let Some(head) = self.head() else { return true };
        let is_left_out = head.kind == WINDOW_UPDATE && head.stream != 0;
        let frame_bytes = HEAD_BYTES + head.len;
        if !is_left_out && !output.is_empty() && output.len() + frame_bytes > OUTPUT_LIMIT {
            return false;
        }
        if !head.may_change() {
            self.left = head.len;
        }
        self.note(&head);
        if head.kind == SETTINGS {
            announce(self.held.get_mut(HEAD_BYTES..).unwrap_or_default());
        }
        if !is_left_out {
            output.keep_together(frame_bytes);
            output.extend_from_slice(&self.held);
        }
        self.held.clear();
        true
    }

    fn note(&mut self, head: &Head) {
        match head.kind {
            HEADERS | CONTINUATION => {
                self.in_block = head.flags & END_HEADERS == 0;
                // Trailers begin no stream.
                if head.stream > self.last_stream {
                    self.last_stream = head.stream;
                    self.events.push_back(StreamEvent::Begins(head.stream));
                }
            }
            RST_STREAM => self.events.push_back(StreamEvent::IsReset(head.stream)),
            _ => {}
        }
    }

    fn head(&self) -> Option<Head> {
        let [a, b, c, kind, flags, stream @ ..] = *self.held.first_chunk::<HEAD_BYTES>()?;
        Some(Head {
            len: u32::from_be_bytes([0, a, b, c]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes(stream),
        })
    }
}

struct Head {
    len: usize,
    kind: u8,
    flags: u8,
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
