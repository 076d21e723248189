#!/usr/bin/env bash
# Where the static library without `std` can panic, as far as the optimiser knows:
#
#     ffi-tests/panics.sh [lines]
#
# counts its calls of panicking functions, for x86-64, by module of the source and, with `lines`, by line: where to look
# when the proof of tests/panics.rs fails. A line counts once for each copy of its function: two precisions times four
# instruction sets, and wherever it is inlined. It takes binutils and a C compiler.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}/panics
# Line tables change no code.
CARGO_PROFILE_RELEASE_DEBUG=1 cargo rustc --quiet --release --locked --lib --no-default-features \
    --features capi,panic-handler --crate-type staticlib --target-dir "$target"
all=$target/all.so
cc -shared -nostdlib -Wl,--whole-archive "$target/release/libeqflow.a" -o "$all"

# Calls and jumps to what panics, out of what does not: address and called function.
objdump -d --no-show-raw-insn "$all" | awk '
    /^[0-9a-f]+ <.*>:$/ { panics = /9panicking|slice_index_fail|len_mismatch_fail|unwrap_failed|expect_failed/ }
    !panics && /(call|jmp) .*<.*(9panicking|slice_index_fail|len_mismatch_fail|unwrap_failed|expect_failed)/ {
        sub(":", "", $1)
        print $1
    }' >"$target/addresses"

# The innermost line of the crate, where functions of others are inlined into it; else of a dependency.
addr2line -a -i -e "$all" <"$target/addresses" | awk -v root="$PWD/" '
    function flush() {
        if (address) print (mine != "" ? mine : "dependencies " other)
        mine = other = ""
    }
    /^0x/ { flush(); address = $1; next }
    {
        sub(/ \(discriminator.*/, "")
        if (index($0, root "src/") == 1 && mine == "") mine = substr($0, length(root) + 1)
        else if ($0 ~ /^src\// && mine == "") mine = $0
        else if (other == "") other = $0
    }
    END { flush() }' >"$target/places"

if [ "${1:-}" = lines ]; then
    sort "$target/places" | uniq -c | sort -rn
fi
sed -E 's,^src/([a-z]+)[/.].*,\1,; s/^dependencies.*/dependencies/' "$target/places" | sort | uniq -c | sort -rn
printf '%7d calls on %d lines\n' "$(wc -l <"$target/places")" "$(sort -u "$target/places" | wc -l)"
