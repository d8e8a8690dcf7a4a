/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Editing a resolved description: properties, places, and who chose an address; command lines and
 * explanations of a description.
 *
 * Each function that changes a description resolves it again. No other device moves. On failure the
 * description is unchanged. A device is named by its id, or by the place of an anonymous device
 * ("pcie.0/05.0").
 */
#ifndef PLAN_EDIT_H
#define PLAN_EDIT_H

#include "plan/description.h"

G_BEGIN_DECLS

/* Set a property of a device; @text NULL restores the default. False with @err set if there is no
 * such device or property, or if the machine would not be valid. */
bool plan_edit_set(PlanMachine *m, const PlanCatalog *c, const char *name, const char *property,
                   const char *text, GError **err);
/* Move a device to "ADDR" on its bus, to "BUS/ADDR", or to the lowest free address of "BUS/". A
 * device that moves to an address that was named has a static address afterwards. */
bool plan_edit_move(PlanMachine *m, const PlanCatalog *c, const char *name, const char *place,
                    GError **err);
/* Remove a device. False with @err set if there is no such device, if the board creates it, or if
 * another device is on its bus; the message names that device. */
bool plan_edit_remove(PlanMachine *m, const char *name, GError **err);
/* Record that the address of a device was chosen by the user (@dynamic false) or by the planner.
 * @name NULL: of each device that the board does not create. */
bool plan_edit_set_dynamic(PlanMachine *m, const char *name, bool dynamic, GError **err);

typedef enum PlanTarget { PLAN_FOR_BACKPLANE, PLAN_FOR_QEMU } PlanTarget;
/* Return the name of the machine type of a resolved description in a program. Versioned names of
 * QEMU and of Backplane differ: for the other program, it is the alias. */
const char *plan_target_machine(const PlanMachine *m, PlanTarget target);
/**
 * plan_command_line() - The options that start a machine with a resolved description.
 * @m:      the description
 * @c:      the catalogue with which it was resolved
 * @target: the program; each device has its bus and address, so that both choose the same places
 * @err:    set if the description contains something that the program lacks
 *
 * Properties and capabilities with their defaults are omitted. For another program than that of the
 * catalogue, the machine type is the alias of the versioned type and the CPU is omitted. With a
 * catalogue of QEMU, -nodefaults is added for QEMU. A capability that differs from its default is
 * an error for QEMU, which has no such property.
 *
 * Return: a NULL-terminated array of arguments for g_strfreev(); or NULL.
 */
char **plan_command_line(const PlanMachine *m, const PlanCatalog *c, PlanTarget target,
                         GError **err);
/* Return why a device is where it is, and which other places it could have, as an object for
 * json_object_put(): device, type, chosen-by ("user", "planner" or "board"), bus, bus-type,
 * address, rule; lower: the lower slots, each with "slot", "reason" ("held", "free",
 * "reserved-for-hotplug-controller") and "device"; free: the free slots; buses-with-room: the buses
 * that accept a further device of the type; hotpluggable. NULL with @err set if there is no such
 * device. */
struct json_object *plan_explain(const PlanMachine *m, const char *name, GError **err);

G_END_DECLS

#endif
