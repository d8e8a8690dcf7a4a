/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RAM blocks: host memory and the state of its pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/memfd.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "memory/limit.h"
#include "memory/ram.h"
#include "util/error.h"

#define AT_ONCE       8 /* pages whose states fill a word */
#define HUGE_PAGE     (UINT64_C(2) << 20)
#define HUGE_PAGE_MAX (UINT64_C(1) << 30)
#define WORD_DIRTY    UINT64_C(0x0101010101010101) /* RAM_PAGE_DIRTY of eight pages */
#define WORD_GATHER   UINT64_C(0x0102040810204080) /* times that: their bits in the top byte */

static bool ram_fail(GError **err, const char *id, uint64_t size, const char *what)
{
    return error_set_errno(err, errno, "RAM block %s of %" G_GUINT64_FORMAT " bytes: %s", id, size,
                           what);
}

/* A new anonymous file of @size bytes. Return its descriptor, or -1. */
static int make_memfd(const RamBlock *b, uint64_t size, const RamSource *from, GError **err)
{
    g_autofree char *name = g_strdup_printf("backplane-%.200s", b->id);
    unsigned flags = MFD_CLOEXEC | (from->seal ? MFD_ALLOW_SEALING : 0);
    const char *what = NULL;
    int fd;

    if (from->hugetlb) {
        flags |= MFD_HUGETLB;
        if (from->hugetlb_size) {
            flags |= (unsigned)__builtin_ctzll(from->hugetlb_size) << MFD_HUGE_SHIFT;
        }
    }
    fd = memfd_create(name, flags);
    if (fd < 0) {
        what = "the host cannot create a memfd";
    } else if (ftruncate(fd, (off_t)size) < 0) {
        what = "the memfd cannot be extended";
    } else if (from->seal &&
               fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
        what = "the memfd cannot be sealed";
    }
    if (what) {
        ram_fail(err, b->id, size, what);
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

static int open_path(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

    if (fd < 0 &&
        errno == EISDIR) { /* the root of a file system that provides memory, such as hugetlbfs */
        g_autofree char *name = g_build_filename(path, "backplane-ram-XXXXXX", NULL);

        fd = g_mkstemp_full(name, O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0) {
            unlink(name);
        }
    }
    return fd;
}

/* An existing file keeps its contents and must be large enough; an empty file is extended. Return
 * the descriptor, or -1. */
static int ram_open_file(const RamBlock *b, uint64_t size, const RamSource *from, GError **err)
{
    struct stat st;
    int fd = open_path(from->path);
    const char *what = NULL;

    if (fd < 0 || fstat(fd, &st) < 0) {
        what = from->path;
    } else if (st.st_size > 0 && (uint64_t)st.st_size < size) {
        errno = EFBIG;
        what = "the file is too small; use an empty or a larger file";
    } else if (st.st_size == 0 && ftruncate(fd, (off_t)size) < 0) {
        what = "the file cannot be extended";
    }
    if (what) {
        ram_fail(err, b->id, size, what);
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

typedef struct PopulatePart {
    uint8_t *host;
    uint64_t size;
    bool anonymous;
} PopulatePart;

/* Return 0, or the error number as a pointer. */
static gpointer ram_populate_part(gpointer opaque)
{
    PopulatePart *part = opaque;
    int error = madvise(part->host, part->size, MADV_POPULATE_WRITE) == 0 ? 0 : errno;

    if (error == EINVAL && part->anonymous) { /* a host kernel before 5.14 */
        memset(part->host, 0, part->size);
        error = 0;
    }
    return GINT_TO_POINTER(error);
}

/* Populate a range of the block in threads. Return 0, or an error number. */
static int ram_populate_all(const RamBlock *b, const struct RamRange *range, unsigned threads)
{
    uint64_t unit = RAM_PAGE_SIZE * 512, each = (range->size / threads + unit) / unit * unit;
    g_autofree PopulatePart *parts = g_new0(PopulatePart, threads);
    g_autofree GThread **started = g_new0(GThread *, threads);
    unsigned n = 0;
    int error = 0;

    for (uint64_t at = 0; at < range->size; at += each, n++) {
        parts[n] =
            (PopulatePart){ b->host + range->at + at, MIN(each, range->size - at), b->anonymous };
        started[n] = g_thread_try_new("prealloc", ram_populate_part, &parts[n], NULL);
    }
    for (unsigned i = 0; i < n; i++) {
        gpointer r = started[i] ? g_thread_join(started[i]) : ram_populate_part(&parts[i]);

        error = error ? error : GPOINTER_TO_INT(r);
    }
    return error;
}

static bool populate(RamBlock *b, const struct RamRange *range, unsigned threads, GError **err)
{
    errno = ram_populate_all(b, range, MAX(threads, 1));
    if (errno == EINVAL) { /* a host kernel before 5.14 */
        errno = b->fd < 0 ? ENOTSUP : posix_fallocate(b->fd, (off_t)range->at, (off_t)range->size);
    }
    return errno == 0 ||
           ram_fail(err, b->id, range->size, "the host cannot provide the memory now");
}

/* Restrict a range to NUMA nodes of the host, before its pages are allocated. */
static bool ram_place(RamBlock *b, const struct RamRange *range, const RamSource *from,
                      GError **err)
{
    unsigned long nodes = from->nodes;

    return from->policy == RAM_POLICY_DEFAULT ||
           syscall(SYS_mbind, b->host + range->at, range->size, (int)from->policy, &nodes,
                   8 * sizeof(nodes) + 1, MPOL_MF_STRICT) == 0 ||
           ram_fail(err, b->id, range->size, "the host cannot place the memory on host-nodes=");
}

/* Map the file or memfd of a source. @only: it is that of the complete block. */
static bool ram_map_source(RamBlock *b, const struct RamRange *range, const RamSource *from,
                           bool only, GError **err)
{
    bool private = from->path && from->private_file;
    int flags = private ? MAP_PRIVATE : MAP_SHARED;
    int fd = from->path ? ram_open_file(b, range->size, from, err)
                        : make_memfd(b, range->size, from, err);
    uint8_t *reserved = b->host; /* NULL if the file is that of the complete block */

    if (fd < 0) {
        return false;
    }
    if (!from->hugetlb || from->no_reserve) { /* ram_check_host() replaces accounting */
        flags |= MAP_NORESERVE;
    }
    b->host = mmap(only ? NULL : reserved + range->at, range->size, PROT_READ | PROT_WRITE,
                   flags | (only ? 0 : MAP_FIXED), fd, 0);
    if (b->host == MAP_FAILED) {
        b->host = reserved;
        ram_fail(err, b->id, range->size, "the host cannot map the memory");
        close(fd);
        return false;
    }
    b->host -= range->at;
    b->holes = only && !from->path && !from->hugetlb;
    if (!only || private) { /* guest stores are not in the file, or not in one file */
        close(fd);
    } else {
        b->fd = fd;
    }
    return true;
}

/* Map anonymous memory, or with PROT_NONE reserve addresses, at a multiple of @align. */
static bool ram_map_anonymous(RamBlock *b, int prot, uint64_t align, GError **err)
{
    uint64_t size = b->size + align;
    uint8_t *at, *start;

    at = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        return ram_fail(err, b->id, b->size, "the host has no addresses for the memory");
    }
    start = (uint8_t *)(((uintptr_t)at + align - 1) & ~(uintptr_t)(align - 1));
    if (start > at) {
        munmap(at, (size_t)(start - at));
    }
    munmap(start + b->size, (size_t)(at + size - (start + b->size)));
    b->host = start;
    return true;
}

/* Reserve addresses for parts with separate files. */
static bool ram_reserve_addresses(RamBlock *b, GError **err)
{
    return ram_map_anonymous(b, PROT_NONE, HUGE_PAGE_MAX, err);
}

/* Map a block without a file. The transparent huge pages of the host apply to such memory only, by
 * default. */
static bool ram_map_private(RamBlock *b, GError **err)
{
    if (!ram_map_anonymous(b, PROT_READ | PROT_WRITE, HUGE_PAGE, err)) {
        return false;
    }
    madvise(b->host, b->size, MADV_DONTFORK);
    b->anonymous = true;
    if (sysconf(_SC_PAGESIZE) == RAM_PAGE_SIZE) {
        b->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    }
    b->holes = b->pagemap >= 0;
    return true;
}

/* Apply the properties of the source to a mapped range. */
static bool ram_prepare_range(RamBlock *b, const struct RamRange *range, const RamSource *from,
                              GError **err)
{
    uint8_t *host = b->host + range->at;

    if (!ram_place(b, range, from, err)) {
        return false;
    }
    if (from->discard) {
        b->discard[b->n_discard++] = *range;
    }
    /* Failures of this advice are ignored: they affect speed and the size of core files only. */
    madvise(host, range->size, MADV_HUGEPAGE);
    if (from->merge) {
        madvise(host, range->size, MADV_MERGEABLE);
    }
    if (from->no_dump) {
        madvise(host, range->size, MADV_DONTDUMP);
    }
    return !from->prealloc || populate(b, range, from->threads, err);
}

/* Return the source for a block as one memfd or file, or NULL if the parts require separate ones.
 */
static const RamSource *ram_common_source(const RamPart *parts, unsigned n, RamSource *common)
{
    *common = (RamSource){ .no_reserve = true }; /* ram_check_parts() has checked the sum */
    if (n == 1) {
        return parts[0].from;
    }
    for (unsigned i = 0; i < n; i++) {
        if (parts[i].from->path || parts[i].from->hugetlb) {
            return NULL;
        }
        common->seal |= parts[i].from->seal;
        common->memfd |= parts[i].from->memfd;
    }
    return common;
}

static bool ram_has_file(const RamSource *from)
{
    return from->path || from->memfd || from->seal || from->hugetlb;
}

/* Map the complete block (@one: its source), or reserve its addresses. */
static bool ram_map_whole(RamBlock *b, const RamSource *one, GError **err)
{
    const struct RamRange all = { 0, b->size };

    if (!one) {
        return ram_reserve_addresses(b, err);
    }
    return ram_has_file(one) ? ram_map_source(b, &all, one, true, err) : ram_map_private(b, err);
}

static bool map_block(RamBlock *b, const RamPart *parts, unsigned n, GError **err)
{
    struct RamRange range = { 0, b->size };
    RamSource common;
    const RamSource *one = ram_common_source(parts, n, &common);

    if (!ram_map_whole(b, one, err)) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        range.size = i + 1 < n ? parts[i].size : b->size - range.at;
        if ((!one && !ram_map_source(b, &range, parts[i].from, false, err)) ||
            !ram_prepare_range(b, &range, parts[i].from, err)) {
            return false;
        }
        range.at += range.size;
    }
    b->pages = g_try_malloc0(b->size >> RAM_PAGE_BITS);
    if (!b->pages) {
        errno = ENOMEM;
        return ram_fail(err, b->id, b->size, "no memory for the page states");
    }
    return true;
}

/* Return whether the memory of a source must fit into the memory of the host. Huge pages have a
 * separate pool, and a shared file is stored by its file system. */
static bool ram_is_accounted(const RamSource *from)
{
    return !from->no_reserve && !from->hugetlb && (!from->path || from->private_file);
}

bool ram_check_host(const char *id, uint64_t size, const RamSource *from, GError **err)
{
    const char *what;
    uint64_t limit;

    if (!ram_is_accounted(from)) {
        return true;
    }
    limit = mem_limit_host(&what);
    if (size <= limit) {
        return true;
    }
    return error_set(err, ERROR_HOST,
                     "RAM '%s' of %" G_GUINT64_FORMAT " bytes is more than the %" G_GUINT64_FORMAT
                     " bytes of %s: use less, or a memory back end with reserve=off",
                     id, size, limit, what);
}

/* Check the parts that the host must be able to provide together. */
static bool ram_check_parts(const char *id, const RamPart *parts, unsigned n, GError **err)
{
    const RamSource anonymous = { 0 };
    uint64_t size = 0;

    for (unsigned i = 0; i < n; i++) {
        size += ram_is_accounted(parts[i].from) ? parts[i].size : 0;
    }
    return ram_check_host(id, size, &anonymous, err);
}

RamBlock *ram_block_new_parts(const char *id, const RamPart *parts, unsigned n, GError **err)
{
    const uint64_t limit = UINT64_C(1) << 52;
    uint64_t size = 0;
    RamBlock *b;

    g_assert(n > 0 && n <= RAM_PARTS_MAX);
    for (unsigned i = 0; i < n; i++) {
        g_assert(parts[i].size > 0 && (i + 1 == n || parts[i].size % RAM_PAGE_SIZE == 0));
        size = parts[i].size > limit ? parts[i].size : size + parts[i].size;
        if (size > limit) {
            errno = EFBIG;
            ram_fail(err, id, size, "at most 4 PiB are accepted");
            return NULL;
        }
    }
    if (!ram_check_parts(id, parts, n, err)) {
        return NULL;
    }
    b = g_new0(RamBlock, 1);
    b->id = g_strdup(id);
    b->fd = -1;
    b->pagemap = -1;
    b->size = (size + RAM_PAGE_SIZE - 1) & ~(uint64_t)(RAM_PAGE_SIZE - 1);
    if (!map_block(b, parts, n, err)) {
        ram_block_free(b);
        return NULL;
    }
    return b;
}

void ram_block_ref_any(RamBlock *block)
{
    __atomic_add_fetch(&block->refs, 1, __ATOMIC_SEQ_CST);
}

void ram_block_unref_any(RamBlock *block)
{
    ram_block_free(block);
}

void ram_block_free(RamBlock *block)
{
    if (!block || __atomic_sub_fetch(&block->refs, 1, __ATOMIC_SEQ_CST) >= 0) {
        return;
    }
    if (block->host) {
        for (unsigned i = 0; i < block->n_discard; i++) { /* advice: the contents may remain */
            madvise(block->host + block->discard[i].at, block->discard[i].size, MADV_REMOVE);
        }
        munmap(block->host, block->size);
    }
    if (block->fd >= 0) {
        close(block->fd);
    }
    if (block->pagemap >= 0) {
        close(block->pagemap);
    }
    g_free(block->pages);
    g_free(block->id);
    g_free(block);
}

void ram_written_any(RamBlock *block, uint64_t offset, uint64_t len)
{
    uint8_t tracking = __atomic_load_n(&block->tracking, __ATOMIC_RELAXED);
    uint64_t page, last;
    bool code = false;

    if (!len) {
        return;
    }
    last = (offset + len - 1) >> RAM_PAGE_BITS;
    for (page = offset >> RAM_PAGE_BITS; page <= last; page++) {
        /* A full barrier: the data must be visible before the bit is found set or set. */
        uint8_t state = tracking
                            ? __atomic_fetch_or(&block->pages[page], tracking, __ATOMIC_SEQ_CST)
                            : __atomic_load_n(&block->pages[page], __ATOMIC_SEQ_CST);

        code |= (state & RAM_PAGE_CODE) != 0;
    }
    if (code && block->code_written) {
        block->code_written(block->code_opaque, block, offset, len);
    }
}

void ram_device_written(RamBlock *block, uint64_t offset, uint64_t len)
{
    ram_written_any(block, offset, len);
    if (block->device_written && len) {
        block->device_written(block->device_opaque, block, offset, len);
    }
}

void ram_dirty_track(RamBlock *block, bool on)
{
    uint64_t n = block->size >> RAM_PAGE_BITS;

    if (on) {
        __atomic_fetch_or(&block->tracking, RAM_PAGE_DIRTY, __ATOMIC_SEQ_CST);
        for (uint64_t i = 0; i < n / AT_ONCE; i++) {
            __atomic_fetch_or((uint64_t *)block->pages + i, WORD_DIRTY, __ATOMIC_RELAXED);
        }
        for (uint64_t i = n / AT_ONCE * AT_ONCE; i < n; i++) {
            __atomic_fetch_or(&block->pages[i], RAM_PAGE_DIRTY, __ATOMIC_RELAXED);
        }
    } else {
        __atomic_fetch_and(&block->tracking, (uint8_t)~RAM_PAGE_DIRTY, __ATOMIC_SEQ_CST);
    }
}

static uint64_t fetch_page(RamBlock *block, uint8_t bit, uint64_t page, uint64_t i,
                           unsigned long *bitmap)
{
    uint8_t old = __atomic_load_n(&block->pages[page], __ATOMIC_RELAXED);

    if (!(old & bit)) {
        return 0;
    }
    __atomic_fetch_and(&block->pages[page], (uint8_t)~bit, __ATOMIC_SEQ_CST);
    bitmap[i / (8 * sizeof(long))] |= 1ul << i % (8 * sizeof(long));
    return 1;
}

/* Fetch eight pages with one access. The guest is paused meanwhile in each pass of a migration. */
static uint64_t fetch_word(RamBlock *block, uint64_t page, uint64_t i, unsigned long *bitmap)
{
    uint64_t *word = (uint64_t *)&block->pages[page];
    uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED) & WORD_DIRTY;

    if (!old) {
        return 0;
    }
    old = __atomic_fetch_and(word, ~WORD_DIRTY, __ATOMIC_SEQ_CST) & WORD_DIRTY;
    old = GUINT64_FROM_LE(old) * WORD_GATHER >> 56;
    bitmap[i / (8 * sizeof(long))] |= (unsigned long)old << i % (8 * sizeof(long));
    return __builtin_popcountll(old);
}

uint64_t ram_dirty_fetch(RamBlock *block, uint64_t first, uint64_t n, unsigned long *bitmap)
{
    uint64_t count = 0;

    memset(bitmap, 0, (n + 8 * sizeof(long) - 1) / (8 * sizeof(long)) * sizeof(long));
    for (uint64_t i = 0; i < n;) {
        if ((first + i) % AT_ONCE == 0 && i % AT_ONCE == 0 && n - i >= AT_ONCE) {
            count += fetch_word(block, first + i, i, bitmap);
            i += AT_ONCE;
        } else {
            count += fetch_page(block, RAM_PAGE_DIRTY, first + i, i, bitmap);
            i++;
        }
    }
    return count;
}

void ram_view_track(RamBlock *block, bool on)
{
    if (!on) {
        __atomic_fetch_and(&block->tracking, (uint8_t)~RAM_PAGE_VIEW, __ATOMIC_SEQ_CST);
        return;
    }
    __atomic_fetch_or(&block->tracking, RAM_PAGE_VIEW, __ATOMIC_SEQ_CST);
    for (uint64_t i = 0; i < block->size >> RAM_PAGE_BITS; i++) {
        __atomic_fetch_or(&block->pages[i], RAM_PAGE_VIEW, __ATOMIC_RELAXED);
    }
}

uint64_t ram_view_fetch(RamBlock *block, uint64_t first, uint64_t n, unsigned long *bitmap)
{
    uint64_t count = 0;

    memset(bitmap, 0, (n + 8 * sizeof(long) - 1) / (8 * sizeof(long)) * sizeof(long));
    for (uint64_t i = 0; i < n; i++) {
        count += fetch_page(block, RAM_PAGE_VIEW, first + i, i, bitmap);
    }
    return count;
}

bool ram_view_changed_any(const RamBlock *block, uint64_t first, uint64_t n)
{
    for (uint64_t i = first; i < first + n; i++) {
        if (__atomic_load_n(&block->pages[i], __ATOMIC_RELAXED) & RAM_PAGE_VIEW) {
            return true;
        }
    }
    return false;
}

bool ram_page_direct_write_any(const RamBlock *block, uint64_t page)
{
    uint8_t state = __atomic_load_n(&block->pages[page], __ATOMIC_ACQUIRE);

    if (block->read_only || state & RAM_PAGE_CODE) {
        return false;
    }
    return !(__atomic_load_n(&block->tracking, __ATOMIC_ACQUIRE) & ~state);
}
