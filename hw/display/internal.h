/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * EDID of the monitor that display adapters report (VESA E-EDID, release A, revision 2).
 */
#ifndef HW_DISPLAY_INTERNAL_H
#define HW_DISPLAY_INTERNAL_H

#include <stdint.h>

enum {
    EDID_SIZE = 128,
    EDID_MAX_PIXELS = 4095, /* a detailed timing has 12 bits for the size */
    EDID_DEFAULT_WIDTH = 1280,
    EDID_DEFAULT_HEIGHT = 800,
    EDID_DEFAULT_RATE = 75000,
};

typedef struct EdidMonitor {
    uint32_t width, height;         /* preferred mode, pixels, 1 to EDID_MAX_PIXELS */
    uint32_t max_width, max_height; /* larger modes are not offered; 0: no limit */
    uint32_t rate;                  /* refresh rate in mHz, 1 to 1000000 */
} EdidMonitor;

/* Write the EDID of a monitor to @edid. Any thread. */
void edid_build(const EdidMonitor *monitor, uint8_t edid[EDID_SIZE]);

#endif
