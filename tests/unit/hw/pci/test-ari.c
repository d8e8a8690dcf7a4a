/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ARI: the chain of next functions contains exactly the functions that are now on the bus.
 */
#include "one-cap.h"

typedef struct Port {
    PCIBridge br;
} Port;

ONE_CAP_TYPE(.id = PCI_EXT_CAP_ID_ARI, .extended = true, .prop = "ari");
static const PCIDeviceType port_type = {
    .base = { .name = "port", .kind = &pci_device_kind, .size = sizeof(Port) },
    .role = PLAN_PCI_ROOT_PORT,
};

static unsigned next_of(Fixture *f, uint8_t fn)
{
    return guest_read(f, ecam_address(1, fn, 0x105), 1);
}

static void test_chain(void)
{
    static const uint8_t fns[] = { 0, 3, 8, 77, 255 };
    static const uint8_t mask[8] = { 0 };
    PCIDevice *d[G_N_ELEMENTS(fns)];
    PCIBridge *port;
    Fixture f;

    fixture_init(&f);
    port = (PCIBridge *)plug_function(&f, &port_type, "pcie.0", "rp", ONE_FN, NULL);
    port->ari_forwarding = true;
    config_write(&f, ONE_FN, PCI_PRIMARY_BUS, 4, 0x010100);
    for (unsigned i = 0; i < G_N_ELEMENTS(fns); i++) {
        d[i] = plug_function(&f, &one_type, "rp", NULL, fns[i], "multifunction=on");
    }
    for (unsigned i = 0; i + 1 < G_N_ELEMENTS(fns); i++) {
        g_assert_cmpuint(next_of(&f, fns[i]), ==, fns[i + 1]);
    }
    g_assert_cmpuint(next_of(&f, 255), ==, 0);
    device_unplug(&d[2]->dev);
    g_assert_cmpuint(next_of(&f, 3), ==, 77);
    device_pin_any(&d[4]->dev);
    device_unplug(&d[4]->dev);
    pci_device_config_read(d[4], 0x104, 4); /* not on a bus any more */
    device_unpin_any(&d[4]->dev);
    g_assert_cmpuint(next_of(&f, 77), ==, 0);
    one_cap_only_changes(&f, d[0], 0x100, 8, mask);
    one_cap_round_trip(d[0]);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/ari/chain", test_chain);
    return g_test_run();
}
