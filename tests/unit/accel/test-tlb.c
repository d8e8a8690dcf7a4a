/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLBs: a model that records every fill decides which entries may exist after each operation.
 */
#include <glib.h>

#include "accel/tlb.h"

static Tlb tlb;

static bool hit(TlbKind kind, uint64_t va, unsigned size, uint32_t context)
{
    return tlb_at(&tlb, kind, va)->tag == tlb_tag(va, size, context);
}

static uint32_t context(uint64_t space, uint32_t mode)
{
    bool wrapped = false;
    return tlb_context(&tlb, space, mode, &wrapped);
}

/* Neighbouring pages never share an entry. The check of an access's last byte relies on this. */
static void test_neighbours(void)
{
    for (uint64_t vpn = 0; vpn < 1 << 22; vpn++) {
        g_assert_cmpuint(tlb_index(vpn << 12), !=, tlb_index((vpn + 1) << 12));
    }
    g_assert_cmpuint(tlb_index(UINT64_MAX), !=, tlb_index(0));
}

static void test_access(void)
{
    tlb_init(&tlb);
    uint32_t c = context(1, 0);

    g_assert_false(hit(TLB_READ, 0, 1, 0) && c == 0);
    tlb_fill(&tlb, TLB_READ, 0x12345678, c, 0x7f0000000000, 12);
    g_assert_true(hit(TLB_READ, 0x12345000, 8, c));
    g_assert_true(hit(TLB_READ, 0x12345ff8, 8, c));
    g_assert_true(hit(TLB_READ, 0x12345ffd, 2, c));
    g_assert_false(hit(TLB_READ, 0x12345ff9, 8, c));
    g_assert_false(hit(TLB_READ, 0x12344fff, 2, c));
    g_assert_false(hit(TLB_WRITE, 0x12345000, 8, c));
    g_assert_false(hit(TLB_READ, 0x12345000, 8, context(2, 0)));
    g_assert_cmphex(0x12345678 + tlb_at(&tlb, TLB_READ, 0x12345678)->addend, ==, 0x7f0000000678);
}

static void test_contexts(void)
{
    tlb_init(&tlb);
    uint32_t a = context(1, 0), b = context(1, 4);

    g_assert_cmpuint(a, !=, b);
    g_assert_cmpuint(context(1, 0), ==, a);
    tlb_fill(&tlb, TLB_READ, 0x1000, a, 0x9000, 12);
    tlb_flush(&tlb);
    g_assert_false(hit(TLB_READ, 0x1000, 1, context(1, 0)));
}

/* Many flushes: numbers wrap around, and no old entry becomes valid again. */
static void test_wrap(void)
{
    tlb_init(&tlb);
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t c = context(i, 0);
        uint64_t unique = tlb_unique(&tlb, c);
        g_assert_false(hit(TLB_WRITE, 0x5000, 4, c));
        tlb_fill(&tlb, TLB_WRITE, 0x5000, c, 0x9000, 12);
        g_assert_true(hit(TLB_WRITE, 0x5000, 4, c));
        if (i & 1) {
            tlb_flush(&tlb);
        }
        bool wrapped = false;
        uint32_t d = tlb_context(&tlb, UINT64_MAX - i, 1, &wrapped);
        g_assert_true(d != 0 && d < TLB_CONTEXTS);
        g_assert_cmphex(tlb_unique(&tlb, d), !=, unique);
    }
    g_assert_cmpuint(tlb.generation, >, 0);
}

static void test_flush_page(void)
{
    tlb_init(&tlb);
    uint32_t a = context(1, 0), b = context(2, 0);

    tlb_fill(&tlb, TLB_READ, 0x5000, a, 0x9000, 12);
    tlb_fill(&tlb, TLB_WRITE, 0x5000, b, 0x9000, 12);
    tlb_fill(&tlb, TLB_READ, 0x6000, a, 0xa000, 12);
    g_assert_false(tlb_flush_page(&tlb, 0x5123));
    g_assert_false(hit(TLB_READ, 0x5000, 1, a));
    g_assert_false(hit(TLB_WRITE, 0x5000, 1, b));
    g_assert_true(hit(TLB_READ, 0x6000, 1, a));
    tlb_fill(&tlb, TLB_EXEC, 0x5000, a, 0x9000, 12);
    g_assert_true(tlb_flush_page(&tlb, 0x5000));
    tlb_renew_fetch(&tlb);
    tlb_fill(&tlb, TLB_READ, 0x5000, a, 0x9000, 12);
    g_assert_false(tlb_flush_page(&tlb, 0x5000));
}

/* Every size of leaf: a fence anywhere in it drops all its parts, and none beside it. */
static void test_large(void)
{
    static const unsigned bits[] = { 16, 21, 30, 39 };

    for (unsigned i = 0; i < G_N_ELEMENTS(bits); i++) {
        tlb_init(&tlb);
        uint32_t c = context(1, 0);
        uint64_t leaf = UINT64_C(0xffffff8000000000), size = UINT64_C(1) << bits[i];
        tlb_fill(&tlb, TLB_READ, leaf + 0x3000, c, 0x9000, bits[i]);
        tlb_fill(&tlb, TLB_WRITE, leaf + size - 0x1000, c, 0x9000, bits[i]);
        tlb_fill(&tlb, TLB_READ, leaf - 0x1000, c, 0x9000, 12);
        tlb_flush_page(&tlb, leaf + size / 2);
        g_assert_false(hit(TLB_READ, leaf + 0x3000, 8, c));
        g_assert_false(hit(TLB_WRITE, leaf + size - 0x1000, 8, c));
        g_assert_true(hit(TLB_READ, leaf - 0x1000, 8, c));
    }
}

static bool same(uint64_t space, uint64_t arg)
{
    return space == arg;
}

static void test_matching_and_writes(void)
{
    tlb_init(&tlb);
    uint32_t a = context(1, 0), b = context(2, 0);

    tlb_flush_matching(&tlb, same, 1);
    g_assert_cmpuint(context(2, 0), ==, b);
    g_assert_cmpuint(context(1, 0), !=, a);
    tlb_fill(&tlb, TLB_WRITE, 0x5000, b, 0x9000, 12);
    tlb_fill(&tlb, TLB_WRITE, 0x7000, b, 0x9000, 12); /* an alias */
    tlb_fill(&tlb, TLB_WRITE, 0x8000, b, 0xb000, 12);
    tlb_drop_writes_to(&tlb, 0x9000);
    g_assert_false(hit(TLB_WRITE, 0x5000, 8, b));
    g_assert_false(hit(TLB_WRITE, 0x7000, 8, b));
    g_assert_true(hit(TLB_WRITE, 0x8000, 8, b));
    tlb_flush_writes(&tlb);
    g_assert_false(hit(TLB_WRITE, 0x8000, 8, b));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tlb/neighbours", test_neighbours);
    g_test_add_func("/tlb/access", test_access);
    g_test_add_func("/tlb/contexts", test_contexts);
    g_test_add_func("/tlb/wrap", test_wrap);
    g_test_add_func("/tlb/flush-page", test_flush_page);
    g_test_add_func("/tlb/large", test_large);
    g_test_add_func("/tlb/matching-and-writes", test_matching_and_writes);
    return g_test_run();
}
