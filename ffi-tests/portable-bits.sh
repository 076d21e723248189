#!/usr/bin/env bash
# Do other machines compute the same bits? Builds the library and bits.c for several targets, runs them (foreign ones
# under QEMU's user-mode emulation or in Node), compares each line with bits.expected, and prints a table:
#
#     ffi-tests/portable-bits.sh [target...]
#
# x86-64          release build for the baseline instruction set
# x86-64-baseline the same with no other one to choose (--cfg eqf_baseline)
# x86-64-native   the same with -C target-cpu=native
# x86-64-debug    not optimised, with overflow checks
# aarch64         64-bit Arm
# s390x           IBM Z: big-endian
# wasm32          WebAssembly: 32-bit pointers
#
# are what it runs without arguments; armv7, i686, powerpc64 (big-endian) and riscv64 are there, too. The exit status
# is 1 where a bit differs. It takes an x86-64 Debian with rustup's `cargo`, and as root installs what else it needs:
# foreign targets are built by Debian's Rust compiler, which comes with the sources of `core`, so that their bits are
# those of another compiler version, too. Builds go below CARGO_TARGET_DIR and are kept for the next run.
set -euo pipefail
cd "$(dirname "$0")/.."

requested=("$@")
[ $# -gt 0 ] || requested=(x86-64 x86-64-baseline x86-64-native x86-64-debug aarch64 s390x wasm32)
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/portable-bits"
export RUSTFLAGS="" # what a target's name says is all that differs
mkdir -p "$CARGO_TARGET_DIR"

# Sets what a Linux target is called: by Rust, by GNU, by QEMU, and by Debian's cross C library.
cross() {
    case $1 in
    aarch64) set -- aarch64-unknown-linux-gnu aarch64-linux-gnu aarch64 arm64 ;;
    armv7) set -- armv7-unknown-linux-gnueabihf arm-linux-gnueabihf arm armhf ;;
    i686) set -- i686-unknown-linux-gnu i686-linux-gnu i386 i386 ;;
    powerpc64) set -- powerpc64-unknown-linux-gnu powerpc64-linux-gnu ppc64 ppc64 ;;
    riscv64) set -- riscv64gc-unknown-linux-gnu riscv64-linux-gnu riscv64 riscv64 ;;
    s390x) set -- s390x-unknown-linux-gnu s390x-linux-gnu s390x s390x ;;
    *)
        echo "portable-bits.sh: no target $1" >&2
        exit 2
        ;;
    esac
    rust=$1 gnu=$2 qemu=$3 debian=$4
}

# Debian's packages for a target.
packages() {
    command -v cc >/dev/null || echo gcc libc6-dev
    case $1 in
    x86-64*) return ;;
    wasm32)
        command -v clang >/dev/null || echo clang
        command -v node >/dev/null || echo nodejs
        ;;
    *)
        cross "$1"
        echo qemu-user-static "gcc-$gnu" "libc6-dev-$debian-cross"
        ;;
    esac
    echo rustc-web cargo-web rust-web-src
}

install_missing() {
    local target package missing=()
    for target in "${requested[@]}"; do
        # A failure in here would be lost in the loop below.
        packages "$target" >/dev/null
        for package in $(packages "$target"); do
            dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
        done
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    apt-get update >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >&2
}

# The static library as C programs link it, by Debian's compiler: for a Rust target.
foreign_library() {
    RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc /usr/bin/cargo rustc --quiet --release --locked --lib \
        --no-default-features --features capi,panic-handler --crate-type staticlib -Zbuild-std=core --target "$1"
    library=$CARGO_TARGET_DIR/$1/release/libeqflow.a
}

# Builds the program for a target and leaves the command that runs it in `run`.
build() {
    local program=$CARGO_TARGET_DIR/bits-$1 sysroot host c=(-std=c99 -O2 -Iinclude ffi-tests/bits.c)
    local rust gnu qemu debian library
    case $1 in
    x86-64 | x86-64-baseline | x86-64-native)
        local -A flags=([x86-64]="" [x86-64-baseline]="--cfg eqf_baseline" [x86-64-native]="-C target-cpu=native")
        local -x RUSTFLAGS=${flags[$1]}
        local -x CARGO_TARGET_DIR=$CARGO_TARGET_DIR/$1
        cargo rustc --quiet --release --locked --lib --no-default-features --features capi,panic-handler \
            --crate-type staticlib
        cc "${c[@]}" "$CARGO_TARGET_DIR/release/libeqflow.a" -lm -o "$program"
        run=("$program")
        ;;
    x86-64-debug)
        # With `std`: an unoptimised `core` refers to an unwinder that a library without `std` does not have.
        local -x RUSTFLAGS="-C opt-level=0" CARGO_TARGET_DIR=$CARGO_TARGET_DIR/$1
        cargo rustc --quiet --locked --lib --features capi --crate-type staticlib
        cc "${c[@]}" "$CARGO_TARGET_DIR/debug/libeqflow.a" -lpthread -ldl -lm -o "$program"
        run=("$program")
        ;;
    wasm32)
        sysroot=$(rustc +stable --print sysroot)
        host=$(rustc +stable -vV | sed -n 's/^host: //p')
        foreign_library wasm32-unknown-unknown
        clang --target=wasm32 -ffreestanding "${c[@]}" -c -o "$program.o"
        "$sysroot/lib/rustlib/$host/bin/rust-lld" -flavor wasm --no-entry "$program.o" "$library" -o "$program.wasm"
        run=(node ffi-tests/bits.mjs "$program.wasm")
        ;;
    *)
        cross "$1"
        foreign_library "$rust"
        "$gnu-gcc" -static "${c[@]}" "$library" -lm -o "$program"
        run=("qemu-$qemu-static" "$program")
        ;;
    esac
}

install_missing
status=0
printf '%-15s  %-30s  %7s  %7s\n' target result "build s" "run s"
for target in "${requested[@]}"; do
    output=$CARGO_TARGET_DIR/bits-$target.txt
    SECONDS=0
    build "$target"
    built=$SECONDS
    SECONDS=0
    # A defect of the library ends in an endless loop on some machines.
    code=0
    timeout 1800 "${run[@]}" >"$output" || code=$?
    if [ "$code" -ne 0 ]; then
        result="failed with status $code"
    elif cmp -s ffi-tests/bits.expected "$output"; then
        result=same
    else
        result="differs"
    fi
    printf '%-15s  %-30s  %7d  %7d\n' "$target" "$result" "$built" "$SECONDS"
    if [ "$result" != same ]; then
        diff ffi-tests/bits.expected "$output" | sed 's/^/    /' || true
        status=1
    fi
done
exit "$status"
