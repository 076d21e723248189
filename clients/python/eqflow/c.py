"""The functions and structures of eqflow.h, as they are in C."""

from ctypes import (
    POINTER,
    Structure,
    c_char_p,
    c_double,
    c_float,
    c_int32,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)

# Made from eqflow.h: do not edit.
EQF_VERSION_NUMBER = 1000
EQF_ABI = 1
EQF_OK = 0
EQF_ERROR_NULL = 1
EQF_ERROR_ARGUMENT = 2
EQF_ERROR_SHAPE = 3
EQF_ERROR_ALIGNMENT = 4
EQF_ERROR_WORKSPACE = 5
EQF_ERROR_MODEL = 6
EQF_ERROR_NON_FINITE = 7
EQF_ERROR_UNSUPPORTED = 8
EQF_ERROR_ABI = 9
EQF_ERROR_OVERLAP = 10
EQF_ERROR_CONVERGENCE = 11
EQF_ERROR_CALLBACK = 12
EQF_ERROR_INTERNAL = 255
EQF_BASIS_GAUSSIAN = 0
EQF_BASIS_NORMALIZED = 1
EQF_ENCODING_NATIVE = 0
EQF_ENCODING_LITTLE_ENDIAN = 1
EQF_INTEGRATOR_RK4 = 0
EQF_INTEGRATOR_DOPRI5 = 1
EQF_LOG_DET_TRACE = 0
EQF_LOG_DET_JACOBIAN = 1
EQF_INVERSE_BACKWARD = 0
EQF_INVERSE_EXACT = 1
EQF_RADIAL_AUTO = 0
EQF_RADIAL_EXACT = 1
EQF_RADIAL_TABLE = 2
EQF_ISA_BEST = 0
EQF_ISA_SCALAR = 1
EQF_ISA_BASELINE = 2
EQF_ISA_AVX2 = 3
EQF_ISA_AVX512 = 4


class eqf_model(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("basis", c_int32),
        ("n_particles", c_size_t),
        ("dimension", c_size_t),
        ("n_radial", c_size_t),
        ("n_time", c_size_t),
        ("weights", c_void_p),
        ("bias", c_void_p),
        ("importance", c_void_p),
        ("mu", c_void_p),
        ("gamma", c_void_p),
        ("mu_time", c_void_p),
        ("gamma_time", c_void_p),
        ("eps", c_double),
        ("encoding", c_int32),
        ("reserved", c_uint32 * 15),
    ]


class eqf_diag(Structure):
    _fields_ = [
        ("argument", c_int32),
        ("index", c_size_t),
        ("value", c_double),
    ]


class eqf_config(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("integrator", c_int32),
        ("steps", c_uint32),
        ("log_det", c_int32),
        ("inverse", c_int32),
        ("radial", c_int32),
        ("table_tolerance", c_double),
        ("rtol", c_double),
        ("atol", c_double),
        ("max_steps", c_uint64),
        ("samples", c_uint64),
        ("isa", c_uint32),
        ("reserved_word", c_uint32),
        ("reserved", c_uint64 * 6),
    ]


class eqf_extent(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("align", c_size_t),
    ]


class eqf_accuracy(Structure):
    _fields_ = [
        ("compiled", c_int32),
        ("reserved", c_int32),
        ("phi_error", c_double),
        ("slope_error", c_double),
        ("largest_phi", c_double),
        ("largest_slope", c_double),
    ]


class eqf_double_well_params(Structure):
    _fields_ = [
        ("a", c_double),
        ("b", c_double),
        ("c", c_double),
        ("d0", c_double),
        ("tau", c_double),
    ]


class eqf_lennard_jones_params(Structure):
    _fields_ = [
        ("epsilon", c_double),
        ("r_m", c_double),
        ("oscillator", c_double),
        ("tau", c_double),
    ]


FUNCTIONS = {
    "eqf_version_number": (c_uint32, []),
    "eqf_version_string": (c_char_p, []),
    "eqf_abi": (c_uint32, []),
    "eqf_has_feature": (c_int32, [c_char_p]),
    "eqf_status_string": (c_char_p, [c_int32]),
    "eqf_argument_string": (c_char_p, [c_int32]),
    "eqf_model_init": (c_int32, [POINTER(eqf_model), c_size_t]),
    "eqf_model_read": (c_int32, [c_void_p, c_size_t, POINTER(eqf_model), POINTER(eqf_diag)]),
    "eqf_model_write": (c_int32, [POINTER(eqf_model), c_void_p, c_size_t, c_void_p, POINTER(eqf_diag)]),
    "eqf_config_init": (c_int32, [POINTER(eqf_config), c_size_t]),
    "eqf_plan_extent": (c_int32, [POINTER(eqf_model), POINTER(eqf_config), POINTER(eqf_extent), POINTER(eqf_diag)]),
    "eqf_plan_extent_f32": (c_int32, [POINTER(eqf_model), POINTER(eqf_config), POINTER(eqf_extent), POINTER(eqf_diag)]),
    "eqf_plan_init": (c_int32, [c_void_p, c_size_t, POINTER(eqf_model), POINTER(eqf_config), POINTER(c_void_p), POINTER(eqf_diag)]),
    "eqf_plan_init_f32": (c_int32, [c_void_p, c_size_t, POINTER(eqf_model), POINTER(eqf_config), POINTER(c_void_p), POINTER(eqf_diag)]),
    "eqf_workspace_extent": (c_int32, [c_void_p, c_size_t, POINTER(eqf_extent)]),
    "eqf_workspace_extent_f32": (c_int32, [c_void_p, c_size_t, POINTER(eqf_extent)]),
    "eqf_table_accuracy": (c_int32, [c_void_p, POINTER(eqf_accuracy), POINTER(eqf_diag)]),
    "eqf_table_accuracy_f32": (c_int32, [c_void_p, POINTER(eqf_accuracy), POINTER(eqf_diag)]),
    "eqf_forward": (c_int32, [c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_forward_f32": (c_int32, [c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_inverse": (c_int32, [c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_inverse_f32": (c_int32, [c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_pull_gradient": (c_int32, [c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_pull_gradient_f32": (c_int32, [c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_log_prob": (c_int32, [c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_log_prob_f32": (c_int32, [c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_sample": (c_int32, [c_void_p, c_uint64, c_uint64, c_size_t, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_sample_f32": (c_int32, [c_void_p, c_uint64, c_uint64, c_size_t, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_jacobian": (c_int32, [c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_jacobian_f32": (c_int32, [c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_field": (c_int32, [c_void_p, c_double, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_field_f32": (c_int32, [c_void_p, c_float, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_radial": (c_int32, [c_void_p, c_double, c_size_t, c_void_p, c_void_p, c_void_p, POINTER(eqf_diag)]),
    "eqf_radial_f32": (c_int32, [c_void_p, c_float, c_size_t, c_void_p, c_void_p, c_void_p, POINTER(eqf_diag)]),
    "eqf_workspace_extent_threads": (c_int32, [c_void_p, c_size_t, c_size_t, POINTER(eqf_extent)]),
    "eqf_workspace_extent_threads_f32": (c_int32, [c_void_p, c_size_t, c_size_t, POINTER(eqf_extent)]),
    "eqf_forward_threads": (c_int32, [c_void_p, c_size_t, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_forward_threads_f32": (c_int32, [c_void_p, c_size_t, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_inverse_threads": (c_int32, [c_void_p, c_size_t, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_inverse_threads_f32": (c_int32, [c_void_p, c_size_t, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_log_prob_threads": (c_int32, [c_void_p, c_size_t, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_log_prob_threads_f32": (c_int32, [c_void_p, c_size_t, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_sample_threads": (c_int32, [c_void_p, c_size_t, c_uint64, c_uint64, c_size_t, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_sample_threads_f32": (c_int32, [c_void_p, c_size_t, c_uint64, c_uint64, c_size_t, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_remove_com": (c_int32, [c_size_t, c_size_t, c_size_t, c_void_p, c_void_p]),
    "eqf_remove_com_f32": (c_int32, [c_size_t, c_size_t, c_size_t, c_void_p, c_void_p]),
    "eqf_prior_log_prob": (c_int32, [c_size_t, c_size_t, c_size_t, c_void_p, c_void_p]),
    "eqf_prior_log_prob_f32": (c_int32, [c_size_t, c_size_t, c_size_t, c_void_p, c_void_p]),
    "eqf_prior_sample": (c_int32, [c_uint64, c_uint64, c_size_t, c_size_t, c_size_t, c_void_p]),
    "eqf_prior_sample_f32": (c_int32, [c_uint64, c_uint64, c_size_t, c_size_t, c_size_t, c_void_p]),
    "eqf_double_well_dw4": (c_int32, [POINTER(eqf_double_well_params)]),
    "eqf_lennard_jones_lj13": (c_int32, [POINTER(eqf_lennard_jones_params)]),
    "eqf_double_well": (c_int32, [POINTER(eqf_double_well_params), c_size_t, c_size_t, c_size_t, c_void_p, c_void_p, c_void_p]),
    "eqf_double_well_f32": (c_int32, [POINTER(eqf_double_well_params), c_size_t, c_size_t, c_size_t, c_void_p, c_void_p, c_void_p]),
    "eqf_lennard_jones": (c_int32, [POINTER(eqf_lennard_jones_params), c_size_t, c_size_t, c_size_t, c_void_p, c_void_p, c_void_p]),
    "eqf_lennard_jones_f32": (c_int32, [POINTER(eqf_lennard_jones_params), c_size_t, c_size_t, c_size_t, c_void_p, c_void_p, c_void_p]),
    "eqf_double_well_potential": (c_int32, [c_void_p, c_size_t, c_size_t, c_size_t, c_void_p, c_void_p, c_void_p]),
    "eqf_double_well_potential_f32": (c_int32, [c_void_p, c_size_t, c_size_t, c_size_t, c_void_p, c_void_p, c_void_p]),
    "eqf_lennard_jones_potential": (c_int32, [c_void_p, c_size_t, c_size_t, c_size_t, c_void_p, c_void_p, c_void_p]),
    "eqf_lennard_jones_potential_f32": (c_int32, [c_void_p, c_size_t, c_size_t, c_size_t, c_void_p, c_void_p, c_void_p]),
    "eqf_metropolis_extent": (c_int32, [c_size_t, c_size_t, c_size_t, POINTER(eqf_extent)]),
    "eqf_metropolis_extent_f32": (c_int32, [c_size_t, c_size_t, c_size_t, POINTER(eqf_extent)]),
    "eqf_metropolis": (c_int32, [c_void_p, c_void_p, c_uint64, c_uint64, c_uint64, c_size_t, c_size_t, c_size_t, c_double, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_metropolis_f32": (c_int32, [c_void_p, c_void_p, c_uint64, c_uint64, c_uint64, c_size_t, c_size_t, c_size_t, c_float, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_metropolis_particle": (c_int32, [c_void_p, c_void_p, c_uint64, c_uint64, c_uint64, c_size_t, c_size_t, c_size_t, c_double, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_metropolis_particle_f32": (c_int32, [c_void_p, c_void_p, c_uint64, c_uint64, c_uint64, c_size_t, c_size_t, c_size_t, c_float, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_hmc_extent": (c_int32, [c_size_t, c_size_t, c_size_t, POINTER(eqf_extent)]),
    "eqf_hmc_extent_f32": (c_int32, [c_size_t, c_size_t, c_size_t, POINTER(eqf_extent)]),
    "eqf_hmc": (c_int32, [c_void_p, c_void_p, c_uint64, c_uint64, c_uint64, c_size_t, c_size_t, c_size_t, c_double, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_hmc_f32": (c_int32, [c_void_p, c_void_p, c_uint64, c_uint64, c_uint64, c_size_t, c_size_t, c_size_t, c_float, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_mala": (c_int32, [c_void_p, c_void_p, c_uint64, c_uint64, c_uint64, c_size_t, c_size_t, c_size_t, c_double, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_mala_f32": (c_int32, [c_void_p, c_void_p, c_uint64, c_uint64, c_uint64, c_size_t, c_size_t, c_size_t, c_float, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_independence_extent": (c_int32, [c_void_p, c_size_t, POINTER(eqf_extent)]),
    "eqf_independence_extent_f32": (c_int32, [c_void_p, c_size_t, POINTER(eqf_extent)]),
    "eqf_independence": (c_int32, [c_void_p, c_void_p, c_void_p, c_uint64, c_uint64, c_uint64, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_independence_f32": (c_int32, [c_void_p, c_void_p, c_void_p, c_uint64, c_uint64, c_uint64, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_latent_metropolis_extent": (c_int32, [c_void_p, c_size_t, POINTER(eqf_extent)]),
    "eqf_latent_metropolis_extent_f32": (c_int32, [c_void_p, c_size_t, POINTER(eqf_extent)]),
    "eqf_latent_hmc_extent": (c_int32, [c_void_p, c_size_t, POINTER(eqf_extent)]),
    "eqf_latent_hmc_extent_f32": (c_int32, [c_void_p, c_size_t, POINTER(eqf_extent)]),
    "eqf_latent_start": (c_int32, [c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_latent_start_f32": (c_int32, [c_void_p, c_void_p, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_latent_metropolis": (c_int32, [c_void_p, c_void_p, c_void_p, c_uint64, c_uint64, c_uint64, c_size_t, c_double, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_latent_metropolis_f32": (c_int32, [c_void_p, c_void_p, c_void_p, c_uint64, c_uint64, c_uint64, c_size_t, c_float, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_latent_hmc": (c_int32, [c_void_p, c_void_p, c_void_p, c_uint64, c_uint64, c_uint64, c_size_t, c_double, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_latent_hmc_f32": (c_int32, [c_void_p, c_void_p, c_void_p, c_uint64, c_uint64, c_uint64, c_size_t, c_float, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(eqf_diag)]),
    "eqf_exchange": (c_int32, [c_uint64, c_uint64, c_uint64, c_size_t, c_size_t, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, POINTER(eqf_diag)]),
    "eqf_exchange_f32": (c_int32, [c_uint64, c_uint64, c_uint64, c_size_t, c_size_t, c_size_t, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, POINTER(eqf_diag)]),
}
# End of what is made.
