/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device and machine descriptors as a catalogue for plan/ (contract in hw/core/type_catalog.h).
 */
#include "hw/core/type_catalog.h"

#include <string.h>

/* Return the properties of the type and of its class in one table. */
static const PlanProp *all_props(const DeviceType *t, size_t *n)
{
    GArray *props = g_array_new(FALSE, TRUE, sizeof(PlanProp));
    PlanProp p;

    g_array_append_vals(props, t->props, (guint)t->n_props);
    for (size_t i = 0; t->kind && t->kind->prop; i++) {
        memset(&p, 0, sizeof(p));
        if (!t->kind->prop(t, i, &p)) {
            break;
        }
        g_array_append_val(props, p);
    }
    *n = props->len;
    return (const PlanProp *)g_array_free(props, FALSE);
}

static PlanType *describe(const DeviceType *t)
{
    PlanType *p = g_new0(PlanType, 1);

    if (t->kind && t->kind->describe) {
        t->kind->describe(t, p);
    }
    p->name = t->name;
    p->alias = t->alias;
    p->doc = t->doc;
    p->props = all_props(t, &p->n_props);
    p->hotpluggable = t->hotpluggable;
    p->user_creatable = !t->internal;
    return p;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const PlanType *const *)a)->name, (*(const PlanType *const *)b)->name);
}

static char *type_catalog_cpu_model(const PlanMachine *m, GError **err)
{
    for (size_t i = 0; board_types[i]; i++) {
        const BoardType *b = board_types[i];

        if (strcmp(b->plan.name, m->type) == 0 && b->cpu_features) {
            return cpu_model_canonical(m->cpu, b->cpu_features(m), err);
        }
    }
    return g_strdup(m->cpu);
}

PlanCatalog *type_catalog_new(void)
{
    PlanCatalog *c = g_new0(PlanCatalog, 1);
    const PlanType **types = g_new0(const PlanType *, n_device_types + 1);
    GPtrArray *machines = g_ptr_array_new();

    for (size_t i = 0; i < n_device_types; i++) {
        types[i] = describe(*device_type_entries[i]);
    }
    qsort(types, n_device_types, sizeof(*types), by_name);
    for (size_t i = 0; board_types[i]; i++) {
        g_ptr_array_add(machines, (void *)&board_types[i]->plan);
    }
    c->types = types;
    c->n_types = n_device_types;
    c->n_machines = machines->len;
    c->machines = (const PlanMachineType *const *)g_ptr_array_free(machines, FALSE);
    c->cpu_model = type_catalog_cpu_model;
    c->compats = board_compats;
    c->n_compats = n_board_compats;
    c->program = "backplane";
    c->version = BACKPLANE_VERSION;
    c->arch = "riscv64";
    return c;
}

void type_catalog_free(PlanCatalog *c)
{
    if (!c) {
        return;
    }
    for (size_t i = 0; i < c->n_types; i++) {
        g_free((void *)c->types[i]->props);
        g_free((void *)c->types[i]->bars); /* describe() allocated these two */
        g_free((void *)c->types[i]->caps);
        g_free((void *)c->types[i]);
    }
    g_free((void *)c->types);
    g_free((void *)c->machines);
    g_free(c);
}
