/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connection of an NBD node, and its thread.
 *
 * The thread connects, sends the commands of the jobs in its queue (NBD_IN_FLIGHT_MAX at a time)
 * and ends the jobs. When the connection is lost, unfinished jobs return to the queue. They are
 * sent again after a reconnection within `delay_ms`, and fail with EIO afterwards.
 *
 * A server that does not answer delays jobs for as long as only the guest waits for them. While
 * nodes are drained, or the main loop waits for a job, the connection of a server that is silent
 * for NBD_SILENCE_MS is closed, and all jobs fail. The same limit applies to jobs that wait for a
 * reconnection.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "nbd_internal.h"
#include "nbd_library_internal.h"
#include "util/connector.h"
#include "util/host.h"
#include "util/log.h"

enum {
    NBD_IN_FLIGHT_MAX = 16,
    NBD_CONNECT_MS = 10000, /* from connect() to the end of the handshake */
    NBD_SILENCE_MS = 10000,
    NBD_TICK_MS = 250, /* interval of the checks for these limits */
    NBD_RETRY_MIN_MS = 1000,
    NBD_RETRY_MAX_MS = 16000,
    NBD_FREE_MS = 5000,
    NBD_REPORT_MS = 60000 /* between two messages about a lost connection */
};

typedef enum LinkState { LINK_DOWN, LINK_CONNECTING, LINK_HANDSHAKE, LINK_READY } LinkState;

struct NbdLink {
    int refs; /* atomic: of the node and of the thread */
    NbdServer *server;
    uint64_t delay_ms;
    GThread *thread;
    int wake;     /* eventfd: for the thread */
    int answer;   /* eventfd: the thread has connected, or failed to */
    NbdInfo info; /* of the last connection; the size is that of the first one */

    GMutex lock;
    GCond changed;       /* a job that a caller waits for has ended; the thread has ended */
    GQueue waiting;      /* NbdJob: not sent, or to be sent again */
    bool stop, renew;    /* requests to the thread */
    bool ended;          /* the thread makes no further access to members below `lock` */
    bool settled;        /* `failure` is the result of the first connection, or of a renewal */
    GError *failure;     /* NULL: success */
    const int *draining; /* NULL: the node was freed before the thread ended */
    unsigned hurried;    /* jobs that a thread with the machine lock waits for */

    /* Of the thread. Times are milliseconds of the monotonic clock. */
    LinkState state;
    struct nbd_handle *h;
    Connector *connector;
    GQueue active; /* NbdJob: sent */
    gint64 open_end, attempt_end, next_attempt, connected_at, lost_at, answered_at, hurry_since;
    gint64 reported_at;
    gint64 retry_ms;
    bool known;    /* `info` is valid */
    bool reported; /* the loss of the connection was reported */
};

static gint64 link_now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

static void link_unref(NbdLink *l)
{
    if (__atomic_sub_fetch(&l->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        nbd_server_free(l->server);
        close(l->wake);
        close(l->answer);
        g_clear_error(&l->failure);
        g_mutex_clear(&l->lock);
        g_cond_clear(&l->changed);
        g_free(l);
    }
}

static bool link_is_broken(const NbdLink *l)
{
    return nbd_api.aio_is_dead(l->h) || nbd_api.aio_is_closed(l->h);
}

/* The message of libnbd about its last error in this thread, without the name of its function. */
static const char *link_library_message(void)
{
    const char *text = nbd_api.get_error(), *colon = text ? strstr(text, ": ") : NULL;

    return colon && g_str_has_prefix(text, "nbd_") ? colon + 2
           : text                                  ? text
                                                   : "the server closed it";
}

/* --- jobs --- */

static void link_end_job(NbdJob *job, int result)
{
    g_free(job->bounce);
    job->bounce = NULL;
    job->bounce_size = 0;
    job->ended(job, result);
}

/* Take a job whose turn is next. NULL: there is none. */
static NbdJob *link_next_job(NbdLink *l)
{
    GList *first;

    g_mutex_lock(&l->lock);
    first = g_queue_pop_head_link(&l->waiting);
    g_mutex_unlock(&l->lock);
    return first ? first->data : NULL;
}

static bool link_has_jobs(NbdLink *l)
{
    bool any;

    g_mutex_lock(&l->lock);
    any = l->waiting.length > 0;
    g_mutex_unlock(&l->lock);
    return any || l->active.length > 0;
}

static void link_fail_waiting(NbdLink *l)
{
    NbdJob *job;

    while ((job = link_next_job(l))) {
        link_end_job(job, -EIO);
    }
}

static void link_advance_job(NbdLink *l, NbdJob *job)
{
    int result;

    if (nbd_job_advance(job, l->h, &l->info, &result) == NBD_RUNS) {
        g_queue_push_tail_link(&l->active, &job->link);
        return;
    }
    if (result && link_is_broken(l)) { /* the command was not sent */
        nbd_job_rewind(job);
        g_queue_push_tail_link(&l->active, &job->link);
        return;
    }
    link_end_job(job, result);
}

static void link_start_jobs(NbdLink *l)
{
    NbdJob *job;

    while (l->active.length < NBD_IN_FLIGHT_MAX && !link_is_broken(l) && (job = link_next_job(l))) {
        if (l->active.length == 0) {
            l->answered_at = link_now_ms(); /* the server has not been silent */
        }
        link_advance_job(l, job);
    }
}

/* Continue with the jobs that the server answered. When the connection breaks, libnbd ends all
 * commands with an error; link_lose() handles these. */
static void link_accept_answers(NbdLink *l)
{
    bool broken = link_is_broken(l);
    GList *next;

    for (GList *at = l->active.head; at; at = next) {
        NbdJob *job = at->data;

        next = at->next;
        if (!job->answered || (broken && job->error)) {
            continue;
        }
        l->answered_at = link_now_ms();
        g_queue_unlink(&l->active, at);
        nbd_job_accept(job);
        link_advance_job(l, job);
    }
}

/* --- the state of the connection --- */

static void link_close_handle(NbdLink *l)
{
    connector_free(l->connector);
    l->connector = NULL;
    if (l->h) {
        nbd_api.close(l->h);
        l->h = NULL;
    }
    l->state = LINK_DOWN;
}

/* Return unfinished jobs to the queue, in their order. */
static void link_requeue_active(NbdLink *l)
{
    GList *last;

    g_mutex_lock(&l->lock);
    while ((last = g_queue_pop_tail_link(&l->active))) {
        nbd_job_rewind(last->data);
        g_queue_push_head_link(&l->waiting, last);
    }
    g_mutex_unlock(&l->lock);
}

static void link_report_loss(NbdLink *l, const char *why)
{
    gint64 now = link_now_ms();

    if (!l->reported && (!l->reported_at || now - l->reported_at > NBD_REPORT_MS)) {
        message("%s: the connection was lost: %s; requests %s", l->server->name, why,
                l->delay_ms ? "wait for a new connection (reconnect-delay)"
                            : "fail until it is back");
        l->reported = true;
        l->reported_at = now;
    }
}

static void link_lose(NbdLink *l, const char *why)
{
    gint64 now = link_now_ms();

    link_report_loss(l, why);
    link_close_handle(l);
    link_requeue_active(l);
    l->lost_at = now;
    l->retry_ms = NBD_RETRY_MIN_MS;
    l->next_attempt = MAX(now, l->connected_at + NBD_RETRY_MIN_MS);
}

/* Report the result to the caller that waits for the first connection or for a renewal. */
static void link_settle(NbdLink *l, GError *failure)
{
    g_mutex_lock(&l->lock);
    l->settled = true;
    l->renew = false;
    g_clear_error(&l->failure);
    l->failure = failure;
    g_mutex_unlock(&l->lock);
    eventfd_write(l->answer, 1);
}

static bool link_is_renewing(NbdLink *l)
{
    bool renewing;

    g_mutex_lock(&l->lock);
    renewing = l->renew;
    g_mutex_unlock(&l->lock);
    return renewing;
}

/* An attempt to connect has failed; the error is consumed. */
static void link_attempt_failed(NbdLink *l, GError *why)
{
    gint64 now = link_now_ms();

    link_close_handle(l);
    l->next_attempt = now + l->retry_ms;
    if (l->known) {
        l->retry_ms = MIN(2 * l->retry_ms, NBD_RETRY_MAX_MS);
    }
    if (l->known ? link_is_renewing(l) : now + l->retry_ms > l->open_end) {
        g_prefix_error(&why, "cannot connect to '%s': ", l->server->name);
        link_settle(l, why);
    } else {
        g_error_free(why);
    }
}

/* --- connecting --- */

static Connector *link_new_connector(const NbdServer *s)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    size_t len;

    if (s->host) {
        return connector_new_host(s->host, s->port, s->family);
    }
    len = strlen(s->path);
    memcpy(un.sun_path + s->abstract, s->path, MIN(len, sizeof(un.sun_path) - s->abstract));
    return connector_new((struct sockaddr *)&un,
                         s->abstract ? offsetof(struct sockaddr_un, sun_path) + 1 + len
                                     : sizeof(un));
}

static GError *link_handshake_error(void)
{
    GError *err = NULL;

    error_set(&err, ERROR_HOST, "%s", link_library_message());
    return err;
}

/* Create a handle with the options of the server. False: the caller reports the error. */
static bool link_new_handle(NbdLink *l)
{
    const NbdServer *s = l->server;
    g_autofree char *keys = s->tls_user ? g_build_filename(s->tls_dir, "keys.psk", NULL) : NULL;
    const char *name = s->tls_hostname ? s->tls_hostname : s->host;

    l->h = nbd_api.create();
    if (!l->h || nbd_api.set_export_name(l->h, s->export) < 0 ||
        nbd_api.set_tls(l->h, s->tls_dir ? LIBNBD_TLS_REQUIRE : LIBNBD_TLS_DISABLE) < 0) {
        return false;
    }
    if (keys) {
        return nbd_api.set_tls_username(l->h, s->tls_user) == 0 &&
               nbd_api.set_tls_psk_file(l->h, keys) == 0;
    }
    if (!s->tls_dir) {
        return true;
    }
    return nbd_api.set_tls_certificates(l->h, s->tls_dir) == 0 &&
           nbd_api.set_tls_verify_peer(l->h, s->tls_verify) == 0 &&
           (!name || !nbd_api.set_tls_hostname || nbd_api.set_tls_hostname(l->h, name) == 0);
}

/* Return whether libnbd has to resolve the name of the host, because only then it checks the
 * certificate for it. */
static bool link_connects_by_name(const NbdServer *s)
{
    return s->host && s->tls_dir && !s->tls_user && s->tls_verify && !nbd_api.set_tls_hostname;
}

static void link_connect_by_name(NbdLink *l)
{
    if (link_new_handle(l) &&
        nbd_api.aio_connect_tcp(l->h, l->server->host, l->server->port) == 0) {
        l->state = LINK_HANDSHAKE;
    } else {
        link_attempt_failed(l, link_handshake_error());
    }
}

static void link_start_attempt(NbdLink *l)
{
    l->attempt_end = link_now_ms() + NBD_CONNECT_MS;
    if (link_connects_by_name(l->server)) {
        link_connect_by_name(l);
        return;
    }
    l->connector = link_new_connector(l->server);
    l->state = LINK_CONNECTING;
}

/* The handle owns the socket when this succeeds. */
static void link_begin_handshake(NbdLink *l, int fd)
{
    GError *why;

    if (link_new_handle(l) && nbd_api.aio_connect_socket(l->h, fd) == 0) {
        l->state = LINK_HANDSHAKE;
        return;
    }
    why = link_handshake_error();
    if (!l->h || nbd_api.aio_get_fd(l->h) != fd) {
        close(fd);
    }
    link_attempt_failed(l, why);
}

static void link_continue_connecting(NbdLink *l)
{
    GError *why = NULL;
    int fd, r = connector_try(l->connector, &fd, &why);

    if (r > 0) {
        connector_free(l->connector);
        l->connector = NULL;
        link_begin_handshake(l, fd);
    } else if (r < 0) {
        link_attempt_failed(l, why);
    }
}

/* Accept the export as the server describes it now. False with *err. */
static bool link_check_export(NbdLink *l, GError **err)
{
    NbdInfo info;

    if (!nbd_info_read(l->h, &info, err)) {
        return false;
    }
    if (!l->known) {
        l->info = info;
        l->known = true;
    }
    if (info.size != l->info.size || (info.read_only && !l->info.read_only)) {
        return error_set(err, ERROR_HOST,
                         "the export has changed: it has %" G_GUINT64_FORMAT " bytes%s instead of "
                         "%" G_GUINT64_FORMAT,
                         info.size, info.read_only ? ", read-only," : "", l->info.size);
    }
    l->info = info;
    return true;
}

static void link_continue_handshake(NbdLink *l)
{
    GError *why = NULL;

    if (link_is_broken(l)) {
        link_attempt_failed(l, link_handshake_error());
    } else if (nbd_api.aio_is_ready(l->h)) {
        if (!link_check_export(l, &why)) {
            link_attempt_failed(l, why);
            return;
        }
        l->state = LINK_READY;
        l->connected_at = l->answered_at = link_now_ms();
        l->retry_ms = NBD_RETRY_MIN_MS;
        if (l->reported) {
            message("%s: connected again", l->server->name);
            l->reported = false;
        }
        link_settle(l, NULL);
    }
}

/* --- limits --- */

/* Return whether a caller waits for the jobs: a drain, or a thread with the machine lock. */
static bool link_is_hurried(NbdLink *l)
{
    bool hurried;

    g_mutex_lock(&l->lock);
    hurried = l->hurried > 0 || (l->draining && __atomic_load_n(l->draining, __ATOMIC_ACQUIRE) > 0);
    g_mutex_unlock(&l->lock);
    return hurried;
}

/* Fail jobs whose limits are exceeded. */
static void link_check_limits(NbdLink *l)
{
    gint64 now = link_now_ms();

    if (!link_has_jobs(l) || !link_is_hurried(l)) {
        l->hurry_since = 0;
    } else if (!l->hurry_since) {
        l->hurry_since = now;
    }
    if (l->state == LINK_READY) {
        if (l->hurry_since && l->active.length > 0 &&
            now - MAX(l->hurry_since, l->answered_at) > NBD_SILENCE_MS) {
            link_lose(l, "the server does not answer");
            link_fail_waiting(l);
        }
        return;
    }
    if ((l->state == LINK_CONNECTING || l->state == LINK_HANDSHAKE) && now > l->attempt_end) {
        GError *why = NULL;

        error_set(&why, ERROR_HOST, "no answer within %d s", NBD_CONNECT_MS / 1000);
        link_attempt_failed(l, why);
    }
    if (now - l->lost_at >= (gint64)l->delay_ms ||
        (l->hurry_since && now - l->hurry_since > NBD_SILENCE_MS)) {
        link_fail_waiting(l);
    }
}

/* --- the thread --- */

static bool link_is_stopped(NbdLink *l)
{
    bool stopped;

    g_mutex_lock(&l->lock);
    stopped = l->stop;
    g_mutex_unlock(&l->lock);
    return stopped;
}

/* Milliseconds until something must be done without an event; -1: never. */
static int link_timeout(NbdLink *l)
{
    if (link_has_jobs(l) || l->state == LINK_CONNECTING || l->state == LINK_HANDSHAKE) {
        return NBD_TICK_MS;
    }
    return l->state == LINK_READY ? -1 : (int)MAX(0, l->next_attempt - link_now_ms());
}

static void link_notify(NbdLink *l, unsigned direction, short events)
{
    bool ends = events & (POLLHUP | POLLERR | POLLNVAL);

    if ((direction & LIBNBD_AIO_DIRECTION_READ) && ((events & POLLIN) || ends)) {
        nbd_api.aio_notify_read(l->h);
    } else if ((direction & LIBNBD_AIO_DIRECTION_WRITE) && ((events & POLLOUT) || ends)) {
        nbd_api.aio_notify_write(l->h);
    }
}

static void link_wait(NbdLink *l)
{
    struct pollfd p[2] = { { .fd = l->wake, .events = POLLIN }, { .fd = -1 } };
    int ms = link_timeout(l), most = -1;
    unsigned direction = 0;
    eventfd_t count;

    if (l->connector) {
        most = connector_poll(l->connector, &p[1]);
        ms = most >= 0 ? MIN(ms, most) : ms;
    } else if (l->h) {
        direction = nbd_api.aio_get_direction(l->h);
        p[1].fd = nbd_api.aio_get_fd(l->h);
        p[1].events = (short)((direction & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
                              (direction & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0));
    }
    if (poll(p, 2, ms) <= 0) {
        return;
    }
    if (p[0].revents) {
        eventfd_read(l->wake, &count);
    }
    if (l->h && p[1].revents) {
        link_notify(l, direction, p[1].revents);
    }
}

static void link_continue_ready(NbdLink *l)
{
    link_accept_answers(l);
    if (link_is_renewing(l)) {
        link_close_handle(l);
        link_requeue_active(l);
        l->lost_at = link_now_ms();
        return;
    }
    link_start_jobs(l);
    if (link_is_broken(l)) {
        link_lose(l, link_library_message());
    }
}

static void link_continue(NbdLink *l)
{
    switch (l->state) {
    case LINK_DOWN:
        if (link_now_ms() >= l->next_attempt || link_is_renewing(l)) {
            link_start_attempt(l);
        }
        break;
    case LINK_CONNECTING:
        link_continue_connecting(l);
        break;
    case LINK_HANDSHAKE:
        link_continue_handshake(l);
        break;
    case LINK_READY:
        link_continue_ready(l);
        break;
    }
}

static gpointer link_thread(gpointer opaque)
{
    NbdLink *l = opaque;

    while (!link_is_stopped(l)) {
        link_continue(l);
        link_check_limits(l);
        if (!link_is_stopped(l)) {
            link_wait(l);
        }
    }
    if (l->state == LINK_READY) {
        nbd_api.aio_disconnect(l->h, 0);
    }
    link_close_handle(l);
    g_mutex_lock(&l->lock);
    l->ended = true;
    g_cond_broadcast(&l->changed);
    g_mutex_unlock(&l->lock);
    link_unref(l);
    return NULL;
}

static void link_wake(NbdLink *l)
{
    eventfd_write(l->wake, 1);
}

/* --- the node --- */

/* Wait for link_settle(). While the process starts, termination signals end it. */
static bool link_wait_settled(NbdLink *l, GError **err)
{
    bool settled = false, ok = false;
    eventfd_t count;
    sigset_t none;

    sigemptyset(&none);
    while (!settled) {
        struct pollfd p = { .fd = l->answer, .events = POLLIN };

        if (ppoll(&p, 1, NULL, host_in_main_loop() ? NULL : &none) > 0) {
            eventfd_read(l->answer, &count);
        }
        g_mutex_lock(&l->lock);
        settled = l->settled;
        if (settled) {
            ok = !l->failure;
            if (!ok) {
                g_propagate_error(err, g_steal_pointer(&l->failure));
            }
        }
        g_mutex_unlock(&l->lock);
    }
    return ok;
}

static NbdLink *link_create(NbdServer *server, GError **err)
{
    NbdLink *l = g_new0(NbdLink, 1);

    g_mutex_init(&l->lock);
    g_cond_init(&l->changed);
    l->refs = 1;
    l->server = server;
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->answer = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake < 0 || l->answer < 0) {
        error_set_errno(err, errno, "no event for the connection to '%s'", server->name);
        link_unref(l);
        return NULL;
    }
    return l;
}

NbdLink *nbd_link_new(NbdServer *server, uint64_t delay_ms, uint64_t open_ms, const int *draining,
                      GError **err)
{
    NbdLink *l = link_create(server, err);

    if (!l) {
        return NULL;
    }
    l->delay_ms = delay_ms;
    l->open_end = link_now_ms() + (gint64)open_ms;
    l->retry_ms = NBD_RETRY_MIN_MS;
    l->draining = draining;
    l->refs = 2;
    l->thread = g_thread_try_new("nbd", link_thread, l, err);
    if (!l->thread) {
        link_unref(l);
        link_unref(l);
        return NULL;
    }
    if (!link_wait_settled(l, err)) {
        nbd_link_free(l);
        return NULL;
    }
    return l;
}

void nbd_link_free(NbdLink *l)
{
    gint64 end = g_get_monotonic_time() + NBD_FREE_MS * (gint64)1000;
    bool ended;

    g_mutex_lock(&l->lock);
    l->stop = true;
    l->draining = NULL;
    link_wake(l);
    while (!l->ended && g_cond_wait_until(&l->changed, &l->lock, end)) {
    }
    ended = l->ended;
    g_mutex_unlock(&l->lock);
    if (ended) {
        g_thread_join(l->thread);
    } else {
        g_thread_unref(l->thread); /* a library does not return; the thread frees the link */
    }
    link_unref(l);
}

const NbdInfo *nbd_link_info(const NbdLink *l)
{
    return &l->info;
}

void nbd_link_add_any(NbdLink *l, NbdJob *job)
{
    bool first;

    nbd_job_rewind(job);
    job->link = (GList){ .data = job };
    g_mutex_lock(&l->lock);
    first = l->waiting.length == 0;
    g_queue_push_tail_link(&l->waiting, &job->link);
    g_mutex_unlock(&l->lock);
    if (first) {
        link_wake(l);
    }
}

typedef struct LinkCall {
    NbdJob job;
    NbdLink *link;
    bool ended;
    int result;
} LinkCall;

static void link_call_ended(NbdJob *job, int result)
{
    LinkCall *call = job->opaque;
    NbdLink *l = call->link;

    g_mutex_lock(&l->lock);
    call->result = result;
    call->ended = true;
    g_cond_broadcast(&l->changed);
    g_mutex_unlock(&l->lock);
}

int nbd_link_perform_any(NbdLink *l, BlockRequest *req, bool hurried)
{
    LinkCall call = { .job = { .req = req, .ended = link_call_ended }, .link = l };

    call.job.opaque = &call;
    g_mutex_lock(&l->lock);
    l->hurried += hurried;
    g_mutex_unlock(&l->lock);
    nbd_link_add_any(l, &call.job);
    g_mutex_lock(&l->lock);
    while (!call.ended) {
        g_cond_wait(&l->changed, &l->lock);
    }
    l->hurried -= hurried;
    g_mutex_unlock(&l->lock);
    return call.result;
}

bool nbd_link_renew(NbdLink *l, GError **err)
{
    g_mutex_lock(&l->lock);
    l->settled = false;
    l->renew = true;
    g_mutex_unlock(&l->lock);
    link_wake(l);
    return link_wait_settled(l, err);
}
