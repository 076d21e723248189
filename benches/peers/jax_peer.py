"""The field in JAX. Import only after the process was pinned and XLA_FLAGS set.

Variants that lost, and by how much. Measured on one core of an AMD EPYC (Zen 4) with jax 0.10.2, float64, LJ-13,
forward pass of a batch of 64 unless said otherwise, with XLA's exp and no chunks unless said otherwise, against 51 ms
of the variant kept in the same interleaved run; the machine was not idle, so 10 per cent mean nothing.

- Gaussians [K][M] instead of [M][K]: 57 ms against 51 (samples fast) and 63 against 53 (samples slow).
- Samples as the slow axis, x [n][D][N]: 53 ms against 51, within the noise.
- No matrix product but a scan over the 50 Gaussians with four sums carried, unrolled tenfold: 62 ms; unrolled
  entirely: 82 ms, though nothing is stored then. Plain sums over one axis: twice the time of the product.
  `lax.reduce` of four operands at once: three to four times.
- XLA's own exp: about 55 per cent more time than the polynomial by Estrin's scheme (1024 samples, chunks of 16); a
  Taylor polynomial of degree 11 by Horner's 10 to 30 per cent more, the one kept by Horner's 0 to 20 per cent more.
- Velocities by `.at[].add` 59 ms, by a gather of the N - 1 forces on each particle 56 ms, by a dense [N][N] matrix
  of phi 58 ms, by the incidence matrix 51 ms; pair vectors by the incidence matrix 55 ms. In quieter rounds these
  are equal within 5 per cent (fastest rounds 43 to 46 ms).
- The scan over steps unrolled by two: equal. One evaluation in a scan over the 80 stages: equal at 64 samples,
  10 per cent slower for DW-4 at one sample.
- No chunks: 15 per cent slower for LJ-13 at 64 samples than chunks of 8 or 16, which are equal; for DW-4 at 1024
  samples 5 to 20 per cent slower than chunks of 64.

Loss and gradient, LJ-13, a batch of 64 in chunks of 16:
- Plain reverse mode 304 ms; `jax.checkpoint` of a step 215 ms, of the moments 203 ms, of one evaluation 161 ms,
  of moments and step 199 ms; the handwritten transpose of the moments 168 ms. All with XLA's exp; with the
  polynomial: checkpoint of the moments 139 ms, handwritten 120 to 128 ms. Handwritten and a checkpoint of the
  evaluation: 10 per cent slower at most.
- Chunks of 32 and 64: 19 and 46 per cent slower than chunks of 16 (fastest rounds).
- A handwritten transpose with the sums over pairs and Gaussians as matrix products: equal within the noise, and it
  loses two digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from work import Forward, Model, moment_rows, radial_from_moments

jax.config.update("jax_enable_x64", True)


@dataclass(frozen=True)
class Variant:
    """What is worth choosing anew on another machine; the rest was settled once (see above)."""

    chunk: int  # samples at a time, so that the Gaussians stay in cache
    exponential: str = "polynomial"  # or "xla"
    transpose: str = "handwritten"  # or "checkpoint"; only for the gradient

    def __str__(self) -> str:
        return f"chunks of {self.chunk}, {self.exponential} exp, {self.transpose} transpose"


def fitting_chunk(batch: int, wanted: int) -> int:
    """The largest divisor of `batch` that is not above `wanted`."""
    return max(c for c in range(1, min(batch, wanted) + 1) if batch % c == 0)


# Exponentials ------------------------------------------------------------------------------------------------


def interpolant(degree: int) -> list[float]:
    """Coefficients of 2^f for |f| <= 1/2 from Chebyshev nodes: 2e-16 with degree 10, 1e-8 with degree 6."""
    nodes = np.polynomial.chebyshev.chebpts1(degree + 1) / 2
    fit = np.polynomial.Polynomial.fit(nodes, 2.0**nodes, degree, domain=[-0.5, 0.5], window=[-0.5, 0.5])
    return [float(c) for c in fit.coef]


FLOATS = {"float64": (jnp.int64, 52, 1023, interpolant(10)), "float32": (jnp.int32, 23, 127, interpolant(6))}


@jax.custom_jvp
def exp2_neg(w: jax.Array) -> jax.Array:
    """2^-w for w >= 0, never subnormal. Cheaper than XLA's exp, which takes arguments that do not occur here."""
    integer, mantissa, bias, coefficients = FLOATS[w.dtype.name]
    w = jnp.minimum(w, float(bias - 1))
    n = jnp.round(w)
    power, terms = n - w, [jnp.asarray(c, w.dtype) for c in coefficients]
    while len(terms) > 1:  # Estrin's scheme: a shorter chain of dependent operations than Horner's
        even, odd = terms[0::2], terms[1::2]
        terms = [a + power * b for a, b in zip(even, odd)] + even[len(odd) :]
        power = power * power
    scale = lax.bitcast_convert_type((bias - n.astype(integer)) << mantissa, w.dtype)
    return terms[0] * scale


@exp2_neg.defjvp
def _exp2_neg_jvp(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    g = exp2_neg(*primals)
    return g, -math.log(2.0) * g * tangents[0]


# base^-w, and ln base: a Gaussian is base^-((d - mu) s)^2 with s = 1 / (gamma sqrt(ln base)).
EXPONENTIALS: dict[str, tuple[Callable[[jax.Array], jax.Array], float]] = {
    "polynomial": (exp2_neg, math.log(2.0)),
    "xla": (lambda w: jnp.exp(-w), 1.0),
}


# Moments: rows [R][M] times the Gaussians at K distances -----------------------------------------------------


def moments_function(variant: Variant) -> Callable[..., jax.Array]:
    """(d [K], rows [R][M], mu [M], s [M]) -> [R][K], never keeping the M x K Gaussians for the way back."""
    exponential, log_base = EXPONENTIALS[variant.exponential]

    def gaussians(d: jax.Array, mu: jax.Array, s: jax.Array) -> jax.Array:
        z = (d - mu[:, None]) * s[:, None]
        return exponential(z * z)

    def plain(d: jax.Array, rows: jax.Array, mu: jax.Array, s: jax.Array) -> jax.Array:
        return rows @ gaussians(d, mu, s)

    if variant.transpose == "checkpoint":
        return jax.checkpoint(plain)

    def backward(saved: Any, bar: jax.Array) -> tuple[jax.Array, ...]:
        d, rows, mu, s = saved
        g = gaussians(d, mu, s)
        u = d - mu[:, None]
        e = (-2.0 * log_base) * ((rows.T @ bar) * g * u)
        return (s * s) @ e, bar @ g.T, -(s * s) * e.sum(1), s * (e * u).sum(1)

    handwritten = jax.custom_vjp(plain)
    handwritten.defvjp(lambda *inputs: (plain(*inputs), inputs), backward)
    return handwritten


# Field, solver, gradient -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tables:
    """All that a pass needs of the parameters."""

    rows: jax.Array  # [steps][3][R][M]: of the three stage times of each step
    offsets: jax.Array  # [steps][3]
    mu: jax.Array
    scale: jax.Array


jax.tree_util.register_dataclass(Tables, data_fields=["rows", "offsets", "mu", "scale"], meta_fields=[])


def tables(model: Model, arrays: dict[str, jax.Array], steps: int, variant: Variant) -> Tables:
    rows, offsets = moment_rows(jnp, arrays, model.normalised, model.eps, steps)

    def by_step(values: jax.Array) -> jax.Array:
        return jnp.stack([values[0:-1:2], values[1::2], values[2::2]], 1)

    scale = 1.0 / (math.sqrt(EXPONENTIALS[variant.exponential][1]) * arrays["gamma"])
    return Tables(by_step(rows), by_step(offsets), arrays["mu"], scale)


def solver(model: Model, steps: int, variant: Variant, dtype: type) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """(tables, x [D][N][n], backward?) -> end points and log-determinants. Samples are the fast axis."""
    moments = moments_function(variant)
    incidence = jnp.asarray(model.shape.incidence, dtype)
    first, second = model.shape.pairs

    def evaluate(table: Tables, rows: jax.Array, offset: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        r = x[:, first] - x[:, second]
        d = jnp.sqrt((r * r).sum(0))  # [P][n]; no gradient where particles coincide
        flat = d.reshape(-1)
        sums = moments(flat, rows, table.mu, table.scale)
        phi, slope = radial_from_moments(sums, flat, offset, model.normalised, model.eps)
        phi, slope = phi.reshape(d.shape), slope.reshape(d.shape)
        v = jnp.einsum("pi,kpn->kin", incidence, phi * r)
        return v, 2.0 * (d * slope + model.shape.dimension * phi).sum(0)

    def solve(table: Tables, x: jax.Array, backward: bool = False) -> tuple[jax.Array, jax.Array]:
        h = (-1.0 if backward else 1.0) / steps
        order = [2, 1, 0] if backward else [0, 1, 2]

        def step(state: Any, stage: Any) -> tuple[Any, None]:
            (x, log_det), (rows, offsets) = state, stage
            a, b, c = order
            k1, l1 = evaluate(table, rows[a], offsets[a], x)
            k2, l2 = evaluate(table, rows[b], offsets[b], x + 0.5 * h * k1)
            k3, l3 = evaluate(table, rows[b], offsets[b], x + 0.5 * h * k2)
            k4, l4 = evaluate(table, rows[c], offsets[c], x + h * k3)
            x = x + h / 6.0 * (k1 + 2.0 * (k2 + k3) + k4)
            return (x, log_det + h / 6.0 * (l1 + 2.0 * (l2 + l3) + l4)), None

        start = (x, jnp.zeros(x.shape[-1], x.dtype))
        return lax.scan(step, start, (table.rows, table.offsets), reverse=backward)[0]

    return solve


def forward(model: Model, steps: int, variant: Variant, dtype: type) -> Forward:
    """z [n][N][D] -> x and log_det; the parameters are fixed, so their tables are made here, once."""
    arrays = {name: jnp.asarray(a) for name, a in model.cast(dtype).arrays.items()}
    table = jax.block_until_ready(jax.jit(lambda a: tables(model, a, steps, variant))(arrays))
    solve = solver(model, steps, variant, dtype)

    def one(table: Tables, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        x, log_det = solve(table, z.transpose(2, 1, 0))
        return x.transpose(2, 1, 0), log_det

    @jax.jit
    def run(table: Tables, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        chunk = fitting_chunk(z.shape[0], variant.chunk)
        if chunk == z.shape[0]:
            return one(table, z)
        x, log_det = lax.map(lambda part: one(table, part), z.reshape(-1, chunk, *z.shape[1:]))
        return x.reshape(z.shape), log_det.reshape(-1)

    return lambda z: jax.block_until_ready(run(table, z))


def loss_gradient(model: Model, steps: int, variant: Variant, dtype: type) -> Callable[..., Any]:
    """(arrays, x [n][N][D]) -> mean of -log p(x) and its gradient; bandwidths enter as log_gamma, log_gamma_t.

    Forward and backward go chunk by chunk: only the tables' cotangents are added up, and pulled back once.
    """
    solve = solver(model, steps, variant, dtype)
    particles, dimension = model.shape.particles, model.shape.dimension
    constant = 0.5 * math.log(2.0 * math.pi) * (particles - 1) * dimension

    def of_arrays(p: dict[str, jax.Array]) -> Tables:
        widths = {"gamma": jnp.exp(p["log_gamma"]), "gamma_t": jnp.exp(p["log_gamma_t"])}
        return tables(model, {**p, **widths}, steps, variant)

    def chunk_loss(table: Tables, x: jax.Array) -> jax.Array:
        z, log_det = solve(table, x.transpose(2, 1, 0), backward=True)
        z = z - z.mean(1, keepdims=True)
        return 0.5 * (z * z).sum() - log_det.sum() + constant * x.shape[0]

    @jax.jit
    def run(arrays: dict[str, jax.Array], x: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        table, pull_back = jax.vjp(of_arrays, arrays)
        chunk = fitting_chunk(x.shape[0], variant.chunk)

        def add(total: Any, part: jax.Array) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, total, jax.value_and_grad(chunk_loss)(table, part)), None

        zero = (jnp.zeros((), x.dtype), jax.tree.map(jnp.zeros_like, table))
        total, _ = lax.scan(add, zero, x.reshape(-1, chunk, *x.shape[1:]))
        loss, bar = jax.tree.map(lambda value: value / x.shape[0], total)
        return loss, pull_back(bar)[0]

    return lambda arrays, x: jax.block_until_ready(run(arrays, x))


def trained_arrays(model: Model, dtype: type) -> dict[str, jax.Array]:
    """The parameters as they are trained: bandwidths as logarithms."""
    arrays = dict(model.arrays)
    arrays["log_gamma"] = np.log(arrays.pop("gamma"))
    arrays["log_gamma_t"] = np.log(arrays.pop("gamma_t"))
    return {name: jnp.asarray(a, dtype) for name, a in arrays.items()}


def forward_candidates(particles: int) -> Iterator[Variant]:
    """Worth racing: chunks whose Gaussians (50 P n numbers) fill a quarter to all of a 1 MiB second-level cache."""
    for exponential in ("polynomial", "xla"):
        for chunk in (8, 16, 32) if particles > 4 else (64, 128, 512):
            yield Variant(chunk, exponential)


def training_candidates(particles: int) -> Iterator[Variant]:
    small, large = (8, 16) if particles > 4 else (32, 64)
    yield Variant(small)
    yield Variant(large)
    yield Variant(large, transpose="checkpoint")
    yield Variant(large, exponential="xla")
