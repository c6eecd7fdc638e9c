//! Compared with ring's: other inputs in each run, for as long as FUZZ_SECONDS says. FUZZ_SEED repeats a run that failed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::env;
use std::io::Write;
use std::panic;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mtls_chacha20poly1305::TAG_BYTES;
use support::{Case, Numbers};

/// Of the inputs at hand.
static SEED: AtomicU64 = AtomicU64::new(0);

const SECONDS: u64 = 1;
/// Where batches of ChaCha20 end: after 192 bytes, then every 256.
const BATCH_BYTES: usize = 256;
const FIRST_BYTES: usize = 192;

/// Mostly short ones, many around where a batch or a piece ends.
fn length(numbers: &mut Numbers) -> usize {
    match numbers.below(8) {
        0 => numbers.below(20_000),
        1..=3 => {
            let end = FIRST_BYTES + BATCH_BYTES * numbers.below(8);
            (end + numbers.below(3)).saturating_sub(1)
        }
        4 => 16 * numbers.below(80),
        _ => numbers.below(2_100),
    }
}

fn compare(numbers: &mut Numbers) {
    let additional = [13, 5, numbers.below(70)][numbers.below(3)];
    let length = length(numbers);
    let mut case = Case::new(numbers, additional, length);
    if numbers.below(3) == 0 {
        let ciphertext = numbers.bytes(length);
        case = case.with_ciphertext(&ciphertext);
    }
    case.compare(numbers);
    let bit = numbers.below(8 * (length + TAG_BYTES));
    case.refuse_changed(bit, numbers.below(600));
}

fn number(name: &str) -> Option<u64> {
    Some(env::var(name).ok()?.parse().unwrap())
}

#[test]
fn other_inputs_in_each_run() {
    let duration = Duration::from_secs(number("FUZZ_SECONDS").unwrap_or(SECONDS));
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let first = number("FUZZ_SEED").unwrap_or_else(|| now().as_nanos() as u64);
    let shown = panic::take_hook();
    panic::set_hook(Box::new(move |it| {
        eprintln!("FUZZ_SEED={}", SEED.load(Relaxed));
        shown(it);
    }));
    let start = Instant::now();
    let mut inputs = 0;
    while inputs == 0 || start.elapsed() < duration {
        let seed = first.wrapping_add(inputs);
        SEED.store(seed, Relaxed);
        compare(&mut Numbers(seed));
        inputs += 1;
    }
    // Not by println, which only failed tests show.
    let count = format!("{inputs} random inputs, from FUZZ_SEED={first}\n");
    std::io::stderr().write_all(count.as_bytes()).unwrap();
}
