/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pointing devices: devices that report positions, movements and buttons to the guest.
 *
 * An absolute device has positions from 0 to POINTER_MAX on each axis of the display; a relative
 * one has movements. Events of one moment end with pointer_sync().
 *
 * Every function requires the machine lock.
 */
#ifndef HW_CORE_POINTER_H
#define HW_CORE_POINTER_H

#include "hw/core/machine.h"

enum { POINTER_MAX = 0x7fff };
typedef enum PointerAxis { POINTER_X, POINTER_Y, POINTER_WHEEL, POINTER_AXES } PointerAxis;
typedef enum PointerButton {
    POINTER_LEFT,
    POINTER_RIGHT,
    POINTER_MIDDLE,
    POINTER_SIDE,
    POINTER_EXTRA,
    POINTER_BUTTONS
} PointerButton;

typedef struct PointerOps {
    bool absolute;
    /* A position of POINTER_X or POINTER_Y of an absolute device; otherwise a movement. The wheel
     * moves upwards if `value` is positive. */
    void (*move)(void *opaque, PointerAxis axis, int32_t value);
    void (*button)(void *opaque, PointerButton button, bool down);
    void (*sync)(void *opaque);
} PointerOps;

/* Register a pointing device. Undone by pointer_unregister() with the same arguments. */
void pointer_register(Machine *m, const PointerOps *ops, void *opaque);
/* Safe for a device that is not registered. */
void pointer_unregister(Machine *m, const PointerOps *ops, void *opaque);
/* Return whether the machine has a pointing device of a class. */
bool pointer_exists(const Machine *m, bool absolute);

/* Report events on the first device of the class, or for buttons, the wheel and pointer_sync() on
 * the first absolute device, or otherwise the first relative one. No effect without a device. The
 * guest runs. */
void pointer_move(Machine *m, bool absolute, PointerAxis axis, int32_t value);
void pointer_wheel(Machine *m, int32_t value);
void pointer_button(Machine *m, PointerButton button, bool down);
/* The events since the last call happened together. */
void pointer_sync(Machine *m);

#endif
