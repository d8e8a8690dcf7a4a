/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of guest pages that hold decoded code (contract in codepage.h).
 */
#include "accel/codepage.h"

#include <string.h>
#include <sys/mman.h>

/* Granule bitmaps of a RAM block: address space for all of its pages, memory for few of them. */
typedef struct CodeMap {
    CodePages *pages;
    RamBlock *block;
    uint64_t *granules; /* NULL: no memory; every granule counts as code */
    size_t bytes;
} CodeMap;

struct CodePages {
    int users;
    GMutex lock;
    GPtrArray *maps;   /* CodeMap */
    GPtrArray *queues; /* CodeQueue, borrowed */
};

CodePages *codepages_get(Machine *m, CodePages *shared)
{
    if (!shared) {
        shared = g_new0(CodePages, 1);
        g_mutex_init(&shared->lock);
        shared->maps = g_ptr_array_new();
        shared->queues = g_ptr_array_new();
    }
    shared->users++;
    return shared;
}

static void free_map(CodeMap *map)
{
    map->block->code_written = NULL;
    map->block->code_opaque = NULL;
    ram_block_unref_any(map->block);
    if (map->granules) {
        munmap(map->granules, map->bytes);
    }
    g_free(map);
}

void codepages_put(CodePages *pages)
{
    if (!pages || --pages->users > 0) {
        return;
    }
    for (unsigned i = 0; i < pages->maps->len; i++) {
        free_map(g_ptr_array_index(pages->maps, i));
    }
    g_ptr_array_free(pages->maps, TRUE);
    g_ptr_array_free(pages->queues, TRUE);
    g_mutex_clear(&pages->lock);
    g_free(pages);
}

void codepages_add_queue(CodePages *pages, CodeQueue *queue)
{
    g_mutex_lock(&pages->lock);
    g_ptr_array_add(pages->queues, queue);
    g_mutex_unlock(&pages->lock);
}

void codepages_remove_queue(CodePages *pages, CodeQueue *queue)
{
    g_mutex_lock(&pages->lock);
    g_ptr_array_remove(pages->queues, queue);
    g_mutex_unlock(&pages->lock);
}

static void queue_write(CodePages *pages, const CodeWrite *write)
{
    g_mutex_lock(&pages->lock);
    for (unsigned i = 0; i < pages->queues->len; i++) {
        CodeQueue *q = g_ptr_array_index(pages->queues, i);

        g_mutex_lock(&q->lock);
        if (q->count < CODE_QUEUE) {
            q->write[q->count] = *write;
        }
        if (q->count <= CODE_QUEUE) {
            __atomic_store_n(&q->count, q->count + 1, __ATOMIC_RELEASE);
        }
        g_mutex_unlock(&q->lock);
    }
    g_mutex_unlock(&pages->lock);
}

static void code_written(void *opaque, RamBlock *block, uint64_t offset, uint64_t len)
{
    CodeMap *map = opaque;
    uint64_t end = offset + len;

    for (uint64_t at = offset; at < end;) {
        uint64_t page = at / RAM_PAGE_SIZE, n = MIN(end, (page + 1) * RAM_PAGE_SIZE) - at;
        uint64_t held =
            map->granules ? __atomic_load_n(&map->granules[page], __ATOMIC_SEQ_CST) : ~(uint64_t)0;
        if (held & code_granules(at, n)) {
            queue_write(map->pages, &(CodeWrite){ block, at, n });
        }
        at += n;
    }
}

/* Return the map of a RAM block. A new block's callback is set last, before any page is marked. */
static CodeMap *map_of(CodePages *pages, RamBlock *block)
{
    CodeMap *map = __atomic_load_n(&block->code_opaque, __ATOMIC_ACQUIRE);

    if (map) {
        return map;
    }
    g_mutex_lock(&pages->lock);
    map = block->code_opaque;
    if (!map) {
        map = g_new0(CodeMap, 1);
        map->pages = pages;
        map->block = block;
        ram_block_ref_any(block); /* decoded blocks refer to it, also after an unplug */
        map->bytes = block->size / RAM_PAGE_SIZE * sizeof(uint64_t);
        void *p = mmap(NULL, map->bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        map->granules = p == MAP_FAILED ? NULL : p;
        g_ptr_array_add(pages->maps, map);
        block->code_written = code_written;
        __atomic_store_n(&block->code_opaque, map, __ATOMIC_RELEASE);
    }
    g_mutex_unlock(&pages->lock);
    return map;
}

bool codepages_mark(CodePages *pages, RamBlock *block, uint64_t offset, uint64_t len)
{
    CodeMap *map = map_of(pages, block);
    uint64_t page = offset / RAM_PAGE_SIZE;

    if (map->granules) {
        __atomic_fetch_or(&map->granules[page], code_granules(offset, len), __ATOMIC_SEQ_CST);
    }
    uint8_t old = __atomic_fetch_or(&block->pages[page], RAM_PAGE_CODE, __ATOMIC_SEQ_CST);
    return !(old & RAM_PAGE_CODE);
}

void codepages_refine(CodePages *pages, RamBlock *block, uint64_t offset, uint64_t granules)
{
    CodeMap *map = map_of(pages, block);
    uint64_t page = offset / RAM_PAGE_SIZE;

    if (!map->granules) {
        return;
    }
    __atomic_store_n(&map->granules[page], granules, __ATOMIC_SEQ_CST);
    if (granules == 0) {
        __atomic_fetch_and(&block->pages[page], (uint8_t)~RAM_PAGE_CODE, __ATOMIC_SEQ_CST);
    }
}

int code_queue_take(CodeQueue *q, CodeWrite *out)
{
    g_mutex_lock(&q->lock);
    uint32_t n = q->count;
    if (n <= CODE_QUEUE) {
        memcpy(out, q->write, n * sizeof(*out));
    }
    __atomic_store_n(&q->count, 0, __ATOMIC_RELEASE);
    g_mutex_unlock(&q->lock);
    return n <= CODE_QUEUE ? (int)n : -1;
}
