/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Channels of every type: data arrives as sent, files are complete or absent, failures of commands
 * are reported, and addresses are parsed.
 */
#include "fixture.h"

#include <glib/gstdio.h>
#include <fcntl.h>
#include <signal.h>

#include "migration/channel_address_internal.h"
#include "tests/lib/ok.h"
#include "tests/lib/wait.h"

static Channel *accepted;

static void on_accept(void *opaque, Channel *c)
{
    accepted = c;
}

static void nothing(void *opaque)
{
}

static void read_all(Channel *c, const char *want)
{
    char buf[64] = { 0 };
    size_t n = 0;
    bool eof = false;

    while (n < strlen(want)) {
        ssize_t got = channel_read(c, buf + n, sizeof(buf) - n, &eof, NULL);

        g_assert_cmpint(got, >=, 0);
        g_assert_false(eof);
        n += got;
    }
    g_assert_cmpstr(buf, ==, want);
}

static void over_server(const char *uri)
{
    g_autoptr(GError) err = NULL;
    ChannelServer *s = channel_serve(uri, on_accept, NULL, &err);
    Channel *c;
    bool eof;
    char byte;

    g_assert_no_error(err);
    c = channel_open_out(channel_server_address(s), NULL, &err);
    g_assert_no_error(err);
    g_assert_true(channel_two_way(c) && !channel_is_file(c));
    channel_watch(c, false, true, nothing, NULL);
    accepted = NULL;
    WAIT_MAIN(accepted && channel_connected(c, &err) != 0, 20);
    g_assert_no_error(err);
    g_assert_cmpint(channel_write(c, "hello", 5, NULL), ==, 5);
    read_all(accepted, "hello");
    g_assert_cmpint(channel_write(accepted, "answer", 6, NULL), ==, 6);
    read_all(c, "answer");
    g_assert_cmpint(channel_read(c, &byte, 1, &eof, NULL), ==, 0);
    g_assert_false(eof);
    channel_free(accepted);
    while (channel_read(c, &byte, 1, &eof, NULL) == 0 && !eof) {
    }
    g_assert_true(eof);
    channel_free(c);
    channel_server_free(s);
}

static void test_sockets(void)
{
    g_autofree char *path = temp_path("sock"), *uri = g_strdup_printf("unix:%s", path);

    over_server("tcp:127.0.0.1:0");
    over_server(uri);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void test_nobody_there(void)
{
    g_autoptr(GError) err = NULL;
    Channel *c = channel_open_out("tcp:127.0.0.1:1", NULL, &err);
    int connected = 0;

    while (c && (connected = channel_connected(c, &err)) == 0) {
    }
    g_assert_true(!c || connected < 0);
    g_assert_nonnull(strstr(err->message, "127.0.0.1:1"));
    channel_free(c);
}

static void test_file(void)
{
    g_autofree char *path = temp_path("file"), *uri = g_strdup_printf("file:%s", path);
    g_autofree char *part = g_strdup_printf("%s.part", path);
    Channel *c = channel_open_out(uri, NULL, NULL);

    g_assert_true(channel_is_file(c) && !channel_two_way(c));
    g_assert_cmpint(channel_write(c, "half", 4, NULL), ==, 4);
    channel_free(c); /* an abandoned file is removed */
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    g_assert_false(g_file_test(part, G_FILE_TEST_EXISTS));
    c = channel_open_out(uri, NULL, NULL);
    channel_write(c, "whole", 5, NULL);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    g_assert_cmpint(channel_finish(c, NULL), ==, 1);
    channel_free(c);
    g_assert_false(g_file_test(part, G_FILE_TEST_EXISTS));
    c = channel_open_in(uri, NULL, NULL);
    read_all(c, "whole");
    channel_free(c);
}

/* An existing special file is written to, not replaced. */
static void test_specials(void)
{
    g_autofree char *path = temp_path("fifo"), *uri = g_strdup_printf("file:%s", path);
    g_autofree char *link = temp_path("link"), *to = temp_path("to");
    g_autofree char *link_uri = g_strdup_printf("file:%s", link);
    char buf[8] = "";
    Channel *c;
    struct stat st;
    int fd;

    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    g_assert_null(channel_open_out(uri, NULL, NULL)); /* and does not wait for a reader */
    fd = open(path, O_RDONLY | O_NONBLOCK);
    c = channel_open_out(uri, NULL, NULL);
    g_assert_cmpint(channel_write(c, "pipe", 4, NULL), ==, 4);
    g_assert_cmpint(channel_finish(c, NULL), ==, 1);
    channel_free(c);
    g_assert_cmpint(read(fd, buf, sizeof(buf)), ==, 4);
    close(fd);
    g_assert_cmpint(lstat(path, &st), ==, 0);
    g_assert_true(S_ISFIFO(st.st_mode));
    c = channel_open_out("file:/dev/null", NULL, NULL);
    g_assert_cmpint(channel_write(c, "gone", 4, NULL), ==, 4);
    g_assert_cmpint(channel_finish(c, NULL), ==, 1);
    channel_free(c);
    g_assert_cmpint(lstat("/dev/null", &st), ==, 0);
    g_assert_true(S_ISCHR(st.st_mode));
    ASSERT_OK(g_file_set_contents(to, "old", -1, &failure));
    g_assert_cmpint(symlink(to, link), ==, 0);
    c = channel_open_out(link_uri, NULL, NULL);
    g_assert_cmpint(channel_write(c, "new", 3, NULL), ==, 3);
    g_assert_cmpint(channel_finish(c, NULL), ==, 1);
    channel_free(c);
    g_assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
    c = channel_open_in(link_uri, NULL, NULL);
    read_all(c, "new");
    channel_free(c);
    g_unlink(link);
    g_unlink(to);
    g_unlink(path);
}

/* Only the owner can access the socket on which the target listens. */
static void test_mode(void)
{
    g_autofree char *path = temp_path("mode"), *uri = g_strdup_printf("unix:%s", path);
    ChannelServer *s = channel_serve(uri, on_accept, NULL, NULL);
    struct stat st;

    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0600);
    channel_server_free(s);
}

/* No space on the disk: the old file is unchanged, the new one is absent. */
static void test_full_disk(void)
{
    g_autoptr(GError) err = NULL;
    int fd = open("/dev/full", O_WRONLY);
    g_autofree char *uri = g_strdup_printf("fd:%d", fd);
    Channel *c = channel_open_out(uri, NULL, NULL);

    g_assert_cmpint(channel_write(c, "x", 1, &err), ==, -1);
    g_assert_nonnull(strstr(err->message, "writing failed"));
    channel_free(c);
}

static int wait_finish(Channel *c, GError **err)
{
    int done;

    WAIT_UNTIL ((done = channel_finish(c, err)) != 0, 20) {
    }
    return done;
}

static void test_exec(void)
{
    g_autofree char *path = temp_path("exec"), *uri = g_strdup_printf("exec:cat > %s", path);
    g_autofree char *back = g_strdup_printf("exec:cat %s", path), *text = NULL;
    g_autoptr(GError) err = NULL;
    Channel *c = channel_open_out(uri, NULL, NULL);

    channel_write(c, "piped", 5, NULL);
    g_assert_cmpint(wait_finish(c, NULL), ==, 1);
    channel_free(c);
    ASSERT_OK(g_file_get_contents(path, &text, NULL, &failure));
    g_assert_cmpstr(text, ==, "piped");
    c = channel_open_in(back, NULL, NULL);
    read_all(c, "piped");
    channel_free(c);
    c = channel_open_out("exec:exit 3", NULL, NULL);
    g_assert_cmpint(wait_finish(c, &err), ==, -1);
    g_assert_nonnull(strstr(err->message, "the command failed"));
    channel_free(c);
}

static int take_fd(void *opaque, const char *name, bool write)
{
    return g_str_equal(name, "mine") ? dup(1) : -1;
}

static void test_fd(void)
{
    ChannelFds fds = { take_fd, NULL };
    g_autoptr(GError) err = NULL;
    Channel *c = channel_open_out("fd:mine", &fds, NULL);

    g_assert_nonnull(c);
    channel_free(c);
    g_assert_null(channel_open_out("fd:other", &fds, &err));
    g_assert_nonnull(strstr(err->message, "fd:other"));
    g_clear_error(&err);
    g_assert_null(channel_open_out("fd:99999", NULL, &err));
}

static void bad_uri(const char *uri, const char *why)
{
    g_autoptr(GError) err = NULL;

    g_assert_null(channel_open_out(uri, NULL, &err));
    g_assert_nonnull(strstr(err->message, uri));
    g_assert_nonnull(strstr(err->message, why));
}

static void test_uris(void)
{
    g_autofree char *long_path = g_strnfill(200, 'p'), *uri = g_strdup_printf("unix:%s", long_path);
    ChannelAddress a;
    g_autofree char *text = NULL;

    bad_uri("", "use tcp:");
    bad_uri("ftp:x", "use tcp:");
    bad_uri("tcp:", "HOST:PORT");
    bad_uri("tcp:host", "HOST:PORT");
    bad_uri("tcp:127.0.0.1:0", "HOST:PORT");
    bad_uri("tcp:127.0.0.1:65536", "HOST:PORT");
    bad_uri("tcp:127.0.0.1:x", "HOST:PORT");
    bad_uri("tcp:[::1:4", "HOST:PORT");
    bad_uri("unix:", "1 to 107");
    bad_uri(uri, "200 bytes");
    bad_uri("exec:", "use tcp:");
    bad_uri("file:/nonexistent/x/y", "cannot be written");
    ASSERT_OK(channel_address_parse("tcp:[::1]:44", false, &a, &failure));
    text = channel_address_text(&a);
    g_assert_cmpstr(text, ==, "tcp:[::1]:44");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
    g_test_add_func("/migration/channel/sockets", test_sockets);
    g_test_add_func("/migration/channel/nobody-there", test_nobody_there);
    g_test_add_func("/migration/channel/file", test_file);
    g_test_add_func("/migration/channel/specials", test_specials);
    g_test_add_func("/migration/channel/mode", test_mode);
    g_test_add_func("/migration/channel/full-disk", test_full_disk);
    g_test_add_func("/migration/channel/exec", test_exec);
    g_test_add_func("/migration/channel/fd", test_fd);
    g_test_add_func("/migration/channel/uris", test_uris);
    return g_test_run();
}
