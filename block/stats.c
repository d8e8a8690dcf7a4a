/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Statistics of each node, for query-blockstats and `info blockstats`. A request is counted when it
 * completes, including a rejected one. Machine lock.
 */
#include "internal.h"

#include <inttypes.h>
#include <time.h>

/* BLOCK_WRITE_ZEROES changes the data: it counts as a write. */
static const BlockAccess access_of[] = {
    [BLOCK_READ] = ACCESS_READ,          [BLOCK_WRITE] = ACCESS_WRITE,
    [BLOCK_FLUSH] = ACCESS_FLUSH,        [BLOCK_DISCARD] = ACCESS_UNMAP,
    [BLOCK_WRITE_ZEROES] = ACCESS_WRITE,
};

static const char *const access_name[] = {
    [ACCESS_READ] = "rd",
    [ACCESS_WRITE] = "wr",
    [ACCESS_FLUSH] = "flush",
    [ACCESS_UNMAP] = "unmap",
};

#define STATS_DEPTH 8 /* nodes below a disk that query-blockstats returns */

static int64_t stats_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void stats_begin(BlockRequest *req)
{
    req->p.started_ns = stats_now_ns();
}

void stats_end(BlockNode *n, const BlockRequest *req, int result)
{
    BlockAccess access = access_of[req->op];
    BlockCount *c = &n->stats.count[access];
    int64_t now = stats_now_ns();

    c->time_ns += now - req->p.started_ns;
    n->stats.last_ns = now;
    if (result < 0) {
        c->failed++;
        return;
    }
    c->done++;
    c->bytes += req->op == BLOCK_FLUSH ? 0 : req->len;
    if (access == ACCESS_WRITE) {
        n->stats.highest = MAX(n->stats.highest, req->offset + req->len);
    }
}

/* --- queries --- */

static void stats_put_count(struct json_object *o, const char *access, const char *what,
                            uint64_t value)
{
    g_autofree char *key = g_strdup_printf("%s_%s", access, what);

    json_object_object_add(o, key, json_object_new_uint64(value));
}

static void stats_put_operations(struct json_object *o, const char *how, const char *access,
                                 uint64_t n)
{
    g_autofree char *what = g_strdup_printf("%s_operations", access);

    stats_put_count(o, how, what, n);
}

static struct json_object *stats_counts(const BlockStats *s)
{
    struct json_object *o = json_object_new_object();

    for (int i = 0; i < ACCESS_KINDS; i++) {
        const char *name = access_name[i];
        const BlockCount *c = &s->count[i];

        if (i != ACCESS_FLUSH) {
            stats_put_count(o, name, "bytes", c->bytes);
            stats_put_count(o, name, "merged", 0); /* requests are not merged */
        }
        stats_put_count(o, name, "operations", c->done);
        stats_put_count(o, name, "total_time_ns", c->time_ns);
        stats_put_operations(o, "failed", name, c->failed);
        stats_put_operations(o, "invalid", name, 0); /* rejected requests are counted as failed */
    }
    stats_put_count(o, "wr", "highest_offset", s->highest);
    if (s->last_ns) {
        stats_put_count(o, "idle", "time_ns", stats_now_ns() - s->last_ns);
    }
    json_object_object_add(o, "account_invalid", json_object_new_boolean(true));
    json_object_object_add(o, "account_failed", json_object_new_boolean(true));
    json_object_object_add(o, "timed_stats", json_object_new_array());
    return o;
}

/* Statistics of a node; with `depth` above 0, those of the nodes below it as well. */
static struct json_object *stats_entry(const BlockNode *n, const BlockEdge *user, unsigned depth)
{
    struct json_object *o = json_object_new_object();

    if (user) {
        json_object_object_add(o, "qdev", json_object_new_string(edge_user_name(user)));
    }
    json_object_object_add(o, "node-name", json_object_new_string(n->name));
    json_object_object_add(o, "stats", stats_counts(&n->stats));
    if (n->child && depth > 0) {
        json_object_object_add(o, "parent", stats_entry(n->child->node, NULL, depth - 1));
    }
    return o;
}

struct json_object *block_query_stats(Machine *m, bool nodes)
{
    struct json_object *list = json_object_new_array();
    BlockSet *set = block_set(m);

    for (unsigned i = 0; i < set->nodes->len; i++) {
        const BlockNode *n = g_ptr_array_index(set->nodes, i);
        struct json_object *o;

        if (nodes || n->drive || node_user(n)) {
            o = stats_entry(n, nodes ? NULL : node_user(n), STATS_DEPTH);
            if (!nodes) {
                json_object_object_add(o, "device", json_object_new_string(block_drive_id(n)));
            }
            json_object_array_add(list, o);
        }
    }
    return list;
}
