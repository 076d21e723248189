# The functions and structures of eqflow.h, as they are in C.

# Made from eqflow.h: do not edit.
const EQF_VERSION_NUMBER = Int32(1000)
const EQF_ABI = Int32(1)
const EQF_OK = Int32(0)
const EQF_ERROR_NULL = Int32(1)
const EQF_ERROR_ARGUMENT = Int32(2)
const EQF_ERROR_SHAPE = Int32(3)
const EQF_ERROR_ALIGNMENT = Int32(4)
const EQF_ERROR_WORKSPACE = Int32(5)
const EQF_ERROR_MODEL = Int32(6)
const EQF_ERROR_NON_FINITE = Int32(7)
const EQF_ERROR_UNSUPPORTED = Int32(8)
const EQF_ERROR_ABI = Int32(9)
const EQF_ERROR_OVERLAP = Int32(10)
const EQF_ERROR_CONVERGENCE = Int32(11)
const EQF_ERROR_CALLBACK = Int32(12)
const EQF_ERROR_INTERNAL = Int32(255)
const EQF_BASIS_GAUSSIAN = Int32(0)
const EQF_BASIS_NORMALIZED = Int32(1)
const EQF_ENCODING_NATIVE = Int32(0)
const EQF_ENCODING_LITTLE_ENDIAN = Int32(1)
const EQF_INTEGRATOR_RK4 = Int32(0)
const EQF_INTEGRATOR_DOPRI5 = Int32(1)
const EQF_LOG_DET_TRACE = Int32(0)
const EQF_LOG_DET_JACOBIAN = Int32(1)
const EQF_INVERSE_BACKWARD = Int32(0)
const EQF_INVERSE_EXACT = Int32(1)
const EQF_RADIAL_AUTO = Int32(0)
const EQF_RADIAL_EXACT = Int32(1)
const EQF_RADIAL_TABLE = Int32(2)
const EQF_ISA_BEST = Int32(0)
const EQF_ISA_SCALAR = Int32(1)
const EQF_ISA_BASELINE = Int32(2)
const EQF_ISA_AVX2 = Int32(3)
const EQF_ISA_AVX512 = Int32(4)

struct eqf_model
    struct_size::UInt32
    basis::Int32
    n_particles::Csize_t
    dimension::Csize_t
    n_radial::Csize_t
    n_time::Csize_t
    weights::Ptr{Cdouble}
    bias::Ptr{Cdouble}
    importance::Ptr{Cdouble}
    mu::Ptr{Cdouble}
    gamma::Ptr{Cdouble}
    mu_time::Ptr{Cdouble}
    gamma_time::Ptr{Cdouble}
    eps::Cdouble
    encoding::Int32
    reserved::NTuple{15,UInt32}
end

struct eqf_diag
    argument::Int32
    index::Csize_t
    value::Cdouble
end

struct eqf_config
    struct_size::UInt32
    integrator::Int32
    steps::UInt32
    log_det::Int32
    inverse::Int32
    radial::Int32
    table_tolerance::Cdouble
    rtol::Cdouble
    atol::Cdouble
    max_steps::UInt64
    samples::UInt64
    isa::UInt32
    reserved_word::UInt32
    reserved::NTuple{6,UInt64}
end

struct eqf_extent
    size::Csize_t
    align::Csize_t
end

struct eqf_accuracy
    compiled::Int32
    reserved::Int32
    phi_error::Cdouble
    slope_error::Cdouble
    largest_phi::Cdouble
    largest_slope::Cdouble
end

struct eqf_double_well_params
    a::Cdouble
    b::Cdouble
    c::Cdouble
    d0::Cdouble
    tau::Cdouble
end

struct eqf_lennard_jones_params
    epsilon::Cdouble
    r_m::Cdouble
    oscillator::Cdouble
    tau::Cdouble
end

eqf_version_number() =
    @ccall libeqflow().eqf_version_number()::UInt32

eqf_version_string() =
    @ccall libeqflow().eqf_version_string()::Cstring

eqf_abi() =
    @ccall libeqflow().eqf_abi()::UInt32

eqf_has_feature(name) =
    @ccall libeqflow().eqf_has_feature(name::Cstring)::Int32

eqf_status_string(status) =
    @ccall libeqflow().eqf_status_string(status::Int32)::Cstring

eqf_argument_string(argument) =
    @ccall libeqflow().eqf_argument_string(argument::Int32)::Cstring

eqf_model_init(model, size) =
    @ccall libeqflow().eqf_model_init(model::Ptr{eqf_model}, size::Csize_t)::Int32

eqf_model_read(bytes, len, model, diag) =
    @ccall libeqflow().eqf_model_read(bytes::Ptr{UInt8}, len::Csize_t, model::Ptr{eqf_model}, diag::Ptr{eqf_diag})::Int32

eqf_model_write(model, bytes, len, needed, diag) =
    @ccall libeqflow().eqf_model_write(model::Ptr{eqf_model}, bytes::Ptr{UInt8}, len::Csize_t, needed::Ptr{Csize_t}, diag::Ptr{eqf_diag})::Int32

eqf_config_init(config, size) =
    @ccall libeqflow().eqf_config_init(config::Ptr{eqf_config}, size::Csize_t)::Int32

eqf_plan_extent(model, config, extent, diag) =
    @ccall libeqflow().eqf_plan_extent(model::Ptr{eqf_model}, config::Ptr{eqf_config}, extent::Ptr{eqf_extent}, diag::Ptr{eqf_diag})::Int32

eqf_plan_extent_f32(model, config, extent, diag) =
    @ccall libeqflow().eqf_plan_extent_f32(model::Ptr{eqf_model}, config::Ptr{eqf_config}, extent::Ptr{eqf_extent}, diag::Ptr{eqf_diag})::Int32

eqf_plan_init(mem, len, model, config, plan, diag) =
    @ccall libeqflow().eqf_plan_init(mem::Ptr{Cvoid}, len::Csize_t, model::Ptr{eqf_model}, config::Ptr{eqf_config}, plan::Ptr{Ptr{Cvoid}}, diag::Ptr{eqf_diag})::Int32

eqf_plan_init_f32(mem, len, model, config, plan, diag) =
    @ccall libeqflow().eqf_plan_init_f32(mem::Ptr{Cvoid}, len::Csize_t, model::Ptr{eqf_model}, config::Ptr{eqf_config}, plan::Ptr{Ptr{Cvoid}}, diag::Ptr{eqf_diag})::Int32

eqf_workspace_extent(plan, n, extent) =
    @ccall libeqflow().eqf_workspace_extent(plan::Ptr{Cvoid}, n::Csize_t, extent::Ptr{eqf_extent})::Int32

eqf_workspace_extent_f32(plan, n, extent) =
    @ccall libeqflow().eqf_workspace_extent_f32(plan::Ptr{Cvoid}, n::Csize_t, extent::Ptr{eqf_extent})::Int32

eqf_table_accuracy(plan, accuracy, diag) =
    @ccall libeqflow().eqf_table_accuracy(plan::Ptr{Cvoid}, accuracy::Ptr{eqf_accuracy}, diag::Ptr{eqf_diag})::Int32

eqf_table_accuracy_f32(plan, accuracy, diag) =
    @ccall libeqflow().eqf_table_accuracy_f32(plan::Ptr{Cvoid}, accuracy::Ptr{eqf_accuracy}, diag::Ptr{eqf_diag})::Int32

eqf_forward(plan, n, z, x, log_det, work, work_len, diag) =
    @ccall libeqflow().eqf_forward(plan::Ptr{Cvoid}, n::Csize_t, z::Ptr{Cdouble}, x::Ptr{Cdouble}, log_det::Ptr{Cdouble}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_forward_f32(plan, n, z, x, log_det, work, work_len, diag) =
    @ccall libeqflow().eqf_forward_f32(plan::Ptr{Cvoid}, n::Csize_t, z::Ptr{Cfloat}, x::Ptr{Cfloat}, log_det::Ptr{Cfloat}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_inverse(plan, n, x, z, log_det, work, work_len, diag) =
    @ccall libeqflow().eqf_inverse(plan::Ptr{Cvoid}, n::Csize_t, x::Ptr{Cdouble}, z::Ptr{Cdouble}, log_det::Ptr{Cdouble}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_inverse_f32(plan, n, x, z, log_det, work, work_len, diag) =
    @ccall libeqflow().eqf_inverse_f32(plan::Ptr{Cvoid}, n::Csize_t, x::Ptr{Cfloat}, z::Ptr{Cfloat}, log_det::Ptr{Cfloat}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_pull_gradient(plan, n, z, x_bar, log_det_bar, grad, work, work_len, diag) =
    @ccall libeqflow().eqf_pull_gradient(plan::Ptr{Cvoid}, n::Csize_t, z::Ptr{Cdouble}, x_bar::Ptr{Cdouble}, log_det_bar::Ptr{Cdouble}, grad::Ptr{Cdouble}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_pull_gradient_f32(plan, n, z, x_bar, log_det_bar, grad, work, work_len, diag) =
    @ccall libeqflow().eqf_pull_gradient_f32(plan::Ptr{Cvoid}, n::Csize_t, z::Ptr{Cfloat}, x_bar::Ptr{Cfloat}, log_det_bar::Ptr{Cfloat}, grad::Ptr{Cfloat}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_log_prob(plan, n, x, log_prob, grad, work, work_len, diag) =
    @ccall libeqflow().eqf_log_prob(plan::Ptr{Cvoid}, n::Csize_t, x::Ptr{Cdouble}, log_prob::Ptr{Cdouble}, grad::Ptr{Cdouble}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_log_prob_f32(plan, n, x, log_prob, grad, work, work_len, diag) =
    @ccall libeqflow().eqf_log_prob_f32(plan::Ptr{Cvoid}, n::Csize_t, x::Ptr{Cfloat}, log_prob::Ptr{Cfloat}, grad::Ptr{Cfloat}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_sample(plan, seed, first, n, x, log_prob, work, work_len, diag) =
    @ccall libeqflow().eqf_sample(plan::Ptr{Cvoid}, seed::UInt64, first::UInt64, n::Csize_t, x::Ptr{Cdouble}, log_prob::Ptr{Cdouble}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_sample_f32(plan, seed, first, n, x, log_prob, work, work_len, diag) =
    @ccall libeqflow().eqf_sample_f32(plan::Ptr{Cvoid}, seed::UInt64, first::UInt64, n::Csize_t, x::Ptr{Cfloat}, log_prob::Ptr{Cfloat}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_jacobian(plan, n, z, jacobian, work, work_len, diag) =
    @ccall libeqflow().eqf_jacobian(plan::Ptr{Cvoid}, n::Csize_t, z::Ptr{Cdouble}, jacobian::Ptr{Cdouble}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_jacobian_f32(plan, n, z, jacobian, work, work_len, diag) =
    @ccall libeqflow().eqf_jacobian_f32(plan::Ptr{Cvoid}, n::Csize_t, z::Ptr{Cfloat}, jacobian::Ptr{Cfloat}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_field(plan, t, n, x, v, div, work, work_len, diag) =
    @ccall libeqflow().eqf_field(plan::Ptr{Cvoid}, t::Cdouble, n::Csize_t, x::Ptr{Cdouble}, v::Ptr{Cdouble}, div::Ptr{Cdouble}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_field_f32(plan, t, n, x, v, div, work, work_len, diag) =
    @ccall libeqflow().eqf_field_f32(plan::Ptr{Cvoid}, t::Cfloat, n::Csize_t, x::Ptr{Cfloat}, v::Ptr{Cfloat}, div::Ptr{Cfloat}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_radial(plan, t, n, d, phi, dphi, diag) =
    @ccall libeqflow().eqf_radial(plan::Ptr{Cvoid}, t::Cdouble, n::Csize_t, d::Ptr{Cdouble}, phi::Ptr{Cdouble}, dphi::Ptr{Cdouble}, diag::Ptr{eqf_diag})::Int32

eqf_radial_f32(plan, t, n, d, phi, dphi, diag) =
    @ccall libeqflow().eqf_radial_f32(plan::Ptr{Cvoid}, t::Cfloat, n::Csize_t, d::Ptr{Cfloat}, phi::Ptr{Cfloat}, dphi::Ptr{Cfloat}, diag::Ptr{eqf_diag})::Int32

eqf_workspace_extent_threads(plan, threads, n, extent) =
    @ccall libeqflow().eqf_workspace_extent_threads(plan::Ptr{Cvoid}, threads::Csize_t, n::Csize_t, extent::Ptr{eqf_extent})::Int32

eqf_workspace_extent_threads_f32(plan, threads, n, extent) =
    @ccall libeqflow().eqf_workspace_extent_threads_f32(plan::Ptr{Cvoid}, threads::Csize_t, n::Csize_t, extent::Ptr{eqf_extent})::Int32

eqf_forward_threads(plan, threads, n, z, x, log_det, work, work_len, diag) =
    @ccall libeqflow().eqf_forward_threads(plan::Ptr{Cvoid}, threads::Csize_t, n::Csize_t, z::Ptr{Cdouble}, x::Ptr{Cdouble}, log_det::Ptr{Cdouble}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_forward_threads_f32(plan, threads, n, z, x, log_det, work, work_len, diag) =
    @ccall libeqflow().eqf_forward_threads_f32(plan::Ptr{Cvoid}, threads::Csize_t, n::Csize_t, z::Ptr{Cfloat}, x::Ptr{Cfloat}, log_det::Ptr{Cfloat}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_inverse_threads(plan, threads, n, x, z, log_det, work, work_len, diag) =
    @ccall libeqflow().eqf_inverse_threads(plan::Ptr{Cvoid}, threads::Csize_t, n::Csize_t, x::Ptr{Cdouble}, z::Ptr{Cdouble}, log_det::Ptr{Cdouble}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_inverse_threads_f32(plan, threads, n, x, z, log_det, work, work_len, diag) =
    @ccall libeqflow().eqf_inverse_threads_f32(plan::Ptr{Cvoid}, threads::Csize_t, n::Csize_t, x::Ptr{Cfloat}, z::Ptr{Cfloat}, log_det::Ptr{Cfloat}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_log_prob_threads(plan, threads, n, x, log_prob, grad, work, work_len, diag) =
    @ccall libeqflow().eqf_log_prob_threads(plan::Ptr{Cvoid}, threads::Csize_t, n::Csize_t, x::Ptr{Cdouble}, log_prob::Ptr{Cdouble}, grad::Ptr{Cdouble}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_log_prob_threads_f32(plan, threads, n, x, log_prob, grad, work, work_len, diag) =
    @ccall libeqflow().eqf_log_prob_threads_f32(plan::Ptr{Cvoid}, threads::Csize_t, n::Csize_t, x::Ptr{Cfloat}, log_prob::Ptr{Cfloat}, grad::Ptr{Cfloat}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_sample_threads(plan, threads, seed, first, n, x, log_prob, work, work_len, diag) =
    @ccall libeqflow().eqf_sample_threads(plan::Ptr{Cvoid}, threads::Csize_t, seed::UInt64, first::UInt64, n::Csize_t, x::Ptr{Cdouble}, log_prob::Ptr{Cdouble}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_sample_threads_f32(plan, threads, seed, first, n, x, log_prob, work, work_len, diag) =
    @ccall libeqflow().eqf_sample_threads_f32(plan::Ptr{Cvoid}, threads::Csize_t, seed::UInt64, first::UInt64, n::Csize_t, x::Ptr{Cfloat}, log_prob::Ptr{Cfloat}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_remove_com(n, n_particles, dimension, x, com) =
    @ccall libeqflow().eqf_remove_com(n::Csize_t, n_particles::Csize_t, dimension::Csize_t, x::Ptr{Cdouble}, com::Ptr{Cdouble})::Int32

eqf_remove_com_f32(n, n_particles, dimension, x, com) =
    @ccall libeqflow().eqf_remove_com_f32(n::Csize_t, n_particles::Csize_t, dimension::Csize_t, x::Ptr{Cfloat}, com::Ptr{Cfloat})::Int32

eqf_prior_log_prob(n, n_particles, dimension, z, log_prob) =
    @ccall libeqflow().eqf_prior_log_prob(n::Csize_t, n_particles::Csize_t, dimension::Csize_t, z::Ptr{Cdouble}, log_prob::Ptr{Cdouble})::Int32

eqf_prior_log_prob_f32(n, n_particles, dimension, z, log_prob) =
    @ccall libeqflow().eqf_prior_log_prob_f32(n::Csize_t, n_particles::Csize_t, dimension::Csize_t, z::Ptr{Cfloat}, log_prob::Ptr{Cfloat})::Int32

eqf_prior_sample(seed, first, n, n_particles, dimension, z) =
    @ccall libeqflow().eqf_prior_sample(seed::UInt64, first::UInt64, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, z::Ptr{Cdouble})::Int32

eqf_prior_sample_f32(seed, first, n, n_particles, dimension, z) =
    @ccall libeqflow().eqf_prior_sample_f32(seed::UInt64, first::UInt64, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, z::Ptr{Cfloat})::Int32

eqf_double_well_dw4(params) =
    @ccall libeqflow().eqf_double_well_dw4(params::Ptr{eqf_double_well_params})::Int32

eqf_lennard_jones_lj13(params) =
    @ccall libeqflow().eqf_lennard_jones_lj13(params::Ptr{eqf_lennard_jones_params})::Int32

eqf_double_well(params, n, n_particles, dimension, x, u, grad) =
    @ccall libeqflow().eqf_double_well(params::Ptr{eqf_double_well_params}, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, x::Ptr{Cdouble}, u::Ptr{Cdouble}, grad::Ptr{Cdouble})::Int32

eqf_double_well_f32(params, n, n_particles, dimension, x, u, grad) =
    @ccall libeqflow().eqf_double_well_f32(params::Ptr{eqf_double_well_params}, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, x::Ptr{Cfloat}, u::Ptr{Cfloat}, grad::Ptr{Cfloat})::Int32

eqf_lennard_jones(params, n, n_particles, dimension, x, u, grad) =
    @ccall libeqflow().eqf_lennard_jones(params::Ptr{eqf_lennard_jones_params}, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, x::Ptr{Cdouble}, u::Ptr{Cdouble}, grad::Ptr{Cdouble})::Int32

eqf_lennard_jones_f32(params, n, n_particles, dimension, x, u, grad) =
    @ccall libeqflow().eqf_lennard_jones_f32(params::Ptr{eqf_lennard_jones_params}, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, x::Ptr{Cfloat}, u::Ptr{Cfloat}, grad::Ptr{Cfloat})::Int32

eqf_double_well_potential(context, n, n_particles, dimension, x, u, grad) =
    @ccall libeqflow().eqf_double_well_potential(context::Ptr{Cvoid}, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, x::Ptr{Cdouble}, u::Ptr{Cdouble}, grad::Ptr{Cdouble})::Int32

eqf_double_well_potential_f32(context, n, n_particles, dimension, x, u, grad) =
    @ccall libeqflow().eqf_double_well_potential_f32(context::Ptr{Cvoid}, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, x::Ptr{Cfloat}, u::Ptr{Cfloat}, grad::Ptr{Cfloat})::Int32

eqf_lennard_jones_potential(context, n, n_particles, dimension, x, u, grad) =
    @ccall libeqflow().eqf_lennard_jones_potential(context::Ptr{Cvoid}, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, x::Ptr{Cdouble}, u::Ptr{Cdouble}, grad::Ptr{Cdouble})::Int32

eqf_lennard_jones_potential_f32(context, n, n_particles, dimension, x, u, grad) =
    @ccall libeqflow().eqf_lennard_jones_potential_f32(context::Ptr{Cvoid}, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, x::Ptr{Cfloat}, u::Ptr{Cfloat}, grad::Ptr{Cfloat})::Int32

eqf_metropolis_extent(n, n_particles, dimension, extent) =
    @ccall libeqflow().eqf_metropolis_extent(n::Csize_t, n_particles::Csize_t, dimension::Csize_t, extent::Ptr{eqf_extent})::Int32

eqf_metropolis_extent_f32(n, n_particles, dimension, extent) =
    @ccall libeqflow().eqf_metropolis_extent_f32(n::Csize_t, n_particles::Csize_t, dimension::Csize_t, extent::Ptr{eqf_extent})::Int32

eqf_metropolis(potential, context, seed, first, step, n, n_particles, dimension, step_size, x, u, accepted, work, work_len, diag) =
    @ccall libeqflow().eqf_metropolis(potential::Ptr{Cvoid}, context::Ptr{Cvoid}, seed::UInt64, first::UInt64, step::UInt64, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, step_size::Cdouble, x::Ptr{Cdouble}, u::Ptr{Cdouble}, accepted::Ptr{UInt64}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_metropolis_f32(potential, context, seed, first, step, n, n_particles, dimension, step_size, x, u, accepted, work, work_len, diag) =
    @ccall libeqflow().eqf_metropolis_f32(potential::Ptr{Cvoid}, context::Ptr{Cvoid}, seed::UInt64, first::UInt64, step::UInt64, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, step_size::Cfloat, x::Ptr{Cfloat}, u::Ptr{Cfloat}, accepted::Ptr{UInt64}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_metropolis_particle(potential, context, seed, first, step, n, n_particles, dimension, step_size, x, u, accepted, work, work_len, diag) =
    @ccall libeqflow().eqf_metropolis_particle(potential::Ptr{Cvoid}, context::Ptr{Cvoid}, seed::UInt64, first::UInt64, step::UInt64, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, step_size::Cdouble, x::Ptr{Cdouble}, u::Ptr{Cdouble}, accepted::Ptr{UInt64}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_metropolis_particle_f32(potential, context, seed, first, step, n, n_particles, dimension, step_size, x, u, accepted, work, work_len, diag) =
    @ccall libeqflow().eqf_metropolis_particle_f32(potential::Ptr{Cvoid}, context::Ptr{Cvoid}, seed::UInt64, first::UInt64, step::UInt64, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, step_size::Cfloat, x::Ptr{Cfloat}, u::Ptr{Cfloat}, accepted::Ptr{UInt64}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_hmc_extent(n, n_particles, dimension, extent) =
    @ccall libeqflow().eqf_hmc_extent(n::Csize_t, n_particles::Csize_t, dimension::Csize_t, extent::Ptr{eqf_extent})::Int32

eqf_hmc_extent_f32(n, n_particles, dimension, extent) =
    @ccall libeqflow().eqf_hmc_extent_f32(n::Csize_t, n_particles::Csize_t, dimension::Csize_t, extent::Ptr{eqf_extent})::Int32

eqf_hmc(potential, context, seed, first, step, n, n_particles, dimension, step_size, leapfrogs, x, u, grad, accepted, work, work_len, diag) =
    @ccall libeqflow().eqf_hmc(potential::Ptr{Cvoid}, context::Ptr{Cvoid}, seed::UInt64, first::UInt64, step::UInt64, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, step_size::Cdouble, leapfrogs::Csize_t, x::Ptr{Cdouble}, u::Ptr{Cdouble}, grad::Ptr{Cdouble}, accepted::Ptr{UInt64}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_hmc_f32(potential, context, seed, first, step, n, n_particles, dimension, step_size, leapfrogs, x, u, grad, accepted, work, work_len, diag) =
    @ccall libeqflow().eqf_hmc_f32(potential::Ptr{Cvoid}, context::Ptr{Cvoid}, seed::UInt64, first::UInt64, step::UInt64, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, step_size::Cfloat, leapfrogs::Csize_t, x::Ptr{Cfloat}, u::Ptr{Cfloat}, grad::Ptr{Cfloat}, accepted::Ptr{UInt64}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_mala(potential, context, seed, first, step, n, n_particles, dimension, step_size, x, u, grad, accepted, work, work_len, diag) =
    @ccall libeqflow().eqf_mala(potential::Ptr{Cvoid}, context::Ptr{Cvoid}, seed::UInt64, first::UInt64, step::UInt64, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, step_size::Cdouble, x::Ptr{Cdouble}, u::Ptr{Cdouble}, grad::Ptr{Cdouble}, accepted::Ptr{UInt64}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_mala_f32(potential, context, seed, first, step, n, n_particles, dimension, step_size, x, u, grad, accepted, work, work_len, diag) =
    @ccall libeqflow().eqf_mala_f32(potential::Ptr{Cvoid}, context::Ptr{Cvoid}, seed::UInt64, first::UInt64, step::UInt64, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, step_size::Cfloat, x::Ptr{Cfloat}, u::Ptr{Cfloat}, grad::Ptr{Cfloat}, accepted::Ptr{UInt64}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_independence_extent(plan, n, extent) =
    @ccall libeqflow().eqf_independence_extent(plan::Ptr{Cvoid}, n::Csize_t, extent::Ptr{eqf_extent})::Int32

eqf_independence_extent_f32(plan, n, extent) =
    @ccall libeqflow().eqf_independence_extent_f32(plan::Ptr{Cvoid}, n::Csize_t, extent::Ptr{eqf_extent})::Int32

eqf_independence(plan, potential, context, seed, first, step, n, x, u, log_prob, accepted, work, work_len, diag) =
    @ccall libeqflow().eqf_independence(plan::Ptr{Cvoid}, potential::Ptr{Cvoid}, context::Ptr{Cvoid}, seed::UInt64, first::UInt64, step::UInt64, n::Csize_t, x::Ptr{Cdouble}, u::Ptr{Cdouble}, log_prob::Ptr{Cdouble}, accepted::Ptr{UInt64}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_independence_f32(plan, potential, context, seed, first, step, n, x, u, log_prob, accepted, work, work_len, diag) =
    @ccall libeqflow().eqf_independence_f32(plan::Ptr{Cvoid}, potential::Ptr{Cvoid}, context::Ptr{Cvoid}, seed::UInt64, first::UInt64, step::UInt64, n::Csize_t, x::Ptr{Cfloat}, u::Ptr{Cfloat}, log_prob::Ptr{Cfloat}, accepted::Ptr{UInt64}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_latent_metropolis_extent(plan, n, extent) =
    @ccall libeqflow().eqf_latent_metropolis_extent(plan::Ptr{Cvoid}, n::Csize_t, extent::Ptr{eqf_extent})::Int32

eqf_latent_metropolis_extent_f32(plan, n, extent) =
    @ccall libeqflow().eqf_latent_metropolis_extent_f32(plan::Ptr{Cvoid}, n::Csize_t, extent::Ptr{eqf_extent})::Int32

eqf_latent_hmc_extent(plan, n, extent) =
    @ccall libeqflow().eqf_latent_hmc_extent(plan::Ptr{Cvoid}, n::Csize_t, extent::Ptr{eqf_extent})::Int32

eqf_latent_hmc_extent_f32(plan, n, extent) =
    @ccall libeqflow().eqf_latent_hmc_extent_f32(plan::Ptr{Cvoid}, n::Csize_t, extent::Ptr{eqf_extent})::Int32

eqf_latent_start(plan, potential, context, n, z, x, u, log_det, grad, work, work_len, diag) =
    @ccall libeqflow().eqf_latent_start(plan::Ptr{Cvoid}, potential::Ptr{Cvoid}, context::Ptr{Cvoid}, n::Csize_t, z::Ptr{Cdouble}, x::Ptr{Cdouble}, u::Ptr{Cdouble}, log_det::Ptr{Cdouble}, grad::Ptr{Cdouble}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_latent_start_f32(plan, potential, context, n, z, x, u, log_det, grad, work, work_len, diag) =
    @ccall libeqflow().eqf_latent_start_f32(plan::Ptr{Cvoid}, potential::Ptr{Cvoid}, context::Ptr{Cvoid}, n::Csize_t, z::Ptr{Cfloat}, x::Ptr{Cfloat}, u::Ptr{Cfloat}, log_det::Ptr{Cfloat}, grad::Ptr{Cfloat}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_latent_metropolis(plan, potential, context, seed, first, step, n, step_size, z, x, u, log_det, accepted, work, work_len, diag) =
    @ccall libeqflow().eqf_latent_metropolis(plan::Ptr{Cvoid}, potential::Ptr{Cvoid}, context::Ptr{Cvoid}, seed::UInt64, first::UInt64, step::UInt64, n::Csize_t, step_size::Cdouble, z::Ptr{Cdouble}, x::Ptr{Cdouble}, u::Ptr{Cdouble}, log_det::Ptr{Cdouble}, accepted::Ptr{UInt64}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_latent_metropolis_f32(plan, potential, context, seed, first, step, n, step_size, z, x, u, log_det, accepted, work, work_len, diag) =
    @ccall libeqflow().eqf_latent_metropolis_f32(plan::Ptr{Cvoid}, potential::Ptr{Cvoid}, context::Ptr{Cvoid}, seed::UInt64, first::UInt64, step::UInt64, n::Csize_t, step_size::Cfloat, z::Ptr{Cfloat}, x::Ptr{Cfloat}, u::Ptr{Cfloat}, log_det::Ptr{Cfloat}, accepted::Ptr{UInt64}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_latent_hmc(plan, potential, context, seed, first, step, n, step_size, leapfrogs, z, x, u, log_det, grad, accepted, work, work_len, diag) =
    @ccall libeqflow().eqf_latent_hmc(plan::Ptr{Cvoid}, potential::Ptr{Cvoid}, context::Ptr{Cvoid}, seed::UInt64, first::UInt64, step::UInt64, n::Csize_t, step_size::Cdouble, leapfrogs::Csize_t, z::Ptr{Cdouble}, x::Ptr{Cdouble}, u::Ptr{Cdouble}, log_det::Ptr{Cdouble}, grad::Ptr{Cdouble}, accepted::Ptr{UInt64}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_latent_hmc_f32(plan, potential, context, seed, first, step, n, step_size, leapfrogs, z, x, u, log_det, grad, accepted, work, work_len, diag) =
    @ccall libeqflow().eqf_latent_hmc_f32(plan::Ptr{Cvoid}, potential::Ptr{Cvoid}, context::Ptr{Cvoid}, seed::UInt64, first::UInt64, step::UInt64, n::Csize_t, step_size::Cfloat, leapfrogs::Csize_t, z::Ptr{Cfloat}, x::Ptr{Cfloat}, u::Ptr{Cfloat}, log_det::Ptr{Cfloat}, grad::Ptr{Cfloat}, accepted::Ptr{UInt64}, work::Ptr{Cvoid}, work_len::Csize_t, diag::Ptr{eqf_diag})::Int32

eqf_exchange(seed, first, step, n, n_particles, dimension, x, u, cross, x_other, u_other, cross_other, accepted, diag) =
    @ccall libeqflow().eqf_exchange(seed::UInt64, first::UInt64, step::UInt64, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, x::Ptr{Cdouble}, u::Ptr{Cdouble}, cross::Ptr{Cdouble}, x_other::Ptr{Cdouble}, u_other::Ptr{Cdouble}, cross_other::Ptr{Cdouble}, accepted::Ptr{UInt64}, diag::Ptr{eqf_diag})::Int32

eqf_exchange_f32(seed, first, step, n, n_particles, dimension, x, u, cross, x_other, u_other, cross_other, accepted, diag) =
    @ccall libeqflow().eqf_exchange_f32(seed::UInt64, first::UInt64, step::UInt64, n::Csize_t, n_particles::Csize_t, dimension::Csize_t, x::Ptr{Cfloat}, u::Ptr{Cfloat}, cross::Ptr{Cfloat}, x_other::Ptr{Cfloat}, u_other::Ptr{Cfloat}, cross_other::Ptr{Cfloat}, accepted::Ptr{UInt64}, diag::Ptr{eqf_diag})::Int32
# End of what is made.
