/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sem_fp.c compared with libmpfr, value and flags: every arithmetic operation of F, D and Zfh on
 * all pairs (triples, of fewer values) of special operands and on random ones, in every rounding
 * mode, with no flag set before and with NX set before.
 */
#include "fp-operands.h"
#include "fp-oracle.h"

typedef uint64_t OpFn(const uint64_t x[3], unsigned rm, uint8_t *fflags);

typedef struct {
    const char *name;
    OpFn *fn;
    const OracleFormat *format;
    OracleOp op;
    int arity;
    bool negate_product;
    bool negate_addend;
} Op;

#define WRAP1(name)                                                                                \
    static uint64_t wrap_##name(const uint64_t x[3], unsigned rm, uint8_t *fflags)                 \
    {                                                                                              \
        return sem_##name(x[0], rm, fflags);                                                       \
    }
#define WRAP2(name)                                                                                \
    static uint64_t wrap_##name(const uint64_t x[3], unsigned rm, uint8_t *fflags)                 \
    {                                                                                              \
        return sem_##name(x[0], x[1], rm, fflags);                                                 \
    }
#define WRAP3(name)                                                                                \
    static uint64_t wrap_##name(const uint64_t x[3], unsigned rm, uint8_t *fflags)                 \
    {                                                                                              \
        return sem_##name(x[0], x[1], x[2], rm, fflags);                                           \
    }
#define WRAP_ALL(f)                                                                                \
    WRAP2(fadd_##f)                                                                                \
    WRAP2(fsub_##f)                                                                                \
    WRAP2(fmul_##f)                                                                                \
    WRAP2(fdiv_##f)                                                                                \
    WRAP1(fsqrt_##f)                                                                               \
    WRAP3(fmadd_##f) WRAP3(fmsub_##f) WRAP3(fnmsub_##f) WRAP3(fnmadd_##f)
WRAP_ALL(s)
WRAP_ALL(d)
WRAP_ALL(h)

#define OPS_OF(f, format)                                                                          \
    { "fadd." #f, wrap_fadd_##f, format, OP_ADD, 2, false, false },                                \
        { "fsub." #f, wrap_fsub_##f, format, OP_SUB, 2, false, false },                            \
        { "fmul." #f, wrap_fmul_##f, format, OP_MUL, 2, false, false },                            \
        { "fdiv." #f, wrap_fdiv_##f, format, OP_DIV, 2, false, false },                            \
        { "fsqrt." #f, wrap_fsqrt_##f, format, OP_SQRT, 1, false, false },                         \
        { "fmadd." #f, wrap_fmadd_##f, format, OP_FMA, 3, false, false },                          \
        { "fmsub." #f, wrap_fmsub_##f, format, OP_FMA, 3, false, true },                           \
        { "fnmsub." #f, wrap_fnmsub_##f, format, OP_FMA, 3, true, false },                         \
    {                                                                                              \
        "fnmadd." #f, wrap_fnmadd_##f, format, OP_FMA, 3, true, true                               \
    }

static const Op ops[] = { OPS_OF(s, &oracle_single), OPS_OF(d, &oracle_double),
                          OPS_OF(h, &oracle_half) };

static void check(const Op *op, const uint64_t x[3], unsigned rm)
{
    uint64_t seen[3] = { x[0], x[1], x[2] };
    uint8_t want_flags = 0;

    seen[0] ^= op->negate_product ? oracle_sign(op->format) : 0;
    seen[2] ^= op->negate_addend ? oracle_sign(op->format) : 0;
    uint64_t want = oracle_bits(op->format, op->format, op->op, op->arity, seen, rm, &want_flags);

    for (unsigned before = 0; before <= FFLAGS_NX; before++) {
        uint8_t flags = before;
        uint64_t got = op->fn(x, rm, &flags);

        if (got != want || flags != (want_flags | before)) {
            g_error("%s rm=%u of %016" PRIx64 " %016" PRIx64 " %016" PRIx64 " after flags %02x: "
                    "got %016" PRIx64 " flags %02x, libmpfr has %016" PRIx64 " flags %02x",
                    op->name, rm, x[0], x[1], x[2], before, got, flags, want, want_flags | before);
        }
    }
}

static OperandFormat operand_format(const Op *op)
{
    return (OperandFormat){ op->format->frac_bits, op->format->exp_bits };
}

static void test_specials(gconstpointer data)
{
    const Op *op = data;
    GArray *values = operand_specials(operand_format(op), op->arity == 3);
    guint second = op->arity > 1 ? values->len : 1, third = op->arity > 2 ? values->len : 1;

    for (guint i = 0; i < values->len; i++) {
        for (guint j = 0; j < second; j++) {
            for (guint k = 0; k < third; k++) {
                const uint64_t x[3] = { g_array_index(values, uint64_t, i),
                                        g_array_index(values, uint64_t, j),
                                        g_array_index(values, uint64_t, k) };

                if (op->op == OP_FMA && op->negate_product != op->negate_addend && (i ^ k) & 3) {
                    continue; /* the two plain forms see all of them */
                }
                for (unsigned rm = FRM_RNE; rm <= FRM_RMM; rm++) {
                    check(op, x, rm);
                }
            }
        }
    }
    g_array_free(values, TRUE);
}

static void test_random(gconstpointer data)
{
    const Op *op = data;
    OperandFormat f = operand_format(op);
    uint64_t state = (uint64_t)(op - ops) + 1;

    for (unsigned long n = operand_count(20000); n > 0; n--) {
        uint64_t x[3];

        x[0] = operand_pick(f, &state, 0);
        x[1] = operand_pick(f, &state, x[0]);
        x[2] = operand_pick(f, &state, op->arity == 3 ? oracle_inf(op->format) & x[0] : 0);
        for (unsigned rm = FRM_RNE; rm <= FRM_RMM; rm++) {
            check(op, x, rm);
        }
    }
}

/* Sums that cancel to almost nothing: the addend is the rounded, negated product. */
static void test_fma_cancels(gconstpointer data)
{
    const Op *op = data;
    OperandFormat f = operand_format(op);
    uint64_t state = 77;

    for (unsigned long n = operand_count(20000) / 4; n > 0; n--) {
        uint64_t x[3] = { operand_pick(f, &state, 0), operand_pick(f, &state, 0), 0 };
        uint8_t ignored = 0;

        x[2] = oracle_bits(op->format, op->format, OP_MUL, 2, x, n % 4, &ignored);
        x[2] ^= oracle_sign(op->format);
        x[2] += n % 3 - 1;
        for (unsigned rm = FRM_RNE; rm <= FRM_RMM; rm++) {
            check(op, x, rm);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(ops); i++) {
        g_autofree char *specials = g_strdup_printf("/sem_fp/%s/specials", ops[i].name);
        g_autofree char *random = g_strdup_printf("/sem_fp/%s/random", ops[i].name);
        g_autofree char *cancels = g_strdup_printf("/sem_fp/%s/cancels", ops[i].name);

        g_test_add_data_func(specials, &ops[i], test_specials);
        g_test_add_data_func(random, &ops[i], test_random);
        if (ops[i].op == OP_FMA) {
            g_test_add_data_func(cancels, &ops[i], test_fma_cancels);
        }
    }
    return g_test_run();
}
