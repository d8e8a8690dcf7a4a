/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices: const descriptors, instances, and the tree of devices.
 *
 * A type is a const DeviceType (for PCI functions embedded in a PCIDeviceType). An instance is
 * one zeroed allocation of type->size whose first member is a Device (or a structure that starts
 * with one). Its stages:
 *
 *   device_new()      properties are set from the resolved description; not on a bus yet
 *   device_realize()  kind->attach (the core part: config space, BARs, pins), then type->realize
 *   reset             type->reset (state), then for all devices type->reset_exit (outputs)
 *   device_unplug()   hides the device, kind->detach, type->unrealize; the last unpin frees it
 *
 * The tree gives every device a path: /machine/peripheral/ID, /machine/peripheral-anon/device[N],
 * /machine/unattached/device[N]. Properties that are created at run time, interfaces, classes with
 * constructors and code for individual types do not belong here.
 *
 * Every function except device_pin_any() and device_unpin_any() requires the machine lock.
 */
#ifndef HW_CORE_DEVICE_H
#define HW_CORE_DEVICE_H

#include "hw/core/irq.h"
#include "hw/core/state.h"
#include "plan/description.h"

typedef struct DeviceType DeviceType;
typedef struct Bus Bus;

/* A class of devices: the common part of PCI functions, of board devices and of virtio-serial
 * ports. One const object per class, in the core that implements it. */
typedef struct DeviceKind {
    const char *name; /* "pci-device", "sys-device": the parent type QMP shows */
    /* Apply the tables of the type and occupy the address on the bus. Nothing is visible to the
     * guest before type->realize returned true. */
    bool (*attach)(Device *dev, const PlanDevice *plan, GError **err);
    /* Make the device visible: map it, report its presence. Cannot fail. */
    void (*ready)(Device *dev);
    /* Undo ready and attach: the device is invisible and not on the bus afterwards. */
    void (*detach)(Device *dev);
    void (*finalize)(Device *dev); /* free memory that attach allocated; after the last unpin */
    void (*reset)(Device *dev, ResetKind kind); /* before type->reset */
    void (*reset_exit)(Device *dev);            /* before type->reset_exit */
    /* Row i of the properties that the class adds to those of a type, for members of the class's
     * structure; false: there are no more. device_new() stores them like those of the type. */
    bool (*prop)(const DeviceType *type, size_t i, PlanProp *out);
    /* Fill in the catalogue entry of a type, except name, doc and properties, which the registry
     * provides. Called once per type. */
    void (*describe)(const DeviceType *type, PlanType *out);
    /* Return the registers of a type as Markdown tables, or NULL with an error. The caller frees
     * the text with g_free(). */
    char *(*registers)(const DeviceType *type, GError **err);
} DeviceKind;

struct DeviceType {
    const char *name, *alias, *doc;
    const DeviceKind *kind;
    size_t size;
    const PlanProp *props;
    size_t n_props;
    const VmState *vmstate; /* NULL: no saved state; no_state has the reason */
    const char *no_state;   /* "unmigratable: reason" blocks migration; NULL with a NULL vmstate
                               means that there is nothing to save */
    bool internal;          /* the board creates it, users cannot */
    bool hotpluggable;      /* can be plugged and unplugged while the guest runs */
    /* dev is the instance. All may be NULL. */
    bool (*realize)(void *dev, GError **err);
    void (*reset)(void *dev, ResetKind kind);
    void (*reset_exit)(void *dev); /* drive outputs from the state */
    void (*unrealize)(void *dev);  /* stop timers and back ends; the guest has no access any more */
    void (*finalize)(void *dev);   /* free memory; after the last unpin */
};

struct Device {
    const DeviceType *type;
    Machine *machine;
    const char *id; /* owned; NULL when anonymous */
    char *path;     /* owned; "/machine/peripheral/nic0" */
    char *plan_id;  /* owned; name of its section in a stream, derived from its location
                       ("0000:00:01.0"). Set by attach, or the id, or the name of the type */
    char *place;    /* owned; the description's name of its location ("pcie.0/01.0"), which is
                       the name of the bus of an anonymous bridge; may be NULL */
    Device *parent; /* in the tree */
    GPtrArray *children;
    Bus *bus;       /* the device is on this bus; NULL for board devices */
    Bus *child_bus; /* the device provides this bus; NULL: none */
    IrqPin *irq_in; /* input pins, if it is an interrupt controller */
    unsigned n_irq_in;
    bool realized, hidden; /* hidden: unplugged, not freed before the last unpin */
    bool busy;             /* on the call stack: the re-entrancy guard */
    int pins;              /* atomic; the tree has one */
};

/* A bus: its class, the device that provides it, and its members in the order of plugging. Cores
 * embed it (PCIBus). It is registered by name in the machine from bus_init() to bus_fini(). */
struct Bus {
    PlanBusKind kind;
    char *name;    /* owned; "pcie.0", or the id of its owner */
    Device *owner; /* NULL for a root bus of the board */
    Machine *machine;
    GPtrArray *members; /* Device*, realized ones */
};
/* Register a bus. False with an ERROR_USER if the machine has a bus of that name. bus_fini() undoes
 * it. */
bool bus_init(Bus *bus, Machine *m, PlanBusKind kind, const char *name, Device *owner,
              GError **err);
/* Unregister a bus without members. Safe on a zeroed bus. */
void bus_fini(Bus *bus);
/* The bus with a name; NULL: none. */
Bus *bus_find(Machine *m, const char *name);

/* --- the registry: a generated const table of all types (hw/device_types.c) --- */
extern const DeviceType *const *const device_type_entries[]; /* NULL-terminated */
extern const size_t n_device_types;
/* Entry of a type in the table: declares the symbol that the generated table collects. */
#define DEVICE_TYPE(t)                                                                             \
    extern const DeviceType *const t##_entry;                                                      \
    const DeviceType *const t##_entry = &(t)
#define PCI_DEVICE_TYPE(t)                                                                         \
    extern const DeviceType *const t##_entry;                                                      \
    const DeviceType *const t##_entry = &(t).base
/* The type with a name or alias; NULL: none. */
const DeviceType *device_type_find(const char *name);

/* --- creation and removal --- */

/**
 * device_new() - Allocate a device and set its properties.
 * @plan: resolved description; strings are copied
 * @err:  an error if an allocation whose size the properties determine fails
 *
 * Return: the device, or NULL. Pass it to device_realize(), which frees it on failure.
 */
Device *device_new(Machine *m, const DeviceType *type, const PlanDevice *plan, GError **err);
/**
 * device_realize() - Attach a device to its bus and make it visible.
 * @plan:   description with bus and address; may be NULL for a board device
 * @parent: parent in the tree; NULL: /machine/peripheral with an id, otherwise
 *          /machine/peripheral-anon
 * @err:    an error that names the device
 *
 * Attaches and realizes the device, adds it to the tree, resets it (cold) and makes it ready.
 * device_unplug() undoes it.
 *
 * Return: false if a step failed. All steps are undone then and the device is freed.
 */
bool device_realize(Device *dev, const PlanDevice *plan, Device *parent, GError **err);
/**
 * device_create() - Create and realize a device of a board.
 * @type:     name of the type
 * @settings: "prop=value,..." that override defaults; NULL: none
 * @parent:   parent in the tree; NULL: /machine/unattached
 *
 * Return: the device, or NULL with an error.
 */
Device *device_create(Machine *m, const char *type, const char *settings, Device *parent,
                      GError **err);
/**
 * device_unplug() - Remove a device, after all devices on its child bus.
 *
 * The device is invisible to the guest on return. The last unpin frees it and emits DEVICE_DELETED.
 * No effect on a device that is unplugged already.
 */
void device_unplug(Device *dev);

/* Keep the memory of a device during its DMA or I/O, and release it. Any thread. */
void device_pin_any(Device *dev);
void device_unpin_any(Device *dev);

/* --- the re-entrancy guard, which every entry into a device passes --- */
extern const MemGuard device_guard; /* for mem_set_guard(), owner = Device* */
bool device_enter(Device *dev);     /* false: on the call stack already, or unplugged */
void device_leave(Device *dev);

/* --- the tree --- */
/* The device with an id; NULL: none. */
Device *device_find_id(Machine *m, const char *id);
/* The device with an absolute path, or with a last part of a path if it is unique; NULL: none. */
Device *device_find_path(Machine *m, const char *path);
/* Call fn for a device and its descendants, parents first, in creation order, until it returns
 * false. False if it did. */
bool device_visit(Device *dev, bool (*fn)(void *opaque, Device *dev), void *opaque);
/* The container node /machine/NAME, for example "unattached". */
Device *device_container(Machine *m, const char *name);

/* Reset a device and its descendants: first the state of all, then the outputs of all. */
void device_reset_tree(Device *dev, ResetKind kind);

/* --- properties, read-only access for monitors --- */
/* Canonical text of a property, to free with g_free(). NULL: unknown property. */
char *device_prop_text(const Device *dev, const char *name);

/* Name for messages: the id, otherwise the location, otherwise the name of the type. Borrowed. */
static inline const char *device_name(const Device *dev)
{
    return dev->id ? dev->id : dev->plan_id ? dev->plan_id : dev->type->name;
}
/* Name for clients of QMP, which find the device by it: the id, otherwise the path. Borrowed. */
static inline const char *device_id_or_path(const Device *dev)
{
    return dev->id ? dev->id : dev->path;
}

/* Property rows. The member's C type is checked. */
#define PROP_BOOL(T, m, n, d, text)                                                                \
    {                                                                                              \
        .name = (n), .kind = PLAN_PROP_BOOL, .field = FIELD(T, m, bool), .def = (d), .doc = (text) \
    }
#define PROP_INT_(T, m, C, K, n, d, lo, hi, text)                                                  \
    {                                                                                              \
        .name = (n), .kind = (K), .field = FIELD(T, m, C), .def = (d), .min = (lo), .max = (hi),   \
        .doc = (text)                                                                              \
    }
#define PROP_U8(T, m, ...)  PROP_INT_(T, m, uint8_t, PLAN_PROP_U8, __VA_ARGS__)
#define PROP_U16(T, m, ...) PROP_INT_(T, m, uint16_t, PLAN_PROP_U16, __VA_ARGS__)
#define PROP_U32(T, m, ...) PROP_INT_(T, m, uint32_t, PLAN_PROP_U32, __VA_ARGS__)
#define PROP_U64(T, m, ...) PROP_INT_(T, m, uint64_t, PLAN_PROP_U64, __VA_ARGS__)
#define PROP_I32(T, m, ...) PROP_INT_(T, m, int32_t, PLAN_PROP_I32, __VA_ARGS__)
/* The place in the boot order, for a board with fw_cfg; -1: none. */
#define PROP_BOOTINDEX(T, m)                                                                       \
    PROP_I32(T, m, "bootindex", (uint64_t)-1, (uint64_t)-1, INT32_MAX,                             \
             "place in the boot order of firmware, lowest first; -1: none")
#define PROP_SIZE(T, m, ...) PROP_INT_(T, m, uint64_t, PLAN_PROP_SIZE, __VA_ARGS__)
#define PROP_STR(T, m, n, text)                                                                    \
    {                                                                                              \
        .name = (n), .kind = PLAN_PROP_STRING, .field = FIELD(T, m, char *), .doc = (text)         \
    }
#define PROP_ENUM(T, m, n, d, list, text)                                                          \
    {                                                                                              \
        .name = (n), .kind = PLAN_PROP_ENUM, .field = FIELD(T, m, uint32_t), .def = (d),           \
        .choices = (list), .doc = (text)                                                           \
    }
#define PROP_ONOFF(T, m, n, d, text)                                                               \
    {                                                                                              \
        .name = (n), .kind = PLAN_PROP_ONOFF, .field = FIELD(T, m, uint32_t), .def = (d),          \
        .doc = (text)                                                                              \
    }
#define PROP_MAC(T, m, n, text)                                                                    \
    {                                                                                              \
        .name = (n), .kind = PLAN_PROP_MAC,                                                        \
        .field = offsetof(T, m) + 0 * sizeof(&((T *)0)->m == (uint8_t(*)[6])0), .doc = (text)      \
    }
/* The I/O thread of a device. The target of a migration uses its own. */
#define PROP_IOTHREAD(T, m)                                                                        \
    {                                                                                              \
        .name = "iothread", .kind = PLAN_PROP_BACKEND, .field = FIELD(T, m, char *),               \
        .backend = "iothread", .flags = PLAN_PROP_HOST,                                            \
        .doc = "the I/O thread that processes the queues"                                          \
    }
#define PROP_BACKEND(T, m, n, k, text)                                                             \
    {                                                                                              \
        .name = (n), .kind = PLAN_PROP_BACKEND, .field = FIELD(T, m, char *), .backend = (k),      \
        .doc = (text)                                                                              \
    }

#endif
