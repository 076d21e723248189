/* Every function with every pointer NULL, misaligned, overlapping and every length too short: tests/capi.rs makes the
 * calls from the header's declarations and writes them to arguments.inc. With -DCOUNT_ALLOCATIONS, and the linker's
 * --wrap for what is wrapped below, none of these calls may allocate or free memory. Prints what is wrong and returns
 * 1; silent success returns 0. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eqflow.h"

enum { N = 3, D = 2, M = 2, L = 2, SAMPLES = 2, SLOTS = 24, SLOT = 4096, BIG = 1 << 20 };

static int failures;

/* Calls to the allocator, by whatever is linked into this program. */
static int allocations;

#ifdef COUNT_ALLOCATIONS
#define WRAP(type, name, parameters, arguments)                                                                      \
    type __real_##name parameters;                                                                                   \
    type __wrap_##name parameters;                                                                                   \
    type __wrap_##name parameters                                                                                    \
    {                                                                                                                \
        allocations++;                                                                                               \
        return __real_##name arguments;                                                                              \
    }

WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t count, size_t size), (count, size))
WRAP(void *, realloc, (void *old, size_t size), (old, size))
WRAP(void *, aligned_alloc, (size_t align, size_t size), (align, size))
WRAP(int, posix_memalign, (void **memory, size_t align, size_t size), (memory, align, size))

void __real_free(void *memory);
void __wrap_free(void *memory);
void __wrap_free(void *memory)
{
    allocations++;
    __real_free(memory);
}
#endif

/* The memory of the arguments, one slot each: the last is the diagnosis, which alone a failure may change. */
static unsigned char *arena, before[SLOTS * SLOT];
static void *mem, *work;
static size_t file_length;

static const double WEIGHTS[L * M] = {0.1, -0.2, 0.3, 0.05}, MU[M] = {0.5, 1.5}, GAMMA[M] = {0.7, 0.8};
static const double MU_TIME[L] = {0.0, 1.0}, GAMMA_TIME[L] = {0.5, 0.5};

static void *slot(int i)
{
    return arena + (size_t)i * SLOT;
}

static eqf_diag *diagnosis(void)
{
    return slot(SLOTS - 1);
}

static void *aligned(size_t size)
{
    unsigned char *raw = malloc(size + 128);
    if (!raw) exit(1);
    return raw + (64 - (uintptr_t)raw % 64);
}

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "arguments.c: %s: %s\n", what, why);
    failures++;
}

/* Valid contents of each type that a pointer can have; outputs keep them where a call fails. */
static void put_double(void *to)
{
    double *values = to;
    int i;
    for (i = 0; i < SLOT / 8; i++) values[i] = 0.5 + 0.01 * (i * i % 97);
}

static void put_float(void *to)
{
    float *values = to;
    int i;
    for (i = 0; i < SLOT / 4; i++) values[i] = (float)(0.5 + 0.01 * (i * i % 97));
}

static void put_eqf_model(void *to)
{
    eqf_model *model = to;
    if (eqf_model_init(model, sizeof *model) != EQF_OK) exit(1);
    model->n_particles = N;
    model->dimension = D;
    model->n_radial = M;
    model->n_time = L;
    model->weights = WEIGHTS;
    model->mu = MU;
    model->gamma = GAMMA;
    model->mu_time = MU_TIME;
    model->gamma_time = GAMMA_TIME;
}

static void put_eqf_config(void *to)
{
    if (eqf_config_init(to, sizeof(eqf_config)) != EQF_OK) exit(1);
}

static void put_eqf_double_well_params(void *to)
{
    if (eqf_double_well_dw4(to) != EQF_OK) exit(1);
}

static void put_eqf_lennard_jones_params(void *to)
{
    if (eqf_lennard_jones_lj13(to) != EQF_OK) exit(1);
}

/* A model file. */
static void put_uint8_t(void *to)
{
    eqf_model model;
    put_eqf_model(&model);
    if (eqf_model_write(&model, to, SLOT, &file_length, NULL) != EQF_OK) exit(1);
}

/* Potentials that need no context. */
static int32_t flat(void *context, size_t n, size_t n_particles, size_t dimension, const double *x, double *u, double *grad)
{
    (void)context, (void)x;
    if (grad) memset(grad, 0, n * n_particles * dimension * sizeof *grad);
    while (n > 0) u[--n] = 0.0;
    return 0;
}

static int32_t flat_f32(void *context, size_t n, size_t n_particles, size_t dimension, const float *x, float *u, float *grad)
{
    (void)context, (void)x;
    if (grad) memset(grad, 0, n * n_particles * dimension * sizeof *grad);
    while (n > 0) u[--n] = 0.0f;
    return 0;
}

static void begin(void (*prepare)(void))
{
    memset(arena, 0x5a, SLOTS * SLOT);
    prepare();
    memcpy(before, arena, sizeof before);
}

/* `name` is the argument that the diagnosis must name, or NULL. */
static void finish(const char *what, int32_t got, int32_t want, const char *name)
{
    if (got != want) {
        fprintf(stderr, "arguments.c: %s: status %d, not %d\n", what, (int)got, (int)want);
        failures++;
    }
    if (want == EQF_OK) return;
    if (memcmp(arena, before, sizeof before - SLOT) != 0) fail(what, "an output has changed");
    if (name && strcmp(eqf_argument_string(diagnosis()->argument), name) != 0) {
        fail(what, eqf_argument_string(diagnosis()->argument));
    }
}

#define CALL(prepare, what, want, name, call)                                                                        \
    do {                                                                                                             \
        int32_t got;                                                                                                 \
        begin(prepare);                                                                                              \
        allocations = 0;                                                                                             \
        got = call;                                                                                                  \
        if (allocations > 0) fail(what, "has called the allocator");                                                 \
        finish(what, got, want, name);                                                                               \
    } while (0)

/* A length that the diagnosis demands: one byte less is refused, too, and exactly that is enough. `call` has `length`. */
#define TOO_SHORT(prepare, what, name, call)                                                                         \
    do {                                                                                                             \
        size_t length = 0;                                                                                           \
        CALL(prepare, what, EQF_ERROR_WORKSPACE, name, call);                                                        \
        length = (size_t)diagnosis()->value - 1;                                                                     \
        CALL(prepare, what, EQF_ERROR_WORKSPACE, name, call);                                                        \
        length += 1;                                                                                                 \
        CALL(prepare, what, EQF_OK, NULL, call);                                                                     \
    } while (0)

/* Plans, with copies of their memory: nothing may change them. */
static eqf_plan *plan, *jacobian_plan;
static eqf_plan_f32 *plan_f32, *jacobian_plan_f32;
static struct {
    unsigned char *memory, *copy;
    size_t size;
} kept[4];

#define NEW_PLAN(i, name, suffix, how)                                                                               \
    do {                                                                                                             \
        eqf_extent extent;                                                                                           \
        if (eqf_plan_extent##suffix(&model, &how, &extent, NULL) != EQF_OK) exit(1);                                 \
        kept[i].memory = aligned(extent.size);                                                                       \
        kept[i].copy = aligned(extent.size);                                                                         \
        kept[i].size = extent.size;                                                                                  \
        memset(kept[i].memory, 0, extent.size);                                                                      \
        if (eqf_plan_init##suffix(kept[i].memory, extent.size, &model, &how, &name, NULL) != EQF_OK) exit(1);        \
        memcpy(kept[i].copy, kept[i].memory, extent.size);                                                           \
    } while (0)

static void set_up(void)
{
    eqf_model model;
    eqf_config config, exact;
    arena = aligned(SLOTS * SLOT);
    mem = aligned(BIG);
    work = aligned(BIG);
    put_eqf_model(&model);
    put_eqf_config(&config);
    exact = config;
    exact.log_det = EQF_LOG_DET_JACOBIAN;
    NEW_PLAN(0, plan, , config);
    NEW_PLAN(1, plan_f32, _f32, config);
    NEW_PLAN(2, jacobian_plan, , exact);
    NEW_PLAN(3, jacobian_plan_f32, _f32, exact);
}

#include "arguments.inc"

#ifdef COUNT_ALLOCATIONS
/* Starting a thread allocates: a library whose calls were not wrapped would not show. */
static void the_counter_counts(void)
{
    double x[SAMPLES * N * D] = {0};
    allocations = 0;
    if (eqf_forward_threads(plan, 2, SAMPLES, x, slot(0), NULL, work, BIG, NULL) != EQF_OK) exit(1);
    if (allocations == 0) fail("eqf_forward_threads", "starts threads without the allocator that is wrapped");
}
#endif

int main(void)
{
    int i;
    set_up();
#ifdef COUNT_ALLOCATIONS
    the_counter_counts();
#endif
    every_function();
    for (i = 0; i < 4; i++) {
        if (memcmp(kept[i].memory, kept[i].copy, kept[i].size) != 0) fail("a plan", "has changed");
    }
    return failures ? 1 : 0;
}
