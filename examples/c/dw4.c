/* Draws configurations of the double-well cluster DW-4 from a trained flow and reweights them to the Boltzmann
 * distribution exp(-u):
 *
 *     dw4 model.eqf [n] [seed]
 *
 * prints the mean energy of the flow's samples, Kish's effective sample size, log Z, the logarithm of the partition
 * function on the subspace of zero centre of mass, and a checksum of every bit of the samples, their log-densities and
 * energies. README.md beside this file says how to build it. */

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eqflow.h"

static const double EXACT_LOG_Z = 29.66723;

/* Everything that is allocated. */
struct memory {
    unsigned char *file;
    void *plan, *work;
    double *x, *log_prob, *u;
};

static void release(struct memory *memory)
{
    free(memory->file);
    free(memory->plan);
    free(memory->work);
    free(memory->x);
    free(memory->log_prob);
    free(memory->u);
}

/* Says what went wrong; 1 where something did. */
static int failed(const char *what, int32_t status, const eqf_diag *diag)
{
    if (status == EQF_OK) return 0;
    fprintf(stderr, "dw4: %s: %s", what, eqf_status_string(status));
    if (diag)
        fprintf(stderr, " (%s, index %lu, value %g)", eqf_argument_string(diag->argument),
                (unsigned long)diag->index, diag->value);
    fprintf(stderr, "\n");
    return 1;
}

static unsigned char *load(const char *path, size_t *length)
{
    unsigned char *bytes = NULL;
    long size;
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    if (fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 && fseek(file, 0, SEEK_SET) == 0) {
        *length = (size_t)size;
        bytes = malloc(*length + 1);
        if (bytes && fread(bytes, 1, *length, file) != *length) {
            free(bytes);
            bytes = NULL;
        }
    }
    fclose(file);
    return bytes;
}

/* Memory for an extent: the block to free is returned, the aligned start in it stored. C11 has aligned_alloc. */
static void *provide(eqf_extent extent, void **aligned)
{
    char *block = malloc(extent.size + extent.align);
    if (block) *aligned = block + (extent.align - (uintptr_t)block % extent.align) % extent.align;
    return block;
}

/* Reads the model and plans 20 RK4 steps, the initial configuration. */
static int prepare(const unsigned char *bytes, size_t length, struct memory *memory, eqf_plan **plan)
{
    eqf_model model;
    eqf_config config;
    eqf_extent extent;
    eqf_diag diag;
    void *aligned;
    if (failed("model structure", eqf_model_init(&model, sizeof model), NULL)) return 1;
    if (failed("model file", eqf_model_read(bytes, length, &model, &diag), &diag)) return 1;
    if (model.n_particles != 4 || model.dimension != 2) {
        fprintf(stderr, "dw4: the model is not one of 4 particles in 2 dimensions\n");
        return 1;
    }
    if (failed("configuration", eqf_config_init(&config, sizeof config), NULL)) return 1;
    if (failed("plan", eqf_plan_extent(&model, &config, &extent, &diag), &diag)) return 1;
    memory->plan = provide(extent, &aligned);
    if (!memory->plan) return fprintf(stderr, "dw4: out of memory\n"), 1;
    return failed("plan", eqf_plan_init(aligned, extent.size, &model, &config, plan, &diag), &diag);
}

/* Draws n samples with their log-densities and computes their energies. */
static int draw(const eqf_plan *plan, uint64_t seed, size_t n, struct memory *memory)
{
    eqf_double_well_params well;
    eqf_extent extent;
    eqf_diag diag;
    void *work;
    if (failed("workspace", eqf_workspace_extent(plan, n, &extent), NULL)) return 1;
    memory->work = provide(extent, &work);
    memory->x = calloc(n, 8 * sizeof(double));
    memory->log_prob = calloc(n, sizeof(double));
    memory->u = calloc(n, sizeof(double));
    if (!memory->work || !memory->x || !memory->log_prob || !memory->u)
        return fprintf(stderr, "dw4: out of memory\n"), 1;
    if (failed("samples", eqf_sample(plan, seed, 0, n, memory->x, memory->log_prob, work, extent.size, &diag), &diag))
        return 1;
    if (failed("parameters", eqf_double_well_dw4(&well), NULL)) return 1;
    return failed("energies", eqf_double_well(&well, n, 4, 2, memory->x, memory->u, NULL), NULL);
}

/* Importance weights w = exp(-u - log p), scaled by the largest. */
static void report(const double *u, const double *log_prob, size_t n)
{
    double largest = -HUGE_VAL, sum = 0.0, squares = 0.0, energy = 0.0, spread = 0.0, effective;
    size_t i;
    for (i = 0; i < n; i++) {
        energy += u[i] / (double)n;
        largest = fmax(largest, -u[i] - log_prob[i]);
    }
    for (i = 0; i < n; i++) {
        double w = exp(-u[i] - log_prob[i] - largest);
        sum += w;
        squares += w * w;
        spread += (u[i] - energy) * (u[i] - energy);
    }
    effective = sum * sum / squares;
    printf("samples               %lu\n", (unsigned long)n);
    printf("mean energy           %.5f +- %.5f\n", energy, sqrt(spread) / (double)n);
    printf("effective sample size %.1f (%.2f %%)\n", effective, 100.0 * effective / (double)n);
    printf("log Z                 %.5f +- %.5f (exact %.5f)\n", largest + log(sum / (double)n),
           sqrt(1.0 / effective - 1.0 / (double)n), EXACT_LOG_Z);
}

/* Goes on with a CRC-32 (that of zip and PNG files) of the numbers' bytes, the least significant first. */
static uint32_t checksum(uint32_t crc, const double *values, size_t n)
{
    size_t i;
    int k;
    for (i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, values + i, sizeof bits);
        for (k = 0; k < 64; k++) {
            uint32_t low = (crc ^ (uint32_t)(bits >> k)) & 1;
            crc = crc >> 1 ^ (low ? 0xedb88320u : 0u);
        }
    }
    return crc;
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
    struct memory memory = {0};
    eqf_plan *plan = NULL;
    size_t length = 0, n = 10000;
    uint64_t seed = 1;
    int status;
    if (argc > 2) n = (size_t)number(argv[2]);
    if (argc > 3) seed = number(argv[3]);
    if (argc < 2 || argc > 4 || n == 0 || seed == 0) {
        fprintf(stderr, "usage: dw4 model.eqf [n >= 1] [seed >= 1]\n");
        return 2;
    }
    memory.file = load(argv[1], &length);
    if (!memory.file) {
        fprintf(stderr, "dw4: cannot read %s\n", argv[1]);
        return 1;
    }
    status = prepare(memory.file, length, &memory, &plan) || draw(plan, seed, n, &memory);
    if (!status) {
        uint32_t crc = checksum(checksum(checksum(~0u, memory.x, 8 * n), memory.log_prob, n), memory.u, n);
        report(memory.u, memory.log_prob, n);
        printf("checksum              %08lX\n", (unsigned long)(uint32_t)~crc);
    }
    release(&memory);
    return status;
}
