// The C++ client, with and without exceptions: what is refused is refused with a status, by the view's own checks or the
// library's, and Markov chains of every kind leave arrays that fit together.
//
//     cpp_client model.eqf
#include "eqflow.hpp"

#include <cmath>
#include <cstdio>

template <class T> static bool refuses(const eqf::result<T> &result, std::int32_t status)
{
    return !result && result.failure().status == status;
}

static bool refusals()
{
    std::vector<double> x(8, 1.0), short_u(1), u(2), none;
    const eqf::shape no_particles{0, 2}, four{4, 2};
    return refuses(eqf::remove_com(no_particles, x), EQF_ERROR_SHAPE) &&
           refuses(eqf::remove_com(no_particles, none), EQF_ERROR_SHAPE) &&
           refuses(eqf::prior_sample(1, 0, no_particles, none), EQF_ERROR_SHAPE) &&
           refuses(eqf::remove_com({3, 2}, x), EQF_ERROR_SHAPE) &&
           refuses(eqf::double_well().energy(four, x, u), EQF_ERROR_SHAPE) &&
           eqf::double_well().energy(four, x, short_u) && eqf::remove_com(four, x) && x[0] == 0.0 &&
           refuses(eqf::model::parse({1, 2, 3}), EQF_ERROR_MODEL) &&
           refuses(eqf::model::open("/no such file"), EQF_ERROR_MODEL);
}

/// What all kinds of chains move.
template <class R> struct arrays {
    std::vector<R> z, x, u, log_prob, log_det, grad;
    std::vector<std::uint64_t> accepted;

    explicit arrays(std::size_t n)
        : z(8 * n), x(8 * n), u(n), log_prob(n), log_det(n), grad(8 * n), accepted(n) {}
};

/// Every kind of step refuses wrong lengths, moves chains of DW-4, and leaves energies, gradients and images that are those
/// of the configurations.
template <class R> static bool chains(const eqf::model &model, R tolerance)
{
    const std::size_t n = 20;
    const eqf::shape four{4, 2};
    auto made = eqf::basic_plan<R>::make(model, eqf::config());
    if (!made) return false;
    const eqf::basic_plan<R> &plan = made.value();
    const eqf::double_well well;
    eqf::workspace work;
    auto energies = [&](eqf::shape shape, eqf::view<const R> x, eqf::view<R> u) {
        (void)well.energy<R>(shape, x, u);
    };
    auto gradients = [&](eqf::shape shape, eqf::view<const R> x, eqf::view<R> u, eqf::view<R> grad) {
        (void)well.energy<R>(shape, x, u, grad);
    };
    // The first five kinds have no latent coordinates.
    auto move = [&](int kind, std::uint64_t step, arrays<R> &a, eqf::view<R> u) -> eqf::result<void> {
        const eqf::draws draws{7, 0, step};
        switch (kind) {
        case 0: return eqf::metropolis<R>(energies, draws, four, R(0.3), a.x, u, a.accepted, work);
        case 1: return eqf::metropolis_particle<R>(gradients, draws, four, R(0.5), a.x, u, a.accepted, work);
        case 2: return eqf::hmc<R>(gradients, draws, four, R(0.1), 4, a.x, u, a.grad, a.accepted, work);
        case 3: return eqf::mala<R>(gradients, draws, four, R(0.1), a.x, u, a.grad, a.accepted, work);
        case 4: return eqf::independence(plan, energies, draws, a.x, u, a.log_prob, a.accepted, work);
        case 5: return eqf::latent_metropolis(plan, energies, draws, R(0.3), a.z, a.x, u, a.log_det, a.accepted, work);
        default:
            return eqf::latent_hmc(plan, gradients, draws, R(0.1), 3, a.z, a.x, u, a.log_det, a.grad, a.accepted, work);
        }
    };
    for (int kind = 0; kind < 7; kind++) {
        arrays<R> a(n);
        std::vector<R> again(n), grad(8 * n), images(8 * n);
        if (!plan.sample(1, 0, a.x, a.log_prob, work) || !eqf::prior_sample<R>(1, 0, four, a.z)) return false;
        if (kind < 5) {
            if (!well.energy<R>(four, a.x, a.u, a.grad)) return false;
        } else if (!eqf::latent_start(plan, gradients, a.z, a.x, a.u, a.log_det, a.grad, work)) {
            return false;
        }
        if (!refuses(move(kind, 0, a, eqf::view<R>(a.u.data(), n - 1)), EQF_ERROR_SHAPE)) return false;
        for (std::uint64_t step = 0; step < 30; step++)
            if (!move(kind, step, a, a.u)) return false;
        std::uint64_t moves = 0;
        for (const std::uint64_t count : a.accepted) moves += count;
        if (moves == 0 || !well.energy<R>(four, a.x, again, grad)) return false;
        if (kind >= 5 && !plan.forward(a.z, images, {}, work)) return false;
        for (std::size_t i = 0; i < n; i++)
            if (!(std::abs(again[i] - a.u[i]) <= tolerance * std::abs(again[i]))) return false;
        for (std::size_t i = 0; i < 8 * n && kind >= 5; i++)
            if (images[i] != a.x[i]) return false;
        for (std::size_t i = 0; i < 8 * n && (kind == 2 || kind == 3); i++)
            if (!(std::abs(grad[i] - a.grad[i]) <= tolerance * 100)) return false;
    }
    return true;
}

/// Two replicas at two temperatures: the energies go with the configurations.
template <class R> static bool exchanges(const eqf::model &model)
{
    const std::size_t n = 20;
    const eqf::shape four{4, 2};
    const eqf::double_well cold;
    eqf::double_well hot;
    hot.tau = 1.5;
    auto made = eqf::basic_plan<R>::make(model, eqf::config());
    eqf::workspace work;
    std::vector<R> x(8 * n), x_hot(8 * n), u(n), u_hot(n), cross(n), cross_hot(n), again(n);
    std::vector<std::uint64_t> accepted(n);
    if (!made || !made.value().sample(1, 0, x, {}, work) || !made.value().sample(1, n, x_hot, {}, work)) return false;
    if (!cold.energy<R>(four, x, u) || !cold.energy<R>(four, x_hot, cross)) return false;
    if (!hot.energy<R>(four, x_hot, u_hot) || !hot.energy<R>(four, x, cross_hot)) return false;
    if (!refuses(eqf::exchange<R>({1, 0, 0}, four, {x, u, {}}, {x_hot, u_hot, cross_hot}, accepted), EQF_ERROR_SHAPE))
        return false;
    if (!eqf::exchange<R>({1, 0, 0}, four, {x, u, cross}, {x_hot, u_hot, cross_hot}, accepted)) return false;
    std::uint64_t moves = 0;
    for (const std::uint64_t count : accepted) moves += count;
    return moves > 0 && moves < n && cold.energy<R>(four, x, again) && again == u && hot.energy<R>(four, x_hot, again) &&
           again == u_hot;
}

/// The transpose of the flow gives what latent_start() does.
static bool pulls(const eqf::model &model)
{
    const std::size_t n = 5;
    const eqf::double_well well;
    auto made = eqf::plan::make(model, eqf::config());
    eqf::workspace work;
    arrays<double> a(n);
    std::vector<double> pulled(8 * n), x_bar(8 * n), minus(n, -1.0);
    auto gradients = [&](eqf::shape shape, eqf::view<const double> x, eqf::view<double> u, eqf::view<double> grad) {
        (void)well.energy(shape, x, u, grad);
    };
    if (!made || !eqf::prior_sample(1, 0, {4, 2}, a.z)) return false;
    if (!eqf::latent_start(made.value(), gradients, a.z, a.x, a.u, a.log_det, a.grad, work)) return false;
    if (!well.energy({4, 2}, a.x, a.u, x_bar)) return false;
    if (!refuses(made.value().pull_gradient(a.z, x_bar, {}, pulled, work), EQF_ERROR_SHAPE)) return false;
    if (!made.value().pull_gradient(a.z, x_bar, minus, pulled, work)) return false;
    for (std::size_t i = 2; i < 8 * n; i++)
        if (!(std::abs((pulled[i] - pulled[i - 2]) - (a.grad[i] - a.grad[i - 2])) < 1e-10) && i % 8 > 1) return false;
    return true;
}

/// What a potential throws becomes a status, and no chain has moved.
static bool throws()
{
#if defined(__cpp_exceptions)
    std::vector<double> x(8, 0.0), u(1, 0.0);
    eqf::workspace work;
    auto broken = [](eqf::shape, eqf::view<const double>, eqf::view<double>) { throw 1; };
    return refuses(eqf::metropolis(broken, {1, 0, 0}, {4, 2}, 0.5, x, u, {}, work), EQF_ERROR_CALLBACK) && x[0] == 0.0;
#else
    return true;
#endif
}

int main(int argc, char **argv)
{
    auto model = eqf::model::open(argc == 2 ? argv[1] : "");
    const bool right = model && refusals() && chains<double>(model.value(), 1e-12) && chains<float>(model.value(), 1e-4f) &&
                       exchanges<double>(model.value()) && exchanges<float>(model.value()) && pulls(model.value()) &&
                       throws();
    std::puts(right ? "cpp client" : "the C++ client does not do what it should");
    return right ? 0 : 1;
}
