/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON values written directly as text, for responses whose size depends on the number of devices.
 *
 * A json-c object requires a hash table and about ten allocations. With thousands of PCI functions,
 * these dominate the time of a response. A writer appends the compact text of one value instead:
 *
 *     JsonText j;
 *
 *     json_text_begin(&j, '[');
 *     json_text_open(&j, NULL, '{');
 *     json_text_int(&j, "bus", 0);
 *     json_text_close(&j, '}');
 *     result = json_text_end(&j, ']');
 *
 * The caller balances the brackets. It passes a key inside '{' and NULL inside '['. Keys must not
 * contain characters that JSON escapes. json_object_put() and the serializers, with or without
 * indentation, accept the value that json_text_end() returns; its members cannot be read.
 *
 * A writer belongs to one thread. No function requires a lock, and none can fail.
 */
#ifndef MONITOR_JSON_TEXT_INTERNAL_H
#define MONITOR_JSON_TEXT_INTERNAL_H

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct JsonText {
    GString *out;
    bool more; /* the current bracket has a value already */
} JsonText;

/* Start a writer whose value is an object ('{') or an array ('['). */
void json_text_begin(JsonText *j, char bracket);
/* Close the first bracket and return the value, owned by the caller. The writer cannot be used
 * after that. */
struct json_object *json_text_end(JsonText *j, char bracket);
/* Open an object ('{') or an array ('['), and close it with '}' or ']'. */
void json_text_open(JsonText *j, const char *key, char bracket);
void json_text_close(JsonText *j, char bracket);
/* Append one value. */
void json_text_int(JsonText *j, const char *key, int64_t value);
void json_text_uint(JsonText *j, const char *key, uint64_t value);
void json_text_bool(JsonText *j, const char *key, bool value);
/* Append a string. @value: valid UTF-8, which is escaped as JSON requires. */
void json_text_str(JsonText *j, const char *key, const char *value);

#endif
