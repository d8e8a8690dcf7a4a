/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power buttons: devices that ask the guest to shut down (system_powerdown).
 *
 * Every function requires the machine lock.
 */
#ifndef HW_CORE_POWER_BUTTON_H
#define HW_CORE_POWER_BUTTON_H

#include "hw/core/machine.h"

/* Register a function that presses and releases a button of a device. Undone by
 * power_button_remove() with the same arguments. */
void power_button_add(Machine *m, void (*press)(void *opaque), void *opaque);
/* Safe for a button that is not registered. */
void power_button_remove(Machine *m, void (*press)(void *opaque), void *opaque);
/* Emit POWERDOWN and press every button. Return false with an error if the machine does not run. */
bool power_button_press(Machine *m, GError **err);

#endif
