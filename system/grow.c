/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Growth of a running machine: places for devices that are added without bus=, according to the
 * policy of -machine pci-policy=. A switch that a device requires is plugged together with it.
 */
#include "internal.h"

#include <string.h>

#include "hw/pci/bridge.h"
#include "hw/pci/regs.h"
#include "plan/grow.h"
#include "util/log.h"

/* --- the policy --- */

bool grow_load_policy(Session *s, GError **err)
{
    if (!s->pci_policy || s->policy) {
        return true;
    }
    s->policy = plan_policy_load(s->pci_policy, err);
    if (!s->policy) {
        g_prefix_error(err, "-machine pci-policy=%s: ", s->pci_policy);
        return false;
    }
    s->plan->planning = true; /* dumps state which addresses are dynamic */
    return true;
}

/* Only the command line of -append is known. */
void grow_warn(const Session *s)
{
    g_autofree char *wanted =
        s->policy && s->plan->append ? plan_kernel_parameters(s->plan, s->policy) : NULL;

    if (wanted && *wanted && !strstr(s->plan->append, "hpmmiosize=")) {
        message("%s: warning: pci-policy=%s: Linux reserves bus numbers and windows for devices "
                "that are added later only with '%s' in -append",
                s->program, s->pci_policy, wanted);
    }
}

/* --- what the guest has reserved --- */

static PCIBridge *grow_bridge(Machine *m, const char *id)
{
    Device *dev = device_find_id(m, id);

    return dev && dev->type->kind == &pci_device_kind ? pci_bridge_of((PCIDevice *)dev) : NULL;
}

/* Return whether the guest has numbered and sized the buses behind a port. It enables the root
 * port, or the upstream port of the switch, when both are final. */
static bool grow_enumerated(const PCIBridge *br)
{
    const PCIBridge *upstream = br->pci.bus->bridge ? br->pci.bus->bridge : br;

    return br->pci.present && upstream->pci.present &&
           (pci_get(&upstream->pci, PCI_COMMAND, 2) & (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER));
}

static bool grow_reserved(const char *port, PlanReserve *r, void *data)
{
    PCIBridge *br = grow_bridge(data, port);
    PCIBridgeSpace space;

    if (!br || !grow_enumerated(br)) {
        return false; /* planned, or plugged a moment ago */
    }
    pci_bridge_space(br, &space);
    *r = (PlanReserve){ space.buses, space.io, space.mem, space.pref };
    return true;
}

/* --- adding devices --- */

/* Return the number that "hpbussize=" of the kernel's command line has, which Linux applies to each
 * hot-plug port that it finds; 1 if it is not given. */
static unsigned grow_hotplug_buses(const PlanMachine *m)
{
    const char *at = m->append ? strstr(m->append, "hpbussize=") : NULL;

    return at ? MAX(1u, (unsigned)g_ascii_strtoull(at + strlen("hpbussize="), NULL, 0)) : 1;
}

/* Remove the devices that were added, the last one first. */
static void grow_undo(GPtrArray *added)
{
    while (added->len) {
        device_unplug(g_ptr_array_steal_index(added, added->len - 1));
    }
}

bool grow_applies(const Session *s, const PlanDevice *d)
{
    const PlanType *t = s->policy ? plan_find_type(s->catalog, d->type) : NULL;

    return t && t->role != PLAN_PCI_NONE && (!d->bus || strcmp(d->bus, "auto") == 0) &&
           !d->has_addr;
}

/* The machine lock is held until all devices exist, so the guest finds a switch with all its
 * ports. */
Device *grow_device_add(Session *s, const PlanDevice *d, GError **err)
{
    PlanGuest guest = { grow_hotplug_buses(s->plan), grow_reserved, s->m };
    g_autoptr(PlanGrowth) growth = plan_grow(s->plan, s->catalog, s->policy, d, NULL, &guest, err);
    g_autoptr(GPtrArray) added = g_ptr_array_new();
    Device *dev = NULL;

    for (unsigned i = 0; growth && i < plan_growth_count(growth); i++) {
        dev = build_add_device(s, plan_growth_copy(growth, i), err);
        if (!dev) {
            grow_undo(added);
            return NULL;
        }
        g_ptr_array_add(added, dev);
    }
    return dev;
}
