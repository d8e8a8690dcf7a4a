/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON from untrusted sources: a strict parser with limits in front of json-c.
 *
 * The grammar is RFC 8259 with one addition: strings may have single quotes, as users of
 * -device "{'driver': ...}" and QMP clients write them. Refused beyond the grammar: a key that
 * an object has twice, integers that do not fit 64 bits, control characters and invalid UTF-8 in
 * strings, text after the value, and everything beyond the limits. The limits are checked before
 * anything is allocated, and time and memory are linear in the length of the text.
 */
#ifndef PLAN_JSON_H
#define PLAN_JSON_H

#include <json-c/json.h>
#include <glib.h>
#include <stdbool.h>

G_BEGIN_DECLS

enum { PLAN_JSON_NUMBER_MAX = 256 }; /* bytes of a number or literal */

typedef struct PlanJsonLimits {
    size_t bytes;   /* of the text */
    size_t values;  /* of every type, at every level, including objects and arrays */
    unsigned depth; /* of nested objects and arrays, at most 1000 */
} PlanJsonLimits;

/*
 * Parse one value. `what` names the text in error messages ("the machine description").
 * Returns the value, owned by the caller, or NULL with *err set; the JSON value null is refused
 * because json-c has no object for it. Needs no lock.
 */
struct json_object *plan_json_read(const char *text, size_t len, const char *what,
                                   const PlanJsonLimits *limits, GError **err);

G_END_DECLS

#endif
