/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Complete migrations between two machines of one process: over sockets and files, rejected,
 * cancelled, cut at every byte, and undecided.
 */
#include "fixture.h"
#include "tests/lib/ok.h"
#include "tests/lib/wait.h"

#include <sys/socket.h>

static const char *const devices[] = { "widget,id=w0,size=8", "widget,id=w1", NULL };

static void dirty(Box *b)
{
    RamBlock *ram = g_ptr_array_index(b->m->ram_blocks, 0);

    memset(ram->host + 0x5000, 0x5a, 0x3000);
    ram->host[ram->size - 1] = 9;
    box_widget(b, "w0")->value = 0x1234;
    memcpy(box_widget(b, "w1")->bytes, "saved!!", 8);
    ((FakeCpu *)g_ptr_array_index(b->m->cpus, 1))->pc = 0x80001234;
}

static void check_same(Box *b)
{
    RamBlock *ram = g_ptr_array_index(b->m->ram_blocks, 0);

    g_assert_cmpuint(ram->host[0x4fff], ==, 0);
    g_assert_cmpuint(ram->host[0x5000], ==, 0x5a);
    g_assert_cmpuint(ram->host[0x7fff], ==, 0x5a);
    g_assert_cmpuint(ram->host[ram->size - 1], ==, 9);
    g_assert_cmphex(box_widget(b, "w0")->value, ==, 0x1234);
    g_assert_cmpuint(box_widget(b, "w0")->size, ==, 8);
    g_assert_cmpstr((char *)box_widget(b, "w1")->bytes, ==, "saved!!");
    g_assert_cmphex(((FakeCpu *)g_ptr_array_index(b->m->cpus, 1))->pc, ==, 0x80001234);
}

static void events(Box *b)
{
    ASSERT_OK(migration_set_capability(b->mig, "events", true, &failure));
}

static void listen_on(Box *b, const char *uri)
{
    g_autoptr(GError) err = NULL;

    migration_incoming(b->mig, uri, false, &err);
    g_assert_no_error(err);
}

static void start(Box *b, const char *uri)
{
    g_autoptr(GError) err = NULL;

    migration_start(b->mig, uri, &err);
    g_assert_no_error(err);
}

static void test_socket(void)
{
    g_autofree char *path = temp_path("s"), *uri = g_strdup_printf("unix:%s", path);
    g_autoptr(GError) err = NULL;
    Box *a = box_new(devices), *b = box_empty();

    events(a);
    events(b);
    dirty(a);
    machine_set_state(a->m, RUN_RUNNING);
    timer_arm_ns(&box_widget(a, "w0")->timer, 200000000);
    listen_on(b, uri);
    start(a, uri);
    g_assert_cmpstr(a->events->str, ==, "RESUME setup ");
    wait_status(a, "completed", "failed");
    g_assert_cmpstr(a->mig->error, ==, NULL);
    g_assert_cmpstr(a->events->str, ==, "RESUME setup active MIGRATION_PASS STOP completed ");
    g_assert_cmpint(a->m->state, ==, RUN_POSTMIGRATE);
    g_assert_cmpuint(a->m->migrating, ==, 0);
    g_assert_cmpstr(b->events->str, ==, "setup active RESUME completed ");
    g_assert_cmpint(b->m->state, ==, RUN_RUNNING);
    check_same(b);
    g_assert_cmpuint(a->releases, ==, 1);
    g_assert_cmpuint(b->takes, ==, 1);
    /* the guest never runs twice */
    g_assert_false(migration_may_run(a->mig, &err));
    g_assert_nonnull(strstr(err->message, "handed over"));
    g_clear_error(&err);
    g_assert_false(migration_start(a->mig, uri, &err));
    g_clear_error(&err);
    g_assert_false(migration_resolve(a->mig, true, false, &err));
    ASSERT_OK(migration_resolve(a->mig, true, true, &failure));
    ASSERT_OK(migration_may_run(a->mig, &failure));
    /* the timer continues where it was */
    WAIT_UNTIL (box_widget(b, "w0")->fired, 20) {
        clocks_dispatch(b->m->clocks);
    }
    box_free(a);
    box_free(b);
}

static void test_file(void)
{
    g_autofree char *path = temp_path("f"), *uri = g_strdup_printf("file:%s", path);
    g_autofree char *path2 = temp_path("f2"), *uri2 = g_strdup_printf("file:%s", path2);
    g_autofree char *one = NULL, *two = NULL;
    gsize n1, n2;
    Box *a = box_new(devices), *b = box_empty();

    dirty(a);
    start(a, uri);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    wait_status(a, "completed", "failed");
    g_assert_cmpint(a->m->state, ==, RUN_POSTMIGRATE);
    ASSERT_OK(migration_may_run(a->mig, &failure)); /* a copy: the guest may continue */
    listen_on(b, uri);
    wait_status(b, "completed", "failed");
    g_assert_cmpstr(b->mig->error, ==, NULL);
    g_assert_cmpint(b->m->state, ==, RUN_PRELAUNCH);
    check_same(b);
    /* save, load, save: the same bytes */
    start(b, uri2);
    wait_status(b, "completed", "failed");
    ASSERT_OK(g_file_get_contents(path, &one, &n1, &failure));
    ASSERT_OK(g_file_get_contents(path2, &two, &n2, &failure));
    g_assert_cmpmem(one, n1, two, n2);
    box_free(a);
    box_free(b);
}

static void test_refused(void)
{
    static const char *const with_disk[] = { "widget,id=w0,drive=d0", "widget,id=w1,drive=d1",
                                             NULL };
    g_autofree char *path = temp_path("r"), *uri = g_strdup_printf("unix:%s", path);
    Box *a = box_new(with_disk), *b = box_empty();

    machine_set_state(a->m, RUN_RUNNING);
    listen_on(b, uri);
    start(a, uri);
    wait_status(a, "completed", "failed");
    g_assert_cmpstr(migration_status(a->mig), ==, "failed");
    g_assert_nonnull(strstr(a->mig->error, "w0 drive: required a block with the id 'd0'"));
    g_assert_cmpuint(json_object_array_length(a->mig->deficits), ==, 2);
    g_assert_cmpint(a->m->state, ==, RUN_RUNNING);
    g_assert_cmpuint(a->mig->stats.ram.passes, ==, 0); /* no RAM was sent */
    wait_status(b, "failed", "");
    g_assert_nonnull(strstr(b->mig->error, "d1"));
    g_assert_null(b->plan);
    g_assert_cmpint(b->m->state, ==, RUN_INMIGRATE);
    /* and the target accepts the next one */
    box_free(a);
    a = box_new(devices);
    dirty(a);
    start(a, uri);
    wait_status(a, "completed", "failed");
    g_assert_cmpstr(a->mig->error, ==, NULL);
    check_same(b);
    box_free(a);
    box_free(b);
}

static void test_unmigratable(void)
{
    static const char *const stuck[] = { "stuck,id=s0", "widget,id=w0", "stuck,id=s1", NULL };
    g_autoptr(GError) err = NULL;
    Box *a = box_new(stuck);

    g_assert_false(migration_start(a->mig, "file:/nowhere/x", &err));
    g_assert_nonnull(strstr(err->message, "s0 (stuck): unmigratable"));
    g_assert_nonnull(strstr(err->message, "s1"));
    g_assert_cmpstr(migration_status(a->mig), ==, "none");
    struct json_object *o = migration_query(a->mig);
    struct json_object *list = json_object_object_get(o, "blocked-reasons");

    g_assert_cmpuint(json_object_array_length(list), ==, 2);
    g_assert_cmpstr(json_object_get_string(json_object_array_get_idx(list, 0)), ==,
                    "s0 (stuck): unmigratable: it is stuck");
    json_object_put(o);
    box_free(a);
}

static void test_cancel(void)
{
    g_autofree char *path = temp_path("c"), *uri = g_strdup_printf("unix:%s", path);
    Box *a = box_new(devices), *b = box_empty();

    events(a);
    machine_set_state(a->m, RUN_RUNNING);
    listen_on(b, uri);
    for (unsigned i = 0; i < 12; i++) {
        start(a, uri);
        main_loop_turns(i);
        if (!migration_cancel(a->mig, NULL)) {
            break; /* the guest had been handed over by then */
        }
        wait_status(a, "cancelled", "completed");
        if (g_str_equal(migration_status(a->mig), "completed")) {
            break;
        }
        g_assert_cmpint(a->m->state, ==, RUN_RUNNING);
        g_assert_cmpuint(a->m->migrating, ==, 0);
        main_loop_turns(20); /* the target notices */
        g_assert_cmpint(b->m->state, ==, RUN_INMIGRATE);
    }
    box_free(a);
    box_free(b);
}

static void test_pause_before_switchover(void)
{
    g_autofree char *path = temp_path("p"), *uri = g_strdup_printf("unix:%s", path);
    g_autoptr(GError) err = NULL;
    Box *a = box_new(devices), *b = box_empty();

    events(a);
    migration_set_capability(a->mig, "pause-before-switchover", true, NULL);
    dirty(a);
    machine_set_state(a->m, RUN_RUNNING);
    listen_on(b, uri);
    start(a, uri);
    wait_status(a, "pre-switchover", "failed");
    g_assert_cmpint(a->m->state, ==, RUN_FINISH_MIGRATE);
    g_assert_false(migration_continue(a->mig, "device", &err));
    ASSERT_OK(migration_continue(a->mig, "pre-switchover", &failure));
    wait_status(a, "completed", "failed");
    g_assert_cmpstr(a->events->str, ==,
                    "RESUME setup active MIGRATION_PASS STOP pre-switchover device completed ");
    check_same(b);
    box_free(a);
    box_free(b);
}

/* A target that cannot lock the disks after the hand-over returns the guest. */
static void test_handed_back(void)
{
    g_autofree char *path = temp_path("h"), *uri = g_strdup_printf("unix:%s", path);
    Box *a = box_new(devices), *b = box_empty();

    machine_set_state(a->m, RUN_RUNNING);
    b->refuse_take = true;
    listen_on(b, uri);
    start(a, uri);
    wait_status(a, "completed", "failed");
    g_assert_nonnull(strstr(a->mig->error, "the disk is locked"));
    g_assert_cmpint(a->m->state, ==, RUN_RUNNING);
    g_assert_cmpuint(a->takes, ==, 1);
    ASSERT_OK(migration_may_run(a->mig, &failure));
    wait_status(b, "failed", "");
    g_assert_cmpint(b->m->state, ==, RUN_INMIGRATE);
    box_free(a);
    box_free(b);
}

/* --- a proxy that cuts the connection --- */

typedef struct Cut {
    int near, far;
    size_t to_target, to_source; /* number of bytes forwarded before the connection is cut */
} Cut;

/* Forward available bytes. Returns false when the connection must be cut. */
static bool relay(int from, int to, size_t *left)
{
    uint8_t buf[65536];
    ssize_t n = recv(from, buf, MIN(sizeof(buf), *left), MSG_DONTWAIT);

    if (n > 0) {
        g_assert_cmpint(send(to, buf, n, MSG_NOSIGNAL), ==, n);
        *left -= n;
    }
    return *left > 0;
}

/* A migration over two socket pairs with a relay between them. Returns the source's status. */
static const char *cut_migration(Box *a, Box *b, Cut *c)
{
    g_autofree char *out = NULL;
    int s[2], t[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, s), ==, 0);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, t), ==, 0);
    out = g_strdup_printf("fd:%d", s[0]);
    g_autofree char *in = g_strdup_printf("fd:%d", t[0]);
    listen_on(b, in);
    start(a, out);
    WAIT_UNTIL (!a->mig->out, 20) {
        g_main_context_iteration(NULL, FALSE);
        if (!relay(s[1], t[1], &c->to_target) || !relay(t[1], s[1], &c->to_source)) {
            break;
        }
    }
    close(s[1]);
    close(t[1]);
    WAIT_MAIN(!a->mig->out, 20);
    main_loop_turns(20);
    return migration_status(a->mig);
}

static void check_one_owner(Box *a, Box *b)
{
    const char *status = migration_status(a->mig);
    bool target_runs = b->m->state == RUN_RUNNING, source_runs = a->m->state == RUN_RUNNING;

    g_assert_false(target_runs && source_runs);
    if (g_str_equal(status, "failed")) {
        g_assert_true(source_runs && b->m->state == RUN_INMIGRATE);
    } else if (g_str_equal(status, "undecided")) {
        g_assert_false(source_runs);
        g_assert_false(migration_may_run(a->mig, NULL));
    } else {
        g_assert_true(target_runs);
    }
}

static void test_cut(void)
{
    unsigned undecided = 0, failed = 0, completed = 0;

    for (size_t step = 0; step < 400; step++) {
        Box *a = box_new(devices), *b = box_empty();
        /* a few complete streams first, to determine the length; then cuts around its parts */
        Cut c = { 0, 0, step < 390 ? 1 + step * 41 : SIZE_MAX / 2, SIZE_MAX / 2 };
        const char *status;

        if (step >= 200 && step < 390) {
            c.to_target = SIZE_MAX / 2;
            c.to_source = 1 + (step - 200) % 60;
        }
        dirty(a);
        machine_set_state(a->m, RUN_RUNNING);
        status = cut_migration(a, b, &c);
        check_one_owner(a, b);
        undecided += g_str_equal(status, "undecided");
        failed += g_str_equal(status, "failed");
        completed += g_str_equal(status, "completed");
        box_free(a);
        box_free(b);
    }
    g_test_message("cut: %u failed, %u undecided, %u completed", failed, undecided, completed);
    g_assert_cmpuint(undecided, >, 0);
    g_assert_cmpuint(failed, >, 100);
    g_assert_cmpuint(completed, >=, 10);
}

/* --- the hand-over record --- */

static void set_folder(Box *b, const char *folder)
{
    struct json_object *o = json_object_new_object();
    g_autoptr(GError) err = NULL;

    json_object_object_add(o, "handover-folder", json_object_new_string(folder));
    migration_set_parameters(b->mig, o, &err);
    g_assert_no_error(err);
    json_object_put(o);
}

static unsigned files_in(const char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    unsigned n = 0;

    while (g_dir_read_name(dir)) {
        n++;
    }
    g_dir_close(dir);
    return n;
}

/* With a record the migration is never undecided, for a cut at any position. */
static void test_cut_with_record(void)
{
    g_autofree char *folder = g_dir_make_tmp("backplane-record-XXXXXX", NULL);
    /* ACCEPT, SYNC and DIGEST; a cut after them is a cut after GO */
    const size_t answers = 4 + 4 + 4 + DIGEST_BYTES;
    unsigned failed = 0, completed = 0;

    for (size_t step = 0; step < 60; step++) {
        Box *a = box_new(devices), *b = box_empty();
        Cut c = { 0, 0, SIZE_MAX / 2, SIZE_MAX / 2 };
        const char *status;

        if (step % 2) {
            c.to_source = answers - 10 + step / 2;
        } else {
            c.to_target = 100 + step * 400;
        }
        set_folder(a, folder);
        set_folder(b, folder);
        machine_set_state(a->m, RUN_RUNNING);
        status = cut_migration(a, b, &c);
        g_assert_cmpstr(status, !=, "undecided");
        check_one_owner(a, b);
        failed += g_str_equal(status, "failed");
        completed += g_str_equal(status, "completed");
        g_assert_cmpuint(files_in(folder), ==, 0);
        g_assert_cmpstr(migration_status(a->mig), ==,
                        b->m->state == RUN_RUNNING ? "completed" : "failed");
        box_free(a);
        box_free(b);
    }
    g_assert_cmpuint(failed, >, 10);
    g_assert_cmpuint(completed, >, 4);
    rmdir(folder);
}

/* GO is delayed in the network until the source has taken its guest back. */
static void test_late_go(void)
{
    g_autofree char *folder = g_dir_make_tmp("backplane-record-XXXXXX", NULL);
    g_autofree char *out = NULL, *in = NULL;
    Box *a = box_new(devices), *b = box_empty();
    size_t all = SIZE_MAX / 2;
    int s[2], t[2];

    set_folder(a, folder);
    set_folder(b, folder);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, s), ==, 0);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, t), ==, 0);
    out = g_strdup_printf("fd:%d", s[0]);
    in = g_strdup_printf("fd:%d", t[0]);
    machine_set_state(a->m, RUN_RUNNING);
    listen_on(b, in);
    start(a, out);
    while (!a->mig->given_away) {
        g_main_context_iteration(NULL, FALSE);
        relay(t[1], s[1], &all);
        if (!a->mig->given_away) {
            relay(s[1], t[1], &all);
        }
    }
    shutdown(s[1], SHUT_WR); /* the source is notified that the channel ended; GO is still in
                              * transit */
    while (a->mig->out) {
        g_main_context_iteration(NULL, FALSE);
    }
    g_assert_cmpstr(migration_status(a->mig), ==, "failed");
    g_assert_cmpint(a->m->state, ==, RUN_RUNNING);
    relay(s[1], t[1], &all);
    wait_status(b, "failed", "completed");
    g_assert_cmpstr(migration_status(b->mig), ==, "failed");
    g_assert_cmpint(b->m->state, ==, RUN_INMIGRATE);
    g_assert_cmpuint(files_in(folder), ==, 0);
    close(s[1]);
    close(t[1]);
    box_free(a);
    box_free(b);
    rmdir(folder);
}

/* A target without the directory, or with another, reports this before RAM is sent. */
static void test_folder_missing(void)
{
    g_autofree char *folder = g_dir_make_tmp("backplane-record-XXXXXX", NULL);
    g_autofree char *other = g_dir_make_tmp("backplane-record-XXXXXX", NULL);
    g_autofree char *path = temp_path("m"), *uri = g_strdup_printf("unix:%s", path);
    Box *a = box_new(devices), *b = box_empty();

    set_folder(a, folder);
    machine_set_state(a->m, RUN_RUNNING);
    listen_on(b, uri);
    for (int i = 0; i < 2; i++) {
        start(a, uri);
        wait_status(a, "completed", "failed");
        g_assert_nonnull(strstr(a->mig->error, "handover-folder: required the folder"));
        g_assert_nonnull(strstr(a->mig->error, i ? other : "available none"));
        g_assert_cmpuint(a->mig->stats.ram.passes, ==, 0);
        g_assert_cmpuint(files_in(folder), ==, 0);
        wait_status(b, "failed", "");
        set_folder(b, other);
    }
    set_folder(b, folder);
    start(a, uri);
    wait_status(a, "completed", "failed");
    g_assert_cmpstr(a->mig->error, ==, NULL);
    g_assert_cmpint(b->m->state, ==, RUN_RUNNING);
    g_assert_cmpuint(files_in(folder), ==, 0);
    box_free(a);
    box_free(b);
    rmdir(folder);
    rmdir(other);
}

static void test_undecided(void)
{
    Box *a = box_new(devices), *b = box_empty();
    /* ACCEPT, SYNC, DIGEST, and RUNS except for one byte */
    Cut c = { 0, 0, SIZE_MAX / 2, 4 + 4 + 4 + DIGEST_BYTES + 3 };
    struct json_object *o;

    machine_set_state(a->m, RUN_RUNNING);
    g_assert_cmpstr(cut_migration(a, b, &c), ==, "undecided");
    g_assert_cmpint(b->m->state, ==, RUN_RUNNING);
    g_assert_cmpint(a->m->state, ==, RUN_POSTMIGRATE);
    o = migration_query(a->mig);
    g_assert_true(json_object_object_get_ex(o, "resolve", NULL));
    json_object_put(o);
    ASSERT_OK(migration_resolve(a->mig, false, false, &failure));
    g_assert_cmpstr(migration_status(a->mig), ==, "completed");
    g_assert_false(migration_may_run(a->mig, NULL));
    box_free(a);
    box_free(b);
}

static void test_entry_errors(void)
{
    Box *a = box_new(devices), *b = box_empty();
    g_autoptr(GError) err = NULL;

    g_assert_false(migration_start(a->mig, "smoke:signals", &err));
    g_assert_nonnull(strstr(err->message, "tcp:HOST:PORT"));
    g_clear_error(&err);
    g_assert_false(migration_start(b->mig, "file:/tmp/x", &err));
    g_assert_nonnull(strstr(err->message, "no guest"));
    g_clear_error(&err);
    g_assert_false(migration_incoming(a->mig, "tcp:127.0.0.1:0", true, &err));
    g_assert_nonnull(strstr(err->message, "-incoming"));
    g_clear_error(&err);
    g_assert_false(migration_resolve(a->mig, true, false, &err));
    g_clear_error(&err);
    ASSERT_OK(migration_incoming(b->mig, "defer", false, &failure));
    ASSERT_OK(migration_incoming(b->mig, "tcp:127.0.0.1:0", true, &failure));
    g_assert_false(migration_incoming(b->mig, "tcp:127.0.0.1:0", true, &err));
    g_assert_nonnull(strstr(err->message, "already been started"));
    g_clear_error(&err);
    g_assert_false(migration_start(b->mig, "file:/tmp/x", &err));
    ASSERT_OK(migration_cancel(a->mig, &failure));
    box_free(a);
    box_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/migration/migrate/socket", test_socket);
    g_test_add_func("/migration/migrate/file", test_file);
    g_test_add_func("/migration/migrate/refused", test_refused);
    g_test_add_func("/migration/migrate/unmigratable", test_unmigratable);
    g_test_add_func("/migration/migrate/cancel", test_cancel);
    g_test_add_func("/migration/migrate/pause-before-switchover", test_pause_before_switchover);
    g_test_add_func("/migration/migrate/handed-back", test_handed_back);
    g_test_add_func("/migration/migrate/cut", test_cut);
    g_test_add_func("/migration/migrate/cut-with-record", test_cut_with_record);
    g_test_add_func("/migration/migrate/late-go", test_late_go);
    g_test_add_func("/migration/migrate/folder-missing", test_folder_missing);
    g_test_add_func("/migration/migrate/undecided", test_undecided);
    g_test_add_func("/migration/migrate/entry-errors", test_entry_errors);
    return g_test_run();
}
