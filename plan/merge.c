/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One description laid over another: a command line over a file.
 */
#include "plan/internal.h"

static void merge_settings(GPtrArray *base, const GPtrArray *over)
{
    for (guint i = 0; i < over->len; i++) {
        const PlanSetting *s = over->pdata[i];

        if (s->given) {
            plan_settings_set(base, s->name, s->text);
        }
    }
}

/* Where base has a device of this id; its length if nowhere. */
static guint index_of(const GHashTable *ids, const PlanMachine *base, const char *id)
{
    gpointer at;

    return id && g_hash_table_lookup_extended((GHashTable *)ids, id, NULL, &at)
               ? GPOINTER_TO_UINT(at)
               : base->devices->len;
}

static void merge_devices(PlanMachine *base, PlanMachine *over)
{
    g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < base->devices->len; i++) {
        const PlanDevice *d = base->devices->pdata[i];

        if (d->id) {
            g_hash_table_insert(ids, g_strdup(d->id), GUINT_TO_POINTER(i));
        }
    }
    while (over->devices->len) {
        PlanDevice *d = g_ptr_array_steal_index(over->devices, 0);
        guint at = index_of(ids, base, d->id);

        if (at < base->devices->len) {
            plan_device_free(base->devices->pdata[at]);
            base->devices->pdata[at] = d;
        } else {
            g_ptr_array_add(base->devices, d);
        }
    }
}

static void merge_host(PlanMachine *base, PlanMachine *over)
{
    while (over->host->len) {
        PlanHostPart *part = g_ptr_array_steal_index(over->host, 0);
        PlanHostPart *old = plan_find_host(base, part->kind, part->id);

        if (old) {
            g_ptr_array_remove(base->host, old);
        }
        g_ptr_array_add(base->host, part);
    }
}

static void replace(char **text, char **by)
{
    if (*by) {
        g_free(*text);
        *text = g_steal_pointer(by);
    }
}

bool plan_merge(PlanMachine *base, const PlanMachine *over, GError **err)
{
    PlanMachine *copy = plan_machine_copy(over);

    if (base->devices->len + over->devices->len > PLAN_DEVICES_MAX) {
        plan_machine_free(copy);
        return plan_fail(err, "%u devices are more than the %d that a machine may have",
                         base->devices->len + over->devices->len, PLAN_DEVICES_MAX);
    }
    plan_index_free(base->index);
    base->index = NULL;
    replace(&base->type, &copy->type);
    replace(&base->cpu, &copy->cpu);
    base->cpus = copy->cpus ? copy->cpus : base->cpus;
    base->ram_size = copy->ram_size ? copy->ram_size : base->ram_size;
    merge_settings(base->settings, copy->settings);
    merge_devices(base, copy);
    merge_host(base, copy);
    while (copy->globals->len) {
        g_ptr_array_add(base->globals, g_ptr_array_steal_index(copy->globals, 0));
    }
    plan_machine_free(copy);
    return true;
}
