/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Test finisher and empty virtio-mmio slot: their few registers, and random accesses.
 */
#include "../fixture.h"

typedef struct Request {
    ShutdownCause cause;
    int status;
    unsigned count;
} Request;

static void note_request(void *opaque, ShutdownCause cause, int status)
{
    Request *r = opaque;

    *r = (Request){ cause, status, r->count + 1 };
}

static void test_finisher(void)
{
    Machine *m = fixture_new(1);
    Request r = { 0 };

    m->hooks = (MachineHooks){ .opaque = &r, .request = note_request };
    fixture_device(m, "riscv.sifive.test", NULL, 0x100000);
    guest_write32(m, 0x100000, 0x5555);
    g_assert_cmpint(r.cause, ==, SHUTDOWN_GUEST_SHUTDOWN);
    g_assert_cmpint(r.status, ==, 0);
    guest_write32(m, 0x100000, 0x00073333);
    g_assert_cmpint(r.status, ==, 7);
    guest_write(m, 0x100000, 2, 0x7777);
    g_assert_cmpint(r.cause, ==, SHUTDOWN_GUEST_RESET);
    g_assert_cmpuint(r.count, ==, 3);
    guest_write32(m, 0x100000, 0x1234);
    guest_write32(m, 0x100004, 0x5555);
    g_assert_cmpuint(r.count, ==, 3);
    g_assert_cmphex(guest_read32(m, 0x100000), ==, 0);
    m->hooks = (MachineHooks){ 0 };
    random_accesses(m, 0x100000, 32, 100);
    machine_free(m);
}

static void test_virtio_slot(void)
{
    Machine *m = fixture_new(1);

    fixture_device(m, "virtio-mmio", NULL, 0x10008000);
    fixture_device(m, "virtio-mmio", "force-legacy=off", 0x10007000);
    g_assert_cmphex(guest_read32(m, 0x10008000), ==, 0x74726976);
    g_assert_cmphex(guest_read32(m, 0x10008004), ==, 1);
    g_assert_cmphex(guest_read32(m, 0x10007004), ==, 2);
    g_assert_cmphex(guest_read32(m, 0x10008008), ==, 0);
    guest_write32(m, 0x10008028, 0x1000);
    g_assert_cmphex(guest_read32(m, 0x10008028), ==, 0);
    random_accesses(m, 0x10008000, 0x200, 100);
    g_assert_cmphex(guest_read32(m, 0x10008000), ==, 0x74726976);
    machine_free(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sifive-test/finisher", test_finisher);
    g_test_add_func("/virtio-mmio/empty-slot", test_virtio_slot);
    return g_test_run();
}
