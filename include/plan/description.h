/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine description: everything that says what the machine is, as plain data.
 *
 * Command line, -machine-config files, QMP device_add and incoming streams all become one of
 * these; plan_resolve() turns it into a complete description (every property has a value, every
 * device an address); the live machine is built from that and from nothing else. It has two
 * sections: `guest` is what the guest can see, `host` names files, sockets and taps. A third
 * one, `boot`, identifies the images that it boots.
 *
 * Nothing here is thread-safe; a description belongs to its holder.
 */
#ifndef PLAN_DESCRIPTION_H
#define PLAN_DESCRIPTION_H

#include <json-c/json.h>

#include "plan/catalog.h"

/* Every refusal of this library: one sentence without a newline, in valid UTF-8. */
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
    bool given;      /* by the user, a file or the stream; false for a default */
} PlanSetting;

typedef struct PlanPciAddr {
    uint16_t domain;
    uint8_t bus;  /* only where a full address was asked for */
    uint8_t slot, fn;
} PlanPciAddr;

typedef struct PlanDevice {
    char *type;
    char *id;        /* NULL: anonymous; a deterministic one is derived from its place */
    char *bus;       /* name of the bus, NULL until resolved if not given */
    bool has_addr, full_addr; /* full: a bus number was given, until resolved */
    PlanPciAddr addr;
    GPtrArray *settings; /* PlanSetting*, in table order once resolved */
    bool implicit;   /* created by the board */
    unsigned option; /* which -device option it came from, from 1, for messages; 0: none */
    /* Once resolved: */
    const PlanType *t;
    char *place; /* "pcie.0/05.0", "vs.0/1", "system/TYPE": names an anonymous device and its bus */
    struct PlanBusNode *on, *brings; /* private to plan/ */
    PlanSetting *number;             /* private: the address on a bus that counts (ports) */
    bool sorted;                     /* private */
} PlanDevice;

/* A host part: -blockdev, -drive, -netdev, -chardev, -object. Kept as its options. */
typedef struct PlanHostPart {
    char *kind; /* "blockdev" "drive" "netdev" "chardev" "object" */
    char *id;
    struct json_object *options; /* owned object, keys in the order given */
} PlanHostPart;

/* What is loaded at power-on and again at each reset. */
typedef struct PlanBootImage {
    char *role;    /* "firmware" "kernel" "initrd" "dtb" */
    uint64_t size; /* bytes; 0: not stated */
    char *sha256;  /* hexadecimal; NULL: not stated */
    char *path;    /* of the file, the host's; NULL: not known */
} PlanBootImage;

typedef struct PlanMachine {
    char *type;              /* versioned name once resolved */
    GPtrArray *settings;     /* PlanSetting*: machine properties */
    char *cpu;               /* "rv64,zba=on" */
    uint64_t ram_size;
    unsigned cpus;
    GPtrArray *devices;      /* PlanDevice* in creation order */
    GPtrArray *host;         /* PlanHostPart* */
    GPtrArray *globals;      /* PlanGlobal*: -global type.prop=value */
    char *name, *uuid, *rtc; /* as -name, -uuid, -rtc; NULL: not given */
    bool has_boot;           /* the boot section is stated; false: what it boots is not known */
    GPtrArray *boot;         /* PlanBootImage*, each role once, in a fixed order */
    char *append;            /* the kernel's command line; NULL: none */
    GPtrArray *serials;      /* char*: -serial, the host's; NULL: not stated */
    struct PlanIndex *index; /* private to plan/: ids and buses of a resolved description */
    GHashTable *host_index;  /* private to plan/: PlanHostPart* by kind and id, or NULL */
} PlanMachine;

typedef struct PlanGlobal {
    char *type, *prop, *value;
    bool used; /* the type is known: resolving sets it, a caller may warn of the others */
} PlanGlobal;

/* The image of a role, or NULL; and a new one (the machine has none of that role). */
PlanBootImage *plan_find_boot(const PlanMachine *m, const char *role);
PlanBootImage *plan_add_boot(PlanMachine *m, const char *role);
void plan_remove_boot(PlanMachine *m, const char *role);
/* Replace the boot section by a copy of another description's. */
void plan_set_boot(PlanMachine *to, const PlanMachine *from);

PlanMachine *plan_machine_new(void);
void plan_machine_free(PlanMachine *m);
PlanMachine *plan_machine_copy(const PlanMachine *m);
PlanDevice *plan_device_new(const char *type);
void plan_device_free(PlanDevice *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PlanMachine, plan_machine_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PlanDevice, plan_device_free)

/* "TYPE,id=..,bus=..,addr=..,prop=value" (',,' is a comma) or a JSON object {"driver": ...}
 * (single quotes allowed). NULL and a sentence naming the option on a malformed one. Types and
 * properties are checked when resolving, so that order on the command line is free. */
PlanDevice *plan_device_parse(const char *text, GError **err);
PlanDevice *plan_device_from_json(struct json_object *o, GError **err);
/* The same with the types of the catalogue at hand (NULL: none): an unknown type is reported
 * before anything else of the option is checked. */
PlanDevice *plan_device_parse_known(const char *text, const PlanCatalog *c, GError **err);
PlanDevice *plan_device_from_json_known(struct json_object *o, const PlanCatalog *c, GError **err);

/* Add a setting, replacing one of that name. text NULL: explicitly unset. */
void plan_device_set(PlanDevice *d, const char *name, const char *text);
/* A property of a resolved device was decided when it was created (PLAN_PROP_DECIDED): its value
 * stands in the description as if it had been given. */
void plan_device_decide(PlanDevice *d, const char *name, const char *text);
/* The resolved value, or NULL if the type has no such property. */
const PlanValue *plan_device_get(const PlanDevice *d, const char *name);

/* "-machine TYPE,prop=value,...": the type and the machine properties, laid over what m has. */
bool plan_machine_parse(PlanMachine *m, const char *text, GError **err);
void plan_machine_set(PlanMachine *m, const char *name, const char *text);
/* The resolved value of a machine property, or NULL. */
const PlanValue *plan_machine_get(const PlanMachine *m, const char *name);
/* "-global TYPE.PROP=VALUE" or "driver=TYPE,property=PROP,value=VALUE". */
bool plan_machine_add_global(PlanMachine *m, const char *text, GError **err);

/* Defaults of a device type on this resolved machine that differ from the type's own (-global and
 * compat rows), as "prop=value,..." in no particular order, "" without any. Board devices, which
 * are in no description, are created with them. g_free. */
char *plan_type_defaults(const PlanMachine *m, const char *type);

/* Options as key=value,... (',,' is a comma; implied: the key of a first word without '=', or
 * NULL; a later word without '=' is on, "nowait" is wait=off) or as a JSON object (single quotes
 * allowed). Keys keep their order, values of the first form are strings. NULL and a sentence on a
 * malformed one. */
struct json_object *plan_options_parse(const char *text, const char *implied, GError **err);
/* Dotted keys to nested objects, runs of 0, 1, 2 to arrays. Returns a new object. */
struct json_object *plan_options_nest(struct json_object *flat, GError **err);
/* A host part of KIND from the text of its option: the implied key and the key that holds the
 * id are the kind's; dotted keys are nested. Refuses what has no id. */
PlanHostPart *plan_host_part_parse(const char *kind, const char *text, GError **err);
void plan_host_part_free(PlanHostPart *part);
/* part is owned by m on success; a second one of its kind and id is refused. */
bool plan_machine_add_host(PlanMachine *m, PlanHostPart *part, GError **err);
PlanHostPart *plan_find_host(const PlanMachine *m, const char *kind, const char *id);
/* Remove and free a part of m. */
void plan_machine_remove_host(PlanMachine *m, PlanHostPart *part);

/* Make the whole description complete: types known, -global and compat values applied, every
 * property checked and given a value, buses found, addresses chosen (the lowest free slot that
 * the bus's rules allow), topology rules checked. On failure *err has one sentence and m is
 * unchanged in meaning. Resolving a resolved description changes nothing. */
bool plan_resolve(PlanMachine *m, const PlanCatalog *c, GError **err);

/* The same for one more device on a resolved description (QMP device_add): d is appended to
 * m->devices on success and owned by m; on failure m is unchanged and d is the caller's.
 * `running` applies the hotplug rules. */
bool plan_add_device(PlanMachine *m, const PlanCatalog *c, PlanDevice *d, bool running,
                     GError **err);
/* Remove the device (not those on its bus: the caller removes these first). */
void plan_remove_device(PlanMachine *m, PlanDevice *d);
/* By id, or by place for an anonymous device of a resolved description. */
PlanDevice *plan_find_device(const PlanMachine *m, const char *id);
/* Its id, or its place when anonymous: unique, deterministic, names its section in a stream. */
const char *plan_device_name(const PlanDevice *d);

/* The format number in "backplane-machine" of a description. */
enum { PLAN_FORMAT = 1 };

/* The complete description as JSON, keys in a fixed order; `guest_only` leaves `host` out, but not
 * `boot`.
 * plan_from_json() of it gives an equal description: dump, read, dump is byte-identical. */
struct json_object *plan_to_json(const PlanMachine *m, const PlanCatalog *c, bool guest_only);
PlanMachine *plan_from_json(struct json_object *o, GError **err);
char *plan_to_text(const PlanMachine *m, const PlanCatalog *c, bool guest_only); /* g_free */
PlanMachine *plan_from_text(const char *text, size_t len, GError **err);

/* One description from several files, in any order: sections that a file lacks come from others.
 * Devices are one by id, anonymous ones by bus and address, host parts by kind and id. Where two
 * files give different values for one thing, and for a file that cannot be read, NULL and a
 * sentence that begins with the path. */
PlanMachine *plan_from_files(const char *const *paths, size_t n, const PlanCatalog *c,
                             GError **err);

/* False, with a sentence, if m names anything of the host: parts, or values of properties that
 * are the host's. What a stream brings must pass this. m need not be resolved. */
bool plan_check_guest_only(const PlanMachine *m, const PlanCatalog *c, GError **err);

/* Lay a command line, `over`, on `base`: its values win, and others are added. A device with the id
 * of one in base changes the properties that it names, its bus and its address, if it names them;
 * another type keeps the place alone. base is changed. c (may be NULL) knows aliases of types. */
bool plan_merge(PlanMachine *base, const PlanMachine *over, const PlanCatalog *c, GError **err);

/* Per PCI bus: slot range, free slots, what fits, hotplug or not, who holds the rest with its
 * interrupts, and how much of each window the BARs need (of a bridge's: the smallest window that
 * would do). m must be resolved. */
struct json_object *plan_slots_to_json(const PlanMachine *m, const PlanCatalog *c);
char *plan_slots_to_text(const PlanMachine *m, const PlanCatalog *c);
/* The same as a picture: buses, bridges, devices at their addresses with their BARs and
 * interrupts, free places, windows and how full they are. SVG text; g_free. m is resolved. */
char *plan_topology_svg(const PlanMachine *m, const PlanCatalog *c);

/* What differs for the guest between two complete descriptions: an array of
 * {device, property, wanted, have}; empty when a guest could not tell. */
struct json_object *plan_diff(const PlanMachine *wanted, const PlanMachine *have,
                              const PlanCatalog *c);

/* What differs between the boot sections, appended to such an array; nothing if one of the
 * descriptions does not have the section. */
void plan_diff_boot(struct json_object *out, const PlanMachine *wanted, const PlanMachine *have);
/* Devices of one type at one place that have different ids, in the same form: no guest sees ids,
 * but saved state is found by them. */
struct json_object *plan_diff_names(const PlanMachine *wanted, const PlanMachine *have,
                                    const PlanCatalog *c);

/* Help texts as `-device help`, `-device TYPE,help`, `-machine help` print them. g_free. */
char *plan_help_types(const PlanCatalog *c);
char *plan_help_type(const PlanType *t);
char *plan_help_machines(const PlanCatalog *c);
char *plan_help_machine(const PlanCatalog *c, const PlanMachineType *t); /* -machine TYPE,help */
char *plan_help_default_machine(const PlanCatalog *c); /* the default, and what aliases mean */

/* Addresses: "04.0" "4.0" "0x06" "0x06.0" "0000:01:00.0"; plain numbers are hexadecimal as in
 * -device addr=. `full` says whether a bus number was given. */
bool plan_addr_parse(const char *text, PlanPciAddr *addr, bool *full, GError **err);
char *plan_addr_format(const PlanPciAddr *addr, bool full); /* "04.0" or "0000:01:04.0" */
int plan_addr_compare(const PlanPciAddr *a, const PlanPciAddr *b); /* -1, 0, 1 */

/* One value: parse text against a property; canonical text of a value (g_free). The sentence
 * names the property, the text and what is accepted. */
bool plan_value_parse(const PlanProp *p, const char *text, PlanValue *v, GError **err);
char *plan_value_format(const PlanProp *p, const PlanValue *v); /* NULL: an unset string */
void plan_value_clear(PlanValue *v);
void plan_value_default(const PlanProp *p, PlanValue *v);
bool plan_value_equal(const PlanValue *a, const PlanValue *b);
struct json_object *plan_value_to_json(const PlanProp *p, const PlanValue *v);
/* What the property takes, as the end of a sentence: "on or off". g_free. */
char *plan_value_accepts(const PlanProp *p);

#endif
