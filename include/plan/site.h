/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machine types that a site defines: a name for a machine type with other defaults, further
 * devices, and rules for addresses such as "the first network device is in slot 2".
 *
 * A definition is a JSON object. Applying it to a description yields a description of the base
 * machine: saved descriptions and streams do not contain the name of the site's type.
 * docs/plan-library.md describes the keys. No function of this header needs a lock.
 */
#ifndef PLAN_SITE_H
#define PLAN_SITE_H

#include "plan/description.h"

G_BEGIN_DECLS

enum { PLAN_SITE_FORMAT = 1 };

typedef struct PlanSite PlanSite;

/* Read a definition. Return it, freed by plan_site_free(); or NULL with @err set to a message that
 * begins with the path inside the document. */
PlanSite *plan_site_from_text(const char *text, size_t len, GError **err);
/* Like plan_site_from_text() for a file; the message begins with its name. */
PlanSite *plan_site_from_file(const char *path, GError **err);
/* Free a definition. NULL is accepted. */
void plan_site_free(PlanSite *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PlanSite, plan_site_free)
/* Return the name of the machine type, owned by @s. */
const char *plan_site_name(const PlanSite *s);
/**
 * plan_site_apply() - Replace the site's machine type in a description by its base.
 * @s:   the definition
 * @m:   the description, not resolved. No effect if it names another machine type; a description
 *       without a machine type gets this one
 * @c:   the catalogue of the base machine
 * @err: set if a device of the definition is malformed; @m is then unchanged
 *
 * Properties that @m has are kept. A device of the definition is added unless @m has a device with
 * its id. A rule applies to devices of @m without an address, in their order.
 *
 * Return: true; or false.
 */
bool plan_site_apply(const PlanSite *s, PlanMachine *m, const PlanCatalog *c, GError **err);

G_END_DECLS

#endif
