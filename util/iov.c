/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of memory segments (contract in util/iov.h).
 */
#include "util/iov.h"

#include <glib.h>
#include <stdint.h>
#include <string.h>

int iov_slice(const struct iovec *from, int n, size_t skip, size_t len, struct iovec *to)
{
    int count = 0;

    for (int i = 0; i < n && len > 0; i++) {
        size_t part;

        if (skip >= from[i].iov_len) {
            skip -= from[i].iov_len;
            continue;
        }
        part = MIN(from[i].iov_len - skip, len);
        to[count++] = (struct iovec){ (uint8_t *)from[i].iov_base + skip, part };
        len -= part;
        skip = 0;
    }
    return count;
}

size_t iov_read(const struct iovec *iov, int n, size_t at, void *dst, size_t len)
{
    size_t done = 0;

    for (int i = 0; i < n && done < len; i++) {
        size_t part;

        if (at >= iov[i].iov_len) {
            at -= iov[i].iov_len;
            continue;
        }
        part = MIN(iov[i].iov_len - at, len - done);
        memcpy((uint8_t *)dst + done, (const uint8_t *)iov[i].iov_base + at, part);
        done += part;
        at = 0;
    }
    return done;
}
