/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text of messages. Each error of this library is one line. Control characters and invalid UTF-8 in
 * quoted text are escaped.
 */
#include <stdarg.h>

#include "plan/internal.h"

enum { QUOTE_MAX = 80 };

bool plan_fail(GError **err, const char *format, ...)
{
    va_list args;

    if (err && !*err) {
        va_start(args, format);
        *err = g_error_new_valist(plan_error_quark(), PLAN_ERROR_INVALID, format, args);
        va_end(args);
    }
    return false;
}

void plan_append_size(GString *s, uint64_t size)
{
    static const char units[] = "BKMGT";
    unsigned unit = 0;

    if (size == 0) {
        g_string_append_c(s, '0');
        return;
    }
    while (size >= 1024 && size % 1024 == 0 && unit + 1 < strlen(units)) {
        size /= 1024;
        unit++;
    }
    g_string_append_printf(s, "%" G_GUINT64_FORMAT "%c", size, units[unit]);
}

GQuark plan_error_quark(void)
{
    return g_quark_from_static_string("plan-error");
}

char *plan_quote(const char *text)
{
    GString *out = g_string_new("'");
    const char *c = text;

    while (*c && out->len < QUOTE_MAX) {
        gunichar u = g_utf8_get_char_validated(c, -1);

        if (u == (gunichar)-1 || u == (gunichar)-2) {
            g_string_append_printf(out, "\\x%02x", (unsigned char)*c++);
            continue;
        }
        if (u < 0x20 || u == 0x7f || !g_unichar_isprint(u)) {
            g_string_append_printf(out, "\\x%02x", u);
        } else {
            g_string_append_unichar(out, u);
        }
        c = g_utf8_next_char(c);
    }
    g_string_append(out, *c ? "...'" : "'");
    return g_string_free(out, FALSE);
}

/* Several anonymous devices can have one type, so that the number of the option identifies one. */
char *plan_device_short_label(const PlanDevice *d)
{
    g_autofree char *type = plan_quote(d->type), *id = d->id ? plan_quote(d->id) : NULL;

    if (id) {
        return g_strdup_printf("device %s (%.*s)", id, (int)strlen(type) - 2, type + 1);
    }
    return d->option ? g_strdup_printf("device %s (-device option %u)", type, d->option)
                     : g_strdup_printf("device %s", type);
}

char *plan_device_label(const PlanDevice *d)
{
    g_autofree char *label = plan_device_short_label(d), *addr = NULL;

    if (d->id || !d->has_addr) {
        return g_steal_pointer(&label);
    }
    addr = plan_addr_format(&d->addr, false);
    return g_strdup_printf("%s at %s", label, addr);
}

bool plan_json_string(struct json_object *o, size_t max, const char **text, GError **err)
{
    size_t len;

    if (!json_object_is_type(o, json_type_string)) {
        return plan_fail(err, "must be a string");
    }
    *text = json_object_get_string(o);
    len = (size_t)json_object_get_string_len(o);
    if (strlen(*text) != len) {
        return plan_fail(err, "must not contain a NUL character");
    }
    return len <= max || plan_fail(err, "is %zu bytes long: at most %zu are accepted", len, max);
}

bool plan_json_scalar(struct json_object *o, char **text, GError **err)
{
    const char *string;

    *text = NULL;
    switch (json_object_get_type(o)) {
    case json_type_null:
        return true;
    case json_type_boolean:
        *text = g_strdup(json_object_get_boolean(o) ? "on" : "off");
        return true;
    case json_type_int:
    case json_type_double:
        *text = g_strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
        return true;
    case json_type_string:
        if (!plan_json_string(o, PLAN_OPTION_MAX, &string, err)) {
            return false;
        }
        *text = g_strdup(string);
        return true;
    default:
        return plan_fail(err, "must be a plain value, not an object or a list");
    }
}

struct json_object *plan_json_parse(const char *text, size_t len, const char *what, GError **err)
{
    static const PlanJsonLimits limits = { PLAN_TEXT_MAX, PLAN_VALUES_MAX, PLAN_JSON_DEPTH };

    return plan_json_read(text, len, what, &limits, err);
}
