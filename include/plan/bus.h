/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules of each bus type, in one const table: its places, the devices that it accepts, and
 * whether devices can be plugged while the guest runs.
 *
 * A further address kind (IDE) is a row here and a PlanAddrKind.
 */
#ifndef PLAN_BUS_H
#define PLAN_BUS_H

#include "plan/catalog.h"

G_BEGIN_DECLS

/* How a place on a bus is named. */
typedef enum PlanAddrKind {
    PLAN_ADDR_NONE,   /* not at all: board devices */
    PLAN_ADDR_PCI,    /* slot and function: addr=05.1 */
    PLAN_ADDR_NUMBER, /* a number held in a property of the device */
    PLAN_ADDR_SINGLE, /* not at all: the bus holds one device, in place 0 */
    PLAN_ADDR_SCSI,   /* the properties channel, scsi-id and lun of the device */
} PlanAddrKind;

typedef enum PlanHotplug {
    PLAN_HOTPLUG_NEVER,
    PLAN_HOTPLUG_ALWAYS,
    PLAN_HOTPLUG_IF,     /* the owner's property `hotplug_prop` is on; off if it has none */
    PLAN_HOTPLUG_UNLESS, /* unless the property is on; on if it has none */
    PLAN_HOTPLUG_UNSEEN, /* until the guest has enumerated what is behind the owner, which the
                            emulator checks; such a bus is not listed as one that can be plugged */
} PlanHotplug;

typedef struct PlanBusRule {
    const char *name, *doc; /* "pcie-port", "below a PCI Express port" */
    PlanAddrKind addr;
    uint8_t first_slot, last_slot; /* PCI */
    bool ari;                      /* devfn 8 to 255 for functions of an ARI device */
    uint16_t roles;                /* 1 << PlanPciRole of what may be plugged */
    uint8_t slots;                 /* PLAN_SLOT_*: an endpoint requires one of these in common */
    const char *takes;             /* roles and slots in words, for messages */
    PlanHotplug hotplug;
    const char *hotplug_prop;
    bool prop_reserves_slot0; /* with hotplug_prop on, slot 0 is reserved for the controller */
    const char *number_prop, *limit_prop; /* NUMBER: of the device, of the owner */
    uint16_t last_number;                 /* the limit, without limit_prop */
    bool limit_is_last;     /* the limit is the highest number; otherwise the number after it */
    const char *owner_prop; /* if this property of the owner is set, number 1 is in use by the owner
                               itself; or NULL */
    const char *suffix;     /* the bus is named: owner's id + suffix */
} PlanBusRule;

/* Return the rules of a bus type, never NULL; those of PLAN_BUS_NONE for a value out of range. */
const PlanBusRule *plan_bus_rule(PlanBusKind kind);
/* Return true if functions on such a bus have Express capabilities. */
bool plan_bus_is_express(PlanBusKind kind);
/* Return the name of a role for messages: "an endpoint", "a root port" ... */
const char *plan_role_name(PlanPciRole role);

G_END_DECLS

#endif
