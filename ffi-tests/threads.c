/* The same bits from one thread, from several that a call starts, and from a batch or Markov chains that the caller splits
 * among threads of his own; failures that write nothing. Where the library has no threads of its own, more than one is refused.
 * Prints what is wrong and returns 1; silent success returns 0. Compiled once with doubles and once, with -DSINGLE,
 * with floats. */

#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "eqflow.h"

#ifdef SINGLE
typedef float real;
typedef eqf_plan_f32 plan_type;
#define F(name) name##_f32
#else
typedef double real;
typedef eqf_plan plan_type;
#define F(name) name
#endif

enum { N = 3, D = 2, M = 2, L = 2, C = N * D, SAMPLES = 203, PARTS = 3 };
enum call { FORWARD, INVERSE, LOG_PROB, LOG_PROB_ONLY, SAMPLE, CALLS };

static const uint64_t SEED = 3, FIRST = (uint64_t)-100; /* the sample index wraps around */

static int failures;

#define EXPECT(condition) expect((condition) != 0, #condition, __LINE__)

static void expect(int holds, const char *what, int line)
{
    if (holds) return;
    fprintf(stderr, "threads.c:%d: %s\n", line, what);
    failures++;
}

static void *aligned(eqf_extent extent)
{
    void *memory = NULL;
    if (posix_memalign(&memory, extent.align, extent.size ? extent.size : 1)) exit(1);
    return memory;
}

static plan_type *new_plan(int32_t integrator, uint32_t max_steps)
{
    static const double weights[L * M] = {0.1, -0.2, 0.3, 0.05}, mu[M] = {0.5, 1.5}, gamma[M] = {0.7, 0.8};
    static const double mu_time[L] = {0.0, 1.0}, gamma_time[L] = {0.5, 0.5};
    eqf_model model;
    eqf_config config;
    eqf_extent extent;
    plan_type *plan = NULL;
    EXPECT(eqf_model_init(&model, sizeof model) == EQF_OK);
    EXPECT(eqf_config_init(&config, sizeof config) == EQF_OK);
    model.n_particles = N;
    model.dimension = D;
    model.n_radial = M;
    model.n_time = L;
    model.weights = weights;
    model.mu = mu;
    model.gamma = gamma;
    model.mu_time = mu_time;
    model.gamma_time = gamma_time;
    config.integrator = integrator;
    config.rtol = config.atol = 1e-5;
    config.max_steps = max_steps;
    EXPECT(F(eqf_plan_extent)(&model, &config, &extent, NULL) == EQF_OK);
    EXPECT(F(eqf_plan_init)(aligned(extent), extent.size, &model, &config, &plan, NULL) == EQF_OK);
    if (!plan) exit(1);
    return plan;
}

static real input[SAMPLES * C];

/* What a call writes. */
struct outputs {
    real samples[SAMPLES * C], numbers[SAMPLES];
};

static void blank(struct outputs *out)
{
    size_t i;
    for (i = 0; i < SAMPLES * C; i++) out->samples[i] = -77;
    for (i = 0; i < SAMPLES; i++) out->numbers[i] = -78;
}

static int untouched(const struct outputs *out)
{
    struct outputs other;
    blank(&other);
    return memcmp(out, &other, sizeof other) == 0;
}

struct memory {
    void *work;
    size_t length;
};

/* The samples from `at` to `at` + n - 1 by a call without threads. */
static int32_t serial(enum call call, const plan_type *plan, size_t at, size_t n, struct outputs *out, struct memory m)
{
    const real *in = input + at * C;
    real *x = out->samples + at * C, *s = out->numbers + at;
    switch (call) {
    case FORWARD: return F(eqf_forward)(plan, n, in, x, s, m.work, m.length, NULL);
    case INVERSE: return F(eqf_inverse)(plan, n, in, x, s, m.work, m.length, NULL);
    case LOG_PROB: return F(eqf_log_prob)(plan, n, in, s, x, m.work, m.length, NULL);
    case LOG_PROB_ONLY: return F(eqf_log_prob)(plan, n, in, s, NULL, m.work, m.length, NULL);
    default: return F(eqf_sample)(plan, SEED, FIRST + at, n, x, s, m.work, m.length, NULL);
    }
}

/* All samples by a call with threads. */
static int32_t threaded(enum call call, const plan_type *plan, size_t threads, struct outputs *out, struct memory m,
                        eqf_diag *diag)
{
    real *x = out->samples, *s = out->numbers;
    switch (call) {
    case FORWARD: return F(eqf_forward_threads)(plan, threads, SAMPLES, input, x, s, m.work, m.length, diag);
    case INVERSE: return F(eqf_inverse_threads)(plan, threads, SAMPLES, input, x, s, m.work, m.length, diag);
    case LOG_PROB: return F(eqf_log_prob_threads)(plan, threads, SAMPLES, input, s, x, m.work, m.length, diag);
    case LOG_PROB_ONLY: return F(eqf_log_prob_threads)(plan, threads, SAMPLES, input, s, NULL, m.work, m.length, diag);
    default: return F(eqf_sample_threads)(plan, threads, SEED, FIRST, SAMPLES, x, s, m.work, m.length, diag);
    }
}

static struct memory workspace(const plan_type *plan, size_t n)
{
    struct memory memory;
    eqf_extent extent;
    EXPECT(F(eqf_workspace_extent)(plan, n, &extent) == EQF_OK);
    memory.work = aligned(extent);
    memory.length = extent.size;
    return memory;
}

static struct memory workspace_threads(const plan_type *plan, size_t threads)
{
    struct memory memory;
    eqf_extent extent = {0, 64};
    EXPECT(F(eqf_workspace_extent_threads)(plan, threads, SAMPLES, &extent) == EQF_OK);
    memory.work = aligned(extent);
    memory.length = extent.size;
    return memory;
}

/* A part of the batch for a thread of the caller's. */
struct part {
    enum call call;
    const plan_type *plan;
    size_t at, n;
    struct outputs *out;
    int32_t status;
};

static void *run_part(void *argument)
{
    struct part *part = argument;
    struct memory memory = workspace(part->plan, part->n);
    part->status = serial(part->call, part->plan, part->at, part->n, part->out, memory);
    free(memory.work);
    return NULL;
}

static const size_t bounds[PARTS + 1] = {0, 70, 71, SAMPLES};

static void split(enum call call, const plan_type *plan, struct outputs *out)
{
    struct part parts[PARTS];
    pthread_t threads[PARTS];
    int i;
    for (i = 0; i < PARTS; i++) {
        struct part part = {call, plan, bounds[i], bounds[i + 1] - bounds[i], out, -1};
        parts[i] = part;
        if (pthread_create(&threads[i], NULL, run_part, &parts[i])) exit(1);
    }
    for (i = 0; i < PARTS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
        EXPECT(parts[i].status == EQF_OK);
    }
}

static void same_bits(const plan_type *plan)
{
    static const size_t counts[] = {1, 2, 5, 1024};
    struct outputs want, got;
    struct memory memory;
    size_t i;
    int call;
    for (call = 0; call < CALLS; call++) {
        memory = workspace(plan, SAMPLES);
        blank(&want);
        EXPECT(serial((enum call)call, plan, 0, SAMPLES, &want, memory) == EQF_OK && !untouched(&want));
        free(memory.work);
        for (i = 0; i < sizeof counts / sizeof *counts; i++) {
            if (counts[i] > 1 && !eqf_has_feature("threads")) continue;
            memory = workspace_threads(plan, counts[i]);
            blank(&got);
            EXPECT(threaded((enum call)call, plan, counts[i], &got, memory, NULL) == EQF_OK);
            EXPECT(memcmp(&got, &want, sizeof want) == 0);
            free(memory.work);
        }
        blank(&got);
        split((enum call)call, plan, &got);
        EXPECT(memcmp(&got, &want, sizeof want) == 0);
    }
}

/* What chains that move with a plan move: `numbers` are log-densities or log-determinants. */
enum kernel { INDEPENDENCE, LATENT_METROPOLIS, LATENT_HMC, KERNELS };

struct chains {
    real z[SAMPLES * C], x[SAMPLES * C], grad[SAMPLES * C], u[SAMPLES], numbers[SAMPLES];
    uint64_t accepted[SAMPLES];
};

/* Three steps of the chains from `at` to `at` + n - 1. */
static int32_t advance(enum kernel kernel, const plan_type *plan, size_t at, size_t n, struct chains *all)
{
    const F(eqf_potential_fn) potential = F(eqf_double_well_potential);
    const uint64_t first = FIRST + at;
    const real h = (real)0.1;
    real *z = all->z + at * C, *x = all->x + at * C, *grad = all->grad + at * C, *u = all->u + at, *s = all->numbers + at;
    uint64_t *accepted = all->accepted + at, step;
    eqf_double_well_params well;
    eqf_extent extent, other;
    void *work;
    int32_t status = eqf_double_well_dw4(&well);
    if (status == EQF_OK) status = F(eqf_latent_hmc_extent)(plan, n, &extent);
    if (status == EQF_OK) status = F(eqf_independence_extent)(plan, n, &other);
    if (status != EQF_OK) return status;
    if (other.size > extent.size) extent = other;
    work = aligned(extent);
    status = F(eqf_prior_sample)(SEED, first, n, N, D, z);
    if (status == EQF_OK) status = F(eqf_latent_start)(plan, potential, &well, n, z, x, u, s, grad, work, extent.size, NULL);
    if (status == EQF_OK && kernel == INDEPENDENCE)
        status = F(eqf_log_prob)(plan, n, x, s, NULL, work, extent.size, NULL);
    for (step = 0; step < 3 && status == EQF_OK; step++)
        switch (kernel) {
        case INDEPENDENCE:
            status = F(eqf_independence)(plan, potential, &well, SEED, first, step, n, x, u, s, accepted, work, extent.size,
                                         NULL);
            break;
        case LATENT_METROPOLIS:
            status = F(eqf_latent_metropolis)(plan, potential, &well, SEED, first, step, n, h, z, x, u, s, accepted, work,
                                              extent.size, NULL);
            break;
        default:
            status = F(eqf_latent_hmc)(plan, potential, &well, SEED, first, step, n, h, 2, z, x, u, s, grad, accepted, work,
                                       extent.size, NULL);
            break;
        }
    free(work);
    return status;
}

/* Some of the chains for a thread of the caller's. */
struct share {
    enum kernel kernel;
    const plan_type *plan;
    size_t at, n;
    struct chains *all;
    int32_t status;
};

static void *run_share(void *argument)
{
    struct share *share = argument;
    share->status = advance(share->kernel, share->plan, share->at, share->n, share->all);
    return NULL;
}

static void same_chains(const plan_type *plan)
{
    static struct chains whole, shared;
    struct share shares[PARTS];
    pthread_t threads[PARTS];
    uint64_t moves;
    int kernel, i;
    for (kernel = 0; kernel < KERNELS; kernel++) {
        memset(&whole, 0, sizeof whole);
        memset(&shared, 0, sizeof shared);
        EXPECT(advance((enum kernel)kernel, plan, 0, SAMPLES, &whole) == EQF_OK);
        for (i = 0; i < PARTS; i++) {
            struct share share = {(enum kernel)kernel, plan, bounds[i], bounds[i + 1] - bounds[i], &shared, -1};
            shares[i] = share;
            if (pthread_create(&threads[i], NULL, run_share, &shares[i])) exit(1);
        }
        for (i = 0; i < PARTS; i++) {
            EXPECT(pthread_join(threads[i], NULL) == 0);
            EXPECT(shares[i].status == EQF_OK);
        }
        EXPECT(memcmp(&whole, &shared, sizeof whole) == 0);
        for (moves = 0, i = 0; i < SAMPLES; i++) moves += whole.accepted[i];
        EXPECT(moves > 0);
    }
}

static int names(const eqf_diag *diag, const char *argument)
{
    return strcmp(eqf_argument_string(diag->argument), argument) == 0;
}

static void refused_counts(const plan_type *plan)
{
    static const size_t counts[] = {0, 1025, (size_t)-1, 2, 1024};
    struct memory memory = workspace_threads(plan, 1);
    struct outputs out;
    eqf_diag diag;
    size_t i;
    int call;
    for (i = 0; i < (eqf_has_feature("threads") ? 3 : 5); i++) {
        int32_t status = i < 3 ? EQF_ERROR_ARGUMENT : EQF_ERROR_UNSUPPORTED;
        eqf_extent extent = {11, 22};
        EXPECT(F(eqf_workspace_extent_threads)(plan, counts[i], SAMPLES, &extent) == status);
        EXPECT(extent.size == 11 && extent.align == 22);
        for (call = 0; call < CALLS; call++) {
            blank(&out);
            EXPECT(threaded((enum call)call, plan, counts[i], &out, memory, &diag) == status);
            EXPECT(names(&diag, "threads") && diag.value == (double)counts[i]);
            EXPECT(untouched(&out));
        }
        EXPECT(F(eqf_forward_threads)(plan, counts[i], 0, NULL, NULL, NULL, NULL, 0, NULL) == status);
    }
    EXPECT(F(eqf_forward_threads)(plan, 1, 0, NULL, NULL, NULL, NULL, 0, NULL) == EQF_OK);
    free(memory.work);
}

/* Failures of a call on as many threads as the library offers, up to 3. */
static void refused_arrays(const plan_type *plan, const plan_type *impatient)
{
    size_t threads = eqf_has_feature("threads") ? 3 : 1;
    struct memory memory = workspace_threads(plan, threads), shorter = memory;
    struct outputs out;
    eqf_diag diag;
    eqf_extent extent;
    size_t needed = memory.length;
    real before = input[SAMPLES * C - 1];
    int call;
    shorter.length -= 1;
    for (call = 0; call < CALLS; call++) {
        blank(&out);
        EXPECT(threaded((enum call)call, plan, threads, &out, shorter, &diag) == EQF_ERROR_WORKSPACE);
        EXPECT(names(&diag, "work") && diag.value == (double)needed && untouched(&out));
        input[SAMPLES * C - 1] = (real)INFINITY;
        if (call != SAMPLE) {
            EXPECT(threaded((enum call)call, plan, threads, &out, memory, &diag) == EQF_ERROR_NON_FINITE);
            EXPECT(diag.index == SAMPLES * C - 1 && untouched(&out));
        }
        input[SAMPLES * C - 1] = before;
    }
    free(memory.work);
    memory = workspace_threads(impatient, threads);
    EXPECT(threaded(FORWARD, impatient, threads, &out, memory, &diag) == EQF_ERROR_CONVERGENCE);
    EXPECT(names(&diag, "z") && diag.index == 0 && untouched(&out));
    EXPECT(F(eqf_workspace_extent_threads)(NULL, 1, 1, &extent) == EQF_ERROR_NULL);
    EXPECT(F(eqf_workspace_extent_threads)(plan, 1, 1, NULL) == EQF_ERROR_NULL);
    free(memory.work);
}

/* Threads of this process, or 1 where the system does not say. */
static int alive(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    int n = 0;
    if (!tasks) return 1;
    while ((entry = readdir(tasks)) != NULL) n += entry->d_name[0] != '.';
    closedir(tasks);
    return n;
}

/* All threads have ended; the system may take a moment to forget them. */
static void alone(void)
{
    const struct timespec moment = {0, 1000000};
    int i;
    for (i = 0; i < 5000 && alive() > 1; i++) nanosleep(&moment, NULL);
    EXPECT(alive() == 1);
}

int main(int argc, char **argv)
{
    plan_type *plans[2], *impatient = new_plan(EQF_INTEGRATOR_DOPRI5, 1);
    size_t i;
    if (argc != 2) return 1;
    EXPECT(eqf_has_feature("threads") == (strcmp(argv[1], "threads") == 0));
    plans[0] = new_plan(EQF_INTEGRATOR_RK4, 1000);
    plans[1] = new_plan(EQF_INTEGRATOR_DOPRI5, 1000);
    for (i = 0; i < SAMPLES * C; i++) input[i] = (real)(0.01 * (double)(i * i % 401) - 2.0);
    for (i = 0; i < 2; i++) {
        same_bits(plans[i]);
        same_chains(plans[i]);
        refused_counts(plans[i]);
        refused_arrays(plans[i], impatient);
        alone();
        free(plans[i]);
    }
    free(impatient);
    return failures ? 1 : 0;
}
