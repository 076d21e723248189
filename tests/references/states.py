"""Reference values of tests/estimators.rs: `python tests/references/states.py`, with pymbar 4.0.3 (numpy 2.4).

Four harmonic states, the last without samples; samples are sums of twelve numbers of an exact generator.
"""

import numpy as np
from pymbar import MBAR
from pymbar.other_estimators import bar


def uniforms(seed):
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield ((state >> 11) + 0.5) / 9007199254740992.0


CENTERS = [0.0, 0.8, 1.9, 1.2]
STIFFNESS = [1.0, 1.5, 0.7, 2.0]
COUNTS = [60, 40, 50, 0]

u = uniforms(11)
x = []
for center, stiffness, count in zip(CENTERS, STIFFNESS, COUNTS):
    for _ in range(count):
        normal = -6.0
        for _ in range(12):
            normal += next(u)
        x.append(center + normal / np.sqrt(stiffness))
x = np.array(x)
energies = np.array([0.5 * k * (x - c) ** 2 for c, k in zip(CENTERS, STIFFNESS)])

mbar = MBAR(energies, COUNTS, relative_tolerance=1e-13, maximum_iterations=100000)
result = mbar.compute_free_energy_differences()
np.set_printoptions(precision=15)
print("f", result["Delta_f"][0], "error", result["dDelta_f"][0])
print("f 1 to 3", result["Delta_f"][1, 3], result["dDelta_f"][1, 3])
means = mbar.compute_expectations(x)
print("mean x", means["mu"], "error", means["sigma"])
print("overlap", mbar.compute_overlap()["matrix"][0])
forward = (energies[1] - energies[0])[:60]
reverse = (energies[0] - energies[1])[60:100]
print("bar", bar(forward, reverse, relative_tolerance=1e-14))
