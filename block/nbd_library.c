/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading libnbd with the first node that uses it.
 */
#include "nbd_library_internal.h"

#include "nbd_internal.h"
#include "util/library.h"

#define NBD_LIBRARY "libnbd.so.0"

NbdApi nbd_api;

bool nbd_library_load(GError **err)
{
#define NBD_SYMBOL(name) { "nbd_" #name, (void **)&nbd_api.name },
    static const LibrarySymbol symbols[] = { NBD_FUNCTIONS(NBD_SYMBOL) };
#undef NBD_SYMBOL

    static const LibrarySymbol hostname = { "nbd_set_tls_hostname",
                                            (void **)&nbd_api.set_tls_hostname };

    if (nbd_api.create) {
        return true;
    }
    library_load(NBD_LIBRARY, &hostname, 1, NULL);
    return library_load(NBD_LIBRARY, symbols, G_N_ELEMENTS(symbols), err);
}

bool nbd_library_checks_names(void)
{
    return nbd_api.set_tls_hostname != NULL;
}
