/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The drivers file and host_device: the effect of cache= and aio= as the host observes it, and
 * block devices of the host. The latter are loop devices; without them the tests are skipped.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "block-fixture.h"
#include "tests/lib/wait.h"

/* Calls of fdatasync() by this process. The definition of the program has precedence over the C
 * library. The parameter has the name that the C library declares. */
static int synced;

int fdatasync(int __fildes)
{
    __atomic_fetch_add(&synced, 1, __ATOMIC_RELAXED);
    return (int)syscall(SYS_fdatasync, __fildes);
}

/* Direct I/O requires multiples of this many bytes, as on a file system with large blocks; 0: no
 * check. The functions of the C library are replaced under their names in the program. */
static uint64_t direct_align;

static bool direct_is_rejected(int fd, uint64_t all)
{
    return direct_align && (fcntl(fd, F_GETFL) & O_DIRECT) && (all & (direct_align - 1));
}

ssize_t file_test_pread(int fd, void *buf, size_t len, off_t at) __asm__("pread64");
ssize_t file_test_pread(int fd, void *buf, size_t len, off_t at)
{
    struct stat st;

    /* the end of the file is detected first */
    if (direct_align && fstat(fd, &st) == 0 && at >= st.st_size) {
        return 0;
    }
    if (direct_is_rejected(fd, (uintptr_t)buf | len | (uint64_t)at)) {
        errno = EINVAL;
        return -1;
    }
    return syscall(SYS_pread64, fd, buf, len, at);
}

ssize_t file_test_pwritev(int fd, const struct iovec *iov, int n, off_t at) __asm__("pwritev64");
ssize_t file_test_pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
    uint64_t all = (uint64_t)at;

    for (int i = 0; i < n; i++) {
        all |= (uintptr_t)iov[i].iov_base | iov[i].iov_len;
    }
    if (direct_is_rejected(fd, all)) {
        errno = EINVAL;
        return -1;
    }
    return syscall(SYS_pwritev, fd, iov, n, at, 0);
}

/* Attach the image to a free loop device with this logical block size. */
static bool loop_attach(Fixture *f, uint32_t sector)
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int image = open(f->path, O_RDWR | O_CLOEXEC);
    struct loop_config config = { .fd = (uint32_t)image,
                                  .block_size = sector,
                                  .info.lo_flags = LO_FLAGS_AUTOCLEAR };
    int n = -1;

    for (int i = 0; control >= 0 && f->loop < 0 && i < 20; i++) {
        n = ioctl(control, LOOP_CTL_GET_FREE);
        g_free(f->device);
        f->device = g_strdup_printf("/dev/loop%d", n);
        f->loop = open(f->device, O_RDWR | O_CLOEXEC);
        if (f->loop >= 0 && ioctl(f->loop, LOOP_CONFIGURE, &config) < 0) {
            close(f->loop); /* another process was faster, or the kernel is older than 5.8 */
            f->loop = -1;
        }
    }
    if (control >= 0) {
        close(control);
    }
    close(image);
    if (f->loop < 0) {
        g_test_skip("no loop device can be set up here (it needs root and /dev/loop-control)");
    }
    return f->loop >= 0;
}

static BlockNode *file_node(Fixture *f, const char *driver, const char *path, const char *options,
                            GError **err)
{
    g_autofree char *text = g_strdup_printf("{'driver':'%s','node-name':'n','filename':'%s'%s%s}",
                                            driver, path, *options ? "," : "", options);

    return node(f, text, false, err);
}

/* Perform a request in one segment, as direct I/O requires it to be aligned. */
static int file_io(Fixture *f, BlockNode *n, BlockOp op, uint64_t at, void *buf, size_t len)
{
    struct iovec iov = { buf, len };
    BlockRequest req = { .op = op, .offset = at, .len = len, .iov = &iov, .n_iov = 1 };

    return submit(f, n, &req);
}

/* --- cache= --- */

/* The flags of the descriptor by which this process has the file open; -1: it has none. */
static int open_flags(const char *path)
{
    int flags = -1;

    for (int fd = 3; fd < 256 && flags < 0; fd++) {
        g_autofree char *name = g_strdup_printf("/proc/self/fd/%d", fd);
        g_autofree char *target = g_file_read_link(name, NULL);

        flags = target && g_str_equal(target, path) ? fcntl(fd, F_GETFL) : -1;
    }
    return flags;
}

/* Each mode of -drive: whether the host's page cache is bypassed, and how often the disk is
 * flushed for one write and for one flush by the guest. */
static void test_cache(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *mode;
        bool direct;
        int for_write, for_flush;
    } rows[] = {
        { "writeback", false, 0, 1 }, { "none", true, 0, 1 },    { "writethrough", false, 1, 1 },
        { "directsync", true, 1, 1 }, { "unsafe", false, 0, 0 },
    };
    void *buf = NULL;

    g_assert_cmpint(posix_memalign(&buf, 4096, 4096), ==, 0);
    memset(buf, 0x5a, 4096);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text =
            g_strdup_printf("{'id':'d','format':'raw','file':'%s','cache':'%s','aio':'threads'}",
                            f->path, rows[i].mode);
        g_autoptr(GError) err = NULL;
        BlockNode *n = drive(f, text, &err);
        int before;

        if (!n && rows[i].direct) {
            g_test_message("cache=%s: %s", rows[i].mode, err->message);
            continue; /* a file system without direct I/O */
        }
        g_assert_no_error(err);
        g_assert_cmpint(!(open_flags(f->path) & O_DIRECT), ==, !rows[i].direct);
        before = synced;
        g_assert_cmpint(file_io(f, n, BLOCK_WRITE, 4096, buf, 4096), ==, 0);
        g_assert_cmpint(synced - before, ==, rows[i].for_write);
        before = synced;
        g_assert_cmpint(file_io(f, n, BLOCK_FLUSH, 0, NULL, 0), ==, 0);
        g_assert_cmpint(synced - before, ==, rows[i].for_flush);
        g_assert_true(block_node_del(f->m, "d", NULL));
    }
    free(buf);
}

/* --- aio= --- */

static bool has_descriptor(const char *what)
{
    bool found = false;

    for (int fd = 3; fd < 256 && !found; fd++) {
        g_autofree char *name = g_strdup_printf("/proc/self/fd/%d", fd);
        g_autofree char *target = g_file_read_link(name, NULL);

        found = target && strstr(target, what);
    }
    return found;
}

static bool has_mapping(const char *what)
{
    g_autofree char *maps = NULL;

    g_assert_true(g_file_get_contents("/proc/self/maps", &maps, NULL, NULL));
    return strstr(maps, what) != NULL;
}

/* Threads of GLib's pool. The kernel's own io_uring workers are threads of the process as well. */
static unsigned pool_threads(void)
{
    GDir *dir = g_dir_open("/proc/self/task", 0, NULL);
    const char *task;
    unsigned n = 0;

    while ((task = g_dir_read_name(dir))) {
        g_autofree char *name = g_strdup_printf("/proc/self/task/%s/comm", task);
        g_autofree char *comm = NULL;

        n += g_file_get_contents(name, &comm, NULL, NULL) && g_str_has_prefix(comm, "pool");
    }
    g_dir_close(dir);
    return n;
}

/* Each value uses its own interface of the host, and no other. io_uring and native are tested
 * first: the threads of a pool outlive it. */
static void test_aio(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *aio;
        bool ring, native, thread;
    } rows[] = {
        { "io_uring", true, false, false },
        { "native", false, true, false },
        { "threads", false, false, true },
    };
    void *out = NULL, *in = NULL;

    g_assert_cmpint(posix_memalign(&out, 4096, 8192) | posix_memalign(&in, 4096, 8192), ==, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *options =
            g_strdup_printf("'aio':'%s','cache':{'direct':true}", rows[i].aio);
        g_autoptr(GError) err = NULL;
        BlockNode *n = file_node(f, "file", f->path, options, &err);

        if (!n) { /* refused by name, with the reason */
            g_test_message("%s", err->message);
            g_assert_true(strstr(err->message, "aio=") || strstr(err->message, "Could not open"));
            continue;
        }
        memset(out, (int)i + 1, 8192);
        g_assert_cmpint(file_io(f, n, BLOCK_WRITE, 4096, out, 8192), ==, 0);
        g_assert_cmpint(file_io(f, n, BLOCK_FLUSH, 0, NULL, 0), ==, 0);
        g_assert_cmpint(file_io(f, n, BLOCK_READ, 4096, in, 8192), ==, 0);
        g_assert_cmpmem(in, 8192, out, 8192);
        g_assert_cmpint(has_descriptor("[io_uring]"), ==, rows[i].ring);
        g_assert_cmpint(has_mapping("/[aio]"), ==, rows[i].native);
        if (!rows[i].native) { /* a file system may not have flushes through Linux AIO */
            g_assert_cmpint(pool_threads() > 0, ==, rows[i].thread);
        }
        block_free_all(f->m);
    }
    free(out);
    free(in);
}

/* --- completion --- */

/* The I/O thread stops after it has added a request to the list of completions, which is its first
 * use of a GMutex in block/, until the main thread has freed the request. */
static int io_thread_pauses, io_thread_paused, request_freed; /* atomic */
static GThread *main_thread;

void g_mutex_unlock(GMutex *mutex)
{
    static void (*unlock)(GMutex *);
    int pause = 1;

    if (!unlock) {
        unlock = (void (*)(GMutex *))dlsym(RTLD_NEXT, "g_mutex_unlock");
    }
    unlock(mutex);
    if (g_thread_self() != main_thread &&
        __atomic_compare_exchange_n(&io_thread_pauses, &pause, 0, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST)) {
        g_atomic_int_set(&io_thread_paused, 1);
        WAIT_UNTIL (g_atomic_int_get(&request_freed), 20) {
            g_thread_yield();
        }
    }
}

/* The owner of a request may free it as soon as it is complete. */
static void test_freed_request(Fixture *f, gconstpointer data)
{
    BlockNode *n = file_node(f, "file", f->path, "'aio':'threads'", NULL);
    uint8_t buf[512] = { 0 };
    struct iovec iov = { buf, sizeof(buf) };
    BlockRequest *req =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    g_assert_true(req != MAP_FAILED);
    *req = (BlockRequest){
        .op = BLOCK_READ, .len = sizeof(buf), .iov = &iov, .n_iov = 1, .done = on_done, .opaque = f
    };
    f->done = 0;
    main_thread = g_thread_self();
    g_atomic_int_set(&io_thread_pauses, 1);
    block_submit(n, req);
    WAIT_UNTIL (g_atomic_int_get(&io_thread_paused), 20) {
        g_thread_yield();
    }
    block_drain(n);
    g_assert_cmpuint(f->done, ==, 1);
    munmap(req, 4096);
    g_atomic_int_set(&request_freed, 1);
    g_assert_cmpint(file_io(f, n, BLOCK_FLUSH, 0, NULL, 0), ==, 0);
}

/* --- host_device --- */

static void test_types(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *driver, *path, *why; /* path NULL: the image */
    } rows[] = {
        { "file", "/dev/null", "'file' driver requires '/dev/null' to be a regular file" },
        { "file", "/dev", "Is a directory" },
        { "host_device", "/dev/null", "requires '/dev/null' to be a block device" },
        { "host_device", NULL, "to be a block device" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_null(
            file_node(f, rows[i].driver, rows[i].path ? rows[i].path : f->path, "", &err));
        g_assert_nonnull(strstr(err->message, rows[i].why));
    }
}

static void test_device(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) err = NULL, size = NULL;
    uint8_t out[8192], in[8192], zero[4096] = { 0 };
    BlockNode *n;

    if (!loop_attach(f, 512)) {
        return;
    }
    g_assert_null(file_node(f, "file", f->device, "", &err));
    g_assert_nonnull(strstr(err->message, "use driver 'host_device'"));
    n = file_node(f, "host_device", f->device, "'discard':'unmap'", NULL);
    g_assert_nonnull(n);
    g_assert_cmpuint(block_size(n), ==, SIZE);
    memset(out, 0x5a, sizeof(out));
    g_assert_cmpint(file_io(f, n, BLOCK_WRITE, SIZE - 8192, out, 8192), ==, 0);
    g_assert_cmpint(file_io(f, n, BLOCK_WRITE_ZEROES, SIZE - 8192, NULL, 4096), ==, 0);
    g_assert_cmpint(file_io(f, n, BLOCK_READ, SIZE - 8192, in, 8192), ==, 0);
    g_assert_cmpmem(in, 4096, zero, 4096);
    g_assert_cmpmem(in + 4096, 4096, out, 4096);
    g_assert_cmpint(file_io(f, n, BLOCK_DISCARD, SIZE - 4096, NULL, 4096), ==, 0);
    g_assert_cmpint(file_io(f, n, BLOCK_READ, SIZE - 4096, in, 4096), ==, 0);
    g_assert_cmpmem(in, 4096, zero, 4096); /* a loop device punches a hole */
    g_assert_cmpint(file_io(f, n, BLOCK_FLUSH, 0, NULL, 0), ==, 0);
    /* the size is that of the device */
    g_assert_false(block_resize(n, 2 * SIZE, &size));
    g_assert_nonnull(strstr(size->message, "cannot be resized"));
    g_assert_cmpint(truncate(f->path, 2 * SIZE), ==, 0);
    g_assert_cmpint(ioctl(f->loop, LOOP_SET_CAPACITY), ==, 0);
    g_assert_true(block_resize(n, 2 * SIZE, NULL));
    g_assert_cmpuint(block_size(n), ==, 2 * SIZE);
}

static void test_device_drive(Fixture *f, gconstpointer data)
{
    g_autofree char *text = NULL;
    struct json_object *list, *below;

    if (!loop_attach(f, 512)) {
        return;
    }
    text = g_strdup_printf("{'id':'d','format':'raw','file':'%s'}", f->device);
    g_assert_nonnull(drive(f, text, NULL));
    list = block_query(f->m, true);
    below = json_object_object_get(json_object_array_get_idx(list, 0), "drv");
    g_assert_cmpstr(json_object_get_string(below), ==, "host_device");
    json_object_put(list);
}

/* A guest with sectors of 512 bytes on a device with logical blocks of 4096: a write of one sector
 * changes that sector alone, and two of them in the same block at the same time are both kept. */
static void test_large_blocks(Fixture *f, gconstpointer data)
{
    enum { N = 64 };
    g_autofree uint8_t *buf = g_malloc0(SIZE), *expected = g_malloc0(SIZE);
    BlockRequest reqs[N];
    struct iovec iov[N];
    BlockNode *n;

    if (!loop_attach(f, 4096)) {
        return;
    }
    n = file_node(f, "host_device", f->device, "'cache':{'direct':true},'discard':'unmap'", NULL);
    g_assert_nonnull(n);
    for (unsigned i = 0; i < N; i++) {
        memset(expected + 512 * (i + 3), (int)i + 1, 512);
    }
    submit_sectors(f, n, BLOCK_WRITE, BLOCK_WRITE, 512 * 3, expected + 512 * 3, N, reqs, iov);
    block_drain(n);
    g_assert_cmpuint(f->done, ==, N);
    g_assert_cmpint(file_io(f, n, BLOCK_READ, 0, buf, SIZE), ==, 0);
    g_assert_cmpmem(buf, SIZE, expected, SIZE);
    /* zeroes of a part of a block, and a discard that keeps both ends */
    g_assert_cmpint(file_io(f, n, BLOCK_WRITE_ZEROES, 2048, NULL, 1024), ==, 0);
    memset(expected + 2048, 0, 1024);
    g_assert_cmpint(file_io(f, n, BLOCK_DISCARD, 7680, NULL, 1024), ==, 0);
    g_assert_cmpint(file_io(f, n, BLOCK_DISCARD, 15872, NULL, 8192), ==, 0);
    memset(expected + 16384, 0, 4096);
    g_assert_cmpint(file_io(f, n, BLOCK_READ, 512, buf, SIZE - 1024), ==, 0);
    g_assert_cmpmem(buf, SIZE - 1024, expected + 512, SIZE - 1024);
}

/* The alignment cannot be read from an empty image, which becomes larger later. */
static void test_empty_image(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *after = NULL;
    void *buf = NULL;
    BlockNode *n;

    g_assert_cmpint(truncate(f->path, 0), ==, 0);
    direct_align = 4096;
    n = file_node(f, "file", f->path, "'cache':{'direct':true},'aio':'threads'", &err);
    if (!n) {
        g_test_skip(err->message); /* a file system without direct I/O */
        direct_align = 0;
        return;
    }
    g_assert_true(block_resize(n, 65536, NULL));
    g_assert_cmpint(posix_memalign(&buf, 4096, 512), ==, 0);
    memset(buf, 0x5a, 512);
    g_assert_cmpint(file_io(f, n, BLOCK_WRITE, 512, buf, 512), ==, 0);
    direct_align = 0;
    g_assert_true(g_file_get_contents(f->path, &after, NULL, NULL));
    g_assert_true(after[511] == 0 && after[1024] == 0);
    g_assert_cmpmem(after + 512, 512, buf, 512);
    free(buf);
}

#define ADD(name, fn) g_test_add("/file/" name, Fixture, NULL, setup, fn, teardown)
int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("aio", test_aio); /* first: no thread of a pool exists yet */
    ADD("cache", test_cache);
    ADD("freed-request", test_freed_request);
    ADD("types", test_types);
    ADD("device", test_device);
    ADD("device-drive", test_device_drive);
    ADD("large-blocks", test_large_blocks);
    ADD("empty-image", test_empty_image);
    return g_test_run();
}
