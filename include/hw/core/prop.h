/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Properties of live devices: from the description into the members the rows name.
 */
#ifndef HW_CORE_PROP_H
#define HW_CORE_PROP_H

#include "plan/description.h"

/* Store each property of the table into obj: the plan's resolved value, else its text parsed
 * now, else the row's default. Strings are copied. plan may be NULL. On failure *err has one
 * sentence and obj may be passed to props_free(). */
bool props_store(const PlanProp *props, size_t n, void *obj, const PlanDevice *plan, GError **err);
/* Free what props_store() allocated. */
void props_free(const PlanProp *props, size_t n, void *obj);
/* The member's value as a PlanValue that borrows strings. */
PlanValue prop_value(const PlanProp *p, const void *obj);
/* The row's default; strings are borrowed from the row. */
PlanValue prop_default(const PlanProp *p);

#endif
