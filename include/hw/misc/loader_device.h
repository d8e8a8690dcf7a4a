/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device "loader": it has no registers. It adds an image, or up to eight bytes, to the memory
 * that the machine boots with, and can set the program counter of a hart. Board and system/ apply
 * its properties: system/ opens the file as a boot image, and the board loads the image, the bytes
 * and the program counter at power-on and at each reset.
 */
#ifndef HW_MISC_LOADER_DEVICE_H
#define HW_MISC_LOADER_DEVICE_H

#include "hw/core/sysdev.h"

#define LOADER_DEVICE_TYPE "loader"

typedef struct LoaderDevice {
    SysDevice sys;
    char *file; /* on this host; NULL: none, or the image is from a stream */
    uint64_t addr, data;
    uint8_t data_len; /* 0: no data */
    bool data_be, force_raw;
    uint32_t cpu_num; /* UINT32_MAX: the program counter is not set */
    uint8_t image;    /* n: the boot image BOOT_LOADER + n - 1; 0: none */
} LoaderDevice;

/* Return the loader that a device is, or NULL. */
const LoaderDevice *loader_device_of(const Device *dev);

#endif
