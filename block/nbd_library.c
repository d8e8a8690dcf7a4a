/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading libnbd with the first node that uses it.
 */
#include "nbd_library_internal.h"

#include "nbd_internal.h"
#include "util/library.h"

NbdApi nbd_api;

bool nbd_library_load(GError **err)
{
#define NBD_SYMBOL(name) { "nbd_" #name, (void **)&nbd_api.name },
    static const LibrarySymbol symbols[] = { NBD_FUNCTIONS(NBD_SYMBOL) };
#undef NBD_SYMBOL

    return nbd_api.create || library_load("libnbd.so.0", symbols, G_N_ELEMENTS(symbols), err);
}
