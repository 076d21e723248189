"""Equivariant kernel flows (arXiv:2006.02425) by ctypes and NumPy, without copies.

    model = eqflow.Model.open("dw4.eqf")
    plan = eqflow.Plan(model)                          # 20 Runge-Kutta steps, double precision
    x, log_prob = plan.sample(seed=1, first=0, n=1000)
    u = eqflow.DoubleWell().energy(x)
    log_weights = -u - log_prob

Arrays are C-contiguous of the plan's dtype, `[n, N, D]` for n configurations: the library reads and writes them in
place, and anything else is refused by name rather than copied. Results go to new arrays, or to those given as
`out=(...)`. What the calls compute, their errors and which threads may make them: see eqflow.h. ctypes lets go of the
interpreter's lock during a call, so threads that share a plan run side by side.

The library is found by the variable EQFLOW_LIBRARY, beside this package, or where the system looks for libeqflow.
"""

import ctypes
import ctypes.util
import os
import pathlib
import sys

import numpy as np

from . import c

__all__ = [
    "Config",
    "DoubleWell",
    "Error",
    "LennardJones",
    "Model",
    "Plan",
    "exchange",
    "hmc",
    "independence",
    "latent_hmc",
    "latent_metropolis",
    "latent_start",
    "mala",
    "metropolis",
    "metropolis_particle",
    "prior_log_prob",
    "prior_sample",
    "remove_com",
    "version",
]


def _load():
    name = {"darwin": "libeqflow.dylib", "win32": "eqflow.dll"}.get(sys.platform, "libeqflow.so")
    beside = pathlib.Path(__file__).parent / name
    found = os.environ.get("EQFLOW_LIBRARY") or (str(beside) if beside.exists() else None)
    found = found or ctypes.util.find_library("eqflow") or name
    try:
        library = ctypes.CDLL(found)
    except OSError as error:
        raise ImportError(f"cannot load the eqflow library ({error}): set EQFLOW_LIBRARY to its path") from None
    for function, (result, arguments) in c.FUNCTIONS.items():
        loaded = getattr(library, function)
        loaded.restype, loaded.argtypes = result, arguments
    if library.eqf_abi() != c.EQF_ABI:
        raise ImportError(f"{found} has binary interface {library.eqf_abi()}, this package wants {c.EQF_ABI}")
    return library


_library = _load()


class Error(Exception):
    """A failure of the library: `status`, the name of the `argument` at fault ("" where none is known), the `index`
    in it and the offending or demanded `value`."""

    def __init__(self, status, diag=None):
        self.status = status
        self.argument = "" if diag is None else _library.eqf_argument_string(diag.argument).decode()
        self.index, self.value = (0, 0.0) if diag is None else (diag.index, diag.value)
        text = _library.eqf_status_string(status).decode()
        if diag is not None:
            text += f" ({self.argument}, index {self.index}, value {self.value:g})"
        super().__init__(text)


def _check(status, diag=None):
    if status != c.EQF_OK:
        raise Error(status, diag)


def version():
    """The library's version, "major.minor.patch"."""
    return _library.eqf_version_string().decode()


def _address(array):
    """Where an array begins; None (NULL) for no array."""
    return None if array is None else array.ctypes.data


def _array(name, array, dtype, shape=None, writes=False):
    """Checks that an array can be used as it is."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name}: a NumPy array is wanted, not {type(array).__name__}")
    if array.dtype != dtype:
        raise TypeError(f"{name}: dtype {np.dtype(dtype)} is wanted, not {array.dtype}")
    if not (array.flags.c_contiguous and array.flags.aligned):
        raise ValueError(f"{name}: must be C-contiguous and aligned")
    if writes and not array.flags.writeable:
        raise ValueError(f"{name}: is read-only")
    if shape is not None and array.shape != tuple(shape):
        raise ValueError(f"{name}: shape {tuple(shape)} is wanted, not {array.shape}")
    return array


def _configurations(name, array, dtype, particles=None):
    """Checks an array [n, N, D] and returns its shape."""
    _array(name, array, dtype)
    if array.ndim != 3 or (particles is not None and array.shape[1:] != particles):
        wanted = "(n, N, D)" if particles is None else f"(n, {particles[0]}, {particles[1]})"
        raise ValueError(f"{name}: shape {wanted} is wanted, not {array.shape}")
    return array.shape


def _precision(array, name):
    """The dtype of an array in either precision and what ends its functions' names."""
    dtype = getattr(array, "dtype", None)
    if dtype not in (np.float64, np.float32):
        raise TypeError(f"{name}: a NumPy array of float64 or float32 is wanted")
    return dtype, _suffix(dtype)


def _suffix(dtype):
    """What ends the names of a precision's functions; no other precision has any."""
    dtype = np.dtype(dtype)
    if dtype not in (np.float64, np.float32):
        raise TypeError(f"dtype: float64 or float32 is wanted, not {dtype}")
    return "_f32" if dtype == np.float32 else ""


def _outputs(out, names, shapes, dtype):
    """New arrays, or the given ones checked."""
    if out is None:
        return [np.empty(shape, dtype) for shape in shapes]
    if len(out) != len(names):
        raise ValueError(f"out: {len(names)} arrays are wanted: {', '.join(names)}")
    return [_array(f"out[{name}]", a, dtype, s, writes=True) for name, a, s in zip(names, out, shapes)]


class _Memory:
    """Memory of an extent, aligned."""

    def __init__(self, extent):
        self._bytes = np.empty(extent.size + extent.align, np.uint8)
        self.address = self._bytes.ctypes.data + -self._bytes.ctypes.data % extent.align
        self.size = extent.size


class Model:
    """Parameters of a kernel flow: a model file's (`Model.open`, `Model.parse`) or those of float64 arrays, which it
    keeps: weights [L, M], mu and gamma [M], mu_time and gamma_time [L], bias [L] and importance [M] or None."""

    def __init__(self, n_particles, dimension, weights, mu, gamma, mu_time, gamma_time, bias=None, importance=None,
                 basis="normalized", eps=1e-6):
        bases = {"gaussian": c.EQF_BASIS_GAUSSIAN, "normalized": c.EQF_BASIS_NORMALIZED}
        if basis not in bases:
            raise ValueError(f"basis: one of {', '.join(bases)} is wanted, not {basis!r}")
        l, m = _array("weights", weights, np.float64).shape
        arrays = {"weights": (weights, (l, m)), "mu": (mu, (m,)), "gamma": (gamma, (m,)), "mu_time": (mu_time, (l,)),
                  "gamma_time": (gamma_time, (l,)), "bias": (bias, (l,)), "importance": (importance, (m,))}
        self.c = self._empty()
        self.c.basis, self.c.eps = bases[basis], eps
        self.c.n_particles, self.c.dimension, self.c.n_radial, self.c.n_time = n_particles, dimension, m, l
        for name, (array, shape) in arrays.items():
            if array is not None:
                setattr(self.c, name, _array(name, array, np.float64, shape).ctypes.data)
        self._kept = arrays

    @staticmethod
    def _empty():
        model = c.eqf_model()
        _check(_library.eqf_model_init(model, ctypes.sizeof(model)))
        return model

    @classmethod
    def parse(cls, file):
        """The model in a file's bytes."""
        model = cls.__new__(cls)
        model.c, model._kept = cls._empty(), np.frombuffer(bytes(file), np.uint8)
        diag = c.eqf_diag()
        _check(_library.eqf_model_read(_address(model._kept), model._kept.size, model.c, diag), diag)
        return model

    @classmethod
    def open(cls, path):
        """Reads a model file."""
        return cls.parse(pathlib.Path(path).read_bytes())

    def file(self):
        """The model file's bytes."""
        diag, needed = c.eqf_diag(), np.zeros(1, np.uintp)
        _check(_library.eqf_model_write(self.c, None, 0, _address(needed), diag), diag)
        file = np.empty(needed[0], np.uint8)
        _check(_library.eqf_model_write(self.c, _address(file), file.size, None, diag), diag)
        return file.tobytes()

    @property
    def n_particles(self):
        return self.c.n_particles

    @property
    def dimension(self):
        return self.c.dimension


class Config:
    """How a plan integrates: 20 Runge-Kutta steps but for the fields of eqf_config given by name, with the numbers of
    eqflow.h: `Config(steps=40, log_det=eqflow.c.EQF_LOG_DET_JACOBIAN)`."""

    def __init__(self, **fields):
        self.c = c.eqf_config()
        _check(_library.eqf_config_init(self.c, ctypes.sizeof(self.c)))
        known = {name for name, _ in c.eqf_config._fields_} - {"struct_size", "reserved_word", "reserved"}
        for name, value in fields.items():
            if name not in known:
                raise TypeError(f"{name}: no field of a configuration; there are {', '.join(sorted(known))}")
            setattr(self.c, name, value)


class Plan:
    """A model prepared for a grid, in float64 or float32. Threads may share it: each call has a workspace of its
    own. `threads` is how many the library may use for a call; they change no bit."""

    def __init__(self, model, config=None, dtype=np.float64):
        self.dtype, self._suffix = np.dtype(dtype), _suffix(dtype)
        config = Config() if config is None else config
        self.particles = (model.n_particles, model.dimension)
        extent, diag, plan = c.eqf_extent(), c.eqf_diag(), ctypes.c_void_p()
        _check(self._function("plan_extent")(model.c, config.c, extent, diag), diag)
        self._memory = _Memory(extent)
        arguments = (self._memory.address, self._memory.size, model.c, config.c, plan, diag)
        _check(self._function("plan_init")(*arguments), diag)
        self.c = plan

    def _function(self, name):
        return getattr(_library, f"eqf_{name}{self._suffix}")

    def _call(self, name, threads, n, *arguments):
        """A call with a workspace; `threads` None for functions that know one thread only."""
        extent, diag = c.eqf_extent(), c.eqf_diag()
        _check(self._function("workspace_extent_threads")(self.c, threads or 1, n, extent))
        work = _Memory(extent)
        first = (self.c,) if threads is None else (self.c, threads)
        _check(self._function(name)(*first, *arguments, work.address, work.size, diag), diag)

    def _map(self, function, name, x, image, threads, out):
        n, *_ = _configurations(name, x, self.dtype, self.particles)
        y, log_det = _outputs(out, (image, "log_det"), (x.shape, (n,)), self.dtype)
        self._call(function, threads, n, n, _address(x), _address(y), _address(log_det))
        return y, log_det

    def forward(self, z, threads=1, out=None):
        """x = F(z) and log|det dF/dz|."""
        return self._map("forward_threads", "z", z, "x", threads, out)

    def inverse(self, x, threads=1, out=None):
        """z with F(z) = x, and log|det dz/dx|."""
        return self._map("inverse_threads", "x", x, "z", threads, out)

    def log_prob(self, x, threads=1, gradient=False, out=None):
        """The log-density at x; with `gradient` the pair of it and its gradient, the score."""
        n, *_ = _configurations("x", x, self.dtype, self.particles)
        names, shapes = ("log_prob", "grad"), ((n,), x.shape)
        if not gradient:
            names, shapes = names[:1], shapes[:1]
        outputs = _outputs(out, names, shapes, self.dtype)
        addresses = [_address(output) for output in outputs] + [None] * (2 - len(outputs))
        self._call("log_prob_threads", threads, n, n, _address(x), *addresses)
        return tuple(outputs) if gradient else outputs[0]

    def sample(self, seed, first, n, threads=1, out=None):
        """Samples first to first + n - 1 of a seed, and their log-densities."""
        shapes = ((n, *self.particles), (n,))
        x, log_prob = _outputs(out, ("x", "log_prob"), shapes, self.dtype)
        self._call("sample_threads", threads, n, seed, first, n, _address(x), _address(log_prob))
        return x, log_prob

    def pull_gradient(self, z, x_bar, log_det_bar):
        """The gradient in z of x_bar . F(z) + log_det_bar log|det dF/dz|, for x_bar like z and log_det_bar, [n]."""
        n, *_ = _configurations("z", z, self.dtype, self.particles)
        _array("x_bar", x_bar, self.dtype, z.shape)
        _array("log_det_bar", log_det_bar, self.dtype, (n,))
        grad = np.empty_like(z)
        self._call("pull_gradient", None, n, n, _address(z), _address(x_bar), _address(log_det_bar), _address(grad))
        return grad

    def jacobian(self, z):
        """dx/dz of the discrete map, [n, K, K] with K = (N-1) D, for plans with EQF_LOG_DET_JACOBIAN."""
        n, particles, dimension = _configurations("z", z, self.dtype, self.particles)
        k = (particles - 1) * dimension
        matrices = np.empty((n, k, k), self.dtype)
        self._call("jacobian", None, n, n, _address(z), _address(matrices))
        return matrices

    def field(self, t, x):
        """Velocity and divergence at time t."""
        n, *_ = _configurations("x", x, self.dtype, self.particles)
        v, div = np.empty_like(x), np.empty(n, self.dtype)
        self._call("field", None, n, t, n, _address(x), _address(v), _address(div))
        return v, div

    def radial(self, t, d):
        """phi(d, t) and its derivative in d."""
        _array("d", d, self.dtype)
        phi, slope, diag = np.empty_like(d), np.empty_like(d), c.eqf_diag()
        status = self._function("radial")(self.c, t, d.size, _address(d), _address(phi), _address(slope), diag)
        _check(status, diag)
        return phi, slope


class _Potential:
    """A built-in potential; its fields are those of its structure in eqflow.h."""

    _structure = _fill = _energy = None

    def __init__(self, **fields):
        self.c = self._structure()
        _check(getattr(_library, self._fill)(self.c))
        for name, value in fields.items():
            if name not in dict(self._structure._fields_):
                raise TypeError(f"{name}: no parameter of this potential")
            setattr(self.c, name, value)

    def energy(self, x, gradient=False):
        """u in units of kT, [n]; with `gradient` the pair of it and du/dx."""
        dtype, suffix = _precision(x, "x")
        n, particles, dimension = _configurations("x", x, dtype)
        u, grad = np.empty(n, dtype), np.empty_like(x) if gradient else None
        function = getattr(_library, self._energy + suffix)
        _check(function(self.c, n, particles, dimension, _address(x), _address(u), _address(grad)))
        return (u, grad) if gradient else u


class DoubleWell(_Potential):
    """The double-well potential, that of DW-2 and DW-4 but for the fields given by name."""

    _structure, _fill, _energy = c.eqf_double_well_params, "eqf_double_well_dw4", "eqf_double_well"


class LennardJones(_Potential):
    """The Lennard-Jones potential with a tether, that of LJ-13 but for the fields given by name."""

    _structure, _fill, _energy = c.eqf_lennard_jones_params, "eqf_lennard_jones_lj13", "eqf_lennard_jones"


def _callback(potential, dtype):
    """A potential as eqf_potential_fn, its context, and what must outlive the call."""
    suffix = _suffix(dtype)
    if isinstance(potential, _Potential):
        function = getattr(_library, f"{potential._energy}_potential{suffix}")
        return ctypes.cast(function, ctypes.c_void_p), ctypes.addressof(potential.c), potential
    if not callable(potential):
        raise TypeError("potential: a built-in potential or a function of x is wanted")
    failures = []

    def energies(_context, n, particles, dimension, x, u, grad):
        try:
            reals = ctypes.POINTER(ctypes.c_float if suffix else ctypes.c_double)
            shape = (n, particles, dimension)
            x = np.ctypeslib.as_array(ctypes.cast(x, reals), shape)
            x.flags.writeable = False
            u = np.ctypeslib.as_array(ctypes.cast(u, reals), (n,))
            if grad is None:
                u[:] = potential(x)
            else:
                u[:], gradients = potential(x)
                if np.shape(gradients) != shape:
                    raise ValueError(f"potential: gradients of shape {shape} are wanted, not {np.shape(gradients)}")
                np.ctypeslib.as_array(ctypes.cast(grad, reals), shape)[:] = gradients
            return 0
        except BaseException as error:  # it must not leave through C
            failures.append(error)
            return 1

    size = ctypes.c_size_t
    prototype = ctypes.CFUNCTYPE(ctypes.c_int32, c.c_void_p, size, size, size, c.c_void_p, c.c_void_p, c.c_void_p)
    function = prototype(energies)
    return ctypes.cast(function, ctypes.c_void_p), None, (function, failures)


def _step(name, potential, ask, ask_arguments, before, sizes, arrays, dtype):
    """A Markov step with a workspace of the extent that `ask` tells: `before` the potential, `sizes` after it."""
    suffix, extent, diag = _suffix(dtype), c.eqf_extent(), c.eqf_diag()
    _check(getattr(_library, f"eqf_{ask}{suffix}")(*ask_arguments, extent))
    work = _Memory(extent)
    function, context, kept = _callback(potential, dtype)
    call = getattr(_library, f"eqf_{name}{suffix}")
    addresses = [_address(array) for array in arrays]
    status = call(*before, function, context, *sizes, *addresses, work.address, work.size, diag)
    if status == c.EQF_ERROR_CALLBACK and isinstance(kept, tuple) and kept[1]:
        raise kept[1][0]
    _check(status, diag)


def _chains(x, u, accepted, dtype):
    """Checks what a step moves."""
    n, *particles = _configurations("x", x, dtype)
    _array("x", x, dtype, writes=True)
    _array("u", u, dtype, (n,), writes=True)
    if accepted is not None:
        _array("accepted", accepted, np.uint64, (n,), writes=True)
    return n, *particles


def _move(name, extent, potential, x, u, grad, seed, first, step, accepted, *how):
    """A step without a flow; `grad` holds the gradients or nothing, `how` is step sizes and the like."""
    dtype, _ = _precision(x, "x")
    n, particles, dimension = _chains(x, u, accepted, dtype)
    for array in grad:
        _array("grad", array, dtype, x.shape, writes=True)
    arrays = (x, u, *grad, accepted)
    sizes = (seed, first, step, n, particles, dimension, *how)
    _step(name, potential, extent, (n, particles, dimension), (), sizes, arrays, dtype)


def metropolis(potential, x, u, step_size, seed, first, step, accepted=None):
    """One random-walk Metropolis step of the chains `x`, [n, N, D], at exp(-u), in place: see eqf_metropolis().

    `potential` is a built-in one or a function that maps x to energies, [n]; `u` holds the energies of `x`, `accepted`
    (uint64, [n]) counts moves. Chain i draws the random numbers of (seed, first + i, step)."""
    _move("metropolis", "metropolis_extent", potential, x, u, (), seed, first, step, accepted, step_size)


def metropolis_particle(potential, x, u, step_size, seed, first, step, accepted=None):
    """The same by moves of single particles: see eqf_metropolis_particle()."""
    _move("metropolis_particle", "metropolis_extent", potential, x, u, (), seed, first, step, accepted, step_size)


def hmc(potential, x, u, grad, step_size, leapfrogs, seed, first, step, accepted=None):
    """One step of Hamiltonian Monte Carlo in place: see eqf_hmc().

    `grad` holds the gradients of `u`, like x; a `potential` that is a function maps x to a pair, energies and gradients.
    Otherwise as metropolis()."""
    _move("hmc", "hmc_extent", potential, x, u, (grad,), seed, first, step, accepted, step_size, leapfrogs)


def mala(potential, x, u, grad, step_size, seed, first, step, accepted=None):
    """One step of the Metropolis-adjusted Langevin algorithm in place: see eqf_mala(); arguments as for hmc()."""
    _move("mala", "hmc_extent", potential, x, u, (grad,), seed, first, step, accepted, step_size)


def independence(plan, potential, x, u, log_prob, seed, first, step, accepted=None):
    """One independence Metropolis-Hastings step with the flow's samples for proposals, in place: see
    eqf_independence(). `log_prob` holds the flow's log-density of `x`; otherwise as metropolis()."""
    n, *_ = _chains(x, u, accepted, plan.dtype)
    _configurations("x", x, plan.dtype, plan.particles)
    _array("log_prob", log_prob, plan.dtype, (n,), writes=True)
    arrays = (x, u, log_prob, accepted)
    extent = ("independence_extent", (plan.c, n))
    _step("independence", potential, *extent, (plan.c,), (seed, first, step, n), arrays, plan.dtype)


def _latent(plan, z, x, u, log_det, accepted=None):
    """Checks what a step in the latent space moves."""
    n, *_ = _chains(x, u, accepted, plan.dtype)
    _configurations("x", x, plan.dtype, plan.particles)
    _array("z", z, plan.dtype, x.shape, writes=True)
    _array("log_det", log_det, plan.dtype, (n,), writes=True)
    return n


def latent_start(plan, potential, z, gradient=False):
    """What chains that begin at the latent positions `z` need besides: x, u and log_det, with `gradient` grad, too. See
    eqf_latent_start()."""
    n, *_ = _configurations("z", z, plan.dtype, plan.particles)
    x, u, log_det = np.empty_like(z), np.empty(n, plan.dtype), np.empty(n, plan.dtype)
    grad = np.empty_like(z) if gradient else None
    extent, arrays = ("latent_hmc_extent", (plan.c, n)), (z, x, u, log_det, grad)
    _step("latent_start", potential, *extent, (plan.c,), (n,), arrays, plan.dtype)
    return (x, u, log_det, grad) if gradient else (x, u, log_det)


def latent_metropolis(plan, potential, z, x, u, log_det, step_size, seed, first, step, accepted=None):
    """One random-walk Metropolis step in the latent space of the flow, in place: see eqf_latent_metropolis(). Begin with
    latent_start(); otherwise as metropolis()."""
    n = _latent(plan, z, x, u, log_det, accepted)
    arrays, extent = (z, x, u, log_det, accepted), ("latent_metropolis_extent", (plan.c, n))
    sizes = (seed, first, step, n, step_size)
    _step("latent_metropolis", potential, *extent, (plan.c,), sizes, arrays, plan.dtype)


def latent_hmc(plan, potential, z, x, u, log_det, grad, step_size, leapfrogs, seed, first, step, accepted=None):
    """One step of Hamiltonian Monte Carlo in the latent space of the flow, in place: see eqf_latent_hmc(). Begin with
    latent_start(gradient=True); `potential` is as for hmc()."""
    n = _latent(plan, z, x, u, log_det, accepted)
    _array("grad", grad, plan.dtype, x.shape, writes=True)
    arrays, extent = (z, x, u, log_det, grad, accepted), ("latent_hmc_extent", (plan.c, n))
    sizes = (seed, first, step, n, step_size, leapfrogs)
    _step("latent_hmc", potential, *extent, (plan.c,), sizes, arrays, plan.dtype)


def exchange(x, u, cross, x_other, u_other, cross_other, seed, first, step, accepted=None):
    """Two replicas of each of n ladders try to exchange their configurations, in place: see eqf_exchange(). `cross` holds
    the energies of `x_other` at the first replica's potential, `cross_other` those of `x` at the other's."""
    dtype, suffix = _precision(x, "x")
    n, particles, dimension = _chains(x, u, accepted, dtype)
    _array("x_other", x_other, dtype, x.shape, writes=True)
    _array("u_other", u_other, dtype, (n,), writes=True)
    _array("cross", cross, dtype, (n,))
    _array("cross_other", cross_other, dtype, (n,))
    addresses = [_address(a) for a in (x, u, cross, x_other, u_other, cross_other, accepted)]
    diag, function = c.eqf_diag(), getattr(_library, f"eqf_exchange{suffix}")
    _check(function(seed, first, step, n, particles, dimension, *addresses, diag), diag)


def remove_com(x):
    """Moves configurations to zero centre of mass in place; returns what was removed, [n, D]."""
    dtype, suffix = _precision(x, "x")
    n, particles, dimension = _configurations("x", x, dtype)
    _array("x", x, dtype, writes=True)
    com = np.empty((n, dimension), dtype)
    _check(getattr(_library, "eqf_remove_com" + suffix)(n, particles, dimension, _address(x), _address(com)))
    return com


def prior_log_prob(z):
    """The log-density of the standard normal on the subspace of zero centre of mass, [n]."""
    dtype, suffix = _precision(z, "z")
    n, particles, dimension = _configurations("z", z, dtype)
    log_prob = np.empty(n, dtype)
    function = getattr(_library, "eqf_prior_log_prob" + suffix)
    _check(function(n, particles, dimension, _address(z), _address(log_prob)))
    return log_prob


def prior_sample(seed, first, n, n_particles, dimension, dtype=np.float64):
    """Prior samples first to first + n - 1 of a seed, [n, N, D]."""
    z = np.empty((n, n_particles, dimension), dtype)
    function = getattr(_library, "eqf_prior_sample" + _suffix(dtype))
    _check(function(seed, first, n, n_particles, dimension, _address(z)))
    return z
