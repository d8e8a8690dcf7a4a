/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Series of announcements of network devices, with growing delays (net_announce()).
 */
#include "hw/core/clock.h"
#include "internal.h"

typedef struct NetAnnounce {
    Machine *machine;
    char *id;
    char **names; /* of network devices; NULL: all */
    NetAnnounceTimes times;
    unsigned done;
    bool while_active; /* the series ends when the machine stops */
    Timer timer;
} NetAnnounce;

void net_announce_free(void *opaque)
{
    NetAnnounce *a = opaque;

    timer_cancel(&a->timer);
    g_strfreev(a->names);
    g_free(a->id);
    g_free(a);
}

static void announce_all(NetAnnounce *a)
{
    GPtrArray *nics = net_set(a->machine)->nics;

    for (unsigned i = 0; i < nics->len; i++) {
        const NetNic *nic = g_ptr_array_index(nics, i);

        if (nic->announce &&
            (!a->names || g_strv_contains((const char *const *)a->names, nic->name))) {
            nic->announce(nic->opaque);
        }
    }
}

static void announce_round(void *opaque)
{
    NetAnnounce *a = opaque;
    bool ended = a->while_active && !machine_active(a->machine);
    uint64_t wait = a->times.initial + a->done * a->times.step;

    if (!ended) {
        announce_all(a);
    }
    if (ended || ++a->done >= a->times.rounds) {
        g_hash_table_remove(net_set(a->machine)->announcing, a->id);
        return;
    }
    timer_arm_ns(&a->timer, MIN(wait, a->times.max) * 1000000);
}

static bool announce_check(Machine *m, const NetAnnounceTimes *t, char **names, GError **err)
{
    for (char **name = names; name && *name; name++) {
        if (!net_nic_find(m, *name)) {
            return error_set(err, ERROR_USER, "network device '%s' does not exist", *name);
        }
    }
    if (t->initial > NET_ANNOUNCE_MAX_MS || t->max > NET_ANNOUNCE_MAX_MS ||
        t->step > NET_ANNOUNCE_MAX_MS || t->rounds > NET_ANNOUNCE_MAX_ROUNDS) {
        return error_set(
            err, ERROR_USER,
            "announcements: initial, max and step are at most %d ms, and rounds at most %d",
            NET_ANNOUNCE_MAX_MS, NET_ANNOUNCE_MAX_ROUNDS);
    }
    return true;
}

static bool net_announce_series(Machine *m, const char *id, const NetAnnounceTimes *times,
                                char **names, bool while_active, GError **err)
{
    NetSet *set = net_set(m);
    NetAnnounce *a;

    if (!announce_check(m, times, names, err)) {
        return false;
    }
    g_hash_table_remove(set->announcing, id);
    if (times->rounds == 0) {
        return true;
    }
    a = g_new0(NetAnnounce, 1);
    *a = (NetAnnounce){
        .machine = m,
        .id = g_strdup(id),
        .names = g_strdupv(names),
        .times = *times,
        .while_active = while_active,
    };
    timer_setup_plain(&a->timer, m, CLOCK_KIND_REALTIME, announce_round, a);
    g_hash_table_insert(set->announcing, a->id, a);
    announce_round(a);
    return true;
}

bool net_announce(Machine *m, const char *id, const NetAnnounceTimes *times, char **names,
                  GError **err)
{
    return net_announce_series(m, id, times, names, false, err);
}

const NetAnnounceTimes net_announce_default = {
    .initial = 50, .max = 550, .rounds = 5, .step = 100
};

void net_announce_move(Machine *m, const NetNic *nic)
{
    g_autofree char *id = g_strdup_printf("move of %s", nic->name);
    char *names[] = { nic->name, NULL };

    net_announce_series(m, id, &net_announce_default, names, true, NULL); /* the device exists */
}
