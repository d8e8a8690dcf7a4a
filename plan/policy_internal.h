/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interfaces between the sources of policies and of growth.
 */
#ifndef PLAN_POLICY_INTERNAL_H
#define PLAN_POLICY_INTERNAL_H

#include <json-c/json.h>

#include "plan/grow.h"
#include "plan/internal.h"

enum { PREFS_NODES = 128, POLICY_RULES_MAX = 4096 };

typedef enum PlanGrowKind {
    PLAN_GROW_ROOT_PORT,
    PLAN_GROW_SWITCH,
    PLAN_GROW_BRIDGE,
    PLAN_GROW_EXTRA_ROOT,
    PLAN_GROW_KINDS
} PlanGrowKind;

/* The controllers that growth adds. */
typedef enum PolicyController {
    POLICY_ROOT_PORT,
    POLICY_UPSTREAM,
    POLICY_DOWNSTREAM,
    POLICY_PCIE_BRIDGE,
    POLICY_PCI_BRIDGE,
    POLICY_EXTRA_ROOT,
    POLICY_CONTROLLERS
} PolicyController;

typedef struct PolicyRule {
    char *class_name, *type, *id; /* NULL: any; type: a pattern */
    PlanPrefs prefs;
} PolicyRule;

struct PlanPolicy {
    unsigned spare_ports;  /* hot-plug ports that stay free */
    unsigned switch_ports; /* downstream ports of an added switch, at most */
    unsigned bridges;      /* conventional bridges of an added hot-plug unit, at most */
    unsigned port_slots;   /* slots of an Express root bus for root ports */
    unsigned root_buses;   /* bus numbers of an added extra root */
    PlanGrowKind growth[PLAN_GROW_KINDS];
    unsigned n_growth;
    PlanReserve reserve;
    bool strict_io, strict_msi;
    char *type[POLICY_CONTROLLERS]; /* NULL: a usual type of the catalogue */
    GPtrArray *rules;               /* PolicyRule */
};

/* policy.c */
/* Set one preference. False with @err set for an unknown key or a value that is not accepted. */
bool plan_prefs_set(PlanPrefs *p, const char *key, const char *value, GError **err);
/* Add the preferences that are not unset. */
void plan_prefs_to_json(const PlanPrefs *p, struct json_object *o);
/* Return whether a rule can name this class. */
bool plan_policy_class_ok(const char *name);
/* Return a built-in policy, or NULL with @err set. */
PlanPolicy *plan_policy_builtin(const char *name, GError **err);
/* Return a policy without rules and growth. */
PlanPolicy *plan_policy_new(void);
/* Return whether the policy permits this growth. */
bool plan_policy_grows(const PlanPolicy *p, PlanGrowKind kind);

/* policy_read.c */
/* Return the name of a growth kind, or of a controller. */
const char *plan_grow_kind_name(PlanGrowKind kind);

/* --- places.c: the addresses of all PCI buses in one set of the allocator --- */

/* Return the set of @x, created with the devices that have a place on the first call. */
struct PlanAlloc *plan_places_of(PlanIndex *x);
/* Set *addr to an address on @node for a device that occupies its slot alone. @slot: the only slot,
 * or PLAN_SLOT_ANY. False if there is none. */
bool plan_places_slot(PlanIndex *x, const PlanBusNode *node, int slot, PlanPciAddr *addr);
/* Like plan_places_slot() for a function of a multifunction slot: the next function of a slot
 * whose function 0 has the role @role, or function 0 of an empty slot. */
bool plan_places_shared(PlanIndex *x, const PlanBusNode *node, PlanPciRole role, int slot,
                        PlanPciAddr *addr);
/* Return the number of slots of a bus without a device. */
unsigned plan_places_empty(const PlanBusNode *node);

/* --- search.c: which buses a device may use --- */

typedef enum PlanReason {
    PLAN_REASON_NONE, /* the bus is possible */
    PLAN_REASON_ROLE,
    PLAN_REASON_LINK,
    PLAN_REASON_NO_HOTPLUG,
    PLAN_REASON_HOTPLUG,
    PLAN_REASON_NUMA,
    PLAN_REASON_FULL,
    PLAN_REASON_SPARE,
    PLAN_REASON_BRIDGE,
    PLAN_REASON_WINDOW,     /* the guest has reserved windows that are too small */
    PLAN_REASON_UNNUMBERED, /* the guest has left no bus number for the port */
    PLAN_REASON_FARTHER,    /* possible, but another bus satisfies more */
    PLAN_REASON_LATER,      /* possible, but another bus precedes it */
    PLAN_REASONS
} PlanReason;

/* One search for a place. */
typedef struct PlanSearch {
    PlanIndex *x;
    const PlanPolicy *policy;
    const PlanDevice *d; /* resolved type; need not be in the index */
    const PlanPrefs *prefs;
    const PlanBusNode *only; /* the only bus, or NULL */
    bool running;
    const PlanGuest *guest; /* while it runs; may be NULL */
    bool ignore_spare;      /* the last free ports may be used */
    unsigned free_ports;    /* set by plan_search_begin() */
    const PlanDevice *near, *apart;
    unsigned lines[4];            /* users of the interrupt lines, if they matter */
    unsigned count[PLAN_REASONS]; /* set by plan_search_bus(): rejected buses by reason */
} PlanSearch;

/* Find the root of each bus that leads to one through devices that have a place. */
bool plan_attach_placed(PlanIndex *x, GError **err);
/* Complete the members that depend on the index. False with @err set if a preference names a device
 * that does not exist. */
bool plan_search_begin(PlanSearch *s, GError **err);
/* Return whether a bus is possible, and its cost. */
PlanReason plan_search_check(const PlanSearch *s, const PlanBusNode *node, unsigned *cost);
/* Set the cost of a bus that is possible. */
void plan_search_cost(const PlanSearch *s, const PlanBusNode *node, unsigned *cost);
/* Return the best bus, or NULL. */
PlanBusNode *plan_search_bus(PlanSearch *s);
/* Choose the address on a bus that is possible. False if there is none. */
bool plan_search_addr(const PlanSearch *s, const PlanBusNode *node, PlanPciAddr *addr);
/* Return the name of a reason. */
const char *plan_reason_name(PlanReason reason);
/* Return the number of empty hot-plug ports. */
unsigned plan_free_ports(const PlanIndex *x);
/* Return whether the device shares its slot with other functions. */
bool plan_search_shares(const PlanSearch *s);
/* Return the NUMA node of a root bus; PLAN_NUMA_ANY if it has none. */
int plan_root_node(const PlanBusNode *root);

/* --- grow.c --- */

/* Return an unresolved copy of a device with the settings that were given or chosen. */
PlanDevice *plan_device_unresolved(const PlanDevice *d);

/* A sequence of additions to a description, which can be undone. */
typedef struct PlanGrower {
    PlanMachine *m;
    PlanIndex *x;
    const PlanCatalog *c;
    const PlanPolicy *policy;
    const PlanGuest *guest; /* NULL: not running */
    GPtrArray *added;       /* PlanDevice, owned by @m */
    unsigned depth;
} PlanGrower;

/* Choose bus and address of @d, whose type and properties are resolved, and add the controllers
 * that it requires. The bus and address are set in @d; it is not entered in the index. */
bool plan_grow_place(PlanGrower *g, PlanDevice *d, const PlanPrefs *given, GError **err);
/* Add ports until the number of free ports is that of the policy, as far as possible. */
void plan_grow_spare(PlanGrower *g);
/* Remove the controllers that were added after the first @n. */
void plan_grow_undo(PlanGrower *g, guint n);

/* --- growth.c --- */

/* Try to provide a bus for a device of type @t (NULL: for none) by one type of growth. False with
 * @err set if that is not possible; the caller undoes what was added. */
bool plan_growth_try(PlanGrower *g, PlanGrowKind kind, const PlanType *t, const PlanPrefs *prefs,
                     GError **err);
/* Return whether this type of growth can provide a bus for the device. */
bool plan_growth_helps(const PlanGrower *g, PlanGrowKind kind, const PlanType *t,
                       const PlanPrefs *prefs);

/* Return how many ports a switch has that is plugged into a port of the running guest, behind which
 * it has reserved @reserved. @known: false if the sizes of the windows are not known. */
unsigned plan_guest_width(const PlanGuest *guest, const PlanReserve *reserved, bool known);

/* --- reserve.c --- */
/* Set *r to what the guest has reserved behind a port, or will reserve when it finds the switch of
 * the port. False if neither is known, or @guest is NULL. */
bool plan_guest_reserved(const PlanGuest *guest, const PlanBusNode *port, PlanReserve *r);
/* Return how many ports a switch behind a port with these resources has, at most @most, so that
 * most devices can be added below it; 0 if no switch with two ports is possible. */
unsigned plan_reserve_width(const PlanReserve *r, unsigned most);
/* Return whether the bus numbers behind such root ports can be fixed. Other hot-plug ports then
 * have one bus number each. */
bool plan_reserve_fixed(const PlanType *root_port);
/* Distribute the bus numbers that no bus requires, and the windows, among the root ports that grow,
 * if their numbers can be fixed. No effect if they are distributed already. */
void plan_reserve_ports(PlanIndex *x);
/* Return the parameters of a machine whose bus numbers are fixed, "" for another; g_free(). */
char *plan_reserve_parameters(const PlanMachine *m);

/* growth.c: return whether the bus numbers behind the root ports of growth can be fixed. */
bool plan_growth_fixed(const PlanGrower *g);

/* --- space.c --- */
/* Return the bus numbers that the tree of a root requires, with those that are reserved behind
 * hot-plug ports. */
unsigned plan_bus_demand(const PlanIndex *x, const PlanBusNode *root, unsigned reserve);
/* Check the bus numbers of all roots, with reservations. */
bool plan_check_bus_demand(const PlanIndex *x, const PlanPolicy *p, GError **err);
/* Check the resources that the policy names in "strict". */
bool plan_check_strict(const PlanMachine *m, const PlanPolicy *p, GError **err);

#endif
