/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt pins: a level, the handler of the controller, and one watcher (qtest interception).
 *
 * The controller owns its input pins; sources have pointers to them. A pin calls its handler only
 * when the level changes.
 *
 * Every function requires the machine lock.
 */
#ifndef HW_CORE_IRQ_H
#define HW_CORE_IRQ_H

#include <stdbool.h>
#include <stddef.h>

typedef void IrqFn(void *opaque, unsigned n, bool level);

typedef struct IrqPin {
    IrqFn *fn;
    void *opaque;
    unsigned n;
    bool level;
    IrqFn *watch; /* called before fn; NULL: none */
    void *watch_opaque;
} IrqPin;

/* Initialise `count` pins, numbered from 0, at low level. fn(opaque, n, level) handles changes. */
void irq_init(IrqPin *pins, unsigned count, IrqFn *fn, void *opaque);
/* Set the level of a pin. NULL is allowed: a pin that is not connected. */
void irq_set(IrqPin *pin, bool level);

#endif
