/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON values written directly as text (contract in json_text_internal.h).
 */
#include "json_text_internal.h"

#include <json-c/printbuf.h>
#include <string.h>

#define DIGITS_MAX 20 /* decimal digits of 2^64 - 1 */

static void json_text_put_key(JsonText *j, const char *key)
{
    if (j->more) {
        g_string_append_c(j->out, ',');
    }
    j->more = true;
    if (key) {
        g_string_append_c(j->out, '"');
        g_string_append(j->out, key);
        g_string_append_len(j->out, "\":", 2);
    }
}

static void json_text_put_digits(JsonText *j, uint64_t value)
{
    char text[DIGITS_MAX];
    char *at = text + DIGITS_MAX;

    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    g_string_append_len(j->out, at, text + DIGITS_MAX - at);
}

static void json_text_put_escaped(JsonText *j, const char *value)
{
    struct json_object *o = json_object_new_string(value);

    g_string_append(j->out, json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
}

static bool json_text_is_plain(const char *value)
{
    for (; *value; value++) {
        if ((unsigned char)*value < ' ' || *value == '"' || *value == '\\') {
            return false;
        }
    }
    return true;
}

void json_text_open(JsonText *j, const char *key, char bracket)
{
    json_text_put_key(j, key);
    g_string_append_c(j->out, bracket);
    j->more = false;
}

void json_text_close(JsonText *j, char bracket)
{
    g_string_append_c(j->out, bracket);
    j->more = true;
}

void json_text_uint(JsonText *j, const char *key, uint64_t value)
{
    json_text_put_key(j, key);
    json_text_put_digits(j, value);
}

void json_text_int(JsonText *j, const char *key, int64_t value)
{
    json_text_put_key(j, key);
    if (value < 0) {
        g_string_append_c(j->out, '-');
    }
    json_text_put_digits(j, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void json_text_bool(JsonText *j, const char *key, bool value)
{
    json_text_put_key(j, key);
    g_string_append(j->out, value ? "true" : "false");
}

void json_text_str(JsonText *j, const char *key, const char *value)
{
    json_text_put_key(j, key);
    if (json_text_is_plain(value)) {
        g_string_append_c(j->out, '"');
        g_string_append(j->out, value);
        g_string_append_c(j->out, '"');
    } else {
        json_text_put_escaped(j, value);
    }
}

/* --- the value --- */

/* Append the text with indentation. The text is parsed and printed again, which is slow. Clients
 * request indentation for display only. */
static void json_text_put_indented(struct printbuf *out, const GString *text, int flags)
{
    struct json_object *o = json_tokener_parse(text->str);
    size_t len;
    const char *indented = json_object_to_json_string_length(o, flags, &len);

    printbuf_memappend(out, indented, (int)len);
    json_object_put(o);
}

static int json_text_serialize(struct json_object *o, struct printbuf *out, int level, int flags)
{
    const GString *text = json_object_get_userdata(o);

    if (flags & JSON_C_TO_STRING_PRETTY) {
        json_text_put_indented(out, text, flags);
    } else {
        printbuf_memappend(out, text->str, (int)text->len);
    }
    return 0;
}

static void json_text_free(struct json_object *o, void *text)
{
    g_string_free(text, TRUE);
}

void json_text_begin(JsonText *j, char bracket)
{
    *j = (JsonText){ .out = g_string_new(NULL) };
    g_string_append_c(j->out, bracket);
}

struct json_object *json_text_end(JsonText *j, char bracket)
{
    struct json_object *o = bracket == ']' ? json_object_new_array() : json_object_new_object();

    g_string_append_c(j->out, bracket);
    json_object_set_serializer(o, json_text_serialize, g_steal_pointer(&j->out), json_text_free);
    return o;
}
