/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices: const descriptors, instances, and the tree they stand in.
 *
 * A type is a const DeviceType (for PCI functions embedded in a PCIDeviceType). An instance is
 * one zeroed allocation of type->size whose first member is a Device (or a structure that starts
 * with one). Its life:
 *
 *   device_new()      properties set from the resolved description; in no bus yet
 *   device_realize()  kind->attach (the core part: config space, BARs, pins), then type->realize
 *   reset             type->reset (clear state), then for all devices type->reset_exit (outputs)
 *   device_unplug()   hides it at once, kind->detach, type->unrealize; freed at the last pin
 *
 * The tree gives every device a path: /machine/peripheral/ID, /machine/peripheral-anon/device[N],
 * /machine/unattached/device[N]. What must never be added here: properties made at run time,
 * interfaces, classes with constructors, per-type code.
 *
 * Machine lock for everything in this file except device_pin_any() and device_unpin_any().
 */
#ifndef HW_CORE_DEVICE_H
#define HW_CORE_DEVICE_H

#include "hw/core/irq.h"
#include "hw/core/state.h"
#include "plan/description.h"

typedef struct DeviceType DeviceType;
typedef struct Bus Bus;

/* A sort of device: what PCI functions, board devices and virtio-serial ports each have in
 * common. One const object per sort, in the core that owns it. */
typedef struct DeviceKind {
    const char *name; /* "pci-device", "sys-device": the parent type QMP shows */
    /* Fill in what the type's tables say and take the place in the bus. Nothing is visible to
     * the guest before type->realize returned true. */
    bool (*attach)(Device *dev, const PlanDevice *plan, GError **err);
    /* Make visible (map, presence). Cannot fail. */
    void (*ready)(Device *dev);
    /* Undo ready and attach: invisible and out of the bus when it returns. */
    void (*detach)(Device *dev);
    void (*finalize)(Device *dev); /* free what attach allocated; last pin gone */
    void (*reset)(Device *dev, ResetKind kind); /* before type->reset */
    void (*reset_exit)(Device *dev);            /* before type->reset_exit */
    /* Row i of the properties that the sort adds to a type's own (their fields lie in the sort's
     * structure); false when there are no more. device_new() stores them like the type's. */
    bool (*prop)(const DeviceType *type, size_t i, PlanProp *out);
    /* The catalogue entry of a type of this sort, beside name, doc and properties, which the
     * registry fills in (allocated once per type by the registry). */
    void (*describe)(const DeviceType *type, PlanType *out);
    /* The registers of a type of this kind as Markdown tables (g_free), or NULL and *err. */
    char *(*registers)(const DeviceType *type, GError **err);
} DeviceKind;

struct DeviceType {
    const char *name, *alias, *doc;
    const DeviceKind *kind;
    size_t size;
    const PlanProp *props;
    size_t n_props;
    const VmState *vmstate;   /* NULL: no state of its own, says `no_state` why */
    const char *no_state;     /* "unmigratable: reason" refuses migration by name; NULL with a
                                 NULL vmstate means that there is nothing to save */
    bool internal;            /* the board creates it, users cannot */
    bool hotpluggable;        /* may come and go while the guest runs */
    /* dev is the instance. All may be NULL. */
    bool (*realize)(void *dev, GError **err);
    void (*reset)(void *dev, ResetKind kind);
    void (*reset_exit)(void *dev); /* drive outputs from the state */
    void (*unrealize)(void *dev);  /* stop timers and back ends; no guest access comes any more */
    void (*finalize)(void *dev);   /* last pin gone: free memory */
};

struct Device {
    const DeviceType *type;
    Machine *machine;
    const char *id;     /* owned; NULL when anonymous */
    char *path;         /* owned; "/machine/peripheral/nic0" */
    char *plan_id;      /* owned; deterministic, from its place: names its section in a stream
                           ("0000:00:01.0"). attach sets it; else it is the id or the type's name */
    char *place;        /* owned; the description's name of its place, NULL without one: an
                           anonymous bridge's bus is called that ("pcie.0/01.0") */
    Device *parent;     /* in the tree */
    GPtrArray *children;
    Bus *bus;           /* it sits on; NULL for board devices */
    Bus *child_bus;     /* it brings; NULL for leaves */
    IrqPin *irq_in;     /* input pins, if it is an interrupt controller */
    unsigned n_irq_in;
    bool realized, hidden; /* hidden: unplugged, waiting for the last pin */
    bool busy;          /* on the call stack: the re-entrancy guard */
    int pins;           /* atomic; 1 for the tree */
};

/* A bus: its kind, the device that brings it, and its members in the order they came. Cores
 * embed it (PCIBus). Registered by name in the machine from bus_init() to bus_fini(). */
struct Bus {
    PlanBusKind kind;
    char *name;         /* owned; "pcie.0", or the id of the device that brings it */
    Device *owner;      /* NULL for a root bus of the board */
    Machine *machine;
    GPtrArray *members; /* Device*, realized ones */
};
/* false with a sentence if the machine has a bus of that name. */
bool bus_init(Bus *bus, Machine *m, PlanBusKind kind, const char *name, Device *owner,
              GError **err);
void bus_fini(Bus *bus); /* it has no members any more; safe on a zeroed bus */
Bus *bus_find(Machine *m, const char *name);

/* --- the registry: a generated const table of all types (hw/device_types.c) --- */
extern const DeviceType *const *const device_type_entries[]; /* NULL-terminated */
extern const size_t n_device_types;
/* A type of any layer: declares the symbol that the generated table collects. */
#define DEVICE_TYPE(t)     extern const DeviceType *const t##_entry; const DeviceType *const t##_entry = &(t)
#define PCI_DEVICE_TYPE(t) extern const DeviceType *const t##_entry; const DeviceType *const t##_entry = &(t).base
const DeviceType *device_type_find(const char *name); /* by name or alias */

/* --- life --- */

/* A new instance with its properties set from plan's resolved settings (strings are copied).
 * NULL and a sentence if an allocation that the properties ask for is refused. */
Device *device_new(Machine *m, const DeviceType *type, const PlanDevice *plan, GError **err);
/* Find plan->bus, attach, realize, enter the tree under `parent` (NULL: peripheral or
 * peripheral-anon, as it has an id or not), reset (cold), make ready. On failure everything is
 * undone, the instance is freed and *err says why in one sentence. plan may be NULL for a board
 * device. */
bool device_realize(Device *dev, const PlanDevice *plan, Device *parent, GError **err);
/* For board code: type by name, settings "prop=value,..." (NULL: none) over the defaults, then
 * device_realize() under parent (NULL: unattached). NULL and error. */
Device *device_create(Machine *m, const char *type, const char *settings, Device *parent,
                      GError **err);
/* Remove dev and, first, everything on its child bus. The guest sees it gone on return. Emits
 * DEVICE_DELETED when the last pin is dropped. */
void device_unplug(Device *dev);

/* Keep the memory of a device while DMA or I/O of it is under way. Any thread. */
void device_pin_any(Device *dev);
void device_unpin_any(Device *dev);

/* --- the re-entrancy guard: every way into a device passes here --- */
extern const MemGuard device_guard; /* for mem_set_guard(), owner = Device* */
bool device_enter(Device *dev);     /* false: already on the call stack, do not enter */
void device_leave(Device *dev);

/* --- the tree --- */
Device *device_find_id(Machine *m, const char *id);
Device *device_find_path(Machine *m, const char *path); /* absolute, or a unique last part */
/* Visit dev and its descendants, parents first, in creation order. Stops when fn returns false. */
bool device_visit(Device *dev, bool (*fn)(void *opaque, Device *dev), void *opaque);
/* A plain container node such as /machine/unattached. */
Device *device_container(Machine *m, const char *name);

/* Reset dev and its descendants: phase one over all, then phase two over all. */
void device_reset_tree(Device *dev, ResetKind kind);

/* --- properties, read-only access for monitors --- */
/* Canonical text of a property; g_free. NULL: no such property. */
char *device_prop_text(const Device *dev, const char *name);

static inline const char *device_name(const Device *dev)
{
    return dev->id ? dev->id : dev->plan_id ? dev->plan_id : dev->type->name;
}

/* Property rows. The member's C type is checked. */
#define PROP_BOOL(T, m, n, d, text) \
    { .name = (n), .kind = PLAN_PROP_BOOL, .field = FIELD(T, m, bool), .def = (d), .doc = (text) }
#define PROP_INT_(T, m, C, K, n, d, lo, hi, text) \
    { .name = (n), .kind = (K), .field = FIELD(T, m, C), .def = (d), .min = (lo), .max = (hi), .doc = (text) }
#define PROP_U8(T, m, ...)  PROP_INT_(T, m, uint8_t, PLAN_PROP_U8, __VA_ARGS__)
#define PROP_U16(T, m, ...) PROP_INT_(T, m, uint16_t, PLAN_PROP_U16, __VA_ARGS__)
#define PROP_U32(T, m, ...) PROP_INT_(T, m, uint32_t, PLAN_PROP_U32, __VA_ARGS__)
#define PROP_U64(T, m, ...) PROP_INT_(T, m, uint64_t, PLAN_PROP_U64, __VA_ARGS__)
#define PROP_I32(T, m, ...) PROP_INT_(T, m, int32_t, PLAN_PROP_I32, __VA_ARGS__)
#define PROP_SIZE(T, m, ...) PROP_INT_(T, m, uint64_t, PLAN_PROP_SIZE, __VA_ARGS__)
#define PROP_STR(T, m, n, text) \
    { .name = (n), .kind = PLAN_PROP_STRING, .field = FIELD(T, m, char *), .doc = (text) }
#define PROP_ENUM(T, m, n, d, list, text) \
    { .name = (n), .kind = PLAN_PROP_ENUM, .field = FIELD(T, m, uint32_t), .def = (d), .choices = (list), .doc = (text) }
#define PROP_ONOFF(T, m, n, d, text) \
    { .name = (n), .kind = PLAN_PROP_ONOFF, .field = FIELD(T, m, uint32_t), .def = (d), .doc = (text) }
#define PROP_MAC(T, m, n, text) \
    { .name = (n), .kind = PLAN_PROP_MAC, .field = offsetof(T, m) + 0 * sizeof(&((T *)0)->m == (uint8_t(*)[6])0), .doc = (text) }
#define PROP_BACKEND(T, m, n, k, text) \
    { .name = (n), .kind = PLAN_PROP_BACKEND, .field = FIELD(T, m, char *), .backend = (k), .doc = (text) }

#endif
