/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * EDID 1.4 of the monitor that display adapters report (contract in internal.h). The identity and
 * the shape of the timings are those of QEMU's monitor.
 */
#include "internal.h"

#include <glib.h>
#include <string.h>

enum {
    EDID_DPI = 100,
    EDID_PREFERRED = 0x36, /* the four descriptors of 18 bytes */
    EDID_RANGE = 0x48,
    EDID_NAME = 0x5a,
    EDID_DUMMY = 0x6c,
    EDID_ESTABLISHED = 0x23,
    EDID_STANDARD = 0x26,
    EDID_STANDARD_ROWS = 8,
};

/* The bytes that do not depend on the mode. */
static const uint8_t edid_head[] = {
    0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, /* header */
    0x49, 0x14, 0x34, 0x12, 0x00, 0x00, 0x00, 0x00, /* RHT, product 1234h, no serial number */
    42,   24,   1,    4,                            /* week 42 of 2014; version 1.4 */
    0xa5, 0,    0,    120,  0x06,                   /* digital, 8 bits; size; gamma 2.2; sRGB */
    0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54, /* chromaticities of sRGB */
};

/* Modes that the EDID offers besides the preferred one. */
static const struct {
    uint16_t width, height;
    uint8_t byte, bit; /* established timing: byte from EDID_ESTABLISHED; bit 8: standard timing */
    uint8_t aspect;    /* standard timing: 0: 16:10, 1: 4:3, 2: 5:4, 3: 16:9 */
} edid_modes[] = {
    { 640, 480, 0, 5, 0 },   { 800, 600, 0, 0, 0 },   { 1024, 768, 1, 3, 0 },
    { 2048, 1152, 0, 8, 3 }, { 1920, 1080, 0, 8, 3 }, { 1920, 1200, 0, 8, 0 },
    { 1600, 1200, 0, 8, 1 }, { 1680, 1050, 0, 8, 0 }, { 1440, 900, 0, 8, 0 },
    { 1280, 1024, 0, 8, 2 }, { 1280, 960, 0, 8, 1 },
};

static void edid_offer_modes(const EdidMonitor *m, uint8_t *edid)
{
    uint8_t *standard = edid + EDID_STANDARD;

    memset(standard, 0x01, 2 * EDID_STANDARD_ROWS); /* unused */
    for (size_t i = 0; i < G_N_ELEMENTS(edid_modes); i++) {
        uint16_t width = edid_modes[i].width, height = edid_modes[i].height;

        if ((m->max_width && width > m->max_width) || (m->max_height && height > m->max_height))
            continue;
        if (edid_modes[i].bit < 8) {
            edid[EDID_ESTABLISHED + edid_modes[i].byte] |= (uint8_t)(1u << edid_modes[i].bit);
            continue;
        }
        *standard++ = (uint8_t)(width / 8 - 31);
        *standard++ = (uint8_t)(edid_modes[i].aspect << 6); /* 60 Hz */
    }
}

/* Write the detailed timing of the preferred mode. */
static void edid_prefer(const EdidMonitor *m, uint32_t width_mm, uint32_t height_mm, uint8_t *d)
{
    uint32_t blank_x = m->width * 35 / 100, blank_y = MAX(m->height * 35 / 1000, 1);
    uint32_t front_x = m->width * 25 / 100, sync_x = MAX(m->width * 3 / 100, 1);
    uint32_t front_y = MAX(m->height * 5 / 1000, 1), sync_y = front_y;
    uint64_t pixels = (uint64_t)(m->width + blank_x) * (m->height + blank_y);
    uint64_t clock = MIN(pixels * m->rate / 1000 / 10000, UINT16_MAX); /* in 10 kHz */

    d[0] = (uint8_t)clock;
    d[1] = (uint8_t)(clock >> 8);
    d[2] = (uint8_t)m->width;
    d[3] = (uint8_t)blank_x;
    d[4] = (uint8_t)((m->width >> 8 & 0xf) << 4 | (blank_x >> 8 & 0xf));
    d[5] = (uint8_t)m->height;
    d[6] = (uint8_t)blank_y;
    d[7] = (uint8_t)((m->height >> 8 & 0xf) << 4 | (blank_y >> 8 & 0xf));
    d[8] = (uint8_t)front_x;
    d[9] = (uint8_t)sync_x;
    d[10] = (uint8_t)((front_y & 0xf) << 4 | (sync_y & 0xf));
    d[11] = (uint8_t)((front_x >> 8 & 3) << 6 | (sync_x >> 8 & 3) << 4 | (front_y >> 4 & 3) << 2 |
                      (sync_y >> 4 & 3));
    d[12] = (uint8_t)width_mm;
    d[13] = (uint8_t)height_mm;
    d[14] = (uint8_t)((width_mm >> 8 & 0xf) << 4 | (height_mm >> 8 & 0xf));
    d[17] = 0x18; /* digital, separate sync */
}

void edid_build(const EdidMonitor *m, uint8_t edid[EDID_SIZE])
{
    static const uint8_t range[] = { 0, 0, 0, 0xfd, 0, 50, 125, 30, 160, 255, 1, '\n' };
    static const uint8_t name[] = { 0,   0,   0,   0xfc, 0,   'Q', 'E', 'M', 'U',
                                    ' ', 'M', 'o', 'n',  'i', 't', 'o', 'r', '\n' };
    static const uint8_t dummy[] = { 0, 0, 0, 0x10 };
    uint32_t width_mm = m->width * 254 / 10 / EDID_DPI;
    uint32_t height_mm = m->height * 254 / 10 / EDID_DPI;
    uint8_t sum = 0;

    memset(edid, 0, EDID_SIZE);
    memcpy(edid, edid_head, sizeof(edid_head));
    edid[21] = (uint8_t)MIN(width_mm / 10, UINT8_MAX);
    edid[22] = (uint8_t)MIN(height_mm / 10, UINT8_MAX);
    edid_offer_modes(m, edid);
    edid_prefer(m, width_mm, height_mm, edid + EDID_PREFERRED);
    memset(edid + EDID_RANGE, ' ', 18);
    memcpy(edid + EDID_RANGE, range, sizeof(range));
    memcpy(edid + EDID_NAME, name, sizeof(name));
    memcpy(edid + EDID_DUMMY, dummy, sizeof(dummy));
    for (unsigned i = 0; i < EDID_SIZE - 1; i++)
        sum += edid[i];
    edid[EDID_SIZE - 1] = (uint8_t)-sum;
}
