/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest RAM: named blocks of shared memory (memfd), each with one state byte per 4 KiB page.
 *
 * A block is the unit of migration: its id is part of the machine's ABI and is derived from the
 * place of its owner, never from creation order. The page states are how writes by CPUs and by
 * devices reach the two parties that must know of them: dirty tracking (migration, framebuffers)
 * and the translators of guest code.
 *
 * Invariants
 *  - A page whose RAM_PAGE_CLEAN bit is set has no direct write entry in any CPU's TLB while
 *    tracking is on; the first write goes the slow way and calls ram_page_written_any().
 *  - A page whose RAM_PAGE_CODE bit is set likewise, until the code in it is dropped.
 *  - Sizes are multiples of RAM_PAGE_SIZE; host memory is page aligned, and, unless its RamSource
 *    says otherwise, shared and zero at first.
 */
#ifndef MEMORY_RAM_H
#define MEMORY_RAM_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define RAM_PAGE_BITS 12
#define RAM_PAGE_SIZE (1u << RAM_PAGE_BITS)

enum {
    RAM_PAGE_DIRTY = 1 << 0, /* written since the last ram_dirty_fetch() */
    RAM_PAGE_CODE = 1 << 1,  /* decoded guest code was taken from it (accel/codepage.c) */
};

/*
 * Called with the block, offset and length of a write to a page marked RAM_PAGE_CODE, from the
 * writing thread (a CPU or a thread doing DMA). Must be safe from any thread.
 */
typedef struct RamBlock RamBlock;
typedef void RamCodeWrittenFn(void *opaque, RamBlock *block, uint64_t offset, uint64_t len);

struct RamBlock {
    char *id;       /* unique in the machine: "riscv_virt_board.ram" */
    uint64_t size;  /* bytes */
    int fd;         /* of the memory, kept open for the life of the block; -1: it has none */
    bool holes;     /* SEEK_DATA on fd finds what the host never had to provide */
    uint8_t *host;  /* mapping of the whole block */
    uint8_t *pages; /* size / RAM_PAGE_SIZE bytes of RAM_PAGE_*; atomic access only */
    bool tracking;  /* dirty tracking on (atomic) */
    bool read_only; /* guest stores have no effect (ROM) */
    RamCodeWrittenFn *code_written;
    void *code_opaque;
};

/* A zeroed block, or NULL with a sentence naming id, size and what the host lacked. More memory
 * than the host can provide (memory/limit.h) is refused. size > 0 is
 * rounded up to whole pages. Any thread. The caller owns it. */
RamBlock *ram_block_new(const char *id, uint64_t size, GError **err);

/* Where the memory of a block comes from; all zero: a memfd. */
typedef struct RamSource {
    const char *path;      /* this file, with its content; or a folder to put an unnamed one in */
    bool private_file;     /* guest stores do not reach the file */
    bool hugetlb;          /* memfd of huge pages, */
    uint64_t hugetlb_size; /* of this size (a power of two; 0: the host's default) */
    bool seal;             /* the memfd cannot change its size */
    bool prealloc;         /* all of it now, or refuse */
    bool merge, no_dump;   /* advice to the host: KSM; leave out of core files */
    bool no_reserve;       /* may be more than the host can provide; huge pages are not reserved */
} RamSource;
RamBlock *ram_block_new_from(const char *id, uint64_t size, const RamSource *from, GError **err);
/* False and a sentence if the host cannot provide `size` bytes and `from` does not allow for it. */
bool ram_check_host(const char *id, uint64_t size, const RamSource *from, GError **err);

/* Unmap and close. No mapping or CPU may refer to it any more. NULL is allowed. */
void ram_block_free(RamBlock *block);

/* Record that [offset, offset+len) was written by something other than a direct TLB store:
 * marks pages dirty and drops decoded code. In range by contract. Any thread. */
void ram_written_any(RamBlock *block, uint64_t offset, uint64_t len);

/* Turn tracking on (all pages become dirty, so that a first pass sends everything) or off.
 * Machine lock held and every CPU stopped in cpus_exclusive(), since direct write entries must
 * be flushed by the caller. */
void ram_dirty_track(RamBlock *block, bool on);

/* Test and clear the dirty bit of the pages [first, first+n): sets bit i of `bitmap` (n bits,
 * caller's, zeroed by the callee) and returns how many were dirty. The caller must then take
 * the direct write right of those pages away in every CPU before it reads the pages
 * (cpus_exclusive + TLB flush). Machine lock held. */
uint64_t ram_dirty_fetch(RamBlock *block, uint64_t first, uint64_t n, unsigned long *bitmap);

/* True if a direct write entry may be installed for the page: not read-only, holds no code, and
 * is either untracked or already dirty. Any thread. */
bool ram_page_direct_write_any(const RamBlock *block, uint64_t page);

#endif
