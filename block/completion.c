/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way back of finished requests: from I/O threads and io_uring, through one eventfd, to the
 * callbacks on the main loop.
 */
#include <glib-unix.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "block_int.h"

enum { POOL_THREADS = 16 };

void block_complete_any(BlockRequest *req, int result)
{
    BlockSet *set = req_node(req)->set;
    bool first;

    req->priv[REQ_NEXT] = NULL;
    req->priv[REQ_RESULT] = GINT_TO_POINTER(result);
    g_mutex_lock(&set->lock);
    first = set->finished == NULL;
    *set->finished_tail = req;
    set->finished_tail = (BlockRequest **)&req->priv[REQ_NEXT];
    g_mutex_unlock(&set->lock);
    if (first) {
        eventfd_write(set->event, 1);
    }
}

static BlockRequest *take_finished(BlockSet *set)
{
    BlockRequest *list;

    g_mutex_lock(&set->lock);
    list = set->finished;
    set->finished = NULL;
    set->finished_tail = &set->finished;
    g_mutex_unlock(&set->lock);
    return list;
}

static void deliver(BlockSet *set)
{
    BlockRequest *req = take_finished(set);

    while (req) {
        BlockRequest *next = req->priv[REQ_NEXT];

        req_node(req)->in_flight--;
        req->done(req, GPOINTER_TO_INT(req->priv[REQ_RESULT]));
        req = next;
    }
}

static void take_event(BlockSet *set)
{
    eventfd_t count;

    if (eventfd_read(set->event, &count) == 0 && set->ring) {
        ring_poll(set->ring);
    }
}

static gboolean on_event(gint fd, GIOCondition condition, gpointer opaque)
{
    take_event(opaque);
    deliver(opaque);
    return G_SOURCE_CONTINUE;
}

void block_wait(BlockSet *set)
{
    struct pollfd p = { .fd = set->event, .events = POLLIN };

    poll(&p, 1, 1000);
    take_event(set);
    deliver(set);
}

static void run_threaded(gpointer data, gpointer opaque)
{
    BlockRequest *req = data;

    block_complete_any(req, file_do(req_node(req), req, 0));
}

void block_run_threaded(BlockRequest *req)
{
    BlockSet *set = req_node(req)->set;

    if (!set->pool) {
        set->pool = g_thread_pool_new(run_threaded, set, POOL_THREADS, FALSE, NULL);
    }
    g_thread_pool_push(set->pool, req, NULL);
}

BlockSet *block_set(Machine *m)
{
    BlockSet *set = m->blocks;

    if (!set) {
        set = m->blocks = g_new0(BlockSet, 1);
        set->machine = m;
        set->nodes = g_ptr_array_new();
        set->finished_tail = &set->finished;
        g_mutex_init(&set->lock);
        set->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        g_assert(set->event >= 0);
        set->source = g_unix_fd_add(set->event, G_IO_IN, on_event, set);
    }
    return set;
}
