// Draws configurations of the double-well cluster DW-4 from a trained flow and reweights them to the Boltzmann
// distribution exp(-u):
//
//     dw4 model.eqf [n] [seed]
//
// prints what examples/c/dw4.c prints, from the same bits.

#include "eqflow.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <limits>
#include <stdexcept>

namespace {

constexpr double exact_log_z = 29.66723;

/// Goes on with a CRC-32 (that of zip and PNG files) of the numbers' bytes, the least significant first.
std::uint32_t checksum(std::uint32_t crc, const std::vector<double> &values)
{
    for (double value : values) {
        std::uint64_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        for (int k = 0; k < 64; k++) {
            const bool low = ((crc ^ bits >> k) & 1) != 0;
            crc = crc >> 1 ^ (low ? 0xedb88320u : 0u);
        }
    }
    return crc;
}

/// Importance weights w = exp(-u - log p), scaled by the largest.
void report(const std::vector<double> &u, const std::vector<double> &log_prob)
{
    const std::size_t n = u.size();
    double largest = -std::numeric_limits<double>::infinity(), energy = 0.0, sum = 0.0, squares = 0.0, spread = 0.0;
    for (std::size_t i = 0; i < n; i++) {
        energy += u[i] / static_cast<double>(n);
        largest = std::max(largest, -u[i] - log_prob[i]);
    }
    for (std::size_t i = 0; i < n; i++) {
        const double w = std::exp(-u[i] - log_prob[i] - largest);
        sum += w;
        squares += w * w;
        spread += (u[i] - energy) * (u[i] - energy);
    }
    const double effective = sum * sum / squares, count = static_cast<double>(n);
    std::printf("samples               %zu\n", n);
    std::printf("mean energy           %.5f +- %.5f\n", energy, std::sqrt(spread) / count);
    std::printf("effective sample size %.1f (%.2f %%)\n", effective, 100.0 * effective / count);
    std::printf("log Z                 %.5f +- %.5f (exact %.5f)\n", largest + std::log(sum / count),
                std::sqrt(1.0 / effective - 1.0 / count), exact_log_z);
}

void run(const char *path, std::size_t n, std::uint64_t seed)
{
    const eqf::model model = eqf::model::open(path).value();
    if (model.n_particles() != 4 || model.dimension() != 2)
        throw std::runtime_error("the model is not one of 4 particles in 2 dimensions");
    const eqf::plan plan = eqf::plan::make(model, eqf::config()).value();
    eqf::workspace work;
    std::vector<double> x(n * plan.coordinates()), log_prob(n), u(n);
    plan.sample(seed, 0, x, log_prob, work).value();
    eqf::double_well().energy({4, 2}, x, u).value();
    report(u, log_prob);
    const std::uint32_t crc = ~checksum(checksum(checksum(~0u, x), log_prob), u);
    std::printf("checksum              %08lX\n", static_cast<unsigned long>(crc));
}

} // namespace

int main(int argc, char **argv)
{
    const long long n = argc > 2 ? std::atoll(argv[2]) : 10000, seed = argc > 3 ? std::atoll(argv[3]) : 1;
    if (argc < 2 || argc > 4 || n < 1 || seed < 1) {
        std::fprintf(stderr, "usage: dw4 model.eqf [n >= 1] [seed >= 1]\n");
        return 2;
    }
    try {
        run(argv[1], static_cast<std::size_t>(n), static_cast<std::uint64_t>(seed));
    } catch (const std::exception &error) {
        std::fprintf(stderr, "dw4: %s\n", error.what());
        return 1;
    }
}
