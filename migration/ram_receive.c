/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The receiver of RAM (interface: ram_internal.h).
 *
 * A page that is received for the first time is written to the memfd of its block, not stored
 * through the mapping. The host then allocates the page without a page fault and without clearing
 * it, which cause most of the cost of a store. Adjacent pages are written with one call, and then
 * mapped. Blocks without a file in which a write is visible to the guest (private mappings), and
 * files that cannot be written (hugetlbfs), are stored to through the mapping.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "migration/ram_internal.h"
#include "migration/ram_hole_internal.h"
#include "util/error.h"

#define LONG_BITS (8 * sizeof(unsigned long))
#define RUN_PAGES 256
#define ITEM_MASK ((UINT64_C(1) << RAM_PAGE_BITS) - 1)

typedef struct ReceiveBlock {
    RamBlock *ram;
    unsigned long *came; /* bitmap of pages received */
    uint64_t n_received;
    bool listed;
    RamHole hole;
} ReceiveBlock;

/* Adjacent pages that are not written yet. Their data is in the reader's buffer. */
typedef struct Run {
    ReceiveBlock *block;
    uint64_t first;
    unsigned n;
    struct iovec iov[RUN_PAGES];
} Run;

struct RamReceive {
    Machine *machine;
    ReceiveBlock *blocks;
    unsigned n_blocks;
    ReceiveBlock *last; /* block of the item before, for RAM_ITEM_SAME_BLOCK */
    bool list_done, ended;
    uint64_t list_left; /* bytes of the blocks that are not listed yet, while in_list */
    bool in_list;
    uint64_t pages;
    Run run;
};

RamReceive *ram_receive_new(Machine *m, GError **err)
{
    RamReceive *r = g_new0(RamReceive, 1);

    r->machine = m;
    r->blocks = g_new0(ReceiveBlock, m->ram_blocks->len);
    for (unsigned i = 0; i < m->ram_blocks->len; i++) {
        ReceiveBlock *b = &r->blocks[i];

        b->ram = g_ptr_array_index(m->ram_blocks, i);
        b->came = g_try_malloc0(((b->ram->size >> RAM_PAGE_BITS) + LONG_BITS - 1) / LONG_BITS *
                                sizeof(long));
        r->n_blocks++;
        if (!b->came) {
            error_set(err, ERROR_HOST, "no memory to track the pages of RAM block %s", b->ram->id);
            ram_receive_free(r);
            return NULL;
        }
    }
    return r;
}

void ram_receive_free(RamReceive *r)
{
    if (!r) {
        return;
    }
    for (unsigned i = 0; i < r->n_blocks; i++) {
        g_free(r->blocks[i].came);
    }
    g_free(r->blocks);
    g_free(r);
}

uint64_t ram_receive_pages(const RamReceive *r)
{
    return r->pages;
}

/* Return the block that the stream names next; NULL if it is unknown, or if the reader has too few
 * bytes. */
static ReceiveBlock *ram_receive_find_block(RamReceive *r, ByteReader *b, char name[256])
{
    uint8_t len = get_u8(b);

    memset(name, 0, 256);
    if (!reader_ok(b) || !get_bytes(b, name, len)) {
        return NULL;
    }
    for (unsigned i = 0; i < r->n_blocks; i++) {
        if (strlen(r->blocks[i].ram->id) == len && !memcmp(r->blocks[i].ram->id, name, len)) {
            return &r->blocks[i];
        }
    }
    return NULL;
}

/* Reject an unknown block. Its name may contain any byte and is escaped. */
static bool ram_receive_refuse_block(const char *name, GError **err)
{
    g_autofree char *text = g_strescape(name, NULL);

    return error_set(err, ERROR_GUEST, "section ram: this machine has no RAM block '%s'", text);
}

/* --- the list of blocks --- */

static bool ram_receive_list_entry(RamReceive *r, ByteReader *b, GError **err)
{
    char name[256];
    ReceiveBlock *block = ram_receive_find_block(r, b, name);
    uint64_t size = get_be64(b);

    if (!reader_ok(b)) {
        return true; /* incomplete; the caller checks reader_ok() */
    }
    if (!block) {
        return ram_receive_refuse_block(name, err);
    }
    if (block->listed) {
        return error_set(err, ERROR_GUEST, "section ram: block %s is listed twice", name);
    }
    if (size != block->ram->size) {
        return error_set(err, ERROR_GUEST,
                         "section ram: block %s has %" G_GUINT64_FORMAT
                         " bytes at the source and %" G_GUINT64_FORMAT " bytes here",
                         name, size, block->ram->size);
    }
    if (size > r->list_left) {
        return error_set(err, ERROR_GUEST,
                         "section ram: the listed blocks are larger than their total size");
    }
    block->listed = true;
    r->list_left -= size;
    return true;
}

static bool ram_receive_end_list(RamReceive *r, GError **err)
{
    r->in_list = false;
    r->list_done = true;
    for (unsigned i = 0; i < r->n_blocks; i++) {
        if (!r->blocks[i].listed) {
            return error_set(err, ERROR_GUEST, "section ram: block %s is not listed",
                             r->blocks[i].ram->id);
        }
    }
    return true;
}

static bool ram_receive_begin_list(RamReceive *r, uint64_t total, const StreamSection *s,
                                   GError **err)
{
    if (r->list_done || s->kind != STREAM_START) {
        return error_set(err, ERROR_GUEST,
                         "section ram: a list of blocks is not possible at this position");
    }
    r->in_list = true;
    r->list_left = total;
    return total ? true : ram_receive_end_list(r, err);
}

/* --- pages --- */

static bool ram_receive_check_page(const ReceiveBlock *b, uint64_t offset, GError **err)
{
    if (offset >= b->ram->size) {
        return error_set(err, ERROR_GUEST,
                         "section ram: offset 0x%" G_GINT64_MODIFIER "x is outside block %s",
                         offset, b->ram->id);
    }
    return true;
}

static void ram_receive_mark(RamReceive *r, ReceiveBlock *b, uint64_t page)
{
    unsigned long bit = 1ul << page % LONG_BITS;

    r->pages++;
    if (!(b->came[page / LONG_BITS] & bit)) {
        b->came[page / LONG_BITS] |= bit;
        b->n_received++;
    }
}

static bool ram_receive_has(const ReceiveBlock *b, uint64_t page)
{
    return b->came[page / LONG_BITS] >> page % LONG_BITS & 1;
}

static void ram_receive_store_zero(ReceiveBlock *b, uint64_t page)
{
    uint8_t *p = b->ram->host + (page << RAM_PAGE_BITS);

    /* a hole is zero already; an access would cause the host to allocate the page */
    if ((ram_receive_has(b, page) || !ram_hole_at(&b->hole, b->ram, page)) &&
        !ram_is_zero(p, RAM_PAGE_SIZE)) {
        memset(p, 0, RAM_PAGE_SIZE);
    }
}

/* Remove the first `done` bytes, which were written, from the list. */
static void ram_receive_advance(struct iovec **iov, unsigned *n, size_t done)
{
    while (*n && done >= (*iov)->iov_len) {
        done -= (*iov)->iov_len;
        (*iov)++;
        (*n)--;
    }
    if (*n) {
        (*iov)->iov_base = (uint8_t *)(*iov)->iov_base + done;
        (*iov)->iov_len -= done;
    }
}

/* Store the remaining pages of a run through the mapping, from `offset` in the block on. */
static void ram_receive_copy_run(Run *run, const struct iovec *iov, size_t offset)
{
    for (unsigned i = 0; i < run->n; i++) {
        memcpy(run->block->ram->host + offset, iov[i].iov_base, iov[i].iov_len);
        offset += iov[i].iov_len;
    }
    run->n = 0;
}

static bool ram_receive_write_run(RamReceive *r, GError **err)
{
    Run *run = &r->run;
    size_t start = run->first << RAM_PAGE_BITS, len = (size_t)run->n << RAM_PAGE_BITS, done = 0;
    struct iovec *iov = run->iov;

    while (run->n) {
        int fd = run->block->ram->fd;
        ssize_t n;

        errno = EINVAL;
        n = fd < 0 ? -1 : pwritev(fd, iov, (int)run->n, (off_t)(start + done));
        if (n < 0 && (errno == EINVAL || errno == EOPNOTSUPP)) {
            ram_receive_copy_run(run, iov, start + done);
            return true;
        }
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return error_set(
                err, ERROR_HOST, "section ram: the host has no memory for block %s at 0x%zx: %s",
                run->block->ram->id, start + done, n ? g_strerror(errno) : "it is full");
        }
        done += MAX(n, 0);
        ram_receive_advance(&iov, &run->n, MAX(n, 0));
    }
#ifdef MADV_POPULATE_READ
    if (len) {
        madvise(run->block->ram->host + start, len, MADV_POPULATE_READ);
    }
#endif
    return true;
}

static bool ram_receive_in_run(const Run *run, const ReceiveBlock *b, uint64_t page)
{
    return run->n && run->block == b && page >= run->first && page - run->first < run->n;
}

static bool ram_receive_store_page(RamReceive *r, ReceiveBlock *b, uint64_t page,
                                   const uint8_t *data, GError **err)
{
    Run *run = &r->run;

    if (ram_receive_has(b, page)) {
        memcpy(b->ram->host + (page << RAM_PAGE_BITS), data, RAM_PAGE_SIZE);
        return true;
    }
    if (run->n && (run->block != b || page != run->first + run->n || run->n == RUN_PAGES) &&
        !ram_receive_write_run(r, err)) {
        return false;
    }
    if (!run->n) {
        run->block = b;
        run->first = page;
    }
    run->iov[run->n++] = (struct iovec){ (void *)data, RAM_PAGE_SIZE };
    return true;
}

/* Store a page; data NULL: a page of zeroes. If the run contains an older version of the page, the
 * run is written first. */
static bool ram_receive_store(RamReceive *r, ReceiveBlock *b, uint64_t page, const uint8_t *data,
                              GError **err)
{
    if (ram_receive_in_run(&r->run, b, page) && !ram_receive_write_run(r, err)) {
        return false;
    }
    if (data) {
        return ram_receive_store_page(r, b, page, data, err);
    }
    ram_receive_store_zero(b, page);
    return true;
}

/* Load the rest of an item, after its first word. If the item is incomplete, the reader has failed
 * and nothing is changed. */
static bool ram_receive_page(RamReceive *r, ByteReader *b, uint64_t offset, uint64_t flags,
                             GError **err)
{
    ReceiveBlock *block = r->last;
    const uint8_t *data = NULL;
    uint8_t fill = 0;
    char name[256];

    if (!(flags & RAM_ITEM_SAME_BLOCK)) {
        block = ram_receive_find_block(r, b, name);
        if (reader_ok(b) && !block) {
            return ram_receive_refuse_block(name, err);
        }
    }
    if (flags & RAM_ITEM_ZERO) {
        fill = get_u8(b);
    } else {
        data = get_view(b, RAM_PAGE_SIZE);
    }
    if (!reader_ok(b)) {
        return true;
    }
    if (!block) {
        return error_set(err, ERROR_GUEST, "section ram: the first page names no block");
    }
    if (fill) {
        return error_set(
            err, ERROR_GUEST,
            "section ram: a page of block %s is filled with 0x%02x: only 0 is accepted",
            block->ram->id, fill);
    }
    if (!ram_receive_check_page(block, offset, err) ||
        !ram_receive_store(r, block, offset >> RAM_PAGE_BITS, data, err)) {
        return false;
    }
    ram_receive_mark(r, block, offset >> RAM_PAGE_BITS);
    r->last = block;
    return true;
}

static bool ram_receive_item(RamReceive *r, const StreamSection *s, ByteReader *b, bool *done,
                             GError **err)
{
    uint64_t word, offset, flags;

    if (r->in_list) {
        return ram_receive_list_entry(r, b, err) &&
               (r->list_left || !reader_ok(b) || ram_receive_end_list(r, err));
    }
    word = get_be64(b);
    if (!reader_ok(b)) {
        return true;
    }
    offset = word & ~ITEM_MASK;
    flags = word & ITEM_MASK;
    if (flags == RAM_ITEM_BLOCKS) {
        return ram_receive_begin_list(r, offset, s, err);
    }
    if (!r->list_done) {
        return error_set(err, ERROR_GUEST,
                         "section ram: the section does not begin with the list of blocks");
    }
    if (flags == RAM_ITEM_END && offset == 0) {
        *done = true;
        r->ended = s->kind == STREAM_END;
        r->last = NULL;
        return true;
    }
    if ((flags & ~(uint64_t)RAM_ITEM_SAME_BLOCK) != RAM_ITEM_ZERO &&
        (flags & ~(uint64_t)RAM_ITEM_SAME_BLOCK) != RAM_ITEM_PAGE) {
        return error_set(err, ERROR_GUEST, "section ram: an item has the invalid flags 0x%03x",
                         (unsigned)flags);
    }
    return ram_receive_page(r, b, offset, flags, err);
}

bool ram_receive_items(RamReceive *r, const StreamSection *s, ByteReader *b, bool *done,
                       GError **err)
{
    if (strcmp(s->name, RAM_SECTION) || s->instance || s->version != RAM_SECTION_VERSION) {
        return error_set(err, ERROR_GUEST,
                         "section %s %u version %u is not section " RAM_SECTION " 0 version %d",
                         s->name, s->instance, s->version, RAM_SECTION_VERSION);
    }
    if (r->ended) {
        return error_set(err, ERROR_GUEST, "section ram: the section continues after its end");
    }
    while (!*done) {
        ByteReader item = *b;

        if (!ram_receive_item(r, s, &item, done, err)) {
            return false;
        }
        if (!reader_ok(&item)) {
            break; /* incomplete: wait for the rest */
        }
        *b = item;
    }
    return ram_receive_write_run(r, err); /* its data is valid only during this call */
}

bool ram_receive_finish(const RamReceive *r, GError **err)
{
    if (!r->ended) {
        return error_set(err, ERROR_GUEST, "section ram: the section did not end");
    }
    for (unsigned i = 0; i < r->n_blocks; i++) {
        const ReceiveBlock *b = &r->blocks[i];
        uint64_t missing = (b->ram->size >> RAM_PAGE_BITS) - b->n_received;

        if (missing) {
            return error_set(err, ERROR_GUEST,
                             "section ram: %" G_GUINT64_FORMAT " pages of block %s are missing",
                             missing, b->ram->id);
        }
    }
    return true;
}
