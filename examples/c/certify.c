/* Whether the likelihoods of a flow on a grid of Runge-Kutta steps can be trusted, by the library's C functions alone:
 *
 *     certify model.eqf [n] [seed] [steps]
 *
 * draws n samples of the converged flow and prints how far the grid's log-density is from the converged one, how far
 * the grid walked back and forth leads from a sample, the least singular value of the grid map's Jacobian and at how
 * many samples that map turns space inside out. In Rust `train::certify` says the same of samples of the caller's.
 * README.md beside this file says how to build it. */

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "eqflow.h"

/* A plan in memory of its own, with a workspace for n samples. */
struct flow {
    void *plan_memory, *work_memory, *work;
    size_t work_length;
    eqf_plan *plan;
};

static int failed(const char *what, int32_t status, const eqf_diag *diag)
{
    if (status == EQF_OK) return 0;
    fprintf(stderr, "certify: %s: %s (%s, index %lu, value %g)\n", what, eqf_status_string(status),
            eqf_argument_string(diag->argument), (unsigned long)diag->index, diag->value);
    return 1;
}

static int out_of_memory(void)
{
    fprintf(stderr, "certify: out of memory\n");
    return 1;
}

/* Memory for an extent: the block to free is returned, the aligned start in it stored. C11 has aligned_alloc. */
static void *provide(eqf_extent extent, void **aligned)
{
    char *block = malloc(extent.size + extent.align);
    if (block) *aligned = block + (extent.align - (uintptr_t)block % extent.align) % extent.align;
    return block;
}

static int prepare(const eqf_model *model, const eqf_config *config, size_t n, struct flow *flow)
{
    eqf_diag diag = {0};
    eqf_extent extent;
    void *aligned;
    if (failed("plan", eqf_plan_extent(model, config, &extent, &diag), &diag)) return 1;
    if (!(flow->plan_memory = provide(extent, &aligned))) return out_of_memory();
    if (failed("plan", eqf_plan_init(aligned, extent.size, model, config, &flow->plan, &diag), &diag)) return 1;
    if (failed("workspace", eqf_workspace_extent(flow->plan, n, &extent), &diag)) return 1;
    flow->work_length = extent.size;
    return (flow->work_memory = provide(extent, &flow->work)) ? 0 : out_of_memory();
}

static void release(struct flow *flow)
{
    free(flow->plan_memory);
    free(flow->work_memory);
}

/* The determinant's sign, by elimination with row pivots; the matrix is lost. */
static int sign_of_determinant(double *a, size_t k)
{
    int sign = 1;
    size_t i, j, column, pivot;
    for (column = 0; column < k; column++) {
        for (pivot = column, i = column + 1; i < k; i++)
            if (fabs(a[i * k + column]) > fabs(a[pivot * k + column])) pivot = i;
        if (pivot != column) sign = -sign;
        for (j = 0; j < k; j++) {
            double element = a[pivot * k + j];
            a[pivot * k + j] = a[column * k + j];
            a[column * k + j] = element;
        }
        if (a[column * k + column] < 0.0) sign = -sign;
        for (i = column + 1; i < k; i++) {
            double factor = a[i * k + column] / a[column * k + column];
            for (j = column; j < k; j++) a[i * k + j] -= factor * a[column * k + j];
        }
    }
    return sign;
}

/* The least singular value by one-sided Jacobi rotations (Hestenes 1958) of the rows; the matrix is lost. */
static double least_singular_value(double *a, size_t k)
{
    double least = HUGE_VAL;
    size_t p, q, j, sweep;
    for (sweep = 0; sweep < 60; sweep++) {
        double worst = 0.0;
        for (p = 0; p < k; p++)
            for (q = p + 1; q < k; q++) {
                double pp = 0.0, qq = 0.0, pq = 0.0, zeta, t, c;
                for (j = 0; j < k; j++) {
                    pp += a[p * k + j] * a[p * k + j];
                    qq += a[q * k + j] * a[q * k + j];
                    pq += a[p * k + j] * a[q * k + j];
                }
                if (pq == 0.0) continue;
                worst = fmax(worst, fabs(pq) / sqrt(pp * qq));
                zeta = (qq - pp) / (2.0 * pq);
                t = copysign(1.0 / (fabs(zeta) + sqrt(1.0 + zeta * zeta)), zeta);
                c = 1.0 / sqrt(1.0 + t * t);
                for (j = 0; j < k; j++) {
                    double x = a[p * k + j], y = a[q * k + j];
                    a[p * k + j] = c * (x - t * y);
                    a[q * k + j] = c * (t * x + y);
                }
            }
        if (worst < 1e-15 * (double)k) break;
    }
    for (p = 0; p < k; p++) {
        double square = 0.0;
        for (j = 0; j < k; j++) square += a[p * k + j] * a[p * k + j];
        least = fmin(least, sqrt(square));
    }
    return least;
}

/* Mean with its standard error, and the extremes. */
static void report(const char *what, const double *values, size_t n)
{
    double mean = 0.0, variance = 0.0, low = HUGE_VAL, high = -HUGE_VAL;
    size_t i;
    for (i = 0; i < n; i++) {
        mean += values[i] / (double)n;
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    for (i = 0; i < n; i++) variance += (values[i] - mean) * (values[i] - mean) / ((double)n - 1.0);
    printf("%s %.6e +- %.6e (%.6e to %.6e)\n", what, mean, sqrt(variance / (double)n), low, high);
}

/* Samples x of the converged flow, [n][coordinates]; k is the dimension of the subspace of zero centre of mass. */
struct batch {
    size_t n, coordinates, k;
    double *x;
};

static int log_prob(const char *what, struct flow *flow, const struct batch *batch, double *values)
{
    eqf_diag diag = {0};
    int32_t status =
        eqf_log_prob(flow->plan, batch->n, batch->x, values, NULL, flow->work, flow->work_length, &diag);
    return failed(what, status, &diag);
}

/* The grid's log-density (by the trace) minus the converged one. */
static int report_differences(struct flow *exact, struct flow *grid, const struct batch *batch)
{
    size_t i, n = batch->n;
    double *difference = calloc(2 * n, sizeof *difference), *converged = difference + n;
    int status;
    if (!difference) return out_of_memory();
    status = log_prob("log-density", grid, batch, difference)
        || log_prob("converged log-density", exact, batch, converged);
    for (i = 0; i < n; i++) difference[i] -= converged[i];
    if (!status) report("grid minus converged", difference, n);
    free(difference);
    return status;
}

/* The grid's map itself: whether it leads back to where it has come from, and its Jacobian. */
static int report_map(struct flow *grid, const struct batch *batch)
{
    size_t n = batch->n, k = batch->k, each = batch->coordinates, length = grid->work_length, s, i, folded = 0;
    const eqf_plan *plan = grid->plan;
    double *z = calloc(2 * n * each + n * k * k + k * k + n, sizeof *z), *back = z + n * each;
    double *jacobian = back + n * each, *copy = jacobian + n * k * k, *trips = copy + k * k, least = HUGE_VAL;
    eqf_diag diag = {0};
    int status;
    if (!z) return out_of_memory();
    status = failed("inverse", eqf_inverse(plan, n, batch->x, z, NULL, grid->work, length, &diag), &diag)
        || failed("forward", eqf_forward(plan, n, z, back, NULL, grid->work, length, &diag), &diag)
        || failed("Jacobian", eqf_jacobian(plan, n, z, jacobian, grid->work, length, &diag), &diag);
    for (s = 0; !status && s < n; s++) {
        for (i = s * each; i < (s + 1) * each; i++) trips[s] = fmax(trips[s], fabs(back[i] - batch->x[i]));
        for (i = 0; i < k * k; i++) copy[i] = jacobian[s * k * k + i];
        folded += sign_of_determinant(copy, k) < 0;
        least = fmin(least, least_singular_value(jacobian + s * k * k, k));
    }
    if (!status) {
        report("round trip", trips, n);
        printf("least singular value %.6e\nfolded %lu\n", least, (unsigned long)folded);
    }
    free(z);
    return status;
}

/* Prepares the converged flow, the grid, and the grid with its exact Jacobian; draws; reports. */
static int certify(const eqf_model *model, size_t n, uint64_t seed, uint32_t steps, struct flow flows[3])
{
    struct batch batch = {0};
    eqf_config config;
    eqf_diag diag = {0};
    int status;
    eqf_config_init(&config, sizeof config);
    config.steps = steps;
    if (prepare(model, &config, n, &flows[0])) return 1;
    config.log_det = EQF_LOG_DET_JACOBIAN;
    if (prepare(model, &config, n, &flows[1])) return 1;
    config.log_det = EQF_LOG_DET_TRACE;
    config.integrator = EQF_INTEGRATOR_DOPRI5;
    config.rtol = 1e-6;
    config.atol = 1e-7;
    if (prepare(model, &config, n, &flows[2])) return 1;
    batch.n = n;
    batch.coordinates = model->n_particles * model->dimension;
    batch.k = batch.coordinates - model->dimension;
    if (!(batch.x = calloc(n, batch.coordinates * sizeof *batch.x))) return out_of_memory();
    status = failed("samples", eqf_sample(flows[2].plan, seed, 0, n, batch.x, NULL, flows[2].work,
                                          flows[2].work_length, &diag), &diag)
        || report_differences(&flows[2], &flows[0], &batch) || report_map(&flows[1], &batch);
    free(batch.x);
    return status;
}

/* A positive whole number, or 0. */
static unsigned long long number(const char *text)
{
    char *end;
    unsigned long long value;
    errno = 0;
    value = strtoull(text, &end, 10);
    return errno || *end || *text == '-' ? 0 : value;
}

int main(int argc, char **argv)
{
    static double memory[1 << 17]; /* aligned for the numbers in the file, of which the model is a view */
    unsigned char *bytes = (unsigned char *)memory;
    unsigned long long options[3] = {200, 1, 20};
    struct flow flows[3] = {{0}};
    eqf_diag diag = {0};
    eqf_model model;
    FILE *file;
    size_t length;
    int i, status = argc < 2 || argc > 5;
    for (i = 2; i < argc && !status; i++) status = !(options[i - 2] = number(argv[i]));
    if (status || options[0] < 2 || options[2] > 65536) {
        fprintf(stderr, "usage: certify model.eqf [n >= 2] [seed >= 1] [steps, 1 to 65536]\n");
        return 2;
    }
    if (!(file = fopen(argv[1], "rb"))) {
        fprintf(stderr, "certify: cannot read %s\n", argv[1]);
        return 1;
    }
    length = fread(bytes, 1, sizeof memory, file);
    fclose(file);
    eqf_model_init(&model, sizeof model);
    status = failed("model file", eqf_model_read(bytes, length, &model, &diag), &diag)
        || certify(&model, (size_t)options[0], options[1], (uint32_t)options[2], flows);
    for (i = 0; i < 3; i++) release(&flows[i]);
    return status;
}
