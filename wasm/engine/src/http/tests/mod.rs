//! The client against hyper's server, in memory, and against bytes that no server should send.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod connection_fields;
mod exchanges;
mod faults;
mod h2_peer;
mod huffman;
mod peer;
mod received;
mod sent;
mod windows;
