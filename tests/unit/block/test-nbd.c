/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disks on NBD servers: data, properties of exports, errors, servers that end and return, and
 * servers that do not follow the protocol (fake-nbd.h). The other servers are nbdkit; without it
 * these tests are skipped.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "block-fixture.h"
#include "fake-nbd.h"
#include "tests/lib/wait.h"

enum { LARGE = 5 << 20 };

/* --- a server --- */

static char *socket_path(const Fixture *f)
{
    return g_strdup_printf("%s.sock", f->path);
}

/* nbdkit creates the socket before it listens, and this file afterwards. */
static char *ready_path(const Fixture *f)
{
    return g_strdup_printf("%s.pid", f->path);
}

static bool have_nbdkit(void)
{
    g_autofree char *path = g_find_program_in_path("nbdkit");

    if (!path) {
        g_test_skip("nbdkit is not installed (scripts/install-deps installs it)");
    }
    return path != NULL;
}

/* Start nbdkit with arguments separated by spaces; %s is the image. */
static GPid server_spawn(const Fixture *f, const char *args)
{
    g_autofree char *path = socket_path(f), *ready = ready_path(f);
    g_auto(GStrv) parts = g_strsplit(args, "%s", -1);
    g_autofree char *all = g_strjoinv(f->path, parts);
    g_autofree char *line =
        g_strdup_printf("nbdkit --exit-with-parent -f -U %s -P %s %s", path, ready, all);
    g_auto(GStrv) argv = g_strsplit(line, " ", -1);
    GPid pid;

    g_unlink(path);
    g_unlink(ready);
    g_assert_true(g_spawn_async(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD,
                                NULL, NULL, &pid, NULL));
    return pid;
}

static GPid server_start(const Fixture *f, const char *args)
{
    g_autofree char *ready = ready_path(f);
    GPid pid = server_spawn(f, args);

    WAIT_UNTIL (g_file_test(ready, G_FILE_TEST_EXISTS), 30) {
        g_assert_cmpint(waitpid(pid, NULL, WNOHANG), ==, 0);
    }
    return pid;
}

static void server_stop(const Fixture *f, GPid pid)
{
    g_autofree char *path = socket_path(f), *ready = ready_path(f);

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    g_unlink(path);
    g_unlink(ready);
}

/* A node of the server; more: further options, each preceded by a comma. */
static BlockNode *remote(Fixture *f, const char *more, GError **err)
{
    g_autofree char *line = g_strdup_printf("{'driver':'nbd','node-name':'n','discard':'unmap',"
                                            "'server':{'type':'unix','path':'%%s.sock'}%s}",
                                            more);

    return node(f, line, false, err);
}

static void remote_refused(Fixture *f, const char *more, const char *words)
{
    g_autoptr(GError) err = NULL;

    g_assert_null(remote(f, more, &err));
    g_assert_nonnull(strstr(err->message, words));
}

static void remote_close(Fixture *f)
{
    g_assert_true(block_node_del(f->m, "n", NULL));
}

static void fill(uint8_t *data, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++) {
        data[i] = (uint8_t)(seed + i * 7 + (i >> 9));
    }
}

/* --- data --- */

/* Write, read, discard and clear with the features of a server. */
static void check_data(Fixture *f, const char *server)
{
    g_autofree uint8_t *data = g_malloc(LARGE), *back = g_malloc0(LARGE), *zero = g_malloc0(LARGE);
    GPid pid = server_start(f, server);
    BlockNode *n = remote(f, "", NULL);
    struct iovec iov = { data, 4096 };
    BlockRequest fua = {
        .op = BLOCK_WRITE, .offset = 512, .len = 4096, .iov = &iov, .n_iov = 1, .fua = true
    };

    g_assert_nonnull(n);
    g_assert_cmpuint(block_size(n), ==, 16 << 20);
    fill(data, LARGE, 1);
    g_assert_cmpint(io(f, n, BLOCK_WRITE, 512, data, LARGE), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_FLUSH, 0, NULL, 0), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_READ, 512, back, LARGE), ==, 0);
    g_assert_cmpmem(data, LARGE, back, LARGE);
    g_assert_cmpint(io(f, n, BLOCK_WRITE_ZEROES, 1024, NULL, LARGE - 512), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_READ, 1024, back, LARGE - 512), ==, 0);
    g_assert_cmpmem(zero, LARGE - 512, back, LARGE - 512);
    g_assert_cmpint(io(f, n, BLOCK_READ, 512, back, 512), ==, 0);
    g_assert_cmpmem(data, 512, back, 512);
    g_assert_cmpint(submit(f, n, &fua), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_DISCARD, 0, NULL, 16 << 20), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_READ, 16 << 20, back, 512), ==, -EIO);
    remote_close(f);
    server_stop(f, pid);
}

static void test_data(Fixture *f, gconstpointer data)
{
    if (have_nbdkit()) {
        check_data(f, "memory 16M");
        check_data(f, "--filter=nozero --filter=fua memory 16M");
        check_data(f, "--filter=blocksize-policy memory 16M blocksize-maximum=65536 "
                      "blocksize-preferred=65536 blocksize-error-policy=error");
    }
}

/* More requests than the client has in flight, in any order. */
static void test_many(Fixture *f, gconstpointer unused)
{
    enum { COUNT = 200 };
    static uint8_t data[COUNT * 512], back[COUNT * 512];
    static BlockRequest reqs[COUNT];
    static struct iovec iov[COUNT];
    BlockNode *n;
    GPid pid;

    if (!have_nbdkit()) {
        return;
    }
    pid = server_start(f, "file %s");
    n = remote(f, "", NULL);
    fill(data, sizeof(data), 3);
    submit_sectors(f, n, BLOCK_WRITE, BLOCK_WRITE, 0, data, COUNT, reqs, iov);
    WAIT_MAIN(f->done == COUNT, 30);
    submit_sectors(f, n, BLOCK_READ, BLOCK_READ, 0, back, COUNT, reqs, iov);
    WAIT_MAIN(f->done == COUNT, 30);
    g_assert_cmpmem(data, sizeof(data), back, sizeof(back));
    remote_close(f);
    server_stop(f, pid);
}

/* The last sector of an export is incomplete. */
static void test_tail(Fixture *f, gconstpointer unused)
{
    uint8_t data[1024];
    BlockNode *n;
    GPid pid;

    if (!have_nbdkit()) {
        return;
    }
    pid = server_start(f, "pattern 1000");
    n = remote(f, ",'read-only':true", NULL);
    g_assert_cmpuint(block_size(n), ==, 1024);
    memset(data, 0xff, sizeof(data));
    g_assert_cmpint(io(f, n, BLOCK_READ, 0, data, sizeof(data)), ==, 0);
    g_assert_cmpuint(data[991], ==, 0xd8); /* the pattern: big-endian offsets */
    for (unsigned i = 1000; i < sizeof(data); i++) {
        g_assert_cmpuint(data[i], ==, 0);
    }
    remote_close(f);
    server_stop(f, pid);
    pid = server_start(f, "memory 1000");
    n = remote(f, "", NULL);
    g_assert_cmpint(io(f, n, BLOCK_WRITE, 0, data, 512), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_WRITE, 512, data, 512), ==, -ENOSPC);
    g_assert_cmpint(io(f, n, BLOCK_DISCARD, 0, NULL, 1024), ==, 0);
    remote_close(f);
    server_stop(f, pid);
}

/* --- exports and options --- */

static void test_export(Fixture *f, gconstpointer unused)
{
    g_autoptr(GError) err = NULL;
    GPid pid;

    if (!have_nbdkit()) {
        return;
    }
    pid = server_start(f, "-r memory 1M");
    remote_refused(f, "", "is read-only: use read-only=on");
    g_assert_true(block_read_only(remote(f, ",'auto-read-only':true", NULL)));
    g_assert_false(block_resize(block_find(f->m, "n"), 4096, NULL));
    remote_close(f);
    server_stop(f, pid);
    pid = server_start(f, "--filter=blocksize-policy memory 1M blocksize-minimum=4096 "
                          "blocksize-preferred=4096 blocksize-maximum=65536");
    remote_refused(f, "", "blocks of 4096 bytes");
    server_stop(f, pid);
    pid = server_start(f, "--filter=exportname memory 1M exportname-strict=true exportname=disk");
    remote_refused(f, "", "cannot connect to 'nbd+unix:///?socket=");
    g_assert_nonnull(remote(f, ",'export':'disk'", NULL));
    g_assert_false(block_resize(block_find(f->m, "n"), 4096, &err));
    g_assert_nonnull(strstr(err->message, "its size is 1048576 bytes"));
    remote_close(f);
    server_stop(f, pid);
}

static void name_parsed(const char *text, const char *expected)
{
    struct json_object *o = block_filename_parse(text, NULL);

    g_assert_nonnull(o);
    g_assert_cmpstr(json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE), ==,
                    expected);
    json_object_put(o);
}

static void test_names(void)
{
    static const char *const bad[] = { "nbd:",
                                       "nbd:host",
                                       "nbd::10809",
                                       "nbd:unix:",
                                       "nbd://",
                                       "nbd:///export",
                                       "nbd+unix:///x",
                                       "nbd+unix://host/x?socket=/s",
                                       "nbd://host/x?socket=/s",
                                       "nbd://host:99999/x",
                                       "nbd://user@host/x",
                                       "nbd+unix:///x?socket=/s&other=1" };
#define NBD(server, more) "{\"driver\":\"nbd\",\"server\":{" server "}" more "}"
#define INET(host, port)  "\"type\":\"inet\",\"host\":\"" host "\",\"port\":\"" port "\""
#define UNIX(path)        "\"type\":\"unix\",\"path\":\"" path "\""

    name_parsed("nbd://host", NBD(INET("host", "10809"), ""));
    name_parsed("nbd://host:7/a%20b/c", NBD(INET("host", "7"), ",\"export\":\"a b/c\""));
    name_parsed("nbd+tcp://[::1]:7/", NBD(INET("::1", "7"), ""));
    name_parsed("nbd+unix:///x?socket=/run/a%26b", NBD(UNIX("/run/a&b"), ",\"export\":\"x\""));
    name_parsed("nbd:host:7", NBD(INET("host", "7"), ""));
    name_parsed("nbd:[::1]:7:exportname=x", NBD(INET("::1", "7"), ",\"export\":\"x\""));
    name_parsed("nbd:unix:/run/s:exportname=x", NBD(UNIX("/run/s"), ",\"export\":\"x\""));
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_null(block_filename_parse(bad[i], &err));
        g_assert_nonnull(strstr(err->message, "nbd+unix:///[EXPORT]?socket=PATH"));
    }
}

static void test_options(Fixture *f, gconstpointer unused)
{
    static const char *const servers[][2] = {
        { "'x'", "property 'server' is required" },
        { "{'type':'inet','host':'h'}", "server.host and server.port" },
        { "{'type':'unix'}", "requires server.path" },
        { "{'type':'unix','path':'p','host':'h'}", "'host' is unexpected" },
        { "{'type':'fd','str':'5'}", "server.type=fd: use one of inet, unix" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(servers); i++) {
        g_autofree char *line =
            g_strdup_printf("{'driver':'nbd','node-name':'n','server':%s}", servers[i][0]);
        g_autoptr(GError) err = NULL;

        g_assert_null(node(f, line, false, &err));
        g_assert_nonnull(strstr(err->message, servers[i][1]));
    }
    remote_refused(f, "", "No such file or directory");
    remote_refused(f, ",'reconnect-delay':-1", "reconnect-delay");
    remote_refused(f, ",'open-timeout':99999999", "open-timeout=99999999: use 0 to 1000000");
    f->m->dry_run = true; /* -show does not connect */
    g_assert_nonnull(remote(f, "", NULL));
    f->m->dry_run = false;
}

/* --- errors, and servers that end --- */

static void test_errors(Fixture *f, gconstpointer unused)
{
    uint8_t data[1024] = { 0 };
    BlockNode *n;
    GPid pid;

    if (!have_nbdkit()) {
        return;
    }
    pid = server_start(f, "--filter=error memory 1M error-pwrite-rate=100% error-pwrite=ENOSPC");
    n = remote(f, "", NULL);
    for (unsigned i = 0; i < 3; i++) { /* the connection remains */
        g_assert_cmpint(io(f, n, BLOCK_WRITE, 0, data, sizeof(data)), ==, -ENOSPC);
        g_assert_cmpint(io(f, n, BLOCK_READ, 0, data, sizeof(data)), ==, 0);
    }
    remote_close(f);
    server_stop(f, pid);
}

static int read_once(Fixture *f, BlockNode *n)
{
    uint8_t data[1024];

    return io(f, n, BLOCK_READ, 0, data, sizeof(data));
}

/* Without reconnect-delay, requests fail until the server is back. */
static void test_lost(Fixture *f, gconstpointer unused)
{
    static uint8_t data[8 * 512];
    static BlockRequest reqs[8];
    static struct iovec iov[8];
    BlockNode *n;
    GPid pid;

    if (!have_nbdkit()) {
        return;
    }
    pid = server_start(f, "--filter=delay file %s rdelay=600");
    n = remote(f, "", NULL);
    submit_sectors(f, n, BLOCK_READ, BLOCK_READ, 0, data, 8, reqs, iov);
    g_main_context_iteration(NULL, FALSE);
    g_assert_cmpuint(f->done, ==, 0); /* the main loop does not wait */
    server_stop(f, pid);
    WAIT_MAIN(f->done == 8, 30);
    g_assert_cmpint(f->result, ==, -EIO);
    g_assert_cmpint(read_once(f, n), ==, -EIO);
    pid = server_start(f, "file %s");
    WAIT_UNTIL (read_once(f, n) == 0, 60) {
    }
    remote_close(f);
    server_stop(f, pid);
}

/* With reconnect-delay, requests wait, also those that were in flight. */
static void test_reconnect(Fixture *f, gconstpointer unused)
{
    static uint8_t data[40 * 512];
    static BlockRequest reqs[40];
    static struct iovec iov[40];
    uint8_t back[sizeof(data)];
    BlockNode *n;
    GPid pid;

    if (!have_nbdkit()) {
        return;
    }
    pid = server_start(f, "--filter=delay file %s wdelay=600");
    n = remote(f, ",'reconnect-delay':600", NULL);
    fill(data, sizeof(data), 9);
    submit_sectors(f, n, BLOCK_WRITE, BLOCK_WRITE, 0, data, 40, reqs, iov);
    g_main_context_iteration(NULL, FALSE);
    server_stop(f, pid);
    pid = server_start(f, "file %s");
    WAIT_MAIN(f->done == 40, 60);
    g_assert_cmpint(f->result, ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_READ, 0, back, sizeof(back)), ==, 0);
    g_assert_cmpmem(data, sizeof(data), back, sizeof(back));
    server_stop(f, pid);
    /* another export under the same name is not accepted */
    pid = server_start(f, "memory 2M");
    f->done = 0;
    submit_sectors(f, n, BLOCK_READ, BLOCK_READ, 0, data, 1, reqs, iov);
    block_drain(n); /* a drain does not wait for reconnect-delay */
    g_assert_cmpuint(f->done, ==, 1);
    g_assert_cmpint(f->result, ==, -EIO);
    remote_close(f);
    server_stop(f, pid);
}

static void test_open_timeout(Fixture *f, gconstpointer unused)
{
    GPid pid;

    if (!have_nbdkit()) {
        return;
    }
    pid = server_spawn(f, "memory 1M"); /* it may not listen yet */
    g_assert_nonnull(remote(f, ",'open-timeout':60", NULL));
    remote_close(f);
    server_stop(f, pid);
}

/* An inactive node has the size of the export. Activation opens the export again. */
static void test_hand_over(Fixture *f, gconstpointer unused)
{
    g_autoptr(GError) err = NULL;
    BlockNode *n;
    GPid pid;

    if (!have_nbdkit()) {
        return;
    }
    pid = server_start(f, "file %s");
    n = node(f,
             "{'driver':'nbd','node-name':'n',"
             "'server':{'type':'unix','path':'%s.sock'}}",
             true, NULL);
    g_assert_cmpuint(block_size(n), ==, SIZE);
    g_assert_true(block_activate_all(f->m, NULL));
    g_assert_cmpint(read_once(f, n), ==, 0);
    g_assert_true(block_inactivate_all(f->m, NULL));
    server_stop(f, pid);
    g_assert_false(block_activate_all(f->m, &err));
    g_assert_nonnull(strstr(err->message, "block node 'n': cannot connect to"));
    pid = server_start(f, "file %s");
    g_assert_true(block_activate_all(f->m, NULL));
    g_assert_cmpint(read_once(f, n), ==, 0);
    server_stop(f, pid);
    g_assert_false(block_inactivate_all(f->m, NULL)); /* data may be lost */
    remote_close(f);
}

/* --- qcow2 above a node --- */

static void test_qcow2(Fixture *f, gconstpointer unused)
{
    g_autofree char *create = g_strdup_printf("qemu-img create -q -f qcow2 %s 64M", f->path);
    g_autofree uint8_t *data = g_malloc(1 << 20), *back = g_malloc0(1 << 20);
    g_autofree char *tool = g_find_program_in_path("qemu-img");
    BlockNode *n;
    int status;
    GPid pid;

    if (!have_nbdkit() || !tool) {
        g_test_skip("nbdkit or qemu-img is not installed");
        return;
    }
    g_assert_true(g_spawn_command_line_sync(create, NULL, NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpint(truncate(f->path, 32 << 20), ==, 0); /* a server does not extend an export */
    pid = server_start(f, "file %s");
    n = node(f,
             "{'driver':'qcow2','node-name':'n','file':{'driver':'nbd',"
             "'server':{'type':'unix','path':'%s.sock'}}}",
             false, NULL);
    g_assert_cmpuint(block_size(n), ==, 64 << 20);
    fill(data, 1 << 20, 5);
    g_assert_cmpint(io(f, n, BLOCK_WRITE, 33 << 20, data, 1 << 20), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_FLUSH, 0, NULL, 0), ==, 0);
    g_assert_cmpint(io(f, n, BLOCK_READ, 33 << 20, back, 1 << 20), ==, 0);
    g_assert_cmpmem(data, 1 << 20, back, 1 << 20);
    remote_close(f);
    server_stop(f, pid);
    n = node(f, "{'driver':'qcow2','node-name':'n','file':{'driver':'file','filename':'%s'}}",
             false, NULL);
    g_assert_cmpint(io(f, n, BLOCK_READ, 33 << 20, back, 1 << 20), ==, 0);
    g_assert_cmpmem(data, 1 << 20, back, 1 << 20);
    remote_close(f);
}

/* --- servers that do not follow the protocol --- */

static void test_hostile(Fixture *f, gconstpointer unused)
{
    g_autofree char *path = socket_path(f);
    static const char *const fake_words[] = { "disconnected", "NBD magic", "option reply length",
                                              "no usable size" };
    FakeNbd *fake;

    for (unsigned i = 0; i < G_N_ELEMENTS(fake_bad_greetings); i++) {
        fake = fake_nbd_start(path, fake_bad_greetings[i]);
        remote_refused(f, "", fake_words[i]);
        fake_nbd_stop(fake);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(fake_bad_answers); i++) {
        g_autoptr(GError) err = NULL;
        BlockNode *n;

        fake = fake_nbd_start(path, fake_bad_answers[i]);
        n = remote(f, "", &err);
        g_assert_no_error(err);
        g_assert_cmpint(read_once(f, n), ==, -EIO);
        remote_close(f);
        fake_nbd_stop(fake);
    }
}

/* A server that does not answer: opening, a drain and the main loop wait for a limited time. */
static void test_silent(Fixture *f, gconstpointer unused)
{
    g_autofree char *path = socket_path(f);
    FakeNbd *fake = fake_nbd_start(path, FAKE_SILENT_GREETING);
    BlockNode *n;

    remote_refused(f, "", "no answer within 10 s");
    fake_nbd_stop(fake);
    fake = fake_nbd_start(path, FAKE_SILENT_ANSWER);
    n = remote(f, ",'reconnect-delay':600", NULL);
    g_assert_cmpint(read_once(f, n), ==, -EIO);
    remote_close(f);
    fake_nbd_stop(fake);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
#define TEST(name) g_test_add("/block/nbd/" #name, Fixture, NULL, setup, test_##name, teardown)
    TEST(data);
    TEST(many);
    TEST(tail);
    TEST(export);
    g_test_add_func("/block/nbd/names", test_names);
    TEST(options);
    TEST(errors);
    TEST(lost);
    TEST(reconnect);
    TEST(open_timeout);
    TEST(hand_over);
    TEST(qcow2);
    TEST(hostile);
    TEST(silent);
    return g_test_run();
}
