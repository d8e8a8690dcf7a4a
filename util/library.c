/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading shared libraries on first use (contract in util/library.h).
 */
#include "util/library.h"

#include <dlfcn.h>

#include "util/error.h"

bool library_load(const char *file, const LibrarySymbol *symbols, size_t n, GError **err)
{
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);

    if (!library)
        return error_set(err, ERROR_HOST, "library %s is not available: %s", file, dlerror());
    for (size_t i = 0; i < n; i++) {
        if (!dlsym(library, symbols[i].name)) {
            error_set(err, ERROR_HOST, "library %s does not contain %s; another version is needed",
                      file, symbols[i].name);
            dlclose(library);
            return false;
        }
    }
    for (size_t i = 0; i < n; i++)
        *symbols[i].address = dlsym(library, symbols[i].name);
    return true;
}
