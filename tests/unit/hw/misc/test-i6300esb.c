/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * i6300esb: the unlock sequence, both stages, the lock, reset, save and load.
 */
#define FIXTURE_WITH_TYPES
#include "../pci/pci-fixture.h"

enum { DEVFN = PCI_DEVFN(2, 0), CONFIG = 0x60, LOCK = 0x68, RELOAD = 0x0c };
enum { ENABLE = 2, FREE_RUN = 4, FAST = 4, NO_OUTPUT = 0x20, TIMEOUT = 0x200 };
#define REGS (MMIO + 0x10000)
#define UNIT 983040 /* ns */

static void on_expiry(void *opaque)
{
    (*(unsigned *)opaque)++;
}

static PCIDevice *plug(Fixture *f)
{
    return plug_function(f, (const PCIDeviceType *)device_type_find("i6300esb"), "pcie.0", "w",
                         DEVFN, NULL);
}

static void map(Fixture *f)
{
    config_write(f, DEVFN, PCI_BASE_ADDRESS_0, 4, REGS);
    config_write(f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
}

static PCIDevice *start(Fixture *f, unsigned *expired)
{
    PCIDevice *d;

    fixture_init(f);
    *expired = 0;
    f->m->hooks.opaque = expired;
    f->m->hooks.watchdog_expired = on_expiry;
    d = plug(f);
    map(f);
    return d;
}

static void unlocked_write(Fixture *f, unsigned at, unsigned size, uint32_t value)
{
    guest_write(f, REGS + RELOAD, 2, 0x80);
    guest_write(f, REGS + RELOAD, 2, 0x86);
    guest_write(f, REGS + at, size, value);
}

static void set_stages(Fixture *f, uint32_t one, uint32_t two)
{
    unlocked_write(f, 0, 4, one);
    unlocked_write(f, 4, 4, two);
}

static void test_unlock(void)
{
    unsigned expired;
    Fixture f;

    start(&f, &expired);
    g_assert_cmphex(guest_read(&f, REGS, 4), ==, 0xfffff);
    guest_write(&f, REGS, 4, 5);
    g_assert_cmphex(guest_read(&f, REGS, 4), ==, 0xfffff);
    unlocked_write(&f, 0, 4, 0xfff00005);
    g_assert_cmphex(guest_read(&f, REGS, 4), ==, 5);
    guest_write(&f, REGS + 4, 4, 6); /* the sequence unlocks one write */
    g_assert_cmphex(guest_read(&f, REGS + 4, 4), ==, 0xfffff);
    guest_write(&f, REGS + RELOAD, 2, 0x86); /* wrong order */
    guest_write(&f, REGS + RELOAD, 2, 0x80);
    guest_write(&f, REGS + 4, 4, 6);
    g_assert_cmphex(guest_read(&f, REGS + 4, 4), ==, 0xfffff);
    fixture_fini(&f);
}

static void test_expiry(void)
{
    unsigned expired;
    Fixture f;

    start(&f, &expired);
    set_stages(&f, 10, 20);
    config_write(&f, DEVFN, CONFIG, 2, 3);
    config_write(&f, DEVFN, LOCK, 1, ENABLE);
    clock_step_ns(&f, 29 * UNIT);
    unlocked_write(&f, RELOAD, 2, 0x100);
    clock_step_ns(&f, 30 * UNIT - 1);
    g_assert_cmpuint(expired, ==, 0);
    g_assert_cmphex(guest_read(&f, REGS + RELOAD, 2), ==, 0);
    clock_step_ns(&f, 1);
    g_assert_cmpuint(expired, ==, 1);
    g_assert_cmphex(guest_read(&f, REGS + RELOAD, 2) & TIMEOUT, ==, TIMEOUT);
    g_assert_cmphex(config_read(&f, DEVFN, LOCK, 1), ==, 0); /* disabled */
    clock_step_ns(&f, 1000ll * UNIT);
    g_assert_cmpuint(expired, ==, 1);
    machine_reset(f.m, RESET_HOT);
    map(&f);
    g_assert_cmphex(guest_read(&f, REGS + RELOAD, 2) & TIMEOUT, ==, TIMEOUT);
    guest_write(&f, REGS + RELOAD, 2, TIMEOUT);
    g_assert_cmphex(guest_read(&f, REGS + RELOAD, 2) & TIMEOUT, ==, TIMEOUT);
    unlocked_write(&f, RELOAD, 2, TIMEOUT);
    g_assert_cmphex(guest_read(&f, REGS + RELOAD, 2), ==, 0);
    fixture_fini(&f);
}

static void test_modes(void)
{
    unsigned expired;
    Fixture f;

    start(&f, &expired);
    set_stages(&f, 100, 100);
    config_write(&f, DEVFN, CONFIG, 2, FAST);
    config_write(&f, DEVFN, LOCK, 1, ENABLE);
    clock_step_ns(&f, 200ll * 960);
    g_assert_cmpuint(expired, ==, 1);
    set_stages(&f, 1, 1);
    config_write(&f, DEVFN, CONFIG, 4, 0xffffffff);
    g_assert_cmphex(config_read(&f, DEVFN, CONFIG, 2), ==, 0x27);
    config_write(&f, DEVFN, CONFIG, 2, NO_OUTPUT);
    config_write(&f, DEVFN, LOCK, 1, ENABLE | FREE_RUN);
    clock_step_ns(&f, 101ll * UNIT);
    g_assert_cmpuint(expired, ==, 1);
    config_write(&f, DEVFN, CONFIG, 2, 0);
    unlocked_write(&f, RELOAD, 2, 0x100);
    clock_step_ns(&f, 2 * UNIT);
    g_assert_cmpuint(expired, ==, 2);
    config_write(&f, DEVFN, LOCK, 1, ENABLE);
    config_write(&f, DEVFN, LOCK, 1, 0);
    clock_step_ns(&f, 3 * 0xfffffll * UNIT);
    g_assert_cmpuint(expired, ==, 2);
    fixture_fini(&f);
}

static void test_lock(void)
{
    unsigned expired;
    Fixture f;

    start(&f, &expired);
    config_write(&f, DEVFN, LOCK, 1, ENABLE | 1);
    config_write(&f, DEVFN, LOCK, 1, 0);
    g_assert_cmphex(config_read(&f, DEVFN, LOCK, 1), ==, ENABLE | 1);
    machine_reset(f.m, RESET_HOT);
    g_assert_cmphex(config_read(&f, DEVFN, LOCK, 1), ==, 0);
    clock_step_ns(&f, 3 * 0xfffffll * UNIT);
    g_assert_cmpuint(expired, ==, 0);
    fixture_fini(&f);
}

static void test_save_and_load(void)
{
    g_autoptr(GByteArray) bytes = NULL;
    g_autoptr(GError) err = NULL;
    unsigned expired;
    Fixture f;
    PCIDevice *d = start(&f, &expired);

    set_stages(&f, 10, 10);
    config_write(&f, DEVFN, LOCK, 1, ENABLE | 1);
    clock_step_ns(&f, 15 * UNIT);
    bytes = save_state(d);
    device_unplug(&d->dev);
    d = plug(&f);
    g_assert_true(load_state(d, bytes, &err));
    g_assert_no_error(err);
    g_assert_cmphex(config_read(&f, DEVFN, LOCK, 1), ==, ENABLE | 1);
    clock_step_ns(&f, 5 * UNIT - 1);
    g_assert_cmpuint(expired, ==, 0);
    clock_step_ns(&f, 1);
    g_assert_cmpuint(expired, ==, 1);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/i6300esb/unlock", test_unlock);
    g_test_add_func("/i6300esb/expiry", test_expiry);
    g_test_add_func("/i6300esb/modes", test_modes);
    g_test_add_func("/i6300esb/lock", test_lock);
    g_test_add_func("/i6300esb/save-and-load", test_save_and_load);
    return g_test_run();
}
