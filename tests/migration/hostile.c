/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hostile streams against a whole emulator in this process. Each case is refused with a sentence
 * that says where, leaving the process ready for another, or loaded into a machine that bears a
 * self-check: what it saves loads again and saves the same bytes, a script of hostile accesses
 * does no harm, and what is saved after that loads, too.
 *
 *   hostile [--cases N | --seconds S] [--seed S] [--all] [--fields | --harts] FILE.gz...
 *
 * Without --fields: single bits flipped and cuts, of everything but the items of RAM; N cases of
 * each file, or with --all every one. With --fields: values at and beyond the limits of every
 * field of every saved-state table, and hostile numbers in the records that have no table, and
 * in the names and lengths of the container: some of them, or with --all at every byte.
 * With --harts: bits of the harts' own state, which then run on with what was loaded.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"

typedef struct Part {
    char name[128];
    uint32_t instance;
    size_t start, record, len, end; /* the section; its record of len bytes */
} Part;

typedef struct Golden {
    const char *path;
    GByteArray *bytes;
    GArray *parts; /* Part */
    size_t ram, ram_end, text;
} Golden;

typedef struct Run {
    Golden *g;
    Session *s; /* waits for a stream; NULL: one is to be opened */
    bool all;
    bool harts;           /* let the harts run what was loaded, in place of a qtest script */
    unsigned reload_each; /* of the loaded cases this one is reloaded, too */
    guint32 seed;
    unsigned cases, refused, loaded, reloaded, opened;
    char what[256]; /* the case under way, for the report of a crash */
} Run;

static Run *current;

/* Only what may be called in a signal handler; a report cut short is still one. */
static void report(const char *text)
{
    ssize_t done = write(STDERR_FILENO, text, strlen(text));

    (void)done;
}

/* Installed with SA_RESETHAND: the second signal ends the process. */
static void on_abort(int sig)
{
    report("finding: ");
    report(current->g->path);
    report(": ");
    report(current->what);
    report("\n");
    raise(sig);
}

static void report_aborts(void)
{
    const struct sigaction action = { .sa_handler = on_abort, .sa_flags = (int)SA_RESETHAND };

    g_assert_cmpint(sigaction(SIGABRT, &action, NULL), ==, 0);
    g_assert_cmpint(sigaction(SIGTRAP, &action, NULL), ==, 0);
}

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "handle_abort=0:abort_on_error=1";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
    return "halt_on_error=1:abort_on_error=1:print_stacktrace=1";
}

/* --- the container, as far as a mutator must know it --- */

static void index_full(Golden *g, ByteReader *r)
{
    Part p = { .start = r->at - 1 };

    get_be32(r);
    get_bytes(r, p.name, get_u8(r));
    p.instance = get_be32(r);
    get_be32(r);
    p.len = get_be32(r);
    p.record = r->at;
    get_view(r, p.len);
    get_view(r, 5);
    p.end = r->at;
    g_array_append_val(g->parts, p);
}

/* All of RAM is one run of START, PARTs and END: it lasts until the section "clock". */
static void index_ram(Golden *g, ByteReader *r)
{
    static const uint8_t clock[] = { 5, 'c', 'l', 'o', 'c', 'k' };
    const uint8_t *at = memmem(r->p, r->len, clock, sizeof(clock));

    g_assert_nonnull(at);
    g->ram = r->at - 1 + 64; /* the list of blocks stands before the items */
    r->at = (size_t)(at - r->p) - 5;
    g->ram_end = r->at - 64;
}

static Golden *golden_new(const char *path, GByteArray *bytes)
{
    Golden *g = g_new0(Golden, 1);
    ByteReader r;
    uint8_t kind;

    g->path = path;
    g->bytes = bytes;
    g->parts = g_array_new(FALSE, FALSE, sizeof(Part));
    reader_init(&r, g->bytes->data, g->bytes->len);
    get_view(&r, 9);
    get_view(&r, get_be32(&r));
    while ((kind = get_u8(&r)) != STREAM_EOF) {
        if (kind == STREAM_FULL) {
            index_full(g, &r);
        } else {
            index_ram(g, &r);
        }
        g_assert_true(reader_ok(&r));
    }
    g->text = r.at + 5;
    return g;
}

static void golden_close(Golden *g)
{
    g_byte_array_unref(g->bytes);
    g_array_unref(g->parts);
    g_free(g);
}

static const Part *part_at(const Golden *g, size_t offset)
{
    for (unsigned i = 0; i < g->parts->len; i++) {
        const Part *p = &g_array_index(g->parts, Part, i);

        if (offset >= p->record && offset < p->record + p->len) {
            return p;
        }
    }
    return NULL;
}

/* --- one case --- */

static const char *accel(const Run *run)
{
    return run->harts ? "interp" : "qtest";
}

static void check_sentence(const char *text, const char *must_say)
{
    g_assert_true(*text && g_utf8_validate(text, -1, NULL));
    g_assert_null(strchr(text, '\n'));
    if (must_say && !strstr(text, must_say)) {
        g_error("refused without saying '%s': %s", must_say, text);
    }
}

/* Where two streams differ first, for the report. */
static void check_equal(GByteArray *one, const GByteArray *two)
{
    size_t at = 0, len = MIN(one->len, two->len);
    Golden *g;
    const Part *p;

    while (at < len && one->data[at] == two->data[at]) {
        at++;
    }
    if (at == len && one->len == two->len) {
        return;
    }
    g = golden_new("saved", one);
    p = part_at(g, at);
    g_error("saved again, the stream differs at byte %zu of %u (%u) (%s, %zu)", at, one->len,
            two->len, p ? p->name : "container", p ? at - p->record : 0);
}

/* What this machine saves loads in another process, which then saves the same. */
static void check_reload(Run *run)
{
    g_autoptr(GByteArray) one = rig_save(run->s), two = NULL;
    Session *other = rig_open(accel(run));
    g_autofree char *refusal = rig_load(other, one->data, one->len);

    if (refusal) {
        g_error("what was saved is refused: %s", refusal);
    }
    two = rig_save(other);
    check_equal(one, two);
    session_free(other);
    run->reloaded++;
}

static void self_check(Run *run)
{
    bool reload = run->reload_each && run->loaded % run->reload_each == 0;

    mem_check(&run->s->m->memory);
    if (reload) {
        check_reload(run);
    }
    if (run->harts) {
        bool moved = rig_run(run->s, run->cases == 1 ? 10000 : 10);

        g_assert_true(moved || run->cases > 1); /* the first is the stream as it is */
    } else {
        rig_harm(run->s, run->seed + run->cases);
    }
    if (reload) {
        check_reload(run);
    }
    machine_reset(run->s->m, run->cases & 1 ? RESET_HOT : RESET_COLD);
    session_free(run->s);
    run->s = NULL;
}

/* Returns whether the stream was taken. A refusal must say must_say, unless that is NULL. */
static bool try_case(Run *run, const uint8_t *data, size_t len, const char *must_say)
{
    g_autofree char *refusal = NULL;

    if (!run->s) {
        run->s = rig_open(accel(run));
        run->opened++;
    }
    run->cases++;
    refusal = rig_load(run->s, data, len);
    if (refusal) {
        run->refused++;
        check_sentence(refusal, must_say);
        return false;
    }
    run->loaded++;
    self_check(run);
    return true;
}

/* --- bits and cuts --- */

static void flip(Run *run, size_t at, unsigned bit)
{
    const Part *p = part_at(run->g, at);

    g_snprintf(run->what, sizeof(run->what), "bit %u of byte %zu (%s, %zu)", bit, at,
               p ? p->name : "container", p ? at - p->record : 0);
    run->g->bytes->data[at] ^= 1u << bit;
    /* where the description breaks there may be no section to speak of */
    try_case(run, run->g->bytes->data, run->g->bytes->len,
             p && strcmp(p->name, HWDESC_SECTION) ? p->name : NULL);
    run->g->bytes->data[at] ^= 1u << bit;
}

static void cut(Run *run, size_t at)
{
    g_snprintf(run->what, sizeof(run->what), "cut at byte %zu", at);
    if (try_case(run, run->g->bytes->data, at, NULL)) {
        g_assert_cmpuint(at, >=, run->g->text - 5); /* only the description may be missing */
    }
}

/* Left out: the items of RAM; with --harts all but what harts and their timers are. */
static bool left_out(const Run *run, size_t at)
{
    const Golden *g = run->g;
    const Part *p = part_at(g, at);

    if (run->harts) {
        return !p || !(g_str_equal(p->name, "cpu") || g_str_equal(p->name, "clock") ||
                       strstr(p->name, "mtimer"));
    }
    return at >= g->ram && at < g->ram_end;
}

static void all_flips_and_cuts(Run *run)
{
    const Golden *g = run->g;

    for (size_t at = 0; at < g->text; at++) {
        for (unsigned bit = 0; bit < 8 && !left_out(run, at); bit++) {
            flip(run, at, bit);
        }
        if (!left_out(run, at)) {
            cut(run, at);
        }
    }
    /* the loader does not look into the text at the end: a bit here and there shows it */
    for (size_t at = g->text; at < g->bytes->len && !run->harts; at += 61) {
        flip(run, at, at % 8);
        cut(run, at);
    }
}

/* n of them, or as many as go into some seconds. */
static void some_flips_and_cuts(Run *run, unsigned n, unsigned seconds)
{
    gint64 end = g_get_monotonic_time() + seconds * G_USEC_PER_SEC;
    GRand *r = g_rand_new_with_seed(run->seed);

    for (unsigned i = 0; seconds ? g_get_monotonic_time() < end : i < n; i++) {
        size_t at;

        do {
            at = (size_t)g_rand_int_range(r, 0, (gint32)run->g->text);
        } while (left_out(run, at));
        if (i % 5) {
            flip(run, at, g_rand_int_range(r, 0, 8));
        } else {
            cut(run, at);
        }
    }
    g_rand_free(r);
}

/* --- fields --- */

typedef struct Fields {
    Run *run;
    const Part *part;
    const VmState *vm;
    size_t at; /* offset in the record of the row under way */
    unsigned tables, rows;
} Fields;

static void patch(uint8_t *p, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        p[i] = v >> 8 * (bytes - 1 - i);
    }
}

static uint64_t peek(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

/* Put a value somewhere; true if it was taken. */
static bool try_value(Fields *f, size_t at, unsigned bytes, uint64_t value, const char *must_say)
{
    uint8_t *p = f->run->g->bytes->data + at;
    uint64_t old = peek(p, bytes);
    bool taken;

    g_snprintf(f->run->what, sizeof(f->run->what), "%s at byte %zu (%zu): 0x%" PRIx64 " of %u",
               must_say ? must_say : "container", at, f->part ? at - f->part->record : 0, value,
               bytes);
    patch(p, value, bytes);
    taken = try_case(f->run, f->run->g->bytes->data, f->run->g->bytes->len, must_say);
    patch(p, old, bytes);
    return taken;
}

/* Must the row itself refuse this value? */
static bool outside(const VmField *row, uint64_t v, unsigned bytes)
{
    bool is_signed = row->kind == VM_KIND_I32 || row->kind == VM_KIND_I64;
    int64_t s = (int64_t)(v << (64 - 8 * bytes)) >> (64 - 8 * bytes);

    if (row->kind == VM_KIND_BOOL) {
        return v > 1;
    }
    if (row->kind == VM_KIND_TIMER) {
        return s < 0;
    }
    if (row->mask && (v & ~row->mask)) {
        return true;
    }
    if (!row->max) {
        return false;
    }
    return is_signed ? s < (int64_t)row->min || s > (int64_t)row->max
                     : v < row->min || v > row->max;
}

/* Without --all: what the row must refuse, and of the rest a few values. */
static bool wanted(const Run *run, unsigned i, bool must)
{
    return run->all || must || (i + run->cases) % 13 == 0;
}

static void try_scalar(Fields *f, const VmField *row, size_t at, const char *path)
{
    unsigned bytes = vm_kind_bytes(row->kind);
    uint64_t ones = bytes == 8 ? UINT64_MAX : (1ull << 8 * bytes) - 1;
    uint64_t now = peek(f->run->g->bytes->data + at, bytes);
    const uint64_t values[] = {
        0,         1,          row->min,      row->min - 1, row->max,  row->max + 1,
        row->mask, ~row->mask, row->mask + 1, ones,         ones >> 1, (ones >> 1) + 1,
        now + 1,   now - 1
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
        uint64_t v = values[i] & ones;
        bool twice = false, must = outside(row, v, bytes);

        for (unsigned k = 0; k < i; k++) {
            twice |= (values[k] & ones) == v;
        }
        /* what the row refuses names the field; what a check refuses, the device */
        if (!twice && wanted(f->run, i, must) &&
            try_value(f, at, bytes, v, must ? path : f->part->name) && must) {
            g_error("%s: 0x%" PRIx64 " is outside the row's limits and was taken", path, v);
        }
    }
}

/* How far apart bytes are tried. Long buffers are not searched at every byte even with --all. */
static size_t raw_step(const Run *run, size_t at, size_t len)
{
    if (len > 1024 && at > 300) {
        return run->all ? 61 : 1021;
    }
    return run->all ? 1 : 23;
}

/* Records without a table, and raw bytes: numbers of every width that lengths, indices and
 * addresses could be. */
static void try_raw(Fields *f, size_t at, size_t len)
{
    size_t i = f->run->all ? 0 : (f->rows + f->run->seed) % 23;

    for (; i < len; i += raw_step(f->run, i, len)) {
        for (unsigned bytes = 1; bytes <= 4 && i + bytes <= len; bytes *= 2) {
            uint64_t ones = (1ull << 8 * bytes) - 1;

            try_value(f, at + i, bytes, ones, f->part->name);
            try_value(f, at + i, bytes, ones >> 1, f->part->name);
            try_value(f, at + i, bytes, 0, f->part->name);
        }
    }
}

static size_t row_size(const VmField *row, void *obj)
{
    g_autoptr(GByteArray) scratch = g_byte_array_new();
    ByteWriter w = { scratch };
    VmState one = { .fields = row, .n_fields = 1 };

    return vm_save(&one, obj, &w);
}

static void try_table(Fields *f, const VmState *vm, void *obj, const char *path);

static void try_row(Fields *f, const VmField *row, void *obj, const char *path)
{
    size_t at = f->part->record + f->at, size = row_size(row, obj);

    f->rows++;
    if (row->kind == VM_KIND_RECORD || row->kind == VM_KIND_BYTES) {
        try_raw(f, at, size);
        f->at += size;
        return;
    }
    for (unsigned i = 0; i < MAX(row->count, 1); i++) {
        g_autofree char *each = row->count ? g_strdup_printf("%s[%u]", path, i) : g_strdup(path);

        if (row->kind == VM_KIND_STRUCT) {
            try_table(f, row->sub, (uint8_t *)obj + row->field + i * row->stride, each);
        } else {
            /* of long arrays the ends and some between */
            if (i < 4 || i + 2 > row->count || i % 37 == 0) {
                try_scalar(f, row, f->part->record + f->at, each);
            }
            f->at += vm_kind_bytes(row->kind);
        }
    }
}

static void try_table(Fields *f, const VmState *vm, void *obj, const char *path)
{
    f->tables++;
    for (size_t i = 0; i < vm->n_fields; i++) {
        g_autofree char *at = g_strdup_printf("%s/%s", path, vm->fields[i].name);

        try_row(f, &vm->fields[i], obj, at);
    }
}

/* Tables are walked over the objects of a machine that took the stream as it is. */
static bool try_object(Fields *f, const char *name, uint32_t instance, const VmState *vm, void *obj)
{
    for (unsigned i = 0; i < f->run->g->parts->len; i++) {
        f->part = &g_array_index(f->run->g->parts, Part, i);
        if (g_str_equal(f->part->name, name) && f->part->instance == instance) {
            f->at = 0;
            try_table(f, vm, obj, name);
            g_assert_cmpuint(f->at, ==, f->part->len);
            return true;
        }
    }
    g_error("the stream has no section %s", name);
}

static bool try_device(void *opaque, Device *dev)
{
    if (dev->type->vmstate) {
        g_autofree char *name = g_strdup_printf("%s/%s", dev->plan_id, dev->type->name);

        try_object(opaque, name, 0, dev->type->vmstate, dev);
    }
    return true;
}

/* Name lengths, ids, instances, versions and record lengths; and the two sections without a
 * device. */
static void try_container(Fields *f)
{
    for (unsigned i = 0; i < f->run->g->parts->len; i++) {
        const Part *p = &g_array_index(f->run->g->parts, Part, i);

        f->part = NULL;
        for (size_t at = p->start; at < p->record; at += f->run->all ? 1 : 3) {
            for (unsigned bytes = 1; bytes <= 4; bytes *= 4) {
                uint64_t ones = (1ull << 8 * bytes) - 1;

                try_value(f, at, bytes, ones, NULL);
                try_value(f, at, bytes, ones >> 1, NULL);
                try_value(f, at, bytes, 0, NULL);
            }
        }
        for (int by = -9; by <= 9; by += f->run->all ? 1 : 4) {
            try_value(f, p->record - 4, 4, p->len + by, NULL);
        }
        try_value(f, p->record - 4, 4, STREAM_MAX_RECORD + 1, NULL);
        f->part = p;
        if (g_str_equal(p->name, "clock") || g_str_equal(p->name, "globalstate")) {
            try_raw(f, p->record, p->len);
        }
    }
}

static void all_fields(Run *run)
{
    Fields f = { .run = run };
    Session *model = rig_open(accel(run));
    g_autofree char *refusal = rig_load(model, run->g->bytes->data, run->g->bytes->len);

    g_assert_cmpstr(refusal, ==, NULL);
    for (unsigned i = 0; i < model->m->cpus->len; i++) {
        Cpu *cpu = g_ptr_array_index(model->m->cpus, i);

        try_object(&f, "cpu", i, cpu->type->vmstate, cpu);
    }
    device_visit(model->m->root, try_device, &f);
    try_container(&f);
    session_free(model);
    printf("%s: %u tables, %u rows\n", run->g->path, f.tables, f.rows);
}

/* --- a file --- */

/* Descriptors that this process has open. */
static unsigned open_files(void)
{
    GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
    unsigned n = 0;

    while (g_dir_read_name(dir)) {
        n++;
    }
    g_dir_close(dir);
    return n;
}

static void run_file(Run *run, const char *path, int cases, int seconds, bool fields)
{
    gint64 start = g_get_monotonic_time();
    unsigned files = 0;

    run->g = golden_new(path, rig_read(path));
    g_snprintf(run->what, sizeof(run->what), "the stream as it is");
    g_assert_true(try_case(run, run->g->bytes->data, run->g->bytes->len, NULL));
    files = open_files();
    if (fields) {
        all_fields(run);
    } else if (run->all) {
        all_flips_and_cuts(run);
    } else {
        some_flips_and_cuts(run, (unsigned)cases, (unsigned)seconds);
    }
    if (run->s) {
        session_free(run->s);
        run->s = NULL;
    }
    g_snprintf(run->what, sizeof(run->what), "descriptors after all cases");
    g_assert_cmpuint(open_files(), ==, files);
    printf("%s: %u cases, %u refused, %u loaded (%u reloaded), 0 findings, %.1f s\n", path,
           run->cases, run->refused, run->loaded, run->reloaded,
           (g_get_monotonic_time() - start) / 1e6);
    fflush(stdout);
    golden_close(run->g);
}

int main(int argc, char **argv)
{
    gboolean all = FALSE, fields = FALSE, harts = FALSE;
    gint cases = 200, seconds = 0, seed = 1;
    gchar **files = NULL;
    const GOptionEntry options[] = {
        { "cases", 0, 0, G_OPTION_ARG_INT, &cases, "bits and cuts of each file", "N" },
        { "seconds", 0, 0, G_OPTION_ARG_INT, &seconds, "as many as go into S seconds", "S" },
        { "seed", 0, 0, G_OPTION_ARG_INT, &seed, "which", "S" },
        { "all", 0, 0, G_OPTION_ARG_NONE, &all, "every bit and every cut", NULL },
        { "fields", 0, 0, G_OPTION_ARG_NONE, &fields, "boundary values", NULL },
        { "harts", 0, 0, G_OPTION_ARG_NONE, &harts, "their state alone, and run them", NULL },
        { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &files, NULL, "FILE.gz..." },
        { NULL }
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) err = NULL;

    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &err) || !files) {
        g_printerr("hostile: %s\n", err ? err->message : "which files?");
        return 2;
    }
    report_aborts();
    for (char **f = files; *f; f++) {
        Run run = { .all = all,
                    .harts = harts,
                    .reload_each = all || fields || seconds ? 16 : 1,
                    .seed = (guint32)seed };

        current = &run;
        run_file(&run, *f, cases, seconds, fields);
    }
    g_strfreev(files);
    return 0;
}
