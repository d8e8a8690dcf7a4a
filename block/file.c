/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw image files and host block devices: opening, locking, sizes, and the I/O that a thread
 * does; io_uring takes plain reads and writes where it can (uring.c).
 *
 * Locks are open-file-description locks on the first byte: a writer excludes everybody, readers
 * share. They end with the process, however it ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block_int.h"

enum { DIRECT_ALIGN = 4096, BOUNCE_MAX = 1 << 20 };

typedef struct BlockFile {
    char *filename;
    int fd;
    bool direct, threads;
} BlockFile;

static bool read_options(BlockFile *s, struct json_object *o, GError **err)
{
    const char *aio = opt_str(o, "aio");
    struct json_object *cache;

    if (aio &&
        !g_strv_contains((const char *const[]){ "threads", "io_uring", "native", NULL }, aio)) {
        BLOCK_ERROR(err, "aio=%s: accepted are threads and io_uring", aio);
        return false;
    }
    s->threads = aio && g_str_equal(aio, "threads");
    s->filename = g_strdup(opt_str(o, "filename"));
    if (!s->filename || !*s->filename) {
        BLOCK_ERROR(err, "it needs a file: filename=...");
        return false;
    }
    return !json_object_object_get_ex(o, "cache", &cache) ||
           opt_bool(cache, "direct", false, &s->direct, err);
}

static bool read_size(BlockNode *n, GError **err)
{
    BlockFile *s = n->priv;
    struct stat st;
    uint64_t size;

    if (fstat(s->fd, &st) < 0) {
        BLOCK_ERROR(err, "cannot examine '%s': %s", s->filename, g_strerror(errno));
        return false;
    }
    size = st.st_size;
    if (S_ISBLK(st.st_mode) && ioctl(s->fd, BLKGETSIZE64, &size) < 0) {
        BLOCK_ERROR(err, "cannot find the size of '%s': %s", s->filename, g_strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        BLOCK_ERROR(err, "'%s' is neither a regular file nor a block device", s->filename);
        return false;
    }
    n->size = size & ~(uint64_t)(BLOCK_SECTOR - 1);
    return true;
}

static int open_flags(const BlockNode *n, const BlockFile *s)
{
    return (n->read_only ? O_RDONLY : O_RDWR) | (s->direct ? O_DIRECT : 0) | O_CLOEXEC;
}

static bool set_lock(const BlockFile *s, short type)
{
    struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };

    return fcntl(s->fd, F_OFD_SETLK, &lock) == 0;
}

static void file_close(BlockNode *n)
{
    BlockFile *s = n->priv;

    if (s->fd >= 0) {
        /* The kernel may still hold the file for requests that are done, and with it the lock. */
        set_lock(s, F_UNLCK);
        close(s->fd);
    }
    g_free(s->filename);
    g_free(s);
}

static bool file_open(BlockNode *n, struct json_object *o, GError **err)
{
    BlockFile *s = g_new0(BlockFile, 1);
    bool auto_read_only = false;

    n->priv = s;
    s->fd = -1;
    if (!read_options(s, o, err) || !opt_bool(o, "auto-read-only", false, &auto_read_only, err)) {
        file_close(n);
        return false;
    }
    s->fd = open(s->filename, open_flags(n, s));
    if (s->fd < 0 && auto_read_only && (errno == EACCES || errno == EROFS)) {
        n->read_only = true;
        s->fd = open(s->filename, open_flags(n, s));
    }
    if (s->fd < 0) {
        BLOCK_ERROR(err, "cannot open '%s'%s: %s", s->filename,
                    n->read_only ? "" : " for writing (read-only=on if it must not be)",
                    g_strerror(errno));
    }
    if (s->fd < 0 || !read_size(n, err)) {
        file_close(n);
        return false;
    }
    if (!n->set->ring && !s->threads) {
        n->set->ring = ring_new(n->set);
    }
    return true;
}

static bool file_lock(BlockNode *n, short type, GError **err)
{
    BlockFile *s = n->priv;

    if (!set_lock(s, type)) {
        BLOCK_ERROR(err, "cannot lock '%s': another process %s it", s->filename,
                    n->read_only ? "writes" : "uses");
        return false;
    }
    return true;
}

static bool file_activate(BlockNode *n, GError **err)
{
    return file_lock(n, n->read_only ? F_RDLCK : F_WRLCK, err) && read_size(n, err);
}

static bool file_inactivate(BlockNode *n, GError **err)
{
    BlockFile *s = n->priv;

    if (!n->read_only && fdatasync(s->fd) < 0) {
        BLOCK_ERROR(err, "cannot flush '%s': %s", s->filename, g_strerror(errno));
        return false;
    }
    return file_lock(n, F_UNLCK, err);
}

static bool file_resize(BlockNode *n, uint64_t size, GError **err)
{
    BlockFile *s = n->priv;

    if (size > INT64_MAX || ftruncate(s->fd, size) < 0) {
        BLOCK_ERROR(err, "cannot resize '%s' to %" G_GUINT64_FORMAT " bytes: %s", s->filename, size,
                    size > INT64_MAX ? "too large" : g_strerror(errno));
        return false;
    }
    return true;
}

/* --- the I/O itself, in whichever thread calls --- */

typedef struct Cursor {
    const struct iovec *iov;
    int n;
    size_t skip; /* of the first one */
} Cursor;

static Cursor cursor_at(const BlockRequest *req, uint64_t done)
{
    Cursor c = { req->iov, req->n_iov, done };

    while (c.n > 0 && c.skip >= c.iov->iov_len) {
        c.skip -= c.iov->iov_len;
        c.iov++;
        c.n--;
    }
    return c;
}

/* One system call's worth; bytes moved, 0 at the end of the file, or -errno. */
static ssize_t transfer_once(int fd, const BlockRequest *req, uint64_t done)
{
    Cursor c = cursor_at(req, done);
    struct iovec iov[64];
    int n = MIN(c.n, (int)G_N_ELEMENTS(iov));
    ssize_t r;

    memcpy(iov, c.iov, n * sizeof(*iov));
    iov[0].iov_base = (uint8_t *)iov[0].iov_base + c.skip;
    iov[0].iov_len -= c.skip;
    r = req->op == BLOCK_READ ? preadv(fd, iov, n, req->offset + done)
                              : pwritev(fd, iov, n, req->offset + done);
    return r < 0 ? -errno : r;
}

/* O_DIRECT wants aligned memory: go through a buffer of ours. */
static ssize_t transfer_bounce(int fd, const BlockRequest *req, uint64_t done)
{
    size_t len = MIN(req->len - done, BOUNCE_MAX);
    void *bounce = NULL;
    Cursor c = cursor_at(req, done);
    size_t at = 0, skip = c.skip;
    ssize_t r;

    if (posix_memalign(&bounce, DIRECT_ALIGN, BOUNCE_MAX)) {
        return -ENOMEM;
    }
    r = req->op == BLOCK_READ ? pread(fd, bounce, len, req->offset + done) : (ssize_t)len;
    if (r < 0) {
        r = -errno;
    }
    for (int i = 0; r > 0 && i < c.n && at < (size_t)r; i++, skip = 0) {
        size_t part = MIN(c.iov[i].iov_len - skip, (size_t)r - at);
        uint8_t *guest = (uint8_t *)c.iov[i].iov_base + skip;

        if (req->op == BLOCK_READ) {
            memcpy(guest, (uint8_t *)bounce + at, part);
        } else {
            memcpy((uint8_t *)bounce + at, guest, part);
        }
        at += part;
    }
    if (req->op == BLOCK_WRITE) {
        r = pwrite(fd, bounce, len, req->offset + done);
        r = r < 0 ? -errno : r;
    }
    free(bounce);
    return r;
}

static bool is_aligned(const BlockRequest *req)
{
    for (int i = 0; i < req->n_iov; i++) {
        if (((uintptr_t)req->iov[i].iov_base | req->iov[i].iov_len) & (BLOCK_SECTOR - 1)) {
            return false;
        }
    }
    return true;
}

/* A file may end inside the last request if something else cut it: what is missing is zero. */
static void zero_rest(const BlockRequest *req, uint64_t done)
{
    Cursor c = cursor_at(req, done);

    for (int i = 0; i < c.n; i++) {
        size_t skip = i ? 0 : c.skip;

        memset((uint8_t *)c.iov[i].iov_base + skip, 0, c.iov[i].iov_len - skip);
    }
}

static int transfer(BlockFile *s, BlockRequest *req, uint64_t done)
{
    bool bounce = s->direct && !is_aligned(req);

    while (done < req->len) {
        ssize_t r = bounce ? transfer_bounce(s->fd, req, done) : transfer_once(s->fd, req, done);

        if (r == -EINTR) {
            continue;
        }
        if (r < 0) {
            return r;
        }
        if (r == 0 && req->op == BLOCK_READ) {
            zero_rest(req, done);
            break;
        }
        if (r == 0) {
            return -ENOSPC;
        }
        done += r;
    }
    return req->fua && req->op == BLOCK_WRITE && fdatasync(s->fd) < 0 ? -errno : 0;
}

static int zero_range(BlockFile *s, const BlockRequest *req)
{
    static const uint8_t zeroes[65536] __attribute__((aligned(DIRECT_ALIGN)));
    int mode = req->may_unmap ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_ZERO_RANGE;

    if (fallocate(s->fd, mode, req->offset, req->len) == 0) {
        return 0;
    }
    for (uint64_t done = 0; done < req->len;) {
        ssize_t r = pwrite(s->fd, zeroes, MIN(sizeof(zeroes), req->len - done), req->offset + done);

        if (r == 0 || (r < 0 && errno != EINTR)) {
            return r < 0 ? -errno : -ENOSPC;
        }
        done += MAX(r, 0);
    }
    return 0;
}

static int write_zeroes(BlockFile *s, const BlockRequest *req)
{
    int result = zero_range(s, req);

    return result == 0 && req->fua && fdatasync(s->fd) < 0 ? -errno : result;
}

static int discard(BlockFile *s, const BlockRequest *req)
{
    /* A hint: a file system that cannot punch holes keeps the data. */
    fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, req->offset, req->len);
    return 0;
}

int file_do(BlockNode *n, BlockRequest *req, uint64_t done)
{
    BlockFile *s = n->priv;

    switch (req->op) {
    case BLOCK_READ:
    case BLOCK_WRITE:
        return transfer(s, req, done);
    case BLOCK_FLUSH:
        return fdatasync(s->fd) < 0 ? -errno : 0;
    case BLOCK_DISCARD:
        return discard(s, req);
    case BLOCK_WRITE_ZEROES:
        break;
    }
    return write_zeroes(s, req);
}

static void file_submit(BlockNode *n, BlockRequest *req)
{
    BlockFile *s = n->priv;
    bool plain = (req->op == BLOCK_READ || (req->op == BLOCK_WRITE && !req->fua)) &&
                 (!s->direct || is_aligned(req));

    if (s->threads || !n->set->ring || !(plain || req->op == BLOCK_FLUSH) ||
        !ring_submit(n->set->ring, req, s->fd)) {
        block_run_threaded(req);
    }
}

static const char *file_filename(const BlockNode *n)
{
    return ((BlockFile *)n->priv)->filename;
}

static const char *const file_keys[] = { "aio", NULL };
#define FILE_DRIVER(n)                                                                             \
    {                                                                                              \
        .name = (n), .keys = file_keys, .open = file_open, .close = file_close,                    \
        .submit = file_submit, .resize = file_resize, .activate = file_activate,                   \
        .inactivate = file_inactivate, .filename = file_filename                                   \
    }
const BlockDriver block_file = FILE_DRIVER("file");
const BlockDriver block_host_device = FILE_DRIVER("host_device");
