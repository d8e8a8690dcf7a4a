/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XML documents as trees of elements, parsed by GLib with limits, and printed.
 *
 * A path inside an element names a value: "target@dev" is an attribute of a child, "@model" one of
 * the element itself, "serial" the text of a child. A child in a path is the first one of its name.
 */
#ifndef PLAN_XML_INTERNAL_H
#define PLAN_XML_INTERNAL_H

#include <glib.h>
#include <stdbool.h>

typedef struct PlanXml {
    char *name, *text;     /* text: NULL if there is none but white space */
    GPtrArray *attributes; /* char*: name, value, name, value ... */
    GPtrArray *children;   /* PlanXml*, owned */
    const struct PlanXml *parent;
    unsigned number; /* among the siblings of the same name, from 1 */
} PlanXml;

/* Parse a document of at most 16 MiB whose outermost element is @root. Return the element, or NULL
 * with @err set to a message with the path of the element at the fault. */
PlanXml *plan_xml_parse(const char *text, size_t len, const char *root, GError **err);
void plan_xml_free(PlanXml *x);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PlanXml, plan_xml_free)

/* Return the value at a path, borrowed, or NULL. */
const char *plan_xml_get(const PlanXml *x, const char *path);
PlanXml *plan_xml_child(const PlanXml *x, const char *name);
/* Set *err to "domain/devices/disk[2]: MESSAGE". @path: added to the path of the element, or NULL.
 * Return false. */
bool plan_xml_fail(const PlanXml *x, const char *path, GError **err, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

/* Return a new element; @parent owns it, or the caller if @parent is NULL. */
PlanXml *plan_xml_new(PlanXml *parent, const char *name);
/* Set the value at a path. Absent children are created. */
void plan_xml_set(PlanXml *x, const char *path, const char *value);
/* Return the text of a document; g_free(). */
char *plan_xml_print(const PlanXml *x);

#endif
