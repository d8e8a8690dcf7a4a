/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iothread: a named thread of the host with an event loop (hw/core/event_loop.h). Devices with
 * iothread=ID process their queues and complete their requests in it. Management software pins the
 * thread to host CPUs by its id.
 */
#include <errno.h>
#include <unistd.h>

#include "hw/core/bottom_half.h"
#include "hw/core/event_loop.h"
#include "hw/core/host_object.h"
#include "util/error.h"
#include "util/host.h"

#define IOTHREAD_POLL_MAX_NS 32768 /* as QEMU */

typedef struct HostIothread {
    HostObject o;
    uint64_t poll_max_ns, poll_grow, poll_shrink; /* properties */
    EventLoop loop;
    GThread *thread;
    int quit;   /* atomic */
    gint64 tid; /* set by the thread, under its lock */
    GMutex lock;
    GCond known;
} HostIothread;

static gpointer iothread_run(gpointer opaque)
{
    HostIothread *t = opaque;

    g_mutex_lock(&t->lock);
    t->tid = gettid();
    g_cond_signal(&t->known);
    g_mutex_unlock(&t->lock);
    machine_lock(t->o.machine);
    g_main_context_acquire(t->loop.context);
    g_main_context_push_thread_default(t->loop.context);
    while (!g_atomic_int_get(&t->quit)) {
        event_loop_iterate(&t->loop);
    }
    g_main_context_pop_thread_default(t->loop.context);
    g_main_context_release(t->loop.context);
    machine_unlock(t->o.machine);
    return NULL;
}

static bool iothread_open(HostObject *o, GError **err)
{
    HostIothread *t = (HostIothread *)o;
    g_autofree char *name = g_strdup_printf("IO %.12s", o->id); /* 15 characters at most */

    if (!host_can_open(2)) { /* GLib ends the process if it cannot make a context */
        return error_set(err, ERROR_HOST, "no file descriptors for a thread: %s",
                         g_strerror(EMFILE));
    }
    g_mutex_init(&t->lock);
    g_cond_init(&t->known);
    t->loop = (EventLoop){ .machine = o->machine,
                           .context = g_main_context_new(),
                           .poll_max_ns = (int64_t)t->poll_max_ns,
                           .poll_grow = (int64_t)t->poll_grow,
                           .poll_shrink = (int64_t)t->poll_shrink };
    t->thread = g_thread_try_new(name, iothread_run, t, err);
    g_mutex_lock(&t->lock);
    while (t->thread && t->tid == 0) {
        g_cond_wait(&t->known, &t->lock);
    }
    g_mutex_unlock(&t->lock);
    return t->thread != NULL;
}

/* End the thread, which may be waiting for events or for the machine lock. */
static void iothread_end_thread(HostIothread *t)
{
    Machine *m = t->o.machine;
    bool locked = machine_locked(m);

    g_atomic_int_set(&t->quit, 1);
    g_main_context_wakeup(t->loop.context);
    if (locked) {
        machine_unlock(m);
    }
    g_thread_join(t->thread);
    if (locked) {
        machine_lock(m);
    }
}

static void iothread_close(HostObject *o)
{
    HostIothread *t = (HostIothread *)o;

    if (t->thread) {
        iothread_end_thread(t);
    }
    if (t->loop.context) {
        bottom_halves_free_context(o->machine, t->loop.context);
        event_loop_clear(&t->loop);
        g_main_context_unref(t->loop.context);
        g_mutex_clear(&t->lock);
        g_cond_clear(&t->known);
    }
}

/* Return the thread of an object; NULL: it is of another class. */
static const HostIothread *iothread_of(const HostObject *o)
{
    return o->kind == &host_iothread ? (const HostIothread *)o : NULL;
}

int64_t host_iothread_tid(const HostObject *o)
{
    const HostIothread *t = iothread_of(o);

    return t ? t->tid : 0;
}

GMainContext *host_iothread_context(const HostObject *o)
{
    const HostIothread *t = iothread_of(o);

    return t ? t->loop.context : NULL;
}

IothreadPolling host_iothread_polling(const HostObject *o)
{
    const HostIothread *t = iothread_of(o);

    return t ? (IothreadPolling){ t->poll_max_ns, t->poll_grow, t->poll_shrink }
             : (IothreadPolling){ 0 };
}

static const PlanProp iothread_props[] = {
    PROP_U64(HostIothread, poll_max_ns, "poll-max-ns", IOTHREAD_POLL_MAX_NS, 0, INT64_MAX,
             "longest time of polling before the thread sleeps, in ns; 0: none"),
    PROP_U64(HostIothread, poll_grow, "poll-grow", 0, 0, INT64_MAX,
             "factor by which the time of polling grows; 0: 2"),
    PROP_U64(HostIothread, poll_shrink, "poll-shrink", 0, 0, INT64_MAX,
             "divisor by which the time of polling shrinks; 0: no polling until it grows again"),
};
const HostObjectKind host_iothread = {
    .name = "iothread",
    .doc = "a thread of the host for the queues and requests of disks",
    .size = sizeof(HostIothread),
    .props = LIST(iothread_props),
    .open = iothread_open,
    .close = iothread_close,
};
