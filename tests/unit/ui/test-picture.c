/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pictures: pixels of both byte orders, rows with a stride and a size that is not a multiple of
 * four, and files.
 */
#include <string.h>

#include "config-host.h"
#include "ui/picture.h"

enum { WIDTH = 65, HEIGHT = 3, STRIDE = 70 * 4, OFFSET = 4096 };

typedef struct Adapter {
    Device dev; /* the argument of mode() */
    DisplayMode mode;
} Adapter;

static bool adapter_mode(void *dev, DisplayMode *out)
{
    const Adapter *a = dev;

    if (!a->mode.ram)
        return false;
    *out = a->mode;
    return true;
}

/* Colour of a pixel: red, green, blue. */
static void colour_of(unsigned x, unsigned y, uint8_t rgb[3])
{
    rgb[0] = (uint8_t)(x * 3 + 1);
    rgb[1] = (uint8_t)(y * 80 + 2);
    rgb[2] = (uint8_t)(x ^ 0xa5);
}

static void draw(Adapter *a, bool big_endian)
{
    a->mode = (DisplayMode){ .width = WIDTH,
                             .height = HEIGHT,
                             .stride = STRIDE,
                             .big_endian = big_endian,
                             .offset = OFFSET,
                             .ram = ram_block_new("vram", 16384, &(RamSource){ 0 }, NULL) };
    g_assert_nonnull(a->mode.ram);
    for (unsigned y = 0; y < HEIGHT; y++) {
        for (unsigned x = 0; x < WIDTH; x++) {
            uint8_t rgb[3], *to = a->mode.ram->host + OFFSET + y * STRIDE + x * 4;

            colour_of(x, y, rgb);
            to[big_endian ? 0 : 3] = 0xff; /* ignored */
            to[big_endian ? 1 : 2] = rgb[0];
            to[big_endian ? 2 : 1] = rgb[1];
            to[big_endian ? 3 : 0] = rgb[2];
        }
    }
}

static void test_pixels(gconstpointer big_endian)
{
    g_autoptr(GError) err = NULL;
    Adapter a = { 0 };
    Display d = { .dev = &a.dev, .mode = adapter_mode };
    Picture p;

    draw(&a, GPOINTER_TO_INT(big_endian));
    g_assert_true(picture_capture(&d, &p, &err));
    g_assert_no_error(err);
    g_assert_cmpuint(p.width, ==, WIDTH);
    g_assert_cmpuint(p.height, ==, HEIGHT);
    for (unsigned y = 0; y < HEIGHT; y++) {
        for (unsigned x = 0; x < WIDTH; x++) {
            uint8_t rgb[3];

            colour_of(x, y, rgb);
            g_assert_cmpmem(p.rgb + (y * WIDTH + x) * 3, 3, rgb, 3);
        }
    }
    picture_clear(&p);
    ram_block_free(a.mode.ram);
}

static void test_blank(void)
{
    static const char head[] = "P6\n640 480\n255\n";
    g_autofree uint8_t *file = NULL;
    g_autoptr(GError) err = NULL;
    Adapter a = { 0 };
    Display d = { .dev = &a.dev, .mode = adapter_mode };
    size_t len, head_len = strlen(head);
    Picture p;

    g_assert_true(picture_capture(&d, &p, &err));
    g_assert_true(picture_encode(&p, PICTURE_PPM, &file, &len, &err));
    g_assert_no_error(err);
    g_assert_cmpuint(len, ==, head_len + 640 * 480 * 3);
    g_assert_cmpmem(file, head_len, head, head_len);
    for (size_t i = head_len; i < len; i++)
        g_assert_cmphex(file[i], ==, 0);
    picture_clear(&p);
}

static void test_png(void)
{
    g_autofree uint8_t *file = NULL;
    g_autoptr(GError) err = NULL;
    uint8_t pixels[3 * 4] = { 0 };
    Picture p = { .width = 2, .height = 2, .rgb = pixels };
    size_t len = 0;

#ifdef CONFIG_PNG
    g_assert_true(picture_format_check(PICTURE_PNG, &err));
    g_assert_true(picture_encode(&p, PICTURE_PNG, &file, &len, &err));
    g_assert_no_error(err);
    g_assert_cmpuint(len, >, 24);
    g_assert_cmpmem(file, 8, "\x89PNG\r\n\x1a\n", 8);
    g_assert_cmphex(file[19], ==, 2); /* the width */
#else
    g_assert_false(picture_format_check(PICTURE_PNG, &err));
    g_assert_nonnull(strstr(err->message, "format=ppm"));
#endif
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#ifdef CONFIG_PIXMAN
    g_test_add_data_func("/ui/picture/little-endian", GINT_TO_POINTER(false), test_pixels);
    g_test_add_data_func("/ui/picture/big-endian", GINT_TO_POINTER(true), test_pixels);
#endif
    g_test_add_func("/ui/picture/blank", test_blank);
    g_test_add_func("/ui/picture/png", test_png);
    return g_test_run();
}
