/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Presses of keys with a duration (contract in ui/keys.h).
 */
#include <string.h>

#include "hw/core/clock.h"
#include "ui/keys.h"
#include "util/error.h"

typedef struct KeyChord {
    uint16_t codes[KEYS_MAX_CHORD];
    uint8_t n;
    unsigned hold_ms;
} KeyChord;

/* m->key_queue: the first chord is pressed while the timer is armed. */
typedef struct KeyQueue {
    Machine *m;
    GQueue chords; /* KeyChord * */
    Timer timer;
} KeyQueue;

static void keys_begin(KeyQueue *q)
{
    const KeyChord *c = g_queue_peek_head(&q->chords);

    if (!c)
        return;
    for (unsigned i = 0; i < c->n; i++)
        keyboard_report(q->m, c->codes[i], true);
    timer_arm_ns(&q->timer, c->hold_ms * UINT64_C(1000000));
}

static void keys_release(void *opaque)
{
    KeyQueue *q = opaque;
    g_autofree KeyChord *c = g_queue_pop_head(&q->chords);

    timer_cancel(&q->timer);
    for (unsigned i = c ? c->n : 0; i-- > 0;)
        keyboard_report(q->m, c->codes[i], false);
    keys_begin(q);
}

static void keys_clear(KeyQueue *q)
{
    timer_cancel(&q->timer);
    g_queue_clear_full(&q->chords, g_free);
}

/* Release the keys before the machine stops, because the queue is not migrated. */
static void keys_run_state(void *opaque, bool running, RunState state)
{
    KeyQueue *q = opaque;
    g_autofree KeyChord *pressed = running ? NULL : g_queue_pop_head(&q->chords);

    if (!pressed)
        return;
    keys_clear(q);
    g_queue_push_head(&q->chords, g_steal_pointer(&pressed));
    keys_release(q);
}

static KeyQueue *keys_queue(Machine *m)
{
    if (!m->key_queue) {
        m->key_queue = g_new0(KeyQueue, 1);
        m->key_queue->m = m;
        g_queue_init(&m->key_queue->chords);
        timer_setup_plain(&m->key_queue->timer, m, CLOCK_KIND_VIRTUAL, keys_release, m->key_queue);
        machine_add_run_fn(m, keys_run_state, m->key_queue);
    }
    return m->key_queue;
}

bool keys_press(Machine *m, const uint16_t *codes, size_t n, unsigned hold_ms, GError **err)
{
    KeyChord *c;
    KeyQueue *q;

    if (!keyboard_ready(m, err))
        return false;
    q = keys_queue(m);
    if (g_queue_get_length(&q->chords) > KEYS_MAX_WAITING)
        return error_set(err, ERROR_USER, "%d presses of keys wait already; send this one later",
                         KEYS_MAX_WAITING);
    c = g_new0(KeyChord, 1);
    c->n = (uint8_t)MIN(n, KEYS_MAX_CHORD);
    c->hold_ms = hold_ms;
    memcpy(c->codes, codes, c->n * sizeof(codes[0]));
    g_queue_push_tail(&q->chords, c);
    if (g_queue_get_length(&q->chords) == 1)
        keys_begin(q);
    return true;
}

void keys_free(Machine *m)
{
    KeyQueue *q = m->key_queue;

    if (!q)
        return;
    machine_remove_run_fn(m, keys_run_state, q);
    keys_clear(q);
    g_free(q);
    m->key_queue = NULL;
}
