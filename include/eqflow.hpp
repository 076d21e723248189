/* eqflow for C++17: memory that frees itself, views instead of pointers with lengths, and errors as you like them.
 *
 * Header only; it needs eqflow.h, the library and the standard library. Every call that can fail returns a result:
 *
 *     plan.forward(z, x, log_det, work).value();                        // throws eqf::error
 *     if (auto done = plan.forward(z, x, log_det, work); !done)         // or look at it
 *         std::cerr << done.failure().message() << '\n';
 *
 * With -fno-exceptions value() ends the program where there is none. On failure no output is written.
 *
 *     eqf::model model = eqf::model::open("dw4.eqf").value();
 *     eqf::plan plan = eqf::plan::make(model, eqf::config()).value();   // plan_f32 for single precision
 *     eqf::workspace work;                                              // grows as needed; one a thread
 *     std::vector<double> x(n * plan.coordinates()), log_prob(n);
 *     plan.sample(1, 0, x, log_prob, work).value();
 *
 * Arrays are contiguous [n][N][D]; n follows from the first array's length. What the calls compute, the errors and
 * which threads may call them: see the C functions in eqflow.h that have the same names. examples/cpp/dw4.cpp is a
 * whole program. */

#ifndef EQFLOW_HPP
#define EQFLOW_HPP

#include "eqflow.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__cpp_exceptions)
#define EQFLOW_EXCEPTIONS 1
#endif

namespace eqf {

/// Why a call failed.
struct failure {
    /// EQF_ERROR_...
    std::int32_t status = EQF_ERROR_INTERNAL;
    /// Name of the argument at fault; empty where none is known.
    std::string argument;
    /// Position in the argument, and the offending (or demanded) value, as in eqf_diag.
    std::size_t index = 0;
    double value = 0.0;

    std::string message() const
    {
        std::string text = eqf_status_string(status);
        if (!argument.empty())
            text += " (" + argument + ", index " + std::to_string(index) + ", value " + std::to_string(value) + ")";
        return text;
    }
};

#ifdef EQFLOW_EXCEPTIONS
/// What result::value() throws.
class error : public std::runtime_error {
public:
    explicit error(eqf::failure why) : std::runtime_error(why.message()), why_(std::move(why)) {}
    const eqf::failure &failure() const noexcept { return why_; }

private:
    eqf::failure why_;
};
#endif

namespace detail {
[[noreturn]] inline void give_up([[maybe_unused]] const failure &why)
{
#ifdef EQFLOW_EXCEPTIONS
    throw error(why);
#else
    std::abort();
#endif
}
} // namespace detail

/// A value, or why there is none.
template <class T> class [[nodiscard]] result {
public:
    result(T value) : value_(std::move(value)) {}
    result(eqf::failure why) : why_(std::move(why)) {}

    explicit operator bool() const noexcept { return value_.has_value(); }
    /// The failure; only where there is one.
    const eqf::failure &failure() const noexcept { return why_; }
    /// The value, or an exception.
    T &value() &
    {
        if (!value_) detail::give_up(why_);
        return *value_;
    }
    T value() &&
    {
        if (!value_) detail::give_up(why_);
        return std::move(*value_);
    }

private:
    std::optional<T> value_;
    eqf::failure why_;
};

/// Success, or why not.
template <> class [[nodiscard]] result<void> {
public:
    result() = default;
    result(eqf::failure why) : why_(std::move(why)) {}

    explicit operator bool() const noexcept { return !why_.has_value(); }
    const eqf::failure &failure() const noexcept { return *why_; }
    void value() const
    {
        if (why_) detail::give_up(*why_);
    }

private:
    std::optional<eqf::failure> why_;
};

/// A contiguous array of somebody else's: what std::span is in C++20. Without arguments: no array, for outputs that
/// may be left out.
template <class T> class view {
public:
    constexpr view() noexcept = default;
    constexpr view(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <std::size_t N> constexpr view(T (&array)[N]) noexcept : data_(array), size_(N) {}
    /// Of anything with data() and size(): std::vector, std::array, std::span.
    template <class C, class = std::enable_if_t<
                           !std::is_same_v<std::remove_cv_t<std::remove_reference_t<C>>, view> &&
                           std::is_convertible_v<decltype(std::declval<C &>().data()), T *>>>
    constexpr view(C &&container) noexcept : data_(container.data()), size_(container.size()) {}

    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr T &operator[](std::size_t i) const { return data_[i]; }
    constexpr T *begin() const noexcept { return data_; }
    constexpr T *end() const noexcept { return data_ + size_; }

private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

namespace detail {

/// Keeps a precision from being deduced: it is double unless given, as in prior_sample<float>(...).
template <class R> struct not_deduced {
    using type = R;
};
template <class R> using given = typename not_deduced<R>::type;

inline failure failed(std::int32_t status, const eqf_diag &diag)
{
    return {status, eqf_argument_string(diag.argument), diag.index, diag.value};
}

inline result<void> outcome(std::int32_t status, const eqf_diag &diag)
{
    if (status != EQF_OK) return failed(status, diag);
    return {};
}

/// For the functions without a diagnosis.
inline result<void> outcome(std::int32_t status)
{
    if (status != EQF_OK) return failure{status, {}, 0, 0.0};
    return {};
}

/// A failure where an array has another length than `wanted`; an array that may be left out may be empty.
inline std::optional<failure> wrong_length(const char *argument, std::size_t size, std::size_t wanted)
{
    if (size == wanted) return std::nullopt;
    return failure{EQF_ERROR_SHAPE, argument, size, static_cast<double>(wanted)};
}

/// The same for an optional array.
template <class T> std::optional<failure> wrong_length_of(const char *argument, view<T> array, std::size_t wanted)
{
    if (array.data() == nullptr) return std::nullopt;
    return wrong_length(argument, array.size(), wanted);
}

/// Memory of an extent.
class memory {
public:
    memory() = default;
    memory(memory &&other) noexcept
        : start_(std::exchange(other.start_, nullptr)), extent_(std::exchange(other.extent_, eqf_extent{0, 1})) {}
    memory &operator=(memory &&other) noexcept
    {
        std::swap(start_, other.start_);
        std::swap(extent_, other.extent_);
        return *this;
    }
    memory(const memory &) = delete;
    memory &operator=(const memory &) = delete;
    ~memory() { ::operator delete(start_, std::align_val_t{extent_.align}); }

    /// At least this extent; what was there before is lost.
    result<void> provide(eqf_extent extent)
    {
        if (extent.size <= extent_.size && extent.align <= extent_.align) return {};
        memory fresh;
        fresh.start_ = ::operator new(extent.size, std::align_val_t{extent.align}, std::nothrow);
        if (fresh.start_ == nullptr)
            return failure{EQF_ERROR_WORKSPACE, "memory", 0, static_cast<double>(extent.size)};
        fresh.extent_ = extent;
        *this = std::move(fresh);
        return {};
    }

    void *start() const noexcept { return start_; }
    std::size_t size() const noexcept { return extent_.size; }

private:
    void *start_ = nullptr;
    eqf_extent extent_{0, 1};
};

/// The C functions of a precision.
template <class R> struct functions;

template <> struct functions<double> {
    using plan = eqf_plan;
    static constexpr auto plan_extent = eqf_plan_extent;
    static constexpr auto plan_init = eqf_plan_init;
    static constexpr auto workspace_extent_threads = eqf_workspace_extent_threads;
    static constexpr auto forward = eqf_forward_threads;
    static constexpr auto inverse = eqf_inverse_threads;
    static constexpr auto log_prob = eqf_log_prob_threads;
    static constexpr auto sample = eqf_sample_threads;
    static constexpr auto pull_gradient = eqf_pull_gradient;
    static constexpr auto jacobian = eqf_jacobian;
    static constexpr auto field = eqf_field;
    static constexpr auto radial = eqf_radial;
    static constexpr auto remove_com = eqf_remove_com;
    static constexpr auto prior_log_prob = eqf_prior_log_prob;
    static constexpr auto prior_sample = eqf_prior_sample;
    static constexpr auto double_well = eqf_double_well;
    static constexpr auto lennard_jones = eqf_lennard_jones;
    static constexpr auto table_accuracy = eqf_table_accuracy;
    static constexpr auto metropolis_extent = eqf_metropolis_extent;
    static constexpr auto metropolis = eqf_metropolis;
    static constexpr auto independence_extent = eqf_independence_extent;
    static constexpr auto independence = eqf_independence;
    static constexpr auto metropolis_particle = eqf_metropolis_particle;
    static constexpr auto hmc_extent = eqf_hmc_extent;
    static constexpr auto hmc = eqf_hmc;
    static constexpr auto latent_metropolis_extent = eqf_latent_metropolis_extent;
    static constexpr auto latent_metropolis = eqf_latent_metropolis;
    static constexpr auto latent_hmc_extent = eqf_latent_hmc_extent;
    static constexpr auto latent_hmc = eqf_latent_hmc;
    static constexpr auto latent_start = eqf_latent_start;
    static constexpr auto exchange = eqf_exchange;
};

template <> struct functions<float> {
    using plan = eqf_plan_f32;
    static constexpr auto plan_extent = eqf_plan_extent_f32;
    static constexpr auto plan_init = eqf_plan_init_f32;
    static constexpr auto workspace_extent_threads = eqf_workspace_extent_threads_f32;
    static constexpr auto forward = eqf_forward_threads_f32;
    static constexpr auto inverse = eqf_inverse_threads_f32;
    static constexpr auto log_prob = eqf_log_prob_threads_f32;
    static constexpr auto sample = eqf_sample_threads_f32;
    static constexpr auto pull_gradient = eqf_pull_gradient_f32;
    static constexpr auto jacobian = eqf_jacobian_f32;
    static constexpr auto field = eqf_field_f32;
    static constexpr auto radial = eqf_radial_f32;
    static constexpr auto remove_com = eqf_remove_com_f32;
    static constexpr auto prior_log_prob = eqf_prior_log_prob_f32;
    static constexpr auto prior_sample = eqf_prior_sample_f32;
    static constexpr auto double_well = eqf_double_well_f32;
    static constexpr auto lennard_jones = eqf_lennard_jones_f32;
    static constexpr auto table_accuracy = eqf_table_accuracy_f32;
    static constexpr auto metropolis_extent = eqf_metropolis_extent_f32;
    static constexpr auto metropolis = eqf_metropolis_f32;
    static constexpr auto independence_extent = eqf_independence_extent_f32;
    static constexpr auto independence = eqf_independence_f32;
    static constexpr auto metropolis_particle = eqf_metropolis_particle_f32;
    static constexpr auto hmc_extent = eqf_hmc_extent_f32;
    static constexpr auto hmc = eqf_hmc_f32;
    static constexpr auto latent_metropolis_extent = eqf_latent_metropolis_extent_f32;
    static constexpr auto latent_metropolis = eqf_latent_metropolis_f32;
    static constexpr auto latent_hmc_extent = eqf_latent_hmc_extent_f32;
    static constexpr auto latent_hmc = eqf_latent_hmc_f32;
    static constexpr auto latent_start = eqf_latent_start_f32;
    static constexpr auto exchange = eqf_exchange_f32;
};

} // namespace detail

/// A model and, where it was read from a file, the bytes that its arrays lie in.
class model {
public:
    /// Reads a model file.
    static result<model> open(const std::string &path)
    {
        std::ifstream file(path, std::ios::binary);
        std::vector<unsigned char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
        if (!file.is_open() || file.bad()) return failure{EQF_ERROR_MODEL, "cannot read " + path, 0, 0.0};
        return parse(std::move(bytes));
    }

    /// Reads a model file's bytes, which it keeps.
    static result<model> parse(std::vector<unsigned char> bytes)
    {
        model read;
        read.bytes_ = std::move(bytes);
        eqf_diag diag{};
        const std::int32_t status = eqf_model_read(read.bytes_.data(), read.bytes_.size(), &read.model_, &diag);
        if (status != EQF_OK) return detail::failed(status, diag);
        return read;
    }

    /// A model of arrays that stay the caller's: fill the structure with eqf_model_init() first.
    explicit model(const eqf_model &arrays) : model_(arrays) {}

    model(model &&) = default;
    model &operator=(model &&) = default;
    model(const model &) = delete;
    model &operator=(const model &) = delete;

    /// The model file.
    result<std::vector<unsigned char>> file() const
    {
        std::size_t length = 0;
        eqf_diag diag{};
        std::int32_t status = eqf_model_write(&model_, nullptr, 0, &length, &diag);
        std::vector<unsigned char> bytes(status == EQF_OK ? length : 0);
        if (status == EQF_OK) status = eqf_model_write(&model_, bytes.data(), bytes.size(), nullptr, &diag);
        if (status != EQF_OK) return detail::failed(status, diag);
        return bytes;
    }

    const eqf_model &c() const noexcept { return model_; }
    std::size_t n_particles() const noexcept { return model_.n_particles; }
    std::size_t dimension() const noexcept { return model_.dimension; }

private:
    model() { eqf_model_init(&model_, sizeof model_); }

    eqf_model model_;
    std::vector<unsigned char> bytes_;
};

/// How a plan integrates: 20 Runge-Kutta steps, unless its fields are changed.
struct config : eqf_config {
    config() { eqf_config_init(this, sizeof(eqf_config)); }
};

/// The workspace of calls from one thread; it grows to what they need.
class workspace {
public:
    /// At least this extent; what was there before is lost.
    result<void> provide(eqf_extent extent) { return memory_.provide(extent); }
    void *start() const noexcept { return memory_.start(); }
    std::size_t size() const noexcept { return memory_.size(); }

private:
    detail::memory memory_;
};

namespace detail {

/// call(memory, size, &diag) with a workspace of the extent that ask(&extent) tells.
template <class Ask, class Call> result<void> with_workspace(workspace &work, Ask ask, Call call)
{
    eqf_extent extent{};
    const std::int32_t status = ask(&extent);
    if (status != EQF_OK) return outcome(status);
    if (auto provided = work.provide(extent); !provided) return provided;
    eqf_diag diag{};
    return outcome(call(work.start(), work.size(), &diag), diag);
}

} // namespace detail

/// A model prepared for a grid. Threads may share it, each with a workspace and outputs of its own.
template <class R> class basic_plan {
    using f = detail::functions<R>;

public:
    static result<basic_plan> make(const eqf::model &model, const eqf_config &config)
    {
        basic_plan made;
        eqf_extent extent{};
        eqf_diag diag{};
        std::int32_t status = f::plan_extent(&model.c(), &config, &extent, &diag);
        if (status != EQF_OK) return detail::failed(status, diag);
        if (auto provided = made.memory_.provide(extent); !provided) return provided.failure();
        status = f::plan_init(made.memory_.start(), made.memory_.size(), &model.c(), &config, &made.plan_, &diag);
        if (status != EQF_OK) return detail::failed(status, diag);
        made.n_particles_ = model.n_particles();
        made.dimension_ = model.dimension();
        return made;
    }

    std::size_t n_particles() const noexcept { return n_particles_; }
    std::size_t dimension() const noexcept { return dimension_; }
    /// N D, numbers a configuration.
    std::size_t coordinates() const noexcept { return n_particles_ * dimension_; }
    /// For the C functions.
    const typename f::plan *c() const noexcept { return plan_; }

    /// x = F(z) and log|det dF/dz|.
    result<void> forward(view<const R> z, view<R> x, view<R> log_det, workspace &work, std::size_t threads = 1) const
    {
        const std::size_t n = z.size() / coordinates();
        if (auto wrong = lengths(n, {"z", z.size()}, {"x", x.size()})) return *wrong;
        if (auto wrong = detail::wrong_length_of("log_det", log_det, n)) return *wrong;
        return call(n, threads, work, [&](void *memory, std::size_t size, eqf_diag *diag) {
            return f::forward(plan_, threads, n, z.data(), x.data(), log_det.data(), memory, size, diag);
        });
    }

    /// z with F(z) = x, and log|det dz/dx|.
    result<void> inverse(view<const R> x, view<R> z, view<R> log_det, workspace &work, std::size_t threads = 1) const
    {
        const std::size_t n = x.size() / coordinates();
        if (auto wrong = lengths(n, {"x", x.size()}, {"z", z.size()})) return *wrong;
        if (auto wrong = detail::wrong_length_of("log_det", log_det, n)) return *wrong;
        return call(n, threads, work, [&](void *memory, std::size_t size, eqf_diag *diag) {
            return f::inverse(plan_, threads, n, x.data(), z.data(), log_det.data(), memory, size, diag);
        });
    }

    /// The log-density at x, and its gradient (the score) unless `grad` is left out.
    result<void> log_prob(view<const R> x, view<R> log_prob, view<R> grad, workspace &work,
                          std::size_t threads = 1) const
    {
        const std::size_t n = x.size() / coordinates();
        if (auto wrong = lengths(n, {"x", x.size()}, {"x", x.size()})) return *wrong;
        if (auto wrong = detail::wrong_length("log_prob", log_prob.size(), n)) return *wrong;
        if (auto wrong = detail::wrong_length_of("grad", grad, x.size())) return *wrong;
        return call(n, threads, work, [&](void *memory, std::size_t size, eqf_diag *diag) {
            return f::log_prob(plan_, threads, n, x.data(), log_prob.data(), grad.data(), memory, size, diag);
        });
    }

    /// Samples first, first + 1, ... of a seed, as many as `x` holds.
    result<void> sample(std::uint64_t seed, std::uint64_t first, view<R> x, view<R> log_prob, workspace &work,
                        std::size_t threads = 1) const
    {
        const std::size_t n = x.size() / coordinates();
        if (auto wrong = lengths(n, {"x", x.size()}, {"x", x.size()})) return *wrong;
        if (auto wrong = detail::wrong_length_of("log_prob", log_prob, n)) return *wrong;
        return call(n, threads, work, [&](void *memory, std::size_t size, eqf_diag *diag) {
            return f::sample(plan_, threads, seed, first, n, x.data(), log_prob.data(), memory, size, diag);
        });
    }

    /// The gradient in z of x_bar . F(z) + log_det_bar log|det dF/dz|.
    result<void> pull_gradient(view<const R> z, view<const R> x_bar, view<const R> log_det_bar, view<R> grad,
                               workspace &work) const
    {
        const std::size_t n = z.size() / coordinates();
        if (auto wrong = lengths(n, {"z", z.size()}, {"x_bar", x_bar.size()})) return *wrong;
        if (auto wrong = detail::wrong_length("log_det_bar", log_det_bar.size(), n)) return *wrong;
        if (auto wrong = detail::wrong_length("grad", grad.size(), z.size())) return *wrong;
        return call(n, 1, work, [&](void *memory, std::size_t size, eqf_diag *diag) {
            return f::pull_gradient(plan_, n, z.data(), x_bar.data(), log_det_bar.data(), grad.data(), memory, size,
                                    diag);
        });
    }

    /// dx/dz of the discrete map, [n][K][K] with K = (N-1) D, for plans with EQF_LOG_DET_JACOBIAN.
    result<void> jacobian(view<const R> z, view<R> matrices, workspace &work) const
    {
        const std::size_t n = z.size() / coordinates(), k = (n_particles_ - 1) * dimension_;
        if (auto wrong = lengths(n, {"z", z.size()}, {"z", z.size()})) return *wrong;
        if (auto wrong = detail::wrong_length("jacobian", matrices.size(), n * k * k)) return *wrong;
        return call(n, 1, work, [&](void *memory, std::size_t size, eqf_diag *diag) {
            return f::jacobian(plan_, n, z.data(), matrices.data(), memory, size, diag);
        });
    }

    /// The velocity at time t, and its divergence unless `div` is left out.
    result<void> field(R t, view<const R> x, view<R> v, view<R> div, workspace &work) const
    {
        const std::size_t n = x.size() / coordinates();
        if (auto wrong = lengths(n, {"x", x.size()}, {"v", v.size()})) return *wrong;
        if (auto wrong = detail::wrong_length_of("div", div, n)) return *wrong;
        return call(n, 1, work, [&](void *memory, std::size_t size, eqf_diag *diag) {
            return f::field(plan_, t, n, x.data(), v.data(), div.data(), memory, size, diag);
        });
    }

    /// phi(d, t), and its derivative in d unless `dphi` is left out.
    result<void> radial(R t, view<const R> d, view<R> phi, view<R> dphi = {}) const
    {
        if (auto wrong = detail::wrong_length("phi", phi.size(), d.size())) return *wrong;
        if (auto wrong = detail::wrong_length_of("dphi", dphi, d.size())) return *wrong;
        eqf_diag diag{};
        return detail::outcome(f::radial(plan_, t, d.size(), d.data(), phi.data(), dphi.data(), &diag), diag);
    }

    /// How well the compiled radial functions meet the model's.
    result<eqf_accuracy> table_accuracy() const
    {
        eqf_accuracy accuracy{};
        eqf_diag diag{};
        const std::int32_t status = f::table_accuracy(plan_, &accuracy, &diag);
        if (status != EQF_OK) return detail::failed(status, diag);
        return accuracy;
    }

private:
    struct array {
        const char *name;
        std::size_t size;
    };

    basic_plan() = default;

    /// Whether two arrays hold n configurations.
    std::optional<failure> lengths(std::size_t n, array first, array second) const
    {
        if (auto wrong = detail::wrong_length(first.name, first.size, n * coordinates())) return wrong;
        return detail::wrong_length(second.name, second.size, n * coordinates());
    }

    template <class Call>
    result<void> call(std::size_t n, std::size_t threads, workspace &work, Call call) const
    {
        const auto ask = [&](eqf_extent *extent) { return f::workspace_extent_threads(plan_, threads, n, extent); };
        return detail::with_workspace(work, ask, call);
    }

    detail::memory memory_;
    typename f::plan *plan_ = nullptr;
    std::size_t n_particles_ = 0, dimension_ = 0;
};

using plan = basic_plan<double>;
using plan_f32 = basic_plan<float>;

/// N particles in D dimensions.
struct shape {
    std::size_t n_particles, dimension;
    std::size_t coordinates() const noexcept { return n_particles * dimension; }
    /// How many configurations an array of so many numbers holds; none where there are no coordinates, which the
    /// library then refuses.
    std::size_t count(std::size_t numbers) const noexcept { return coordinates() == 0 ? 0 : numbers / coordinates(); }
};

/// The double-well potential; DW-2's and DW-4's unless its fields are changed.
struct double_well : eqf_double_well_params {
    double_well() { eqf_double_well_dw4(this); }

    /// u, in units of kT, and du/dx unless `grad` is left out.
    template <class R = double> result<void> energy(shape shape, view<const detail::given<R>> x, view<detail::given<R>> u, view<detail::given<R>> grad = {}) const
    {
        const std::size_t n = u.size();
        if (auto wrong = detail::wrong_length("x", x.size(), n * shape.coordinates())) return *wrong;
        if (auto wrong = detail::wrong_length_of("grad", grad, x.size())) return *wrong;
        return detail::outcome(detail::functions<R>::double_well(this, n, shape.n_particles, shape.dimension,
                                                                 x.data(), u.data(), grad.data()));
    }
};

/// The Lennard-Jones potential with a tether to the centre of mass; LJ-13's unless its fields are changed.
struct lennard_jones : eqf_lennard_jones_params {
    lennard_jones() { eqf_lennard_jones_lj13(this); }

    /// u, in units of kT, and du/dx unless `grad` is left out.
    template <class R = double> result<void> energy(shape shape, view<const detail::given<R>> x, view<detail::given<R>> u, view<detail::given<R>> grad = {}) const
    {
        const std::size_t n = u.size();
        if (auto wrong = detail::wrong_length("x", x.size(), n * shape.coordinates())) return *wrong;
        if (auto wrong = detail::wrong_length_of("grad", grad, x.size())) return *wrong;
        return detail::outcome(detail::functions<R>::lennard_jones(this, n, shape.n_particles, shape.dimension,
                                                                   x.data(), u.data(), grad.data()));
    }
};

/// Moves configurations to zero centre of mass; `com` is [n][D] or left out.
template <class R = double> result<void> remove_com(shape shape, view<detail::given<R>> x, view<detail::given<R>> com = {})
{
    const std::size_t n = shape.count(x.size());
    if (auto wrong = detail::wrong_length("x", x.size(), n * shape.coordinates())) return *wrong;
    if (auto wrong = detail::wrong_length_of("com", com, n * shape.dimension)) return *wrong;
    return detail::outcome(
        detail::functions<R>::remove_com(n, shape.n_particles, shape.dimension, x.data(), com.data()));
}

/// The log-density of the standard normal on the subspace of zero centre of mass.
template <class R = double> result<void> prior_log_prob(shape shape, view<const detail::given<R>> z, view<detail::given<R>> log_prob)
{
    const std::size_t n = log_prob.size();
    if (auto wrong = detail::wrong_length("z", z.size(), n * shape.coordinates())) return *wrong;
    return detail::outcome(
        detail::functions<R>::prior_log_prob(n, shape.n_particles, shape.dimension, z.data(), log_prob.data()));
}

/// Prior samples first, first + 1, ... of a seed, as many as `z` holds.
template <class R = double> result<void> prior_sample(std::uint64_t seed, std::uint64_t first, shape shape, view<detail::given<R>> z)
{
    const std::size_t n = shape.count(z.size());
    if (auto wrong = detail::wrong_length("z", z.size(), n * shape.coordinates())) return *wrong;
    return detail::outcome(
        detail::functions<R>::prior_sample(seed, first, n, shape.n_particles, shape.dimension, z.data()));
}

/// Where Markov chains draw their random numbers: chain i those of (seed, first + i, step). Count step up by one a call.
struct draws {
    std::uint64_t seed, first, step;
};

namespace detail {

/// A callable as eqf_potential_fn: potential(shape, x, u) writes the energies u, [n], of x, [n][N][D], and
/// potential(shape, x, u, grad), where it can be called so, their gradients too, [n][N][D]. What it throws becomes
/// EQF_ERROR_CALLBACK.
template <class R, class Potential>
std::int32_t call_potential(void *context, std::size_t n, std::size_t n_particles, std::size_t dimension,
                            const R *positions, R *energies, R *gradients) noexcept
{
    const eqf::shape shape{n_particles, dimension};
    Potential &potential = *static_cast<Potential *>(context);
    const view<const R> x(positions, n * shape.coordinates());
    const view<R> u(energies, n);
#ifdef EQFLOW_EXCEPTIONS
    try {
#endif
        if constexpr (std::is_invocable_v<Potential &, eqf::shape, view<const R>, view<R>, view<R>>)
            potential(shape, x, u, gradients == nullptr ? view<R>() : view<R>(gradients, x.size()));
        else
            potential(shape, x, u);
        return 0;
#ifdef EQFLOW_EXCEPTIONS
    } catch (...) {
        return 1;
    }
#endif
}

/// Refuses, when it is compiled, a potential without gradients.
template <class R, class Potential> constexpr void demand_gradients()
{
    static_assert(std::is_invocable_v<Potential &, shape, view<const R>, view<R>, view<R>>,
                  "this step takes gradients: potential(shape, x, u, grad)");
}

/// A failure where the arrays of n chains have other lengths than they should.
template <class R>
std::optional<failure> wrong_chains(std::size_t n, shape shape, view<R> x, view<R> u, view<std::uint64_t> accepted)
{
    if (auto wrong = wrong_length("x", x.size(), n * shape.coordinates())) return wrong;
    if (auto wrong = wrong_length("u", u.size(), n)) return wrong;
    return wrong_length_of("accepted", accepted, n);
}

/// The same with what chains in the latent space have besides.
template <class R>
std::optional<failure> wrong_latent(const basic_plan<R> &plan, view<R> z, view<R> x, view<R> u, view<R> log_det,
                                    view<std::uint64_t> accepted)
{
    if (auto wrong = wrong_chains(u.size(), {plan.n_particles(), plan.dimension()}, x, u, accepted)) return wrong;
    if (auto wrong = wrong_length("z", z.size(), x.size())) return wrong;
    return wrong_length("log_det", log_det.size(), u.size());
}

/// eqf_metropolis() or eqf_metropolis_particle().
template <class R, class Step, class Potential>
result<void> random_walk(Step step, Potential &potential, draws draws, shape shape, R step_size, view<R> x, view<R> u,
                         view<std::uint64_t> accepted, workspace &work)
{
    const std::size_t n = u.size();
    if (auto wrong = wrong_chains(n, shape, x, u, accepted)) return *wrong;
    const auto ask = [&](eqf_extent *extent) {
        return functions<R>::metropolis_extent(n, shape.n_particles, shape.dimension, extent);
    };
    return with_workspace(work, ask, [&](void *memory, std::size_t size, eqf_diag *diag) {
        return step(&call_potential<R, Potential>, &potential, draws.seed, draws.first, draws.step, n,
                    shape.n_particles, shape.dimension, step_size, x.data(), u.data(), accepted.data(), memory, size,
                    diag);
    });
}

} // namespace detail

/// One random-walk Metropolis step of the chains `x` at exp(-u): see eqf_metropolis(). `potential` is called as
/// potential(shape, view<const R> x, view<R> u), or with a fourth argument, view<R> grad, that is no array here.
template <class R = double, class Potential>
result<void> metropolis(Potential &&potential, draws draws, shape shape, detail::given<R> step_size,
                        view<detail::given<R>> x, view<detail::given<R>> u, view<std::uint64_t> accepted,
                        workspace &work)
{
    const auto step = detail::functions<R>::metropolis;
    return detail::random_walk<R>(step, potential, draws, shape, step_size, x, u, accepted, work);
}

/// The same by moves of single particles: see eqf_metropolis_particle().
template <class R = double, class Potential>
result<void> metropolis_particle(Potential &&potential, draws draws, shape shape, detail::given<R> step_size,
                                 view<detail::given<R>> x, view<detail::given<R>> u, view<std::uint64_t> accepted,
                                 workspace &work)
{
    const auto step = detail::functions<R>::metropolis_particle;
    return detail::random_walk<R>(step, potential, draws, shape, step_size, x, u, accepted, work);
}

/// One step of Hamiltonian Monte Carlo: see eqf_hmc(). `potential` is called as
/// potential(shape, view<const R> x, view<R> u, view<R> grad).
template <class R = double, class Potential>
result<void> hmc(Potential &&potential, draws draws, shape shape, detail::given<R> step_size, std::size_t leapfrogs,
                 view<detail::given<R>> x, view<detail::given<R>> u, view<detail::given<R>> grad,
                 view<std::uint64_t> accepted, workspace &work)
{
    using f = detail::functions<R>;
    using callable = std::remove_reference_t<Potential>;
    detail::demand_gradients<R, callable>();
    const std::size_t n = u.size();
    if (auto wrong = detail::wrong_chains(n, shape, x, u, accepted)) return *wrong;
    if (auto wrong = detail::wrong_length("grad", grad.size(), x.size())) return *wrong;
    const auto ask = [&](eqf_extent *extent) {
        return f::hmc_extent(n, shape.n_particles, shape.dimension, extent);
    };
    return detail::with_workspace(work, ask, [&](void *memory, std::size_t size, eqf_diag *diag) {
        return f::hmc(&detail::call_potential<R, callable>, &potential, draws.seed, draws.first, draws.step, n,
                      shape.n_particles, shape.dimension, step_size, leapfrogs, x.data(), u.data(), grad.data(),
                      accepted.data(), memory, size, diag);
    });
}

/// One step of the Metropolis-adjusted Langevin algorithm: eqf_mala(), that is hmc() with one leapfrog step.
template <class R = double, class Potential>
result<void> mala(Potential &&potential, draws draws, shape shape, detail::given<R> step_size,
                  view<detail::given<R>> x, view<detail::given<R>> u, view<detail::given<R>> grad,
                  view<std::uint64_t> accepted, workspace &work)
{
    return hmc<R>(potential, draws, shape, step_size, 1, x, u, grad, accepted, work);
}

/// One independence Metropolis-Hastings step with the flow's samples for proposals: see eqf_independence(). `potential`
/// is called as by metropolis().
template <class R, class Potential>
result<void> independence(const basic_plan<R> &plan, Potential &&potential, draws draws, view<detail::given<R>> x,
                          view<detail::given<R>> u, view<detail::given<R>> log_prob, view<std::uint64_t> accepted,
                          workspace &work)
{
    using f = detail::functions<R>;
    using callable = std::remove_reference_t<Potential>;
    const std::size_t n = u.size();
    if (auto wrong = detail::wrong_chains(n, {plan.n_particles(), plan.dimension()}, x, u, accepted)) return *wrong;
    if (auto wrong = detail::wrong_length("log_prob", log_prob.size(), n)) return *wrong;
    const auto ask = [&](eqf_extent *extent) { return f::independence_extent(plan.c(), n, extent); };
    return detail::with_workspace(work, ask, [&](void *memory, std::size_t size, eqf_diag *diag) {
        return f::independence(plan.c(), &detail::call_potential<R, callable>, &potential, draws.seed, draws.first,
                               draws.step, n, x.data(), u.data(), log_prob.data(), accepted.data(), memory, size,
                               diag);
    });
}

/// Fills the arrays of chains in the latent space of a flow from `z`: see eqf_latent_start(). `potential` is called as by
/// hmc(), or as by metropolis() where `grad` is left out.
template <class R, class Potential>
result<void> latent_start(const basic_plan<R> &plan, Potential &&potential, view<detail::given<R>> z,
                          view<detail::given<R>> x, view<detail::given<R>> u, view<detail::given<R>> log_det,
                          view<detail::given<R>> grad, workspace &work)
{
    using f = detail::functions<R>;
    using callable = std::remove_reference_t<Potential>;
    const std::size_t n = u.size();
    if (auto wrong = detail::wrong_latent(plan, z, x, u, log_det, {})) return *wrong;
    if (auto wrong = detail::wrong_length_of("grad", grad, x.size())) return *wrong;
    const auto ask = [&](eqf_extent *extent) { return f::latent_hmc_extent(plan.c(), n, extent); };
    return detail::with_workspace(work, ask, [&](void *memory, std::size_t size, eqf_diag *diag) {
        return f::latent_start(plan.c(), &detail::call_potential<R, callable>, &potential, n, z.data(), x.data(),
                               u.data(), log_det.data(), grad.data(), memory, size, diag);
    });
}

/// One random-walk Metropolis step in the latent space of a flow: see eqf_latent_metropolis(). `potential` is called as by
/// metropolis().
template <class R, class Potential>
result<void> latent_metropolis(const basic_plan<R> &plan, Potential &&potential, draws draws,
                               detail::given<R> step_size, view<detail::given<R>> z, view<detail::given<R>> x,
                               view<detail::given<R>> u, view<detail::given<R>> log_det, view<std::uint64_t> accepted,
                               workspace &work)
{
    using f = detail::functions<R>;
    using callable = std::remove_reference_t<Potential>;
    const std::size_t n = u.size();
    if (auto wrong = detail::wrong_latent(plan, z, x, u, log_det, accepted)) return *wrong;
    const auto ask = [&](eqf_extent *extent) { return f::latent_metropolis_extent(plan.c(), n, extent); };
    return detail::with_workspace(work, ask, [&](void *memory, std::size_t size, eqf_diag *diag) {
        return f::latent_metropolis(plan.c(), &detail::call_potential<R, callable>, &potential, draws.seed,
                                    draws.first, draws.step, n, step_size, z.data(), x.data(), u.data(),
                                    log_det.data(), accepted.data(), memory, size, diag);
    });
}

/// One step of Hamiltonian Monte Carlo in the latent space of a flow: see eqf_latent_hmc(). `potential` is called as by
/// hmc().
template <class R, class Potential>
result<void> latent_hmc(const basic_plan<R> &plan, Potential &&potential, draws draws, detail::given<R> step_size,
                        std::size_t leapfrogs, view<detail::given<R>> z, view<detail::given<R>> x,
                        view<detail::given<R>> u, view<detail::given<R>> log_det, view<detail::given<R>> grad,
                        view<std::uint64_t> accepted, workspace &work)
{
    using f = detail::functions<R>;
    using callable = std::remove_reference_t<Potential>;
    detail::demand_gradients<R, callable>();
    const std::size_t n = u.size();
    if (auto wrong = detail::wrong_latent(plan, z, x, u, log_det, accepted)) return *wrong;
    if (auto wrong = detail::wrong_length("grad", grad.size(), x.size())) return *wrong;
    const auto ask = [&](eqf_extent *extent) { return f::latent_hmc_extent(plan.c(), n, extent); };
    return detail::with_workspace(work, ask, [&](void *memory, std::size_t size, eqf_diag *diag) {
        return f::latent_hmc(plan.c(), &detail::call_potential<R, callable>, &potential, draws.seed, draws.first,
                             draws.step, n, step_size, leapfrogs, z.data(), x.data(), u.data(), log_det.data(),
                             grad.data(), accepted.data(), memory, size, diag);
    });
}

/// The configurations of one replica of each ladder, their reduced energies there, and the energies that the other
/// replica's configurations have there.
template <class R> struct replica {
    view<R> x, u;
    view<const R> cross;
};

/// Two replicas of each ladder try to exchange their configurations: see eqf_exchange().
template <class R = double>
result<void> exchange(draws draws, shape shape, replica<detail::given<R>> one, replica<detail::given<R>> other,
                      view<std::uint64_t> accepted)
{
    const std::size_t n = one.u.size();
    if (auto wrong = detail::wrong_chains(n, shape, one.x, one.u, accepted)) return *wrong;
    if (auto wrong = detail::wrong_length("cross", one.cross.size(), n)) return *wrong;
    if (auto wrong = detail::wrong_length("x_other", other.x.size(), one.x.size())) return *wrong;
    if (auto wrong = detail::wrong_length("u_other", other.u.size(), n)) return *wrong;
    if (auto wrong = detail::wrong_length("cross_other", other.cross.size(), n)) return *wrong;
    eqf_diag diag{};
    return detail::outcome(detail::functions<R>::exchange(draws.seed, draws.first, draws.step, n, shape.n_particles,
                                                          shape.dimension, one.x.data(), one.u.data(),
                                                          one.cross.data(), other.x.data(), other.u.data(),
                                                          other.cross.data(), accepted.data(), &diag),
                           diag);
}

} // namespace eqf

#undef EQFLOW_EXCEPTIONS
#endif
