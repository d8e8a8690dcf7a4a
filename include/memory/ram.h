/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest RAM: named blocks of host memory, each with one state byte per 4 KiB page.
 *
 * A block is the unit of migration. Its ID is part of the ABI of the machine and is derived from
 * the place of its owner, never from the order of creation. The page states transfer writes by CPUs
 * and devices to dirty tracking (migration, framebuffers) and to the decoders of guest code.
 *
 * Invariants
 *  - While tracking is on, a page without RAM_PAGE_DIRTY has no direct write entry in any TLB, and
 *    while a display is watched, a page without RAM_PAGE_VIEW. The
 *    first write uses the slow path and calls ram_written_any().
 *  - A page with RAM_PAGE_CODE has no direct write entry either, until its code is dropped.
 *  - Sizes are multiples of RAM_PAGE_SIZE. Host memory is page aligned; it is initially zero
 *    unless its RamSource specifies a file.
 */
#ifndef MEMORY_RAM_H
#define MEMORY_RAM_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define RAM_PAGE_BITS 12
#define RAM_PAGE_SIZE (1u << RAM_PAGE_BITS)

enum { RAM_PARTS_MAX = 4 }; /* parts of a block with separate sources */
enum {
    RAM_PAGE_DIRTY = 1 << 0, /* written since the last ram_dirty_fetch() */
    RAM_PAGE_CODE = 1 << 1,  /* the page contains decoded guest code (accel/codepage.c) */
    RAM_PAGE_VIEW = 1 << 2,  /* written since the last ram_view_fetch() */
};

/*
 * Called with the block, offset and length of a write to a page marked RAM_PAGE_CODE, from the
 * writing thread (a CPU or a thread doing DMA). Must be safe from any thread.
 */
typedef struct RamBlock RamBlock;
typedef void RamCodeWrittenFn(void *opaque, RamBlock *block, uint64_t offset, uint64_t len);
/* Called after a device wrote to the block. Machine lock. */
typedef void RamDeviceWrittenFn(void *opaque, RamBlock *block, uint64_t offset, uint64_t len);

struct RamBlock {
    int refs;         /* atomic */
    char *id;         /* unique in the machine: "riscv_virt_board.ram" */
    uint64_t size;    /* bytes */
    int fd;           /* of a memfd or shared file, open for the life of the block; -1: none */
    bool anonymous;   /* private to the process, without a file */
    int pagemap;      /* /proc/self/pagemap for anonymous memory; -1: not available */
    bool holes;       /* fd (SEEK_DATA) or pagemap finds pages that the host never provided */
    uint8_t *host;    /* mapping of the block */
    uint8_t *pages;   /* size / RAM_PAGE_SIZE bytes of RAM_PAGE_*; atomic access only */
    uint8_t tracking; /* RAM_PAGE_DIRTY, RAM_PAGE_VIEW: bits that writes set (atomic) */
    struct RamRange {
        uint64_t at, size;
    } discard[RAM_PARTS_MAX]; /* ranges whose contents are discarded when it is freed */
    unsigned n_discard;
    bool read_only;     /* guest stores have no effect (ROM) */
    bool device_stores; /* read_only as well: the operations of the region perform guest stores */
    RamCodeWrittenFn *code_written;
    void *code_opaque;
    RamDeviceWrittenFn *device_written; /* NULL, except while a watchpoint is in the block */
    void *device_opaque;
};

/* NUMA nodes of the host that provide memory; the values are those of mbind(2). */
typedef enum RamPolicy {
    RAM_POLICY_DEFAULT,
    RAM_POLICY_PREFERRED,
    RAM_POLICY_BIND,
    RAM_POLICY_INTERLEAVE,
} RamPolicy;

/* Source of the memory of a block; all zero: anonymous memory. */
typedef struct RamSource {
    const char *path;      /* a file; or a directory, for an unnamed file in it */
    bool private_file;     /* guest stores do not reach the file */
    bool memfd;            /* memory with a descriptor, which other processes can map */
    bool hugetlb;          /* memfd of huge pages, */
    uint64_t hugetlb_size; /* of this size (a power of two; 0: the host's default) */
    bool seal;             /* memfd that cannot change its size */
    bool prealloc;         /* provide all memory now, or fail, */
    unsigned threads;      /* with so many threads (0: one) */
    bool discard;          /* the host may discard the contents when the block is freed */
    uint64_t nodes;        /* NUMA nodes of the host for .policy, a bit each */
    RamPolicy policy;
    bool merge, no_dump; /* advice to the host: KSM; leave out of core files */
    bool no_reserve;     /* permit more than the host can provide; do not reserve huge pages */
} RamSource;
/* A part of a block: its size in bytes, a multiple of RAM_PAGE_SIZE unless it is the last part, and
 * its source. */
typedef struct RamPart {
    uint64_t size;
    const RamSource *from;
} RamPart;
/* Create a zeroed block of 1 to RAM_PARTS_MAX contiguous parts; its size is rounded up to full
 * pages. It is one mapping, anonymous or of one file, unless one of several parts is a file or uses
 * huge pages. Returns NULL with an error that names ID, size and cause; more
 * memory than the host can provide (memory/limit.h) is rejected. The caller owns the block; undone
 * by ram_block_free(). Any thread. */
RamBlock *ram_block_new_parts(const char *id, const RamPart *parts, unsigned n, GError **err);
/* As ram_block_new_parts(), for @size > 0 bytes from one source. */
static inline RamBlock *ram_block_new(const char *id, uint64_t size, const RamSource *from,
                                      GError **err)
{
    const RamPart all = { size, from };

    return ram_block_new_parts(id, &all, 1, err);
}
/* Return false with an error if the host cannot provide @size bytes and @from requires it. */
bool ram_check_host(const char *id, uint64_t size, const RamSource *from, GError **err);

/* Free a block (NULL: no effect), or postpone that until the last ram_block_unref_any(). No region
 * and no CPU may refer to it. */
void ram_block_free(RamBlock *block);
/* Keep the memory of a block while a host pointer to it is in use, for example by DMA. */
void ram_block_ref_any(RamBlock *block);
/* Undo ram_block_ref_any(). */
void ram_block_unref_any(RamBlock *block);

/* Record a write to [offset, offset+len), which must be in range, by any means but a direct TLB
 * store: marks the pages dirty and drops decoded code. Any thread. */
void ram_written_any(RamBlock *block, uint64_t offset, uint64_t len);
/* Like ram_written_any(), for a write by a device: reports it to RamBlock.device_written as well.
 * Machine lock. */
void ram_device_written(RamBlock *block, uint64_t offset, uint64_t len);

/* Switch dirty tracking on (all pages become dirty, so that a first pass sends everything) or off.
 * Machine lock; every CPU stopped in cpus_exclusive(), because the caller must flush direct write
 * entries. */
void ram_dirty_track(RamBlock *block, bool on);

/* Test and clear the dirty bits of the pages [first, first+n). Sets bit i of @bitmap (n bits,
 * zeroed by this function) for each dirty page and returns their number. The caller must then
 * remove the direct write entries of these pages from every CPU (cpus_exclusive() and a TLB flush)
 * before it reads the pages. Machine lock. */
uint64_t ram_dirty_fetch(RamBlock *block, uint64_t first, uint64_t n, unsigned long *bitmap);

/* As ram_dirty_track() and ram_dirty_fetch(), for a display server that watches a framebuffer. Each
 * page has a bit of its own for it. */
void ram_view_track(RamBlock *block, bool on);
uint64_t ram_view_fetch(RamBlock *block, uint64_t first, uint64_t n, unsigned long *bitmap);
/* Return whether ram_view_fetch() would find a page. Any thread. */
bool ram_view_changed_any(const RamBlock *block, uint64_t first, uint64_t n);

/* True if a direct write entry is permitted for the page: it is not read-only, contains no code,
 * and is untracked or already dirty. Any thread. */
bool ram_page_direct_write_any(const RamBlock *block, uint64_t page);

#endif
