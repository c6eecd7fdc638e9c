//! Four 32-bit words in a vector of WebAssembly, or in an array.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[path = "lanes/simd128.rs"]
mod implementation;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[path = "lanes/portable.rs"]
mod implementation;

pub use implementation::{transpose, Lanes};

pub const LANES: usize = 4;

impl Default for Lanes {
    fn default() -> Self {
        Self::splat(0)
    }
}

/// By which zeroize wipes it.
impl zeroize::DefaultIsZeroes for Lanes {}
