/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Litmus tests of the memory model (RVWMO) with translated code: several harts, each on its host
 * thread, execute a few loads and stores of common locations at the same time, and the combination
 * of the values that they read must be one that the model allows.
 *
 *   test-litmus [--runs N]
 *
 * The names are those of the literature: SB (store buffering), MP (message passing), LB (load
 * buffering), IRIW (independent reads of independent writes). A round executes the test on BATCH
 * pairs of locations, X and Y, and stores the number of the round: a load observes either that
 * number or an earlier one. Hart 0 counts the outcomes: bit i of an outcome is set if observation i
 * is the number of the round. It also counts how often an outcome differs from that of the pair
 * before, which happens only while the harts execute their steps at the same time, and at most once
 * where a round begins.
 *
 * SB without a fence must show the relaxed outcome, which proves that the host reorders. The other
 * tests are repeated until the outcome changed FACTOR times as often as that required, so that they
 * fail if fences have no effect, although the harts rarely run at the same time on a busy host.
 */
#include "harness.h"

#include <sched.h>

#include "accel/accel.h"
#include "tests/lib/wait.h"

enum {
    BATCH = 512,
    SPACING = 256, /* bytes between the pairs; Y is 128 bytes after X */
    MAX_HARTS = 4,
    MAX_OBSERVED = 4,
    OUTCOMES = 1 << MAX_OBSERVED,
    REPEATS = 10, /* at most, of a test whose outcomes changed too rarely */
    RELAXED_REPEATS = 1000,
    FACTOR = 20,
    PATIENCE = 300 /* seconds, of an idle machine */
};

#define PLACES  (RAM_BASE + 0x100000) /* X and Y */
#define RESULTS (RAM_BASE + 0x200000) /* 64 bytes for each pair */
#define MEETING (RAM_BASE + 0x300000) /* number of arrivals at barriers */
#define COUNTS  (RAM_BASE + 0x300100) /* by outcome */
#define DONE    (RAM_BASE + 0x300200) /* by hart */
#define CHANGES (RAM_BASE + 0x300280)
#define COUNTER (RAM_BASE + 0x300400)

/* Registers of the programs. */
enum {
    R_PLACES = 5,
    R_MEETING,
    R_RESULTS,
    R_ROUNDS,
    R_ROUND,
    R_PAIR,      /* X of the current pair; offset Y is Y */
    R_SEEN = 12, /* and the following ones: observations */
    R_TEMPORARY = 17,
    R_BATCH,
    R_HARTS,
    R_EXPECTED,
    R_ONE,
    R_COUNTS,
    R_RESULT,
    R_LEFT,
    R_OUTCOME,
    R_VALUE,
    R_DONE,
    R_COUNTER,
    R_PREVIOUS,
    R_CHANGES
};
enum { X = 0, Y = 128 };

/* Instructions that the tests consist of. */
typedef enum Step {
    END,
    STORE_X,
    STORE_Y,
    LOAD_X, /* the next observation of the hart */
    LOAD_Y,
    SWAP_X, /* amoswap.aqrl */
    SWAP_Y,
    AMO_LOAD_X, /* amoor.aq of zero */
    AMO_LOAD_Y,
    LRSC_X, /* lr.d.aq and sc.d.aqrl of the number */
    LRSC_Y,
    FENCE_RW_RW,
    FENCE_W_R,
    FENCE_W_W,
    FENCE_R_R,
    COUNT_AMO, /* increment a counter */
    COUNT_LRSC,
} Step;

typedef struct Litmus {
    const char *name;
    unsigned n_harts;
    Step steps[MAX_HARTS][6];
    uint8_t observed[MAX_HARTS]; /* number of the first observation of a hart */
    uint8_t n_observed;
    uint16_t forbidden; /* outcomes, 1 << outcome */
    uint64_t adds;      /* increments of the counter in a run */
} Litmus;

#define OUTCOME(n) (1u << (n))
#define SB(a, b)   .n_harts = 2, .observed = { 0, 1 }, .n_observed = 2, .steps = { a, b }
#define MP(a, b)   .n_harts = 2, .observed = { 0, 0 }, .n_observed = 2, .steps = { a, b }
#define STEPS(...)                                                                                 \
    {                                                                                              \
        __VA_ARGS__, END                                                                           \
    }

static const Litmus litmus_relaxed = { "SB without a fence",
                                       SB(STEPS(STORE_X, LOAD_Y), STEPS(STORE_Y, LOAD_X)) };

static const Litmus litmus_tests[] = {
    { "SB with fence rw,rw",
      SB(STEPS(STORE_X, FENCE_RW_RW, LOAD_Y), STEPS(STORE_Y, FENCE_RW_RW, LOAD_X)),
      .forbidden = OUTCOME(0) },
    { "SB with fence w,r", SB(STEPS(STORE_X, FENCE_W_R, LOAD_Y), STEPS(STORE_Y, FENCE_W_R, LOAD_X)),
      .forbidden = OUTCOME(0) },
    { "SB with amoswap.aqrl", SB(STEPS(SWAP_X, LOAD_Y), STEPS(SWAP_Y, LOAD_X)),
      .forbidden = OUTCOME(0) },
    { "SB with lr and sc.aqrl", SB(STEPS(LRSC_X, LOAD_Y), STEPS(LRSC_Y, LOAD_X)),
      .forbidden = OUTCOME(0) },
    { "MP with fences", MP(STEPS(STORE_X, FENCE_W_W, STORE_Y), STEPS(LOAD_Y, FENCE_R_R, LOAD_X)),
      .forbidden = OUTCOME(1) },
    { "MP with amoswap and amoor", MP(STEPS(STORE_X, SWAP_Y), STEPS(AMO_LOAD_Y, LOAD_X)),
      .forbidden = OUTCOME(1) },
    { "MP with lr and sc", MP(STEPS(STORE_X, LRSC_Y), STEPS(AMO_LOAD_Y, LOAD_X)),
      .forbidden = OUTCOME(1) },
    { "LB with fence rw,rw",
      SB(STEPS(LOAD_X, FENCE_RW_RW, STORE_Y), STEPS(LOAD_Y, FENCE_RW_RW, STORE_X)),
      .forbidden = OUTCOME(3) },
    { "IRIW with fence rw,rw", .n_harts = 4, .observed = { 0, 0, 0, 2 }, .n_observed = 4,
      .steps = { STEPS(STORE_X), STEPS(STORE_Y), STEPS(LOAD_X, FENCE_RW_RW, LOAD_Y),
                 STEPS(LOAD_Y, FENCE_RW_RW, LOAD_X) },
      .forbidden = OUTCOME(5) },
    { "amoadd", .n_harts = 2, .steps = { STEPS(COUNT_AMO), STEPS(COUNT_AMO) }, .adds = 2 },
    { "lr and sc", .n_harts = 2, .steps = { STEPS(COUNT_LRSC), STEPS(COUNT_LRSC) }, .adds = 2 },
    { "amoadd beside lr and sc", .n_harts = 2, .steps = { STEPS(COUNT_AMO), STEPS(COUNT_LRSC) },
      .adds = 2 },
};

static uint64_t litmus_runs = 5120; /* --runs */
static uint64_t litmus_changes = 1; /* that a test requires */

/* --- programs --- */

#define AQ                (1u << 26)
#define RL                (1u << 25)
#define FENCE(pred, succ) (match_of("fence") | (pred) << 24 | (succ) << 20)
enum { FENCE_R = 2, FENCE_W = 1, FENCE_RW = 3 };

/* Emit the address of X or Y in the temporary register, for atomics. */
static void litmus_address(Hart *h, int32_t offset)
{
    emit_word(h, i_type("addi", R_TEMPORARY, R_PAIR, offset));
}

static void litmus_lrsc(Hart *h, unsigned address, bool add)
{
    uint64_t again = h->at;

    emit_word(h, r_type("lr.d", R_VALUE, address, 0) | AQ);
    emit_word(h, add ? i_type("addi", R_VALUE, R_VALUE, 1) : i_type("addi", R_VALUE, R_ROUND, 0));
    emit_word(h, r_type("sc.d", R_OUTCOME, address, R_VALUE) | AQ | RL);
    emit_word(h, b_type("bne", R_OUTCOME, 0, (int32_t)(again - h->at)));
}

static void litmus_step(Hart *h, Step step, unsigned *seen)
{
    int32_t offset =
        step == STORE_Y || step == LOAD_Y || step == SWAP_Y || step == AMO_LOAD_Y || step == LRSC_Y
            ? Y
            : X;

    switch (step) {
    case STORE_X:
    case STORE_Y:
        emit_word(h, s_type("sd", R_ROUND, R_PAIR, offset));
        break;
    case LOAD_X:
    case LOAD_Y:
        emit_word(h, i_type("ld", (*seen)++, R_PAIR, offset));
        break;
    case SWAP_X:
    case SWAP_Y:
        litmus_address(h, offset);
        emit_word(h, r_type("amoswap.d", 0, R_TEMPORARY, R_ROUND) | AQ | RL);
        break;
    case AMO_LOAD_X:
    case AMO_LOAD_Y:
        litmus_address(h, offset);
        emit_word(h, r_type("amoor.d", (*seen)++, R_TEMPORARY, 0) | AQ);
        break;
    case LRSC_X:
    case LRSC_Y:
        litmus_address(h, offset);
        litmus_lrsc(h, R_TEMPORARY, false);
        break;
    case FENCE_RW_RW:
        emit_word(h, FENCE(FENCE_RW, FENCE_RW));
        break;
    case FENCE_W_R:
        emit_word(h, FENCE(FENCE_W, FENCE_R));
        break;
    case FENCE_W_W:
        emit_word(h, FENCE(FENCE_W, FENCE_W));
        break;
    case FENCE_R_R:
        emit_word(h, FENCE(FENCE_R, FENCE_R));
        break;
    case COUNT_AMO:
        emit_word(h, r_type("amoadd.d", 0, R_COUNTER, R_ONE));
        break;
    case COUNT_LRSC:
        litmus_lrsc(h, R_COUNTER, true);
        break;
    case END:
        break;
    }
}

/* All harts leave a barrier after all have reached it. */
static void litmus_barrier(Hart *h)
{
    emit_word(h, FENCE(FENCE_RW, FENCE_RW));
    emit_word(h, r_type("amoadd.d", 0, R_MEETING, R_ONE));
    emit_word(h, r_type("add", R_EXPECTED, R_EXPECTED, R_HARTS));
    emit_word(h, i_type("ld", R_VALUE, R_MEETING, 0));
    emit_word(h, b_type("bltu", R_VALUE, R_EXPECTED, -4));
    emit_word(h, FENCE(FENCE_RW, FENCE_RW));
}

static void litmus_start_loop(Hart *h)
{
    emit_word(h, i_type("addi", R_PAIR, R_PLACES, 0));
    emit_word(h, i_type("addi", R_RESULT, R_RESULTS, 0));
    emit_word(h, i_type("addi", R_LEFT, R_BATCH, 0));
}

static void litmus_end_loop(Hart *h, uint64_t start)
{
    emit_word(h, i_type("addi", R_PAIR, R_PAIR, SPACING));
    emit_word(h, i_type("addi", R_RESULT, R_RESULT, 64));
    emit_word(h, i_type("addi", R_LEFT, R_LEFT, 0xfff));
    emit_word(h, b_type("bne", R_LEFT, 0, (int32_t)(start - h->at)));
}

static void litmus_body(Hart *h, const Litmus *t, unsigned hart)
{
    unsigned seen = R_SEEN;

    litmus_start_loop(h);
    uint64_t start = h->at;
    for (unsigned i = 0; t->steps[hart][i] != END; i++) {
        litmus_step(h, t->steps[hart][i], &seen);
    }
    for (unsigned i = R_SEEN; i < seen; i++) {
        emit_word(h, s_type("sd", i, R_RESULT, (int32_t)(t->observed[hart] + i - R_SEEN) * 8));
    }
    litmus_end_loop(h, start);
}

/* Count the outcomes of the round. */
static void litmus_count(Hart *h, const Litmus *t)
{
    litmus_start_loop(h);
    uint64_t start = h->at;
    emit_word(h, i_type("addi", R_OUTCOME, R_COUNTS, 0));
    for (unsigned i = 0; i < t->n_observed; i++) {
        emit_word(h, i_type("ld", R_VALUE, R_RESULT, (int32_t)i * 8));
        emit_word(h, r_type("xor", R_VALUE, R_VALUE, R_ROUND));
        emit_word(h, i_type("sltiu", R_VALUE, R_VALUE, 1));
        emit_word(h, i_type("slli", R_VALUE, R_VALUE, (int32_t)i + 3));
        emit_word(h, r_type("add", R_OUTCOME, R_OUTCOME, R_VALUE));
    }
    emit_word(h, r_type("xor", R_VALUE, R_OUTCOME, R_PREVIOUS));
    emit_word(h, r_type("sltu", R_VALUE, 0, R_VALUE));
    emit_word(h, r_type("add", R_CHANGES, R_CHANGES, R_VALUE));
    emit_word(h, i_type("addi", R_PREVIOUS, R_OUTCOME, 0));
    emit_word(h, i_type("ld", R_VALUE, R_OUTCOME, 0));
    emit_word(h, i_type("addi", R_VALUE, R_VALUE, 1));
    emit_word(h, s_type("sd", R_VALUE, R_OUTCOME, 0));
    litmus_end_loop(h, start);
}

static void litmus_program(Hart *h, const Litmus *t, unsigned hart)
{
    h->at = CODE + hart * UINT64_C(0x2000);
    uint64_t round = h->at;
    emit_word(h, i_type("addi", R_ROUND, R_ROUND, 1));
    litmus_barrier(h);
    litmus_body(h, t, hart);
    litmus_barrier(h);
    if (hart == 0) {
        litmus_count(h, t);
    }
    emit_word(h, b_type("bne", R_ROUND, R_ROUNDS, (int32_t)(round - h->at)));
    emit_word(h, s_type("sd", R_CHANGES, R_DONE, CHANGES - DONE));
    emit_word(h, s_type("sd", R_ONE, R_DONE, 0));
    emit_word(h, match_of("wfi"));
    emit_word(h, j_type("jal", 0, -4));
}

/* --- machines --- */

static void litmus_registers(RiscvCpu *cpu, const Litmus *t, unsigned hart, uint64_t rounds)
{
    const struct {
        unsigned reg;
        uint64_t value;
    } values[] = { { R_PLACES, PLACES },  { R_MEETING, MEETING },      { R_RESULTS, RESULTS },
                   { R_ROUNDS, rounds },  { R_BATCH, BATCH },          { R_HARTS, t->n_harts },
                   { R_ONE, 1 },          { R_DONE, DONE + hart * 8 }, { R_COUNTS, COUNTS },
                   { R_COUNTER, COUNTER } };

    for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
        cpu->x[values[i].reg] = values[i].value;
    }
    cpu->pc = CODE + hart * UINT64_C(0x2000);
}

static RiscvCpu *litmus_cpu(Hart *h, unsigned i)
{
    return riscv_cpu(g_ptr_array_index(h->m->cpus, i));
}

static Hart *litmus_machine(const Litmus *t, uint64_t rounds)
{
    Hart *h = hart_new_with(NULL, true);
    RiscvCpu *first = h->cpu;

    machine_lock(h->m);
    for (unsigned i = 1; i < t->n_harts; i++) {
        GError *err = NULL;
        g_ptr_array_add(h->m->cpus, riscv_cpu_type.create(h->m, i, NULL, &err));
        g_assert_no_error(err);
    }
    for (unsigned i = 0; i < t->n_harts; i++) {
        h->cpu = litmus_cpu(h, i);
        if (h->cpu->jit) {
            h->cpu->jit->threshold = 1;
        }
        hart_reset(h);
        litmus_registers(h->cpu, t, i, rounds);
        litmus_program(h, t, i);
    }
    h->cpu = first;
    g_assert_true(accel_start(h->m, NULL));
    machine_unlock(h->m);
    return h;
}

static bool litmus_done(Hart *h, const Litmus *t)
{
    for (unsigned i = 0; i < t->n_harts; i++) {
        if (__atomic_load_n((uint64_t *)ram_at(h, DONE + i * 8), __ATOMIC_ACQUIRE) == 0) {
            return false;
        }
    }
    return true;
}

/* Outcomes of all executions of a test. */
typedef struct Outcomes {
    uint64_t runs, changes, counter, counts[OUTCOMES];
} Outcomes;

static void litmus_execute(const Litmus *t, uint64_t rounds, Outcomes *o)
{
    Hart *h = litmus_machine(t, rounds);

    machine_lock(h->m);
    machine_set_state(h->m, RUN_RUNNING);
    machine_unlock(h->m);
    WAIT_UNTIL (litmus_done(h, t), PATIENCE) {
    }
    machine_lock(h->m);
    machine_set_state(h->m, RUN_PAUSED);
    accel_stop(h->m);
    machine_unlock(h->m);
    for (unsigned i = 0; i < OUTCOMES; i++) {
        o->counts[i] += ram_load(h, COUNTS + i * 8, 8);
    }
    uint64_t changes = ram_load(h, CHANGES, 8);
    o->runs += rounds * BATCH;
    o->changes += changes - MIN(changes, rounds);
    o->counter += ram_load(h, COUNTER, 8);
    hart_free(h);
}

/* --- tests --- */

static bool litmus_two_processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) >= 2;
}

static void litmus_print(const Litmus *t, const Outcomes *o)
{
    GString *s = g_string_new(NULL);

    for (unsigned i = 0; i < 1u << t->n_observed; i++) {
        g_string_append_printf(s, " %u:%" PRIu64, i, o->counts[i]);
    }
    g_test_message("%s: %" PRIu64 " runs, %" PRIu64 " changes, outcomes%s", t->name, o->runs,
                   o->changes, s->str);
    g_string_free(s, TRUE);
}

static uint64_t litmus_rounds(void)
{
    return MAX((litmus_runs + BATCH - 1) / BATCH, 1);
}

static void test_relaxed(void)
{
    Outcomes o = { 0 };
    unsigned n = 0;

    do {
        litmus_execute(&litmus_relaxed, litmus_rounds(), &o);
    } while (o.counts[0] == 0 && ++n < RELAXED_REPEATS);
    litmus_print(&litmus_relaxed, &o);
    g_assert_cmpuint(o.counts[0] + o.counts[1] + o.counts[2] + o.counts[3], ==, o.runs);
    g_assert_cmpuint(o.counts[0], >, 0);
    litmus_changes = FACTOR * (o.changes / o.counts[0] + 1);
}

static void test_litmus(gconstpointer data)
{
    const Litmus *t = data;
    Outcomes o = { 0 };
    uint64_t sum = 0;
    unsigned n = 0;

    do {
        litmus_execute(t, litmus_rounds(), &o);
    } while (t->n_observed && o.changes < litmus_changes && ++n < REPEATS);
    litmus_print(t, &o);
    for (unsigned i = 0; i < OUTCOMES; i++) {
        sum += o.counts[i];
        g_assert_false(o.counts[i] && (t->forbidden >> i & 1));
    }
    g_assert_cmpuint(sum, ==, o.runs);
    g_assert_cmpuint(o.counter, ==, t->adds * o.runs);
}

/* Remove "--runs N" from the arguments. */
static void litmus_arguments(int *argc, char **argv)
{
    if (*argc >= 3 && g_str_equal(argv[1], "--runs")) {
        litmus_runs = g_ascii_strtoull(argv[2], NULL, 10);
        memmove(&argv[1], &argv[3], (size_t)(*argc - 2) * sizeof(*argv));
        *argc -= 2;
    }
}

int main(int argc, char **argv)
{
    litmus_arguments(&argc, argv);
    g_test_init(&argc, &argv, NULL);
    if (litmus_two_processors()) {
        g_test_add_func("/litmus/relaxed", test_relaxed);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(litmus_tests); i++) {
        g_autofree char *name = g_strdup_printf("/litmus/%s", litmus_tests[i].name);
        g_test_add_data_func(name, &litmus_tests[i], test_litmus);
    }
    return g_test_run();
}
