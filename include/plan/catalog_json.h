/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Catalogues as JSON: written by an emulator, read by programs at run time.
 *
 * The object has the keys "backplane-catalog" (the number of the format), "types", "machines",
 * "compats", "absent" and "buses". A key whose value is 0, false or empty is omitted. Documentation
 * is not part of it: every value is a name, a number or a boolean. docs/plan-library.md describes
 * the keys.
 */
#ifndef PLAN_CATALOG_JSON_H
#define PLAN_CATALOG_JSON_H

#include <json-c/json.h>

#include "plan/catalog.h"

G_BEGIN_DECLS

enum { PLAN_CATALOG_FORMAT = 1 };

/* Return a catalogue as JSON, for json_object_put(). */
struct json_object *plan_catalog_to_json(const PlanCatalog *c);
/* Return one device type in the form of an element of "types", for json_object_put(). */
struct json_object *plan_type_to_json(const PlanType *t);
/**
 * plan_catalog_from_text() - Read a catalogue.
 * @text: JSON in the form of plan_catalog_to_json()
 * @len:  its length in bytes
 * @err:  set on failure; the message begins with the path inside the document
 *
 * Unknown keys, references to absent properties, and rules of a bus type that differ from those of
 * this library are errors.
 *
 * Return: the catalogue, freed by plan_catalog_free(); it must outlive the descriptions that were
 * resolved with it. Or NULL.
 */
PlanCatalog *plan_catalog_from_text(const char *text, size_t len, GError **err);
/* Like plan_catalog_from_text(), but for a file; a message begins with the name of the file. */
PlanCatalog *plan_catalog_from_file(const char *path, GError **err);
/* Like plan_catalog_from_file() with the output of `PATH -show catalog`, for the catalogue of an
 * installed emulator. The program is run and may print at most 16 MiB. */
PlanCatalog *plan_catalog_from_program(const char *path, GError **err);
/**
 * plan_catalog_open() - Read a catalogue by its name.
 * @name: "program:PATH" for the catalogue of an emulator; a path, which contains '/' or ends in
 *        ".json"; otherwise the name of an installed catalogue, such as "qemu-7.2-q35", of the
 * folder share/backplane/catalogs, or of $BACKPLANE_CATALOGS if this is set
 * @err:  set on failure; for a name that is not installed, the message lists the others
 *
 * Return: the catalogue, freed by plan_catalog_free(); or NULL.
 */
PlanCatalog *plan_catalog_open(const char *name, GError **err);
/* Free a catalogue that one of these functions returned. NULL is accepted. */
void plan_catalog_free(PlanCatalog *c);

G_END_DECLS

#endif
