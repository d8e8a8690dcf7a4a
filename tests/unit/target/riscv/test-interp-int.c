/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integer instructions compared with expressions written from the manual, on limits and random
 * values; jumps, branches and fused pairs.
 */
#include "harness.h"

typedef uint64_t Ref(uint64_t a, uint64_t b);
typedef __int128 i128;
typedef unsigned __int128 u128;

#define REF(name, expr)                                                                            \
    static uint64_t ref_##name(uint64_t a, uint64_t b)                                             \
    {                                                                                              \
        return (uint64_t)(expr);                                                                   \
    }
#define W(x) ((int64_t)(int32_t)(x))

REF(add, a + b)
REF(sub, a - b)
REF(sll, a << (b % 64))
REF(slt, (int64_t)a < (int64_t)b)
REF(sltu, a < b)
REF(xor, a ^ b)
REF(srl, a >> (b % 64))
REF(sra, (int64_t)a >> (b % 64))
REF(or, a | b)
REF(and, a &b)
REF(addw, W((uint32_t)a + (uint32_t)b))
REF(subw, W((uint32_t)a - (uint32_t)b))
REF(sllw, W((uint32_t)a << (b % 32)))
REF(srlw, W((uint32_t)a >> (b % 32)))
REF(sraw, W((int32_t)a >> (b % 32)))
REF(mul, (u128)a *b)
REF(mulh, ((i128)(int64_t)a * (i128)(int64_t)b) >> 64)
REF(mulhu, ((u128)a * b) >> 64)
REF(mulhsu, ((i128)(int64_t)a * (i128)(u128)b) >> 64)
REF(mulw, W(a *b))
REF(div, b == 0 ? -1 : (i128)(int64_t)a / (int64_t)b)
REF(divu, b == 0 ? UINT64_MAX : a / b)
REF(rem, b == 0 ? (i128)(int64_t)a : (i128)(int64_t)a % (int64_t)b)
REF(remu, b == 0 ? a : a % b)
REF(divw, (int32_t)b == 0 ? -1 : W(W(a) / W(b)))
REF(divuw, (uint32_t)b == 0 ? -1 : W((uint32_t)a / (uint32_t)b))
REF(remw, (int32_t)b == 0 ? W(a) : W(W(a) % W(b)))
REF(remuw, (uint32_t)b == 0 ? W(a) : W((uint32_t)a % (uint32_t)b))

static const struct {
    const char *text;
    Ref *ref;
} ops[] = {
#define OP(name)                                                                                   \
    {                                                                                              \
#name, ref_##name                                                                          \
    }
    OP(add),  OP(sub), OP(sll),  OP(slt),   OP(sltu),   OP(xor),  OP(srl),
    OP(sra),  OP(or),  OP(and),  OP(addw),  OP(subw),   OP(sllw), OP(srlw),
    OP(sraw), OP(mul), OP(mulh), OP(mulhu), OP(mulhsu), OP(mulw), OP(div),
    OP(divu), OP(rem), OP(remu), OP(divw),  OP(divuw),  OP(remw), OP(remuw),
};

static void test_register(void)
{
    Hart *h = hart_new(NULL);
    GRand *rand = g_rand_new_with_seed(1);

    for (unsigned round = 0; round < 300; round++) {
        uint64_t a = interesting(rand), b = interesting(rand);
        for (unsigned i = 0; i < 28; i++) {
            emit_word(h, r_type(ops[i].text, 1 + i % 28, 29, 30));
        }
        h->cpu->x[29] = a;
        h->cpu->x[30] = b;
        hart_run_code(h);
        for (unsigned i = 0; i < 28; i++) {
            g_assert_cmphex(h->cpu->x[1 + i], ==, ops[i].ref(a, b));
        }
    }
    g_rand_free(rand);
    hart_free(h);
}

static const struct {
    const char *text;
    Ref *ref;
    bool shift, word;
} imm_ops[] = {
    { "addi", ref_add, false, false },   { "slti", ref_slt, false, false },
    { "sltiu", ref_sltu, false, false }, { "xori", ref_xor, false, false },
    { "ori", ref_or, false, false },     { "andi", ref_and, false, false },
    { "slli", ref_sll, true, false },    { "srli", ref_srl, true, false },
    { "srai", ref_sra, true, false },    { "addiw", ref_addw, false, true },
    { "slliw", ref_sllw, true, true },   { "srliw", ref_srlw, true, true },
    { "sraiw", ref_sraw, true, true },
};

static void test_immediate(void)
{
    Hart *h = hart_new(NULL);
    GRand *rand = g_rand_new_with_seed(2);

    for (unsigned round = 0; round < 300; round++) {
        int32_t imm[G_N_ELEMENTS(imm_ops)];
        h->cpu->x[29] = interesting(rand);
        for (unsigned i = 0; i < G_N_ELEMENTS(imm_ops); i++) {
            imm[i] = imm_ops[i].shift ? g_rand_int_range(rand, 0, imm_ops[i].word ? 32 : 64)
                                      : g_rand_int_range(rand, -2048, 2048);
            emit_word(h, i_type(imm_ops[i].text, 1 + i, 29, imm[i]));
        }
        hart_run_code(h);
        for (unsigned i = 0; i < G_N_ELEMENTS(imm_ops); i++) {
            g_assert_cmphex(h->cpu->x[1 + i], ==,
                            imm_ops[i].ref(h->cpu->x[29], (uint64_t)(int64_t)imm[i]));
        }
    }
    g_rand_free(rand);
    hart_free(h);
}

/* Writes to x0 are discarded, for every form that writes a register. */
static void test_x0(void)
{
    Hart *h = hart_new(NULL);

    h->cpu->x[5] = DATA;
    emit_word(h, i_type("addi", 0, 5, 1));
    emit_word(h, u_type("lui", 0, 0x1000));
    emit_word(h, u_type("auipc", 0, 0));
    emit_word(h, i_type("ld", 0, 5, 0));
    emit_word(h, r_type("add", 0, 5, 5));
    emit_word(h, csr_type("csrrs", 0, 0xf14, 0));
    emit_word(h, j_type("jal", 0, 4));
    emit_word(h, r_type("add", 6, 0, 0));
    hart_run_code(h);
    g_assert_cmphex(h->cpu->x[0], ==, 0);
    g_assert_cmphex(h->cpu->x[6], ==, 0);
    hart_free(h);
}

/* lui and auipc with the following instruction, fused or not. */
static void test_pairs(void)
{
    Hart *h = hart_new(NULL);

    emit_word(h, u_type("lui", 5, 0x80000000)); /* not fused: out of 32 bits */
    emit_word(h, i_type("addi", 5, 5, -1));
    emit_word(h, u_type("lui", 6, 0x7ffff000));
    emit_word(h, i_type("addiw", 6, 6, 0x7ff));
    emit_word(h, u_type("lui", 7, 0x12345000));
    emit_word(h, i_type("addi", 8, 7, 0x678)); /* other destination */
    emit_word(h, u_type("auipc", 9, 0x1000));  /* at CODE + 0x18 */
    emit_word(h, i_type("addi", 9, 9, -0x18));
    emit_word(h, u_type("auipc", 10, DATA - CODE));
    emit_word(h, i_type("ld", 10, 10, -0x20));
    emit_word(h, u_type("lui", 11, 0x80000000));
    emit_word(h, i_type("addiw", 11, 11, -1));
    ram_store(h, DATA, 0x1122334455667788, 8);
    hart_run_code(h);
    g_assert_cmphex(h->cpu->x[5], ==, UINT64_C(0xffffffff7fffffff));
    g_assert_cmphex(h->cpu->x[6], ==, 0x7ffff7ff);
    g_assert_cmphex(h->cpu->x[7], ==, 0x12345000);
    g_assert_cmphex(h->cpu->x[8], ==, 0x12345678);
    g_assert_cmphex(h->cpu->x[9], ==, CODE + 0x1000);
    g_assert_cmphex(h->cpu->x[10], ==, 0x1122334455667788);
    g_assert_cmphex(h->cpu->x[11], ==, 0x7fffffff);
    hart_free(h);
}

/* A fused load that faults: auipc has retired, the trap belongs to the load. */
static void test_pair_fault(void)
{
    Hart *h = hart_new(NULL);

    emit_word(h, u_type("auipc", 10, 0x40000000)); /* unmapped */
    emit_word(h, i_type("ld", 10, 10, 8));
    hart_expect_trap(h, CAUSE_LOAD_ACCESS, CODE + 4, CODE + 0x40000008);
    g_assert_cmphex(h->cpu->x[10], ==, CODE + 0x40000000);
    g_assert_cmpuint(h->cpu->retired, >=, 1);
    hart_free(h);
}

/* Each branch taken and not taken, forward, and a loop backward. */
static void test_branches(void)
{
    static const struct {
        const char *text;
        uint64_t a, b;
        bool taken;
    } cases[] = {
        { "beq", 1, 1, true },   { "beq", 1, 2, false },  { "bne", 1, 2, true },
        { "bne", 1, 1, false },  { "blt", -1, 1, true },  { "blt", 1, -1, false },
        { "blt", 1, 1, false },  { "bge", 1, -1, true },  { "bge", 1, 1, true },
        { "bge", -1, 1, false }, { "bltu", 1, -1, true }, { "bltu", -1, 1, false },
        { "bgeu", -1, 1, true }, { "bgeu", 1, 1, true },  { "bgeu", 1, -1, false },
    };
    Hart *h = hart_new(NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        h->cpu->x[5] = cases[i].a;
        h->cpu->x[6] = cases[i].b;
        h->cpu->x[7] = 0;
        emit_word(h, b_type(cases[i].text, 5, 6, 8));
        emit_word(h, i_type("addi", 7, 7, 1));
        hart_run_code(h);
        g_assert_cmpuint(h->cpu->x[7], ==, cases[i].taken ? 0 : 1);
    }
    h->cpu->x[5] = 1000;
    h->cpu->x[6] = 0;
    emit_word(h, i_type("addi", 6, 6, 3));
    emit_word(h, i_type("addi", 5, 5, -1));
    emit_word(h, b_type("bne", 5, 0, -8));
    uint64_t before = h->cpu->retired;
    hart_run_code(h);
    g_assert_cmpuint(h->cpu->x[6], ==, 3000);
    /* The loop, and of the handler csrrw, sb and instructions up to a block's end after the
     * stop. */
    g_assert_cmpuint(h->cpu->retired - before, >=, 3002);
    g_assert_cmpuint(h->cpu->retired - before, <=, 3004);
    hart_free(h);
}

/* Calls: jal, auipc+jalr in both forms, jalr through a register, across pages. */
static void test_jumps(void)
{
    Hart *h = hart_new(NULL);
    uint64_t far = CODE + 0x3000;

    h->at = far;
    emit_word(h, i_type("addi", 7, 7, 1));
    emit_word(h, i_type("jalr", 0, 1, 0));
    h->at = CODE;
    emit_word(h, j_type("jal", 1, far - CODE));
    emit_word(h, u_type("auipc", 1, 0x3000));
    emit_word(h, i_type("jalr", 1, 1, -4));
    emit_word(h, u_type("auipc", 6, 0x3000));
    emit_word(h, i_type("jalr", 1, 6, -12));
    h->cpu->x[8] = far + 1; /* bit 0 is cleared */
    emit_word(h, i_type("jalr", 1, 8, 0));
    h->cpu->x[7] = 0;
    hart_run_code(h);
    g_assert_cmpuint(h->cpu->x[7], ==, 4);
    g_assert_cmphex(h->cpu->x[1], ==, CODE + 24);
    g_assert_cmphex(h->cpu->x[6], ==, CODE + 0x3000 + 12);
    hart_free(h);
}

/* An instruction across a page boundary, in a loop, and after its second half changed. */
static void test_page_edge(void)
{
    Hart *h = hart_new(NULL);

    h->at = CODE + 0xffe;
    emit_word(h, i_type("addi", 7, 7, 5));
    emit_word(h, i_type("addi", 6, 6, -1));
    emit_word(h, b_type("bne", 6, 0, -8));
    emit_ebreak(h);
    for (unsigned round = 0; round < 2; round++) {
        h->cpu->x[7] = 0;
        h->cpu->x[6] = 10;
        h->cpu->pc = CODE + 0xffe;
        hart_run(h);
        g_assert_cmphex(h->cpu->mcause, ==, CAUSE_BREAKPOINT);
        g_assert_cmpuint(h->cpu->x[7], ==, round ? 70 : 50);
        ram_store(h, CODE + 0x1000, i_type("addi", 7, 7, 7) >> 16, 2);
    }
    hart_free(h);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/interp-int/register", test_register);
    g_test_add_func("/interp-int/immediate", test_immediate);
    g_test_add_func("/interp-int/x0", test_x0);
    g_test_add_func("/interp-int/pairs", test_pairs);
    g_test_add_func("/interp-int/pair-fault", test_pair_fault);
    g_test_add_func("/interp-int/branches", test_branches);
    g_test_add_func("/interp-int/jumps", test_jumps);
    g_test_add_func("/interp-int/page-edge", test_page_edge);
    return g_test_run();
}
