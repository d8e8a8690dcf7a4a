/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tree of buses: each bus has a root, its depth is limited, and the bus numbers are sufficient.
 */
#include "plan/internal.h"

static bool is_extra_root(const PlanBusNode *node)
{
    return node->owner && node->owner->t->role == PLAN_PCI_EXTRA_ROOT;
}

static bool is_pci(const PlanBusNode *node)
{
    return node->rule->addr == PLAN_ADDR_PCI;
}

/* Set the first bus number of a root: bus_nr of an extra root, 0 for the root of the machine. */
static void start_root(PlanBusNode *node)
{
    const PlanValue *v = node->owner ? plan_device_get(node->owner, "bus_nr") : NULL;

    node->root = node;
    node->number = v ? (unsigned)v->u : 0;
    node->n_buses = 1;
    node->depth = 0;
}

/* Set the root of @node and of each bus above it that has none, from the first bus that has one. */
bool plan_attach_bus(PlanBusNode *node, GError **err)
{
    PlanBusNode *chain[PLAN_DEPTH_MAX + 1];
    unsigned n = 0;

    for (; !node->root; node = node->owner->on) {
        if (is_extra_root(node)) {
            start_root(node);
            break;
        }
        for (unsigned i = 0; i < n; i++) {
            if (chain[i] == node) {
                g_autofree char *label = plan_device_label(node->owner);

                return plan_fail(err,
                                 "%s is on its own bus, or on a bus below it: use a bus that leads "
                                 "to a root bus",
                                 label);
            }
        }
        if (n == G_N_ELEMENTS(chain)) {
            break;
        }
        chain[n++] = node;
        if (!node->owner->on) {
            break;
        }
    }
    if (!node->root || node->depth + n > PLAN_DEPTH_MAX) {
        g_autofree char *label = plan_device_label(chain[0]->owner);

        return plan_fail(err, "%s: its bus is below %d bridges already; at most %d are possible",
                         label, (int)(node->depth + n), PLAN_DEPTH_MAX);
    }
    while (n > 0) {
        PlanBusNode *below = chain[--n];

        below->root = node->root;
        below->depth = node->depth + 1;
        below->root->n_buses += is_pci(below);
        node = below;
    }
    return true;
}

void plan_detach_bus(PlanBusNode *node)
{
    if (node->root && node->root != node) {
        node->root->n_buses -= is_pci(node);
    }
}

static int by_number(const void *a, const void *b)
{
    const PlanBusNode *left = *(PlanBusNode *const *)a, *right = *(PlanBusNode *const *)b;

    return (int)left->number - (int)right->number;
}

/* Check the bus numbers. A root has the numbers from its first one up to that of the next root. */
bool plan_check_bus_numbers(PlanIndex *x, GError **err)
{
    g_autoptr(GPtrArray) roots = g_ptr_array_new();

    for (guint i = 0; i < x->bus_order->len; i++) {
        PlanBusNode *node = x->bus_order->pdata[i];

        if (node->root == node && is_pci(node)) {
            g_ptr_array_add(roots, node);
        }
    }
    g_ptr_array_sort(roots, by_number);
    for (guint i = 0; i < roots->len; i++) {
        const PlanBusNode *node = roots->pdata[i];
        const PlanBusNode *next = i + 1 < roots->len ? roots->pdata[i + 1] : NULL;
        unsigned end = next ? next->number : 0x100;

        if (next && next->number == node->number) {
            return plan_fail(err,
                             "root buses '%s' and '%s' have the same bus number 0x%02x: "
                             "bus_nr must be free",
                             node->name, next->name, node->number);
        }
        if (node->n_buses > end - node->number) {
            return plan_fail(err,
                             "root bus '%s' has the bus numbers 0x%02x to 0x%02x, too few "
                             "for the %u buses in its tree: move bridges to another root%s",
                             node->name, node->number, end - 1, node->n_buses,
                             next ? " or raise bus_nr of the next one" : "");
        }
    }
    return true;
}

bool plan_bus_is_rooted(const PlanBusNode *node)
{
    for (unsigned i = 0; node && !node->root && i <= PLAN_DEPTH_MAX; i++) {
        bool root = node->owner && node->owner->t->role == PLAN_PCI_EXTRA_ROOT;

        if (root) {
            return true;
        }
        node = node->owner ? node->owner->on : NULL;
    }
    return node && node->root;
}

unsigned plan_root_end(const PlanIndex *x, const PlanBusNode *root)
{
    unsigned end = 0x100;

    for (guint i = 0; i < x->bus_order->len; i++) {
        const PlanBusNode *node = x->bus_order->pdata[i];

        if (node->root == node && is_pci(node) && node->number > root->number) {
            end = MIN(end, node->number);
        }
    }
    return end;
}
