/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * migrate-check: the handshake alone, with the guest untouched and the machine lock released
 * while it waits.
 */
#include "migration/internal.h"

#define WAIT_MS 5000

typedef struct Check {
    Channel *ch;
    GByteArray *out;
    Answers answers;
    int64_t until;
} Check;

static bool late(const Check *c, GError **err)
{
    if (migration_now() < c->until) {
        g_usleep(500);
        return false;
    }
    g_set_error(err, MIGRATION_ERROR, 0, "the target did not answer within 5 seconds");
    return true;
}

static bool send_all(Check *c, GError **err)
{
    size_t at = 0;
    int connected;

    while ((connected = channel_connected(c->ch, err)) == 0) {
        if (late(c, err)) {
            return false;
        }
    }
    while (connected > 0 && at < c->out->len) {
        ssize_t n = channel_write(c->ch, c->out->data + at, c->out->len - at, err);

        if (n < 0 || (n == 0 && late(c, err))) {
            return false;
        }
        at += n;
    }
    return connected > 0;
}

static struct json_object *verdict(bool accepted, struct json_object *deficits)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "accepted", json_object_new_boolean(accepted));
    json_object_object_add(o, "deficits", deficits ? deficits : json_object_new_array());
    return o;
}

static struct json_object *wait_answer(Check *c, GError **err)
{
    Answer a;
    int got;

    while ((got = answers_next(&c->answers, c->ch, &a, err)) == 0) {
        if (late(c, err)) {
            return NULL;
        }
    }
    if (got < 0) {
        return NULL;
    }
    if (a.type == ANSWER_ACCEPT) {
        return verdict(true, NULL);
    }
    if (a.type == ANSWER_DEFICITS) {
        return verdict(false, a.deficits);
    }
    g_set_error(err, MIGRATION_ERROR, 0, "the target: %.*s",
                a.type == ANSWER_ERROR ? (int)a.len : 20,
                a.type == ANSWER_ERROR ? (const char *)a.data : "an answer unknown");
    return NULL;
}

static void prepare(Check *c, Migration *mig)
{
    GChecksum *digest = g_checksum_new(G_CHECKSUM_SHA256);
    uint8_t only = 1;
    ByteWriter w;

    c->out = g_byte_array_new();
    w.out = c->out;
    outgoing_put_head(mig, &w, digest, NULL);
    stream_put_command(&w, STREAM_CMD_OPEN_RETURN_PATH, NULL, 0);
    stream_put_command(&w, STREAM_CMD_CHECK, &only, 1);
    g_checksum_free(digest);
    answers_init(&c->answers);
    c->until = migration_now() + WAIT_MS * 1000000LL;
}

struct json_object *migration_check(Migration *mig, const char *uri, GError **err)
{
    ChannelFds fds = migration_fds(mig);
    struct json_object *result = NULL;
    Check c = { 0 };

    if (!mig->machine->has_guest || !mig->hooks.description(mig->hooks.opaque)) {
        g_set_error(err, MIGRATION_ERROR, 0, "This machine has no guest to ask about");
        return NULL;
    }
    if (!savevm_possible(mig->machine, err) ||
        (mig->hooks.boot_digests && mig->hooks.boot_digests(mig->hooks.opaque, true, err) < 0)) {
        return NULL;
    }
    c.ch = channel_open_out(uri, &fds, err);
    if (!c.ch) {
        return NULL;
    }
    if (channel_two_way(c.ch) && !migration_record_offer(mig, err)) {
        channel_free(c.ch);
        return NULL;
    }
    if (channel_two_way(c.ch)) {
        prepare(&c, mig);
        machine_unlock(mig->machine);
        if (send_all(&c, err)) {
            result = wait_answer(&c, err);
        }
        machine_lock(mig->machine);
        migration_record_forget(mig);
        answers_clear(&c.answers);
        g_byte_array_unref(c.out);
    } else {
        g_set_error(err, MIGRATION_ERROR, 0,
                    "migration channel %s is one-way: nobody answers there", uri);
    }
    channel_free(c.ch);
    return result;
}
