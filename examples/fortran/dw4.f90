! Draws configurations of the double-well cluster DW-4 from a trained flow and reweights them to the Boltzmann
! distribution exp(-u):
!
!     dw4 model.eqf [n] [seed]
!
! prints what examples/c/dw4.c prints, from the same bits.
program dw4
    use, intrinsic :: iso_c_binding
    use, intrinsic :: iso_fortran_env, only: error_unit
    use eqflow
    implicit none

    real(c_double), parameter :: exact_log_z = 29.66723_c_double
    integer(c_int8_t), allocatable, target :: file(:)
    type(eqf_memory) :: plan_memory, work_memory
    type(c_ptr) :: plan, work
    type(eqf_extent) :: extent
    type(eqf_diag) :: diag
    type(eqf_double_well_params) :: well
    real(c_double), allocatable :: x(:, :, :), log_prob(:), u(:)
    integer(c_size_t) :: n
    integer(c_int64_t) :: seed
    integer(c_int32_t) :: crc

    call arguments(n, seed)
    call prepare()
    allocate(x(2, 4, n), log_prob(n), u(n))
    call check("workspace", eqf_workspace_extent(plan, n, extent))
    call work_memory%provide(extent, work)
    diag = eqf_diag(0, 0, 0.0)
    call check("samples", eqf_sample(plan, seed, 0_c_int64_t, n, x, log_prob, work, extent%size, diag))
    call check("parameters", eqf_double_well_dw4(well))
    call check("energies", eqf_double_well(well, n, 4_c_size_t, 2_c_size_t, x, u))
    call report()
    crc = not(0_c_int32_t)
    call add(crc, reshape(x, [size(x)]))
    call add(crc, log_prob)
    call add(crc, u)
    write (*, '(a,z8.8)') "checksum              ", not(crc)

contains

    subroutine arguments(n, seed)
        integer(c_size_t), intent(out) :: n
        integer(c_int64_t), intent(out) :: seed
        character(4096) :: path
        n = number(2, 10000_c_int64_t)
        seed = number(3, 1_c_int64_t)
        if (command_argument_count() < 1 .or. command_argument_count() > 3 .or. n < 1 .or. seed < 1) then
            write (error_unit, '(a)') "usage: dw4 model.eqf [n >= 1] [seed >= 1]"
            stop 2, quiet=.true.
        end if
        call get_command_argument(1, path)
        call load(trim(path))
    end subroutine

    ! A whole number, or 0.
    integer(c_int64_t) function number(position, default)
        integer, intent(in) :: position
        integer(c_int64_t), intent(in) :: default
        character(64) :: word
        integer :: failed
        number = default
        if (command_argument_count() < position) return
        call get_command_argument(position, word)
        read (word, *, iostat=failed) number
        if (failed /= 0) number = 0
    end function

    subroutine load(path)
        character(*), intent(in) :: path
        integer :: unit, failed
        integer(c_int64_t) :: length
        open (newunit=unit, file=path, access="stream", form="unformatted", status="old", action="read", iostat=failed)
        if (failed == 0) then
            inquire (unit, size=length)
            allocate(file(length))
            read (unit, iostat=failed) file
            close (unit)
        end if
        if (failed /= 0) then
            write (error_unit, '(2a)') "dw4: cannot read ", path
            stop 1, quiet=.true.
        end if
    end subroutine

    ! Reads the model and plans 20 Runge-Kutta steps, the initial configuration.
    subroutine prepare()
        type(eqf_model) :: model
        type(eqf_config) :: config
        type(c_ptr) :: memory
        call check("model structure", eqf_model_init(model, c_sizeof(model)))
        call check("model file", eqf_model_read(file, size(file, kind=c_size_t), model, diag))
        if (model%n_particles /= 4 .or. model%dimension /= 2) then
            write (error_unit, '(a)') "dw4: the model is not one of 4 particles in 2 dimensions"
            stop 1, quiet=.true.
        end if
        call check("configuration", eqf_config_init(config, c_sizeof(config)))
        call check("plan", eqf_plan_extent(model, config, extent, diag))
        call plan_memory%provide(extent, memory)
        call check("plan", eqf_plan_init(memory, extent%size, model, config, plan, diag))
    end subroutine

    subroutine check(what, status)
        character(*), intent(in) :: what
        integer(c_int32_t), intent(in) :: status
        if (status == EQF_OK) return
        write (error_unit, '(7a,i0,a,g0,a)') "dw4: ", what, ": ", eqf_status_text(status), " (", &
            eqf_argument_text(diag%argument), ", index ", diag%index, ", value ", diag%value, ")"
        stop 1, quiet=.true.
    end subroutine

    ! Importance weights w = exp(-u - log p), scaled by the largest.
    subroutine report()
        real(c_double) :: largest, energy, total, squares, spread, effective, w, count
        integer(c_size_t) :: i
        count = real(n, c_double)
        largest = -huge(largest)
        energy = 0
        total = 0
        squares = 0
        spread = 0
        do i = 1, n
            energy = energy + u(i) / count
            largest = max(largest, -u(i) - log_prob(i))
        end do
        do i = 1, n
            w = exp(-u(i) - log_prob(i) - largest)
            total = total + w
            squares = squares + w * w
            spread = spread + (u(i) - energy) * (u(i) - energy)
        end do
        effective = total * total / squares
        write (*, '(a,i0)') "samples               ", n
        write (*, '(a,a,a,a)') "mean energy           ", fixed(energy, 5), " +- ", fixed(sqrt(spread) / count, 5)
        write (*, '(5a)') "effective sample size ", fixed(effective, 1), " (", fixed(100 * effective / count, 2), " %)"
        write (*, '(7a)') "log Z                 ", fixed(largest + log(total / count), 5), " +- ", &
            fixed(sqrt(1 / effective - 1 / count), 5), " (exact ", fixed(exact_log_z, 5), ")"
    end subroutine

    ! A number with so many digits after the point, and a zero before it where C prints one.
    function fixed(value, digits) result(text)
        real(c_double), intent(in) :: value
        integer, intent(in) :: digits
        character(:), allocatable :: text
        character(32) :: buffer, form
        write (form, '(a,i0,a)') "(f0.", digits, ")"
        write (buffer, form) value
        text = trim(buffer)
        if (text(1:1) == ".") text = "0" // text
        if (text(1:2) == "-.") text = "-0" // text(2:)
    end function

    ! Goes on with a CRC-32 (that of zip and PNG files) of the numbers' bytes, the least significant first.
    subroutine add(crc, values)
        integer(c_int32_t), intent(inout) :: crc
        real(c_double), intent(in) :: values(:)
        integer(c_int32_t), parameter :: polynomial = int(z'edb88320', c_int32_t)
        integer(c_int64_t) :: i, bits
        integer :: k
        logical :: low
        do i = 1, size(values, kind=c_int64_t)
            bits = transfer(values(i), bits)
            do k = 0, 63
                low = btest(crc, 0) .neqv. btest(bits, k)
                crc = shiftr(crc, 1)
                if (low) crc = ieor(crc, polynomial)
            end do
        end do
    end subroutine
end program
