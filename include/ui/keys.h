/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys: their names and numbers, and presses with a duration.
 */
#ifndef UI_KEYS_H
#define UI_KEYS_H

#include "hw/core/keyboard.h"

enum {
    KEYS_MAX_CHORD = 16,    /* keys that are pressed together */
    KEYS_MAX_WAITING = 256, /* presses that wait for an earlier one */
    KEYS_DEFAULT_HOLD_MS = 100,
    KEYS_MAX_HOLD_MS = 60000,
};

/* Return the code of a key (KEY_* of linux/input.h) by its name in QMP; -1: unknown. Any thread. */
int key_from_name(const char *name);
/* Return the code of a key by its scan code of an AT keyboard, set 1, with bit 7 instead of E0h;
 * -1: unknown. Any thread. */
int key_from_number(int64_t number);

/**
 * keys_press() - Press keys together, in order, and release them in reverse order.
 * @codes:   @n codes, 1 to KEYS_MAX_CHORD
 * @hold_ms: guest time between press and release, 1 to KEYS_MAX_HOLD_MS
 * @err:     an ERROR_USER if the guest does not run, the machine has no keyboard, or
 *           KEYS_MAX_WAITING presses wait
 *
 * A press waits until earlier ones are released. When the machine stops, the keys are released, and
 * presses that wait are dropped. Machine lock.
 */
bool keys_press(Machine *m, const uint16_t *codes, size_t n, unsigned hold_ms, GError **err);
/* Drop all presses, without events, and free the queue. Machine lock. */
void keys_free(Machine *m);

#endif
