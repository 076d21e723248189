"""Makes the arrays of tests/formats.rs with NumPy 2.4: `python tests/references/arrays.py`."""

import pathlib

import numpy as np

here = pathlib.Path(__file__).parent
x = (np.arange(24.0) / 8 - 1).reshape(3, 4, 2)
np.save(here / "plain.npy", x)
np.save(here / "fortran.npy", np.asfortranarray(x.astype(">f4")))
np.savez_compressed(here / "compressed.npz", positions=x, energy=np.array([0.5, np.inf, -2.0]), log_prob=np.array([-1.0, -2.0, -3.0]))
