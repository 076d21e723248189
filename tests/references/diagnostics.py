"""Reference values of tests/diagnostics.rs: `python tests/references/diagnostics.py`, with arviz 0.23.4 (numpy 2.4).

Every series comes from one linear congruential generator whose arithmetic is exact in Python and in Rust.
"""

import warnings

import numpy as np

warnings.simplefilter("ignore")
import arviz as az  # noqa: E402


def uniforms(seed):
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield ((state >> 11) + 0.5) / 9007199254740992.0


def autoregression(seed, chains, length, a, shift):
    """x' = a x + (u - 1/2); the last chain is shifted."""
    u, rows = uniforms(seed), []
    for chain in range(chains):
        x, row = 0.0, []
        for _ in range(length):
            x = a * x + (next(u) - 0.5)
            row.append(x + (shift if chain == chains - 1 else 0.0))
        rows.append(row)
    return np.array(rows)


def heavy(seed, chains, length):
    u = uniforms(seed)
    return np.array([[1.0 / (next(u) + 1e-3) for _ in range(length)] for _ in range(chains)])


def ties(seed, chains, length):
    u = uniforms(seed)
    return np.array([[np.floor(4.0 * next(u)) for _ in range(length)] for _ in range(chains)])


def log_weights(seed, n, k):
    u = uniforms(seed)
    return np.array([-k * np.log(next(u)) for _ in range(n)])


series = {
    "correlated": autoregression(1, 4, 200, 0.7, 0.0),
    "one chain apart": autoregression(2, 3, 101, 0.5, 1.0),
    "heavy": heavy(3, 2, 60),
    "ties": ties(4, 2, 75),
    "anticorrelated": autoregression(5, 2, 100, -0.6, 0.0),
}
for name, values in series.items():
    print(f"{name}: r_hat {az.rhat(values):.15g} bulk {az.ess(values):.15g} tail {az.ess(values, method='tail'):.15g} "
          f"mean {az.ess(values, method='mean'):.15g}")
for seed, n, k in [(6, 1000, 0.2), (7, 1000, 0.8), (8, 200, 1.2), (9, 40, 0.5)]:
    print(f"pareto {k}: {float(az.psislw(log_weights(seed, n, k))[1]):.15g}")
