"""The same field by peers: JAX (jitted) and PyTorch (eager), on one thread of the processor.

What is timed
    forward        z -> x and log_det, 20 RK4 steps with the trace log-determinant, 50 radial and 10 time
                   functions: the model and the latent points of benches/field.rs. What depends on the
                   parameters alone (weights collapsed at the 41 stage times) is made beforehand, as in a Plan.
    training_step  maximum-likelihood loss of 64 samples by the inverse pass and its gradient with respect to
                   all parameters, in JAX: the model of benches/training.rs, without that benchmark's
                   step-error penalty, so a little less work. What depends on the parameters is in the time.

Fairness
    Each peer is written to be fast: unordered pairs, weights collapsed in time, phi and phi' from one set of
    exponentials, samples as the fast axis, chunks of the batch that stay in cache. Variants whose ranking depends
    on the machine or the batch (chunk, exponential, transpose) are raced first, and the fastest is timed. Compilation
    is not in the times. Every variant is checked against tests/vectors before anything is timed.

Use
    python -m pip install -r requirements.txt
    python peers.py --csv peers.csv

Figures are the median and the quartiles of repetitions. Only ratios within one machine and one session mean
something. The exit status is 1 where a peer does not compute what the golden vectors say.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import os
import sys
import time
from dataclasses import astuple, dataclass
from typing import Any, Callable, Hashable

TASKS = ("forward", "training_step")


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    peer: str
    system: str
    precision: str
    task: str
    batch: int
    seconds_median: float
    seconds_low: float
    seconds_high: float


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    repetitions: int
    least_seconds: float  # a repetition repeats the work until it has lasted this long
    race_rounds: int


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time the same field in JAX and PyTorch.")
    parser.add_argument("--peers", nargs="+", choices=("jax", "torch"), default=["jax", "torch"])
    parser.add_argument("--systems", nargs="+", choices=("dw4", "lj13"), default=["dw4", "lj13"])
    parser.add_argument("--precisions", nargs="+", choices=("f64", "f32"), default=["f64"])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 64, 1024], help="of the forward pass")
    parser.add_argument("--basis", choices=("gaussian", "normalised"), default="normalised")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="few repetitions")
    parser.add_argument("--csv", metavar="FILE", help="write the table there, too")
    return parser.parse_args()


def settle(threads: int) -> None:
    """Pins the process and limits thread pools; must come before any numerical library is imported."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    flags = [
        f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}",
        f"intra_op_parallelism_threads={threads}",
        # Wide vectors where the processor has them; XLA's default is 256 bits, 0 to 10 per cent slower here.
        "--xla_cpu_prefer_vector_width=512",
    ]
    os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *flags]).strip()
    os.environ["JAX_PLATFORMS"] = "cpu"
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)


def seconds(work: Callable[[], Any], repetitions: int, least: float) -> list[float]:
    """Sorted times of `work`, after one call to warm up."""
    work()
    start = time.perf_counter()
    work()
    calls = max(1, round(least / (time.perf_counter() - start)))
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        for _ in range(calls):
            work()
        times.append((time.perf_counter() - start) / calls)
    return sorted(times)


def fastest(entrants: dict[Hashable, Callable[[], Any]], rounds: int) -> Hashable:
    """The entrant with the shortest single time in interleaved rounds, which noise only lengthens."""
    best = dict.fromkeys(entrants, float("inf"))
    for _ in range(rounds):
        for name, work in entrants.items():
            best[name] = min(best[name], seconds(work, 1, 0.005)[0])
    return min(best, key=best.__getitem__)


def time_fastest(
    label: tuple[str, str, str, str, int], entrants: dict[Hashable, Callable[[], Any]], effort: Effort
) -> Row:
    winner = fastest(entrants, effort.race_rounds)
    times = seconds(entrants[winner], effort.repetitions, effort.least_seconds)
    n = len(times)
    row = Row(*label, times[n // 2], times[n // 4], times[3 * n // 4])
    figures = f"{1e3 * row.seconds_median:10.3f}  {1e3 * row.seconds_low:10.3f} {1e3 * row.seconds_high:10.3f}"
    peer, system, precision, task, batch = label
    print(f"{peer:6}{system:6}{precision:5}{task:14}{batch:6}{figures}   {winner}", flush=True)
    return row


def check_jax(precision: str, tasks: list[str]) -> None:
    import jax_peer
    from work import PRECISIONS, check_forward, golden_vectors, require

    dtype = PRECISIONS[precision]
    if "forward" in tasks:
        for exponential in ("polynomial", "xla"):
            # Two samples at a time, so that the division into chunks is checked, too.
            variant = jax_peer.Variant(2, exponential)
            build = lambda model, steps: lambda z: jax_peer.forward(model, steps, variant, dtype)(z.astype(dtype))
            check_forward(f"jax ({exponential} exp)", precision, build)
    if "training_step" in tasks:
        variants = (("polynomial", "handwritten"), ("polynomial", "checkpoint"), ("xla", "handwritten"))
        for exponential, transpose in variants:
            worst, (loose, tight) = 0.0, {"f64": (1e-8, 1e-10), "f32": (1e-3, 1e-4)}[precision]
            for golden in golden_vectors():
                variant = jax_peer.Variant(2, exponential, transpose)
                x = golden.vectors["ml"]["x"]
                arrays = jax_peer.trained_arrays(golden.model, dtype)
                run = jax_peer.loss_gradient(golden.model, golden.steps, variant, dtype)
                loss, gradient = run(arrays, jax_peer.jnp.asarray(x, dtype))
                name = f"jax {precision} {variant} {golden.name}"
                worst = max(worst, require(f"{name} loss", loss, golden.vectors["ml"]["loss"], tight))
                expected_gradient = golden.vectors["ml"]["grad"]
                # Arrays whose gradient nearly cancels have no digits of their own in single precision.
                largest = max(abs(jax_peer.np.array(g)).max() for g in expected_gradient.values())
                least = largest if precision == "f32" else 0.0
                for key, expected in expected_gradient.items():
                    # The golden gradient is that in gamma; in log gamma it is gamma times as much.
                    width = key in ("gamma", "gamma_t")
                    expected = expected * golden.model.arrays[key] if width else expected
                    ours = gradient["log_" + key if width else key]
                    worst = max(worst, require(f"{name} {key}", ours, expected, loose, least))
            name = f"jax ({exponential} exp, {transpose} transpose) {precision} loss and gradient"
            print(f"  {name}: agree with the golden vectors to {worst:.0e}", flush=True)


def check_torch(precision: str) -> None:
    import torch

    import torch_peer
    from work import PRECISIONS, check_forward

    dtype = PRECISIONS[precision]
    check_forward(
        "torch",
        precision,
        lambda model, steps: lambda z: torch_peer.forward(model, steps, 2, dtype)(torch.tensor(z.astype(dtype))),
    )


def time_jax(options: argparse.Namespace, precision: str, system: str, effort: Effort) -> list[Row]:
    import jax_peer
    from work import PRECISIONS, STEPS, SYSTEMS, TRAINING_BATCH, forward_model, latent, lattice, training_model

    shape, dtype, rows = SYSTEMS[system], PRECISIONS[precision], []
    normalised = options.basis == "normalised"
    for batch in options.batches if "forward" in options.tasks else []:
        model, z = forward_model(shape, normalised), jax_peer.jnp.asarray(latent(shape, batch), dtype)
        entrants: dict[Hashable, Callable[[], Any]] = {}
        seen = set()
        for variant in jax_peer.forward_candidates(shape.particles):
            same = (jax_peer.fitting_chunk(batch, variant.chunk), variant.exponential)
            if same not in seen:  # small batches fit into one chunk of any size
                seen.add(same)
                run = jax_peer.forward(model, STEPS, variant, dtype)
                entrants[f"chunks of {same[0]}, {variant.exponential} exp"] = lambda run=run: run(z)
        rows.append(time_fastest(("jax", system, precision, "forward", batch), entrants, effort))
    if "training_step" in options.tasks:
        model = training_model(shape, normalised)
        x = jax_peer.jnp.asarray(lattice(shape, TRAINING_BATCH), dtype)
        arrays = jax_peer.trained_arrays(model, dtype)
        entrants = {}
        for variant in jax_peer.training_candidates(shape.particles):
            run = jax_peer.loss_gradient(model, STEPS, variant, dtype)
            entrants[variant] = lambda run=run: run(arrays, x)
        label = ("jax", system, precision, "training_step", TRAINING_BATCH)
        rows.append(time_fastest(label, entrants, effort))
    return rows


def time_torch(options: argparse.Namespace, precision: str, system: str, effort: Effort) -> list[Row]:
    import torch

    import torch_peer
    from work import PRECISIONS, STEPS, SYSTEMS, forward_model, latent

    shape, dtype, rows = SYSTEMS[system], PRECISIONS[precision], []
    model = forward_model(shape, options.basis == "normalised")
    for batch in options.batches if "forward" in options.tasks else []:
        z = torch.tensor(latent(shape, batch).astype(dtype))
        entrants: dict[Hashable, Callable[[], Any]] = {}
        for chunk in sorted({min(chunk, batch) for chunk in torch_peer.candidates(shape.particles)}):
            run = torch_peer.forward(model, STEPS, chunk, dtype)
            entrants[f"chunks of {chunk}"] = lambda run=run: run(z)
        rows.append(time_fastest(("torch", system, precision, "forward", batch), entrants, effort))
    return rows


def present(peers: list[str], threads: int) -> list[str]:
    """Those of `peers` that are installed, with a note for the others."""
    found = [peer for peer in peers if importlib.util.find_spec(peer)]
    for peer in sorted(set(peers) - set(found)):
        print(f"note: {peer} is not installed; its rows are left out")
    if "torch" in found:
        import torch

        torch.set_num_threads(threads)
    return found


def write_csv(path: str, rows: list[Row]) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Row.__dataclass_fields__)
        writer.writerows(astuple(row) for row in rows)


def main() -> int:
    options = arguments()
    settle(options.threads)
    from work import Disagreement

    effort = Effort(5, 0.02, 2) if options.quick else Effort(21, 0.05, 5)
    peers = present(options.peers, options.threads)
    print("checking")
    try:
        for precision in options.precisions:
            if "jax" in peers:
                check_jax(precision, options.tasks)
            if "torch" in peers and "forward" in options.tasks:
                check_torch(precision)
    except Disagreement as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{options.basis} basis, {options.threads} thread(s); milliseconds: median, quartiles; variant")
    rows: list[Row] = []
    for precision in options.precisions:
        for system in options.systems:
            if "jax" in peers:
                rows += time_jax(options, precision, system, effort)
            if "torch" in peers:
                rows += time_torch(options, precision, system, effort)
    if options.csv:
        write_csv(options.csv, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
