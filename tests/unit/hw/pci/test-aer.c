/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Advanced Error Reporting: from the function that detected the error to the registers and the
 * interrupt of the root port; masks, severities, the header log, sticky bits; ACS violations.
 */
#define FIXTURE_WITH_TYPES
#include "pci-fixture.h"

#include "hw/pci/aer.h"

enum {
    PORT = PCI_DEVFN(1, 0),
    AER = 0x100,
    STATUS = 4,
    MASK = 8,
    SEVERITY = 12,
    COR = 16,
    COR_MASK = 20,
    CAP = 24,
    LOG = 28,
    COMMAND = 44,
    ROOT = 48,
    SOURCE = 52
};
enum { MALFORMED = 18, POISONED = 12, BAD_TLP = 6 };

static const PCIDeviceType *type(const char *name)
{
    return (const PCIDeviceType *)device_type_find(name);
}

/* A root port with a bridge in its slot, which detects the errors. */
static PCIDevice *start(Fixture *f)
{
    PCIDevice *d;

    fixture_init(f);
    plug_function(f, type("pcie-root-port"), "pcie.0", "rp", PORT, "msix=off");
    d = plug_function(f, type("pcie-pci-bridge"), "rp", "b", 0, NULL);
    config_write(f, PORT, PCI_PRIMARY_BUS, 4, 0x00010100);
    config_write(f, PORT, AER + COMMAND, 4, 7);
    config_write(f, PORT, PCI_BRIDGE_CONTROL, 2, PCI_BRIDGE_CTL_SERR);
    guest_write(f, ecam_address(1, 0, d->exp_pos + PCI_EXP_DEVCTL), 2, 0xf);
    return d;
}

static uint32_t fn(Fixture *f, uint32_t reg)
{
    return guest_read(f, ecam_address(1, 0, AER + reg), 4);
}

static uint32_t root(Fixture *f)
{
    return config_read(f, PORT, AER + ROOT, 4);
}

static void report(PCIDevice *d, unsigned bit, bool correctable)
{
    PCIAerError e = { .bit = bit,
                      .correctable = correctable,
                      .has_header = true,
                      .header = { 0x11111111, 0x22222222, 0x33333333, bit } };

    g_assert_true(pci_aer_report(d, &e));
}

static void test_fatal(void)
{
    Fixture f;
    PCIDevice *d = start(&f);

    report(d, MALFORMED, false);
    g_assert_cmphex(fn(&f, STATUS), ==, 1 << MALFORMED);
    g_assert_cmpuint(fn(&f, CAP) & 0x1f, ==, MALFORMED);
    g_assert_cmphex(fn(&f, LOG), ==, 0x11111111);
    g_assert_cmphex(root(&f), ==, 1 << 2 | 1 << 4 | 1 << 6);
    g_assert_cmphex(config_read(&f, PORT, AER + SOURCE + 2, 2), ==, 0x0100);
    g_assert_true(f.line[1]);
    report(d, POISONED, false); /* the second: counted as one of several, the log is kept */
    g_assert_cmphex(fn(&f, LOG + 12), ==, MALFORMED);
    g_assert_cmphex(root(&f) & 1 << 3, !=, 0);
    g_assert_cmphex(root(&f) & 1 << 5, !=, 0);
    config_write(&f, PORT, AER + ROOT, 4, 0x7f);
    g_assert_false(f.line[1]);
    fixture_fini(&f);
}

static void test_masked(void)
{
    Fixture f;
    PCIDevice *d = start(&f);

    guest_write(&f, ecam_address(1, 0, AER + MASK), 4, 1 << MALFORMED);
    report(d, MALFORMED, false);
    g_assert_cmphex(fn(&f, STATUS), ==, 1 << MALFORMED);
    g_assert_cmphex(fn(&f, LOG), ==, 0);
    g_assert_cmphex(root(&f), ==, 0);
    guest_write(&f, ecam_address(1, 0, AER + SEVERITY), 4, 0);
    report(d, POISONED, false);
    g_assert_cmphex(root(&f), ==, 1 << 2 | 1 << 5);
    fixture_fini(&f);
}

static void test_correctable(void)
{
    Fixture f;
    PCIDevice *d = start(&f);

    report(d, BAD_TLP, true);
    g_assert_cmphex(fn(&f, COR), ==, 1 << BAD_TLP);
    g_assert_cmphex(root(&f), ==, 1);
    g_assert_cmphex(config_read(&f, PORT, AER + SOURCE, 2), ==, 0x0100);
    report(d, BAD_TLP, true);
    g_assert_cmphex(root(&f), ==, 3);
    fixture_fini(&f);
}

/* Reporting disabled in Device Control: logged, not reported. */
static void test_not_enabled(void)
{
    Fixture f;
    PCIDevice *d = start(&f);

    guest_write(&f, ecam_address(1, 0, d->exp_pos + PCI_EXP_DEVCTL), 2, 0);
    report(d, MALFORMED, false);
    report(d, BAD_TLP, true);
    g_assert_cmphex(root(&f), ==, 0);
    g_assert_cmphex(guest_read(&f, ecam_address(1, 0, d->exp_pos + PCI_EXP_DEVSTA), 2), ==, 5);
    fixture_fini(&f);
}

/* A port without SERR# Enable forwards nothing. */
static void test_not_forwarded(void)
{
    Fixture f;
    PCIDevice *d = start(&f);

    config_write(&f, PORT, PCI_BRIDGE_CONTROL, 2, 0);
    report(d, MALFORMED, false);
    report(d, BAD_TLP, true);
    g_assert_cmphex(root(&f), ==, 0);
    fixture_fini(&f);
}

static void test_sticky(void)
{
    Fixture f;
    PCIDevice *d = start(&f);

    report(d, MALFORMED, false);
    machine_reset(f.m, RESET_HOT);
    config_write(&f, PORT, PCI_PRIMARY_BUS, 4, 0x00010100);
    g_assert_cmphex(fn(&f, STATUS), ==, 1 << MALFORMED);
    g_assert_cmphex(fn(&f, LOG), ==, 0x11111111);
    machine_reset(f.m, RESET_COLD);
    config_write(&f, PORT, PCI_PRIMARY_BUS, 4, 0x00010100);
    g_assert_cmphex(fn(&f, STATUS), ==, 0);
    g_assert_cmphex(fn(&f, SEVERITY), ==, 0x00462030);
    g_assert_cmphex(fn(&f, COR_MASK), ==, 0xe000);
    fixture_fini(&f);
}

/* Each class of error has its own interrupt enable. A function's mask and its SERR# Enable
 * apply. */
static void test_enables(void)
{
    static const struct {
        unsigned bit;
        bool correctable, fatal;
        uint8_t enable; /* Root Error Command */
    } kinds[] = { { BAD_TLP, true, false, 1 },
                  { POISONED, false, false, 2 },
                  { MALFORMED, false, true, 4 } };

    for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
        for (unsigned command = 0; command < 8; command++) {
            Fixture f;
            PCIDevice *d = start(&f);

            config_write(&f, PORT, AER + COMMAND, 4, command);
            report(d, kinds[k].bit, kinds[k].correctable);
            g_assert_cmpuint(f.line[1] != 0, ==, (command & kinds[k].enable) != 0);
            config_write(&f, PORT, AER + COMMAND, 4, 7); /* setting the enable later interrupts for
                                                          * a logged error */
            g_assert_true(f.line[1]);
            fixture_fini(&f);
        }
    }
}

static void test_function_decides(void)
{
    Fixture f;
    PCIDevice *d = start(&f);
    uint16_t devctl = d->exp_pos + PCI_EXP_DEVCTL;

    guest_write(&f, ecam_address(1, 0, AER + COR_MASK), 4, 1 << BAD_TLP);
    report(d, BAD_TLP, true); /* logged, masked */
    g_assert_cmphex(fn(&f, COR), ==, 1 << BAD_TLP);
    g_assert_cmphex(root(&f), ==, 0);
    guest_write(&f, ecam_address(1, 0, devctl), 2, 0);
    report(d, MALFORMED, false);
    g_assert_cmphex(root(&f), ==, 0);
    guest_write(&f, ecam_address(1, 0, PCI_COMMAND), 2,
                PCI_COMMAND_SERR); /* instead of the enables */
    report(d, POISONED, false);
    g_assert_cmphex(root(&f) & 1 << 2, !=, 0);
    fixture_fini(&f);
}

/* An advisory non-fatal error is reported as a correctable error (6.2.3.2.4). */
static void test_advisory(void)
{
    enum { ADVISORY = 13 };
    Fixture f;
    PCIDevice *d = start(&f);
    const PCIAerError poisoned = { .bit = POISONED, .advisory = true };
    const PCIAerError malformed = { .bit = MALFORMED, .advisory = true };

    guest_write(&f, ecam_address(1, 0, AER + COR_MASK), 4, 0);
    g_assert_true(pci_aer_report(d, &poisoned));
    g_assert_cmphex(fn(&f, STATUS), ==, 1 << POISONED);
    g_assert_cmphex(fn(&f, COR), ==, 1 << ADVISORY);
    g_assert_cmphex(root(&f), ==, 1);
    g_assert_cmphex(fn(&f, LOG), ==, 0);          /* it was received without a header */
    g_assert_true(pci_aer_report(d, &malformed)); /* fatal by its severity: not advisory */
    g_assert_cmphex(root(&f) & 1 << 6, !=, 0);
    fixture_fini(&f);
}

static void test_refused(void)
{
    Fixture f;
    PCIDevice *d = start(&f), *plain;
    bool correctable;

    g_assert_false(pci_aer_report(d, &(PCIAerError){ .bit = 0 }));
    g_assert_false(pci_aer_report(d, &(PCIAerError){ .bit = 77 }));
    plain = plug_function(&f, type("edu"), "pcie.0", "e", PCI_DEVFN(2, 0), NULL);
    g_assert_false(pci_aer_report(plain, &(PCIAerError){ .bit = MALFORMED }));
    g_assert_cmpint(pci_aer_bit("malf_tlp", &correctable), ==, MALFORMED);
    g_assert_false(correctable);
    g_assert_cmpint(pci_aer_bit("bad_tlp", &correctable), ==, BAD_TLP);
    g_assert_true(correctable);
    g_assert_cmpint(pci_aer_bit("nonsense", &correctable), ==, -1);
    fixture_fini(&f);
}

/* No receiver: a function beside the root ports, and a root port without AER. The function's own
 * registers log the error. A function that was removed from its bus logs nothing. */
static void test_unheard(void)
{
    static const PCICapDesc caps[] = {
        PCI_CAP_ENDPOINT,
        { .id = PCI_EXT_CAP_ID_ERR, .extended = true, .prop = "aer" },
    };
    static const PCIDeviceType beside = {
        .base = { .name = "beside", .kind = &pci_device_kind, .size = sizeof(PCIDevice) },
        .caps = LIST(caps),
    };
    Fixture f;
    PCIDevice *d = start(&f);

    d = plug_function(&f, &beside, "pcie.0", "beside", PCI_DEVFN(2, 0), NULL);
    config_write(&f, PCI_DEVFN(2, 0), d->exp_pos + PCI_EXP_DEVCTL, 2, 0xf);
    report(d, MALFORMED, false);
    g_assert_cmphex(config_read(&f, PCI_DEVFN(2, 0), AER + STATUS, 4), ==, 1 << MALFORMED);
    g_assert_cmphex(root(&f), ==, 0);
    device_pin_any(&d->dev);
    device_unplug(&d->dev);
    g_assert_false(pci_aer_report(d, &(PCIAerError){ .bit = MALFORMED }));
    device_unpin_any(&d->dev);
    plug_function(&f, type("pcie-root-port"), "pcie.0", "silent", PCI_DEVFN(3, 0), "aer=off");
    d = plug_function(&f, type("pcie-pci-bridge"), "silent", "b2", 0, NULL);
    config_write(&f, PCI_DEVFN(3, 0), PCI_PRIMARY_BUS, 4, 0x00020200);
    config_write(&f, PCI_DEVFN(3, 0), PCI_BRIDGE_CONTROL, 2, PCI_BRIDGE_CTL_SERR);
    guest_write(&f, ecam_address(2, 0, d->exp_pos + PCI_EXP_DEVCTL), 2, 0xf);
    report(d, MALFORMED, false);
    g_assert_cmphex(guest_read(&f, ecam_address(2, 0, AER + STATUS), 4), ==, 1 << MALFORMED);
    g_assert_cmphex(root(&f), ==, 0);
    fixture_fini(&f);
}

static void test_acs(void)
{
    Fixture f;

    start(&f);
    g_assert_cmphex(config_read(&f, PORT, 0x148, 4), ==, 0x0001000d);
    g_assert_cmphex(config_read(&f, PORT, 0x14c, 2), ==, 0x5f);
    config_write(&f, PORT, 0x14e, 2, 0xffff);
    g_assert_cmphex(config_read(&f, PORT, 0x14e, 2), ==, 0x5f);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/aer/fatal", test_fatal);
    g_test_add_func("/aer/masked", test_masked);
    g_test_add_func("/aer/correctable", test_correctable);
    g_test_add_func("/aer/enables", test_enables);
    g_test_add_func("/aer/function-decides", test_function_decides);
    g_test_add_func("/aer/advisory", test_advisory);
    g_test_add_func("/aer/not-enabled", test_not_enabled);
    g_test_add_func("/aer/not-forwarded", test_not_forwarded);
    g_test_add_func("/aer/sticky", test_sticky);
    g_test_add_func("/aer/refused", test_refused);
    g_test_add_func("/aer/unheard", test_unheard);
    g_test_add_func("/aer/acs", test_acs);
    return g_test_run();
}
