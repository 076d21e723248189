// The C++ client without exceptions: what is refused is refused with a status, by the view's own checks or the library's.
#include "eqflow.hpp"

#include <cstdio>

template <class T> static bool refuses(const eqf::result<T> &result, std::int32_t status)
{
    return !result && result.failure().status == status;
}

int main()
{
    std::vector<double> x(8, 1.0), short_u(1), u(2), none;
    const eqf::shape no_particles{0, 2}, four{4, 2};
    const bool right = refuses(eqf::remove_com(no_particles, x), EQF_ERROR_SHAPE) &&
                       refuses(eqf::remove_com(no_particles, none), EQF_ERROR_SHAPE) &&
                       refuses(eqf::prior_sample(1, 0, no_particles, none), EQF_ERROR_SHAPE) &&
                       refuses(eqf::remove_com({3, 2}, x), EQF_ERROR_SHAPE) &&
                       refuses(eqf::double_well().energy(four, x, u), EQF_ERROR_SHAPE) &&
                       eqf::double_well().energy(four, x, short_u) && eqf::remove_com(four, x) && x[0] == 0.0 &&
                       refuses(eqf::model::parse({1, 2, 3}), EQF_ERROR_MODEL) &&
                       refuses(eqf::model::open("/no such file"), EQF_ERROR_MODEL);
    std::puts(right ? "cpp client" : "the C++ client accepts what it should refuse");
    return right ? 0 : 1;
}
