#!/bin/sh
# Builds the C library, static and shared, and installs it with its headers for C, C++ and Fortran, a pkg-config file
# and a CMake package:
#
#     packaging/install.sh PREFIX [cargo options, for example --features capi,parallel]
#
# For Linux. Without options the library has no threads of its own. CARGO_TARGET_DIR is where it is built. cargo-c's
# `cargo cinstall --release --prefix PREFIX` installs the same files, but for the CMake package, which goes to
# share/cmake, and for the static library's inner names, which stay visible.
set -eu
if [ $# -lt 1 ]; then
    echo "usage: packaging/install.sh PREFIX [cargo options]" >&2
    exit 2
fi
prefix=$1
shift
[ $# -gt 0 ] || set -- --features capi
case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
cd "$(dirname "$0")/.."

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
series=${version%.*}
target=${CARGO_TARGET_DIR:-target}

cargo rustc --release --locked --lib "$@" --crate-type staticlib,cdylib -- \
    -C "link-arg=-Wl,-soname,libeqflow.so.$series"

mkdir -p "$prefix/include" "$prefix/lib/pkgconfig" "$prefix/lib/cmake/eqflow"
cp include/eqflow.h include/eqflow.hpp include/eqflow.f90 "$prefix/include"
cp packaging/cmake/*.cmake "$prefix/lib/cmake/eqflow"

# Only eqf_* is to be seen from outside: the library can stand beside others that are written in Rust.
object=$target/release/eqflow.o
functions=$(nm -g --defined-only "$target/release/libeqflow.a" 2>/dev/null | sed -n 's/.* T \(eqf_.*\)/-u \1/p')
# shellcheck disable=SC2086
ld -r --gc-sections $functions -o "$object" "$target/release/libeqflow.a"
objcopy --wildcard --keep-global-symbol='eqf_*' "$object"
rm -f "$prefix/lib/libeqflow.a"
ar rcs "$prefix/lib/libeqflow.a" "$object"

cp "$target/release/libeqflow.so" "$prefix/lib/libeqflow.so.$version"
ln -sf "libeqflow.so.$version" "$prefix/lib/libeqflow.so.$series"
ln -sf "libeqflow.so.$series" "$prefix/lib/libeqflow.so"
cat >"$prefix/lib/pkgconfig/eqflow.pc" <<END
prefix=$prefix
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: eqflow
Description: Equivariant kernel flows with exact, reproducible likelihoods
Version: $version
Libs: -L\${libdir} -leqflow
Libs.private: -lpthread -ldl -lm
Cflags: -I\${includedir}
END
echo "installed eqflow $version in $prefix"
