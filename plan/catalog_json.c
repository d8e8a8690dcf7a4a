/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Catalogues as JSON. One table per structure describes its members; it serves writing and reading.
 */
#include "plan/catalog_json.h"
#include "plan/internal.h"

enum {
    CATALOG_BYTES = 16 << 20,
    CATALOG_VALUES = 1 << 20,
    CATALOG_STRING = 1024,
    CATALOG_MMIO = 256
};

typedef enum CatalogKind {
    CATALOG_STRING_FIELD,
    CATALOG_BOOL,
    CATALOG_U8,
    CATALOG_U32,
    CATALOG_U64,
    CATALOG_VALUE,  /* uint64_t; signed if the property is */
    CATALOG_NAME,   /* an enum; without names, a PlanBusKind */
    CATALOG_FLAGS8, /* bits by name */
    CATALOG_FLAGS16,
    CATALOG_STRINGS,  /* NULL-terminated */
    CATALOG_LIST,     /* array and count */
    CATALOG_POINTERS, /* array of pointers and count */
    CATALOG_OBJECT,   /* a member structure */
} CatalogKind;

typedef struct CatalogTable CatalogTable;
typedef struct CatalogField {
    const char *key;
    CatalogKind kind;
    size_t at, count_at; /* offsets of the member and of the number of its elements */
    const char *const *names;
    const CatalogTable *table;
} CatalogField;

struct CatalogTable {
    const CatalogField *fields;
    size_t n, size; /* of fields; of the structure */
};

#define TABLE(fields, type)                                                                        \
    {                                                                                              \
        fields, G_N_ELEMENTS(fields), sizeof(type)                                                 \
    }
#define AT(type, member) offsetof(type, member)

static const char *const prop_kind_names[] = { "bool",       "u8",   "u16",     "u32",  "u64",
                                               "i32",        "size", "string",  "enum", "onoffauto",
                                               "capability", "mac",  "backend", NULL };
static const char *const prop_flag_names[] = { "required", "host", "decided", "fixed",
                                               "numbers",  "text", NULL };
static const char *const role_names[] = {
    "none",        "endpoint",   "root-port",  "upstream-port", "downstream-port",
    "pcie-bridge", "pci-bridge", "extra-root", "host-bridge",   NULL
};
static const char *const slot_names[] = { "conventional", "express", NULL };
static const char *const hotplug_names[] = { "never",  "always",           "if",
                                             "unless", "until-enumerated", NULL };
static const char *const address_names[] = { "none", "pci", "number", "single", "scsi", NULL };
static const CatalogField prop_fields[] = {
    { "name", CATALOG_STRING_FIELD, AT(PlanProp, name) },
    { "kind", CATALOG_NAME, AT(PlanProp, kind), .names = prop_kind_names },
    { "flags", CATALOG_FLAGS8, AT(PlanProp, flags), .names = prop_flag_names },
    { "default", CATALOG_VALUE, AT(PlanProp, def) },
    { "min", CATALOG_VALUE, AT(PlanProp, min) },
    { "max", CATALOG_VALUE, AT(PlanProp, max) },
    { "default-string", CATALOG_STRING_FIELD, AT(PlanProp, def_str) },
    { "implied", CATALOG_STRING_FIELD, AT(PlanProp, implied) },
    { "choices", CATALOG_STRINGS, AT(PlanProp, choices) },
    { "backend", CATALOG_STRING_FIELD, AT(PlanProp, backend) },
};
static const CatalogTable prop_table = TABLE(prop_fields, PlanProp);

static const CatalogField count_fields[] = {
    { "base", CATALOG_U32, AT(PlanCount, base) },
    { "prop1", CATALOG_STRING_FIELD, AT(PlanCount, prop[0]) },
    { "times1", CATALOG_U32, AT(PlanCount, times[0]) },
    { "prop2", CATALOG_STRING_FIELD, AT(PlanCount, prop[1]) },
    { "times2", CATALOG_U32, AT(PlanCount, times[1]) },
};
static const CatalogTable count_table = TABLE(count_fields, PlanCount);

static const CatalogField bar_fields[] = {
    { "index", CATALOG_U8, AT(PlanBar, index) },
    { "io", CATALOG_BOOL, AT(PlanBar, io) },
    { "is64", CATALOG_BOOL, AT(PlanBar, is64) },
    { "prefetch", CATALOG_BOOL, AT(PlanBar, prefetch) },
    { "size", CATALOG_U64, AT(PlanBar, size) },
    { "size-prop", CATALOG_STRING_FIELD, AT(PlanBar, size_prop) },
    { "if-prop", CATALOG_STRING_FIELD, AT(PlanBar, if_prop) },
    { "unless-prop", CATALOG_STRING_FIELD, AT(PlanBar, unless_prop) },
    { "vectors-prop", CATALOG_STRING_FIELD, AT(PlanBar, vectors_prop) },
    { "vectors", CATALOG_U32, AT(PlanBar, vectors) },
    { "auto-vectors", CATALOG_OBJECT, AT(PlanBar, auto_vectors), .table = &count_table },
};
static const CatalogTable bar_table = TABLE(bar_fields, PlanBar);

static const CatalogField cap_fields[] = {
    { "id", CATALOG_FLAGS16, AT(PlanCapability, id) }, /* without names: a number */
    { "extended", CATALOG_BOOL, AT(PlanCapability, extended) },
    { "required", CATALOG_BOOL, AT(PlanCapability, required) },
    { "length", CATALOG_FLAGS16, AT(PlanCapability, length) },
    { "prop", CATALOG_STRING_FIELD, AT(PlanCapability, prop) },
};
static const CatalogTable cap_table = TABLE(cap_fields, PlanCapability);

static const CatalogField type_fields[] = {
    { "name", CATALOG_STRING_FIELD, AT(PlanType, name) },
    { "alias", CATALOG_STRING_FIELD, AT(PlanType, alias) },
    { "role", CATALOG_NAME, AT(PlanType, role), .names = role_names },
    { "plugs-into", CATALOG_NAME, AT(PlanType, plugs_into) },
    { "slots", CATALOG_FLAGS8, AT(PlanType, slots), .names = slot_names },
    { "provides", CATALOG_NAME, AT(PlanType, provides) },
    { "hotpluggable", CATALOG_BOOL, AT(PlanType, hotpluggable) },
    { "user-creatable", CATALOG_BOOL, AT(PlanType, user_creatable) },
    { "interrupt-pin", CATALOG_U8, AT(PlanType, pin) },
    { "class", CATALOG_U32, AT(PlanType, class_code) },
    { "msi-vectors", CATALOG_FLAGS16, AT(PlanType, msi_vectors) },
    { "link-speed", CATALOG_U8, AT(PlanType, link_speed) },
    { "link-width", CATALOG_U8, AT(PlanType, link_width) },
    { "link-speed-prop", CATALOG_STRING_FIELD, AT(PlanType, link_speed_prop) },
    { "link-width-prop", CATALOG_STRING_FIELD, AT(PlanType, link_width_prop) },
    { "plain-prop", CATALOG_STRING_FIELD, AT(PlanType, plain_prop) },
    { "properties", CATALOG_LIST, AT(PlanType, props), AT(PlanType, n_props),
      .table = &prop_table },
    { "bars", CATALOG_LIST, AT(PlanType, bars), AT(PlanType, n_bars), .table = &bar_table },
    { "capabilities", CATALOG_LIST, AT(PlanType, caps), AT(PlanType, n_caps), .table = &cap_table },
};
static const CatalogTable type_table = TABLE(type_fields, PlanType);

static const CatalogField machine_fields[] = {
    { "name", CATALOG_STRING_FIELD, AT(PlanMachineType, name) },
    { "alias", CATALOG_STRING_FIELD, AT(PlanMachineType, alias) },
    { "default", CATALOG_BOOL, AT(PlanMachineType, is_default) },
    { "default-cpu", CATALOG_STRING_FIELD, AT(PlanMachineType, default_cpu) },
    { "default-ram-id", CATALOG_STRING_FIELD, AT(PlanMachineType, default_ram_id) },
    { "max-cpus", CATALOG_U32, AT(PlanMachineType, max_cpus) },
    { "max-nodes", CATALOG_U32, AT(PlanMachineType, max_nodes) },
    { "default-ram", CATALOG_U64, AT(PlanMachineType, default_ram) },
    { "root-bus", CATALOG_STRING_FIELD, AT(PlanMachineType, root_bus) },
    { "root-kind", CATALOG_NAME, AT(PlanMachineType, root_kind) },
    { "window-io", CATALOG_U64, AT(PlanMachineType, window[PLAN_ROOM_IO]) },
    { "window-mem32", CATALOG_U64, AT(PlanMachineType, window[PLAN_ROOM_MEM32]) },
    { "window-mem64", CATALOG_U64, AT(PlanMachineType, window[PLAN_ROOM_MEM64]) },
    { "newer", CATALOG_STRING_FIELD, AT(PlanMachineType, newer) },
    { "mmio-bus", CATALOG_STRING_FIELD, AT(PlanMachineType, mmio_bus) },
    { "mmio-buses", CATALOG_U32, AT(PlanMachineType, n_mmio_buses) },
    { "msi-per-cpu", CATALOG_U32, AT(PlanMachineType, msi_per_cpu) },
    { "msi-if", CATALOG_STRING_FIELD, AT(PlanMachineType, msi_if) },
    { "default-devices", CATALOG_STRINGS, AT(PlanMachineType, defaults) },
    { "root-hotplug", CATALOG_BOOL, AT(PlanMachineType, root_hotplug) },
    { "implicit", CATALOG_STRINGS, AT(PlanMachineType, implicit) },
    { "properties", CATALOG_LIST, AT(PlanMachineType, props), AT(PlanMachineType, n_props),
      .table = &prop_table },
};
static const CatalogTable machine_table = TABLE(machine_fields, PlanMachineType);

static const CatalogField compat_fields[] = {
    { "machine", CATALOG_STRING_FIELD, AT(PlanCompat, machine) },
    { "type", CATALOG_STRING_FIELD, AT(PlanCompat, type) },
    { "property", CATALOG_STRING_FIELD, AT(PlanCompat, prop) },
    { "value", CATALOG_STRING_FIELD, AT(PlanCompat, value) },
};
static const CatalogTable compat_table = TABLE(compat_fields, PlanCompat);

static const CatalogField absent_fields[] = {
    { "pattern", CATALOG_STRING_FIELD, AT(PlanAbsent, pattern) },
    { "feature", CATALOG_STRING_FIELD, AT(PlanAbsent, feature) },
    { "instead", CATALOG_STRING_FIELD, AT(PlanAbsent, instead) },
};
static const CatalogTable absent_table = TABLE(absent_fields, PlanAbsent);

static const CatalogField catalog_fields[] = {
    { "program", CATALOG_STRING_FIELD, AT(PlanCatalog, program) },
    { "version", CATALOG_STRING_FIELD, AT(PlanCatalog, version) },
    { "arch", CATALOG_STRING_FIELD, AT(PlanCatalog, arch) },
    { "types", CATALOG_POINTERS, AT(PlanCatalog, types), AT(PlanCatalog, n_types),
      .table = &type_table },
    { "machines", CATALOG_POINTERS, AT(PlanCatalog, machines), AT(PlanCatalog, n_machines),
      .table = &machine_table },
    { "compats", CATALOG_LIST, AT(PlanCatalog, compats), AT(PlanCatalog, n_compats),
      .table = &compat_table },
    { "absent", CATALOG_LIST, AT(PlanCatalog, absent), AT(PlanCatalog, n_absent),
      .table = &absent_table },
};
static const CatalogTable catalog_table = TABLE(catalog_fields, PlanCatalog);

static const CatalogField rule_fields[] = {
    { "name", CATALOG_STRING_FIELD, AT(PlanBusRule, name) },
    { "address", CATALOG_NAME, AT(PlanBusRule, addr), .names = address_names },
    { "first-slot", CATALOG_U8, AT(PlanBusRule, first_slot) },
    { "last-slot", CATALOG_U8, AT(PlanBusRule, last_slot) },
    { "ari", CATALOG_BOOL, AT(PlanBusRule, ari) },
    { "roles", CATALOG_FLAGS16, AT(PlanBusRule, roles), .names = role_names },
    { "slots", CATALOG_FLAGS8, AT(PlanBusRule, slots), .names = slot_names },
    { "hotplug", CATALOG_NAME, AT(PlanBusRule, hotplug), .names = hotplug_names },
    { "hotplug-prop", CATALOG_STRING_FIELD, AT(PlanBusRule, hotplug_prop) },
    { "prop-reserves-slot0", CATALOG_BOOL, AT(PlanBusRule, prop_reserves_slot0) },
    { "number-prop", CATALOG_STRING_FIELD, AT(PlanBusRule, number_prop) },
    { "limit-prop", CATALOG_STRING_FIELD, AT(PlanBusRule, limit_prop) },
    { "limit-is-last", CATALOG_BOOL, AT(PlanBusRule, limit_is_last) },
    { "last-number", CATALOG_FLAGS16, AT(PlanBusRule, last_number) },
    { "owner-prop", CATALOG_STRING_FIELD, AT(PlanBusRule, owner_prop) },
    { "suffix", CATALOG_STRING_FIELD, AT(PlanBusRule, suffix) },
};
static const CatalogTable rule_table = TABLE(rule_fields, PlanBusRule);

/* Return the name of a value of an enum, or NULL. */
static const char *catalog_name(const char *const *names, unsigned i)
{
    return names ? names[i] : i < PLAN_BUS_KINDS ? plan_bus_rule(i)->name : NULL;
}

/* --- writing --- */

static struct json_object *catalog_write(const CatalogTable *t, const void *from);

static bool prop_is_signed(const PlanProp *p)
{
    return p->kind == PLAN_PROP_I32 || p->kind == PLAN_PROP_CAP;
}

static struct json_object *write_number(uint64_t n)
{
    return n ? json_object_new_uint64(n) : NULL;
}

/* Return a number, or the names of its bits as an array. */
static struct json_object *write_flags(const CatalogField *f, unsigned flags)
{
    struct json_object *list;

    if (!f->names || !flags) {
        return write_number(flags);
    }
    list = json_object_new_array();
    for (unsigned i = 0; f->names[i]; i++) {
        if (flags >> i & 1) {
            json_object_array_add(list, json_object_new_string(f->names[i]));
        }
    }
    return list;
}

static struct json_object *write_strings(const char *const *text)
{
    struct json_object *list = text && *text ? json_object_new_array() : NULL;

    for (; text && *text; text++) {
        json_object_array_add(list, json_object_new_string(*text));
    }
    return list;
}

static struct json_object *write_list(const CatalogField *f, const char *from)
{
    const void *array = *(const void *const *)(from + f->at);
    size_t n = *(const size_t *)(from + f->count_at);
    struct json_object *list = n ? json_object_new_array() : NULL;

    for (size_t i = 0; i < n; i++) {
        const void *element = f->kind == CATALOG_POINTERS
                                  ? ((const void *const *)array)[i]
                                  : (const void *)((const char *)array + i * f->table->size);

        json_object_array_add(list, catalog_write(f->table, element));
    }
    return list;
}

/* Return the value of a member, or NULL to omit it. */
static struct json_object *write_member(const CatalogField *f, const char *from)
{
    const void *at = from + f->at;
    const char *text = f->kind == CATALOG_STRING_FIELD ? *(const char *const *)at : NULL;
    struct json_object *o;

    switch (f->kind) {
    case CATALOG_STRING_FIELD:
        return text ? json_object_new_string(text) : NULL;
    case CATALOG_BOOL:
        return *(const bool *)at ? json_object_new_boolean(true) : NULL;
    case CATALOG_U8:
        return write_number(*(const uint8_t *)at);
    case CATALOG_U32:
        return write_number(*(const uint32_t *)at);
    case CATALOG_U64:
        return write_number(*(const uint64_t *)at);
    case CATALOG_VALUE:
        return prop_is_signed((const PlanProp *)(const void *)from) && *(const int64_t *)at
                   ? json_object_new_int64(*(const int64_t *)at)
                   : write_number(*(const uint64_t *)at);
    case CATALOG_NAME:
        text = catalog_name(f->names, *(const unsigned *)at);
        /* The key "kind" is never omitted. */
        return *(const unsigned *)at || f->names == prop_kind_names ? json_object_new_string(text)
                                                                    : NULL;
    case CATALOG_FLAGS8:
        return write_flags(f, *(const uint8_t *)at);
    case CATALOG_FLAGS16:
        return write_flags(f, *(const uint16_t *)at);
    case CATALOG_STRINGS:
        return write_strings(*(const char *const *const *)at);
    case CATALOG_OBJECT:
        o = catalog_write(f->table, at);
        if (json_object_object_length(o) == 0) {
            json_object_put(o);
            return NULL;
        }
        return o;
    default:
        return write_list(f, from);
    }
}

static struct json_object *catalog_write(const CatalogTable *t, const void *from)
{
    struct json_object *o = json_object_new_object();

    for (size_t i = 0; i < t->n; i++) {
        struct json_object *value = write_member(&t->fields[i], from);

        if (value) {
            json_object_object_add(o, t->fields[i].key, value);
        }
    }
    return o;
}

static struct json_object *catalog_write_rules(void)
{
    struct json_object *list = json_object_new_array();

    for (unsigned kind = PLAN_BUS_NONE + 1; kind < PLAN_BUS_KINDS; kind++) {
        json_object_array_add(list, catalog_write(&rule_table, plan_bus_rule(kind)));
    }
    return list;
}

struct json_object *plan_catalog_to_json(const PlanCatalog *c)
{
    struct json_object *o = json_object_new_object(), *body = catalog_write(&catalog_table, c);

    json_object_object_add(o, "backplane-catalog", json_object_new_int(PLAN_CATALOG_FORMAT));
    json_object_object_foreach(body, key, value)
    {
        json_object_object_add(o, key, json_object_get(value));
    }
    json_object_put(body);
    json_object_object_add(o, "buses", catalog_write_rules());
    return o;
}

struct json_object *plan_type_to_json(const PlanType *t)
{
    return catalog_write(&type_table, t);
}

/* --- reading --- */

typedef struct LoadedCatalog {
    PlanCatalog c; /* first, so that a PlanCatalog can be freed */
    GPtrArray *blocks;
} LoadedCatalog;

static void *loaded_alloc(LoadedCatalog *l, size_t size)
{
    void *block = g_malloc0(size);

    g_ptr_array_add(l->blocks, block);
    return block;
}

static bool catalog_read(LoadedCatalog *l, const CatalogTable *t, struct json_object *o, void *to,
                         GError **err);

/* Put the position of a value in front of a message: ".key", "[3]". The colon follows the last
 * position. */
static bool catalog_at(GError **err, const char *before, const char *at, const char *behind)
{
    bool path = strchr(".[:", (*err)->message[0]) != NULL;

    g_prefix_error(err, "%s%s%s%s", before, at, behind, path ? "" : ": ");
    return false;
}

static bool catalog_at_index(GError **err, size_t i)
{
    g_autofree char *at = g_strdup_printf("%zu", i);

    return catalog_at(err, "[", at, "]");
}

static bool catalog_read_string(LoadedCatalog *l, struct json_object *o, const char **to,
                                GError **err)
{
    const char *text;

    if (!plan_json_string(o, CATALOG_STRING, &text, err)) {
        return false;
    }
    *to = memcpy(loaded_alloc(l, strlen(text) + 1), text, strlen(text));
    return true;
}

static bool catalog_read_number(struct json_object *o, uint64_t max, uint64_t *to, GError **err)
{
    if (!json_object_is_type(o, json_type_int) ||
        (json_object_get_int64(o) < 0 && max != UINT64_MAX) || json_object_get_uint64(o) > max) {
        return plan_fail(err, "must be an integer of at most %" G_GUINT64_FORMAT, max);
    }
    *to = json_object_get_int64(o) < 0 ? (uint64_t)json_object_get_int64(o)
                                       : json_object_get_uint64(o);
    return true;
}

static bool catalog_read_name(struct json_object *o, const char *const *names, unsigned *to,
                              GError **err)
{
    g_autoptr(GString) list = g_string_new(NULL);
    const char *text, *name;

    if (!plan_json_string(o, CATALOG_STRING, &text, err)) {
        return false;
    }
    for (unsigned i = 0; (name = catalog_name(names, i)); i++) {
        if (strcmp(name, text) == 0) {
            *to = i;
            return true;
        }
        g_string_append_printf(list, "%s%s", i ? ", " : "", name);
    }
    return plan_fail(err, "must be one of %s", list->str);
}

static bool catalog_read_flags(struct json_object *o, const char *const *names, uint64_t max,
                               uint64_t *to, GError **err)
{
    if (!names) {
        return catalog_read_number(o, max, to, err);
    }
    if (!json_object_is_type(o, json_type_array)) {
        return plan_fail(err, "must be an array of names");
    }
    *to = 0;
    for (size_t i = 0; i < json_object_array_length(o); i++) {
        unsigned bit;

        if (!catalog_read_name(json_object_array_get_idx(o, i), names, &bit, err)) {
            return false;
        }
        *to |= 1u << bit;
    }
    return true;
}

static bool catalog_read_strings(LoadedCatalog *l, struct json_object *o, const char *const **to,
                                 GError **err)
{
    const char **list;
    size_t n;

    if (!json_object_is_type(o, json_type_array)) {
        return plan_fail(err, "must be an array of strings");
    }
    n = json_object_array_length(o);
    list = loaded_alloc(l, (n + 1) * sizeof(*list));
    for (size_t i = 0; i < n; i++) {
        if (!catalog_read_string(l, json_object_array_get_idx(o, i), &list[i], err)) {
            return catalog_at_index(err, i);
        }
    }
    *to = list;
    return true;
}

static bool catalog_read_list(LoadedCatalog *l, const CatalogField *f, struct json_object *o,
                              char *to, GError **err)
{
    bool pointers = f->kind == CATALOG_POINTERS;
    void **list = NULL;
    char *elements;
    size_t n;

    if (!json_object_is_type(o, json_type_array)) {
        return plan_fail(err, "must be an array of objects");
    }
    n = json_object_array_length(o);
    elements = loaded_alloc(l, (n + 1) * f->table->size);
    list = pointers ? loaded_alloc(l, (n + 1) * sizeof(*list)) : NULL;
    for (size_t i = 0; i < n; i++) {
        char *element = elements + i * f->table->size;

        if (!catalog_read(l, f->table, json_object_array_get_idx(o, i), element, err)) {
            return catalog_at_index(err, i);
        }
        if (pointers) {
            list[i] = element;
        }
    }
    *(void **)(to + f->at) = pointers ? (void *)list : (void *)elements;
    *(size_t *)(to + f->count_at) = n;
    return true;
}

static bool catalog_read_member(LoadedCatalog *l, const CatalogField *f, struct json_object *o,
                                char *to, GError **err)
{
    void *at = to + f->at;
    uint64_t n = 0;
    bool ok;

    switch (f->kind) {
    case CATALOG_STRING_FIELD:
        return catalog_read_string(l, o, at, err);
    case CATALOG_BOOL:
        *(bool *)at = json_object_get_boolean(o);
        return json_object_is_type(o, json_type_boolean) || plan_fail(err, "must be true or false");
    case CATALOG_U8:
        ok = catalog_read_number(o, UINT8_MAX, &n, err);
        *(uint8_t *)at = (uint8_t)n;
        return ok;
    case CATALOG_U32:
        ok = catalog_read_number(o, UINT32_MAX, &n, err);
        *(uint32_t *)at = (uint32_t)n;
        return ok;
    case CATALOG_U64:
    case CATALOG_VALUE:
        return catalog_read_number(o, UINT64_MAX, at, err);
    case CATALOG_NAME:
        return catalog_read_name(o, f->names, at, err);
    case CATALOG_FLAGS8:
        ok = catalog_read_flags(o, f->names, UINT8_MAX, &n, err);
        *(uint8_t *)at = (uint8_t)n;
        return ok;
    case CATALOG_FLAGS16:
        ok = catalog_read_flags(o, f->names, UINT16_MAX, &n, err);
        *(uint16_t *)at = (uint16_t)n;
        return ok;
    case CATALOG_STRINGS:
        return catalog_read_strings(l, o, at, err);
    case CATALOG_OBJECT:
        return catalog_read(l, f->table, o, at, err);
    default:
        return catalog_read_list(l, f, o, to, err);
    }
}

static const CatalogField *catalog_field(const CatalogTable *t, const char *key)
{
    for (size_t i = 0; i < t->n; i++) {
        if (strcmp(t->fields[i].key, key) == 0) {
            return &t->fields[i];
        }
    }
    return NULL;
}

/* Read an object into a structure. A message begins with the path: ".properties[3].kind: must". */
static bool catalog_read(LoadedCatalog *l, const CatalogTable *t, struct json_object *o, void *to,
                         GError **err)
{
    if (!json_object_is_type(o, json_type_object)) {
        return plan_fail(err, "must be an object");
    }
    json_object_object_foreach(o, key, value)
    {
        const CatalogField *f = catalog_field(t, key);

        if (!f) {
            g_autofree char *quoted = plan_quote(key);

            return plan_fail(err, "unknown key %s", quoted);
        }
        if (!catalog_read_member(l, f, value, to, err)) {
            return catalog_at(err, ".", f->key, "");
        }
    }
    return true;
}

/* --- checking --- */

typedef struct CatalogCheck {
    const PlanCatalog *c;
    const char *what, *name; /* "type 'edu'" */
} CatalogCheck;

static bool check_fail(const CatalogCheck *k, const char *member, const char *why, GError **err)
{
    g_autofree char *quoted = plan_quote(k->name);

    return plan_fail(err, "%s %s: %s %s", k->what, quoted, member, why);
}

/* Check that @name, if given, is a property of one of the kinds, a mask of 1 << PlanPropKind. */
static bool check_ref(const CatalogCheck *k, const PlanType *t, const char *name, unsigned kinds,
                      const char *member, GError **err)
{
    const PlanProp *p = name ? plan_find_prop(t->props, t->n_props, name) : NULL;

    return !name || (p && (kinds >> p->kind & 1)) ||
           check_fail(k, member, "must name a property of the type with a suitable kind", err);
}

enum {
    KINDS_NUMBER = 1 << PLAN_PROP_U8 | 1 << PLAN_PROP_U16 | 1 << PLAN_PROP_U32,
    KINDS_SWITCH = 1 << PLAN_PROP_BOOL | 1 << PLAN_PROP_ONOFF | 1 << PLAN_PROP_CAP,
    KINDS_LINK = 1 << PLAN_PROP_ENUM | 1 << PLAN_PROP_STRING,
    /* Properties that plan/ reads by name have these kinds. */
    KINDS_KNOWN = KINDS_NUMBER | 1 << PLAN_PROP_U64,
};

static bool check_props(const CatalogCheck *k, const PlanProp *props, size_t n, GError **err)
{
    static const char *const numbers[] = { "chassis", "slot",      "chassis_nr", "bus_nr",
                                           "nr",      "max_ports", "numa_node" };

    for (size_t i = 0; i < n; i++) {
        const PlanProp *p = &props[i];
        size_t choices = 0;

        if (!p->name || plan_find_prop(props, i, p->name)) {
            return check_fail(k, "properties", "must have different names", err);
        }
        while (p->choices && p->choices[choices]) {
            choices++;
        }
        if ((p->kind == PLAN_PROP_ENUM && p->def >= choices) ||
            (p->kind == PLAN_PROP_BACKEND && !p->backend) ||
            (p->kind == PLAN_PROP_ONOFF && p->def > PLAN_OFF)) {
            return check_fail(k, p->name, "needs choices or a back end for its kind and default",
                              err);
        }
        for (size_t j = 0; j < G_N_ELEMENTS(numbers); j++) {
            if (strcmp(p->name, numbers[j]) == 0 && !(KINDS_KNOWN >> p->kind & 1)) {
                return check_fail(k, p->name, "must be an unsigned integer", err);
            }
        }
    }
    return true;
}

static bool check_bars(const CatalogCheck *k, const PlanType *t, GError **err)
{
    for (size_t i = 0; i < t->n_bars; i++) {
        const PlanBar *b = &t->bars[i];

        if (b->index > 5) {
            return check_fail(k, "bars", "must have an index of at most 5", err);
        }
        if (!check_ref(k, t, b->size_prop, 1 << PLAN_PROP_SIZE, "size-prop", err) ||
            !check_ref(k, t, b->if_prop, KINDS_SWITCH, "if-prop", err) ||
            !check_ref(k, t, b->unless_prop, KINDS_SWITCH, "unless-prop", err) ||
            !check_ref(k, t, b->vectors_prop, KINDS_NUMBER, "vectors-prop", err)) {
            return false;
        }
        for (unsigned j = 0; j < G_N_ELEMENTS(b->auto_vectors.prop); j++) {
            if (!check_ref(k, t, b->auto_vectors.prop[j], KINDS_NUMBER | KINDS_SWITCH,
                           "auto-vectors", err)) {
                return false;
            }
        }
    }
    return true;
}

static bool check_type_row(const PlanCatalog *c, size_t i, GError **err)
{
    const PlanType *t = c->types[i];
    CatalogCheck k = { c, "type", t->name ? t->name : "" };

    for (size_t j = 0; j < i; j++) {
        if (t->name && strcmp(t->name, c->types[j]->name) == 0) {
            return check_fail(&k, "name", "is used twice", err);
        }
    }
    if (!t->name || t->pin > 4) {
        return check_fail(&k, "name", "is missing, or the interrupt pin exceeds 4", err);
    }
    for (size_t j = 0; j < t->n_caps; j++) {
        if (!check_ref(&k, t, t->caps[j].prop, 1 << PLAN_PROP_CAP, "capabilities", err)) {
            return false;
        }
    }
    return check_ref(&k, t, t->plain_prop, KINDS_SWITCH, "plain-prop", err) &&
           check_ref(&k, t, t->link_speed_prop, KINDS_LINK, "link-speed-prop", err) &&
           check_ref(&k, t, t->link_width_prop, KINDS_LINK, "link-width-prop", err) &&
           check_props(&k, t->props, t->n_props, err) && check_bars(&k, t, err);
}

/* Check devices of a machine, each the argument of -device. */
static bool check_board_devices(const CatalogCheck *k, const char *const *devices,
                                const char *member, GError **err)
{
    for (size_t i = 0; devices && devices[i]; i++) {
        g_autoptr(PlanDevice) d = plan_device_parse_known(devices[i], k->c, err);

        if (!d) {
            g_prefix_error(err, "%s '%s': %s: ", k->what, k->name, member);
            return false;
        }
    }
    return true;
}

static bool check_machine_row(const PlanCatalog *c, size_t i, GError **err)
{
    const PlanMachineType *t = c->machines[i];
    CatalogCheck k = { c, "machine", t->name ? t->name : "" };
    PlanAddrKind addr = plan_bus_rule(t->root_kind)->addr;

    if (!t->name || (t->root_bus ? addr != PLAN_ADDR_PCI : t->root_kind != PLAN_BUS_NONE)) {
        return check_fail(&k, "root-bus", "must have a name and the bus type of a PCI bus", err);
    }
    if (t->n_mmio_buses > CATALOG_MMIO || (t->n_mmio_buses && !t->mmio_bus)) {
        return check_fail(&k, "mmio-buses", "must be at most 256 and have a name in mmio-bus", err);
    }
    if (t->newer && (!plan_find_machine(c, t->newer) || strcmp(t->newer, t->name) == 0)) {
        return check_fail(&k, "newer", "must name another machine", err);
    }
    return check_board_devices(&k, t->implicit, "implicit", err) &&
           check_board_devices(&k, t->defaults, "default-devices", err) &&
           check_props(&k, t->props, t->n_props, err);
}

static bool check_compat_row(const PlanCatalog *c, size_t i, GError **err)
{
    const PlanCompat *row = &c->compats[i];
    CatalogCheck k = { c, "compat row for", row->prop ? row->prop : "" };

    if (!row->machine || !row->prop || !row->value || !plan_find_machine(c, row->machine)) {
        return check_fail(&k, "row", "needs a machine, a property and a value", err);
    }
    if (row->type && strcmp(row->type, "*") != 0 && !plan_find_type(c, row->type)) {
        return check_fail(&k, "type", "must be a type of the catalogue", err);
    }
    return true;
}

static bool catalog_check(const PlanCatalog *c, GError **err)
{
    static const struct {
        size_t n_at;
        bool (*check)(const PlanCatalog *c, size_t i, GError **err);
    } parts[] = {
        { offsetof(PlanCatalog, n_types), check_type_row },
        { offsetof(PlanCatalog, n_machines), check_machine_row },
        { offsetof(PlanCatalog, n_compats), check_compat_row },
    };

    for (size_t part = 0; part < G_N_ELEMENTS(parts); part++) {
        size_t n = *(const size_t *)((const char *)c + parts[part].n_at);

        for (size_t i = 0; i < n; i++) {
            if (!parts[part].check(c, i, err)) {
                return false;
            }
        }
    }
    for (size_t i = 0; i < c->n_absent; i++) {
        if (!c->absent[i].pattern || !c->absent[i].feature) {
            return plan_fail(err, "absent[%zu]: needs a pattern and a feature", i);
        }
    }
    return true;
}

/* --- loading --- */

/* Remove a key and check its value. */
static bool load_header(struct json_object *o, GError **err)
{
    struct json_object *format = NULL, *rules = NULL, *own;
    bool same;

    json_object_object_get_ex(o, "backplane-catalog", &format);
    if (!json_object_is_type(format, json_type_int) ||
        json_object_get_int(format) != PLAN_CATALOG_FORMAT) {
        return plan_fail(err, "backplane-catalog: must be %d", PLAN_CATALOG_FORMAT);
    }
    json_object_object_del(o, "backplane-catalog");
    if (json_object_object_get_ex(o, "buses", &rules)) {
        own = catalog_write_rules();
        same = json_object_equal(own, rules);
        json_object_put(own);
        if (!same) {
            return plan_fail(err, "buses: the rules differ from those of this library");
        }
        json_object_object_del(o, "buses");
    }
    return true;
}

PlanCatalog *plan_catalog_from_text(const char *text, size_t len, GError **err)
{
    static const PlanJsonLimits limits = { CATALOG_BYTES, CATALOG_VALUES, PLAN_JSON_DEPTH };
    struct json_object *o = plan_json_read(text, len, "the catalogue", &limits, err);
    LoadedCatalog *l;
    GError *error = NULL;
    bool ok;

    if (!o) {
        return NULL;
    }
    l = g_new0(LoadedCatalog, 1);
    l->blocks = g_ptr_array_new_with_free_func(g_free);
    if (!json_object_is_type(o, json_type_object)) {
        ok = plan_fail(&error, "the catalogue must be an object");
    } else {
        ok = load_header(o, &error) && catalog_read(l, &catalog_table, o, &l->c, &error) &&
             catalog_check(&l->c, &error);
    }
    json_object_put(o);
    if (!ok) {
        bool dot = error->message[0] == '.';

        plan_fail(err, "%s", error->message + dot);
        g_error_free(error);
        plan_catalog_free(&l->c);
        return NULL;
    }
    return &l->c;
}

PlanCatalog *plan_catalog_from_file(const char *path, GError **err)
{
    g_autofree char *text = NULL, *quoted = plan_quote(path);
    GError *error = NULL;
    PlanCatalog *c = NULL;
    gsize len;

    if (g_file_get_contents(path, &text, &len, &error)) {
        c = plan_catalog_from_text(text, len, &error);
    }
    if (error) {
        plan_fail(err, "catalogue %s: %s", quoted, error->message);
        g_error_free(error);
    }
    return c;
}

void plan_catalog_free(PlanCatalog *c)
{
    LoadedCatalog *l = (LoadedCatalog *)c;

    if (l) {
        g_ptr_array_unref(l->blocks);
        g_free(l);
    }
}
