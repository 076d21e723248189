#!/usr/bin/env bash
# The C programs of the tests under AddressSanitizer and Valgrind:
#
#     ffi-tests/sanitizers.sh [address|memcheck|helgrind...]
#
# address   errors, arguments, the header's examples, the driver's golden vectors and chains, threads and the
#           reproducible bits: C and library are compiled with AddressSanitizer, which sees every access beyond an
#           array or a stack frame, C with the sanitizer of undefined behaviour, too
# memcheck  the same programs, as they are, under Valgrind's memcheck: what depends on memory that was never written
# helgrind  threads.c, where threads of the caller's share a plan, under Valgrind's helgrind: data races
#
# Without arguments it runs all three. The tests themselves make the programs and say what they must print
# (tests/common/c.rs reads EQFLOW_C_LIBRARY, EQFLOW_C_FLAGS and EQFLOW_C_RUNNER). Valgrind has no AVX-512, and hides
# it: the plans take AVX2 there. What is missing is installed on Debian by root, and named elsewhere; the stable
# compiler takes -Z flags through RUSTC_BOOTSTRAP. Builds go below CARGO_TARGET_DIR and are kept for the next run.
set -euo pipefail
cd "$(dirname "$0")/.."

requested=("$@")
[ $# -gt 0 ] || requested=(address memcheck helgrind)
target=${CARGO_TARGET_DIR:-target}
target=$(mkdir -p "$target" && cd "$target" && pwd)
host=$(rustc -vV | sed -n 's/^host: //p')

missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v valgrind >/dev/null || missing+=(valgrind)
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "sanitizers.sh: install first: ${missing[*]}" >&2
        exit 1
    fi
    apt-get update >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null
fi

# library FOLDER [FLAGS]: builds the static library without `std`, for the tests and for threads_alone.
library() {
    local options=(--release --locked --lib --no-default-features --features capi,panic-handler --crate-type staticlib)
    local folder=$target/sanitizers/$1
    if [ $# -eq 1 ]; then
        cargo rustc --quiet "${options[@]}" --target-dir "$folder"
        export EQFLOW_C_LIBRARY=$folder/release/libeqflow.a
    else
        # With --target the flags are not those of build scripts.
        RUSTC_BOOTSTRAP=1 RUSTFLAGS=$2 cargo rustc --quiet "${options[@]}" --target "$host" --target-dir "$folder"
        export EQFLOW_C_LIBRARY=$folder/$host/release/libeqflow.a
    fi
}

# tests FILE NAME...: runs tests of tests/FILE.rs by name.
tests() {
    local file=$1
    shift
    cargo test --quiet --all-features --test "$file" -- --exact "$@"
}

# Every program of the tests that needs nothing but the library.
programs() {
    tests capi the_examples_of_the_header_run every_wrong_argument_has_its_status_and_changes_nothing
    tests ffi every_failure_has_its_status_and_writes_nothing c_reproduces_the_golden_vectors_in_f64 \
        c_reproduces_the_golden_vectors_in_f32 c_and_rust_move_chains_to_the_same_bits
    tests portable_bits a_c_program_computes_the_committed_bits
}

# threads_alone FLAGS RUNNER...: threads.c in both precisions, where threads of the caller's share a plan, for passes over
# batches and for Markov chains.
threads_alone() {
    local flags=$1 precision program
    shift
    for precision in DOUBLE SINGLE; do
        program=$target/sanitizers/threads_$precision
        # shellcheck disable=SC2086
        cc -std=c99 -O1 -g $flags -D$precision -Iinclude ffi-tests/threads.c "$EQFLOW_C_LIBRARY" -lpthread -lm \
            -o "$program"
        "$@" "$program" serial
    done
}

address() {
    library address -Zsanitizer=address
    export EQFLOW_C_FLAGS="-g -fsanitize=address,undefined -fno-sanitize-recover=undefined"
    # Memory that is left is the test programs' own: the library without `std` has no allocator.
    export ASAN_OPTIONS=detect_leaks=0
    programs
    threads_alone "$EQFLOW_C_FLAGS" env
}

memcheck() {
    library plain
    export EQFLOW_C_FLAGS=-g
    export EQFLOW_C_RUNNER="valgrind --quiet --error-exitcode=99 --suppressions=$PWD/ffi-tests/memcheck.supp"
    programs
    # shellcheck disable=SC2086
    threads_alone -g $EQFLOW_C_RUNNER
}

helgrind() {
    library plain
    threads_alone -g valgrind --quiet --tool=helgrind --error-exitcode=99
}

for name in "${requested[@]}"; do
    case $name in
    address | memcheck | helgrind) ;;
    *)
        echo "sanitizers.sh: no check $name" >&2
        exit 2
        ;;
    esac
    SECONDS=0
    # A failure ends the script here, though not inside an `if`.
    (
        set -e
        "$name"
    )
    printf '%-10s nothing found  %5d s\n' "$name" "$SECONDS"
done
