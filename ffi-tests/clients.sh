#!/bin/sh
# Runs every client from an installed prefix and compares what they print:
#
#     ffi-tests/clients.sh PREFIX SCRATCH
#
# C99 and C11 by pkg-config, C and C++17 by CMake's find_package, Fortran and Python, each with the static and the
# shared library where that makes a difference; eqflow beside another Rust static library; the structures' layout as
# Fortran and Python see it. What is missing is installed on Debian by root, and named elsewhere.
set -eu
prefix=$1
scratch=$2
cd "$(dirname "$0")/.."
root=$PWD
model=$root/tests/models/dw4-trained.eqf
mkdir -p "$scratch"

missing=
need() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
need cc gcc
need g++ g++
need gfortran gfortran
need cmake cmake
need make make
need pkg-config pkg-config
need readelf binutils
# The system's Python where the first one has no NumPy: that is what a package can give it to.
python=python3
$python -c 'import numpy' 2>/dev/null || python=/usr/bin/python3
$python -c 'import numpy' 2>/dev/null || missing="$missing python3-numpy"
if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "clients.sh: install first:$missing" >&2
        exit 1
    fi
    apt-get update >/dev/null
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing >/dev/null
fi

# same NAME COMMAND...: runs a client; all must print what the first one prints.
same() {
    name=$1
    shift
    "$@" "$model" 10000 1 >"$scratch/$name.txt"
    [ -e "$scratch/expected.txt" ] || cp "$scratch/$name.txt" "$scratch/expected.txt"
    if ! diff "$scratch/expected.txt" "$scratch/$name.txt" >&2; then
        echo "clients.sh: $name prints something else" >&2
        exit 1
    fi
    echo "$name: $(grep checksum "$scratch/$name.txt")"
}

rm -f "$scratch/expected.txt"
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig" LD_LIBRARY_PATH="$prefix/lib"
shared="$(pkg-config --cflags --libs eqflow)"
# pkg-config --static lists what the archive needs; -l:libeqflow.a chooses it.
static="$(pkg-config --static --cflags --libs eqflow | sed 's/-leqflow/-l:libeqflow.a/')"
strict="-Wall -Wextra -Wpedantic -Werror -O2"

# shellcheck disable=SC2086
for standard in c99 c11; do
    cc -std=$standard $strict examples/c/dw4.c $static -o "$scratch/${standard}_static"
    cc -std=$standard $strict examples/c/dw4.c $shared -lm -o "$scratch/${standard}_shared"
    same ${standard}_static "$scratch/${standard}_static"
    same ${standard}_shared "$scratch/${standard}_shared"
done

cmake -S ffi-tests/cmake -B "$scratch/cmake" -DCMAKE_PREFIX_PATH="$prefix" -DEXAMPLES="$root/examples" \
    -DCMAKE_C_FLAGS="$strict" -DCMAKE_CXX_FLAGS="$strict" >"$scratch/cmake.log"
cmake --build "$scratch/cmake" >>"$scratch/cmake.log"
for program in c_static c_shared cpp_static cpp_shared c_default; do
    same cmake_$program "$scratch/cmake/$program"
done
# The C++ header serves programs without exceptions too.
for exceptions in -fexceptions -fno-exceptions; do
    # shellcheck disable=SC2086
    g++ -std=c++17 $strict $exceptions ffi-tests/cpp_client.cpp $static -o "$scratch/cpp_client"
    "$scratch/cpp_client" "$model"
done

# shellcheck disable=SC2086
for kind in static shared; do
    eval "link=\$$kind"
    gfortran -std=f2018 -Wall -Wextra -Werror -O2 -J"$scratch" "$prefix/include/eqflow.f90" examples/fortran/dw4.f90 \
        $link -o "$scratch/fortran_$kind"
    same fortran_$kind "$scratch/fortran_$kind"
done

# Structures as Fortran lays them out, from the committed list: "structure field offset size", "." for the whole.
{
    echo 'program layout'
    echo '    use, intrinsic :: iso_c_binding'
    echo '    use eqflow'
    echo '    implicit none'
    cut -d ' ' -f 1 ffi-tests/layout.txt | sort -u | sed 's/.*/    type(&), target :: x_&/'
    awk '{
        part = $2 == "." ? "x_" $1 : "x_" $1 "%" $2
        printf "    call same(\"%s %s\", c_loc(%s), c_loc(x_%s), ", $1, $2, part, $1
        printf "storage_size(%s) * size([%s]) / 8, %d, %d)\n", part, part, $3, $4
    }' ffi-tests/layout.txt
    cat <<'END'
contains
    subroutine same(what, at, start, bytes, offset, length)
        character(*), intent(in) :: what
        type(c_ptr), intent(in) :: at, start
        integer, intent(in) :: bytes, offset, length
        if (transfer(at, 0_c_intptr_t) - transfer(start, 0_c_intptr_t) == offset .and. bytes == length) return
        print *, "clients.sh: Fortran lays out otherwise: ", what
        stop 1
    end subroutine
end program
END
} >"$scratch/layout.f90"
gfortran -std=f2018 -ffree-line-length-none -I"$scratch" "$scratch/layout.f90" -o "$scratch/layout"
"$scratch/layout"

export EQFLOW_LIBRARY="$prefix/lib/libeqflow.so" PYTHONPATH="$root/clients/python" PYTHONDONTWRITEBYTECODE=1
same python $python examples/python/dw4.py
$python ffi-tests/python_client.py "$model" ffi-tests/layout.txt

# shellcheck disable=SC2086
rustc --edition 2024 -O --crate-type staticlib ffi-tests/other/other.rs -o "$scratch/libother.a"
# shellcheck disable=SC2086
cc -std=c99 $strict ffi-tests/other/main.c "$scratch/libother.a" $static -o "$scratch/other"
"$scratch/other"

if nm -g --defined-only "$prefix/lib/libeqflow.a" 2>/dev/null | grep -v -e ' T eqf_' -e ':$' -e '^$' >&2; then
    echo "clients.sh: the static library shows more than eqf_*" >&2
    exit 1
fi
readelf -d "$prefix/lib/libeqflow.so" | sed -n 's/.*Library soname: \[\(.*\)\]/soname: \1/p'
