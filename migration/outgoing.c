/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The source: a state machine fed by the channel's readiness and a slow tick.
 *
 * Until GO has been handed to the kernel, every failure ends with the guest here, in the run
 * state it had. From then on only the target's word decides: it runs the guest, or it declines;
 * silence is "undecided".
 */
#include <string.h>

#include "hw/core/clock.h"
#include "hw/core/cpu.h"
#include "hw/pci/slot.h"
#include "migration/internal.h"
#include "migration/throttle.h"

#define CHUNK     (1u << 20) /* bytes made in one turn */
#define TICK_MS   20
#define BURST_NS  50000000LL /* what may be sent at once under the bandwidth limit */
#define MAX_TRIES 8          /* passes that are small enough to stop for */
#define MAX_STUCK 4          /* of these, passes that left more than half of what they sent */
#define NS        1000000000LL
#define RAM_ID    2
#define HWDESC_ID 1

typedef enum OutState {
    OUT_CONNECT,
    OUT_DIGESTS, /* waiting for the digests of the boot images; the tick asks */
    OUT_ANSWER,  /* the description is sent: will the target take the guest? */
    OUT_BOOT,    /* boot images; the guest runs */
    OUT_RAM,     /* the guest runs */
    OUT_SYNC,    /* the guest runs until the target has loaded what is on its way */
    OUT_WAIT,    /* stopped, waiting for migrate-continue */
    OUT_REST,    /* stopped: the pass that was under way */
    OUT_LAST,    /* stopped: the last pass */
    OUT_DIGEST,  /* all is sent: has the target all? */
    OUT_GIVEN,   /* GO is sent: does it run? */
    OUT_FINISH,  /* one-way: making it durable */
} OutState;

struct Outgoing {
    Migration *mig;
    Machine *machine;
    Channel *ch;
    OutState state;
    GByteArray *out; /* made but not yet taken by the channel, from out_at on */
    size_t out_at;
    Answers answers;
    BootSend boot;
    RamSend *ram;
    GChecksum *digest;
    struct json_object *devices; /* the description of a one-way stream; NULL otherwise */
    uint32_t next_id;
    unsigned tick; /* GSource id */
    Throttle throttle;
    bool stopped;
    int64_t moved_at; /* when a byte moved last */
    int64_t budget_at, pass_at;
    double budget; /* bytes that may be sent now; negative after a large piece */
    uint64_t pass_bytes;
    unsigned tries, stuck;
    bool warned; /* of devices that take longer than downtime-limit */
    bool in_turn, dead;
};

static void turn(void *opaque);

/* --- the end --- */

static void destroy(Outgoing *o)
{
    answers_clear(&o->answers);
    g_byte_array_unref(o->out);
    g_checksum_free(o->digest);
    json_object_put(o->devices);
    g_free(o);
}

/* Ends the migration at once; inside a turn the memory goes when the turn is over. */
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
    throttle_set(&o->throttle, 0);
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
        destroy(o);
    }
}

/* The guest stays here: run it again if it ran. */
static void keep_guest(Outgoing *o)
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

static void complete(Outgoing *o)
{
    Migration *mig = o->mig;

    outgoing_free(o);
    migration_record_forget(mig);
    machine_set_state(mig->machine, RUN_POSTMIGRATE);
    migration_set_status(mig, MIG_COMPLETED);
}

static void undecided(Migration *mig, const GError *why)
{
    g_autofree char *before = g_steal_pointer(&mig->error);

    mig->error = why && before ? g_strdup_printf("%s; %s", before, why->message)
                               : g_strdup(why ? why->message : before);
    machine_set_state(mig->machine, RUN_POSTMIGRATE);
    migration_set_status(mig, MIG_UNDECIDED);
}

/* The guest was given away and the target is silent: a hand-over record settles whose it is.
 * Theirs: the migration is complete and o gone. Without a record, unknown: undecided. */
static HandoverClaim settle(Outgoing *o)
{
    g_autoptr(GError) err = NULL;
    HandoverClaim claim = migration_record_claim(o->mig, &err);

    if (claim == HANDOVER_MINE) {
        o->mig->given_away = false;
    } else if (claim == HANDOVER_THEIRS) {
        g_clear_pointer(&o->mig->error, g_free);
        complete(o);
    } else {
        undecided(o->mig, err);
    }
    return claim;
}

static void fail(Outgoing *o, GError *err)
{
    Migration *mig = o->mig;

    migration_set_error(mig, err);
    if (o->state == OUT_GIVEN && o->out_at == 0 && o->out->len) {
        mig->given_away = false; /* not a byte of GO left this process */
    }
    if (mig->given_away && settle(o) != HANDOVER_MINE) {
        outgoing_free(mig->out);
        return;
    }
    keep_guest(o);
    outgoing_free(o);
    pci_unplug_resume(mig->machine);
    migration_set_status(mig, MIG_FAILED);
}

static void fail_text(Outgoing *o, const char *text)
{
    fail(o, g_error_new_literal(MIGRATION_ERROR, 0, text));
}

bool outgoing_may_cancel(const Outgoing *o)
{
    return o->state != OUT_GIVEN;
}

void outgoing_cancel(Outgoing *o)
{
    Migration *mig = o->mig;

    migration_set_status(mig, MIG_CANCELLING);
    keep_guest(o);
    outgoing_free(o);
    pci_unplug_resume(mig->machine);
    migration_set_status(mig, MIG_CANCELLED);
}

/* --- making the stream --- */

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

static ByteWriter writer(Outgoing *o)
{
    return (ByteWriter){ o->out };
}

static void begin_ram(Outgoing *o)
{
    ByteWriter w = writer(o);
    GError *err = NULL;

    o->ram = ram_send_new(o->machine, RAM_ID, &err);
    if (!o->ram) {
        fail(o, err);
        return;
    }
    ram_send_start(o->ram, &w);
    ram_send_begin_pass(o->ram);
    o->pass_at = migration_now();
    o->pass_bytes = 0;
    o->state = OUT_RAM;
}

/* The target takes the guest; `roles` are the boot images that it does not have. */
static void begin_data(Outgoing *o, unsigned roles)
{
    o->boot = (BootSend){ .images = o->machine->boot, .roles = roles };
    o->next_id = RAM_ID + 1;
    o->budget_at = migration_now();
    o->mig->stats.setup_done = migration_now();
    o->mig->stats.devices = savevm_estimate(o->machine);
    o->state = OUT_BOOT;
    migration_set_status(o->mig, MIG_ACTIVE);
}

/* Images larger than a stream carries are the target's own, or it refused. */
static unsigned all_roles(const BootImages *images)
{
    unsigned roles = 0;

    for (BootRole role = 0; images && role < BOOT_ROLES; role++) {
        roles |= (images->image[role].fd >= 0) << role;
    }
    return roles;
}

static void send_boot(Outgoing *o)
{
    ByteWriter w = writer(o);
    GError *err = NULL;
    int more = boot_send_some(&o->boot, &w, &o->next_id, o->devices, &err);

    if (more < 0) {
        fail(o, err);
    } else if (more == 0) {
        begin_ram(o);
    }
}

/* False when it failed, or waits for digests. */
static bool begin_stream(Outgoing *o)
{
    const MigrationHooks *hooks = &o->mig->hooks;
    ByteWriter w = writer(o);
    uint8_t check_only = 0;
    GError *err = NULL;
    int ready = hooks->boot_digests ? hooks->boot_digests(hooks->opaque, &err) : 1;

    if (ready <= 0) {
        o->state = OUT_DIGESTS;
        if (ready < 0) {
            fail(o, err);
        }
        return false;
    }
    o->moved_at = migration_now();
    outgoing_put_head(o->mig, &w, o->digest, o->devices);
    if (!channel_two_way(o->ch)) {
        begin_data(o, all_roles(o->machine->boot));
        return true;
    }
    stream_put_command(&w, STREAM_CMD_OPEN_RETURN_PATH, NULL, 0);
    stream_put_command(&w, STREAM_CMD_CHECK, &check_only, 1);
    o->state = OUT_ANSWER;
    return true;
}

/* --- switching over --- */

static void stop_guest(Outgoing *o)
{
    o->mig->before = o->machine->state;
    o->mig->stats.stopped = o->moved_at = migration_now();
    o->stopped = true;
    throttle_set(&o->throttle, 0);
    machine_set_state(o->machine, RUN_FINISH_MIGRATE);
}

static void switch_over(Outgoing *o)
{
    stop_guest(o);
    if (o->mig->caps[CAP_PAUSE_BEFORE_SWITCHOVER]) {
        o->state = OUT_WAIT;
        migration_set_status(o->mig, MIG_PRE_SWITCHOVER);
        return;
    }
    o->state = OUT_REST;
}

void outgoing_continue(Outgoing *o)
{
    o->state = OUT_REST;
    o->moved_at = migration_now();
    migration_set_status(o->mig, MIG_DEVICE);
    channel_watch(o->ch, channel_two_way(o->ch), true, turn, o);
}

static struct json_object *whole_description(Outgoing *o)
{
    struct json_object *desc = json_object_new_object();

    json_object_object_add(desc, "page_size", json_object_new_int(RAM_PAGE_SIZE));
    json_object_object_add(desc, "devices", json_object_get(o->devices));
    return desc;
}

/* RAM is through: everything else, in one piece. */
static void put_devices(Outgoing *o)
{
    ByteWriter w = writer(o);
    size_t from = o->out->len;
    struct json_object *desc;

    ram_send_end(o->ram, &w);
    savevm_save(o->machine, o->mig->before, &w, &o->next_id, o->digest, o->devices);
    o->mig->stats.device_bytes = o->out->len - from;
    if (channel_two_way(o->ch)) {
        stream_put_command(&w, STREAM_CMD_PREPARE, NULL, 0);
        o->state = OUT_DIGEST;
        return;
    }
    desc = whole_description(o);
    stream_put_end(&w, desc);
    json_object_put(desc);
    o->state = OUT_FINISH;
}

static bool digest_matches(Outgoing *o, const Answer *a)
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

/* The target has everything: the guest is its own from here on. */
static void give_away(Outgoing *o, const Answer *a)
{
    ByteWriter w = writer(o);
    GError *err = NULL;

    if (!digest_matches(o, a)) {
        fail_text(o, "the target loaded something else than was sent: the digests differ");
        return;
    }
    if (!migration_disks_release(o->mig, &err) || !migration_record_give(o->mig, &err)) {
        fail(o, err);
        return;
    }
    stream_put_command(&w, STREAM_CMD_GO, NULL, 0);
    o->state = OUT_GIVEN;
    o->mig->given_away = true;
}

/* --- answers --- */

/* The target says no, and that it will not run the guest: it is ours, even after GO. */
static void declined(Outgoing *o, char *why)
{
    o->state = OUT_DIGEST;
    o->mig->given_away = false;
    fail_text(o, why);
    g_free(why);
}

static void take_answer(Outgoing *o, Answer *a)
{
    if (a->type == ANSWER_ERROR) {
        g_autofree char *text = g_strndup((const char *)a->data, a->len);

        declined(o, g_strdup_printf("the target: %s", text));
    } else if (a->type == ANSWER_DEFICITS) {
        o->mig->deficits = a->deficits;
        declined(o, handshake_sentence(a->deficits));
    } else if (a->type == ANSWER_ACCEPT && o->state == OUT_ANSWER) {
        begin_data(o, a->len ? a->data[0] : 0);
    } else if (a->type == ANSWER_SYNC && o->state == OUT_SYNC) {
        switch_over(o);
    } else if (a->type == ANSWER_DIGEST && o->state == OUT_DIGEST) {
        give_away(o, a);
    } else if (a->type == ANSWER_RUNS && o->state == OUT_GIVEN) {
        complete(o);
    } else {
        fail_text(o, "the target sent an answer that does not belong here");
    }
}

static void read_answers(Outgoing *o)
{
    while (!o->dead && channel_two_way(o->ch)) {
        GError *err = NULL;
        Answer a;
        int got = answers_next(&o->answers, o->ch, &a, &err);

        if (got == 0) {
            return;
        }
        if (got < 0) {
            fail(o, err);
            return;
        }
        o->moved_at = migration_now();
        take_answer(o, &a);
    }
}

/* --- passes --- */

static void pass_event(Outgoing *o)
{
    struct json_object *data;

    if (o->mig->caps[CAP_EVENTS]) {
        data = json_object_new_object();
        json_object_object_add(data, "pass", json_object_new_int64(ram_send_stats(o->ram)->passes));
        machine_event(o->machine, "MIGRATION_PASS", data);
    }
}

/* The guest writes faster than the channel takes: slow it down (auto-converge). */
static void consider_throttle(Outgoing *o, uint64_t dirty_bytes)
{
    const uint64_t *p = o->mig->params;
    unsigned *t = &o->mig->stats.throttle;

    if (!o->mig->caps[CAP_AUTO_CONVERGE] || ram_send_stats(o->ram)->passes < 3 ||
        dirty_bytes * 100 < o->pass_bytes * p[PARAM_THROTTLE_TRIGGER]) {
        return;
    }
    *t = *t ? *t + p[PARAM_THROTTLE_INCREMENT] : p[PARAM_THROTTLE_INITIAL];
    *t = MIN(*t, p[PARAM_THROTTLE_MAX]);
    throttle_set(&o->throttle, *t);
}

double migration_expected_downtime(const MigStats *s, uint64_t ram_left)
{
    double bytes = (double)ram_left + (double)s->devices.bytes;

    return bytes * 1000 / (double)s->bandwidth + (double)s->devices.ns / 1e6;
}

/* No number of passes makes the devices fewer: a tenth of the limit is left for RAM, and the user
 * is told. */
static double limit_for(Outgoing *o)
{
    double limit = (double)o->mig->params[PARAM_DOWNTIME_LIMIT];
    double devices = migration_expected_downtime(&o->mig->stats, 0);

    if (devices < limit * 0.9) {
        return limit;
    }
    if (!o->warned) {
        o->warned = true;
        g_printerr("backplane: migration: the states of %u devices take about %.0f ms to move; "
                   "downtime-limit is %.0f ms\n",
                   o->mig->stats.devices.devices, devices, limit);
    }
    return devices + limit / 10;
}

/* Is what is left small enough to stop for? A few more passes make the stop shorter: while they
 * shrink, and also for a guest that writes in bursts, by stopping between two of them. */
static bool time_to_stop(Outgoing *o, uint64_t left, uint64_t before)
{
    if (migration_expected_downtime(&o->mig->stats, left) > limit_for(o)) {
        return false;
    }
    o->stuck += left > before / 2;
    return left <= CHUNK || o->stuck == MAX_STUCK || ++o->tries == MAX_TRIES;
}

/* What is on its way must be loaded before what comes next: the guest need not stand still for
 * it. */
static void synchronize(Outgoing *o)
{
    ByteWriter w = writer(o);

    if (!channel_two_way(o->ch)) {
        switch_over(o);
        return;
    }
    stream_put_command(&w, STREAM_CMD_SYNC, NULL, 0);
    o->state = OUT_SYNC;
    o->moved_at = migration_now();
}

/* A pass is through while the guest runs: another, or the last? */
static void end_of_pass(Outgoing *o)
{
    MigStats *s = &o->mig->stats;
    int64_t now = migration_now(), took = MAX(1, now - o->pass_at);
    uint64_t left, before = ram_send_stats(o->ram)->pass_pages << RAM_PAGE_BITS;

    s->bandwidth = MAX(1, (uint64_t)((double)o->pass_bytes * NS / took));
    ram_send_begin_pass(o->ram);
    pass_event(o);
    left = ram_send_stats(o->ram)->remaining;
    s->dirty_rate = (double)(left >> RAM_PAGE_BITS) * NS / took;
    consider_throttle(o, left);
    o->pass_at = now;
    o->pass_bytes = 0;
    if (time_to_stop(o, left, before)) {
        synchronize(o);
    }
}

/* Put more into the empty buffer. False when nothing can be made now. */
static bool produce(Outgoing *o)
{
    ByteWriter w = writer(o);

    switch (o->state) {
    case OUT_BOOT:
        send_boot(o);
        return true;
    case OUT_RAM:
        if (!ram_send_some(o->ram, &w, CHUNK)) {
            end_of_pass(o);
        }
        return true;
    case OUT_REST:
        if (!ram_send_some(o->ram, &w, CHUNK)) {
            ram_send_begin_pass(o->ram);
            o->state = OUT_LAST;
        }
        return true;
    case OUT_LAST:
        if (!ram_send_some(o->ram, &w, CHUNK)) {
            put_devices(o);
        }
        return true;
    default:
        return false;
    }
}

/* --- turns --- */

/* Writing failed. A target that gave up said why before it closed. */
static void last_words(Outgoing *o, GError *err)
{
    Answer a;

    if (channel_two_way(o->ch) && answers_next(&o->answers, o->ch, &a, NULL) > 0 &&
        (a.type == ANSWER_ERROR || a.type == ANSWER_DEFICITS)) {
        g_error_free(err);
        take_answer(o, &a);
        return;
    }
    fail(o, err);
}

/* Hand to the channel what it takes now; false when it failed or takes no more. */
static bool flush(Outgoing *o)
{
    size_t left = o->out->len - o->out_at;
    GError *err = NULL;
    ssize_t n;

    if (!left) {
        return true;
    }
    n = channel_write(o->ch, o->out->data + o->out_at, left, &err);
    if (n < 0) {
        last_words(o, err);
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

/* While the guest runs, the bandwidth limit holds: what was sent beyond it is waited for. */
static bool over_budget(Outgoing *o)
{
    double limit = (double)o->mig->params[PARAM_MAX_BANDWIDTH];
    int64_t now = migration_now();

    if (limit <= 0) {
        o->budget = 0;
        return false;
    }
    o->budget = MIN(o->budget + limit * (double)(now - o->budget_at) / NS, limit * BURST_NS / NS);
    o->budget_at = now;
    return (o->state == OUT_RAM || o->state == OUT_BOOT) && o->budget <= 0;
}

static void finish(Outgoing *o)
{
    GError *err = NULL;
    int done = channel_finish(o->ch, &err);

    if (done < 0) {
        fail(o, err);
    } else if (done > 0) {
        if (!migration_disks_release(o->mig, &err)) {
            fail(o, err);
            return;
        }
        complete(o);
    }
}

static void work(Outgoing *o)
{
    GError *err = NULL;

    if (o->dead) {
        return;
    }
    if (o->state == OUT_CONNECT) {
        int connected = channel_connected(o->ch, &err);

        if (connected < 0) {
            fail(o, err);
        }
        if (connected <= 0 || !begin_stream(o)) {
            return;
        }
    } else if (o->state == OUT_DIGESTS) {
        if (!begin_stream(o)) {
            return;
        }
    } else {
        read_answers(o);
    }
    if (o->dead || !flush(o) || over_budget(o)) {
        return;
    }
    if (produce(o) && !o->dead) {
        flush(o);
    } else if (!o->dead && o->state == OUT_FINISH) {
        finish(o);
    }
}

/* After a turn: what to wait for. */
static void watch(Outgoing *o)
{
    bool pending = o->out_at < o->out->len;
    bool more =
        o->state == OUT_BOOT || o->state == OUT_RAM || o->state == OUT_REST || o->state == OUT_LAST;

    if (o->state == OUT_FINISH && !pending) {
        return; /* the tick asks again */
    }
    if (o->state == OUT_DIGESTS) {
        channel_watch(o->ch, false, false, NULL, NULL);
        return;
    }
    channel_watch(o->ch, channel_two_way(o->ch) && o->state != OUT_CONNECT,
                  pending || o->state == OUT_CONNECT || (more && !over_budget(o)), turn, o);
}

static void turn(void *opaque)
{
    Outgoing *o = opaque;

    o->in_turn = true;
    work(o);
    o->in_turn = false;
    if (o->dead) {
        destroy(o);
    } else {
        watch(o);
    }
}

/* Given away, and no answer. Without a record, a late answer still settles it. */
static void silence(Outgoing *o)
{
    if (o->mig->status != MIG_UNDECIDED && settle(o) == HANDOVER_MINE) {
        fail_text(o, "the target did not take the guest within 10 seconds");
    }
}

static void check_stall(Outgoing *o)
{
    bool waiting = o->state != OUT_DIGESTS && o->state != OUT_BOOT && o->state != OUT_RAM &&
                   o->state != OUT_WAIT && o->state != OUT_FINISH;

    if (!waiting || migration_now() - o->moved_at < STALL_SECONDS * NS) {
        return;
    }
    if (o->state == OUT_GIVEN) {
        silence(o);
        return;
    }
    fail_text(o, "the target did not answer for 10 seconds");
}

static gboolean tick(gpointer opaque)
{
    Outgoing *o = opaque;

    o->in_turn = true;
    check_stall(o);
    if (!o->dead && o->ram) {
        o->mig->stats.ram = *ram_send_stats(o->ram);
    }
    turn(o);
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
    o->machine = o->throttle.machine = mig->machine;
    o->ch = ch;
    o->out = g_byte_array_new();
    o->digest = g_checksum_new(G_CHECKSUM_SHA256);
    o->devices = channel_two_way(ch) ? NULL : json_object_new_array();
    answers_init(&o->answers);
    o->moved_at = mig->stats.started = migration_now();
    o->tick = g_timeout_add(TICK_MS, tick, o);
    o->machine->migrating++;
    mig->out = o;
    migration_set_status(mig, MIG_SETUP);
    watch(o);
    return true;
}
