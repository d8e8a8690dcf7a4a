/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random histories of qcow2 images that end at any write.
 *
 * A child process performs random requests on an image that qemu-img created with random options.
 * The functions of the C library that change files are replaced here, and store each change in
 * shared memory, together with the requests of the guest and the flushes that completed. The child
 * ends itself with SIGKILL at a random change, and the parent checks the image. It also builds
 * images as a host that fails leaves them: changes before the last barrier are complete, each later
 * one is missing, complete, or torn at sectors. qemu-img check must find no error, and each sector
 * must contain the data of the last completed flush or of a later write.
 *
 * "-m slow": 1,000 histories.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "block-fixture.h"

enum { SECTORS = 4096, OPS_MAX = 120, CANDIDATES = 24, LOG_BYTES = 96 << 20, EVENTS = 65536 };
enum { EXIT_OK = 0, EXIT_MISMATCH = 9 };

typedef enum ChangeType {
    EV_FILE_WRITE,
    EV_FILE_RESIZE,
    EV_FILE_PUNCH,
    EV_FILE_BARRIER,
    EV_GUEST_WRITE,
    EV_GUEST_DISCARD,
    EV_GUEST_FLUSHED,
} ChangeType;

typedef struct Change {
    ChangeType type;
    uint64_t at, len; /* bytes of the file, or sectors of the disk */
    uint32_t id;      /* EV_GUEST_WRITE: the contents; 0: zeroes */
    size_t data;      /* EV_FILE_WRITE: offset in Log.data */
} Change;

typedef struct Log {
    uint32_t n;
    uint32_t kill_at; /* the change at which the child ends with SIGKILL */
    size_t used;
    char failure[512];
    Change events[EVENTS];
    uint8_t data[];
} Log;

static Log *wlog;        /* shared with the child */
static int log_dev = -1; /* in the child: changes are recorded */
static GMutex log_lock;

static Change *log_add(ChangeType type, uint64_t at, uint64_t len)
{
    Change *e = &wlog->events[wlog->n];

    g_assert_cmpuint(wlog->n, <, EVENTS);
    *e = (Change){ .type = type, .at = at, .len = len, .data = wlog->used };
    wlog->n++;
    if (log_dev >= 0 && wlog->n == wlog->kill_at) {
        kill(getpid(), SIGKILL);
    }
    return e;
}

/* --- replaced functions of the C library; the parameters have the names that it declares --- */

ssize_t pwritev(int __fd, const struct iovec *__iovec, int __count, __off_t __offset)
{
    size_t len = 0;
    ssize_t r;

    g_mutex_lock(&log_lock);
    if (log_dev >= 0) {
        for (int i = 0; i < __count; i++) {
            g_assert_cmpuint(wlog->used + len + __iovec[i].iov_len, <, LOG_BYTES);
            memcpy(wlog->data + wlog->used + len, __iovec[i].iov_base, __iovec[i].iov_len);
            len += __iovec[i].iov_len;
        }
        log_add(EV_FILE_WRITE, __offset, len);
        wlog->used += len;
    }
    r = syscall(SYS_pwritev, __fd, __iovec, __count, __offset, 0);
    g_mutex_unlock(&log_lock);
    return r;
}

int ftruncate(int __fd, __off_t __length)
{
    int r;

    g_mutex_lock(&log_lock);
    if (log_dev >= 0) {
        log_add(EV_FILE_RESIZE, __length, 0);
    }
    r = (int)syscall(SYS_ftruncate, __fd, __length);
    g_mutex_unlock(&log_lock);
    return r;
}

int fallocate(int __fd, int __mode, off_t __offset, off_t __len)
{
    int r;

    g_mutex_lock(&log_lock);
    if (log_dev >= 0) {
        log_add(EV_FILE_PUNCH, __offset, __len);
    }
    r = (int)syscall(SYS_fallocate, __fd, __mode, __offset, __len);
    g_mutex_unlock(&log_lock);
    return r;
}

/* The page cache survives the end of a process, so the barrier is only recorded. */
int fdatasync(int __fildes)
{
    g_mutex_lock(&log_lock);
    if (log_dev >= 0) {
        log_add(EV_FILE_BARRIER, 0, 0);
    }
    g_mutex_unlock(&log_lock);
    return 0;
}

/* --- contents of sectors --- */

typedef struct Sector {
    uint32_t last;   /* of the last write */
    bool maybe_zero; /* discarded since */
    uint32_t old[CANDIDATES];
    unsigned n_old; /* other contents that the sector may have after a failure */
} Sector;

static void sector_fill(uint8_t *p, uint32_t id, uint32_t lba)
{
    uint32_t words[2] = { id, id ? lba : 0 };

    for (unsigned i = 0; i < 512; i += sizeof(words)) {
        memcpy(p + i, words, sizeof(words));
    }
}

/* The id of a sector's contents; UINT32_MAX: it has none. */
static uint32_t sector_id(const uint8_t *p, uint32_t lba)
{
    uint8_t expected[512];
    uint32_t id;

    memcpy(&id, p, sizeof(id));
    sector_fill(expected, id, lba);
    return memcmp(expected, p, 512) == 0 ? id : UINT32_MAX;
}

static void sector_remember(Sector *s, uint32_t id)
{
    for (unsigned i = 0; i < s->n_old; i++) {
        if (s->old[i] == id) {
            return;
        }
    }
    g_assert_cmpuint(s->n_old, <, CANDIDATES);
    s->old[s->n_old++] = id;
}

static void sector_write(Sector *s, uint32_t id)
{
    sector_remember(s, s->last);
    if (s->maybe_zero) {
        sector_remember(s, 0);
    }
    s->last = id;
    s->maybe_zero = false;
}

static bool sector_may_be(const Sector *s, uint32_t id, bool failed)
{
    if (id == s->last || (id == 0 && s->maybe_zero)) {
        return true;
    }
    for (unsigned i = 0; failed && i < s->n_old; i++) {
        if (s->old[i] == id) {
            return true;
        }
    }
    return false;
}

static void model_apply(Sector *model, const Change *e)
{
    if (e->type == EV_GUEST_FLUSHED) {
        for (unsigned i = 0; i < SECTORS; i++) {
            model[i].n_old = 0;
        }
    }
    for (uint64_t i = e->at; i < e->at + e->len; i++) {
        if (e->type == EV_GUEST_WRITE) {
            sector_write(&model[i], e->id);
        } else if (e->type == EV_GUEST_DISCARD) {
            model[i].maybe_zero = true;
        }
    }
}

/* --- the child --- */

typedef struct Child {
    Fixture f;
    BlockNode *n;
    Sector *model;
    uint32_t next_id;
    unsigned unflushed;
} Child;

static void child_check(Child *c, int result, uint64_t lba, uint64_t n, const uint8_t *buf)
{
    for (uint64_t i = 0; i < n && result == 0; i++) {
        uint32_t id = sector_id(buf + i * 512, lba + i);

        if (!sector_may_be(&c->model[lba + i], id, false)) {
            g_snprintf(wlog->failure, sizeof(wlog->failure), "sector %u reads as %u, expected %u%s",
                       (unsigned)(lba + i), id, c->model[lba + i].last,
                       c->model[lba + i].maybe_zero ? " or 0" : "");
            _exit(EXIT_MISMATCH);
        }
    }
    if (result < 0) {
        g_snprintf(wlog->failure, sizeof(wlog->failure), "request failed: %s", g_strerror(-result));
        _exit(EXIT_MISMATCH);
    }
}

static void child_event(Child *c, ChangeType type, uint64_t lba, uint64_t n, uint32_t id)
{
    Change *e;

    g_mutex_lock(&log_lock);
    e = log_add(type, lba, n);
    e->id = id;
    model_apply(c->model, e);
    g_mutex_unlock(&log_lock);
}

static void child_flush(Child *c)
{
    child_check(c, io(&c->f, c->n, BLOCK_FLUSH, 0, NULL, 0), 0, 0, NULL);
    child_event(c, EV_GUEST_FLUSHED, 0, 0, 0);
    c->unflushed = 0;
}

/* Submit up to 4 requests together, for different sectors. */
static void child_write_some(Child *c)
{
    enum { MANY = 4, PART = SECTORS / MANY };
    static uint8_t data[MANY][PART * 512];
    BlockRequest reqs[MANY];
    struct iovec iov[MANY];
    unsigned many = g_random_int_range(1, MANY + 1), shift = g_random_int_range(0, PART);

    for (unsigned i = 0; i < many; i++) {
        uint64_t len = g_random_int_range(1, g_random_int_range(0, 3) ? 24 : 300);
        uint64_t lba = (i * PART + shift + g_random_int_range(0, PART / 2)) % SECTORS;
        uint32_t id = c->next_id++;

        len = MIN(len, SECTORS - lba);
        len = MIN(len, PART / 2);
        for (uint64_t k = 0; k < len; k++) {
            sector_fill(data[i] + k * 512, id, lba + k);
        }
        child_event(c, EV_GUEST_WRITE, lba, len, id);
        iov[i] = (struct iovec){ data[i], len * 512 };
        reqs[i] = (BlockRequest){ .op = BLOCK_WRITE,
                                  .offset = lba * 512,
                                  .len = len * 512,
                                  .iov = &iov[i],
                                  .n_iov = 1,
                                  .done = on_done,
                                  .opaque = &c->f };
    }
    for (unsigned i = 0; i < many; i++) {
        block_submit(c->n, &reqs[i]);
    }
    block_drain(c->n);
    child_check(c, c->f.result, 0, 0, NULL);
}

static void child_step(Child *c)
{
    static uint8_t buf[SECTORS * 512];
    uint64_t lba = g_random_int_range(0, SECTORS), len = g_random_int_range(1, 400);
    int what = g_random_int_range(0, 20);
    struct iovec none = { 0 };
    BlockRequest zero = { .op = BLOCK_WRITE_ZEROES, .iov = &none, .may_unmap = what & 1 };

    len = MIN(len, SECTORS - lba);
    if (what < 11) {
        child_write_some(c);
    } else if (what < 13) {
        child_event(c, EV_GUEST_WRITE, lba, len, 0);
        zero.offset = lba * 512;
        zero.len = len * 512;
        child_check(c, submit(&c->f, c->n, &zero), 0, 0, NULL);
    } else if (what < 15) {
        child_event(c, EV_GUEST_DISCARD, lba, len, 0);
        child_check(c, io(&c->f, c->n, BLOCK_DISCARD, lba * 512, NULL, len * 512), 0, 0, NULL);
    } else if (what < 18) {
        child_check(c, io(&c->f, c->n, BLOCK_READ, lba * 512, buf, len * 512), lba, len, buf);
    } else {
        child_flush(c);
    }
    if (++c->unflushed >= CANDIDATES - 4) {
        child_flush(c);
    }
}

static void child_run(const char *path, Sector *model, uint32_t seed, uint32_t first_id)
{
    Child c = { .model = model, .next_id = first_id };
    GError *err = NULL;
    struct json_object *o;
    g_autofree char *text = NULL;

    g_random_set_seed(seed);
    c.f.m = machine_new();
    machine_lock(c.f.m);
    text = g_strdup_printf("{'driver':'qcow2','node-name':'q','discard':'unmap',"
                           "'l2-cache-size':%d,'refcount-cache-size':%d,'lazy-refcounts':%s,"
                           "'file':{'driver':'file','filename':'%s','aio':'threads'}}",
                           g_random_int_range(0, 2) ? 8192 : 1 << 20,
                           g_random_int_range(0, 2) ? 8192 : 1 << 20,
                           seed % 5 == 0 && strstr(path, "-v3") ? "true" : "false", path);
    log_dev = 1;
    o = json_tokener_parse(text);
    c.n = block_node_new(c.f.m, o, false, &err);
    if (!c.n || !block_attach(c.n, &writer, "disk", &err)) {
        g_snprintf(wlog->failure, sizeof(wlog->failure), "%s", err->message);
        _exit(EXIT_MISMATCH);
    }
    for (unsigned i = g_random_int_range(10, OPS_MAX); i > 0; i--) {
        child_step(&c);
    }
    block_detach(c.n, &writer);
    block_free_all(c.f.m);
    /* everything is flushed when an image is closed */
    g_mutex_lock(&log_lock);
    log_add(EV_GUEST_FLUSHED, 0, 0);
    g_mutex_unlock(&log_lock);
    _exit(EXIT_OK);
}

/* --- the parent --- */

typedef struct History {
    char *folder, *image, *torn, *raw, *before;
    GString *story;
    Sector model[SECTORS];
    char *snapshot; /* contents of the internal snapshot; NULL: there is none */
    bool leaks;     /* a session was killed: the image may have unused clusters */
} History;

/* Run a command. Returns its exit status, and its output. */
static int history_run(History *h, char **output, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
static int history_run(History *h, char **output, const char *fmt, ...)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *line = NULL, *out = NULL, *errors = NULL;
    int status;
    va_list args;

    va_start(args, fmt);
    line = g_strdup_vprintf(fmt, args);
    va_end(args);
    g_string_append_printf(h->story, "%s\n", line);
    if (!g_spawn_command_line_sync(line, &out, &errors, &status, &err)) {
        g_error("%s: %s", line, err->message);
    }
    if (output) {
        *output = g_strconcat(out, errors, NULL);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

G_GNUC_NORETURN static void history_fail(History *h, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static void history_fail(History *h, const char *fmt, ...)
{
    va_list args;
    g_autofree char *text = NULL;

    va_start(args, fmt);
    text = g_strdup_vprintf(fmt, args);
    va_end(args);
    g_error("%s\n%s(kept: %s)", text, h->story->str, h->folder);
}

/* Get the contents of an image; g_free. */
static char *history_contents(History *h, const char *image, const char *snapshot)
{
    g_autofree char *out = NULL;
    char *data;
    gsize len;

    if (history_run(h, &out, "qemu-img convert %s -f qcow2 -O raw %s %s", snapshot, image,
                    h->raw)) {
        history_fail(h, "%s", out);
    }
    g_assert_true(g_file_get_contents(h->raw, &data, &len, NULL));
    g_assert_cmpuint(len, ==, SECTORS * 512);
    return data;
}

static void history_check_contents(History *h, const char *image, const Sector *model, bool failed)
{
    g_autofree char *data = history_contents(h, image, "");
    g_autofree char *old = NULL;

    for (unsigned i = 0; i < SECTORS; i++) {
        uint32_t id = sector_id((uint8_t *)data + i * 512, i);

        if (!sector_may_be(&model[i], id, failed)) {
            history_fail(h, "%s: sector %u contains %u, expected %u%s", image, i, id, model[i].last,
                         model[i].maybe_zero ? " or 0" : "");
        }
    }
    if (h->snapshot) {
        old = history_contents(h, image, "-l snap");
        if (memcmp(old, h->snapshot, SECTORS * 512) != 0) {
            history_fail(h, "%s: the internal snapshot has changed", image);
        }
    }
}

/* Let this driver, or qemu-img, compute the reference counts of an image with the dirty bit. The
 * first sector is written with its own contents. */
static void history_repair(History *h, const char *image)
{
    static uint8_t sector[512];
    Fixture f = { 0 };
    int status;
    pid_t pid;

    if (g_random_int_range(0, 2)) {
        g_assert_cmpint(history_run(h, NULL, "qemu-img check -q -f qcow2 -r all %s", image), ==, 0);
        return;
    }
    g_string_append(h->story, "(repaired by the driver)\n");
    pid = fork();
    if (pid == 0) {
        g_autofree char *line = g_strdup_printf(
            "{'driver':'qcow2','node-name':'q','lazy-refcounts':false,'file':{'driver':'file',"
            "'filename':'%s','aio':'threads'}}",
            image);
        BlockNode *n;

        f.m = machine_new();
        machine_lock(f.m);
        n = node(&f, line, false, NULL);
        g_assert_true(block_attach(n, &writer, "disk", NULL));
        g_assert_cmpint(io(&f, n, BLOCK_READ, 0, sector, 512), ==, 0);
        g_assert_cmpint(io(&f, n, BLOCK_WRITE, 0, sector, 512), ==, 0);
        block_detach(n, &writer);
        block_free_all(f.m);
        _exit(EXIT_OK);
    }
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    if (status != 0) {
        history_fail(h, "the repair failed");
    }
}

static bool history_is_dirty(const char *image)
{
    uint8_t head[80] = { 0 };
    int fd = g_open(image, O_RDONLY);

    g_assert_cmpint(read(fd, head, sizeof(head)), ==, sizeof(head));
    close(fd);
    return head[7] == 3 && (head[79] & 1);
}

/* Leaks are acceptable after a failure. An image with lazy reference counts is repaired first. */
static void history_check_tables(History *h, const char *image, bool failed)
{
    g_autofree char *out = NULL;
    int status;

    if (failed && history_is_dirty(image)) {
        history_repair(h, image);
        failed = false;
    }
    status = history_run(h, &out, "qemu-img check -f qcow2 %s", image);
    if (status != 0 && !(failed && status == 3)) {
        history_fail(h, "qemu-img check: status %d: %s", status, out);
    }
}

static void history_take(History *h, Sector *model, uint32_t n)
{
    memcpy(model, h->model, sizeof(h->model));
    for (uint32_t i = 0; i < n; i++) {
        if (wlog->events[i].type >= EV_GUEST_WRITE) {
            model_apply(model, &wlog->events[i]);
        }
    }
}

static void history_copy(const char *from, const char *to)
{
    g_autofree char *data = NULL;
    gsize len;

    g_assert_true(g_file_get_contents(from, &data, &len, NULL));
    g_assert_true(
        g_file_set_contents_full(to, data, (gssize)len, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

/* Apply a change completely, or sector by sector at random. */
static void torn_apply(int fd, const Change *e, bool complete)
{
    bool some = complete || g_random_int_range(0, 2);

    if (e->type == EV_FILE_WRITE) {
        bool torn = !complete && g_random_int_range(0, 2);
        uint64_t part;

        for (uint64_t i = 0; i < e->len; i += part) {
            part = MIN(512 - (e->at + i) % 512, e->len - i);
            if (torn ? g_random_int_range(0, 2) : some) {
                g_assert_cmpint(pwrite(fd, wlog->data + e->data + i, part, e->at + i), ==, part);
            }
        }
    } else if (some && e->type == EV_FILE_RESIZE) {
        g_assert_cmpint(ftruncate(fd, e->at), ==, 0);
    } else if (some && e->type == EV_FILE_PUNCH) {
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, e->at, e->len);
    }
}

/* Build the image as a host that fails after n events leaves it. */
static void torn_build(History *h, uint32_t n)
{
    uint32_t barrier = 0;
    int fd;

    for (uint32_t i = 0; i < n; i++) {
        barrier = wlog->events[i].type == EV_FILE_BARRIER ? i : barrier;
    }
    history_copy(h->before, h->torn);
    g_string_append_printf(h->story, "(host fails after change %u of %u, last barrier %u)\n", n,
                           wlog->n, barrier);
    fd = g_open(h->torn, O_RDWR);
    for (uint32_t i = 0; i < n; i++) {
        torn_apply(fd, &wlog->events[i], i < barrier);
    }
    close(fd);
}

static void history_check_torn(History *h)
{
    g_autofree Sector *model = g_new(Sector, SECTORS);
    uint32_t n = g_random_int_range(0, wlog->n + 1);

    torn_build(h, n);
    history_take(h, model, n);
    history_check_tables(h, h->torn, true);
    history_check_contents(h, h->torn, model, true);
}

/* Perform requests in a child that is killed at a random time. */
static bool history_session(History *h, uint32_t first_id)
{
    g_autofree Sector *model = g_new(Sector, SECTORS);
    uint32_t seed = g_random_int();
    int status;
    pid_t pid;

    history_copy(h->image, h->before);
    wlog->n = 0;
    wlog->used = 0;
    wlog->failure[0] = '\0';
    wlog->kill_at = g_random_int_range(1, 1 << g_random_int_range(4, 12));
    memcpy(model, h->model, sizeof(h->model));
    pid = fork();
    if (pid == 0) {
        child_run(h->image, model, seed, first_id);
    }
    g_assert_cmpint(pid, >, 0);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_string_append_printf(h->story, "(seed %u, %s after %u changes)\n", seed,
                           WIFSIGNALED(status) ? "killed" : "complete", wlog->n);
    if (WIFSIGNALED(status) ? WTERMSIG(status) != SIGKILL : WEXITSTATUS(status) != EXIT_OK) {
        history_fail(h, "the child failed (status 0x%x): %s", status, wlog->failure);
    }
    history_take(h, model, wlog->n);
    h->leaks |= WIFSIGNALED(status);
    history_check_tables(h, h->image, h->leaks);
    history_check_contents(h, h->image, model, WIFSIGNALED(status));
    history_check_torn(h);
    return WIFSIGNALED(status);
}

/* --- images --- */

static void image_fill_raw(const char *path, uint32_t id, unsigned sectors)
{
    g_autofree uint8_t *data = g_malloc0(SECTORS * 512);

    for (unsigned i = 0; i < sectors; i++) {
        if (i / 64 % 3) {
            sector_fill(data + i * 512, id, i);
        }
    }
    g_assert_true(g_file_set_contents(path, (char *)data, sectors * 512, NULL));
}

static void image_create(History *h)
{
    static const char *const clusters[] = { "512", "1k", "4k", "64k", "64k", "2M" };
    static const int widths[] = { 16, 16, 16, 1, 8, 64 };
    bool v3 = g_random_int_range(0, 4) != 0;
    int width = v3 ? widths[g_random_int_range(0, 6)] : 16;
    const char *cluster = clusters[g_random_int_range(0, 6)];
    g_autofree char *base = g_build_filename(h->folder, "base", NULL), *options = NULL;
    int backing = g_random_int_range(0, 3), content = g_random_int_range(0, 3);
    bool zstd = v3 && g_random_int_range(0, 2), lazy = v3 && g_random_int_range(0, 5) == 0;

    h->image = g_strdup_printf("%s/image%s", h->folder, v3 ? "-v3" : "-v2");
    image_fill_raw(base, 1, g_random_int_range(0, 2) ? SECTORS : SECTORS / 2 + 8);
    options = g_strdup_printf(
        "cluster_size=%s,compat=%s,refcount_bits=%d%s%s", cluster, v3 ? "1.1" : "0.10", width,
        lazy ? ",lazy_refcounts=on" : "",
        zstd && strcmp(cluster, "512") && strcmp(cluster, "1k") ? ",compression_type=zstd" : "");
    if (content == 0 && backing == 0) { /* compressed clusters */
        image_fill_raw(base, 1, SECTORS);
        g_assert_cmpint(history_run(h, NULL, "qemu-img convert -c -f raw -O qcow2 -o %s %s %s",
                                    options, base, h->image),
                        ==, 0);
    } else if (backing == 0) {
        g_assert_cmpint(history_run(h, NULL, "qemu-img create -q -f qcow2 -o %s%s %s %d", options,
                                    content == 1 ? ",preallocation=metadata" : "", h->image,
                                    SECTORS * 512),
                        ==, 0);
    } else {
        g_assert_cmpint(history_run(h, NULL,
                                    "qemu-img create -q -f qcow2 -o %s -b base -F raw %s %d",
                                    options, h->image, SECTORS * 512),
                        ==, 0);
    }
    if (g_random_int_range(0, 3) == 0 && width > 1) {
        g_assert_cmpint(history_run(h, NULL, "qemu-img snapshot -c snap %s", h->image), ==, 0);
        h->snapshot = history_contents(h, h->image, "-l snap");
    }
}

static void history_adopt(History *h)
{
    g_autofree char *data = history_contents(h, h->image, "");

    for (unsigned i = 0; i < SECTORS; i++) {
        h->model[i] = (Sector){ .last = sector_id((uint8_t *)data + i * 512, i) };
        g_assert_cmpuint(h->model[i].last, !=, UINT32_MAX);
    }
}

static void history_free(History *h)
{
    static const char *const names[] = { "image-v2", "image-v3", "torn", "raw", "before", "base" };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(h->folder, names[i], NULL);

        g_unlink(path);
    }
    g_rmdir(h->folder);
    g_string_free(h->story, TRUE);
    g_free(h->folder);
    g_free(h->image);
    g_free(h->torn);
    g_free(h->raw);
    g_free(h->before);
    g_free(h->snapshot);
    g_free(h);
}

static unsigned history_play(void)
{
    History *h = g_new0(History, 1);
    unsigned kills = 0;

    h->folder = g_dir_make_tmp("qcow2-history-XXXXXX", NULL);
    h->story = g_string_new(NULL);
    h->torn = g_build_filename(h->folder, "torn", NULL);
    h->raw = g_build_filename(h->folder, "raw", NULL);
    h->before = g_build_filename(h->folder, "before", NULL);
    image_create(h);
    for (unsigned i = 0, n = g_random_int_range(1, 3); i < n; i++) {
        history_adopt(h);
        kills += history_session(h, 100 + i * 100000);
    }
    g_test_message("%s", h->story->str);
    history_free(h);
    return kills;
}

static void test_histories(void)
{
    unsigned histories = g_test_slow() ? 1000 : 12, kills = 0, played = 0;
    g_autofree char *found = g_find_program_in_path("qemu-img");

    if (!found) {
        g_test_skip("qemu-img is not installed");
        return;
    }
    while (played < histories || (g_test_slow() && kills < 1000)) {
        g_random_set_seed(g_test_rand_int());
        kills += history_play();
        played++;
    }
    g_test_message("%u histories, %u kills, as many failures of the host", played, kills);
}

int main(int argc, char **argv)
{
    wlog = mmap(NULL, sizeof(*wlog) + LOG_BYTES, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    g_assert_true(wlog != MAP_FAILED);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/block/qcow2/histories", test_histories);
    return g_test_run();
}
