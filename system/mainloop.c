/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main loop, which iterates the default context of GLib and releases the machine lock only
 * while it waits; and the signals that end the emulator.
 */
#include "internal.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "hw/core/event_loop.h"
#include "util/cpuwait.h"
#include "util/host.h"
#include "util/log.h"

#define CONTEXT_FDS 2 /* descriptors that a GMainContext may need */

static void signals_to_main_loop(Session *s);

void main_loop(Session *s)
{
    EventLoop loop = { .machine = s->m, .context = g_main_context_default(), .timers = true };

    g_main_context_acquire(loop.context);
    signals_to_main_loop(s);
    while (!s->quit) {
        event_loop_iterate(&loop);
    }
    g_main_context_release(loop.context);
    event_loop_clear(&loop);
}

/* --- signals --- */

/*
 * A thread receives the signals that end the emulator, so that a blocked main loop does not delay
 * them. During the start, which can wait for a peer, a name server or a slow file, a signal ends
 * the process immediately. After the start, a signal requests a shutdown from the main loop. If the
 * main loop does not accept the request within ANSWER_MS, excluding times in which a thread of the
 * process lacked a CPU, the main loop is blocked, and the signal ends the process as if it were not
 * caught.
 */
enum { ANSWER_MS = 900, BUSY_MS = 20000, SLICE_MS = 50 };

struct Signals {
    Session *s;
    int fd;             /* signalfd */
    int request, taken; /* eventfds: request to the main loop, acknowledgement */
    int quit;           /* eventfd: ends the thread */
    bool running;       /* atomic: the main loop runs */
    int number;         /* atomic: the last signal */
    GThread *thread;
    GSource *source;
};

/* Deliver further signals to the main loop as shutdown requests. */
static void signals_to_main_loop(Session *s)
{
    if (s->signals) {
        __atomic_store_n(&s->signals->running, true, __ATOMIC_RELEASE);
    }
}

static G_GNUC_NORETURN void loop_end_process(Signals *g, int number)
{
    sigset_t set;

    process_remove_pidfile(g->s);
    signal(number, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    kill(getpid(), number);
    _exit(128 + number);
}

/* Wait until the main loop accepts the request, or has ended for an earlier one and waits for this
 * thread. Return false after @ms milliseconds. */
static bool loop_await(const Signals *g, int ms)
{
    struct pollfd p[] = { { .fd = g->taken, .events = POLLIN },
                          { .fd = g->quit, .events = POLLIN } };
    eventfd_t count;
    int r;

    do {
        r = poll(p, G_N_ELEMENTS(p), ms);
    } while (r < 0 && errno == EINTR);
    return r > 0 && (p[1].revents || eventfd_read(g->taken, &count) == 0);
}

/* Return whether the main loop accepts the request within ANSWER_MS. On a busy host the main loop
 * can be late without being blocked: it lacks a CPU, or it waits for another thread that does, for
 * example for a CPU thread that has the machine lock. Such times are not counted, up to BUSY_MS. */
static bool loop_answered(Signals *g)
{
    CpuWait *wait = cpu_wait_new(CPU_WAIT_FOLDER);
    gint64 begin = g_get_monotonic_time(), now;
    int left = ANSWER_MS, busy_left = BUSY_MS;
    bool answered = false;

    while (left > 0 && busy_left > 0 && !(answered = loop_await(g, SLICE_MS))) {
        now = g_get_monotonic_time();
        if (cpu_wait_sample(wait, now - begin)) {
            busy_left -= SLICE_MS;
        } else {
            left -= SLICE_MS;
        }
        begin = now;
    }
    cpu_wait_free(wait);
    return answered;
}

static void received(Signals *g, int number)
{
    message("%s: terminating on signal %d", g->s->program, number);
    if (!__atomic_load_n(&g->running, __ATOMIC_ACQUIRE)) {
        loop_end_process(g, number);
    }
    __atomic_store_n(&g->number, number, __ATOMIC_RELEASE);
    eventfd_write(g->request, 1);
    if (!loop_answered(g)) {
        message("%s: the main loop is blocked: ending immediately", g->s->program);
        loop_end_process(g, number);
    }
}

static gpointer signal_thread(gpointer opaque)
{
    Signals *g = opaque;
    struct pollfd p[2] = { { .fd = g->quit, .events = POLLIN }, { .fd = g->fd, .events = POLLIN } };
    struct signalfd_siginfo info;

    while (p[0].revents == 0) {
        if (poll(p, 2, -1) > 0 && p[1].revents &&
            read(g->fd, &info, sizeof(info)) == sizeof(info)) {
            received(g, (int)info.ssi_signo);
        }
    }
    return NULL;
}

static gboolean on_signal(gint fd, GIOCondition cond, gpointer opaque)
{
    Signals *g = opaque;
    eventfd_t count;

    if (eventfd_read(fd, &count) == 0) {
        eventfd_write(g->taken, 1);
        machine_request(g->s->m, SHUTDOWN_HOST_SIGNAL, 0);
    }
    return G_SOURCE_CONTINUE;
}

static bool open_fds(Signals *g, const sigset_t *set)
{
    g->fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
    g->request = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g->taken = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g->quit = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return g->fd >= 0 && g->request >= 0 && g->taken >= 0 && g->quit >= 0;
}

bool signals_start(Session *s, GError **err)
{
    Signals *g = g_new0(Signals, 1);
    sigset_t set;

    s->signals = g;
    g->s = s;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (!open_fds(g, &set)) {
        return error_set(err, ERROR_USER, "signals cannot be received: %s", g_strerror(errno));
    }
    /* check before GLib creates the default context, because GLib aborts on failure */
    if (!host_can_open(CONTEXT_FDS)) {
        return error_set(err, ERROR_USER, "the main loop cannot start: %s", g_strerror(errno));
    }
    g->source = g_unix_fd_source_new(g->request, G_IO_IN);
    g_source_set_callback(g->source, G_SOURCE_FUNC(on_signal), g, NULL);
    g_source_attach(g->source, NULL);
    g->thread = g_thread_try_new("signals", signal_thread, g, err);
    return g->thread;
}

static void loop_close_fd(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

void signals_stop(Session *s)
{
    Signals *g = s->signals;

    if (!g) {
        return;
    }
    if (g->thread) {
        eventfd_write(g->quit, 1);
        g_thread_join(g->thread);
    }
    if (g->source) {
        g_source_destroy(g->source);
        g_source_unref(g->source);
    }
    loop_close_fd(g->fd);
    loop_close_fd(g->request);
    loop_close_fd(g->taken);
    loop_close_fd(g->quit);
    g_clear_pointer(&s->signals, g_free);
}
