"""The Python client: its numbers against one another, its errors, and that nothing is copied.

    python python_client.py model.eqf layout.txt"""

import ctypes
import pathlib
import sys

import numpy as np

import eqflow


def raises(kind, words, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except kind as error:
        assert words in str(error), f"{error} does not say {words}"
        return error
    raise AssertionError(f"{call} did not fail with {words}")


def plans(model, dtype, tolerance):
    """The calls of a plan agree with one another."""
    plan = eqflow.Plan(model, dtype=dtype)
    x, log_prob = plan.sample(seed=3, first=5, n=100)
    assert x.dtype == dtype and x.shape == (100, 4, 2)
    again, _ = plan.sample(seed=3, first=55, n=50)
    assert (again == x[50:]).all()
    z = eqflow.prior_sample(3, 5, 100, 4, 2, dtype)
    mapped, log_det = plan.forward(z)
    assert (mapped == x).all()
    assert np.allclose(eqflow.prior_log_prob(z) - log_det, log_prob, rtol=0, atol=tolerance)
    back, log_det_back = plan.inverse(x)
    density, score = plan.log_prob(x, gradient=True)
    assert (density == plan.log_prob(x)).all()
    assert np.allclose(eqflow.prior_log_prob(back) + log_det_back, density, rtol=0, atol=tolerance)
    # Moving every particle by the same length changes no density.
    assert abs(score.sum(axis=1)).max() < 1e-3 * abs(score).max()
    v, div = plan.field(0.5, x)
    phi, slope = plan.radial(0.5, np.linspace(0, 8, 50, dtype=dtype))
    assert np.isfinite(v).all() and np.isfinite(div).all() and np.isfinite(phi).all() and np.isfinite(slope).all()
    for threads in (1, 2):
        assert (plan.forward(z, threads=threads)[0] == x).all()
    if dtype == np.float64:
        u, du = eqflow.DoubleWell().energy(x, gradient=True)
        step = np.zeros_like(x)
        step[:, 1, 0] = 1e-6
        well = eqflow.DoubleWell()
        slope = (well.energy(x + step) - well.energy(x - step)) / 2e-6
        assert np.allclose(slope, du[:, 1, 0], rtol=1e-5, atol=1e-5)
    return x


def places(model):
    """Outputs are written in place, inputs refused rather than copied, and failures leave outputs alone."""
    plan = eqflow.Plan(model)
    x, log_prob = np.full((7, 4, 2), 8.0), np.full(7, 9.0)
    out = plan.sample(1, 0, 7, out=(x, log_prob))
    assert out[0] is x and (x == plan.sample(1, 0, 7)[0]).all()
    raises(ValueError, "z: must be C-contiguous", plan.forward, np.zeros((7, 4, 4))[:, :, ::2])
    raises(TypeError, "z: dtype float64", plan.forward, np.zeros((7, 4, 2), np.float32))
    raises(ValueError, "z: shape (n, 4, 2)", plan.forward, np.zeros((7, 2, 4)))
    raises(ValueError, "out[x]: shape", plan.sample, 1, 0, 7, out=(x[:3], log_prob))
    bad = plan.sample(1, 0, 3)[0]
    bad[2, 1, 0] = np.nan
    kept = np.full((3, 4, 2), 8.0), np.full(3, 9.0)
    error = raises(eqflow.Error, "z, index 18", plan.forward, bad, out=kept)
    assert error.argument == "z" and error.index == 18 and (kept[0] == 8).all() and (kept[1] == 9).all()
    raises(eqflow.Error, "magic", eqflow.Model.parse, b"no model" * 20)
    raises(eqflow.Error, "config.steps", eqflow.Plan, model, eqflow.Config(steps=0))
    raises(TypeError, "dtype: float64 or float32", eqflow.Plan, model, dtype=np.float16)
    # Arrays of smaller numbers would be written past their end.
    for dtype in (np.float16, np.int32, np.int64):
        raises(TypeError, "dtype: float64 or float32", eqflow.prior_sample, 1, 0, 5, 4, 2, dtype)
        raises(TypeError, "x: a NumPy array of float64", eqflow.remove_com, np.zeros((5, 4, 2), dtype))
    raises(TypeError, "stepps", eqflow.Config, stepps=3)


def models(path):
    """A model of arrays writes the file that it was read from, up to what the file does not say."""
    model = eqflow.Model.open(path)
    assert model.file() == pathlib.Path(path).read_bytes()
    rng = np.random.default_rng(1)
    weights, mu, gamma = rng.normal(size=(3, 5)), np.linspace(0, 4, 5), np.full(5, 1.5)
    mu_time, gamma_time = np.linspace(0, 1, 3), np.full(3, 0.4)
    own = eqflow.Model(5, 3, weights, mu, gamma, mu_time, gamma_time, basis="gaussian")
    phi, _ = eqflow.Plan(own).radial(0.3, np.array([0.7, 2.0]))
    radial = np.exp(-(((np.array([[0.7], [2.0]]) - mu) / gamma) ** 2))
    expected = radial @ weights.T @ np.exp(-(((0.3 - mu_time) / gamma_time) ** 2))
    assert np.allclose(phi, expected, rtol=1e-11, atol=1e-11), (phi, expected)
    raises(ValueError, "basis", eqflow.Model, 5, 3, weights, mu, gamma, mu_time, gamma_time, basis="spline")
    raises(ValueError, "gamma: shape (5,)", eqflow.Model, 5, 3, weights, mu, gamma[:4].copy(), mu_time, gamma_time)


def chains(model):
    """Markov steps with a built-in potential and with the same one written in Python give the same bits, and what
    Python raises in a potential arrives."""
    plan, well = eqflow.Plan(model), eqflow.DoubleWell()
    results = []
    for potential in (well, lambda x: well.energy(np.array(x))):
        x, log_prob = plan.sample(1, 0, 50)
        u, accepted = well.energy(x), np.zeros(50, np.uint64)
        for step in range(20):
            eqflow.metropolis(potential, x, u, 0.3, seed=2, first=0, step=step, accepted=accepted)
        log_prob = plan.log_prob(x)
        for step in range(20):
            eqflow.independence(plan, potential, x, u, log_prob, seed=4, first=0, step=step, accepted=accepted)
        assert 0 < accepted.sum() < 2000 and np.allclose(u, well.energy(x), rtol=1e-13, atol=1e-13)
        results.append((x, u, log_prob, accepted))
    for ours, theirs in zip(*results):
        assert (ours == theirs).all()
    x, u = results[0][:2]
    before = x.copy()

    def broken(x):
        raise KeyError("broken potential")

    raises(KeyError, "broken potential", eqflow.metropolis, broken, x, u, 0.3, seed=2, first=0, step=0)
    assert (x == before).all()


def layout(path):
    """Structures are laid out as in C."""
    lines = pathlib.Path(path).read_text().splitlines()
    assert len(lines) > 50
    for line in lines:
        structure, field, offset, size = line.split()
        kind = getattr(eqflow.c, structure)
        if field == ".":
            assert (int(offset), int(size)) == (0, ctypes.sizeof(kind)), line
        else:
            assert (int(offset), int(size)) == (getattr(kind, field).offset, getattr(kind, field).size), line


def main(path, layout_path):
    layout(layout_path)
    model = eqflow.Model.open(path)
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-4)):
        plans(model, dtype, tolerance)
    places(model)
    models(path)
    chains(model)
    print(f"python client: eqflow {eqflow.version()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
