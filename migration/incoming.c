/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The target of a migration: one connection, from the first byte until the guest runs or is
 * rejected.
 *
 * The guest does not run before everything was loaded and checked. After a failure before that, the
 * process returns to its earlier state and accepts another connection.
 */
#include <string.h>

#include "hw/core/clock.h"
#include "migration/internal.h"
#include "util/error.h"

#define CHUNK (1u << 20) /* bytes read in one turn */

typedef enum InState {
    IN_HEAD,     /* the description has not been received yet */
    IN_JUDGED,   /* two-way: the description is checked; the source has not requested the result */
    IN_LOADING,  /* the machine is built */
    IN_PREPARED, /* everything is loaded and checked; two-way: waiting for GO */
    IN_RUNS,
} InState;

struct Incoming {
    Migration *mig;
    Machine *machine;
    Channel *ch;
    InState state;
    StreamReader *reader;
    GChecksum *digest;
    char *machine_type;
    PlanMachine *wanted;
    struct json_object *parts;    /* properties of host parts that the guest sees */
    struct json_object *deficits; /* incompatibilities found by handshake_judge() */
    bool built, check_over, booted;
    BootReceive *boot; /* NULL: the stream has no boot images, or all are loaded */
    RamReceive *ram;
    Loadvm *load;
    RunState state_wanted;
    unsigned timer; /* GSource id: the time limit of the present stage; 0: no time limit */
};

/* --- the end --- */

static void incoming_free(Incoming *in)
{
    in->mig->in = NULL;
    in->mig->stats.ended = migration_now();
    if (in->timer) {
        g_source_remove(in->timer);
    }
    channel_free(in->ch);
    stream_reader_free(in->reader);
    g_checksum_free(in->digest);
    ram_receive_free(in->ram);
    loadvm_free(in->load);
    boot_receive_free(in->boot);
    json_object_put(in->deficits);
    json_object_put(in->parts);
    if (in->wanted) {
        plan_machine_free(in->wanted);
    }
    g_free(in->machine_type);
    g_free(in);
}

/* Send an answer. Answers are short, and the source waits for them. A channel that does not accept
 * an answer with one call is treated as broken. */
static bool incoming_answer(Incoming *in, uint16_t type, const void *data, size_t len, GError **err)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    ByteWriter w = { out };
    ssize_t n;

    for (; len > UINT16_MAX; len -= UINT16_MAX, data = (const uint8_t *)data + UINT16_MAX) {
        stream_put_answer(&w, ANSWER_MORE, data, UINT16_MAX);
    }
    stream_put_answer(&w, type, data, len);
    n = channel_write(in->ch, out->data, out->len, err);
    if (n >= 0 && (size_t)n < out->len) {
        return error_set(err, ERROR_HOST, "the source does not read the answers");
    }
    return n >= 0;
}

static void incoming_report_error(Incoming *in, const char *text)
{
    if (channel_two_way(in->ch)) {
        incoming_answer(in, ANSWER_ERROR, text, MIN(strlen(text), 4000), NULL);
    }
}

static void incoming_discard(Incoming *in)
{
    Migration *mig = in->mig;

    /* free everything that refers to the machine before the machine is discarded */
    g_clear_pointer(&in->load, loadvm_free);
    g_clear_pointer(&in->ram, ram_receive_free);
    if (in->built) {
        mig->hooks.discard(mig->hooks.opaque);
    }
}

static void incoming_fail(Incoming *in, GError *err)
{
    Migration *mig = in->mig;
    g_autofree char *why = g_strdup(err->message);

    incoming_report_error(in, err->message);
    migration_set_error(mig, err);
    if (in->deficits && json_object_array_length(in->deficits)) {
        mig->deficits = json_object_get(in->deficits);
    }
    incoming_discard(in);
    incoming_free(in);
    migration_set_status(mig, MIG_FAILED);
    if (mig->hooks.load_failed) {
        mig->hooks.load_failed(mig->hooks.opaque, why, mig->incoming_once);
    }
}

void incoming_cancel(Incoming *in)
{
    if (in) {
        incoming_fail(in,
                      g_error_new_literal(BACKPLANE_ERROR, ERROR_USER, "the load was cancelled"));
    }
}

Channel *incoming_channel(const Incoming *in)
{
    return in->ch;
}

/* --- running --- */

static RunState incoming_run_state(const Incoming *in)
{
    MigrationOffer offer = { 0 };

    in->mig->hooks.offer(in->mig->hooks.opaque, &offer);
    if (in->state_wanted == RUN_RUNNING) {
        return offer.paused ? RUN_PAUSED : RUN_RUNNING;
    }
    return in->state_wanted == RUN_POSTMIGRATE || in->state_wanted == RUN_DEBUG ? RUN_PAUSED
                                                                                : in->state_wanted;
}

/* Claim the guest in the hand-over record. This is the last step that can fail, because the source
 * may then read in the record that the target owns the guest. */
static bool incoming_take_record(Incoming *in, GError **err)
{
    const char *token = handshake_record(in->parts);
    HandoverClaim claim = HANDOVER_MINE;

    if (token && channel_two_way(in->ch)) {
        claim = handover_claim(in->mig->handover, token, true, err);
    }
    if (claim == HANDOVER_THEIRS) {
        error_set(err, ERROR_HOST, "the source continued the guest");
    }
    return claim == HANDOVER_MINE;
}

static bool incoming_run_guest(Incoming *in, GError **err)
{
    if (!migration_disks_take(in->mig, err)) {
        return false;
    }
    if (!incoming_take_record(in, err)) {
        migration_disks_release(in->mig, NULL);
        return false;
    }
    in->state = IN_RUNS;
    channel_server_free(in->mig->server);
    in->mig->server = NULL;
    machine_set_state(in->machine, incoming_run_state(in));
    if (channel_two_way(in->ch)) {
        incoming_answer(in, ANSWER_RUNS, NULL, 0, NULL); /* an error does not stop the guest */
    }
    migration_set_status(in->mig, MIG_COMPLETED);
    return true;
}

/* --- elements of the stream --- */

static void incoming_set_timer(Incoming *in, unsigned seconds, GSourceFunc fn)
{
    if (in->timer) {
        g_source_remove(in->timer);
    }
    in->timer = fn ? g_timeout_add_seconds(seconds, fn, in) : 0;
}

/* End a connection on which no description was received in time, for example from a port scanner or
 * a source that hangs, so that other sources can connect. */
static gboolean incoming_no_description(gpointer opaque)
{
    Incoming *in = opaque;

    in->timer = 0;
    incoming_fail(in,
                  in->machine_type
                      ? g_error_new(BACKPLANE_ERROR, ERROR_HOST,
                                    "the source did not describe its machine within %d seconds",
                                    DESCRIPTION_SECONDS)
                      : g_error_new(BACKPLANE_ERROR, ERROR_HOST,
                                    "no migration stream began on the connection within %d seconds",
                                    HEADER_SECONDS));
    return G_SOURCE_REMOVE;
}

static bool incoming_configuration(void *opaque, const char *machine, GError **err)
{
    Incoming *in = opaque;

    in->machine_type = g_strdup(machine);
    if (in->timer) {
        incoming_set_timer(in, DESCRIPTION_SECONDS, incoming_no_description);
    }
    return true;
}

static bool incoming_refuse_deficits(Incoming *in, GError **err)
{
    g_autofree char *text = handshake_sentence(in->deficits);

    return error_set(err, ERROR_GUEST, "%s", text);
}

static bool incoming_build(Incoming *in, GError **err)
{
    Migration *mig = in->mig;

    MigrationOffer offer = { 0 };

    mig->hooks.offer(mig->hooks.opaque, &offer);
    if (in->wanted->has_boot) {
        in->boot = boot_receive_new(in->wanted, offer.boot, channel_two_way(in->ch), err);
        if (!in->boot) {
            return false;
        }
    }
    in->built = true;
    incoming_set_timer(in, 0, NULL);
    if (!mig->hooks.build(mig->hooks.opaque, in->wanted, err)) {
        return false;
    }
    in->ram = ram_receive_new(in->machine, err);
    in->load = loadvm_new(in->machine);
    in->state = IN_LOADING;
    return in->ram != NULL;
}

static bool incoming_description(Incoming *in, const StreamSection *s, const uint8_t *data,
                                 size_t len, GError **err)
{
    MigrationOffer offer = { 0 };

    if (strcmp(s->name, HWDESC_SECTION) || s->instance || s->version != HWDESC_VERSION) {
        return error_set(err, ERROR_GUEST,
                         "the first section is %s %u version %u, not " HWDESC_SECTION " version %d",
                         s->name, s->instance, s->version, HWDESC_VERSION);
    }
    in->wanted = handshake_parse(data, len, in->mig->hooks.catalog, &in->parts, err);
    if (!in->wanted) {
        return false;
    }
    in->mig->hooks.offer(in->mig->hooks.opaque, &offer);
    offer.handover = in->mig->handover;
    in->deficits = handshake_judge(in->wanted, in->parts, &offer, in->mig->hooks.catalog);
    in->state = IN_JUDGED;
    if (g_strcmp0(in->machine_type, in->wanted->type)) {
        return error_set(err, ERROR_GUEST,
                         "the configuration and the description name different machines");
    }
    if (channel_two_way(in->ch)) {
        return true;
    }
    return json_object_array_length(in->deficits) ? incoming_refuse_deficits(in, err)
                                                  : incoming_build(in, err);
}

/* Complete the boot images, before the first section of RAM is loaded. */
static bool incoming_take_boot(Incoming *in, GError **err)
{
    const MigrationHooks *hooks = &in->mig->hooks;
    BootImages *images = NULL;

    if (in->booted) {
        return true;
    }
    in->booted = true;
    if (in->boot) {
        images = boot_receive_finish(in->boot, err);
        g_clear_pointer(&in->boot, boot_receive_free);
        if (!images) {
            return false;
        }
    }
    if (hooks->boot) {
        return hooks->boot(hooks->opaque, in->wanted, images, err);
    }
    boot_images_free(images);
    return true;
}

static bool incoming_full(void *opaque, const StreamSection *s, const uint8_t *data, size_t len,
                          GError **err)
{
    Incoming *in = opaque;

    /* Not added to in->digest: the description states the SHA-256 of each image. */
    if (in->state == IN_LOADING && in->boot && strcmp(s->name, BOOT_SECTION) == 0) {
        return boot_receive_piece(in->boot, s, data, len, err);
    }

    if (in->state != IN_HEAD && in->state != IN_LOADING) {
        return error_set(err, ERROR_GUEST, "section %s is not possible at this position", s->name);
    }
    digest_section(in->digest, s, data, len); /* not reached after the digest was sent */
    return in->state == IN_HEAD ? incoming_description(in, s, data, len, err)
                                : loadvm_section(in->load, s, data, len, err);
}

static bool incoming_items(void *opaque, const StreamSection *s, ByteReader *r, bool *done,
                           GError **err)
{
    Incoming *in = opaque;

    if (in->state != IN_LOADING) {
        return error_set(err, ERROR_GUEST, "section %s is not possible at this position", s->name);
    }
    return incoming_take_boot(in, err) && ram_receive_items(in->ram, s, r, done, err);
}

static bool incoming_complete(Incoming *in, GError **err)
{
    if (in->state != IN_LOADING) {
        return error_set(err, ERROR_GUEST, "the stream ends before the state of a machine");
    }
    if (!ram_receive_finish(in->ram, err) || !loadvm_finish(in->load, err)) {
        return false;
    }
    in->state_wanted = loadvm_run_state(in->load);
    if (in->mig->hooks.loaded) {
        in->mig->hooks.loaded(in->mig->hooks.opaque);
    }
    in->state = IN_PREPARED;
    return true;
}

/* --- commands of a two-way channel --- */

static bool incoming_answer_deficits(Incoming *in, GError **err)
{
    const char *text = json_object_to_json_string_ext(in->deficits, JSON_C_TO_STRING_PLAIN);

    return incoming_answer(in, ANSWER_DEFICITS, text, strlen(text), err) &&
           (in->check_over || incoming_refuse_deficits(in, err));
}

static bool incoming_check(Incoming *in, const uint8_t *data, size_t len, GError **err)
{
    uint8_t needed;

    if (in->state != IN_JUDGED || len != 1 || data[0] > 1) {
        return error_set(err, ERROR_GUEST, "a check is not possible at this position");
    }
    in->check_over = data[0];
    if (json_object_array_length(in->deficits)) {
        return incoming_answer_deficits(in, err);
    }
    if (!in->check_over && !incoming_build(in, err)) {
        return false;
    }
    needed = in->boot ? (uint8_t)boot_receive_needed(in->boot) : 0;
    return incoming_answer(in, ANSWER_ACCEPT, &needed, in->boot ? 1 : 0, err);
}

/* Discard a guest that was not handed over in time. The source may have failed, or may have kept
 * the guest without a message that arrived here. */
static gboolean incoming_no_go(gpointer opaque)
{
    Incoming *in = opaque;

    in->timer = 0;
    incoming_fail(in, g_error_new(BACKPLANE_ERROR, ERROR_HOST,
                                  "the source did not hand over the guest within %d seconds",
                                  GO_SECONDS));
    return G_SOURCE_REMOVE;
}

static bool incoming_prepare(Incoming *in, GError **err)
{
    uint8_t digest[DIGEST_BYTES];
    gsize len = 32;

    if (!incoming_complete(in, err)) {
        return false;
    }
    g_checksum_get_digest(in->digest, digest, &len);
    for (int i = 0; i < 8; i++) {
        digest[32 + i] = ram_receive_pages(in->ram) >> (56 - 8 * i);
    }
    incoming_set_timer(in, GO_SECONDS, incoming_no_go);
    return incoming_answer(in, ANSWER_DIGEST, digest, sizeof(digest), err);
}

static bool incoming_command(void *opaque, uint16_t command, const uint8_t *data, size_t len,
                             GError **err)
{
    Incoming *in = opaque;

    if (!channel_two_way(in->ch)) {
        return error_set(err, ERROR_GUEST, "a one-way stream contains a command");
    }
    switch (command) {
    case STREAM_CMD_OPEN_RETURN_PATH:
        return len ? error_set(err, ERROR_GUEST, "the command to open the return path has data")
                   : true;
    case STREAM_CMD_CHECK:
        return incoming_check(in, data, len, err);
    case STREAM_CMD_SYNC:
        return in->state == IN_LOADING
                   ? incoming_answer(in, ANSWER_SYNC, NULL, 0, err)
                   : error_set(err, ERROR_GUEST,
                               "a synchronization is not possible at this position");
    case STREAM_CMD_PREPARE:
        return incoming_prepare(in, err);
    case STREAM_CMD_GO:
        return in->state == IN_PREPARED
                   ? incoming_run_guest(in, err)
                   : error_set(err, ERROR_GUEST, "the guest was handed over before it was loaded");
    default:
        return error_set(err, ERROR_GUEST, "unknown command %u", command);
    }
}

static bool incoming_end(void *opaque, GError **err)
{
    Incoming *in = opaque;

    return channel_two_way(in->ch) ? error_set(err, ERROR_GUEST, "a two-way stream has no end")
                                   : incoming_complete(in, err);
}

static const StreamHandler incoming_handler = { incoming_configuration, incoming_full,
                                                incoming_items, incoming_command, incoming_end };

/* --- bytes --- */

/* End the connection of a source that only requested a check. The next connection is accepted. */
static void incoming_end_check(Incoming *in)
{
    Migration *mig = in->mig;

    incoming_free(in);
    migration_set_status(mig, MIG_SETUP);
}

static void incoming_end_of_channel(Incoming *in)
{
    GError *err = NULL;

    if (channel_two_way(in->ch)) {
        incoming_fail(
            in, g_error_new_literal(BACKPLANE_ERROR, ERROR_HOST, "the source closed the channel"));
        return;
    }
    if (!stream_reader_finish(in->reader, &err) || !incoming_run_guest(in, &err)) {
        incoming_fail(in, err);
        return;
    }
    incoming_free(in);
}

/* End the connection if the bytes were the last or invalid ones. A guest that runs is not affected
 * by invalid bytes after GO. */
static void incoming_after_bytes(Incoming *in, bool understood, GError *err)
{
    if (in->state == IN_RUNS) {
        g_clear_error(&err);
        incoming_free(in);
    } else if (!understood) {
        incoming_fail(in, err);
    } else if (in->check_over) {
        incoming_end_check(in);
    }
}

static void incoming_turn(void *opaque)
{
    Incoming *in = opaque;
    uint8_t *space = stream_reader_space(in->reader, CHUNK);
    GError *err = NULL;
    bool eof, understood;
    ssize_t n = channel_read(in->ch, space, CHUNK, &eof, &err);

    if (n < 0) {
        incoming_fail(in, err);
    } else if (eof) {
        incoming_end_of_channel(in);
    } else if (n > 0) {
        in->mig->stats.bytes += n;
        understood = stream_reader_came(in->reader, n, &err);
        incoming_after_bytes(in, understood, err);
    }
}

/* Reject a connection while another one is in use. The data of the source is not read, so the
 * source may receive a reset instead of the message. */
static void incoming_refuse_connection(Channel *ch)
{
    static const char why[] = "another migration is in progress at the target";
    g_autoptr(GByteArray) out = g_byte_array_new();
    ByteWriter w = { out };

    stream_put_answer(&w, ANSWER_ERROR, why, strlen(why));
    channel_write(ch, out->data, out->len, NULL);
    channel_free(ch);
}

/* Close a connection on which no stream has begun, so that a new one can be accepted. Data that has
 * already arrived on the old connection is read first. */
static void incoming_give_up_silent(Migration *mig)
{
    if (mig->in && mig->server && !mig->in->machine_type) {
        incoming_turn(mig->in);
    }
    if (mig->in && mig->server && !mig->in->machine_type) {
        incoming_fail(mig->in,
                      g_error_new_literal(
                          BACKPLANE_ERROR, ERROR_HOST,
                          "another connection arrived before this one began a migration stream"));
    }
}

void incoming_accept(void *opaque, Channel *ch)
{
    Migration *mig = opaque;
    Incoming *in;

    incoming_give_up_silent(mig);
    if (mig->in || mig->machine->state != RUN_INMIGRATE) {
        incoming_refuse_connection(ch);
        return;
    }
    migration_clear_result(mig);
    in = g_new0(Incoming, 1);
    in->mig = mig;
    in->machine = mig->machine;
    in->ch = ch;
    in->reader = stream_reader_new(&incoming_handler, in);
    in->digest = g_checksum_new(G_CHECKSUM_SHA256);
    mig->stats.started = migration_now();
    mig->in = in;
    migration_set_status(mig, MIG_ACTIVE);
    if (mig->server) {
        incoming_set_timer(in, HEADER_SECONDS, incoming_no_description);
    }
    channel_watch(ch, true, false, incoming_turn, in);
}
