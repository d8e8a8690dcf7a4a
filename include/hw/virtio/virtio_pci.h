/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio devices on PCI (virtio 1.2, 4.1): what a device's file needs.
 *
 * A device structure starts with VirtioPCI. Its file has a VirtioClass, an init function that
 * takes back ends and declares queues, and one VIRTIO_PCI_TYPES() that makes the three types
 * virtio-X-pci, virtio-X-pci-transitional and virtio-X-pci-non-transitional.
 */
#ifndef HW_VIRTIO_VIRTIO_PCI_H
#define HW_VIRTIO_VIRTIO_PCI_H

#include "hw/pci/pci.h"
#include "hw/virtio/virtio.h"

typedef enum VirtioFace {
    VIRTIO_FACE_BY_PLACE,
    VIRTIO_FACE_TRANSITIONAL,
    VIRTIO_FACE_MODERN
} VirtioFace;

typedef struct VirtioPCI {
    PCIDevice pci;
    VirtioDevice virtio;
    /* properties */
    uint32_t disable_legacy; /* PlanOnOff; auto: on below an Express port */
    bool disable_modern;
    uint32_t vectors;
    bool indirect, event_idx, packed, queue_reset, any_layout;
    /* which faces this function shows */
    bool legacy, modern;
    /* registers of the transport */
    uint32_t device_feature_select, driver_feature_select;
    uint16_t queue_select;
    uint8_t cfg_cap; /* offset of the configuration-access capability, 0: none */
    MemRegion common, isr, config, notify;
} VirtioPCI;

typedef struct VirtioPCIType {
    PCIDeviceType pci;
    const VirtioClass *cls;
    VirtioFace face;
    /* Take back ends and declare queues; the PCI function exists but is not visible yet. */
    bool (*init)(void *dev, GError **err);
    /* Give back ends back; buffers were discarded by queue_reset before. */
    void (*exit)(void *dev);
} VirtioPCIType;

/* For the catalogue: the legacy face's BAR, which the type's face and disable-legacy decide. */
bool virtio_pci_late_bar(const PCIDeviceType *type, PlanBar *out);
/* MSI-X, power management and Express: around the capabilities of the modern face. */
uint16_t virtio_pci_qemu_offset(const PCIDevice *d, unsigned row);
bool virtio_pci_realize(void *dev, GError **err);
void virtio_pci_unrealize(void *dev);
void virtio_pci_finalize(void *dev);
void virtio_pci_reset(void *dev, ResetKind kind);
void virtio_pci_config_reading(void *dev, uint32_t addr, unsigned len);
void virtio_pci_config_written(void *dev, uint32_t addr, unsigned len);
/* The transport's and the queues' state; first row of every device's table. */
extern const VmState virtio_pci_state;
#define VM_VIRTIO_PCI(T, m) VM_STRUCT(T, m, &virtio_pci_state)
extern const PCIBarDesc virtio_pci_bars[2];
extern const PCICapDesc virtio_pci_caps[4];

/* Rows every virtio PCI type has. */
#define VIRTIO_AUTO_VECTORS PCI_AUTO_COUNT
#define VIRTIO_PCI_PROPS                                                                           \
    PROP_ONOFF(VirtioPCI, disable_legacy, "disable-legacy", PLAN_AUTO,                             \
               "hide the legacy face (auto: below an Express port)"),                              \
        PROP_BOOL(VirtioPCI, disable_modern, "disable-modern", false, "hide the modern face"),     \
        PROP_U32(VirtioPCI, vectors, "vectors", VIRTIO_AUTO_VECTORS, 0, UINT32_MAX,                \
                 "MSI-X vectors; 0: no MSI-X; 4294967295: as many as the queues want"),            \
        PROP_BOOL(VirtioPCI, indirect, "indirect_desc", true, "offer indirect descriptors"),       \
        PROP_BOOL(VirtioPCI, event_idx, "event_idx", true, "offer event indexes"),                 \
        PROP_BOOL(VirtioPCI, packed, "packed", false, "offer packed rings (modern face)"),         \
        PROP_BOOL(VirtioPCI, queue_reset, "queue_reset", true, "offer reset of single queues"),    \
        PROP_BOOL(VirtioPCI, any_layout, "any_layout", true, "accept any layout of requests")

/* One type; s is the suffix of the name, what follows vec_ further members of the function. */
#define VIRTIO_PCI_TYPE_(n, s, nick, T, text, class_, props_, state, klass, face_, slots_, init_,  \
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
        .cls = &(klass), .face = (face_), .init = (init_), .exit = (exit_)                         \
    }

/* The three types of a device: sym_any, sym_transitional, sym_modern; a line
 * VIRTIO_DEVICE_TYPES(sym) behind this enters them in the table of types. The first is also known
 * as virtio-X. What follows the function that counts vectors are further members of the
 * PCIDeviceType. */
#define VIRTIO_PCI_TYPES(sym, n, T, text, class_, props_, state, klass, ...)                       \
    static const VirtioPCIType sym##_any = VIRTIO_PCI_TYPE_(                                       \
        n, "", "virtio-" n, T, text, class_, props_, state, klass, VIRTIO_FACE_BY_PLACE,           \
        PLAN_SLOT_CONVENTIONAL | PLAN_SLOT_EXPRESS, __VA_ARGS__);                                  \
    static const VirtioPCIType sym##_transitional =                                                \
        VIRTIO_PCI_TYPE_(n, "-transitional", NULL, T, text, class_, props_, state, klass,          \
                         VIRTIO_FACE_TRANSITIONAL, PLAN_SLOT_CONVENTIONAL, __VA_ARGS__);           \
    static const VirtioPCIType sym##_modern = VIRTIO_PCI_TYPE_(                                    \
        n, "-non-transitional", NULL, T, text, class_, props_, state, klass, VIRTIO_FACE_MODERN,   \
        PLAN_SLOT_CONVENTIONAL | PLAN_SLOT_EXPRESS, __VA_ARGS__)
#define VIRTIO_DEVICE_TYPE(t)                                                                      \
    extern const DeviceType *const t##_entry;                                                      \
    const DeviceType *const t##_entry = &(t).pci.base
#define VIRTIO_DEVICE_TYPES(sym)                                                                   \
    VIRTIO_DEVICE_TYPE(sym##_any);                                                                 \
    VIRTIO_DEVICE_TYPE(sym##_transitional);                                                        \
    VIRTIO_DEVICE_TYPE(sym##_modern)

#endif
