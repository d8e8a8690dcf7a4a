/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Board devices: every registered type has well-formed tables, starts, resets to the same state,
 * saves and loads. Outputs reach their pins whenever they are connected.
 */
#include "../fixture.h"

static void note_level(void *opaque, unsigned n, bool level)
{
    *(int *)opaque = level;
}

static void test_connect(void)
{
    Machine *m = fixture_new(1);
    Device *dev = fixture_device(m, "virtio-mmio", NULL, 0x10001000);
    int level = -1;
    IrqPin pin;

    irq_init(&pin, 1, note_level, &level);
    sysdev_irq_set((SysDevice *)dev, 0, true); /* before it is connected */
    sysdev_connect(dev, 0, &pin);
    g_assert_cmpint(level, ==, 1);
    sysdev_irq_set((SysDevice *)dev, 0, false);
    g_assert_cmpint(level, ==, 0);
    g_assert_null(device_irq_in(dev, 0));
    g_assert_cmpstr(dev->plan_id, ==, "virtio-mmio@10001000");
    device_unplug(dev);
    g_assert_cmphex(guest_read32(m, 0x10001000), ==, 0);
    machine_free(m);
}

static GByteArray *save(Device *dev)
{
    GByteArray *out = g_byte_array_new();
    ByteWriter w = { out };

    if (dev->type->vmstate)
        vm_save(dev->type->vmstate, dev, &w);
    return out;
}

static void check_tables(const SysDeviceType *t)
{
    g_assert_nonnull(t->base.doc);
    for (unsigned i = 0; i < t->n_regions; i++) {
        RegFile file = { t->regions[i].regs, t->regions[i].n_regs, t->regions[i].name };
        g_autofree char *wrong = file.n ? reg_table_check(&file) : NULL;

        g_assert_cmpstr(wrong, ==, NULL);
        g_assert_true((t->regions[i].regs != NULL) != (t->regions[i].ops != NULL));
    }
    if (t->base.vmstate) {
        g_autofree char *wrong = vm_table_check(t->base.vmstate);

        g_assert_cmpstr(wrong, ==, NULL);
    }
}

/* Random writes to the first page of every region, then a cold reset: same state as new, except for
 * the clocks. */
static void check_life(const SysDeviceType *t)
{
    Machine *m = fixture_new(1);
    const char *settings = g_str_equal(t->base.name, "goldfish_rtc") ? "clock=vm" : NULL;
    Device *dev = device_create(m, t->base.name, settings, NULL, NULL);
    g_autoptr(GByteArray) fresh = NULL, again = NULL;

    g_assert_nonnull(dev);
    fresh = save(dev);
    for (unsigned i = 0; i < t->n_regions; i++) {
        sysdev_map(dev, i, 0x10000000 + i * 0x10000000ull);
        random_accesses(m, 0x10000000 + i * 0x10000000ull, 0x1000, 1000);
        random_accesses(
            m, 0x10000000 + i * 0x10000000ull + ((SysDevice *)dev)->region[i].mem.size - 8, 16, 0);
    }
    if (t->base.vmstate)
        check_state_round_trip(dev);
    device_reset_tree(dev, RESET_COLD);
    again = save(dev);
    if (!g_str_equal(t->base.name, "goldfish_rtc") &&
        !g_str_equal(t->base.name, "riscv.aclint.mtimer"))
        g_assert_cmpmem(fresh->data, fresh->len, again->data, again->len);
    machine_free(m);
}

static void test_all(void)
{
    unsigned seen = 0;

    for (size_t i = 0; i < n_device_types; i++) {
        const DeviceType *t = *device_type_entries[i];

        if (t->kind != &sys_device_kind || !t->internal)
            continue;
        g_test_message("%s", t->name);
        check_tables((const SysDeviceType *)t);
        check_life((const SysDeviceType *)t);
        seen++;
    }
    g_assert_cmpuint(seen, >=, 9);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sysdev/connect", test_connect);
    g_test_add_func("/sysdev/all", test_all);
    return g_test_run();
}
