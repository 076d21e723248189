"""
Equivariant kernel flows (arXiv:2006.02425) through the C interface, without copies.

    model = Eqflow.Model(read("dw4.eqf"))
    plan = Eqflow.Plan(model)                         # 20 Runge-Kutta steps; Plan{Float32}(model) in single precision
    x, log_prob = Eqflow.sample(plan; seed = 1, first = 0, n = 1000)
    u = Eqflow.energy(Eqflow.double_well(), x)
    log_weights = -u .- log_prob

Arrays are `Array{T,3}` of size (D, N, n): memory's order is that of C, nothing is transposed. What the calls compute,
their errors and which threads may make them: see eqflow.h. The library is found as `libeqflow`, or where the variable
EQFLOW_LIBRARY says when the package is loaded (not when it is precompiled).

Signatures and structures in C.jl are made from the header and their drift is tested; this package's syntax is checked,
but no Julia has run it yet.
"""
module Eqflow

const library = Ref("libeqflow")

"Where the library is. What is called once is not asked again, so this must not change after the package is loaded."
libeqflow() = library[]

function __init__()
    library[] = get(ENV, "EQFLOW_LIBRARY", "libeqflow")
end

include("C.jl")

"A failure of the library: the status, the name of the argument at fault, the index in it, and the value."
struct EqflowError <: Exception
    status::Int32
    argument::String
    index::Int
    value::Float64
end

function Base.showerror(io::IO, error::EqflowError)
    print(io, "eqflow: ", unsafe_string(eqf_status_string(error.status)))
    isempty(error.argument) || print(io, " (", error.argument, ", index ", error.index, ", value ", error.value, ")")
end

const Diag = Ref{eqf_diag}

no_diag() = Diag(eqf_diag(0, 0, 0.0))

function check(status::Int32, diag::Diag)
    status == EQF_OK && return
    argument = unsafe_string(eqf_argument_string(diag[].argument))
    throw(EqflowError(status, argument, diag[].index, diag[].value))
end

check(status::Int32) = status == EQF_OK ? nothing : throw(EqflowError(status, "", 0, 0.0))

function check_size(name::String, array::AbstractArray, wanted::Tuple)
    size(array) == wanted || throw(DimensionMismatch("$name: size $wanted is wanted, not $(size(array))"))
end

"A structure that a C function fills."
function filled(::Type{T}, fill) where {T}
    value = Ref{T}()
    check(fill(value, Csize_t(sizeof(T))))
    value
end

"Aligned memory of an extent: the bytes and where the aligned part begins."
struct Memory
    bytes::Vector{UInt8}
    start::Ptr{Cvoid}
    size::Csize_t
end

function Memory(extent::eqf_extent)
    bytes = Vector{UInt8}(undef, extent.size + extent.align)
    address = UInt(pointer(bytes))
    Memory(bytes, Ptr{Cvoid}(address + mod(-address, extent.align)), extent.size)
end

"A model in a file's bytes, which it keeps."
struct Model
    c::Ref{eqf_model}
    bytes::Vector{UInt8}
end

function Model(bytes::Vector{UInt8})
    model = filled(eqf_model, eqf_model_init)
    diag = no_diag()
    check(eqf_model_read(bytes, length(bytes), model, diag), diag)
    Model(model, bytes)
end

"How a plan integrates: 20 Runge-Kutta steps. Other fields: `config(steps = 40, log_det = EQF_LOG_DET_JACOBIAN)`."
function config(; fields...)
    given = filled(eqf_config, eqf_config_init)[]
    for name in keys(fields)
        hasfield(eqf_config, name) || throw(ArgumentError("$name: no field of a configuration"))
    end
    values = (get(fields, name, getfield(given, name)) for name in fieldnames(eqf_config))
    Ref(eqf_config(values...))
end

"A model prepared for a grid, in Float64 or Float32. Tasks may share it; each call has a workspace of its own."
struct Plan{T<:Union{Float64,Float32}}
    c::Ptr{Cvoid}
    memory::Memory
    particles::Tuple{Int,Int}
end

Plan(model::Model, config = config()) = Plan{Float64}(model, config)

function Plan{T}(model::Model, config = config()) where {T}
    extent, diag, plan = Ref{eqf_extent}(), no_diag(), Ref{Ptr{Cvoid}}()
    single = T == Float32
    GC.@preserve model begin
        status = (single ? eqf_plan_extent_f32 : eqf_plan_extent)(model.c, config, extent, diag)
        check(status, diag)
        memory = Memory(extent[])
        initialise = single ? eqf_plan_init_f32 : eqf_plan_init
        check(initialise(memory.start, memory.size, model.c, config, plan, diag), diag)
    end
    Plan{T}(plan[], memory, (Int(model.c[].dimension), Int(model.c[].n_particles)))
end

"Calls `f(plan, threads, arguments..., work, work_len, diag)` with a workspace for n samples."
function call(f, plan::Plan{T}, threads, n, arguments...) where {T}
    extent, diag = Ref{eqf_extent}(), no_diag()
    extent_of = T == Float32 ? eqf_workspace_extent_threads_f32 : eqf_workspace_extent_threads
    GC.@preserve plan begin
        check(extent_of(plan.c, threads, n, extent))
        work = Memory(extent[])
        GC.@preserve work check(f(plan.c, threads, arguments..., work.start, work.size, diag), diag)
    end
end

"x = F(z) and log|det dF/dz|."
function forward(plan::Plan{T}, z::Array{T,3}; threads = 1) where {T}
    n = size(z, 3)
    check_size("z", z, (plan.particles..., n))
    x, log_det = similar(z), Vector{T}(undef, n)
    call(T == Float32 ? eqf_forward_threads_f32 : eqf_forward_threads, plan, threads, n, n, z, x, log_det)
    x, log_det
end

"z with F(z) = x, and log|det dz/dx|."
function inverse(plan::Plan{T}, x::Array{T,3}; threads = 1) where {T}
    n = size(x, 3)
    check_size("x", x, (plan.particles..., n))
    z, log_det = similar(x), Vector{T}(undef, n)
    call(T == Float32 ? eqf_inverse_threads_f32 : eqf_inverse_threads, plan, threads, n, n, x, z, log_det)
    z, log_det
end

"The log-density at x and its gradient, the score."
function log_prob(plan::Plan{T}, x::Array{T,3}; threads = 1) where {T}
    n = size(x, 3)
    check_size("x", x, (plan.particles..., n))
    values, gradient = Vector{T}(undef, n), similar(x)
    call(T == Float32 ? eqf_log_prob_threads_f32 : eqf_log_prob_threads, plan, threads, n, n, x, values, gradient)
    values, gradient
end

"Samples first, ..., first + n - 1 of a seed, and their log-densities."
function sample(plan::Plan{T}; seed, first = 0, n, threads = 1) where {T}
    x, values = Array{T,3}(undef, plan.particles..., n), Vector{T}(undef, n)
    call(T == Float32 ? eqf_sample_threads_f32 : eqf_sample_threads, plan, threads, n, seed, first, n, x, values)
    x, values
end

"The double-well potential of DW-2 and DW-4."
function double_well()
    parameters = Ref{eqf_double_well_params}()
    check(eqf_double_well_dw4(parameters))
    parameters
end

"The Lennard-Jones potential of LJ-13."
function lennard_jones()
    parameters = Ref{eqf_lennard_jones_params}()
    check(eqf_lennard_jones_lj13(parameters))
    parameters
end

"Energies in units of kT."
energy(parameters::Ref{eqf_double_well_params}, x::Array{Float64,3}) = energy(eqf_double_well, parameters, x)
energy(parameters::Ref{eqf_double_well_params}, x::Array{Float32,3}) = energy(eqf_double_well_f32, parameters, x)
energy(parameters::Ref{eqf_lennard_jones_params}, x::Array{Float64,3}) = energy(eqf_lennard_jones, parameters, x)
energy(parameters::Ref{eqf_lennard_jones_params}, x::Array{Float32,3}) = energy(eqf_lennard_jones_f32, parameters, x)

function energy(f, parameters, x::Array{T,3}) where {T}
    dimension, particles, n = size(x)
    u = Vector{T}(undef, n)
    check(f(parameters, n, particles, dimension, x, u, C_NULL))
    u
end

end
