/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Displays: the outputs of display adapters, from which screendump and display servers read.
 *
 * An adapter embeds one Display per output and keeps the picture in a RAM block. Nothing is loaded
 * or allocated for a display before a picture is read.
 *
 * Every function requires the machine lock.
 */
#ifndef HW_CORE_DISPLAY_H
#define HW_CORE_DISPLAY_H

#include "hw/core/device.h"

enum {
    DISPLAY_MAX_SIZE = 16384, /* pixels in each direction that a mode may have */
    /* size of the black picture of an output without a mode */
    DISPLAY_BLANK_WIDTH = 640,
    DISPLAY_BLANK_HEIGHT = 480,
};

/* The picture of an output: rows of 32-bit pixels with the bits 23-16 red, 15-8 green, 7-0 blue. */
typedef struct DisplayMode {
    uint32_t width, height; /* pixels, 1 to DISPLAY_MAX_SIZE */
    uint32_t stride;        /* bytes from one row to the next, a multiple of 4 */
    bool big_endian;        /* byte order of the pixels */
    RamBlock *ram;          /* contains all rows; belongs to the adapter */
    uint64_t offset;        /* of the first row in @ram */
} DisplayMode;

typedef struct Display {
    Device *dev;
    unsigned head; /* number of the output of the adapter, from 0 */
    /* Describe the current picture in *out. False: the guest has set no mode that can be shown. */
    bool (*mode)(void *dev, DisplayMode *out);
} Display;

/* Register an output, which stays valid until display_remove(). */
void display_add(Display *d);
/* Safe for an output that is not registered. */
void display_remove(Display *d);
/* The first output of the machine; NULL: none. */
Display *display_first(const Machine *m);

/**
 * display_find() - Find an output.
 * @device: id or path of the adapter; NULL: the first output of the machine
 * @head:   number of the output of @device
 * @err:    an ERROR_USER that lists the displays
 *
 * Return: the output, or NULL with an error.
 */
Display *display_find(Machine *m, const char *device, unsigned head, GError **err);

#endif
