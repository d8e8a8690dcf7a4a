/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The catalogue: plain data about the device types that a machine description may name.
 *
 * plan/ defines the shapes; the descriptors in hw/ are written in them and handed over as a
 * PlanCatalog, and backplane-plan links a generated copy. Nothing here refers to a live device.
 */
#ifndef PLAN_CATALOG_H
#define PLAN_CATALOG_H

#include <glib.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>

G_BEGIN_DECLS

struct PlanMachine;

/* The type of a property. The comment names the C type of the field it is stored in. */
typedef enum PlanPropKind {
    PLAN_PROP_BOOL,    /* bool: on/off, true/false, yes/no */
    PLAN_PROP_U8,      /* uint8_t */
    PLAN_PROP_U16,     /* uint16_t */
    PLAN_PROP_U32,     /* uint32_t */
    PLAN_PROP_U64,     /* uint64_t */
    PLAN_PROP_I32,     /* int32_t; min and max are read as signed */
    PLAN_PROP_SIZE,    /* uint64_t: bytes, with suffixes k M G T */
    PLAN_PROP_STRING,  /* char *, owned by the device, may be NULL */
    PLAN_PROP_ENUM,    /* uint32_t: index into choices */
    PLAN_PROP_ONOFF,   /* uint32_t: PlanOnOff (on, off, auto) */
    PLAN_PROP_CAP,     /* int32_t: PLAN_CAP_OFF, PLAN_CAP_ANYWHERE, or the offset asked for */
    PLAN_PROP_MAC,     /* uint8_t[6] */
    PLAN_PROP_BACKEND, /* char *: id of a host part of the kind in `backend`, may be NULL */
} PlanPropKind;

typedef enum PlanOnOff { PLAN_AUTO, PLAN_ON, PLAN_OFF } PlanOnOff;
enum { PLAN_CAP_OFF = -1, PLAN_CAP_ANYWHERE = 0 };

enum {
    PLAN_PROP_REQUIRED = 1 << 0, /* the user must give it */
    PLAN_PROP_HOST = 1 << 1,     /* belongs to the `host` section: the guest cannot see it */
    PLAN_PROP_FIXED = 1 << 3,    /* only the default is accepted */
    PLAN_PROP_NUMBERS = 1 << 4,  /* a string of numbers and ranges; in JSON an array of numbers */
    PLAN_PROP_TEXT = 1 << 5,     /* a number; in JSON a number or a string */
    PLAN_PROP_DECIDED = 1 << 2,  /* if not given, the device chooses the value when it is created,
                                    and the description then contains it */
};

/*
 * One property. Descriptors contain tables of properties. `field` is the offset in the device's
 * structure (meaningless to plan/). Numbers are checked against [min, max]; max 0 means the
 * kind's own range.
 */
typedef struct PlanProp {
    const char *name;
    PlanPropKind kind;
    uint8_t flags;
    size_t field;
    uint64_t def, min, max;
    const char *def_str;        /* default of STRING kinds */
    const char *const *choices; /* ENUM: NULL-terminated */
    const char *implied;        /* the value that a complete description implies if it lacks the
                                   property, because it was written before the property existed;
                                   NULL: the default of its machine version */
    const char *backend;        /* BACKEND: "drive", "netdev", "chardev", "rng" ... */
    const char *doc;            /* one line for help */
    const char *same_as;        /* of a CPU type: this name means that property; NULL: none */
} PlanProp;

/* Bus types: where a device can be plugged, and the bus that a device provides. */
typedef enum PlanBusKind {
    PLAN_BUS_NONE,
    PLAN_BUS_SYSTEM,        /* board devices; no user may plug there */
    PLAN_BUS_PCIE_ROOT,     /* root complex: 32 slots, function 0 first, no hotplug */
    PLAN_BUS_PCI_ROOT,      /* conventional root */
    PLAN_BUS_PCI,           /* behind a conventional bridge: slots 0-31 (or from 1 with SHPC) */
    PLAN_BUS_PCIE_PORT,     /* below a root or switch downstream port: slot 0 only, hotplug */
    PLAN_BUS_PCIE_UPSTREAM, /* inside a switch: downstream ports only */
    PLAN_BUS_VIRTIO_SERIAL, /* ports by number */
    PLAN_BUS_VIRTIO_MMIO,   /* a virtio MMIO slot of the board: one device, no hotplug */
    PLAN_BUS_SCSI,          /* logical units by channel, target and number */
    PLAN_BUS_USB,           /* devices by port */
    PLAN_BUS_NVME,          /* namespaces by identifier */
    PLAN_BUS_OTHER,         /* of a type whose addresses are kept as given and not checked */
    PLAN_BUS_KINDS
} PlanBusKind;

/* The role of a PCI function in the rules for plugging. */
typedef enum PlanPciRole {
    PLAN_PCI_NONE,     /* not a PCI function */
    PLAN_PCI_ENDPOINT, /* conventional, Express or either: see slots */
    PLAN_PCI_ROOT_PORT,
    PLAN_PCI_UPSTREAM,
    PLAN_PCI_DOWNSTREAM,
    PLAN_PCI_PCIE_BRIDGE, /* Express to conventional */
    PLAN_PCI_BRIDGE,      /* conventional to conventional */
    PLAN_PCI_EXTRA_ROOT,  /* a root bus of its own (pxb-pcie) */
    PLAN_PCI_HOST,        /* the host bridge's own function */
} PlanPciRole;

enum { PLAN_SLOT_CONVENTIONAL = 1 << 0, PLAN_SLOT_EXPRESS = 1 << 1 };

/* A number that follows from unsigned or boolean properties: base + times[i] * prop[i] ... */
typedef struct PlanCount {
    uint32_t base;
    const char *prop[2]; /* NULL: no term */
    uint32_t times[2];
} PlanCount;
#define PLAN_AUTO_COUNT UINT32_MAX /* value of a count property: use the PlanCount */

/* One BAR. Its presence and size depend on the resolved properties and on the bus type. */
typedef struct PlanBar {
    uint8_t index; /* 0-5 */
    bool io, is64, prefetch;
    uint64_t size;            /* bytes; 0 without size_prop: as large as MSI-X needs it */
    const char *size_prop;    /* a SIZE property that overrides `size`, or NULL; 0: no BAR */
    const char *if_prop;      /* the BAR exists only if this property is on, or NULL */
    const char *unless_prop;  /* and only if this one is off; auto is on below an Express port */
    const char *vectors_prop; /* MSI-X: the property with their number, or NULL: `vectors` */
    uint32_t vectors;
    PlanCount auto_vectors; /* of PLAN_AUTO_COUNT in vectors_prop */
} PlanBar;

/* The windows that BARs are placed in. A 64-bit BAR that is not prefetchable is placed below
 * 4 GiB, because a bridge forwards it only there. */
typedef enum PlanResource {
    PLAN_ROOM_IO,
    PLAN_ROOM_MEM32,
    PLAN_ROOM_MEM64,
    PLAN_RESOURCES
} PlanResource;

/* One capability that the type can have: which property switches it, and how long it is. */
typedef struct PlanCapability {
    uint16_t id;
    bool extended;
    bool required; /* the port type demands it: cannot be off */
    uint16_t length;
    const char *prop; /* the CAP property, or NULL */
} PlanCapability;

typedef struct PlanType {
    const char *name, *alias, *doc;
    const PlanProp *props;
    size_t n_props;
    PlanBusKind plugs_into; /* for what is not PCI; PLAN_BUS_NONE when `role` decides */
    PlanPciRole role;
    uint8_t slots;        /* PLAN_SLOT_* for endpoints */
    PlanBusKind provides; /* type of the bus that the device provides, or PLAN_BUS_NONE */
    bool hotpluggable;    /* may be plugged and unplugged while the guest runs */
    bool user_creatable;  /* false: the board creates it */
    const PlanBar *bars;
    size_t n_bars;
    const PlanCapability *caps;
    size_t n_caps;
    uint8_t pin;          /* INTx: 1 to 4 for A to D; 0: none */
    uint32_t class_code;  /* PCI class, subclass and interface; 0: not stated */
    uint16_t msi_vectors; /* messages of an MSI capability; MSI-X: see the vectors of `bars` */
    uint8_t link_speed;   /* generation of the link, 1 to 6; 0: see link_speed_prop, or no link */
    uint8_t link_width;   /* lanes; 0: see link_width_prop, or no link */
    const char *link_speed_prop, *link_width_prop; /* properties that contain them, or NULL */
    const char *plain_prop; /* if this property is on, Express and power management are off by
                               default on an Express root bus; NULL: they are on */
} PlanType;

/*
 * A compatibility row: the default of a property on one machine version and on every older one.
 * A row of an older version overrides one of a newer version. Descriptions that do not mention
 * the property imply this value (docs/devel/machine-versions.md).
 */
typedef struct PlanCompat {
    const char *machine; /* the newest machine version the row applies to */
    const char *type;    /* device type; "*": each type that has the property and no own row for
                            this version; NULL: a property of the machine */
    const char *prop, *value;
} PlanCompat;

typedef struct PlanMachineType {
    const char *name, *alias, *doc;
    bool is_default;
    const char *default_cpu, *default_ram_id;
    unsigned max_cpus;
    uint64_t default_ram;
    const PlanProp *props; /* -M virt,aia=... ; field is unused */
    size_t n_props;
    const char *root_bus; /* "pcie.0", or NULL for a machine without PCI */
    PlanBusKind root_kind;
    const char *const *implicit;     /* NULL-terminated "type,id=...,addr=..." the board creates */
    uint64_t window[PLAN_RESOURCES]; /* sizes of the root bus's windows */
    const char *newer; /* name of the next newer version, or NULL: its compat rows apply as well */
    /* Buses of virtio MMIO slots: their name without the number at its end, and how many; or NULL.
     * A device without a bus gets the free one with the highest number, as in QEMU. */
    const char *mmio_bus;
    unsigned n_mmio_buses;
    unsigned msi_per_cpu; /* interrupt messages that a CPU can distinguish; 0: not stated */
    const char *msi_if; /* "property=value" of the machine without which there are none, or NULL */
    const char *const *defaults; /* NULL-terminated "type,..." of devices that a command line
                                    without -nodefaults has as well; NULL: none */
    bool root_hotplug;  /* the root bus accepts devices while the guest runs (ACPI hot plug) */
    unsigned max_nodes; /* NUMA nodes that a description may have; 0: none */
} PlanMachineType;

/* Names of types that other programs have and this catalogue lacks, for error messages only. */
typedef struct PlanAbsent {
    const char *pattern; /* a name, with * for any characters */
    const char *feature; /* the missing feature: "NVMe" */
    const char *instead; /* a type of this catalogue to use in its place, or NULL */
} PlanAbsent;

typedef struct PlanCatalog {
    const PlanType *const *types;
    size_t n_types;
    const PlanMachineType *const *machines;
    size_t n_machines;
    const PlanCompat *compats;
    size_t n_compats;
    const PlanAbsent *absent; /* the first row that matches a name applies */
    size_t n_absent;
    /* The program that runs these machines, "backplane" or "qemu", and its version; NULL: not
     * stated. */
    const char *program, *version;
    const char *arch; /* of the guest CPUs: "riscv64", "x86_64"; NULL: not stated */
    /* The CPU of a machine whose properties are resolved, in canonical form, freed by the caller;
     * NULL with an error set if there is no such CPU. NULL: plan_resolve() keeps the text. */
    char *(*cpu_model)(const struct PlanMachine *m, GError **err);
} PlanCatalog;

/* Return the type with this name or alias, or NULL. */
const PlanType *plan_find_type(const PlanCatalog *c, const char *name);
/* Like plan_find_type(); for an unknown type @err is set to a message with the nearest name, or
 * with the feature that this version lacks. */
const PlanType *plan_expect_type(const PlanCatalog *c, const char *name, GError **err);
/* Return the machine type with this name or alias, or NULL. */
const PlanMachineType *plan_find_machine(const PlanCatalog *c, const char *name);
/* Return the default of a property that compat rows set on this machine, or NULL if no row applies.
 * @type NULL: a property of the machine itself. */
const char *plan_compat_value(const PlanCatalog *c, const PlanMachineType *machine,
                              const char *type, const char *prop);
/* Return C source that defines `const PlanCatalog plan_catalog` equal to @c, with all fields 0;
 * g_free(). */
char *plan_catalog_to_c(const PlanCatalog *c);
extern const PlanCatalog plan_catalog; /* in programs that link such a source */
/* Return the property with this name of a table of @n, or NULL. */
const PlanProp *plan_find_prop(const PlanProp *props, size_t n, const char *name);

G_END_DECLS

#endif
