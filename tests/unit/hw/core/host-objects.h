/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Create host objects from the text of an option, for their tests.
 */
#ifndef TESTS_HOST_OBJECTS_H
#define TESTS_HOST_OBJECTS_H

#include <json-c/json.h>
#include <string.h>

#include "fake-types.h"
#include "hw/core/host_object.h"

static inline HostObject *try_object(Machine *m, const char *text, GError **err)
{
    struct json_object *o = plan_options_parse(text, "qom-type", err);
    g_autoptr(PlanDevice) settings = NULL;

    g_assert_nonnull(o);
    settings = plan_object_settings(o);
    json_object_put(o);
    return host_object_new(m, settings, err);
}

static inline HostObject *object(Machine *m, const char *text)
{
    g_autoptr(GError) err = NULL;
    HostObject *o = try_object(m, text, &err);

    g_assert_no_error(err);
    return o;
}

static inline void refused(Machine *m, const char *text, const char *words)
{
    g_autoptr(GError) err = NULL;

    g_assert_null(try_object(m, text, &err));
    if (!strstr(err->message, words)) {
        g_error("'%s' does not contain '%s'", err->message, words);
    }
    g_assert_null(strchr(err->message, '\n'));
}

static inline Machine *machine_with_lock(void)
{
    Machine *m = machine_new();

    machine_lock(m);
    return m;
}

static inline void machine_end(Machine *m)
{
    machine_clear(m);
    host_object_free_all(m);
    machine_free(m);
}

#endif
