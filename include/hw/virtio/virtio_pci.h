/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio devices on PCI (virtio 1.2, 4.1): the interface for the file of a device.
 *
 * A device structure begins with VirtioPCI. Its file contains a VirtioClass, an init function that
 * attaches back ends and adds queues, and one VIRTIO_PCI_TYPES(), which defines the three types
 * virtio-X-pci, virtio-X-pci-transitional and virtio-X-pci-non-transitional.
 *
 * Locking: the machine lock for every function.
 */
#ifndef HW_VIRTIO_VIRTIO_PCI_H
#define HW_VIRTIO_VIRTIO_PCI_H

#include "hw/pci/pci.h"
#include "hw/virtio/virtio.h"

/* Which register interfaces a type offers. BY_PLACE: as disable-legacy and disable-modern state; by
 * default the legacy interface is off below an Express port. */
typedef enum VirtioInterface {
    VIRTIO_IFACE_BY_PLACE,
    VIRTIO_IFACE_TRANSITIONAL,
    VIRTIO_IFACE_MODERN
} VirtioInterface;

typedef struct VirtioPCI {
    PCIDevice pci;
    VirtioDevice virtio;
    /* properties */
    uint32_t disable_legacy; /* PlanOnOff; auto: on below an Express port */
    bool disable_modern;
    uint32_t vectors;
    bool indirect, event_idx, packed, queue_reset, any_layout;
    /* the interfaces of this function; set when it is realized */
    bool legacy, modern;
    /* registers of the transport */
    uint32_t device_feature_select, driver_feature_select;
    uint16_t queue_select;
    uint8_t cfg_cap; /* offset of the PCI configuration access capability; 0: none */
    MemRegion common, isr, config, notify;
} VirtioPCI;

typedef struct VirtioPCIType {
    PCIDeviceType pci;
    const VirtioClass *cls;
    VirtioInterface iface;
    /* Attach back ends and add queues. The PCI function exists but is not visible yet. False and
     * *err on failure, with nothing attached. */
    bool (*init)(void *dev, GError **err);
    /* Detach back ends. VirtioClass.queue_reset was called for every queue before. NULL: nothing to
     * detach. */
    void (*exit)(void *dev);
} VirtioPCIType;

/* Members of the types that VIRTIO_PCI_TYPES() defines; not for other callers. */

/* PCIDeviceType.late_bar: the BAR of the legacy interface. */
bool virtio_pci_late_bar(const PCIDeviceType *type, PlanBar *out);
/* PCIDeviceType.qemu_offset: offsets of MSI-X, power management and Express in QEMU's layout. */
uint16_t virtio_pci_qemu_offset(const PCIDevice *d, unsigned row);
bool virtio_pci_realize(void *dev, GError **err);
void virtio_pci_unrealize(void *dev);
void virtio_pci_finalize(void *dev);
void virtio_pci_reset(void *dev, ResetKind kind);
/* PCIDeviceType.config_reading and .config_written: the data field of the PCI configuration
 * access capability (4.1.4.9). */
void virtio_pci_config_reading(void *dev, uint32_t addr, unsigned len);
void virtio_pci_config_written(void *dev, uint32_t addr, unsigned len);
extern const PCIBarDesc virtio_pci_bars[2];
extern const PCICapDesc virtio_pci_caps[4];

/* The saved state of the function, the transport and the queues. VM_VIRTIO_PCI() is the first row
 * of the state of every device. */
extern const VmState virtio_pci_state;
#define VM_VIRTIO_PCI(T, m) VM_STRUCT(T, m, &virtio_pci_state)

/* Properties of every virtio PCI type. */
#define VIRTIO_AUTO_VECTORS PCI_AUTO_COUNT
#define VIRTIO_PCI_PROPS                                                                           \
    PROP_ONOFF(VirtioPCI, disable_legacy, "disable-legacy", PLAN_AUTO,                             \
               "disable the legacy interface (auto: below an Express port)"),                      \
        PROP_BOOL(VirtioPCI, disable_modern, "disable-modern", false,                              \
                  "disable the modern interface"),                                                 \
        PROP_U32(VirtioPCI, vectors, "vectors", VIRTIO_AUTO_VECTORS, 0, UINT32_MAX,                \
                 "MSI-X vectors; 0: no MSI-X; 4294967295: one per queue"),                         \
        PROP_BOOL(VirtioPCI, indirect, "indirect_desc", true, "offer indirect descriptors"),       \
        PROP_BOOL(VirtioPCI, event_idx, "event_idx", true, "offer event indexes"),                 \
        PROP_BOOL(VirtioPCI, packed, "packed", false, "offer packed rings (modern interface)"),    \
        PROP_BOOL(VirtioPCI, queue_reset, "queue_reset", true,                                     \
                  "offer the reset of single queues"),                                             \
        PROP_BOOL(VirtioPCI, any_layout, "any_layout", true, "accept any layout of requests")

/* One type. s is the suffix of its name; arguments after vec_ are further members of the
 * PCIDeviceType. */
#define VIRTIO_PCI_TYPE_(n, s, nick, T, text, class_, props_, state, klass, iface_, slots_, init_, \
                         exit_, vec_, ...)                                                         \
    {                                                                                              \
        .pci = { .base = { .name = "virtio-" n "-pci" s,                                           \
                           .alias = (nick),                                                        \
                           .doc = text,                                                            \
                           .kind = &pci_device_kind,                                               \
                           .size = sizeof(T),                                                      \
                           .props = LIST(props_),                                                  \
                           .vmstate = &(state),                                                    \
                           .hotpluggable = true,                                                   \
                           .realize = virtio_pci_realize,                                          \
                           .reset = virtio_pci_reset,                                              \
                           .unrealize = virtio_pci_unrealize,                                      \
                           .finalize = virtio_pci_finalize },                                      \
                 .vendor = 0x1af4,                                                                 \
                 .device = 0x1040,                                                                 \
                 .class_code = (class_),                                                           \
                 .slots = (slots_),                                                                \
                 .bars = LIST(virtio_pci_bars),                                                    \
                 .caps = LIST(virtio_pci_caps),                                                    \
                 .n_irqs = 1,                                                                      \
                 .auto_count = (vec_),                                                             \
                 .late_bar = virtio_pci_late_bar,                                                  \
                 .qemu_offset = virtio_pci_qemu_offset,                                            \
                 .plain_on_root = true,                                                            \
                 .config_reading = virtio_pci_config_reading,                                      \
                 .config_written = virtio_pci_config_written,                                      \
                 __VA_ARGS__ },                                                                    \
        .cls = &(klass), .iface = (iface_), .init = (init_), .exit = (exit_)                       \
    }

/* Define the three types of a device: sym_any, sym_transitional and sym_modern. The first has the
 * alias virtio-X. A line VIRTIO_DEVICE_TYPES(sym) after it adds them to the table of types.
 * Arguments after the PlanCount of vectors are further members of the PCIDeviceType. */
#define VIRTIO_PCI_TYPES(sym, n, T, text, class_, props_, state, klass, ...)                       \
    static const VirtioPCIType sym##_any = VIRTIO_PCI_TYPE_(                                       \
        n, "", "virtio-" n, T, text, class_, props_, state, klass, VIRTIO_IFACE_BY_PLACE,          \
        PLAN_SLOT_CONVENTIONAL | PLAN_SLOT_EXPRESS, __VA_ARGS__);                                  \
    static const VirtioPCIType sym##_transitional =                                                \
        VIRTIO_PCI_TYPE_(n, "-transitional", NULL, T, text, class_, props_, state, klass,          \
                         VIRTIO_IFACE_TRANSITIONAL, PLAN_SLOT_CONVENTIONAL, __VA_ARGS__);          \
    static const VirtioPCIType sym##_modern = VIRTIO_PCI_TYPE_(                                    \
        n, "-non-transitional", NULL, T, text, class_, props_, state, klass, VIRTIO_IFACE_MODERN,  \
        PLAN_SLOT_CONVENTIONAL | PLAN_SLOT_EXPRESS, __VA_ARGS__)
#define VIRTIO_DEVICE_TYPE(t)                                                                      \
    extern const DeviceType *const t##_entry;                                                      \
    const DeviceType *const t##_entry = &(t).pci.base
#define VIRTIO_DEVICE_TYPES(sym)                                                                   \
    VIRTIO_DEVICE_TYPE(sym##_any);                                                                 \
    VIRTIO_DEVICE_TYPE(sym##_transitional);                                                        \
    VIRTIO_DEVICE_TYPE(sym##_modern)

#endif
