/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupt pins (contract in hw/core/irq.h).
 */
#include "hw/core/irq.h"

#include "util/trace.h"

void irq_init(IrqPin *pins, unsigned count, IrqFn *fn, void *opaque)
{
    for (unsigned i = 0; i < count; i++) {
        pins[i] = (IrqPin){ .fn = fn, .opaque = opaque, .n = i };
    }
}

void irq_set(IrqPin *pin, bool level)
{
    if (!pin || pin->level == level) {
        return;
    }
    pin->level = level;
    trace(TRACE_DEVICE_IRQ, "input %u = %d", pin->n, level);
    if (pin->watch) {
        pin->watch(pin->watch_opaque, pin->n, level);
    }
    if (pin->fn) {
        pin->fn(pin->opaque, pin->n, level);
    }
}
