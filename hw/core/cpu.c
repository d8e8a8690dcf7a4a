/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU types by name (contract in hw/core/cpu.h; accel/ runs the CPUs).
 */
#include "hw/core/cpu.h"

#include <inttypes.h>
#include <string.h>

#include "util/error.h"
#include "util/log.h"
#include "util/suggest.h"

const CpuType *cpu_type_find(const char *name)
{
    for (unsigned i = 0; cpu_types[i]; i++) {
        if (g_str_equal(cpu_types[i]->name, name)) {
            return cpu_types[i];
        }
    }
    return NULL;
}

/* --- the log --- */

#define CPU_LOG_REGISTERS 512

void cpu_log_reset(Cpu *cpu)
{
    g_autoptr(GString) text = NULL;
    CpuReg regs[CPU_LOG_REGISTERS];
    size_t n;

    if (!log_on(LOG_CPU_RESET) || !cpu->type->registers) {
        return;
    }
    text = g_string_new(NULL);
    n = MIN(cpu->type->registers(cpu, regs, CPU_LOG_REGISTERS), CPU_LOG_REGISTERS);
    for (size_t i = 0; i < n; i++) {
        g_string_append_printf(text, "%s %-12s %016" PRIx64, i % 4 ? "" : "\n", regs[i].name,
                               regs[i].value);
    }
    log_line("CPU Reset (CPU %u)%s", cpu->index, text->str);
}

/* --- models --- */

enum { CPU_UNSET = -1 };

static const char *cpu_prop_name(const void *type, size_t i)
{
    return ((const CpuType *)type)->props[i].name;
}

/* Return a property by its name or by QEMU's name for it. Versions of QEMU differ in upper and
 * lower case ("Zfh"). */
static const PlanProp *cpu_find_prop(const CpuType *t, const char *name)
{
    for (size_t i = 0; name && i < t->n_props; i++) {
        const PlanProp *p = &t->props[i];

        if (g_ascii_strcasecmp(p->name, name) == 0) {
            return p->same_as ? plan_find_prop(t->props, t->n_props, p->same_as) : p;
        }
    }
    return NULL;
}

/* Return the accepted values of a property, for messages. */
static char *cpu_prop_range(const PlanProp *p)
{
    if (p->kind != PLAN_PROP_BOOL) {
        return g_strdup_printf("%" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, (guint64)p->min,
                               (guint64)p->max);
    }
    return g_strdup(!(p->flags & PLAN_PROP_FIXED) ? "on and off" : p->def ? "on" : "off");
}

/* Parse one FEATURE=VALUE into values[], which has an element for each property of the type. */
static bool cpu_feature_parse(const CpuType *t, const char *item, int *values, GError **err)
{
    g_auto(GStrv) pair = g_strsplit(item, "=", 2);
    const PlanProp *p = cpu_find_prop(t, pair[0]);
    PlanValue v;

    if (!p) {
        g_autofree char *hint = suggest_hint_of(pair[0], cpu_prop_name, t, t->n_props);

        return error_set(err, ERROR_USER, "CPU %s has no property '%s'%s (-cpu %s,help lists them)",
                         t->name, pair[0], hint, t->name);
    }
    if (!plan_value_parse(p, pair[1] ? pair[1] : "", &v, NULL)) {
        g_autofree char *range = cpu_prop_range(p);

        return error_set(err, ERROR_USER, "CPU %s: property '%s' is '%s'; accepted: %s", t->name,
                         p->name, pair[1] ? pair[1] : "", range);
    }
    if ((p->flags & PLAN_PROP_FIXED) && v.b != (p->def != 0)) {
        return error_set(err, ERROR_USER, "CPU %s: property '%s' is always %s", t->name, p->name,
                         p->def ? "on" : "off");
    }
    values[p - t->props] = p->kind == PLAN_PROP_BOOL ? v.b : (int)v.u;
    return true;
}

static bool cpu_features_parse(const CpuType *t, const char *text, int *values, GError **err)
{
    g_auto(GStrv) items = g_strsplit(text ? text : "", ",", -1);

    for (size_t i = 0; i < t->n_props; i++) {
        values[i] = CPU_UNSET;
    }
    for (size_t i = 0; items[i]; i++) {
        if (*items[i] && !cpu_feature_parse(t, items[i], values, err)) {
            return false;
        }
    }
    return true;
}

char *cpu_model_canonical(const char *model, const char *defaults, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(model, ",", 2);
    const CpuType *t = cpu_type_find(parts[0] ? parts[0] : "");
    g_autofree int *given = NULL, *machine = NULL;
    GString *out;

    if (!t) {
        error_set(err, ERROR_USER, "there is no CPU type '%s' (-cpu help lists them)",
                  parts[0] ? parts[0] : "");
        return NULL;
    }
    given = g_new(int, t->n_props + 1);
    machine = g_new(int, t->n_props + 1);
    if (!cpu_features_parse(t, parts[1], given, err) ||
        !cpu_features_parse(t, defaults, machine, err)) {
        return NULL;
    }
    out = g_string_new(t->name);
    for (size_t i = 0; i < t->n_props; i++) {
        bool flag = t->props[i].kind == PLAN_PROP_BOOL;
        int def = machine[i] == CPU_UNSET ? (int)t->props[i].def : machine[i];

        if (given[i] == CPU_UNSET || given[i] == def) {
            continue;
        }
        g_string_append_printf(out, ",%s=", t->props[i].name);
        if (flag) {
            g_string_append(out, given[i] ? "on" : "off");
        } else {
            g_string_append_printf(out, "%u", (unsigned)given[i]);
        }
    }
    return g_string_free(out, FALSE);
}
