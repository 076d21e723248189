/* Runs the commands of a binary file through the C interface and writes every output to another.
 *
 *     driver requests responses
 *
 * Both files are sequences of native 8-byte words, integers or doubles; tests/ffi.rs writes the one and reads the
 * other. Compiled once with doubles and once, with -DSINGLE, with floats: those are widened exactly. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

enum command {
    COMMAND_PLAN,
    COMMAND_FORWARD,
    COMMAND_INVERSE,
    COMMAND_LOG_PROB,
    COMMAND_SAMPLE,
    COMMAND_FIELD,
    COMMAND_RADIAL,
    COMMAND_PRIOR_LOG_PROB,
    COMMAND_PRIOR_SAMPLE,
    COMMAND_REMOVE_COM,
    COMMAND_DOUBLE_WELL,
    COMMAND_LENNARD_JONES,
    COMMAND_LOG_PROB_ONLY,
    COMMAND_JACOBIAN,
    COMMAND_METROPOLIS,
    COMMAND_INDEPENDENCE,
    COMMAND_TABLE_ACCURACY,
    COMMAND_METROPOLIS_PARTICLE,
    COMMAND_HMC,
    COMMAND_MALA,
    COMMAND_LATENT_METROPOLIS,
    COMMAND_LATENT_HMC,
    COMMAND_EXCHANGE
};

static FILE *requests, *responses;
static eqf_model model;
static unsigned char *model_bytes;
static void *plan_memory;
static plan_type *plan;
static size_t coordinates;

static void fail(const char *what)
{
    fprintf(stderr, "driver: %s\n", what);
    exit(1);
}

static void check(int32_t status, const eqf_diag *diag)
{
    if (status == EQF_OK) return;
    fprintf(stderr, "driver: %s", eqf_status_string(status));
    if (diag) fprintf(stderr, ": %s [%lu] = %g", eqf_argument_string(diag->argument), (unsigned long)diag->index, diag->value);
    fprintf(stderr, "\n");
    exit(1);
}

static uint64_t read_integer(void)
{
    uint64_t word;
    if (fread(&word, sizeof word, 1, requests) != 1) fail("the request is too short");
    return word;
}

static double read_double(void)
{
    uint64_t word = read_integer();
    double value;
    memcpy(&value, &word, sizeof value);
    return value;
}

static real *new_reals(size_t n)
{
    real *values = malloc((n ? n : 1) * sizeof *values);
    if (!values) fail("out of memory");
    return values;
}

static real *read_reals(size_t n)
{
    real *values = new_reals(n);
    size_t i;
    for (i = 0; i < n; i++) values[i] = (real)read_double();
    return values;
}

static void write_reals(real *values, size_t n)
{
    size_t i;
    for (i = 0; i < n; i++) {
        double wide = values[i];
        if (fwrite(&wide, sizeof wide, 1, responses) != 1) fail("cannot write");
    }
    free(values);
}

/* Memory of any alignment: the address to give back is stored in front. */
static void *new_memory(eqf_extent extent)
{
    char *raw = malloc(extent.size + extent.align + sizeof raw);
    char *aligned;
    if (!raw) fail("out of memory");
    aligned = raw + sizeof raw;
    aligned += (extent.align - (uintptr_t)aligned % extent.align) % extent.align;
    memcpy(aligned - sizeof raw, &raw, sizeof raw);
    return aligned;
}

static void free_memory(void *memory)
{
    char *raw;
    if (!memory) return;
    memcpy(&raw, (char *)memory - sizeof raw, sizeof raw);
    free(raw);
}

static void make_plan(void)
{
    size_t length = read_integer();
    eqf_config config;
    eqf_extent extent;
    eqf_diag diag;
    size_t i;
    free(model_bytes);
    free_memory(plan_memory);
    model_bytes = malloc(length ? length : 1);
    if (!model_bytes) fail("out of memory");
    for (i = 0; i < length; i++) model_bytes[i] = (unsigned char)read_integer();
    check(eqf_model_init(&model, sizeof model), NULL);
    check(eqf_model_read(model_bytes, length, &model, &diag), &diag);
    coordinates = model.n_particles * model.dimension;
    check(eqf_config_init(&config, sizeof config), NULL);
    config.integrator = (int32_t)read_integer();
    config.steps = (uint32_t)read_integer();
    config.log_det = (int32_t)read_integer();
    config.inverse = (int32_t)read_integer();
    config.rtol = read_double();
    config.atol = read_double();
    check(F(eqf_plan_extent)(&model, &config, &extent, &diag), &diag);
    plan_memory = new_memory(extent);
    check(F(eqf_plan_init)(plan_memory, extent.size, &model, &config, &plan, &diag), &diag);
}

static void *new_workspace(size_t n, size_t *length)
{
    eqf_extent extent;
    check(F(eqf_workspace_extent)(plan, n, &extent), NULL);
    *length = extent.size;
    return new_memory(extent);
}

/* The four calls that take n samples and give n samples and n numbers. */
static void compute(enum command command)
{
    uint64_t seed = command == COMMAND_SAMPLE ? read_integer() : 0;
    uint64_t first = command == COMMAND_SAMPLE ? read_integer() : 0;
    size_t n = read_integer();
    double t = command == COMMAND_FIELD ? read_double() : 0.0;
    real *input = command == COMMAND_SAMPLE ? NULL : read_reals(n * coordinates);
    real *samples = new_reals(n * coordinates), *numbers = new_reals(n);
    eqf_diag diag;
    size_t length;
    void *work = new_workspace(n, &length);
    int32_t status;
    switch (command) {
    case COMMAND_FORWARD: status = F(eqf_forward)(plan, n, input, samples, numbers, work, length, &diag); break;
    case COMMAND_INVERSE: status = F(eqf_inverse)(plan, n, input, samples, numbers, work, length, &diag); break;
    case COMMAND_LOG_PROB: status = F(eqf_log_prob)(plan, n, input, numbers, samples, work, length, &diag); break;
    case COMMAND_FIELD: status = F(eqf_field)(plan, (real)t, n, input, samples, numbers, work, length, &diag); break;
    default: status = F(eqf_sample)(plan, seed, first, n, samples, numbers, work, length, &diag); break;
    }
    check(status, &diag);
    write_reals(samples, n * coordinates);
    write_reals(numbers, n);
    free(input);
    free_memory(work);
}

/* The calls that give numbers alone: the log-density without its gradient, and k x k matrices. */
static void compute_numbers(enum command command)
{
    size_t n = read_integer(), k = coordinates - model.dimension;
    size_t each = command == COMMAND_JACOBIAN ? k * k : 1;
    real *input = read_reals(n * coordinates), *numbers = new_reals(n * each);
    eqf_diag diag;
    size_t length;
    void *work = new_workspace(n, &length);
    if (command == COMMAND_JACOBIAN) check(F(eqf_jacobian)(plan, n, input, numbers, work, length, &diag), &diag);
    else check(F(eqf_log_prob)(plan, n, input, numbers, NULL, work, length, &diag), &diag);
    write_reals(numbers, n * each);
    free(input);
    free_memory(work);
}

static void radial(void)
{
    size_t n = read_integer();
    real t = (real)read_double();
    real *d = read_reals(n), *phi = new_reals(n), *dphi = new_reals(n);
    eqf_diag diag;
    check(F(eqf_radial)(plan, t, n, d, phi, dphi, &diag), &diag);
    write_reals(phi, n);
    write_reals(dphi, n);
    free(d);
}

static void prior(enum command command)
{
    uint64_t seed = command == COMMAND_PRIOR_SAMPLE ? read_integer() : 0;
    uint64_t first = command == COMMAND_PRIOR_SAMPLE ? read_integer() : 0;
    size_t n = read_integer(), N = model.n_particles, D = model.dimension;
    real *z = command == COMMAND_PRIOR_SAMPLE ? new_reals(n * coordinates) : read_reals(n * coordinates);
    real *small = new_reals(n * D);
    switch (command) {
    case COMMAND_PRIOR_SAMPLE:
        check(F(eqf_prior_sample)(seed, first, n, N, D, z), NULL);
        write_reals(z, n * coordinates);
        free(small);
        break;
    case COMMAND_REMOVE_COM:
        check(F(eqf_remove_com)(n, N, D, z, small), NULL);
        write_reals(z, n * coordinates);
        write_reals(small, n * D);
        break;
    default:
        check(F(eqf_prior_log_prob)(n, N, D, z, small), NULL);
        write_reals(small, n);
        free(z);
        break;
    }
}

static void potential(enum command command)
{
    size_t n = read_integer(), N = model.n_particles, D = model.dimension;
    eqf_double_well_params well;
    eqf_lennard_jones_params lj;
    real *x, *u = new_reals(n), *grad = new_reals(n * coordinates);
    if (command == COMMAND_DOUBLE_WELL) {
        check(eqf_double_well_dw4(&well), NULL);
        well.a = read_double();
        well.b = read_double();
        well.c = read_double();
        well.d0 = read_double();
        well.tau = read_double();
    } else {
        check(eqf_lennard_jones_lj13(&lj), NULL);
        lj.epsilon = read_double();
        lj.r_m = read_double();
        lj.oscillator = read_double();
        lj.tau = read_double();
    }
    x = read_reals(n * coordinates);
    if (command == COMMAND_DOUBLE_WELL) check(F(eqf_double_well)(&well, n, N, D, x, u, grad), NULL);
    else check(F(eqf_lennard_jones)(&lj, n, N, D, x, u, grad), NULL);
    write_reals(u, n);
    write_reals(grad, n * coordinates);
    free(x);
}

/* What chains move: `z` and `energy` are latent positions and log-determinants, or the other replicas of an exchange and
 * their energies at twice the temperature. */
struct moving {
    real *z, *x, *u, *log_prob, *energy, *grad;
    uint64_t *accepted;
};

static void extent_of_step(enum command command, size_t n, eqf_extent *extent)
{
    size_t N = model.n_particles, D = model.dimension;
    switch (command) {
    case COMMAND_HMC:
    case COMMAND_MALA: check(F(eqf_hmc_extent)(n, N, D, extent), NULL); break;
    case COMMAND_INDEPENDENCE: check(F(eqf_independence_extent)(plan, n, extent), NULL); break;
    case COMMAND_LATENT_METROPOLIS: check(F(eqf_latent_metropolis_extent)(plan, n, extent), NULL); break;
    case COMMAND_LATENT_HMC: check(F(eqf_latent_hmc_extent)(plan, n, extent), NULL); break;
    default: check(F(eqf_metropolis_extent)(n, N, D, extent), NULL); break;
    }
}

static void exchange(uint64_t seed, uint64_t first, uint64_t step, size_t n, struct moving *m, eqf_double_well_params *well)
{
    size_t N = model.n_particles, D = model.dimension;
    real *cross = new_reals(n), *cross_other = new_reals(n);
    eqf_double_well_params hot = *well;
    eqf_diag diag;
    hot.tau = 2.0;
    check(F(eqf_double_well)(&hot, n, N, D, m->x, cross_other, NULL), NULL);
    check(F(eqf_double_well)(well, n, N, D, m->z, cross, NULL), NULL);
    check(F(eqf_exchange)(seed, first, step, n, N, D, m->x, m->u, cross, m->z, m->energy, cross_other, m->accepted, &diag),
          &diag);
    free(cross);
    free(cross_other);
}

static void move(enum command command, uint64_t seed, uint64_t first, uint64_t step, size_t n, struct moving *m,
                 eqf_double_well_params *well, void *work, size_t length)
{
    size_t N = model.n_particles, D = model.dimension;
    const real h = (real)0.125;
    const F(eqf_potential_fn) u = F(eqf_double_well_potential);
    eqf_diag diag;
    int32_t status;
    switch (command) {
    case COMMAND_METROPOLIS:
        status = F(eqf_metropolis)(u, well, seed, first, step, n, N, D, h, m->x, m->u, m->accepted, work, length, &diag);
        break;
    case COMMAND_METROPOLIS_PARTICLE:
        status = F(eqf_metropolis_particle)(u, well, seed, first, step, n, N, D, h, m->x, m->u, m->accepted, work, length,
                                            &diag);
        break;
    case COMMAND_HMC:
        status = F(eqf_hmc)(u, well, seed, first, step, n, N, D, h, 3, m->x, m->u, m->grad, m->accepted, work, length,
                            &diag);
        break;
    case COMMAND_MALA:
        status = F(eqf_mala)(u, well, seed, first, step, n, N, D, h, m->x, m->u, m->grad, m->accepted, work, length, &diag);
        break;
    case COMMAND_INDEPENDENCE:
        status = F(eqf_independence)(plan, u, well, seed, first, step, n, m->x, m->u, m->log_prob, m->accepted, work,
                                     length, &diag);
        break;
    case COMMAND_LATENT_METROPOLIS:
        status = F(eqf_latent_metropolis)(plan, u, well, seed, first, step, n, h, m->z, m->x, m->u, m->energy, m->accepted,
                                          work, length, &diag);
        break;
    case COMMAND_LATENT_HMC:
        status = F(eqf_latent_hmc)(plan, u, well, seed, first, step, n, h, 3, m->z, m->x, m->u, m->energy, m->grad,
                                   m->accepted, work, length, &diag);
        break;
    default: exchange(seed, first, step, n, m, well); return;
    }
    check(status, &diag);
}

/* Three steps of one kind in the benchmark's double well, from the given configurations, log-densities and latent
 * positions. */
static void chains(enum command command)
{
    uint64_t seed = read_integer(), first = read_integer(), step;
    size_t n = read_integer(), N = model.n_particles, D = model.dimension, i;
    struct moving m;
    eqf_double_well_params well, hot;
    eqf_extent extent;
    eqf_diag diag;
    real *counts = new_reals(n);
    void *work;
    m.x = read_reals(n * coordinates);
    m.log_prob = read_reals(n);
    m.z = read_reals(n * coordinates);
    m.u = new_reals(n);
    m.energy = new_reals(n);
    m.grad = new_reals(n * coordinates);
    m.accepted = calloc(n ? n : 1, sizeof *m.accepted);
    if (!m.accepted) fail("out of memory");
    check(eqf_double_well_dw4(&well), NULL);
    hot = well;
    hot.tau = 2.0;
    check(F(eqf_double_well)(&well, n, N, D, m.x, m.u, m.grad), NULL);
    check(F(eqf_double_well)(&hot, n, N, D, m.z, m.energy, NULL), NULL);
    if (command == COMMAND_LATENT_METROPOLIS || command == COMMAND_LATENT_HMC) {
        check(F(eqf_latent_hmc_extent)(plan, n, &extent), NULL);
        work = new_memory(extent);
        check(F(eqf_latent_start)(plan, F(eqf_double_well_potential), &well, n, m.z, m.x, m.u, m.energy, m.grad, work,
                                  extent.size, &diag), &diag);
        free_memory(work);
    }
    extent_of_step(command, n, &extent);
    work = new_memory(extent);
    for (step = 0; step < 3; step++) move(command, seed, first, step, n, &m, &well, work, extent.size);
    free_memory(work);
    for (i = 0; i < n; i++) counts[i] = (real)m.accepted[i];
    write_reals(m.z, n * coordinates);
    write_reals(m.x, n * coordinates);
    write_reals(m.u, n);
    write_reals(m.log_prob, n);
    write_reals(m.energy, n);
    write_reals(m.grad, n * coordinates);
    write_reals(counts, n);
    free(m.accepted);
}

static void table_accuracy(void)
{
    eqf_accuracy accuracy;
    eqf_diag diag;
    double *values = malloc(5 * sizeof *values);
    check(F(eqf_table_accuracy)(plan, &accuracy, &diag), &diag);
    if (!values) fail("out of memory");
    values[0] = accuracy.compiled;
    values[1] = accuracy.phi_error;
    values[2] = accuracy.slope_error;
    values[3] = accuracy.largest_phi;
    values[4] = accuracy.largest_slope;
    if (fwrite(values, sizeof *values, 5, responses) != 5) fail("cannot write");
    free(values);
}

static void run(enum command command)
{
    switch (command) {
    case COMMAND_PLAN: make_plan(); break;
    case COMMAND_FORWARD:
    case COMMAND_INVERSE:
    case COMMAND_LOG_PROB:
    case COMMAND_SAMPLE:
    case COMMAND_FIELD: compute(command); break;
    case COMMAND_LOG_PROB_ONLY:
    case COMMAND_JACOBIAN: compute_numbers(command); break;
    case COMMAND_RADIAL: radial(); break;
    case COMMAND_PRIOR_LOG_PROB:
    case COMMAND_PRIOR_SAMPLE:
    case COMMAND_REMOVE_COM: prior(command); break;
    case COMMAND_DOUBLE_WELL:
    case COMMAND_LENNARD_JONES: potential(command); break;
    case COMMAND_METROPOLIS:
    case COMMAND_METROPOLIS_PARTICLE:
    case COMMAND_HMC:
    case COMMAND_MALA:
    case COMMAND_INDEPENDENCE:
    case COMMAND_LATENT_METROPOLIS:
    case COMMAND_LATENT_HMC:
    case COMMAND_EXCHANGE: chains(command); break;
    case COMMAND_TABLE_ACCURACY: table_accuracy(); break;
    default: fail("unknown command");
    }
}

int main(int argc, char **argv)
{
    uint64_t command;
    if (argc != 3) fail("usage: driver requests responses");
    requests = fopen(argv[1], "rb");
    responses = fopen(argv[2], "wb");
    if (!requests || !responses) fail("cannot open a file");
    while (fread(&command, sizeof command, 1, requests) == 1) run((enum command)command);
    free(model_bytes);
    free_memory(plan_memory);
    fclose(requests);
    return fclose(responses) == 0 ? 0 : 1;
}
