/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keyboards: devices that report keys to the guest.
 *
 * Every function requires the machine lock.
 */
#ifndef HW_CORE_KEYBOARD_H
#define HW_CORE_KEYBOARD_H

#include "hw/core/machine.h"

/* Report that a key (KEY_* of linux/input.h) was pressed or released. False: the key is dropped,
 * because the guest has not received earlier ones yet. */
typedef bool KeyboardFn(void *opaque, uint16_t code, bool down);

/* Register a keyboard. Undone by keyboard_unregister() with the same arguments. */
void keyboard_register(Machine *m, KeyboardFn *fn, void *opaque);
/* Safe for a keyboard that is not registered. */
void keyboard_unregister(Machine *m, KeyboardFn *fn, void *opaque);
/* Return false with an ERROR_USER if the machine has no keyboard or the guest does not run. */
bool keyboard_ready(const Machine *m, GError **err);
/* Report a key on the first keyboard, if there is one. The caller checked keyboard_ready(), or is a
 * RunStateFn of a machine that stops. False: the key is dropped, and can be reported again later.
 */
bool keyboard_report(Machine *m, uint16_t code, bool down);

#endif
