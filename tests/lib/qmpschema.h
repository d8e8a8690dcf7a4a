/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Check QMP responses and events against the result of query-qmp-schema.
 */
#ifndef TESTS_QMPSCHEMA_H
#define TESTS_QMPSCHEMA_H

#include <json-c/json.h>

typedef struct QmpSchema QmpSchema;

/* Read the result of query-qmp-schema, of which the caller keeps a reference. */
QmpSchema *qmpschema_new(struct json_object *entries);
/* Check the value of "return" of a command. Return NULL if it has the type of the schema, otherwise
 * the problem; g_free(). */
char *qmpschema_result_problem(QmpSchema *s, const char *command, struct json_object *value);
/* Check an event. Return NULL if the schema contains it, otherwise the problem; g_free(). */
char *qmpschema_event_problem(QmpSchema *s, struct json_object *message);

#endif
