/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zba, Zbb, Zbs and Zicond compared with bit-by-bit references.
 */
#include "harness.h"

typedef uint64_t Ref(uint64_t a, uint64_t b);

static uint64_t bit_count(uint64_t v, unsigned width)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < width; i++) {
        n += v >> i & 1;
    }
    return n;
}

static uint64_t leading(uint64_t v, unsigned width)
{
    uint64_t n = 0;
    while (n < width && !(v >> (width - 1 - n) & 1)) {
        n++;
    }
    return n;
}

static uint64_t trailing(uint64_t v, unsigned width)
{
    uint64_t n = 0;
    while (n < width && !(v >> n & 1)) {
        n++;
    }
    return n;
}

static uint64_t rotate(uint64_t v, unsigned n, unsigned width)
{
    uint64_t r = 0;
    for (unsigned i = 0; i < width; i++) { /* right by n */
        r |= (v >> ((i + n) % width) & 1) << i;
    }
    return width == 32 ? (uint64_t)(int64_t)(int32_t)r : r;
}

static uint64_t bytes(uint64_t v, bool reverse)
{
    uint64_t r = 0;
    for (unsigned i = 0; i < 8; i++) {
        uint64_t b = v >> (8 * i) & 0xff;
        r |= reverse ? b << (8 * (7 - i)) : (b ? UINT64_C(0xff) : 0) << (8 * i);
    }
    return r;
}

#define REF(name, expr)                                                                            \
    static uint64_t ref_##name(uint64_t a, uint64_t b)                                             \
    {                                                                                              \
        return (uint64_t)(expr);                                                                   \
    }
REF(sh1add, a * 2 + b)
REF(sh2add, a * 4 + b)
REF(sh3add, a * 8 + b)
REF(add_uw, (uint32_t)a + b)
REF(sh1add_uw, (uint64_t)(uint32_t)a * 2 + b)
REF(sh2add_uw, (uint64_t)(uint32_t)a * 4 + b)
REF(sh3add_uw, (uint64_t)(uint32_t)a * 8 + b)
REF(andn, a & ~b)
REF(orn, a | ~b)
REF(xnor, ~(a ^ b))
REF(min, (int64_t)a < (int64_t)b ? a : b)
REF(max, (int64_t)a < (int64_t)b ? b : a)
REF(minu, a < b ? a : b)
REF(maxu, a < b ? b : a)
REF(rol, rotate(a, (64 - b % 64) % 64, 64))
REF(ror, rotate(a, b % 64, 64))
REF(rolw, rotate((uint32_t)a, (32 - b % 32) % 32, 32))
REF(rorw, rotate((uint32_t)a, b % 32, 32))
REF(bclr, a & ~(UINT64_C(1) << b % 64))
REF(bext, a >> b % 64 & 1)
REF(binv, a ^ UINT64_C(1) << b % 64)
REF(bset, a | UINT64_C(1) << b % 64)
REF(czero_eqz, b == 0 ? 0 : a)
REF(czero_nez, b != 0 ? 0 : a)
REF(clz, leading(a, 64))
REF(ctz, trailing(a, 64))
REF(cpop, bit_count(a, 64))
REF(clzw, leading((uint32_t)a, 32))
REF(ctzw, trailing((uint32_t)a, 32))
REF(cpopw, bit_count((uint32_t)a, 32))
REF(sext_b, (int64_t)(int8_t)a)
REF(sext_h, (int64_t)(int16_t)a)
REF(zext_h, (uint16_t)a)
REF(orc_b, bytes(a, false))
REF(rev8, bytes(a, true))
REF(slli_uw, (uint64_t)(uint32_t)a << b % 64)

typedef enum Shape { BINARY, UNARY, SHIFT } Shape;
static const struct {
    const char *text;
    Ref *ref;
    Shape shape;
    unsigned width;
} ops[] = {
    { "sh1add", ref_sh1add, BINARY, 0 },
    { "sh2add", ref_sh2add, BINARY, 0 },
    { "sh3add", ref_sh3add, BINARY, 0 },
    { "add.uw", ref_add_uw, BINARY, 0 },
    { "sh1add.uw", ref_sh1add_uw, BINARY, 0 },
    { "sh2add.uw", ref_sh2add_uw, BINARY, 0 },
    { "sh3add.uw", ref_sh3add_uw, BINARY, 0 },
    { "andn", ref_andn, BINARY, 0 },
    { "orn", ref_orn, BINARY, 0 },
    { "xnor", ref_xnor, BINARY, 0 },
    { "min", ref_min, BINARY, 0 },
    { "max", ref_max, BINARY, 0 },
    { "minu", ref_minu, BINARY, 0 },
    { "maxu", ref_maxu, BINARY, 0 },
    { "rol", ref_rol, BINARY, 0 },
    { "ror", ref_ror, BINARY, 0 },
    { "rolw", ref_rolw, BINARY, 0 },
    { "rorw", ref_rorw, BINARY, 0 },
    { "bclr", ref_bclr, BINARY, 0 },
    { "bext", ref_bext, BINARY, 0 },
    { "binv", ref_binv, BINARY, 0 },
    { "bset", ref_bset, BINARY, 0 },
    { "czero.eqz", ref_czero_eqz, BINARY, 0 },
    { "czero.nez", ref_czero_nez, BINARY, 0 },
    { "clz", ref_clz, UNARY, 0 },
    { "ctz", ref_ctz, UNARY, 0 },
    { "cpop", ref_cpop, UNARY, 0 },
    { "clzw", ref_clzw, UNARY, 0 },
    { "ctzw", ref_ctzw, UNARY, 0 },
    { "cpopw", ref_cpopw, UNARY, 0 },
    { "sext.b", ref_sext_b, UNARY, 0 },
    { "sext.h", ref_sext_h, UNARY, 0 },
    { "zext.h", ref_zext_h, UNARY, 0 },
    { "orc.b", ref_orc_b, UNARY, 0 },
    { "rev8", ref_rev8, UNARY, 0 },
    { "rori", ref_ror, SHIFT, 64 },
    { "roriw", ref_rorw, SHIFT, 32 },
    { "bclri", ref_bclr, SHIFT, 64 },
    { "bexti", ref_bext, SHIFT, 64 },
    { "binvi", ref_binv, SHIFT, 64 },
    { "bseti", ref_bset, SHIFT, 64 },
    { "slli.uw", ref_slli_uw, SHIFT, 64 },
};

static void check(Hart *h, GRand *rand, unsigned i)
{
    uint64_t a = interesting(rand), b = interesting(rand);

    h->cpu->x[5] = a;
    h->cpu->x[6] = g_rand_int_range(rand, 0, 4) ? b : 0;
    b = h->cpu->x[6];
    if (ops[i].shape == SHIFT) {
        b = g_rand_int_range(rand, 0, ops[i].width);
        emit_word(h, i_type(ops[i].text, 7, 5, b));
    } else {
        emit_word(h, r_type(ops[i].text, 7, 5, ops[i].shape == BINARY ? 6 : 0));
    }
    hart_run_code(h);
    if (h->cpu->x[7] != ops[i].ref(a, b)) {
        g_error("%s 0x%" PRIx64 ", 0x%" PRIx64 " gave 0x%" PRIx64, ops[i].text, a, b, h->cpu->x[7]);
    }
}

static void test_all(void)
{
    Hart *h = hart_new(NULL);
    GRand *rand = g_rand_new_with_seed(5);

    for (unsigned round = 0; round < 150; round++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(ops); i++) {
            check(h, rand, i);
        }
    }
    g_rand_free(rand);
    hart_free(h);
}

/* Disabled, they are illegal instructions. */
static void test_off(void)
{
    Hart *h = hart_new("zba=off,zbb=off,zbs=off,zicond=off,zicboz=off,zawrs=off");
    uint32_t words[] = { r_type("sh1add", 1, 2, 3), r_type("andn", 1, 2, 3),
                         r_type("bset", 1, 2, 3),   r_type("czero.eqz", 1, 2, 3),
                         match_of("cbo.zero"),      match_of("wrs.nto") };

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        emit_word(h, words[i]);
        hart_expect_trap(h, CAUSE_ILLEGAL, CODE, words[i]);
    }
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/interp-zb/all", test_all);
    g_test_add_func("/interp-zb/off", test_off);
    return g_test_run();
}
