/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt pins: levels of several sources and functions, Interrupt Disable and Status, swizzling
 * through bridges, switching to messages, detached functions.
 */
#include "pci-fixture.h"

typedef struct Port {
    PCIBridge br;
} Port;

static const PCICapDesc caps[] = { PCI_CAP_MSI(1, true, false) };
static const PCIDeviceType type = {
    .base = { .name = "irq", .kind = &pci_device_kind, .size = sizeof(PCIDevice) },
    .caps = LIST(caps),
    .n_irqs = 3,
};
static const PCIDeviceType pin_d_type = {
    .base = { .name = "pin-d", .kind = &pci_device_kind, .size = sizeof(PCIDevice) },
    .n_irqs = 1,
    .int_pin = 4,
};
static const PCIDeviceType no_pin_type = {
    .base = { .name = "no-pin", .kind = &pci_device_kind, .size = sizeof(PCIDevice) },
};
static const PCIDeviceType bridge_type = {
    .base = { .name = "bridge", .kind = &pci_device_kind, .size = sizeof(Port) },
    .role = PLAN_PCI_BRIDGE,
};
static const PCIDeviceType port_type = {
    .base = { .name = "port", .kind = &pci_device_kind, .size = sizeof(Port) },
    .role = PLAN_PCI_ROOT_PORT,
};

static unsigned lines(const Fixture *f)
{
    return f->line[0] | f->line[1] << 1 | f->line[2] << 2 | f->line[3] << 3;
}

static void test_sources(void)
{
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &type, "pcie.0", NULL, PCI_DEVFN(4, 0), NULL);
    g_assert_cmpuint(config_read(&f, PCI_DEVFN(4, 0), PCI_INTERRUPT_PIN, 1), ==, 1);
    pci_irq_set(d, 0, true);
    pci_irq_set(d, 2, true);
    g_assert_cmphex(lines(&f), ==, 1);
    pci_irq_set(d, 0, false);
    g_assert_cmphex(lines(&f), ==, 1); /* source 2 still asserts */
    pci_irq_set(d, 2, false);
    g_assert_cmphex(lines(&f), ==, 0);
    g_assert_cmpuint(f.edges, ==, 2);
    pci_irq_set(d, PCI_MAX_IRQS, true);
    pci_irq_set(d, UINT_MAX, true);
    g_assert_cmphex(lines(&f), ==, 0);
    fixture_fini(&f);
}

/* Functions that share a line: it is deasserted with the last. */
static void test_aggregation(void)
{
    PCIDevice *d[8];
    Fixture f;

    fixture_init(&f);
    for (unsigned i = 0; i < 8; i++) {
        d[i] = plug_function(&f, &type, "pcie.0", NULL, PCI_DEVFN(4 * i, 0), NULL);
        pci_irq_set(d[i], 0, true);
    }
    g_assert_cmphex(lines(&f), ==, 1);
    for (unsigned i = 0; i < 7; i++) {
        pci_irq_set(d[i], 0, false);
        g_assert_cmphex(lines(&f), ==, 1);
    }
    device_unplug(&d[7]->dev); /* its level is removed with it */
    g_assert_cmphex(lines(&f), ==, 0);
    g_assert_cmpuint(f.edges, ==, 2);
    fixture_fini(&f);
}

/* A host whose lines are not connected still counts the functions that assert them. */
static void test_unwired(void)
{
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    f.host.intx = NULL;
    d = plug_function(&f, &type, "pcie.0", NULL, PCI_DEVFN(4, 0), NULL);
    pci_irq_set(d, 0, true);
    g_assert_cmpuint(f.host.intx_count[0], ==, 1);
    g_assert_cmphex(config_read(&f, PCI_DEVFN(4, 0), PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, !=, 0);
    fixture_fini(&f);
}

static void test_disable_and_status(void)
{
    uint8_t fn = PCI_DEVFN(1, 0);
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &type, "pcie.0", NULL, fn, NULL);
    config_write(&f, fn, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
    pci_irq_set(d, 0, true);
    g_assert_cmphex(lines(&f), ==, 0);
    g_assert_cmphex(config_read(&f, fn, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, !=, 0);
    config_write(&f, fn, PCI_COMMAND, 2, 0);
    g_assert_cmphex(lines(&f), ==, 2);
    config_write(&f, fn, PCI_COMMAND + 1, 1, PCI_COMMAND_INTX_DISABLE >> 8);
    g_assert_cmphex(lines(&f), ==, 0);
    pci_irq_set(d, 0, false);
    g_assert_cmphex(config_read(&f, fn, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, ==, 0);
    fixture_fini(&f);
}

/* Enabling MSI deasserts the pin, disabling it restores the level. */
static void test_messages_take_over(void)
{
    uint8_t fn = PCI_DEVFN(1, 0), pos;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &type, "pcie.0", NULL, fn, NULL);
    pos = pci_find_capability(d, PCI_CAP_ID_MSI);
    pci_irq_set(d, 1, true);
    g_assert_cmphex(lines(&f), ==, 2);
    config_write(&f, fn, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
    config_write(&f, fn, pos + PCI_MSI_ADDRESS_LO, 4, RAM);
    config_write(&f, fn, pos + 12, 2, 0x77);
    config_write(&f, fn, pos + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE);
    g_assert_cmphex(lines(&f), ==, 0);
    g_assert_cmphex(guest_read(&f, RAM, 4), ==, 0); /* an existing level is not an edge */
    pci_irq_set(d, 2, true);
    g_assert_cmphex(guest_read(&f, RAM, 4), ==, 0x77);
    config_write(&f, fn, pos + PCI_MSI_FLAGS, 2, 0);
    g_assert_cmphex(lines(&f), ==, 2);
    guest_write(&f, RAM, 4, 0);
    pci_irq_pulse(d, 0); /* not in message mode: no effect */
    g_assert_cmphex(guest_read(&f, RAM, 4), ==, 0);
    fixture_fini(&f);
}

/* (slot + pin) mod 4 at each step, for every slot, pin and depth. */
static void test_swizzle(void)
{
    Fixture f;

    fixture_init(&f);
    plug_function(&f, &bridge_type, "pcie.0", "b1", PCI_DEVFN(3, 0), NULL);
    plug_function(&f, &bridge_type, "b1", "b2", PCI_DEVFN(6, 0), NULL);
    plug_function(&f, &port_type, "pcie.0", "rp", PCI_DEVFN(5, 0), NULL);
    for (unsigned slot = 1; slot < 32; slot++) {
        PCIDevice *a = plug_function(&f, &type, "b2", NULL, PCI_DEVFN(slot, 0), NULL);
        PCIDevice *d;

        pci_irq_set(a, 0, true);
        g_assert_cmphex(lines(&f), ==, 1u << (slot + 6 + 3) % 4);
        device_unplug(&a->dev);
        d = plug_function(&f, &pin_d_type, "b1", NULL, PCI_DEVFN((slot & 15) + 8, 0), NULL);
        pci_irq_set(d, 0, true);
        g_assert_cmphex(lines(&f), ==, 1u << ((slot & 15) + 8 + 3 + 3) % 4);
        device_unplug(&d->dev);
        g_assert_cmphex(lines(&f), ==, 0);
    }
    /* behind a port every function counts as part of device 0 */
    pci_irq_set(plug_function(&f, &type, "rp", NULL, 0, "multifunction=on"), 0, true);
    pci_irq_set(plug_function(&f, &type, "rp", NULL, 9, NULL), 0, true);
    g_assert_cmphex(lines(&f), ==, 1u << 5 % 4);
    fixture_fini(&f);
}

static void test_no_pin(void)
{
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &no_pin_type, "pcie.0", NULL, PCI_DEVFN(1, 0), NULL);
    pci_irq_set(d, 0, true);
    g_assert_cmphex(lines(&f), ==, 0);
    g_assert_cmphex(pci_get(d, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, ==, 0);
    fixture_fini(&f);
}

/* A function that is not on a bus has no effect. */
static void test_detached(void)
{
    Fixture f;
    PCIDevice *d;
    uint8_t byte;
    PCIDmaMap map;

    fixture_init(&f);
    d = plug_function(&f, &type, "pcie.0", NULL, PCI_DEVFN(1, 0), NULL);
    pci_irq_set(d, 0, true);
    device_pin_any(&d->dev);
    device_unplug(&d->dev);
    g_assert_cmphex(lines(&f), ==, 0);
    pci_irq_set(d, 0, false);
    pci_irq_set(d, 1, true);
    pci_irq_pulse(d, 0);
    msi_notify(d, 0);
    msix_notify(d, 0);
    g_assert_cmphex(lines(&f), ==, 0);
    g_assert_cmpint(pci_dma_read(d, RAM, &byte, 1), ==, MEM_REFUSED);
    g_assert_cmpint(pci_msi_send(d, RAM, 1), ==, MEM_REFUSED);
    g_assert_false(pci_dma_map(d, RAM, 16, true, &map));
    g_assert_false(pci_bus_master(d));
    g_assert_null(d->bus);
    pci_device_reset(d, RESET_FUNCTION);
    pci_device_config_write(d, PCI_COMMAND, 2, 0xffff);
    g_assert_cmphex(pci_bar_addr(d, 0), ==, PCI_BAR_UNMAPPED);
    pci_requester(d);
    device_unpin_any(&d->dev);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/intx/sources", test_sources);
    g_test_add_func("/pci/intx/aggregation", test_aggregation);
    g_test_add_func("/pci/intx/unwired", test_unwired);
    g_test_add_func("/pci/intx/disable-and-status", test_disable_and_status);
    g_test_add_func("/pci/intx/messages-take-over", test_messages_take_over);
    g_test_add_func("/pci/intx/swizzle", test_swizzle);
    g_test_add_func("/pci/intx/no-pin", test_no_pin);
    g_test_add_func("/pci/intx/detached", test_detached);
    return g_test_run();
}
