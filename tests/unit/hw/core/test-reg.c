/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Register tables: each byte of an access is subject to the masks of its own row, compared with a
 * plain bitwise model.
 */
#include "hw/core/reg.h"

typedef struct Dev {
    uint32_t ctrl, status;
    uint16_t half;
    uint8_t byte;
    uint64_t wide;
    unsigned wrote;
    uint64_t last_old, last_new;
} Dev;

static uint64_t read_half(void *dev, const RegDesc *r)
{
    return 0xbeef;
}

static uint32_t wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    Dev *d = dev;

    d->wrote++;
    d->last_old = old;
    d->last_new = new;
    return 1u << r->offset / 4;
}

/* The value 0x66 in the low byte is the one that the register does not accept. */
static bool accept(void *dev, const RegDesc *r, uint64_t value)
{
    return (value & 0xff) != 0x66;
}

static const RegDesc regs[] = {
    REG32_CONST("id", 0x00, 0x7469636b),
    REG32(Dev, ctrl, 0x04, .rw = 0x00ff00ff, .reset = 0x80000001, .wrote = wrote),
    REG32(Dev, status, 0x08, .w1c = 0xf, .rw = 0xf0, .sticky = 0xc),
    REG16(Dev, half, 0x0c, .read = read_half),
    REG8(Dev, byte, 0x0e, .rw = 0xff),
    REG64(Dev, wide, 0x10, .rw = UINT64_MAX),
};
static const RegFile file = { LIST(regs), "dev" };

static void test_masks(void)
{
    Dev d = { 0 };

    reg_reset(&file, &d, RESET_COLD);
    g_assert_cmphex(reg_read(&file, &d, 0, 4), ==, 0x7469636b);
    g_assert_cmphex(d.ctrl, ==, 0x80000001);
    reg_write(&file, &d, 4, 0xffffffff, 4);
    g_assert_cmphex(d.ctrl, ==, 0x80ff00ff);
    g_assert_cmpuint(d.wrote, ==, 1);
    g_assert_cmphex(d.last_old, ==, 0x80000001);
    g_assert_cmphex(d.last_new, ==, 0x80ff00ff);
    reg_write(&file, &d, 6, 0, 1);
    g_assert_cmphex(d.ctrl, ==, 0x800000ff);
    d.status = 0x3f;
    reg_write(&file, &d, 8, 0x05, 4);
    g_assert_cmphex(d.status, ==, 0x0a);
    g_assert_cmphex(reg_read(&file, &d, 0xc, 2), ==, 0xbeef);
}

static void test_spanning(void)
{
    Dev d = { .wide = 0x8877665544332211, .status = 0xf };

    reg_write(&file, &d, 4, 0x00000001ffffffff, 8);
    g_assert_cmphex(d.ctrl, ==, 0x00ff00ff);
    g_assert_cmphex(d.status, ==, 0x0e);
    g_assert_cmphex(reg_read(&file, &d, 0xc, 4), ==, 0x0000beef);
    reg_write(&file, &d, 0xd, 0xaabbcc, 2);
    g_assert_cmphex(d.byte, ==, 0xbb);
    g_assert_cmphex(reg_read(&file, &d, 0x12, 4), ==, 0x66554433);
    g_assert_cmphex(reg_read(&file, &d, 0x13, 1), ==, 0x44);
    g_assert_cmphex(reg_read(&file, &d, 0x18, 8), ==, 0);
    reg_write(&file, &d, 0x14, UINT64_MAX, 8);
    g_assert_cmphex(d.wide, ==, 0xffffffff44332211);
}

static void test_sticky(void)
{
    Dev d = { .status = 0xff, .ctrl = 5 };

    reg_reset(&file, &d, RESET_HOT);
    g_assert_cmphex(d.status, ==, 0xc);
    g_assert_cmphex(d.ctrl, ==, 0x80000001);
    reg_reset(&file, &d, RESET_COLD);
    g_assert_cmphex(d.status, ==, 0);
}

/* Random accesses against one byte of value and masks per register byte. */
static void test_model(void)
{
    Dev d = { 0 };
    uint8_t value[0x18] = { 0 }, rw[0x18] = { 0 }, w1c[0x18] = { 0 };

    for (size_t i = 0; i < G_N_ELEMENTS(regs); i++) {
        for (unsigned b = 0; b < regs[i].width; b++) {
            rw[regs[i].offset + b] = regs[i].rw >> (8 * b);
            w1c[regs[i].offset + b] = regs[i].w1c >> (8 * b);
            value[regs[i].offset + b] = regs[i].reset >> (8 * b);
        }
    }
    value[0xc] = 0xef;
    value[0xd] = 0xbe;
    reg_reset(&file, &d, RESET_COLD);
    for (unsigned n = 0; n < 100000; n++) {
        unsigned size = 1 << g_test_rand_int_range(0, 4), at = g_test_rand_int_range(0, 0x18);
        uint64_t v = (uint64_t)g_test_rand_int() << 32 | (uint32_t)g_test_rand_int(), expect = 0;

        if (g_test_rand_int() & 1) {
            reg_write(&file, &d, at, v, size);
            for (unsigned b = 0; b < size && at + b < 0x18; b++) {
                uint8_t in = v >> (8 * b), *p = &value[at + b];

                *p = ((*p & ~rw[at + b]) | (in & rw[at + b])) & ~(in & w1c[at + b]);
            }
        }
        for (unsigned b = 0; b < size && at + b < 0x18; b++) {
            expect |= (uint64_t)value[at + b] << (8 * b);
        }
        g_assert_cmphex(reg_read(&file, &d, at, size), ==, expect);
    }
}

/* Both registers of an access are stored before the first wrote(), effects are OR-ed, and one
 * refusal leaves both unchanged. */
static const RegDesc pair_regs[] = {
    REG32(Dev, ctrl, 0x00, .rw = 0xff, .trigger = 0x100, .wrote = wrote),
    REG32(Dev, status, 0x04, .rw = 0xff, .accept = accept, .wrote = wrote),
    REG_ROW("doorbell", 0x08, 4, .wrote = wrote),
};
static const RegFile pair_file = { LIST(pair_regs), "pair" };

static void test_order(void)
{
    Dev d = { 0 };

    g_assert_cmphex(reg_write(&pair_file, &d, 0, 0x6500000001, 8), ==, 3);
    g_assert_cmpuint(d.wrote, ==, 2);
    g_assert_cmphex(d.ctrl, ==, 1);
    g_assert_cmphex(d.status, ==, 0x65);
    g_assert_cmphex(reg_write(&pair_file, &d, 0, 0x6600000002, 8), ==, 0);
    g_assert_cmpuint(d.wrote, ==, 2);
    g_assert_cmphex(d.ctrl, ==, 1);
    g_assert_cmphex(d.status, ==, 0x65);
    g_assert_cmphex(reg_write(&pair_file, &d, 4, 0x66, 1), ==, 0);
    g_assert_cmphex(d.status, ==, 0x65);
}

/* A trigger bit is reported and not stored; a register without a member reports what was written.
 */
static void test_trigger(void)
{
    Dev d = { 0 };

    g_assert_cmphex(reg_write(&pair_file, &d, 0, 0x1ff, 4), ==, 1);
    g_assert_cmphex(d.last_new, ==, 0x1ff);
    g_assert_cmphex(d.ctrl, ==, 0xff);
    g_assert_cmphex(reg_write(&pair_file, &d, 9, 0xab, 1), ==, 4);
    g_assert_cmphex(d.last_old, ==, 0);
    g_assert_cmphex(d.last_new, ==, 0xab00);
}

static void test_check(void)
{
    static const RegDesc overlap[] = { REG32(Dev, ctrl, 0), REG32(Dev, status, 2) };
    static const RegDesc both[] = { REG32(Dev, ctrl, 0, .rw = 1, .w1c = 1) };
    static const RegDesc wide[] = { REG16(Dev, half, 0, .rw = 0x10000) };
    static const RegDesc trigger[] = { REG32(Dev, ctrl, 0, .rw = 2, .trigger = 2) };
    const RegFile bad[] = {
        { LIST(overlap), "x" }, { LIST(both), "x" }, { LIST(wide), "x" }, { LIST(trigger), "x" }
    };

    g_assert_null(reg_table_check(&file));
    g_assert_null(reg_table_check(&pair_file));
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *why = reg_table_check(&bad[i]);

        g_assert_nonnull(why);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/reg/masks", test_masks);
    g_test_add_func("/reg/spanning", test_spanning);
    g_test_add_func("/reg/sticky", test_sticky);
    g_test_add_func("/reg/model", test_model);
    g_test_add_func("/reg/order", test_order);
    g_test_add_func("/reg/trigger", test_trigger);
    g_test_add_func("/reg/check", test_check);
    return g_test_run();
}
