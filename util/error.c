/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The error domain of the emulator. */
#include "util/error.h"

GQuark backplane_error_quark(void)
{
    return g_quark_from_static_string("backplane-error");
}

bool error_set(GError **err, ErrorClass class, const char *fmt, ...)
{
    va_list args;

    if (err && !*err) {
        va_start(args, fmt);
        *err = g_error_new_valist(BACKPLANE_ERROR, class, fmt, args);
        va_end(args);
    }
    return false;
}

bool error_set_errno(GError **err, int errnum, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, fmt);
    text = g_strdup_vprintf(fmt, args);
    va_end(args);
    return error_set(err, ERROR_HOST, "%s: %s", text, g_strerror(errnum));
}
