/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A catalogue as C source. The emulator prints its catalogue at build time, and backplane-plan is
 * linked with it.
 */
#include "plan/internal.h"

static void put_string(GString *out, const char *text)
{
    g_autofree char *escaped = text ? g_strescape(text, NULL) : NULL;

    g_string_append_printf(out, escaped ? "\"%s\", " : "NULL, ", escaped);
}

static void put_number(GString *out, uint64_t n)
{
    g_string_append_printf(out, "%" G_GUINT64_FORMAT "ull, ", n);
}

static void put_choices(GString *out, const char *name, size_t i, const char *const *choices)
{
    g_string_append_printf(out, "static const char *const %s_%zu[] = { ", name, i);
    for (; *choices; choices++) {
        put_string(out, *choices);
    }
    g_string_append(out, "NULL };\n");
}

static void put_props(GString *out, const char *name, const PlanProp *props, size_t n)
{
    g_autofree char *choices = g_strdup_printf("%s_choices", name);

    for (size_t i = 0; i < n; i++) {
        if (props[i].choices) {
            put_choices(out, choices, i, props[i].choices);
        }
    }
    g_string_append_printf(out, "static const PlanProp %s_props[] = {\n", name);
    for (size_t i = 0; i < n; i++) {
        const PlanProp *p = &props[i];

        g_string_append(out, "    { ");
        put_string(out, p->name);
        g_string_append_printf(out, "%d, %u, 0, ", p->kind, p->flags);
        put_number(out, p->def);
        put_number(out, p->min);
        put_number(out, p->max);
        put_string(out, p->def_str);
        if (p->choices) {
            g_string_append_printf(out, "%s_%zu, ", choices, i);
        } else {
            g_string_append(out, "NULL, ");
        }
        put_string(out, p->implied);
        put_string(out, p->backend);
        put_string(out, p->doc);
        g_string_append(out, "},\n");
    }
    g_string_append(out, "    { NULL }\n};\n"); /* C has no empty arrays */
}

static void put_bars(GString *out, const char *name, const PlanType *t)
{
    g_string_append_printf(out, "static const PlanBar %s_bars[] = {\n", name);
    for (size_t i = 0; i < t->n_bars; i++) {
        const PlanBar *b = &t->bars[i];

        g_string_append_printf(out, "    { %u, %d, %d, %d, ", b->index, b->io, b->is64,
                               b->prefetch);
        put_number(out, b->size);
        put_string(out, b->size_prop);
        put_string(out, b->if_prop);
        put_string(out, b->unless_prop);
        put_string(out, b->vectors_prop);
        g_string_append_printf(out, "%u, { %u, { ", b->vectors, b->auto_vectors.base);
        put_string(out, b->auto_vectors.prop[0]);
        put_string(out, b->auto_vectors.prop[1]);
        g_string_append_printf(out, "}, { %u, %u } } },\n", b->auto_vectors.times[0],
                               b->auto_vectors.times[1]);
    }
    g_string_append(out, "    { 0 }\n};\n");
}

static void put_caps(GString *out, const char *name, const PlanType *t)
{
    g_string_append_printf(out, "static const PlanCapability %s_caps[] = {\n", name);
    for (size_t i = 0; i < t->n_caps; i++) {
        const PlanCapability *c = &t->caps[i];

        g_string_append_printf(out, "    { %u, %d, %d, %u, ", c->id, c->extended, c->required,
                               c->length);
        put_string(out, c->prop);
        g_string_append(out, "},\n");
    }
    g_string_append(out, "    { 0 }\n};\n");
}

static void put_type(GString *out, size_t i, const PlanType *t)
{
    g_autofree char *name = g_strdup_printf("type%zu", i);

    put_props(out, name, t->props, t->n_props);
    put_bars(out, name, t);
    put_caps(out, name, t);
    g_string_append_printf(out, "static const PlanType %s = {\n    ", name);
    put_string(out, t->name);
    put_string(out, t->alias);
    put_string(out, t->doc);
    g_string_append_printf(
        out, "%s_props, %zu, %d, %d, %u, %d, %d, %d, %s_bars, %zu, %s_caps, %zu, %u, ", name,
        t->n_props, t->plugs_into, t->role, t->slots, t->provides, t->hotpluggable,
        t->user_creatable, name, t->n_bars, name, t->n_caps, t->pin);
    g_string_append_printf(out, "%u, %u, %u, %u, ", t->class_code, t->msi_vectors, t->link_speed,
                           t->link_width);
    put_string(out, t->link_speed_prop);
    put_string(out, t->link_width_prop);
    put_string(out, t->plain_prop);
    g_string_append(out, "\n};\n\n");
}

static void put_machine(GString *out, size_t i, const PlanMachineType *t)
{
    g_autofree char *name = g_strdup_printf("machine%zu", i);

    put_props(out, name, t->props, t->n_props);
    if (t->implicit) {
        put_choices(out, "implicit", i, t->implicit);
    }
    if (t->defaults) {
        put_choices(out, "defaults", i, t->defaults);
    }
    g_string_append_printf(out, "static const PlanMachineType %s = {\n    ", name);
    put_string(out, t->name);
    put_string(out, t->alias);
    put_string(out, t->doc);
    g_string_append_printf(out, "%d, ", t->is_default);
    put_string(out, t->default_cpu);
    put_string(out, t->default_ram_id);
    g_string_append_printf(out, "%u, ", t->max_cpus);
    put_number(out, t->default_ram);
    g_string_append_printf(out, "%s_props, %zu, ", name, t->n_props);
    put_string(out, t->root_bus);
    g_string_append_printf(out, "%d, ", t->root_kind);
    if (t->implicit) {
        g_string_append_printf(out, "implicit_%zu", i);
    } else {
        g_string_append(out, "NULL");
    }
    g_string_append(out, ", { ");
    for (unsigned r = 0; r < PLAN_RESOURCES; r++) {
        put_number(out, t->window[r]);
    }
    g_string_append(out, "}, ");
    put_string(out, t->newer);
    put_string(out, t->mmio_bus);
    g_string_append_printf(out, "%u, %u, ", t->n_mmio_buses, t->msi_per_cpu);
    put_string(out, t->msi_if);
    if (t->defaults) {
        g_string_append_printf(out, "defaults_%zu, ", i);
    } else {
        g_string_append(out, "NULL, ");
    }
    g_string_append_printf(out, "%d, %u\n};\n\n", t->root_hotplug, t->max_nodes);
}

static void put_index(GString *out, const char *type, const char *each, size_t n)
{
    g_string_append_printf(out, "static const %s *const %ss[] = { ", type, each);
    for (size_t i = 0; i < n; i++) {
        g_string_append_printf(out, "&%s%zu, ", each, i);
    }
    g_string_append(out, "NULL };\n");
}

static void put_absent(GString *out, const PlanCatalog *c)
{
    g_string_append(out, "static const PlanAbsent absent[] = {\n");
    for (size_t i = 0; i < c->n_absent; i++) {
        g_string_append(out, "    { ");
        put_string(out, c->absent[i].pattern);
        put_string(out, c->absent[i].feature);
        put_string(out, c->absent[i].instead);
        g_string_append(out, "},\n");
    }
    g_string_append(out, "    { NULL }\n};\n\n");
}

char *plan_catalog_to_c(const PlanCatalog *c)
{
    GString *out = g_string_new("/* Printed by the emulator: -show catalog-c. */\n"
                                "#include \"plan/catalog.h\"\n\n");

    for (size_t i = 0; i < c->n_types; i++) {
        put_type(out, i, c->types[i]);
    }
    for (size_t i = 0; i < c->n_machines; i++) {
        put_machine(out, i, c->machines[i]);
    }
    put_index(out, "PlanType", "type", c->n_types);
    put_index(out, "PlanMachineType", "machine", c->n_machines);
    g_string_append(out, "static const PlanCompat compats[] = {\n");
    for (size_t i = 0; i < c->n_compats; i++) {
        g_string_append(out, "    { ");
        put_string(out, c->compats[i].machine);
        put_string(out, c->compats[i].type);
        put_string(out, c->compats[i].prop);
        put_string(out, c->compats[i].value);
        g_string_append(out, "},\n");
    }
    g_string_append(out, "    { NULL }\n};\n");
    put_absent(out, c);
    g_string_append_printf(out,
                           "const PlanCatalog plan_catalog = {\n"
                           "    types, %zu, machines, %zu, compats, %zu, absent, %zu, ",
                           c->n_types, c->n_machines, c->n_compats, c->n_absent);
    put_string(out, c->program);
    put_string(out, c->version);
    put_string(out, c->arch);
    g_string_append(out, "\n};\n");
    return g_string_free(out, FALSE);
}
