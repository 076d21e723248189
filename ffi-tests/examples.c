/* Runs every example of the header: tests/capi.rs writes them to examples.inc, a function each, and their list.
 *
 *     examples model-file
 *
 * What the examples have at hand is what the beginning of the header says. */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eqflow.h"

#define div divergences /* <stdlib.h> has a div of its own */

enum { n = 3, C = 8, K = 6 };

eqf_model model;
eqf_config config;
eqf_plan *plan, *jacobian_plan;
eqf_extent extent;
eqf_diag diag;
unsigned char bytes[65536], file[65536];
void *mem, *work;
double z[n * C], x[n * C], v[n * C], grad[n * C], com[n * 2], jacobian[n * K * K];
double u[n], log_det[n], log_prob[n], div[n], d[n], phi[n], dphi[n];
size_t length, mem_len, work_len, threads;

static void *new_memory(size_t size)
{
    unsigned char *raw = malloc(size + 64);
    assert(raw);
    return raw + (64 - (uintptr_t)raw % 64);
}

static eqf_plan *new_plan(const eqf_config *how)
{
    eqf_plan *made;
    assert(eqf_plan_extent(&model, how, &extent, &diag) == EQF_OK);
    assert(eqf_plan_init(new_memory(extent.size), extent.size, &model, how, &made, &diag) == EQF_OK);
    if (mem_len < extent.size) mem_len = extent.size;
    return made;
}

static void set_up_once(const char *path)
{
    eqf_config exact;
    FILE *source = fopen(path, "rb");
    assert(source);
    length = fread(bytes, 1, sizeof bytes, source);
    fclose(source);
    assert(eqf_model_init(&model, sizeof model) == EQF_OK);
    assert(eqf_model_read(bytes, length, &model, &diag) == EQF_OK);
    assert(eqf_config_init(&config, sizeof config) == EQF_OK);
    exact = config;
    exact.log_det = EQF_LOG_DET_JACOBIAN;
    plan = new_plan(&config);
    jacobian_plan = new_plan(&exact);
    mem = new_memory(mem_len);
    work_len = 1 << 20;
    work = new_memory(work_len);
    threads = eqf_has_feature("threads") ? 2 : 1;
}

static void set_up(void)
{
    int i;
    eqf_model_init(&model, sizeof model);
    assert(eqf_model_read(bytes, length, &model, &diag) == EQF_OK);
    assert(eqf_config_init(&config, sizeof config) == EQF_OK);
    assert(eqf_prior_sample(1, 0, n, 4, 2, z) == EQF_OK);
    assert(eqf_sample(plan, 1, 0, n, x, log_prob, work, work_len, &diag) == EQF_OK);
    for (i = 0; i < n; i++) d[i] = 1.0 + i;
}

#include "examples.inc"

int main(int argc, char **argv)
{
    size_t i;
    assert(argc == 2);
    set_up_once(argv[1]);
    for (i = 0; i < sizeof EXAMPLES / sizeof *EXAMPLES; i++) {
        set_up();
        EXAMPLES[i]();
    }
    return 0;
}
