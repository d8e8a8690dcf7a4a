/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions of pixman, which is loaded on first use.
 */
#ifndef UI_INTERNAL_H
#define UI_INTERNAL_H

#include "hw/core/display.h"

/* Load pixman. False with an ERROR_HOST if it is not available. Machine lock. */
bool pixels_prepare(GError **err);

/**
 * pixels_convert() - Convert rows of a display.
 * @mode:   picture of the display
 * @to:     @mode->height rows
 * @stride: bytes from one row of @to to the next, a multiple of 4
 * @rgb24:  write bytes red, green, blue; otherwise 32-bit pixels of the host's byte order
 * @first:  first row to convert
 * @rows:   number of rows, within the picture
 * @err:    an ERROR_HOST if pixman is not available
 *
 * Machine lock.
 */
bool pixels_convert(const DisplayMode *mode, uint8_t *to, uint32_t stride, bool rgb24,
                    uint32_t first, uint32_t rows, GError **err);

#endif
