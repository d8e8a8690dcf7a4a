/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nearest known name, by the number of edits (optimal string alignment distance).
 */
#include "util/suggest.h"

#include <glib.h>
#include <string.h>

enum { NAME_MAX_LEN = 64, SHORT_NAME = 3, NEAR = 2, NEAR_SHORT = 1, PREFIX_MIN = 3 };

/* Edits that turn a into b. Neither is longer than NAME_MAX_LEN. */
static unsigned suggest_distance(const char *a, size_t m, const char *b, size_t n)
{
    unsigned rows[3][NAME_MAX_LEN + 1];

    for (size_t j = 0; j <= n; j++) {
        rows[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= m; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        char ca = g_ascii_tolower(a[i - 1]);

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n; j++) {
            char cb = g_ascii_tolower(b[j - 1]);
            unsigned change = above[j - 1] + (ca != cb);

            row[j] = MIN(change, MIN(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && ca == g_ascii_tolower(b[j - 2]) &&
                g_ascii_tolower(a[i - 2]) == cb) {
                row[j] = MIN(row[j], two_above[j - 2] + 1);
            }
        }
    }
    return rows[m % 3][n];
}

/* The only name that starts with `given`; NULL if there are none or several. */
static const char *suggest_completion(const char *given, size_t len,
                                      const char *(*name)(const void *table, size_t i),
                                      const void *table, size_t n)
{
    const char *only = NULL;

    for (size_t i = 0; len >= PREFIX_MIN && i < n; i++) {
        const char *candidate = name(table, i);

        if (candidate && g_ascii_strncasecmp(given, candidate, len) == 0) {
            if (only && strcmp(only, candidate) != 0) {
                return NULL;
            }
            only = candidate;
        }
    }
    return only;
}

const char *suggest_nearest_of(const char *given, const char *(*name)(const void *table, size_t i),
                               const void *table, size_t n)
{
    size_t len = strnlen(given, NAME_MAX_LEN + 1);
    unsigned best = (len > SHORT_NAME ? NEAR : NEAR_SHORT) + 1;
    const char *nearest = NULL;

    if (len == 0 || len > NAME_MAX_LEN) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        const char *candidate = name(table, i);
        size_t size = candidate ? strnlen(candidate, NAME_MAX_LEN + 1) : NAME_MAX_LEN + 1;
        unsigned d;

        if (size > NAME_MAX_LEN || size + best <= len || len + best <= size) {
            continue;
        }
        d = suggest_distance(given, len, candidate, size);
        if (d < best && d < MAX(len, size)) { /* else they have no letter in common */
            best = d;
            nearest = candidate;
        }
    }
    return nearest ? nearest : suggest_completion(given, len, name, table, n);
}

char *suggest_hint_of(const char *given, const char *(*name)(const void *table, size_t i),
                      const void *table, size_t n)
{
    const char *nearest = suggest_nearest_of(given, name, table, n);

    return nearest ? g_strdup_printf(" (did you mean '%s'?)", nearest) : g_strdup("");
}
