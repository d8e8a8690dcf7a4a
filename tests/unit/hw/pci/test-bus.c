/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Buses: addresses and collisions, the function 0 rule in every order of plugging, ARI, walks,
 * paths, plugging and unplugging many functions.
 */
#include "pci-fixture.h"

typedef struct Port {
    PCIBridge br;
} Port;

static const PCIDeviceType type = {
    .base = { .name = "leaf", .kind = &pci_device_kind, .size = sizeof(PCIDevice) },
    .vendor = 0x1234,
};
static const PCIDeviceType port_type = {
    .base = { .name = "port", .kind = &pci_device_kind, .size = sizeof(Port) },
    .role = PLAN_PCI_ROOT_PORT,
};

static bool answers(Fixture *f, uint8_t bus, uint8_t devfn)
{
    return guest_read(f, ecam_address(bus, devfn, 0), 2) == 0x1234;
}

static void test_collisions(void)
{
    Fixture f;

    fixture_init(&f);
    plug_function(&f, &type, "pcie.0", "first", PCI_DEVFN(4, 0), NULL);
    refused(&f, &type, "pcie.0", "second", PCI_DEVFN(4, 0), NULL,
            "04.0 on bus 'pcie.0' is already used by first");
    refused(&f, &type, "pcie.0", "second", PCI_DEVFN(4, 1), NULL,
            "first at function 0 has multifunction=off");
    refused(&f, &type, "nowhere", "second", PCI_DEVFN(4, 1), NULL, "no bus named 'nowhere'");
    plug_function(&f, &type, "pcie.0", "second", PCI_DEVFN(5, 0), NULL);
    fixture_fini(&f);
}

static void test_function_0(void)
{
    PCIDevice *d[8];
    Fixture f;

    fixture_init(&f);
    for (unsigned fn = 7; fn > 0; fn--) { /* as for a hot plug: function 0 last */
        d[fn] = plug_function(&f, &type, "pcie.0", NULL, PCI_DEVFN(4, fn), NULL);
        g_assert_false(answers(&f, 0, PCI_DEVFN(4, fn)));
        config_write(&f, PCI_DEVFN(4, fn), PCI_COMMAND, 2, 2);
        g_assert_cmphex(pci_get(d[fn], PCI_COMMAND, 2), ==, 0);
    }
    d[0] = plug_function(&f, &type, "pcie.0", NULL, PCI_DEVFN(4, 0), "multifunction=on");
    for (unsigned fn = 0; fn < 8; fn++) {
        g_assert_true(answers(&f, 0, PCI_DEVFN(4, fn)));
    }
    g_assert_cmphex(config_read(&f, PCI_DEVFN(4, 0), PCI_HEADER_TYPE, 1), ==, 0x80);
    device_unplug(&d[0]->dev);
    for (unsigned fn = 1; fn < 8; fn++) {
        g_assert_false(answers(&f, 0, PCI_DEVFN(4, fn)));
    }
    g_assert_false(answers(&f, 0, PCI_DEVFN(0, 4)));
    fixture_fini(&f);
}

/* A bridge beside function 0 forwards only while function 0 exists. */
static void test_function_0_and_bridges(void)
{
    Fixture f;
    PCIDevice *first;

    fixture_init(&f);
    first = plug_function(&f, &type, "pcie.0", NULL, PCI_DEVFN(4, 0), "multifunction=on");
    plug_function(&f, &port_type, "pcie.0", "rp", PCI_DEVFN(4, 1), NULL);
    plug_function(&f, &type, "rp", NULL, 0, NULL);
    config_write(&f, PCI_DEVFN(4, 1), PCI_PRIMARY_BUS, 4, 0x010100);
    g_assert_true(answers(&f, 1, 0));
    device_unplug(&first->dev);
    g_assert_false(answers(&f, 1, 0));
    plug_function(&f, &type, "pcie.0", NULL, PCI_DEVFN(4, 0), "multifunction=on");
    g_assert_true(answers(&f, 1, 0));
    fixture_fini(&f);
}

static void test_ari(void)
{
    Fixture f;
    PCIBridge *port;

    fixture_init(&f);
    port = (PCIBridge *)plug_function(&f, &port_type, "pcie.0", "rp", PCI_DEVFN(1, 0), NULL);
    config_write(&f, PCI_DEVFN(1, 0), PCI_PRIMARY_BUS, 4, 0x010100);
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        plug_function(&f, &type, "rp", NULL, devfn, "multifunction=on");
    }
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        g_assert_true(answers(&f, 1, devfn) == (devfn < 8));
    }
    port->ari_forwarding = true;
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        g_assert_true(answers(&f, 1, devfn));
    }
    fixture_fini(&f);
}

static bool collect(void *opaque, PCIDevice *d)
{
    g_autofree char *path = pci_device_path(d);

    g_string_append_printf(opaque, "%s ", path);
    return ((GString *)opaque)->len < 80;
}

static void test_walk_and_paths(void)
{
    g_autoptr(GString) seen = g_string_new(NULL);
    Fixture f;

    fixture_init(&f);
    plug_function(&f, &type, "pcie.0", NULL, PCI_DEVFN(31, 0), NULL);
    plug_function(&f, &port_type, "pcie.0", "rp", PCI_DEVFN(2, 0), NULL);
    plug_function(&f, &type, "rp", NULL, PCI_DEVFN(0, 0), NULL);
    plug_function(&f, &type, "pcie.0", NULL, PCI_DEVFN(1, 0), NULL);
    pci_bus_walk(&f.host.root, true, collect, seen);
    g_assert_cmpstr(seen->str, ==, "0000:00:01.0 0000:00:02.0 0000:00:02.0:00.0 0000:00:1f.0 ");
    g_string_truncate(seen, 0);
    g_assert_true(pci_bus_walk(&f.host.root, false, collect, seen));
    g_assert_cmpstr(seen->str, ==, "0000:00:01.0 0000:00:02.0 0000:00:1f.0 ");
    g_string_append(seen, "and a long text that makes the walk stop at the next function ");
    g_assert_false(pci_bus_walk(&f.host.root, false, collect, seen));
    g_string_assign(seen, "sixty characters, so that the walk stops at the second one  ");
    g_assert_false(pci_bus_walk(&f.host.root, true, collect, seen));
    g_assert_true(g_str_has_suffix(seen->str, " 0000:00:02.0 "));
    fixture_fini(&f);
}

static void test_thousand(void)
{
    Fixture f;

    fixture_init(&f);
    plug_function(&f, &port_type, "pcie.0", "rp", PCI_DEVFN(1, 0), NULL);
    config_write(&f, PCI_DEVFN(1, 0), PCI_PRIMARY_BUS, 4, 0x010100);
    for (unsigned i = 0; i < 1000; i++) {
        PCIDevice *d = plug_function(&f, &type, "rp", "d", 0, NULL);

        g_assert_true(answers(&f, 1, 0));
        device_unplug(&d->dev);
        g_assert_false(answers(&f, 1, 0));
    }
    fixture_fini(&f);
}

/* Removing a bridge removes everything below it. */
static void test_unplug_bridge(void)
{
    Fixture f;
    PCIDevice *port;

    fixture_init(&f);
    port = plug_function(&f, &port_type, "pcie.0", "a", PCI_DEVFN(1, 0), NULL);
    plug_function(&f, &port_type, "a", "b", 0, NULL);
    plug_function(&f, &type, "b", "c", 0, NULL);
    device_unplug(&port->dev);
    g_assert_null(device_find_id(f.m, "c"));
    g_assert_null(bus_find(f.m, "b"));
    g_assert_null(f.host.root.bridges);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/bus/collisions", test_collisions);
    g_test_add_func("/pci/bus/function-0", test_function_0);
    g_test_add_func("/pci/bus/function-0-and-bridges", test_function_0_and_bridges);
    g_test_add_func("/pci/bus/ari", test_ari);
    g_test_add_func("/pci/bus/walk-and-paths", test_walk_and_paths);
    g_test_add_func("/pci/bus/thousand", test_thousand);
    g_test_add_func("/pci/bus/unplug-bridge", test_unplug_bridge);
    return g_test_run();
}
