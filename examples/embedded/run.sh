#!/bin/sh
# Builds the program for a Cortex-M4F and runs it under QEMU (mps2-an386); its samples must have the bits of x86-64's,
# expected.txt. It takes an x86-64 Debian with rustup's `cargo`, and as root installs what else it needs: Debian's Rust
# compiler, which comes with the sources of `core`, and QEMU.
set -eu
cd "$(dirname "$0")"
missing=
for package in rustc-web cargo-web rust-web-src qemu-system-arm; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
if [ -n "$missing" ]; then
    apt-get update >&2
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >&2
fi
host=$(rustc -vV | sed -n 's/^host: //p')
lld=$(rustc --print sysroot)/lib/rustlib/$host/bin/rust-lld
target=thumbv7em-none-eabihf
export RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/../../target}/embedded"
export RUSTFLAGS="-Clinker=$lld -Clinker-flavor=ld.lld -Clink-arg=-T$PWD/memory.ld"
/usr/bin/cargo build --quiet --release --locked -Zbuild-std=core --target "$target"
program=$CARGO_TARGET_DIR/$target/release/eqflow-embedded
output=$CARGO_TARGET_DIR/output.txt
qemu-system-arm -machine mps2-an386 -nographic -icount shift=0 -semihosting-config enable=on,target=native \
    -kernel "$program" >"$output" 2>&1
cat "$output"
sed -n 's/^\(.*\): .*checksum \(.*\)$/\1 \2/p' "$output" | diff expected.txt - && echo "the bits of x86-64"
