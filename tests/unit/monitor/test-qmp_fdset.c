/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of descriptors: passed descriptors are kept, listed, selected by access mode, and closed. A
 * malformed request leaves none open.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../hw/fixture.h"
#include "monitor/monitor.h"
#include "tests/lib/ok.h"

typedef struct Rig {
    Machine *m;
    int fd;
} Rig;

static void rig_init(Rig *r)
{
    int pair[2];
    g_autofree char *options = NULL;

    r->m = fixture_new(1);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    options = g_strdup_printf("socket,id=q,fd=%d", pair[0]);
    r->fd = pair[1];
    ASSERT_OK(monitor_open(r->m, chardev_new(r->m, NULL, options, NULL), true, false, &failure));
}

static void rig_done(Rig *r)
{
    monitor_close_all(r->m);
    chardev_free_all(r->m);
    machine_free(r->m);
    close(r->fd);
}

/* Send a request, with a descriptor unless it is -1. Returns everything received until no more
 * arrives. */
static char *ask(Rig *r, const char *text, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { { 0 } };
    struct iovec iov = { (void *)text, strlen(text) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    char answer[4096] = "";
    ssize_t n;

    if (fd >= 0) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = sizeof(control.bytes);
        control.align = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &fd, sizeof(fd));
    }
    g_assert_cmpint(sendmsg(r->fd, &msg, 0), ==, (ssize_t)strlen(text));
    for (unsigned i = 0; i < 100; i++) {
        g_main_context_iteration(NULL, FALSE);
    }
    n = recv(r->fd, answer, sizeof(answer) - 1, MSG_DONTWAIT);
    g_assert_cmpint(n, >, 0);
    return g_strdup(answer);
}

static void expect(Rig *r, const char *text, int fd, const char *what)
{
    g_autofree char *answer = ask(r, text, fd);

    g_test_message("%s", answer);
    g_assert_nonnull(strstr(answer, what));
}

static unsigned open_files(void)
{
    GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
    unsigned n = 0;

    g_assert_nonnull(dir);
    while (g_dir_read_name(dir)) {
        n++;
    }
    g_dir_close(dir);
    return n;
}

static void test_sets(void)
{
    int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY), fd;
    unsigned before;
    Rig r;

    rig_init(&r);
    expect(&r, "{'execute':'qmp_capabilities'}\n", -1, "return");
    before = open_files();
    expect(&r, "{'execute':'query-fdsets'}\n", -1, "\"return\":[]");
    expect(&r, "{'execute':'add-fd'}\n", -1, "SCM_RIGHTS");
    expect(&r, "{'execute':'add-fd','arguments':{'fdset-id':3}}\n", zero, "\"fdset-id\":3");
    expect(&r, "{'execute':'add-fd','arguments':{'fdset-id':3,'opaque':'n'}}\n", null,
           "\"fdset-id\":3");
    expect(&r, "{'execute':'add-fd'}\n", null, "\"fdset-id\":0");
    expect(&r, "{'execute':'add-fd'}\n", null, "\"fdset-id\":1");
    expect(&r, "{'execute':'query-fdsets'}\n", -1, "\"opaque\":\"n\"");
    g_assert_cmpuint(open_files(), ==, before + 4);
    expect(&r, "{'execute':'add-fd','arguments':{'fdset-id':-1}}\n", null, "non-negative");
    g_assert_cmpuint(open_files(), ==, before + 4);
    /* the descriptor that is readable, and the one that is writable */
    for (int write = 0; write < 2; write++) {
        fd = monitor_dup_fdset(r.m, "/dev/fdset/3", write);
        g_assert_cmpint(fcntl(fd, F_GETFL) & O_ACCMODE, ==, write ? O_WRONLY : O_RDONLY);
        close(fd);
    }
    g_assert_cmpint(monitor_dup_fdset(r.m, "/dev/fdset/0", false), ==, -1);
    g_assert_cmpint(monitor_dup_fdset(r.m, "/dev/fdset/2", true), ==, -1);
    g_assert_cmpint(monitor_dup_fdset(r.m, "/dev/fdset/3x", true), ==, -1);
    g_assert_cmpint(monitor_dup_fdset(r.m, "/dev/null", true), ==, -1);
    expect(&r, "{'execute':'remove-fd','arguments':{'fdset-id':3,'fd':9999}}\n", -1,
           "fdset-id:3, fd:9999");
    expect(&r, "{'execute':'remove-fd','arguments':{'fdset-id':3}}\n", -1, "\"return\":{}");
    expect(&r, "{'execute':'remove-fd','arguments':{'fdset-id':3}}\n", -1, "not found");
    g_assert_cmpuint(open_files(), ==, before + 2);
    rig_done(&r);
    close(zero);
    close(null);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qmp/fdset/sets", test_sets);
    return g_test_run();
}
