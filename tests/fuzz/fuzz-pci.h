/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared parts of the PCI fuzz targets: a small topology, and the invariants after any operation.
 */
#ifndef FUZZ_PCI_H
#define FUZZ_PCI_H

#define FIXTURE_WITH_TYPES
#include "fuzz-input.h"
#include "tests/unit/hw/pci/pci-fixture.h"

static inline const PCIDeviceType *fuzz_type(const char *name)
{
    const DeviceType *t = device_type_find(name);

    g_assert(t);
    return (const PCIDeviceType *)t;
}

/* 01.0 a root port with an edu behind it, 02.0 a ticker, 03.0 a bridge with a ticker behind it. */
static inline void fuzz_grow(Fixture *f)
{
    fixture_init(f);
    plug_function(f, fuzz_type("pcie-root-port"), "pcie.0", "rp", PCI_DEVFN(1, 0), NULL);
    plug_function(f, fuzz_type("edu"), "rp", "edu", 0, NULL);
    plug_function(f, fuzz_type("ticker"), "pcie.0", "t0", PCI_DEVFN(2, 0), NULL);
    plug_function(f, fuzz_type("pci-bridge"), "pcie.0", "br", PCI_DEVFN(3, 0), NULL);
    plug_function(f, fuzz_type("ticker"), "br", "t1", PCI_DEVFN(1, 0), NULL);
    config_write(f, PCI_DEVFN(1, 0), PCI_PRIMARY_BUS, 4, 0x010100);
    config_write(f, PCI_DEVFN(3, 0), PCI_PRIMARY_BUS, 4, 0x020200);
}

static inline bool fuzz_sound(void *opaque, PCIDevice *d)
{
    const PCIConfig *c = &d->config;

    for (unsigned at = 0; at < c->size; at++) {
        g_assert(!(pci_config_mask(c, PCI_WMASK, at) & pci_config_mask(c, PCI_W1CMASK, at)));
        if (at >= 0x40) {
            g_assert(!pci_config_mask(c, PCI_USED, at) == !pci_config_entry_at(c, at));
        }
    }
    for (size_t row = 0; row < pci_type(d)->n_caps; row++) {
        const PCICapDesc *desc = &pci_type(d)->caps[row];

        if (d->cap_pos[row]) {
            g_assert(pci_config_entry_at(c, d->cap_pos[row])->id == desc->id);
        }
    }
    return true;
}

/* Save the state of a device, load it into the same device, and save it again: both records are
 * equal. */
static inline void fuzz_round_trip(PCIDevice *d)
{
    const VmState *vm = d->dev.type->vmstate;
    g_autoptr(GByteArray) one = g_byte_array_new(), two = g_byte_array_new();
    ByteWriter w1 = { one }, w2 = { two };
    ByteReader r;

    vm_save(vm, d, &w1);
    reader_init(&r, one->data, one->len);
    g_assert(vm_load(vm, d, vm->version, &r, d->dev.type->name, NULL));
    vm_arm_timers(vm, d);
    vm_save(vm, d, &w2);
    g_assert_cmpmem(one->data, one->len, two->data, two->len);
}

static inline void fuzz_end(Fixture *f)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    pci_bus_walk(&f->host.root, true, fuzz_sound, NULL);
    mem_check(&f->host.root.mem);
    mem_check(&f->host.root.io);
    fixture_fini(f);
}

#endif
