"""The work that is timed: models, samples, golden vectors. NumPy only, so that a peer can be missing."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np

VECTORS = Path(__file__).resolve().parents[2] / "tests" / "vectors"
STEPS = 20
TRAINING_BATCH = 64
PRECISIONS = {"f64": np.float64, "f32": np.float32}


@dataclass(frozen=True)
class Shape:
    """N particles in D dimensions."""

    particles: int
    dimension: int

    @property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """The two particles i < j of every unordered pair."""
        return np.triu_indices(self.particles, 1)

    @property
    def incidence(self) -> np.ndarray:
        """[P][N], +1 at i and -1 at j: takes positions to pair vectors, its transpose pair forces to velocities."""
        first, second = self.pairs
        matrix = np.zeros((len(first), self.particles))
        matrix[np.arange(len(first)), first] = 1.0
        matrix[np.arange(len(first)), second] = -1.0
        return matrix


SYSTEMS = {"dw4": Shape(4, 2), "lj13": Shape(13, 3)}


@dataclass(frozen=True)
class Model:
    """Parameters as in the golden vectors: W [L][M], b [L], a, mu, gamma [M], mu_t, gamma_t [L]."""

    shape: Shape
    normalised: bool
    eps: float
    arrays: dict[str, np.ndarray]

    def cast(self, dtype: type) -> Model:
        return replace(self, arrays={name: array.astype(dtype) for name, array in self.arrays.items()})

    def collapsed(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows [2 steps + 1][R][M] and offsets [2 steps + 1]; see `moment_rows`."""
        return moment_rows(np, self.arrays, self.normalised, self.eps, steps)


def moment_rows(xp: Any, p: dict[str, Any], normalised: bool, eps: float, steps: int) -> tuple[Any, Any]:
    """What is left of phi at the stage times of a fixed grid, for NumPy or its namesake in JAX.

    With g_m(d) the Gaussians and c_m = -2 / gamma_m^2, a weighted sum of slopes is a difference of weighted sums
    of values: sum w g' = d sum (w c) g - sum (w c mu) g. So phi and phi' at one time are one product of a small
    matrix of rows with the matrix of Gaussians: 3 rows for A = sum w g and A', 3 more for S = sum g and S'.
    """
    t = (xp.arange(2 * steps + 1) / (2 * steps)).astype(p["W"].dtype)
    h = xp.exp(-(((t[:, None] - p["mu_t"]) / p["gamma_t"]) ** 2))
    if normalised:
        h = h / (eps + h.sum(1, keepdims=True))
    w = h @ p["W"]
    offset = h @ (p["b"] + p["W"] @ p["a"] ** 2)
    c = -2.0 / p["gamma"] ** 2
    rows = [w, w * c, w * (c * p["mu"])]
    if normalised:
        one = xp.ones_like(w)
        rows += [one, one * c, one * (c * p["mu"])]
    return xp.stack(rows, 1), offset


def radial_from_moments(moments: Any, d: Any, offset: Any, normalised: bool, eps: float) -> tuple[Any, Any]:
    """phi and phi' from the products of `moment_rows` with the Gaussians at the distances `d`."""
    value, slope = moments[0], d * moments[1] - moments[2]
    if normalised:
        norm = 1.0 / (eps + moments[3])
        value = value * norm
        slope = (slope - value * (d * moments[4] - moments[5])) * norm
    return value + offset, slope


def forward_model(shape: Shape, normalised: bool) -> Model:
    """That of benches/field.rs: an even grid with small weights."""
    m, l = 50, 10
    arrays = {
        "W": 0.02 * np.sin(0.7 * np.arange(l * m)).reshape(l, m),
        "mu": np.linspace(0.0, 8.0, m),
        "gamma": np.full(m, 0.4),
        "mu_t": np.linspace(0.0, 1.0, l),
        "gamma_t": np.full(l, 0.2),
    }
    return Model(shape, normalised, 1e-6, {"b": np.zeros(l), "a": np.zeros(m), **arrays})


def training_model(shape: Shape, normalised: bool) -> Model:
    """That of benches/training.rs but for the random digits of the weights."""
    m, l = 50, 10
    arrays = {
        "W": 0.01 * np.random.default_rng(1).normal(size=(l, m)),
        "mu": np.linspace(0.0, 16.0, m),
        "gamma": np.full(m, 0.5),
        "mu_t": np.linspace(0.0, 1.0, l),
        "gamma_t": np.full(l, 0.3),
    }
    return Model(shape, normalised, 1e-6, {"b": np.zeros(l), "a": np.zeros(m), **arrays})


def latent(shape: Shape, batch: int) -> np.ndarray:
    """Coordinates spread over (-2, 2) by the golden ratio, as in benches/field.rs."""
    i = np.arange(batch * shape.particles * shape.dimension)
    return (4.0 * (i * 0.618_033_988_749_895 % 1.0) - 2.0).reshape(batch, shape.particles, shape.dimension)


def lattice(shape: Shape, batch: int) -> np.ndarray:
    """Sites of a cubic lattice, each moved a little, as in benches/training.rs."""
    sites = [[i // 3**k % 3 for k in range(shape.dimension)] for i in range(shape.particles)]
    noise = np.random.default_rng(2).normal(size=(batch, shape.particles, shape.dimension))
    return 1.1 * np.array(sites) + 0.05 * noise


@dataclass(frozen=True)
class Golden:
    """One file of tests/vectors."""

    name: str
    model: Model
    steps: int
    vectors: dict[str, Any]


def golden_vectors() -> Iterator[Golden]:
    for path in sorted(VECTORS.glob("*.json")):
        v = json.loads(path.read_text())
        names = ("W", "b", "a", "mu", "gamma", "mu_t", "gamma_t")
        shape = Shape(v["n_particles"], v["dimension"])
        arrays = {name: np.array(v[name]) for name in names}
        model = Model(shape, v["basis"] == "normalized", v["eps"], arrays)
        yield Golden(v["name"], model, v["flow"]["steps"], v)


class Disagreement(Exception):
    """A peer does not compute what it should."""


def require(what: str, ours: Any, theirs: Any, tolerance: float, least_scale: float = 0.0) -> float:
    """The largest difference in units of the largest magnitude; more than `tolerance` is a Disagreement."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    scale = max(np.abs(theirs).max(), least_scale)
    error = float(np.abs(ours - theirs).max() / (scale if scale > 0.0 else 1.0))
    if not error <= tolerance:  # so that NaN fails
        raise Disagreement(f"{what}: off by {error:.1e}, allowed {tolerance:.0e}")
    return error


Forward = Callable[[np.ndarray], tuple[Any, Any]]


def check_forward(peer: str, precision: str, build: Callable[[Model, int], Forward]) -> None:
    """Compares x and log_det of `build(model, steps)(z)` with every golden file."""
    worst, tolerance = 0.0, {"f64": 1e-10, "f32": 1e-4}[precision]
    for golden in golden_vectors():
        flow = golden.vectors["flow"]
        x, log_det = build(golden.model, golden.steps)(np.array(flow["z"]))
        name = f"{peer} {precision} {golden.name}"
        worst = max(worst, require(f"{name} x", x, flow["x"], tolerance))
        worst = max(worst, require(f"{name} log_det", log_det, flow["log_det"], tolerance))
    print(f"  {peer} {precision} forward: agrees with the golden vectors to {worst:.0e}", flush=True)
