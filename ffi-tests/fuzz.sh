#!/usr/bin/env bash
# Fuzzes the C functions with libFuzzer, under AddressSanitizer and with overflow checks:
#
#     ffi-tests/fuzz.sh [seconds a target] [target...]
#
# model    any bytes as a model file, sealed with a right checksum or not; what is accepted becomes plans, with every call
# config   any bytes as a configuration of any size; what is accepted becomes a plan, with every call
# calls    every function with arguments that a stream of bytes chooses; a call that fails has written nothing
#
# All three run at once, for 600 seconds each unless told otherwise. What a run has learnt is kept below CARGO_TARGET_DIR
# for the next one; the last lines tell executions, and how many edges of the program they have reached. A finding is an
# exit status of 1 and a file that reproduces it: give the file to the program as its only argument. It takes a C++
# compiler; the stable Rust compiler takes -Z flags through RUSTC_BOOTSTRAP.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-600}
[ $# -eq 0 ] || shift
targets=("$@")
[ $# -gt 0 ] || targets=(model config calls)
target=${CARGO_TARGET_DIR:-target}/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')

if ! command -v c++ >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "fuzz.sh: install first: g++" >&2
        exit 1
    fi
    apt-get update >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends g++ >/dev/null
fi

# What cargo-fuzz passes: counters for edges and comparisons that libFuzzer reads.
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Zsanitizer=address -Ccodegen-units=1" \
    RUSTC_BOOTSTRAP=1 cargo build --quiet --release --locked --manifest-path ffi-tests/fuzz/Cargo.toml --target "$host" \
    --target-dir "$target"

run() {
    local corpus=$target/corpus/$1 log=$target/$1.log
    mkdir -p "$corpus" "$target/findings"
    # A model file to begin with: three bytes of choices, then the file.
    [ "$1" != model ] || printf '\0\1\2' | cat - tests/models/dw4-trained.eqf >"$corpus/dw4-trained"
    "$target/$host/release/$1" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=1024 -max_len=8192 \
        -artifact_prefix="$target/findings/$1-" -print_final_stats=1 "$corpus" >"$log" 2>&1
}

processes=()
for name in "${targets[@]}"; do
    run "$name" &
    processes+=($!)
done
status=0
for i in "${!targets[@]}"; do
    name=${targets[i]}
    code=0
    wait "${processes[i]}" || code=$?
    covered=$(grep -o 'cov: [0-9]*' "$target/$name.log" | tail -n 1 || true)
    executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$target/$name.log")
    if [ "$code" -eq 0 ]; then
        printf '%-8s %12s executions  %s  nothing found\n' "$name" "${executed:-?}" "$covered"
    else
        printf '%-8s %12s executions  %s  FAILED: %s\n' "$name" "${executed:-?}" "$covered" "$target/$name.log"
        tail -n 40 "$target/$name.log" | sed 's/^/    /'
        status=1
    fi
done
exit "$status"
