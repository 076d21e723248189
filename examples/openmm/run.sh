#!/bin/sh
# Sets up OpenMM (PyPI wheel) and eqflow under target/openmm and runs the program; about 5 minutes at first.
set -eu
cd "$(dirname "$0")/../.."
place=$PWD/target/openmm
[ -x "$place/bin/python" ] || python3 -m venv "$place"
"$place/bin/pip" install --quiet 'numpy>=2' 'openmm>=8.6,<8.7'
packaging/install.sh "$place/eqflow"
export EQFLOW_LIBRARY="$place/eqflow/lib/libeqflow.so" PYTHONPATH="$PWD/clients/python:$PWD/examples/shared"
"$place/bin/python" examples/openmm/lj13.py
