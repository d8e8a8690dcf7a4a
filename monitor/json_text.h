/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers written straight as text, for those that grow with the machine.
 *
 * A json-c object costs a hash table and some ten allocations, which with thousands of functions
 * is most of an answer's time. A writer appends the compact text of one value instead:
 *
 *     JsonText j;
 *
 *     json_text_begin(&j, '[');
 *     json_text_open(&j, NULL, '{');
 *     json_text_int(&j, "bus", 0);
 *     json_text_close(&j, '}');
 *     result = json_text_end(&j, ']');
 *
 * The caller balances the brackets and gives a key inside '{' and NULL inside '['; keys are
 * literals that need no escapes. What json_text_end() returns is a value like any other to
 * json_object_put() and to the serializers (indented if so asked), but nothing can look inside.
 */
#ifndef MONITOR_JSON_TEXT_H
#define MONITOR_JSON_TEXT_H

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct JsonText {
    GString *out;
    bool more; /* a value came before in this bracket */
} JsonText;

/* Start a writer whose value is an object ('{') or an array ('['). */
void json_text_begin(JsonText *j, char bracket);
/* End the writer: its value, owned by the caller. */
struct json_object *json_text_end(JsonText *j, char bracket);
void json_text_open(JsonText *j, const char *key, char bracket);
void json_text_close(JsonText *j, char bracket);
void json_text_int(JsonText *j, const char *key, int64_t value);
void json_text_uint(JsonText *j, const char *key, uint64_t value);
void json_text_bool(JsonText *j, const char *key, bool value);
/* value: any valid UTF-8; escaped as JSON asks. */
void json_text_str(JsonText *j, const char *key, const char *value);

#endif
