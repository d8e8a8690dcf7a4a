/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a description from JSON, complete or partial. Unknown keys are errors.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "plan/internal.h"

/* Position in the description. Converted to text only for a message. */
typedef struct Where {
    const struct Where *up;
    const char *key; /* NULL: an element of a list */
    size_t index;
    bool consume; /* free each element of a list after it has been read */
} Where;

typedef bool ReadFn(void *into, struct json_object *value, const Where *where, GError **err);

typedef struct Key {
    const char *name;
    ReadFn *read;
} Key;

/* Return the position as "guest.devices[3].addr"; g_free(). */
static char *where_text(const Where *where)
{
    GString *out = g_string_new(NULL);

    for (; where; where = where->up) {
        g_autofree char *part = where->key ? g_strconcat(where->up ? "." : "", where->key, NULL)
                                           : g_strdup_printf("[%zu]", where->index);

        g_string_prepend(out, part);
    }
    return g_string_free(out, FALSE);
}

static bool fail_at(const Where *where, GError **err, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Set an error as "guest.devices[3].addr must be ...". Return false. */
static bool fail_at(const Where *where, GError **err, const char *format, ...)
{
    g_autofree char *place = where_text(where), *what = NULL;
    va_list args;

    va_start(args, format);
    what = g_strdup_vprintf(format, args);
    va_end(args);
    return plan_fail(err, "%s %s", place, what);
}

static bool string_at(const Where *where, struct json_object *value, size_t max, const char **text,
                      GError **err)
{
    g_autofree char *place = NULL;

    if (plan_json_string(value, max, text, err)) {
        return true;
    }
    place = where_text(where);
    g_prefix_error(err, "%s ", place);
    return false;
}

/* Return the row of that name; NULL with @err set to a message that lists the available names. */
static const Key *find_key(const Key *keys, size_t n, const char *name, const Where *where,
                           GError **err)
{
    g_autofree char *quoted = NULL;
    GString *known;

    for (size_t i = 0; i < n; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            return &keys[i];
        }
    }
    quoted = plan_quote(name);
    known = g_string_new(keys[0].name);
    for (size_t i = 1; i < n; i++) {
        g_string_append_printf(known, ", %s", keys[i].name);
    }
    fail_at(where, err, "has the unknown key %s: known are %s", quoted, known->str);
    g_string_free(known, TRUE);
    return NULL;
}

/* Read each member of @o with the row of its name. */
static bool read_members(struct json_object *o, const Where *where, const Key *keys, size_t n,
                         void *into, GError **err)
{
    if (!json_object_is_type(o, json_type_object)) {
        return fail_at(where, err, "must be an object");
    }
    json_object_object_foreach(o, name, value)
    {
        const Key *key = find_key(keys, n, name, where, err);
        Where inner = { where, name, 0, where->consume };

        if (!key || !key->read(into, value, &inner, err)) {
            return false;
        }
    }
    return true;
}

/* Read each element of a list. Its index is added to @where. */
static bool read_list(struct json_object *list, const Where *where, size_t max, ReadFn *read,
                      void *into, GError **err)
{
    size_t n;

    if (!json_object_is_type(list, json_type_array)) {
        return fail_at(where, err, "must be a list");
    }
    n = json_object_array_length(list);
    if (n > max) {
        return fail_at(where, err, "has %zu elements: at most %zu are accepted", n, max);
    }
    for (size_t i = 0; i < n; i++) {
        Where inner = { where, NULL, i, false };

        if (!read(into, json_object_array_get_idx(list, i), &inner, err)) {
            return false;
        }
        if (where->consume) { /* while it is in the caches */
            json_object_array_put_idx(list, i, NULL);
        }
    }
    return true;
}

static bool read_string(char **into, struct json_object *value, const Where *where, size_t max,
                        GError **err)
{
    const char *text;

    if (!string_at(where, value, max, &text, err)) {
        return false;
    }
    g_free(*into);
    *into = g_strdup(text);
    return true;
}

static bool description_read_number(uint64_t *into, struct json_object *value, const Where *where,
                                    uint64_t max, GError **err)
{
    if (!json_object_is_type(value, json_type_int) ||
        (*into = json_object_get_uint64(value)) == 0 || json_object_get_int64(value) < 0 ||
        *into > max) {
        return fail_at(where, err, "must be a number from 1 to %" G_GUINT64_FORMAT, max);
    }
    return true;
}

static bool read_settings(GPtrArray *settings, struct json_object *o, const Where *where,
                          GError **err)
{
    if (!json_object_is_type(o, json_type_object)) {
        return fail_at(where, err, "must be an object");
    }
    if (json_object_object_length(o) > PLAN_SETTINGS_MAX) {
        return fail_at(where, err, "has %d properties: at most %d are accepted",
                       json_object_object_length(o), PLAN_SETTINGS_MAX);
    }
    json_object_object_foreach(o, name, value)
    {
        g_autofree char *text = NULL, *place = NULL, *quoted = NULL;

        if (!plan_json_scalar(value, &text, err)) {
            place = where_text(where);
            quoted = plan_quote(name);
            g_prefix_error(err, "%s: property %s ", place, quoted);
            return false;
        }
        /* The parser rejects a key given twice. A search is required only if the host section adds
         * to the settings of the guest section. */
        g_ptr_array_add(settings, plan_setting_new(name, text, true));
    }
    return true;
}

/* --- devices --- */

static bool device_type(void *d, struct json_object *v, const Where *where, GError **err)
{
    return read_string(&((PlanDevice *)d)->type, v, where, PLAN_ID_MAX, err);
}

static bool device_id(void *d, struct json_object *v, const Where *where, GError **err)
{
    return read_string(&((PlanDevice *)d)->id, v, where, PLAN_ID_MAX, err);
}

static bool device_bus(void *d, struct json_object *v, const Where *where, GError **err)
{
    return read_string(&((PlanDevice *)d)->bus, v, where, PLAN_NAME_MAX, err);
}

static bool device_addr(void *device, struct json_object *v, const Where *where, GError **err)
{
    PlanDevice *d = device;
    const char *text;

    if (!string_at(where, v, PLAN_ID_MAX, &text, err)) {
        return false;
    }
    d->has_addr = plan_addr_parse(text, &d->addr, &d->full_addr, err);
    if (!d->has_addr) {
        g_autofree char *place = where_text(where);

        g_prefix_error(err, "%s: ", place);
    }
    return d->has_addr;
}

static bool device_implicit(void *d, struct json_object *v, const Where *where, GError **err)
{
    ((PlanDevice *)d)->implicit = json_object_get_boolean(v);
    return json_object_is_type(v, json_type_boolean) ||
           fail_at(where, err, "must be true or false");
}

static bool device_properties(void *d, struct json_object *v, const Where *where, GError **err)
{
    return read_settings(((PlanDevice *)d)->settings, v, where, err);
}

static bool read_device(void *machine, struct json_object *o, const Where *where, GError **err)
{
    static const Key keys[] = {
        { "type", device_type },         { "id", device_id },
        { "bus", device_bus },           { "addr", device_addr },
        { "implicit", device_implicit }, { "properties", device_properties },
    };
    PlanMachine *m = machine;
    PlanDevice *d = plan_device_new(NULL);

    g_ptr_array_add(m->devices, d);
    if (!read_members(o, where, keys, G_N_ELEMENTS(keys), d, err)) {
        return false;
    }
    return d->type || fail_at(where, err, "requires a type");
}

/* --- parts and globals: objects of strings --- */

typedef struct Strings {
    char *kind, *id, *prop, *value;
    struct json_object *options;
} Strings;

static bool strings_kind(void *s, struct json_object *v, const Where *where, GError **err)
{
    return read_string(&((Strings *)s)->kind, v, where, PLAN_ID_MAX, err);
}

static bool strings_id(void *s, struct json_object *v, const Where *where, GError **err)
{
    return read_string(&((Strings *)s)->id, v, where, PLAN_ID_MAX, err);
}

static bool strings_prop(void *s, struct json_object *v, const Where *where, GError **err)
{
    return read_string(&((Strings *)s)->prop, v, where, PLAN_ID_MAX, err);
}

static bool strings_value(void *s, struct json_object *v, const Where *where, GError **err)
{
    return read_string(&((Strings *)s)->value, v, where, PLAN_OPTION_MAX, err);
}

static bool strings_options(void *s, struct json_object *v, const Where *where, GError **err)
{
    ((Strings *)s)->options = v;
    return json_object_is_type(v, json_type_object) || fail_at(where, err, "must be an object");
}

static void strings_clear(Strings *s)
{
    g_free(s->kind);
    g_free(s->id);
    g_free(s->prop);
    g_free(s->value);
}

/* The required host parts follow from the devices of the guest; only the form is checked here. */
static bool read_wanted(void *m, struct json_object *o, const Where *where, GError **err)
{
    static const Key keys[] = { { "kind", strings_kind }, { "id", strings_id } };
    Strings s = { NULL };
    bool ok = read_members(o, where, keys, G_N_ELEMENTS(keys), &s, err);

    strings_clear(&s);
    return ok;
}

static bool description_read_part(void *m, struct json_object *o, const Where *where, GError **err)
{
    static const Key keys[] = { { "kind", strings_kind },
                                { "id", strings_id },
                                { "options", strings_options } };
    Strings s = { NULL };
    PlanHostPart *part, *old;
    bool ok =
        read_members(o, where, keys, G_N_ELEMENTS(keys), &s, err) &&
        ((s.kind && s.id && s.options) || fail_at(where, err, "requires kind, id and options"));

    if (ok) {
        part = g_new0(PlanHostPart, 1);
        part->kind = g_steal_pointer(&s.kind);
        part->id = g_steal_pointer(&s.id);
        part->options = json_object_get(s.options);
        old = plan_find_host(m, part->kind, part->id);
        ok = (old && json_object_equal(old->options, part->options)) ||
             plan_machine_add_host(m, part, err);
        if (!ok || old) {
            plan_host_part_free(part);
        }
    }
    strings_clear(&s);
    return ok;
}

static bool read_global(void *machine, struct json_object *o, const Where *where, GError **err)
{
    static const Key keys[] = { { "type", strings_kind },
                                { "property", strings_prop },
                                { "value", strings_value } };
    Strings s = { NULL };
    PlanGlobal *g;
    bool ok =
        read_members(o, where, keys, G_N_ELEMENTS(keys), &s, err) &&
        ((s.kind && s.prop && s.value) || fail_at(where, err, "requires type, property and value"));

    if (ok) {
        g = g_new0(PlanGlobal, 1);
        g->type = g_steal_pointer(&s.kind);
        g->prop = g_steal_pointer(&s.prop);
        g->value = g_steal_pointer(&s.value);
        g_ptr_array_add(((PlanMachine *)machine)->globals, g);
    }
    strings_clear(&s);
    return ok;
}

/* --- the guest section --- */

static bool guest_machine(void *m, struct json_object *v, const Where *where, GError **err)
{
    return read_string(&((PlanMachine *)m)->type, v, where, PLAN_ID_MAX, err);
}

static bool machine_properties(void *m, struct json_object *v, const Where *where, GError **err)
{
    return read_settings(((PlanMachine *)m)->settings, v, where, err);
}

static bool guest_cpu(void *m, struct json_object *v, const Where *where, GError **err)
{
    return read_string(&((PlanMachine *)m)->cpu, v, where, PLAN_NAME_MAX * 4, err);
}

static bool guest_name(void *m, struct json_object *v, const Where *where, GError **err)
{
    return read_string(&((PlanMachine *)m)->name, v, where, PLAN_NAME_MAX, err);
}

static bool guest_uuid(void *machine, struct json_object *v, const Where *where, GError **err)
{
    PlanMachine *m = machine;

    return read_string(&m->uuid, v, where, PLAN_NAME_MAX, err) &&
           (g_uuid_string_is_valid(m->uuid) ||
            fail_at(where, err, "must have the form 01234567-89ab-cdef-0123-456789abcdef"));
}

static bool guest_rtc(void *m, struct json_object *v, const Where *where, GError **err)
{
    return read_string(&((PlanMachine *)m)->rtc, v, where, PLAN_NAME_MAX, err);
}

static bool guest_cpus(void *m, struct json_object *v, const Where *where, GError **err)
{
    uint64_t cpus;

    if (!description_read_number(&cpus, v, where, 1 << 16, err)) {
        return false;
    }
    ((PlanMachine *)m)->cpus = (unsigned)cpus;
    return true;
}

static bool guest_ram(void *m, struct json_object *v, const Where *where, GError **err)
{
    return description_read_number(&((PlanMachine *)m)->ram_size, v, where, 1ull << 52, err);
}

static bool guest_nodes(void *m, struct json_object *v, const Where *where, GError **err)
{
    return plan_read_nodes(m, v, err);
}

static bool guest_devices(void *m, struct json_object *v, const Where *where, GError **err)
{
    return read_list(v, where, PLAN_DEVICES_MAX, read_device, m, err);
}

static bool guest_parts(void *m, struct json_object *v, const Where *where, GError **err)
{
    return read_list(v, where, PLAN_DEVICES_MAX, read_wanted, m, err);
}

static bool guest_globals(void *m, struct json_object *v, const Where *where, GError **err)
{
    return read_list(v, where, PLAN_GLOBALS_MAX, read_global, m, err);
}

static bool read_guest(void *m, struct json_object *o, const Where *where, GError **err)
{
    static const Key keys[] = {
        { "machine", guest_machine }, { "name", guest_name },
        { "uuid", guest_uuid },       { "rtc", guest_rtc },
        { "cpu", guest_cpu },         { "cpus", guest_cpus },
        { "ram", guest_ram },         { "nodes", guest_nodes },
        { "globals", guest_globals }, { "devices", guest_devices },
        { "parts", guest_parts },     { "properties", machine_properties },
    };

    return read_members(o, where, keys, G_N_ELEMENTS(keys), m, err);
}

/* --- the host section --- */

/* Return the name that a device of the guest section will have: its id, or its place as written.
 * @counts: type -> number of names of the form system/TYPE.N that were tried, so that the time is
 * linear in the number of devices of one type. */
static char *name_as_read(const PlanDevice *d, GHashTable *names, GHashTable *counts)
{
    g_autofree char *addr = NULL;
    char *name = NULL;
    unsigned i;

    if (d->id) {
        return g_strdup(d->id);
    }
    if (d->bus && d->has_addr) {
        addr = plan_addr_format(&d->addr, false);
        return g_strconcat(d->bus, "/", addr, NULL);
    }
    addr = d->bus ? plan_scsi_place_as_read(d) : NULL;
    if (addr) {
        return g_strconcat(d->bus, "/", addr, NULL);
    }
    for (unsigned k = 0; d->bus && k < PLAN_BUS_KINDS; k++) {
        const char *prop = plan_bus_rule(k)->number_prop;
        PlanSetting *s = prop ? plan_setting_find(d->settings, prop) : NULL;

        if (s && s->text) {
            return g_strconcat(d->bus, "/", s->text, NULL);
        }
    }
    i = GPOINTER_TO_UINT(g_hash_table_lookup(counts, d->type));
    do {
        g_free(name);
        name =
            i ? g_strdup_printf("system/%s.%u", d->type, i) : g_strconcat("system/", d->type, NULL);
        i++;
    } while (g_hash_table_contains(names, name));
    g_hash_table_insert(counts, d->type, GUINT_TO_POINTER(i));
    return name;
}

typedef struct HostReader {
    PlanMachine *m;
    GHashTable *names; /* created when a device is first named */
    PlanDevice *d;     /* the device of the entry being read */
} HostReader;

static bool host_device_name(void *reader, struct json_object *v, const Where *where, GError **err)
{
    HostReader *r = reader;
    g_autofree char *quoted = NULL;
    const char *name;

    if (!string_at(where, v, PLAN_NAME_MAX, &name, err)) {
        return false;
    }
    if (!r->names) {
        g_autoptr(GHashTable) counts = g_hash_table_new(g_str_hash, g_str_equal);

        r->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        for (guint i = 0; i < r->m->devices->len; i++) {
            PlanDevice *d = r->m->devices->pdata[i];

            g_hash_table_insert(r->names, name_as_read(d, r->names, counts), d);
            if (!d->id && d->bus && !d->has_addr) { /* the only place of its bus */
                g_hash_table_insert(r->names, g_strconcat(d->bus, "/0", NULL), d);
            }
        }
    }
    r->d = g_hash_table_lookup(r->names, name);
    if (!r->d) {
        quoted = plan_quote(name);
        return fail_at(where, err, "is %s, which the guest section does not have", quoted);
    }
    return true;
}

static bool host_device_properties(void *reader, struct json_object *v, const Where *where,
                                   GError **err)
{
    HostReader *r = reader;
    g_autoptr(GPtrArray) settings = g_ptr_array_new_with_free_func(plan_setting_free);
    g_autofree char *label = NULL;

    if (!r->d) {
        return fail_at(where, err, "must follow the name of the device");
    }
    if (!read_settings(settings, v, where, err)) {
        return false;
    }
    label = plan_device_label(r->d);
    return plan_settings_combine(r->d->settings, settings, label, NULL, 0, err);
}

static bool read_host_device(void *reader, struct json_object *o, const Where *where, GError **err)
{
    static const Key keys[] = { { "device", host_device_name },
                                { "properties", host_device_properties } };

    ((HostReader *)reader)->d = NULL;
    return read_members(o, where, keys, G_N_ELEMENTS(keys), reader, err);
}

static bool host_devices(void *m, struct json_object *v, const Where *where, GError **err)
{
    HostReader r = { .m = m };
    bool ok = read_list(v, where, PLAN_DEVICES_MAX, read_host_device, &r, err);

    if (r.names) {
        g_hash_table_unref(r.names);
    }
    return ok;
}

static bool read_dynamic_name(void *reader, struct json_object *v, const Where *where, GError **err)
{
    HostReader *r = reader;

    if (!host_device_name(r, v, where, err)) {
        return false;
    }
    r->d->dynamic = true;
    return true;
}

static bool planning_dynamic(void *m, struct json_object *v, const Where *where, GError **err)
{
    HostReader r = { .m = m };
    bool ok = read_list(v, where, PLAN_DEVICES_MAX, read_dynamic_name, &r, err);

    if (r.names) {
        g_hash_table_unref(r.names);
    }
    return ok;
}

static bool planning_complete(void *machine, struct json_object *v, const Where *where,
                              GError **err)
{
    PlanMachine *m = machine;

    m->complete = json_object_get_boolean(v);
    for (guint i = 0; i < m->devices->len; i++) {
        ((PlanDevice *)m->devices->pdata[i])->complete = m->complete;
    }
    return json_object_is_type(v, json_type_boolean) ||
           fail_at(where, err, "must be true or false");
}

static bool planning_catalog(void *m, struct json_object *v, const Where *where, GError **err)
{
    return read_string(&((PlanMachine *)m)->catalog, v, where, PLAN_NAME_MAX, err);
}

static bool planning_policy(void *m, struct json_object *v, const Where *where, GError **err)
{
    return read_string(&((PlanMachine *)m)->policy, v, where, PLAN_NAME_MAX, err);
}

static bool read_planning(void *m, struct json_object *o, const Where *where, GError **err)
{
    static const Key keys[] = { { "dynamic", planning_dynamic },
                                { "complete", planning_complete },
                                { "catalog", planning_catalog },
                                { "policy", planning_policy } };

    ((PlanMachine *)m)->planning = true;
    return read_members(o, where, keys, G_N_ELEMENTS(keys), m, err);
}

static bool host_properties(void *machine, struct json_object *v, const Where *where, GError **err)
{
    g_autoptr(GPtrArray) settings = g_ptr_array_new_with_free_func(plan_setting_free);

    return read_settings(settings, v, where, err) &&
           plan_settings_combine(((PlanMachine *)machine)->settings, settings, "the machine", NULL,
                                 0, err);
}

static bool host_parts(void *m, struct json_object *v, const Where *where, GError **err)
{
    return read_list(v, where, PLAN_PARTS_MAX, description_read_part, m, err);
}

static bool read_boot(void *m, struct json_object *v, const Where *where, GError **err)
{
    return plan_read_boot(m, v, err);
}

static bool host_boot(void *m, struct json_object *v, const Where *where, GError **err)
{
    return plan_read_boot_paths(m, v, err);
}

static bool host_node_memory(void *m, struct json_object *v, const Where *where, GError **err)
{
    return plan_read_node_memory(m, v, err);
}

static bool host_serials(void *m, struct json_object *v, const Where *where, GError **err)
{
    return plan_read_serials(m, v, err);
}

static bool read_host(void *m, struct json_object *o, const Where *where, GError **err)
{
    static const Key keys[] = { { "properties", host_properties },
                                { "globals", guest_globals },
                                { "devices", host_devices },
                                { "parts", host_parts },
                                { "boot", host_boot },
                                { "serials", host_serials },
                                { "node-memory", host_node_memory } };

    return read_members(o, where, keys, G_N_ELEMENTS(keys), m, err);
}

static bool read_format(void *m, struct json_object *v, const Where *where, GError **err)
{
    return (json_object_is_type(v, json_type_int) && json_object_get_int64(v) == PLAN_FORMAT) ||
           fail_at(where, err, "is %s: this version reads format %d",
                   json_object_is_type(v, json_type_int) ? "not supported" : "not a number",
                   PLAN_FORMAT);
}

static const Key sections[] = { { "backplane-machine", read_format },
                                { "guest", read_guest },
                                { "boot", read_boot },
                                { "host", read_host },
                                { "planning", read_planning } };
enum { FIRST_HOST = 3 }; /* the sections from here on refer to devices of the guest section */

static bool check_sections(struct json_object *o, GError **err)
{
    const Where top = { NULL, "the description", 0, false };

    if (!json_object_is_type(o, json_type_object) ||
        !json_object_object_get_ex(o, sections[0].name, NULL)) {
        return plan_fail(err, "not a machine description: \"backplane-machine\": %d is required",
                         PLAN_FORMAT);
    }
    json_object_object_foreach(o, name, value)
    {
        if (!find_key(sections, G_N_ELEMENTS(sections), name, &top, err)) {
            return false;
        }
    }
    return true;
}

/* Read the sections [first, end) in the order of the table, not of the file. */
static bool read_sections(PlanMachine *m, struct json_object *o, size_t first, size_t end,
                          bool consume, GError **err)
{
    struct json_object *section;

    for (size_t i = first; i < end; i++) {
        if (json_object_object_get_ex(o, sections[i].name, &section) &&
            !sections[i].read(m, section, &(Where){ NULL, sections[i].name, 0, consume }, err)) {
            return false;
        }
    }
    return true;
}

static PlanMachine *read_machine(struct json_object *o, bool consume, GError **err)
{
    g_autoptr(PlanMachine) m = plan_machine_new();

    return check_sections(o, err) && read_sections(m, o, 0, G_N_ELEMENTS(sections), consume, err)
               ? g_steal_pointer(&m)
               : NULL;
}

PlanMachine *plan_from_json(struct json_object *o, GError **err)
{
    return read_machine(o, false, err);
}

PlanMachine *plan_from_text(const char *text, size_t len, GError **err)
{
    struct json_object *o = plan_json_parse(text, len, "the machine description", err);
    PlanMachine *m = o ? read_machine(o, true, err) : NULL;

    json_object_put(o);
    return m;
}

/* --- several files --- */

/* Read a file of at most PLAN_TEXT_MAX bytes. The path may name a device without an end. */
static char *description_read_text(const char *path, size_t *len, GError **err)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *piece = g_malloc(1 << 16);
    FILE *f = fopen(path, "re");
    size_t n;

    while (f && text->len <= PLAN_TEXT_MAX && (n = fread(piece, 1, 1 << 16, f)) > 0) {
        g_string_append_len(text, piece, (gssize)n);
    }
    if (!f || ferror(f)) {
        plan_fail(err, "%s", g_strerror(errno));
        if (f) {
            fclose(f);
        }
        return NULL;
    }
    fclose(f);
    *len = text->len;
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static struct json_object *parse_file(const char *path, GError **err)
{
    size_t len;
    g_autofree char *text = description_read_text(path, &len, err);
    struct json_object *o =
        text ? plan_json_parse(text, len, "the machine description", err) : NULL;

    if (o && !check_sections(o, err)) {
        json_object_put(o);
        return NULL;
    }
    return o;
}

static bool add_guest(PlanMachine *m, struct json_object *o, const PlanCatalog *c, GError **err)
{
    g_autoptr(PlanMachine) part = plan_machine_new();

    return read_sections(part, o, 0, FIRST_HOST, false, err) && plan_combine(m, part, c, err);
}

/* Read all guest sections first, because a file may contain the host parts of devices in another
 * file. */
PlanMachine *plan_from_files(const char *const *paths, size_t n, const PlanCatalog *c, GError **err)
{
    g_autoptr(PlanMachine) m = plan_machine_new();
    struct json_object **files = g_new0(struct json_object *, n);
    bool ok = true;

    for (size_t i = 0; i < n && ok; i++) {
        files[i] = parse_file(paths[i], err);
        ok = files[i] && add_guest(m, files[i], c, err);
        if (!ok) {
            g_prefix_error(err, "%s: ", paths[i]);
        }
    }
    for (size_t i = 0; i < n && ok; i++) {
        ok = read_sections(m, files[i], FIRST_HOST, G_N_ELEMENTS(sections), false, err);
        if (!ok) {
            g_prefix_error(err, "%s: ", paths[i]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        json_object_put(files[i]);
    }
    g_free(files);
    return ok ? g_steal_pointer(&m) : NULL;
}
