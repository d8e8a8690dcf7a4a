/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hosts: ECAM at every length and alignment, absent functions, CF8h/CFCh, bus numbers compared with
 * an independent search, segments and extra roots.
 */
#include "pci-fixture.h"

typedef struct Port {
    PCIBridge br;
} Port;

static const PCIDeviceType leaf_type = {
    .base = { .name = "leaf", .kind = &pci_device_kind, .size = sizeof(PCIDevice) },
    .vendor = 0x1234,
    .device = 0x5678,
    .revision = 0x9a,
    .class_code = 0xbcdef0,
};
static const PCICapDesc express_caps[] = { PCI_CAP_PM_D3, PCI_CAP_ENDPOINT };
static const PCIDeviceType express_type = {
    .base = { .name = "express", .kind = &pci_device_kind, .size = sizeof(PCIDevice) },
    .vendor = 0x1234,
    .caps = LIST(express_caps),
};
static const PCIDeviceType port_type = {
    .base = { .name = "br", .kind = &pci_device_kind, .size = sizeof(Port) },
    .role = PLAN_PCI_BRIDGE,
};

enum { FN = PCI_DEVFN(7, 0) };

static void test_ecam(void)
{
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &leaf_type, "pcie.0", NULL, FN, NULL);
    g_assert_cmphex(config_read(&f, FN, 0, 8), ==, 0x56781234);
    g_assert_cmphex(guest_read(&f, ecam_address(0, FN, 0), 8), ==, 0x56781234ull);
    g_assert_cmphex(guest_read(&f, ecam_address(0, FN, 4), 8), ==, 0xbcdef09a00000000ull);
    g_assert_cmphex(guest_read(&f, ecam_address(0, FN, 1), 4), ==, 0x00567812);
    g_assert_cmphex(guest_read(&f, ecam_address(0, FN, 7), 8), ==, 0xbcdef09a00);
    g_assert_cmphex(config_read(&f, FN, 0xfe, 4), ==, 0xffff0000); /* conventional: 256 bytes */
    g_assert_cmphex(config_read(&f, FN, 0x100, 4), ==, 0xffffffff);
    config_write(&f, FN, 0x43, 2, 0xabcd); /* device-specific area, crossing a dword */
    g_assert_cmphex(config_read(&f, FN, 0x40, 4), ==, 0xcd000000);
    guest_write(&f, ecam_address(0, FN, 0x3c), 8, 0x1122334455667788ull);
    g_assert_cmphex(config_read(&f, FN, 0x3c, 4), ==, 0x88);
    g_assert_cmphex(config_read(&f, FN, 0x40, 4), ==, 0x11223344);
    g_assert_true(pci_host_find_bus(&f.host, 0) == d->bus);
    fixture_fini(&f);
}

/* Each size at each offset of the function and around its ends agrees with the bytes. */
static void test_ecam_exhaustive(void)
{
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &express_type, "pcie.0", NULL, FN, NULL);
    g_assert_cmpuint(d->config.size, ==, 4096);
    for (unsigned reg = 0; reg < 4096; reg++) {
        for (unsigned size = 1; size <= 8; size *= 2) {
            uint64_t got = guest_read(&f, ecam_address(0, FN, reg), size), want = 0;

            for (unsigned i = 0; i < size; i++) {
                uint8_t byte = reg + i < 4096 ? d->config.bytes[reg + i] : 0xff;

                want |= (uint64_t)byte << 8 * i;
            }
            g_assert_cmphex(got, ==, want);
            guest_write(&f, ecam_address(0, FN, reg), size, (uint64_t)g_test_rand_int() << 20);
        }
    }
    fixture_fini(&f);
}

static void test_absent(void)
{
    Fixture f;

    fixture_init(&f);
    plug_function(&f, &leaf_type, "pcie.0", NULL, FN, NULL);
    for (unsigned bus = 0; bus < 256; bus++) {
        for (unsigned devfn = 0; devfn < 256; devfn++) {
            uint32_t v = guest_read(&f, ecam_address(bus, devfn, 0), 4);

            g_assert_cmphex(v, ==, bus == 0 && devfn == FN ? 0x56781234 : 0xffffffff);
        }
    }
    guest_write(&f, ecam_address(5, 0, 4), 4, ~0u);
    g_assert_cmphex(guest_read(&f, ecam_address(5, 0, 4), 1), ==, 0xff);
    g_assert_cmphex(guest_read(&f, ecam_address(5, 0, 4), 2), ==, 0xffff);
    g_assert_cmphex(guest_read(&f, ecam_address(5, 0, 4), 8), ==, ~0ull);
    fixture_fini(&f);
}

static uint64_t port_rd(Fixture *f, uint16_t port, unsigned size)
{
    uint64_t v = 0;

    mem_read(&f->m->io, port, size, &v);
    return v;
}

static void port_wr(Fixture *f, uint16_t port, unsigned size, uint32_t v)
{
    mem_write(&f->m->io, port, size, v);
}

static void test_cf8(void)
{
    Fixture f;

    fixture_init(&f);
    plug_function(&f, &leaf_type, "pcie.0", NULL, FN, NULL);
    pci_host_init_cf8(&f.host);
    mem_map(&f.m->io, 0xcf8, &f.host.cf8, 0, 0);
    mem_map(&f.m->io, 0xcfc, &f.host.cfc, 0, 0);
    port_wr(&f, 0xcf8, 4, 0x80000000 | FN << 8);
    g_assert_cmphex(port_rd(&f, 0xcf8, 4), ==, 0x80000000 | FN << 8);
    g_assert_cmphex(port_rd(&f, 0xcfc, 4), ==, 0x56781234);
    g_assert_cmphex(port_rd(&f, 0xcfc, 2), ==, 0x1234);
    g_assert_cmphex(port_rd(&f, 0xcfe, 2), ==, 0x5678);
    g_assert_cmphex(port_rd(&f, 0xcff, 1), ==, 0x56);
    port_wr(&f, 0xcf8, 4, 0x80000000 | FN << 8 | 0x3f); /* bits 1:0 are reserved */
    port_wr(&f, 0xcfc, 1, 0x0b);
    g_assert_cmphex(config_read(&f, FN, PCI_INTERRUPT_LINE, 1), ==, 0x0b);
    port_wr(&f, 0xcf8, 1, 0); /* not a dword: no effect on the latch */
    port_wr(&f, 0xcf9, 2, 0);
    g_assert_cmphex(port_rd(&f, 0xcfc, 1), ==, 0x0b);
    port_wr(&f, 0xcf8, 4, FN << 8); /* not enabled */
    g_assert_cmphex(port_rd(&f, 0xcfc, 4), ==, 0xffffffff);
    port_wr(&f, 0xcfc, 4, 0);
    port_wr(&f, 0xcf8, 4, 0x80010000);
    g_assert_cmphex(port_rd(&f, 0xcfc, 4), ==, 0xffffffff);
    for (unsigned at = 0xcf0; at < 0xd08; at++) {
        for (unsigned size = 1; size <= 8; size *= 2) {
            port_rd(&f, at, size);
            port_wr(&f, at, size, g_test_rand_int());
        }
    }
    fixture_fini(&f);
}

static PCIBus *by_hand(PCIBus *bus, uint8_t number)
{
    for (unsigned i = 0; i < bus->n_functions; i++) {
        PCIBridge *br = bus->functions[i] ? pci_bridge_of(bus->functions[i]) : NULL;
        const uint8_t *c = br ? br->pci.config.bytes : NULL;

        if (br && number >= c[PCI_SECONDARY_BUS] && number <= c[PCI_SUBORDINATE_BUS]) {
            return number == c[PCI_SECONDARY_BUS] ? &br->sec : by_hand(&br->sec, number);
        }
    }
    return NULL;
}

/* Random numbers in a tree of bridges: the table contains what a search finds. */
static void test_bus_numbers(void)
{
    static const char *const names[] = { "pcie.0", "a", "b", "c", "d" };
    Port *ports[12];
    unsigned n = 0;
    Fixture f;

    fixture_init(&f);
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned k = 0; k < 3; k++) {
            g_autofree char *other = g_strdup_printf("%s.%u", names[i], k);
            const char *id = k == 1 ? names[i + 1] : other;

            ports[n++] =
                (Port *)plug_function(&f, &port_type, names[i], id, PCI_DEVFN(9 - 3 * k, 0), NULL);
        }
    }
    for (unsigned i = 0; i < 3000; i++) {
        uint8_t number = g_test_rand_int_range(0, 12);
        PCIBus *want = number == 0 ? &f.host.root : by_hand(&f.host.root, number);

        g_assert_true(pci_host_find_bus(&f.host, number) == want);
        pci_device_config_write(&ports[g_test_rand_int_range(0, n)]->br.pci, PCI_SECONDARY_BUS, 2,
                                g_test_rand_int_range(1, 12) | g_test_rand_int_range(1, 12) << 8);
    }
    fixture_fini(&f);
}

static void test_extra_root(void)
{
    g_autoptr(GError) err = NULL;
    PCIBus extra = { 0 }, clash = { 0 };
    g_autofree char *path = NULL;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    g_assert_true(pci_root_init(&extra, &f.host, PLAN_BUS_PCIE_ROOT, "pxb", 0x40, NULL, &err));
    g_assert_false(pci_root_init(&clash, &f.host, PLAN_BUS_PCIE_ROOT, "px2", 0x40, NULL, &err));
    g_assert_nonnull(strstr(err->message, "'pxb'"));
    g_assert_false(pci_root_init(&clash, &f.host, PLAN_BUS_PCIE_ROOT, "pxb", 0x50, NULL, NULL));
    g_assert_null(pci_host_find_bus(&f.host, 0x50));
    plug_function(&f, &port_type, "pxb", "below", FN, NULL);
    d = plug_function(&f, &leaf_type, "below", NULL, 0, NULL);
    guest_write(&f, ecam_address(0x40, FN, PCI_PRIMARY_BUS), 4, 0x434240);
    g_assert_cmphex(guest_read(&f, ecam_address(0x42, 0, 0), 4), ==, 0x56781234);
    path = pci_device_path(d);
    g_assert_cmpstr(path, ==, "0000:40:07.0:00.0");
    g_assert_cmphex(pci_requester(d), ==, 0x4200);
    device_unplug(extra.functions[FN] ? &extra.functions[FN]->dev : NULL);
    pci_bus_fini(&extra);
    g_assert_null(pci_host_find_bus(&f.host, 0x40));
    fixture_fini(&f);
}

static void test_segments(void)
{
    g_autoptr(GError) err = NULL;
    PCIHost other = { 0 }, clash = { 0 };
    g_autofree char *path = NULL;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    g_assert_true(pci_host_init(&other, f.m, 3, PLAN_BUS_PCIE_ROOT, "pcie.1", NULL, &err));
    g_assert_false(pci_host_init(&clash, f.m, 4, PLAN_BUS_PCIE_ROOT, "pcie.1", NULL, &err));
    pci_host_fini(&clash); /* nothing remains of it */
    d = plug_function(&f, &leaf_type, "pcie.1", NULL, FN, NULL);
    g_assert_cmphex(pci_host_config_read(&other, 0, FN, 0, 4), ==, 0x56781234);
    g_assert_cmphex(config_read(&f, FN, 0, 4), ==, 0xffffffff);
    path = pci_device_path(d);
    g_assert_cmpstr(path, ==, "0003:00:07.0");
    g_assert_cmphex(pci_requester(d), ==, 0x30000 | FN);
    device_unplug(&d->dev);
    pci_host_fini(&other);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/host/ecam", test_ecam);
    g_test_add_func("/pci/host/ecam-exhaustive", test_ecam_exhaustive);
    g_test_add_func("/pci/host/absent", test_absent);
    g_test_add_func("/pci/host/cf8", test_cf8);
    g_test_add_func("/pci/host/bus-numbers", test_bus_numbers);
    g_test_add_func("/pci/host/extra-root", test_extra_root);
    g_test_add_func("/pci/host/segments", test_segments);
    return g_test_run();
}
