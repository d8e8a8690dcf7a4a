/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Golden streams of complete machines, edited by the input, with the framing corrected: the stream
 * is rejected with an error message, or loaded into a machine that saves and loads to the same
 * bytes and survives a script of hostile accesses.
 *
 * The input is {stream, edits}. An edit is {operation, section, offset (2), length, bytes}:
 * overwrite bytes of a record, insert, remove, omit a section, send it twice, or send it under
 * another's name. Lengths and footers are adjusted.
 *
 * An input that does not change the description is first tried on a machine that was loaded up to
 * the first section, which requires a small fraction of the time. Complete emulators then check
 * streams that were accepted, and streams rejected with a message that was not seen before.
 */
#include "../migration/halfway.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
    "aia",    "plic",         "aplic",   "ports", "ports-whole-config",
    "virtio", "virtio-faces", "bridges", "shpc",  "serial",
};
enum { MAX_EDITS = 16, N_NAMES = G_N_ELEMENTS(names), RELOAD_EACH = 16 };

typedef struct Piece {
    StreamSection s;
    GByteArray *record;
    unsigned copies;
} Piece;

/* A parsed stream: the pieces before the sections after RAM, and those sections. The description at
 * its start is piece 0. `middle` is everything between it and the others. */
typedef struct Apart {
    GByteArray *head, *middle;
    GPtrArray *pieces; /* Piece* */
    bool described;    /* the description is unchanged */
} Apart;

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=32:malloc_context_size=8";
}

static const GByteArray *golden(unsigned i)
{
    static GByteArray *read[G_N_ELEMENTS(names)];

    if (!read[i]) {
        g_autofree char *path = g_strdup_printf("%s/%s.gz", GOLDEN, names[i]);

        read[i] = rig_read(path);
    }
    return read[i];
}

static void take_piece(Apart *a, ByteReader *r)
{
    Piece *p = g_new0(Piece, 1);
    uint32_t len;

    p->s.kind = STREAM_FULL;
    p->copies = 1;
    p->s.id = get_be32(r);
    get_bytes(r, p->s.name, get_u8(r));
    p->s.instance = get_be32(r);
    p->s.version = get_be32(r);
    len = get_be32(r);
    p->record = g_byte_array_new();
    g_byte_array_append(p->record, get_view(r, len), len);
    get_view(r, 5);
    g_ptr_array_add(a->pieces, p);
}

/* RAM is one contiguous part between the description and the section "clock". */
static void take_ram(Apart *a, ByteReader *r)
{
    static const uint8_t clock[] = { 5, 'c', 'l', 'o', 'c', 'k' };
    const uint8_t *at = memmem(r->p, r->len, clock, sizeof(clock));
    size_t from = r->at - 1, to = (size_t)(at - r->p) - 5;

    g_byte_array_append(a->middle, r->p + from, (guint)(to - from));
    r->at = to;
}

static Apart take_apart(const GByteArray *bytes)
{
    Apart a = { g_byte_array_new(), g_byte_array_new(), g_ptr_array_new(), true };
    ByteReader r;
    uint8_t kind;

    reader_init(&r, bytes->data, bytes->len);
    get_view(&r, 9);
    get_view(&r, get_be32(&r));
    g_byte_array_append(a.head, bytes->data, (guint)r.at);
    while ((kind = get_u8(&r)) != STREAM_EOF) {
        if (kind == STREAM_FULL) {
            take_piece(&a, &r);
        } else {
            take_ram(&a, &r);
        }
    }
    return a;
}

static GByteArray *put_together(const Apart *a)
{
    GByteArray *out = g_byte_array_new();
    ByteWriter w = { out };

    put_bytes(&w, a->head->data, a->head->len);
    for (unsigned i = 0; i < a->pieces->len; i++) {
        Piece *p = a->pieces->pdata[i];

        for (unsigned k = 0; k < p->copies; k++) {
            size_t at = stream_begin_full(&w, &p->s);

            put_bytes(&w, p->record->data, p->record->len);
            stream_end_full(&w, &p->s, at);
        }
        if (i == 0) {
            put_bytes(&w, a->middle->data, a->middle->len);
        }
    }
    stream_put_end(&w, NULL);
    return out;
}

static void throw_away(Apart *a)
{
    for (unsigned i = 0; i < a->pieces->len; i++) {
        Piece *p = a->pieces->pdata[i];

        g_byte_array_unref(p->record);
        g_free(p);
    }
    g_byte_array_unref(a->head);
    g_byte_array_unref(a->middle);
    g_ptr_array_unref(a->pieces);
}

static void insert(GByteArray *record, guint at, const uint8_t *p, guint n)
{
    guint tail = record->len - at;

    g_byte_array_set_size(record, record->len + n);
    memmove(record->data + at + n, record->data + at, tail);
    memcpy(record->data + at, p, n);
}

static void edit(Apart *a, unsigned what, Piece *p, guint at, const uint8_t *bytes, guint n)
{
    at = p->record->len ? at % p->record->len : 0;
    switch (what & 7) {
    case 0:
        insert(p->record, at, bytes, n);
        break;
    case 1:
        if (p->record->len) {
            g_byte_array_remove_range(p->record, at, MIN(n, p->record->len - at));
        }
        break;
    case 2:
        p->copies = n % 3;
        break;
    case 3:
        p->s = ((Piece *)a->pieces->pdata[n % a->pieces->len])->s;
        break;
    default:
        n = MIN(n, p->record->len - at);
        memcpy(p->record->data + at, bytes, n);
    }
}

static Apart make_stream(unsigned which, const uint8_t *data, size_t size)
{
    Apart a = take_apart(golden(which));
    size_t at = 1;

    for (unsigned i = 0; i < MAX_EDITS && at + 5 <= size; i++) {
        const uint8_t *e = data + at;
        size_t n = MIN(e[4], size - at - 5);
        unsigned piece = e[1] % a.pieces->len;

        edit(&a, e[0], a.pieces->pdata[piece], (guint)(e[2] << 8 | e[3]), e + 5, (guint)n);
        a.described &= piece != 0;
        at += 5 + n;
    }
    return a;
}

/* --- on a machine that waits for the sections --- */

static bool load_pieces(Halfway *h, const Apart *a, GError **err)
{
    for (unsigned i = 1; i < a->pieces->len; i++) {
        Piece *p = a->pieces->pdata[i];

        for (unsigned k = 0; k < p->copies; k++) {
            if (!loadvm_section(h->load, &p->s, p->record->data, p->record->len, err)) {
                return false;
            }
        }
    }
    return true;
}

static Halfway *open_halfway(unsigned which)
{
    static const uint8_t clock[] = { 5, 'c', 'l', 'o', 'c', 'k' };
    const GByteArray *g = golden(which);
    const uint8_t *at = memmem(g->data, g->len, clock, sizeof(clock));

    return halfway_open("qtest", g->data, (size_t)(at - g->data) - 5);
}

static void check_message(const char *text)
{
    g_assert_true(*text && g_utf8_validate(text, -1, NULL) && !strchr(text, '\n'));
}

/* The stream was rejected with a known message. The valid sections undo the attempt, or the machine
 * is created again. */
static bool known_refusal(unsigned which, const Apart *a)
{
    static Halfway *machines[N_NAMES];
    static Apart sound[N_NAMES];
    static GHashTable *stems;
    g_autoptr(GError) err = NULL;
    Halfway *h;
    bool taken;

    if (!machines[which]) {
        machines[which] = open_halfway(which);
        sound[which] = take_apart(golden(which));
        stems = stems ? stems : g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    }
    h = machines[which];
    taken = load_pieces(h, a, &err);
    halfway_again(h);
    if (load_pieces(h, &sound[which], NULL)) {
        halfway_again(h);
    } else {
        halfway_close(h);
        machines[which] = open_halfway(which);
    }
    if (taken) {
        return false;
    }
    check_message(err->message);
    return !g_hash_table_add(stems, rig_stem(err->message));
}

/* --- in complete emulators --- */

static void check_reload(Session *s)
{
    g_autoptr(GByteArray) one = rig_save(s), two = NULL;
    Session *other = rig_open("qtest");
    g_autofree char *refusal = rig_load(other, one->data, one->len);

    if (refusal) {
        g_error("the saved state is rejected: %s", refusal);
    }
    two = rig_save(other);
    g_assert_true(one->len == two->len && !memcmp(one->data, two->data, one->len));
    session_free(other);
}

static void try_whole(const Apart *a, guint32 seed)
{
    static Session *waiting;
    static unsigned taken;
    g_autoptr(GByteArray) stream = put_together(a);
    g_autofree char *refusal = NULL;
    bool reload;

    waiting = waiting ? waiting : rig_open("qtest");
    refusal = rig_load(waiting, stream->data, stream->len);
    if (refusal) {
        check_message(refusal);
        return;
    }
    reload = taken++ % RELOAD_EACH == 0;
    if (reload) {
        check_reload(waiting);
    }
    rig_harm(waiting, seed);
    if (reload) {
        check_reload(waiting);
    }
    g_clear_pointer(&waiting, session_free);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned which = size ? data[0] % N_NAMES : 0;
    Apart a = make_stream(which, data, size);

    if (!a.described || !known_refusal(which, &a)) {
        try_whole(&a, (guint32)size);
    }
    throw_away(&a);
    return 0;
}
