/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policies: the preferences of a device from the request, the rules of a policy and the built-in
 * defaults, and the built-in policies.
 */
#include "plan/policy_internal.h"

static const char *const wish_words[] = { NULL, "any", "required", "avoid", NULL };
static const char *const line_words[] = { NULL, "any", "own", NULL };
static const char *const link_words[] = { NULL, "either", "express", "conventional", NULL };
static const char *const sharing_words[] = { NULL, "exclusive", "shared", NULL };

typedef enum PrefKind { PREF_WORD, PREF_NUMA, PREF_SLOT, PREF_ID } PrefKind;
static const struct PrefRow {
    const char *key;
    PrefKind kind;
    size_t at;
    const char *const *words; /* from index 1 */
    const char *accepts;
} pref_rows[] = {
    { "hotplug", PREF_WORD, offsetof(PlanPrefs, hotplug), wish_words, "required, any or avoid" },
    { "link", PREF_WORD, offsetof(PlanPrefs, link), link_words, "express, conventional or either" },
    { "numa", PREF_NUMA, offsetof(PlanPrefs, numa), NULL, "a node from 0 to 127, or any" },
    { "slot", PREF_WORD, offsetof(PlanPrefs, sharing), sharing_words, "exclusive or shared" },
    { "interrupt", PREF_WORD, offsetof(PlanPrefs, own_line), line_words, "own or any" },
    { "at", PREF_SLOT, offsetof(PlanPrefs, slot), NULL, "a slot from 00 to 1f" },
    { "near", PREF_ID, offsetof(PlanPrefs, near), NULL, "the id of a device" },
    { "apart", PREF_ID, offsetof(PlanPrefs, apart), NULL, "the id of a device" },
};

void plan_prefs_init(PlanPrefs *p)
{
    *p = (PlanPrefs){ .numa = PLAN_NUMA_UNSET, .slot = PLAN_SLOT_ANY };
}

void plan_prefs_clear(PlanPrefs *p)
{
    g_clear_pointer(&p->near, g_free);
    g_clear_pointer(&p->apart, g_free);
}

static const struct PrefRow *prefs_row(const char *key)
{
    for (size_t i = 0; i < G_N_ELEMENTS(pref_rows); i++) {
        if (strcmp(pref_rows[i].key, key) == 0) {
            return &pref_rows[i];
        }
    }
    return NULL;
}

static bool prefs_word(const struct PrefRow *row, const char *value, unsigned *to)
{
    for (unsigned i = 1; row->words[i]; i++) {
        if (strcmp(row->words[i], value) == 0) {
            *to = i;
            return true;
        }
    }
    return false;
}

static bool prefs_value(const struct PrefRow *row, const char *value, void *at)
{
    PlanPciAddr addr;
    gint64 node;

    switch (row->kind) {
    case PREF_WORD:
        return prefs_word(row, value, at);
    case PREF_NUMA:
        if (strcmp(value, "any") == 0) {
            *(int *)at = PLAN_NUMA_ANY;
            return true;
        }
        if (!g_ascii_string_to_signed(value, 10, 0, PREFS_NODES - 1, &node, NULL)) {
            return false;
        }
        *(int *)at = (int)node;
        return true;
    case PREF_SLOT:
        if (strchr(value, ':') || strchr(value, '.') ||
            !plan_addr_parse(value, &addr, NULL, NULL)) {
            return false;
        }
        *(int *)at = addr.slot;
        return true;
    default:
        if (!*value || strlen(value) > PLAN_NAME_MAX) {
            return false;
        }
        g_free(*(char **)at);
        *(char **)at = g_strdup(value);
        return true;
    }
}

bool plan_prefs_set(PlanPrefs *p, const char *key, const char *value, GError **err)
{
    const struct PrefRow *row = prefs_row(key);
    g_autofree char *quoted = plan_quote(row ? value : key);

    if (!row) {
        return plan_fail(err,
                         "there is no preference %s: known are hotplug, link, numa, slot, "
                         "interrupt, at, near and apart",
                         quoted);
    }
    return prefs_value(row, value, (char *)p + row->at) ||
           plan_fail(err, "%s=%s is not accepted: use %s", row->key, quoted, row->accepts);
}

bool plan_prefs_parse(PlanPrefs *p, const char *text, GError **err)
{
    struct json_object *o;
    bool ok = true;

    plan_prefs_init(p);
    o = plan_options_parse(text, NULL, err);
    if (!o) {
        return false;
    }
    json_object_object_foreach(o, key, value)
    {
        const char *word = json_object_is_type(value, json_type_string) ||
                                   json_object_is_type(value, json_type_int)
                               ? json_object_get_string(value)
                               : "";

        if (!plan_prefs_set(p, key, word, err)) {
            ok = false;
            break;
        }
    }
    json_object_put(o);
    return ok;
}

void plan_prefs_to_json(const PlanPrefs *p, struct json_object *o)
{
    for (size_t i = 0; i < G_N_ELEMENTS(pref_rows); i++) {
        const struct PrefRow *row = &pref_rows[i];
        const void *at = (const char *)p + row->at;
        struct json_object *value = NULL;
        int n = row->kind == PREF_ID ? 0 : *(const int *)at;

        if (row->kind == PREF_WORD && n > 0) {
            value = json_object_new_string(row->words[n]);
        } else if (row->kind == PREF_NUMA && n >= 0) {
            value = json_object_new_int(n);
        } else if (row->kind == PREF_NUMA && n == PLAN_NUMA_ANY) {
            value = json_object_new_string("any");
        } else if (row->kind == PREF_SLOT && n >= 0) {
            g_autofree char *slot = g_strdup_printf("%02x", (unsigned)n);

            value = json_object_new_string(slot);
        } else if (row->kind == PREF_ID && *(char *const *)at) {
            value = json_object_new_string(*(char *const *)at);
        }
        if (value) {
            json_object_object_add(o, row->key, value);
        }
    }
}

/* Set the members of @to that are unset to those of @from. */
static void prefs_complete(PlanPrefs *to, const PlanPrefs *from)
{
    to->hotplug = to->hotplug ? to->hotplug : from->hotplug;
    to->link = to->link ? to->link : from->link;
    to->numa = to->numa != PLAN_NUMA_UNSET ? to->numa : from->numa;
    to->sharing = to->sharing ? to->sharing : from->sharing;
    to->own_line = to->own_line ? to->own_line : from->own_line;
    to->slot = to->slot != PLAN_SLOT_ANY ? to->slot : from->slot;
    to->near = to->near ? to->near : g_strdup(from->near);
    to->apart = to->apart ? to->apart : g_strdup(from->apart);
}

/* --- classes of devices --- */

static const struct {
    const char *name, *backend; /* of the types without a class code */
    uint8_t base;
} policy_classes[] = {
    { "storage", "drive", 0x01 }, { "network", "netdev", 0x02 }, { "display", NULL, 0x03 },
    { "multimedia", NULL, 0x04 }, { "bridge", NULL, 0x06 },      { "communication", NULL, 0x07 },
    { "serial-bus", NULL, 0x0c }, { "other", NULL, 0xff },
};

bool plan_policy_class_ok(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(policy_classes); i++) {
        if (strcmp(policy_classes[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool policy_has_backend(const PlanType *t, const char *backend)
{
    for (size_t i = 0; i < t->n_props; i++) {
        if (t->props[i].kind == PLAN_PROP_BACKEND && strcmp(t->props[i].backend, backend) == 0) {
            return true;
        }
    }
    return false;
}

/* Return the class of a type: from its class code or, without one, from its back end. */
static const char *policy_class_of(const PlanType *t)
{
    for (size_t i = 0; i < G_N_ELEMENTS(policy_classes); i++) {
        if (t->class_code
                ? t->class_code >> 16 == policy_classes[i].base
                : policy_classes[i].backend && policy_has_backend(t, policy_classes[i].backend)) {
            return policy_classes[i].name;
        }
    }
    return "other";
}

static bool policy_rule_matches(const PolicyRule *r, const PlanType *t, const char *id)
{
    return (!r->class_name || strcmp(r->class_name, policy_class_of(t)) == 0) &&
           (!r->type || g_pattern_match_simple(r->type, t->name)) &&
           (!r->id || g_strcmp0(r->id, id) == 0);
}

/* Complete preferences: what follows from the type, and the built-in defaults. */
static void policy_default(const PlanType *t, const PlanPrefs *given, PlanPrefs *out)
{
    static const PlanPrefs defaults = { .hotplug = PLAN_WISH_ANY,
                                        .link = PLAN_LINK_EITHER,
                                        .numa = PLAN_NUMA_ANY,
                                        .sharing = PLAN_SHARING_EXCLUSIVE,
                                        .own_line = PLAN_WISH_ANY,
                                        .slot = PLAN_SLOT_ANY };
    bool asked = given && given->hotplug;

    if (!asked && out->hotplug == PLAN_WISH_REQUIRED && !t->hotpluggable) {
        out->hotplug = PLAN_WISH_ANY;
    }
    prefs_complete(out, &defaults);
}

void plan_policy_prefs(const PlanPolicy *p, const PlanType *t, const char *id,
                       const PlanPrefs *given, PlanPrefs *out)
{
    plan_prefs_init(out);
    if (given) {
        prefs_complete(out, given);
    }
    /* The last matching rule has priority. */
    for (guint i = p->rules->len; i > 0; i--) {
        const PolicyRule *r = p->rules->pdata[i - 1];

        if (policy_rule_matches(r, t, id)) {
            prefs_complete(out, &r->prefs);
        }
    }
    policy_default(t, given, out);
}

/* --- built-in policies --- */

static const struct {
    const char *name, *text;
} policy_builtin[] = {
    { "default",
      "{\"backplane-policy\": 1, \"spare-ports\": 1, \"switch-ports\": 8, \"bridges\": 7,"
      " \"port-slots\": 8, \"root-buses\": 32,"
      " \"growth\": [\"root-port\", \"switch\", \"bridge\", \"extra-root\"],"
      " \"strict\": [\"io\"], \"devices\": ["
      "{\"class\": \"network\", \"hotplug\": \"required\"},"
      "{\"class\": \"storage\", \"hotplug\": \"required\"}]}" },
    { "hotplug", "{\"backplane-policy\": 1, \"base\": \"default\", \"port-slots\": 24,"
                 " \"devices\": [{\"hotplug\": \"required\"}]}" },
    { "static", "{\"backplane-policy\": 1, \"base\": \"default\","
                " \"port-slots\": 1, \"devices\": [{\"hotplug\": \"any\"}]}" },
    { "dense", "{\"backplane-policy\": 1, \"base\": \"static\", \"strict\": [],"
               " \"growth\": [\"bridge\", \"root-port\", \"switch\", \"extra-root\"],"
               " \"devices\": [{\"hotplug\": \"any\", \"slot\": \"shared\"}]}" },
};

const char *plan_policy_name(size_t i)
{
    return i < G_N_ELEMENTS(policy_builtin) ? policy_builtin[i].name : NULL;
}

PlanPolicy *plan_policy_builtin(const char *name, GError **err)
{
    g_autofree char *quoted = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(policy_builtin); i++) {
        if (strcmp(policy_builtin[i].name, name) == 0) {
            return plan_policy_from_text(policy_builtin[i].text, strlen(policy_builtin[i].text),
                                         err);
        }
    }
    quoted = plan_quote(name);
    plan_fail(err,
              "there is no policy %s: use default, hotplug, static, dense, or the path of a file, "
              "which contains '/' or '.'",
              quoted);
    return NULL;
}

PlanPolicy *plan_policy_load(const char *name, GError **err)
{
    g_autofree char *text = NULL, *quoted = NULL;
    PlanPolicy *p = NULL;
    GError *error = NULL;
    gsize len;

    if (!strpbrk(name, "/.")) {
        return plan_policy_builtin(name, err);
    }
    if (g_file_get_contents(name, &text, &len, &error)) {
        p = plan_policy_from_text(text, len, &error);
    }
    if (error) {
        quoted = plan_quote(name);
        plan_fail(err, "policy %s: %s", quoted, error->message);
        g_error_free(error);
    }
    return p;
}

static void policy_rule_free(gpointer rule)
{
    PolicyRule *r = rule;

    g_free(r->class_name);
    g_free(r->type);
    g_free(r->id);
    plan_prefs_clear(&r->prefs);
    g_free(r);
}

enum { POLICY_SWITCH_PORTS = 8, POLICY_ROOT_BUSES = 32 };

PlanPolicy *plan_policy_new(void)
{
    PlanPolicy *p = g_new0(PlanPolicy, 1);

    p->switch_ports = POLICY_SWITCH_PORTS;
    p->root_buses = POLICY_ROOT_BUSES;
    p->rules = g_ptr_array_new_with_free_func(policy_rule_free);
    return p;
}

void plan_policy_free(PlanPolicy *p)
{
    if (p) {
        for (unsigned i = 0; i < POLICY_CONTROLLERS; i++) {
            g_free(p->type[i]);
        }
        g_ptr_array_unref(p->rules);
        g_free(p);
    }
}

PlanReserve plan_policy_reserve(const PlanPolicy *p)
{
    return p->reserve;
}

bool plan_policy_grows(const PlanPolicy *p, PlanGrowKind kind)
{
    for (unsigned i = 0; i < p->n_growth; i++) {
        if (p->growth[i] == kind) {
            return true;
        }
    }
    return false;
}
