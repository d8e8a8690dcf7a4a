/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices: creation and removal, the tree, buses by name, and the re-entrancy guard (contract in
 * hw/core/device.h).
 */
#include "hw/core/device.h"

#include <string.h>

#include "hw/core/device_tree.h"
#include "hw/core/prop.h"
#include "machine-events.h"
#include "util/error.h"
#include "util/log.h"
#include "util/trace.h"

static const DeviceType container_type = { .name = "container",
                                           .doc = "a node of the device tree",
                                           .size = sizeof(Device),
                                           .internal = true };

const DeviceType *device_type_find(const char *name)
{
    for (size_t i = 0; i < n_device_types; i++) {
        const DeviceType *t = *device_type_entries[i];

        if (g_str_equal(t->name, name) || (t->alias && g_str_equal(t->alias, name))) {
            return t;
        }
    }
    return NULL;
}

/* --- the guard --- */

bool device_enter(Device *dev)
{
    if (dev->busy || dev->hidden) {
        guest_error(device_name(dev), "entered while %s: refused",
                    dev->busy ? "it is handling another access" : "unplugged");
        return false;
    }
    dev->busy = true;
    dev->machine->entered++;
    return true;
}

void device_leave(Device *dev)
{
    dev->busy = false;
    dev->machine->entered--;
}

static bool device_guard_enter(void *owner)
{
    return device_enter(owner);
}

static void device_guard_leave(void *owner)
{
    device_leave(owner);
}

const MemGuard device_guard = { device_guard_enter, device_guard_leave };

/* --- buses --- */

bool bus_init(Bus *bus, Machine *m, PlanBusKind kind, const char *name, Device *owner, GError **err)
{
    if (g_hash_table_contains(m->buses, name)) {
        return error_set(err, ERROR_USER, "the machine has a bus named '%s' already", name);
    }
    *bus = (Bus){ .kind = kind, .name = g_strdup(name), .owner = owner, .machine = m };
    bus->members = g_ptr_array_new();
    g_hash_table_insert(m->buses, bus->name, bus);
    return true;
}

void bus_fini(Bus *bus)
{
    if (!bus->name) {
        return;
    }
    g_hash_table_remove(bus->machine->buses, bus->name);
    g_ptr_array_free(bus->members, TRUE);
    g_free(bus->name);
    *bus = (Bus){ 0 };
}

Bus *bus_find(Machine *m, const char *name)
{
    return g_hash_table_lookup(m->buses, name);
}

/* --- the tree --- */

static void device_tree_add(Device *parent, Device *dev, char *name)
{
    dev->parent = parent;
    dev->path = g_strdup_printf("%s/%s", parent->path, name);
    if (!parent->children) {
        parent->children = g_ptr_array_new();
    }
    g_ptr_array_add(parent->children, dev);
    g_free(name);
}

static void device_tree_remove(Device *dev)
{
    if (dev->parent) {
        g_ptr_array_remove(dev->parent->children, dev);
        dev->parent = NULL;
    }
}

static Device *device_node_new(Machine *m)
{
    Device *dev = g_new0(Device, 1);

    dev->type = &container_type;
    dev->machine = m;
    dev->realized = true;
    dev->pins = 1;
    return dev;
}

static Device *device_child_named(const Device *parent, const char *name)
{
    for (unsigned i = 0; parent->children && i < parent->children->len; i++) {
        Device *child = g_ptr_array_index(parent->children, i);

        if (g_str_equal(strrchr(child->path, '/') + 1, name)) {
            return child;
        }
    }
    return NULL;
}

Device *device_container(Machine *m, const char *name)
{
    Device *node = device_child_named(m->root, name);

    if (!node) {
        node = device_node_new(m);
        device_tree_add(m->root, node, g_strdup(name));
    }
    return node;
}

void device_tree_init(Machine *m)
{
    m->by_id = g_hash_table_new(g_str_hash, g_str_equal);
    m->buses = g_hash_table_new(g_str_hash, g_str_equal);
    m->root = device_node_new(m);
    m->root->path = g_strdup("/machine");
    device_container(m, "peripheral");
    device_container(m, "peripheral-anon");
    device_container(m, "unattached");
}

static void device_node_free(Device *dev)
{
    while (dev->children && dev->children->len > 0) {
        Device *child = g_ptr_array_index(dev->children, dev->children->len - 1);

        if (child->type == &container_type) {
            device_node_free(child);
        } else {
            device_unplug(child);
        }
    }
    device_tree_remove(dev);
    if (dev->children) {
        g_ptr_array_free(dev->children, TRUE);
    }
    g_free(dev->path);
    g_free(dev);
}

void device_tree_free(Machine *m)
{
    /* Devices of users are removed before the board's buses that they are on. */
    device_node_free(device_container(m, "peripheral-anon"));
    device_node_free(device_container(m, "peripheral"));
    device_node_free(m->root);
    g_hash_table_destroy(m->by_id);
    g_hash_table_destroy(m->buses);
}

Device *device_find_id(Machine *m, const char *id)
{
    return g_hash_table_lookup(m->by_id, id);
}

typedef struct PathSearch {
    const char *tail;
    Device *found;
    unsigned hits;
} PathSearch;

static bool device_match_tail(void *opaque, Device *dev)
{
    PathSearch *s = opaque;

    if (g_str_equal(strrchr(dev->path, '/') + 1, s->tail)) {
        s->found = dev;
        s->hits++;
    }
    return true;
}

static Device *device_find_absolute(Machine *m, const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path + 1, "/", -1);
    Device *dev = parts[0] && g_str_equal(parts[0], "machine") ? m->root : NULL;

    for (unsigned i = 1; dev && parts[i]; i++) {
        dev = *parts[i] ? device_child_named(dev, parts[i]) : dev;
    }
    return dev;
}

Device *device_find_path(Machine *m, const char *path)
{
    PathSearch search = { .tail = path };

    if (*path == '/') {
        return device_find_absolute(m, path);
    }
    device_visit(m->root, device_match_tail, &search);
    return search.hits == 1 ? search.found : NULL;
}

bool device_visit(Device *dev, bool (*fn)(void *opaque, Device *dev), void *opaque)
{
    if (!fn(opaque, dev)) {
        return false;
    }
    for (unsigned i = 0; dev->children && i < dev->children->len; i++) {
        if (!device_visit(g_ptr_array_index(dev->children, i), fn, opaque)) {
            return false;
        }
    }
    return true;
}

/* --- creation and removal --- */

/* Store the properties that the class adds to those of the type. */
static bool device_store_kind_props(Device *dev, const PlanDevice *plan, GError **err)
{
    const DeviceKind *kind = dev->type->kind;
    PlanProp row;

    for (size_t i = 0; kind && kind->prop && kind->prop(dev->type, i, &row); i++) {
        if (!props_store(&row, 1, dev, plan, err)) {
            return false;
        }
    }
    return true;
}

static void device_free_kind_props(Device *dev)
{
    const DeviceKind *kind = dev->type->kind;
    PlanProp row;

    for (size_t i = 0; kind && kind->prop && kind->prop(dev->type, i, &row); i++) {
        props_free(&row, 1, dev);
    }
}

Device *device_new(Machine *m, const DeviceType *type, const PlanDevice *plan, GError **err)
{
    Device *dev = g_try_malloc0(type->size);

    if (!dev) {
        error_set(err, ERROR_HOST, "no memory for a %s device (%zu bytes)", type->name, type->size);
        return NULL;
    }
    dev->type = type;
    dev->machine = m;
    dev->pins = 1;
    dev->id = plan && plan->id ? g_strdup(plan->id) : NULL;
    dev->place = plan ? g_strdup(plan->place) : NULL;
    if (!props_store(type->props, type->n_props, dev, plan, err) ||
        !device_store_kind_props(dev, plan, err)) {
        device_unpin_any(dev);
        return NULL;
    }
    return dev;
}

static void device_finalize(Device *dev)
{
    if (dev->type->finalize) {
        dev->type->finalize(dev);
    }
    if (dev->type->kind && dev->type->kind->finalize) {
        dev->type->kind->finalize(dev);
    }
    props_free(dev->type->props, dev->type->n_props, dev);
    device_free_kind_props(dev);
    if (dev->children) {
        g_ptr_array_free(dev->children, TRUE);
    }
    g_free((char *)dev->id);
    g_free(dev->path);
    g_free(dev->plan_id);
    g_free(dev->place);
    g_free(dev);
}

static gboolean device_finalize_later(gpointer opaque)
{
    Device *dev = opaque;

    if (dev->realized) {
        event_device_deleted(dev->machine, dev->id, dev->path);
    }
    device_finalize(dev);
    return G_SOURCE_REMOVE;
}

void device_pin_any(Device *dev)
{
    g_atomic_int_inc(&dev->pins);
}

void device_unpin_any(Device *dev)
{
    if (!g_atomic_int_dec_and_test(&dev->pins)) {
        return;
    }
    if (machine_locked(dev->machine)) {
        device_finalize_later(dev);
    } else {
        /* The main loop holds the lock while it dispatches. */
        g_idle_add(device_finalize_later, dev);
    }
}

static bool device_find_bus(Device *dev, const PlanDevice *plan, GError **err)
{
    if (!plan || !plan->bus) {
        return true;
    }
    dev->bus = bus_find(dev->machine, plan->bus);
    if (!dev->bus) {
        error_set(err, ERROR_USER, "%s: there is no bus named '%s'", device_name(dev), plan->bus);
    }
    return dev->bus != NULL;
}

static void device_enter_tree(Device *dev, Device *parent)
{
    Machine *m = dev->machine;
    bool anon = !dev->id;

    if (!parent) {
        parent = device_container(m, anon ? "peripheral-anon" : "peripheral");
    }
    device_tree_add(parent, dev,
                    anon ? g_strdup_printf("device[%u]", m->anon++) : g_strdup(dev->id));
    if (dev->id) {
        g_hash_table_insert(m->by_id, (char *)dev->id, dev);
    }
    if (dev->bus) {
        g_ptr_array_add(dev->bus->members, dev);
    }
}

static void device_leave_tree(Device *dev)
{
    if (dev->id && device_find_id(dev->machine, dev->id) == dev) {
        g_hash_table_remove(dev->machine->by_id, dev->id);
    }
    if (dev->bus) {
        g_ptr_array_remove(dev->bus->members, dev);
    }
    device_tree_remove(dev);
}

bool device_realize(Device *dev, const PlanDevice *plan, Device *parent, GError **err)
{
    const DeviceType *type = dev->type;
    const DeviceKind *kind = type->kind;

    if (dev->id && device_find_id(dev->machine, dev->id)) {
        error_set(err, ERROR_USER, "the machine has a device with the id '%s' already", dev->id);
        device_unpin_any(dev);
        return false;
    }
    if (!device_find_bus(dev, plan, err) ||
        (kind && kind->attach && !kind->attach(dev, plan, err))) {
        device_unpin_any(dev);
        return false;
    }
    if (!dev->plan_id) {
        dev->plan_id = g_strdup(dev->id ? dev->id : type->name);
    }
    if (type->realize && !type->realize(dev, err)) {
        if (kind && kind->detach) {
            kind->detach(dev);
        }
        device_unpin_any(dev);
        return false;
    }
    device_enter_tree(dev, parent);
    dev->realized = true;
    device_reset_tree(dev, RESET_COLD);
    if (kind && kind->ready) {
        kind->ready(dev);
    }
    return true;
}

Device *device_create(Machine *m, const char *type, const char *settings, Device *parent,
                      GError **err)
{
    const DeviceType *t = device_type_find(type);
    g_autofree char *text =
        g_strdup_printf("%s%s%s", type, settings ? "," : "", settings ? settings : "");
    g_autoptr(PlanDevice) plan = NULL;
    Device *dev;

    g_assert(t);
    plan = plan_device_parse(text, err);
    if (!plan) {
        return NULL;
    }
    dev = device_new(m, t, plan, err);
    if (!dev ||
        !device_realize(dev, plan, parent ? parent : device_container(m, "unattached"), err)) {
        return NULL;
    }
    return dev;
}

void device_unplug(Device *dev)
{
    const DeviceKind *kind = dev->type->kind;
    Machine *m = dev->machine;

    if (dev->hidden) {
        return;
    }
    while (dev->child_bus && dev->child_bus->members->len > 0) {
        GPtrArray *members = dev->child_bus->members;

        device_unplug(g_ptr_array_index(members, members->len - 1));
    }
    while (dev->children && dev->children->len > 0) {
        device_unplug(g_ptr_array_index(dev->children, dev->children->len - 1));
    }
    dev->hidden = true;
    if (kind && kind->detach) {
        kind->detach(dev);
    }
    if (dev->type->unrealize) {
        dev->type->unrealize(dev);
    }
    device_leave_tree(dev);
    if (m->hooks.device_gone) {
        m->hooks.device_gone(m->hooks.opaque, dev);
    }
    device_unpin_any(dev);
}

/* --- reset --- */

static bool device_reset_state(void *opaque, Device *dev)
{
    ResetKind kind = *(ResetKind *)opaque;

    trace(TRACE_DEVICE_RESET, "%s", dev->path);
    if (dev->type->kind && dev->type->kind->reset) {
        dev->type->kind->reset(dev, kind);
    }
    if (dev->type->reset) {
        dev->type->reset(dev, kind);
    }
    return true;
}

static bool device_reset_outputs(void *opaque, Device *dev)
{
    if (dev->type->kind && dev->type->kind->reset_exit) {
        dev->type->kind->reset_exit(dev);
    }
    if (dev->type->reset_exit) {
        dev->type->reset_exit(dev);
    }
    return true;
}

void device_reset_tree(Device *dev, ResetKind kind)
{
    device_visit(dev, device_reset_state, &kind);
    device_visit(dev, device_reset_outputs, NULL);
}
