/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interfaces between the sources of plan/: error messages, quoting, and the index of a resolved
 * machine.
 */
#ifndef PLAN_INTERNAL_H
#define PLAN_INTERNAL_H

#include <string.h>

#include "plan/bus.h"
#include "plan/description.h"
#include "plan/json.h"
#include "util/suggest.h"

enum {
    PLAN_ID_MAX = 127,          /* bytes of an id; places derived from it fit 255 bytes */
    PLAN_DEPTH_MAX = 24,        /* bridges above a device */
    PLAN_DEVICES_MAX = 1 << 17, /* twice the functions of a segment */
    PLAN_TEXT_MAX = 128 << 20,  /* bytes of a description */
    PLAN_OPTION_MAX = 1 << 20,  /* bytes of one option */
    PLAN_JSON_DEPTH = 32,
    PLAN_VALUES_MAX = 1 << 23, /* JSON values of a description */
    PLAN_SETTINGS_MAX = 1024,  /* properties of one device */
    PLAN_NAME_MAX = 255,       /* bytes of a bus name or a place */
    PLAN_GLOBALS_MAX = 4096,
    PLAN_PARTS_MAX = 1 << 16,
    PLAN_MESSAGE_MAX = 800, /* bytes of a message that contains other messages */
};

/* Set *err. Always returns false. */
bool plan_fail(GError **err, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Return text in quotes for a message; g_free(). Control characters and invalid UTF-8 are escaped,
 * long text is truncated. */
char *plan_quote(const char *text);
/* Return "device 'nic0' (virtio-net-pci)" or, for an anonymous device, "device 'virtio-net-pci'
 * (-device option 3) at 05.0"; g_free(). */
char *plan_device_label(const PlanDevice *d);
/* Like plan_device_label() without the address, for messages that contain it elsewhere. */
char *plan_device_short_label(const PlanDevice *d);

/* Set *text to the string @o, borrowed. Fails if @o is not a string, contains NUL, or exceeds @max
 * bytes. The messages of this function and the next lack the subject ("must be a string"), which
 * the caller prepends. */
bool plan_json_string(struct json_object *o, size_t max, const char **text, GError **err);
/* Set *text to a JSON scalar as an option would write it, NULL for null; g_free(). */
bool plan_json_scalar(struct json_object *o, char **text, GError **err);
/* Parse a description or an option. @what names the text in messages. Return the value, owned by
 * the caller, or NULL with @err set. */
struct json_object *plan_json_parse(const char *text, size_t len, const char *what, GError **err);

/* Return true for a key that may occur several times in one option. For any other key, the last
 * value applies. */
bool plan_key_is_list(const char *key);
/* numa.c: the JSON form of the nodes and of the ids of their memory, for json_object_put(). */
struct json_object *plan_nodes_to_json(const PlanMachine *m);
struct json_object *plan_node_memory_to_json(const PlanMachine *m);
bool plan_read_nodes(PlanMachine *m, struct json_object *list, GError **err);
bool plan_read_node_memory(PlanMachine *m, struct json_object *list, GError **err);
void plan_nodes_copy(PlanMachine *to, const PlanMachine *from);
/* Append the options -numa that describe the nodes: two strings each. */
void plan_nodes_to_args(const PlanMachine *m, GPtrArray *args);
/* Return the nodes as a text that is equal for equal nodes ("none" without nodes); g_free(). */
char *plan_nodes_text(const PlanMachine *m);
/* Check that the node of an extra root bus exists. Machine types without nodes do not restrict it.
 */
bool plan_check_root_node(const PlanMachine *m, const PlanMachineType *t, const PlanDevice *d,
                          GError **err);
/* Check the nodes against the machine type and the totals of a resolved description. */
bool plan_check_nodes(const PlanMachine *m, const PlanMachineType *t, GError **err);

/* Append a size in bytes as "4K", "1M" or "1028K". */
void plan_append_size(GString *s, uint64_t size);

PlanSetting *plan_setting_new(const char *name, const char *text, bool given);
void plan_setting_free(gpointer setting);
PlanSetting *plan_setting_find(const GPtrArray *settings, const char *name);
void plan_settings_set(GPtrArray *settings, const char *name, const char *text);
GPtrArray *plan_settings_copy(const GPtrArray *settings);
/* Check the form of an id that a user chose. */
bool plan_check_id(const char *id, GError **err);

/* The size and alignment that the BARs of a bus require. */
typedef struct PlanNeed {
    uint64_t size, align;
} PlanNeed;

/* A bus of a resolved description. */
typedef struct PlanBusNode {
    char *name;
    PlanBusKind kind;
    const PlanBusRule *rule;
    PlanDevice *owner;        /* NULL: the root bus of the machine */
    struct PlanBusNode *root; /* the root bus above, or itself */
    unsigned number, n_buses; /* of a root: first bus number, number of buses below and itself */
    unsigned depth, n_devices;
    unsigned demand;           /* scratch of plan_bus_demand() */
    uint32_t used;             /* bit for each occupied slot */
    PlanDevice **slot[32];     /* arrays of 8 functions, or NULL */
    GHashTable *numbers;       /* NUMBER: number -> device; SCSI: address -> device */
    struct PlanAlloc *scsi;    /* SCSI: the addresses of the bus */
    bool orphan;               /* the owner was removed; freed with the last device */
    uint32_t serial;           /* number of the bus in the index, never used again */
    uint32_t pool;             /* PCI: its addresses in the set of the index, 0: none (places.c) */
    struct PlanPlaces *places; /* the set of the index, or NULL */
    bool known;                /* `need` is valid (room.c) */
    PlanNeed need[PLAN_RESOURCES];
    bool hotplug; /* a root bus with hot plug, regardless of its rule */
} PlanBusNode;

typedef struct PlanIndex {
    const PlanCatalog *catalog;
    const PlanMachineType *machine;
    GHashTable *types;    /* name or alias -> PlanType */
    GHashTable *defaults; /* type name -> (property -> text): globals over compat values */
    GHashTable *devices;  /* id or place -> PlanDevice */
    GHashTable *board;    /* the set of places of board devices */
    GHashTable *buses;    /* name -> PlanBusNode */
    GPtrArray *bus_order; /* PlanBusNode in creation order, owned */
    GHashTable *unique;   /* used slot and chassis number -> PlanDevice */
    PlanBusNode *root;    /* NULL: a machine without PCI */
    uint32_t last_serial;
    struct PlanPlaces *places; /* the addresses of all buses, or NULL (places.c) */
    bool running; /* a device is being added to a running machine: hot-plug rules apply */
} PlanIndex;

/* index.c */
PlanIndex *plan_index_new(PlanMachine *m, const PlanCatalog *c, const PlanMachineType *machine,
                          GError **err);
void plan_index_free(PlanIndex *x);
PlanBusNode *plan_index_add_bus(PlanIndex *x, const char *name, PlanBusKind kind,
                                PlanDevice *owner);
void plan_index_remove_bus(PlanIndex *x, PlanBusNode *node);

/* props.c: check and complete the settings against a table, in its order. `defaults` (property
 * -> text, may be NULL) overrides the table's defaults and is overridden by given values. */
bool plan_resolve_settings(GPtrArray **settings, const PlanProp *props, size_t n,
                           GHashTable *defaults, GError **err);
/* Add the implied value of each property that a complete description lacks. */
void plan_settings_imply(GPtrArray *settings, const PlanProp *props, size_t n);
/* Resolve type, id and settings of @d, which do not depend on a bus. */
bool plan_resolve_device(PlanIndex *x, PlanDevice *d, GError **err);
/* Set a resolved setting to another value, as if the user had given the value. */
void plan_setting_choose(PlanSetting *s, const PlanProp *p, PlanValue v);
const PlanProp *plan_prop_of(const PlanDevice *d, const char *name);
bool plan_device_flag(const PlanDevice *d, const char *name, bool otherwise);

/* resolve.c: return the machine type that @m names, or the default one if it names none or
 * "default"; NULL with @err set. */
const PlanMachineType *plan_choose_machine(const PlanMachine *m, const PlanCatalog *c,
                                           GError **err);

/* merge.c: combine files that describe parts of a machine. Two different values of one property are
 * an error. */
bool plan_settings_combine(GPtrArray *base, const GPtrArray *other, const char *subject,
                           const PlanProp *props, size_t n, GError **err);
bool plan_combine(PlanMachine *base, PlanMachine *other, const PlanCatalog *c, GError **err);

/* boot.c */
void plan_boot_image_free(gpointer image);
/* Add the default firmware to a boot section that lacks one, as for a command line without -bios. A
 * PC has its firmware without a boot section. */
void plan_boot_default(PlanMachine *m, const PlanCatalog *c);
bool plan_boot_role_ok(const char *role);
void plan_boot_copy(PlanMachine *to, const PlanMachine *from);
bool plan_boot_combine(PlanMachine *base, PlanMachine *other, GError **err);
struct json_object *plan_boot_to_json(const PlanMachine *m);
struct json_object *plan_boot_paths_to_json(const PlanMachine *m);

/* read_boot.c: the values of the keys "boot", "host.boot" and "host.serials". */
bool plan_read_boot(PlanMachine *m, struct json_object *o, GError **err);
bool plan_read_boot_paths(PlanMachine *m, struct json_object *o, GError **err);
bool plan_read_serials(PlanMachine *m, struct json_object *o, GError **err);

/* slots.c: the buses of plan_slots_to_json(), and with @mmio those of virtio MMIO slots that hold a
 * device; for json_object_put(). */
struct json_object *plan_buses_to_json(const PlanMachine *m, bool mmio);

/* diff.c: append one difference. `wanted` and `have` are consumed; either may be NULL. */
void plan_report_difference(struct json_object *out, const char *device, const char *property,
                            struct json_object *wanted, struct json_object *have);

/* guest.c */
bool plan_global_is_host(const PlanGlobal *g, const PlanCatalog *c);

/* numbers.c: chassis and slot numbers, each unique in the machine. */
bool plan_take_number(PlanIndex *x, PlanDevice *d, GError **err);
bool plan_choose_number(PlanIndex *x, PlanDevice *d, GError **err);
void plan_release_number(PlanIndex *x, PlanDevice *d);

/* caps.c: check the capabilities of @d, which is on its bus, against the bus type. */
bool plan_check_capabilities(PlanDevice *d, GError **err);
bool plan_has_ari(const PlanDevice *d);
/* Return whether the type has the conventional capability and the capability is not off. */
bool plan_has_cap(const PlanDevice *d, unsigned id);

/* room.c */
typedef struct PlanRoom {
    uint64_t need, window; /* bytes; window 0: unknown, or the root bus has none */
} PlanRoom;
const char *plan_resource_name(PlanResource r);
uint64_t plan_bar_size(const PlanDevice *d, const PlanBar *b);
/* Return the bytes of BARs of the function that use this window of its root bus. */
uint64_t plan_device_use(const PlanDevice *d, PlanResource r);
/* Return the number of interrupt messages that the function can use. */
uint64_t plan_device_vectors(const PlanDevice *d);
PlanRoom plan_bus_room(const PlanIndex *x, const PlanBusNode *node, PlanResource r);
/* Check that the memory BARs of all devices fit the windows of their root buses. */
bool plan_check_room(const PlanMachine *m, GError **err);
/* Like plan_check_room() for one root bus. */
bool plan_check_root_room(const PlanMachine *m, const PlanBusNode *root, GError **err);
/* Discard the size that the BARs of a bus and of the buses above it require, because a device was
 * added, removed or changed. */
void plan_room_changed(PlanBusNode *node);
/* Discard the sizes of the BARs of a device, because a property was changed. */
void plan_room_resized(PlanDevice *d);

/* place.c */
typedef enum PlanFound { PLAN_FOUND, PLAN_NOT_YET, PLAN_REFUSED } PlanFound;
/* Set *node to the bus that @d names, or to the default bus; NULL for board devices. Return
 * PLAN_NOT_YET for an unknown name unless @last: an anonymous device without a place may provide
 * the bus. PLAN_REFUSED with @err set on failure. */
PlanFound plan_find_bus(PlanIndex *x, PlanDevice *d, bool last, PlanBusNode **node, GError **err);
/* Place @d on @node, at its address or at the lowest free one. */
bool plan_put(PlanIndex *x, PlanDevice *d, PlanBusNode *node, GError **err);
void plan_take_out(PlanIndex *x, PlanDevice *d);
/* Return whether the user chose the place of @d on its bus. Such devices are placed first. */
bool plan_place_given(const PlanDevice *d);
/* Return whether the user left the bus to a policy: bus=auto, or no bus. */
bool plan_bus_auto(const PlanDevice *d);
/* Check the conditions for function 0 and ARI of one slot. */
bool plan_check_slot(const PlanBusNode *node, unsigned slot, GError **err);
bool plan_bus_hotplug(const PlanBusNode *node);
void plan_bus_slots(const PlanBusNode *node, unsigned *first, unsigned *last);
/* Return whether the rules of the bus allow a device of this type. Free slots are not checked. */
bool plan_bus_takes(const PlanBusNode *node, const PlanType *t);
/* Return the free slots as "01-04, 06-1f" or "none"; g_free(). */
char *plan_free_slots(const PlanBusNode *node);
/* True if the bus allows the type, has a free slot and, while the machine runs, supports hot plug.
 */
bool plan_bus_accepts(const PlanIndex *x, const PlanBusNode *node, const PlanType *t);

/* places.c: the addresses of all PCI buses as one set of the allocator. It exists after the first
 * request for a place by a policy; without it these functions have no effect. */
void plan_places_add_bus(PlanIndex *x, PlanBusNode *node);
void plan_places_drop_bus(PlanBusNode *node);
void plan_places_enter(PlanBusNode *node, const PlanDevice *d);
void plan_places_leave(PlanBusNode *node, const PlanDevice *d);
void plan_places_free(struct PlanPlaces *p);

/* advice.c */
/* Return the buses that accept the type as "'rp0', 'rp1'"; "" if none does; g_free(). */
char *plan_name_buses(const PlanIndex *x, const PlanType *t);
/* Return a suggestion for @d, which has no place, as the end of a message; g_free(). @full: the
 * requested bus if it has no free slot, or NULL. */
char *plan_advice(const PlanIndex *x, const PlanDevice *d, const PlanBusNode *full);

/* numbered.c: places on buses with PLAN_ADDR_NUMBER. */
bool plan_numbered_has_room(const PlanBusNode *node, const PlanType *t);
/* Return whether @d is on such a bus and its number was given. */
bool plan_number_given(const PlanDevice *d);
bool plan_put_numbered(PlanDevice *d, PlanBusNode *node, GError **err);
/* scsi.c: places on buses with PLAN_ADDR_SCSI. */
void plan_scsi_init(PlanBusNode *node);
bool plan_scsi_has_room(const PlanBusNode *node);
/* Return whether @d is on such a bus and its target was given. */
bool plan_scsi_given(const PlanDevice *d);
bool plan_put_scsi(PlanDevice *d, PlanBusNode *node, GError **err);
void plan_scsi_release(PlanBusNode *node, const PlanDevice *d);
/* Return the last part of the place of a device that is read from a description, "0:3:1"; g_free().
 * NULL if its target or unit is missing. */
char *plan_scsi_place_as_read(const PlanDevice *d);
/* Set the properties to those of an address "0:3:1", or unset them ("" ). False with @err set if
 * the text is not an address. */
bool plan_scsi_set_address(PlanDevice *d, const char *text, GError **err);
/* Append the SCSI buses as text. */
void plan_scsi_to_text(GString *out, const PlanIndex *x);

/* tree.c: the root of each bus, its depth, and the available bus numbers. */
bool plan_attach_bus(PlanBusNode *node, GError **err);
void plan_detach_bus(PlanBusNode *node);
bool plan_check_bus_numbers(PlanIndex *x, GError **err);
/* Return whether the bus leads to a root bus through devices that have a place. */
bool plan_bus_is_rooted(const PlanBusNode *node);
/* Return the number behind the last bus number of a root: that of the next root, or 256. */
unsigned plan_root_end(const PlanIndex *x, const PlanBusNode *root);

/* resolve.c: one more device, in steps. */
/* Resolve type and properties, and check that the id is free and the number of devices. */
bool plan_prepare_device(PlanMachine *m, PlanIndex *x, PlanDevice *d, GError **err);
/* Enter a prepared device at its bus and address, or at the lowest free address of its bus. On
 * success @m owns it. */
bool plan_enter_device(PlanMachine *m, PlanIndex *x, PlanDevice *d, GError **err);
/* Undo plan_enter_device(); the caller owns the device again. */
void plan_leave_device(PlanMachine *m, PlanDevice *d);

#endif
