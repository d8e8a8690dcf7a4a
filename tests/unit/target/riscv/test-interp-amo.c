/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Atomics: results and memory for every operation, misalignment, reservations.
 */
#include "harness.h"

typedef int64_t i64;
typedef uint64_t u64;

static u64 apply(const char *op, u64 a, u64 b)
{
    switch (op[3]) {
    case 's':
        return b;
    case 'x':
        return a ^ b;
    case 'o':
        return a | b;
    case 'a':
        return op[4] == 'd' ? a + b : a & b;
    default:
        if (g_str_equal(op, "amomin")) {
            return (i64)a < (i64)b ? a : b;
        }
        if (g_str_equal(op, "amomax")) {
            return (i64)a > (i64)b ? a : b;
        }
        return g_str_equal(op, "amominu") ? MIN(a, b) : MAX(a, b);
    }
}

static const char *const names[] = { "amoswap", "amoadd", "amoxor",  "amoand", "amoor",
                                     "amomin",  "amomax", "amominu", "amomaxu" };

static void check_one(Hart *h, GRand *rand, const char *name, unsigned size)
{
    g_autofree char *text = g_strdup_printf("%s.%c", name, size == 8 ? 'd' : 'w');
    bool is_unsigned = g_str_has_suffix(name, "u");
    u64 a = interesting(rand), b = interesting(rand), want;

    ram_store(h, DATA, a, 8);
    h->cpu->x[5] = DATA;
    h->cpu->x[6] = b;
    emit_word(h, r_type(text, 7, 5, 6));
    hart_run_code(h);
    if (size == 8) {
        want = apply(name, a, b);
        g_assert_cmphex(h->cpu->x[7], ==, a);
        g_assert_cmphex(ram_load(h, DATA, 8), ==, want);
    } else {
        u64 a32 = is_unsigned ? (uint32_t)a : (u64)(i64)(int32_t)a;
        u64 b32 = is_unsigned ? (uint32_t)b : (u64)(i64)(int32_t)b;
        want = (uint32_t)apply(name, a32, b32) | (a >> 32 << 32);
        g_assert_cmphex(h->cpu->x[7], ==, (u64)(i64)(int32_t)a);
        g_assert_cmphex(ram_load(h, DATA, 8), ==, want);
    }
}

static void test_operations(void)
{
    Hart *h = hart_new(NULL);
    GRand *rand = g_rand_new_with_seed(4);

    for (unsigned round = 0; round < 60; round++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
            check_one(h, rand, names[i], 4);
            check_one(h, rand, names[i], 8);
        }
    }
    g_rand_free(rand);
    hart_free(h);
}

static void test_misaligned(void)
{
    Hart *h = hart_new(NULL);

    h->cpu->x[5] = DATA + 4;
    emit_word(h, r_type("amoadd.d", 7, 5, 6));
    hart_expect_trap(h, CAUSE_STORE_MISALIGNED, CODE, DATA + 4);
    emit_word(h, r_type("lr.d", 7, 5, 0));
    hart_expect_trap(h, CAUSE_LOAD_MISALIGNED, CODE, DATA + 4);
    emit_word(h, r_type("sc.d", 7, 5, 6));
    hart_expect_trap(h, CAUSE_STORE_MISALIGNED, CODE, DATA + 4);
    h->cpu->x[5] = DEVICE;
    emit_word(h, r_type("amoadd.w", 7, 5, 6));
    hart_expect_trap(h, CAUSE_STORE_ACCESS, CODE, DEVICE);
    hart_free(h);
}

static void test_reservation(void)
{
    Hart *h = hart_new(NULL);

    h->cpu->x[5] = DATA;
    h->cpu->x[6] = 77;
    h->cpu->x[8] = DATA + 8;
    ram_store(h, DATA, 0xffffffff80000001, 8);
    emit_word(h, r_type("sc.w", 9, 5, 6)); /* no reservation */
    emit_word(h, r_type("lr.w", 10, 5, 0));
    emit_word(h, r_type("sc.w", 11, 5, 6)); /* succeeds */
    emit_word(h, r_type("sc.w", 12, 5, 6)); /* used up */
    emit_word(h, r_type("lr.d", 13, 5, 0));
    emit_word(h, r_type("sc.d", 14, 8, 6)); /* another address */
    emit_word(h, r_type("lr.w", 15, 5, 0));
    emit_word(h, s_type("sw", 0, 5, 0)); /* another value */
    emit_word(h, r_type("sc.w", 16, 5, 6));
    hart_run_code(h);
    g_assert_cmphex(h->cpu->x[9], ==, 1);
    g_assert_cmphex(h->cpu->x[10], ==, UINT64_C(0xffffffff80000001));
    g_assert_cmphex(h->cpu->x[11], ==, 0);
    g_assert_cmphex(h->cpu->x[12], ==, 1);
    g_assert_cmphex(h->cpu->x[13], ==, UINT64_C(0xffffffff0000004d));
    g_assert_cmphex(h->cpu->x[14], ==, 1);
    g_assert_cmphex(h->cpu->x[16], ==, 1);
    g_assert_cmphex(ram_load(h, DATA, 8), ==, UINT64_C(0xffffffff00000000));
    hart_free(h);
}

/* wrs ends by itself, with and without a reservation, also while the clock does not advance. */
static void test_wrs(void)
{
    Hart *h = hart_new(NULL);

    h->cpu->x[5] = DATA;
    emit_word(h, match_of("wrs.nto"));
    emit_word(h, r_type("lr.w", 10, 5, 0));
    emit_word(h, match_of("wrs.nto"));
    emit_word(h, match_of("wrs.sto"));
    emit_word(h, match_of("pause"));
    hart_run_code(h);
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/interp-amo/operations", test_operations);
    g_test_add_func("/interp-amo/misaligned", test_misaligned);
    g_test_add_func("/interp-amo/reservation", test_reservation);
    g_test_add_func("/interp-amo/wrs", test_wrs);
    return g_test_run();
}
