"""Draws configurations of the double-well cluster DW-4 from a trained flow and reweights them to the Boltzmann
distribution exp(-u):

    python dw4.py model.eqf [n] [seed]

prints what examples/c/dw4.c prints, from the same bits."""

import sys
import zlib

import numpy as np

import eqflow

EXACT_LOG_Z = 29.66723


def report(u, log_prob):
    """Importance weights w = exp(-u - log p), scaled by the largest."""
    n, log_w = len(u), -u - log_prob
    w = np.exp(log_w - log_w.max())
    effective = w.sum() ** 2 / (w**2).sum()
    energy = u.mean()
    print(f"samples               {n}")
    print(f"mean energy           {energy:.5f} +- {np.sqrt(((u - energy) ** 2).sum()) / n:.5f}")
    print(f"effective sample size {effective:.1f} ({100 * effective / n:.2f} %)")
    log_z, error = log_w.max() + np.log(w.mean()), np.sqrt(1 / effective - 1 / n)
    print(f"log Z                 {log_z:.5f} +- {error:.5f} (exact {EXACT_LOG_Z:.5f})")


def main(path, n, seed):
    model = eqflow.Model.open(path)
    if (model.n_particles, model.dimension) != (4, 2):
        sys.exit("dw4: the model is not one of 4 particles in 2 dimensions")
    x, log_prob = eqflow.Plan(model).sample(seed, 0, n)
    u = eqflow.DoubleWell().energy(x)
    report(u, log_prob)
    crc = 0
    for array in (x, log_prob, u):
        crc = zlib.crc32(array.astype("<f8").tobytes(), crc)
    print(f"checksum              {crc:08X}")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    n, seed = (int(word) if word.isdigit() else 0 for word in (arguments[1:] + ["10000", "1"][len(arguments[1:]):]))
    if not 1 <= len(arguments) <= 3 or n < 1 or seed < 1:
        sys.exit("usage: dw4.py model.eqf [n >= 1] [seed >= 1]")
    try:
        main(arguments[0], n, seed)
    except (OSError, eqflow.Error) as error:
        sys.exit(f"dw4: {error}")
