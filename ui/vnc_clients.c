/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clients of the VNC server, on the main loop.
 */
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "machine-events.h"
#include "util/error.h"
#include "util/log.h"
#include "vnc_internal.h"

enum { VNC_LOG_S = 10 };

void vnc_wake_main_any(VncServer *v)
{
    g_source_set_ready_time(v->wake, 0);
}

void vnc_wake_clients(VncServer *v)
{
    for (unsigned i = 0; i < v->n_clients; i++) {
        if (v->clients[i].thread)
            eventfd_write(v->clients[i].wake, 1);
    }
}

void vnc_log_any(VncServer *v, const char *why)
{
    int64_t now = g_get_monotonic_time();
    bool due;

    g_mutex_lock(&v->lock);
    due = !v->logged || now - v->logged > VNC_LOG_S * G_USEC_PER_SEC;
    v->logged = due ? now : v->logged;
    g_mutex_unlock(&v->lock);
    if (due)
        log_line("vnc: a client is disconnected: %s", why);
}

/* --- threads of clients --- */

bool vnc_client_begin(VncClient *c, bool exclusive)
{
    VncServer *v = c->v;
    bool stopping;

    g_mutex_lock(&v->lock);
    for (unsigned i = 0; exclusive && i < v->n_clients; i++) {
        if (v->clients[i].phase == VNC_SERVING)
            shutdown(v->clients[i].fd, SHUT_RDWR);
    }
    c->phase = VNC_SERVING;
    c->served = true;
    stopping = v->stopping;
    g_mutex_unlock(&v->lock);
    vnc_wake_main_any(v);
    return !stopping;
}

void vnc_client_finish(VncClient *c)
{
    g_mutex_lock(&c->v->lock);
    c->phase = VNC_ENDED;
    g_mutex_unlock(&c->v->lock);
    vnc_wake_main_any(c->v);
}

/* --- places --- */

static void vnc_screen_init(VncClient *c)
{
    rfbScreenInfoPtr s = c->screen;

    s->screenData = c;
    s->desktopName = "Backplane";
    s->port = s->ipv6port = 0;
    s->alwaysShared = TRUE; /* vnc_handshake() applies the policy */
    s->cursor = NULL;
    s->maxClientWait = VNC_STALL_MS;
    s->deferUpdateTime = 0;
    s->permitFileTransfer = FALSE;
}

bool vnc_clients_init(VncServer *v, unsigned n, GError **err)
{
    int argc = 0;

    v->clients = g_new0(VncClient, n);
    for (; v->n_clients < n; v->n_clients++) {
        VncClient *c = &v->clients[v->n_clients];

        /* Here, because this function of the library changes its process-wide state. */
        c->screen =
            v->api.get_screen(&argc, NULL, DISPLAY_BLANK_WIDTH, DISPLAY_BLANK_HEIGHT, 8, 3, 4);
        if (!c->screen)
            return error_set(err, ERROR_HOST, "vnc: no memory for %u clients", n);
        c->v = v;
        vnc_screen_init(c);
    }
    return true;
}

/* --- events --- */

typedef void VncEventFn(Machine *m, const EventObject *server, const EventObject *client);

enum { VNC_EVENT_FIELDS = 5 };

static EventObject vnc_event_peer(const VncPeer *p, EventField *fields)
{
    fields[0] = (EventField){ "host", EVENT_STR, { .str = p->host } };
    fields[1] = (EventField){ "service", EVENT_STR, { .str = p->service } };
    fields[2] = (EventField){ "family", EVENT_STR, { .str = p->family } };
    fields[3] = (EventField){ "websocket", EVENT_BOOL, { .on = false } };
    return (EventObject){ fields, 4 };
}

static void vnc_client_event(const VncClient *c, VncEventFn *fn)
{
    EventField server_fields[VNC_EVENT_FIELDS], client_fields[VNC_EVENT_FIELDS];
    EventObject server = vnc_event_peer(&c->local, server_fields);
    EventObject client = vnc_event_peer(&c->peer, client_fields);

    server_fields[server.n_fields++] =
        (EventField){ "auth", EVENT_STR, { .str = c->v->needs_password ? "vnc" : "none" } };
    fn(c->v->m, &server, &client);
}

/* --- connections --- */

static VncClient *vnc_free_place(VncServer *v)
{
    for (unsigned i = 0; i < v->n_clients; i++) {
        if (!v->clients[i].thread)
            return &v->clients[i];
    }
    return NULL;
}

/* Free a place whose thread has ended or does not exist. */
static void vnc_client_clear(VncClient *c)
{
    close(c->fd);
    close(c->wake);
    vnc_peer_clear(&c->peer);
    vnc_peer_clear(&c->local);
}

void vnc_clients_accept(void *opaque, int fd, const struct sockaddr_storage *from, socklen_t len)
{
    VncServer *v = opaque;
    VncClient *c = vnc_free_place(v);
    int wake = c ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    struct sockaddr_storage local = { 0 };
    socklen_t local_len = sizeof(local);
    g_autoptr(GError) err = NULL;

    if (wake < 0) {
        close(fd);
        return;
    }
    c->fd = fd;
    c->wake = wake;
    g_mutex_lock(&v->lock);
    c->phase = c->reported = VNC_HANDSHAKE;
    c->served = false;
    g_mutex_unlock(&v->lock);
    vnc_peer_set(&c->peer, (const struct sockaddr *)from, len);
    getsockname(fd, (struct sockaddr *)&local, &local_len);
    vnc_peer_set(&c->local, (const struct sockaddr *)&local, local_len);
    vnc_view_start(v);
    c->thread = g_thread_try_new("vnc-client", vnc_client_thread, c, &err);
    if (c->thread) {
        vnc_client_event(c, event_vnc_connected);
        return;
    }
    vnc_log_any(v, err->message);
    vnc_client_clear(c);
    vnc_clients_report(v); /* stops the view if there is no other client */
}

static void vnc_client_end(VncClient *c)
{
    g_thread_join(c->thread);
    c->thread = NULL;
    vnc_keys_release(c);
    vnc_keys_report(c->v);
    vnc_client_event(c, event_vnc_disconnected);
    vnc_client_clear(c);
}

void vnc_clients_report(VncServer *v)
{
    bool some = false;

    for (unsigned i = 0; i < v->n_clients; i++) {
        VncClient *c = &v->clients[i];
        VncPhase phase;
        bool began;

        if (!c->thread)
            continue;
        g_mutex_lock(&v->lock);
        phase = c->phase;
        began = c->served && c->reported == VNC_HANDSHAKE; /* and can have ended since */
        g_mutex_unlock(&v->lock);
        if (began)
            vnc_client_event(c, event_vnc_initialized);
        c->reported = phase;
        if (phase == VNC_ENDED && !vnc_keys_waiting(c))
            vnc_client_end(c);
        some = some || c->thread;
    }
    if (!some)
        vnc_view_stop(v);
}

void vnc_clients_free(VncServer *v)
{
    g_mutex_lock(&v->lock);
    v->stopping = true;
    g_cond_broadcast(&v->keys_taken);
    g_mutex_unlock(&v->lock);
    for (unsigned i = 0; i < v->n_clients; i++) {
        if (v->clients[i].thread)
            shutdown(v->clients[i].fd, SHUT_RDWR); /* ends every wait of the thread */
    }
    for (unsigned i = 0; i < v->n_clients; i++) {
        VncClient *c = &v->clients[i];

        if (c->thread)
            vnc_client_end(c);
        v->api.screen_cleanup(c->screen);
    }
    v->n_clients = 0;
    g_clear_pointer(&v->clients, g_free);
}
