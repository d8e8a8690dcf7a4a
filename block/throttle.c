/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * I/O limits: groups whose members share limits, the requests that wait, and the filter `throttle`.
 *
 * A member is a node that a device or drive uses (limits of -drive and block_set_io_throttle apply
 * to the requests that enter the graph there), or a filter. A request that exceeds the limits of
 * its group waits in the queue of its member; the members take turns. While nodes are drained (a
 * stop, a reset, an unplug) no request waits. Flushes are not limited.
 *
 * The requests of an I/O thread, which belong to a node above a filter, wait in that thread. The
 * mutex of a group guards its buckets; the machine lock guards everything else.
 */
#include <string.h>

#include "hw/core/clock.h"
#include "hw/core/host_object.h"
#include "internal.h"
#include "util/io_limits.h"

enum { THROTTLE_THREAD_STEP_US = 20000 };

typedef struct ThrottleGroup {
    BlockSet *set;
    char *name;
    GPtrArray *members; /* ThrottleMember* */
    Timer timer;
    GMutex lock; /* limiter */
    IoLimiter limiter;
    unsigned turn[2]; /* the member whose turn is next, for reads and for writes */
} ThrottleGroup;

struct ThrottleMember {
    ThrottleGroup *group;
    BlockNode *to; /* receives the requests that may start */
    struct {
        BlockRequest *head, **tail;
    } queue[2]; /* of reads and of writes */
};

static int64_t throttle_now_any(const BlockSet *set)
{
    return clock_now_any(set->machine, CLOCK_KIND_REALTIME);
}

/* --- requests --- */

static BlockRequest *throttle_dequeue(ThrottleMember *t, bool write)
{
    BlockRequest *req = t->queue[write].head;

    t->queue[write].head = req->p.next;
    if (!req->p.next) {
        t->queue[write].tail = &t->queue[write].head;
    }
    return req;
}

static ThrottleMember *throttle_next_member(ThrottleGroup *g, bool write)
{
    for (unsigned i = 0; i < g->members->len; i++) {
        unsigned at = (g->turn[write] + i) % g->members->len;
        ThrottleMember *t = g->members->pdata[at];

        if (t->queue[write].head) {
            g->turn[write] = at + 1;
            return t;
        }
    }
    return NULL;
}

/* Return 0, and count the request, if it may start; otherwise the ns until then. */
static int64_t throttle_try_any(ThrottleGroup *g, bool write, uint64_t bytes)
{
    int64_t wait;

    g_mutex_lock(&g->lock);
    wait = io_limiter_wait(&g->limiter, write, throttle_now_any(g->set));
    if (wait == 0) {
        io_limiter_count(&g->limiter, write, bytes);
    }
    g_mutex_unlock(&g->lock);
    return wait;
}

/* Start the requests of one direction that may start. Returns the ns until the next one; 0: none
 * waits. */
static int64_t throttle_start(ThrottleGroup *g, bool write)
{
    ThrottleMember *t;

    while ((t = throttle_next_member(g, write))) {
        int64_t wait = throttle_try_any(g, write, t->queue[write].head->len);

        if (wait) {
            g->turn[write]--; /* it remains the turn of this member */
            return wait;
        }
        node_forward(t->to, throttle_dequeue(t, write));
    }
    return 0;
}

static void throttle_on_timer(void *opaque)
{
    ThrottleGroup *g = opaque;
    int64_t reads = throttle_start(g, false), writes = throttle_start(g, true);
    int64_t next = reads && writes ? MIN(reads, writes) : MAX(reads, writes);

    if (next) {
        timer_arm_ns(&g->timer, (uint64_t)next);
    }
}

static bool throttle_group_waits(ThrottleGroup *g, bool write)
{
    for (unsigned i = 0; i < g->members->len; i++) {
        if (((ThrottleMember *)g->members->pdata[i])->queue[write].head) {
            return true;
        }
    }
    return false;
}

bool throttle_hold(ThrottleMember *t, BlockRequest *req)
{
    ThrottleGroup *g = t->group;
    bool write = req->p.op != BLOCK_READ;
    int64_t wait;

    if (req->p.op == BLOCK_FLUSH || __atomic_load_n(&g->set->draining, __ATOMIC_ACQUIRE)) {
        return false;
    }
    if (!throttle_group_waits(g, write)) {
        wait = throttle_try_any(g, write, req->len);
        if (wait == 0) {
            return false;
        }
        if (!timer_armed(&g->timer) ||
            g->timer.deadline > clock_now_any(g->set->machine, CLOCK_KIND_REALTIME) + wait) {
            timer_arm_ns(&g->timer, (uint64_t)wait);
        }
    }
    req->p.next = NULL;
    *t->queue[write].tail = req;
    t->queue[write].tail = &req->p.next;
    return true;
}

static void throttle_release_member(ThrottleMember *t)
{
    for (unsigned write = 0; write < 2; write++) {
        while (t->queue[write].head) {
            node_forward(t->to, throttle_dequeue(t, write));
        }
    }
}

void throttle_release_all(BlockSet *set)
{
    for (unsigned i = 0; set->throttle_groups && i < set->throttle_groups->len; i++) {
        ThrottleGroup *g = set->throttle_groups->pdata[i];

        for (unsigned k = 0; k < g->members->len; k++) {
            throttle_release_member(g->members->pdata[k]);
        }
    }
}

/* --- groups --- */

static ThrottleGroup *throttle_group_find(const BlockSet *set, const char *name)
{
    for (unsigned i = 0; set->throttle_groups && i < set->throttle_groups->len; i++) {
        ThrottleGroup *g = set->throttle_groups->pdata[i];

        if (g_str_equal(g->name, name)) {
            return g;
        }
    }
    return NULL;
}

static ThrottleGroup *throttle_group_get(BlockSet *set, const char *name)
{
    ThrottleGroup *g = throttle_group_find(set, name);
    const HostObject *o = host_object_find(set->machine, name);
    const IoLimits *limits = o ? host_throttle_limits(o) : NULL;

    if (g) {
        return g;
    }
    g = g_new0(ThrottleGroup, 1);
    g->set = set;
    g->name = g_strdup(name);
    g->members = g_ptr_array_new();
    g_mutex_init(&g->lock);
    timer_setup_plain(&g->timer, set->machine, CLOCK_KIND_REALTIME, throttle_on_timer, g);
    io_limiter_set(&g->limiter, limits ? limits : &(IoLimits){ 0 }, throttle_now_any(set));
    if (!set->throttle_groups) {
        set->throttle_groups = g_ptr_array_new();
    }
    g_ptr_array_add(set->throttle_groups, g);
    return g;
}

ThrottleMember *throttle_join(BlockSet *set, const char *group, BlockNode *to)
{
    ThrottleGroup *g = throttle_group_get(set, group);
    ThrottleMember *t = g_new0(ThrottleMember, 1);

    t->group = g;
    t->to = to;
    t->queue[0].tail = &t->queue[0].head;
    t->queue[1].tail = &t->queue[1].head;
    g_ptr_array_add(g->members, t);
    return t;
}

void throttle_leave(ThrottleMember *t)
{
    ThrottleGroup *g = t->group;

    throttle_release_member(t);
    g_ptr_array_remove(g->members, t);
    g_free(t);
    if (g->members->len == 0) {
        timer_cancel(&g->timer);
        g_ptr_array_remove(g->set->throttle_groups, g);
        g_ptr_array_free(g->members, TRUE);
        g_mutex_clear(&g->lock);
        g_free(g->name);
        g_free(g);
    }
}

void throttle_move(ThrottleMember *t, BlockNode *to)
{
    t->to = to;
}

void throttle_set_limits(ThrottleMember *t, const IoLimits *limits)
{
    ThrottleGroup *g = t->group;

    g_mutex_lock(&g->lock);
    io_limiter_set(&g->limiter, limits, throttle_now_any(g->set));
    g_mutex_unlock(&g->lock);
    throttle_on_timer(g); /* requests that waited may start now */
}

const IoLimits *throttle_limits(const ThrottleMember *t)
{
    return &t->group->limiter.limits;
}

const char *throttle_group_name(const ThrottleMember *t)
{
    return t->group->name;
}

/* --- the filter --- */

static bool throttle_open(BlockNode *n, struct json_object *o, GError **err)
{
    const char *group = opt_str(o, "throttle-group");
    HostObject *object = group ? host_object_find(n->set->machine, group) : NULL;

    if (!group) {
        return error_set(err, ERROR_USER,
                         "Parameter 'throttle-group' is missing: use the id of a "
                         "-object throttle-group");
    }
    if (!object || !host_throttle_limits(object)) {
        return error_set(err, ERROR_USER,
                         "throttle-group=%s: no such throttle group; create it with -object "
                         "throttle-group,id=%s",
                         group, group);
    }
    n->priv = throttle_join(n->set, group, n->child->node);
    n->size = n->child->node->size;
    host_object_use(object, n->name);
    return true;
}

static void throttle_close(BlockNode *n)
{
    ThrottleMember *t = n->priv;
    HostObject *object = host_object_find(n->set->machine, t->group->name);

    if (object) { /* NULL: the machine has freed its objects */
        host_object_unuse(object, n->name);
    }
    throttle_leave(t);
}

static void throttle_submit(BlockNode *n, BlockRequest *req)
{
    if (!throttle_hold(n->priv, req)) {
        node_forward(n->child->node, req);
    }
}

/* A thread with the machine lock never waits: a node above writes its metadata there when it is
 * closed. */
static int throttle_perform(BlockNode *n, BlockRequest *req)
{
    const ThrottleMember *t = n->priv;
    BlockSet *set = n->set;
    bool may_wait = !machine_locked(set->machine);

    while (may_wait && req->p.op != BLOCK_FLUSH &&
           !__atomic_load_n(&set->draining, __ATOMIC_ACQUIRE)) {
        int64_t wait = throttle_try_any(t->group, req->p.op != BLOCK_READ, req->len);

        if (wait == 0) {
            break;
        }
        g_usleep((gulong)MIN(wait / 1000 + 1, THROTTLE_THREAD_STEP_US));
    }
    req->p.node = n->child->node;
    return req->p.node->drv->perform(req->p.node, req);
}

static const char *const throttle_keys[] = { "file", "throttle-group", NODE_KEYS, NULL };
const BlockDriver block_throttle = {
    .name = "throttle",
    .keys = throttle_keys,
    .child = "file",
    .open = throttle_open,
    .close = throttle_close,
    .submit = throttle_submit,
    .perform = throttle_perform,
    .resize = filter_resize,
    .child_resized = filter_child_resized,
    .child_perm = filter_child_perm,
    .activate = filter_activate,
};
