/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio device types: the interface for the file of a device.
 *
 * A device structure begins with VirtioBase, which contains the part of the transport and the
 * VirtioDevice. The file of the device contains a VirtioClass, a table of properties that begins
 * with VIRTIO_PROPS, one VIRTIO_STATES() with the rows of the saved state, and one VIRTIO_TYPES(),
 * which defines the types virtio-X-pci, virtio-X-pci-transitional, virtio-X-pci-non-transitional
 * and virtio-X-device (MMIO).
 *
 * Locking: the machine lock for every function.
 */
#ifndef HW_VIRTIO_VIRTIO_BASE_H
#define HW_VIRTIO_VIRTIO_BASE_H

#include "hw/virtio/virtio_mmio.h"
#include "hw/virtio/virtio_pci.h"

typedef struct VirtioBase {
    union {
        Device dev; /* the first member of the transport's part */
        VirtioPCI vpci;
        VirtioMmio mmio;
    };
    VirtioDevice virtio;
    /* properties of the rings */
    bool indirect, event_idx, packed, queue_reset, any_layout, iommu_platform;
} VirtioBase;

/* --- for transports --- */

/**
 * virtio_base_init() - Initialize the virtio device of a structure that is being realized.
 * @cls:    the class of the device
 * @t:      the operations of the transport
 * @legacy: the transport offers the legacy interface
 * @modern: the transport offers the interface of virtio 1.0 and later
 *
 * Calls VirtioClass.init and VirtioClass.features. virtio_base_exit() undoes it.
 *
 * Return: false with the error of VirtioClass.init, and nothing is attached.
 */
bool virtio_base_init(VirtioBase *b, const VirtioClass *cls, const VirtioTransport *t, bool legacy,
                      bool modern, GError **err);
/* Reset the device and detach its back ends. */
void virtio_base_exit(VirtioBase *b);
/* Free the queues. Safe on a structure that was never realized. */
void virtio_base_fini(VirtioBase *b);

/* --- for devices --- */

/* Properties of every type. The first VIRTIO_PCI_N_PROPS are those of the PCI transport. */
enum { VIRTIO_PCI_N_PROPS = 5 };
#define VIRTIO_AUTO_VECTORS PCI_AUTO_COUNT
#define VIRTIO_PROPS                                                                               \
    PROP_ONOFF(VirtioPCI, disable_legacy, "disable-legacy", PLAN_AUTO,                             \
               "disable the legacy interface (auto: below an Express port)"),                      \
        PROP_BOOL(VirtioPCI, disable_modern, "disable-modern", false,                              \
                  "disable the modern interface"),                                                 \
        PROP_U32(VirtioPCI, vectors, "vectors", VIRTIO_AUTO_VECTORS, 0, UINT32_MAX,                \
                 "MSI-X vectors; 0: no MSI-X; 4294967295: one per queue"),                         \
        PROP_BOOL(VirtioPCI, page_per_vq, "page-per-vq", false,                                    \
                  "notification addresses of queues in pages of their own (modern interface)"),    \
        PROP_ONOFF(VirtioPCI, ioeventfd, "ioeventfd", PLAN_AUTO,                                   \
                   "process notifications in the event loop, not in the thread of the CPU (auto: " \
                   "with iothread=)"),                                                             \
        PROP_BOOL(VirtioBase, indirect, "indirect_desc", true, "offer indirect descriptors"),      \
        PROP_BOOL(VirtioBase, event_idx, "event_idx", true, "offer event indexes"),                \
        PROP_BOOL(VirtioBase, packed, "packed", false, "offer packed rings (modern interface)"),   \
        PROP_BOOL(VirtioBase, queue_reset, "queue_reset", true,                                    \
                  "offer the reset of single queues"),                                             \
        PROP_BOOL(VirtioBase, any_layout, "any_layout", true, "accept any layout of requests"),    \
        PROP_BOOL(VirtioBase, iommu_platform, "iommu_platform", false,                             \
                  "require drivers to use the DMA addresses of the platform")

/* The saved state of a device on one transport. */
#define VIRTIO_STATE_(sym, transport, row, n, T, version_, check_, post_load_, ...)                \
    static const VmField sym##_##transport##_fields[] = { row, __VA_ARGS__ };                      \
    static const VmState sym##_##transport##_state = { .name = (n),                                \
                                                       .version = (version_),                      \
                                                       .fields = LIST(sym##_##transport##_fields), \
                                                       .check = (check_),                          \
                                                       .post_load = (post_load_) }
#define VIRTIO_STATE_ROW_(n, T, state)                                                             \
    {                                                                                              \
        .name = (n), .kind = VM_KIND_STRUCT, .field = offsetof(T, base), .sub = &(state)           \
    }

/* Define the saved state of a device: sym_pci_state and sym_mmio_state. check_ and post_load_ are
 * functions of VmState or NULL; the further arguments are the rows of the device's own part. */
#define VIRTIO_STATES(sym, n, T, version_, check_, post_load_, ...)                                \
    VIRTIO_STATE_(sym, pci, VIRTIO_STATE_ROW_("vpci", T, virtio_pci_state), n, T, version_,        \
                  check_, post_load_, __VA_ARGS__);                                                \
    VIRTIO_STATE_(sym, mmio, VIRTIO_STATE_ROW_("mmio", T, virtio_mmio_state), n, T, version_,      \
                  check_, post_load_, __VA_ARGS__)

/* One PCI type. s is the suffix of its name. */
#define VIRTIO_PCI_TYPE_(sym, n, s, nick, T, text, class_, props_, klass, iface_, slots_, vec_,    \
                         provides_)                                                                \
    {                                                                                              \
        .pci = { .base = { .name = "virtio-" n "-pci" s,                                           \
                           .alias = (nick),                                                        \
                           .doc = text,                                                            \
                           .kind = &pci_device_kind,                                               \
                           .size = sizeof(T),                                                      \
                           .props = LIST(props_),                                                  \
                           .vmstate = &sym##_pci_state,                                            \
                           .hotpluggable = true,                                                   \
                           .realize = virtio_pci_realize,                                          \
                           .reset = virtio_pci_reset,                                              \
                           .unrealize = virtio_pci_unrealize,                                      \
                           .finalize = virtio_pci_finalize },                                      \
                 .vendor = 0x1af4,                                                                 \
                 .device = 0x1040,                                                                 \
                 .class_code = (class_),                                                           \
                 .slots = (slots_),                                                                \
                 .provides = (provides_),                                                          \
                 .bars = LIST(virtio_pci_bars),                                                    \
                 .caps = LIST(virtio_pci_caps),                                                    \
                 .n_irqs = 1,                                                                      \
                 .auto_count = (vec_),                                                             \
                 .master_enabled = virtio_pci_master_enabled,                                      \
                 .late_bar = virtio_pci_late_bar,                                                  \
                 .qemu_offset = virtio_pci_qemu_offset,                                            \
                 .plain_on_root = true,                                                            \
                 .config_reading = virtio_pci_config_reading,                                      \
                 .config_written = virtio_pci_config_written },                                    \
        .cls = &(klass), .iface = (iface_)                                                         \
    }

/* Define the types of a device: sym_any, sym_transitional, sym_modern and sym_mmio. The first has
 * the alias virtio-X. A line VIRTIO_DEVICE_TYPES(sym) after it adds them to the table of types.
 * @vec_: the PlanCount of MSI-X vectors; @provides_: the type of the bus of the device. */
#define VIRTIO_TYPES(sym, n, T, text, class_, props_, klass, vec_, provides_)                      \
    static const VirtioPCIType sym##_any = VIRTIO_PCI_TYPE_(                                       \
        sym, n, "", "virtio-" n, T, text, class_, props_, klass, VIRTIO_IFACE_BY_PLACE,            \
        PLAN_SLOT_CONVENTIONAL | PLAN_SLOT_EXPRESS, vec_, provides_);                              \
    static const VirtioPCIType sym##_transitional =                                                \
        VIRTIO_PCI_TYPE_(sym, n, "-transitional", NULL, T, text, class_, props_, klass,            \
                         VIRTIO_IFACE_TRANSITIONAL, PLAN_SLOT_CONVENTIONAL, vec_, provides_);      \
    static const VirtioPCIType sym##_modern = VIRTIO_PCI_TYPE_(                                    \
        sym, n, "-non-transitional", NULL, T, text, class_, props_, klass, VIRTIO_IFACE_MODERN,    \
        PLAN_SLOT_CONVENTIONAL | PLAN_SLOT_EXPRESS, vec_, provides_);                              \
    static const VirtioMmioType sym##_mmio = { .base = { .name = "virtio-" n "-device",            \
                                                         .doc = text " in a virtio-mmio slot",     \
                                                         .kind = &virtio_mmio_device_kind,         \
                                                         .size = sizeof(T),                        \
                                                         .props = &(props_)[VIRTIO_PCI_N_PROPS],   \
                                                         .n_props = G_N_ELEMENTS(props_) -         \
                                                                    VIRTIO_PCI_N_PROPS,            \
                                                         .vmstate = &sym##_mmio_state,             \
                                                         .realize = virtio_mmio_realize,           \
                                                         .reset = virtio_mmio_reset,               \
                                                         .unrealize = virtio_mmio_unrealize,       \
                                                         .finalize = virtio_mmio_finalize },       \
                                               .cls = &(klass),                                    \
                                               .provides = (provides_) }
#define VIRTIO_DEVICE_TYPE(t, base_)                                                               \
    extern const DeviceType *const t##_entry;                                                      \
    const DeviceType *const t##_entry = &(t).base_
#define VIRTIO_DEVICE_TYPES(sym)                                                                   \
    VIRTIO_DEVICE_TYPE(sym##_any, pci.base);                                                       \
    VIRTIO_DEVICE_TYPE(sym##_transitional, pci.base);                                              \
    VIRTIO_DEVICE_TYPE(sym##_modern, pci.base);                                                    \
    VIRTIO_DEVICE_TYPE(sym##_mmio, base)

#endif
