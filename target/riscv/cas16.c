/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A compare-and-swap of 16 bytes, for amocas.q. On x86-64 it requires cmpxchg16b, which every host
 * since 2008 has; only this file is compiled for it.
 */
#include <string.h>

#include "target/riscv/hart_internal.h"

typedef unsigned __int128 Cas16;

bool rv_compare_swap_16(void *p, uint64_t old[2], const uint64_t src[2])
{
    Cas16 expected, desired, found;

    memcpy(&expected, old, sizeof(expected));
    memcpy(&desired, src, sizeof(desired));
    found = __sync_val_compare_and_swap((Cas16 *)p, expected, desired);
    memcpy(old, &found, sizeof(found));
    return found == expected;
}
