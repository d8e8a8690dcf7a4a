/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conversion of pixels with pixman (contract in internal.h).
 */
#include "config-host.h"
#include "internal.h"

#include "util/error.h"

#ifdef CONFIG_PIXMAN
#include <pixman.h>

#include "util/library.h"

#define PIXELS_LIBRARY "libpixman-1.so.0"

static struct {
    typeof(pixman_image_create_bits) *create;
    typeof(pixman_image_composite32) *composite;
    typeof(pixman_image_unref) *unref;
} pixels_api; /* process-wide: functions of the library, set once under the machine lock */

bool pixels_prepare(GError **err)
{
    static const LibrarySymbol symbols[] = {
        { "pixman_image_create_bits", (void **)&pixels_api.create },
        { "pixman_image_composite32", (void **)&pixels_api.composite },
        { "pixman_image_unref", (void **)&pixels_api.unref },
    };

    return pixels_api.create || library_load(PIXELS_LIBRARY, symbols, G_N_ELEMENTS(symbols), err);
}

/* The format whose pixels are 32-bit numbers of a byte order. */
static pixman_format_code_t pixels_format(bool big_endian)
{
    return big_endian == (G_BYTE_ORDER == G_BIG_ENDIAN) ? PIXMAN_x8r8g8b8 : PIXMAN_b8g8r8x8;
}

bool pixels_convert(const DisplayMode *mode, uint8_t *to, uint32_t stride, bool rgb24,
                    uint32_t first, uint32_t rows, GError **err)
{
    int width = (int)mode->width, height = (int)rows;
    pixman_image_t *source, *target;
    bool done;

    if (!pixels_prepare(err))
        return false;
    source = pixels_api.create(
        pixels_format(mode->big_endian), width, height,
        (uint32_t *)(void *)(mode->ram->host + mode->offset + (uint64_t)first * mode->stride),
        (int)mode->stride);
    target = pixels_api.create(!rgb24                         ? PIXMAN_x8r8g8b8
                               : G_BYTE_ORDER == G_BIG_ENDIAN ? PIXMAN_r8g8b8
                                                              : PIXMAN_b8g8r8,
                               width, height, (uint32_t *)(void *)(to + (uint64_t)first * stride),
                               (int)stride);
    done = source && target;
    if (done)
        pixels_api.composite(PIXMAN_OP_SRC, source, NULL, target, 0, 0, 0, 0, 0, 0, width, height);
    if (source)
        pixels_api.unref(source);
    if (target)
        pixels_api.unref(target);
    return done || error_set(err, ERROR_HOST, "no memory to convert a picture of %d x %d pixels",
                             width, height);
}
#else
bool pixels_prepare(GError **err)
{
    return error_set(err, ERROR_HOST,
                     "this build cannot show displays: it was configured without pixman");
}

bool pixels_convert(const DisplayMode *mode, uint8_t *to, uint32_t stride, bool rgb24,
                    uint32_t first, uint32_t rows, GError **err)
{
    return pixels_prepare(err);
}
#endif
