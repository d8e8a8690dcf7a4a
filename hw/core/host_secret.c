/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * secret: bytes that must not appear in the command line of other objects, from data= or a file.
 */
#include <string.h>

#include "hw/core/host_object.h"
#include "util/error.h"
#include "util/infile.h"

enum { FORMAT_RAW, FORMAT_BASE64, SECRET_MAX = 1 << 20 };

typedef struct HostSecret {
    HostObject o;
    char *data, *file;
    uint32_t format;
    GBytes *bytes;
} HostSecret;

/* Return true if the text is valid base64. g_base64_decode() skips invalid characters. */
static bool secret_is_base64(const char *text)
{
    size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    size_t pad = strspn(text + n, "=");

    return pad <= 2 && (n + pad) % 4 == 0 && text[n + pad + strspn(text + n + pad, "\r\n")] == 0;
}

static bool secret_open(HostObject *o, GError **err)
{
    HostSecret *s = (HostSecret *)o;
    char *text = NULL;
    gsize len;

    if (!s->data == !s->file) {
        return error_set(err, ERROR_USER, "a secret requires exactly one of data= and file=");
    }
    if (s->file && o->machine->dry_run) {
        return true;
    }
    if (s->file && !in_file_read(s->file, SECRET_MAX, &text, &len, err)) {
        return false;
    }
    if (!text) {
        text = g_strdup(s->data);
        len = strlen(text);
    }
    if (len > SECRET_MAX || (s->format == FORMAT_BASE64 && !secret_is_base64(text))) {
        error_set(err, ERROR_USER, "the secret is %s",
                  len > SECRET_MAX ? "longer than 1 MiB" : "not in base64, which format= requires");
        g_free(text);
        return false;
    }
    if (s->format == FORMAT_BASE64) {
        g_base64_decode_inplace(text, &len);
    }
    s->bytes = g_bytes_new_take(text, len);
    return true;
}

static void secret_close(HostObject *o)
{
    g_clear_pointer(&((HostSecret *)o)->bytes, g_bytes_unref);
}

GBytes *host_secret_bytes(const HostObject *o)
{
    return o->kind == &host_secret ? ((const HostSecret *)o)->bytes : NULL;
}

static const char *const formats[] = { "raw", "base64", NULL };
static const PlanProp secret_props[] = {
    PROP_STR(HostSecret, data, "data", "the secret itself"),
    PROP_STR(HostSecret, file, "file", "a file with it"),
    PROP_ENUM(HostSecret, format, "format", FORMAT_RAW, formats, "how either is written"),
};
const HostObjectKind host_secret = {
    .name = "secret",
    .doc = "a password or key, from an option or a file",
    .size = sizeof(HostSecret),
    .props = LIST(secret_props),
    .open = secret_open,
    .close = secret_close,
};
