/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Completed requests: from I/O threads and the engines of the host kernel, through one eventfd for
 * each event loop, to the callbacks on that loop.
 */
#include <errno.h>
#include <glib-unix.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "internal.h"

enum { POOL_THREADS = 16 };

/* --- references --- */

BlockQueue *queue_ref_any(BlockQueue *q)
{
    g_atomic_int_inc(&q->refs);
    return q;
}

void queue_unref_any(BlockQueue *q)
{
    if (g_atomic_int_dec_and_test(&q->refs)) {
        close(q->event);
        g_mutex_clear(&q->lock);
        g_free(q);
    }
}

/* --- completion --- */

/* Append a completed request to the list. Returns whether it is the only one. */
static bool completion_add(BlockQueue *q, BlockRequest *req, int result)
{
    bool first;

    req->p.next = NULL;
    req->p.result = result;
    g_mutex_lock(&q->lock);
    first = q->finished == NULL;
    *q->finished_tail = req;
    q->finished_tail = &req->p.next;
    g_mutex_unlock(&q->lock);
    return first;
}

static void completion_wake(void *opaque)
{
    BlockQueue *q = opaque;

    eventfd_write(q->event, 1);
    queue_unref_any(q);
}

/* As soon as the request is in the list, the event loop may complete it and its owner may free it.
 * The caller holds a reference to the queue, or the machine lock. */
void block_complete_any(BlockRequest *req, int result)
{
    BlockQueue *q = req->p.root->queue;
    Machine *m = q->set->machine;

    if (!machine_locked(m)) {
        if (completion_add(q, req, result)) {
            eventfd_write(q->event, 1);
        }
    } else if (completion_add(q, req, result)) {
        machine_when_unlocked(m, completion_wake, queue_ref_any(q));
    }
}

/* Take one request from the list. A `done` may wait for the other requests, which must therefore
 * remain in the list of the queue. */
static BlockRequest *completion_next_finished(BlockQueue *q)
{
    BlockRequest *req;

    g_mutex_lock(&q->lock);
    req = q->finished;
    if (req) {
        q->finished = req->p.next;
        if (!q->finished) {
            q->finished_tail = &q->finished;
        }
    }
    g_mutex_unlock(&q->lock);
    return req;
}

/* Returns false if the list was empty. A `done` may remove the last device of the queue. */
static bool completion_deliver(BlockQueue *q)
{
    BlockRequest *req;
    bool any = false;
    int result;

    queue_ref_any(q);
    while ((req = completion_next_finished(q))) {
        any = true;
        result = req->p.result;
        if (req->p.pin) {
            req->p.pin->drv->unpin(req->p.pin, req->p.pin_slot);
        }
        req->p.root->in_flight--;
        stats_end(req->p.root, req, result);
        req->done(req, result);
    }
    queue_unref_any(q);
    return any;
}

static void completion_poll(BlockQueue *q)
{
    eventfd_t count;

    if (eventfd_read(q->event, &count) < 0) {
        return;
    }
    for (int i = 0; i < ENGINE_KINDS; i++) {
        if (q->engines[i]) {
            q->engines[i]->ops->poll(q->engines[i]);
        }
    }
}

static gboolean completion_on_event(gint fd, GIOCondition condition, gpointer opaque)
{
    completion_poll(opaque);
    completion_deliver(opaque);
    return G_SOURCE_CONTINUE;
}

void block_wait(BlockQueue *q)
{
    struct pollfd p = { .fd = q->event, .events = POLLIN };

    if (completion_deliver(q)) {
        return; /* a caller of this function further up the stack may have read their event */
    }
    poll(&p, 1, 1000);
    completion_poll(q);
    completion_deliver(q);
}

static void completion_run_threaded(gpointer data, gpointer opaque)
{
    BlockRequest *req = data;
    BlockQueue *q = req->p.root->queue;

    block_complete_any(req, req->p.node->drv->perform(req->p.node, req));
    queue_unref_any(q);
}

void block_run_threaded(BlockRequest *req)
{
    BlockSet *set = req->p.root->set;

    if (!set->pool) {
        set->pool = g_thread_pool_new(completion_run_threaded, set, POOL_THREADS, FALSE, NULL);
    }
    queue_ref_any(req->p.root->queue);
    g_thread_pool_push(set->pool, req, NULL);
}

/* --- engines --- */

static bool engine_create(BlockQueue *q, BlockEngineKind kind, GError **err)
{
    static const BlockEngineOps *const engines[] = { &engine_uring, &engine_aio };
    BlockEngine *e = q->engines[kind];

    if (!e) {
        e = engines[kind]->create(q, err);
        if (e) {
            e->ops = engines[kind];
            e->queue = q;
            q->engines[kind] = e;
        }
    }
    return e != NULL;
}

bool engine_open(BlockSet *set, BlockEngineKind kind, GError **err)
{
    return engine_create(set->queue, kind, err);
}

bool engine_submit(BlockEngineKind kind, BlockRequest *req, int fd)
{
    BlockEngine *e = kind == ENGINE_NONE ? NULL : req->p.root->queue->engines[kind];

    return e && req->n_iov <= IOV_MAX && e->ops->submit(e, req, fd);
}

/* The eventfd is not written: completion_poll() has read the event of the engine, and its caller
 * delivers the requests. */
void engine_complete(BlockRequest *req, int result)
{
    bool complete = req->p.op == BLOCK_FLUSH ? result == 0 : (uint64_t)result == req->len;

    if (result >= 0 && complete) {
        completion_add(req->p.root->queue, req, 0);
    } else if (result >= 0 || result == -EINTR || result == -EAGAIN || result == -EINVAL ||
               result == -EOPNOTSUPP) {
        block_run_threaded(req);
    } else {
        completion_add(req->p.root->queue, req, result);
    }
}

/* --- queues --- */

static BlockQueue *queue_new(BlockSet *set, GMainContext *context, GError **err)
{
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    BlockQueue *q;

    if (event < 0) {
        error_set_errno(err, errno, "no event for finished requests");
        return NULL;
    }
    q = g_new0(BlockQueue, 1);
    *q = (BlockQueue){ .set = set, .context = context, .refs = 1, .event = event };
    q->finished_tail = &q->finished;
    g_mutex_init(&q->lock);
    q->source = g_unix_fd_source_new(event, G_IO_IN);
    g_source_set_callback(q->source, G_SOURCE_FUNC(completion_on_event), q, NULL);
    g_source_set_can_recurse(q->source, TRUE); /* util/watch.h */
    g_source_attach(q->source, context);
    return q;
}

/* Stop the delivery of a queue without requests. */
static void queue_close(BlockQueue *q)
{
    g_source_destroy(q->source);
    g_source_unref(q->source);
    for (int i = 0; i < ENGINE_KINDS; i++) {
        if (q->engines[i]) {
            q->engines[i]->ops->free(q->engines[i]);
            q->engines[i] = NULL;
        }
    }
    queue_unref_any(q);
}

/* Find or create the queue of an I/O thread, with the engines of the main loop. */
static BlockQueue *queue_get(BlockSet *set, GMainContext *context, GError **err)
{
    BlockQueue *q = NULL;

    for (guint i = 0; i < set->queues->len && !q; i++) {
        BlockQueue *other = set->queues->pdata[i];

        q = other->context == context ? other : NULL;
    }
    if (!q) {
        q = queue_new(set, context, err);
        if (!q) {
            return NULL;
        }
        g_ptr_array_add(set->queues, q);
    }
    for (int kind = 0; kind < ENGINE_KINDS; kind++) {
        if (set->queue->engines[kind] && !engine_create(q, (BlockEngineKind)kind, err)) {
            return NULL;
        }
    }
    return q;
}

static void queue_drop_unused(BlockSet *set)
{
    for (guint i = set->queues->len; i-- > 0;) {
        BlockQueue *q = set->queues->pdata[i];

        if (q->devices == 0) {
            g_ptr_array_remove_index(set->queues, i);
            queue_close(q);
        }
    }
}

bool queue_join(BlockNode *n, GMainContext *context, GError **err)
{
    BlockQueue *q = context ? queue_get(n->set, context, err) : n->set->queue;

    if (!q) {
        queue_drop_unused(n->set);
        return false;
    }
    q->devices++;
    n->queue = q;
    return true;
}

void queue_leave(BlockNode *n)
{
    n->queue->devices--;
    if (!node_user(n)) {
        n->queue = n->set->queue;
    }
    queue_drop_unused(n->set);
}

void queues_free(BlockSet *set)
{
    if (set->queue) {
        queue_close(set->queue);
    }
    g_ptr_array_free(set->queues, TRUE);
}

/* --- the set --- */

BlockSet *block_set(Machine *m)
{
    BlockSet *set = m->blocks;

    if (!set) {
        set = m->blocks = g_new0(BlockSet, 1);
        set->machine = m;
        set->nodes = g_ptr_array_new();
        set->media = g_ptr_array_new();
        set->queues = g_ptr_array_new();
    }
    return set;
}

bool block_set_ready(BlockSet *set, GError **err)
{
    if (!set->queue) {
        set->queue = queue_new(set, NULL, err);
    }
    return set->queue != NULL;
}
