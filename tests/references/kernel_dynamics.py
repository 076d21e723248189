"""Makes tests/references/kernel_dynamics.safetensors and the velocities of tests/formats.rs.

The file is a state dictionary such as the paper's authors' library saves for a flow of `KernelDynamics`: 3 particles in
the plane, 6 radial and 4 time functions, single precision, bandwidths trained. The velocities are those of the published
formula in double precision, with the distances |r| instead of sqrt(|r|^2 + 1e-6).

`python tests/references/kernel_dynamics.py` (numpy 2.4, safetensors 0.8)
"""

import pathlib

import numpy as np
from safetensors.numpy import save_file

M, L, N, D = 6, 4, 3, 2
random = np.random.default_rng(5)
tensors = {
    "_dynamics._weights": random.normal(size=(M, L)) / np.sqrt(M),
    "_dynamics._bias": 0.1 * random.normal(size=(1, L)),
    "_dynamics._importance": 0.3 * random.normal(size=M),
    "_dynamics._neg_log_gammas": -np.log(0.5 + 0.4 * random.random(M)),
    "_dynamics._neg_log_gammas_time": -np.log(0.3 + 0.1 * random.random(L)),
}
tensors = {name: value.astype(np.float32) for name, value in tensors.items()}
other = {"_prior._mean": np.zeros(N * D, np.float32)}
save_file({**tensors, **other}, pathlib.Path(__file__).with_suffix(".safetensors"))

w, b, a, g, h = (value.astype(np.float64) for value in tensors.values())
mu, mu_time = np.linspace(0.0, 5.0, M), np.linspace(0.0, 1.0, L)


def normalized(x, mean, neg_log_gamma):
    gaussians = np.exp(-((x[..., None] - mean) ** 2) * np.exp(neg_log_gamma) ** 2)
    return gaussians / (1e-6 + gaussians.sum(axis=-1, keepdims=True))


def velocity(t, x):
    r = x[:, None] - x[None, :]
    d = np.linalg.norm(r, axis=-1)
    functions = normalized(d, mu, g) + a**2
    phi = ((functions @ w + b) * normalized(np.array(t), mu_time, h)).sum(axis=-1)
    return (r * phi[..., None]).sum(axis=1)


x = np.array([[0.5, -1.0], [1.5, 2.0], [-2.0, -1.0]])
np.set_printoptions(precision=16)
for t in (0.0, 0.3, 1.0):
    print(t, velocity(t, x).ravel().tolist())
