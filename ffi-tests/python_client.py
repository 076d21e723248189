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


def kinds(plan, potential, well):
    """Every kind of chain from its start: its step, and the arrays that it moves; the configurations are the first, their
    energies the second."""
    x, log_prob = plan.sample(1, 0, 50)
    u, grad = well.energy(x, gradient=True)
    z = eqflow.prior_sample(1, 0, 50, 4, 2, plan.dtype)
    latent = eqflow.latent_start(plan, potential, z, gradient=True)
    start = {
        "metropolis": (0.3, (x, u)),
        "metropolis_particle": (0.5, (x, u)),
        "hmc": (0.1, (x, u, grad)),
        "mala": (0.1, (x, u, grad)),
        "independence": (None, (x, u, log_prob)),
        "latent_metropolis": (0.3, (z, *latent[:3])),
        "latent_hmc": (0.1, (z, *latent)),
    }
    for name, (step_size, arrays) in start.items():
        arrays, with_plan = [array.copy() for array in arrays], name[0] in "il"
        more = {} if step_size is None else {"step_size": step_size}
        if "hmc" in name:
            more["leapfrogs"] = 3
        function = getattr(eqflow, name)

        def move(potential, step, accepted, function=function, arrays=arrays, with_plan=with_plan, more=more):
            before = (plan, potential) if with_plan else (potential,)
            function(*before, *arrays, **more, seed=2, first=0, step=step, accepted=accepted)

        yield name, move, arrays[1:] + arrays[:1] if name.startswith("latent") else arrays


def chains(model, dtype, tolerance):
    """Markov steps with a built-in potential and with the same one written in Python give the same bits, energies are those
    of the configurations, and what Python raises in a potential arrives."""
    plan, well = eqflow.Plan(model, dtype=dtype), eqflow.DoubleWell()

    def broken(x):
        raise KeyError("broken potential")

    def with_gradients(x):
        return well.energy(np.array(x), gradient=True)

    def without(x):
        return well.energy(np.array(x))

    for (name, built_in, ours), (_, own, theirs) in zip(kinds(plan, well, well), kinds(plan, with_gradients, well)):
        takes_gradients = "hmc" in name or name == "mala"
        accepted, again = np.zeros(50, np.uint64), np.zeros(50, np.uint64)
        for step in range(20):
            built_in(well, step, accepted)
            own(with_gradients if takes_gradients else without, step, again)
        assert 0 < accepted.sum() < 1000 and (accepted == again).all(), name
        assert all((a == b).all() for a, b in zip(ours, theirs)), name
        x, u = ours[:2]
        assert np.allclose(u, well.energy(x), rtol=tolerance, atol=tolerance), name
        if name.startswith("latent"):
            assert (plan.forward(ours[-1])[0] == x).all(), name
        before = [array.copy() for array in ours]
        raises(KeyError, "broken potential", built_in, broken, 20, None)
        if takes_gradients:  # energies alone are refused
            raises(ValueError, "", built_in, without, 20, None)
        assert all((a == b).all() for a, b in zip(ours, before)), name
    x = plan.sample(1, 0, 3)[0]
    u, grad = well.energy(x, gradient=True)
    raises(ValueError, "grad: shape (3, 4, 2)", eqflow.hmc, well, x, u, grad[:2], 0.1, 2, seed=1, first=0, step=0)
    raises(TypeError, "grad: a NumPy array", eqflow.mala, well, x, u, None, 0.1, seed=1, first=0, step=0)
    raises(eqflow.Error, "step_size", eqflow.mala, well, x, u, grad, -0.1, seed=1, first=0, step=0)


def exchanges(model, dtype):
    """Two replicas of one potential at two temperatures change places where the chance allows, configurations with their
    energies; and the gradient that latent chains follow is that of finite differences."""
    plan, cold, hot = eqflow.Plan(model, dtype=dtype), eqflow.DoubleWell(), eqflow.DoubleWell(tau=1.5)
    x, x_other = plan.sample(1, 0, 50)[0], plan.sample(1, 50, 50)[0]
    before, before_other = x.copy(), x_other.copy()
    u, u_other, accepted = cold.energy(x), hot.energy(x_other), np.zeros(50, np.uint64)
    cross, cross_other = cold.energy(x_other), hot.energy(x)
    chance = np.minimum(1.0, np.exp(np.float64(u) + u_other - cross - cross_other))
    eqflow.exchange(x, u, cross, x_other, u_other, cross_other, seed=3, first=0, step=0, accepted=accepted)
    moved = accepted.astype(bool)
    assert moved[chance == 1.0].all() and not moved[chance < 1e-6].any() and 0 < moved.sum() < 50
    assert (x == np.where(moved[:, None, None], before_other, before)).all()
    assert (x_other == np.where(moved[:, None, None], before, before_other)).all()
    assert (u == cold.energy(x)).all() and (u_other == hot.energy(x_other)).all()


def pulled(model):
    """The transpose of the flow against finite differences of u(F(z)) - log|det dF/dz|."""
    plan, well = eqflow.Plan(model), eqflow.DoubleWell()
    z = eqflow.prior_sample(1, 0, 5, 4, 2)

    def potential(z):
        x, log_det = plan.forward(z)
        return well.energy(x) - log_det

    x, _ = plan.forward(z)
    grad = plan.pull_gradient(z, well.energy(x, gradient=True)[1], np.full(5, -1.0))
    step = np.zeros_like(z)
    step[:, 0, 0], step[:, 1, 0] = 1e-5, -1e-5  # keeps the centre of mass
    slope = (potential(z + step) - potential(z - step)) / 2e-5
    assert np.allclose(slope, grad[:, 0, 0] - grad[:, 1, 0], rtol=1e-6, atol=1e-6)
    latent = eqflow.latent_start(plan, well, z, gradient=True)[3]  # without the centre of mass
    assert np.allclose(grad - grad.mean(axis=1, keepdims=True), latent, rtol=1e-11, atol=1e-11)


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
        chains(model, dtype, 1e-13 if dtype == np.float64 else 1e-5)
        exchanges(model, dtype)
    places(model)
    models(path)
    pulled(model)
    print(f"python client: eqflow {eqflow.version()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
