/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The writer of the container (interface: stream.h).
 */
#include "migration/stream.h"

#include <string.h>

static void stream_put_name(ByteWriter *w, const char *name)
{
    size_t len = strlen(name);

    g_assert(len <= STREAM_MAX_NAME);
    put_u8(w, len);
    put_bytes(w, name, len);
}

void stream_put_header(ByteWriter *w, const char *machine)
{
    put_be32(w, STREAM_MAGIC);
    put_be32(w, STREAM_VERSION);
    put_u8(w, STREAM_CONFIGURATION);
    put_be32(w, strlen(machine));
    put_bytes(w, machine, strlen(machine));
}

void stream_begin(ByteWriter *w, const StreamSection *s)
{
    put_u8(w, s->kind);
    put_be32(w, s->id);
    if (s->kind == STREAM_START || s->kind == STREAM_FULL) {
        stream_put_name(w, s->name);
        put_be32(w, s->instance);
        put_be32(w, s->version);
    }
}

size_t stream_begin_full(ByteWriter *w, const StreamSection *s)
{
    size_t at;

    stream_begin(w, s);
    at = w->out->len;
    put_be32(w, 0);
    return at;
}

void stream_end_full(ByteWriter *w, const StreamSection *s, size_t at)
{
    patch_be32(w, at, w->out->len - at - 4);
    stream_put_footer(w, s->id);
}

void stream_put_footer(ByteWriter *w, uint32_t id)
{
    put_u8(w, STREAM_FOOTER);
    put_be32(w, id);
}

void stream_put_command(ByteWriter *w, uint16_t command, const void *data, uint16_t len)
{
    put_u8(w, STREAM_COMMAND);
    put_be16(w, command);
    put_be16(w, len);
    put_bytes(w, data, len);
}

void stream_put_answer(ByteWriter *w, uint16_t type, const void *data, uint16_t len)
{
    put_be16(w, type);
    put_be16(w, len);
    put_bytes(w, data, len);
}

static bool has_brace(uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        if ((v >> i * 8 & 0xff) == '{') {
            return true;
        }
    }
    return false;
}

void stream_put_end(ByteWriter *w, struct json_object *desc)
{
    g_autoptr(GString) text = NULL;

    put_u8(w, STREAM_EOF);
    if (!desc) {
        return;
    }
    text = g_string_new(json_object_to_json_string_ext(desc, JSON_C_TO_STRING_PLAIN));
    while (has_brace(text->len)) {
        g_string_append_c(text, ' ');
    }
    put_u8(w, STREAM_VMDESC);
    put_be32(w, text->len);
    put_bytes(w, text->str, text->len);
}

bool stream_name_ok(const char *name)
{
    for (const char *p = name; *p; p++) {
        if (*p < 0x21 || *p > 0x7e) {
            return false;
        }
    }
    return *name != '\0';
}
