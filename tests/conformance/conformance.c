/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One loop over every registered type that a guest can meet. The promises in the tables of a type
 * are checked against the behaviour of its config space, BARs, reset and saved state. Hostile
 * accesses and streams must be rejected or harmless. A new type is covered by its registration. A
 * type that needs back ends, or a bus other than the root bus, has a row in `needs`. A type that is
 * not a PCI function is located on a bus that a PCI function provides, and accesses are made to
 * that function, or in a virtio-mmio slot, and accesses are made to the registers of the slots.
 *
 * CONFORMANCE_ROUNDS multiplies the random parts (default 1).
 */
#define FIXTURE_WITH_TYPES
#define FIXTURE_WITH_CPUS
#include "../unit/hw/pci/pci-fixture.h"
#include "../unit/hw/pci/snapshot.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "block/block.h"
#include "chardev/chardev.h"
#include "hw/core/sysdev.h"
#include "hw/core/type_catalog.h"
#include "hw/pci/port.h"
#include "hw/virtio/virtio_mmio.h"
#include "net/net.h"
#include "plan/internal.h"

enum { WRITES = 20000, MUTANTS = 2000, CYCLES = 1000, LEAK_LIMIT = 64 * 1024 };
#define SLOTS 0x10001000ull /* address of the first virtio-mmio slot */

/* Types that cannot simply be placed on the root bus. */
typedef struct Need {
    const char *type, *bus, *settings;
    uint8_t devfn;
} Need;

static const Need needs[] = {
    { "x3130-upstream", "rp", NULL, 0 },
    { "xio3130-downstream", "up", NULL, PCI_DEVFN(1, 0) },
    { "pcie-pci-bridge", "rp", NULL, 0 },
    { "pxb-pcie", "pcie.0", "bus_nr=64", PCI_DEVFN(5, 0) },
    { "pci-bridge", "cb", NULL, PCI_DEVFN(1, 0) },
    { "virtio-blk-pci", "rp", "drive=d0,num-queues=4", 0 },
    { "virtio-blk-pci-transitional", "pcie.0", "drive=d0", PCI_DEVFN(5, 0) },
    { "virtio-blk-pci-non-transitional", "pcie.0", "drive=d0,packed=on", PCI_DEVFN(5, 0) },
    { "virtio-net-pci", "rp", "netdev=n0,queue-pairs=2", 0 },
    { "virtio-serial-pci", "rp", "max_ports=4", 0 },
    { "virtconsole", "vs.0", "nr=0,chardev=c0", 0 },
    { "virtserialport", "vs.0", "nr=3,chardev=c0,name=port", 0 },
    { "virtio-balloon-pci", "rp", "free-page-reporting=on", 0 },
    { "virtio-balloon-device", "slot0", "free-page-reporting=on", 0 },
    { "virtio-blk-device", "slot1", "drive=d0,num-queues=4,packed=on", 0 },
    { "virtio-net-device", "slot1", "netdev=n0,queue-pairs=2", 0 },
    { "virtio-rng-device", "slot0", "max-bytes=1000", 0 },
    { "virtio-serial-device", "slot0", "max_ports=4", 0 },
    { "virtio-scsi-pci", "rp", "num_queues=2", 0 },
    { "virtio-scsi-device", "slot1", "num_queues=2,packed=on", 0 },
    { "nvme", "rp", "drive=d0,serial=s", 0 },
    { "nvme-ns", "nv", "drive=d0,nsid=3", 0 },
    { "scsi-hd", "sc.0", "drive=d0,serial=s,wwn=1", 0 },
    { "scsi-cd", "sc.0", "scsi-id=1,lun=2", 0 },
    { "qemu-xhci", "rp", "p2=15,p3=3", 0 },
    { "usb-kbd", "xhci.0", "port=1", 0 },
    { "usb-tablet", "xhci.0", "port=2", 0 },
    { "usb-mouse", "xhci.0", "port=4,usb_version=1", 0 },
};
static const DeviceType *subject;
static unsigned rounds = 1;

static const PCIDeviceType *type(const char *name)
{
    return (const PCIDeviceType *)device_type_find(name);
}

static bool is_pci(const DeviceType *t)
{
    return t->kind == &pci_device_kind;
}

static const Need *need_of(const DeviceType *t)
{
    static const Need plain = { NULL, "pcie.0", NULL, PCI_DEVFN(5, 0) };

    for (size_t i = 0; i < G_N_ELEMENTS(needs); i++) {
        if (g_str_equal(needs[i].type, t->name)) {
            return &needs[i];
        }
    }
    return &plain;
}

/* --- a machine with a place for each type --- */

static void make_back_ends(Machine *m)
{
    struct json_object *drive =
        json_tokener_parse("{'id':'d0','file':'null-co://','format':'raw'}");
    struct json_object *net = json_tokener_parse("{'type':'hubport','id':'n0','hubid':0}");

    g_assert_nonnull(block_drive_new(m, drive, false, NULL));
    g_assert_nonnull(netdev_new(m, net, NULL));
    g_assert_nonnull(chardev_new(m, NULL, "ringbuf,id=c0,size=1024", NULL));
    json_object_put(drive);
    json_object_put(net);
}

static Device *plug_on_bus(Fixture *f, const DeviceType *t, const Need *n)
{
    g_autofree char *text = g_strdup_printf("%s,bus=%s,id=dut,%s", t->name, n->bus, n->settings);
    g_autoptr(PlanDevice) plan = plan_device_parse(text, NULL);
    Device *dev = device_new(f->m, t, plan, NULL);

    g_assert_true(device_realize(dev, plan, NULL, NULL));
    return dev;
}

/* Create the type with all optional capabilities on, or with the user's defaults. */
static Device *plug_subject(Fixture *f, bool everything)
{
    const Need *n = need_of(subject);
    g_autoptr(GString) settings = g_string_new(n->settings);
    const PCIDeviceType *t;

    if (!is_pci(subject)) {
        return plug_on_bus(f, subject, n);
    }
    t = (const PCIDeviceType *)subject;
    for (size_t i = 0; everything && i < t->n_caps; i++) {
        if (t->caps[i].off_by_default) {
            g_string_append_printf(settings, "%s%s=on", settings->len ? "," : "", t->caps[i].prop);
        }
    }
    return &plug_function(f, t, n->bus, "dut", n->devfn, settings->len ? settings->str : NULL)->dev;
}

/* Return the PCI function of the device, or the one that provides its bus. NULL: the device is in a
 * slot. */
static PCIDevice *function_of(Device *dev)
{
    if (dev->type->kind == &virtio_mmio_device_kind) {
        return NULL;
    }
    return (PCIDevice *)(is_pci(dev->type) ? dev : dev->bus->owner);
}

/* Two slots: version 1, and version 2. */
static void make_slots(Machine *m)
{
    static const char *const layouts[] = { "force-legacy=on", "force-legacy=off" };

    for (unsigned i = 0; i < G_N_ELEMENTS(layouts); i++) {
        g_autofree char *bus = g_strdup_printf("slot%u", i);
        Device *slot = device_create(m, "virtio-mmio", layouts[i], NULL, NULL);

        sysdev_map(slot, 0, SLOTS + i * VIRTIO_MMIO_SLOT_SIZE);
        g_assert_true(virtio_mmio_slot_add_bus(slot, bus, NULL));
    }
}

static void start_around(Fixture *f)
{
    fixture_init(f);
    make_back_ends(f->m);
    make_slots(f->m);
    plug_function(f, type("pcie-root-port"), "pcie.0", "rp", PCI_DEVFN(1, 0), NULL);
    plug_function(f, type("pcie-root-port"), "pcie.0", "rp2", PCI_DEVFN(2, 0), NULL);
    plug_function(f, type("x3130-upstream"), "rp2", "up", 0, NULL);
    plug_function(f, type("pcie-root-port"), "pcie.0", "rp3", PCI_DEVFN(3, 0), NULL);
    plug_function(f, type("pcie-pci-bridge"), "rp3", "cb", 0, NULL);
    plug_function(f, type("virtio-serial-pci"), "pcie.0", "vs", PCI_DEVFN(4, 0), "max_ports=4");
    plug_function(f, type("virtio-scsi-pci"), "pcie.0", "sc", PCI_DEVFN(6, 0), NULL);
    plug_function(f, type("qemu-xhci"), "pcie.0", "xhci", PCI_DEVFN(7, 0), NULL);
    plug_function(f, type("nvme"), "pcie.0", "nv", PCI_DEVFN(8, 0), "serial=n");
    f->m->qtest = true; /* let back ends deliver input as if the guest ran */
}

static Device *start_any(Fixture *f)
{
    start_around(f);
    return plug_subject(f, true);
}

static PCIDevice *start(Fixture *f)
{
    return function_of(start_any(f));
}

static void finish(Fixture *f)
{
    fixture_empty(f->m, "peripheral");
    block_free_all(f->m);
    netdev_free_all(f->m);
    chardev_free_all(f->m);
    fixture_fini(f);
}

static GByteArray *saved(Device *dev)
{
    GByteArray *bytes = g_byte_array_new();
    ByteWriter w = { bytes };

    if (dev->type->vmstate) {
        vm_save(dev->type->vmstate, dev, &w);
    }
    return bytes;
}

/* A guest that writes random values to the registers of the slots, many of them small. */
static void poke_slots(Fixture *f, unsigned writes)
{
    for (unsigned i = 0; i < writes; i++) {
        uint64_t addr = SLOTS + (g_test_rand_int() & 0x13fc), value;

        mem_write(&f->m->memory, addr, 4,
                  (uint32_t)g_test_rand_int() >> g_test_rand_int_range(0, 32));
        mem_write(&f->m->memory, addr + (g_test_rand_int() & 7), 1u << g_test_rand_int_range(0, 4),
                  g_test_rand_int());
        mem_read(&f->m->memory, addr, 4, &value);
    }
}

/* A guest that writes random values to the function's config space and BARs. */
static void poke(Fixture *f, PCIDevice *d, unsigned writes)
{
    static const uint8_t sizes[] = { 1, 2, 4 };

    if (!d) {
        poke_slots(f, writes);
    }
    for (unsigned i = 0; d && i < writes; i++) {
        uint32_t at = g_test_rand_int_range(0, d->config.size + 4);
        unsigned len = sizes[g_test_rand_int_range(0, 3)];

        pci_device_config_write(d, at, len, g_test_rand_int());
        pci_device_config_read(d, at, len);
        if (i % 16 == 0) {
            uint64_t addr = MMIO + (g_test_rand_int() & 0x3fffff);
            uint64_t value;

            mem_write(&f->m->memory, addr, 1u << g_test_rand_int_range(0, 4), g_test_rand_int());
            mem_read(&f->m->memory, addr, 4, &value);
        }
    }
    clock_step_ns(f, 200000000);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

static void map_bars(PCIDevice *d)
{
    if (d) {
        pci_device_config_write(d, PCI_COMMAND, 2, 7);
    }
    for (unsigned i = 0; d && i < (d->config.type ? 2u : 6u); i++) {
        pci_device_config_write(d, PCI_BASE_ADDRESS_0 + 4 * i, 4, (uint32_t)MMIO + (i << 20));
    }
}

/* --- the checks --- */

static void check_list(PCIDevice *d)
{
    uint8_t seen[PCIE_CONFIG_SIZE] = { 0 };
    unsigned at;

    if (!d) {
        return;
    }
    at = pci_get(d, PCI_CAPABILITY_LIST, 1);
    g_assert_true(!(pci_get(d, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST) == (at == 0));
    for (; at; at = pci_get(d, at + 1, 1)) {
        g_assert_cmpuint(at, >=, PCI_HEADER_SIZE);
        g_assert_cmpuint(at % 4, ==, 0);
        g_assert_cmpuint(seen[at]++, ==, 0);
        g_assert_cmphex(pci_config_mask(&d->config, PCI_USED, at), ==, 0xff);
    }
    for (at = d->express ? 0x100 : 0; at && pci_get(d, at, 4); at = pci_get(d, at + 2, 2) >> 4) {
        g_assert_cmpuint(at % 4, ==, 0);
        g_assert_cmpuint(seen[at]++, ==, 0);
    }
}

static void test_list(void)
{
    Fixture f;
    PCIDevice *d = start(&f);

    check_list(d);
    g_assert_cmphex(pci_get(d, PCI_VENDOR_ID, 2), !=, 0xffff);
    g_assert_cmphex(pci_get(d, PCI_CLASS_PROG, 3), ==, pci_type(d)->class_code);
    poke(&f, d, WRITES);
    check_list(d);
    finish(&f);
}

/* A bit that is in no mask and is compared on load never changes as a result of guest writes. */
static void test_declared_bits(void)
{
    Fixture f;
    PCIDevice *d = start(&f);
    g_autofree uint8_t *before = g_memdup2(d->config.bytes, d->config.size);

    for (unsigned r = 0; r < rounds; r++) {
        poke(&f, d, WRITES);
        for (unsigned i = 0; i < d->config.size; i++) {
            uint8_t fixed = pci_config_mask(&d->config, PCI_CMASK, i) &
                            ~pci_config_mask(&d->config, PCI_WMASK, i) &
                            ~pci_config_mask(&d->config, PCI_W1CMASK, i);

            if ((before[i] ^ d->config.bytes[i]) & fixed) {
                g_error("%s: byte 0x%x changed from 0x%02x to 0x%02x, fixed bits 0x%02x",
                        subject->name, i, before[i], d->config.bytes[i], fixed);
            }
        }
    }
    finish(&f);
}

static void test_bar_sizing(void)
{
    Fixture f;
    PCIDevice *d = start(&f);

    for (unsigned i = 0; i < (d->config.type ? 2u : 6u); i++) {
        uint32_t reg = PCI_BASE_ADDRESS_0 + 4 * i, size;
        uint32_t kind = pci_device_config_read(d, reg, 4);

        pci_device_config_write(d, reg, 4, UINT32_MAX);
        size = pci_device_config_read(d, reg, 4);
        if (size == 0) {
            continue;
        }
        size &= kind & PCI_BASE_ADDRESS_SPACE_IO ? ~3u : ~15u;
        g_assert_cmphex(size & (~size + 1), ==, size & -size);
        g_assert_cmphex(~size & (~size + 1), ==, 0); /* a run of ones from the top */
        pci_device_config_write(d, reg, 4, 0);
        g_assert_cmphex(pci_device_config_read(d, reg, 4), ==, kind);
        i += (kind & 7) == PCI_BASE_ADDRESS_MEM_TYPE_64;
    }
    finish(&f);
}

/* Size a BAR through its register: write all ones and read back. 0: not implemented. Restores the
 * previous value. */
static uint64_t bar_size(PCIDevice *d, unsigned index)
{
    uint32_t at = PCI_BASE_ADDRESS_0 + 4 * index, low = pci_device_config_read(d, at, 4), high = 0;
    uint64_t mask;

    pci_device_config_write(d, at, 4, UINT32_MAX);
    mask = pci_device_config_read(d, at, 4);
    pci_device_config_write(d, at, 4, low);
    if (mask & PCI_BASE_ADDRESS_SPACE_IO) {
        return mask & 0xfffffffc ? -(mask & 0xfffffffc) & 0xffffffff : 0;
    }
    if (mask & PCI_BASE_ADDRESS_MEM_TYPE_64) {
        high = pci_device_config_read(d, at + 4, 4);
        pci_device_config_write(d, at + 4, 4, UINT32_MAX);
        mask |= (uint64_t)pci_device_config_read(d, at + 4, 4) << 32;
        pci_device_config_write(d, at + 4, 4, high);
        return -(mask & ~0xfull);
    }
    return mask & ~0xfull ? -(mask & ~0xfull) & 0xffffffff : 0;
}

/* --- the planned room --- */

/* Settings that influence BARs. They are applied to types that have the properties. */
static const char *const bar_settings[] = {
    "vectors=0",
    "vectors=1",
    "vectors=3",
    "vectors=128",
    "vectors=254",
    "vectors=255",
    "vectors=2048",
    "msix=off",
    "queue-pairs=16",
    "num-queues=64",
    "max_ports=31",
    "membar=64K",
    "membar=4G",
    "disable-legacy=on",
    "disable-legacy=off",
    "disable-modern=on,disable-legacy=off",
    "shpc=off",
    "shpc=on",
    "ctrl_vq=off,queue-pairs=1",
};

static bool has_props(const DeviceType *t, const char *settings)
{
    g_auto(GStrv) words = g_strsplit(settings, ",", -1);

    for (guint i = 0; words[i]; i++) {
        g_autofree char *name = g_strndup(words[i], strcspn(words[i], "="));
        PlanProp prop = { NULL };
        bool found = plan_find_prop(t->props, t->n_props, name) != NULL;

        for (size_t k = 0; !found && t->kind->prop && t->kind->prop(t, k, &prop); k++) {
            found = strcmp(prop.name, name) == 0;
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static PlanMachine *plan_subject(const PlanCatalog *c, const char *settings)
{
    static const char *const around[] = {
        "pcie-root-port,id=rp,addr=1",   "pcie-root-port,id=rp2,addr=2",
        "x3130-upstream,id=up,bus=rp2",  "pcie-root-port,id=rp3,addr=3",
        "pcie-pci-bridge,id=cb,bus=rp3", "virtio-serial-pci,id=vs,addr=4,max_ports=4",
        "virtio-scsi-pci,id=sc,addr=6",  "qemu-xhci,id=xhci,addr=7",
    };
    const Need *n = need_of(subject);
    g_autofree char *dut =
        g_strdup_printf("%s,id=dut,bus=%s,addr=%x.0%s%s%s%s", subject->name, n->bus,
                        PCI_SLOT(n->devfn), n->settings ? "," : "", n->settings ? n->settings : "",
                        settings ? "," : "", settings ? settings : "");
    PlanMachine *m = plan_machine_new();
    g_autoptr(GError) err = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(around); i++) {
        g_ptr_array_add(m->devices, plan_device_parse(around[i], NULL));
    }
    g_ptr_array_add(m->devices, plan_device_parse(dut, NULL));
    plan_resolve(m, c, &err);
    g_assert_no_error(err);
    return m;
}

static const PlanBar *planned_bar(const PlanDevice *d, unsigned index)
{
    for (size_t i = 0; i < d->t->n_bars; i++) {
        if (d->t->bars[i].index == index && plan_bar_size(d, &d->t->bars[i])) {
            return &d->t->bars[i];
        }
    }
    return NULL;
}

/* The size that a guest reads from the register is the planned size. */
static void compare_bars(const PlanCatalog *c, const char *settings)
{
    g_autoptr(PlanMachine) m = plan_subject(c, settings);
    const PlanDevice *plan = plan_find_device(m, "dut");
    const Need *n = need_of(subject);
    g_autofree char *all =
        g_strdup_printf("%s%s%s", n->settings ? n->settings : "",
                        n->settings && settings ? "," : "", settings ? settings : "");
    Fixture f;
    PCIDevice *d;

    start_around(&f);
    d = plug_function(&f, (const PCIDeviceType *)subject, n->bus, "dut", n->devfn,
                      *all ? all : NULL);
    for (unsigned i = 0; i < (d->config.type == 1 ? 2u : 6u); i++) {
        const PlanBar *bar = planned_bar(plan, i);
        uint64_t size = bar_size(d, i);

        if (size != (bar ? plan_bar_size(plan, bar) : 0)) {
            g_error("%s,%s: BAR %u has 0x%" PRIx64 " bytes, planned are 0x%" PRIx64, subject->name,
                    all, i, size, bar ? plan_bar_size(plan, bar) : 0);
        }
        if (bar) {
            const PCIBar *live = pci_bar(d, i);

            g_assert_true(live->io == bar->io && live->is64 == bar->is64 &&
                          live->prefetch == bar->prefetch);
            i += bar->is64;
        }
    }
    finish(&f);
}

static void test_planned_room(void)
{
    PlanCatalog *c = type_catalog_new();

    if (plan_find_type(c, subject->name)->user_creatable) {
        compare_bars(c, NULL);
        for (size_t i = 0; i < G_N_ELEMENTS(bar_settings); i++) {
            if (has_props(subject, bar_settings[i])) {
                compare_bars(c, bar_settings[i]);
            }
        }
    }
    type_catalog_free(c);
}

static void test_cold_reset(void)
{
    Fixture f;
    Device *dev = start_any(&f);
    PCIDevice *d = function_of(dev);
    g_autoptr(GByteArray) fresh = saved(dev);

    for (unsigned r = 0; r < rounds; r++) {
        g_autoptr(GByteArray) again = NULL;

        map_bars(d);
        poke(&f, d, WRITES);
        machine_reset(f.m, RESET_COLD);
        again = saved(dev);
        for (unsigned i = 0; i < fresh->len; i++) {
            if (fresh->data[i] != again->data[i]) {
                g_error("%s: byte 0x%x of the state is 0x%02x after a cold reset, fresh 0x%02x",
                        subject->name, i, again->data[i], fresh->data[i]);
            }
        }
        g_assert_cmpuint(fresh->len, ==, again->len);
    }
    finish(&f);
}

static bool load(Device *dev, const GByteArray *bytes, GError **err)
{
    const VmState *vm = dev->type->vmstate;
    ByteReader r;

    reader_init(&r, bytes->data, bytes->len);
    return vm_load(vm, dev, vm->version, &r, "dut", err);
}

static void test_round_trip(void)
{
    Fixture f;
    Device *dev = start_any(&f);
    PCIDevice *d = function_of(dev);

    for (unsigned r = 0; r < rounds && dev->type->vmstate; r++) {
        g_autoptr(GByteArray) one = NULL, two = NULL;
        g_autoptr(GError) err = NULL;

        map_bars(d);
        poke(&f, d, WRITES);
        one = saved(dev);
        machine_reset(f.m, RESET_COLD);
        load(dev, one, &err);
        g_assert_no_error(err);
        vm_arm_timers(dev->type->vmstate, dev);
        two = saved(dev);
        g_assert_cmpmem(one->data, one->len, two->data, two->len);
        check_list(d);
    }
    finish(&f);
}

/* Change one byte or truncate: the load is rejected with an error, or the device continues to
 * work. */
static void test_mutants(void)
{
    Fixture f;
    Device *dev = start_any(&f);
    PCIDevice *d = function_of(dev);
    g_autoptr(GByteArray) good = NULL;
    unsigned refused = 0;

    map_bars(d);
    poke(&f, d, WRITES);
    good = saved(dev);
    for (unsigned r = 0; r < MUTANTS * rounds && good->len; r++) {
        g_autoptr(GByteArray) bad = g_byte_array_sized_new(good->len);
        g_autoptr(GError) err = NULL;

        g_byte_array_append(bad, good->data, good->len);
        if (r % 8 == 0) {
            g_byte_array_set_size(bad, g_test_rand_int_range(0, good->len));
        } else {
            bad->data[g_test_rand_int_range(0, bad->len)] ^= 1 << g_test_rand_int_range(0, 8);
        }
        if (load(dev, bad, &err)) {
            vm_arm_timers(dev->type->vmstate, dev);
            check_list(d);
        } else {
            refused++;
            g_assert_nonnull(err);
            g_assert_true(g_str_has_prefix(err->message, "dut"));
            g_assert_null(strchr(err->message, '\n'));
        }
        poke(&f, d, 50);
        machine_reset(f.m, RESET_COLD);
    }
    g_assert_true(refused > 0 || !good->len);
    finish(&f);
}

/* Convert a record to version 1 or 2: without cap_present and the fields that follow. */
static GByteArray *as_old_version(const PCIDevice *d, const GByteArray *good, unsigned version)
{
    GByteArray *out = g_byte_array_new();
    ByteWriter w = { out };

    put_be32(&w, version);
    put_bytes(&w, good->data + 8, d->config.size + (version == 2 ? 16 : 0));
    return out;
}

/* Change some bytes, most of them in the guest's registers, or truncate. */
static GByteArray *mutant(const PCIDevice *d, const GByteArray *good, unsigned r)
{
    GByteArray *bad = r % 16 == 1 ? as_old_version(d, good, 1)
                      : r % 16 == 2
                          ? as_old_version(d, good, 2)
                          : g_byte_array_append(g_byte_array_new(), good->data, good->len);

    if (r % 8 == 0) {
        g_byte_array_set_size(bad, g_test_rand_int_range(0, bad->len));
    }
    for (int n = r % 8 ? g_test_rand_int_range(1, 4) : 0; n > 0; n--) {
        unsigned end = g_test_rand_bit() ? MIN(bad->len, 0x110u) : bad->len;

        bad->data[g_test_rand_int_range(0, (int)end)] = g_test_rand_bit()
                                                            ? (uint8_t)g_test_rand_int()
                                                        : g_test_rand_bit() ? 0
                                                                            : 0xff;
    }
    return bad;
}

/* A rejected record does not change the device, for an error at any position. */
static void test_refused_record(void)
{
    Fixture f;
    PCIDevice *d = start(&f);
    g_autoptr(GByteArray) good = NULL;
    unsigned refused = 0;

    map_bars(d);
    poke(&f, d, WRITES);
    good = save_record(d);
    for (unsigned r = 0; r < MUTANTS * rounds; r++) {
        g_autoptr(GByteArray) bad = mutant(d, good, r), before = snapshot(d);
        ByteReader in;

        reader_init(&in, bad->data, bad->len);
        if (!pci_device_load(d, &in, "dut", NULL)) {
            refused++;
            g_assert_true(snapshot_equal(d, before));
        }
        if (r % 64 == 0) {
            poke(&f, d, 50);
        }
    }
    g_assert_cmpuint(refused, >, 0);
    finish(&f);
}

static void test_help(void)
{
    PlanType t = { .name = subject->name,
                   .doc = subject->doc,
                   .props = subject->props,
                   .n_props = subject->n_props };
    const PCIDeviceType *pci = (const PCIDeviceType *)subject;
    g_autofree char *text = plan_help_type(&t);

    g_assert_nonnull(subject->doc);
    for (size_t i = 0; i < t.n_props; i++) {
        g_assert_nonnull(strstr(text, t.props[i].name));
        g_assert_nonnull(t.props[i].doc);
    }
    if (subject->vmstate) {
        g_autofree char *wrong = vm_table_check(subject->vmstate);

        g_assert_cmpstr(wrong, ==, NULL);
    }
    for (size_t i = 0; is_pci(subject) && i < pci->n_bars; i++) {
        const RegFile file = { pci->bars[i].regs, pci->bars[i].n_regs, t.name };
        g_autofree char *wrong = reg_table_check(&file);

        g_assert_cmpstr(wrong, ==, NULL);
    }
    /* State is saved, or there is a reason why it cannot be; it is never silently omitted. */
    g_assert_true(subject->vmstate || subject->no_state);
}

/* --- the rows --- */

/* The row of the entry (NULL: the header) that covers this byte; there is at most one. */
static const RegDesc *row_of(PCIDevice *d, const PCICapEntry *e, unsigned at)
{
    PCIRegTable tables[PCI_MAX_TABLES + 1];
    const RegDesc *found = NULL;
    unsigned n = 0, start = e ? e->offset : 0;

    tables[n++] = e ? pci_config_head_rows(e->extended) : pci_config_header_rows(d->config.type);
    for (uint32_t left = e ? e->selected : 0; left; left &= left - 1) {
        tables[n++] = e->tables[__builtin_ctz(left)];
    }
    for (unsigned t = 0; t < n; t++) {
        g_autofree char *wrong = pci_config_check_rows(tables[t].rows, tables[t].n);

        g_assert_cmpstr(wrong, ==, NULL);
        for (size_t i = 0; i < tables[t].n; i++) {
            const RegDesc *r = &tables[t].rows[i];

            g_assert_nonnull(r->doc);
            if (e) {
                g_assert_cmpuint(r->offset + r->width, <=, e->size);
            }
            if (at >= start + r->offset && at < start + r->offset + r->width) {
                g_assert_null(found);
                found = r;
            }
        }
    }
    return found;
}

/* Bits that a write can change are bits of a row. Instances restrict the bits of some rows. The
 * writable bits of BARs and of the ROM depend on the size, and a capability may add bits to the
 * header. The content of a vendor-specific capability belongs to the device: the class has rows for
 * its header and length only. */
static void check_row(PCIDevice *d, const PCICapEntry *e, unsigned at)
{
    const PCIConfig *c = &d->config;
    bool vendor = e && !e->extended && e->id == PCI_CAP_ID_VNDR;
    uint8_t writable = pci_config_mask(c, PCI_WMASK, at) | pci_config_mask(c, PCI_W1CMASK, at);
    const RegDesc *r = e && !e->tables ? NULL : row_of(d, e, at);

    if (e && !e->tables) {
        return; /* a capability of the device's own */
    }
    if (!r) {
        g_assert_true(vendor || writable == 0);
    } else if (e && r->rw) {
        unsigned byte = at - e->offset - r->offset;

        g_assert_cmphex(writable & ~((r->rw | r->w1c) >> 8 * byte), ==, 0);
    }
}

static void test_rows(void)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *text = subject->kind->registers(subject, &err);
    Fixture f;
    PCIDevice *d = start(&f);

    g_assert_no_error(err);
    for (unsigned at = 0; at < d->config.size; at++) {
        const PCICapEntry *e = pci_config_entry_at(&d->config, at);

        if (at < PCI_HEADER_SIZE || e) {
            check_row(d, e, at);
        }
    }
    for (const PCIBar *bar = d->bars; bar; bar = bar->next) {
        for (size_t i = 0; i < bar->file.n; i++) {
            g_assert_nonnull(strstr(text, bar->file.regs[i].name));
        }
    }
    g_assert_nonnull(strstr(text, d->config.type ? "Bridge Control" : "Subsystem Vendor ID"));
    finish(&f);
}

static void test_plug_cycles(void)
{
    Fixture f;
    Device *dev = start_any(&f);
    size_t before = 0;

    for (unsigned i = 0; i < CYCLES; i++) {
        device_unplug(dev);
        dev = plug_subject(&f, false);
        if (i == CYCLES / 10) {
            before = mallinfo2().uordblks;
        }
    }
    g_assert_cmpuint(mallinfo2().uordblks, <, before + LEAK_LIMIT);
    finish(&f);
}

/* Accesses of every length at every offset up to and past the end. */
static void test_every_access(void)
{
    Fixture f;
    PCIDevice *d = start(&f);

    for (uint32_t at = 0; at <= 4100; at++) {
        for (unsigned len = 1; len <= 8; len++) {
            uint32_t v = pci_device_config_read(d, at, len);

            if (at >= d->config.size || (len != 1 && len != 2 && len != 4)) {
                g_assert_cmphex(v, ==, len == 1 ? 0xff : len == 2 ? 0xffff : UINT32_MAX);
            }
            pci_device_config_write(d, at, len, UINT32_MAX);
        }
    }
    machine_reset(f.m, RESET_COLD);
    finish(&f);
}

/* A machine is never saved without one of its devices: the types with neither a table nor a reason
 * to reject are listed here. A guest cannot change them. */
static void test_every_type(void)
{
    static const char *const stateless[] = {
        "gpex-pcihost",      /* windows are properties; pins belong to the functions */
        "loader",            /* it acts at power-on and reset only */
        "riscv.imsic",       /* its files are saved with the harts */
        "riscv.sifive.test", /* a write ends the machine */
        "virtio-mmio",       /* an empty slot */
    };
    unsigned found = 0;

    for (size_t i = 0; i < n_device_types; i++) {
        const DeviceType *t = *device_type_entries[i];
        g_autofree char *wrong = t->vmstate ? vm_table_check(t->vmstate) : NULL;
        bool known = false;

        g_assert_cmpstr(wrong, ==, NULL);
        for (size_t k = 0; k < G_N_ELEMENTS(stateless); k++) {
            known |= g_str_equal(stateless[k], t->name);
        }
        if (!known && !t->vmstate && !t->no_state) {
            g_error("%s has neither saved state nor a reason why it cannot be saved", t->name);
        }
        g_assert_false(known && t->vmstate);
        found += known;
    }
    g_assert_cmpuint(found, ==, G_N_ELEMENTS(stateless));
}

static const struct {
    const char *name;
    void (*fn)(void);
    bool pci; /* only for functions */
} checks[] = {
    { "list", test_list, true },
    { "declared-bits", test_declared_bits, true },
    { "rows", test_rows, true },
    { "bar-sizing", test_bar_sizing, true },
    { "planned-room", test_planned_room, true },
    { "every-access", test_every_access, true },
    { "cold-reset", test_cold_reset, false },
    { "round-trip", test_round_trip, false },
    { "mutants", test_mutants, false },
    { "refused-record", test_refused_record, true },
    { "help", test_help, false },
    { "plug-cycles", test_plug_cycles, false },
};

static void run_check(gconstpointer data)
{
    const size_t *which = data;

    subject = *device_type_entries[which[0]];
    checks[which[1]].fn();
}

int main(int argc, char **argv)
{
    const char *text = g_getenv("CONFORMANCE_ROUNDS");
    GPtrArray *rows = g_ptr_array_new_with_free_func(g_free);
    int rc;

    g_test_init(&argc, &argv, NULL);
    rounds = text ? MAX(1, g_ascii_strtoull(text, NULL, 10)) : 1;
    for (size_t i = 0; i < n_device_types; i++) {
        const DeviceType *t = *device_type_entries[i];

        if (t->kind == &sys_device_kind || t->internal) {
            continue;
        }
        for (size_t c = 0; c < G_N_ELEMENTS(checks); c++) {
            if (checks[c].pci && !is_pci(t)) {
                continue;
            }
            g_autofree char *path = g_strdup_printf("/conformance/%s/%s", t->name, checks[c].name);
            size_t *row = g_new(size_t, 2);

            row[0] = i;
            row[1] = c;
            g_ptr_array_add(rows, row);
            g_test_add_data_func(path, row, run_check);
        }
    }
    g_test_add_func("/conformance/every-type", test_every_type);
    rc = g_test_run();
    g_ptr_array_free(rows, TRUE);
    return rc;
}
