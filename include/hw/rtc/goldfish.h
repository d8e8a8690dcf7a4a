/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Setting the real-time clock from the command line.
 */
#ifndef HW_RTC_GOLDFISH_H
#define HW_RTC_GOLDFISH_H

#include "hw/core/device.h"

/* The options of -rtc for a device of type goldfish_rtc: base=utc, base=localtime or
 * base=YYYY-MM-DD[Thh:mm:ss] sets its time now; clock=host, rt or vm chooses what it runs with
 * (vm stands still while the guest is stopped). False with a sentence. Lock. */
bool goldfish_set(Device *dev, const char *options, GError **err);

#endif
