/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Check QMP answers and events against the result of query-qmp-schema.
 */
#ifndef TESTS_QMPSCHEMA_H
#define TESTS_QMPSCHEMA_H

#include <json-c/json.h>

typedef struct QmpSchema QmpSchema;

/* Read the result of query-qmp-schema, of which the caller keeps a reference. */
QmpSchema *qmpschema_new(struct json_object *entries);
/* The value of "return" of a command; NULL if it has the type of the schema, else the problem
 * (g_free). */
char *qmpschema_result_problem(QmpSchema *s, const char *command, struct json_object *value);
/* An event; NULL if it is one of the schema, else the problem (g_free). */
char *qmpschema_event_problem(QmpSchema *s, struct json_object *message);

#endif
