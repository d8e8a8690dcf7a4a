/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every single-bit change and every truncation of a golden stream.
 *
 * A bit in a record is first tried on a machine that has loaded the stream up to this record
 * (halfway.h). If that machine accepts the change, or rejects it with a message that was not seen
 * before (half of the state is then discarded), the stream is also loaded by a complete emulator
 * with the self-check. Exception: of raw buffers of more than 256 bytes, only one byte in 61 is
 * tried in a complete emulator. All bits outside records are tried in a complete emulator.
 * Truncation is tried at every byte of a stream that arrives byte by byte, and in a complete
 * emulator at four positions of each section.
 */
#include "halfway.h"
#include "hostile.h"

typedef struct Range {
    size_t from, to;
} Range;

/* --- raw buffers --- */

typedef struct Buffers {
    const Golden *g;
    GArray *found; /* Range */
} Buffers;

static size_t find_in_table(GArray *found, const VmState *vm, void *obj, size_t at)
{
    for (size_t i = 0; i < vm->n_fields; i++) {
        const VmField *row = &vm->fields[i];
        size_t size = hostile_row_size(row, obj);

        if (row->kind == VM_KIND_BYTES && size > 256) {
            g_array_append_val(found, ((Range){ at, at + size }));
        }
        for (unsigned k = 0; row->kind == VM_KIND_STRUCT && k < MAX(row->count, 1); k++) {
            find_in_table(found, row->sub, (uint8_t *)obj + row->field + k * row->stride,
                          at + size / MAX(row->count, 1) * k);
        }
        at += size;
    }
    return at;
}

static bool find_in_device(void *opaque, Device *dev)
{
    Buffers *b = opaque;
    g_autofree char *name = g_strdup_printf("%s/%s", dev->plan_id, dev->type->name);

    for (unsigned i = 0; i < b->g->parts->len && dev->type->vmstate; i++) {
        const Part *p = &g_array_index(b->g->parts, Part, i);
        unsigned before = b->found->len;

        /* the table of this build may differ from that of the stream */
        if (g_str_equal(p->name, name) &&
            find_in_table(b->found, dev->type->vmstate, dev, p->record) != p->record + p->len) {
            g_array_set_size(b->found, before);
        }
    }
    return true;
}

/* Collect the raw buffers of more than 256 bytes. They may contain any value. */
static GArray *find_buffers(Run *run)
{
    Buffers b = { run->g, g_array_new(FALSE, FALSE, sizeof(Range)) };
    Halfway *model = halfway_open(hostile_accel(run), run->g->bytes->data, run->g->text);

    device_visit(model->s->m->root, find_in_device, &b);
    halfway_close(model);
    return b.found;
}

/* --- bits --- */

static bool in_ranges(const GArray *ranges, size_t at)
{
    for (unsigned i = 0; i < ranges->len; i++) {
        const Range *r = &g_array_index(ranges, Range, i);

        if (at >= r->from && at < r->to) {
            return true;
        }
    }
    return false;
}

/* The record under test, and a machine that was loaded up to it. */
typedef struct Trial {
    Run *run;
    const Part *part;
    StreamSection section;
    uint8_t *sound; /* the unmodified record */
    Halfway *at;
    GHashTable *stems; /* the messages with which it was rejected so far */
} Trial;

static void trial_begin(Trial *t)
{
    t->at = halfway_open(hostile_accel(t->run), t->run->g->bytes->data, t->part->start);
}

static Trial trial_new(Run *run, const Part *p)
{
    Trial t = { .run = run, .part = p };

    t.section = (StreamSection){ STREAM_FULL, 0, p->instance, p->version, "" };
    g_strlcpy(t.section.name, p->name, sizeof(t.section.name));
    t.sound = g_memdup2(run->g->bytes->data + p->record, p->len);
    t.stems = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    trial_begin(&t);
    return t;
}

static void trial_end(Trial *t)
{
    g_snprintf(t->run->what, sizeof(t->run->what), "discarding %s", t->part->name);
    halfway_close(t->at);
    g_hash_table_unref(t->stems);
    g_free(t->sound);
}

/* Load the unmodified record, so that the next case starts from the same state. If the attempt
 * cannot be undone (a record may remove a capability), create a new machine. */
static void trial_restore(Trial *t)
{
    bool ok;

    halfway_again(t->at);
    ok = loadvm_section(t->at->load, &t->section, t->sound, t->part->len, NULL);
    halfway_again(t->at);
    if (!ok) {
        halfway_close(t->at);
        trial_begin(t);
    }
}

/* Test a bit of the record, which is inverted now. A complete emulator tries it as well if it was
 * accepted, or rejected with a new message. A change that is rejected here must be rejected
 * there. */
static void try_record(Trial *t, bool in_buffer, size_t at, unsigned bit)
{
    Run *run = t->run;
    uint8_t *record = run->g->bytes->data + t->part->record;
    g_autoptr(GError) err = NULL;
    bool taken = loadvm_section(t->at->load, &t->section, record, t->part->len, &err), whole;

    whole = taken ? !in_buffer : g_hash_table_add(t->stems, rig_stem(err->message));
    trial_restore(t);
    if (!taken) {
        hostile_check_sentence(err->message, t->part->name);
    }
    if (!whole) {
        run->cases++;
        run->loaded += taken;
        run->refused += !taken;
        return;
    }
    run->g->bytes->data[at] ^= 1u << bit;
    if (hostile_flip(run, at, bit) && !taken) {
        g_error("accepted, but rejected on a partly loaded machine: %s", err->message);
    }
    run->g->bytes->data[at] ^= 1u << bit;
}

static void all_flips_of_record(Run *run, const Part *p, const GArray *buffers)
{
    Trial t = trial_new(run, p);

    for (size_t at = p->record; at < p->record + p->len; at++) {
        bool in_buffer = at % 61 && in_ranges(buffers, at);

        for (unsigned bit = 0; bit < 8 && !hostile_left_out(run, at); bit++) {
            hostile_tell_flip(run, p, at, bit);
            run->g->bytes->data[at] ^= 1u << bit;
            try_record(&t, in_buffer, at, bit);
            run->g->bytes->data[at] ^= 1u << bit;
        }
    }
    trial_end(&t);
}

/* --- truncation --- */

/* Feed a stream byte by byte. Returns true if it is complete. There must be no other failure
 * before. */
static void all_cuts(Run *run)
{
    const Golden *g = run->g;
    Halfway *h = halfway_open(hostile_accel(run), g->bytes->data, 0);

    for (size_t at = 0; at < g->text; at++) {
        g_autoptr(GError) err = NULL;

        if (hostile_left_out(run, at)) {
            halfway_feed(h, g->bytes->data + at, 1);
            continue;
        }
        g_snprintf(run->what, sizeof(run->what), "cut at byte %zu", at);
        if (stream_reader_finish(h->reader, &err)) {
            g_assert_cmpuint(at, ==, g->text - 5);
            run->loaded++;
        } else {
            hostile_check_sentence(err->message, "cut off");
            run->refused++;
        }
        run->cases++;
        halfway_feed(h, g->bytes->data + at, 1);
    }
    halfway_close(h);
    for (unsigned i = run->share; i < g->parts->len; i += run->shares) {
        const Part *p = &g_array_index(g->parts, Part, i);

        hostile_cut(run, p->start);
        hostile_cut(run, p->record);
        hostile_cut(run, p->record + p->len / 2);
        hostile_cut(run, p->end - 1);
    }
}

void hostile_all(Run *run)
{
    const Golden *g = run->g;
    g_autoptr(GArray) buffers = find_buffers(run);

    all_cuts(run);
    for (unsigned i = 1; i < g->parts->len; i++) { /* the first is the description */
        all_flips_of_record(run, &g_array_index(g->parts, Part, i), buffers);
    }
    for (size_t at = 0; at < g->text; at++) {
        const Part *p = part_at(g, at);

        for (unsigned bit = 0; bit < 8 && !hostile_left_out(run, at); bit++) {
            if (!p || p == &g_array_index(g->parts, Part, 0)) {
                hostile_flip(run, at, bit);
            }
        }
    }
    /* the loader does not parse the text at the end: a few bits are sufficient */
    for (size_t at = g->text; at < g->bytes->len && !run->share; at += 61) {
        hostile_flip(run, at, at % 8);
        hostile_cut(run, at);
    }
}
