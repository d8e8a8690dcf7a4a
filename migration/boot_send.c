/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sender of boot images (interface: boot_internal.h).
 */
#include <errno.h>
#include <string.h>

#include "migration/boot_internal.h"
#include "util/error.h"

#define PIECE (1u << 20) /* maximum bytes of an image in one section */

static void boot_send_describe(struct json_object *devices, const StreamSection *s, uint64_t len)
{
    g_autofree char *json = g_strdup_printf(
        "{\"name\":\"" BOOT_SECTION "\",\"instance_id\":%u,\"vmsd_name\":\"boot\",\"version\":%d,"
        "\"fields\":[{\"name\":\"length\",\"type\":\"uint32\",\"size\":4},"
        "{\"name\":\"role\",\"type\":\"uint8\",\"size\":1},"
        "{\"name\":\"offset\",\"type\":\"uint64\",\"size\":8},"
        "{\"name\":\"data\",\"type\":\"buffer\",\"size\":%" G_GUINT64_FORMAT "}]}",
        s->instance, BOOT_SECTION_VERSION, len);

    json_object_array_add(devices, json_tokener_parse(json));
}

static bool boot_send_piece(BootSend *s, BootRole role, uint64_t len, ByteWriter *w,
                            const StreamSection *section, GError **err)
{
    const BootImage *image = &s->images->image[role];
    g_autofree char *label = NULL;
    size_t at, data;

    at = stream_begin_full(w, section);
    put_u8(w, (uint8_t)role);
    put_be64(w, s->at);
    data = w->out->len;
    g_byte_array_set_size(w->out, (guint)(data + len));
    if (!boot_image_read(image, w->out->data + data, len, s->at)) {
        label = boot_image_label(role, image);
        return error_set(err, ERROR_HOST, "%s cannot be read again: %s", label,
                         errno ? g_strerror(errno) : "the file became shorter");
    }
    stream_end_full(w, section, at);
    return true;
}

int boot_send_some(BootSend *s, ByteWriter *w, uint32_t *next_id, struct json_object *devices,
                   GError **err)
{
    StreamSection section = { STREAM_FULL, *next_id, s->instance, BOOT_SECTION_VERSION,
                              BOOT_SECTION };
    BootRole role = 0;
    uint64_t len;

    while (role < BOOT_ROLES &&
           (!(s->roles >> role & 1) || !s->images || s->images->image[role].fd < 0)) {
        role++;
    }
    if (role == BOOT_ROLES) {
        return 0;
    }
    len = MIN(PIECE, s->images->image[role].size - s->at);
    if (!boot_send_piece(s, role, len, w, &section, err)) {
        return -1;
    }
    if (devices) {
        boot_send_describe(devices, &section, len);
    }
    (*next_id)++;
    s->instance++;
    s->at += len;
    if (s->at == s->images->image[role].size) {
        s->roles &= ~(1u << role);
        s->at = 0;
    }
    return 1;
}
