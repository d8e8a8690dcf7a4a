/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -smp: the number of harts and the CPU topology.
 *
 * The board describes all harts as cores of one cluster, as QEMU's `virt` does; sockets, cores and
 * threads are checked against each other and against the number of CPUs.
 */
#include "internal.h"

#include <string.h>

enum { SMP_MAX = 512 };

typedef struct Topology {
    guint64 cpus, sockets, dies, clusters, cores, threads, maxcpus; /* 0: not given */
} Topology;

static const struct {
    const char *key;
    size_t field;
} smp_keys[] = {
    { "cpus", offsetof(Topology, cpus) },       { "sockets", offsetof(Topology, sockets) },
    { "dies", offsetof(Topology, dies) },       { "clusters", offsetof(Topology, clusters) },
    { "cores", offsetof(Topology, cores) },     { "threads", offsetof(Topology, threads) },
    { "maxcpus", offsetof(Topology, maxcpus) },
};

static guint64 *smp_field(Topology *t, const char *key)
{
    for (size_t i = 0; i < G_N_ELEMENTS(smp_keys); i++) {
        if (strcmp(smp_keys[i].key, key) == 0) {
            return (guint64 *)((char *)t + smp_keys[i].field);
        }
    }
    return NULL;
}

static bool smp_read(struct json_object *o, Topology *t, GError **err)
{
    json_object_object_foreach(o, key, v)
    {
        guint64 *field = smp_field(t, key);
        const char *text = json_object_get_string(v);

        if (!field) {
            return error_set(
                err, ERROR_USER,
                "-smp: '%s' is not a key: use cpus, sockets, cores, threads or maxcpus", key);
        }
        if (!g_ascii_string_to_unsigned(text ? text : "", 10, 1, SMP_MAX, field, NULL)) {
            return error_set(err, ERROR_USER, "-smp %s=%s: use a number from 1 to %d", key, text,
                             SMP_MAX);
        }
    }
    return true;
}

/* Compute the missing parts of the topology. The first missing one of cores, sockets and threads is
 * set so that the product is the number of CPUs; the others are 1. */
static void smp_complete(Topology *t)
{
    guint64 total = t->maxcpus ? t->maxcpus : t->cpus;

    t->dies = MAX(t->dies, 1);
    t->clusters = MAX(t->clusters, 1);
    if (total && !t->cores) {
        t->sockets = MAX(t->sockets, 1);
        t->threads = MAX(t->threads, 1);
        t->cores = MAX(total / (t->sockets * t->threads), 1);
    } else if (total && !t->sockets) {
        t->threads = MAX(t->threads, 1);
        t->sockets = MAX(total / (t->cores * t->threads), 1);
    } else if (total && !t->threads) {
        t->threads = MAX(total / (t->sockets * t->cores), 1);
    }
    t->sockets = MAX(t->sockets, 1);
    t->cores = MAX(t->cores, 1);
    t->threads = MAX(t->threads, 1);
    t->maxcpus = total ? total : t->sockets * t->cores * t->threads;
    t->cpus = t->cpus ? t->cpus : t->maxcpus;
}

static bool smp_check(const Topology *t, GError **err)
{
    if (t->dies > 1 || t->clusters > 1) {
        return error_set(err, ERROR_USER,
                         "-smp: dies and clusters are not part of this machine's CPU topology: use "
                         "sockets, cores and threads");
    }
    if (t->sockets * t->cores * t->threads != t->maxcpus) {
        return error_set(err, ERROR_USER,
                         "-smp: invalid CPU topology: sockets (%" G_GUINT64_FORMAT
                         ") * cores (%" G_GUINT64_FORMAT ") * threads (%" G_GUINT64_FORMAT
                         ") must be maxcpus (%" G_GUINT64_FORMAT ")",
                         t->sockets, t->cores, t->threads, t->maxcpus);
    }
    if (t->cpus > t->maxcpus) {
        return error_set(err, ERROR_USER,
                         "-smp: invalid CPU topology: cpus (%" G_GUINT64_FORMAT
                         ") must not exceed maxcpus (%" G_GUINT64_FORMAT ")",
                         t->cpus, t->maxcpus);
    }
    return true;
}

bool smp_parse(const char *arg, unsigned *cpus, GError **err)
{
    struct json_object *o = plan_options_parse(arg, "cpus", err);
    Topology t = { 0 };
    bool ok;

    if (!o) {
        return false;
    }
    ok = smp_read(o, &t, err);
    json_object_put(o);
    if (ok) {
        smp_complete(&t);
        ok = smp_check(&t, err);
    }
    if (ok) {
        *cpus = (unsigned)t.cpus;
    }
    return ok;
}
