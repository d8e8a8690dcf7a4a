/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bottom halves (contract in hw/core/bottom_half.h): one queue and one event source for each event
 * loop.
 */
#include "hw/core/bottom_half.h"

enum { DISPATCH_US = 1000 };

typedef struct BottomHalves BottomHalves;
struct BottomHalves {
    BottomHalves *next; /* of the machine */
    Machine *machine;
    GMainContext *context; /* NULL: the main loop */
    GQueue queue;          /* of BottomHalf.link */
    unsigned round;
    GSource *source;
};

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

static void bottom_half_wake_context(void *opaque)
{
    g_main_context_wakeup(opaque);
    g_main_context_unref(opaque);
}

/* Wake the loop. A CPU thread that holds the lock releases it first. */
static void bottom_half_wake(const BottomHalves *set)
{
    GMainContext *context = set->context ? set->context : g_main_context_default();

    if (g_main_context_is_owner(context)) {
        return;
    }
    if (machine_locked(set->machine)) {
        machine_when_unlocked(set->machine, bottom_half_wake_context, g_main_context_ref(context));
    } else {
        g_main_context_wakeup(context);
    }
}

static void bottom_half_run_changed(void *opaque, bool running, RunState state)
{
    if (running) {
        bottom_half_wake(opaque);
    }
}

static BottomHalves *bottom_half_new(Machine *m, GMainContext *context)
{
    static GSourceFuncs funcs = { bottom_half_source_prepare,
                                  bottom_half_source_check,
                                  bottom_half_source_dispatch,
                                  NULL,
                                  NULL,
                                  NULL };
    BottomHalves *set = g_new0(BottomHalves, 1);

    set->machine = m;
    set->context = context;
    g_queue_init(&set->queue);
    set->source = g_source_new(&funcs, sizeof(BottomHalfSource));
    ((BottomHalfSource *)set->source)->set = set;
    g_source_attach(set->source, context);
    if (context) { /* the main loop starts the machine itself */
        machine_add_run_fn(m, bottom_half_run_changed, set);
    }
    return set;
}

/* The place of the set in the list of the machine; contains NULL if there is none. */
static BottomHalves **bottom_half_find(Machine *m, const GMainContext *context)
{
    BottomHalves **at = &m->bottom_halves;

    while (*at && (*at)->context != context) {
        at = &(*at)->next;
    }
    return at;
}

static void bottom_half_free_first(BottomHalves **at)
{
    BottomHalves *set = *at;

    *at = set->next;
    if (set->context) {
        machine_remove_run_fn(set->machine, bottom_half_run_changed, set);
    }
    g_source_destroy(set->source);
    g_source_unref(set->source);
    g_free(set);
}

void bottom_halves_free(Machine *m)
{
    while (m->bottom_halves) {
        bottom_half_free_first(&m->bottom_halves);
    }
}

void bottom_halves_free_context(Machine *m, const GMainContext *context)
{
    BottomHalves **at = bottom_half_find(m, context);

    if (*at) {
        bottom_half_free_first(at);
    }
}

void bottom_half_setup(BottomHalf *b, GMainContext *context, Device *owner, void (*fn)(void *arg),
                       void *arg)
{
    BottomHalves **at = bottom_half_find(owner->machine, context);

    if (!*at) {
        *at = bottom_half_new(owner->machine, context);
    }
    *b = (BottomHalf){ .set = *at, .owner = owner, .fn = fn, .arg = arg, .link = { .data = b } };
}

void bottom_half_schedule(BottomHalf *b)
{
    BottomHalves *set = b->set;

    if (b->scheduled) {
        return;
    }
    b->scheduled = true;
    g_queue_push_tail_link(&set->queue, &b->link);
    if (set->queue.length == 1) {
        bottom_half_wake(set);
    }
}

void bottom_half_cancel(BottomHalf *b)
{
    if (b->scheduled) {
        g_queue_unlink(&b->set->queue, &b->link);
        b->scheduled = false;
    }
}

bool bottom_halves_run(Machine *m)
{
    BottomHalves *set = *bottom_half_find(m, NULL);
    bool any = set && bottom_half_runnable(set);

    if (any) {
        bottom_half_run_until(set, G_MAXINT64);
    }
    return any;
}

unsigned bottom_half_round(const BottomHalf *b)
{
    return b->set->round;
}
