/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Completed requests: from I/O threads and the engines of the host kernel, through one eventfd, to
 * the callbacks on the main loop.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "internal.h"
#include "util/watch.h"

enum { POOL_THREADS = 16 };

/* Append a completed request to the list. Returns whether it is the only one. */
static bool completion_add(BlockRequest *req, int result)
{
    BlockSet *set = req->p.root->set;
    bool first;

    req->p.next = NULL;
    req->p.result = result;
    g_mutex_lock(&set->lock);
    first = set->finished == NULL;
    *set->finished_tail = req;
    set->finished_tail = &req->p.next;
    g_mutex_unlock(&set->lock);
    return first;
}

/* As soon as the request is in the list, the main loop may complete it and its owner may free it.
 */
void block_complete_any(BlockRequest *req, int result)
{
    BlockSet *set = req->p.root->set;

    if (completion_add(req, result)) {
        eventfd_write(set->event, 1);
    }
}

/* Take one request from the list. A `done` may wait for the other requests, which must therefore
 * remain in the list of the set. */
static BlockRequest *completion_next_finished(BlockSet *set)
{
    BlockRequest *req;

    g_mutex_lock(&set->lock);
    req = set->finished;
    if (req) {
        set->finished = req->p.next;
        if (!set->finished) {
            set->finished_tail = &set->finished;
        }
    }
    g_mutex_unlock(&set->lock);
    return req;
}

/* Returns false if the list was empty. */
static bool completion_deliver(BlockSet *set)
{
    BlockRequest *req;
    bool any = false;
    int result;

    while ((req = completion_next_finished(set))) {
        any = true;
        result = req->p.result;
        if (req->p.pin) {
            req->p.pin->drv->unpin(req->p.pin, req->p.pin_slot);
        }
        req->p.root->in_flight--;
        stats_end(req->p.root, req, result);
        req->done(req, result);
    }
    return any;
}

static void completion_poll(BlockSet *set)
{
    eventfd_t count;

    if (eventfd_read(set->event, &count) < 0) {
        return;
    }
    for (int i = 0; i < ENGINE_KINDS; i++) {
        if (set->engines[i]) {
            set->engines[i]->ops->poll(set->engines[i]);
        }
    }
}

static gboolean completion_on_event(gint fd, GIOCondition condition, gpointer opaque)
{
    completion_poll(opaque);
    completion_deliver(opaque);
    return G_SOURCE_CONTINUE;
}

void block_wait(BlockSet *set)
{
    struct pollfd p = { .fd = set->event, .events = POLLIN };

    if (completion_deliver(set)) {
        return; /* a caller of this function further up the stack may have read their event */
    }
    poll(&p, 1, 1000);
    completion_poll(set);
    completion_deliver(set);
}

static void completion_run_threaded(gpointer data, gpointer opaque)
{
    BlockRequest *req = data;

    block_complete_any(req, req->p.node->drv->perform(req->p.node, req));
}

void block_run_threaded(BlockRequest *req)
{
    BlockSet *set = req->p.root->set;

    if (!set->pool) {
        set->pool = g_thread_pool_new(completion_run_threaded, set, POOL_THREADS, FALSE, NULL);
    }
    g_thread_pool_push(set->pool, req, NULL);
}

/* --- engines --- */

BlockEngine *engine_get(BlockSet *set, BlockEngineKind kind, GError **err)
{
    static const BlockEngineOps *const engines[] = { &engine_uring, &engine_aio };
    BlockEngine *e = set->engines[kind];

    if (!e) {
        e = engines[kind]->create(set, err);
        if (e) {
            e->ops = engines[kind];
            e->set = set;
            set->engines[kind] = e;
        }
    }
    return e;
}

bool engine_submit(BlockEngine *e, BlockRequest *req, int fd)
{
    return req->n_iov <= IOV_MAX && e->ops->submit(e, req, fd);
}

/* The eventfd is not written: completion_poll() has read the event of the engine, and its caller
 * delivers the requests. */
void engine_complete(BlockRequest *req, int result)
{
    bool complete = req->p.op == BLOCK_FLUSH ? result == 0 : (uint64_t)result == req->len;

    if (result >= 0 && complete) {
        completion_add(req, 0);
    } else if (result >= 0 || result == -EINTR || result == -EAGAIN || result == -EINVAL ||
               result == -EOPNOTSUPP) {
        block_run_threaded(req);
    } else {
        completion_add(req, result);
    }
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
        set->finished_tail = &set->finished;
        g_mutex_init(&set->lock);
        set->event = -1;
    }
    return set;
}

bool block_set_ready(BlockSet *set, GError **err)
{
    if (set->event >= 0) {
        return true;
    }
    set->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (set->event < 0) {
        return error_set_errno(err, errno, "no event for finished requests");
    }
    set->source = watch_fd(set->event, G_IO_IN, completion_on_event,
                           set); /* completion_deliver() may be nested */
    return true;
}
