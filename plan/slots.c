/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Report of slots: for each bus the range of its slots, the free slots, the accepted devices,
 * whether they can be plugged while the guest runs, and the contents of its windows; and the
 * virtio MMIO slots.
 */
#include "plan/internal.h"

/* Return the devices of a bus in the order of their addresses. */
static GPtrArray *holders(const PlanBusNode *node)
{
    GPtrArray *list = g_ptr_array_new();

    for (unsigned slot = 0; slot < G_N_ELEMENTS(node->slot); slot++) {
        for (unsigned fn = 0; node->slot[slot] && fn < 8; fn++) {
            if (node->slot[slot][fn]) {
                g_ptr_array_add(list, node->slot[slot][fn]);
            }
        }
    }
    for (unsigned n = 0; node->numbers && n <= UINT16_MAX && list->len < node->n_devices; n++) {
        PlanDevice *d = g_hash_table_lookup(node->numbers, GUINT_TO_POINTER(n));

        if (d) {
            g_ptr_array_add(list, d);
        }
    }
    return list;
}

static const char *addr_text(const PlanDevice *d)
{
    return strrchr(d->place, '/') + 1;
}

enum { CAP_ID_MSI = 0x05, CAP_ID_MSIX = 0x11, PINS = 4 };

/* Return the interrupt line of the root bus to which the bridges route the INTx pin of the
 * function. */
static unsigned root_line(const PlanDevice *d)
{
    unsigned pin = d->t->pin - 1u;

    for (; d; d = d->on->root == d->on ? NULL : d->on->owner) {
        pin += d->on->kind == PLAN_BUS_PCIE_PORT ? 0 : d->addr.slot;
    }
    return pin % PINS;
}

/* Return the interrupts of a function as "MSI-X, INTA on line 2"; g_free(). NULL if it has none. */
static char *interrupts(const PlanDevice *d)
{
    GString *s = g_string_new(NULL);

    if (plan_has_cap(d, CAP_ID_MSIX)) {
        g_string_append(s, "MSI-X");
    }
    if (plan_has_cap(d, CAP_ID_MSI)) {
        g_string_append_printf(s, "%sMSI", s->len ? ", " : "");
    }
    if (d->t->pin) {
        g_string_append_printf(s, "%sINT%c on line %u", s->len ? ", " : "", 'A' + d->t->pin - 1,
                               root_line(d));
    }
    return g_string_free(s, s->len == 0);
}

/* Return a list of {"resource": "I/O", "need": bytes, "window": bytes}. Resources that no function
 * of the bus uses are omitted. */
static struct json_object *room_to_json(const PlanIndex *x, const PlanBusNode *node)
{
    struct json_object *list = json_object_new_array();

    for (unsigned r = 0; r < PLAN_RESOURCES; r++) {
        PlanRoom room = plan_bus_room(x, node, r);
        struct json_object *o;

        if (!room.need && !room.window) {
            continue;
        }
        o = json_object_new_object();
        json_object_object_add(o, "resource", json_object_new_string(plan_resource_name(r)));
        json_object_object_add(o, "need", json_object_new_uint64(room.need));
        if (room.window) {
            json_object_object_add(o, "window", json_object_new_uint64(room.window));
        }
        json_object_array_add(list, o);
    }
    return list;
}

static struct json_object *holder_to_json(const PlanDevice *d)
{
    struct json_object *o = json_object_new_object();
    g_autofree char *irqs = interrupts(d);

    json_object_object_add(o, "addr", json_object_new_string(addr_text(d)));
    json_object_object_add(o, "device", json_object_new_string(plan_device_name(d)));
    json_object_object_add(o, "type", json_object_new_string(d->type));
    if (irqs) {
        json_object_object_add(o, "interrupts", json_object_new_string(irqs));
    }
    if (d->brings) {
        json_object_object_add(o, "bus", json_object_new_string(d->brings->name));
    }
    return o;
}

static bool slots_is_mmio(const PlanBusNode *node)
{
    return node->rule->addr == PLAN_ADDR_SINGLE;
}

static struct json_object *bus_to_json(const PlanIndex *x, const PlanBusNode *node)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array();
    g_autoptr(GPtrArray) held = holders(node);
    unsigned first, last;

    plan_bus_slots(node, &first, &last);
    json_object_object_add(o, "bus", json_object_new_string(node->name));
    json_object_object_add(o, "kind", json_object_new_string(node->rule->name));
    if (node->owner) {
        json_object_object_add(o, "owner", json_object_new_string(plan_device_name(node->owner)));
    }
    if (node->root == node && !slots_is_mmio(node)) {
        json_object_object_add(o, "bus-number", json_object_new_int((int)node->number));
    }
    json_object_object_add(o, "takes", json_object_new_string(node->rule->takes));
    json_object_object_add(o, "hotplug", json_object_new_boolean(plan_bus_hotplug(node)));
    json_object_object_add(o, "first-slot", json_object_new_int((int)first));
    json_object_object_add(o, "last-slot", json_object_new_int((int)last));
    for (unsigned i = first; i <= last; i++) {
        if (!(node->used >> i & 1)) {
            json_object_array_add(list, json_object_new_int((int)i));
        }
    }
    json_object_object_add(o, "free-slots", list);
    json_object_object_add(o, "room",
                           slots_is_mmio(node) ? json_object_new_array() : room_to_json(x, node));
    list = json_object_new_array();
    for (guint i = 0; i < held->len; i++) {
        json_object_array_add(list, holder_to_json(held->pdata[i]));
    }
    json_object_object_add(o, "held", list);
    return o;
}

struct json_object *plan_buses_to_json(const PlanMachine *m, bool mmio)
{
    struct json_object *list = json_object_new_array();

    g_assert(m->index);
    for (guint i = 0; i < m->index->bus_order->len; i++) {
        const PlanBusNode *node = m->index->bus_order->pdata[i];
        bool shown = mmio && slots_is_mmio(node) && node->n_devices > 0;

        if ((node->rule->addr == PLAN_ADDR_PCI && !node->orphan) || shown) {
            json_object_array_add(list, bus_to_json(m->index, node));
        }
    }
    return list;
}

struct json_object *plan_slots_to_json(const PlanMachine *m, const PlanCatalog *c)
{
    return plan_buses_to_json(m, false);
}

/* @planning: state who chose the address. */
static void holder_to_text(GString *out, const char *addr, const PlanDevice *d, bool planning)
{
    g_string_append_printf(out, "  %-7s  %s", addr, d->type);
    if (d->id) {
        g_string_append_printf(out, " '%s'", d->id);
    }
    if (d->implicit) {
        g_string_append(out, ", created by the machine");
    }
    if (d->brings) {
        g_string_append_printf(out, ", provides bus '%s'", d->brings->name);
    }
    if (planning && !d->implicit) {
        g_string_append(out, d->dynamic ? ", dynamic" : ", static");
    }
    g_string_append_c(out, '\n');
}

/* Append "  room     1M of 1G 32-bit memory, 16K of 1M 64-bit memory". */
static void room_to_text(GString *out, const PlanIndex *x, const PlanBusNode *node)
{
    const char *before = "  room     ";

    for (unsigned r = 0; r < PLAN_RESOURCES; r++) {
        PlanRoom room = plan_bus_room(x, node, r);

        if (!room.need) {
            continue;
        }
        g_string_append(out, before);
        plan_append_size(out, room.need);
        if (room.window) {
            g_string_append(out, " of ");
            plan_append_size(out, room.window);
        }
        g_string_append_printf(out, " %s", plan_resource_name(r));
        before = ", ";
    }
    g_string_append(out, *before == ',' ? "\n" : "");
}

static void bus_to_text(GString *out, const PlanIndex *x, const PlanBusNode *node, bool planning)
{
    g_autoptr(GPtrArray) held = holders(node);
    g_autofree char *unused = plan_free_slots(node);
    unsigned first, last;

    plan_bus_slots(node, &first, &last);
    g_string_append_printf(out, "bus '%s': %s", node->name, node->rule->doc);
    if (node->root == node) {
        g_string_append_printf(out, ", bus number 0x%02x", node->number);
    }
    g_string_append_printf(out, "\n  slots    %02x-%02x, free: %s\n", first, last, unused);
    g_string_append_printf(out, "  accepts  %s\n", node->rule->takes);
    g_string_append_printf(out, "  hotplug  %s\n", plan_bus_hotplug(node) ? "yes" : "no");
    room_to_text(out, x, node);
    for (guint i = 0; i < held->len; i++) {
        holder_to_text(out, addr_text(held->pdata[i]), held->pdata[i], planning);
    }
}

/* Append the virtio MMIO slots in the order of their numbers: the free ones, and the devices.
 * Nothing if no slot holds a device. */
static void slots_mmio_to_text(GString *out, const PlanIndex *x, bool planning)
{
    g_autoptr(GString) unused = g_string_new(NULL);
    g_autoptr(GString) held = g_string_new(NULL);

    for (unsigned n = 0; n < x->machine->n_mmio_buses; n++) {
        g_autofree char *name = g_strdup_printf("%s%u", x->machine->mmio_bus, n);
        const PlanBusNode *node = g_hash_table_lookup(x->buses, name);

        if (node->n_devices == 0) {
            g_string_append_printf(unused, "%s%u", unused->len ? ", " : "", n);
        } else {
            holder_to_text(held, name, node->slot[0][0], planning);
        }
    }
    if (!held->len) {
        return;
    }
    g_string_append_printf(out, "%sbuses '%s0' to '%s%u': virtio MMIO slots\n",
                           out->len ? "\n" : "", x->machine->mmio_bus, x->machine->mmio_bus,
                           x->machine->n_mmio_buses - 1);
    g_string_append_printf(out, "  free     %s\n  accepts  %s each\n  hotplug  no\n%s",
                           unused->len ? unused->str : "none",
                           plan_bus_rule(PLAN_BUS_VIRTIO_MMIO)->takes, held->str);
}

char *plan_slots_to_text(const PlanMachine *m, const PlanCatalog *c)
{
    GString *out = g_string_new(NULL);

    g_assert(m->index);
    for (guint i = 0; i < m->index->bus_order->len; i++) {
        const PlanBusNode *node = m->index->bus_order->pdata[i];

        if (node->rule->addr == PLAN_ADDR_PCI && !node->orphan) {
            g_string_append(out, out->len ? "\n" : "");
            bus_to_text(out, m->index, node, m->planning);
        }
    }
    if (!out->len) {
        g_string_append_printf(out, "machine %s has no PCI bus\n", m->type);
    }
    if (m->index->machine->n_mmio_buses) {
        slots_mmio_to_text(out, m->index, m->planning);
    }
    plan_scsi_to_text(out, m->index);
    return g_string_free(out, FALSE);
}
