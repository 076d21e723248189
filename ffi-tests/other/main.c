/* eqflow and another Rust static library in one program. */
#include <stdio.h>

#include "eqflow.h"

uint64_t other_sum(uint32_t n);

int main(void)
{
    double z[8];
    if (other_sum(100) != 5050 || eqf_abi() != EQF_ABI || eqf_prior_sample(1, 0, 1, 4, 2, z) != EQF_OK) return 1;
    puts("two Rust libraries");
    return 0;
}
