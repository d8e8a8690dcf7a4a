/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about the device tree: nodes have paths, properties are those of the device types.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <string.h>

#include "hw/core/host_object.h"
#include "hw/pci/pci.h"
#include "hw/virtio/virtio.h"

/* Return the path with single slashes and no slash at the end; g_free. */
static char *qom_plain_path(const char *path)
{
    GString *out = g_string_new(NULL);

    for (; *path; path++) {
        if (*path != '/' || (path[1] != '/' && path[1] != '\0') || out->len == 0) {
            if (*path != '/' || out->len == 0 || out->str[out->len - 1] != '/') {
                g_string_append_c(out, *path);
            }
        }
    }
    return g_string_free(out, FALSE);
}

static bool is_virtio_pci(const Device *dev)
{
    return dev->type->kind == &pci_device_kind && g_str_has_prefix(dev->type->name, "virtio-");
}

/* Return the device at @path. The path of a virtio device behind its transport, which query-block
 * returns, denotes the virtio device. */
static Device *qom_find_device(Machine *m, const char *path)
{
    static const char suffix[] = "/" VIRTIO_BACKEND;
    g_autofree char *base =
        g_str_has_suffix(path, suffix) ? g_strndup(path, strlen(path) - strlen(suffix)) : NULL;
    Device *dev = device_find_path(m, base ? base : path);

    return dev && base && !is_virtio_pci(dev) ? NULL : dev;
}

static Device *qom_find(Machine *m, const char *path, GError **err)
{
    Device *dev = strcmp(path, "/") == 0 ? m->root : qom_find_device(m, path);

    if (!dev) {
        qmp_set_error(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", path);
    }
    return dev;
}

static void qom_add_node(struct json_object *list, const char *name, const char *type)
{
    QmpObjectPropertyInfo info = { .name = name, .type = type };

    json_object_array_add(list, qmp_make_object_property_info(&info));
}

static const char *qom_value_type(const PlanProp *p)
{
    static const char *const names[] = {
        [PLAN_PROP_BOOL] = "bool",  [PLAN_PROP_U8] = "uint8",   [PLAN_PROP_U16] = "uint16",
        [PLAN_PROP_U32] = "uint32", [PLAN_PROP_U64] = "uint64", [PLAN_PROP_I32] = "int32",
        [PLAN_PROP_SIZE] = "size",  [PLAN_PROP_MAC] = "str",    [PLAN_PROP_ONOFF] = "OnOffAuto",
    };

    return p->kind < G_N_ELEMENTS(names) && names[p->kind] ? names[p->kind] : "str";
}

static const PlanType *qom_plan_type(Machine *m, const Device *dev)
{
    return plan_find_type(monitor_host(m)->catalog(m), dev->type->name);
}

/* --- host objects: /objects, beside the machine --- */

#define QOM_OBJECTS "/objects"

/* Return the object with this path below QOM_OBJECTS, or NULL. */
static HostObject *qom_find_object(Machine *m, const char *path)
{
    return g_str_has_prefix(path, QOM_OBJECTS "/")
               ? host_object_find(m, path + strlen(QOM_OBJECTS "/"))
               : NULL;
}

static void qom_add_object(void *opaque, HostObject *o)
{
    g_autofree char *type = g_strdup_printf("child<%s>", o->kind->name);

    qom_add_node(opaque, o->id, type);
}

static bool qom_prop_is_readable(const HostObject *o, const char *name)
{
    return o->kind != &host_secret || strcmp(name, "data") != 0;
}

/* Return the nodes below QOM_OBJECTS, or the properties of an object; NULL for any other path. */
static struct json_object *qom_list_objects(Machine *m, const char *path)
{
    HostObject *o = qom_find_object(m, path);
    struct json_object *list;

    if (!o && strcmp(path, QOM_OBJECTS) != 0) {
        return NULL;
    }
    list = json_object_new_array();
    qom_add_node(list, "type", "string");
    for (size_t i = 0; o && i < o->kind->n_props; i++) {
        if (qom_prop_is_readable(o, o->kind->props[i].name)) {
            qom_add_node(list, o->kind->props[i].name, qom_value_type(&o->kind->props[i]));
        }
    }
    if (!o) {
        host_object_foreach(m, qom_add_object, list);
    }
    return list;
}

/* --- virtual CPUs without a device --- */

char *monitor_cpu_path(const Cpu *cpu)
{
    return cpu->device ? g_strdup(cpu->device->path)
                       : g_strdup_printf("/machine/unattached/cpu[%u]", cpu->index);
}

/* Return the CPU without a device at this path, or NULL. */
static const Cpu *qom_find_cpu(const Machine *m, const char *path)
{
    for (guint i = 0; i < m->cpus->len; i++) {
        const Cpu *cpu = m->cpus->pdata[i];
        g_autofree char *own = monitor_cpu_path(cpu);

        if (!cpu->device && strcmp(own, path) == 0) {
            return cpu;
        }
    }
    return NULL;
}

static struct json_object *qom_list_cpu(const Machine *m, const char *path)
{
    struct json_object *list = NULL;

    if (qom_find_cpu(m, path)) {
        list = json_object_new_array();
        qom_add_node(list, "type", "string");
    }
    return list;
}

static struct json_object *qom_value_json(const PlanProp *p, const char *text)
{
    if (p->kind == PLAN_PROP_BOOL) {
        return json_object_new_boolean(strcmp(text, "on") == 0 || strcmp(text, "true") == 0);
    }
    if (p->kind == PLAN_PROP_I32) {
        return json_object_new_int64(g_ascii_strtoll(text, NULL, 0));
    }
    if (p->kind <= PLAN_PROP_U64 || p->kind == PLAN_PROP_SIZE) {
        return json_object_new_uint64(g_ascii_strtoull(text, NULL, 0));
    }
    return json_object_new_string(text);
}

static struct json_object *qom_object_prop(const HostObject *o, const char *name, GError **err)
{
    const PlanProp *p = plan_find_prop(o->kind->props, o->kind->n_props, name);
    g_autofree char *text = host_object_prop_text(o, name);
    PlanValue v = { 0 };

    if (strcmp(name, "type") == 0) {
        return json_object_new_string(o->kind->name);
    }
    if (p && p->kind == PLAN_PROP_SIZE && host_throttle_limits(o)) {
        return json_object_new_uint64(plan_value_parse(p, text, &v, NULL) ? v.u : 0);
    }
    if (p && p->kind == PLAN_PROP_SIZE) {
        return json_object_new_uint64(host_memory_size(o));
    }
    if (!p || !qom_prop_is_readable(o, name)) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "Property '%s.%s' %s", o->kind->name, name,
                      p ? "cannot be read" : "not found");
        return NULL;
    }
    return qom_value_json(p, text ? text : "");
}

/* --- the device tree --- */

static struct json_object *qom_list_path(Machine *m, const char *given, GError **err)
{
    g_autofree char *path = qom_plain_path(given);
    struct json_object *cpu = qom_list_cpu(m, path);
    struct json_object *list = cpu ? cpu : qom_list_objects(m, path);
    Device *dev = list ? NULL : qom_find(m, path, err);
    const PlanType *t;

    if (!dev) {
        return list;
    }
    list = json_object_new_array();
    qom_add_node(list, "type", "string");
    t = qom_plan_type(m, dev);
    for (size_t i = 0; t && i < t->n_props; i++) {
        qom_add_node(list, t->props[i].name, qom_value_type(&t->props[i]));
    }
    if (monitor_balloon_prop_type(dev)) {
        qom_add_node(list, "guest-stats", monitor_balloon_prop_type(dev));
    }
    if (strcmp(path, "/") == 0) {
        qom_add_node(list, "machine", "child<machine>");
        qom_add_node(list, "objects", "child<container>");
        return list;
    }
    for (guint i = 0; dev->children && i < dev->children->len; i++) {
        Device *child = dev->children->pdata[i];
        g_autofree char *type = g_strdup_printf("child<%s>", child->type->name);

        qom_add_node(list, strrchr(child->path, '/') + 1, type);
    }
    return list;
}

struct json_object *qmp_qom_list(Machine *m, const QmpQomListArgs *args, GError **err)
{
    return qom_list_path(m, args->path, err);
}

static struct json_object *qom_prop_json(const Device *dev, const PlanProp *p)
{
    g_autofree char *text = device_prop_text(dev, p->name);

    return qom_value_json(p, text ? text : ""); /* an unset string reads as empty */
}

static struct json_object *qom_get_value(Machine *m, const char *given, const char *name,
                                         GError **err)
{
    g_autofree char *path = qom_plain_path(given);
    HostObject *o = qom_find_object(m, path);
    bool container = strcmp(path, QOM_OBJECTS) == 0 && strcmp(name, "type") == 0;
    const Cpu *cpu = strcmp(name, "type") == 0 ? qom_find_cpu(m, path) : NULL;
    Device *dev = o || container || cpu ? NULL : qom_find(m, path, err);
    const PlanType *t = dev ? qom_plan_type(m, dev) : NULL;
    const PlanProp *p = t ? plan_find_prop(t->props, t->n_props, name) : NULL;
    struct json_object *value = p     ? qom_prop_json(dev, p)
                                : dev ? monitor_balloon_get(dev, name)
                                      : NULL;

    if (o) {
        return qom_object_prop(o, name, err);
    }
    if (container) {
        return json_object_new_string("container");
    }
    if (cpu) {
        return json_object_new_string(cpu->type->name);
    }
    if (dev && strcmp(name, "type") == 0) {
        return json_object_new_string(dev->type->name);
    }
    if (dev && !value) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "Property '%s.%s' not found", dev->type->name, name);
    }
    return value;
}

struct json_object *qmp_qom_get(Machine *m, const QmpQomGetArgs *args, GError **err)
{
    return qom_get_value(m, args->path, args->property, err);
}

/* Return the properties of one node. A property that cannot be read has no value. */
static struct json_object *qom_list_values(Machine *m, const char *path, GError **err)
{
    struct json_object *list = qom_list_path(m, path, err), *node = NULL;

    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i), *name, *value;

        json_object_object_get_ex(o, "name", &name);
        value = qom_get_value(m, path, json_object_get_string(name), NULL);
        if (value) {
            json_object_object_add(o, "value", value);
        }
    }
    if (list) {
        node = json_object_new_object();
        json_object_object_add(node, "properties", list);
    }
    return node;
}

struct json_object *qmp_qom_list_get(Machine *m, const QmpQomListGetArgs *args, GError **err)
{
    struct json_object *paths = args->paths;
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < json_object_array_length(paths); i++) {
        const char *path = json_object_get_string(json_object_array_get_idx(paths, i));
        struct json_object *node = qom_list_values(m, path, err);

        if (!node) {
            json_object_put(list);
            return NULL;
        }
        json_object_array_add(list, node);
    }
    return list;
}

bool qmp_qom_set(Machine *m, const QmpQomSetArgs *args, GError **err)
{
    g_autofree char *path = qom_plain_path(args->path);
    Device *dev = qom_find(m, path, err);
    bool done = false;

    if (dev && !monitor_balloon_set(dev, args->property, args->value, &done, err)) {
        return false;
    }
    if (dev && !done) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "Property '%s.%s' cannot be set after the device was created; it is accepted "
                      "by -device and device_add",
                      dev->type->name, args->property);
    }
    return done;
}

/* --- human monitor --- */

static unsigned qom_depth(const Device *dev)
{
    unsigned n = 0;

    for (const Device *d = dev->parent; d; d = d->parent) {
        n++;
    }
    return n;
}

static bool hmp_show_node(void *opaque, Device *dev)
{
    g_string_append_printf(opaque, "%*s%s (%s)\n", qom_depth(dev) * 2, "", strrchr(dev->path, '/'),
                           dev->type->name);
    return true;
}

static void hmp_info_qom_tree(Machine *m, const char *args, GString *out)
{
    device_visit(m->root, hmp_show_node, out);
}

static void hmp_show_props(Machine *m, const Device *dev, GString *out, unsigned indent)
{
    const PlanType *t = qom_plan_type(m, dev);

    for (size_t i = 0; t && i < t->n_props; i++) {
        g_autofree char *text = device_prop_text(dev, t->props[i].name);

        if (text) {
            g_string_append_printf(out, "%*s%s = %s\n", indent, "", t->props[i].name, text);
        }
    }
}

static void hmp_show_bus(Machine *m, const Bus *bus, GString *out, unsigned indent)
{
    g_string_append_printf(out, "%*sbus: %s\n", indent, "", bus->name);
    for (guint i = 0; bus->members && i < bus->members->len; i++) {
        const Device *dev = bus->members->pdata[i];

        g_string_append_printf(out, "%*sdev: %s, id \"%s\"\n", indent + 2, "", dev->type->name,
                               dev->id ? dev->id : "");
        hmp_show_props(m, dev, out, indent + 4);
        if (dev->child_bus) {
            hmp_show_bus(m, dev->child_bus, out, indent + 4);
        }
    }
}

typedef struct QtreeWalk {
    Machine *m;
    GString *out;
} QtreeWalk;

/* Show a device that is not on a bus, and the buses that it provides. */
static bool hmp_show_board_device(void *opaque, Device *dev)
{
    QtreeWalk *w = opaque;

    if (dev->bus || !dev->type->kind) {
        return true;
    }
    g_string_append_printf(w->out, "  dev: %s, id \"%s\"\n", dev->type->name,
                           dev->id ? dev->id : "");
    hmp_show_props(w->m, dev, w->out, 4);
    if (dev->child_bus) {
        hmp_show_bus(w->m, dev->child_bus, w->out, 4);
    }
    return true;
}

static void hmp_info_qtree(Machine *m, const char *args, GString *out)
{
    QtreeWalk w = { m, out };

    g_string_append(out, "bus: main-system-bus\n");
    device_visit(m->root, hmp_show_board_device, &w);
}

static const HmpCommand hmp_commands[] = {
    { "info qtree", "", "show devices by bus, with their properties", hmp_info_qtree },
    { "info qom-tree", "", "show the device tree", hmp_info_qom_tree },
};

const HmpTable qom_table = { LIST(hmp_commands) };
