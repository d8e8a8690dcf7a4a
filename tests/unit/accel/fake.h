/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine with RAM and CPUs of a type that only counts, for tests of accel/.
 */
#ifndef TESTS_UNIT_ACCEL_FAKE_H
#define TESTS_UNIT_ACCEL_FAKE_H

#include <glib.h>

#include "accel/blockcache.h"
#include "hw/core/clock.h"

const DeviceType *const *const device_type_entries[] = { NULL };
const size_t n_device_types = 0;
const CpuType *const cpu_types[] = { NULL };

#endif
