/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt pins: a level, the controller's handler, and one watcher (qtest interception).
 *
 * The controller owns its input pins; sources keep pointers. A pin calls its handler only when
 * the level changes. Machine lock throughout.
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
    IrqFn *watch; /* called before fn; NULL when nobody watches */
    void *watch_opaque;
} IrqPin;

/* Initialise count pins, numbered from 0, all low. */
void irq_init(IrqPin *pins, unsigned count, IrqFn *fn, void *opaque);
/* Drive the pin; pin may be NULL (not connected). */
void irq_set(IrqPin *pin, bool level);

#endif
