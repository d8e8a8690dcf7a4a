/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machine types that a site defines.
 */
#include "plan/internal.h"
#include "plan/site.h"

enum { SITE_BYTES = 1 << 20, SITE_VALUES = 1 << 16, SITE_ROWS = 4096 };

/* The device with this number among those of the types, from 1, gets this address. */
typedef struct SiteRule {
    char **types; /* patterns */
    unsigned number;
    char *bus; /* NULL: the root bus */
    PlanPciAddr addr;
} SiteRule;

struct PlanSite {
    char *name, *base;
    GPtrArray *properties; /* PlanSetting* */
    char **devices;
    GPtrArray *rules; /* SiteRule* */
};

static void site_rule_free(gpointer rule)
{
    SiteRule *r = rule;

    g_strfreev(r->types);
    g_free(r->bus);
    g_free(r);
}

void plan_site_free(PlanSite *s)
{
    if (s) {
        g_free(s->name);
        g_free(s->base);
        g_ptr_array_unref(s->properties);
        g_strfreev(s->devices);
        g_ptr_array_unref(s->rules);
        g_free(s);
    }
}

const char *plan_site_name(const PlanSite *s)
{
    return s->name;
}

/* --- reading --- */

/* Put a position in front of a message. Return false. */
static bool site_at(GError **err, const char *key)
{
    bool path = err && *err && strchr("[.:", (*err)->message[0]);

    g_prefix_error(err, "%s%s", key, path ? "" : " ");
    return false;
}

static bool site_at_index(GError **err, size_t i)
{
    g_autofree char *at = g_strdup_printf("[%zu]", i);

    return site_at(err, at);
}

static bool site_string(struct json_object *o, char **to, GError **err)
{
    const char *text;

    if (!plan_json_string(o, PLAN_NAME_MAX, &text, err)) {
        return false;
    }
    g_free(*to);
    *to = g_strdup(text);
    return *text || plan_fail(err, "must not be empty");
}

static bool site_strings(struct json_object *o, size_t max, char ***to, GError **err)
{
    size_t n = json_object_is_type(o, json_type_array) ? json_object_array_length(o) : 0;
    const char *text;

    if (!json_object_is_type(o, json_type_array) || n > SITE_ROWS) {
        return plan_fail(err, "must be a list of at most %d strings", SITE_ROWS);
    }
    g_strfreev(*to);
    *to = g_new0(char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (!plan_json_string(json_object_array_get_idx(o, i), max, &text, err)) {
            return site_at_index(err, i);
        }
        (*to)[i] = g_strdup(text);
    }
    return true;
}

static bool site_rule_member(SiteRule *r, const char *key, struct json_object *o, GError **err)
{
    const char *text;
    bool full;

    if (strcmp(key, "types") == 0) {
        return site_strings(o, PLAN_ID_MAX, &r->types, err);
    }
    if (strcmp(key, "number") == 0) {
        r->number = (unsigned)json_object_get_int(o);
        return (json_object_is_type(o, json_type_int) && json_object_get_int64(o) >= 1 &&
                json_object_get_int64(o) <= PLAN_DEVICES_MAX) ||
               plan_fail(err, "must be a number from 1 to %d", PLAN_DEVICES_MAX);
    }
    if (strcmp(key, "bus") == 0) {
        return site_string(o, &r->bus, err);
    }
    if (strcmp(key, "addr") == 0) {
        return plan_json_string(o, PLAN_ID_MAX, &text, err) &&
               (plan_addr_parse(text, &r->addr, &full, err) || site_at(err, ":")) &&
               (!full || plan_fail(err, "must be SLOT or SLOT.FUNCTION without a bus number"));
    }
    return plan_fail(err, "is an unknown key: known are types, number, bus, addr");
}

static bool site_rule(PlanSite *s, struct json_object *o, GError **err)
{
    SiteRule *r = g_new0(SiteRule, 1);

    r->number = 1;
    g_ptr_array_add(s->rules, r);
    if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, "types", NULL) ||
        !json_object_object_get_ex(o, "addr", NULL)) {
        return plan_fail(err, "must be an object with types and addr");
    }
    json_object_object_foreach(o, key, value)
    {
        if (!site_rule_member(r, key, value, err)) {
            g_autofree char *at = g_strndup(key, PLAN_ID_MAX);
            g_autofree char *quoted = plan_quote(at), *path = NULL;

            path = g_strdup_printf(".%.*s", (int)strlen(quoted) - 2, quoted + 1);
            return site_at(err, path);
        }
    }
    return true;
}

static bool site_rules(PlanSite *s, struct json_object *o, GError **err)
{
    size_t n =
        json_object_is_type(o, json_type_array) ? json_object_array_length(o) : SITE_ROWS + 1;

    if (n > SITE_ROWS) {
        return plan_fail(err, "must be a list of at most %d rules", SITE_ROWS);
    }
    for (size_t i = 0; i < n; i++) {
        if (!site_rule(s, json_object_array_get_idx(o, i), err)) {
            return site_at_index(err, i);
        }
    }
    return true;
}

static bool site_properties(PlanSite *s, struct json_object *o, GError **err)
{
    if (!json_object_is_type(o, json_type_object) ||
        json_object_object_length(o) > PLAN_SETTINGS_MAX) {
        return plan_fail(err, "must be an object of at most %d properties", PLAN_SETTINGS_MAX);
    }
    json_object_object_foreach(o, key, value)
    {
        g_autofree char *text = NULL;

        if (!plan_json_scalar(value, &text, err)) {
            g_autofree char *quoted = plan_quote(key);
            g_autofree char *path = g_strdup_printf(".%.*s", (int)strlen(quoted) - 2, quoted + 1);

            return site_at(err, path);
        }
        g_ptr_array_add(s->properties, plan_setting_new(key, text, true));
    }
    return true;
}

static bool site_member(PlanSite *s, const char *key, struct json_object *o, GError **err)
{
    if (strcmp(key, "backplane-machine-type") == 0) {
        return (json_object_is_type(o, json_type_int) &&
                json_object_get_int64(o) == PLAN_SITE_FORMAT) ||
               plan_fail(err, "must be %d", PLAN_SITE_FORMAT);
    }
    if (strcmp(key, "name") == 0) {
        return site_string(o, &s->name, err) && plan_check_id(s->name, err);
    }
    if (strcmp(key, "base") == 0) {
        return site_string(o, &s->base, err);
    }
    if (strcmp(key, "properties") == 0) {
        return site_properties(s, o, err);
    }
    if (strcmp(key, "devices") == 0) {
        return site_strings(o, PLAN_OPTION_MAX, &s->devices, err);
    }
    if (strcmp(key, "rules") == 0) {
        return site_rules(s, o, err);
    }
    return plan_fail(err, "is an unknown key: known are backplane-machine-type, name, base, "
                          "properties, devices, rules");
}

static bool site_read(PlanSite *s, struct json_object *o, GError **err)
{
    if (!json_object_is_type(o, json_type_object) ||
        !json_object_object_get_ex(o, "backplane-machine-type", NULL)) {
        return plan_fail(err, "not a machine type: \"backplane-machine-type\": %d is required",
                         PLAN_SITE_FORMAT);
    }
    json_object_object_foreach(o, key, value)
    {
        if (!site_member(s, key, value, err)) {
            g_autofree char *quoted = plan_quote(key);
            g_autofree char *path = g_strndup(quoted + 1, strlen(quoted) - 2);

            return site_at(err, path);
        }
    }
    return (s->name && s->base) || plan_fail(err, "name and base are required");
}

PlanSite *plan_site_from_text(const char *text, size_t len, GError **err)
{
    static const PlanJsonLimits limits = { SITE_BYTES, SITE_VALUES, PLAN_JSON_DEPTH };
    struct json_object *o = plan_json_read(text, len, "the machine type", &limits, err);
    PlanSite *s;

    if (!o) {
        return NULL;
    }
    s = g_new0(PlanSite, 1);
    s->properties = g_ptr_array_new_with_free_func(plan_setting_free);
    s->rules = g_ptr_array_new_with_free_func(site_rule_free);
    if (!site_read(s, o, err)) {
        g_clear_pointer(&s, plan_site_free);
    }
    json_object_put(o);
    return s;
}

PlanSite *plan_site_from_file(const char *path, GError **err)
{
    g_autofree char *text = NULL, *quoted = plan_quote(path);
    GError *error = NULL;
    PlanSite *s = NULL;
    gsize len;

    if (g_file_get_contents(path, &text, &len, &error)) {
        s = plan_site_from_text(text, len, &error);
    }
    if (error) {
        plan_fail(err, "machine type %s: %s", quoted, error->message);
        g_error_free(error);
    }
    return s;
}

/* --- applying --- */

static bool site_has_device(const PlanMachine *m, const char *id)
{
    for (guint i = 0; id && i < m->devices->len; i++) {
        if (g_strcmp0(((PlanDevice *)m->devices->pdata[i])->id, id) == 0) {
            return true;
        }
    }
    return false;
}

/* Return the devices of the definition that @m lacks; NULL with @err set. */
static GPtrArray *site_new_devices(const PlanSite *s, const PlanMachine *m, const PlanCatalog *c,
                                   GError **err)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)plan_device_free);

    for (size_t i = 0; s->devices && s->devices[i]; i++) {
        PlanDevice *d = plan_device_parse_known(s->devices[i], c, err);

        if (!d) {
            g_prefix_error(err, "machine type '%s': devices[%zu]: ", s->name, i);
            return NULL;
        }
        if (site_has_device(m, d->id)) {
            plan_device_free(d);
        } else {
            g_ptr_array_add(list, d);
        }
    }
    return g_steal_pointer(&list);
}

static bool site_matches(const SiteRule *r, const PlanDevice *d)
{
    for (char **pattern = r->types; pattern && *pattern; pattern++) {
        if (g_pattern_match_simple(*pattern, d->type)) {
            return true;
        }
    }
    return false;
}

static void site_apply_rule(const SiteRule *r, PlanMachine *m)
{
    unsigned n = 0;

    for (guint i = 0; i < m->devices->len; i++) {
        PlanDevice *d = m->devices->pdata[i];

        if (!site_matches(r, d) || ++n != r->number) {
            continue;
        }
        if (!d->has_addr && (!d->bus || g_strcmp0(d->bus, r->bus) == 0)) {
            d->bus = d->bus ? d->bus : g_strdup(r->bus);
            d->addr = r->addr;
            d->has_addr = true;
        }
        return;
    }
}

bool plan_site_apply(const PlanSite *s, PlanMachine *m, const PlanCatalog *c, GError **err)
{
    g_autoptr(GPtrArray) added = NULL;

    if (m->type && strcmp(m->type, s->name) != 0) {
        return true;
    }
    added = site_new_devices(s, m, c, err);
    if (!added) {
        return false;
    }
    g_free(m->type);
    m->type = g_strdup(s->base);
    for (guint i = 0; i < s->properties->len; i++) {
        const PlanSetting *p = s->properties->pdata[i];

        if (!plan_setting_find(m->settings, p->name)) {
            plan_machine_set(m, p->name, p->text);
        }
    }
    g_ptr_array_set_free_func(added, NULL); /* m owns them now */
    for (guint i = 0; i < added->len; i++) {
        g_ptr_array_insert(m->devices, (gint)i, added->pdata[i]);
    }
    for (guint i = 0; i < s->rules->len; i++) {
        site_apply_rule(s->rules->pdata[i], m);
    }
    return true;
}
