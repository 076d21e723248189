"""The field in eager PyTorch, as a careful user writes it: no autograd, in place where that is safe.

Samples are the fast axis and positions a matrix [N][D n], so that pair vectors and velocities are one plain
product each with the incidence matrix. Variants that lost (microseconds an operation, LJ-13, 64 samples):
- Positions [D][N][n] and a broadcast product: 29 against 17; fancy indexing 40; `index_select` and `index_add_`
  14 and 28, no gain over two products of 17.
- `torch.linalg.vector_norm(dim)`: 462 against 19 for the square root of a sum of squares.
- Gaussians [K][M] instead of [M][K]: 3.3 to 3.5 ns a Gaussian against 2.8 to 3.2.
- Ordered pairs: twice the Gaussians, which take most of the time; not tried.
- The exponent as a product of [1, d, d^2] with a matrix: a tenth faster, but it cancels, badly so in float32.
"""

from __future__ import annotations

from typing import Callable, Iterator

import numpy as np
import torch

from work import Forward, Model, radial_from_moments

PRECISIONS = {np.float64: torch.float64, np.float32: torch.float32}


def evaluator(model: Model, steps: int, dtype: torch.dtype) -> Callable[..., tuple[torch.Tensor, torch.Tensor]]:
    """(stage, x [N][D n]) -> velocity and divergence."""
    rows, offsets = (torch.tensor(a, dtype=dtype) for a in model.collapsed(steps))
    offsets = offsets.tolist()
    mu = torch.tensor(model.arrays["mu"], dtype=dtype)[:, None]
    scale = (1.0 / torch.tensor(model.arrays["gamma"], dtype=dtype))[:, None]
    incidence = torch.tensor(model.shape.incidence, dtype=dtype)
    transposed = incidence.T.contiguous()
    dimension = model.shape.dimension

    def evaluate(stage: int, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        batch = x.shape[1] // dimension
        r = (incidence @ x).view(-1, dimension, batch)
        d = r.square().sum(1).sqrt_()
        flat = d.view(-1)
        z = (flat - mu).mul_(scale)
        sums = rows[stage] @ z.mul_(z).neg_().exp_()
        phi, slope = radial_from_moments(sums, flat, offsets[stage], model.normalised, model.eps)
        v = transposed @ r.mul_(phi.view(-1, 1, batch)).view(-1, dimension * batch)
        divergence = (flat * slope).add_(phi, alpha=dimension).view_as(d).sum(0)
        return v, divergence.mul_(2.0)

    return evaluate


def forward(model: Model, steps: int, chunk: int, dtype: type) -> Forward:
    """z [n][N][D] -> x and log_det."""
    evaluate = evaluator(model, steps, PRECISIONS[dtype])
    h = 1.0 / steps

    def solve(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        log_det = torch.zeros(x.shape[1] // model.shape.dimension, dtype=x.dtype)
        for k in range(0, 2 * steps, 2):
            k1, l1 = evaluate(k, x)
            k2, l2 = evaluate(k + 1, torch.add(x, k1, alpha=0.5 * h))
            k3, l3 = evaluate(k + 1, torch.add(x, k2, alpha=0.5 * h))
            k4, l4 = evaluate(k + 2, torch.add(x, k3, alpha=h))
            x = torch.add(x, k1.add_(k4).add_(k2.add_(k3), alpha=2.0), alpha=h / 6.0)
            log_det.add_(l1.add_(l4).add_(l2.add_(l3), alpha=2.0), alpha=h / 6.0)
        return x, log_det

    @torch.inference_mode()
    def run(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        parts = [solve(part.permute(1, 2, 0).reshape(z.shape[1], -1)) for part in z.split(chunk)]
        x = torch.cat([x.view(*z.shape[1:], -1).permute(2, 0, 1) for x, _ in parts])
        return x, torch.cat([log_det for _, log_det in parts])

    return run


def candidates(particles: int) -> Iterator[int]:
    """Chunk sizes worth racing: an eager operation costs microseconds, so larger ones than in JAX."""
    yield from (8, 16, 64) if particles > 4 else (64, 256, 1024)
