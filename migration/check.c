/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * migrate-check: only the handshake of a migration, while the guest continues to run.
 *
 * The check runs from the main loop like a migration: it is called when the channel is ready and
 * by a timer. It ends with exactly one call of the function given to migration_check_start().
 */
#include <string.h>

#include "migration/internal.h"

#define CHECK_TIMEOUT_MS 5000
#define CHECK_TICK_MS    20

struct MigrationCheck {
    Migration *mig;
    Channel *ch;
    GByteArray *out; /* the request; NULL until the digests of the boot images are known */
    size_t sent;
    bool digesting; /* connected, and the digests of the boot images are being computed */
    Answers answers;
    int64_t deadline; /* monotonic ns; ignored while digests are computed */
    guint tick;       /* GSource id */
    MigrationCheckFn *done;
    void *opaque;
};

static void check_free(MigrationCheck *c)
{
    c->mig->check = NULL;
    migration_record_forget(c->mig);
    if (c->tick) {
        g_source_remove(c->tick);
    }
    channel_free(c->ch);
    answers_clear(&c->answers);
    g_clear_pointer(&c->out, g_byte_array_unref);
    g_free(c);
}

/* Frees c. Consumes result and err. */
static void check_finish(MigrationCheck *c, struct json_object *result, GError *err)
{
    MigrationCheckFn *done = c->done;
    void *opaque = c->opaque;

    check_free(c);
    if (done) {
        done(opaque, result, err);
    }
}

void migration_check_cancel(MigrationCheck *c, const char *why)
{
    if (c) {
        check_finish(c, NULL, g_error_new(BACKPLANE_ERROR, ERROR_USER, "migrate-check: %s", why));
    }
}

static struct json_object *check_result(bool accepted, struct json_object *deficits)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "accepted", json_object_new_boolean(accepted));
    json_object_object_add(o, "deficits", deficits ? deficits : json_object_new_array());
    return o;
}

static void check_prepare(MigrationCheck *c)
{
    g_autoptr(GChecksum) digest = g_checksum_new(G_CHECKSUM_SHA256);
    const uint8_t check_only = 1;
    ByteWriter w;

    c->out = g_byte_array_new();
    w.out = c->out;
    outgoing_put_head(c->mig, &w, digest, NULL);
    stream_put_command(&w, STREAM_CMD_OPEN_RETURN_PATH, NULL, 0);
    stream_put_command(&w, STREAM_CMD_CHECK, &check_only, 1);
    c->deadline = migration_now() + CHECK_TIMEOUT_MS * INT64_C(1000000);
}

/* 1: the request was sent; 0: the channel accepts no more bytes now; -1: failed. */
static int check_send(MigrationCheck *c, GError **err)
{
    ssize_t n = 0;

    if (!c->out) {
        int ready =
            c->mig->hooks.boot_digests ? c->mig->hooks.boot_digests(c->mig->hooks.opaque, err) : 1;

        c->digesting = ready == 0;
        if (ready <= 0) {
            return ready;
        }
        check_prepare(c);
    }
    if (c->sent < c->out->len) {
        n = channel_write(c->ch, c->out->data + c->sent, c->out->len - c->sent, err);
        c->sent += MAX(n, 0);
    }
    return n < 0 ? -1 : c->sent == c->out->len;
}

/* Return the result of the check for check_finish(). NULL without an error: no answer yet. */
static struct json_object *check_read(MigrationCheck *c, GError **err)
{
    Answer a;
    int got = answers_next(&c->answers, c->ch, &a, err);

    if (got <= 0) {
        return NULL;
    }
    if (a.type == ANSWER_ACCEPT) {
        return check_result(true, NULL);
    }
    if (a.type == ANSWER_DEFICITS) {
        return check_result(false, a.deficits);
    }
    if (a.type == ANSWER_ERROR) {
        error_set(err, ERROR_GUEST, "the target: %.*s", (int)a.len, (const char *)a.data);
    } else {
        error_set(err, ERROR_GUEST, "the target sent an answer of type %u, not of type %u or %u",
                  a.type, ANSWER_ACCEPT, ANSWER_DEFICITS);
    }
    return NULL;
}

/* Continue the check. Returns true if it ended and c was freed. */
static bool check_step(MigrationCheck *c)
{
    struct json_object *result = NULL;
    GError *err = NULL;
    int state = channel_connected(c->ch, &err);

    if (state > 0) {
        state = check_send(c, &err);
    }
    if (state > 0) {
        result = check_read(c, &err);
    }
    if (!result && !err && !c->digesting && migration_now() >= c->deadline) {
        error_set(&err, ERROR_HOST, "the target did not answer within %d seconds",
                  CHECK_TIMEOUT_MS / 1000);
    }
    if (result || err) {
        check_finish(c, result, err);
        return true;
    }
    return false;
}

static void check_turn(void *opaque);

static void check_watch(MigrationCheck *c)
{
    bool sent = c->out && c->sent == c->out->len;

    channel_watch(c->ch, sent, !sent && !c->digesting, check_turn, c);
}

static void check_turn(void *opaque)
{
    if (!check_step(opaque)) {
        check_watch(opaque);
    }
}

static gboolean check_tick(gpointer opaque)
{
    check_turn(opaque);
    return G_SOURCE_CONTINUE;
}

MigrationCheck *migration_check_new(Migration *mig, const char *uri, GError **err)
{
    bool possible = channel_is_server(uri) || g_str_has_prefix(uri, "fd:");
    ChannelFds fds = migration_fds(mig);
    MigrationCheck *c;
    Channel *ch;

    if (mig->check) {
        error_set(err, ERROR_USER, "Another migrate-check is in progress");
        return NULL;
    }
    if (!migration_may_send(mig, err)) {
        return NULL;
    }
    ch = possible ? channel_open_out(uri, &fds, err) : NULL;
    if (possible && !ch) {
        return NULL;
    }
    if (!ch || !channel_two_way(ch)) {
        channel_free(ch);
        error_set(err, ERROR_USER,
                  "migration channel %s is one-way, so no target can answer: use tcp:HOST:PORT, "
                  "unix:PATH, or fd:NAME-OR-NUMBER of a socket",
                  uri);
        return NULL;
    }
    if (!migration_record_offer(mig, err)) {
        channel_free(ch);
        return NULL;
    }
    c = g_new0(MigrationCheck, 1);
    c->mig = mig;
    c->ch = ch;
    answers_init(&c->answers);
    mig->check = c;
    return c;
}

void migration_check_start(MigrationCheck *c, MigrationCheckFn *done, void *opaque)
{
    c->done = done;
    c->opaque = opaque;
    c->deadline = migration_now() + CHECK_TIMEOUT_MS * INT64_C(1000000);
    c->tick = g_timeout_add(CHECK_TICK_MS, check_tick, c);
    channel_watch(c->ch, false, true, check_turn, c);
}
