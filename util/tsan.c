/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ThreadSanitizer cannot observe the synchronization of GLib, whose code is not instrumented. In
 * builds with -Dtsan=true these functions replace GLib's. They call the original functions and
 * report the order of two threads to ThreadSanitizer. Other builds do not contain them.
 */
#include <dlfcn.h>
#include <glib-unix.h>

void __tsan_acquire(void *addr);
void __tsan_release(void *addr);

#define REAL(name) ((__typeof__(&name))tsan_real_source(#name))

static void *tsan_real_source(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

/* --- locks --- */

void g_mutex_lock(GMutex *m)
{
    REAL(g_mutex_lock)(m);
    __tsan_acquire(m);
}

gboolean g_mutex_trylock(GMutex *m)
{
    gboolean got = REAL(g_mutex_trylock)(m);

    if (got) {
        __tsan_acquire(m);
    }
    return got;
}

void g_mutex_unlock(GMutex *m)
{
    __tsan_release(m);
    REAL(g_mutex_unlock)(m);
}

void g_cond_wait(GCond *c, GMutex *m)
{
    __tsan_release(m);
    REAL(g_cond_wait)(c, m);
    __tsan_acquire(m);
}

gboolean g_cond_wait_until(GCond *c, GMutex *m, gint64 end)
{
    gboolean woken;

    __tsan_release(m);
    woken = REAL(g_cond_wait_until)(c, m, end);
    __tsan_acquire(m);
    return woken;
}

/* --- sources: what was written before one was attached is seen by its callback --- */

typedef struct Callback {
    GSource *source;
    GSourceFunc fn;
    gpointer data;
    GDestroyNotify notify;
} Callback;

static gboolean tsan_call_fd(gint fd, GIOCondition condition, gpointer opaque)
{
    Callback *c = opaque;

    __tsan_acquire(c);
    __tsan_acquire(c->source);
    return ((GUnixFDSourceFunc)(void (*)(void))c->fn)(fd, condition, c->data);
}

static gboolean tsan_call_plain(gpointer opaque)
{
    Callback *c = opaque;

    __tsan_acquire(c);
    __tsan_acquire(c->source);
    return c->fn(c->data);
}

static void tsan_call_notify(gpointer opaque)
{
    Callback *c = opaque;

    __tsan_acquire(c);
    if (c->notify) {
        c->notify(c->data);
    }
    g_free(c);
}

#define FD_SOURCE "fd source" /* the name that tells the two types of callback apart */

GSource *g_unix_fd_source_new(gint fd, GIOCondition condition)
{
    GSource *source = REAL(g_unix_fd_source_new)(fd, condition);

    g_source_set_name(source, FD_SOURCE);
    return source;
}

void g_source_set_callback(GSource *source, GSourceFunc fn, gpointer data, GDestroyNotify notify)
{
    Callback *c = g_new(Callback, 1);
    gboolean fd = g_strcmp0(g_source_get_name(source), FD_SOURCE) == 0;

    *c = (Callback){ source, fn, data, notify };
    __tsan_release(c);
    REAL(g_source_set_callback)
    (source, fd ? G_SOURCE_FUNC(tsan_call_fd) : tsan_call_plain, c, tsan_call_notify);
}

guint g_source_attach(GSource *source, GMainContext *context)
{
    __tsan_release(source);
    return REAL(g_source_attach)(source, context);
}

/* --- thread pools --- */

typedef struct Work {
    GFunc fn;
    gpointer opaque;
} Work;

static void tsan_do_work(gpointer data, gpointer opaque)
{
    Work *w = opaque;

    __tsan_acquire(data);
    w->fn(data, w->opaque);
    __tsan_release(w);
}

GThreadPool *g_thread_pool_new(GFunc fn, gpointer opaque, gint max, gboolean exclusive,
                               GError **err)
{
    Work *w = g_new(Work, 1); /* never freed */

    *w = (Work){ fn, opaque };
    return REAL(g_thread_pool_new)(tsan_do_work, w, max, exclusive, err);
}

gboolean g_thread_pool_push(GThreadPool *pool, gpointer data, GError **err)
{
    __tsan_release(data);
    return REAL(g_thread_pool_push)(pool, data, err);
}

void g_thread_pool_free(GThreadPool *pool, gboolean immediate, gboolean wait)
{
    gpointer work = pool->user_data;

    REAL(g_thread_pool_free)(pool, immediate, wait);
    __tsan_acquire(work);
}
