/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared libraries that are loaded on first use, so that a process that does not use a feature does
 * not contain its library.
 */
#ifndef UTIL_LIBRARY_H
#define UTIL_LIBRARY_H

#include <glib.h>
#include <stdbool.h>

/* A symbol of a library and where its address is stored. */
typedef struct LibrarySymbol {
    const char *name;
    void **address;
} LibrarySymbol;

/**
 * library_load() - Load a library and look up symbols.
 * @file:    name that the dynamic linker searches for: "libpng16.so.16"
 * @symbols: @n rows; all addresses are set on success and none otherwise
 * @err:     an ERROR_HOST with the library and the cause
 *
 * The library stays loaded until the process ends. Any thread; callers serialise access to the
 * addresses.
 *
 * Return: false if the library or a symbol is absent.
 */
bool library_load(const char *file, const LibrarySymbol *symbols, size_t n, GError **err);

#endif
