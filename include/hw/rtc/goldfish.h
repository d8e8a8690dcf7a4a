/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configuration of the real-time clock from the command line.
 */
#ifndef HW_RTC_GOLDFISH_H
#define HW_RTC_GOLDFISH_H

#include "hw/core/device.h"

/**
 * goldfish_set() - Apply the options of -rtc.
 * @dev:     a device of type goldfish_rtc
 * @options: base=utc, base=localtime or base=YYYY-MM-DD[Thh:mm:ss] sets the current time;
 * clock=host, rt or vm selects the clock (vm stops while the guest is stopped)
 *
 * Requires the machine lock.
 *
 * Return: false with an error that names the option if a value is invalid.
 */
bool goldfish_set(Device *dev, const char *options, GError **err);

#endif
