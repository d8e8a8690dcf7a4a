/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots of the machine inside disk images (contract in migration/snapshot.h).
 */
#include "migration/snapshot.h"

#include <string.h>

#include "hw/core/clock.h"
#include "migration/internal.h"

enum { SNAPSHOT_PIECE = 1 << 20, SNAPSHOT_RAM_ID = 2 };

/* The guest stopped for the time of an operation. */
typedef struct Standstill {
    Machine *machine;
    RunState before;
} Standstill;

static void standstill_begin(Standstill *s, Machine *m)
{
    *s = (Standstill){ m, m->state };
    if (machine_running(m)) {
        machine_set_state(m, RUN_PAUSED);
    }
    block_drain_all(m);
}

static void standstill_end(const Standstill *s)
{
    if (s->before == RUN_RUNNING) {
        machine_set_state(s->machine, RUN_RUNNING);
    }
}

static bool snapshot_possible(Migration *mig, GError **err)
{
    if (mig->in || mig->machine->state == RUN_INMIGRATE || mig->given_away) {
        return error_set(err, ERROR_USER,
                         "snapshots are not possible while the guest is migrated (state %s)",
                         run_state_name(mig->machine->state));
    }
    return migration_may_send(mig, err);
}

/* --- saving --- */

typedef struct SnapshotWriter {
    const SnapshotPlace *place;
    GByteArray *out;
    uint64_t written;
} SnapshotWriter;

/* Store what was collected, if it is a piece or the end. */
static bool snapshot_flush(SnapshotWriter *w, bool end, GError **err)
{
    if (w->out->len < SNAPSHOT_PIECE && !end) {
        return true;
    }
    if (!block_snapshot_write_state(w->place->state, w->written, w->out->data, w->out->len, err)) {
        return false;
    }
    w->written += w->out->len;
    g_byte_array_set_size(w->out, 0);
    return true;
}

static bool snapshot_write_ram(Migration *mig, SnapshotWriter *w, GError **err)
{
    RamSend *ram = ram_send_new(mig->machine, SNAPSHOT_RAM_ID, err);
    ByteWriter out = { w->out };
    bool ok = ram != NULL;

    if (!ok) {
        return false;
    }
    ram_send_start(ram, &out);
    ram_send_begin_pass(ram);
    while (ok && ram_send_some(ram, &out, SNAPSHOT_PIECE)) {
        ok = snapshot_flush(w, false, err);
    }
    ram_send_end(ram, &out);
    ram_send_free(ram);
    return ok;
}

/* Append the head of the stream. The description has no boot images: after a load, a reset loads
 * those of the command line. */
static void snapshot_put_head(Migration *mig, ByteWriter *out)
{
    StreamSection s = { STREAM_FULL, 1, 0, HWDESC_VERSION, HWDESC_SECTION };
    g_autofree char *text = handshake_text(mig);
    struct json_object *o = json_tokener_parse(text), *description = NULL;
    const char *rest;
    size_t at;

    json_object_object_get_ex(o, "description", &description);
    json_object_object_del(description, "boot");
    rest = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
    stream_put_header(out, mig->machine->type_name);
    at = stream_begin_full(out, &s);
    put_bytes(out, rest, strlen(rest));
    stream_end_full(out, &s, at);
    json_object_put(o);
}

static bool snapshot_write_state(Migration *mig, SnapshotWriter *w, RunState state, GError **err)
{
    GChecksum *digest = g_checksum_new(G_CHECKSUM_SHA256);
    ByteWriter out = { w->out };
    uint32_t next_id = SNAPSHOT_RAM_ID + 1;
    bool ok;

    snapshot_put_head(mig, &out);
    ok = snapshot_write_ram(mig, w, err);
    if (ok) {
        savevm_save(mig->machine, state, &out, &next_id, digest, NULL);
        stream_put_end(&out, NULL);
        ok = snapshot_flush(w, true, err);
    }
    g_checksum_free(digest);
    return ok;
}

static bool snapshot_forget(const SnapshotPlace *place, GError **err)
{
    BlockSnapshot s;

    for (guint i = 0; i < place->disks->len; i++) {
        BlockNode *n = place->disks->pdata[i];

        if (block_snapshot_find(n, place->name, &s) &&
            !block_snapshot_delete(n, place->name, err)) {
            return false;
        }
    }
    return true;
}

static bool snapshot_create_all(Migration *mig, const SnapshotPlace *place, uint64_t size,
                                GError **err)
{
    int64_t now = g_get_real_time();
    BlockSnapshot s = { .name = place->name,
                        .vm_clock_ns = (uint64_t)clock_now_any(mig->machine, CLOCK_KIND_VIRTUAL),
                        .date_sec = now / G_USEC_PER_SEC,
                        .date_nsec = (uint32_t)(now % G_USEC_PER_SEC * 1000) };

    for (guint i = 0; i < place->disks->len; i++) {
        BlockNode *n = place->disks->pdata[i];

        s.vm_state_size = n == place->state ? size : 0;
        if (!block_snapshot_create(n, &s, err)) {
            snapshot_forget(place, NULL);
            return false;
        }
    }
    return true;
}

static bool snapshot_check_new(const SnapshotPlace *place, GError **err)
{
    BlockSnapshot s;

    for (guint i = 0; i < place->disks->len; i++) {
        if (block_snapshot_find(place->disks->pdata[i], place->name, &s)) {
            return error_set(err, ERROR_USER, "Snapshot '%s' already exists in one or more devices",
                             place->name);
        }
    }
    return true;
}

static bool snapshot_save_stopped(Migration *mig, const SnapshotPlace *place, RunState state,
                                  GError **err)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    SnapshotWriter w = { place, out, 0 };

    return snapshot_forget(place, err) && snapshot_write_state(mig, &w, state, err) &&
           snapshot_create_all(mig, place, w.written, err);
}

bool migration_snapshot_save(Migration *mig, const SnapshotPlace *place, bool replace, GError **err)
{
    Standstill still;
    bool ok;

    if (!snapshot_possible(mig, err) || !savevm_possible(mig->machine, err) ||
        (!replace && !snapshot_check_new(place, err))) {
        return false;
    }
    standstill_begin(&still, mig->machine);
    ok = snapshot_save_stopped(mig, place, still.before, err);
    standstill_end(&still);
    return ok;
}

/* --- loading --- */

typedef struct SnapshotReader {
    Migration *mig;
    const SnapshotPlace *place;
    bool begun; /* the disks and the machine are changed */
    bool ended;
    RamReceive *ram;
    Loadvm *load;
} SnapshotReader;

static bool snapshot_configuration(void *opaque, const char *machine, GError **err)
{
    const SnapshotReader *l = opaque;

    return g_strcmp0(machine, l->mig->machine->type_name) == 0 ||
           error_set(err, ERROR_USER, "snapshot '%s' is of machine %s, and this is %s",
                     l->place->name, machine, l->mig->machine->type_name);
}

static bool snapshot_check_machine(SnapshotReader *l, const uint8_t *data, size_t len, GError **err)
{
    struct json_object *parts = NULL, *now, *then, *diff;
    const PlanMachine *own = l->mig->hooks.description(l->mig->hooks.opaque);
    g_autoptr(PlanMachine) wanted = handshake_parse(data, len, l->mig->hooks.catalog, &parts, err);
    size_t n;

    json_object_put(parts);
    if (!wanted) {
        return false;
    }
    then = plan_to_json(wanted, l->mig->hooks.catalog, true);
    now = plan_to_json(own, l->mig->hooks.catalog, true);
    json_object_object_del(now, "boot");
    diff = migration_machine_diff(l->mig, then, now, err);
    json_object_put(then);
    json_object_put(now);
    n = diff ? json_object_array_length(diff) : 0;
    if (n) {
        g_autofree char *text = handshake_sentence(diff);

        error_set(err, ERROR_USER, "snapshot '%s' is of another machine: %s", l->place->name, text);
    }
    json_object_put(diff);
    return diff && n == 0;
}

/* From here on a failure leaves a machine that must be reset. */
static bool snapshot_begin_load(SnapshotReader *l, GError **err)
{
    Machine *m = l->mig->machine;

    l->begun = true;
    for (guint i = 0; i < l->place->disks->len; i++) {
        if (!block_snapshot_apply(l->place->disks->pdata[i], l->place->name, err)) {
            return false;
        }
    }
    machine_reset(m, RESET_COLD);
    l->ram = ram_receive_new(m, err);
    l->load = loadvm_new(m);
    return l->ram != NULL;
}

static bool snapshot_full(void *opaque, const StreamSection *s, const uint8_t *data, size_t len,
                          GError **err)
{
    SnapshotReader *l = opaque;

    if (l->begun) {
        return loadvm_section(l->load, s, data, len, err);
    }
    if (strcmp(s->name, HWDESC_SECTION) != 0 || s->version != HWDESC_VERSION) {
        return error_set(err, ERROR_GUEST, "the first section is %s version %u, not %s version %d",
                         s->name, s->version, HWDESC_SECTION, HWDESC_VERSION);
    }
    return snapshot_check_machine(l, data, len, err) && snapshot_begin_load(l, err);
}

static bool snapshot_items(void *opaque, const StreamSection *s, ByteReader *r, bool *done,
                           GError **err)
{
    SnapshotReader *l = opaque;

    return l->begun ? ram_receive_items(l->ram, s, r, done, err)
                    : error_set(err, ERROR_GUEST, "section %s precedes the description", s->name);
}

static bool snapshot_command(void *opaque, uint16_t command, const uint8_t *data, size_t len,
                             GError **err)
{
    return error_set(err, ERROR_GUEST, "the state of the machine contains a command");
}

static bool snapshot_end(void *opaque, GError **err)
{
    SnapshotReader *l = opaque;

    l->ended = true;
    return l->begun || error_set(err, ERROR_GUEST, "the state of the machine is empty");
}

static bool snapshot_read_all(SnapshotReader *l, uint64_t size, GError **err)
{
    static const StreamHandler handler = { .configuration = snapshot_configuration,
                                           .full = snapshot_full,
                                           .items = snapshot_items,
                                           .command = snapshot_command,
                                           .end = snapshot_end };
    StreamReader *reader = stream_reader_new(&handler, l);
    bool ok = true;

    for (uint64_t at = 0; ok && at < size && !l->ended; at += SNAPSHOT_PIECE) {
        size_t len = MIN(SNAPSHOT_PIECE, size - at);

        ok = block_snapshot_read_state(l->place->state, l->place->name, at,
                                       stream_reader_space(reader, len), len, err) &&
             stream_reader_came(reader, len, err);
    }
    ok = ok && stream_reader_finish(reader, err);
    stream_reader_free(reader);
    return ok && ram_receive_finish(l->ram, err) && loadvm_finish(l->load, err);
}

static void snapshot_forget_code(void *opaque)
{
    Machine *m = opaque;

    for (guint i = 0; i < m->ram_blocks->len; i++) {
        RamBlock *b = m->ram_blocks->pdata[i];

        ram_written_any(b, 0, b->size);
    }
    for (guint i = 0; i < m->cpus->len; i++) {
        Cpu *cpu = m->cpus->pdata[i];

        cpu->type->flush_translations(cpu);
    }
}

static bool snapshot_load_stopped(SnapshotReader *l, uint64_t size, GError **err)
{
    Migration *mig = l->mig;
    bool ok = snapshot_read_all(l, size, err);

    loadvm_free(l->load);
    ram_receive_free(l->ram);
    if (l->begun) {
        cpus_exclusive(mig->machine, snapshot_forget_code, mig->machine);
    }
    if (ok && mig->hooks.loaded) {
        mig->hooks.loaded(mig->hooks.opaque);
    }
    return ok;
}

static bool snapshot_check_present(const SnapshotPlace *place, uint64_t *size, GError **err)
{
    BlockSnapshot s;

    for (guint i = 0; i < place->disks->len; i++) {
        if (!block_snapshot_find(place->disks->pdata[i], place->name, &s)) {
            return error_set(err, ERROR_USER,
                             "Snapshot '%s' does not exist in one or more devices: '%s' lacks it",
                             place->name, block_name(place->disks->pdata[i]));
        }
    }
    if (!block_snapshot_find(place->state, place->name, &s) || s.vm_state_size == 0) {
        return error_set(err, ERROR_USER,
                         "Snapshot '%s' in '%s' has no state of the machine: it is a disk-only "
                         "snapshot. Revert to it offline using qemu-img",
                         place->name, block_name(place->state));
    }
    *size = s.vm_state_size;
    return true;
}

bool migration_snapshot_load(Migration *mig, const SnapshotPlace *place, GError **err)
{
    SnapshotReader l = { .mig = mig, .place = place };
    Standstill still;
    uint64_t size = 0;
    bool ok;

    if (!snapshot_possible(mig, err) || !snapshot_check_present(place, &size, err)) {
        return false;
    }
    standstill_begin(&still, mig->machine);
    ok = snapshot_load_stopped(&l, size, err);
    if (!ok && l.begun) {
        machine_set_state(mig->machine, RUN_INTERNAL_ERROR);
    } else {
        standstill_end(&still);
    }
    return ok;
}

bool migration_snapshot_delete(Migration *mig, const SnapshotPlace *place, GError **err)
{
    Standstill still;
    bool ok = false;
    BlockSnapshot s;

    for (guint i = 0; i < place->disks->len; i++) {
        ok = ok || block_snapshot_find(place->disks->pdata[i], place->name, &s);
    }
    if (!ok) {
        return error_set(err, ERROR_USER, "Snapshot '%s' does not exist in any of the devices",
                         place->name);
    }
    if (!snapshot_possible(mig, err)) {
        return false;
    }
    standstill_begin(&still, mig->machine);
    ok = snapshot_forget(place, err);
    standstill_end(&still);
    return ok;
}

bool migration_snapshot_place(Machine *m, const char *name, SnapshotPlace *place, GError **err)
{
    BlockSnapshot s;

    *place = (SnapshotPlace){ .name = name };
    if (!block_snapshot_disks(m, &place->disks, err)) {
        return false;
    }
    place->state = place->disks->pdata[0];
    for (guint i = place->disks->len; i-- > 0;) {
        if (block_snapshot_find(place->disks->pdata[i], name, &s) && s.vm_state_size) {
            place->state = place->disks->pdata[i];
        }
    }
    return true;
}
