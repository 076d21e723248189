/* Hashes the bits that the library computes, so that machines can be compared:
 *
 *     bits        prints "<stage> <hash>" a stage and a total; 0 if all went well
 *
 * tests/portable_bits.rs compares the lines with bits.expected, portable-bits.sh does so on other architectures.
 * Needs nothing but eqflow.h: no heap, and stdio only to print. Parameters of models and configurations are whole
 * numbers over powers of two that both precisions hold exactly, so that neither compilers nor mathematical libraries
 * have a say in them. */

#include <stddef.h>
#include <stdint.h>

#include "eqflow.h"

enum {
    SAMPLES = 64,
    MAX_COORDINATES = 15,
    MAX_RADIAL = 20,
    MAX_TIME = 5,
    NAME_LENGTH = 80,
    MEMORY = 1 << 22
};

static const uint64_t SEED = 20200605;

/* Each stage is computed in one batch of all samples, then the first few again in batches of these sizes: a sample must
 * not notice. Few, because an emulator takes a minute for what the processor does in a second, and a batch of one
 * costs as much as a full vector. */
enum { FEW = 7 };
static const size_t BATCHES[] = {3, 1};

/* Receives a stage's name and hash, or before them a complaint with the status or hash that caused it. */
typedef void (*eqf_bits_line)(const char *name, uint64_t hash);

enum stage {
    STAGE_SAMPLE,
    STAGE_FORWARD,
    STAGE_INVERSE,
    STAGE_LOG_PROB,
    STAGE_PRIOR,
    STAGE_DOUBLE_WELL,
    STAGE_LENNARD_JONES
};

static const char *const STAGES[] = {
    "sample", "forward", "inverse", "log_prob", "prior", "double_well", "lennard_jones"
};

static void rk4(eqf_config *config)
{
    (void)config; /* the initial configuration: 20 steps, compiled radial functions */
}

static void exact(eqf_config *config)
{
    config->radial = EQF_RADIAL_EXACT;
}

static void dopri5(eqf_config *config)
{
    config->integrator = EQF_INTEGRATOR_DOPRI5;
    config->rtol = 1e-6;
    config->atol = 1e-8;
}

static void inverse(eqf_config *config)
{
    config->inverse = EQF_INVERSE_EXACT;
}

static void jacobian(eqf_config *config)
{
    config->log_det = EQF_LOG_DET_JACOBIAN;
    config->inverse = EQF_INVERSE_EXACT;
}

/* How plans are made; a new way takes a line here and a function that edits the initial configuration. */
static const struct configuration {
    const char *name;
    void (*edit)(eqf_config *config);
} CONFIGURATIONS[] = {{"rk4", rk4}, {"exact", exact}, {"dopri5", dopri5},
                     {"inverse", inverse}, {"jacobian", jacobian}};

static double weights[MAX_TIME * MAX_RADIAL], bias[MAX_TIME], importance[MAX_RADIAL];
static double mu[MAX_RADIAL], gamma_radial[MAX_RADIAL], mu_time[MAX_TIME], gamma_time[MAX_TIME];

static void fill_arrays(void)
{
    int i;
    for (i = 0; i < MAX_TIME * MAX_RADIAL; i++) weights[i] = ((i * 37) % 101 - 50) / 1024.0;
    for (i = 0; i < MAX_RADIAL; i++) {
        importance[i] = (i % 5) / 32.0;
        mu[i] = i * 3 / 8.0;
        gamma_radial[i] = (8 + i % 3) / 16.0;
    }
    for (i = 0; i < MAX_TIME; i++) {
        bias[i] = (i - 2) / 64.0;
        mu_time[i] = i / 4.0;
        gamma_time[i] = (3 + i % 2) / 8.0;
    }
}

/* Smaller models take the beginnings of the arrays; those without extras do without bias and importance. */
static const struct system {
    const char *name;
    size_t n_particles, dimension, n_radial, n_time;
    int extras;
} SYSTEMS[] = {{"dw4", 4, 2, 20, 5, 1}, {"lj5", 5, 3, 11, 3, 0}};

static const struct basis {
    const char *name;
    int32_t basis;
} BASES[] = {{"gaussian", EQF_BASIS_GAUSSIAN}, {"normalized", EQF_BASIS_NORMALIZED}};

/* The instruction sets by number: a line is about the best one, and all others that the machine has must agree. */
static const char *const INSTRUCTION_SETS[] = {NULL, "scalar", "baseline", "avx2", "avx512"};

/* How a stage gets its plan; a stage that needs none has no configuration and no basis. */
struct setting {
    const struct system *system;
    const struct configuration *configuration;
    const struct basis *basis;
    uint32_t isa;
};

static int32_t make_model(const struct setting *setting, eqf_model *model)
{
    const struct system *system = setting->system;
    int32_t status = eqf_model_init(model, sizeof *model);
    if (status) return status;
    model->basis = setting->basis->basis;
    model->n_particles = system->n_particles;
    model->dimension = system->dimension;
    model->n_radial = system->n_radial;
    model->n_time = system->n_time;
    model->weights = weights;
    model->bias = system->extras ? bias : NULL;
    model->importance = system->extras ? importance : NULL;
    model->mu = mu;
    model->gamma = gamma_radial;
    model->mu_time = mu_time;
    model->gamma_time = gamma_time;
    return EQF_OK;
}

/* Coordinate `i` of all samples, in 1/256: scattered over (-4, 4). */
static int scattered(uint32_t i)
{
    return (int)((31 * i * i + 17 * i + 7) % 2003) - 1001;
}

/* FNV-1a, from the least significant byte on: a number's hash does not depend on how memory stores it. */
static const uint64_t EMPTY_HASH = UINT64_C(0xcbf29ce484222325);

static uint64_t hash_bits(uint64_t hash, uint64_t bits, int n_bytes)
{
    int byte;
    for (byte = 0; byte < n_bytes; byte++) {
        hash ^= bits >> 8 * byte & 0xff;
        hash *= UINT64_C(0x100000001b3);
    }
    return hash;
}

/* The line's name: what happened (or NULL), the stage, the precision and the setting, with a space between them. */
static const char *describe(const char *complaint, const char *stage, const char *precision,
                            const struct setting *setting)
{
    static char name[NAME_LENGTH];
    const char *words[7];
    size_t length = 0, i;
    words[0] = complaint;
    words[1] = stage;
    words[2] = precision;
    words[3] = setting->configuration ? setting->configuration->name : NULL;
    words[4] = setting->system->name;
    words[5] = setting->basis ? setting->basis->name : NULL;
    words[6] = INSTRUCTION_SETS[setting->isa];
    for (i = 0; i < sizeof words / sizeof *words; i++) {
        const char *next = words[i];
        if (next && length && length + 1 < NAME_LENGTH) name[length++] = ' ';
        while (next && *next && length + 1 < NAME_LENGTH) name[length++] = *next++;
    }
    name[length] = '\0';
    return name;
}

/* The start of `memory` for an extent; sets `status` where there is not enough. */
static void *align(unsigned char *memory, eqf_extent extent, int32_t *status)
{
    size_t gap = (extent.align - (uintptr_t)memory % extent.align) % extent.align;
    if (extent.size + gap > MEMORY) *status = EQF_ERROR_WORKSPACE;
    return memory + gap;
}

static unsigned char plan_memory[MEMORY], work_memory[MEMORY];

/* One run: where the lines go, the hash of the hashes, and whether anything went wrong. */
struct run {
    eqf_bits_line line;
    uint64_t total;
    int failures;
};

static void complain(struct run *run, const char *name, uint64_t number)
{
    run->failures++;
    run->line(name, number);
}

#define REAL double
#define BITS uint64_t
#define PRECISION "f64"
#define F(name) name
#include "bits_precision.h"
#undef REAL
#undef BITS
#undef PRECISION
#undef F

#define REAL float
#define BITS uint32_t
#define PRECISION "f32"
#define F(name) name##_f32
#include "bits_precision.h"

/* Gives `line` the hash of every stage, then that of all; returns 0, or 1 if a call failed, a result is not finite, or
 * a sample depends on its batch or on the instruction set, which `line` also hears of. */
int eqf_bits(eqf_bits_line line)
{
    struct run run = {NULL, 0, 0};
    size_t system;
    run.line = line;
    run.total = EMPTY_HASH;
    fill_arrays();
    for (system = 0; system < sizeof SYSTEMS / sizeof *SYSTEMS; system++) {
        run_system(&run, &SYSTEMS[system]);
        run_system_f32(&run, &SYSTEMS[system]);
    }
    line("total", run.total);
    return run.failures != 0;
}

#ifdef __wasm__

/* Where there is no stdio, bits.mjs prints. */
__attribute__((import_module("bits"), import_name("line"))) void print_line(const char *name, uint64_t hash);

__attribute__((export_name("run"))) int run_all(void)
{
    return eqf_bits(print_line);
}

#else

#include <inttypes.h>
#include <stdio.h>

static void print_line(const char *name, uint64_t hash)
{
    printf("%s %016" PRIx64 "\n", name, hash);
}

int main(void)
{
    return eqf_bits(print_line);
}

#endif
