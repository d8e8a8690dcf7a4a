/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pieces of guest RAM hold decoded code, shared by all CPUs of a machine.
 *
 * A page holding code is marked RAM_PAGE_CODE and then has no direct write entry in any TLB, so
 * that every write to it passes ram_written_any(), which calls back here. A bitmap of 64-byte
 * granules distinguishes writes to code from writes beside it. A write that hits code is queued for
 * each CPU, which drops the blocks decoded there before it decodes again, and at a fence.i at the
 * latest.
 */
#ifndef ACCEL_CODEPAGE_H
#define ACCEL_CODEPAGE_H

#include "accel/accel.h"

#define CODE_GRANULE 64u /* bytes: a page has 64 of them */

/* Writes to code that the CPU has not processed yet; one queue for each CPU. */
#define CODE_QUEUE 64
typedef struct CodeWrite {
    RamBlock *block;
    uint64_t offset, len; /* inside one page */
} CodeWrite;

typedef struct CodeQueue {
    GMutex lock;
    uint32_t count; /* atomic; more than CODE_QUEUE: entries were lost, drop everything */
    CodeWrite write[CODE_QUEUE];
} CodeQueue;

typedef struct CodePages CodePages;

/* The record of one machine, shared by its CPUs and reference-counted; the first CPU creates it. */
CodePages *codepages_get(Machine *m, CodePages *shared);
void codepages_put(CodePages *pages);
void codepages_add_queue(CodePages *pages, CodeQueue *queue);
void codepages_remove_queue(CodePages *pages, CodeQueue *queue);

/* Record that code at [offset, offset + len) of a block, inside one page, is about to be decoded.
 * Returns true if the page was not marked before: the write entries of every CPU for the page must
 * be removed before the code is read. Called from any CPU thread. If there is no memory for the
 * record, all granules of the page count as code. */
bool codepages_mark(CodePages *pages, RamBlock *block, uint64_t offset, uint64_t len);
/* The granules of a page that still hold code, after its only user dropped some. */
void codepages_refine(CodePages *pages, RamBlock *block, uint64_t offset, uint64_t granules);

static inline bool code_queue_any(const CodeQueue *q)
{
    return __atomic_load_n(&q->count, __ATOMIC_ACQUIRE) != 0;
}
/* Remove all entries. Returns the number of writes in out[CODE_QUEUE], or -1 if entries were lost
 * and all code must be dropped. */
int code_queue_take(CodeQueue *q, CodeWrite *out);

/* The bits of the granules that [offset, offset + len) of a page touches. */
static inline uint64_t code_granules(uint64_t offset, uint64_t len)
{
    unsigned first = (offset & (RAM_PAGE_SIZE - 1)) / CODE_GRANULE;
    unsigned last = ((offset & (RAM_PAGE_SIZE - 1)) + len - 1) / CODE_GRANULE;

    last = last > 63 ? 63 : last;
    return (~(uint64_t)0 >> (63 - last)) & (~(uint64_t)0 << first);
}

#endif
