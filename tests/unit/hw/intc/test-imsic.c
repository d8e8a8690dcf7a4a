/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IMSIC pages: hart, interrupt file, identity; all other accesses are ignored.
 */
#include "../fixture.h"

enum { MPAGE = 0x24000000, SPAGE = 0x28000000 };

static void test_pages(void)
{
    Machine *m = fixture_new(2);
    FakeCpu *a = fixture_cpu(m, 0), *b = fixture_cpu(m, 1);

    fixture_device(m, "riscv.imsic", "num-harts=2,mmode=on", MPAGE);
    fixture_device(m, "riscv.imsic", "num-harts=2", SPAGE);
    guest_write32(m, SPAGE, 17);
    g_assert_cmpuint(a->last_id[MSI_FILE_S], ==, 17);
    guest_write32(m, SPAGE + 0x1000, 18);
    g_assert_cmpuint(b->last_id[MSI_FILE_S], ==, 18);
    guest_write32(m, MPAGE + 0x1000 + 4, 0x13000000); /* big-endian register */
    g_assert_cmpuint(b->last_id[MSI_FILE_M], ==, 0x13);
    g_assert_cmpuint(a->messages[MSI_FILE_M], ==, 0);
    guest_write32(m, SPAGE + 8, 1);
    guest_write(m, SPAGE, 1, 1);
    guest_write(m, SPAGE, 2, 1);
    guest_write(m, SPAGE, 8, 1);
    guest_write32(m, SPAGE + 2, 1);
    guest_write32(m, SPAGE + 0x2000, 1);
    g_assert_cmpuint(a->messages[MSI_FILE_S], ==, 1);
    g_assert_cmpuint(b->messages[MSI_FILE_S], ==, 1);
    g_assert_cmphex(guest_read32(m, SPAGE), ==, 0);
    random_accesses(m, SPAGE, 0x40, 500);
    machine_free(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/imsic/pages", test_pages);
    return g_test_run();
}
