/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The saved record: all three versions, capabilities that are added, removed and moved by a record,
 * every error with its message, and random input that may be rejected but never has another effect.
 */
#include <glib/gstdio.h>
#include <unistd.h>

#include "pci-fixture.h"
#include "snapshot.h"

typedef struct Dev {
    PCIDevice pci;
    uint32_t vectors;
    uint64_t size;
} Dev;

static const PCIBarDesc bars[] = {
    { .index = 0, .kind = PCI_BAR_MEM64, .size_prop = "size" },
    { .index = 2, .kind = PCI_BAR_MEM32, .size = 0x10000 },
};
static const PlanProp props[] = {
    PROP_U32(Dev, vectors, "vectors", 3, 0, UINT32_MAX, "vectors"),
    PROP_SIZE(Dev, size, "size", 0x1000, 0, 0, "size of BAR 0"),
};
static const PCICapDesc caps[] = {
    PCI_CAP_PM_D3,
    { .id = PCI_CAP_ID_MSIX, .prop = "msix", .count_prop = "vectors", .msix = { 0, 2 } },
    PCI_CAP_MSI(4, true, true),
    PCI_CAP_ENDPOINT,
    PCI_CAP_VENDOR(16, "common"),
    PCI_CAP_VENDOR(20, "notify"),
};
static const PCIDeviceType type = {
    .base = { .name = "dev", .kind = &pci_device_kind, .size = sizeof(Dev), .props = LIST(props) },
    .vendor = 0x1234,
    .device = 0x5678,
    .class_code = 0xff0000,
    .bars = LIST(bars),
    .caps = LIST(caps),
    .n_irqs = 2,
};

/* State at a high offset of extended space. */
static const PCICapDesc ext_caps[] = {
    PCI_CAP_ENDPOINT,
    { .id = PCI_EXT_CAP_ID_ERR, .extended = true, .prop = "aer", .at = 0x180 },
};
static const PCIDeviceType ext_type = {
    .base = { .name = "ext", .kind = &pci_device_kind, .size = sizeof(PCIDevice) },
    .vendor = 0x1234,
    .device = 0x5678,
    .class_code = 0xff0000,
    .caps = LIST(ext_caps),
};

/* A conventional function with the maximum number of sources, a row without a switch, a capability
 * at the very end, and a range that it decodes without a BAR. */
typedef struct Wide {
    PCIDevice pci;
    MemRegion vga;
} Wide;
static uint64_t vga_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}
static void vga_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
}
static const MemOps vga_ops = { .read = vga_read, .write = vga_write };
static bool wide_realize(void *dev, GError **err)
{
    Wide *w = dev;

    mem_init_mmio(&w->vga, "vga", 0x20000, &vga_ops, w);
    pci_add_fixed_range(&w->pci, false, 0xa0000, &w->vga);
    return true;
}
static void wide_finalize(void *dev)
{
    mem_fini(&((Wide *)dev)->vga);
}
static const PCICapDesc wide_caps[] = {
    { .id = PCI_CAP_ID_MSI, .msi = { 1, 0, 0 } },
    { .id = PCI_CAP_ID_VNDR, .prop = "tail", .at = 0xf0, .vendor = { 16 } },
};
static const PCIDeviceType wide_type = {
    .base = { .name = "wide",
              .kind = &pci_device_kind,
              .size = sizeof(Wide),
              .realize = wide_realize,
              .finalize = wide_finalize },
    .caps = LIST(wide_caps),
    .n_irqs = 64,
};

typedef struct Port {
    PCIBridge br;
} Port;
static const PCIDeviceType port_type = {
    .base = { .name = "port", .kind = &pci_device_kind, .size = sizeof(Port) },
    .role = PLAN_PCI_ROOT_PORT,
};

enum { FN = PCI_DEVFN(1, 0), CONFIG = 8 };
enum { BIT_MSIX = 1, BIT_MSI = 2, BIT_PM = 4 };

static void loads(PCIDevice *d, const GByteArray *bytes)
{
    g_autoptr(GError) err = NULL;

    load_record(d, bytes, &err);
    g_assert_no_error(err);
}

/* A rejected load changes nothing. */
static void refuses(PCIDevice *d, const GByteArray *bytes, const char *word)
{
    g_autoptr(GByteArray) before = snapshot(d);
    g_autoptr(GError) err = NULL;

    g_assert_false(load_record(d, bytes, &err));
    g_assert_true(snapshot_equal(d, before));
    if (!strstr(err->message, word) || !g_str_has_prefix(err->message, "record: ")) {
        g_error("'%s' does not contain '%s'", err->message, word);
    }
}

/* The invariants after a load. */
static void sound(const PCIDevice *d)
{
    const PCIConfig *c = &d->config;

    for (unsigned at = 0; at < c->size; at++) {
        g_assert_false(pci_config_mask(c, PCI_WMASK, at) & pci_config_mask(c, PCI_W1CMASK, at));
        if (at >= 0x40) {
            g_assert_true(!pci_config_mask(c, PCI_USED, at) == !pci_config_entry_at(c, at));
        }
    }
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        if (d->cap_pos[row]) {
            const PCICapEntry *e = pci_config_entry_at(c, d->cap_pos[row]);

            g_assert_true(e && e->offset == d->cap_pos[row]);
            g_assert_cmpuint(e->id, ==, pci_type(d)->caps[row].id);
        }
    }
}

/* A device in use: BARs, MSI-X enabled, a level asserted. */
static PCIDevice *busy(Fixture *f, const char *settings)
{
    PCIDevice *d = plug_function(f, &type, "pcie.0", "d", FN, settings);
    uint8_t msix = pci_find_capability(d, PCI_CAP_ID_MSIX);

    config_write(f, FN, PCI_BASE_ADDRESS_0, 4, MMIO);
    config_write(f, FN, PCI_BASE_ADDRESS_0 + 8, 4, MMIO + 0x10000);
    config_write(f, FN, PCI_COMMAND, 2, 6);
    config_write(f, FN, PCI_INTERRUPT_LINE, 1, 9);
    config_write(f, FN, 0xf8, 4, 0x12345678); /* device-specific area */
    if (msix) {
        guest_write(f, MMIO + 0x10000, 8, RAM);
        config_write(f, FN, msix + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
    }
    pci_irq_set(d, 1, true);
    return d;
}

static void test_round_trip(void)
{
    g_autoptr(GByteArray) first = NULL, second = NULL;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = busy(&f, NULL);
    first = save_record(d);
    g_assert_cmpuint(first->len, ==, 4 + 4 + 4096 + 16 + 3 * 16 + 1 + 8);
    g_assert_cmphex(first->data[3], ==, 3);
    g_assert_cmphex(first->data[7], ==,
                    BIT_MSIX | BIT_MSI); /* PM of an Express function is fixed */
    device_unplug(&d->dev);
    d = plug_function(&f, &type, "pcie.0", "d", FN, NULL);
    loads(d, first);
    second = save_record(d);
    g_assert_cmpmem(first->data, first->len, second->data, second->len);
    g_assert_cmphex(pci_bar_addr(d, 0), ==, MMIO);
    g_assert_true(msix_enabled(d));
    g_assert_cmphex(d->levels, ==, 2);
    sound(d);
    fixture_fini(&f);
}

static void test_levels(void)
{
    g_autoptr(GByteArray) bytes = NULL;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = busy(&f, "msix=off");
    g_assert_true(f.line[1]);
    bytes = save_record(d);
    machine_reset(f.m, RESET_COLD);
    g_assert_false(f.line[1]);
    loads(d, bytes);
    g_assert_true(f.line[1]);
    pci_irq_set(d, 1, false); /* the same source as before */
    g_assert_false(f.line[1]);
    loads(d, bytes);
    bytes->data[bytes->len - 1] = 0;
    refuses(d, bytes, "levels of the interrupt sources");
    bytes->data[bytes->len - 1] = 4; /* no third source */
    refuses(d, bytes, "levels of the interrupt sources");
    bytes->data[CONFIG + 4096 + 3] = 2;
    refuses(d, bytes, "INTA is 2: 0 or 1");
    bytes->data[CONFIG + 4096 + 3] = 1;
    bytes->data[CONFIG + 4096 + 7] = 1;
    refuses(d, bytes, "INTB is asserted");
    fixture_fini(&f);
}

/* Sixty-four sources: each level is saved. */
static void test_all_levels(void)
{
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &wide_type, "pcie.0", "d", FN, NULL);
    for (unsigned n = 0; n < 64; n++) {
        g_autoptr(GByteArray) bytes = NULL;

        pci_irq_set(d, n, true);
        bytes = save_record(d);
        machine_reset(f.m, RESET_COLD);
        g_assert_false(f.line[1]);
        loads(d, bytes);
        g_assert_cmphex(d->levels, ==, 1ull << n);
        g_assert_true(f.line[1]);
        pci_irq_set(d, n, false);
    }
    fixture_fini(&f);
}

/* A row without a switch has no bit: it exists on both sides, for any contents of the record. */
static void test_no_switch(void)
{
    g_autoptr(GByteArray) bytes = NULL;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &wide_type, "pcie.0", "d", FN, NULL);
    bytes = save_record(d);
    g_assert_cmphex(bytes->data[7] & BIT_MSI, ==, 0);
    loads(d, bytes);
    g_assert_cmphex(pci_find_capability(d, PCI_CAP_ID_MSI), !=, 0);
    bytes->data[7] |= BIT_MSI;
    refuses(d, bytes, "cap_present has bits 0x2");
    fixture_fini(&f);
}

/* Create a record of another version from a current one. */
static GByteArray *as_version(const GByteArray *v3, unsigned version, unsigned size)
{
    GByteArray *out = g_byte_array_new();
    ByteWriter w = { out };

    put_be32(&w, version);
    put_bytes(&w, v3->data + CONFIG, size);
    if (version == 2) {
        put_bytes(&w, v3->data + CONFIG + size, 16);
    }
    return out;
}

/* Versions 1 and 2: no MSI-X, and of the other capabilities those in the list. */
static void test_old_versions(void)
{
    static const struct {
        const char *saved, *loaded;
        bool msi;
    } rows[] = {
        { "msix=off,msi=off", NULL, false },
        { "msix=off", NULL, true },
        { "msix=off", "msi=off,msix=off", true },
        { "msix=off,msi=0xd0", "msi=0x80", true },
    };

    for (unsigned i = 0; i < 2 * G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) v3 = NULL, old = NULL, short_one = NULL;
        unsigned version = 1 + i % 2, row = i / 2;
        Fixture f;
        PCIDevice *d;

        fixture_init(&f);
        d = busy(&f, rows[row].saved);
        v3 = save_record(d);
        old = as_version(v3, version, 4096);
        device_unplug(&d->dev);
        d = plug_function(&f, &type, "pcie.0", "d", FN, rows[row].loaded);
        loads(d, old);
        sound(d);
        g_assert_cmphex(pci_find_capability(d, PCI_CAP_ID_MSIX), ==, 0);
        g_assert_cmpint(d->cap_prop[1], ==, PLAN_CAP_OFF);
        g_assert_cmpint(d->cap_prop[2] != PLAN_CAP_OFF, ==, rows[row].msi);
        g_assert_cmpmem(d->config.bytes + 0x40, 4096 - 0x40, v3->data + CONFIG + 0x40, 4096 - 0x40);
        g_assert_true(f.line[1] == (version == 2));
        short_one = as_version(v3, version, 256);
        refuses(d, short_one, "cut short: 4096 bytes");
        pci_irq_set(d, 0, false);
        fixture_fini(&f);
    }
}

/* Power management of a conventional function can be switched, too. */
static void test_old_versions_conventional(void)
{
    for (unsigned version = 1; version <= 2; version++) {
        g_autoptr(GByteArray) v3 = NULL, old = NULL;
        Fixture f;
        PCIDevice *d;

        fixture_init_kind(&f, PLAN_BUS_PCI);
        d = busy(&f, "msix=off,msi=off");
        v3 = save_record(d);
        old = as_version(v3, version, 256);
        device_unplug(&d->dev);
        d = plug_function(&f, &type, "pcie.0", "d", FN, "pm=off");
        g_assert_cmphex(pci_find_capability(d, PCI_CAP_ID_PM), ==, 0);
        loads(d, old);
        sound(d);
        g_assert_cmphex(pci_find_capability(d, PCI_CAP_ID_PM), !=, 0);
        config_write(&f, FN, pci_find_capability(d, PCI_CAP_ID_PM) + PCI_PM_CTRL, 2, PCI_D3hot);
        g_assert_cmpuint(d->d_state, ==, 3);
        config_write(&f, FN, pci_find_capability(d, PCI_CAP_ID_PM) + PCI_PM_CTRL, 2, 0);
        pci_irq_set(d, 1, false);
        fixture_fini(&f);
    }
}

/* A list with MSI-X in a record of a version without it, for a device with and without MSI-X. */
static void test_old_versions_without_msix(void)
{
    for (unsigned version = 1; version <= 2; version++) {
        g_autoptr(GByteArray) v3 = NULL, old = NULL;
        Fixture f;
        PCIDevice *d;

        fixture_init(&f);
        d = busy(&f, NULL);
        v3 = save_record(d);
        old = as_version(v3, version, 4096);
        refuses(d, old, "an MSI-X capability at 0x");
        refuses(d, old, version == 1 ? "a record of version 1 has none" : "version 2 has none");
        device_unplug(&d->dev);
        d = plug_function(&f, &type, "pcie.0", "d", FN, "msix=off");
        refuses(d, old, "an MSI-X capability at 0x");
        fixture_fini(&f);
    }
}

/* The stream has priority: a record removes and adds a capability. */
static void test_present_wins(void)
{
    g_autoptr(GByteArray) with = NULL, without = NULL, again = NULL;
    g_autofree char *text = NULL;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = busy(&f, NULL);
    with = save_record(d);
    device_unplug(&d->dev);
    d = busy(&f, "msix=off");
    without = save_record(d);
    g_assert_cmphex(without->data[7], ==, BIT_MSI);
    for (unsigned i = 0; i < 3; i++) {
        loads(d, with);
        g_assert_cmpuint(msix_vectors(d), ==, 3);
        sound(d);
        loads(d, without);
        g_assert_cmpuint(msix_vectors(d), ==, 0);
        sound(d);
        mem_check(&f.m->memory);
    }
    text = device_prop_text(&d->dev, "msix");
    g_assert_cmpstr(text, ==, "off");
    again = save_record(d);
    g_assert_cmpmem(without->data, without->len, again->data, again->len);
    with->data[6] = 0x80;
    refuses(d, with, "cap_present has bits 0x8000");
    fixture_fini(&f);
}

/* Capabilities may be at other offsets: registers, masks and the property follow. */
static void test_foreign_offsets(void)
{
    g_autoptr(GByteArray) bytes = NULL, again = NULL;
    g_autofree char *text = NULL;
    Fixture f;
    PCIDevice *d;
    uint8_t msi;

    fixture_init(&f);
    d = busy(&f, "msix=0xe0,msi=0xc0,pm=0xb0,express=0x44,common=0x80,notify=0x98");
    bytes = save_record(d);
    device_unplug(&d->dev);
    d = plug_function(&f, &type, "pcie.0", "d", FN, NULL);
    loads(d, bytes);
    sound(d);
    again = save_record(d);
    g_assert_cmpmem(bytes->data, bytes->len, again->data, again->len);
    msi = pci_find_capability(d, PCI_CAP_ID_MSI);
    g_assert_cmphex(msi, ==, 0xc0);
    text = device_prop_text(&d->dev, "msi");
    g_assert_cmpuint(g_ascii_strtoull(text, NULL, 0), ==, 0xc0);
    config_write(&f, FN, msi + PCI_MSI_FLAGS, 2,
                 PCI_MSI_FLAGS_ENABLE | 2 << 4); /* masks moved too */
    g_assert_true(msi_enabled(d));
    config_write(&f, FN, 0x40, 4, 0xffffffff); /* plain bytes now */
    g_assert_cmphex(config_read(&f, FN, 0x40, 4), ==, 0xffffffff);
    config_write(&f, FN, pci_find_capability(d, PCI_CAP_ID_PM) + 4, 2, 3);
    g_assert_cmpuint(d->d_state, ==, 3);
    device_unplug(&d->dev);
    refused(&f, &type, "pcie.0", "d", FN, "msix=0xe0,msi=0xd0", "0xe0 to 0xeb is used");
    fixture_fini(&f);
}

/* All differences in one message, each with its register, both values and the deciding property. */
static void test_differences(void)
{
    g_autoptr(GByteArray) bytes = NULL;
    g_autoptr(GError) err = NULL;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = busy(&f, "vectors=7,size=0x4000,multifunction=on");
    bytes = save_record(d);
    bytes->data[CONFIG] = 0xf4;
    bytes->data[CONFIG + PCI_INTERRUPT_PIN] = 3;
    bytes->data[CONFIG + 0x200] = 1;
    device_unplug(&d->dev);
    d = plug_function(&f, &type, "pcie.0", "d", FN, "size=0x8000");
    config_write(&f, FN, PCI_BASE_ADDRESS_0, 4, MMIO + 0x8000);
    bytes->data[CONFIG + PCI_BASE_ADDRESS_0 + 1] |= 0x40;
    g_assert_false(load_record(d, bytes, &err));
    g_assert_nonnull(strstr(err->message,
                            "Vendor ID (0x0) is 0x12f4 in the record and 0x1234 here, "
                            "different in bits 0xc0"));
    g_assert_nonnull(strstr(err->message, "Interrupt Pin (0x3d) is 0x3"));
    g_assert_nonnull(strstr(err->message, "Header Type"));
    g_assert_nonnull(strstr(err->message, "set by property multifunction"));
    g_assert_nonnull(strstr(err->message, "Base Address 0"));
    g_assert_nonnull(strstr(err->message, "set by property size"));
    g_assert_nonnull(strstr(err->message, "MSI-X Message Control"));
    g_assert_nonnull(strstr(err->message, "set by property vectors"));
    g_assert_nonnull(strstr(err->message, "unallocated byte 0x200"));
    fixture_fini(&f);
}

static void put(GByteArray *bytes, unsigned at, uint8_t value)
{
    bytes->data[CONFIG + at] = value;
}

/* The last byte of config space, and a ROM of another size. */
static void test_differences_at_the_edge(void)
{
    g_autofree char *path = NULL, *settings = NULL;
    g_autoptr(GByteArray) bytes = NULL, small = NULL;
    int fd = g_file_open_tmp("rom-XXXXXX", &path, NULL);
    Fixture f;
    PCIDevice *d;

    close(fd);
    fixture_init(&f);
    d = plug_function(&f, &wide_type, "pcie.0", "d", FN, NULL);
    bytes = save_record(d);
    put(bytes, 0xff, 0x80);
    refuses(d, bytes, "(0xff) is 0x80 in the record and 0x0 here, different in bits 0x80");
    put(bytes, 0xff, 0);
    put(bytes, 0x2c, 0xff); /* no property decides it */
    refuses(d, bytes, "Subsystem Vendor ID (0x2c) is 0x1aff in the record and 0x1af4 here");
    device_unplug(&d->dev);
    settings = g_strdup_printf("romfile=%s", path);
    g_assert_true(g_file_set_contents(path, "small", 5, NULL));
    d = plug_function(&f, &wide_type, "pcie.0", "d", FN, settings);
    config_write(&f, FN, PCI_ROM_ADDRESS, 4, MMIO + 0x800);
    small = save_record(d);
    device_unplug(&d->dev);
    g_assert_cmpint(truncate(path, 0x1000), ==, 0);
    d = plug_function(&f, &wide_type, "pcie.0", "d", FN, settings);
    refuses(d, small, "Expansion ROM Base Address");
    refuses(d, small, "set by property romfile");
    fixture_fini(&f);
    g_unlink(path);
}

/* The message is bounded for any number of differences: 64 registers by name, and the number of the
 * others. */
static void test_very_different(void)
{
    g_autoptr(GByteArray) bytes = NULL;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = busy(&f, NULL);
    bytes = save_record(d);
    for (unsigned at = 0x200; at < 0x300; at++) {
        put(bytes, at, 1);
    }
    refuses(d, bytes, "unallocated byte 0x23f");
    refuses(d, bytes, "; and 192 more");
    fixture_fini(&f);
}

/* A record that switches and moves capabilities and has an error in its last part: the MSI-X table,
 * or the levels. MSI-X is unchanged, with its table, its notifier and its pending bits. */
static void test_refused_late(void)
{
    static const char *const here[] = { "msix=off", "msi=off,msix=0xd0", "msi=0xc0,pm=0xf0" };

    for (unsigned i = 0; i < G_N_ELEMENTS(here); i++) {
        g_autoptr(GByteArray) bytes = NULL;
        unsigned table = CONFIG + 4096 + 16;
        PCIDevice *d;
        Fixture f;

        fixture_init(&f);
        d = busy(&f, "pm=0xe0");
        bytes = save_record(d);
        device_unplug(&d->dev);
        d = busy(&f, here[i]);
        bytes->data[table + 13] = 1;
        refuses(d, bytes, "MSI-X table entry 0 has reserved bits 0x01");
        bytes->data[table + 13] = 0;
        bytes->data[table + 48] |= 8;
        refuses(d, bytes, "pending bits beyond vector 2");
        bytes->data[table + 48] &= 7;
        bytes->data[bytes->len - 1] = 4;
        refuses(d, bytes, "levels of the interrupt sources");
        put(bytes, 0xe4, 1); /* D1 */
        refuses(d, bytes, "power state D1");
        put(bytes, 0xe4, 0);
        g_byte_array_set_size(bytes, table + 20);
        refuses(d, bytes, "cut short: 3 vectors");
        pci_irq_set(d, 1, false);
        fixture_fini(&f);
    }
}

/* A record adds a capability only if the device could have it. */
static void test_present_but_impossible(void)
{
    g_autoptr(GByteArray) bytes = NULL;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = busy(&f, NULL);
    bytes = save_record(d);
    device_unplug(&d->dev);
    d = plug_function(&f, &type, "pcie.0", "d", FN, "msix=off,vectors=5000");
    refuses(d, bytes, "5000 MSI-X vectors as set by vectors: 0 to 2048 are accepted");
    sound(d);
    g_assert_cmpuint(msix_vectors(d), ==, 0);
    fixture_fini(&f);
}

static void test_bad_lists(void)
{
    g_autoptr(GByteArray) bytes = NULL;
    g_autofree uint8_t *good = NULL;
    Fixture f;
    PCIDevice *d;
    unsigned head, second;

    fixture_init(&f);
    d = busy(&f, NULL);
    bytes = save_record(d);
    good = g_memdup2(bytes->data, bytes->len);
    head = d->config.bytes[PCI_CAPABILITY_LIST];
    second = d->config.bytes[head + 1];
#define AGAIN memcpy(bytes->data, good, bytes->len)
    put(bytes, PCI_CAPABILITY_LIST, head + 1);
    refuses(d, bytes, "which is not a valid offset of an entry");
    put(bytes, PCI_CAPABILITY_LIST, 0x3c);
    refuses(d, bytes, "which is not a valid offset of an entry");
    AGAIN, put(bytes, second + 1, head);
    refuses(d, bytes, "loops");
    AGAIN, put(bytes, head + 1, 0);
    refuses(d, bytes, "is not in the list");
    AGAIN, put(bytes, head, 0x0a);
    refuses(d, bytes, "does not exist on this device");
    AGAIN, put(bytes, PCI_STATUS, 0);
    refuses(d, bytes, "is not in the list");
    refuses(d, bytes, "Capabilities List of Status is 0 while Capabilities Pointer is 0x");
    AGAIN, put(bytes, PCI_CAPABILITY_LIST, 0);
    refuses(d, bytes, "Capabilities List of Status is 1 while Capabilities Pointer is 0x00");
    AGAIN, put(bytes, PCI_CAPABILITY_LIST, 0xfc);
    put(bytes, 0xfc, bytes->data[CONFIG + head]);
    put(bytes, 0xfd, second);
    refuses(d, bytes, "extends beyond the end");
    AGAIN, put(bytes, PCI_CAPABILITY_LIST, second + 4); /* inside another entry */
    put(bytes, second + 4, bytes->data[CONFIG + head]);
    put(bytes, second + 5, second);
    refuses(d, bytes, "overlaps");
    AGAIN, put(bytes, 0x100, 7);
    put(bytes, 0x102, 1);
    refuses(d, bytes, "does not exist on this device");
    AGAIN, put(bytes, 0x103, 0x10); /* null head pointing at itself, then below 100h */
    refuses(d, bytes, "0x100");
    AGAIN, put(bytes, 0x103, 0x04);
    refuses(d, bytes, "which is not a valid offset of an entry");
    AGAIN, put(bytes, 0x103, 0x20);
    refuses(d, bytes, "null entry at 0x200");
    AGAIN, bytes->data[3] = 4;
    refuses(d, bytes, "record version 4: 1 to 3");
    AGAIN, bytes->data[3] = 0;
    refuses(d, bytes, "record version 0: 1 to 3");
    AGAIN, bytes->data[0] = 0xff;
    refuses(d, bytes, "1 to 3 are accepted");
    AGAIN;
    loads(d, bytes); /* none of it had an effect */
    sound(d);
    fixture_fini(&f);
}

static void test_short(void)
{
    g_autoptr(GByteArray) bytes = NULL;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = busy(&f, NULL);
    bytes = save_record(d);
    for (unsigned len = bytes->len; len-- > 0;) {
        GByteArray part = { .data = bytes->data, .len = len };

        g_autoptr(GByteArray) before = NULL;

        if (len > 40 && len < CONFIG + 4000 && len % 97) {
            continue;
        }
        before = snapshot(d);
        g_assert_false(load_record(d, &part, NULL));
        g_assert_true(snapshot_equal(d, before));
        sound(d);
    }
    loads(d, bytes);
    fixture_fini(&f);
}

/* Replace any byte by any value: rejected, or loaded with all invariants, and the guest
 * continues. */
static void test_mutations(void)
{
    g_autoptr(GByteArray) bytes = NULL;
    g_autofree uint8_t *good = NULL;
    unsigned taken = 0;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = busy(&f, NULL);
    bytes = save_record(d);
    good = g_memdup2(bytes->data, bytes->len);
    for (unsigned i = 0; i < 6000; i++) {
        g_autoptr(GByteArray) before = NULL;
        unsigned n = g_test_rand_int_range(1, 4);
        bool ok;

        memcpy(bytes->data, good, bytes->len);
        for (unsigned k = 0; k < n; k++) {
            unsigned at = g_test_rand_bit() ? g_test_rand_int_range(0, CONFIG + 0x110)
                                            : g_test_rand_int_range(0, bytes->len);

            bytes->data[at] = g_test_rand_bit() ? g_test_rand_int() : 0xff;
        }
        before = snapshot(d);
        ok = load_record(d, bytes, NULL);
        g_assert_true(ok || snapshot_equal(d, before));
        taken += ok;
        sound(d);
        for (unsigned k = 0; k < 8; k++) {
            config_write(&f, FN, g_test_rand_int_range(0, 0x100), 4, g_test_rand_int());
            pci_irq_set(d, g_test_rand_int_range(0, 2), g_test_rand_bit());
            guest_read(&f, MMIO + g_test_rand_int_range(0, 0x20000), 4);
        }
    }
    g_assert_cmpuint(taken, >, 0);
    mem_check(&f.m->memory);
    memcpy(bytes->data, good, bytes->len);
    loads(d, bytes);
    fixture_fini(&f);
}

/* The extended list contains only capabilities that the device can have, once each, inside config
 * space. */
static void test_bad_extended_lists(void)
{
    g_autoptr(GByteArray) bytes = NULL;
    g_autofree uint8_t *good = NULL;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &ext_type, "pcie.0", "d", FN, NULL);
    bytes = save_record(d);
    good = g_memdup2(bytes->data, bytes->len);
    put(bytes, 0x183, 0x18); /* its own successor */
    refuses(d, bytes, "the extended capability list loops at 0x180");
    AGAIN, put(bytes, 0x182, bytes->data[CONFIG + 0x182] | 0x20);
    refuses(d, bytes, "which is not a valid offset of an entry");
    AGAIN, put(bytes, 0x180, 0x0d);
    refuses(d, bytes, "the Access Control Services capability (id 0xd) at 0x180 does not exist on");
    refuses(d, bytes, "the Advanced Error Reporting capability is not in the list");
    AGAIN, memcpy(bytes->data + CONFIG + 0xff0, good + CONFIG + 0x180, 16);
    put(bytes, 0x103, 0xff);
    put(bytes, 0x102, 0);
    refuses(d, bytes, "the Advanced Error Reporting capability at 0xff0 extends beyond the end");
    AGAIN;
    loads(d, bytes);
    sound(d);
    fixture_fini(&f);
}

static GByteArray *save_lean(PCIDevice *d)
{
    GByteArray *bytes = g_byte_array_new();
    ByteWriter w = { bytes };

    pci_record_ops.save(d, &w);
    return bytes;
}

/* In a section: the length first, and no zeros at the end of config space. */
static void test_lean(void)
{
    g_autoptr(GByteArray) whole = NULL, lean = NULL, again = NULL;
    unsigned config, beside = 4 + 4 + 16;
    Fixture f;
    PCIDevice *d;

    fixture_init(&f);
    d = plug_function(&f, &ext_type, "pcie.0", "d", FN, NULL);
    whole = save_record(d);
    lean = save_lean(d);
    config = lean->data[2] << 8 | lean->data[3];
    config -= beside;
    g_assert_cmpuint(config, >, 0x180);
    g_assert_cmpuint(config, <=, 0x180 + 0x48);
    g_assert_cmpuint(lean->len, ==, whole->len + 4 - (4096 - config));
    g_assert_cmpmem(lean->data + 4, CONFIG + config, whole->data, CONFIG + config);
    machine_reset(f.m, RESET_COLD);
    loads(d, lean);
    sound(d);
    again = save_record(d);
    g_assert_cmpmem(whole->data, whole->len, again->data, again->len);
    lean->data[7] = 2;
    refuses(d, lean, "a record of version 2 with");
    lean->data[7] = 3;
    lean->data[3]++;
    refuses(d, lean, "a multiple of 4 is accepted");
    lean->data[3] -= 5; /* 4 less: the last register is truncated, and everything after it moves */
    refuses(d, lean, "record: ");
    lean->data[2] = 0;
    refuses(d, lean, "1 to 3 are accepted");
    loads(d, whole);
    fixture_fini(&f);
}

/* A conventional function omits nothing: no length, only the record. */
static void test_lean_conventional(void)
{
    g_autoptr(GByteArray) whole = NULL, lean = NULL;
    Fixture f;
    PCIDevice *d;

    fixture_init_kind(&f, PLAN_BUS_PCI);
    d = plug_function(&f, &type, "pcie.0", "d", FN, NULL);
    whole = save_record(d);
    lean = save_lean(d);
    g_assert_cmpmem(whole->data, whole->len, lean->data, lean->len);
    whole->data[2] = 8;
    refuses(d, whole, "1 to 3 are accepted");
    fixture_fini(&f);
}

/* The description's fields add up to the saved bytes. */
static void check_description(PCIDevice *d, const char *const *names)
{
    g_autoptr(GByteArray) lean = save_lean(d);
    g_autoptr(VmDescription) desc = pci_record_ops.describe(d);
    uint64_t sum = 0;

    for (guint i = 0; i < desc->fields->len; i++) {
        const VmFieldInfo *f = &g_array_index(desc->fields, VmFieldInfo, i);

        sum += f->size * MAX(f->array_len, 1);
        g_assert_cmpstr(f->name, ==, names[i]);
    }
    g_assert_null(names[desc->fields->len]);
    g_assert_cmpuint(sum, ==, lean->len);
    g_assert_cmpuint(desc->version, ==, 3);
}

#define RECORD "version_id", "cap_present", "config", "irq_state"
static void test_describe(void)
{
    static const char *const all[] = { "length", RECORD, "caps", NULL };
    static const char *const no_state[] = { "length", RECORD, NULL };
    static const char *const conventional[] = { RECORD, "caps", NULL };
    Fixture f;

    fixture_init(&f);
    check_description(busy(&f, NULL), all);
    check_description(plug_function(&f, &ext_type, "pcie.0", "e", PCI_DEVFN(2, 0), NULL), no_state);
    check_description(plug_function(&f, &wide_type, "pcie.0", "w", PCI_DEVFN(3, 0), NULL),
                      conventional);
    fixture_fini(&f);
}

/* Windows and bus numbers take effect after a load as after a write. */
static void test_bridge(void)
{
    g_autoptr(GByteArray) bytes = NULL;
    Fixture f;
    PCIDevice *port, *d;

    fixture_init(&f);
    port = plug_function(&f, &port_type, "pcie.0", "rp", FN, NULL);
    d = plug_function(&f, &type, "rp", "d", 0, NULL);
    config_write(&f, FN, PCI_PRIMARY_BUS, 4, 0x010100);
    config_write(&f, FN, PCI_MEMORY_BASE, 4, 0x40004000);
    config_write(&f, FN, PCI_COMMAND, 2, 7);
    guest_write(&f, ecam_address(1, 0, PCI_BASE_ADDRESS_0 + 8), 4, MMIO + 0x10000);
    guest_write(&f, ecam_address(1, 0, PCI_COMMAND), 2, 6);
    g_assert_cmphex(guest_read(&f, MMIO + 0x10000 + 12, 4), ==, 1); /* a masked vector */
    bytes = save_record(port);
    machine_reset(f.m, RESET_COLD);
    pci_set(d, PCI_BASE_ADDRESS_0 + 8, 4, MMIO + 0x10000);
    pci_device_config_write(d, PCI_COMMAND, 2, 6);
    g_assert_cmphex(guest_read(&f, MMIO + 0x10000 + 12, 4), ==, 0xffffffff);
    loads(port, bytes);
    g_assert_cmphex(guest_read(&f, MMIO + 0x10000 + 12, 4), ==, 1);
    g_assert_cmphex(guest_read(&f, ecam_address(1, 0, 0), 4), ==, 0x56781234);
    fixture_fini(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pci/state/round-trip", test_round_trip);
    g_test_add_func("/pci/state/levels", test_levels);
    g_test_add_func("/pci/state/all-levels", test_all_levels);
    g_test_add_func("/pci/state/no-switch", test_no_switch);
    g_test_add_func("/pci/state/old-versions", test_old_versions);
    g_test_add_func("/pci/state/old-versions-conventional", test_old_versions_conventional);
    g_test_add_func("/pci/state/old-versions-without-msix", test_old_versions_without_msix);
    g_test_add_func("/pci/state/present-wins", test_present_wins);
    g_test_add_func("/pci/state/foreign-offsets", test_foreign_offsets);
    g_test_add_func("/pci/state/differences", test_differences);
    g_test_add_func("/pci/state/differences-at-the-edge", test_differences_at_the_edge);
    g_test_add_func("/pci/state/very-different", test_very_different);
    g_test_add_func("/pci/state/present-but-impossible", test_present_but_impossible);
    g_test_add_func("/pci/state/refused-late", test_refused_late);
    g_test_add_func("/pci/state/bad-lists", test_bad_lists);
    g_test_add_func("/pci/state/short", test_short);
    g_test_add_func("/pci/state/mutations", test_mutations);
    g_test_add_func("/pci/state/bad-extended-lists", test_bad_extended_lists);
    g_test_add_func("/pci/state/lean", test_lean);
    g_test_add_func("/pci/state/lean-conventional", test_lean_conventional);
    g_test_add_func("/pci/state/describe", test_describe);
    g_test_add_func("/pci/state/bridge", test_bridge);
    return g_test_run();
}
