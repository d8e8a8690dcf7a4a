/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Properties of live devices: copying values of a description to the members that property rows
 * name.
 *
 * The functions have no state; the caller serialises access to the object.
 */
#ifndef HW_CORE_PROP_H
#define HW_CORE_PROP_H

#include "plan/description.h"

/**
 * props_store() - Store each property of a table in an object.
 * @props: the table, @n rows
 * @obj:   structure with the members that the rows name
 * @plan:  source of the values; NULL: defaults only
 * @err:   an ERROR_USER that names device, property and value
 *
 * The value is the one that the plan resolved, otherwise the plan's text, otherwise the default of
 * the row. Strings are copied. props_free() frees them, also after a failure.
 *
 * Return: false if a value is not valid or an allocation fails.
 */
bool props_store(const PlanProp *props, size_t n, void *obj, const PlanDevice *plan, GError **err);
/* Free the strings that props_store() copied. */
void props_free(const PlanProp *props, size_t n, void *obj);
/* The setting with a name, owned by @plan; NULL: not set, or @plan is NULL. */
const PlanSetting *props_find_setting(const PlanDevice *plan, const char *name);
/* Value of a member. Strings are borrowed from the object. */
PlanValue prop_value(const PlanProp *p, const void *obj);
/* Default of a row. Strings are borrowed from the row. */
PlanValue prop_default(const PlanProp *p);

#endif
