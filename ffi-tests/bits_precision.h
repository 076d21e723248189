/* The stages of bits.c in one precision: included once for each, with REAL, BITS, PRECISION and F(name) of the
 * precision, hence without a guard. */

/* All samples of one stage. */
static REAL F(all_inputs)[SAMPLES * MAX_COORDINATES], F(all_outputs)[SAMPLES * MAX_COORDINATES];
static REAL F(all_numbers)[SAMPLES];

/* Infinities and NaNs count as failures: IEEE 754 leaves the bits of a NaN to the machine. */
static uint64_t F(hash_reals)(uint64_t hash, const REAL *values, size_t n, int *finite)
{
    union {
        REAL value;
        BITS bits;
    } word;
    size_t i;
    for (i = 0; i < n; i++) {
        word.value = values[i];
        if (!(word.value - word.value == 0)) *finite = 0;
        hash = hash_bits(hash, word.bits, (int)sizeof word.bits);
    }
    return hash;
}

/* The samples first, ..., first + n - 1 of a stage; `plan` is NULL for the stages that need none. */
static int32_t F(compute)(enum stage stage, const struct system *system, const F(eqf_plan) *plan, size_t first,
                          size_t n)
{
    const size_t N = system->n_particles, D = system->dimension;
    const REAL *x = F(all_inputs) + first * N * D;
    REAL *out = F(all_outputs) + first * N * D, *numbers = F(all_numbers) + first;
    eqf_double_well_params well;
    eqf_lennard_jones_params lj;
    eqf_extent extent = {0, 1};
    int32_t status = plan ? F(eqf_workspace_extent)(plan, n, &extent) : EQF_OK;
    void *work = align(work_memory, extent, &status);
    if (status) return status;
    switch (stage) {
    case STAGE_SAMPLE: return F(eqf_sample)(plan, SEED, first, n, out, numbers, work, extent.size, NULL);
    case STAGE_FORWARD: return F(eqf_forward)(plan, n, x, out, numbers, work, extent.size, NULL);
    case STAGE_INVERSE: return F(eqf_inverse)(plan, n, x, out, numbers, work, extent.size, NULL);
    case STAGE_LOG_PROB:
        status = F(eqf_log_prob)(plan, n, x, numbers, out, work, extent.size, NULL);
        if (status != EQF_ERROR_UNSUPPORTED) return status; /* EQF_LOG_DET_JACOBIAN has no gradient */
        return F(eqf_log_prob)(plan, n, x, numbers, NULL, work, extent.size, NULL);
    case STAGE_PRIOR:
        status = F(eqf_prior_sample)(SEED, first, n, N, D, out);
        return status ? status : F(eqf_prior_log_prob)(n, N, D, out, numbers);
    case STAGE_DOUBLE_WELL:
        status = eqf_double_well_dw4(&well);
        return status ? status : F(eqf_double_well)(&well, n, N, D, x, numbers, out);
    case STAGE_LENNARD_JONES:
        status = eqf_lennard_jones_lj13(&lj);
        return status ? status : F(eqf_lennard_jones)(&lj, n, N, D, x, numbers, out);
    }
    return EQF_ERROR_INTERNAL;
}

/* The first `total` samples of a stage in batches. The outputs are overwritten before: none is left over. */
static int32_t F(compute_batches)(enum stage stage, const struct setting *setting, const F(eqf_plan) *plan,
                                  size_t batch, size_t total)
{
    size_t first;
    for (first = 0; first < SAMPLES * MAX_COORDINATES; first++) F(all_outputs)[first] = -1;
    for (first = 0; first < SAMPLES; first++) F(all_numbers)[first] = -1;
    for (first = 0; first < total; first += batch) {
        size_t n = total - first < batch ? total - first : batch;
        int32_t status = F(compute)(stage, setting->system, plan, first, n);
        if (status) return status;
    }
    return EQF_OK;
}

/* The hash of the first n samples and of their numbers. */
static uint64_t F(hash_outputs)(const struct setting *setting, size_t n, int *finite)
{
    const size_t coordinates = setting->system->n_particles * setting->system->dimension;
    uint64_t hash = F(hash_reals)(EMPTY_HASH, F(all_outputs), n * coordinates, finite);
    return F(hash_reals)(hash, F(all_numbers), n, finite);
}

static uint64_t F(run_stage)(struct run *run, enum stage stage, const struct setting *setting,
                             const F(eqf_plan) *plan)
{
    const char *const name = STAGES[stage];
    int finite = 1;
    int32_t status = F(compute_batches)(stage, setting, plan, SAMPLES, SAMPLES);
    uint64_t hash = F(hash_outputs)(setting, SAMPLES, &finite), few = F(hash_outputs)(setting, FEW, &finite);
    size_t i;
    if (!finite) complain(run, describe("not finite:", name, PRECISION, setting), hash);
    for (i = 0; !status && i < sizeof BATCHES / sizeof *BATCHES; i++) {
        uint64_t again;
        status = F(compute_batches)(stage, setting, plan, BATCHES[i], FEW);
        again = F(hash_outputs)(setting, FEW, &finite);
        if (again != few) complain(run, describe("other bits in small batches:", name, PRECISION, setting), again);
    }
    if (status) complain(run, describe("failed:", name, PRECISION, setting), (uint64_t)status);
    run->total = hash_bits(run->total, hash, 8);
    run->line(describe(NULL, name, PRECISION, setting), hash);
    return hash;
}

static int32_t F(make_plan)(const struct setting *setting, F(eqf_plan) **plan)
{
    eqf_model model;
    eqf_config config;
    eqf_extent extent;
    void *memory;
    int32_t status = make_model(setting, &model);
    if (!status) status = eqf_config_init(&config, sizeof config);
    if (status) return status;
    setting->configuration->edit(&config);
    config.isa = setting->isa;
    status = F(eqf_plan_extent)(&model, &config, &extent, NULL);
    if (status) return status;
    memory = align(plan_memory, extent, &status);
    return status ? status : F(eqf_plan_init)(memory, extent.size, &model, &config, plan, NULL);
}

/* Compares the stages on every instruction set that the machine has with the hashes of the best one. */
static void F(run_instruction_sets)(struct run *run, struct setting setting, const uint64_t *hashes)
{
    for (setting.isa = EQF_ISA_SCALAR; setting.isa <= EQF_ISA_AVX512; setting.isa++) {
        F(eqf_plan) *plan = NULL;
        int stage, finite = 1;
        int32_t status = F(make_plan)(&setting, &plan);
        if (status == EQF_ERROR_UNSUPPORTED && !(setting.isa == EQF_ISA_SCALAR && eqf_has_feature("isa"))) continue;
        for (stage = STAGE_SAMPLE; !status && stage <= STAGE_LOG_PROB; stage++) {
            uint64_t hash;
            status = F(compute_batches)((enum stage)stage, &setting, plan, SAMPLES, SAMPLES);
            hash = F(hash_outputs)(&setting, SAMPLES, &finite);
            if (!status && hash != hashes[stage])
                complain(run, describe("other bits:", STAGES[stage], PRECISION, &setting), hash);
        }
        if (status) complain(run, describe("failed:", "plan", PRECISION, &setting), (uint64_t)status);
    }
}

static void F(run_plan)(struct run *run, const struct setting *setting)
{
    F(eqf_plan) *plan = NULL;
    uint64_t hashes[STAGE_LOG_PROB + 1];
    int stage;
    int32_t status = F(make_plan)(setting, &plan);
    if (status) {
        complain(run, describe("failed:", "plan", PRECISION, setting), (uint64_t)status);
        return;
    }
    for (stage = STAGE_SAMPLE; stage <= STAGE_LOG_PROB; stage++)
        hashes[stage] = F(run_stage)(run, (enum stage)stage, setting, plan);
    F(run_instruction_sets)(run, *setting, hashes);
}

static void F(run_system)(struct run *run, const struct system *system)
{
    const size_t reals = SAMPLES * system->n_particles * system->dimension;
    struct setting setting = {NULL, NULL, NULL, EQF_ISA_BEST};
    size_t i, j;
    int stage;
    setting.system = system;
    for (i = 0; i < reals; i++) F(all_inputs)[i] = (REAL)scattered((uint32_t)i) / 256;
    for (stage = STAGE_PRIOR; stage <= STAGE_LENNARD_JONES; stage++)
        (void)F(run_stage)(run, (enum stage)stage, &setting, NULL);
    for (i = 0; i < sizeof CONFIGURATIONS / sizeof *CONFIGURATIONS; i++) {
        for (j = 0; j < sizeof BASES / sizeof *BASES; j++) {
            setting.configuration = &CONFIGURATIONS[i];
            setting.basis = &BASES[j];
            F(run_plan)(run, &setting);
        }
    }
}
