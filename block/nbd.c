/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The protocol driver nbd: a disk on an NBD server.
 */
#include <errno.h>
#include <sys/socket.h>

#include "nbd_internal.h"

enum { NBD_SECONDS_MAX = 1000000 };
#define NBD_DRY_RUN_SIZE (1ull << 50)

typedef struct BlockNbd {
    NbdLink *link;      /* NULL: a dry run */
    char *name, *creds; /* creds: id of the TLS credentials; NULL: none */
} BlockNbd;

static bool nbd_read_seconds(struct json_object *o, const char *key, uint64_t *ms, GError **err)
{
    uint64_t s;

    if (!opt_size(o, key, 0, &s, err)) {
        return false;
    }
    if (s > NBD_SECONDS_MAX) {
        return error_set(err, ERROR_USER, "%s=%" G_GUINT64_FORMAT ": use 0 to %d seconds", key, s,
                         NBD_SECONDS_MAX);
    }
    *ms = s * 1000;
    return true;
}

/* Find the TLS credentials. False with *err. */
static bool nbd_read_tls(BlockNode *n, struct json_object *o, NbdServer *server, GError **err)
{
    const char *id = opt_str(o, "tls-creds");
    HostObject *object = id ? host_object_find(n->set->machine, id) : NULL;
    BlockNbd *s = n->priv;
    HostTls tls;

    if (id && (!object || !host_tls_read(object, &tls))) {
        return error_set(err, ERROR_USER,
                         "tls-creds=%s: no such TLS credentials; create them with -object "
                         "tls-creds-x509,id=%s,dir=PATH",
                         id, id);
    }
    if (!nbd_server_read_tls(server, o, object ? &tls : NULL, err)) {
        return false;
    }
    if (object) {
        s->creds = g_strdup(id);
        host_object_use(object, n->name);
    }
    return true;
}

static void nbd_close(BlockNode *n)
{
    BlockNbd *s = n->priv;
    HostObject *creds = s->creds ? host_object_find(n->set->machine, s->creds) : NULL;

    if (creds) { /* NULL: none, or the machine has freed its objects */
        host_object_unuse(creds, n->name);
    }
    g_free(s->creds);

    if (s->link) {
        nbd_link_free(s->link);
    }
    g_free(s->name);
    g_free(s);
}

/* The size in sectors; the last one may be incomplete. */
static void nbd_set_size(BlockNode *n)
{
    const BlockNbd *s = n->priv;

    n->size = (nbd_link_info(s->link)->size + BLOCK_SECTOR - 1) & ~(uint64_t)(BLOCK_SECTOR - 1);
}

static bool nbd_check_writable(BlockNode *n, bool auto_read_only, GError **err)
{
    const BlockNbd *s = n->priv;

    if (!nbd_link_info(s->link)->read_only || n->read_only) {
        return true;
    }
    if (auto_read_only) {
        n->read_only = true;
        return true;
    }
    return error_set(err, ERROR_USER, "the export '%s' is read-only: use read-only=on", s->name);
}

/* Older versions of libnbd check the certificate only for the host that they connect to. */
static bool nbd_check_tls_name(const NbdServer *s, GError **err)
{
    bool checks = s->tls_dir && !s->tls_user && s->tls_verify;
    bool other = s->tls_hostname && g_strcmp0(s->tls_hostname, s->host) != 0;

    if (!checks || nbd_library_checks_names() || (!other && (!s->host || s->family == AF_UNSPEC))) {
        return true;
    }
    return error_set(err, ERROR_HOST,
                     "this version of libnbd checks certificates only for server.host, without "
                     "server.ipv4 and server.ipv6: %s requires libnbd 1.22",
                     other ? "tls-hostname" : "a choice of addresses");
}

static bool nbd_connect(BlockNode *n, NbdServer *server, uint64_t delay_ms, uint64_t open_ms,
                        GError **err)
{
    BlockNbd *s = n->priv;

    if (!nbd_library_load(err) || !nbd_check_tls_name(server, err)) {
        nbd_server_free(server);
        return false;
    }
    s->link = nbd_link_new(server, delay_ms, open_ms, &n->set->draining, err);
    if (s->link) {
        nbd_set_size(n);
    }
    return s->link != NULL;
}

static bool nbd_open(BlockNode *n, struct json_object *o, GError **err)
{
    uint64_t delay_ms, open_ms;
    bool auto_read_only = false, ok;
    NbdServer *server;
    BlockNbd *s;

    if (!nbd_read_seconds(o, "reconnect-delay", &delay_ms, err) ||
        !nbd_read_seconds(o, "open-timeout", &open_ms, err) ||
        !opt_bool(o, "auto-read-only", false, &auto_read_only, err)) {
        return false;
    }
    server = nbd_server_read(o, err);
    if (!server) {
        return false;
    }
    s = n->priv = g_new0(BlockNbd, 1);
    s->name = g_strdup(server->name);
    ok = nbd_read_tls(n, o, server, err);
    if (!ok || n->set->machine->dry_run) {
        nbd_server_free(server);
        n->size = NBD_DRY_RUN_SIZE;
    } else {
        ok = nbd_connect(n, server, delay_ms, open_ms, err) &&
             nbd_check_writable(n, auto_read_only, err);
    }
    if (!ok) {
        nbd_close(n);
    }
    return ok;
}

static void nbd_job_ended(NbdJob *job, int result)
{
    BlockRequest *req = job->req;
    BlockQueue *queue = job->queue;

    g_free(job);
    block_complete_any(req, result);
    queue_unref_any(queue);
}

static void nbd_submit(BlockNode *n, BlockRequest *req)
{
    const BlockNbd *s = n->priv;
    NbdJob *job = g_new0(NbdJob, 1);

    job->req = req;
    job->queue = queue_ref_any(req->p.root->queue);
    job->ended = nbd_job_ended;
    nbd_link_add_any(s->link, job);
}

static int nbd_perform(BlockNode *n, BlockRequest *req)
{
    const BlockNbd *s = n->priv;

    return nbd_link_perform_any(s->link, req, machine_locked(n->set->machine));
}

static bool nbd_resize(BlockNode *n, uint64_t size, GError **err)
{
    const BlockNbd *s = n->priv;

    return size == n->size || error_set(err, ERROR_USER,
                                        "the export '%s' cannot be resized to %" G_GUINT64_FORMAT
                                        " bytes: its size is %" G_GUINT64_FORMAT " bytes",
                                        s->name, size, n->size);
}

/* The server may have answered reads of this client with data that it cached for it. */
static bool nbd_activate(BlockNode *n, GError **err)
{
    const BlockNbd *s = n->priv;

    return nbd_link_renew(s->link, err);
}

static bool nbd_inactivate(BlockNode *n, GError **err)
{
    BlockNbd *s = n->priv;
    BlockRequest req = { .op = BLOCK_FLUSH };
    int result;

    req.p.op = BLOCK_FLUSH;
    result = n->read_only ? 0 : nbd_link_perform_any(s->link, &req, true);
    return result == 0 || error_set_errno(err, -result, "cannot flush '%s'", s->name);
}

static const char *nbd_filename(const BlockNode *n)
{
    return ((BlockNbd *)n->priv)->name;
}

const BlockDriver block_nbd = {
    .name = "nbd",
    .keys = nbd_keys,
    .open = nbd_open,
    .close = nbd_close,
    .submit = nbd_submit,
    .perform = nbd_perform,
    .resize = nbd_resize,
    .activate = nbd_activate,
    .inactivate = nbd_inactivate,
    .filename = nbd_filename,
};
