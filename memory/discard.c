/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Return of guest memory to the host (contract in memory/discard.h).
 */
#include "memory/discard.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>

bool ram_discard(RamBlock *block, uint64_t offset, uint64_t len)
{
    /* Other memory without a descriptor consists of several files, or of a private one, which
     * MADV_REMOVE rejects. */
    int advice = block->anonymous ? MADV_DONTNEED : MADV_REMOVE;
    int r = block->fd < 0 ? madvise(block->host + offset, len, advice)
                          : fallocate(block->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                      (off_t)offset, (off_t)len);

    if (r < 0) {
        return false;
    }
    ram_written_any(block, offset, len);
    return true;
}
