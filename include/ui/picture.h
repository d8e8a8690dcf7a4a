/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pictures: the contents of a display as pixels of the host, and picture files.
 *
 * pixman and libpng are loaded by the first function that uses them.
 */
#ifndef UI_PICTURE_H
#define UI_PICTURE_H

#include "hw/core/display.h"

typedef enum PictureFormat { PICTURE_PPM, PICTURE_PNG, PICTURE_FORMATS } PictureFormat;

/* Rows of pixels without gaps, three bytes each: red, green, blue. */
typedef struct Picture {
    uint32_t width, height;
    uint8_t *rgb;
} Picture;

/**
 * picture_capture() - Copy the contents of a display.
 * @p:   receives the picture, which picture_clear() frees; black for a display without a mode
 * @err: an ERROR_HOST if pixman or memory is not available
 *
 * The guest may write while its pixels are read. Machine lock.
 */
bool picture_capture(const Display *d, Picture *p, GError **err);
/* Free the pixels. Any thread. */
void picture_clear(Picture *p);

/**
 * picture_encode() - Encode a picture as a file.
 * @file: receives the bytes, to free with g_free()
 * @len:  receives their number
 * @err:  an ERROR_HOST if libpng or memory is not available
 *
 * Any thread, without the machine lock, because compressing is slow.
 */
bool picture_encode(const Picture *p, PictureFormat format, uint8_t **file, size_t *len,
                    GError **err);

/* Return false with an error if this build or host cannot encode the format. Any thread. */
bool picture_format_check(PictureFormat format, GError **err);

#endif
