/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main loop: GLib's default context, iterated by hand so that the machine lock is dropped
 * exactly while waiting; and the signals that end the emulator, read from a descriptor.
 */
#include "session.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "hw/core/clock.h"

typedef struct PollSet {
    GPollFD *fds;
    int size;
} PollSet;

static int query(GMainContext *ctx, int priority, int *timeout, PollSet *p)
{
    int n;

    while ((n = g_main_context_query(ctx, priority, timeout, p->fds, p->size)) > p->size) {
        p->size = n * 2;
        p->fds = g_renew(GPollFD, p->fds, p->size);
    }
    return n;
}

/* GLib counts in milliseconds; the machine's timers do not. */
static void wait_for_events(PollSet *p, int n, int timeout_ms, int64_t timer_ns)
{
    int64_t ns = timeout_ms < 0 ? CLOCK_NEVER : timeout_ms * INT64_C(1000000);
    struct timespec t;

    G_STATIC_ASSERT(sizeof(GPollFD) == sizeof(struct pollfd));
    ns = MIN(ns, timer_ns);
    t = (struct timespec){ ns / 1000000000, ns % 1000000000 };
    ppoll((struct pollfd *)p->fds, (nfds_t)n, ns == CLOCK_NEVER ? NULL : &t, NULL);
}

static void iterate(Machine *m, GMainContext *ctx, PollSet *p)
{
    int priority, timeout, n;
    int64_t timer_ns;

    g_main_context_prepare(ctx, &priority);
    n = query(ctx, priority, &timeout, p);
    timer_ns = clocks_wait_ns(m->clocks);
    machine_unlock(m);
    wait_for_events(p, n, timeout, timer_ns);
    machine_lock(m);
    if (g_main_context_check(ctx, priority, p->fds, n)) {
        g_main_context_dispatch(ctx);
    }
}

void main_loop(Session *s)
{
    GMainContext *ctx = g_main_context_default();
    PollSet p = { g_new(GPollFD, 16), 16 };

    g_main_context_acquire(ctx);
    while (!s->quit) {
        iterate(s->m, ctx, &p);
    }
    g_main_context_release(ctx);
    g_free(p.fds);
}

/* --- signals --- */

static gboolean on_signal(gint fd, GIOCondition cond, gpointer opaque)
{
    struct signalfd_siginfo info;
    Session *s = opaque;

    if (read(fd, &info, sizeof(info)) == sizeof(info)) {
        g_printerr("%s: terminating on signal %u\n", s->program, info.ssi_signo);
        machine_request(s->m, SHUTDOWN_HOST_SIGNAL, 0);
    }
    return G_SOURCE_CONTINUE;
}

bool signals_block(Session *s, GError **err)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signal_fd < 0) {
        g_set_error(err, SYSTEM_ERROR, "signals cannot be received: %s", g_strerror(errno));
        return false;
    }
    s->signals = g_unix_fd_source_new(s->signal_fd, G_IO_IN);
    g_source_set_callback(s->signals, G_SOURCE_FUNC(on_signal), s, NULL);
    g_source_attach(s->signals, NULL);
    return true;
}
