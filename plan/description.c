/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Creating, copying and freeing descriptions, and parsing single options.
 */
#include "plan/internal.h"

PlanSetting *plan_setting_new(const char *name, const char *text, bool given)
{
    PlanSetting *s = g_new0(PlanSetting, 1);

    s->name = g_strdup(name);
    s->text = g_strdup(text);
    s->given = given;
    return s;
}

void plan_setting_free(gpointer setting)
{
    PlanSetting *s = setting;

    if (s) {
        if (s->resolved) {
            plan_value_clear(&s->value);
        }
        g_free(s->name);
        g_free(s->text);
        g_free(s);
    }
}

PlanSetting *plan_setting_find(const GPtrArray *settings, const char *name)
{
    for (guint i = 0; i < settings->len; i++) {
        PlanSetting *s = settings->pdata[i];

        if (strcmp(s->name, name) == 0) {
            return s;
        }
    }
    return NULL;
}

void plan_settings_set(GPtrArray *settings, const char *name, const char *text)
{
    PlanSetting *s = plan_setting_find(settings, name);

    if (!s) {
        g_ptr_array_add(settings, plan_setting_new(name, text, true));
        return;
    }
    if (s->resolved) {
        plan_value_clear(&s->value);
        s->resolved = false;
    }
    g_free(s->text);
    s->text = g_strdup(text);
    s->given = true;
}

GPtrArray *plan_settings_copy(const GPtrArray *settings)
{
    GPtrArray *copy = g_ptr_array_new_full(settings->len, plan_setting_free);

    for (guint i = 0; i < settings->len; i++) {
        const PlanSetting *s = settings->pdata[i];
        PlanSetting *t = plan_setting_new(s->name, s->text, s->given);

        t->resolved = s->resolved;
        t->value = s->value;
        if (s->resolved &&
            (s->value.kind == PLAN_PROP_STRING || s->value.kind == PLAN_PROP_BACKEND)) {
            t->value.s = g_strdup(s->value.s);
        }
        g_ptr_array_add(copy, t);
    }
    return copy;
}

PlanDevice *plan_device_new(const char *type)
{
    PlanDevice *d = g_new0(PlanDevice, 1);

    d->type = g_strdup(type);
    d->settings = g_ptr_array_new_with_free_func(plan_setting_free);
    return d;
}

void plan_device_free(PlanDevice *d)
{
    if (d) {
        g_free(d->type);
        g_free(d->id);
        g_free(d->bus);
        g_free(d->place);
        g_ptr_array_unref(d->settings);
        g_free(d);
    }
}

static PlanDevice *device_copy(const PlanDevice *d)
{
    PlanDevice *copy = g_new0(PlanDevice, 1);

    copy->type = g_strdup(d->type);
    copy->id = g_strdup(d->id);
    copy->bus = g_strdup(d->bus);
    copy->has_addr = d->has_addr;
    copy->full_addr = d->full_addr;
    copy->addr = d->addr;
    copy->implicit = d->implicit;
    copy->complete = d->complete;
    copy->dynamic = d->dynamic;
    copy->option = d->option;
    copy->t = d->t;
    copy->place = g_strdup(d->place);
    copy->settings = plan_settings_copy(d->settings);
    return copy;
}

static void global_free(gpointer global)
{
    PlanGlobal *g = global;

    g_free(g->type);
    g_free(g->prop);
    g_free(g->value);
    g_free(g);
}

PlanMachine *plan_machine_new(void)
{
    PlanMachine *m = g_new0(PlanMachine, 1);

    m->settings = g_ptr_array_new_with_free_func(plan_setting_free);
    m->devices = g_ptr_array_new_with_free_func((GDestroyNotify)plan_device_free);
    m->host = g_ptr_array_new_with_free_func((GDestroyNotify)plan_host_part_free);
    m->globals = g_ptr_array_new_with_free_func(global_free);
    m->boot = g_ptr_array_new_with_free_func(plan_boot_image_free);
    return m;
}

void plan_machine_free(PlanMachine *m)
{
    if (m) {
        plan_index_free(m->index);
        g_free(m->type);
        g_free(m->cpu);
        g_ptr_array_unref(m->settings);
        g_ptr_array_unref(m->devices);
        if (m->host_index) {
            g_hash_table_unref(m->host_index);
        }
        g_ptr_array_unref(m->host);
        g_ptr_array_unref(m->globals);
        g_ptr_array_unref(m->boot);
        g_clear_pointer(&m->serials, g_ptr_array_unref);
        g_clear_pointer(&m->node_memory, g_ptr_array_unref);
        g_free(m->append);
        g_free(m->name);
        g_free(m->uuid);
        g_free(m->rtc);
        g_free(m->catalog);
        g_free(m->policy);
        g_free(m);
    }
}

static PlanHostPart *host_part_copy(const PlanHostPart *part)
{
    PlanHostPart *copy = g_new0(PlanHostPart, 1);

    copy->kind = g_strdup(part->kind);
    copy->id = g_strdup(part->id);
    json_object_deep_copy(part->options, &copy->options, NULL);
    return copy;
}

static PlanGlobal *global_new(const char *type, const char *prop, const char *value)
{
    PlanGlobal *g = g_new0(PlanGlobal, 1);

    g->type = g_strdup(type);
    g->prop = g_strdup(prop);
    g->value = g_strdup(value);
    return g;
}

static GPtrArray *serials_copy(const GPtrArray *serials)
{
    GPtrArray *copy = serials ? g_ptr_array_new_with_free_func(g_free) : NULL;

    for (guint i = 0; serials && i < serials->len; i++) {
        g_ptr_array_add(copy, g_strdup(serials->pdata[i]));
    }
    return copy;
}

/* Copy a description without its index. The copy must be resolved before a device is added. */
PlanMachine *plan_machine_copy(const PlanMachine *m)
{
    PlanMachine *copy = g_new0(PlanMachine, 1);

    copy->type = g_strdup(m->type);
    copy->cpu = g_strdup(m->cpu);
    copy->ram_size = m->ram_size;
    copy->cpus = m->cpus;
    plan_nodes_copy(copy, m);
    plan_node_memory_set(copy, m->node_memory);
    copy->planning = m->planning;
    copy->complete = m->complete;
    copy->catalog = g_strdup(m->catalog);
    copy->policy = g_strdup(m->policy);
    copy->settings = plan_settings_copy(m->settings);
    copy->devices = g_ptr_array_new_full(m->devices->len, (GDestroyNotify)plan_device_free);
    copy->host = g_ptr_array_new_with_free_func((GDestroyNotify)plan_host_part_free);
    copy->globals = g_ptr_array_new_with_free_func(global_free);
    copy->boot = g_ptr_array_new_with_free_func(plan_boot_image_free);
    copy->name = g_strdup(m->name);
    copy->uuid = g_strdup(m->uuid);
    copy->rtc = g_strdup(m->rtc);
    plan_boot_copy(copy, m);
    copy->serials = serials_copy(m->serials);
    for (guint i = 0; i < m->devices->len; i++) {
        g_ptr_array_add(copy->devices, device_copy(m->devices->pdata[i]));
    }
    for (guint i = 0; i < m->host->len; i++) {
        g_ptr_array_add(copy->host, host_part_copy(m->host->pdata[i]));
    }
    for (guint i = 0; i < m->globals->len; i++) {
        const PlanGlobal *g = m->globals->pdata[i];

        g_ptr_array_add(copy->globals, global_new(g->type, g->prop, g->value));
    }
    return copy;
}

void plan_device_set(PlanDevice *d, const char *name, const char *text)
{
    plan_settings_set(d->settings, name, text);
}

void plan_device_decide(PlanDevice *d, const char *name, const char *text)
{
    PlanSetting *s = plan_setting_find(d->settings, name);
    const PlanProp *p = plan_find_prop(d->t->props, d->t->n_props, name);
    PlanValue v;

    if (s && p && s->resolved && plan_value_parse(p, text, &v, NULL)) {
        plan_value_clear(&s->value);
        s->value = v;
        g_free(s->text);
        s->text = g_strdup(text);
        s->given = true;
        plan_room_resized(d);
    }
}

const PlanValue *plan_device_get(const PlanDevice *d, const char *name)
{
    PlanSetting *s = plan_setting_find(d->settings, name);

    return s && s->resolved ? &s->value : NULL;
}

void plan_machine_set(PlanMachine *m, const char *name, const char *text)
{
    plan_settings_set(m->settings, name, text);
}

const PlanValue *plan_machine_get(const PlanMachine *m, const char *name)
{
    PlanSetting *s = plan_setting_find(m->settings, name);

    return s && s->resolved ? &s->value : NULL;
}

static bool description_id_valid(const char *id)
{
    if (!g_ascii_isalpha(id[0]) || strlen(id) > PLAN_ID_MAX) {
        return false;
    }
    for (const char *c = id; *c; c++) {
        if (!g_ascii_isalnum(*c) && !strchr("-._", *c)) {
            return false;
        }
    }
    return true;
}

bool plan_check_id(const char *id, GError **err)
{
    g_autofree char *quoted = NULL;

    if (description_id_valid(id)) {
        return true;
    }
    quoted = plan_quote(id);
    return plan_fail(err,
                     "invalid id %s: use letters, digits, '-', '.' and '_', a letter first, at "
                     "most %d characters",
                     quoted, PLAN_ID_MAX);
}

static bool description_set_id(PlanDevice *d, const char *text, GError **err)
{
    if (!plan_check_id(text, err)) {
        return false;
    }
    d->id = g_strdup(text);
    return true;
}

/* Set the address. A JSON number is slot << 3 | function, as clients of QEMU send it; -1 and auto
 * mean any address. */
static bool set_addr(PlanDevice *d, struct json_object *value, const char *text, GError **err)
{
    if (json_object_is_type(value, json_type_int)) {
        int64_t devfn = json_object_get_int64(value);

        if (devfn < -1 || devfn > 0xff) {
            return plan_fail(err, "invalid address %s: a number is slot * 8 + function, 0 to 255",
                             text);
        }
        d->has_addr = devfn >= 0;
        d->addr.slot = (uint8_t)(MAX(devfn, 0) >> 3);
        d->addr.fn = devfn & 7;
        return true;
    }
    if (strcmp(text, "-1") == 0 || strcmp(text, "auto") == 0) {
        d->has_addr = false;
        return true;
    }
    d->has_addr = plan_addr_parse(text, &d->addr, &d->full_addr, err);
    return d->has_addr;
}

/* Return whether "addr" is a property of the type, and not its address on a bus. */
static bool description_addr_is_prop(const PlanCatalog *c, const char *type)
{
    const PlanType *t = c ? plan_find_type(c, type) : NULL;

    return t && plan_find_prop(t->props, t->n_props, "addr") != NULL;
}

static bool set_member(PlanDevice *d, const PlanCatalog *c, const char *key,
                       struct json_object *value, GError **err)
{
    g_autofree char *text = NULL;

    if (!plan_json_scalar(value, &text, err)) {
        g_autofree char *quoted = plan_quote(key);

        g_prefix_error(err, "property %s ", quoted);
        return false;
    }
    if (strcmp(key, "driver") == 0) {
        return true;
    }
    if (strcmp(key, "id") == 0) {
        return !text || description_set_id(d, text, err);
    }
    if (strcmp(key, "bus") == 0) {
        g_free(d->bus);
        d->bus = g_strdup(text);
        return true;
    }
    if (strcmp(key, "addr") == 0 && !description_addr_is_prop(c, d->type)) {
        return !text || set_addr(d, value, text, err);
    }
    plan_device_set(d, key, text);
    return true;
}

static PlanDevice *device_from_json(struct json_object *o, const PlanCatalog *c, GError **err)
{
    g_autoptr(PlanDevice) d = NULL;
    struct json_object *driver = NULL;
    const char *type;

    if (!json_object_is_type(o, json_type_object) ||
        !json_object_object_get_ex(o, "driver", &driver)) {
        plan_fail(err, "a device requires a type: TYPE,id=... or {\"driver\": \"TYPE\", ...}");
        return NULL;
    }
    if (!plan_json_string(driver, PLAN_ID_MAX, &type, err)) {
        g_prefix_error(err, "the device's type ");
        return NULL;
    }
    if (c && !plan_expect_type(c, type, err)) {
        return NULL;
    }
    if (json_object_object_length(o) > PLAN_SETTINGS_MAX) {
        plan_fail(err, "a device with %d properties: at most %d are accepted",
                  json_object_object_length(o), PLAN_SETTINGS_MAX);
        return NULL;
    }
    d = plan_device_new(type);
    json_object_object_foreach(o, key, value)
    {
        if (!set_member(d, c, key, value, err)) {
            g_autofree char *quoted = plan_quote(type);

            g_prefix_error(err, "device %s: ", quoted);
            return NULL;
        }
    }
    return g_steal_pointer(&d);
}

PlanDevice *plan_device_from_json(struct json_object *o, GError **err)
{
    return device_from_json(o, NULL, err);
}

PlanDevice *plan_device_parse(const char *text, GError **err)
{
    return plan_device_parse_known(text, NULL, err);
}

PlanDevice *plan_device_from_json_known(struct json_object *o, const PlanCatalog *c, GError **err)
{
    return device_from_json(o, c, err);
}

/* Check the type at the start of the text form, before the other options are parsed. */
static bool expect_first_word(const char *text, const PlanCatalog *c, GError **err)
{
    size_t len = strcspn(text, "=,");
    g_autofree char *type = NULL;

    if (!c || *text == '{' || len == 0 || len > PLAN_ID_MAX || text[len] == '=') {
        return true;
    }
    type = g_strndup(text, len);
    return plan_expect_type(c, type, err) != NULL;
}

PlanDevice *plan_device_parse_known(const char *text, const PlanCatalog *c, GError **err)
{
    struct json_object *o =
        expect_first_word(text, c, err) ? plan_options_parse(text, "driver", err) : NULL;
    PlanDevice *d = o ? device_from_json(o, c, err) : NULL;

    json_object_put(o);
    return d;
}

bool plan_machine_parse(PlanMachine *m, const char *text, GError **err)
{
    struct json_object *o = plan_options_parse(text, "type", err);
    bool ok = true;

    if (o && json_object_object_length(o) > PLAN_SETTINGS_MAX) {
        plan_fail(err, "a machine with %d properties: at most %d are accepted",
                  json_object_object_length(o), PLAN_SETTINGS_MAX);
        json_object_put(o);
        o = NULL;
    }
    if (!o) {
        return false;
    }
    json_object_object_foreach(o, key, value)
    {
        g_autofree char *word = NULL;

        ok = plan_json_scalar(value, &word, err);
        if (!ok) {
            g_autofree char *quoted = plan_quote(key);

            g_prefix_error(err, "machine property %s ", quoted);
            break;
        }
        if (strcmp(key, "type") == 0) {
            g_free(m->type);
            m->type = g_steal_pointer(&word);
        } else {
            plan_machine_set(m, key, word);
        }
    }
    json_object_put(o);
    return ok;
}

/* Parse driver=TYPE,property=PROP,value=VALUE. */
static PlanGlobal *global_from_options(const char *text, GError **err)
{
    static const char *const keys[] = { "driver", "property", "value" };
    struct json_object *o = plan_options_parse(text, NULL, err), *member;
    const char *word[3] = { NULL };
    PlanGlobal *g = NULL;

    for (size_t i = 0; o && i < G_N_ELEMENTS(keys); i++) {
        if (json_object_object_get_ex(o, keys[i], &member)) {
            word[i] = json_object_get_string(member);
        }
    }
    if (word[0] && word[1] && word[2] && json_object_object_length(o) == 3) {
        g = global_new(word[0], word[1], word[2]);
    }
    json_object_put(o);
    return g;
}

bool plan_machine_add_global(PlanMachine *m, const char *text, GError **err)
{
    const char *equals = strchr(text, '='), *dot;
    g_autofree char *name = equals ? g_strndup(text, (gsize)(equals - text)) : NULL;
    PlanGlobal *g = NULL;

    dot = name ? strrchr(name, '.') : NULL;
    if (strnlen(text, PLAN_OPTION_MAX + 1) <= PLAN_OPTION_MAX && dot && dot > name && dot[1]) {
        g_autofree char *type = g_strndup(name, (gsize)(dot - name));

        g = global_new(type, dot + 1, equals + 1);
    } else {
        g = global_from_options(text, NULL);
    }
    if (!g) {
        g_autofree char *quoted = plan_quote(text);

        return plan_fail(err,
                         "invalid -global %s: use TYPE.PROPERTY=VALUE or "
                         "driver=TYPE,property=PROPERTY,value=VALUE",
                         quoted);
    }
    g_ptr_array_add(m->globals, g);
    return true;
}

/* --- host parts --- */

static guint host_hash(gconstpointer key)
{
    const PlanHostPart *part = key;

    return g_str_hash(part->id) * 31 + g_str_hash(part->kind);
}

static gboolean host_equal(gconstpointer a, gconstpointer b)
{
    const PlanHostPart *p = a, *q = b;

    return strcmp(p->id, q->id) == 0 && strcmp(p->kind, q->kind) == 0;
}

/* Return the index of m->host. It is rebuilt if the array has another length than the index. */
static GHashTable *host_index(PlanMachine *m)
{
    if (m->host_index && g_hash_table_size(m->host_index) == m->host->len) {
        return m->host_index;
    }
    g_clear_pointer(&m->host_index, g_hash_table_unref);
    m->host_index = g_hash_table_new(host_hash, host_equal);
    for (guint i = 0; i < m->host->len; i++) {
        g_hash_table_add(m->host_index, m->host->pdata[i]);
    }
    return m->host_index;
}

PlanHostPart *plan_find_host(const PlanMachine *m, const char *kind, const char *id)
{
    const PlanHostPart key = { (char *)kind, (char *)id, NULL };

    return g_hash_table_lookup(host_index((PlanMachine *)m), &key);
}

bool plan_machine_add_host(PlanMachine *m, PlanHostPart *part, GError **err)
{
    if (plan_find_host(m, part->kind, part->id)) {
        g_autofree char *quoted = plan_quote(part->id);

        return plan_fail(err, "-%s %s is given twice: use a different name for each", part->kind,
                         quoted);
    }
    g_hash_table_add(host_index(m), part);
    g_ptr_array_add(m->host, part);
    return true;
}

void plan_machine_remove_host(PlanMachine *m, PlanHostPart *part)
{
    g_hash_table_remove(host_index(m), part);
    g_ptr_array_remove(m->host, part);
}

const char *plan_device_name(const PlanDevice *d)
{
    return d->id ? d->id : d->place ? d->place : d->type;
}

PlanDevice *plan_find_device(const PlanMachine *m, const char *id)
{
    if (m->index) {
        return g_hash_table_lookup(m->index->devices, id);
    }
    for (guint i = 0; i < m->devices->len; i++) {
        PlanDevice *d = m->devices->pdata[i];

        if (g_strcmp0(d->id, id) == 0 || g_strcmp0(d->place, id) == 0) {
            return d;
        }
    }
    return NULL;
}
