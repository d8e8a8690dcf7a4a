/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The generic PCI Express host bridge: ECAM, fixed windows onto one segment and four INTx outputs;
 * and its function at 00:00.0.
 *
 * Bus addresses equal CPU addresses in the memory windows. I/O ports start at 0.
 *
 * References: PCI Express Base 5.0 7.2.2; Linux bindings/pci/host-generic-pci.yaml.
 */
#include "hw/pci-host/ecam.h"

#include <inttypes.h>

#include "hw/core/sysdev.h"
#include "util/error.h"

/* Windows of an extra root bus: slices of the windows of the first root bus, with priority. */
typedef struct ExtraRoot {
    PCIBus *bus;
    MemRegion pio, mmio, high;
} ExtraRoot;

typedef struct EcamHost {
    SysDevice sys;
    PCIHost host;
    uint64_t ecam_base, ecam_size;
    uint64_t pio_base, pio_size, mmio_base, mmio_size, high_base, high_size;
    MemRegion pio, mmio, high;
    GPtrArray *extra; /* ExtraRoot* */
} EcamHost;

PCIHost *ecam_host(Device *dev)
{
    return &((EcamHost *)dev)->host;
}

static void ecam_drive_line(void *opaque, unsigned n, bool level)
{
    EcamHost *s = opaque;

    sysdev_irq_set(&s->sys, n, level);
}

static bool ecam_check_window(const char *name, uint64_t base, uint64_t size, GError **err)
{
    if (size == 0 || base <= UINT64_MAX - size)
        return true;
    return error_set(err, ERROR_USER,
                     "gpex-pcihost: the %s window at 0x%" PRIx64 " with 0x%" PRIx64
                     " bytes extends beyond the end of the address space",
                     name, base, size);
}

static void ecam_show(EcamHost *s, MemRegion *view, const char *name, MemRegion *space,
                      EcamRange at, uint64_t offset, int32_t priority)
{
    mem_fini(view);
    if (at.size == 0)
        return;
    mem_init_window(view, name, space, offset, at.size);
    mem_map(&s->sys.dev.machine->memory, at.base, view, priority, 0);
}

/* --- extra roots --- */

EcamRange ecam_slice(EcamRange window, unsigned first_bus, unsigned end_bus, uint64_t align)
{
    uint64_t first = window.base + window.size / 256 * first_bus;
    uint64_t end = window.base + window.size / 256 * end_bus;

    first = (first + align - 1) & ~(align - 1);
    end &= ~(align - 1);
    return (EcamRange){ first, end > first ? end - first : 0 };
}

unsigned ecam_end_bus(const PCIHost *h, unsigned first)
{
    unsigned end = 256;

    for (unsigned i = 0; i < h->roots->len; i++) {
        const PCIBus *bus = g_ptr_array_index(h->roots, i);

        if (bus->root_number > first && bus->root_number < end)
            end = bus->root_number;
    }
    return end;
}

static void ecam_show_extra(EcamHost *s, ExtraRoot *x)
{
    unsigned first = x->bus->root_number, end = ecam_end_bus(&s->host, first);
    EcamRange pio = ecam_slice((EcamRange){ s->pio_base, s->pio_size }, first, end, ECAM_ALIGN_IO);
    EcamRange mmio =
        ecam_slice((EcamRange){ s->mmio_base, s->mmio_size }, first, end, ECAM_ALIGN_MEM);
    EcamRange high =
        ecam_slice((EcamRange){ s->high_base, s->high_size }, first, end, ECAM_ALIGN_MEM);

    ecam_show(s, &x->pio, "pxb-pio", &x->bus->io, pio, pio.base - s->pio_base, 1);
    ecam_show(s, &x->mmio, "pxb-mmio", &x->bus->mem, mmio, mmio.base, 1);
    ecam_show(s, &x->high, "pxb-mmio-high", &x->bus->mem, high, high.base, 1);
}

static void ecam_extra_free(gpointer opaque)
{
    ExtraRoot *x = opaque;

    mem_fini(&x->pio);
    mem_fini(&x->mmio);
    mem_fini(&x->high);
    g_free(x);
}

/* The bus numbers of a root bus end before those of the next one, so all slices are recomputed. */
static void ecam_roots_changed(void *opaque, PCIBus *bus, bool added)
{
    EcamHost *s = opaque;
    ExtraRoot *x;

    if (added) {
        x = g_new0(ExtraRoot, 1);
        x->bus = bus;
        g_ptr_array_add(s->extra, x);
    }
    for (unsigned i = s->extra->len; i-- > 0;) {
        x = g_ptr_array_index(s->extra, i);
        if (!added && x->bus == bus)
            g_ptr_array_remove_index(s->extra, i);
        else
            ecam_show_extra(s, x);
    }
}

/* --- setup --- */

static bool ecam_realize(void *dev, GError **err)
{
    EcamHost *s = dev;
    Machine *m = s->sys.dev.machine;

    if (!ecam_check_window("ECAM", s->ecam_base, s->ecam_size, err) ||
        !ecam_check_window("port", s->pio_base, s->pio_size, err) ||
        !ecam_check_window("32-bit memory", s->mmio_base, s->mmio_size, err) ||
        !ecam_check_window("64-bit memory", s->high_base, s->high_size, err) ||
        !pci_host_init(&s->host, m, 0, PLAN_BUS_PCIE_ROOT, "pcie.0", &s->sys.dev, err))
        return false;
    s->sys.dev.child_bus = &s->host.root.bus;
    s->host.intx = ecam_drive_line;
    s->host.intx_opaque = s;
    s->host.roots_changed = ecam_roots_changed;
    s->host.roots_opaque = s;
    s->extra = g_ptr_array_new_with_free_func(ecam_extra_free);
    pci_host_init_ecam(&s->host, s->ecam_size >> 20);
    mem_map(&m->memory, s->ecam_base, &s->host.ecam, 0, 0);
    ecam_show(s, &s->pio, "pcie-pio", &s->host.root.io, (EcamRange){ s->pio_base, s->pio_size }, 0,
              0);
    ecam_show(s, &s->mmio, "pcie-mmio", &s->host.root.mem,
              (EcamRange){ s->mmio_base, s->mmio_size }, s->mmio_base, 0);
    ecam_show(s, &s->high, "pcie-mmio-high", &s->host.root.mem,
              (EcamRange){ s->high_base, s->high_size }, s->high_base, 0);
    return true;
}

static void ecam_unrealize(void *dev)
{
    EcamHost *s = dev;

    mem_fini(&s->pio);
    mem_fini(&s->mmio);
    mem_fini(&s->high);
    s->sys.dev.child_bus = NULL;
    g_ptr_array_free(s->extra, TRUE);
    pci_host_fini(&s->host);
}

static const PlanProp ecam_props[] = {
    PROP_U64(EcamHost, ecam_base, "ecam-base", 0x30000000, 0, 0, "address of the ECAM window"),
    PROP_SIZE(EcamHost, ecam_size, "ecam-size", 256 << 20, 1 << 20, 256 << 20,
              "size of the ECAM window, 1 MiB per bus"),
    PROP_U64(EcamHost, pio_base, "pio-base", 0x3000000, 0, 0, "address of the port window"),
    PROP_SIZE(EcamHost, pio_size, "pio-size", 0x10000, 0, UINT32_MAX, "size of the port window"),
    PROP_U64(EcamHost, mmio_base, "below-4g-mmio-base", 0x40000000, 0, 0,
             "address of the 32-bit memory window"),
    PROP_SIZE(EcamHost, mmio_size, "below-4g-mmio-size", 0x40000000, 0, 0,
              "size of the 32-bit memory window"),
    PROP_U64(EcamHost, high_base, "above-4g-mmio-base", 0x400000000, 0, 0,
             "address of the 64-bit memory window"),
    PROP_SIZE(EcamHost, high_size, "above-4g-mmio-size", 0x400000000, 0, 0,
              "size of the 64-bit memory window"),
};

static const SysDeviceType ecam_host_type = {
    .base = {
        .name = "gpex-pcihost",
        .doc = "generic PCI Express host bridge (ECAM)",
        .kind = &sys_device_kind,
        .size = sizeof(EcamHost),
        .props = ecam_props, .n_props = G_N_ELEMENTS(ecam_props),
        .internal = true,
        .realize = ecam_realize,
        .unrealize = ecam_unrealize,
    },
    .n_irqs = PCI_NUM_PINS,
};
SYS_DEVICE_TYPE(ecam_host_type);

/* --- the function at 00:00.0 --- */

typedef struct EcamRoot {
    PCIDevice pci;
} EcamRoot;

static const VmField root_fields[] = { VM_PCI(EcamRoot, pci) };

static const VmState root_vmstate = {
    .name = "gpex_root",
    .version = 1,
    .fields = root_fields,
    .n_fields = G_N_ELEMENTS(root_fields),
};

static const PCIDeviceType ecam_root_type = {
    .base = {
        .name = "gpex-root",
        .doc = "function 0 of the generic PCI Express host bridge",
        .kind = &pci_device_kind,
        .size = sizeof(EcamRoot),
        .vmstate = &root_vmstate,
        .internal = true,
    },
    .vendor = 0x1b36,
    .device = 0x0008,
    .class_code = 0x060000,
    .slots = PLAN_SLOT_CONVENTIONAL,
    .role = PLAN_PCI_HOST,
};
PCI_DEVICE_TYPE(ecam_root_type);
