! eqflow for Fortran 2018: the functions and structures of eqflow.h under their own names.
!
! Compile this module beside your program and link with the library. What the functions compute, the errors and which
! threads may call them: see eqflow.h. Here
!
! - every function that can fail returns its status, EQF_OK for success;
! - arrays are x(D, N, n) in memory's order: no transposition. They are declared (*), so arrays of any rank that are
!   contiguous go in as they are;
! - an argument that may be NULL in C is optional: leave it out;
! - plans are type(c_ptr), C's size_t is integer(c_size_t), uint64_t is integer(c_int64_t) with the same bits.
!
!     type(eqf_memory) :: plan_memory, work_memory
!     status = eqf_plan_extent(model, config, extent, diag)
!     call plan_memory%provide(extent, memory)                       ! aligned; freed with plan_memory
!     status = eqf_plan_init(memory, extent%size, model, config, plan, diag)
!     status = eqf_workspace_extent(plan, n, extent)
!     call work_memory%provide(extent, work)
!     status = eqf_sample(plan, seed, first, n, x, log_prob, work, extent%size, diag)
!
! examples/fortran/dw4.f90 is a whole program.
module eqflow
    use, intrinsic :: iso_c_binding
    implicit none
    private :: text_at

    ! Kinds of the two precisions.
    integer, parameter :: eqf_double = c_double
    integer, parameter :: eqf_single = c_float

    ! Made from eqflow.h: do not edit.
    integer(c_int32_t), parameter :: EQF_HEADER_VERSION_NUMBER = 1000
    integer(c_int32_t), parameter :: EQF_HEADER_ABI = 1
    integer(c_int32_t), parameter :: EQF_OK = 0
    integer(c_int32_t), parameter :: EQF_ERROR_NULL = 1
    integer(c_int32_t), parameter :: EQF_ERROR_ARGUMENT = 2
    integer(c_int32_t), parameter :: EQF_ERROR_SHAPE = 3
    integer(c_int32_t), parameter :: EQF_ERROR_ALIGNMENT = 4
    integer(c_int32_t), parameter :: EQF_ERROR_WORKSPACE = 5
    integer(c_int32_t), parameter :: EQF_ERROR_MODEL = 6
    integer(c_int32_t), parameter :: EQF_ERROR_NON_FINITE = 7
    integer(c_int32_t), parameter :: EQF_ERROR_UNSUPPORTED = 8
    integer(c_int32_t), parameter :: EQF_ERROR_ABI = 9
    integer(c_int32_t), parameter :: EQF_ERROR_OVERLAP = 10
    integer(c_int32_t), parameter :: EQF_ERROR_CONVERGENCE = 11
    integer(c_int32_t), parameter :: EQF_ERROR_CALLBACK = 12
    integer(c_int32_t), parameter :: EQF_ERROR_INTERNAL = 255
    integer(c_int32_t), parameter :: EQF_BASIS_GAUSSIAN = 0
    integer(c_int32_t), parameter :: EQF_BASIS_NORMALIZED = 1
    integer(c_int32_t), parameter :: EQF_ENCODING_NATIVE = 0
    integer(c_int32_t), parameter :: EQF_ENCODING_LITTLE_ENDIAN = 1
    integer(c_int32_t), parameter :: EQF_INTEGRATOR_RK4 = 0
    integer(c_int32_t), parameter :: EQF_INTEGRATOR_DOPRI5 = 1
    integer(c_int32_t), parameter :: EQF_LOG_DET_TRACE = 0
    integer(c_int32_t), parameter :: EQF_LOG_DET_JACOBIAN = 1
    integer(c_int32_t), parameter :: EQF_INVERSE_BACKWARD = 0
    integer(c_int32_t), parameter :: EQF_INVERSE_EXACT = 1
    integer(c_int32_t), parameter :: EQF_RADIAL_AUTO = 0
    integer(c_int32_t), parameter :: EQF_RADIAL_EXACT = 1
    integer(c_int32_t), parameter :: EQF_RADIAL_TABLE = 2
    integer(c_int32_t), parameter :: EQF_ISA_BEST = 0
    integer(c_int32_t), parameter :: EQF_ISA_SCALAR = 1
    integer(c_int32_t), parameter :: EQF_ISA_BASELINE = 2
    integer(c_int32_t), parameter :: EQF_ISA_AVX2 = 3
    integer(c_int32_t), parameter :: EQF_ISA_AVX512 = 4

    type, bind(c) :: eqf_model
        integer(c_int32_t) :: struct_size
        integer(c_int32_t) :: basis
        integer(c_size_t) :: n_particles
        integer(c_size_t) :: dimension
        integer(c_size_t) :: n_radial
        integer(c_size_t) :: n_time
        type(c_ptr) :: weights
        type(c_ptr) :: bias
        type(c_ptr) :: importance
        type(c_ptr) :: mu
        type(c_ptr) :: gamma
        type(c_ptr) :: mu_time
        type(c_ptr) :: gamma_time
        real(c_double) :: eps
        integer(c_int32_t) :: encoding
        integer(c_int32_t) :: reserved(15)
    end type

    type, bind(c) :: eqf_diag
        integer(c_int32_t) :: argument
        integer(c_size_t) :: index
        real(c_double) :: value
    end type

    type, bind(c) :: eqf_config
        integer(c_int32_t) :: struct_size
        integer(c_int32_t) :: integrator
        integer(c_int32_t) :: steps
        integer(c_int32_t) :: log_det
        integer(c_int32_t) :: inverse
        integer(c_int32_t) :: radial
        real(c_double) :: table_tolerance
        real(c_double) :: rtol
        real(c_double) :: atol
        integer(c_int64_t) :: max_steps
        integer(c_int64_t) :: samples
        integer(c_int32_t) :: isa
        integer(c_int32_t) :: reserved_word
        integer(c_int64_t) :: reserved(6)
    end type

    type, bind(c) :: eqf_extent
        integer(c_size_t) :: size
        integer(c_size_t) :: align
    end type

    type, bind(c) :: eqf_accuracy
        integer(c_int32_t) :: compiled
        integer(c_int32_t) :: reserved
        real(c_double) :: phi_error
        real(c_double) :: slope_error
        real(c_double) :: largest_phi
        real(c_double) :: largest_slope
    end type

    type, bind(c) :: eqf_double_well_params
        real(c_double) :: a
        real(c_double) :: b
        real(c_double) :: c
        real(c_double) :: d0
        real(c_double) :: tau
    end type

    type, bind(c) :: eqf_lennard_jones_params
        real(c_double) :: epsilon
        real(c_double) :: r_m
        real(c_double) :: oscillator
        real(c_double) :: tau
    end type

    interface
        function eqf_version_number() bind(c) result(status)
            import
            integer(c_int32_t) :: status
        end function
        function eqf_version_string() bind(c) result(text)
            import
            type(c_ptr) :: text
        end function
        function eqf_abi() bind(c) result(status)
            import
            integer(c_int32_t) :: status
        end function
        function eqf_has_feature(name) bind(c) result(status)
            import
            character(kind=c_char), intent(in), optional :: name(*)
            integer(c_int32_t) :: status
        end function
        function eqf_status_string(status) bind(c) result(text)
            import
            integer(c_int32_t), value :: status
            type(c_ptr) :: text
        end function
        function eqf_argument_string(argument) bind(c) result(text)
            import
            integer(c_int32_t), value :: argument
            type(c_ptr) :: text
        end function
        function eqf_model_init(model, size) bind(c) result(status)
            import
            type(eqf_model), intent(inout) :: model
            integer(c_size_t), value :: size
            integer(c_int32_t) :: status
        end function
        function eqf_model_read(bytes, len, model, diag) bind(c) result(status)
            import
            integer(c_int8_t), intent(in) :: bytes(*)
            integer(c_size_t), value :: len
            type(eqf_model), intent(inout) :: model
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_model_write(model, bytes, len, needed, diag) bind(c) result(status)
            import
            type(eqf_model), intent(in) :: model
            integer(c_int8_t), intent(inout) :: bytes(*)
            integer(c_size_t), value :: len
            integer(c_size_t), intent(inout), optional :: needed
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_config_init(config, size) bind(c) result(status)
            import
            type(eqf_config), intent(inout) :: config
            integer(c_size_t), value :: size
            integer(c_int32_t) :: status
        end function
        function eqf_plan_extent(model, config, extent, diag) bind(c) result(status)
            import
            type(eqf_model), intent(in) :: model
            type(eqf_config), intent(in) :: config
            type(eqf_extent), intent(inout) :: extent
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_plan_extent_f32(model, config, extent, diag) bind(c) result(status)
            import
            type(eqf_model), intent(in) :: model
            type(eqf_config), intent(in) :: config
            type(eqf_extent), intent(inout) :: extent
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_plan_init(mem, len, model, config, plan, diag) bind(c) result(status)
            import
            type(c_ptr), value :: mem
            integer(c_size_t), value :: len
            type(eqf_model), intent(in) :: model
            type(eqf_config), intent(in) :: config
            type(c_ptr), intent(inout) :: plan
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_plan_init_f32(mem, len, model, config, plan, diag) bind(c) result(status)
            import
            type(c_ptr), value :: mem
            integer(c_size_t), value :: len
            type(eqf_model), intent(in) :: model
            type(eqf_config), intent(in) :: config
            type(c_ptr), intent(inout) :: plan
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_workspace_extent(plan, n, extent) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: n
            type(eqf_extent), intent(inout) :: extent
            integer(c_int32_t) :: status
        end function
        function eqf_workspace_extent_f32(plan, n, extent) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: n
            type(eqf_extent), intent(inout) :: extent
            integer(c_int32_t) :: status
        end function
        function eqf_table_accuracy(plan, accuracy, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            type(eqf_accuracy), intent(inout) :: accuracy
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_table_accuracy_f32(plan, accuracy, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            type(eqf_accuracy), intent(inout) :: accuracy
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_forward(plan, n, z, x, log_det, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: n
            real(c_double), intent(in) :: z(*)
            real(c_double), intent(inout) :: x(*)
            real(c_double), intent(inout), optional :: log_det(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_forward_f32(plan, n, z, x, log_det, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: n
            real(c_float), intent(in) :: z(*)
            real(c_float), intent(inout) :: x(*)
            real(c_float), intent(inout), optional :: log_det(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_inverse(plan, n, x, z, log_det, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: n
            real(c_double), intent(in) :: x(*)
            real(c_double), intent(inout) :: z(*)
            real(c_double), intent(inout), optional :: log_det(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_inverse_f32(plan, n, x, z, log_det, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: n
            real(c_float), intent(in) :: x(*)
            real(c_float), intent(inout) :: z(*)
            real(c_float), intent(inout), optional :: log_det(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_pull_gradient(plan, n, z, x_bar, log_det_bar, grad, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: n
            real(c_double), intent(in) :: z(*)
            real(c_double), intent(in) :: x_bar(*)
            real(c_double), intent(in) :: log_det_bar(*)
            real(c_double), intent(inout) :: grad(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_pull_gradient_f32(plan, n, z, x_bar, log_det_bar, grad, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: n
            real(c_float), intent(in) :: z(*)
            real(c_float), intent(in) :: x_bar(*)
            real(c_float), intent(in) :: log_det_bar(*)
            real(c_float), intent(inout) :: grad(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_log_prob(plan, n, x, log_prob, grad, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: n
            real(c_double), intent(in) :: x(*)
            real(c_double), intent(inout) :: log_prob(*)
            real(c_double), intent(inout), optional :: grad(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_log_prob_f32(plan, n, x, log_prob, grad, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: n
            real(c_float), intent(in) :: x(*)
            real(c_float), intent(inout) :: log_prob(*)
            real(c_float), intent(inout), optional :: grad(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_sample(plan, seed, first, n, x, log_prob, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_size_t), value :: n
            real(c_double), intent(inout) :: x(*)
            real(c_double), intent(inout), optional :: log_prob(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_sample_f32(plan, seed, first, n, x, log_prob, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_size_t), value :: n
            real(c_float), intent(inout) :: x(*)
            real(c_float), intent(inout), optional :: log_prob(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_jacobian(plan, n, z, jacobian, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: n
            real(c_double), intent(in) :: z(*)
            real(c_double), intent(inout) :: jacobian(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_jacobian_f32(plan, n, z, jacobian, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: n
            real(c_float), intent(in) :: z(*)
            real(c_float), intent(inout) :: jacobian(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_field(plan, t, n, x, v, div, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            real(c_double), value :: t
            integer(c_size_t), value :: n
            real(c_double), intent(in) :: x(*)
            real(c_double), intent(inout) :: v(*)
            real(c_double), intent(inout), optional :: div(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_field_f32(plan, t, n, x, v, div, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            real(c_float), value :: t
            integer(c_size_t), value :: n
            real(c_float), intent(in) :: x(*)
            real(c_float), intent(inout) :: v(*)
            real(c_float), intent(inout), optional :: div(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_radial(plan, t, n, d, phi, dphi, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            real(c_double), value :: t
            integer(c_size_t), value :: n
            real(c_double), intent(in) :: d(*)
            real(c_double), intent(inout) :: phi(*)
            real(c_double), intent(inout), optional :: dphi(*)
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_radial_f32(plan, t, n, d, phi, dphi, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            real(c_float), value :: t
            integer(c_size_t), value :: n
            real(c_float), intent(in) :: d(*)
            real(c_float), intent(inout) :: phi(*)
            real(c_float), intent(inout), optional :: dphi(*)
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_workspace_extent_threads(plan, threads, n, extent) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: threads
            integer(c_size_t), value :: n
            type(eqf_extent), intent(inout) :: extent
            integer(c_int32_t) :: status
        end function
        function eqf_workspace_extent_threads_f32(plan, threads, n, extent) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: threads
            integer(c_size_t), value :: n
            type(eqf_extent), intent(inout) :: extent
            integer(c_int32_t) :: status
        end function
        function eqf_forward_threads(plan, threads, n, z, x, log_det, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: threads
            integer(c_size_t), value :: n
            real(c_double), intent(in) :: z(*)
            real(c_double), intent(inout) :: x(*)
            real(c_double), intent(inout), optional :: log_det(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_forward_threads_f32(plan, threads, n, z, x, log_det, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: threads
            integer(c_size_t), value :: n
            real(c_float), intent(in) :: z(*)
            real(c_float), intent(inout) :: x(*)
            real(c_float), intent(inout), optional :: log_det(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_inverse_threads(plan, threads, n, x, z, log_det, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: threads
            integer(c_size_t), value :: n
            real(c_double), intent(in) :: x(*)
            real(c_double), intent(inout) :: z(*)
            real(c_double), intent(inout), optional :: log_det(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_inverse_threads_f32(plan, threads, n, x, z, log_det, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: threads
            integer(c_size_t), value :: n
            real(c_float), intent(in) :: x(*)
            real(c_float), intent(inout) :: z(*)
            real(c_float), intent(inout), optional :: log_det(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_log_prob_threads(plan, threads, n, x, log_prob, grad, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: threads
            integer(c_size_t), value :: n
            real(c_double), intent(in) :: x(*)
            real(c_double), intent(inout) :: log_prob(*)
            real(c_double), intent(inout), optional :: grad(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_log_prob_threads_f32(plan, threads, n, x, log_prob, grad, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: threads
            integer(c_size_t), value :: n
            real(c_float), intent(in) :: x(*)
            real(c_float), intent(inout) :: log_prob(*)
            real(c_float), intent(inout), optional :: grad(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_sample_threads(plan, threads, seed, first, n, x, log_prob, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: threads
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_size_t), value :: n
            real(c_double), intent(inout) :: x(*)
            real(c_double), intent(inout), optional :: log_prob(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_sample_threads_f32(plan, threads, seed, first, n, x, log_prob, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: threads
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_size_t), value :: n
            real(c_float), intent(inout) :: x(*)
            real(c_float), intent(inout), optional :: log_prob(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_remove_com(n, n_particles, dimension, x, com) bind(c) result(status)
            import
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_double), intent(inout) :: x(*)
            real(c_double), intent(inout), optional :: com(*)
            integer(c_int32_t) :: status
        end function
        function eqf_remove_com_f32(n, n_particles, dimension, x, com) bind(c) result(status)
            import
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_float), intent(inout) :: x(*)
            real(c_float), intent(inout), optional :: com(*)
            integer(c_int32_t) :: status
        end function
        function eqf_prior_log_prob(n, n_particles, dimension, z, log_prob) bind(c) result(status)
            import
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_double), intent(in) :: z(*)
            real(c_double), intent(inout) :: log_prob(*)
            integer(c_int32_t) :: status
        end function
        function eqf_prior_log_prob_f32(n, n_particles, dimension, z, log_prob) bind(c) result(status)
            import
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_float), intent(in) :: z(*)
            real(c_float), intent(inout) :: log_prob(*)
            integer(c_int32_t) :: status
        end function
        function eqf_prior_sample(seed, first, n, n_particles, dimension, z) bind(c) result(status)
            import
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_double), intent(inout) :: z(*)
            integer(c_int32_t) :: status
        end function
        function eqf_prior_sample_f32(seed, first, n, n_particles, dimension, z) bind(c) result(status)
            import
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_float), intent(inout) :: z(*)
            integer(c_int32_t) :: status
        end function
        function eqf_double_well_dw4(params) bind(c) result(status)
            import
            type(eqf_double_well_params), intent(inout) :: params
            integer(c_int32_t) :: status
        end function
        function eqf_lennard_jones_lj13(params) bind(c) result(status)
            import
            type(eqf_lennard_jones_params), intent(inout) :: params
            integer(c_int32_t) :: status
        end function
        function eqf_double_well(params, n, n_particles, dimension, x, u, grad) bind(c) result(status)
            import
            type(eqf_double_well_params), intent(in) :: params
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_double), intent(in) :: x(*)
            real(c_double), intent(inout) :: u(*)
            real(c_double), intent(inout), optional :: grad(*)
            integer(c_int32_t) :: status
        end function
        function eqf_double_well_f32(params, n, n_particles, dimension, x, u, grad) bind(c) result(status)
            import
            type(eqf_double_well_params), intent(in) :: params
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_float), intent(in) :: x(*)
            real(c_float), intent(inout) :: u(*)
            real(c_float), intent(inout), optional :: grad(*)
            integer(c_int32_t) :: status
        end function
        function eqf_lennard_jones(params, n, n_particles, dimension, x, u, grad) bind(c) result(status)
            import
            type(eqf_lennard_jones_params), intent(in) :: params
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_double), intent(in) :: x(*)
            real(c_double), intent(inout) :: u(*)
            real(c_double), intent(inout), optional :: grad(*)
            integer(c_int32_t) :: status
        end function
        function eqf_lennard_jones_f32(params, n, n_particles, dimension, x, u, grad) bind(c) result(status)
            import
            type(eqf_lennard_jones_params), intent(in) :: params
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_float), intent(in) :: x(*)
            real(c_float), intent(inout) :: u(*)
            real(c_float), intent(inout), optional :: grad(*)
            integer(c_int32_t) :: status
        end function
        function eqf_double_well_potential(context, n, n_particles, dimension, x, u, grad) bind(c) result(status)
            import
            type(c_ptr), value :: context
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_double), intent(in) :: x(*)
            real(c_double), intent(inout) :: u(*)
            real(c_double), intent(inout), optional :: grad(*)
            integer(c_int32_t) :: status
        end function
        function eqf_double_well_potential_f32(context, n, n_particles, dimension, x, u, grad) bind(c) result(status)
            import
            type(c_ptr), value :: context
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_float), intent(in) :: x(*)
            real(c_float), intent(inout) :: u(*)
            real(c_float), intent(inout), optional :: grad(*)
            integer(c_int32_t) :: status
        end function
        function eqf_lennard_jones_potential(context, n, n_particles, dimension, x, u, grad) bind(c) result(status)
            import
            type(c_ptr), value :: context
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_double), intent(in) :: x(*)
            real(c_double), intent(inout) :: u(*)
            real(c_double), intent(inout), optional :: grad(*)
            integer(c_int32_t) :: status
        end function
        function eqf_lennard_jones_potential_f32(context, n, n_particles, dimension, x, u, grad) bind(c) result(status)
            import
            type(c_ptr), value :: context
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_float), intent(in) :: x(*)
            real(c_float), intent(inout) :: u(*)
            real(c_float), intent(inout), optional :: grad(*)
            integer(c_int32_t) :: status
        end function
        function eqf_metropolis_extent(n, n_particles, dimension, extent) bind(c) result(status)
            import
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            type(eqf_extent), intent(inout) :: extent
            integer(c_int32_t) :: status
        end function
        function eqf_metropolis_extent_f32(n, n_particles, dimension, extent) bind(c) result(status)
            import
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            type(eqf_extent), intent(inout) :: extent
            integer(c_int32_t) :: status
        end function
        function eqf_metropolis(potential, context, seed, first, step, n, n_particles, dimension, step_size, x, &
            u, accepted, work, work_len, diag) bind(c) result(status)
            import
            type(c_funptr), value :: potential
            type(c_ptr), value :: context
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_int64_t), value :: step
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_double), value :: step_size
            real(c_double), intent(inout) :: x(*)
            real(c_double), intent(inout) :: u(*)
            integer(c_int64_t), intent(inout), optional :: accepted(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_metropolis_f32(potential, context, seed, first, step, n, n_particles, dimension, &
            step_size, x, u, accepted, work, work_len, diag) bind(c) result(status)
            import
            type(c_funptr), value :: potential
            type(c_ptr), value :: context
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_int64_t), value :: step
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_float), value :: step_size
            real(c_float), intent(inout) :: x(*)
            real(c_float), intent(inout) :: u(*)
            integer(c_int64_t), intent(inout), optional :: accepted(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_metropolis_particle(potential, context, seed, first, step, n, n_particles, dimension, &
            step_size, x, u, accepted, work, work_len, diag) bind(c) result(status)
            import
            type(c_funptr), value :: potential
            type(c_ptr), value :: context
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_int64_t), value :: step
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_double), value :: step_size
            real(c_double), intent(inout) :: x(*)
            real(c_double), intent(inout) :: u(*)
            integer(c_int64_t), intent(inout), optional :: accepted(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_metropolis_particle_f32(potential, context, seed, first, step, n, n_particles, dimension, &
            step_size, x, u, accepted, work, work_len, diag) bind(c) result(status)
            import
            type(c_funptr), value :: potential
            type(c_ptr), value :: context
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_int64_t), value :: step
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_float), value :: step_size
            real(c_float), intent(inout) :: x(*)
            real(c_float), intent(inout) :: u(*)
            integer(c_int64_t), intent(inout), optional :: accepted(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_hmc_extent(n, n_particles, dimension, extent) bind(c) result(status)
            import
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            type(eqf_extent), intent(inout) :: extent
            integer(c_int32_t) :: status
        end function
        function eqf_hmc_extent_f32(n, n_particles, dimension, extent) bind(c) result(status)
            import
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            type(eqf_extent), intent(inout) :: extent
            integer(c_int32_t) :: status
        end function
        function eqf_hmc(potential, context, seed, first, step, n, n_particles, dimension, step_size, &
            leapfrogs, x, u, grad, accepted, work, work_len, diag) bind(c) result(status)
            import
            type(c_funptr), value :: potential
            type(c_ptr), value :: context
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_int64_t), value :: step
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_double), value :: step_size
            integer(c_size_t), value :: leapfrogs
            real(c_double), intent(inout) :: x(*)
            real(c_double), intent(inout) :: u(*)
            real(c_double), intent(inout) :: grad(*)
            integer(c_int64_t), intent(inout), optional :: accepted(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_hmc_f32(potential, context, seed, first, step, n, n_particles, dimension, step_size, &
            leapfrogs, x, u, grad, accepted, work, work_len, diag) bind(c) result(status)
            import
            type(c_funptr), value :: potential
            type(c_ptr), value :: context
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_int64_t), value :: step
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_float), value :: step_size
            integer(c_size_t), value :: leapfrogs
            real(c_float), intent(inout) :: x(*)
            real(c_float), intent(inout) :: u(*)
            real(c_float), intent(inout) :: grad(*)
            integer(c_int64_t), intent(inout), optional :: accepted(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_mala(potential, context, seed, first, step, n, n_particles, dimension, step_size, x, u, &
            grad, accepted, work, work_len, diag) bind(c) result(status)
            import
            type(c_funptr), value :: potential
            type(c_ptr), value :: context
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_int64_t), value :: step
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_double), value :: step_size
            real(c_double), intent(inout) :: x(*)
            real(c_double), intent(inout) :: u(*)
            real(c_double), intent(inout) :: grad(*)
            integer(c_int64_t), intent(inout), optional :: accepted(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_mala_f32(potential, context, seed, first, step, n, n_particles, dimension, step_size, x, &
            u, grad, accepted, work, work_len, diag) bind(c) result(status)
            import
            type(c_funptr), value :: potential
            type(c_ptr), value :: context
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_int64_t), value :: step
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_float), value :: step_size
            real(c_float), intent(inout) :: x(*)
            real(c_float), intent(inout) :: u(*)
            real(c_float), intent(inout) :: grad(*)
            integer(c_int64_t), intent(inout), optional :: accepted(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_independence_extent(plan, n, extent) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: n
            type(eqf_extent), intent(inout) :: extent
            integer(c_int32_t) :: status
        end function
        function eqf_independence_extent_f32(plan, n, extent) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: n
            type(eqf_extent), intent(inout) :: extent
            integer(c_int32_t) :: status
        end function
        function eqf_independence(plan, potential, context, seed, first, step, n, x, u, log_prob, accepted, &
            work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            type(c_funptr), value :: potential
            type(c_ptr), value :: context
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_int64_t), value :: step
            integer(c_size_t), value :: n
            real(c_double), intent(inout) :: x(*)
            real(c_double), intent(inout) :: u(*)
            real(c_double), intent(inout) :: log_prob(*)
            integer(c_int64_t), intent(inout), optional :: accepted(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_independence_f32(plan, potential, context, seed, first, step, n, x, u, log_prob, accepted, &
            work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            type(c_funptr), value :: potential
            type(c_ptr), value :: context
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_int64_t), value :: step
            integer(c_size_t), value :: n
            real(c_float), intent(inout) :: x(*)
            real(c_float), intent(inout) :: u(*)
            real(c_float), intent(inout) :: log_prob(*)
            integer(c_int64_t), intent(inout), optional :: accepted(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_latent_metropolis_extent(plan, n, extent) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: n
            type(eqf_extent), intent(inout) :: extent
            integer(c_int32_t) :: status
        end function
        function eqf_latent_metropolis_extent_f32(plan, n, extent) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: n
            type(eqf_extent), intent(inout) :: extent
            integer(c_int32_t) :: status
        end function
        function eqf_latent_hmc_extent(plan, n, extent) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: n
            type(eqf_extent), intent(inout) :: extent
            integer(c_int32_t) :: status
        end function
        function eqf_latent_hmc_extent_f32(plan, n, extent) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            integer(c_size_t), value :: n
            type(eqf_extent), intent(inout) :: extent
            integer(c_int32_t) :: status
        end function
        function eqf_latent_start(plan, potential, context, n, z, x, u, log_det, grad, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            type(c_funptr), value :: potential
            type(c_ptr), value :: context
            integer(c_size_t), value :: n
            real(c_double), intent(inout) :: z(*)
            real(c_double), intent(inout) :: x(*)
            real(c_double), intent(inout) :: u(*)
            real(c_double), intent(inout) :: log_det(*)
            real(c_double), intent(inout), optional :: grad(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_latent_start_f32(plan, potential, context, n, z, x, u, log_det, grad, work, work_len, &
            diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            type(c_funptr), value :: potential
            type(c_ptr), value :: context
            integer(c_size_t), value :: n
            real(c_float), intent(inout) :: z(*)
            real(c_float), intent(inout) :: x(*)
            real(c_float), intent(inout) :: u(*)
            real(c_float), intent(inout) :: log_det(*)
            real(c_float), intent(inout), optional :: grad(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_latent_metropolis(plan, potential, context, seed, first, step, n, step_size, z, x, u, &
            log_det, accepted, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            type(c_funptr), value :: potential
            type(c_ptr), value :: context
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_int64_t), value :: step
            integer(c_size_t), value :: n
            real(c_double), value :: step_size
            real(c_double), intent(inout) :: z(*)
            real(c_double), intent(inout) :: x(*)
            real(c_double), intent(inout) :: u(*)
            real(c_double), intent(inout) :: log_det(*)
            integer(c_int64_t), intent(inout), optional :: accepted(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_latent_metropolis_f32(plan, potential, context, seed, first, step, n, step_size, z, x, u, &
            log_det, accepted, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            type(c_funptr), value :: potential
            type(c_ptr), value :: context
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_int64_t), value :: step
            integer(c_size_t), value :: n
            real(c_float), value :: step_size
            real(c_float), intent(inout) :: z(*)
            real(c_float), intent(inout) :: x(*)
            real(c_float), intent(inout) :: u(*)
            real(c_float), intent(inout) :: log_det(*)
            integer(c_int64_t), intent(inout), optional :: accepted(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_latent_hmc(plan, potential, context, seed, first, step, n, step_size, leapfrogs, z, x, u, &
            log_det, grad, accepted, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            type(c_funptr), value :: potential
            type(c_ptr), value :: context
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_int64_t), value :: step
            integer(c_size_t), value :: n
            real(c_double), value :: step_size
            integer(c_size_t), value :: leapfrogs
            real(c_double), intent(inout) :: z(*)
            real(c_double), intent(inout) :: x(*)
            real(c_double), intent(inout) :: u(*)
            real(c_double), intent(inout) :: log_det(*)
            real(c_double), intent(inout) :: grad(*)
            integer(c_int64_t), intent(inout), optional :: accepted(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_latent_hmc_f32(plan, potential, context, seed, first, step, n, step_size, leapfrogs, z, x, &
            u, log_det, grad, accepted, work, work_len, diag) bind(c) result(status)
            import
            type(c_ptr), value :: plan
            type(c_funptr), value :: potential
            type(c_ptr), value :: context
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_int64_t), value :: step
            integer(c_size_t), value :: n
            real(c_float), value :: step_size
            integer(c_size_t), value :: leapfrogs
            real(c_float), intent(inout) :: z(*)
            real(c_float), intent(inout) :: x(*)
            real(c_float), intent(inout) :: u(*)
            real(c_float), intent(inout) :: log_det(*)
            real(c_float), intent(inout) :: grad(*)
            integer(c_int64_t), intent(inout), optional :: accepted(*)
            type(c_ptr), value :: work
            integer(c_size_t), value :: work_len
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_exchange(seed, first, step, n, n_particles, dimension, x, u, cross, x_other, u_other, &
            cross_other, accepted, diag) bind(c) result(status)
            import
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_int64_t), value :: step
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_double), intent(inout) :: x(*)
            real(c_double), intent(inout) :: u(*)
            real(c_double), intent(in) :: cross(*)
            real(c_double), intent(inout) :: x_other(*)
            real(c_double), intent(inout) :: u_other(*)
            real(c_double), intent(in) :: cross_other(*)
            integer(c_int64_t), intent(inout), optional :: accepted(*)
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
        function eqf_exchange_f32(seed, first, step, n, n_particles, dimension, x, u, cross, x_other, u_other, &
            cross_other, accepted, diag) bind(c) result(status)
            import
            integer(c_int64_t), value :: seed
            integer(c_int64_t), value :: first
            integer(c_int64_t), value :: step
            integer(c_size_t), value :: n
            integer(c_size_t), value :: n_particles
            integer(c_size_t), value :: dimension
            real(c_float), intent(inout) :: x(*)
            real(c_float), intent(inout) :: u(*)
            real(c_float), intent(in) :: cross(*)
            real(c_float), intent(inout) :: x_other(*)
            real(c_float), intent(inout) :: u_other(*)
            real(c_float), intent(in) :: cross_other(*)
            integer(c_int64_t), intent(inout), optional :: accepted(*)
            type(eqf_diag), intent(inout), optional :: diag
            integer(c_int32_t) :: status
        end function
    end interface

    ! End of what is made.

    ! Memory of an extent; freed when it goes out of scope.
    type :: eqf_memory
        private
        integer(c_int64_t), pointer, contiguous :: words(:) => null()
    contains
        procedure :: provide => eqf_memory_provide
        procedure, private :: assign => eqf_memory_assign
        generic :: assignment(=) => assign
        final :: eqf_memory_free
    end type

contains

    ! Provides memory of this extent and stores its aligned address; c_null_ptr where there is none. What was provided
    ! before is freed.
    subroutine eqf_memory_provide(self, extent, address)
        class(eqf_memory), intent(inout) :: self
        type(eqf_extent), intent(in) :: extent
        type(c_ptr), intent(out) :: address
        integer(c_size_t) :: count, skip
        integer :: failed
        if (associated(self%words)) deallocate(self%words)
        count = max(1_c_size_t, (extent%size + extent%align) / 8)
        allocate(self%words(count), stat=failed)
        if (failed /= 0) then
            nullify(self%words)
            address = c_null_ptr
            return
        end if
        skip = modulo(-transfer(c_loc(self%words), 0_c_size_t), extent%align) / 8
        address = c_loc(self%words(1 + skip))
    end subroutine

    ! Memory has one owner: what is assigned to gives back its own and has none.
    subroutine eqf_memory_assign(self, other)
        class(eqf_memory), intent(inout) :: self
        class(eqf_memory), intent(in) :: other
        if (associated(self%words, other%words)) return
        if (associated(self%words)) deallocate(self%words)
        nullify(self%words)
    end subroutine

    subroutine eqf_memory_free(self)
        type(eqf_memory), intent(inout) :: self
        if (associated(self%words)) deallocate(self%words)
    end subroutine

    ! What a status means.
    function eqf_status_text(status) result(text)
        integer(c_int32_t), intent(in) :: status
        character(:), allocatable :: text
        text = text_at(eqf_status_string(status))
    end function

    ! Name of the argument whose number a diagnosis carries.
    function eqf_argument_text(argument) result(text)
        integer(c_int32_t), intent(in) :: argument
        character(:), allocatable :: text
        text = text_at(eqf_argument_string(argument))
    end function

    ! A copy of a terminated C string.
    function text_at(address) result(text)
        type(c_ptr), intent(in) :: address
        character(:), allocatable :: text
        character(kind=c_char), pointer :: characters(:)
        integer :: i, length
        call c_f_pointer(address, characters, [huge(0)])
        length = 0
        do while (characters(length + 1) /= c_null_char)
            length = length + 1
        end do
        allocate(character(length) :: text)
        do i = 1, length
            text(i:i) = characters(i)
        end do
    end function
end module
