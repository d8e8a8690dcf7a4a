/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about types: the types of this build and their properties.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <string.h>

#include "hw/core/board.h"
#include "hw/core/host_object.h"

/* Types that cannot be created: the parents in qom-list-types. */
static const struct TypeRow {
    const char *name, *parent;
} abstract_types[] = {
    { "object", NULL },
    { "device", "object" },
    { "pci-device", "device" },
    { "virtio-serial-port", "device" },
    { "scsi-device", "device" },
    { "sys-device", "device" },
    { "sys-bus-device", "device" },
    { "cpu", "device" },
    { "machine", "object" },
    { "accel", "object" },
    { "interface", NULL },
    { "user-creatable", "interface" },
};

/* Values of -accel. The type of tcg and interp has the name that clients of QEMU look for. */
static const struct TypeRow accel_types[] = {
    { "tcg-accel", "accel" },
    { "qtest-accel", "accel" },
};

#define MACHINE_SUFFIX "-machine"

static const struct TypeRow *type_row_find(const struct TypeRow *rows, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

/* --- qom-list-types --- */

typedef struct TypeList {
    struct json_object *types;
    const char *implements; /* NULL: all types */
} TypeList;

static bool type_implements(const char *parent, const char *what)
{
    while (parent && strcmp(parent, what) != 0) {
        const struct TypeRow *row = type_row_find(LIST(abstract_types), parent);

        parent = row ? row->parent : NULL;
    }
    return parent;
}

static void type_list_add(TypeList *list, const char *name, const char *parent, bool abstract)
{
    QmpObjectTypeInfo info = { .name = name, .parent = parent, .abstract = abstract };

    if (!list->implements || strcmp(list->implements, name) == 0 ||
        type_implements(parent, list->implements)) {
        json_object_array_add(list->types, qmp_make_object_type_info(&info));
    }
}

static void type_list_add_objects(TypeList *list)
{
    bool user = list->implements && strcmp(list->implements, "user-creatable") == 0;
    TypeList all = { list->types, NULL };

    for (size_t i = 0; host_object_kinds[i]; i++) {
        type_list_add(user ? &all : list, host_object_kinds[i]->name, "object", false);
    }
}

static void type_list_add_machines(TypeList *list)
{
    for (const BoardType *const *b = board_types; *b; b++) {
        g_autofree char *name = g_strconcat((*b)->plan.name, MACHINE_SUFFIX, NULL);

        type_list_add(list, name, "machine", false);
    }
}

struct json_object *qmp_qom_list_types(Machine *m, const QmpQomListTypesArgs *args, GError **err)
{
    TypeList list = { json_object_new_array(), args->implements };

    for (size_t i = 0; args->abstract && i < G_N_ELEMENTS(abstract_types); i++) {
        type_list_add(&list, abstract_types[i].name, abstract_types[i].parent, true);
    }
    for (size_t i = 0; i < n_device_types; i++) {
        const DeviceType *t = *device_type_entries[i];

        type_list_add(&list, t->name, t->kind ? t->kind->name : "device", false);
    }
    for (const CpuType *const *t = cpu_types; *t; t++) {
        type_list_add(&list, (*t)->name, "cpu", false);
    }
    type_list_add_objects(&list);
    type_list_add_machines(&list);
    for (size_t i = 0; i < G_N_ELEMENTS(accel_types); i++) {
        type_list_add(&list, accel_types[i].name, accel_types[i].parent, false);
    }
    return list.types;
}

/* --- properties --- */

static const char *const type_prop_names[] = {
    [PLAN_PROP_BOOL] = "bool",       [PLAN_PROP_U8] = "uint8",       [PLAN_PROP_U16] = "uint16",
    [PLAN_PROP_U32] = "uint32",      [PLAN_PROP_U64] = "uint64",     [PLAN_PROP_I32] = "int32",
    [PLAN_PROP_SIZE] = "size",       [PLAN_PROP_STRING] = "str",     [PLAN_PROP_ENUM] = "enum",
    [PLAN_PROP_ONOFF] = "OnOffAuto", [PLAN_PROP_CAP] = "capability", [PLAN_PROP_MAC] = "str",
    [PLAN_PROP_BACKEND] = "str",
};

static struct json_object *type_prop_json(const PlanProp *p)
{
    QmpObjectPropertyInfo info = { .name = p->name,
                                   .type = type_prop_names[p->kind],
                                   .description = p->doc };

    if (p->kind == PLAN_PROP_BOOL) {
        info.default_value = json_object_new_boolean(p->def != 0);
    } else if ((p->kind <= PLAN_PROP_U64 && p->def != UINT64_MAX) || p->kind == PLAN_PROP_SIZE) {
        info.default_value = json_object_new_uint64(p->def);
    }
    return qmp_make_object_property_info(&info);
}

static struct json_object *type_props_json(const PlanProp *props, size_t n)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < n; i++) {
        json_object_array_add(list, type_prop_json(&props[i]));
    }
    return list;
}

static struct json_object *type_not_found(const char *name, GError **err)
{
    qmp_set_error(err, QMP_DEVICE_NOT_FOUND, "Device '%s' not found", name);
    return NULL;
}

struct json_object *qmp_device_list_properties(Machine *m, const QmpDeviceListPropertiesArgs *args,
                                               GError **err)
{
    const PlanType *t = plan_find_type(monitor_host(m)->catalog(m), args->typename);
    const CpuType *cpu = cpu_type_find(args->typename);

    if (t) {
        return type_props_json(t->props, t->n_props);
    }
    return cpu ? type_props_json(cpu->props, cpu->n_props) : type_not_found(args->typename, err);
}

/* Return the machine type whose type in qom-list-types is @name; NULL if there is none. */
static const BoardType *type_find_machine(const char *name)
{
    for (const BoardType *const *b = board_types; *b; b++) {
        size_t len = strlen((*b)->plan.name);

        if (strncmp(name, (*b)->plan.name, len) == 0 && strcmp(name + len, MACHINE_SUFFIX) == 0) {
            return *b;
        }
    }
    return NULL;
}

static const HostObjectKind *type_find_object(const char *name)
{
    for (size_t i = 0; host_object_kinds[i]; i++) {
        if (strcmp(host_object_kinds[i]->name, name) == 0) {
            return host_object_kinds[i];
        }
    }
    return NULL;
}

struct json_object *qmp_qom_list_properties(Machine *m, const QmpQomListPropertiesArgs *args,
                                            GError **err)
{
    const char *name = args->typename;
    const PlanType *t = plan_find_type(monitor_host(m)->catalog(m), name);
    const HostObjectKind *kind = type_find_object(name);
    const BoardType *board = type_find_machine(name);
    const CpuType *cpu = cpu_type_find(name);

    if (t) {
        return type_props_json(t->props, t->n_props);
    }
    if (kind) {
        return type_props_json(kind->props, kind->n_props);
    }
    if (board) {
        return type_props_json(board->plan.props, board->plan.n_props);
    }
    if (cpu) {
        return type_props_json(cpu->props, cpu->n_props);
    }
    return type_row_find(LIST(abstract_types), name) || type_row_find(LIST(accel_types), name)
               ? json_object_new_array()
               : type_not_found(name, err);
}
