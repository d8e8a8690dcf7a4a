/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * query-stats and query-stats-schemas: counters of the virtual CPUs.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <string.h>

#include "hw/core/cpu.h"

#define STATS_PROVIDER "interp"

static uint64_t stats_retired(Cpu *cpu)
{
    return cpu->type->retired ? (uint64_t)cpu->type->retired(cpu) : 0;
}

static uint64_t stats_device_accesses(Cpu *cpu)
{
    return cpu->device_accesses;
}

static uint64_t stats_device_time(Cpu *cpu)
{
    return (uint64_t)cpu->device_ns;
}

static const struct VcpuStat {
    const char *name, *unit; /* unit NULL: a plain number */
    int exponent;            /* of 10 */
    uint64_t (*value)(Cpu *cpu);
} vcpu_stats[] = {
    { "retired", NULL, 0, stats_retired },
    { "device-accesses", NULL, 0, stats_device_accesses },
    { "device-time", "seconds", -9, stats_device_time },
};

static void stats_put(struct json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, json_object_new_string(value));
}

/* Return whether an array of strings is absent or contains @text. */
static bool stats_wanted(struct json_object *list, const char *text)
{
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        if (strcmp(json_object_get_string(json_object_array_get_idx(list, i)), text) == 0) {
            return true;
        }
    }
    return !list;
}

/* Set *names to the names that a query requests of the provider of this build; NULL: all. Return
 * false if the query does not request this provider. */
static bool stats_requested(struct json_object *args, struct json_object **names)
{
    struct json_object *list = json_object_object_get(args, "providers");

    *names = NULL;
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);

        if (strcmp(json_object_get_string(json_object_object_get(o, "provider")), STATS_PROVIDER) ==
            0) {
            *names = json_object_object_get(o, "names");
            return true;
        }
    }
    return !list;
}

static struct json_object *stats_of_cpu(Cpu *cpu, const char *path, struct json_object *names)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array();

    for (size_t i = 0; i < G_N_ELEMENTS(vcpu_stats); i++) {
        if (stats_wanted(names, vcpu_stats[i].name)) {
            struct json_object *stat = json_object_new_object();

            stats_put(stat, "name", vcpu_stats[i].name);
            json_object_object_add(stat, "value", json_object_new_uint64(vcpu_stats[i].value(cpu)));
            json_object_array_add(list, stat);
        }
    }
    stats_put(o, "provider", STATS_PROVIDER);
    stats_put(o, "qom-path", path);
    json_object_object_add(o, "stats", list);
    return o;
}

struct json_object *qmp_query_stats(Machine *m, struct json_object *args, GError **err)
{
    const char *target = json_object_get_string(json_object_object_get(args, "target"));
    struct json_object *list = json_object_new_array(), *names;

    if (!stats_requested(args, &names) || strcmp(target, "vcpu") != 0) {
        return list; /* there are no statistics of the machine */
    }
    for (guint i = 0; i < m->cpus->len; i++) {
        Cpu *cpu = m->cpus->pdata[i];
        g_autofree char *path = monitor_cpu_path(cpu);

        if (stats_wanted(json_object_object_get(args, "vcpus"), path)) {
            json_object_array_add(list, stats_of_cpu(cpu, path, names));
        }
    }
    return list;
}

static struct json_object *stats_schema(void)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array();

    for (size_t i = 0; i < G_N_ELEMENTS(vcpu_stats); i++) {
        struct json_object *stat = json_object_new_object();

        stats_put(stat, "name", vcpu_stats[i].name);
        stats_put(stat, "type", "cumulative");
        if (vcpu_stats[i].unit) {
            stats_put(stat, "unit", vcpu_stats[i].unit);
        }
        if (vcpu_stats[i].exponent) {
            json_object_object_add(stat, "base", json_object_new_int(10));
        }
        json_object_object_add(stat, "exponent", json_object_new_int(vcpu_stats[i].exponent));
        json_object_array_add(list, stat);
    }
    stats_put(o, "provider", STATS_PROVIDER);
    stats_put(o, "target", "vcpu");
    json_object_object_add(o, "stats", list);
    return o;
}

struct json_object *qmp_query_stats_schemas(Machine *m, const QmpQueryStatsSchemasArgs *args,
                                            GError **err)
{
    struct json_object *list = json_object_new_array();

    if (!args->has_provider || args->provider == QMP_STATS_PROVIDER_INTERP) {
        json_object_array_add(list, stats_schema());
    }
    return list;
}
