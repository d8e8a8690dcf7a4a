/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pictures of displays, and their files (contract in ui/picture.h).
 */
#include "ui/picture.h"

#include <string.h>

#include "config-host.h"
#include "internal.h"
#include "util/error.h"

#ifdef CONFIG_PNG
#include <png.h>

#include "util/library.h"
#endif

enum { PICTURE_PIXEL = 3 };

bool picture_capture(const Display *d, Picture *p, GError **err)
{
    DisplayMode mode = { .width = DISPLAY_BLANK_WIDTH, .height = DISPLAY_BLANK_HEIGHT };
    bool shown = d->mode(d->dev, &mode);
    uint32_t row = mode.width * PICTURE_PIXEL, stride = (row + 3) & ~3u;
    uint8_t *rgb = g_try_malloc0_n(mode.height, stride);

    if (!rgb)
        return error_set(err, ERROR_HOST, "no memory for a picture of %u x %u pixels", mode.width,
                         mode.height);
    if (shown && !pixels_convert(&mode, rgb, stride, true, 0, mode.height, err)) {
        g_free(rgb);
        return false;
    }
    for (uint32_t y = 1; y < mode.height && stride != row; y++)
        memmove(rgb + (size_t)y * row, rgb + (size_t)y * stride, row);
    *p = (Picture){ .width = mode.width, .height = mode.height, .rgb = rgb };
    return true;
}

void picture_clear(Picture *p)
{
    g_clear_pointer(&p->rgb, g_free);
}

static bool picture_no_memory(GError **err)
{
    return error_set(err, ERROR_HOST, "no memory to encode a picture");
}

static bool picture_encode_ppm(const Picture *p, uint8_t **file, size_t *len, GError **err)
{
    g_autofree char *head = g_strdup_printf("P6\n%u %u\n255\n", p->width, p->height);
    size_t head_len = strlen(head), pixels = (size_t)p->width * p->height * PICTURE_PIXEL;

    *file = g_try_malloc(head_len + pixels);
    if (!*file)
        return picture_no_memory(err);
    memcpy(*file, head, head_len);
    memcpy(*file + head_len, p->rgb, pixels);
    *len = head_len + pixels;
    return true;
}

#ifdef CONFIG_PNG
typedef typeof(png_image_write_to_memory) *PictureWriteFn;

/* Return the function of libpng that encodes, or NULL with an error. */
static PictureWriteFn picture_png(GError **err)
{
    void *write = NULL;
    const LibrarySymbol symbol = { "png_image_write_to_memory", &write };

    /* A second call finds the loaded library. */
    return library_load("libpng16.so.16", &symbol, 1, err) ? (PictureWriteFn)write : NULL;
}

static bool picture_encode_png(const Picture *p, uint8_t **file, size_t *len, GError **err)
{
    PictureWriteFn write = picture_png(err);
    png_image image = { .version = PNG_IMAGE_VERSION,
                        .width = p->width,
                        .height = p->height,
                        .format = PNG_FORMAT_RGB };

    if (!write)
        return false;
    *len = PNG_IMAGE_PNG_SIZE_MAX(image);
    *file = g_try_malloc(*len);
    if (!*file)
        return picture_no_memory(err);
    if (write(&image, *file, len, 0, p->rgb, 0, NULL))
        return true;
    g_clear_pointer(file, g_free);
    return error_set(err, ERROR_HOST, "libpng: %s", image.message);
}
#endif

bool picture_format_check(PictureFormat format, GError **err)
{
#ifdef CONFIG_PNG
    return format != PICTURE_PNG || picture_png(err);
#else
    return format != PICTURE_PNG ||
           error_set(err, ERROR_USER, "this build was configured without libpng; use format=ppm");
#endif
}

bool picture_encode(const Picture *p, PictureFormat format, uint8_t **file, size_t *len,
                    GError **err)
{
#ifdef CONFIG_PNG
    if (format == PICTURE_PNG)
        return picture_encode_png(p, file, len, err);
#endif
    return picture_encode_ppm(p, file, len, err);
}
