/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of block nodes: typed access to a JSON object whose values may be text (from a command
 * line) or JSON scalars (from QMP).
 */
#include <string.h>

#include "internal.h"
#include "plan/description.h"

const char *opt_str(struct json_object *o, const char *key)
{
    struct json_object *v;

    return json_object_object_get_ex(o, key, &v) && v ? json_object_get_string(v) : NULL;
}

static bool opt_parse_value(struct json_object *o, const char *key, PlanPropKind kind, PlanValue *v,
                            GError **err)
{
    const PlanProp p = { .name = key, .kind = kind };

    return plan_value_parse(&p, opt_str(o, key), v, err);
}

bool opt_bool(struct json_object *o, const char *key, bool def, bool *out, GError **err)
{
    PlanValue v = { .b = def };

    if (opt_str(o, key) && !opt_parse_value(o, key, PLAN_PROP_BOOL, &v, err)) {
        return false;
    }
    *out = v.b;
    return true;
}

bool opt_size(struct json_object *o, const char *key, uint64_t def, uint64_t *out, GError **err)
{
    PlanValue v = { .u = def };

    if (opt_str(o, key) && !opt_parse_value(o, key, PLAN_PROP_SIZE, &v, err)) {
        return false;
    }
    *out = v.u;
    return true;
}

bool opt_enum(struct json_object *o, const char *key, const char *const *names, int def, int *out,
              GError **err)
{
    const char *text = opt_str(o, key);
    g_autofree char *all = NULL;

    *out = def;
    for (int i = 0; text && names[i]; i++) {
        if (*text && g_str_equal(names[i], text)) {
            *out = i;
            return true;
        }
    }
    if (text) {
        all = g_strjoinv(", ", (char **)names + (**names ? 0 : 1));
        error_set(err, ERROR_USER, "%s=%s: use one of %s", key, text, all);
    }
    return text == NULL;
}

bool opt_known(struct json_object *o, const char *const *keys, const char *what, GError **err)
{
    json_object_object_foreach(o, key, value)
    {
        (void)value;
        if (!g_strv_contains(keys, key)) {
            g_autofree char *all = g_strjoinv(", ", (char **)keys);

            return error_set(err, ERROR_USER, "%s: Parameter '%s' is unexpected; use one of %s",
                             what, key, all);
        }
    }
    return true;
}
