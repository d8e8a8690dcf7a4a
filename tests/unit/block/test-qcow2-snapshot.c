/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Internal snapshots of qcow2 images: random histories of writes, new, applied and deleted
 * snapshots with the state of a machine, compared with qemu-img; and images that store none.
 */
#include <string.h>

#include "block-fixture.h"
#include "block/snapshot.h"

enum { DISK = 3 << 20, STATE_MAX = 300000, KEPT = 4 };

typedef struct Model {
    uint8_t disk[DISK], state[STATE_MAX];
    size_t state_size;
    char name[16]; /* empty: the snapshot does not exist */
} Model;

static int run(const Fixture *f, const char *line)
{
    g_auto(GStrv) parts = g_strsplit(line, "%s", -1);
    g_autofree char *text = g_strjoinv(f->path, parts), *errors = NULL, *out = NULL;
    int status;

    g_assert_true(g_spawn_command_line_sync(text, &out, &errors, &status, NULL));
    if (status != 0) {
        g_test_message("%s: %s%s", text, out, errors);
    }
    return status;
}

static bool snapshots_testable(void)
{
    g_autofree char *found = g_find_program_in_path("qemu-img");

    if (!found) {
        g_test_skip("qemu-img is not installed");
    }
    return found != NULL;
}

static void fill_random(GRand *rng, uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        buf[i] = (uint8_t)g_rand_int(rng);
    }
}

static void write_random(Fixture *f, BlockNode *n, GRand *rng, uint8_t *disk)
{
    for (int i = g_rand_int_range(rng, 0, 6); i >= 0; i--) {
        size_t at = (size_t)g_rand_int_range(rng, 0, DISK / 512) * 512;
        size_t len = (size_t)g_rand_int_range(rng, 1, 300) * 512;

        len = MIN(len, DISK - at);
        if (g_rand_int_range(rng, 0, 4)) {
            fill_random(rng, disk + at, len);
            g_assert_cmpint(io(f, n, BLOCK_WRITE, at, disk + at, len), ==, 0);
        } else {
            memset(disk + at, 0, len);
            g_assert_cmpint(io(f, n, BLOCK_WRITE_ZEROES, at, NULL, len), ==, 0);
        }
    }
}

static void check_disk(Fixture *f, BlockNode *n, const uint8_t *disk)
{
    g_autofree uint8_t *buf = g_malloc(DISK);

    g_assert_cmpint(io(f, n, BLOCK_READ, 0, buf, DISK), ==, 0);
    g_assert_true(memcmp(buf, disk, DISK) == 0);
}

static void create_snapshot(BlockNode *n, GRand *rng, Model *to, const uint8_t *disk, unsigned id)
{
    g_autoptr(GError) err = NULL;
    BlockSnapshot s = { .name = to->name, .vm_clock_ns = 5, .date_sec = 1700000000 };

    g_snprintf(to->name, sizeof(to->name), "snap%u", id);
    memcpy(to->disk, disk, DISK);
    to->state_size = g_rand_int_range(rng, 0, 2) ? (size_t)g_rand_int_range(rng, 1, STATE_MAX) : 0;
    fill_random(rng, to->state, to->state_size);
    for (size_t at = 0; at < to->state_size; at += 70000) {
        size_t len = MIN(70000, to->state_size - at);

        g_assert_true(block_snapshot_write_state(n, at, to->state + at, len, &err));
    }
    s.vm_state_size = to->state_size;
    g_assert_true(block_snapshot_create(n, &s, &err));
    g_assert_no_error(err);
}

static void check_state(BlockNode *n, const Model *m)
{
    g_autofree uint8_t *buf = g_malloc(STATE_MAX);
    BlockSnapshot s;

    g_assert_true(block_snapshot_find(n, m->name, &s));
    g_assert_cmpuint(s.vm_state_size, ==, m->state_size);
    g_assert_true(block_snapshot_read_state(n, m->name, 0, buf, m->state_size, NULL));
    g_assert_cmpmem(buf, m->state_size, m->state, m->state_size);
}

/* qemu-img reads the contents of the snapshot. The image is not in use. */
static void check_with_qemu_img(Fixture *f, const Model *m)
{
    g_autofree char *line = g_strdup_printf("qemu-img convert -l %s -O raw %%s %%s.out", m->name);
    g_autofree char *path = g_strconcat(f->path, ".out", NULL), *data = NULL;
    gsize len;

    g_assert_cmpint(run(f, line), ==, 0);
    g_assert_true(g_file_get_contents(path, &data, &len, NULL));
    g_assert_cmpuint(len, ==, DISK);
    g_assert_true(memcmp(data, m->disk, DISK) == 0);
    g_unlink(path);
}

static void snapshot_step(Fixture *f, BlockNode *n, GRand *rng, Model *kept, uint8_t *disk,
                          unsigned id)
{
    Model *m = &kept[g_rand_int_range(rng, 0, KEPT)];

    write_random(f, n, rng, disk);
    if (!*m->name) {
        create_snapshot(n, rng, m, disk, id);
    } else if (g_rand_int_range(rng, 0, 2)) {
        g_assert_true(block_snapshot_apply(n, m->name, NULL));
        memcpy(disk, m->disk, DISK);
    } else {
        g_assert_true(block_snapshot_delete(n, m->name, NULL));
        *m->name = 0;
    }
    check_disk(f, n, disk);
    for (unsigned i = 0; i < KEPT; i++) {
        if (*kept[i].name) {
            check_state(n, &kept[i]);
        }
    }
}

static void snapshot_history(Fixture *f, const char *create, unsigned seed)
{
    g_autofree Model *kept = g_new0(Model, KEPT);
    g_autofree uint8_t *disk = g_malloc0(DISK);
    GRand *rng = g_rand_new_with_seed(seed);

    g_test_message("%s, seed %u", create, seed);
    g_assert_cmpint(run(f, create), ==, 0);
    for (unsigned round = 0; round < (g_test_slow() ? 200u : 10u); round++) {
        BlockNode *n = node(f,
                            "{'driver':'qcow2','node-name':'q','discard':'unmap',"
                            "'file':{'driver':'file','filename':'%s'}}",
                            false, NULL);

        g_assert_true(block_attach(n, &writer, "disk", NULL));
        for (int i = g_rand_int_range(rng, 1, 4); i > 0; i--) {
            snapshot_step(f, n, rng, kept, disk, round * 4 + (unsigned)i);
        }
        block_detach(n, &writer);
        g_assert_true(block_node_del(f->m, "q", NULL));
        g_assert_cmpint(run(f, "qemu-img check -q -f qcow2 %s"), ==, 0);
        if (*kept[round % KEPT].name) {
            check_with_qemu_img(f, &kept[round % KEPT]);
        }
    }
    g_rand_free(rng);
}

static void test_histories(Fixture *f, gconstpointer data)
{
    static const char *const lines[] = {
        "qemu-img create -q -f qcow2 %s 3M",
        "qemu-img create -q -f qcow2 -o cluster_size=512,refcount_bits=8 %s 3M",
        "qemu-img create -q -f qcow2 -o compat=0.10,cluster_size=4k %s 3M",
        "qemu-img create -q -f qcow2 -o cluster_size=4k,lazy_refcounts=on,refcount_bits=64 %s 3M",
    };

    for (unsigned i = 0; snapshots_testable() && i < G_N_ELEMENTS(lines); i++) {
        snapshot_history(f, lines[i], i);
    }
}

/* A count of one bit cannot refer to a cluster twice: nothing changes. */
static void test_no_room(Fixture *f, gconstpointer data)
{
    BlockSnapshot s = { .name = "s" };
    g_autoptr(GError) err = NULL;
    uint8_t buf[512] = { 1 };
    BlockNode *n;

    if (!snapshots_testable()) {
        return;
    }
    g_assert_cmpint(run(f, "qemu-img create -q -f qcow2 -o refcount_bits=1 %s 1M"), ==, 0);
    n = node(f, "{'driver':'qcow2','node-name':'q','file':{'driver':'file','filename':'%s'}}",
             false, NULL);
    g_assert_true(block_attach(n, &writer, "disk", NULL));
    g_assert_cmpint(io(f, n, BLOCK_WRITE, 0, buf, 512), ==, 0);
    g_assert_false(block_snapshot_create(n, &s, &err));
    g_assert_nonnull(strstr(err->message, "cannot create the snapshot"));
    g_assert_false(block_snapshot_find(n, "s", &s));
    g_assert_cmpint(io(f, n, BLOCK_WRITE, 70000, buf, 512), ==, 0);
    block_detach(n, &writer);
    g_assert_true(block_node_del(f->m, "q", NULL));
    g_assert_cmpint(run(f, "qemu-img check -q -f qcow2 %s"), ==, 0);
}

static void test_refused(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) err = NULL;
    GPtrArray *disks = NULL;
    BlockNode *n;

    g_assert_false(block_snapshot_disks(f->m, &disks, &err));
    g_assert_nonnull(strstr(err->message, "no block device can store vmstate"));
    g_clear_error(&err);
    n = node(f, "{'driver':'file','node-name':'r','filename':'%s'}", false, NULL);
    g_assert_true(block_attach(n, &writer, "disk", NULL));
    g_assert_false(block_snapshot_disks(f->m, &disks, &err));
    g_assert_nonnull(strstr(err->message, "Device 'r' is writable but does not support snapshots"));
    g_clear_error(&err);
    g_assert_null(block_snapshot_disk(f->m, "r", &err));
    g_clear_error(&err);
    g_assert_null(block_snapshot_disk(f->m, "absent", &err));
    g_assert_nonnull(strstr(err->message, "'absent'"));
    block_detach(n, &writer);
}

#define ADD(path, fn) g_test_add(path, Fixture, NULL, setup, fn, teardown)
int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/qcow2-snapshot/histories", test_histories);
    ADD("/qcow2-snapshot/no-room", test_no_room);
    ADD("/qcow2-snapshot/refused", test_refused);
    return g_test_run();
}
