/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2 images of qemu-img: contents with each of its options, growth of tables, resizing,
 * hand-over, and images that are rejected.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../../../block/qcow2_internal.h"
#include "block-fixture.h"

enum { DISK = 3 << 20 };

static bool have_qemu_img(void)
{
    g_autofree char *found = g_find_program_in_path("qemu-img");

    if (!found) {
        g_test_skip("qemu-img is not installed");
    }
    return found != NULL;
}

/* Run a command, with %s for the path of the fixture. Returns its exit status. */
static int run(const Fixture *f, const char *line)
{
    g_auto(GStrv) parts = g_strsplit(line, "%s", -1);
    g_autofree char *text = g_strjoinv(f->path, parts), *errors = NULL, *out = NULL;
    int status;

    g_assert_true(g_spawn_command_line_sync(text, &out, &errors, &status, NULL));
    if (status != 0) {
        g_test_message("%s: %s%s", text, out, errors);
    }
    return WEXITSTATUS(status);
}

/* Contents with data, zeroes and repetitions. */
static void fill_source(const Fixture *f, const char *suffix, size_t size)
{
    g_autofree char *path = g_strconcat(f->path, suffix, NULL), *data = g_malloc0(size);

    for (size_t i = 0; i < size; i++) {
        data[i] = i / 40000 % 3 ? (char)(i / 512 * 7 + i % 5) : 0;
    }
    g_assert_true(g_file_set_contents(path, data, size, NULL));
}

static void remove_files(const Fixture *f)
{
    static const char *const suffixes[] = { ".raw", ".base", ".mid", ".full" };

    for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *path = g_strconcat(f->path, suffixes[i], NULL);

        g_unlink(path);
    }
}

static BlockNode *open_image(Fixture *f, bool write, GError **err)
{
    BlockNode *n = node(f,
                        write ? "{'driver':'qcow2','node-name':'q','discard':'unmap',"
                                "'file':{'driver':'file','filename':'%s'}}"
                              : "{'driver':'qcow2','node-name':'q','read-only':true,"
                                "'file':{'driver':'file','filename':'%s'}}",
                        false, err);

    if (n && write) {
        g_assert_true(block_attach(n, &writer, "disk", NULL));
    }
    return n;
}

static void close_image(Fixture *f, BlockNode *n, bool write)
{
    if (write) {
        block_detach(n, &writer);
    }
    g_assert_true(block_node_del(f->m, "q", NULL));
}

/* Read the disk in pieces that do not match clusters, and compare it with a raw file. */
static void check_contents(Fixture *f, BlockNode *n, const char *suffix)
{
    enum { PIECE = 77 * 512 };
    g_autofree char *path = g_strconcat(f->path, suffix, NULL), *expected = NULL;
    uint8_t buf[PIECE];
    gsize len;

    g_assert_true(g_file_get_contents(path, &expected, &len, NULL));
    g_assert_cmpuint(block_size(n), ==, len);
    for (gsize at = 0; at < len; at += PIECE) {
        gsize part = MIN(PIECE, len - at);

        g_assert_cmpint(io(f, n, BLOCK_READ, at, buf, part), ==, 0);
        g_assert_cmpmem(buf, part, expected + at, part);
    }
}

/* --- each option of qemu-img --- */

static const char *const option_lines[] = {
    "qemu-img convert -f raw -O qcow2 -o compat=0.10 %s.raw %s",
    "qemu-img convert -f raw -O qcow2 -o cluster_size=512 %s.raw %s",
    "qemu-img convert -f raw -O qcow2 -o cluster_size=512,refcount_bits=64 %s.raw %s",
    "qemu-img convert -f raw -O qcow2 -o cluster_size=4k,refcount_bits=1 %s.raw %s",
    "qemu-img convert -f raw -O qcow2 -o cluster_size=64k,refcount_bits=2 %s.raw %s",
    "qemu-img convert -f raw -O qcow2 -o cluster_size=1M,refcount_bits=4 %s.raw %s",
    "qemu-img convert -f raw -O qcow2 -o cluster_size=2M,refcount_bits=8 %s.raw %s",
    "qemu-img convert -f raw -O qcow2 -o refcount_bits=32,lazy_refcounts=on %s.raw %s",
    "qemu-img convert -f raw -O qcow2 -o preallocation=metadata %s.raw %s",
    "qemu-img convert -f raw -O qcow2 -o preallocation=falloc %s.raw %s",
    "qemu-img convert -f raw -O qcow2 -o preallocation=full,cluster_size=8k %s.raw %s",
    "qemu-img convert -c -f raw -O qcow2 %s.raw %s",
    "qemu-img convert -c -f raw -O qcow2 -o compat=0.10,cluster_size=512 %s.raw %s",
    "qemu-img convert -c -f raw -O qcow2 -o cluster_size=2M %s.raw %s",
    "qemu-img convert -c -f raw -O qcow2 -o compression_type=zstd %s.raw %s",
    "qemu-img convert -c -f raw -O qcow2 -o compression_type=zstd,cluster_size=4k %s.raw %s",
    "qemu-img convert -S 0 -f raw -O qcow2 %s.raw %s",
    "qemu-img convert -f raw -O qcow2 -B %s.base -F raw %s.raw %s",
    "qemu-img convert -f raw -O qcow2 -B %s.mid -F qcow2 %s.raw %s",
    "qemu-img convert -f raw -O qcow2 -o compat=0.10 -B %s.mid -F qcow2 %s.raw %s",
};

static void test_options(Fixture *f, gconstpointer data)
{
    if (!have_qemu_img()) {
        return;
    }
    fill_source(f, ".raw", DISK);
    fill_source(f, ".base", DISK / 2 + 512);
    g_assert_cmpint(run(f, "qemu-img create -q -f qcow2 -b %s.base -F raw %s.mid 1M"), ==, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(option_lines); i++) {
        bool snapshot = !strstr(option_lines[i], "refcount_bits=1 "); /* 1 bit: not possible */
        BlockNode *n;

        g_test_message("%s", option_lines[i]);
        g_assert_cmpint(run(f, option_lines[i]), ==, 0);
        n = open_image(f, false, NULL);
        check_contents(f, n, ".raw");
        close_image(f, n, false);
        g_assert_cmpint(snapshot ? run(f, "qemu-img snapshot -c s %s") : 0, ==, 0);
        n = open_image(f, true, NULL); /* writing what is there changes nothing */
        check_contents(f, n, ".raw");
        for (uint64_t at = 0; at < DISK; at += 100 * 512) {
            uint8_t buf[30 * 512];

            g_assert_cmpint(io(f, n, BLOCK_READ, at, buf, MIN(sizeof(buf), DISK - at)), ==, 0);
            g_assert_cmpint(io(f, n, BLOCK_WRITE, at, buf, MIN(sizeof(buf), DISK - at)), ==, 0);
        }
        check_contents(f, n, ".raw");
        close_image(f, n, true);
        g_assert_cmpint(run(f, "qemu-img check -q -f qcow2 %s"), ==, 0);
        g_assert_cmpint(run(f, "qemu-img compare -q -f raw -F qcow2 %s.raw %s"), ==, 0);
        if (snapshot) {
            g_assert_cmpint(run(f, "qemu-img convert -l s -f qcow2 -O raw %s %s.full"), ==, 0);
            g_assert_cmpint(run(f, "cmp %s.raw %s.full"), ==, 0);
        }
    }
    remove_files(f);
}

/* --- tables --- */

/* Small clusters and wide counts: the refcount table is replaced several times. */
static void test_growth(Fixture *f, gconstpointer data)
{
    enum { SIZE_LARGE = 24 << 20, STEP = 1 << 20 };
    g_autofree uint8_t *buf = g_malloc(STEP), *back = g_malloc(STEP);
    BlockNode *n;

    if (!have_qemu_img()) {
        return;
    }
    g_assert_cmpint(
        run(f, "qemu-img create -q -f qcow2 -o cluster_size=512,refcount_bits=64 %s 4M"), ==, 0);
    n = open_image(f, true, NULL);
    g_assert_true(block_resize(n, SIZE_LARGE, NULL));
    for (unsigned i = 0; i < SIZE_LARGE / STEP; i++) {
        memset(buf, (int)i + 1, STEP);
        g_assert_cmpint(io(f, n, BLOCK_WRITE, (uint64_t)i * STEP, buf, STEP), ==, 0);
    }
    for (unsigned i = 0; i < SIZE_LARGE / STEP; i++) {
        memset(buf, (int)i + 1, STEP);
        g_assert_cmpint(io(f, n, BLOCK_READ, (uint64_t)i * STEP, back, STEP), ==, 0);
        g_assert_cmpmem(back, STEP, buf, STEP);
    }
    close_image(f, n, true);
    g_assert_cmpint(run(f, "qemu-img check -q -f qcow2 %s"), ==, 0);
}

/* Writes and discards without a flush do not make the file grow much beyond the disk. */
static void test_no_flush(Fixture *f, gconstpointer data)
{
    enum { BYTES = 16 << 20, CLUSTER = 64 << 10, CLUSTERS = BYTES / CLUSTER, ROUNDS = 3000 };
    g_autofree uint8_t *buf = g_malloc(CLUSTER);
    g_autoptr(GRand) rand = g_rand_new_with_seed(17);
    GStatBuf st;
    BlockNode *n;

    if (!have_qemu_img()) {
        return;
    }
    g_assert_cmpint(run(f, "qemu-img create -q -f qcow2 %s 16M"), ==, 0);
    n = open_image(f, true, NULL);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t at = (uint64_t)g_rand_int_range(rand, 0, CLUSTERS) * CLUSTER;
        BlockOp op = i % 3 == 0 ? BLOCK_WRITE_ZEROES : BLOCK_DISCARD;

        memset(buf, (int)i, CLUSTER);
        g_assert_cmpint(io(f, n, BLOCK_WRITE, at, buf, CLUSTER), ==, 0);
        if (i % 4) {
            at = (uint64_t)g_rand_int_range(rand, 0, CLUSTERS) * CLUSTER;
            g_assert_cmpint(io(f, n, op, at, NULL, CLUSTER), ==, 0);
        }
    }
    g_assert_cmpint(g_stat(f->path, &st), ==, 0);
    g_assert_cmpint(st.st_size, <=, BYTES + BYTES / 8 + (2 << 20));
    close_image(f, n, true);
    g_assert_cmpint(run(f, "qemu-img check -q -f qcow2 %s"), ==, 0);
}

static uint64_t host_of(Qcow2 *q, uint64_t at)
{
    Qcow2Extent e;

    g_mutex_lock(&q->meta);
    g_assert_cmpint(qcow2_map_get(q, at, 1, &e), ==, 0);
    g_mutex_unlock(&q->meta);
    g_assert_cmpint(e.type, ==, QCOW2_DATA);
    return e.host;
}

/* Write a cluster that is not allocated, flush, and return where it is in the file. */
static uint64_t place_of_new(Fixture *f, BlockNode *n, uint64_t at)
{
    uint8_t buf[4096] = { 1 };

    g_assert_cmpint(io(f, n, BLOCK_WRITE, at, buf, sizeof(buf)), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_FLUSH, 0, NULL, 0), ==, 0);
    return host_of(n->priv, at);
}

static void discard_and_flush(Fixture *f, BlockNode *n, uint64_t at)
{
    g_assert_cmpint(io(f, n, BLOCK_DISCARD, at, NULL, 64 << 10), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_FLUSH, 0, NULL, 0), ==, 0);
}

/* Pin a cluster, flush some times, and release the cluster while it is pinned. */
static void check_pinned(Fixture *f, unsigned flushes)
{
    enum { CLUSTER = 64 << 10 };
    uint64_t place;
    BlockNode *n;
    unsigned slot;
    Qcow2 *q;

    g_assert_cmpint(run(f, "qemu-img create -q -f qcow2 %s 16M"), ==, 0);
    n = open_image(f, true, NULL);
    q = n->priv;
    place = place_of_new(f, n, 0);
    g_mutex_lock(&q->map);
    slot = qcow2_pin(q);
    g_mutex_unlock(&q->map);
    for (unsigned i = 0; i < flushes; i++) {
        place_of_new(f, n, CLUSTER + (i + 1ull) * (1 << 20));
        if (i & 1) { /* other clusters are released too */
            discard_and_flush(f, n, CLUSTER + (i + 1ull) * (1 << 20));
        }
    }
    discard_and_flush(f, n, 0);
    for (uint64_t i = 2; i < 6; i++) {
        g_assert_cmpuint(place_of_new(f, n, i * CLUSTER), !=, place);
    }
    qcow2_unpin(q, slot);
    place_of_new(f, n, 6 * CLUSTER); /* its flush releases what waited for the pin */
    g_assert_cmpint(io(f, n, BLOCK_FLUSH, 0, NULL, 0), ==, 0);
    place_of_new(f, n, 7 * CLUSTER);
    g_assert_true(host_of(q, 6 * CLUSTER) == place || host_of(q, 7 * CLUSTER) == place);
    close_image(f, n, true);
    g_assert_cmpint(run(f, "qemu-img check -q -f qcow2 %s"), ==, 0);
}

/* A cluster that a request in flight accesses is not used again, over any number of flushes. */
static void test_pinned(Fixture *f, gconstpointer data)
{
    for (unsigned i = 0; i < 5 && have_qemu_img(); i++) {
        check_pinned(f, i);
    }
}

/* New parts of a disk are zero, although the backing file is larger. */
static void test_resize(Fixture *f, gconstpointer data)
{
    uint8_t buf[4096], zero[4096] = { 0 };
    BlockNode *n;

    if (!have_qemu_img()) {
        return;
    }
    fill_source(f, ".base", DISK);
    g_assert_cmpint(run(f, "qemu-img create -q -f qcow2 -b %s.base -F raw %s 100k"), ==, 0);
    n = open_image(f, true, NULL);
    memset(buf, 7, sizeof(buf));
    g_assert_cmpint(io(f, n, BLOCK_WRITE, 98304, buf, 4096), ==, 0);
    g_assert_true(block_resize(n, DISK * 2, NULL));
    g_assert_cmpuint(block_size(n), ==, DISK * 2);
    for (uint64_t at = 102400; at < DISK * 2; at += 4096) {
        g_assert_cmpint(io(f, n, BLOCK_READ, at, buf, 4096), ==, 0);
        g_assert_cmpmem(buf, 4096, zero, 4096);
    }
    memset(buf, 9, sizeof(buf));
    g_assert_cmpint(io(f, n, BLOCK_WRITE, DISK, buf, 4096), ==, 0);
    g_assert_true(block_resize(n, DISK / 2, NULL));
    g_assert_true(block_resize(n, DISK * 2, NULL));
    g_assert_cmpint(io(f, n, BLOCK_READ, DISK, buf, 4096), ==, 0);
    g_assert_cmpmem(buf, 4096, zero, 4096);
    g_assert_false(block_resize(n, 1ull << 62, NULL));
    close_image(f, n, true);
    g_assert_cmpint(run(f, "qemu-img check -q -f qcow2 %s"), ==, 0);
    remove_files(f);
}

/* Two machines use one image in turn, as the source and the target of migrations. */
static void test_hand_over(Fixture *f, gconstpointer data)
{
    static const char line[] = "{'driver':'qcow2','node-name':'q','file':{'driver':'file',"
                               "'filename':'%s'}}";
    Fixture other = { .loop = -1, .path = f->path };
    Fixture *side[2] = { f, &other };
    uint8_t out[8192], in[8192];
    BlockNode *n[2];

    if (!have_qemu_img()) {
        return;
    }
    g_assert_cmpint(run(f, "qemu-img create -q -f qcow2 %s 16M"), ==, 0);
    other.m = machine_new();
    for (unsigned i = 0; i < 2; i++) {
        n[i] = node(side[i], line, i == 1, NULL);
        g_assert_true(block_attach(n[i], &writer, "disk", NULL));
    }
    for (unsigned turn = 0; turn < 8; turn++) {
        Fixture *from = side[turn & 1], *to = side[!(turn & 1)];
        BlockNode *here = n[turn & 1], *there = n[!(turn & 1)];

        memset(out, (int)turn + 1, sizeof(out));
        g_assert_cmpint(io(from, here, BLOCK_WRITE, turn * 262144, out, sizeof(out)), ==, 0);
        g_assert_cmpint(io(from, here, BLOCK_DISCARD, turn * 131072, NULL, 65536), ==, 0);
        if (turn == 4) {
            g_assert_true(block_resize(here, 32 << 20, NULL));
        }
        g_assert_cmpint(io(to, there, BLOCK_READ, 0, in, 512), ==, -EIO);
        g_assert_true(block_inactivate_all(from->m, NULL));
        g_assert_cmpint(run(f, "qemu-img check -q -f qcow2 %s"), ==, 0);
        g_assert_true(block_activate_all(to->m, NULL));
        g_assert_cmpint(io(to, there, BLOCK_READ, turn * 262144, in, sizeof(in)), ==, 0);
        g_assert_cmpmem(in, sizeof(in), out, sizeof(out));
        g_assert_cmpuint(block_size(there), ==, turn < 4 ? 16 << 20 : 32 << 20);
    }
    block_free_all(other.m);
    machine_free(other.m);
}

/* --- errors of the file, through blkdebug --- */

static void test_errors(Fixture *f, gconstpointer data)
{
    static const char *const rules[] = {
        "{'event':'none','iotype':'flush','once':true,'errno':28}",
        "{'event':'flush_to_disk','once':true}", "{'event':'write_aio','once':true,'errno':28}",
        "{'event':'write_aio','sector':257,'once':true}", /* the refcount table or the block */
    };
    uint8_t out[4096], in[4096];

    if (!have_qemu_img()) {
        return;
    }
    memset(out, 0x3c, sizeof(out));
    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
        g_autofree char *line = g_strdup_printf(
            "{'driver':'qcow2','node-name':'q','file':{'driver':'blkdebug','inject-error':[%s],"
            "'image':{'driver':'file','filename':'%s'}}}",
            rules[i], f->path);
        unsigned failed = 0;
        BlockNode *n;

        g_assert_cmpint(run(f, "qemu-img create -q -f qcow2 %s 64M"), ==, 0);
        n = node(f, line, false, NULL);
        g_assert_true(block_attach(n, &writer, "disk", NULL));
        for (unsigned k = 0; k < 4; k++) { /* the guest repeats what failed */
            failed += io(f, n, BLOCK_WRITE, k * 1000 * 4096, out, sizeof(out)) < 0;
            failed += io(f, n, BLOCK_FLUSH, 0, NULL, 0) < 0;
            g_assert_cmpint(io(f, n, BLOCK_WRITE, k * 1000 * 4096, out, sizeof(out)), ==, 0);
            g_assert_cmpint(io(f, n, BLOCK_FLUSH, 0, NULL, 0), ==, 0);
        }
        g_assert_cmpuint(failed, ==, 1);
        close_image(f, n, true);
        g_assert_cmpint(run(f, "qemu-img check -q -f qcow2 %s"), ==, 0);
        n = open_image(f, false, NULL);
        for (unsigned k = 0; k < 4; k++) {
            g_assert_cmpint(io(f, n, BLOCK_READ, k * 1000 * 4096, in, sizeof(in)), ==, 0);
            g_assert_cmpmem(in, sizeof(in), out, sizeof(out));
        }
        close_image(f, n, false);
    }
}

/* --- rejected images --- */

typedef struct Damage {
    unsigned at, len;
    uint64_t value;
    const char *says;
} Damage;

static const Damage header_damages[] = {
    { 0, 4, 0x51464900, "not in qcow2 format" },
    { 4, 4, 1, "Unsupported qcow2 version 1" },
    { 4, 4, 4, "Unsupported qcow2 version 4" },
    { 20, 4, 8, "Unsupported cluster size: 2^8" },
    { 20, 4, 22, "Unsupported cluster size: 2^22" },
    { 20, 4, 0xffffffff, "Unsupported cluster size" },
    { 24, 8, 1ull << 63, "the limit is 2^63" },
    { 24, 8, UINT64_MAX, "the limit is 2^63" },
    { 24, 8, 1ull << 62, "too big" },
    { 24, 8, 1ull << 40, "L1 table is too small" },
    { 32, 4, 1, "encrypted (AES)" },
    { 32, 4, 2, "encrypted (LUKS)" },
    { 36, 4, 0xffffffff, "L1 table is too large" },
    { 36, 4, 0, "L1 table is too small" },
    { 40, 8, 0x10200, "not a multiple of the cluster size" },
    { 40, 8, 1ull << 40, "is not inside the file" },
    { 40, 8, UINT64_MAX - 0xffff, "is not inside the file" },
    { 48, 8, 1ull << 40, "is not inside the file" },
    { 48, 8, 0, "is not inside the file" },
    { 56, 4, 0, "does not contain a reference count table" },
    { 56, 4, 0xffffffff, "reference count table is too large" },
    { 60, 4, 0xffffffff, "snapshots are not supported" },
    { 60, 4, 1, "snapshot table at 0x0 is not inside" },
    { 8, 8, 1ull << 40, "not in the first cluster" },
    { 72, 8, 4, "Unsupported qcow2 feature(s): external data file" },
    { 72, 8, 16, "Unsupported qcow2 feature(s): extended L2 entries" },
    { 72, 8, 1ull << 40, "Unsupported qcow2 feature(s): Unknown incompatible feature: bit 40" },
    { 72, 8, 8, "contradicts the incompatible feature bit 3" },
    { 72, 8, 2, "Image is corrupt; cannot be opened read/write" },
    { 96, 4, 7, "2^7 bits are not supported" },
    { 100, 4, 96, "a header of 96 bytes is invalid" },
    { 100, 4, 0xfffffff8, "bytes is invalid" },
    { 104, 1, 2, "compression type 2 is not supported" },
    { 116, 4, 0x7fffffff, "exceeds the header" },
};

static void test_damaged_header(Fixture *f, gconstpointer data)
{
    if (!have_qemu_img()) {
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(header_damages); i++) {
        const Damage *d = &header_damages[i];
        uint64_t be = GUINT64_TO_BE(d->value << (64 - d->len * 8));
        g_autoptr(GError) err = NULL;

        g_assert_cmpint(run(f, "qemu-img create -q -f qcow2 %s 64M"), ==, 0);
        put_file(f, d->at, &be, d->len);
        g_assert_null(open_image(f, true, &err));
        if (!strstr(err->message, d->says)) {
            g_error("offset %u: %s", d->at, err->message);
        }
    }
}

/* Damage that is found when an entry is used: reads of other clusters continue. */
static void test_damaged_entry(Fixture *f, gconstpointer data)
{
    static const uint64_t entries[] = { 1ull << 40,       0x50200,         1ull << 56 | 0x50000,
                                        0x50000 | 1 << 3, UINT64_MAX >> 2, 3ull << 62 };
    uint8_t buf[512], head[512];

    if (!have_qemu_img()) {
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(entries); i++) {
        uint64_t be = GUINT64_TO_BE(entries[i]);
        BlockNode *n;

        g_assert_cmpint(run(f, "qemu-img create -q -f qcow2 %s 64M"), ==, 0);
        g_assert_cmpint(run(f, "qemu-io -f qcow2 -c 'write 0 256k' %s"), ==, 0);
        put_file(f, 0x40000 + 8, &be, 8); /* the second entry of the only L2 table */
        n = open_image(f, true, NULL);
        g_assert_cmpint(io(f, n, BLOCK_READ, 131072, buf, 512), ==, 0);
        g_assert_cmpint(io(f, n, BLOCK_READ, 65536, buf, 512), ==, -EIO);
        g_assert_cmpint(io(f, n, BLOCK_READ, 131072, buf, 512), ==, 0);
        g_assert_cmpint(io(f, n, BLOCK_WRITE, 131072, buf, 512), ==, -EIO);
        close_image(f, n, true);
    }
    /* a free cluster that is in use as a table is not allocated, and the image becomes corrupt */
    g_assert_cmpint(run(f, "qemu-img create -q -f qcow2 %s 64M"), ==, 0);
    put_file(f, 0x20006, "\0\0", 2); /* the count of the L1 table */
    {
        BlockNode *n = open_image(f, true, NULL);
        g_autofree char *image = NULL;

        g_assert_cmpint(io(f, n, BLOCK_WRITE, 0, buf, 512), ==, -EIO);
        close_image(f, n, true);
        g_assert_true(g_file_get_contents(f->path, &image, NULL, NULL));
        memcpy(head, image, sizeof(head));
        g_assert_cmpuint(head[79] & 2, ==, 2);
    }
}

/* --- backing files --- */

static void check_rejected(Fixture *f, const char *says)
{
    g_autoptr(GError) err = NULL;

    g_assert_null(open_image(f, true, &err));
    if (!strstr(err->message, says)) {
        g_error("%s", err->message);
    }
}

/* Replace the extension with the format of the backing file by an unknown one. */
static void remove_format(const Fixture *f)
{
    static const uint8_t type[4] = { 0xe2, 0x79, 0x2a, 0xca };
    g_autofree char *image = NULL;
    const char *found;
    gsize len;

    g_assert_true(g_file_get_contents(f->path, &image, &len, NULL));
    found = memmem(image, len, type, sizeof(type));
    g_assert_nonnull(found);
    put_file(f, found - image, "\1\2\3\4", 4);
}

static void test_backing(Fixture *f, gconstpointer data)
{
    if (!have_qemu_img()) {
        return;
    }
    /* a loop of two images */
    g_assert_cmpint(run(f, "qemu-img create -q -f qcow2 %s.base 1M"), ==, 0);
    g_assert_cmpint(run(f, "qemu-img create -q -f qcow2 -b %s.base -F qcow2 %s"), ==, 0);
    g_assert_cmpint(run(f, "qemu-img rebase -u -b %s -F qcow2 %s.base"), ==, 0);
    check_rejected(f, "creates an infinite loop");
    /* an image that is its own backing file */
    g_assert_cmpint(run(f, "qemu-img create -q -f qcow2 %s 1M"), ==, 0);
    g_assert_cmpint(run(f, "qemu-img rebase -u -b %s -F qcow2 %s"), ==, 0);
    check_rejected(f, "creates an infinite loop");
    /* without a format, a backing file with a backing file of its own */
    fill_source(f, ".raw", DISK);
    g_assert_cmpint(run(f, "qemu-img create -q -f qcow2 -b %s.raw -F raw %s.base"), ==, 0);
    g_assert_cmpint(run(f, "qemu-img create -q -f qcow2 -b %s.base -F qcow2 %s"), ==, 0);
    remove_format(f);
    check_rejected(f, "with a backing file");
    /* without a format, a raw backing file is probed */
    g_assert_cmpint(run(f, "qemu-img create -q -f qcow2 -b %s.raw -F raw %s"), ==, 0);
    remove_format(f);
    {
        BlockNode *n = open_image(f, false, NULL);

        check_contents(f, n, ".raw");
        close_image(f, n, false);
    }
    /* other protocols, and files that do not exist */
    g_assert_cmpint(run(f, "qemu-img rebase -u -b nbd://host/disk -F raw %s"), ==, 0);
    check_rejected(f, "only files are opened by a name in an image");
    g_assert_cmpint(run(f, "qemu-img rebase -u -b %s.absent -F raw %s"), ==, 0);
    check_rejected(f, "Could not open backing file");
    g_assert_cmpint(run(f, "qemu-img rebase -u -b %s.raw -F vmdk %s"), ==, 0);
    check_rejected(f, "Unknown driver 'vmdk'");
    remove_files(f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define QCOW2_TEST(name, func)                                                                     \
    g_test_add("/block/qcow2/" name, Fixture, NULL, setup, func, teardown)
    QCOW2_TEST("options", test_options);
    QCOW2_TEST("growth", test_growth);
    QCOW2_TEST("no-flush", test_no_flush);
    QCOW2_TEST("pinned", test_pinned);
    QCOW2_TEST("resize", test_resize);
    QCOW2_TEST("hand-over", test_hand_over);
    QCOW2_TEST("errors", test_errors);
    QCOW2_TEST("damaged-header", test_damaged_header);
    QCOW2_TEST("damaged-entry", test_damaged_entry);
    QCOW2_TEST("backing", test_backing);
    return g_test_run();
}
