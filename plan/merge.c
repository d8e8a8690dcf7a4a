/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Merging descriptions: a command line into a file, and files that each
 * describe a part of a machine.
 *
 * A device of the command line with the id of a device in the file replaces the properties that it
 * names and keeps the others. Files have equal rank: two values of one property are an error, which
 * names the property.
 */
#include "plan/exchange.h"
#include "plan/internal.h"

/* --- devices by id, or by bus and address --- */

static char *merge_device_key(const PlanDevice *d, bool anonymous)
{
    g_autofree char *addr = NULL;

    if (d->id) {
        return g_strdup(d->id);
    }
    if (!anonymous || !d->bus || !d->has_addr) {
        return NULL;
    }
    addr = plan_addr_format(&d->addr, d->full_addr);
    return g_strconcat(d->bus, "/", addr, NULL);
}

static GHashTable *devices_by_key(const PlanMachine *m, bool anonymous)
{
    GHashTable *keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < m->devices->len; i++) {
        char *key = merge_device_key(m->devices->pdata[i], anonymous);

        if (key) {
            g_hash_table_insert(keys, key, m->devices->pdata[i]);
        }
    }
    return keys;
}

static PlanDevice *take_device(PlanMachine *m, GHashTable *keys, const PlanDevice *d,
                               bool anonymous)
{
    g_autofree char *key = merge_device_key(d, anonymous);

    return key ? g_hash_table_lookup(keys, key) : NULL;
}

static bool same_type(const PlanCatalog *c, const char *a, const char *b)
{
    const PlanType *t = c ? plan_find_type(c, a) : NULL;

    return g_strcmp0(a, b) == 0 || (t && t == plan_find_type(c, b));
}

static bool check_count(const PlanMachine *base, const PlanMachine *over, GError **err)
{
    return base->devices->len + over->devices->len <= PLAN_DEVICES_MAX ||
           plan_fail(err, "%u devices are too many: a machine may have at most %d",
                     base->devices->len + over->devices->len, PLAN_DEVICES_MAX);
}

/* --- a command line over a file --- */

static void merge_settings(GPtrArray *base, const GPtrArray *over)
{
    for (guint i = 0; i < over->len; i++) {
        const PlanSetting *s = over->pdata[i];

        if (s->given) {
            plan_settings_set(base, s->name, s->text);
        }
    }
}

/* Merge @over into @d. If the type changes, the place is kept and the properties are discarded,
 * because they belong to the old type. */
static void merge_device(PlanDevice *d, PlanDevice *over, const PlanCatalog *c)
{
    bool moved = over->bus && g_strcmp0(over->bus, d->bus) != 0;

    if (!same_type(c, d->type, over->type)) {
        g_free(d->type);
        d->type = g_steal_pointer(&over->type);
        d->t = NULL;
        g_ptr_array_set_size(d->settings, 0);
    }
    if (over->bus) {
        g_free(d->bus);
        d->bus = g_steal_pointer(&over->bus);
    }
    if (over->has_addr || moved) {
        d->has_addr = over->has_addr;
        d->full_addr = over->full_addr;
        d->addr = over->addr;
    }
    merge_settings(d->settings, over->settings);
}

static void merge_devices(PlanMachine *base, PlanMachine *over, const PlanCatalog *c)
{
    g_autoptr(GHashTable) keys = devices_by_key(base, false);

    for (guint i = 0; i < over->devices->len; i++) {
        PlanDevice *d = over->devices->pdata[i], *old = take_device(base, keys, d, false);

        over->devices->pdata[i] = NULL;
        if (old) {
            merge_device(old, d, c);
            plan_device_free(d);
        } else {
            g_ptr_array_add(base->devices, d);
        }
    }
    g_ptr_array_set_size(over->devices, 0);
}

static void merge_host(PlanMachine *base, PlanMachine *over)
{
    g_ptr_array_set_free_func(over->host, NULL); /* base owns the parts now */
    for (guint i = 0; i < over->host->len; i++) {
        PlanHostPart *part = over->host->pdata[i];
        PlanHostPart *old = plan_find_host(base, part->kind, part->id);

        if (old) {
            plan_machine_remove_host(base, old);
        }
        plan_machine_add_host(base, part, NULL);
    }
    g_ptr_array_set_size(over->host, 0);
}

static void merge_replace(char **text, char **by)
{
    if (*by) {
        g_free(*text);
        *text = g_steal_pointer(by);
    }
}

bool plan_merge(PlanMachine *base, const PlanMachine *over, const PlanCatalog *c, GError **err)
{
    PlanMachine *copy;

    if (!check_count(base, over, err)) {
        return false;
    }
    copy = plan_machine_copy(over);
    plan_index_free(base->index);
    base->index = NULL;
    merge_replace(&base->type, &copy->type);
    merge_replace(&base->cpu, &copy->cpu);
    merge_replace(&base->name, &copy->name);
    merge_replace(&base->uuid, &copy->uuid);
    merge_replace(&base->rtc, &copy->rtc);
    base->cpus = copy->cpus ? copy->cpus : base->cpus;
    base->ram_size = copy->ram_size ? copy->ram_size : base->ram_size;
    if (copy->n_nodes) {
        plan_nodes_copy(base, copy);
        plan_node_memory_set(base, copy->node_memory);
    }
    merge_settings(base->settings, copy->settings);
    merge_devices(base, copy, c);
    merge_host(base, copy);
    while (copy->globals->len) {
        g_ptr_array_add(base->globals, g_ptr_array_steal_index(copy->globals, 0));
    }
    plan_machine_free(copy);
    return true;
}

/* --- combining files --- */

/* Set an error as "the machine: property 'aia' is 'none' in one file and 'aplic' in another".
 * Return false. */
static bool merge_differ_fail(const char *subject, const char *what, const char *a, const char *b,
                              GError **err)
{
    g_autofree char *x = a ? plan_quote(a) : g_strdup("unset");
    g_autofree char *y = b ? plan_quote(b) : g_strdup("unset");

    return plan_fail(err, "%s: %s is %s here and %s in an earlier file", subject, what, y, x);
}

static bool combine_text(char **base, char **other, const char *what, GError **err)
{
    if (*base && *other && strcmp(*base, *other) != 0) {
        return merge_differ_fail("the machine", what, *base, *other, err);
    }
    if (!*base) {
        *base = g_steal_pointer(other);
    }
    return true;
}

/* Combine the machine types. A name and its alias are equal. */
static bool combine_type(PlanMachine *base, PlanMachine *other, const PlanCatalog *c, GError **err)
{
    const PlanMachineType *t = c && base->type ? plan_find_machine(c, base->type) : NULL;

    if (t && other->type && t == plan_find_machine(c, other->type)) {
        return true;
    }
    return combine_text(&base->type, &other->type, "machine", err);
}

static bool combine_number(uint64_t base, uint64_t other, const char *what, GError **err)
{
    g_autofree char *a = g_strdup_printf("%" G_GUINT64_FORMAT, base);
    g_autofree char *b = g_strdup_printf("%" G_GUINT64_FORMAT, other);

    return !base || !other || base == other || merge_differ_fail("the machine", what, a, b, err);
}

static bool combine_nodes(PlanMachine *base, const PlanMachine *other, GError **err)
{
    g_autofree char *a = plan_nodes_text(base), *b = plan_nodes_text(other);

    if (base->n_nodes && other->n_nodes && strcmp(a, b) != 0) {
        return merge_differ_fail("the machine", "NUMA nodes", a, b, err);
    }
    if (other->n_nodes) {
        plan_nodes_copy(base, other);
    }
    if (other->node_memory) {
        plan_node_memory_set(base, other->node_memory);
    }
    return true;
}

/* Return whether two texts have the same value, for example "on" and "true", or "4K" and "4096". */
static bool same_value(const PlanProp *p, const char *a, const char *b)
{
    PlanValue x, y;
    bool same = g_strcmp0(a, b) == 0;

    if (same || !p || !a || !b || !plan_value_parse(p, a, &x, NULL)) {
        return same;
    }
    if (plan_value_parse(p, b, &y, NULL)) {
        same = plan_value_equal(&x, &y);
        plan_value_clear(&y);
    }
    plan_value_clear(&x);
    return same;
}

bool plan_settings_combine(GPtrArray *base, const GPtrArray *other, const char *subject,
                           const PlanProp *props, size_t n, GError **err)
{
    for (guint i = 0; i < other->len; i++) {
        const PlanSetting *s = other->pdata[i], *old = plan_setting_find(base, s->name);

        if (!old) {
            plan_settings_set(base, s->name, s->text);
        } else if (!same_value(plan_find_prop(props, n, s->name), old->text, s->text)) {
            g_autofree char *name = plan_quote(s->name);
            g_autofree char *what = g_strdup_printf("property %s", name);

            return merge_differ_fail(subject, what, old->text, s->text, err);
        }
    }
    return true;
}

static bool combine_place(PlanDevice *d, PlanDevice *other, const char *label, GError **err)
{
    g_autofree char *a = d->has_addr ? plan_addr_format(&d->addr, d->full_addr) : NULL;
    g_autofree char *b = other->has_addr ? plan_addr_format(&other->addr, other->full_addr) : NULL;

    if (d->bus && other->bus && strcmp(d->bus, other->bus) != 0) {
        return merge_differ_fail(label, "bus", d->bus, other->bus, err);
    }
    if (a && b && strcmp(a, b) != 0) {
        return merge_differ_fail(label, "addr", a, b, err);
    }
    if (!d->bus) {
        d->bus = g_steal_pointer(&other->bus);
    }
    if (b) {
        d->has_addr = true;
        d->addr = other->addr;
        d->full_addr = other->full_addr;
    }
    return true;
}

static bool combine_device(PlanDevice *d, PlanDevice *other, const PlanCatalog *c, GError **err)
{
    const PlanType *t = c ? plan_find_type(c, d->type) : NULL;
    g_autofree char *label = plan_device_label(d);

    if (!same_type(c, d->type, other->type)) {
        return merge_differ_fail(label, "type", d->type, other->type, err);
    }
    d->implicit |= other->implicit;
    return combine_place(d, other, label, err) &&
           plan_settings_combine(d->settings, other->settings, label, t ? t->props : NULL,
                                 t ? t->n_props : 0, err);
}

static bool combine_devices(PlanMachine *base, PlanMachine *other, const PlanCatalog *c,
                            GError **err)
{
    g_autoptr(GHashTable) keys = devices_by_key(base, true);

    for (guint i = 0; i < other->devices->len; i++) {
        PlanDevice *d = other->devices->pdata[i], *old = take_device(base, keys, d, true);

        if (old && !combine_device(old, d, c, err)) {
            return false;
        }
        if (!old) {
            other->devices->pdata[i] = NULL;
            g_ptr_array_add(base->devices, d);
        }
    }
    return true;
}

static const PlanGlobal *find_global(const PlanMachine *m, guint n, const PlanGlobal *g)
{
    for (guint i = 0; i < n; i++) {
        const PlanGlobal *each = m->globals->pdata[i];

        if (strcmp(each->type, g->type) == 0 && strcmp(each->prop, g->prop) == 0) {
            return each;
        }
    }
    return NULL;
}

/* A global that occurs twice in one file is not a conflict: the last one applies. */
static bool combine_globals(PlanMachine *base, PlanMachine *other, GError **err)
{
    guint before = base->globals->len;

    while (other->globals->len) {
        const PlanGlobal *g = other->globals->pdata[0];
        const PlanGlobal *old = find_global(base, before, g);

        if (old && strcmp(old->value, g->value) != 0) {
            g_autofree char *text = g_strdup_printf("-global %s.%s", g->type, g->prop);

            return merge_differ_fail(text, "the value", old->value, g->value, err);
        }
        g_ptr_array_add(base->globals, g_ptr_array_steal_index(other->globals, 0));
    }
    return true;
}

bool plan_combine(PlanMachine *base, PlanMachine *other, const PlanCatalog *c, GError **err)
{
    const PlanMachineType *t = base->type && c ? plan_find_machine(c, base->type) : NULL;

    if (!check_count(base, other, err) || !combine_type(base, other, c, err) ||
        !combine_text(&base->cpu, &other->cpu, "cpu", err) ||
        !combine_text(&base->name, &other->name, "name", err) ||
        !combine_text(&base->uuid, &other->uuid, "uuid", err) ||
        !combine_text(&base->rtc, &other->rtc, "rtc", err) ||
        !combine_number(base->cpus, other->cpus, "cpus", err) ||
        !combine_number(base->ram_size, other->ram_size, "ram", err) ||
        !combine_nodes(base, other, err)) {
        return false;
    }
    base->cpus = base->cpus ? base->cpus : other->cpus;
    base->ram_size = base->ram_size ? base->ram_size : other->ram_size;
    return plan_settings_combine(base->settings, other->settings, "the machine",
                                 t ? t->props : NULL, t ? t->n_props : 0, err) &&
           combine_devices(base, other, c, err) && combine_globals(base, other, err) &&
           plan_boot_combine(base, other, err);
}

unsigned plan_merge_hints(PlanMachine *m, const PlanMachine *hints)
{
    g_autoptr(GHashTable) keys = devices_by_key(m, false);
    unsigned n = 0;

    for (guint i = 0; i < hints->devices->len; i++) {
        const PlanDevice *hint = hints->devices->pdata[i];
        PlanDevice *d = hint->id ? g_hash_table_lookup(keys, hint->id) : NULL;

        if (!d || !hint->has_addr || d->implicit || (d->has_addr && !d->dynamic)) {
            continue;
        }
        if (hint->bus) {
            g_free(d->bus);
            d->bus = g_strdup(hint->bus);
        }
        d->has_addr = true;
        d->full_addr = hint->full_addr;
        d->addr = hint->addr;
        d->dynamic = false;
        n++;
    }
    return n;
}
