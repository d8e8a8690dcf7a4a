/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reader of the container (interface: stream.h).
 *
 * An incomplete element is parsed again from its first byte when more bytes have arrived. Its bytes
 * are removed from the buffer only after the complete element was parsed.
 */
#include "migration/stream.h"
#include "util/error.h"

#include <string.h>

#define MAX_ITERATIVE 8 /* START sections that may be open at the same time */
#define MAX_VMDESC    (64u << 20)

typedef enum ReadState {
    READ_HEADER,
    READ_CONFIGURATION,
    READ_ELEMENTS,
    READ_ITEMS,  /* inside a START, PART or END section */
    READ_FOOTER, /* at the footer of such a section */
    READ_VMDESC,
    READ_VMDESC_TEXT,
    READ_DONE,
} ReadState;

typedef enum Step { STEP_OK, STEP_SHORT, STEP_FAILED } Step;

struct StreamReader {
    const StreamHandler *handler;
    void *opaque;
    uint8_t *buf;
    size_t size, from, to; /* allocated; the unread bytes are [from, to) */
    uint64_t base;         /* stream position of buf[0] */
    ReadState state;
    StreamSection open[MAX_ITERATIVE], now;
    unsigned n_open;
    size_t text_left;
};

StreamReader *stream_reader_new(const StreamHandler *handler, void *opaque)
{
    StreamReader *r = g_new0(StreamReader, 1);

    r->handler = handler;
    r->opaque = opaque;
    return r;
}

void stream_reader_free(StreamReader *r)
{
    g_free(r->buf);
    g_free(r);
}

uint64_t stream_reader_position(const StreamReader *r)
{
    return r->base + r->from;
}

static Step stream_reader_fail(StreamReader *r, GError **err, const char *fmt, ...)
    G_GNUC_PRINTF(3, 4);
static Step stream_reader_fail(StreamReader *r, GError **err, const char *fmt, ...)
{
    g_autofree char *what = NULL;
    va_list ap;

    va_start(ap, fmt);
    what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    error_set(err, ERROR_GUEST, "migration stream at byte %" G_GUINT64_FORMAT ": %s",
              stream_reader_position(r), what);
    return STEP_FAILED;
}

/* Return a reader of the bytes in the buffer. stream_reader_take() removes what it has read. */
static ByteReader stream_reader_peek(const StreamReader *r)
{
    ByteReader b;

    reader_init(&b, r->buf + r->from, r->to - r->from);
    return b;
}

static Step stream_reader_take(StreamReader *r, const ByteReader *b)
{
    r->from += b->at;
    return STEP_OK;
}

static Step read_header(StreamReader *r, GError **err)
{
    ByteReader b = stream_reader_peek(r);
    uint32_t magic = get_be32(&b), version = get_be32(&b);

    if (!reader_ok(&b)) {
        return STEP_SHORT;
    }
    if (magic != STREAM_MAGIC) {
        return stream_reader_fail(r, err, "the stream does not begin with QEVM");
    }
    if (version != STREAM_VERSION) {
        return stream_reader_fail(r, err, "file version %u is not %u", version, STREAM_VERSION);
    }
    r->state = READ_CONFIGURATION;
    return stream_reader_take(r, &b);
}

static Step read_configuration(StreamReader *r, GError **err)
{
    ByteReader b = stream_reader_peek(r);
    uint8_t type = get_u8(&b);
    uint32_t len = get_be32(&b);
    char name[STREAM_MAX_NAME + 1] = { 0 };

    if (!reader_ok(&b)) {
        return STEP_SHORT;
    }
    if (type != STREAM_CONFIGURATION) {
        return stream_reader_fail(
            r, err, "element 0x%02x is not the configuration, which must be the first element",
            type);
    }
    if (len == 0 || len > STREAM_MAX_NAME) {
        return stream_reader_fail(r, err, "the machine name has %u bytes, 1 to %u are accepted",
                                  len, STREAM_MAX_NAME);
    }
    if (!get_bytes(&b, name, len)) {
        return STEP_SHORT;
    }
    if (strlen(name) != len || !stream_name_ok(name)) {
        return stream_reader_fail(r, err, "the machine name is not printable");
    }
    if (!r->handler->configuration(r->opaque, name, err)) {
        return STEP_FAILED;
    }
    r->state = READ_ELEMENTS;
    return stream_reader_take(r, &b);
}

/* Read the header of a section, after the byte with its type. */
static Step section_header(StreamReader *r, ByteReader *b, StreamSection *s, GError **err)
{
    uint8_t len;

    s->id = get_be32(b);
    len = get_u8(b);
    if (!reader_ok(b)) {
        return STEP_SHORT;
    }
    if (len == 0 || len > STREAM_MAX_NAME) {
        return stream_reader_fail(r, err, "a section name has %u bytes, 1 to %u are accepted", len,
                                  STREAM_MAX_NAME);
    }
    memset(s->name, 0, sizeof(s->name));
    get_bytes(b, s->name, len);
    s->instance = get_be32(b);
    s->version = get_be32(b);
    if (!reader_ok(b)) {
        return STEP_SHORT;
    }
    if (strlen(s->name) != len || !stream_name_ok(s->name)) {
        return stream_reader_fail(r, err, "a section name is not printable");
    }
    return STEP_OK;
}

static Step check_footer(StreamReader *r, ByteReader *b, const StreamSection *s, GError **err)
{
    uint8_t type = get_u8(b);
    uint32_t id = get_be32(b);

    if (!reader_ok(b)) {
        return STEP_SHORT;
    }
    if (type != STREAM_FOOTER || id != s->id) {
        return stream_reader_fail(r, err, "section %s %u does not end with its footer", s->name,
                                  s->instance);
    }
    return STEP_OK;
}

static Step read_full(StreamReader *r, ByteReader *b, GError **err)
{
    StreamSection s = { .kind = STREAM_FULL };
    const uint8_t *data;
    Step step = section_header(r, b, &s, err);
    uint32_t len;

    if (step != STEP_OK) {
        return step;
    }
    len = get_be32(b);
    if (!reader_ok(b)) {
        return STEP_SHORT;
    }
    if (len > STREAM_MAX_RECORD) {
        return stream_reader_fail(
            r, err, "the record of section %s %u has %u bytes, at most %u are accepted", s.name,
            s.instance, len, STREAM_MAX_RECORD);
    }
    data = get_view(b, len);
    if (!reader_ok(b)) {
        return STEP_SHORT;
    }
    step = check_footer(r, b, &s, err);
    if (step != STEP_OK) {
        return step;
    }
    if (!r->handler->full(r->opaque, &s, data, len, err)) {
        return STEP_FAILED;
    }
    return stream_reader_take(r, b);
}

static StreamSection *find_open(StreamReader *r, uint32_t id)
{
    for (unsigned i = 0; i < r->n_open; i++) {
        if (r->open[i].id == id) {
            return &r->open[i];
        }
    }
    return NULL;
}

static Step read_start(StreamReader *r, ByteReader *b, GError **err)
{
    StreamSection s = { .kind = STREAM_START };
    Step step = section_header(r, b, &s, err);

    if (step != STEP_OK) {
        return step;
    }
    if (find_open(r, s.id)) {
        return stream_reader_fail(r, err, "section %s starts with id %u, which is open", s.name,
                                  s.id);
    }
    if (r->n_open == MAX_ITERATIVE) {
        return stream_reader_fail(r, err, "section %s is the %uth that starts, %u are accepted",
                                  s.name, MAX_ITERATIVE + 1, MAX_ITERATIVE);
    }
    r->open[r->n_open++] = r->now = s;
    r->state = READ_ITEMS;
    return stream_reader_take(r, b);
}

static Step stream_reader_part(StreamReader *r, ByteReader *b, uint8_t kind, GError **err)
{
    uint32_t id = get_be32(b);
    StreamSection *s;

    if (!reader_ok(b)) {
        return STEP_SHORT;
    }
    s = find_open(r, id);
    if (!s) {
        return stream_reader_fail(r, err, "section id %u continues but never started", id);
    }
    r->now = *s;
    r->now.kind = kind;
    if (kind == STREAM_END) {
        *s = r->open[--r->n_open];
    }
    r->state = READ_ITEMS;
    return stream_reader_take(r, b);
}

static Step read_command(StreamReader *r, ByteReader *b, GError **err)
{
    uint16_t command = get_be16(b), len = get_be16(b);
    const uint8_t *data = get_view(b, len);

    if (!reader_ok(b)) {
        return STEP_SHORT;
    }
    if (!r->handler->command(r->opaque, command, data, len, err)) {
        return STEP_FAILED;
    }
    return stream_reader_take(r, b);
}

static Step read_end(StreamReader *r, ByteReader *b, GError **err)
{
    if (r->n_open) {
        return stream_reader_fail(r, err, "the stream ends inside section %s", r->open[0].name);
    }
    r->state = READ_VMDESC;
    stream_reader_take(r, b);
    return r->handler->end(r->opaque, err) ? STEP_OK : STEP_FAILED;
}

static Step read_element(StreamReader *r, GError **err)
{
    ByteReader b = stream_reader_peek(r);
    uint8_t kind = get_u8(&b);

    if (!reader_ok(&b)) {
        return STEP_SHORT;
    }
    switch (kind) {
    case STREAM_FULL:
        return read_full(r, &b, err);
    case STREAM_START:
        return read_start(r, &b, err);
    case STREAM_PART:
    case STREAM_END:
        return stream_reader_part(r, &b, kind, err);
    case STREAM_COMMAND:
        return read_command(r, &b, err);
    case STREAM_EOF:
        return read_end(r, &b, err);
    default:
        return stream_reader_fail(r, err, "there is no element of type 0x%02x", kind);
    }
}

static Step read_items(StreamReader *r, GError **err)
{
    ByteReader b = stream_reader_peek(r);
    bool done = false;

    if (!r->handler->items(r->opaque, &r->now, &b, &done, err)) {
        return STEP_FAILED;
    }
    r->from += b.at;
    if (done) {
        r->state = READ_FOOTER;
        return STEP_OK;
    }
    return STEP_SHORT;
}

static Step read_footer(StreamReader *r, GError **err)
{
    ByteReader b = stream_reader_peek(r);
    Step step = check_footer(r, &b, &r->now, err);

    if (step != STEP_OK) {
        return step;
    }
    r->state = READ_ELEMENTS;
    return stream_reader_take(r, &b);
}

static Step read_vmdesc(StreamReader *r, GError **err)
{
    ByteReader b = stream_reader_peek(r);
    uint8_t kind = get_u8(&b);
    uint32_t len = get_be32(&b);

    if (!reader_ok(&b)) {
        return STEP_SHORT;
    }
    if (kind != STREAM_VMDESC || len > MAX_VMDESC) {
        return stream_reader_fail(
            r, err, "the data after the end is not a description of at most %u bytes", MAX_VMDESC);
    }
    r->text_left = len;
    r->state = READ_VMDESC_TEXT;
    return stream_reader_take(r, &b);
}

/* Skip the text of the description. It is for users and scripts; the load does not require it. */
static Step stream_reader_text(StreamReader *r, GError **err)
{
    size_t n = MIN(r->text_left, r->to - r->from);

    r->text_left -= n;
    r->from += n;
    if (r->text_left) {
        return STEP_SHORT;
    }
    r->state = READ_DONE;
    return STEP_OK;
}

static Step read_nothing(StreamReader *r, GError **err)
{
    return r->from == r->to ? STEP_SHORT
                            : stream_reader_fail(r, err, "bytes follow the description");
}

static Step (*const steps[])(StreamReader *r, GError **err) = {
    [READ_HEADER] = read_header,
    [READ_CONFIGURATION] = read_configuration,
    [READ_ELEMENTS] = read_element,
    [READ_ITEMS] = read_items,
    [READ_FOOTER] = read_footer,
    [READ_VMDESC] = read_vmdesc,
    [READ_VMDESC_TEXT] = stream_reader_text,
    [READ_DONE] = read_nothing,
};

uint8_t *stream_reader_space(StreamReader *r, size_t room)
{
    if (r->from) {
        memmove(r->buf, r->buf + r->from, r->to - r->from);
        r->base += r->from;
        r->to -= r->from;
        r->from = 0;
    }
    if (r->size - r->to < room) {
        /* the size depends on the bytes received, not on a length in the stream */
        r->size = r->to + MAX(room, r->to / 2);
        r->buf = g_realloc(r->buf, r->size);
    }
    return r->buf + r->to;
}

bool stream_reader_came(StreamReader *r, size_t len, GError **err)
{
    Step s = STEP_OK;

    r->to += len;
    while (s == STEP_OK) {
        s = steps[r->state](r, err);
    }
    return s == STEP_SHORT;
}

bool stream_reader_feed(StreamReader *r, const void *data, size_t len, GError **err)
{
    if (len) {
        memcpy(stream_reader_space(r, len), data, len);
    }
    return stream_reader_came(r, len, err);
}

bool stream_reader_finish(StreamReader *r, GError **err)
{
    if ((r->state == READ_VMDESC || r->state == READ_DONE) && r->from == r->to) {
        return true;
    }
    stream_reader_fail(r, err, "the stream is cut off");
    return false;
}
