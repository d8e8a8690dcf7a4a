/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Output files: those that are replaced and those that are written to, owner and mode, and the old
 * file after a failed write. Input files: limits, pipes and devices. Logs to FIFOs.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "util/infile.h"
#include "util/outfile.h"

#include "tests/lib/ok.h"
#include "tests/lib/wait.h"

static char *folder;

static char *path_of(const char *name)
{
    return g_build_filename(folder, name, NULL);
}

static void put(const char *path, const char *text)
{
    ASSERT_OK(g_file_set_contents(path, text, -1, &failure));
}

static void expect(const char *path, const char *want)
{
    g_autofree char *text = NULL;

    ASSERT_OK(g_file_get_contents(path, &text, NULL, &failure));
    g_assert_cmpstr(text, ==, want);
}

static bool write_file(const char *path, const char *text)
{
    g_autoptr(GError) err = NULL;
    bool ok = out_file_write(path, text, strlen(text), &err);

    g_assert_true(ok == !err);
    g_assert_true(ok || strstr(err->message, path));
    return ok;
}

static void test_regular(void)
{
    g_autofree char *path = path_of("regular"), *part = g_strconcat(path, ".part", NULL);
    struct stat st;
    OutFile *f;

    g_assert_true(write_file(path, "new"));
    expect(path, "new");
    g_assert_cmpint(chmod(path, 0640), ==, 0);
    if (geteuid() == 0) {
        g_assert_cmpint(chown(path, 12, 34), ==, 0);
    }
    g_assert_true(write_file(path, "newer"));
    expect(path, "newer");
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0640);
    g_assert_true(geteuid() != 0 || (st.st_uid == 12 && st.st_gid == 34));
    f = out_file_begin(path, 0666, NULL);
    g_assert_cmpint(write(out_file_fd(f), "half", 4), ==, 4);
    expect(path, "newer");
    g_assert_null(out_file_begin(path, 0666, NULL)); /* two writers at the same time */
    out_file_abort(f);
    expect(path, "newer");
    g_assert_false(g_file_test(part, G_FILE_TEST_EXISTS));
    put(part, "left by a killed process");
    g_assert_true(write_file(path, "again"));
    expect(path, "again");
    g_assert_false(g_file_test(part, G_FILE_TEST_EXISTS));
}

static void test_links(void)
{
    g_autofree char *target = path_of("target"), *link = path_of("link"), *hard = path_of("hard");
    g_autofree char *dangling = path_of("dangling"), *made = path_of("made");

    put(target, "old");
    g_assert_cmpint(symlink(target, link), ==, 0);
    g_assert_true(write_file(link, "through"));
    g_assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
    expect(target, "through");
    g_assert_cmpint(symlink(made, dangling), ==, 0);
    g_assert_true(write_file(dangling, "made"));
    g_assert_true(g_file_test(dangling, G_FILE_TEST_IS_SYMLINK));
    expect(made, "made");
    g_assert_cmpint(linkat(AT_FDCWD, target, AT_FDCWD, hard, 0), ==, 0);
    g_assert_true(write_file(hard, "x"));
    expect(target, "x");
}

static void test_specials(void)
{
    g_autofree char *fifo = path_of("fifo"), *node = path_of("null"), *full = path_of("full");
    g_autofree char *sub = path_of("folder");
    struct stat st;
    char buf[16] = "";
    int fd;

    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    g_assert_false(write_file(fifo, "nobody reads"));
    fd = open(fifo, O_RDONLY | O_NONBLOCK);
    g_assert_true(write_file(fifo, "words"));
    g_assert_cmpint(read(fd, buf, sizeof(buf)), ==, 5);
    g_assert_cmpstr(buf, ==, "words");
    g_autofree char *large = g_strnfill(1 << 20, 'x');

    g_assert_false(write_file(fifo, large)); /* the reader reads nothing */
    close(fd);
    g_assert_cmpint(lstat(fifo, &st), ==, 0);
    g_assert_true(S_ISFIFO(st.st_mode));
    g_mkdir(sub, 0700);
    g_assert_false(write_file(sub, "x"));
    if (mknod(node, S_IFCHR | 0600, makedev(1, 3)) == 0 &&
        mknod(full, S_IFCHR | 0600, makedev(1, 7)) == 0 && (fd = open(node, O_RDWR)) >= 0) {
        close(fd);
        g_assert_true(write_file(node, "gone"));
        g_assert_cmpint(lstat(node, &st), ==, 0);
        g_assert_true(S_ISCHR(st.st_mode));
        g_assert_false(write_file(full, "x"));
        g_assert_cmpint(lstat(full, &st), ==, 0);
        g_assert_true(S_ISCHR(st.st_mode));
    }
    g_assert_true(write_file("/dev/null", "gone"));
    g_assert_cmpint(lstat("/dev/null", &st), ==, 0);
    g_assert_true(S_ISCHR(st.st_mode));
}

static void test_log(void)
{
    g_autofree char *path = path_of("log"), *fifo = path_of("log-fifo");
    char buf[16] = "";
    int fd, reader;

    put(path, "old");
    fd = out_log_open(path, true, 0666);
    g_assert_cmpint(write(fd, "+", 1), ==, 1);
    close(fd);
    expect(path, "old+");
    fd = out_log_open(path, false, 0666);
    g_assert_cmpint(write(fd, "new", 3), ==, 3);
    close(fd);
    expect(path, "new");
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    fd = out_log_open(fifo, false, 0666); /* its reader opens it later */
    g_assert_cmpint(write(fd, "early", 5), ==, 5);
    reader = open(fifo, O_RDONLY | O_NONBLOCK);
    g_assert_cmpint(read(reader, buf, sizeof(buf)), ==, 5);
    while (write(fd, buf, sizeof(buf)) > 0) {
    }
    g_assert_cmpint(errno, ==, EAGAIN);
    close(reader);
    close(fd);
    g_assert_cmpint(out_log_open(folder, false, 0666), ==, -1);
}

static bool read_it(const char *path, size_t max, const char *want)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) err = NULL;
    gsize len = 0;
    bool ok = in_file_read(path, max, &text, &len, &err);

    g_assert_true(ok == !err && ok == (text != NULL));
    if (ok) {
        g_assert_cmpstr(text, ==, want);
        g_assert_cmpuint(len, ==, strlen(want));
    } else {
        g_assert_nonnull(strstr(err->message, path));
    }
    return ok;
}

static gpointer writer(gpointer fifo)
{
    int fd = open(fifo, O_WRONLY);

    wait_elapse(20000, "the reader finds nothing at first");
    g_assert_cmpint(write(fd, "late", 4), ==, 4);
    close(fd);
    return NULL;
}

static void test_read(void)
{
    g_autofree char *path = path_of("input"), *fifo = path_of("input-fifo");
    GMainContext *main_context = g_main_context_default();
    GThread *thread;

    put(path, "12345");
    g_assert_true(read_it(path, 5, "12345"));
    g_assert_false(read_it(path, 4, ""));
    g_assert_true(read_it("/dev/null", 4, ""));
    g_assert_false(read_it("/dev/zero", 1 << 20, ""));
    g_assert_false(read_it(folder, 4, ""));
    g_assert_false(read_it("/nonexistent/file", 4, ""));
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    thread = g_thread_new("writer", writer, fifo);
    g_assert_true(read_it(fifo, 10, "late")); /* a process that starts waits for it */
    g_thread_join(thread);
    g_assert_true(g_main_context_acquire(main_context));
    g_assert_false(read_it(fifo, 10, "")); /* the main loop does not */
    g_main_context_release(main_context);
}

int main(int argc, char **argv)
{
    g_autofree char *remove = NULL;
    int status;

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("bp-files-XXXXXX", NULL);
    g_test_add_func("/files/regular", test_regular);
    g_test_add_func("/files/links", test_links);
    g_test_add_func("/files/specials", test_specials);
    g_test_add_func("/files/log", test_log);
    g_test_add_func("/files/read", test_read);
    status = g_test_run();
    remove = g_strdup_printf("rm -rf '%s'", folder);
    g_spawn_command_line_sync(remove, NULL, NULL, NULL, NULL);
    g_free(folder);
    return status;
}
