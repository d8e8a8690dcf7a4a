/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt controllers with the largest number of harts: registers of the last hart, the end of
 * the register blocks, and the saved state, which is longer than that of eight harts.
 */
#include "../fixture.h"
#include "hw/intc/cpu_input.h"

enum { HARTS = CPU_INPUT_MAX_HARTS, LAST = HARTS - 1, BASE = 0xc000000, TIMER = 0x2004000 };

static size_t saved_size(Device *dev)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    ByteWriter w = { bytes };

    return vm_save(dev->type->vmstate, dev, &w);
}

static void test_plic(void)
{
    Machine *m = fixture_new(HARTS);
    Device *dev = fixture_device(m, "riscv.sifive.plic", "num-harts=512", BASE);
    Device *eight = fixture_device(m, "riscv.sifive.plic", "num-harts=8", 2 * BASE);
    Device *one = fixture_device(m, "riscv.sifive.plic", "num-harts=1", 4 * BASE);
    unsigned ctx = 2 * LAST + 1;

    guest_write32(m, BASE + 4 * 10, 1);
    guest_write32(m, BASE + 0x2000 + ctx * 0x80, 1 << 10);
    irq_set(device_irq_in(dev, 10), true);
    g_assert_true(fixture_input(m, LAST, INPUT_SEIP));
    g_assert_false(fixture_input(m, LAST, INPUT_MEIP));
    check_state_round_trip(dev);
    g_assert_cmpuint(guest_read32(m, BASE + 0x200000 + ctx * 0x1000 + 4), ==, 10);
    g_assert_false(fixture_input(m, LAST, INPUT_SEIP));
    guest_write32(m, BASE + 0x2000 + (ctx + 1) * 0x80, 1 << 10); /* no such context */
    g_assert_cmphex(guest_read32(m, BASE + 0x2000 + (ctx + 1) * 0x80), ==, 0);
    g_assert_cmpuint(saved_size(one), ==, saved_size(eight));
    g_assert_cmpuint(saved_size(dev) - saved_size(eight), ==, 2 * (HARTS - 8) * 5 * 4);
    machine_free(m);
}

static void test_aplic(void)
{
    Machine *m = fixture_new(HARTS);
    Device *dev = fixture_device(m, "riscv.aplic", "num-harts=512", BASE);
    uint64_t idc = BASE + 0x4000 + 32 * LAST;

    guest_write32(m, BASE, 1 << 8);
    guest_write32(m, BASE + 4 * 10, 6); /* sourcecfg[10]: high level */
    guest_write32(m, BASE + 0x3000 + 4 * 10, LAST << 18 | 1);
    guest_write32(m, BASE + 0x1edc, 10);
    guest_write32(m, idc, 1);
    irq_set(device_irq_in(dev, 10), true);
    g_assert_true(fixture_input(m, LAST, INPUT_SEIP));
    check_state_round_trip(dev);
    g_assert_cmphex(guest_read32(m, idc + 28), ==, 10 << 16 | 1);
    irq_set(device_irq_in(dev, 10), false);
    g_assert_false(fixture_input(m, LAST, INPUT_SEIP));
    machine_free(m);
}

static void test_imsic(void)
{
    Machine *m = fixture_new(HARTS);

    fixture_device(m, "riscv.imsic", "num-harts=512", BASE);
    guest_write32(m, BASE + 0x1000 * LAST, 77);
    g_assert_cmpuint(fixture_cpu(m, LAST)->last_id[MSI_FILE_S], ==, 77);
    g_assert_cmpuint(fixture_cpu(m, LAST)->messages[MSI_FILE_S], ==, 1);
    g_assert_cmpint(mem_write(&m->memory, BASE + 0x1000 * HARTS, 4, 77), !=, MEM_OK);
    machine_free(m);
}

static void test_aclint(void)
{
    Machine *m = fixture_new(HARTS);
    Device *swi = fixture_device(m, "riscv.aclint.swi", "num-harts=512", BASE);
    Device *timer = fixture_device(m, "riscv.aclint.mtimer", "num-harts=512", TIMER);

    guest_write32(m, BASE + 4 * LAST, 1);
    g_assert_true(fixture_input(m, LAST, INPUT_MSIP));
    guest_write32(m, BASE + 4 * HARTS, 1); /* no hart */
    g_assert_cmphex(guest_read32(m, BASE + 4 * HARTS), ==, 0);
    check_state_round_trip(swi);
    g_assert_true(fixture_input(m, LAST, INPUT_MSIP));
    guest_write(m, TIMER + 8 * LAST, 8, 1000);
    check_state_round_trip(timer);
    g_assert_false(fixture_input(m, LAST, INPUT_MTIP));
    clock_step_ns(m, 100 * 1000);
    g_assert_true(fixture_input(m, LAST, INPUT_MTIP));
    g_assert_false(fixture_input(m, LAST - 1, INPUT_MTIP));
    machine_free(m);
}

/* The controllers of a socket whose first hart is not hart 0: each acts on its own harts only. */
static void test_socket(void)
{
    enum { FIRST = 3 };
    Machine *m = fixture_new(FIRST + 3);
    Device *plic = fixture_device(m, "riscv.sifive.plic", "num-harts=2,hart-base=3", BASE);
    Device *aplic = fixture_device(m, "riscv.aplic", "num-harts=2,hart-base=3,mmode=on", 2 * BASE);

    fixture_device(m, "riscv.imsic", "num-harts=2,hart-base=3", 4 * BASE);
    fixture_device(m, "riscv.aclint.swi", "num-harts=2,hart-base=3", 5 * BASE);
    fixture_device(m, "riscv.aclint.swi", "num-harts=2,hart-base=3,sswi=on", 6 * BASE);
    fixture_device(m, "riscv.aclint.mtimer", "num-harts=2,hart-base=3", TIMER);
    guest_write32(m, BASE + 4 * 10, 1);
    guest_write32(m, BASE + 0x2000 + 3 * 0x80, 1 << 10); /* context 3: S mode of the second hart */
    irq_set(device_irq_in(plic, 10), true);
    guest_write32(m, 2 * BASE, 1 << 8);
    guest_write32(m, 2 * BASE + 4 * 10, 6);
    guest_write32(m, 2 * BASE + 0x3000 + 4 * 10, 0 << 18 | 1); /* the first hart */
    guest_write32(m, 2 * BASE + 0x1edc, 10);
    guest_write32(m, 2 * BASE + 0x4000, 1);
    irq_set(device_irq_in(aplic, 10), true);
    guest_write32(m, 4 * BASE + 0x1000, 77);
    guest_write32(m, 5 * BASE, 1);
    guest_write32(m, 6 * BASE + 4, 1);
    guest_write(m, TIMER + 8, 8, 0);
    for (unsigned hart = 0; hart < FIRST + 3; hart++) {
        bool one = hart == FIRST, two = hart == FIRST + 1;

        g_assert_true(fixture_input(m, hart, INPUT_SEIP) == two);
        g_assert_true(fixture_input(m, hart, INPUT_MEIP) == one);
        g_assert_true(fixture_input(m, hart, INPUT_MSIP) == one);
        g_assert_true(fixture_input(m, hart, INPUT_SSIP) == two);
        g_assert_true(fixture_input(m, hart, INPUT_MTIP) == two);
        g_assert_cmpuint(fixture_cpu(m, hart)->messages[MSI_FILE_S], ==, two);
    }
    machine_free(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/harts/plic", test_plic);
    g_test_add_func("/harts/aplic", test_aplic);
    g_test_add_func("/harts/imsic", test_imsic);
    g_test_add_func("/harts/aclint", test_aclint);
    g_test_add_func("/harts/socket", test_socket);
    return g_test_run();
}
