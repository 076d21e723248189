/* Failures that lie in what arguments hold: the status, the argument that is named, untouched outputs. Pointers and
 * lengths are the business of arguments.c.
 * Prints what is wrong and returns 1; silent success returns 0. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eqflow.h"

enum { N = 3, D = 2, M = 2, L = 2, SAMPLES = 2, REALS = SAMPLES * N * D };

static int failures;

#define EXPECT(condition) expect((condition) != 0, #condition, __LINE__)

static void expect(int holds, const char *what, int line)
{
    if (holds) return;
    fprintf(stderr, "errors.c:%d: %s\n", line, what);
    failures++;
}

static const double WEIGHTS[L * M] = {0.1, -0.2, 0.3, 0.05}, MU[M] = {0.5, 1.5}, GAMMA[M] = {0.7, 0.8};
static const double MU_TIME[L] = {0.0, 1.0}, GAMMA_TIME[L] = {0.5, 0.5};

static eqf_model model_of(void)
{
    eqf_model model;
    EXPECT(eqf_model_init(&model, sizeof model) == EQF_OK);
    model.n_particles = N;
    model.dimension = D;
    model.n_radial = M;
    model.n_time = L;
    model.weights = WEIGHTS;
    model.mu = MU;
    model.gamma = GAMMA;
    model.mu_time = MU_TIME;
    model.gamma_time = GAMMA_TIME;
    return model;
}

static eqf_config config_of(void)
{
    eqf_config config;
    EXPECT(eqf_config_init(&config, sizeof config) == EQF_OK);
    return config;
}

static int names(const eqf_diag *diag, const char *argument)
{
    return strcmp(eqf_argument_string(diag->argument), argument) == 0;
}

/* eqf_plan_extent() must give this status and name this argument, and leave the extent alone. */
static void refuse(const eqf_model *model, const eqf_config *config, int32_t status, const char *argument, int line)
{
    eqf_extent extent = {11, 22};
    eqf_diag diag = {0, 0, 0.0};
    int32_t got = eqf_plan_extent(model, config, &extent, &diag);
    if (got != status || !names(&diag, argument)) {
        fprintf(stderr, "errors.c:%d: status %d (%s), argument %s\n", line, (int)got, eqf_status_string(got),
                eqf_argument_string(diag.argument));
        failures++;
    }
    expect(extent.size == 11 && extent.align == 22, "the extent is untouched", line);
    expect(eqf_plan_extent(model, config, &extent, NULL) == status, "the same without a diagnosis", line);
}

#define REFUSE_MODEL(change, status, argument)                                                                       \
    do {                                                                                                             \
        eqf_model m = model_of();                                                                                    \
        eqf_config c = config_of();                                                                                  \
        change;                                                                                                      \
        refuse(&m, &c, status, argument, __LINE__);                                                                  \
    } while (0)

static void structures(void)
{
    static const double bad_gamma[M] = {0.7, 0.0};
    double nan_weights[L * M] = {0.1, -0.2, 0.3, 0.05};
    nan_weights[2] = NAN;
    REFUSE_MODEL(m.struct_size = 0, EQF_ERROR_ABI, "struct_size");
    REFUSE_MODEL(m.struct_size = 16, EQF_ERROR_ABI, "struct_size");
    REFUSE_MODEL(m.struct_size = 1u << 30, EQF_ERROR_ABI, "struct_size");
    REFUSE_MODEL(m.reserved[3] = 1, EQF_ERROR_ABI, "model");
    REFUSE_MODEL(c.struct_size = 4, EQF_ERROR_ABI, "struct_size");
    REFUSE_MODEL(c.reserved[5] = 1, EQF_ERROR_ABI, "config");
    REFUSE_MODEL(m.basis = 2, EQF_ERROR_ARGUMENT, "model.basis");
    REFUSE_MODEL(m.encoding = -1, EQF_ERROR_ARGUMENT, "model.encoding");
    REFUSE_MODEL(m.n_particles = 0, EQF_ERROR_SHAPE, "model.n_particles");
    REFUSE_MODEL(m.dimension = 4, EQF_ERROR_SHAPE, "model.dimension");
    REFUSE_MODEL(m.n_radial = 0, EQF_ERROR_SHAPE, "model.n_radial");
    REFUSE_MODEL(m.n_time = (size_t)-1, EQF_ERROR_SHAPE, "model.n_time");
    REFUSE_MODEL(m.weights = NULL, EQF_ERROR_NULL, "model.weights");
    REFUSE_MODEL(m.gamma_time = NULL, EQF_ERROR_NULL, "model.gamma_time");
    REFUSE_MODEL(m.mu = (const double *)((const char *)MU + 4), EQF_ERROR_ALIGNMENT, "model.mu");
    REFUSE_MODEL(m.gamma = bad_gamma, EQF_ERROR_MODEL, "model.gamma");
    REFUSE_MODEL(m.weights = nan_weights, EQF_ERROR_NON_FINITE, "model.weights");
    REFUSE_MODEL(m.eps = -1.0, EQF_ERROR_MODEL, "model.eps");
    REFUSE_MODEL(c.integrator = 7, EQF_ERROR_ARGUMENT, "config.integrator");
    REFUSE_MODEL(c.steps = 0, EQF_ERROR_ARGUMENT, "config.steps");
    REFUSE_MODEL(c.log_det = 2, EQF_ERROR_ARGUMENT, "config.log_det");
    REFUSE_MODEL(c.inverse = -1, EQF_ERROR_ARGUMENT, "config.inverse");
    REFUSE_MODEL(c.radial = 3, EQF_ERROR_ARGUMENT, "config.radial");
    REFUSE_MODEL((c.integrator = EQF_INTEGRATOR_DOPRI5, c.log_det = EQF_LOG_DET_JACOBIAN), EQF_ERROR_UNSUPPORTED,
                 "config.log_det");
    REFUSE_MODEL((c.integrator = EQF_INTEGRATOR_DOPRI5, c.inverse = EQF_INVERSE_EXACT), EQF_ERROR_UNSUPPORTED,
                 "config.inverse");
    REFUSE_MODEL((c.integrator = EQF_INTEGRATOR_DOPRI5, c.radial = EQF_RADIAL_TABLE), EQF_ERROR_UNSUPPORTED,
                 "config.radial");
    REFUSE_MODEL(c.table_tolerance = -1e-9, EQF_ERROR_ARGUMENT, "config.table_tolerance");
    REFUSE_MODEL(c.table_tolerance = NAN, EQF_ERROR_NON_FINITE, "config.table_tolerance");
    REFUSE_MODEL(c.table_tolerance = 0.5, EQF_ERROR_ARGUMENT, "config.table_tolerance");
    REFUSE_MODEL(c.isa = 99, EQF_ERROR_ARGUMENT, "config.isa");
    REFUSE_MODEL((c.integrator = EQF_INTEGRATOR_DOPRI5, c.atol = 0.0), EQF_ERROR_ARGUMENT, "config.atol");
    REFUSE_MODEL((c.integrator = EQF_INTEGRATOR_DOPRI5, c.rtol = NAN), EQF_ERROR_NON_FINITE, "config.rtol");
    REFUSE_MODEL((c.integrator = EQF_INTEGRATOR_DOPRI5, c.max_steps = 0), EQF_ERROR_ARGUMENT, "config.max_steps");
}

/* A structure in memory of which all but what its header knows is garbage. */
union versioned {
    eqf_model model;
    eqf_config config;
    unsigned char bytes[512];
};

static int garbage_from(const union versioned *structure, size_t i)
{
    for (; i < sizeof *structure; i++) if (structure->bytes[i] != 0xaa) return 0;
    return 1;
}

/* Programs with older headers (shorter structures: what the library knows besides must keep its initial value, whatever
 * lies behind) and newer ones (longer: what it does not know must be zero), of every size. */
static void versions(void)
{
    const size_t oldest_model = offsetof(eqf_model, reserved), oldest_config = offsetof(eqf_config, reserved);
    eqf_model model = model_of();
    eqf_config config = config_of();
    eqf_extent want, got;
    union versioned shared;
    size_t size;
    EXPECT(eqf_plan_extent(&model, &config, &want, NULL) == EQF_OK);
    for (size = 0; size <= sizeof shared; size++) {
        memset(&shared, 0xaa, sizeof shared);
        EXPECT(eqf_config_init(&shared.config, size) == (size < oldest_config ? EQF_ERROR_ABI : EQF_OK));
        EXPECT(garbage_from(&shared, size < oldest_config ? 0 : size));
        shared.config.struct_size = (uint32_t)size;
        EXPECT(eqf_plan_extent(&model, &shared.config, &got, NULL) == (size < oldest_config ? EQF_ERROR_ABI : EQF_OK));
        if (size >= oldest_config) EXPECT(got.size == want.size && got.align == want.align);

        memset(&shared, 0xaa, sizeof shared);
        EXPECT(eqf_model_init(&shared.model, size) == (size < oldest_model ? EQF_ERROR_ABI : EQF_OK));
        EXPECT(garbage_from(&shared, size < oldest_model ? 0 : size));
        memcpy(&shared.model, &model, size < sizeof model ? size : sizeof model);
        shared.model.struct_size = (uint32_t)size;
        EXPECT(eqf_plan_extent(&shared.model, &config, &got, NULL) == (size < oldest_model ? EQF_ERROR_ABI : EQF_OK));
        if (size >= oldest_model) EXPECT(got.size == want.size && got.align == want.align);
    }
    shared.model.struct_size = sizeof shared;
    shared.bytes[sizeof shared - 1] = 1;
    EXPECT(eqf_plan_extent(&shared.model, &config, &got, NULL) == EQF_ERROR_ABI);
    EXPECT(eqf_config_init(&shared.config, (size_t)-1) == EQF_ERROR_ABI);
}

static void refuse_bytes(const unsigned char *bytes, size_t length, const char *argument, int line)
{
    eqf_model model = model_of(), before = model;
    eqf_diag diag = {0, 0, 0.0};
    int32_t status = eqf_model_read(bytes, length, &model, &diag);
    if (status != EQF_ERROR_MODEL || !names(&diag, argument)) {
        fprintf(stderr, "errors.c:%d: status %d, argument %s\n", line, (int)status, eqf_argument_string(diag.argument));
        failures++;
    }
    expect(memcmp(&model, &before, sizeof model) == 0, "the model is untouched", line);
}

static void files(void)
{
    union {
        double aligner;
        unsigned char bytes[512];
    } file, moved;
    eqf_model model = model_of(), back = model_of();
    eqf_extent extent;
    eqf_config config = config_of();
    eqf_diag diag;
    size_t length = 0, i;
    EXPECT(eqf_model_write(&model, NULL, 0, &length, NULL) == EQF_OK);
    EXPECT(length == 64 + 8 * (L * M + 2 * M + 2 * L));
    memset(file.bytes, 0x55, sizeof file.bytes);
    EXPECT(eqf_model_write(&model, file.bytes, length - 1, NULL, &diag) == EQF_ERROR_WORKSPACE);
    EXPECT(names(&diag, "bytes") && diag.value == (double)length && file.bytes[0] == 0x55);
    EXPECT(eqf_model_write(&model, NULL, 0, NULL, &diag) == EQF_ERROR_NULL);
    EXPECT(eqf_model_write(&model, file.bytes, sizeof file.bytes, &length, NULL) == EQF_OK);
    EXPECT(file.bytes[length] == 0x55);

    EXPECT(eqf_model_read(file.bytes, length, &back, &diag) == EQF_OK);
    EXPECT(back.encoding == EQF_ENCODING_NATIVE && back.bias == NULL && back.importance == NULL);
    EXPECT(back.n_particles == N && back.dimension == D && back.n_radial == M && back.n_time == L);
    EXPECT(memcmp(back.weights, WEIGHTS, sizeof WEIGHTS) == 0);
    EXPECT(memcmp(back.gamma_time, GAMMA_TIME, sizeof GAMMA_TIME) == 0);

    memcpy(moved.bytes + 3, file.bytes, length);
    EXPECT(eqf_model_read(moved.bytes + 3, length, &back, &diag) == EQF_OK);
    EXPECT(back.encoding == EQF_ENCODING_LITTLE_ENDIAN);
    EXPECT(eqf_plan_extent(&back, &config, &extent, &diag) == EQF_OK);

    back.struct_size = 0;
    EXPECT(eqf_model_read(file.bytes, length, &back, &diag) == EQF_ERROR_ABI);
    for (i = 0; i < length; i++) refuse_bytes(file.bytes, i, "model file: length", __LINE__);
    refuse_bytes(file.bytes, length + 1, "model file: length", __LINE__);
    file.bytes[0] ^= 1;
    refuse_bytes(file.bytes, length, "model file: magic number", __LINE__);
    file.bytes[0] ^= 1;
    file.bytes[8] = 2;
    refuse_bytes(file.bytes, length, "model file: version", __LINE__);
    file.bytes[8] = 1;
    for (i = 24; i < length; i++) {
        file.bytes[i] ^= 0x10;
        refuse_bytes(file.bytes, length, "model file: checksum", __LINE__);
        file.bytes[i] ^= 0x10;
    }
}

/* A plan and the arrays of its calls, as one block that a failed call must not change. */
struct calls {
    eqf_plan *plan;
    unsigned char *memory, *work;
    eqf_extent plan_extent, work_extent;
    double in[REALS], out[REALS], numbers[SAMPLES];
};

static unsigned char *allocate(eqf_extent extent)
{
    /* One alignment more, so that tests can shift the block. */
    unsigned char *raw = malloc(extent.size + 2 * extent.align);
    if (!raw) exit(1);
    return raw + (extent.align - (uintptr_t)raw % extent.align) % extent.align;
}

static void plans(struct calls *calls)
{
    eqf_model model = model_of();
    eqf_config config = config_of();
    eqf_plan *plan = NULL;
    eqf_extent extent;
    eqf_diag diag;
    EXPECT(eqf_plan_extent(&model, &config, &calls->plan_extent, NULL) == EQF_OK);
    extent = calls->plan_extent;
    EXPECT(extent.size % extent.align == 0);
    calls->memory = allocate(extent);
    model.weights = (const double *)(const void *)calls->memory;
    memcpy(calls->memory, WEIGHTS, sizeof WEIGHTS);
    EXPECT(eqf_plan_init(calls->memory, extent.size, &model, &config, &plan, &diag) == EQF_ERROR_OVERLAP);
    model.weights = WEIGHTS;
    EXPECT(plan == NULL);
    EXPECT(eqf_plan_init(calls->memory, extent.size, &model, &config, &calls->plan, &diag) == EQF_OK);

    EXPECT(eqf_workspace_extent((const eqf_plan *)(const void *)&model, 1, &extent) == EQF_ERROR_ARGUMENT);
    EXPECT(eqf_workspace_extent(calls->plan, SAMPLES, &calls->work_extent) == EQF_OK);
    calls->work = allocate(calls->work_extent);
}

static void fill(struct calls *calls)
{
    int i;
    for (i = 0; i < REALS; i++) {
        calls->in[i] = 0.3 * i - 0.1 * (i % 3) * i;
        calls->out[i] = -77.0;
    }
    for (i = 0; i < SAMPLES; i++) calls->numbers[i] = -78.0;
}

static int untouched(const struct calls *calls)
{
    int i;
    for (i = 0; i < REALS; i++) if (calls->out[i] != -77.0) return 0;
    for (i = 0; i < SAMPLES; i++) if (calls->numbers[i] != -78.0) return 0;
    return 1;
}

#define REFUSED(call, status, argument)                                                                              \
    do {                                                                                                             \
        fill(&c);                                                                                                    \
        EXPECT((call) == (status));                                                                                  \
        EXPECT(names(&diag, argument));                                                                              \
        EXPECT(untouched(&c));                                                                                       \
    } while (0)

#define WORK c.work, c.work_extent.size, &diag

static void computations(struct calls c)
{
    eqf_diag diag;
    double bad[REALS] = {0.0};
    const size_t huge = (size_t)-1 / 4;
    bad[5] = INFINITY;
    REFUSED(eqf_forward(c.plan, huge, c.in, c.out, c.numbers, WORK), EQF_ERROR_SHAPE, "n");
    REFUSED(eqf_radial(c.plan, 0.5, huge, c.in, c.out, NULL, &diag), EQF_ERROR_SHAPE, "d");
    REFUSED(eqf_inverse(c.plan, SAMPLES, c.in, c.out, c.out + 3, WORK), EQF_ERROR_OVERLAP, "log_det");
    REFUSED(eqf_radial(c.plan, 0.5, SAMPLES, c.in, c.out, c.out + 1, &diag), EQF_ERROR_OVERLAP, "dphi");
    REFUSED(eqf_forward(c.plan, SAMPLES, bad, c.out, c.numbers, WORK), EQF_ERROR_NON_FINITE, "z");
    EXPECT(diag.index == 5 && diag.value > 0.0 && isinf(diag.value));
    bad[5] = NAN;
    REFUSED(eqf_inverse(c.plan, SAMPLES, bad, c.out, c.numbers, WORK), EQF_ERROR_NON_FINITE, "x");
    REFUSED(eqf_log_prob(c.plan, SAMPLES, bad, c.numbers, c.out, WORK), EQF_ERROR_NON_FINITE, "x");
    REFUSED(eqf_field(c.plan, 0.5, SAMPLES, bad, c.out, c.numbers, WORK), EQF_ERROR_NON_FINITE, "x");
    REFUSED(eqf_field(c.plan, 1.5, SAMPLES, c.in, c.out, c.numbers, WORK), EQF_ERROR_ARGUMENT, "t");
    REFUSED(eqf_field(c.plan, NAN, SAMPLES, c.in, c.out, c.numbers, WORK), EQF_ERROR_NON_FINITE, "t");
    REFUSED(eqf_radial(c.plan, 0.5, REALS, bad, c.out, NULL, &diag), EQF_ERROR_NON_FINITE, "d");
    bad[5] = -1.0;
    REFUSED(eqf_radial(c.plan, 0.5, REALS, bad, c.out, NULL, &diag), EQF_ERROR_ARGUMENT, "d");
    EXPECT(diag.index == 5 && diag.value == -1.0);

    fill(&c);
    EXPECT(eqf_forward(c.plan, SAMPLES, c.in, c.out, NULL, WORK) == EQF_OK && !untouched(&c));
}

/* Another plan, with a workspace of its own. */
static void replan(struct calls *calls, const eqf_model *model, const eqf_config *config)
{
    EXPECT(eqf_plan_extent(model, config, &calls->plan_extent, NULL) == EQF_OK);
    calls->memory = allocate(calls->plan_extent);
    EXPECT(eqf_plan_init(calls->memory, calls->plan_extent.size, model, config, &calls->plan, NULL) == EQF_OK);
    EXPECT(eqf_workspace_extent(calls->plan, SAMPLES, &calls->work_extent) == EQF_OK);
    calls->work = allocate(calls->work_extent);
}

/* The Jacobian's arguments; a field so steep that no step has a start that could be found. */
static void ladder(struct calls c)
{
    static const double steep[L * M] = {1e200, -2e200, 3e200, 1e200};
    enum { K = (N - 1) * D };
    eqf_model model = model_of();
    eqf_config config = config_of();
    eqf_diag diag;
    double jacobian[K * K], bad[REALS] = {0.0};
    bad[7] = NAN;
    REFUSED(eqf_jacobian(c.plan, 1, c.in, jacobian, WORK), EQF_ERROR_UNSUPPORTED, "config.log_det");
    config.log_det = EQF_LOG_DET_JACOBIAN;
    config.inverse = EQF_INVERSE_EXACT;
    replan(&c, &model, &config);
    REFUSED(eqf_jacobian(c.plan, SAMPLES, bad, jacobian, WORK), EQF_ERROR_NON_FINITE, "z");
    EXPECT(diag.index == 7);
    REFUSED(eqf_log_prob(c.plan, SAMPLES, c.in, c.numbers, c.out, WORK), EQF_ERROR_UNSUPPORTED, "grad");
    EXPECT(eqf_log_prob(c.plan, SAMPLES, c.in, c.numbers, NULL, WORK) == EQF_OK);
    EXPECT(eqf_jacobian(c.plan, 1, c.in, jacobian, WORK) == EQF_OK);
    model.weights = steep;
    config.radial = EQF_RADIAL_EXACT;
    replan(&c, &model, &config);
    REFUSED(eqf_inverse(c.plan, SAMPLES, c.in, c.out, c.numbers, WORK), EQF_ERROR_CONVERGENCE, "x");
    EXPECT(diag.index == 0 && diag.value == 1.0);
    REFUSED(eqf_log_prob(c.plan, SAMPLES, c.in, c.numbers, NULL, WORK), EQF_ERROR_CONVERGENCE, "x");
}

/* A step limit that nothing can meet: all samples fail, none is written. */
static void convergence(struct calls c)
{
    eqf_model model = model_of();
    eqf_config config = config_of();
    eqf_diag diag;
    config.integrator = EQF_INTEGRATOR_DOPRI5;
    config.max_steps = 1;
    config.rtol = config.atol = 1e-13;
    replan(&c, &model, &config);
    REFUSED(eqf_forward(c.plan, SAMPLES, c.in, c.out, c.numbers, WORK), EQF_ERROR_CONVERGENCE, "z");
    EXPECT(diag.index == 0 && diag.value < 1.0);
}

static void particles(struct calls c)
{
    double bad[REALS] = {0.0};
    bad[1] = NAN;
    fill(&c);
    EXPECT(eqf_remove_com(SAMPLES, 0, D, c.out, NULL) == EQF_ERROR_SHAPE);
    EXPECT(eqf_remove_com(SAMPLES, N, 4, c.out, NULL) == EQF_ERROR_SHAPE);
    EXPECT(eqf_remove_com((size_t)-1, N, D, c.out, NULL) == EQF_ERROR_SHAPE);
    EXPECT(eqf_remove_com(SAMPLES, N, D, c.out, c.out + 1) == EQF_ERROR_OVERLAP);
    EXPECT(eqf_remove_com(SAMPLES, N, D, bad, c.numbers) == EQF_ERROR_NON_FINITE);
    EXPECT(eqf_prior_log_prob(SAMPLES, N, D, bad, c.numbers) == EQF_ERROR_NON_FINITE);
    EXPECT(eqf_prior_sample(1, 0, SAMPLES, N, 0, c.out) == EQF_ERROR_SHAPE);
    EXPECT(untouched(&c));
}

static void potentials(struct calls c)
{
    eqf_double_well_params well, hot;
    eqf_lennard_jones_params lj, flat;
    double bad[REALS] = {0.0};
    bad[7] = INFINITY;
    fill(&c);
    EXPECT(eqf_double_well_dw4(&well) == EQF_OK && well.b == -4.0 && well.c == 0.9 && well.d0 == 4.0);
    EXPECT(eqf_lennard_jones_lj13(&lj) == EQF_OK && lj.epsilon == 2.0 && lj.oscillator == 1.0);
    hot = well;
    hot.tau = 0.0;
    flat = lj;
    flat.r_m = NAN;
    EXPECT(eqf_double_well(&hot, SAMPLES, N, D, c.in, c.numbers, c.out) == EQF_ERROR_ARGUMENT);
    EXPECT(eqf_lennard_jones(&flat, SAMPLES, N, D, c.in, c.numbers, c.out) == EQF_ERROR_NON_FINITE);
    EXPECT(eqf_lennard_jones(&lj, SAMPLES, N, 9, c.in, c.numbers, c.out) == EQF_ERROR_SHAPE);
    EXPECT(eqf_double_well(&well, SAMPLES, N, D, bad, c.numbers, c.out) == EQF_ERROR_NON_FINITE);
    EXPECT(untouched(&c));
    EXPECT(eqf_double_well(&well, SAMPLES, N, D, c.in, c.numbers, NULL) == EQF_OK && c.numbers[0] != -78.0);
}

/* A potential that writes, and fails where its context says so. */
static int32_t stubborn(void *context, size_t n, size_t n_particles, size_t dimension, const double *x, double *u,
                        double *grad)
{
    EXPECT(n == SAMPLES && n_particles == N && dimension == D && x && !grad);
    while (n > 0) u[--n] = -1e9;
    return *(int32_t *)context;
}

/* A step that fails has moved nothing, and made again it is the step that it would have been. */
static void chains(struct calls c)
{
    double x[REALS], u[SAMPLES], log_prob[SAMPLES], free_x[REALS], free_u[SAMPLES];
    uint64_t accepted[SAMPLES] = {5, 6};
    int32_t status;
    eqf_extent extent;
    eqf_diag diag;
    EXPECT(eqf_independence_extent(c.plan, SAMPLES, &extent) == EQF_OK);
    c.work = allocate(extent);
    c.work_extent = extent;
    EXPECT(eqf_prior_sample(1, 0, SAMPLES, N, D, c.in) == EQF_OK);
    memcpy(x, c.in, sizeof x);
    u[0] = u[1] = log_prob[0] = log_prob[1] = -3.0;
    for (status = -5; status <= 5; status += 10) {
        EXPECT(eqf_metropolis(stubborn, &status, 1, 0, 0, SAMPLES, N, D, 0.1, x, u, accepted, WORK) == EQF_ERROR_CALLBACK);
        EXPECT(names(&diag, "potential") && diag.value == status);
        EXPECT(eqf_independence(c.plan, stubborn, &status, 1, 0, 0, SAMPLES, x, u, log_prob, accepted, WORK)
               == EQF_ERROR_CALLBACK);
        EXPECT(names(&diag, "potential") && diag.value == status);
        EXPECT(memcmp(x, c.in, sizeof x) == 0 && u[0] == -3.0 && u[1] == -3.0 && log_prob[0] == -3.0);
        EXPECT(accepted[0] == 5 && accepted[1] == 6);
    }
    status = 0;
    memcpy(free_x, x, sizeof x);
    memcpy(free_u, u, sizeof u);
    EXPECT(eqf_metropolis(stubborn, &status, 1, 0, 0, SAMPLES, N, D, 0.1, x, u, accepted, WORK) == EQF_OK);
    EXPECT(eqf_metropolis(stubborn, &status, 1, 0, 0, SAMPLES, N, D, 0.1, free_x, free_u, NULL, WORK) == EQF_OK);
    EXPECT(memcmp(x, free_x, sizeof x) == 0 && memcmp(x, c.in, sizeof x) != 0);
    EXPECT(u[0] == -1e9 && accepted[0] == 6 && accepted[1] == 7);
    EXPECT(eqf_metropolis(stubborn, &status, 1, 0, 0, SAMPLES, N, D, 0.0, x, u, accepted, WORK) == EQF_ERROR_ARGUMENT);
    EXPECT(names(&diag, "step_size"));
    EXPECT(eqf_metropolis(stubborn, &status, 1, 0, 0, SAMPLES, N, 0, 0.1, x, u, accepted, WORK) == EQF_ERROR_SHAPE);
    u[1] = NAN;
    EXPECT(eqf_metropolis(stubborn, &status, 1, 0, 0, SAMPLES, N, D, 0.1, x, u, accepted, WORK) == EQF_ERROR_NON_FINITE);
    EXPECT(names(&diag, "u") && diag.index == 1);
}

static void library(void)
{
    EXPECT(eqf_version_number() == EQF_VERSION_NUMBER);
    EXPECT(eqf_abi() == EQF_ABI);
    EXPECT(strlen(eqf_version_string()) >= 5);
    EXPECT(eqf_has_feature("dopri5") == 1 && eqf_has_feature("tables") == 0 && eqf_has_feature(NULL) == 0);
    EXPECT(strcmp(eqf_status_string(EQF_OK), "success") == 0);
    EXPECT(strcmp(eqf_status_string(12345), "unknown status") == 0);
    EXPECT(strcmp(eqf_argument_string(-1), "unknown argument") == 0);
}

int main(void)
{
    struct calls calls;
    library();
    structures();
    versions();
    files();
    plans(&calls);
    if (failures) return 1;
    computations(calls);
    convergence(calls);
    ladder(calls);
    particles(calls);
    potentials(calls);
    chains(calls);
    return failures ? 1 : 0;
}
