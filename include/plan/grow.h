/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Placement with a policy, and growth: if no free address satisfies a device, the controllers that
 * provide one are added. No device that has an address ever moves.
 *
 * plan_resolve() and plan_add_device() place devices as QEMU does. The functions of this header
 * place devices without an address (or with bus=auto) as a policy (plan/policy.h) demands. Ids,
 * buses and addresses of the controllers are deterministic: the same description and the same
 * sequence of calls yield the same machine. The number of free hot-plug ports never falls below the
 * number that the policy demands.
 *
 * No function of this header is thread-safe; each description has one owner. On failure nothing is
 * changed and @err is set (PLAN_ERROR).
 */
#ifndef PLAN_GROW_H
#define PLAN_GROW_H

#include "plan/policy.h"

G_BEGIN_DECLS

/* --- one device --- */

/*
 * The reservations of a running guest. Linux on RISC-V assigns all bus numbers itself: an empty
 * hot-plug port receives `hotplug_buses` of them (pci=hpbussize=N of its command line).
 */
typedef struct PlanGuest {
    unsigned hotplug_buses; /* bus numbers of each hot-plug port that is added later; 0 means 1 */
    /* Set *r to what the guest has reserved behind the empty port with this id. False: unknown, and
     * the reservations of the policy are assumed. NULL: unknown for all ports. */
    bool (*reserved)(const char *port, PlanReserve *r, void *data);
    void *data;
} PlanGuest;

/*
 * The result of planning: devices in the order in which they are to be added. The last one is the
 * requested device; those in front of it are new controllers. Each has its id, bus, address and the
 * properties that its place requires.
 */
typedef struct PlanGrowth PlanGrowth;

/**
 * plan_grow() - Plan the place of one more device, and the controllers that it requires.
 * @m:     the description; resolved first if it is not
 * @c:     the catalogue with which @m is resolved
 * @p:     the policy
 * @d:     the device: type, properties and optionally id, bus and address; not changed. With a bus,
 *         only its address is chosen; with an address nothing is. bus=auto equals no bus
 * @prefs: its preferences, which override those of the policy; or NULL
 * @guest: for a running machine; NULL: the machine is not running. While it runs, only
 * hot-pluggable devices are added, and a free port is extended by one complete unit (a switch with
 * free ports, or a conventional bridge with free slots), which is plugged by one action: all
 *         elements of the result except the last one belong to this unit
 * @err:   set if there is no place: the message names the preference, window or bus numbers and the
 *         largest consumers
 *
 * @m is unchanged. The cost is O(number of buses + depth), independent of the number of devices.
 *
 * Return: the plan, freed by plan_growth_free(); or NULL.
 */
PlanGrowth *plan_grow(PlanMachine *m, const PlanCatalog *c, const PlanPolicy *p,
                      const PlanDevice *d, const PlanPrefs *prefs, const PlanGuest *guest,
                      GError **err);
/* Return the number of devices of a plan, at least 1. */
unsigned plan_growth_count(const PlanGrowth *g);
/* Return device @i as an unresolved device, owned by the plan. The last one is the requested
 * device. */
const PlanDevice *plan_growth_device(const PlanGrowth *g, unsigned i);
/* Return a copy of device @i to pass to plan_add_device() or device_add; plan_device_free(). */
PlanDevice *plan_growth_copy(const PlanGrowth *g, unsigned i);
/* Return a plan as JSON for json_object_put(): "device", "bus", "addr", and "controllers": an array
 * of {"type", "id", "bus", "addr"}. */
struct json_object *plan_growth_to_json(const PlanGrowth *g);
/* Free a plan. NULL is accepted. */
void plan_growth_free(PlanGrowth *g);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PlanGrowth, plan_growth_free)

/**
 * plan_grow_add() - Like plan_grow(), and add the devices to the description.
 * @d: consumed on success: @m owns it
 *
 * Return: the plan, which has been carried out, or NULL; then the caller keeps @d.
 */
PlanGrowth *plan_grow_add(PlanMachine *m, const PlanCatalog *c, const PlanPolicy *p, PlanDevice *d,
                          const PlanPrefs *prefs, const PlanGuest *guest, GError **err);

/* --- a description --- */

/**
 * plan_resolve_policy() - Like plan_resolve(), but devices without an address are placed by a
 * policy, in their order, and controllers are added. Devices with an address keep it.
 * @p: the policy; NULL: as plan_resolve()
 *
 * The windows for memory and the bus numbers are checked, and those that the policy names in
 * "strict" (I/O space, MSI vectors).
 */
bool plan_resolve_policy(PlanMachine *m, const PlanCatalog *c, const PlanPolicy *p, GError **err);

/* --- reservations --- */

/**
 * plan_kernel_parameters() - The Linux parameters that a plan requires.
 * @m: a resolved description
 * @p: the policy
 *
 * Return: "pci=hpbussize=N,hpmmiosize=S,...", or "" if the defaults of Linux are sufficient;
 * g_free().
 */
char *plan_kernel_parameters(const PlanMachine *m, const PlanPolicy *p);

/* --- space --- */

/* Check the memory windows, bus numbers, I/O space and MSI vectors of a resolved description. False
 * with @err set to the name of the first resource that is too small and its largest consumers. @p:
 * I/O space and vectors are checked if "strict" of the policy names them; NULL: always. */
bool plan_check_space(const PlanMachine *m, const PlanPolicy *p, GError **err);
/* Return need, limit and the largest consumers of each resource of a resolved description, as an
 * array of {"resource", "root", "need", "limit", "consumers": [{"device", "need"}]} for
 * json_object_put(). A limit that the catalogue does not state is omitted. */
struct json_object *plan_space_to_json(const PlanMachine *m);

/* --- questions --- */

/**
 * plan_fit() - Which devices of a set still fit, and where.
 * @m:       a resolved description; unchanged
 * @devices: @n devices, placed one after the other; a device that does not fit is skipped
 * @prefs:   their preferences, or NULL; elements may be NULL
 * @guest:   as for plan_grow()
 *
 * Return: an array of {"type", "id", "fits": true, "bus", "addr", "controllers": [...]} or
 * {"fits": false, "reason"}, for json_object_put(); NULL with @err set if @m cannot be resolved.
 */
struct json_object *plan_fit(const PlanMachine *m, const PlanCatalog *c, const PlanPolicy *p,
                             PlanDevice *const *devices, const PlanPrefs *const *prefs, size_t n,
                             const PlanGuest *guest, GError **err);
/**
 * plan_explain_policy() - Why a device is where it is, according to a policy.
 * @m:     a resolved description
 * @name:  the device, as in plan/edit.h
 * @prefs: the preferences of the request, or NULL
 *
 * Return: the object of plan_explain() with "policy"; "rules": an array of {"rule", "value",
 * "satisfied"}; and "rejected": an array of {"bus", "reason"} with the reasons "role", "link",
 * "no-hotplug", "hotplug", "numa", "full", "spare-port", "reserved-for-bridge", "farther",
 * "later"; for json_object_put(). NULL with @err set if there is no such device.
 */
struct json_object *plan_explain_policy(const PlanMachine *m, const PlanCatalog *c,
                                        const PlanPolicy *p, const char *name,
                                        const PlanPrefs *prefs, GError **err);

G_END_DECLS

#endif
