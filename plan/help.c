/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Help texts, generated from the catalogue.
 */
#include "plan/internal.h"

static int help_by_name(const void *a, const void *b)
{
    return strcmp((*(const PlanType *const *)a)->name, (*(const PlanType *const *)b)->name);
}

static const char *bus_word(const PlanType *t)
{
    return t->role != PLAN_PCI_NONE ? "PCI" : plan_bus_rule(t->plugs_into)->name;
}

char *plan_help_types(const PlanCatalog *c)
{
    g_autofree const PlanType **sorted = g_new(const PlanType *, c->n_types + 1);
    GString *out = g_string_new(NULL);

    memcpy(sorted, c->types, c->n_types * sizeof(*sorted));
    qsort(sorted, c->n_types, sizeof(*sorted), help_by_name);
    for (size_t i = 0; i < c->n_types; i++) {
        const PlanType *t = sorted[i];

        if (!t->user_creatable) {
            continue;
        }
        g_string_append_printf(out, "name \"%s\", bus %s", t->name, bus_word(t));
        if (t->alias) {
            g_string_append_printf(out, ", alias \"%s\"", t->alias);
        }
        if (t->doc) {
            g_string_append_printf(out, ", desc \"%s\"", t->doc);
        }
        g_string_append_c(out, '\n');
    }
    return g_string_free(out, FALSE);
}

static const char *kind_word(const PlanProp *p)
{
    static const char *const words[] = {
        [PLAN_PROP_BOOL] = "bool",         [PLAN_PROP_U8] = "uint8",
        [PLAN_PROP_U16] = "uint16",        [PLAN_PROP_U32] = "uint32",
        [PLAN_PROP_U64] = "uint64",        [PLAN_PROP_I32] = "int32",
        [PLAN_PROP_SIZE] = "size",         [PLAN_PROP_STRING] = "str",
        [PLAN_PROP_ENUM] = "enum",         [PLAN_PROP_ONOFF] = "on|off|auto",
        [PLAN_PROP_CAP] = "off|on|offset", [PLAN_PROP_MAC] = "mac",
        [PLAN_PROP_BACKEND] = "id",
    };

    return p->kind == PLAN_PROP_BACKEND && p->backend ? p->backend : words[p->kind];
}

/* Append one property. @compat: its default on the machine version, or NULL for the default of the
 * property. */
static void append_prop(GString *out, const PlanProp *p, const char *compat)
{
    g_autofree char *choices =
        p->kind == PLAN_PROP_ENUM ? g_strjoinv("|", (char **)p->choices) : NULL;
    g_autofree char *left = g_strdup_printf("%s=<%s>", p->name, choices ? choices : kind_word(p));
    g_autofree char *def = NULL;
    PlanValue v;

    plan_value_default(p, &v);
    def = compat ? g_strdup(compat) : p->kind == PLAN_PROP_MAC ? NULL : plan_value_format(p, &v);
    plan_value_clear(&v);
    g_string_append_printf(out, "  %-28s", left);
    if (p->doc) {
        g_string_append_printf(out, " - %s", p->doc);
    }
    if (p->flags & PLAN_PROP_REQUIRED) {
        g_string_append(out, " (required)");
    } else if (def) {
        g_string_append_printf(out, " (default: %s)", def);
    }
    /* no blanks at the end of a line */
    while (out->len && out->str[out->len - 1] == ' ') {
        g_string_truncate(out, out->len - 1);
    }
    g_string_append_c(out, '\n');
}

char *plan_help_type(const PlanType *t)
{
    GString *out = g_string_new(NULL);

    g_string_append_printf(out, "%s options:\n", t->name);
    if (t->role != PLAN_PCI_NONE) {
        g_string_append_printf(out,
                               "  %-28s - slot and function, as 05 or 05.1 (default: the "
                               "lowest free slot)\n",
                               "addr=<SLOT[.FUNCTION]>");
    }
    for (size_t i = 0; i < t->n_props; i++) {
        append_prop(out, &t->props[i], NULL);
    }
    return g_string_free(out, FALSE);
}

char *plan_help_machines(const PlanCatalog *c)
{
    GString *out = g_string_new("Supported machines are:\n");

    for (size_t i = 0; i < c->n_machines; i++) {
        const PlanMachineType *t = c->machines[i];
        const char *doc = t->doc ? t->doc : "";

        if (t->alias) {
            g_string_append_printf(out, "%-20s %s (alias of %s)\n", t->alias, doc, t->name);
        }
        g_string_append_printf(out, "%-20s %s%s\n", t->name, doc,
                               t->is_default ? " (default)" : "");
    }
    return g_string_free(out, FALSE);
}

char *plan_help_machine(const PlanCatalog *c, const PlanMachineType *t)
{
    GString *out = g_string_new(NULL);

    g_string_append_printf(out, "%s options:\n", t->name);
    for (size_t i = 0; i < t->n_props; i++) {
        append_prop(out, &t->props[i], plan_compat_value(c, t, NULL, t->props[i].name));
    }
    return g_string_free(out, FALSE);
}

char *plan_help_default_machine(const PlanCatalog *c)
{
    GString *out = g_string_new(NULL);
    const char *name = NULL;

    for (size_t i = 0; i < c->n_machines; i++) {
        const PlanMachineType *t = c->machines[i];

        name = t->is_default ? t->name : name;
        if (t->alias) {
            g_string_append_printf(out, "%s means %s\n", t->alias, t->name);
        }
    }
    if (name) {
        g_autofree char *line = g_strdup_printf("default machine: %s\n", name);

        g_string_prepend(out, line);
    } else {
        g_string_prepend(out, "default machine: none; use -M to choose one\n");
    }
    return g_string_free(out, FALSE);
}
