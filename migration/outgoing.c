/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The source of a migration: the state machine of outgoing_state_internal.h, driven by the
 * readiness of the channel and by a slow tick.
 *
 * Until GO has been passed to the kernel, every failure leaves the guest on the source, in the run
 * state that it had. From then on the target decides: it runs the guest, or it declines. If the
 * target is silent and there is no hand-over record, the migration is undecided.
 */
#include <string.h>

#include "hw/core/clock.h"
#include "hw/core/cpu.h"
#include "hw/pci/slot.h"
#include "machine-events.h"
#include "migration/convergence_internal.h"
#include "migration/outgoing_state_internal.h"

/* Bytes of stream data made in one turn, and the size of a PART of RAM. A CPU that accesses a
 * device waits for the turn, so it is short while the guest runs; a file has larger parts. */
#define LIVE_CHUNK (512u << 10)
#define FILE_CHUNK (1u << 20)
#define TICK_MS    20
#define BURST_NS   50000000LL /* a burst has at most the bytes of max-bandwidth in this time */
#define NS         1000000000LL
#define RAM_ID     2
#define HWDESC_ID  1

struct Outgoing {
    Migration *mig;
    Machine *machine;
    Channel *ch;
    OutgoingState state;
    GByteArray *out; /* stream data that the channel has not accepted yet, from out_at on */
    size_t out_at;
    Answers answers;
    BootSend boot;
    RamSend *ram;
    GChecksum *digest;
    struct json_object *devices; /* the description of a one-way stream; NULL otherwise */
    uint32_t next_id;
    unsigned tick; /* GSource id */
    Convergence convergence;
    bool stopped;     /* the guest was stopped for the last pass */
    bool was_paused;  /* pre-switchover was left */
    int64_t moved_at; /* when a byte was last sent or received, or a wait began */
    int64_t budget_at, pass_at;
    double budget; /* bytes that may be sent now; negative after a larger piece was sent */
    uint64_t pass_bytes;
    bool in_turn, dead;
};

static void outgoing_turn(void *opaque);

/* --- states --- */

static const OutgoingStateRow *outgoing_row(const Outgoing *o)
{
    return &outgoing_states[o->state];
}

/* Check the invariants of the present state. They hold whenever no function of this file runs. */
static void outgoing_check(const Outgoing *o)
{
#ifndef NDEBUG
    const OutgoingStateRow *row = outgoing_row(o);

    g_assert(o->mig->out == o && o->machine->migrating > 0);
    g_assert(!(row->flags & OUTGOING_FINAL));
    g_assert(!(row->flags & OUTGOING_TRACKS) == !o->ram);
    g_assert(row->channel == OUTGOING_CHANNEL_ANY ||
             channel_two_way(o->ch) == (row->channel == OUTGOING_CHANNEL_TWO_WAY));
    g_assert(o->stopped == (row->guest != OUTGOING_GUEST_RUNS));
    g_assert(o->mig->given_away == (row->guest == OUTGOING_GUEST_GIVEN));
    g_assert(o->mig->status == (o->was_paused ? row->status_after_pause : row->status));
#endif
}

/* Move to a state without reporting it yet. */
static void outgoing_move(Outgoing *o, OutgoingState state)
{
    g_assert(o->state == state || (outgoing_row(o)->next >> state & 1));
    o->state = state;
}

static void outgoing_report(Migration *mig, OutgoingState state, bool was_paused)
{
    const OutgoingStateRow *row = &outgoing_states[state];

    migration_set_status(mig, was_paused ? row->status_after_pause : row->status);
}

static void outgoing_enter(Outgoing *o, OutgoingState state)
{
    outgoing_move(o, state);
    outgoing_report(o->mig, state, o->was_paused);
}

/* --- the end --- */

static void outgoing_destroy(Outgoing *o)
{
    answers_clear(&o->answers);
    g_byte_array_unref(o->out);
    g_checksum_free(o->digest);
    json_object_put(o->devices);
    g_free(o);
}

void outgoing_free(Outgoing *o)
{
    if (!o) {
        return;
    }
    if (o->ram) {
        o->mig->stats.ram = *ram_send_stats(o->ram);
    }
    if (!o->mig->given_away) {
        migration_record_forget(o->mig);
    }
    convergence_end(&o->convergence);
    o->mig->stats.ended = migration_now();
    o->mig->out = NULL;
    o->machine->migrating--;
    ram_send_free(o->ram);
    o->ram = NULL;
    g_source_remove(o->tick);
    channel_free(o->ch);
    o->ch = NULL;
    o->dead = true;
    if (!o->in_turn) {
        outgoing_destroy(o);
    }
}

/* Lock the disks again, and return the guest to the run state that it had. If the disks cannot be
 * locked, the guest is paused and the error is extended. */
static void outgoing_keep_guest(Outgoing *o)
{
    Migration *mig = o->mig;
    g_autoptr(GError) err = NULL;

    if (mig->disks_released && !migration_disks_take(mig, &err)) {
        g_autofree char *before = g_steal_pointer(&mig->error);

        mig->error = g_strdup_printf("%s; and the guest's disks cannot be used again: %s",
                                     before ? before : "cancelled", err->message);
        machine_set_state(o->machine, RUN_PAUSED);
        return;
    }
    if (o->stopped) {
        machine_set_state(o->machine, mig->before);
    }
}

/* End the migration with status "completed". Frees o. */
static void outgoing_complete(Outgoing *o)
{
    Migration *mig = o->mig;

    outgoing_move(o, OUTGOING_COMPLETED);
    outgoing_free(o);
    migration_record_forget(mig);
    machine_set_state(mig->machine, RUN_POSTMIGRATE);
    outgoing_report(mig, OUTGOING_COMPLETED, false);
}

static void outgoing_undecided(Outgoing *o, const GError *why)
{
    Migration *mig = o->mig;
    g_autofree char *before = g_steal_pointer(&mig->error);

    mig->error = why && before ? g_strdup_printf("%s; %s", before, why->message)
                               : g_strdup(why ? why->message : before);
    machine_set_state(mig->machine, RUN_POSTMIGRATE);
    outgoing_enter(o, OUTGOING_UNDECIDED);
}

/* The guest was handed over and the target is silent: consult the hand-over record. If the target
 * claimed the guest, the migration is complete and o is freed. Without a record, or if it cannot be
 * read, the migration is undecided. */
static HandoverClaim outgoing_settle(Outgoing *o)
{
    g_autoptr(GError) err = NULL;
    HandoverClaim claim = migration_record_claim(o->mig, &err);

    if (claim == HANDOVER_MINE) {
        o->mig->given_away = false;
    } else if (claim == HANDOVER_THEIRS) {
        g_clear_pointer(&o->mig->error, g_free);
        outgoing_complete(o);
    } else {
        outgoing_undecided(o, err);
    }
    return claim;
}

/* End the migration with status "failed" or, if the owner of the guest is unknown, "undecided".
 * Frees o. Consumes err. */
static void outgoing_fail(Outgoing *o, GError *err)
{
    Migration *mig = o->mig;

    migration_set_error(mig, err);
    if (mig->given_away && o->out_at == 0 && o->out->len) {
        mig->given_away = false; /* no byte of GO was sent */
    }
    if (mig->given_away && outgoing_settle(o) != HANDOVER_MINE) {
        outgoing_free(mig->out);
        return;
    }
    outgoing_move(o, OUTGOING_FAILED);
    outgoing_keep_guest(o);
    outgoing_free(o);
    pci_unplug_resume(mig->machine);
    outgoing_report(mig, OUTGOING_FAILED, false);
}

static void outgoing_fail_text(Outgoing *o, ErrorClass class, const char *text)
{
    outgoing_fail(o, g_error_new_literal(BACKPLANE_ERROR, class, text));
}

bool outgoing_may_cancel(const Outgoing *o)
{
    return outgoing_row(o)->flags & OUTGOING_CANCEL;
}

void outgoing_cancel(Outgoing *o)
{
    Migration *mig = o->mig;

    outgoing_enter(o, OUTGOING_CANCELLING);
    outgoing_keep_guest(o);
    outgoing_move(o, OUTGOING_CANCELLED);
    outgoing_free(o);
    pci_unplug_resume(mig->machine);
    outgoing_report(mig, OUTGOING_CANCELLED, false);
}

Channel *outgoing_channel(const Outgoing *o)
{
    return o->ch;
}

/* --- the beginning of the stream --- */

void outgoing_put_head(Migration *mig, ByteWriter *w, GChecksum *digest,
                       struct json_object *devices)
{
    StreamSection s = { STREAM_FULL, HWDESC_ID, 0, HWDESC_VERSION, HWDESC_SECTION };
    g_autofree char *text = handshake_text(mig);
    size_t at;

    stream_put_header(w, mig->machine->type_name);
    at = stream_begin_full(w, &s);
    put_bytes(w, text, strlen(text));
    digest_section(digest, &s, text, strlen(text));
    stream_end_full(w, &s, at);
    if (devices) {
        g_autofree char *json = g_strdup_printf(
            "{\"name\":\"" HWDESC_SECTION "\",\"instance_id\":0,\"vmsd_name\":\"hwdesc\","
            "\"version\":%d,\"fields\":[{\"name\":\"length\",\"type\":\"uint32\",\"size\":4},"
            "{\"name\":\"json\",\"type\":\"buffer\",\"size\":%zu}]}",
            HWDESC_VERSION, strlen(text));

        json_object_array_add(devices, json_tokener_parse(json));
    }
}

static ByteWriter outgoing_writer(Outgoing *o)
{
    return (ByteWriter){ o->out };
}

static void outgoing_begin_ram(Outgoing *o)
{
    ByteWriter w = outgoing_writer(o);
    GError *err = NULL;

    o->ram = ram_send_new(o->machine, RAM_ID, &err);
    if (!o->ram) {
        outgoing_fail(o, err);
        return;
    }
    ram_send_start(o->ram, &w);
    ram_send_begin_pass(o->ram);
    o->pass_at = migration_now();
    o->pass_bytes = 0;
    outgoing_enter(o, OUTGOING_RAM);
}

/* The target accepted the guest. @roles are the boot images that it does not have. */
static void outgoing_begin_boot(Outgoing *o, unsigned roles)
{
    o->boot = (BootSend){ .images = o->machine->boot, .roles = roles };
    o->next_id = RAM_ID + 1;
    o->budget_at = migration_now();
    o->mig->stats.setup_done = migration_now();
    o->mig->stats.devices = savevm_estimate(o->machine);
    outgoing_enter(o, OUTGOING_BOOT);
}

/* Return all images, for a target without a return path, which cannot request some of them. An
 * image that is larger than BOOT_MAX_SIZE must exist on the target; otherwise the target rejects
 * the description. */
static unsigned outgoing_all_roles(const BootImages *images)
{
    unsigned roles = 0;

    for (BootRole role = 0; images && role < BOOT_ROLES; role++) {
        roles |= (images->image[role].fd >= 0) << role;
    }
    return roles;
}

static void outgoing_send_boot(Outgoing *o)
{
    ByteWriter w = outgoing_writer(o);
    GError *err = NULL;
    int more = boot_send_some(&o->boot, &w, &o->next_id, o->devices, &err);

    if (more < 0) {
        outgoing_fail(o, err);
    } else if (more == 0) {
        outgoing_begin_ram(o);
    }
}

/* Write the description. Returns false if that failed or if digests are not known yet. */
static bool outgoing_begin(Outgoing *o)
{
    const MigrationHooks *hooks = &o->mig->hooks;
    ByteWriter w = outgoing_writer(o);
    uint8_t check_only = 0;
    GError *err = NULL;
    int ready = hooks->boot_digests ? hooks->boot_digests(hooks->opaque, &err) : 1;

    if (ready <= 0) {
        outgoing_enter(o, OUTGOING_DIGESTS);
        if (ready < 0) {
            outgoing_fail(o, err);
        }
        return false;
    }
    o->moved_at = migration_now();
    outgoing_put_head(o->mig, &w, o->digest, o->devices);
    if (!channel_two_way(o->ch)) {
        outgoing_begin_boot(o, outgoing_all_roles(o->machine->boot));
        return true;
    }
    stream_put_command(&w, STREAM_CMD_OPEN_RETURN_PATH, NULL, 0);
    stream_put_command(&w, STREAM_CMD_CHECK, &check_only, 1);
    outgoing_enter(o, OUTGOING_OFFER);
    return true;
}

/* --- switching over --- */

static void outgoing_stop_guest(Outgoing *o)
{
    o->mig->before = o->machine->state;
    o->mig->stats.stopped = o->moved_at = migration_now();
    o->stopped = true;
    convergence_end(&o->convergence);
    machine_set_state(o->machine, RUN_FINISH_MIGRATE);
}

static void outgoing_switch_over(Outgoing *o)
{
    outgoing_stop_guest(o);
    outgoing_enter(o, o->mig->caps[CAP_PAUSE_BEFORE_SWITCHOVER] ? OUTGOING_PAUSED : OUTGOING_REST);
}

void outgoing_continue(Outgoing *o)
{
    o->was_paused = true;
    o->moved_at = migration_now();
    outgoing_enter(o, OUTGOING_REST);
    channel_watch(o->ch, channel_two_way(o->ch), true, outgoing_turn, o);
}

static struct json_object *outgoing_description(Outgoing *o)
{
    struct json_object *desc = json_object_new_object();

    json_object_object_add(desc, "page_size", json_object_new_int(RAM_PAGE_SIZE));
    json_object_object_add(desc, "devices", json_object_get(o->devices));
    return desc;
}

/* RAM is complete: append everything that remains. */
static void outgoing_put_devices(Outgoing *o)
{
    ByteWriter w = outgoing_writer(o);
    size_t from = o->out->len;
    struct json_object *desc;

    ram_send_end(o->ram, &w);
    savevm_save(o->machine, o->mig->before, &w, &o->next_id, o->digest, o->devices);
    o->mig->stats.device_bytes = o->out->len - from;
    if (channel_two_way(o->ch)) {
        stream_put_command(&w, STREAM_CMD_PREPARE, NULL, 0);
        outgoing_enter(o, OUTGOING_VERIFY);
        return;
    }
    desc = outgoing_description(o);
    stream_put_end(&w, desc);
    json_object_put(desc);
    outgoing_enter(o, OUTGOING_DURABLE);
}

static bool outgoing_digest_matches(Outgoing *o, const Answer *a)
{
    const RamStats *ram = ram_send_stats(o->ram);
    uint8_t own[DIGEST_BYTES];
    gsize len = 32;

    g_checksum_get_digest(o->digest, own, &len);
    for (int i = 0; i < 8; i++) {
        own[32 + i] = (ram->zero + ram->normal) >> (56 - 8 * i);
    }
    return a->len == sizeof(own) && !memcmp(a->data, own, sizeof(own));
}

/* The target has loaded and checked everything. Compare its digest, and hand the guest over. */
static void outgoing_hand_over(Outgoing *o, const Answer *a)
{
    ByteWriter w = outgoing_writer(o);
    GError *err = NULL;

    if (!outgoing_digest_matches(o, a)) {
        outgoing_fail_text(o, ERROR_GUEST,
                           "the digests of source and target differ: the target did not load the "
                           "data that was sent");
        return;
    }
    if (!migration_disks_release(o->mig, &err) || !migration_record_give(o->mig, &err)) {
        outgoing_fail(o, err);
        return;
    }
    stream_put_command(&w, STREAM_CMD_GO, NULL, 0);
    o->mig->given_away = true;
    outgoing_enter(o, OUTGOING_HANDED_OVER);
}

/* --- answers --- */

/* The target does not run the guest. The source keeps the guest, also after GO. Consumes why. */
static void outgoing_declined(Outgoing *o, char *why)
{
    o->mig->given_away = false;
    outgoing_fail_text(o, ERROR_GUEST, why);
    g_free(why);
}

static void outgoing_expected_answer(Outgoing *o, Answer *a)
{
    switch (a->type) {
    case ANSWER_ACCEPT:
        outgoing_begin_boot(o, a->len ? a->data[0] : 0);
        break;
    case ANSWER_SYNC:
        outgoing_switch_over(o);
        break;
    case ANSWER_DIGEST:
        outgoing_hand_over(o, a);
        break;
    default: /* ANSWER_RUNS, the only other type in the table */
        outgoing_complete(o);
        break;
    }
}

static void outgoing_take_answer(Outgoing *o, Answer *a)
{
    if (a->type == ANSWER_ERROR) {
        g_autofree char *text = g_strndup((const char *)a->data, a->len);

        outgoing_declined(o, g_strdup_printf("the target: %s", text));
    } else if (a->type == ANSWER_DEFICITS) {
        o->mig->deficits = a->deficits;
        outgoing_declined(o, handshake_sentence(a->deficits));
    } else if (a->type && a->type == outgoing_row(o)->answer) {
        outgoing_expected_answer(o, a);
    } else {
        g_autofree char *text =
            g_strdup_printf("the target sent an answer of type 0x%04x, which is not expected in "
                            "state '%s'",
                            a->type, outgoing_row(o)->name);

        outgoing_fail_text(o, ERROR_GUEST, text);
    }
}

static void outgoing_read_answers(Outgoing *o)
{
    while (!o->dead && channel_two_way(o->ch)) {
        GError *err = NULL;
        Answer a;
        int got = answers_next(&o->answers, o->ch, &a, &err);

        if (got == 0) {
            return;
        }
        if (got < 0) {
            outgoing_fail(o, err);
            return;
        }
        o->moved_at = migration_now();
        outgoing_take_answer(o, &a);
    }
}

/* --- passes over RAM --- */

static void outgoing_pass_event(Outgoing *o)
{
    if (o->mig->caps[CAP_EVENTS]) {
        event_migration_pass(o->machine, (int64_t)ram_send_stats(o->ram)->passes);
    }
}

/* Wait until the target has loaded the data in transit, before the guest is stopped. This shortens
 * the downtime. */
static void outgoing_synchronize(Outgoing *o)
{
    ByteWriter w = outgoing_writer(o);

    if (!channel_two_way(o->ch)) {
        outgoing_switch_over(o);
        return;
    }
    stream_put_command(&w, STREAM_CMD_SYNC, NULL, 0);
    o->moved_at = migration_now();
    outgoing_enter(o, OUTGOING_SYNC);
}

/* A pass is complete while the guest runs: begin another one, or stop the guest. */
static void outgoing_end_of_pass(Outgoing *o)
{
    MigStats *s = &o->mig->stats;
    int64_t now = migration_now(), took = MAX(1, now - o->pass_at);
    uint64_t left, before = ram_send_stats(o->ram)->pass_pages << RAM_PAGE_BITS;

    s->bandwidth = MAX(1, (uint64_t)((double)o->pass_bytes * NS / took));
    ram_send_begin_pass(o->ram);
    outgoing_pass_event(o);
    left = ram_send_stats(o->ram)->remaining;
    s->dirty_rate = (double)(left >> RAM_PAGE_BITS) * NS / took;
    convergence_throttle(&o->convergence, ram_send_stats(o->ram)->passes, o->pass_bytes, left);
    o->pass_at = now;
    o->pass_bytes = 0;
    if (convergence_reached(&o->convergence, left, before)) {
        outgoing_synchronize(o);
    }
}

/* Append stream data to the buffer, which is empty. For states with OUTGOING_PRODUCES. */
static void outgoing_produce(Outgoing *o)
{
    ByteWriter w = outgoing_writer(o);

    if (o->state == OUTGOING_BOOT) {
        outgoing_send_boot(o);
    } else if (!ram_send_some(o->ram, &w, channel_two_way(o->ch) ? LIVE_CHUNK : FILE_CHUNK)) {
        if (o->state == OUTGOING_RAM) {
            outgoing_end_of_pass(o);
        } else if (o->state == OUTGOING_REST) {
            ram_send_begin_pass(o->ram);
            outgoing_enter(o, OUTGOING_LAST);
        } else {
            outgoing_put_devices(o);
        }
    }
}

/* --- turns --- */

/* Writing failed. A target that gave up may have sent the reason before it closed the channel.
 * Consumes err. */
static void outgoing_write_failed(Outgoing *o, GError *err)
{
    Answer a;

    if (channel_two_way(o->ch) && answers_next(&o->answers, o->ch, &a, NULL) > 0 &&
        (a.type == ANSWER_ERROR || a.type == ANSWER_DEFICITS)) {
        g_error_free(err);
        outgoing_take_answer(o, &a);
        return;
    }
    outgoing_fail(o, err);
}

/* Write the buffer to the channel. Returns false if that failed or if a part is left. */
static bool outgoing_flush(Outgoing *o)
{
    size_t left = o->out->len - o->out_at;
    GError *err = NULL;
    ssize_t n;

    if (!left) {
        return true;
    }
    n = channel_write(o->ch, o->out->data + o->out_at, left, &err);
    if (n < 0) {
        outgoing_write_failed(o, err);
        return false;
    }
    if (n > 0) {
        o->moved_at = migration_now();
    }
    o->out_at += n;
    o->mig->stats.bytes += n;
    o->pass_bytes += n;
    o->budget -= (double)n;
    if (o->out_at == o->out->len) {
        g_byte_array_set_size(o->out, 0);
        o->out_at = 0;
        return true;
    }
    return false;
}

/* Return true if max-bandwidth does not permit sending now. */
static bool outgoing_over_budget(Outgoing *o)
{
    double limit = (double)o->mig->params[PARAM_MAX_BANDWIDTH];
    int64_t now = migration_now();

    if (limit <= 0) {
        o->budget = 0;
        return false;
    }
    o->budget = MIN(o->budget + limit * (double)(now - o->budget_at) / NS, limit * BURST_NS / NS);
    o->budget_at = now;
    return outgoing_row(o)->flags & OUTGOING_LIMITED && o->budget <= 0;
}

static void outgoing_finish(Outgoing *o)
{
    GError *err = NULL;
    int done = channel_finish(o->ch, &err);

    if (done < 0) {
        outgoing_fail(o, err);
    } else if (done > 0) {
        if (!migration_disks_release(o->mig, &err)) {
            outgoing_fail(o, err);
            return;
        }
        outgoing_complete(o);
    }
}

/* Connect, begin the stream, or read answers, before data is produced. Returns false if the channel
 * is not connected, if digests are not available yet, or after a failure. */
static bool outgoing_prepare(Outgoing *o)
{
    GError *err = NULL;
    int connected;

    if (o->state == OUTGOING_CONNECT) {
        connected = channel_connected(o->ch, &err);
        if (connected < 0) {
            outgoing_fail(o, err);
        }
        return connected > 0 && outgoing_begin(o);
    }
    if (o->state == OUTGOING_DIGESTS) {
        return outgoing_begin(o);
    }
    outgoing_read_answers(o);
    return !o->dead;
}

static void outgoing_work(Outgoing *o)
{
    if (o->dead || !outgoing_prepare(o) || !outgoing_flush(o) || outgoing_over_budget(o)) {
        return;
    }
    if (outgoing_row(o)->flags & OUTGOING_PRODUCES) {
        outgoing_produce(o);
        if (!o->dead) {
            outgoing_flush(o);
        }
    } else if (o->state == OUTGOING_DURABLE) {
        outgoing_finish(o);
    }
}

/* After a turn: wait for the channel, as the state requires. */
static void outgoing_watch(Outgoing *o)
{
    bool pending = o->out_at < o->out->len, connecting = o->state == OUTGOING_CONNECT;
    bool more = outgoing_row(o)->flags & OUTGOING_PRODUCES && !outgoing_over_budget(o);

    if (o->state == OUTGOING_DURABLE && !pending) {
        return; /* the tick calls again */
    }
    if (o->state == OUTGOING_DIGESTS) {
        channel_watch(o->ch, false, false, NULL, NULL);
        return;
    }
    channel_watch(o->ch, channel_two_way(o->ch) && !connecting, pending || connecting || more,
                  outgoing_turn, o);
}

static void outgoing_turn(void *opaque)
{
    Outgoing *o = opaque;

    o->in_turn = true;
    outgoing_work(o);
    o->in_turn = false;
    if (o->dead) {
        outgoing_destroy(o);
    } else {
        outgoing_check(o);
        outgoing_watch(o);
    }
}

static void outgoing_check_stall(Outgoing *o)
{
    if (!(outgoing_row(o)->flags & OUTGOING_TIMED) ||
        migration_now() - o->moved_at < STALL_SECONDS * NS) {
        return;
    }
    if (o->state != OUTGOING_HANDED_OVER) {
        outgoing_fail_text(o, ERROR_HOST, "the target did not answer for 10 seconds");
    } else if (outgoing_settle(o) == HANDOVER_MINE) {
        outgoing_fail_text(o, ERROR_HOST, "the target did not accept the guest within 10 seconds");
    }
}

static gboolean outgoing_tick(gpointer opaque)
{
    Outgoing *o = opaque;

    o->in_turn = true;
    outgoing_check_stall(o);
    if (!o->dead && o->ram) {
        o->mig->stats.ram = *ram_send_stats(o->ram);
    }
    outgoing_turn(o);
    return G_SOURCE_CONTINUE;
}

bool outgoing_start(Migration *mig, const char *uri, GError **err)
{
    ChannelFds fds = migration_fds(mig);
    Channel *ch = channel_open_out(uri, &fds, err);
    Outgoing *o;

    if (!ch) {
        return false;
    }
    if (channel_two_way(ch) && !migration_record_offer(mig, err)) {
        channel_free(ch);
        return false;
    }
    o = g_new0(Outgoing, 1);
    o->mig = mig;
    o->machine = mig->machine;
    convergence_init(&o->convergence, mig);
    o->ch = ch;
    o->out = g_byte_array_new();
    o->digest = g_checksum_new(G_CHECKSUM_SHA256);
    o->devices = channel_two_way(ch) ? NULL : json_object_new_array();
    answers_init(&o->answers);
    o->moved_at = mig->stats.started = migration_now();
    o->tick = g_timeout_add(TICK_MS, outgoing_tick, o);
    o->machine->migrating++;
    mig->out = o;
    outgoing_enter(o, OUTGOING_CONNECT);
    outgoing_watch(o);
    return true;
}
