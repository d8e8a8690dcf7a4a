/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For unit tests that link hw/core without the emulator's types: an empty registry, unless the test
 * defines FAKE_TYPES_OWN and provides a registry.
 */
#ifndef FAKE_TYPES_H
#define FAKE_TYPES_H

#include "hw/core/cpu.h"

#ifndef FAKE_TYPES_OWN
const DeviceType *const *const device_type_entries[] = { NULL };
const size_t n_device_types = 0;
#endif
const CpuType *const cpu_types[] = { NULL };

#endif
