/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver of virtio-blk: header, data and status of each request have places of their own.
 */
#ifndef TESTS_BLK_DRIVER_H
#define TESTS_BLK_DRIVER_H

#include <linux/virtio_blk.h>

#include "../virtio/virtio-driver.h"

enum { S_NONE = 0xff }; /* no status was written */
enum { HEAD = DRV_DATA, DATA = DRV_DATA + 0x1000, STATUS = DRV_DATA + 0x20000 };

static inline void put_head(Drv *v, uint32_t at, uint32_t type, uint64_t sector)
{
    memcpy(drv_ram(v, at), &type, 4);
    memset(drv_ram(v, at + 4), 0, 4);
    memcpy(drv_ram(v, at + 8), &sector, 8);
}

/* Make a request available with its own slot of header, data and status. n must be below 32. */
static inline void offer(Drv *v, unsigned n, uint32_t type, uint64_t sector, uint32_t len)
{
    uint64_t head = RAM + HEAD + n * 32, data = RAM + DATA + n * 4096, status = RAM + STATUS + n;
    DrvSeg s[] = { { head, 16, false },
                   { data, len, type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID },
                   { status, 1, true } };

    put_head(v, HEAD + n * 32, type, sector);
    *drv_ram(v, STATUS + n) = S_NONE;
    if (len == 0) {
        s[1] = s[2];
    }
    drv_offer(v, 0, s, len ? 3 : 2);
}

static inline unsigned segments(uint32_t len)
{
    return len ? 3 : 2;
}

/* Run one request. Returns its status. */
static inline uint8_t request(Drv *v, uint32_t type, uint64_t sector, uint32_t len)
{
    offer(v, 0, type, sector, len);
    drv_kick(v, 0);
    g_assert_cmpint(drv_wait(v, 0, segments(len)), >=, 0);
    return *drv_ram(v, STATUS);
}

static inline uint8_t range_request(Drv *v, uint32_t type, uint64_t sector, uint32_t sectors,
                                    uint32_t flags)
{
    memcpy(drv_ram(v, DATA), &sector, 8);
    memcpy(drv_ram(v, DATA + 8), &sectors, 4);
    memcpy(drv_ram(v, DATA + 12), &flags, 4);
    return request(v, type, 0, 16);
}

#endif
