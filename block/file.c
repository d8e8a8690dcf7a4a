/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Image files and host block devices: opening, sizes, and the I/O that a thread does; io_uring
 * takes plain reads and writes where it can (uring.c). Locks: image_lock.c.
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
    bool threads; /* no io_uring */
    bool locking;
    ImageLock lock;
} BlockFile;

enum { AIO_DEFAULT, AIO_THREADS, AIO_NATIVE, AIO_IO_URING };
enum { LOCKING_AUTO, LOCKING_ON, LOCKING_OFF };

static bool read_aio(BlockNode *n, struct json_object *o, GError **err)
{
    static const char *const names[] = { "", "threads", "native", "io_uring", NULL };
    BlockFile *s = n->priv;
    int aio;

    if (!opt_enum(o, "aio", names, AIO_DEFAULT, &aio, err)) {
        return false;
    }
    if (aio == AIO_NATIVE && !n->direct) {
        BLOCK_ERROR(err, "aio=native was specified, but it requires cache.direct=on, which was "
                         "not specified");
        return false;
    }
    s->threads = aio == AIO_THREADS;
    if (!n->set->ring && !s->threads) {
        n->set->ring = ring_new(n->set);
    }
    if (!n->set->ring && aio > AIO_THREADS) {
        BLOCK_ERROR(err, "aio=%s needs io_uring, which this host does not offer; use aio=threads",
                    names[aio]);
        return false;
    }
    return true;
}

static bool read_options(BlockNode *n, struct json_object *o, int *locking, GError **err)
{
    static const char *const lockings[] = { "auto", "on", "off", NULL };
    BlockFile *s = n->priv;

    s->filename = g_strdup(opt_str(o, "filename"));
    if (!s->filename || !*s->filename) {
        BLOCK_ERROR(err, "it needs a file: filename=...");
        return false;
    }
    return read_aio(n, o, err) && opt_enum(o, "locking", lockings, LOCKING_AUTO, locking, err);
}

static bool read_locking(BlockFile *s, int locking, GError **err)
{
    bool possible = image_lock_possible(s->fd);

    s->lock.fd = s->fd;
    s->locking = possible && locking != LOCKING_OFF;
    if (!possible && locking == LOCKING_ON) {
        BLOCK_ERROR(err, "locking=on: '%s' cannot be locked: %s", s->filename, g_strerror(errno));
        return false;
    }
    return true;
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
    n->size = (size + BLOCK_SECTOR - 1) & ~(uint64_t)(BLOCK_SECTOR - 1);
    return true;
}

static int open_flags(const BlockNode *n)
{
    return (n->read_only ? O_RDONLY : O_RDWR) | (n->direct ? O_DIRECT : 0) | O_CLOEXEC;
}

static void file_close(BlockNode *n)
{
    BlockFile *s = n->priv;

    if (s->fd >= 0) {
        /* The kernel may still hold the file for requests that are done, and with it the locks. */
        image_lock_drop(&s->lock);
        close(s->fd);
    }
    g_free(s->filename);
    g_free(s);
}

/* Opening never waits, as it would for a FIFO; what the file is is looked at afterwards. */
static int open_now(const BlockNode *n, const char *filename)
{
    int fd = open(filename, open_flags(n) | O_NONBLOCK | O_NOCTTY);

    if (fd >= 0 && fcntl(fd, F_SETFL, open_flags(n) & O_DIRECT) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool open_image(BlockNode *n, struct json_object *o, GError **err)
{
    BlockFile *s = n->priv;
    bool auto_read_only = false;

    if (!opt_bool(o, "auto-read-only", false, &auto_read_only, err)) {
        return false;
    }
    s->fd = open_now(n, s->filename);
    if (s->fd < 0 && auto_read_only && (errno == EACCES || errno == EROFS || errno == EPERM)) {
        n->read_only = true;
        s->fd = open_now(n, s->filename);
    }
    if (s->fd < 0) {
        BLOCK_ERROR(err, "Could not open '%s'%s: %s", s->filename,
                    n->read_only ? "" : " for writing (read-only=on if it must not be)",
                    g_strerror(errno));
    }
    return s->fd >= 0;
}

static bool file_open(BlockNode *n, struct json_object *o, GError **err)
{
    BlockFile *s = g_new0(BlockFile, 1);
    int locking;

    n->priv = s;
    s->fd = s->lock.fd = -1;
    if (read_options(n, o, &locking, err) && open_image(n, o, err) &&
        read_locking(s, locking, err) && read_size(n, err)) {
        return true;
    }
    file_close(n);
    return false;
}

static bool file_lock(BlockNode *n, unsigned perm, unsigned shared, GError **err)
{
    BlockFile *s = n->priv;

    return !s->locking || image_lock_set(&s->lock, perm, shared, s->filename, err);
}

static bool file_activate(BlockNode *n, GError **err)
{
    return read_size(n, err);
}

static bool file_inactivate(BlockNode *n, GError **err)
{
    BlockFile *s = n->priv;

    if (!n->read_only && fdatasync(s->fd) < 0) {
        BLOCK_ERROR(err, "cannot flush '%s': %s", s->filename, g_strerror(errno));
        return false;
    }
    return true;
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
    r = req->p.op == BLOCK_READ ? preadv(fd, iov, n, req->p.at + done)
                                : pwritev(fd, iov, n, req->p.at + done);
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
    r = req->p.op == BLOCK_READ ? pread(fd, bounce, len, req->p.at + done) : (ssize_t)len;
    if (r < 0) {
        r = -errno;
    }
    for (int i = 0; r > 0 && i < c.n && at < (size_t)r; i++, skip = 0) {
        size_t part = MIN(c.iov[i].iov_len - skip, (size_t)r - at);
        uint8_t *guest = (uint8_t *)c.iov[i].iov_base + skip;

        if (req->p.op == BLOCK_READ) {
            memcpy(guest, (uint8_t *)bounce + at, part);
        } else {
            memcpy((uint8_t *)bounce + at, guest, part);
        }
        at += part;
    }
    if (req->p.op == BLOCK_WRITE) {
        r = pwrite(fd, bounce, len, req->p.at + done);
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

static int transfer(const BlockNode *n, BlockRequest *req)
{
    BlockFile *s = n->priv;
    bool bounce = n->direct && !is_aligned(req);
    uint64_t done = 0;

    while (done < req->len) {
        ssize_t r = bounce ? transfer_bounce(s->fd, req, done) : transfer_once(s->fd, req, done);

        if (r == -EINTR) {
            continue;
        }
        if (r < 0) {
            return r;
        }
        if (r == 0 && req->p.op == BLOCK_READ) {
            zero_rest(req, done);
            break;
        }
        if (r == 0) {
            return -ENOSPC;
        }
        done += r;
    }
    return req->p.fua && req->p.op == BLOCK_WRITE && fdatasync(s->fd) < 0 ? -errno : 0;
}

static int zero_range(BlockFile *s, const BlockRequest *req)
{
    static const uint8_t zeroes[65536] __attribute__((aligned(DIRECT_ALIGN)));
    int mode = req->p.unmap ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_ZERO_RANGE;

    if (fallocate(s->fd, mode, req->p.at, req->len) == 0) {
        return 0;
    }
    for (uint64_t done = 0; done < req->len;) {
        ssize_t r = pwrite(s->fd, zeroes, MIN(sizeof(zeroes), req->len - done), req->p.at + done);

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

    return result == 0 && req->p.fua && fdatasync(s->fd) < 0 ? -errno : result;
}

static int discard(BlockFile *s, const BlockRequest *req)
{
    int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    bool done = fallocate(s->fd, mode, req->p.at, req->len) == 0;

    /* A hint: a file system that cannot punch holes keeps the data. Other errors are reported. */
    return done || errno == EOPNOTSUPP || errno == ENOSYS || errno == ENODEV || errno == ENOTTY
               ? 0
               : -errno;
}

static int file_perform(BlockNode *n, BlockRequest *req)
{
    BlockFile *s = n->priv;

    switch (req->p.op) {
    case BLOCK_READ:
    case BLOCK_WRITE:
        return transfer(n, req);
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
    bool plain = (req->p.op == BLOCK_READ || (req->p.op == BLOCK_WRITE && !req->p.fua)) &&
                 (!n->direct || is_aligned(req));

    if (s->threads || !n->set->ring || !(plain || req->p.op == BLOCK_FLUSH) ||
        !ring_submit(n->set->ring, req, s->fd)) {
        block_run_threaded(req);
    }
}

static const char *file_filename(const BlockNode *n)
{
    return ((BlockFile *)n->priv)->filename;
}

static const char *const file_keys[] = { "filename", "aio", "locking", NODE_KEYS, NULL };
#define FILE_DRIVER(n)                                                                             \
    {                                                                                              \
        .name = (n), .keys = file_keys, .open = file_open, .close = file_close,                    \
        .submit = file_submit, .perform = file_perform, .resize = file_resize, .lock = file_lock,  \
        .activate = file_activate, .inactivate = file_inactivate, .filename = file_filename        \
    }
const BlockDriver block_file = FILE_DRIVER("file");
const BlockDriver block_host_device = FILE_DRIVER("host_device");
