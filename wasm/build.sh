#!/usr/bin/env bash
# Builds the engine: wasm/browser-mtls.wasm, and beside it the hash of the sources it was built from.
# Needs clang, wasi-libc's headers, and either rustup (which adds the target by itself) or Debian's
# rustc-web, rust-web-src, cargo-web and lld; wasm-opt comes from npm (binaryen).
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
export CC_wasm32_wasip1=clang AR_wasm32_wasip1="$(command -v llvm-ar || ls /usr/bin/llvm-ar-* | tail -1)"
export CFLAGS_wasm32_wasip1="--sysroot=/usr -isystem /usr/include/wasm32-wasi"
args=(build --release --target wasm32-wasip1 -p mtls-abi)

if command -v rustup >/dev/null && rustup target add wasm32-wasip1 2>/dev/null; then
  cargo "${args[@]}"
else
  RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc CARGO_TARGET_WASM32_WASIP1_LINKER=wasm-ld \
    RUSTFLAGS="-L native=/usr/lib/wasm32-wasi -C link-self-contained=no" \
    /usr/bin/cargo "${args[@]}" -Zbuild-std=std,panic_abort
fi

node ../node_modules/binaryen/bin/wasm-opt -O3 --enable-bulk-memory --enable-sign-ext --enable-mutable-globals \
  --enable-nontrapping-float-to-int --enable-multivalue --enable-reference-types --enable-bulk-memory-opt --enable-call-indirect-overlong \
  "$CARGO_TARGET_DIR/wasm32-wasip1/release/mtls_abi.wasm" -o browser-mtls.wasm
node source-hash.mjs > browser-mtls.wasm.sources.sha256
