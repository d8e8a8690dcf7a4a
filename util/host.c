/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host process (contract in util/host.h).
 */
#include "util/host.h"

#include <glib.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool host_can_open(unsigned n)
{
    int fds[8] = { 0 };
    unsigned got = 0;

    n = MIN(n, G_N_ELEMENTS(fds));
    while (got < n && (fds[got] = eventfd(0, EFD_CLOEXEC)) >= 0) {
        got++;
    }
    for (unsigned i = 0; i < got; i++) {
        close(fds[i]);
    }
    return got == n;
}

bool host_in_main_loop(void)
{
    return g_main_context_is_owner(g_main_context_default());
}
