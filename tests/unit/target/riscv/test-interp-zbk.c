/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zbc, Zbkb, Zbkc and Zbkx compared with bit-by-bit references; Zcb, Zimop, Zcmop, Zicbop and
 * Zihintntl compared with the manual. The words were made with the assembler of LLVM 19.
 */
#include "harness.h"

typedef uint64_t ZbkRef(uint64_t a, uint64_t b);

/* Return bits low..low+63 of the 127-bit carry-less product. */
static uint64_t product(uint64_t a, uint64_t b, unsigned low)
{
    uint64_t r = 0;

    for (unsigned i = 0; i < 64; i++) {
        unsigned bit = 0, n = low + i;
        for (unsigned k = 0; k < 64; k++) {
            if (n >= k && n - k < 64) {
                bit ^= a >> k & b >> (n - k) & 1;
            }
        }
        r |= (uint64_t)bit << i;
    }
    return r;
}

static uint64_t ref_clmul(uint64_t a, uint64_t b)
{
    return product(a, b, 0);
}

static uint64_t ref_clmulh(uint64_t a, uint64_t b)
{
    return product(a, b, 64);
}

static uint64_t ref_clmulr(uint64_t a, uint64_t b)
{
    return product(a, b, 63);
}

static uint64_t ref_pack(uint64_t a, uint64_t b)
{
    return a % 0x100000000 + b % 0x100000000 * 0x100000000;
}

static uint64_t ref_packh(uint64_t a, uint64_t b)
{
    return a % 256 + b % 256 * 256;
}

static uint64_t ref_packw(uint64_t a, uint64_t b)
{
    return (uint64_t)(int64_t)(int32_t)(uint32_t)(a % 65536 + b % 65536 * 65536);
}

static uint64_t ref_brev8(uint64_t a, uint64_t b)
{
    uint64_t r = 0;

    for (unsigned i = 0; i < 64; i++) {
        r |= (a >> i & 1) << (i / 8 * 8 + 7 - i % 8);
    }
    return r;
}

static uint64_t permute(uint64_t a, uint64_t b, unsigned width)
{
    uint64_t r = 0;

    for (unsigned i = 0; i < 64; i += width) {
        uint64_t field = (b >> i) % (UINT64_C(1) << width);
        for (unsigned k = 0; k < width && field < 64 / width; k++) {
            r |= (a >> (field * width + k) & 1) << (i + k);
        }
    }
    return r;
}

static uint64_t ref_xperm4(uint64_t a, uint64_t b)
{
    return permute(a, b, 4);
}

static uint64_t ref_xperm8(uint64_t a, uint64_t b)
{
    return permute(a, b, 8);
}

/* Words with rd a0, rs1 a1, rs2 a2. */
static const struct {
    uint32_t word;
    ZbkRef *ref;
} zbk_ops[] = {
    { 0x0ac59533, ref_clmul }, { 0x0ac5b533, ref_clmulh }, { 0x0ac5a533, ref_clmulr },
    { 0x08c5c533, ref_pack },  { 0x08c5f533, ref_packh },  { 0x08c5c53b, ref_packw },
    { 0x6875d513, ref_brev8 }, { 0x28c5a533, ref_xperm4 }, { 0x28c5c533, ref_xperm8 },
};

static void test_random(void)
{
    Hart *h = hart_new(HART_ALL);
    GRand *rand = g_rand_new_with_seed(6);

    for (unsigned round = 0; round < 400; round++) {
        for (unsigned i = 0; i < G_N_ELEMENTS(zbk_ops); i++) {
            uint64_t a = interesting(rand), b = interesting(rand);

            /* Small fields, so that most indices exist. */
            b &= round % 3 ? UINT64_MAX : UINT64_C(0x0707070707070707);
            h->cpu->x[11] = a;
            h->cpu->x[12] = b;
            emit_word(h, zbk_ops[i].word);
            hart_run_code(h);
            if (h->cpu->x[10] != zbk_ops[i].ref(a, b)) {
                g_error("%08x of 0x%" PRIx64 ", 0x%" PRIx64 " gave 0x%" PRIx64, zbk_ops[i].word, a,
                        b, h->cpu->x[10]);
            }
        }
    }
    g_rand_free(rand);
    hart_free(h);
}

/* Results with a0 = VALUE, a1 = DATA. */
#define VALUE UINT64_C(0x123456789abcdef0)
static const struct {
    uint32_t word;
    unsigned reg;
    uint64_t want;
} plain[] = {
    { 0x81a8, 10, 0x44 },                         /* c.lbu a0,2(a1) */
    { 0x81e8, 10, 0xf5 },                         /* c.lbu a0,3(a1) */
    { 0x85a8, 10, 0xf544 },                       /* c.lhu a0,2(a1) */
    { 0x85e8, 10, UINT64_C(0xfffffffffffff544) }, /* c.lh a0,2(a1) */
    { 0x9d4d, 10, VALUE *DATA },                  /* c.mul a0,a1 */
    { 0x9d61, 10, 0xf0 },                         /* c.zext.b a0 */
    { 0x9d65, 10, UINT64_C(0xfffffffffffffff0) }, /* c.sext.b a0 */
    { 0x9d69, 10, 0xdef0 },
    { 0x9d6d, 10, UINT64_C(0xffffffffffffdef0) },
    { 0x9d71, 10, 0x9abcdef0 }, /* c.zext.w a0 */
    { 0x9d75, 10, ~VALUE },     /* c.not a0 */
    { 0x81c5c573, 10, 0 },      /* mop.r.0 a0,a1 */
    { 0xcdf5c573, 10, 0 },      /* mop.r.31 a0,a1 */
    { 0x82c5c573, 10, 0 },      /* mop.rr.0 a0,a1,a2 */
    { 0xcec5c573, 10, 0 },      /* mop.rr.7 a0,a1,a2 */
    { 0x6081, 10, VALUE },      /* c.mop.1 */
    { 0x6781, 15, 15 },         /* c.mop.15 */
    { 0x0205e013, 10, VALUE },  /* prefetch.i 32(a1) */
    { 0x0035e013, 0, 0 },       /* prefetch.w 0(a1) */
    { 0x00200033, 0, 0 },       /* ntl.p1 */
    { 0x00500033, 0, 0 },       /* ntl.all */
};

static void set_registers(Hart *h)
{
    for (unsigned i = 1; i < 31; i++) {
        h->cpu->x[i] = i;
    }
    h->cpu->x[10] = VALUE;
    h->cpu->x[11] = DATA;
    ram_store(h, DATA, 0xf5443322, 8);
}

static void test_plain(void)
{
    Hart *h = hart_new(HART_ALL);

    for (unsigned i = 0; i < G_N_ELEMENTS(plain); i++) {
        set_registers(h);
        emit_word(h, plain[i].word);
        hart_run_code(h);
        if (h->cpu->x[plain[i].reg] != plain[i].want) {
            g_error("%x gave 0x%" PRIx64, plain[i].word, h->cpu->x[plain[i].reg]);
        }
    }
    /* A prefetch of an address that does not exist has no effect. */
    set_registers(h);
    h->cpu->x[11] = UINT64_C(0xdead00000000);
    emit_word(h, 0x0035e013);
    hart_run_code(h);
    /* c.sb a0,2(a1); c.sh a0,2(a1) */
    set_registers(h);
    emit_word(h, 0x89a8);
    hart_run_code(h);
    g_assert_cmphex(ram_load(h, DATA, 8), ==, 0xf5f03322);
    emit_word(h, 0x8da8);
    hart_run_code(h);
    g_assert_cmphex(ram_load(h, DATA, 8), ==, 0xdef03322);
    hart_free(h);
}

/* Without their extensions, all of them that are not hints are illegal. */
static void test_off(void)
{
    Hart *h = hart_new(NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(zbk_ops); i++) {
        emit_word(h, zbk_ops[i].word);
        hart_expect_trap(h, CAUSE_ILLEGAL, CODE, zbk_ops[i].word);
    }
    for (unsigned i = 0; plain[i].word != 0x0205e013; i++) {
        set_registers(h);
        emit_word(h, plain[i].word);
        hart_expect_trap(h, CAUSE_ILLEGAL, CODE, plain[i].word);
    }
    hart_free(h);
}

/* Zbkb alone has the instructions that it shares with Zbb, and Zbkc those that it shares with Zbc.
 */
static void test_shared(void)
{
    Hart *h = hart_new("zbb=off,zbkb=on,zbkc=on");

    h->cpu->x[5] = 0xf0;
    h->cpu->x[6] = 0x3c;
    emit_word(h, r_type("andn", 7, 5, 6));
    emit_word(h, i_type("rori", 8, 5, 4));
    emit_word(h, r_type("clmul", 9, 5, 6));
    hart_run_code(h);
    g_assert_cmphex(h->cpu->x[7], ==, 0xc0);
    g_assert_cmphex(h->cpu->x[8], ==, 0xf);
    g_assert_cmphex(h->cpu->x[9], ==, product(0xf0, 0x3c, 0));
    emit_word(h, r_type("clmulr", 9, 5, 6));
    hart_expect_trap(h, CAUSE_ILLEGAL, CODE, r_type("clmulr", 9, 5, 6));
    emit_word(h, r_type("min", 9, 5, 6));
    hart_expect_trap(h, CAUSE_ILLEGAL, CODE, r_type("min", 9, 5, 6));
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/interp-zbk/random", test_random);
    g_test_add_func("/interp-zbk/plain", test_plain);
    g_test_add_func("/interp-zbk/off", test_off);
    g_test_add_func("/interp-zbk/shared", test_shared);
    return g_test_run();
}
