/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slowing the guest down (contract in throttle.h).
 */
#include "migration/throttle.h"

#include "hw/core/cpu.h"

static gboolean turn(gpointer opaque)
{
    Throttle *t = opaque;
    unsigned ms = THROTTLE_SLICE_MS;

    if (t->held) {
        cpus_release(t->machine);
    } else {
        cpus_hold(t->machine);
        ms = MAX(1, THROTTLE_SLICE_MS * t->percent / (100 - t->percent));
    }
    t->held = !t->held;
    t->timer = g_timeout_add(ms, turn, t);
    return G_SOURCE_REMOVE;
}

void throttle_set(Throttle *t, unsigned percent)
{
    t->percent = MIN(percent, 99);
    if (percent && !t->timer) {
        turn(t);
    } else if (!percent && t->timer) {
        g_source_remove(t->timer);
        t->timer = 0;
        if (t->held) {
            cpus_release(t->machine);
        }
        t->held = false;
    }
}
