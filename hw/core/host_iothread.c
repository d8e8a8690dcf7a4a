/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iothread: a named thread of the host with its own main loop. Management software creates one for
 * each disk and pins it to host CPUs by the thread id. Block I/O uses other threads
 * (docs/locking.md), so no device uses this thread.
 */
#include <errno.h>
#include <unistd.h>

#include "hw/core/host_object.h"
#include "util/error.h"
#include "util/host.h"

typedef struct HostIothread {
    HostObject o;
    GMainContext *context;
    GMainLoop *loop;
    GThread *thread;
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
    g_main_context_push_thread_default(t->context);
    g_main_loop_run(t->loop);
    g_main_context_pop_thread_default(t->context);
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
    t->context = g_main_context_new();
    t->loop = g_main_loop_new(t->context, FALSE);
    t->thread = g_thread_try_new(name, iothread_run, t, err);
    g_mutex_lock(&t->lock);
    while (t->thread && t->tid == 0) {
        g_cond_wait(&t->known, &t->lock);
    }
    g_mutex_unlock(&t->lock);
    return t->thread != NULL;
}

static gboolean iothread_stop(gpointer loop)
{
    g_main_loop_quit(loop);
    return G_SOURCE_REMOVE;
}

/* Stop the loop and wait for the thread. The loop may not have started yet, so the thread itself
 * stops it. */
static void iothread_end_thread(HostIothread *t)
{
    GSource *source = g_idle_source_new();

    g_source_set_callback(source, iothread_stop, t->loop, NULL);
    g_source_attach(source, t->context);
    g_source_unref(source);
    g_thread_join(t->thread);
}

static void iothread_close(HostObject *o)
{
    HostIothread *t = (HostIothread *)o;

    if (t->thread) {
        iothread_end_thread(t);
    }
    if (t->loop) {
        g_main_loop_unref(t->loop);
        g_main_context_unref(t->context);
        g_mutex_clear(&t->lock);
        g_cond_clear(&t->known);
    }
}

int64_t host_iothread_tid(const HostObject *o)
{
    return o->kind == &host_iothread ? ((const HostIothread *)o)->tid : 0;
}

const HostObjectKind host_iothread = {
    .name = "iothread",
    .doc = "a thread of the host, for its id",
    .size = sizeof(HostIothread),
    .open = iothread_open,
    .close = iothread_close,
};
