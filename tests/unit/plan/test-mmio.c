/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Buses of virtio MMIO slots: the order of filling, one device each, messages, reports, dumps, and
 * the comparison of the properties of board devices.
 */
#include "plan/internal.h"

static const PlanProp slot_props[] = {
    { .name = "force-legacy", .kind = PLAN_PROP_BOOL, .def = 1 },
    { .name = "trace", .kind = PLAN_PROP_STRING, .flags = PLAN_PROP_HOST },
};
static const PlanType slot = {
    .name = "slot",
    .props = slot_props,
    .n_props = G_N_ELEMENTS(slot_props),
    .plugs_into = PLAN_BUS_SYSTEM,
};
static const PlanType blk = { .name = "blk",
                              .plugs_into = PLAN_BUS_VIRTIO_MMIO,
                              .user_creatable = true };
static const PlanProp serial_props[] = {
    { .name = "max_ports", .kind = PLAN_PROP_U32, .def = 4, .min = 1, .max = 31 },
};
static const PlanType serial = {
    .name = "serial",
    .props = serial_props,
    .n_props = 1,
    .plugs_into = PLAN_BUS_VIRTIO_MMIO,
    .provides = PLAN_BUS_VIRTIO_SERIAL,
    .user_creatable = true,
};
static const PlanProp port_props[] = {
    { .name = "nr", .kind = PLAN_PROP_U32, .def = UINT32_MAX, .min = 1, .max = 30 },
};
static const PlanType port = {
    .name = "port",
    .props = port_props,
    .n_props = 1,
    .plugs_into = PLAN_BUS_VIRTIO_SERIAL,
    .hotpluggable = true,
    .user_creatable = true,
};
static const PlanType nic = {
    .name = "nic",
    .role = PLAN_PCI_ENDPOINT,
    .slots = PLAN_SLOT_CONVENTIONAL,
    .user_creatable = true,
};
static const PlanType rom = { .name = "rom",
                              .plugs_into = PLAN_BUS_SYSTEM,
                              .user_creatable = true };
static const PlanType *const types[] = { &blk, &nic, &port, &rom, &serial, &slot };
static const PlanMachineType board = {
    .name = "board-2",
    .is_default = true,
    .root_bus = "pcie.0",
    .root_kind = PLAN_BUS_PCIE_ROOT,
    .mmio_bus = "mmio.",
    .n_mmio_buses = 3,
};
static const PlanMachineType old_board = {
    .name = "board-1",
    .root_bus = "pcie.0",
    .root_kind = PLAN_BUS_PCIE_ROOT,
    .newer = "board-2",
};
static const PlanMachineType *const machines[] = { &board, &old_board };
static const PlanCatalog catalog = {
    types, G_N_ELEMENTS(types), machines, G_N_ELEMENTS(machines), NULL, 0, NULL, 0, NULL
};

/* Return a resolved machine with these devices, separated by blanks; NULL with *err set. */
static PlanMachine *resolve(const char *devices, GError **err)
{
    g_auto(GStrv) words = g_strsplit(devices, " ", -1);
    g_autoptr(PlanMachine) m = plan_machine_new();

    for (guint i = 0; words[i]; i++) {
        if (*words[i] == '-') { /* a machine type */
            plan_machine_parse(m, words[i] + 1, NULL);
        } else {
            g_ptr_array_add(m->devices, plan_device_parse(words[i], NULL));
        }
    }
    return plan_resolve(m, &catalog, err) ? g_steal_pointer(&m) : NULL;
}

static PlanMachine *resolved(const char *devices)
{
    g_autoptr(GError) err = NULL;
    PlanMachine *m = resolve(devices, &err);

    g_assert_no_error(err);
    return m;
}

static const char *bus_of(const PlanMachine *m, const char *id)
{
    return plan_find_device(m, id)->bus;
}

static void test_order(void)
{
    g_autoptr(PlanMachine) m = resolved("blk,id=a blk,id=b blk,id=c,bus=mmio.2");

    g_assert_cmpstr(bus_of(m, "c"), ==, "mmio.2");
    g_assert_cmpstr(bus_of(m, "a"), ==, "mmio.1");
    g_assert_cmpstr(bus_of(m, "b"), ==, "mmio.0");
    plan_remove_device(m, plan_find_device(m, "a"));
    g_ptr_array_add(m->devices, plan_device_parse("serial,id=d", NULL));
    g_assert_true(plan_resolve(m, &catalog, NULL)); /* the others stay where they are */
    g_assert_cmpstr(bus_of(m, "b"), ==, "mmio.0");
    g_assert_cmpstr(bus_of(m, "d"), ==, "mmio.1");
}

static void refuse(const char *devices, const char *word)
{
    g_autoptr(GError) err = NULL;

    g_assert_null(resolve(devices, &err));
    if (!strstr(err->message, word)) {
        g_error("'%s' does not contain '%s'", err->message, word);
    }
}

static void test_messages(void)
{
    refuse("blk blk blk blk", "each of the 3 virtio-mmio buses of machine board-2 holds a device");
    refuse("blk,bus=mmio.1,id=x blk,bus=mmio.1",
           "bus 'mmio.1' is already used by device 'x' (blk)");
    refuse("blk,bus=mmio.1 blk,bus=mmio.1",
           "free buses that accept the device: 'mmio.2', 'mmio.0'");
    refuse("blk,bus=mmio.3", "there is no bus 'mmio.3'");
    refuse("blk,bus=pcie.0", "bus 'pcie.0' is a PCI Express root bus");
    refuse("nic,bus=mmio.0", "accepts one virtio device");
    refuse("blk,addr=1", "does not accept addr");
    refuse("-board-1 blk", "machine board-1 has no virtio-mmio bus");
    refuse("-board-1 blk,bus=mmio.0", "there is no bus");
    refuse("rom,bus=mmio.0", "on no bus");
}

static void test_running(void)
{
    g_autoptr(PlanMachine) m = resolved("nic");
    PlanDevice *d = plan_device_parse("blk", NULL);
    g_autoptr(GError) err = NULL;

    g_assert_false(plan_add_device(m, &catalog, d, true, &err));
    g_assert_nonnull(strstr(err->message, "cannot be plugged while the guest runs"));
    g_assert_true(plan_add_device(m, &catalog, d, false, NULL));
    g_assert_cmpstr(d->place, ==, "mmio.2/0");
}

/* A device in a slot can provide a bus. */
static void test_child_bus(void)
{
    g_autoptr(PlanMachine) m = resolved("serial port,id=p"),
                           n = resolved("serial,id=s port,bus=s.0,id=q");

    g_assert_cmpstr(bus_of(m, "p"), ==, "mmio.2/0.0");
    g_assert_cmpstr(plan_find_device(m, "p")->place, ==, "mmio.2/0.0/1");
    g_assert_cmpstr(bus_of(n, "q"), ==, "s.0");
}

static void test_reports(void)
{
    g_autoptr(PlanMachine) m = resolved("nic blk,id=a rom"), none = resolved("-board-1 nic");
    g_autofree char *text = plan_slots_to_text(m, &catalog), *svg = plan_topology_svg(m, &catalog);
    struct json_object *pci = plan_slots_to_json(m, &catalog);

    g_assert_nonnull(strstr(text, "buses 'mmio.0' to 'mmio.2': virtio MMIO slots\n"
                                  "  free     0, 1\n  accepts  one virtio device each\n"
                                  "  hotplug  no\n  mmio.2   blk 'a'\n"));
    g_assert_nonnull(strstr(svg, "bus mmio.2"));
    g_assert_null(strstr(svg, "bus mmio.1"));
    g_assert_cmpuint(json_object_array_length(pci), ==, 1); /* PCI buses only */
    json_object_put(pci);
    g_clear_pointer(&text, g_free);
    text = plan_slots_to_text(none, &catalog);
    g_assert_null(strstr(text, "MMIO"));
}

static void test_dump(void)
{
    g_autoptr(PlanMachine) m = resolved("blk,id=a serial,bus=mmio.0 port,nr=3"), again = NULL;
    g_autofree char *text = plan_to_text(m, &catalog, false), *text2 = NULL;

    again = plan_from_text(text, strlen(text), NULL);
    g_assert_true(plan_resolve(again, &catalog, NULL));
    text2 = plan_to_text(again, &catalog, false);
    g_assert_cmpstr(text, ==, text2);
}

static char *diff_text(const char *a, const char *b, const char *global)
{
    g_autoptr(PlanMachine) x = resolved(a), y = resolved(b);
    struct json_object *list;
    char *text;

    if (global) {
        g_assert_true(plan_machine_add_global(y, global, NULL));
        g_assert_true(plan_resolve(y, &catalog, NULL));
    }
    list = plan_diff(x, y, &catalog);
    text = g_strdup(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN));
    json_object_put(list);
    return text;
}

static void check_diff(const char *a, const char *b, const char *global, const char *expected)
{
    g_autofree char *text = diff_text(a, b, global);

    g_assert_cmpstr(text, ==, expected);
}

static void test_diff(void)
{
    check_diff("blk blk", "blk,bus=mmio.1 blk,bus=mmio.2", NULL, "[]");
    check_diff(
        "blk", "blk,bus=mmio.1", NULL,
        "[{\"device\":\"mmio.2\\/0\",\"property\":\"type\",\"wanted\":\"blk\",\"have\":null},"
        "{\"device\":\"mmio.1\\/0\",\"property\":\"type\",\"wanted\":null,\"have\":\"blk\"}]");
    check_diff(
        "blk", "blk", "slot.force-legacy=false",
        "[{\"device\":\"slot\",\"property\":\"force-legacy\",\"wanted\":true,\"have\":false}]");
    check_diff("blk", "blk", "slot.force-legacy=on", "[]");
    check_diff("blk", "blk", "slot.trace=x", "[]"); /* of the host */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plan/mmio/order", test_order);
    g_test_add_func("/plan/mmio/messages", test_messages);
    g_test_add_func("/plan/mmio/running", test_running);
    g_test_add_func("/plan/mmio/child-bus", test_child_bus);
    g_test_add_func("/plan/mmio/reports", test_reports);
    g_test_add_func("/plan/mmio/dump", test_dump);
    g_test_add_func("/plan/mmio/diff", test_diff);
    return g_test_run();
}
