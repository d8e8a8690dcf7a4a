/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams with valid framing and hostile contents (or hostile framing, too): the stream is rejected
 * with an error message and another can be loaded, or it is loaded and the state saved from it
 * loads again.
 *
 * The input is a list of pieces {class, length, bytes}: raw bytes, a section by name with a correct
 * length and footer, RAM items, or the part that a valid stream has at that position.
 */
#include <sys/mman.h>

#include "../unit/migration/fixture.h"
#include "tests/lib/wait.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const devices[] = { "widget,id=w0", "widget,id=w1", NULL };

typedef struct Sound {
    GByteArray *head; /* up to the description's footer */
    GByteArray *rest; /* RAM, sections, the end */
} Sound;

/* The bytes that a valid source sends, in two parts. */
static const Sound *sound(void)
{
    static Sound s;
    GChecksum *digest;
    ByteWriter w;
    uint32_t id = 3;
    RamSend *ram;
    Box *b;

    if (s.head) {
        return &s;
    }
    b = box_new(devices);
    digest = g_checksum_new(G_CHECKSUM_SHA256);
    s.head = g_byte_array_new();
    s.rest = g_byte_array_new();
    w.out = s.head;
    outgoing_put_head(b->mig, &w, digest, NULL);
    w.out = s.rest;
    ram = ram_send_new(b->m, 2, NULL);
    ram_send_start(ram, &w);
    ram_send_begin_pass(ram);
    while (ram_send_some(ram, &w, 1 << 20)) {
    }
    ram_send_end(ram, &w);
    savevm_save(b->m, RUN_PAUSED, &w, &id, digest, NULL);
    stream_put_end(&w, NULL);
    ram_send_free(ram);
    g_checksum_free(digest);
    box_free(b);
    return &s;
}

static void put_section(ByteWriter *w, unsigned which, const uint8_t *p, size_t len)
{
    static const char *const names[] = { "clock",   "cpu",         "w0/widget", "w1/widget",
                                         "nothing", "globalstate", "ram",       HWDESC_SECTION };
    StreamSection s = { STREAM_FULL, 9, which >> 3 & 3, 1 + (which >> 5 & 3), "" };
    size_t at;

    g_strlcpy(s.name, names[which & 7], sizeof(s.name));
    at = stream_begin_full(w, &s);
    put_bytes(w, p, len);
    stream_end_full(w, &s, at);
}

static void put_piece(ByteWriter *w, uint8_t kind, const uint8_t *p, size_t len)
{
    StreamSection ram = { 1 + kind / 8 % 3, 2, 0, 4, "ram" };

    switch (kind & 7) {
    case 0:
        put_bytes(w, p, len);
        break;
    case 1:
        stream_begin(w, &ram);
        put_bytes(w, p, len);
        put_be64(w, RAM_ITEM_END);
        stream_put_footer(w, 2);
        break;
    case 2:
        put_bytes(w, sound()->rest->data, sound()->rest->len);
        break;
    case 3:
        stream_put_end(w, NULL);
        break;
    default:
        put_section(w, len ? p[0] : 0, len ? p + 1 : p, len ? len - 1 : 0);
    }
}

static GByteArray *make_stream(const uint8_t *data, size_t size)
{
    GByteArray *out = g_byte_array_new();
    ByteWriter w = { out };

    if (size && data[0] & 1) {
        put_bytes(&w, sound()->head->data, sound()->head->len);
    } else {
        stream_put_header(&w, "box-1");
    }
    for (size_t at = 1; at + 1 < size && out->len < (4u << 20);) {
        size_t len = MIN(data[at + 1], size - at - 2);

        put_piece(&w, data[at], data + at + 2, len);
        at += 2 + len;
    }
    return out;
}

/* Returns true if the stream was accepted. */
static bool load(Box *b, const GByteArray *stream)
{
    int fd = memfd_create("stream", 0);
    g_autofree char *uri = g_strdup_printf("fd:%d", fd);

    g_assert(write(fd, stream->data, stream->len) == (ssize_t)stream->len);
    lseek(fd, 0, SEEK_SET);
    g_assert(migration_incoming(b->mig, uri, b->mig->incoming_used, NULL));
    WAIT_MAIN(!b->mig->in, 20);
    if (!g_str_equal(migration_status(b->mig), "completed")) {
        g_assert(b->mig->error && g_utf8_validate(b->mig->error, -1, NULL));
        g_assert(b->m->state == RUN_INMIGRATE && !b->plan);
        return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t good[] = { 1, 2, 0 };
    g_autoptr(GByteArray) stream = make_stream(data, size);
    g_autoptr(GByteArray) whole = make_stream(good, sizeof(good));
    Box *b = box_empty();

    if (!load(b, stream)) {
        g_assert(load(b, whole)); /* another is accepted after a rejection */
    }
    mem_check(&b->m->memory);
    machine_set_state(b->m, RUN_RUNNING);
    clocks_dispatch(b->m->clocks);
    machine_reset(b->m, RESET_HOT);
    box_free(b);
    return 0;
}
