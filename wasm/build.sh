#!/usr/bin/env bash
# Builds the engine, browser-mtls.wasm, and the decoders, decoders.wasm; beside them the hash of the sources they were built from.
# usage: wasm/build.sh [folder]     into that folder; default is this one
#        ENGINE_FEATURES=ring-chacha20-poly1305 wasm/build.sh     with ring's ChaCha20-Poly1305 for records
#        wasm/build.sh --test     builds neither; tests this project's ChaCha20-Poly1305 in WebAssembly, in Node
#
# Needs clang, llvm-ar, wasi-libc's headers (Debian: clang llvm wasi-libc) and wasm-opt (npm's binaryen), and one of:
#   rustup: the toolchain of rust-toolchain.toml, which it installs, or else its default one, from 1.87 on
#   Debian's rustc-web, cargo-web, rust-web-src and lld: taken when rustup cannot give the target, or with WASM_TOOLCHAIN=debian
# The pinned compilers (rust-toolchain.toml, wasm/c-compiler) give the same bytes on every machine; others need not.
set -euo pipefail
[ "${1:-}" = --test ] && is_test=yes && shift || is_test=no
out="$(realpath "${1:-$(dirname "$0")}")"
cd "$(dirname "$0")"
target=wasm32-wasip1
headers=/usr/include/wasm32-wasi
clang="${CLANG:-clang}"

fail() { echo "wasm/build.sh: $*" >&2; exit 1; }
# Debian has versioned names only when llvm itself is not installed.
ar="$(command -v llvm-ar || find /usr/bin -name 'llvm-ar-*' | sort -V | tail -1)"
command -v "$clang" >/dev/null || fail "clang is missing (Debian: apt-get install clang)"
[ -n "$ar" ] || fail "llvm-ar is missing (Debian: apt-get install llvm)"
[ -d "$headers" ] || fail "the headers of wasi-libc are missing in $headers (Debian: apt-get install wasi-libc)"
[ -f ../node_modules/binaryen/bin/wasm-opt ] || fail "wasm-opt is missing (npm ci)"

pinned_rust="$(sed -n 's/^channel = "\(.*\)"$/\1/p' ../rust-toolchain.toml)"
pinned_clang="$(cat c-compiler)"

rustup_has_target() {
  [ "${WASM_TOOLCHAIN:-rustup}" = rustup ] && command -v rustup cargo >/dev/null || return 1
  if ! rustc --version >/dev/null 2>&1 && ! rustup toolchain install "$pinned_rust" --profile minimal >&2; then
    RUSTUP_TOOLCHAIN="$(rustup default | cut -d' ' -f1)" && export RUSTUP_TOOLCHAIN
  fi
  rustup target list --installed 2>/dev/null | grep -qx "$target" || rustup target add "$target" >&2
}

# usage: print_compilers RUSTC    test/setup/rebuilt-engine.mjs reads this
print_compilers() {
  local rust c="$("$clang" --version | head -1)" which=other
  rust="$("$1" --version)"
  # Debian's own says in a second pair of brackets that it was built from a source tarball.
  [[ "$rust" =~ ^"rustc $pinned_rust "\([^\)]*\)$ ]] && [ "$c" = "$pinned_clang" ] && which=pinned
  echo "$which compilers: $rust, $c"
}

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
# C code: ring's and zstd's. CC is the compiler for this target alone, so that native builds keep their own.
export CC_wasm32_wasip1="$clang" AR_wasm32_wasip1="$ar"
export CFLAGS_wasm32_wasip1="--sysroot=/usr -isystem $headers -msimd128"
build=(build --release --locked --target "$target" -p)
packages=(mtls-abi mtls-decoders)
# usage: features_of PACKAGE
features_of() { [ "$1" = mtls-abi ] && [ -n "${ENGINE_FEATURES:-}" ] && echo "--features=$ENGINE_FEATURES" || true; }

# What would be text for nobody: places in the source of panics, which are traps here, and Debug's. No code may read what Debug writes.
# Both are unstable, which RUSTC_BOOTSTRAP lets stable compilers take.
export RUSTC_BOOTSTRAP=1
small='-Zlocation-detail=none -Zfmt-debug=none'
# Every engine that is supported has it: Chromium 91, Firefox 89, Safari 16.4.
simd='-C target-feature=+simd128'

if [ "$is_test" = yes ]; then
  rustup_has_target || { echo "wasm/build.sh: not tested, for Debian's Rust cannot build tests for $target" >&2; exit 0; }
  RUSTFLAGS="$simd" exec cargo --config "target.$target.runner = ['node', '--no-warnings', '$PWD/run-wasi.mjs']" \
    test --release --locked --target "$target" -p mtls-chacha20poly1305
fi

# The result is the same on every machine: without its folders.
remap_paths() {
  local registry="${CARGO_HOME:-$HOME/.cargo}/registry/src" folder
  "$1" fetch --locked --target "$target" >&2
  for folder in "$registry"/*/; do printf -- '--remap-path-prefix=%s=crates/ ' "$folder"; done
  printf -- '--remap-path-prefix=%s/=' "$PWD"
}

if rustup_has_target; then
  rustc=rustc
  flags="$(remap_paths cargo)"
  # One after the other: built together, one would get the features that the other asks for.
  for package in "${packages[@]}"; do RUSTFLAGS="$flags $small $simd" cargo "${build[@]}" "$package" $(features_of "$package"); done
else
  echo "wasm/build.sh: building with Debian's rustc-web" >&2
  rustc=/usr/bin/rustc
  for tool in /usr/bin/rustc /usr/bin/cargo /usr/bin/wasm-ld; do
    [ -x "$tool" ] || fail "$tool is missing (rustup has no $target; Debian: apt-get install rustc-web cargo-web rust-web-src lld)"
  done
  flags="$(RUSTC=/usr/bin/rustc remap_paths /usr/bin/cargo)"
  for package in "${packages[@]}"; do
    RUSTC=/usr/bin/rustc CARGO_TARGET_WASM32_WASIP1_LINKER=wasm-ld \
      RUSTFLAGS="$flags $small $simd -L native=/usr/lib/wasm32-wasi -C link-self-contained=no" \
      /usr/bin/cargo "${build[@]}" "$package" $(features_of "$package") -Zbuild-std=std,panic_abort
  done
fi

optimise() {
  node ../node_modules/binaryen/bin/wasm-opt -O3 --enable-simd --enable-bulk-memory --enable-sign-ext --enable-mutable-globals \
    --enable-nontrapping-float-to-int --enable-multivalue --enable-reference-types --enable-bulk-memory-opt --enable-call-indirect-overlong \
    "$CARGO_TARGET_DIR/$target/release/$1.wasm" -o "$out/$2.wasm"
}
optimise mtls_abi browser-mtls
optimise mtls_decoders decoders
node source-hash.mjs > "$out/browser-mtls.wasm.sources.sha256"
print_compilers "$rustc"
