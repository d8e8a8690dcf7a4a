/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pvpanic-pci: the events that it announces, and reports of the guest.
 */
#define FIXTURE_WITH_TYPES
#include "../pci/pci-fixture.h"

enum { DEVFN = PCI_DEVFN(2, 0) };
#define REGS (MMIO + 0x10000)

typedef struct Reports {
    unsigned panics, crashes;
} Reports;

static void on_panic(void *opaque)
{
    ((Reports *)opaque)->panics++;
}

static void on_event(void *opaque, const Event *event)
{
    if (strcmp(event->name, "GUEST_CRASHLOADED") == 0) {
        g_assert_cmpstr(event_str(event, "action"), ==, "run");
        ((Reports *)opaque)->crashes++;
    }
}

static PCIDevice *start(Fixture *f, Reports *reports, const char *settings)
{
    PCIDevice *d;

    fixture_init(f);
    *reports = (Reports){ 0 };
    f->m->hooks.opaque = reports;
    f->m->hooks.guest_panicked = on_panic;
    f->m->hooks.event = on_event;
    d = plug_function(f, (const PCIDeviceType *)device_type_find("pvpanic-pci"), "pcie.0", "p",
                      DEVFN, settings);
    config_write(f, DEVFN, PCI_BASE_ADDRESS_0, 4, REGS);
    config_write(f, DEVFN, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    return d;
}

static void end(Fixture *f)
{
    f->m->hooks = (MachineHooks){ 0 };
    fixture_fini(f);
}

static void test_reports(void)
{
    Reports r;
    Fixture f;

    start(&f, &r, NULL);
    g_assert_cmphex(config_read(&f, DEVFN, PCI_VENDOR_ID, 4), ==, 0x00111b36);
    g_assert_cmphex(guest_read(&f, REGS, 1), ==, 3);
    guest_write(&f, REGS, 1, 0);
    guest_write(&f, REGS, 1, 0xfc);
    guest_write(&f, REGS + 1, 1, 1); /* no register */
    g_assert_cmpuint(r.panics + r.crashes, ==, 0);
    guest_write(&f, REGS, 1, 1);
    g_assert_cmpuint(r.panics, ==, 1);
    guest_write(&f, REGS, 1, 2);
    g_assert_cmpuint(r.crashes, ==, 1);
    guest_write(&f, REGS, 4, 3); /* the panic takes precedence */
    g_assert_cmpuint(r.panics, ==, 2);
    g_assert_cmpuint(r.crashes, ==, 1);
    end(&f);
}

static void test_events(void)
{
    Reports r;
    Fixture f;
    PCIDevice *d = start(&f, &r, "events=1");

    g_assert_cmphex(guest_read(&f, REGS, 1), ==, 1);
    device_unplug(&d->dev);
    refused(&f, (const PCIDeviceType *)device_type_find("pvpanic-pci"), "pcie.0", "p", DEVFN,
            "events=4", "events");
    end(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pvpanic-pci/reports", test_reports);
    g_test_add_func("/pvpanic-pci/events", test_events);
    return g_test_run();
}
