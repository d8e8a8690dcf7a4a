/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device tree as QMP shows it: nodes are paths, properties are those of the tables.
 */
#include "internal.h"

#include <string.h>

#include "hw/core/host_object.h"

/* Types that no description can name: the parents in qom-list-types. */
static const struct {
    const char *name, *parent;
} abstract_types[] = {
    { "object", NULL },         { "device", "object" },
    { "pci-device", "device" }, { "virtio-serial-port", "device" },
    { "sys-device", "device" }, { "sys-bus-device", "device" },
    { "interface", NULL },
};

static const char *arg_str(struct json_object *args, const char *key)
{
    return json_object_get_string(json_object_object_get(args, key));
}

/* Runs of slashes count as one, and one at the end does not count; g_free. */
static char *plain_path(const char *path)
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

static Device *find(Machine *m, struct json_object *args, GError **err)
{
    g_autofree char *path = plain_path(arg_str(args, "path"));
    Device *dev = strcmp(path, "/") == 0 ? m->root : device_find_path(m, path);

    if (!dev) {
        qmp_set_error(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", path);
    }
    return dev;
}

static void add_node(struct json_object *list, const char *name, const char *type)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "name", json_object_new_string(name));
    json_object_object_add(o, "type", json_object_new_string(type));
    json_object_array_add(list, o);
}

static const char *value_type(const PlanProp *p)
{
    static const char *const names[] = {
        [PLAN_PROP_BOOL] = "bool",  [PLAN_PROP_U8] = "uint8",   [PLAN_PROP_U16] = "uint16",
        [PLAN_PROP_U32] = "uint32", [PLAN_PROP_U64] = "uint64", [PLAN_PROP_I32] = "int32",
        [PLAN_PROP_SIZE] = "size",  [PLAN_PROP_MAC] = "str",    [PLAN_PROP_ONOFF] = "OnOffAuto",
    };

    return p->kind < G_N_ELEMENTS(names) && names[p->kind] ? names[p->kind] : "str";
}

static const PlanType *plan_type(Machine *m, const Device *dev)
{
    return plan_find_type(monitor_host(m)->catalog(m), dev->type->name);
}

/* --- host objects: /objects, beside the machine --- */

#define OBJECTS "/objects"

/* The object of a path below OBJECTS, or NULL. */
static HostObject *find_object(Machine *m, const char *path)
{
    return g_str_has_prefix(path, OBJECTS "/") ? host_object_find(m, path + strlen(OBJECTS "/"))
                                               : NULL;
}

static void add_object(void *opaque, HostObject *o)
{
    g_autofree char *type = g_strdup_printf("child<%s>", o->kind->name);

    add_node(opaque, o->id, type);
}

static bool object_prop_readable(const HostObject *o, const char *name)
{
    return o->kind != &host_secret || strcmp(name, "data") != 0;
}

/* What the path is of, if it names OBJECTS or one of them; else NULL. */
static struct json_object *list_objects(Machine *m, const char *path)
{
    HostObject *o = find_object(m, path);
    struct json_object *list;

    if (!o && strcmp(path, OBJECTS) != 0) {
        return NULL;
    }
    list = json_object_new_array();
    add_node(list, "type", "string");
    for (size_t i = 0; o && i < o->kind->n_props; i++) {
        if (object_prop_readable(o, o->kind->props[i].name)) {
            add_node(list, o->kind->props[i].name, value_type(&o->kind->props[i]));
        }
    }
    if (!o) {
        host_object_foreach(m, add_object, list);
    }
    return list;
}

static struct json_object *value_json(const PlanProp *p, const char *text)
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

/* NULL with *err untouched if the path is of no object. */
static struct json_object *get_object_prop(const HostObject *o, const char *name, GError **err)
{
    const PlanProp *p = plan_find_prop(o->kind->props, o->kind->n_props, name);
    g_autofree char *text = host_object_prop_text(o, name);

    if (strcmp(name, "type") == 0) {
        return json_object_new_string(o->kind->name);
    }
    if (p && p->kind == PLAN_PROP_SIZE) {
        return json_object_new_uint64(host_memory_size(o));
    }
    if (!p || !object_prop_readable(o, name)) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "Property '%s.%s' %s", o->kind->name, name,
                      p ? "cannot be read" : "not found");
        return NULL;
    }
    return value_json(p, text ? text : "");
}

/* --- the device tree --- */

static struct json_object *qom_list(Machine *m, struct json_object *args, GError **err)
{
    g_autofree char *path = plain_path(arg_str(args, "path"));
    struct json_object *list = list_objects(m, path);
    Device *dev = list ? NULL : find(m, args, err);
    const PlanType *t;

    if (!dev) {
        return list;
    }
    list = json_object_new_array();
    add_node(list, "type", "string");
    t = plan_type(m, dev);
    for (size_t i = 0; t && i < t->n_props; i++) {
        add_node(list, t->props[i].name, value_type(&t->props[i]));
    }
    if (strcmp(path, "/") == 0) {
        add_node(list, "machine", "child<machine>");
        add_node(list, "objects", "child<container>");
        return list;
    }
    for (guint i = 0; dev->children && i < dev->children->len; i++) {
        Device *child = dev->children->pdata[i];
        g_autofree char *type = g_strdup_printf("child<%s>", child->type->name);

        add_node(list, strrchr(child->path, '/') + 1, type);
    }
    return list;
}

static struct json_object *prop_json(const Device *dev, const PlanProp *p)
{
    g_autofree char *text = device_prop_text(dev, p->name);

    return value_json(p, text ? text : ""); /* a text that is not set reads as empty */
}

static struct json_object *qom_get(Machine *m, struct json_object *args, GError **err)
{
    const char *name = arg_str(args, "property");
    g_autofree char *path = plain_path(arg_str(args, "path"));
    HostObject *o = find_object(m, path);
    bool container = strcmp(path, OBJECTS) == 0 && strcmp(name, "type") == 0;
    Device *dev = o || container ? NULL : find(m, args, err);
    const PlanType *t = dev ? plan_type(m, dev) : NULL;
    const PlanProp *p = t ? plan_find_prop(t->props, t->n_props, name) : NULL;
    struct json_object *value = p ? prop_json(dev, p) : NULL;

    if (o) {
        return get_object_prop(o, name, err);
    }
    if (container) {
        return json_object_new_string("container");
    }
    if (dev && strcmp(name, "type") == 0) {
        return json_object_new_string(dev->type->name);
    }
    if (dev && !value) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "Property '%s.%s' not found", dev->type->name, name);
    }
    return value;
}

/* The properties of one node; one that cannot be read has no value. */
static struct json_object *list_values(Machine *m, struct json_object *path, GError **err)
{
    struct json_object *args = json_object_new_object(), *node = NULL, *list;

    json_object_object_add(args, "path", json_object_get(path));
    list = qom_list(m, args, err);
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i), *name, *value;

        json_object_object_get_ex(o, "name", &name);
        json_object_object_add(args, "property", json_object_get(name));
        value = qom_get(m, args, NULL);
        if (value) {
            json_object_object_add(o, "value", value);
        }
    }
    if (list) {
        node = json_object_new_object();
        json_object_object_add(node, "properties", list);
    }
    json_object_put(args);
    return node;
}

static struct json_object *qom_list_get(Machine *m, struct json_object *args, GError **err)
{
    struct json_object *paths = json_object_object_get(args, "paths");
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < json_object_array_length(paths); i++) {
        struct json_object *path = json_object_array_get_idx(paths, i), *node = NULL;

        if (!json_object_is_type(path, json_type_string)) {
            qmp_set_error(err, QMP_GENERIC_ERROR,
                          "Parameter 'paths[%zu]' is no string: it names a node of the device tree",
                          i);
        } else {
            node = list_values(m, path, err);
        }
        if (!node) {
            json_object_put(list);
            return NULL;
        }
        json_object_array_add(list, node);
    }
    return list;
}

static struct json_object *qom_set(Machine *m, struct json_object *args, GError **err)
{
    Device *dev = find(m, args, err);

    if (dev) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "Property '%s.%s' is fixed while the device lives: give it to -device or "
                      "device_add",
                      dev->type->name, arg_str(args, "property"));
    }
    return NULL;
}

static void add_type(struct json_object *list, const char *name, const char *parent, bool abstract)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "name", json_object_new_string(name));
    if (parent) {
        json_object_object_add(o, "parent", json_object_new_string(parent));
    }
    if (abstract) {
        json_object_object_add(o, "abstract", json_object_new_boolean(true));
    }
    json_object_array_add(list, o);
}

static bool implements(const char *parent, const char *what)
{
    while (parent) {
        const char *next = NULL;

        if (strcmp(parent, what) == 0) {
            return true;
        }
        for (size_t i = 0; i < G_N_ELEMENTS(abstract_types); i++) {
            if (strcmp(abstract_types[i].name, parent) == 0) {
                next = abstract_types[i].parent;
            }
        }
        parent = next;
    }
    return false;
}

static struct json_object *list_types(Machine *m, struct json_object *args, GError **err)
{
    struct json_object *list = json_object_new_array();
    const char *what = arg_str(args, "implements");
    bool abstract = json_object_get_boolean(json_object_object_get(args, "abstract"));

    for (size_t i = 0; abstract && i < G_N_ELEMENTS(abstract_types); i++) {
        if (!what || implements(abstract_types[i].name, what)) {
            add_type(list, abstract_types[i].name, abstract_types[i].parent, true);
        }
    }
    for (size_t i = 0; i < n_device_types; i++) {
        const DeviceType *t = *device_type_entries[i];
        const char *parent = t->kind ? t->kind->name : "device";

        if (!what || strcmp(what, t->name) == 0 || implements(parent, what)) {
            add_type(list, t->name, parent, false);
        }
    }
    return list;
}

static const QmpCommand commands[] = {
    { "qom-list", qom_list }, { "qom-get", qom_get },           { "qom-list-get", qom_list_get },
    { "qom-set", qom_set },   { "qom-list-types", list_types },
};

/* --- human monitor --- */

static unsigned depth_of(const Device *dev)
{
    unsigned n = 0;

    for (const Device *d = dev->parent; d; d = d->parent) {
        n++;
    }
    return n;
}

static bool show_node(void *opaque, Device *dev)
{
    g_string_append_printf(opaque, "%*s%s (%s)\n", depth_of(dev) * 2, "", strrchr(dev->path, '/'),
                           dev->type->name);
    return true;
}

static void hmp_qom_tree(Machine *m, const char *args, GString *out)
{
    device_visit(m->root, show_node, out);
}

static void show_props(Machine *m, const Device *dev, GString *out, unsigned indent)
{
    const PlanType *t = plan_type(m, dev);

    for (size_t i = 0; t && i < t->n_props; i++) {
        g_autofree char *text = device_prop_text(dev, t->props[i].name);

        if (text) {
            g_string_append_printf(out, "%*s%s = %s\n", indent, "", t->props[i].name, text);
        }
    }
}

static void show_bus(Machine *m, const Bus *bus, GString *out, unsigned indent)
{
    g_string_append_printf(out, "%*sbus: %s\n", indent, "", bus->name);
    for (guint i = 0; bus->members && i < bus->members->len; i++) {
        const Device *dev = bus->members->pdata[i];

        g_string_append_printf(out, "%*sdev: %s, id \"%s\"\n", indent + 2, "", dev->type->name,
                               dev->id ? dev->id : "");
        show_props(m, dev, out, indent + 4);
        if (dev->child_bus) {
            show_bus(m, dev->child_bus, out, indent + 4);
        }
    }
}

typedef struct QtreeWalk {
    Machine *m;
    GString *out;
} QtreeWalk;

/* Devices of the board on no bus, each with the buses it brings below it. */
static bool show_board_device(void *opaque, Device *dev)
{
    QtreeWalk *w = opaque;

    if (dev->bus || !dev->type->kind) {
        return true;
    }
    g_string_append_printf(w->out, "  dev: %s, id \"%s\"\n", dev->type->name,
                           dev->id ? dev->id : "");
    show_props(w->m, dev, w->out, 4);
    if (dev->child_bus) {
        show_bus(w->m, dev->child_bus, w->out, 4);
    }
    return true;
}

static void hmp_qtree(Machine *m, const char *args, GString *out)
{
    QtreeWalk w = { m, out };

    g_string_append(out, "bus: main-system-bus\n");
    device_visit(m->root, show_board_device, &w);
}

static const HmpCommand hmp_commands[] = {
    { "info qtree", "", "show devices by bus, with their properties", hmp_qtree },
    { "info qom-tree", "", "show the device tree", hmp_qom_tree },
};

const CommandTable qom_table = { commands, G_N_ELEMENTS(commands), hmp_commands,
                                 G_N_ELEMENTS(hmp_commands) };
