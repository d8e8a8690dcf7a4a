/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places on SCSI buses: channel, target and logical unit, allocated with the address type "scsi"
 * (plan/address_types.h). A device without a target gets the lowest target whose unit 0, or the
 * given unit, is free. A device with a target and without a unit gets the lowest free unit.
 */
#include <stdlib.h>

#include "plan/address_types.h"
#include "plan/internal.h"

enum { DIM_CONTROLLER, DIM_CHANNEL, DIM_TARGET, DIM_UNIT, SCSI_DIMS };
enum { BY_UNIT = 1 }; /* the order in which the targets of one unit are consecutive */

/* The properties of a device, in the order of a place "0:3:1". */
static const char *const scsi_props[] = { "channel", "scsi-id", "lun" };

static const PlanAllocOrder scsi_orders[] = {
    { .dim = { DIM_CONTROLLER, DIM_CHANNEL, DIM_UNIT, DIM_TARGET } },
};

void plan_scsi_init(PlanBusNode *node)
{
    const PlanAddrType *type;
    PlanAddrRange range;
    bool ok = plan_controller_pool("virtio-scsi-pci", 0, &type, &range, NULL);

    node->numbers = g_hash_table_new(NULL, NULL);
    node->scsi =
        ok ? plan_alloc_new(type, PLAN_LIVE, scsi_orders, G_N_ELEMENTS(scsi_orders), NULL) : NULL;
    ok = node->scsi && plan_alloc_add_pool(node->scsi, &range, PLAN_LIVE, 0, NULL, NULL);
    g_assert(ok);
}

bool plan_scsi_has_room(const PlanBusNode *node)
{
    return plan_alloc_count_free(node->scsi, PLAN_LIVE) > 0;
}

/* Return the value of a property, and whether the user gave one. */
static bool scsi_value(const PlanDevice *d, const char *prop, uint64_t *value)
{
    const PlanSetting *s = plan_setting_find(d->settings, prop);
    const PlanProp *p = plan_find_prop(d->t->props, d->t->n_props, prop);

    *value = s && s->resolved ? s->value.u : 0;
    return s && p && s->resolved && s->given && s->value.u != p->def;
}

bool plan_scsi_given(const PlanDevice *d)
{
    uint64_t value;

    return plan_bus_rule(d->t->plugs_into)->addr == PLAN_ADDR_SCSI &&
           scsi_value(d, "scsi-id", &value);
}

/* Key of an address in PlanBusNode.numbers. A bus has 2^22 addresses in channel 0. */
static gpointer scsi_key(const PlanAlloc *a, uint64_t addr)
{
    const PlanAddrType *t = plan_alloc_type(a);

    return GUINT_TO_POINTER((guint)(plan_address_value(t, addr, DIM_CHANNEL) << 22 |
                                    plan_address_value(t, addr, DIM_TARGET) << 14 |
                                    plan_address_value(t, addr, DIM_UNIT)));
}

static char *scsi_text(const PlanAlloc *a, uint64_t addr)
{
    const PlanAddrType *t = plan_alloc_type(a);

    return g_strdup_printf("%u:%u:%u", (unsigned)plan_address_value(t, addr, DIM_CHANNEL),
                           (unsigned)plan_address_value(t, addr, DIM_TARGET),
                           (unsigned)plan_address_value(t, addr, DIM_UNIT));
}

/* Restrict one dimension to a value. A value beyond the width of the dimension matches nothing, and
 * the error of the allocator names the dimension. */
static void scsi_restrict(PlanRequest *r, unsigned dim, uint64_t value)
{
    r->range.lo[dim] = r->range.hi[dim] = value;
}

static PlanRequest scsi_request(const PlanDevice *d, const PlanAlloc *a)
{
    PlanRequest r = { .size = sizeof(r) };
    uint64_t channel, target, unit;
    bool has_target, has_unit;

    plan_request_init(&r, plan_alloc_type(a));
    scsi_value(d, "channel", &channel);
    has_target = scsi_value(d, "scsi-id", &target);
    has_unit = scsi_value(d, "lun", &unit);
    scsi_restrict(&r, DIM_CHANNEL, channel);
    if (has_target) {
        scsi_restrict(&r, DIM_TARGET, target);
    }
    if (has_unit || !has_target) {
        scsi_restrict(&r, DIM_UNIT, has_unit ? unit : 0);
        r.order = BY_UNIT;
    }
    return r;
}

static bool scsi_fail(const PlanBusNode *node, const PlanDevice *d, const PlanRequest *r,
                      GError **err)
{
    g_autofree char *label = plan_device_label(d), *other = NULL, *unused = NULL, *addr = NULL;
    const PlanDevice *holder;
    PlanRequest any = { .size = sizeof(any) };
    uint64_t at, value[SCSI_DIMS];

    plan_request_init(&any, plan_alloc_type(node->scsi));
    scsi_restrict(&any, DIM_UNIT, 0);
    any.order = BY_UNIT;
    unused = plan_alloc_first(node->scsi, &any, &at) ? scsi_text(node->scsi, at) : g_strdup("none");
    memcpy(value, r->range.lo, sizeof(value));
    if (value[DIM_CHANNEL] > 0) {
        return plan_fail(err, "%s: bus '%s' has no channel %u: use channel=0", label, node->name,
                         (unsigned)value[DIM_CHANNEL]);
    }
    if (!plan_scsi_given(d) || !plan_address_pack(plan_alloc_type(node->scsi), value, &at, NULL)) {
        return plan_fail(err, "%s: bus '%s' has no free target with lun=%u", label, node->name,
                         (unsigned)value[DIM_UNIT]);
    }
    holder = g_hash_table_lookup(node->numbers, scsi_key(node->scsi, at));
    other = holder ? plan_device_label(holder) : g_strdup("another device");
    addr = scsi_text(node->scsi, at);
    return plan_fail(err,
                     "%s: address %s (channel:scsi-id:lun) on bus '%s' is already used by %s: the "
                     "first free target there is %s",
                     label, addr, node->name, other, unused);
}

/* Set the properties of the address that was reserved. */
static bool scsi_choose(PlanDevice *d, const PlanAlloc *a, uint64_t addr, GError **err)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(scsi_props); i++) {
        const PlanProp *p = plan_find_prop(d->t->props, d->t->n_props, scsi_props[i]);
        PlanSetting *s = p ? plan_setting_find(d->settings, p->name) : NULL;
        uint64_t v = plan_address_value(plan_alloc_type(a), addr, DIM_CHANNEL + i);

        if (!s) {
            return plan_fail(err, "type '%s' lacks the property '%s'", d->t->name, scsi_props[i]);
        }
        plan_setting_choose(s, p, (PlanValue){ .kind = p->kind, .u = v });
    }
    return true;
}

bool plan_put_scsi(PlanDevice *d, PlanBusNode *node, GError **err)
{
    PlanRequest r = scsi_request(d, node->scsi);
    g_autofree char *owner = g_strdup_printf("%p", (void *)d), *addr = NULL;
    uint64_t at;

    if (!plan_alloc_reserve(node->scsi, &r, owner, &at, NULL)) {
        return scsi_fail(node, d, &r, err);
    }
    if (!scsi_choose(d, node->scsi, at, err)) {
        plan_alloc_release(node->scsi, owner, PLAN_LIVE, NULL, NULL);
        return false;
    }
    g_hash_table_insert(node->numbers, scsi_key(node->scsi, at), d);
    addr = scsi_text(node->scsi, at);
    d->place = g_strconcat(node->name, "/", addr, NULL);
    return true;
}

void plan_scsi_release(PlanBusNode *node, const PlanDevice *d)
{
    g_autofree char *owner = g_strdup_printf("%p", (const void *)d);
    uint64_t at;

    if (plan_alloc_find(node->scsi, owner, &at, NULL, NULL)) {
        g_hash_table_remove(node->numbers, scsi_key(node->scsi, at));
        plan_alloc_release(node->scsi, owner, PLAN_LIVE, NULL, NULL);
    }
}

/* --- text --- */

char *plan_scsi_place_as_read(const PlanDevice *d)
{
    const PlanSetting *part[G_N_ELEMENTS(scsi_props)] = { NULL };

    for (unsigned i = 0; i < G_N_ELEMENTS(part); i++) {
        part[i] = plan_setting_find(d->settings, scsi_props[i]);
        if (i > 0 && !(part[i] && part[i]->text)) {
            return NULL;
        }
    }
    return g_strdup_printf("%s:%s:%s", part[0] && part[0]->text ? part[0]->text : "0",
                           part[1]->text, part[2]->text);
}

bool plan_scsi_set_address(PlanDevice *d, const char *text, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(text, ":", -1);
    bool ok = !*text || g_strv_length(parts) == G_N_ELEMENTS(scsi_props);

    for (unsigned i = 0; ok && i < G_N_ELEMENTS(scsi_props); i++) {
        PlanSetting *s = plan_setting_find(d->settings, scsi_props[i]);

        if (*text) {
            ok = *parts[i] && strspn(parts[i], "0123456789") == strlen(parts[i]);
            plan_device_set(d, scsi_props[i], parts[i]);
        } else if (s) {
            g_ptr_array_remove(d->settings, s);
        }
    }
    if (!ok) {
        g_autofree char *label = plan_device_label(d), *quoted = plan_quote(text);

        return plan_fail(err,
                         "%s: invalid SCSI address %s: use CHANNEL:TARGET:LUN in decimal, 0:3:1",
                         label, quoted);
    }
    return true;
}

static int scsi_compare(gconstpointer a, gconstpointer b)
{
    guint x = GPOINTER_TO_UINT(*(const gpointer *)a), y = GPOINTER_TO_UINT(*(const gpointer *)b);

    return (x > y) - (x < y);
}

static void scsi_bus_to_text(GString *out, const PlanBusNode *node)
{
    guint n = 0;
    g_autofree gpointer *keys = g_hash_table_get_keys_as_array(node->numbers, &n);

    g_string_append_printf(out,
                           "%sbus '%s': %s\n  targets  0-255, each with units 0-16383\n"
                           "  accepts  %s\n  hotplug  yes\n",
                           out->len ? "\n" : "", node->name, node->rule->doc, node->rule->takes);
    qsort(keys, n, sizeof(*keys), scsi_compare);
    for (guint i = 0; i < n; i++) {
        const PlanDevice *d = g_hash_table_lookup(node->numbers, keys[i]);

        g_string_append_printf(out, "  %-7s  %s", strrchr(d->place, '/') + 1, d->type);
        if (d->id) {
            g_string_append_printf(out, " '%s'", d->id);
        }
        g_string_append_c(out, '\n');
    }
}

void plan_scsi_to_text(GString *out, const PlanIndex *x)
{
    for (guint i = 0; i < x->bus_order->len; i++) {
        const PlanBusNode *node = x->bus_order->pdata[i];

        if (node->scsi && !node->orphan) {
            scsi_bus_to_text(out, node);
        }
    }
}
