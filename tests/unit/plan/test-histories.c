/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random histories of a machine: devices are added with growth, removed, plugged while the guest
 * runs; the machine is restarted from its description, and moves to a newer machine version. No
 * device that survives a step moves, and a refused step changes nothing.
 */
#include <string.h>

#include "plan/edit.h"
#include "plan/policy_internal.h"
#include "tests/unit/plan/test-catalog.h"

enum { HISTORIES = 40, HISTORIES_LONG = 1000, STEPS = 120 };

typedef struct History {
    GRand *random;
    PlanMachine *m;
    PlanPolicy *policy;
    GHashTable *places; /* id -> place, owned */
    GPtrArray *ids;     /* of endpoints, owned by `places` */
    unsigned next, version;
    unsigned done[8], refused;
} History;

static const char *const history_versions[] = { "virt-alpha", "virt-0.0", "virt-0.1" };

static unsigned history_pick(History *h, unsigned n)
{
    return (unsigned)g_rand_int_range(h->random, 0, (gint)n);
}

/* Compare the place of each device that has been recorded, and record new ones. */
static void history_check(History *h)
{
    guint found = 0;

    for (guint i = 0; i < h->m->devices->len; i++) {
        const PlanDevice *d = h->m->devices->pdata[i];
        const char *place = d->id ? g_hash_table_lookup(h->places, d->id) : NULL;

        if (!d->id) {
            continue;
        }
        found++;
        if (place) {
            g_assert_cmpstr(d->place, ==, place);
        } else {
            g_hash_table_insert(h->places, g_strdup(d->id), g_strdup(d->place));
        }
    }
    g_assert_cmpuint(found, ==, g_hash_table_size(h->places));
}

static bool history_reserved(const char *port, PlanReserve *r, void *data)
{
    *r = (PlanReserve){ .buses = 6, .mem = 8 << 20, .pref64 = 64 << 20 };
    return !strchr(port, '.'); /* not a port of a switch */
}

/* Return preferences; some name another device. */
static char *history_wishes(History *h)
{
    static const char *const words[] = { "",
                                         "",
                                         "hotplug=required",
                                         "hotplug=any",
                                         "hotplug=avoid",
                                         "link=conventional,hotplug=any",
                                         "link=express",
                                         "slot=shared,hotplug=any",
                                         "numa=1",
                                         "interrupt=own,hotplug=any",
                                         "at=0c,hotplug=any" };
    const char *word = words[history_pick(h, G_N_ELEMENTS(words))];
    const char *other = h->ids->len ? h->ids->pdata[history_pick(h, h->ids->len)] : NULL;

    return !other || history_pick(h, 4)
               ? g_strdup(word)
               : g_strdup_printf("%s%s%s=%s", word, *word ? "," : "",
                                 history_pick(h, 2) ? "near" : "apart", other);
}

static void history_add(History *h, bool running)
{
    static const char *const types[] = { "nic", "nic", "old", "disk,drive=x", "serial-pci" };
    g_autofree char *option =
        g_strdup_printf("%s,id=d%u", types[history_pick(h, G_N_ELEMENTS(types))], h->next);
    g_autofree char *wishes = history_wishes(h);
    PlanGuest guest = { .reserved = history_reserved };
    PlanDevice *d = plan_device_parse(option, NULL);
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanGrowth) g = NULL;
    PlanPrefs prefs;

    g_assert_true(plan_prefs_parse(&prefs, wishes, NULL));
    g = plan_grow_add(h->m, &tc_catalog, h->policy, d, &prefs, running ? &guest : NULL, &err);
    plan_prefs_clear(&prefs);
    if (!g) {
        tc_sentence(err);
        plan_device_free(d);
        h->refused++;
        return;
    }
    h->next++;
    history_check(h);
    g_ptr_array_add(h->ids, d->id);
}

static void history_remove(History *h)
{
    guint i = h->ids->len ? history_pick(h, h->ids->len) : 0;
    g_autofree char *id = h->ids->len ? g_strdup(h->ids->pdata[i]) : NULL;
    g_autoptr(GError) err = NULL;

    if (!id) {
        return;
    }
    g_ptr_array_remove_index_fast(h->ids, i);
    if (!plan_edit_remove(h->m, id, &err)) { /* a device is on its bus */
        g_assert_not_reached();
    }
    g_hash_table_remove(h->places, id);
}

/* Remove a controller without devices on its bus, as a user may. */
static void history_remove_controller(History *h)
{
    for (guint i = 0; i < h->m->devices->len; i++) {
        const PlanDevice *d =
            h->m->devices->pdata[(i + history_pick(h, h->m->devices->len)) % h->m->devices->len];
        g_autofree char *id = g_strdup(d->id);

        if (id && d->brings && d->t->role > PLAN_PCI_ENDPOINT && !d->brings->n_devices &&
            plan_edit_remove(h->m, id, NULL)) {
            g_hash_table_remove(h->places, id);
            return;
        }
    }
}

/* The ids in the list belong to the devices: collect them again. */
static void history_collect(History *h)
{
    g_ptr_array_set_size(h->ids, 0);
    for (guint i = 0; i < h->m->devices->len; i++) {
        const PlanDevice *d = h->m->devices->pdata[i];

        if (d->id && d->t->role == PLAN_PCI_ENDPOINT) {
            g_ptr_array_add(h->ids, d->id);
        }
    }
}

/* Start the machine again from the text of its description, with or without the policy. @version:
 * of the machine type; a newer one may have windows that are too small, and is then refused. */
static void history_restart(History *h, unsigned version)
{
    g_autofree char *text = plan_to_text(h->m, &tc_catalog, false);
    g_autoptr(GError) err = NULL;
    PlanMachine *m = plan_from_text(text, strlen(text), &err);
    bool checked = version > h->version || history_pick(h, 2);

    g_assert_no_error(err);
    g_free(m->type);
    m->type = g_strdup(history_versions[version]);
    if (!plan_resolve_policy(m, &tc_catalog, checked ? h->policy : NULL, &err)) {
        tc_sentence(err);
        g_assert_cmpuint(version, >, h->version);
        plan_machine_free(m);
        return;
    }
    plan_machine_free(h->m);
    h->m = m;
    h->version = version;
    history_collect(h);
}

static void history_step(History *h)
{
    unsigned n = history_pick(h, 100);
    unsigned kind = n < 45 ? 0 : n < 60 ? 1 : n < 85 ? 2 : n < 90 ? 3 : n < 97 ? 4 : 5;

    h->done[kind]++;
    switch (kind) {
    case 0:
        history_add(h, false);
        break;
    case 1:
        history_add(h, true);
        break;
    case 2:
        history_remove(h);
        break;
    case 3:
        history_remove_controller(h);
        break;
    case 4:
        history_restart(h, h->version);
        break;
    default:
        history_restart(h, MIN(h->version + 1, G_N_ELEMENTS(history_versions) - 1));
    }
    history_check(h);
}

static void history_run(guint32 seed, unsigned *added, unsigned *refused)
{
    g_autoptr(GError) err = NULL;
    History h = { .random = g_rand_new_with_seed(seed), .m = plan_machine_new() };

    h.policy = plan_policy_load(plan_policy_name(seed % 4), &err);
    h.places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    h.ids = g_ptr_array_new();
    h.m->type = g_strdup(history_versions[0]);
    plan_resolve_policy(h.m, &tc_catalog, h.policy, &err);
    g_assert_no_error(err);
    history_check(&h);
    for (unsigned i = 0; i < STEPS; i++) {
        history_step(&h);
    }
    *added += h.next;
    *refused += h.refused;
    g_ptr_array_unref(h.ids);
    g_hash_table_unref(h.places);
    plan_machine_free(h.m);
    plan_policy_free(h.policy);
    g_rand_free(h.random);
}

static void test_histories(void)
{
    unsigned n = g_test_slow() ? HISTORIES_LONG : HISTORIES, added = 0, refused = 0;

    for (unsigned i = 0; i < n; i++) {
        history_run(i + 1, &added, &refused);
    }
    g_test_message("%u histories of %d steps: %u devices added, %u additions refused", n, STEPS,
                   added, refused);
    g_assert_cmpuint(added, >, n * STEPS / 4); /* the histories do something */
    g_assert_cmpuint(refused, >, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plan/histories", test_histories);
    return g_test_run();
}
