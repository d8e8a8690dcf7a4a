/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The source's reader of the return path. Answers may arrive in pieces, or several together.
 */
#include <string.h>

#include "migration/internal.h"
#include "util/error.h"

/* Reads of one call. A target that sends pieces of a list without end, which may be empty, does not
 * block the main loop. The channel remains readable, so the caller is called again. */
#define FILLS_MAX 32

void answers_init(Answers *a)
{
    a->used = 0;
    a->buf = g_byte_array_new();
    a->deficits = g_string_new("");
}

void answers_clear(Answers *a)
{
    g_clear_pointer(&a->buf, g_byte_array_unref);
    if (a->deficits) {
        g_string_free(a->deficits, TRUE);
        a->deficits = NULL;
    }
}

/* Read from the channel. Returns 1: bytes were added to the buffer; 0: none are available now; -1:
 * failed, *err is set. */
static int answers_fill(Answers *a, Channel *ch, GError **err)
{
    uint8_t bytes[4096];
    bool eof;
    ssize_t n = channel_read(ch, bytes, sizeof(bytes), &eof, err);

    if (n > 0) {
        g_byte_array_append(a->buf, bytes, n);
        return 1;
    }
    if (eof) {
        error_set(err, ERROR_HOST, "the target closed the channel");
        return -1;
    }
    return n < 0 ? -1 : 0;
}

static int answers_parse_deficits(Answers *a, Answer *out, GError **err)
{
    out->deficits = json_tokener_parse(a->deficits->str);
    g_string_truncate(a->deficits, 0);
    if (!json_object_is_type(out->deficits, json_type_array)) {
        json_object_put(out->deficits);
        out->deficits = NULL;
        error_set(err, ERROR_GUEST, "the list of incompatibilities from the target is malformed");
        return -1;
    }
    return 1;
}

static int answers_take_piece(Answers *a, Answer *out, GError **err)
{
    if (a->deficits->len + out->len > MAX_DEFICIT_TEXT) {
        error_set(err, ERROR_GUEST,
                  "the list of incompatibilities from the target is longer than %u bytes",
                  MAX_DEFICIT_TEXT);
        return -1;
    }
    g_string_append_len(a->deficits, (const char *)out->data, out->len);
    return out->type == ANSWER_MORE ? 0 : answers_parse_deficits(a, out, err);
}

/* Get the answer at the start of the buffer. Returns false if the answer is not complete yet. */
static bool answers_complete(const Answers *a, Answer *out)
{
    ByteReader r;

    memset(out, 0, sizeof(*out));
    reader_init(&r, a->buf->data, a->buf->len);
    out->type = get_be16(&r);
    out->len = get_be16(&r);
    if (!reader_ok(&r) || reader_left(&r) < out->len) {
        return false;
    }
    out->data = a->buf->data + 4;
    return true;
}

int answers_next(Answers *a, Channel *ch, Answer *out, GError **err)
{
    unsigned fills = 0;
    int got;

    for (;;) {
        if (a->used) {
            g_byte_array_remove_range(a->buf, 0, a->used);
            a->used = 0;
        }
        if (!answers_complete(a, out)) {
            got = fills++ < FILLS_MAX ? answers_fill(a, ch, err) : 0;
            if (got <= 0) {
                return got;
            }
            continue;
        }
        a->used = 4 + out->len;
        if (out->type != ANSWER_MORE && out->type != ANSWER_DEFICITS) {
            return 1;
        }
        got = answers_take_piece(a, out, err);
        if (got) {
            return got;
        }
    }
}
