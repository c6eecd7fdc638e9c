//! One decoder for each instance of the module: the host takes a new instance, or closes what the last body has left. Its buffers stay
//! where they are. A panic is a trap, after which the host drops the instance.
#![allow(unsafe_code)] // for the exported names alone

use crate::decode::{Decode, Progress};
use crate::decoder;
use std::cell::RefCell;

const INPUT_BYTES: usize = 16 * 1024;
const OUTPUT_BYTES: usize = 64 * 1024;
const DAMAGED: i32 = -1;

struct Slot {
    decoder: Option<Box<dyn Decode>>,
    input: Vec<u8>,
    output: Vec<u8>,
    progress: Progress,
}

thread_local! {
    static SLOT: RefCell<Slot> = RefCell::new(Slot {
        decoder: None,
        input: vec![0; INPUT_BYTES],
        output: vec![0; OUTPUT_BYTES],
        progress: Progress::default(),
    });
}

fn with<T>(act: impl FnOnce(&mut Slot) -> T) -> T {
    SLOT.with(|slot| act(&mut slot.borrow_mut()))
}

/// Where the host puts input.
#[no_mangle]
pub extern "C" fn decoders_input() -> *mut u8 {
    with(|slot| slot.input.as_mut_ptr())
}

#[no_mangle]
pub extern "C" fn decoders_input_size() -> usize {
    INPUT_BYTES
}

/// Where the host finds output.
#[no_mangle]
pub extern "C" fn decoders_output() -> *const u8 {
    with(|slot| slot.output.as_ptr())
}

/// 0, or -1 when the format is unknown.
#[no_mangle]
pub extern "C" fn decoders_open(format: u32) -> i32 {
    with(|slot| {
        slot.decoder = decoder(format);
        if slot.decoder.is_some() {
            0
        } else {
            DAMAGED
        }
    })
}

/// Decodes the input between two places of the buffer; 0, or -1 when it is damaged.
#[no_mangle]
pub extern "C" fn decoders_decode(start: usize, end: usize) -> i32 {
    with(|slot| {
        slot.progress = Progress::default();
        let (Some(decoder), Some(input)) = (&mut slot.decoder, slot.input.get(start..end)) else {
            return DAMAGED;
        };
        match decoder.decode(input, &mut slot.output) {
            Ok(progress) => {
                slot.progress = progress;
                0
            }
            Err(_) => DAMAGED,
        }
    })
}

#[no_mangle]
pub extern "C" fn decoders_consumed() -> usize {
    with(|slot| slot.progress.consumed)
}

#[no_mangle]
pub extern "C" fn decoders_produced() -> usize {
    with(|slot| slot.progress.produced)
}

/// 1 when the body may end here.
#[no_mangle]
pub extern "C" fn decoders_is_complete() -> i32 {
    with(|slot| {
        slot.decoder
            .as_mut()
            .is_some_and(|decoder| decoder.is_complete())
            .into()
    })
}

/// Lets go of the decoder.
#[no_mangle]
pub extern "C" fn decoders_close() {
    with(|slot| slot.decoder = None);
}
