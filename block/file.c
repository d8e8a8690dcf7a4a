/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The protocol drivers file (regular files) and host_device (block devices of the host).
 *
 * Plain reads, writes and flushes use an engine of the host kernel (aio=io_uring, aio=native);
 * everything else runs on an I/O thread (aio=threads). Image locks are in image_lock.c.
 *
 * With cache.direct=on the host requires offsets, lengths and memory addresses to be multiples of
 * its logical block size. Requests that are not are copied through an aligned buffer. A write of
 * part of a logical block larger than a sector reads the block first. BlockFile.rmw keeps such a
 * write apart from all other writes, so that neither is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

enum { FILE_ALIGN_MAX = 65536, FILE_BOUNCE_MAX = 1 << 20 };
#define FILE_DRY_RUN_SIZE (1ull << 50)

typedef struct BlockFile {
    char *filename;
    int fd;
    BlockEngineKind engine;
    bool locking;
    ImageLock lock;
    uint32_t sector; /* logical block size of a host device; 1 for a regular file */
    uint32_t align;  /* of direct I/O; 1 without cache.direct */
    GRWLock rmw;     /* held for writing while a part of a logical block is written */
} BlockFile;

enum { FILE_LOCKING_AUTO, FILE_LOCKING_ON, FILE_LOCKING_OFF };

static bool file_read_aio(BlockNode *n, struct json_object *o, GError **err)
{
    enum { AIO_DEFAULT, AIO_THREADS, AIO_NATIVE, AIO_IO_URING };
    static const char *const names[] = { "", "threads", "native", "io_uring", NULL };
    BlockFile *s = n->priv;
    int aio;

    if (!opt_enum(o, "aio", names, AIO_DEFAULT, &aio, err)) {
        return false;
    }
    switch (aio) {
    case AIO_DEFAULT:
        s->engine = engine_open(n->set, ENGINE_URING, NULL) ? ENGINE_URING : ENGINE_NONE;
        return true;
    case AIO_THREADS:
        s->engine = ENGINE_NONE;
        return true;
    case AIO_NATIVE:
        if (!n->direct) {
            return error_set(err, ERROR_USER,
                             "aio=native was specified, but it requires cache.direct=on, which "
                             "was not specified");
        }
        s->engine = ENGINE_AIO;
        return engine_open(n->set, ENGINE_AIO, err);
    default:
        s->engine = ENGINE_URING;
        return engine_open(n->set, ENGINE_URING, err);
    }
}

static bool file_read_options(BlockNode *n, struct json_object *o, int *locking, GError **err)
{
    static const char *const lockings[] = { "auto", "on", "off", NULL };
    BlockFile *s = n->priv;

    s->filename = g_strdup(opt_str(o, "filename"));
    if (!s->filename || !*s->filename) {
        return error_set(err, ERROR_USER, "property 'filename' is required: filename=PATH");
    }
    return file_read_aio(n, o, err) &&
           opt_enum(o, "locking", lockings, FILE_LOCKING_AUTO, locking, err);
}

static bool file_read_locking(BlockFile *s, int locking, GError **err)
{
    bool possible = image_lock_possible(s->fd);

    s->lock.fd = s->fd;
    s->locking = possible && locking != FILE_LOCKING_OFF;
    if (!possible && locking == FILE_LOCKING_ON) {
        return error_set_errno(err, errno, "locking=on: '%s' cannot be locked", s->filename);
    }
    return true;
}

static bool file_is_device(const BlockNode *n)
{
    return n->drv == &block_host_device;
}

static bool file_check_type(const BlockNode *n, mode_t mode, GError **err)
{
    const BlockFile *s = n->priv;

    if (file_is_device(n) && !S_ISBLK(mode)) {
        return error_set(err, ERROR_USER, "'host_device' driver requires '%s' to be a block device",
                         s->filename);
    }
    if (!file_is_device(n) && !S_ISREG(mode)) {
        return error_set(err, ERROR_USER, "'file' driver requires '%s' to be a regular file%s",
                         s->filename, S_ISBLK(mode) ? "; use driver 'host_device'" : "");
    }
    return true;
}

/* Read the size, and the logical block size of a host device. */
static bool file_read_size(BlockNode *n, GError **err)
{
    BlockFile *s = n->priv;
    struct stat st;
    uint64_t size;
    int sector = 1;

    if (fstat(s->fd, &st) < 0) {
        return error_set_errno(err, errno, "cannot examine '%s'", s->filename);
    }
    if (!file_check_type(n, st.st_mode, err)) {
        return false;
    }
    size = st.st_size;
    if (file_is_device(n) &&
        (ioctl(s->fd, BLKGETSIZE64, &size) < 0 || ioctl(s->fd, BLKSSZGET, &sector) < 0)) {
        return error_set_errno(err, errno, "cannot read the size of block device '%s'",
                               s->filename);
    }
    if (sector < 1 || sector > FILE_ALIGN_MAX || (sector & (sector - 1))) {
        return error_set(err, ERROR_HOST, "block device '%s': logical block size %d", s->filename,
                         sector);
    }
    s->sector = (uint32_t)sector;
    n->size = (size + BLOCK_SECTOR - 1) & ~(uint64_t)(BLOCK_SECTOR - 1);
    return true;
}

/* The alignment of direct I/O to a regular file: the smallest that the file system accepts. A read
 * from an empty file succeeds with any alignment, so the largest one is used. */
static uint32_t file_probe_align(int fd)
{
    enum { LARGEST = 4096 };
    uint32_t align = BLOCK_SECTOR;
    ssize_t n;
    void *buf;

    if (posix_memalign(&buf, LARGEST, LARGEST)) {
        return LARGEST;
    }
    while (align < LARGEST && ((n = pread(fd, buf, align, 0)) == 0 || (n < 0 && errno == EINVAL))) {
        align *= 2;
    }
    free(buf);
    return align;
}

static void file_read_align(BlockNode *n)
{
    BlockFile *s = n->priv;

    s->align = 1;
    if (n->direct) {
        s->align = file_is_device(n) ? MAX(s->sector, BLOCK_SECTOR) : file_probe_align(s->fd);
    }
}

static int file_open_flags(const BlockNode *n)
{
    return (n->read_only ? O_RDONLY : O_RDWR) | (n->direct ? O_DIRECT : 0) | O_CLOEXEC;
}

static void file_close(BlockNode *n)
{
    BlockFile *s = n->priv;

    if (s->fd >= 0) {
        /* The kernel may keep the open file, and its locks, for requests that have completed. */
        image_lock_drop(&s->lock);
        close(s->fd);
    }
    g_rw_lock_clear(&s->rmw);
    g_free(s->filename);
    g_free(s);
}

/* O_NONBLOCK keeps open() from waiting, which it would for a FIFO. The type of the file is checked
 * afterwards. */
static int file_open_fd(const BlockNode *n, const char *filename)
{
    int fd;

    if (!machine_open_fdset(n->set->machine, filename, !n->read_only, &fd)) {
        fd = open(filename, file_open_flags(n) | O_NONBLOCK | O_NOCTTY);
    }
    if (fd >= 0 && fcntl(fd, F_SETFL, file_open_flags(n) & O_DIRECT) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Return whether an image that cannot be written may be readable. */
static bool file_is_protected(int error)
{
    return error == EACCES || error == EROFS || error == EPERM;
}

static bool file_open_image(BlockNode *n, struct json_object *o, GError **err)
{
    BlockFile *s = n->priv;
    bool auto_read_only = false;

    if (!opt_bool(o, "auto-read-only", false, &auto_read_only, err)) {
        return false;
    }
    s->fd = file_open_fd(n, s->filename);
    if (s->fd < 0 && !n->read_only && auto_read_only && file_is_protected(errno)) {
        n->read_only = true;
        s->fd = file_open_fd(n, s->filename);
    }
    if (s->fd < 0) {
        return error_set_errno(err, errno, "Could not open '%s'%s", s->filename,
                               n->read_only || !file_is_protected(errno)
                                   ? ""
                                   : " for writing (read-only=on opens it for reading)");
    }
    return true;
}

static bool file_open(BlockNode *n, struct json_object *o, GError **err)
{
    BlockFile *s = g_new0(BlockFile, 1);
    int locking;
    bool ok;

    n->priv = s;
    s->fd = s->lock.fd = -1;
    g_rw_lock_init(&s->rmw);
    ok = file_read_options(n, o, &locking, err);
    if (n->set->machine->dry_run) { /* large enough for each offset= and size= of a raw node */
        n->size = FILE_DRY_RUN_SIZE;
        ok = ok && opt_bool(o, "auto-read-only", false, &(bool){ false }, err);
    } else if (ok) {
        ok = file_open_image(n, o, err) && file_read_size(n, err) &&
             file_read_locking(s, locking, err);
    }
    if (ok) {
        if (s->fd >= 0) {
            file_read_align(n);
        }
        return true;
    }
    file_close(n);
    return false;
}

static bool file_is_same(int fd, int other)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && fstat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* Return the node of this machine whose locks on the same image conflict; NULL: none. */
static const BlockNode *file_find_rival(const BlockNode *n, unsigned perm, unsigned shared)
{
    const BlockFile *s = n->priv;

    for (unsigned i = 0; i < n->set->nodes->len; i++) {
        const BlockNode *other = n->set->nodes->pdata[i];
        const BlockFile *o = other->priv;

        if (other != n && other->drv->lock == n->drv->lock &&
            ((o->lock.perm & ~shared) || (o->lock.unshared & perm)) && file_is_same(s->fd, o->fd)) {
            return other;
        }
    }
    return NULL;
}

/* Replace the question about another process. */
static void file_name_rival(const BlockNode *n, const BlockNode *rival, GError **err)
{
    const BlockFile *s = n->priv;
    g_autofree char *one = node_describe_top(rival), *other = node_describe_top(n);
    g_autofree char *lock = g_strndup((*err)->message, strcspn((*err)->message, "."));

    g_clear_error(err);
    error_set(err, ERROR_USER,
              "%s: %s and %s of this machine both use the image [%s]; use one of them, or "
              "share-rw=on on each of the devices",
              lock, one, other, s->filename);
}

static bool file_lock(BlockNode *n, unsigned perm, unsigned shared, GError **err)
{
    BlockFile *s = n->priv;
    const BlockNode *rival;

    if (!s->locking || image_lock_set(&s->lock, perm, shared, s->filename, err)) {
        return true;
    }
    rival = err ? file_find_rival(n, perm, shared) : NULL;
    if (rival) {
        file_name_rival(n, rival, err);
    }
    return false;
}

static bool file_activate(BlockNode *n, GError **err)
{
    return file_read_size(n, err);
}

static bool file_inactivate(BlockNode *n, GError **err)
{
    BlockFile *s = n->priv;

    if (!n->read_only && fdatasync(s->fd) < 0) {
        return error_set_errno(err, errno, "cannot flush '%s'", s->filename);
    }
    return true;
}

/* A host device has a fixed size, which may have changed since it was opened. */
static bool file_resize_device(BlockNode *n, uint64_t size, GError **err)
{
    BlockFile *s = n->priv;
    uint64_t actual;

    if (ioctl(s->fd, BLKGETSIZE64, &actual) < 0) {
        return error_set_errno(err, errno, "cannot read the size of block device '%s'",
                               s->filename);
    }
    if (size != actual) {
        return error_set(err, ERROR_USER,
                         "block device '%s' cannot be resized to %" G_GUINT64_FORMAT
                         " bytes: its size is %" G_GUINT64_FORMAT " bytes",
                         s->filename, size, actual);
    }
    return true;
}

static bool file_resize(BlockNode *n, uint64_t size, GError **err)
{
    BlockFile *s = n->priv;

    if (file_is_device(n)) {
        return file_resize_device(n, size, err);
    }
    if (size > INT64_MAX || ftruncate(s->fd, (off_t)size) < 0) {
        return error_set_errno(err, size > INT64_MAX ? EFBIG : errno,
                               "cannot resize '%s' to %" G_GUINT64_FORMAT " bytes", s->filename,
                               size);
    }
    return true;
}

/* --- I/O, in the calling thread --- */

typedef struct FileCursor {
    const struct iovec *iov;
    int n;
    size_t skip; /* bytes of the first segment */
} FileCursor;

static FileCursor file_cursor(const BlockRequest *req, uint64_t done)
{
    FileCursor c = { req->iov, req->n_iov, done };

    while (c.n > 0 && c.skip >= c.iov->iov_len) {
        c.skip -= c.iov->iov_len;
        c.iov++;
        c.n--;
    }
    return c;
}

/* Make one system call. Returns the bytes moved, 0 at the end of the file, or -errno. */
static ssize_t file_transfer_once(int fd, const BlockRequest *req, uint64_t done)
{
    FileCursor c = file_cursor(req, done);
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

/* Copy len bytes between the request's memory from `done` on and an aligned buffer. */
static void file_bounce_copy(const BlockRequest *req, uint64_t done, uint8_t *bounce, size_t len)
{
    FileCursor c = file_cursor(req, done);

    for (size_t at = 0; at < len; c.iov++, c.skip = 0) {
        size_t part = MIN(c.iov->iov_len - c.skip, len - at);
        uint8_t *guest = (uint8_t *)c.iov->iov_base + c.skip;

        if (req->p.op == BLOCK_READ) {
            memcpy(guest, bounce + at, part);
        } else {
            memcpy(bounce + at, guest, part);
        }
        at += part;
    }
}

/* Read an aligned window. Bytes behind the end of the file are zero. Returns -errno or the bytes
 * read. */
static ssize_t file_bounce_read(int fd, uint8_t *bounce, size_t window, uint64_t start)
{
    ssize_t r = pread(fd, bounce, window, (off_t)start);

    if (r < 0) {
        return -errno;
    }
    memset(bounce + r, 0, window - r);
    return r;
}

/* Write an aligned window without changing the size of a file that ends inside it. */
static ssize_t file_bounce_write(const BlockNode *n, const uint8_t *bounce, size_t window,
                                 uint64_t start)
{
    const BlockFile *s = n->priv;
    ssize_t r = pwrite(s->fd, bounce, window, (off_t)start);

    if (r < 0) {
        return -errno;
    }
    if (start + window > n->size && ftruncate(s->fd, (off_t)n->size) < 0) {
        return -errno;
    }
    return r;
}

/* As file_transfer_once(), through a buffer that satisfies the alignment of direct I/O. */
static ssize_t file_transfer_bounce(const BlockNode *n, const BlockRequest *req, uint64_t done)
{
    const BlockFile *s = n->priv;
    uint64_t at = req->p.at + done, start = at - at % s->align;
    size_t head = at - start, len = MIN(req->len - done, FILE_BOUNCE_MAX - head);
    size_t window = (head + len + s->align - 1) / s->align * s->align;
    void *bounce = NULL;
    ssize_t r = 0;

    if (posix_memalign(&bounce, MAX(s->align, 4096), window)) {
        return -ENOMEM;
    }
    if (req->p.op == BLOCK_READ || window != len) {
        r = file_bounce_read(s->fd, bounce, window, start);
    }
    if (r >= 0 && req->p.op == BLOCK_WRITE) {
        file_bounce_copy(req, done, (uint8_t *)bounce + head, len);
        r = file_bounce_write(n, bounce, window, start);
    }
    r = r < 0 ? r : (ssize_t)MIN(MAX(r, (ssize_t)head) - head, len);
    if (r > 0 && req->p.op == BLOCK_READ) {
        file_bounce_copy(req, done, (uint8_t *)bounce + head, r);
    }
    free(bounce);
    return r;
}

static bool file_is_aligned(const BlockFile *s, const BlockRequest *req)
{
    uint64_t all = req->p.at | req->len;

    for (int i = 0; i < req->n_iov; i++) {
        all |= (uintptr_t)req->iov[i].iov_base | req->iov[i].iov_len;
    }
    return (all & (s->align - 1)) == 0;
}

/* Another process may have truncated the file: the bytes that are missing read as zeroes. */
static void file_zero_rest(const BlockRequest *req, uint64_t done)
{
    FileCursor c = file_cursor(req, done);

    for (int i = 0; i < c.n; i++) {
        size_t skip = i ? 0 : c.skip;

        memset((uint8_t *)c.iov[i].iov_base + skip, 0, c.iov[i].iov_len - skip);
    }
}

static int file_transfer(const BlockNode *n, const BlockRequest *req)
{
    const BlockFile *s = n->priv;
    bool bounce = !file_is_aligned(s, req);
    uint64_t done = 0;

    while (done < req->len) {
        ssize_t r =
            bounce ? file_transfer_bounce(n, req, done) : file_transfer_once(s->fd, req, done);

        if (r == -EINTR) {
            continue;
        }
        if (r < 0) {
            return (int)r;
        }
        if (r == 0 && req->p.op == BLOCK_READ) {
            file_zero_rest(req, done);
            break;
        }
        if (r == 0) {
            return -ENOSPC;
        }
        done += r;
    }
    return 0;
}

static int file_write_zeroes(const BlockNode *n, const BlockRequest *req)
{
    static const uint8_t zeroes[65536] __attribute__((aligned(4096)));
    const BlockFile *s = n->priv;
    int mode = req->p.unmap ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_ZERO_RANGE;
    bool aligned = ((req->p.at | req->len) & (s->sector - 1)) == 0;
    int result = 0;

    if (aligned && fallocate(s->fd, mode, (off_t)req->p.at, (off_t)req->len) == 0) {
        return 0;
    }
    for (uint64_t done = 0; done < req->len && result == 0; done += sizeof(zeroes)) {
        struct iovec iov = { (void *)zeroes, MIN(sizeof(zeroes), req->len - done) };
        BlockRequest part = { .len = iov.iov_len, .iov = &iov, .n_iov = 1 };

        part.p.op = BLOCK_WRITE;
        part.p.at = req->p.at + done;
        result = file_transfer(n, &part);
    }
    return result;
}

/* Discards are hints. A file system or device that cannot discard keeps the data; a device keeps
 * the parts of logical blocks at both ends. Other errors are reported. */
static int file_discard(const BlockNode *n, const BlockRequest *req)
{
    const BlockFile *s = n->priv;
    uint64_t mask = s->sector - 1, end = (req->p.at + req->len) & ~mask;
    uint64_t range[2] = { (req->p.at + mask) & ~mask, 0 };
    int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, r;

    if (range[0] >= end) {
        return 0;
    }
    range[1] = end - range[0];
    r = file_is_device(n) ? ioctl(s->fd, BLKDISCARD, range)
                          : fallocate(s->fd, mode, (off_t)range[0], (off_t)range[1]);
    if (r == 0 || errno == EOPNOTSUPP || errno == ENOSYS || errno == ENODEV || errno == ENOTTY) {
        return 0;
    }
    return -errno;
}

static int file_change(const BlockNode *n, const BlockRequest *req)
{
    BlockFile *s = n->priv;
    int result;

    switch (req->p.op) {
    case BLOCK_WRITE:
        result = file_transfer(n, req);
        break;
    case BLOCK_DISCARD:
        return file_discard(n, req);
    default:
        result = file_write_zeroes(n, req);
        break;
    }
    return result == 0 && req->p.fua && fdatasync(s->fd) < 0 ? -errno : result;
}

static int file_perform(BlockNode *n, BlockRequest *req)
{
    BlockFile *s = n->priv;
    int result;

    if (req->p.op == BLOCK_READ) {
        return file_transfer(n, req);
    }
    if (req->p.op == BLOCK_FLUSH) {
        return fdatasync(s->fd) < 0 ? -errno : 0;
    }
    if ((req->p.at | req->len) & (s->align - 1)) {
        g_rw_lock_writer_lock(&s->rmw);
        result = file_change(n, req);
        g_rw_lock_writer_unlock(&s->rmw);
    } else {
        g_rw_lock_reader_lock(&s->rmw);
        result = file_change(n, req);
        g_rw_lock_reader_unlock(&s->rmw);
    }
    return result;
}

/* Return whether an engine can perform the request: a flush, or an aligned transfer that needs
 * neither a flush of its own nor BlockFile.rmw. */
static bool file_suits_engine(const BlockFile *s, const BlockRequest *req)
{
    if (req->p.op == BLOCK_WRITE) {
        return !req->p.fua && s->align <= BLOCK_SECTOR && file_is_aligned(s, req);
    }
    return req->p.op == BLOCK_FLUSH || (req->p.op == BLOCK_READ && file_is_aligned(s, req));
}

static void file_submit(BlockNode *n, BlockRequest *req)
{
    BlockFile *s = n->priv;

    if (!file_suits_engine(s, req) || !engine_submit(s->engine, req, s->fd)) {
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
