/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "Did you mean": the known name that is nearest to a misspelt one.
 *
 * A name is near if at most two letters (one, if the given name has three letters or fewer) have
 * to be changed, added, dropped or swapped with their neighbour to make one of the other; upper
 * and lower case count as equal. If no name is near, the only name that starts with the given
 * text (three letters at least) is nearest. Names longer than 64 bytes are never near, which
 * bounds the work. Pure functions; any thread.
 */
#ifndef UTIL_SUGGEST_H
#define UTIL_SUGGEST_H

#include <stddef.h>

/* The nearest of a table of n names, the first of several equally near; NULL if none is near. An
 * exact match is returned as well. name(table, i) returns the name at i, or NULL to leave it out;
 * the result is one of its results. */
const char *suggest_nearest_of(const char *given, const char *(*name)(const void *table, size_t i),
                               const void *table, size_t n);

/* The end of an error message: " (did you mean 'x'?)", or "" if nothing is near. g_free. */
char *suggest_hint_of(const char *given, const char *(*name)(const void *table, size_t i),
                      const void *table, size_t n);

#endif
