/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Throttling of the guest (interface: throttle_internal.h).
 */
#include "migration/throttle_internal.h"

#include "hw/core/cpu.h"

#define MAX_HOLD_MS 1000

/* End a slice or a hold. A slice lasts until the main loop calls this function, which may be late.
 * The hold after the slice is proportional to its actual duration. */
static gboolean throttle_turn(gpointer opaque)
{
    Throttle *t = opaque;
    int64_t now = g_get_monotonic_time(), ran = MAX(now - t->since, THROTTLE_SLICE_MS * 1000);
    unsigned ms = THROTTLE_SLICE_MS;

    if (t->held) {
        cpus_release(t->machine);
    } else {
        cpus_hold(t->machine);
        ms = CLAMP(ran * t->percent / (100 - t->percent) / 1000, 1, MAX_HOLD_MS);
    }
    t->held = !t->held;
    t->since = now;
    t->timer = g_timeout_add(ms, throttle_turn, t);
    return G_SOURCE_REMOVE;
}

void throttle_set(Throttle *t, unsigned percent)
{
    t->percent = MIN(percent, 99);
    if (percent && !t->timer) {
        t->since = g_get_monotonic_time();
        throttle_turn(t);
    } else if (!percent && t->timer) {
        g_source_remove(t->timer);
        t->timer = 0;
        if (t->held) {
            cpus_release(t->machine);
        }
        t->held = false;
    }
}
