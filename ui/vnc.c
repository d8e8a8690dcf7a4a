/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VNC server: its life, its password, and queries (contract in ui/vnc.h).
 */
#include "vnc_internal.h"

#include <string.h>

#include "internal.h"
#include "util/error.h"
#include "util/library.h"

static bool vnc_load_library(VncApi *api, GError **err)
{
    const LibrarySymbol symbols[] = {
        { "rfbGetScreen", (void **)&api->get_screen },
        { "rfbScreenCleanup", (void **)&api->screen_cleanup },
        { "rfbNewClient", (void **)&api->new_client },
        { "rfbClientConnectionGone", (void **)&api->client_gone },
        { "rfbCloseClient", (void **)&api->close_client },
        { "rfbProcessClientMessage", (void **)&api->process },
        { "rfbUpdateClient", (void **)&api->update },
        { "rfbNewFramebuffer", (void **)&api->new_framebuffer },
        { "rfbSetTranslateFunction", (void **)&api->set_translate },
        { "rfbMarkRectAsModified", (void **)&api->mark },
        { "rfbReadExact", (void **)&api->read },
        { "rfbWriteExact", (void **)&api->write },
        { "rfbEncryptBytes", (void **)&api->encrypt },
        { "rfbLogEnable", (void **)&api->log_enable },
        { "rfbRegisterProtocolExtension", (void **)&api->register_extension },
        { "rfbUnregisterProtocolExtension", (void **)&api->unregister_extension },
    };

    if (!library_load("libvncserver.so.1", symbols, G_N_ELEMENTS(symbols), err))
        return false;
    api->log_enable(FALSE);
    api->register_extension(&vnc_key_extension);
    return true;
}

/* --- the main loop --- */

static gboolean vnc_wake_dispatch(GSource *source, GSourceFunc fn, gpointer opaque)
{
    g_source_set_ready_time(source, -1);
    return fn(opaque);
}

static GSourceFuncs vnc_wake_source = { .dispatch = vnc_wake_dispatch };

static gboolean vnc_woken(gpointer opaque)
{
    VncServer *v = opaque;

    vnc_keys_report(v);
    vnc_clients_report(v);
    return G_SOURCE_CONTINUE;
}

/* Release the keys before the machine stops, because a release is not reported to a stopped one.
 * Those that the guest cannot receive yet are reported when it continues. */
static void vnc_run_state(void *opaque, bool running, RunState state)
{
    if (running)
        vnc_wake_main_any(opaque);
    else
        vnc_keys_stop(opaque);
}

/* --- starting and stopping --- */

static bool vnc_use_secret(VncServer *v, const char *id, GError **err)
{
    HostObject *o = host_object_find(v->m, id);
    GBytes *bytes = o ? host_secret_bytes(o) : NULL;
    const char *data;
    gsize len;

    if (!bytes)
        return error_set(err, ERROR_USER,
                         "vnc: password-secret '%s' is not a secret; -object secret creates one",
                         id);
    data = g_bytes_get_data(bytes, &len);
    if (len > VNC_MAX_PASSWORD || (len && memchr(data, 0, len)))
        return error_set(err, ERROR_USER,
                         "vnc: the secret '%s' has %" G_GSIZE_FORMAT
                         " bytes; a VNC password has at most %d and no zero byte",
                         id, len, VNC_MAX_PASSWORD);
    if (len)
        memcpy(v->password, data, len);
    v->needs_password = v->password_set = true;
    v->secret = o;
    host_object_use(o, "vnc");
    return true;
}

static bool vnc_run(VncServer *v, unsigned n_clients, GError **err)
{
    if (!pixels_prepare(err) || !vnc_load_library(&v->api, err))
        return false;
    v->wake = g_source_new(&vnc_wake_source, sizeof(GSource));
    g_source_set_callback(v->wake, vnc_woken, v, NULL);
    g_source_attach(v->wake, NULL);
    machine_add_run_fn(v->m, vnc_run_state, v);
    if (!vnc_clients_init(v, n_clients, err))
        return false;
    for (unsigned i = 0; i < v->n_addresses; i++)
        v->listeners[i] = listener_new(v->fds[i], NULL, vnc_clients_accept, v);
    return true;
}

bool vnc_start(Machine *m, const VncOptions *o, GError **err)
{
    VncServer *v = g_new0(VncServer, 1);
    bool done;

    m->vnc = v;
    v->m = m;
    v->id = g_strdup(o->id ? o->id : "default");
    v->needs_password = o->password;
    v->lossy = o->lossy;
    v->share = o->share;
    v->expires = INT64_MAX;
    g_mutex_init(&v->lock);
    g_mutex_init(&v->library);
    g_mutex_init(&v->view.lock);
    g_cond_init(&v->keys_taken);
    done = (!o->password_secret || vnc_use_secret(v, o->password_secret, err)) &&
           vnc_listen(v, o, err) && (m->dry_run || vnc_run(v, (unsigned)o->connections, err));
    if (!done)
        vnc_stop(m);
    return done;
}

void vnc_stop(Machine *m)
{
    VncServer *v = m->vnc;

    if (!v)
        return;
    vnc_listen_close(v);
    vnc_clients_free(v);
    timer_cancel(&v->keys_timer);
    vnc_view_stop(v);
    if (v->wake) {
        g_source_destroy(v->wake);
        g_source_unref(v->wake);
        v->api.unregister_extension(&vnc_key_extension);
        machine_remove_run_fn(m, vnc_run_state, v);
    }
    if (v->secret)
        host_object_unuse(v->secret, "vnc");
    g_mutex_clear(&v->lock);
    g_mutex_clear(&v->library);
    g_mutex_clear(&v->view.lock);
    g_cond_clear(&v->keys_taken);
    g_free(v->id);
    g_free(v);
    m->vnc = NULL;
}

/* --- the password --- */

/* Return the server of a machine, which has a password, or NULL with an error. */
static VncServer *vnc_with_password(Machine *m, GError **err)
{
    if (!m->vnc) {
        error_set(err, ERROR_USER, "the machine has no VNC server; -vnc starts one");
        return NULL;
    }
    if (!m->vnc->needs_password) {
        error_set(err, ERROR_USER,
                  "the VNC server has no password; start it with -vnc ADDRESS,password=on");
        return NULL;
    }
    return m->vnc;
}

bool vnc_set_password(Machine *m, const char *password, GError **err)
{
    VncServer *v = vnc_with_password(m, err);
    size_t len = strlen(password);

    if (!v)
        return false;
    if (len > VNC_MAX_PASSWORD)
        return error_set(err, ERROR_USER,
                         "the password has %zu bytes; a VNC password has at most %d", len,
                         VNC_MAX_PASSWORD);
    g_mutex_lock(&v->lock);
    memset(v->password, 0, sizeof(v->password));
    memcpy(v->password, password, len);
    v->password_set = true;
    g_mutex_unlock(&v->lock);
    return true;
}

bool vnc_expire_password(Machine *m, int64_t seconds, GError **err)
{
    VncServer *v = vnc_with_password(m, err);

    if (!v)
        return false;
    g_mutex_lock(&v->lock);
    v->expires = seconds;
    g_mutex_unlock(&v->lock);
    return true;
}

/* --- queries --- */

const char *vnc_query(Machine *m, bool *password)
{
    if (!m->vnc)
        return NULL;
    *password = m->vnc->needs_password;
    return m->vnc->id;
}

void vnc_foreach_address(Machine *m, void (*fn)(void *opaque, const VncPeer *peer), void *opaque)
{
    for (unsigned i = 0; m->vnc && i < m->vnc->n_addresses; i++)
        fn(opaque, &m->vnc->addresses[i]);
}

void vnc_foreach_client(Machine *m, void (*fn)(void *opaque, const VncPeer *peer), void *opaque)
{
    for (unsigned i = 0; m->vnc && i < m->vnc->n_clients; i++) {
        const VncClient *c = &m->vnc->clients[i];

        if (c->thread && c->reported == VNC_SERVING)
            fn(opaque, &c->peer);
    }
}
