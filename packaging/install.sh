#!/bin/sh
# Builds the C library, static and shared, and installs it with its headers for C, C++ and Fortran, a pkg-config file
# and a CMake package:
#
#     packaging/install.sh PREFIX [cargo options, for example --features capi,parallel]
#
# `cargo cinstall --release --prefix PREFIX` (cargo-c) installs the same files, but for the CMake package in
# share/cmake. Without options the library has no threads of its own and wants nothing but the C library.
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
cp "$target/release/libeqflow.a" "$prefix/lib"
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
