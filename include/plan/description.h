/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine description: the complete configuration of a machine as plain data.
 *
 * The command line, -machine-config files, QMP device_add and incoming streams are converted to a
 * description. plan_resolve() completes it: each property gets a value and each device an address.
 * The live machine is built from the complete description only. A description has three sections:
 * `guest` contains everything that a guest can observe, `host` names files, sockets and other
 * resources of the host, and `boot` identifies the images that the machine boots.
 *
 * No function of this header is thread-safe. Each description has one owner.
 */
#ifndef PLAN_DESCRIPTION_H
#define PLAN_DESCRIPTION_H

#include "plan/catalog.h"

struct json_object; /* <json-c/json.h>, which users of the JSON functions include */

G_BEGIN_DECLS

enum {
    PLAN_NODES_MAX = 4,       /* NUMA nodes of a machine */
    PLAN_NODE_NONE = 65535,   /* numa_node= of a root bus that belongs to no node */
    PLAN_DISTANCE_LOCAL = 10, /* distance of a node to itself, and the least distance */
};

/* The domain of all errors of this library. A message is one line of valid UTF-8. */
#define PLAN_ERROR plan_error_quark()
enum { PLAN_ERROR_INVALID };
GQuark plan_error_quark(void);

/* A property value as given (text or JSON scalar) or resolved. */
typedef struct PlanValue {
    PlanPropKind kind;
    union {
        bool b;
        uint64_t u;
        int64_t i;
        char *s; /* owned; STRING and BACKEND, may be NULL */
        uint8_t mac[6];
    };
} PlanValue;

typedef struct PlanSetting {
    char *name;
    char *text;      /* as the user wrote it, canonical after resolving; NULL for a default (use
                      * plan_value_format()) and for a string or back end left unset */
    PlanValue value; /* valid once resolved */
    bool resolved;
    bool given; /* by the user, a file or the stream; false for a default */
} PlanSetting;

typedef struct PlanPciAddr {
    uint16_t domain;
    uint8_t bus; /* only where a full address was asked for */
    uint8_t slot, fn;
} PlanPciAddr;

typedef struct PlanDevice {
    char *type;
    char *id;                 /* NULL: anonymous; a deterministic one is derived from its place */
    char *bus;                /* name of the bus, NULL until resolved if not given */
    bool has_addr, full_addr; /* full: a bus number was given, until resolved */
    PlanPciAddr addr;
    GPtrArray *settings; /* PlanSetting*, in table order once resolved */
    bool implicit;       /* created by the board */
    bool complete;       /* read from a complete description: see PlanProp.implied */
    bool dynamic;        /* the planner chose the address; false: the user or the board */
    unsigned option;     /* number of its -device option, from 1, for messages; 0: none */
    /* Once resolved: */
    const PlanType *t;
    char *place; /* "pcie.0/05.0", "vs.0/1", "system/TYPE": names an anonymous device and its bus */
    struct PlanBusNode *on, *brings; /* private to plan/ */
    PlanSetting *number;             /* private: the address on a bus that counts (ports) */
    bool sorted;                     /* private */
    bool sized;                      /* private: `bar_size` is valid */
    uint64_t bar_size[8];            /* private: sizes of the BARs in the order of the type */
} PlanDevice;

/* A host part: -blockdev, -drive, -netdev, -chardev, -object. Kept as its options. */
typedef struct PlanHostPart {
    char *kind; /* "blockdev" "drive" "netdev" "chardev" "object" */
    char *id;
    struct json_object *options; /* owned object, keys in the order given */
} PlanHostPart;

/* An image that is loaded at power-on and at each reset. */
typedef struct PlanBootImage {
    char *role;    /* "firmware" "kernel" "initrd" "dtb" "loader0" ... "loader3" */
    uint64_t size; /* bytes; 0: not stated */
    char *sha256;  /* hexadecimal; NULL: not stated */
    char *path;    /* path of the file on this host; NULL: not known. "default" of the role
                      "firmware": the one that the program chooses */
} PlanBootImage;

/* A NUMA node. The first CPUs and the start of RAM belong to node 0, the next ones to node 1, ...
 */
typedef struct PlanNode {
    unsigned cpus;
    uint64_t ram_size;                /* bytes */
    uint8_t distance[PLAN_NODES_MAX]; /* to each node; all 0: distances are not described */
} PlanNode;

typedef struct PlanMachine {
    char *type;          /* versioned name once resolved */
    GPtrArray *settings; /* PlanSetting*: machine properties */
    char *cpu;           /* "rv64,zba=on" */
    uint64_t ram_size;
    unsigned cpus;
    PlanNode nodes[PLAN_NODES_MAX];
    unsigned n_nodes;        /* 0: the machine has no NUMA nodes */
    GPtrArray *node_memory;  /* char*: ids of the memory back ends of all nodes; NULL: not stated */
    GPtrArray *devices;      /* PlanDevice* in creation order */
    GPtrArray *host;         /* PlanHostPart* */
    GPtrArray *globals;      /* PlanGlobal*: -global type.prop=value */
    char *name, *uuid, *rtc; /* as -name, -uuid, -rtc; NULL: not given */
    bool has_boot;           /* the boot section is stated; false: the images are not known */
    GPtrArray *boot;         /* PlanBootImage*, each role once, in a fixed order */
    char *append;            /* command line of the kernel; NULL: none */
    GPtrArray *serials;      /* char*: arguments of -serial; NULL: not stated */
    bool planning;           /* a dump contains the section "planning": which addresses are dynamic,
                                and the next three members */
    bool complete;           /* the properties that are missing have their PlanProp.implied value */
    char *catalog, *policy;  /* names of the catalogue and of the placement policy; may be NULL */
    struct PlanIndex *index; /* private to plan/: ids and buses of a resolved description */
    GHashTable *host_index;  /* private to plan/: PlanHostPart* by kind and id, or NULL */
} PlanMachine;

typedef struct PlanGlobal {
    char *type, *prop, *value;
    bool used; /* set by plan_resolve() if the type exists */
} PlanGlobal;

/* --- the boot section --- */

/* Return the image of a role ("kernel"), owned by @m, or NULL if @m has none. */
PlanBootImage *plan_find_boot(const PlanMachine *m, const char *role);
/* Add an empty image for a role that @m does not have yet. Return it; @m owns it. */
PlanBootImage *plan_add_boot(PlanMachine *m, const char *role);
/* Remove and free the image of a role. No effect if @m has none. */
void plan_remove_boot(PlanMachine *m, const char *role);
/* Replace the boot section of @to by a copy of the boot section of @from. */
void plan_set_boot(PlanMachine *to, const PlanMachine *from);

/* --- NUMA nodes --- */

/* Return the number of the node that a CPU belongs to; 0 for a machine without nodes. */
unsigned plan_node_of_cpu(const PlanMachine *m, unsigned cpu);
/* Replace the ids of the memory back ends of the nodes by copies of @ids (char*); NULL: none. */
void plan_node_memory_set(PlanMachine *m, const GPtrArray *ids);

/* --- creating and freeing --- */

/* Return an empty description; freed by plan_machine_free(). */
PlanMachine *plan_machine_new(void);
/* Free a description with its devices and host parts. NULL is accepted. */
void plan_machine_free(PlanMachine *m);
/* Return a deep copy without the index of ids and buses: plan_resolve() creates it again. Freed by
 * plan_machine_free(). */
PlanMachine *plan_machine_copy(const PlanMachine *m);
/* Return a device without settings. @type is not checked. Freed by plan_device_free(), or owned by
 * a description once it is in its list of devices. */
PlanDevice *plan_device_new(const char *type);
/* Free a device that no description owns. NULL is accepted. */
void plan_device_free(PlanDevice *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PlanMachine, plan_machine_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PlanDevice, plan_device_free)

/* --- devices --- */

/**
 * plan_device_parse_known() - Create a device from the argument of -device.
 * @text: "TYPE,id=ID,bus=BUS,addr=ADDR,property=value,...", where ',,' is a comma; or a JSON object
 *        {"driver": TYPE, ...}, in which single quotes are accepted
 * @c:    the types that are accepted, or NULL to accept any name; a type with a property "addr" is
 *        recognized only with it
 * @err:  set on failure
 *
 * Only the form is checked, and the type if @c is given. Properties, bus and address are checked by
 * plan_resolve(), so that the options of a command line may have any order.
 *
 * Return: the device, freed by plan_device_free(), or NULL.
 */
PlanDevice *plan_device_parse_known(const char *text, const PlanCatalog *c, GError **err);
/* Like plan_device_parse_known() with a parsed JSON object, which the caller keeps. */
PlanDevice *plan_device_from_json_known(struct json_object *o, const PlanCatalog *c, GError **err);
/* Like plan_device_parse_known() and plan_device_from_json_known() without a catalogue. */
PlanDevice *plan_device_parse(const char *text, GError **err);
PlanDevice *plan_device_from_json(struct json_object *o, GError **err);

/* Add a setting, or replace the setting of that name. @text NULL unsets the property explicitly.
 * Not for a resolved device. */
void plan_device_set(PlanDevice *d, const char *name, const char *text);
/* Store the value that a live device has chosen for a property with PLAN_PROP_DECIDED. The
 * description then contains it as if the user had given it. No effect if @text is not a value of
 * the property. */
void plan_device_decide(PlanDevice *d, const char *name, const char *text);
/* Return the value of a property, owned by @d; NULL if the type has no such property or @d is not
 * resolved. */
const PlanValue *plan_device_get(const PlanDevice *d, const char *name);

/* --- machine properties --- */

/* Merge the argument of -machine ("TYPE,property=value,...") into @m; a property that is given
 * again replaces the earlier value. Return false with @err set if the text is malformed. */
bool plan_machine_parse(PlanMachine *m, const char *text, GError **err);
/* Add or replace a machine property. It is checked by plan_resolve(). */
void plan_machine_set(PlanMachine *m, const char *name, const char *text);
/* Return the value of a machine property, owned by @m; NULL if the machine type has no such
 * property or @m is not resolved. */
const PlanValue *plan_machine_get(const PlanMachine *m, const char *name);
/* Add the argument of -global: "TYPE.PROPERTY=VALUE", or
 * "driver=TYPE,property=PROPERTY,value=VALUE". Return false with @err set if it has another form,
 * or for more than 4,096 of them. */
bool plan_machine_add_global(PlanMachine *m, const char *text, GError **err);

/* Return the defaults of a device type on a resolved machine that differ from those of the type
 * itself (-global and compat rows), as "property=value,..." in no particular order, "" if there are
 * none; g_free(). For board devices, which are not part of a description. */
char *plan_type_defaults(const PlanMachine *m, const char *type);

/* --- options and host parts --- */

/**
 * plan_options_parse() - Parse an option into a JSON object.
 * @text:    "key=value,...", where ',,' is a comma, or a JSON object
 * @implied: the key of a first word without '=', or NULL
 * @err:     set on failure
 *
 * A later word without '=' is a key with the value "on"; "nowait", "noserver" and "nomux" are keys
 * with the value "off". Keys keep their order. Values of the first form are strings, those of the
 * JSON form keep their types. If a key is repeated, the last value counts, except for hostfwd,
 * guestfwd and dnssearch, whose values become an array. At most 1 MiB of text is accepted.
 *
 * Return: a new object for json_object_put(), or NULL.
 */
struct json_object *plan_options_parse(const char *text, const char *implied, GError **err);
/* Return a new object in which dotted keys have become nested objects, and keys 0, 1, 2, ...
 * arrays. NULL with @err set if a key is both a value and a group, or is nested deeper than 16
 * levels. */
struct json_object *plan_options_nest(struct json_object *flat, GError **err);

/**
 * plan_host_part_parse() - Create a host part from the argument of its option.
 * @kind: the option without its dash: "blockdev", "drive", "netdev", "chardev" or "object"
 * @text: the argument, as for plan_options_parse(); the implied key and the key of the id depend on
 *        @kind, and dotted keys are nested
 * @err:  set on failure, also if the part has no id
 *
 * Return: the part, freed by plan_host_part_free() or owned by a description after
 * plan_machine_add_host(); or NULL.
 */
PlanHostPart *plan_host_part_parse(const char *kind, const char *text, GError **err);
/* Return the options of an "object" part as settings: its class as the type (NULL: not given), its
 * id, and each other option as text. Freed by plan_device_free(). */
PlanDevice *plan_object_settings(struct json_object *options);
/* Free a part that no description owns. NULL is accepted. */
void plan_host_part_free(PlanHostPart *part);
/* Add a part. Return true, and @m owns it; false with @err set if @m has a part with the same @kind
 * and id, and the caller keeps @part. */
bool plan_machine_add_host(PlanMachine *m, PlanHostPart *part, GError **err);
/* Return the part with the given kind and id, owned by @m, or NULL. */
PlanHostPart *plan_find_host(const PlanMachine *m, const char *kind, const char *id);
/* Remove and free a part of @m. */
void plan_machine_remove_host(PlanMachine *m, PlanHostPart *part);

/* --- completing --- */

/**
 * plan_resolve() - Complete a description and check it.
 * @m:   changed in place
 * @c:   the types; must outlive @m
 * @err: set on failure
 *
 * Types are looked up, -global and compat values are applied, each property is checked and given a
 * value, the CPU is brought into its canonical form, buses are found, addresses are chosen (the
 * lowest free one that the rules of the bus allow), and the topology and the windows are checked.
 * Resolving a resolved description changes nothing.
 *
 * Return: true; or false, and @m then still describes what it described before.
 */
bool plan_resolve(PlanMachine *m, const PlanCatalog *c, GError **err);

/**
 * plan_add_device() - Add one device to a resolved description, as for device_add.
 * @m:       the description; resolved first if it is not
 * @c:       the types
 * @d:       the device
 * @running: true: apply the rules of hot plugging
 * @err:     set on failure
 *
 * Return: true, and @m owns @d; false, and @m is unchanged and the caller keeps @d.
 */
bool plan_add_device(PlanMachine *m, const PlanCatalog *c, PlanDevice *d, bool running,
                     GError **err);
/* Remove and free a device. The caller removes the devices on its bus first. */
void plan_remove_device(PlanMachine *m, PlanDevice *d);
/* Return the device with this id, or the anonymous device of a resolved description with this
 * place; NULL if there is none. */
PlanDevice *plan_find_device(const PlanMachine *m, const char *id);
/* Return the id of a device, or the place of an anonymous one, owned by @d. The name is unique and
 * deterministic; it names the section of the device in a stream. */
const char *plan_device_name(const PlanDevice *d);

/* --- reading and writing --- */

/* The format number in "backplane-machine" of a description. */
enum { PLAN_FORMAT = 1 };

/* Return a description as JSON with keys in a fixed order, for json_object_put(). @guest_only omits
 * the `host` section, but not `boot`. plan_from_json() of the result returns an equal description:
 * a dump of it is identical byte for byte. */
struct json_object *plan_to_json(const PlanMachine *m, const PlanCatalog *c, bool guest_only);
/* Return the description that a JSON object contains, or NULL with @err set. Unknown keys and
 * values outside the limits are errors: the object may come from an untrusted stream. The caller
 * keeps @o. */
PlanMachine *plan_from_json(struct json_object *o, GError **err);
/* Like plan_to_json() and plan_from_json() with indented text; plan_to_text() returns text for
 * g_free(). */
char *plan_to_text(const PlanMachine *m, const PlanCatalog *c, bool guest_only);
PlanMachine *plan_from_text(const char *text, size_t len, GError **err);

/**
 * plan_from_files() - Read one description from several files.
 * @paths: the files, in any order; a section that one file lacks may be in another
 * @n:     number of files
 * @c:     for aliases of types; may be NULL
 * @err:   set on failure, with a message that starts with the path
 *
 * Devices are identified by id, anonymous devices by bus and address, host parts by kind and id.
 * Two files that give different values for the same property are an error.
 *
 * Return: the description, or NULL.
 */
PlanMachine *plan_from_files(const char *const *paths, size_t n, const PlanCatalog *c,
                             GError **err);

/* Return false with @err set if @m contains anything of the host: host parts, or values of
 * properties with PLAN_PROP_HOST. For descriptions that arrive in a stream. @m need not be
 * resolved. */
bool plan_check_guest_only(const PlanMachine *m, const PlanCatalog *c, GError **err);

/**
 * plan_merge() - Merge the options of a command line into a description.
 * @base: the description; changed in place, also on failure
 * @over: the options: their values replace those of @base, and other objects are added
 * @c:    for aliases of types; may be NULL
 * @err:  set on failure
 *
 * A device of @over with the id of a device of @base changes the properties that it names, and the
 * bus and the address if it names them. If it has another type, only bus and address are kept.
 *
 * Return: true, or false.
 */
bool plan_merge(PlanMachine *base, const PlanMachine *over, const PlanCatalog *c, GError **err);

/* --- reports about a resolved description --- */

/* Describe each PCI bus: the range of slots, free slots, which devices are accepted and whether
 * while the guest runs, the devices with their interrupts, and the part of each window that BARs
 * need (for a bridge: the smallest sufficient window). The results are for json_object_put() and
 * g_free(). */
struct json_object *plan_slots_to_json(const PlanMachine *m, const PlanCatalog *c);
char *plan_slots_to_text(const PlanMachine *m, const PlanCatalog *c);
/* Draw the same data as an SVG picture; g_free(). */
char *plan_topology_svg(const PlanMachine *m, const PlanCatalog *c);

/* Return the differences between two resolved descriptions that a guest can observe, as an array of
 * {device, property, wanted, have}; empty if there are none. For json_object_put(). */
struct json_object *plan_diff(const PlanMachine *wanted, const PlanMachine *have,
                              const PlanCatalog *c);
/* Return a table of the host parts that devices with equal type and place refer to: from
 * plan_backend_key() of the part of `wanted` to the id of the part of `have`. The ids of host parts
 * may differ between two processes that run the same guest. NULL if one of the descriptions cannot
 * be resolved; otherwise for g_hash_table_unref(). */
GHashTable *plan_match_backends(const PlanMachine *wanted, const PlanMachine *have,
                                const PlanCatalog *c);
/* Return the key of a host part in such a table; g_free(). */
char *plan_backend_key(const char *backend, const char *id);
/* Append the differences between the boot sections to such an array. Nothing is appended if one of
 * the descriptions has no boot section. */
void plan_diff_boot(struct json_object *out, const PlanMachine *wanted, const PlanMachine *have);
/* Return, in the form of plan_diff(), devices with equal type and place and different ids. A guest
 * cannot observe ids, but saved state is found by them. */
struct json_object *plan_diff_names(const PlanMachine *wanted, const PlanMachine *have,
                                    const PlanCatalog *c);

/* Help texts, all for g_free(): of -device help; -device TYPE,help; -machine help; -machine
 * TYPE,help; and the default machine with the meaning of each alias. */
char *plan_help_types(const PlanCatalog *c);
char *plan_help_type(const PlanType *t);
char *plan_help_machines(const PlanCatalog *c);
char *plan_help_machine(const PlanCatalog *c, const PlanMachineType *t);
char *plan_help_default_machine(const PlanCatalog *c);

/* --- PCI addresses --- */

/* Parse "04.0", "4", "0x06.0" or "0000:01:00.0" (numbers are hexadecimal, as in -device addr=).
 * *full becomes true if a bus number is given. Return false with @err set if the text is not an
 * address. */
bool plan_addr_parse(const char *text, PlanPciAddr *addr, bool *full, GError **err);
/* Return "04.0", or with @full "0000:01:04.0"; g_free(). */
char *plan_addr_format(const PlanPciAddr *addr, bool full);
/* Compare by domain, bus, slot and function: -1, 0 or 1. */
int plan_addr_compare(const PlanPciAddr *a, const PlanPciAddr *b);

/* --- property values --- */

/**
 * plan_value_parse() - Parse the text of a value.
 * @p:    the property, with its range or choices
 * @text: the text
 * @v:    receives the value on success, freed by plan_value_clear(); owns nothing on failure
 * @err:  set on failure; the message names the property, the text and the accepted values
 *
 * Return: true, or false.
 */
bool plan_value_parse(const PlanProp *p, const char *text, PlanValue *v, GError **err);
/* Return the canonical text of a value, for g_free(); NULL for a string that is not set. */
char *plan_value_format(const PlanProp *p, const PlanValue *v);
/* Free what a value owns. */
void plan_value_clear(PlanValue *v);
/* Set *v to the default of a property; freed by plan_value_clear(). */
void plan_value_default(const PlanProp *p, PlanValue *v);
/* True if both values have the same kind and content. */
bool plan_value_equal(const PlanValue *a, const PlanValue *b);
/* Return a value as JSON of the matching type, for json_object_put(); NULL (null) for a string that
 * is not set. */
struct json_object *plan_value_to_json(const PlanProp *p, const PlanValue *v);
/* Return the accepted values of a property as the end of a message ("on or off"); g_free(). */
char *plan_value_accepts(const PlanProp *p);

G_END_DECLS

#endif
