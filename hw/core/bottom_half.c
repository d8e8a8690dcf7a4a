/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bottom halves (contract in hw/core/bottom_half.h): one queue and one event source per machine.
 */
#include "hw/core/bottom_half.h"

enum { DISPATCH_US = 1000 };

typedef struct BottomHalves {
    Machine *machine;
    GQueue queue; /* of BottomHalf.link */
    unsigned round;
    GSource *source;
} BottomHalves;

typedef struct BottomHalfSource {
    GSource base;
    BottomHalves *set;
} BottomHalfSource;

static bool bottom_half_runnable(const BottomHalves *set)
{
    return set->queue.length > 0 && machine_active(set->machine);
}

/* Call a bottom half. If its owner is on the call stack (a nested turn of the main loop), it is
 * called at a later turn. */
static void bottom_half_run_one(BottomHalf *b)
{
    Device *owner = b->owner;

    if (owner->busy) {
        bottom_half_schedule(b);
        return;
    }
    if (owner->hidden || !device_enter(owner)) {
        return;
    }
    device_pin_any(owner);
    b->fn(b->arg);
    device_leave(owner);
    device_unpin_any(owner);
}

/* Call the bottom halves that are scheduled at the start, each at most once, until the monotonic
 * time `end`. One that schedules itself again is therefore not called twice before another. */
static void bottom_half_run_until(BottomHalves *set, gint64 end)
{
    for (unsigned n = set->queue.length; n > 0 && bottom_half_runnable(set); n--) {
        BottomHalf *b = g_queue_pop_head_link(&set->queue)->data;

        b->scheduled = false;
        bottom_half_run_one(b);
        if (end != G_MAXINT64 && g_get_monotonic_time() >= end) {
            break;
        }
    }
}

static gboolean bottom_half_source_dispatch(GSource *source, GSourceFunc fn, gpointer data)
{
    bottom_half_run_until(((BottomHalfSource *)source)->set, g_get_monotonic_time() + DISPATCH_US);
    return G_SOURCE_CONTINUE;
}

static gboolean bottom_half_source_prepare(GSource *source, gint *timeout)
{
    BottomHalves *set = ((BottomHalfSource *)source)->set;

    set->round++;
    *timeout = -1;
    return bottom_half_runnable(set);
}

static gboolean bottom_half_source_check(GSource *source)
{
    return bottom_half_runnable(((BottomHalfSource *)source)->set);
}

static BottomHalves *bottom_half_set(Machine *m)
{
    static GSourceFuncs funcs = { bottom_half_source_prepare,
                                  bottom_half_source_check,
                                  bottom_half_source_dispatch,
                                  NULL,
                                  NULL,
                                  NULL };
    BottomHalves *set = m->bottom_halves;

    if (!set) {
        set = m->bottom_halves = g_new0(BottomHalves, 1);
        set->machine = m;
        g_queue_init(&set->queue);
        set->source = g_source_new(&funcs, sizeof(BottomHalfSource));
        ((BottomHalfSource *)set->source)->set = set;
        g_source_attach(set->source, NULL);
    }
    return set;
}

void bottom_halves_free(Machine *m)
{
    BottomHalves *set = m->bottom_halves;

    if (set) {
        g_source_destroy(set->source);
        g_source_unref(set->source);
        g_free(set);
        m->bottom_halves = NULL;
    }
}

void bottom_half_setup(BottomHalf *b, Device *owner, void (*fn)(void *arg), void *arg)
{
    *b = (BottomHalf){ .owner = owner, .fn = fn, .arg = arg, .link = { .data = b } };
    bottom_half_set(owner->machine);
}

void bottom_half_schedule(BottomHalf *b)
{
    BottomHalves *set = bottom_half_set(b->owner->machine);

    if (b->scheduled) {
        return;
    }
    b->scheduled = true;
    g_queue_push_tail_link(&set->queue, &b->link);
    if (set->queue.length == 1 && !g_main_context_is_owner(NULL)) {
        g_main_context_wakeup(NULL);
    }
}

void bottom_half_cancel(BottomHalf *b)
{
    if (b->scheduled) {
        g_queue_unlink(&bottom_half_set(b->owner->machine)->queue, &b->link);
        b->scheduled = false;
    }
}

bool bottom_halves_run(Machine *m)
{
    BottomHalves *set = bottom_half_set(m);
    bool any = bottom_half_runnable(set);

    bottom_half_run_until(set, G_MAXINT64);
    return any;
}

unsigned bottom_half_round(Machine *m)
{
    return bottom_half_set(m)->round;
}
