/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine with a PCI host laid out like QEMU's virt, for tests of the PCI core: ECAM, windows,
 * some RAM that receives messages, and four lines that record their level.
 */
#ifndef TESTS_HW_PCI_FIXTURE_H
#define TESTS_HW_PCI_FIXTURE_H

#include <string.h>

#include "hw/core/cpu.h"
#include "hw/pci/internal.h"

#define ECAM     0x30000000ull
#define PIO      0x03000000ull
#define MMIO     0x40000000ull
#define MMIO64   0x400000000ull
#define RAM      0x80000000ull
#define RAM_SIZE 0x200000ull

typedef struct Fixture {
    Machine *m;
    PCIHost host;
    MemRegion mmio, mmio64, pio, ram;
    bool line[PCI_NUM_PINS];
    unsigned edges;
} Fixture;

static inline void fixture_intx(void *opaque, unsigned n, bool level)
{
    Fixture *f = opaque;

    g_assert_true(f->line[n] != level);
    f->line[n] = level;
    f->edges++;
}

static inline void fixture_init_kind(Fixture *f, PlanBusKind kind)
{
    g_autoptr(GError) err = NULL;
    RamBlock *ram;

    *f = (Fixture){ .m = machine_new() };
    machine_lock(f->m);
    clocks_set_stepped(f->m->clocks);
    g_assert_true(pci_host_init(&f->host, f->m, 0, kind, "pcie.0", NULL, &err));
    f->host.intx = fixture_intx;
    f->host.intx_opaque = f;
    pci_host_init_ecam(&f->host, 256);
    mem_map(&f->m->memory, ECAM, &f->host.ecam, 0, 0);
    mem_init_window(&f->mmio, "mmio", &f->host.root.mem, MMIO, 0x40000000);
    mem_map(&f->m->memory, MMIO, &f->mmio, 0, 0);
    mem_init_window(&f->mmio64, "mmio64", &f->host.root.mem, MMIO64, 0x400000000);
    mem_map(&f->m->memory, MMIO64, &f->mmio64, 0, 0);
    mem_init_window(&f->pio, "pio", &f->host.root.io, 0, 0x10000);
    mem_map(&f->m->memory, PIO, &f->pio, 0, 0);
    ram = machine_ram_new(f->m, "ram", RAM_SIZE, &err);
    g_assert_no_error(err);
    mem_init_ram(&f->ram, "ram", ram, 0, RAM_SIZE);
    mem_map(&f->m->memory, RAM, &f->ram, 0, 0);
}

static inline void fixture_init(Fixture *f)
{
    fixture_init_kind(f, PLAN_BUS_PCIE_ROOT);
}

static inline void fixture_empty(Machine *m, const char *container)
{
    GPtrArray *children = device_container(m, container)->children;

    while (children && children->len) {
        device_unplug(g_ptr_array_index(children, children->len - 1));
    }
}

static inline void fixture_fini(Fixture *f)
{
    fixture_empty(f->m, "peripheral-anon");
    fixture_empty(f->m, "peripheral");
    for (unsigned i = 0; i < PCI_NUM_PINS; i++) {
        g_assert_false(f->line[i]); /* a removed function leaves nothing asserted */
        g_assert_cmpuint(f->host.intx_count[i], ==, 0);
    }
    mem_check(&f->m->memory);
    mem_fini(&f->mmio);
    mem_fini(&f->mmio64);
    mem_fini(&f->pio);
    mem_fini(&f->ram);
    pci_host_fini(&f->host);
    machine_free(f->m);
}

/* Plug a function; settings are "prop=value,..." or NULL. Returns NULL and sets *err on failure. */
static inline PCIDevice *try_plug_function(Fixture *f, const PCIDeviceType *type, const char *bus,
                                           const char *id, uint8_t devfn, const char *settings,
                                           GError **err)
{
    g_autofree char *text =
        g_strdup_printf("%s,bus=%s%s%s%s%s", type->base.name, bus, id ? ",id=" : "", id ? id : "",
                        settings ? "," : "", settings ? settings : "");
    g_autoptr(PlanDevice) plan = plan_device_parse(text, err);
    Device *dev;

    g_assert_nonnull(plan);
    plan->has_addr = true;
    plan->addr.slot = PCI_SLOT(devfn);
    plan->addr.fn = PCI_FUNC(devfn);
    dev = device_new(f->m, &type->base, plan, err);
    return dev && device_realize(dev, plan, NULL, err) ? (PCIDevice *)dev : NULL;
}

static inline PCIDevice *plug_function(Fixture *f, const PCIDeviceType *type, const char *bus,
                                       const char *id, uint8_t devfn, const char *settings)
{
    g_autoptr(GError) err = NULL;
    PCIDevice *d = try_plug_function(f, type, bus, id, devfn, settings, &err);

    g_assert_no_error(err);
    g_assert_nonnull(d);
    return d;
}

/* The error message must contain the word. */
static inline void refused(Fixture *f, const PCIDeviceType *type, const char *bus, const char *id,
                           uint8_t devfn, const char *settings, const char *word)
{
    g_autoptr(GError) err = NULL;

    g_assert_null(try_plug_function(f, type, bus, id, devfn, settings, &err));
    g_assert_nonnull(err);
    if (!strstr(err->message, word)) {
        g_error("'%s' does not contain '%s'", err->message, word);
    }
}

static inline uint64_t guest_read(Fixture *f, uint64_t addr, unsigned size)
{
    uint64_t v = 0;

    mem_read(&f->m->memory, addr, size, &v);
    return v;
}

static inline void guest_write(Fixture *f, uint64_t addr, unsigned size, uint64_t v)
{
    mem_write(&f->m->memory, addr, size, v);
}

static inline uint64_t ecam_address(uint8_t bus, uint8_t devfn, uint32_t reg)
{
    return ECAM + ((uint64_t)bus << 20 | (uint64_t)devfn << 12 | reg);
}

static inline uint32_t config_read(Fixture *f, uint8_t devfn, uint32_t reg, unsigned size)
{
    return guest_read(f, ecam_address(0, devfn, reg), size);
}

static inline void config_write(Fixture *f, uint8_t devfn, uint32_t reg, unsigned size, uint32_t v)
{
    guest_write(f, ecam_address(0, devfn, reg), size, v);
}

/* Return the record of the function, with the complete config space. */
static inline GByteArray *save_record(PCIDevice *d)
{
    GByteArray *bytes = g_byte_array_new();
    ByteWriter w = { bytes };

    pci_device_save(d, &w);
    return bytes;
}

/* A load that succeeds has read the complete record. */
static inline bool load_record(PCIDevice *d, const GByteArray *bytes, GError **err)
{
    ByteReader r;

    reader_init(&r, bytes->data, bytes->len);
    if (!pci_device_load(d, &r, "record", err)) {
        g_assert_true(!err || *err);
        return false;
    }
    g_assert_cmpuint(reader_left(&r), ==, 0);
    return true;
}

/* Return the state of the complete device, as a migration sends it. */
static inline GByteArray *save_state(PCIDevice *d)
{
    GByteArray *bytes = g_byte_array_new();
    ByteWriter w = { bytes };

    vm_save(d->dev.type->vmstate, d, &w);
    return bytes;
}

static inline bool load_state(PCIDevice *d, const GByteArray *bytes, GError **err)
{
    const VmState *vm = d->dev.type->vmstate;
    ByteReader r;

    reader_init(&r, bytes->data, bytes->len);
    if (!vm_load(vm, d, vm->version, &r, "state", err)) {
        return false;
    }
    vm_arm_timers(vm, d);
    return true;
}

static inline void clock_step_ns(Fixture *f, int64_t ns)
{
    g_assert_true(clocks_step_to(f->m->clocks, clock_now_any(f->m, CLOCK_KIND_VIRTUAL) + ns));
}

#ifndef FIXTURE_WITH_CPUS
const CpuType *const cpu_types[] = { NULL };
#endif
#ifndef FIXTURE_WITH_TYPES
const DeviceType *const *const device_type_entries[] = { NULL };
const size_t n_device_types = 0;
#endif

#endif
