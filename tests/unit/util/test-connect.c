/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listening and connecting: modes of socket files, no spinning without free descriptors, and no
 * blocking on peers or names.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/connector.h"
#include "util/host.h"
#include "util/listener.h"

#include "tests/lib/ok.h"
#include "tests/lib/wait.h"

static struct sockaddr_un address(const char *name)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };

    g_snprintf(un.sun_path, sizeof(un.sun_path), "%s/bp-%d-%s", g_get_tmp_dir(), (int)getpid(),
               name);
    return un;
}

static int listen_unix(const struct sockaddr_un *un, mode_t mode)
{
    int fd = socket_listen((const struct sockaddr *)un, sizeof(*un), mode, 1, false);

    g_assert_cmpint(fd, >=, 0);
    return fd;
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    g_assert_cmpint(lstat(path, &st), ==, 0);
    return st.st_mode & 07777;
}

static void test_mode(void)
{
    struct sockaddr_un un = address("mode");
    mode_t mask = umask(0);
    int fd = listen_unix(&un, UNIX_SOCKET_MODE);

    g_assert_cmpint(mode_of(un.sun_path), ==, 0600);
    close(fd);
    umask(077);
    fd = listen_unix(&un, 0666); /* the stale socket is removed; the requested mode overrides the
                                  * umask */
    g_assert_cmpint(mode_of(un.sun_path), ==, 0666);
    umask(mask);
    close(fd);
    socket_unlink((struct sockaddr *)&un);
    g_assert_false(g_file_test(un.sun_path, G_FILE_TEST_EXISTS));
    ASSERT_OK(g_file_set_contents(un.sun_path, "precious", -1, &failure));
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    g_assert_cmpint(socket_bind(fd, (struct sockaddr *)&un, sizeof(un), 0600), ==, -1);
    g_assert_cmpint(errno, ==, EADDRINUSE);
    socket_unlink((struct sockaddr *)&un);
    g_assert_true(g_file_test(un.sun_path, G_FILE_TEST_EXISTS));
    g_unlink(un.sun_path);
    close(fd);
}

static void on_peer(void *opaque, int fd, const struct sockaddr_storage *from, socklen_t len)
{
    (*(unsigned *)opaque)++;
    close(fd);
}

static bool came(const unsigned *peers)
{
    return *peers > 0;
}

/* The rlimit permits no more descriptors than are open. */
static void test_exhausted(void)
{
    struct sockaddr_un un = address("full");
    int fd = listen_unix(&un, 0600), peer = socket(AF_UNIX, SOCK_STREAM, 0), top;
    unsigned peers = 0, turns = 0;
    Listener *l = listener_new(fd, NULL, on_peer, &peers);
    struct rlimit limit, low;

    while (g_main_context_iteration(NULL, FALSE)) {
    }
    g_assert_cmpint(connect(peer, (struct sockaddr *)&un, sizeof(un)), ==, 0);
    getrlimit(RLIMIT_NOFILE, &limit);
    top = dup(fd);
    close(top);
    low = (struct rlimit){ (rlim_t)top, limit.rlim_max };
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &low), ==, 0);
    g_assert_false(host_can_open(1));
    WAIT_DURING (300) {
        turns += g_main_context_iteration(NULL, FALSE);
    }
    g_assert_cmpuint(peers, ==, 0);
    g_assert_cmpuint(turns, <, 20);
    setrlimit(RLIMIT_NOFILE, &limit);
    g_assert_true(host_can_open(2));
    WAIT_MAIN(came(&peers), 10);
    listener_free(l);
    close(peer);
    close(fd);
    socket_unlink((struct sockaddr *)&un);
}

typedef struct Result {
    int fd;
    bool done;
    char *why;
} Result;

static void on_connected(void *opaque, int fd, const GError *err)
{
    Result *r = opaque;

    g_assert_true((fd >= 0) == !err);
    r->fd = fd;
    r->done = true;
    r->why = err ? g_strdup(err->message) : NULL;
}

static void finish(Result *r)
{
    WAIT_MAIN(r->done, 20);
}

static int listen_tcp(char port[8])
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(in);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    g_assert_cmpint(bind(fd, (struct sockaddr *)&in, len), ==, 0);
    g_assert_cmpint(listen(fd, 16), ==, 0);
    getsockname(fd, (struct sockaddr *)&in, &len);
    g_snprintf(port, 8, "%u", ntohs(in.sin_port));
    return fd;
}

static void test_connect(void)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost" };
    char port[8];
    int listener = listen_tcp(port), fd = -1;
    g_autoptr(GError) err = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++) {
        Connector *c = connector_new_host(hosts[i], port, AF_INET);
        Result r = { -1, false, NULL };

        g_assert_cmpint(connector_wait(c, -1, &fd, &err), ==, 1);
        g_assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        close(fd);
        connector_free(c);
        c = connector_new_host(hosts[i], port, AF_INET);
        connector_start(c, NULL, on_connected, &r);
        g_assert_false(r.done);
        finish(&r);
        g_assert_cmpint(r.fd, >=, 0);
        close(r.fd);
        connector_free(c);
    }
    close(listener);
    Connector *c = connector_new_host("127.0.0.1", port, AF_INET);
    Result r = { -1, false, NULL };

    g_assert_cmpint(connector_wait(c, 5000, &fd, &err), ==, -1);
    g_assert_nonnull(strstr(err->message, "refused"));
    connector_free(c);
    c = connector_new_host("127.0.0.1", port, AF_INET);
    connector_start(c, NULL, on_connected, &r);
    finish(&r);
    g_assert_nonnull(strstr(r.why, "refused"));
    g_free(r.why);
    connector_free(c);
    c = connector_new_host("nosuch.invalid", port, AF_INET);
    connector_start(c, NULL, on_connected, &r); /* and is cancelled during the look-up */
    connector_free(c);
}

/* A listener whose queue is full accepts no connection: the time limit ends the wait. */
static void test_silent(void)
{
    struct sockaddr_un un = address("silent");
    int listener = listen_unix(&un, 0600), fd = -1, more[8];
    gint64 start;
    Connector *c;

    for (unsigned i = 0; i < G_N_ELEMENTS(more); i++) {
        more[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(more[i], (struct sockaddr *)&un, sizeof(un)); /* the last ones wait */
    }
    c = connector_new((struct sockaddr *)&un, sizeof(un));
    start = g_get_monotonic_time();
    g_assert_cmpint(connector_wait(c, 50, &fd, NULL), ==, 0);
    g_assert_cmpint(g_get_monotonic_time() - start, >=, 50000);
    for (int peer; (peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        close(peer);
        if (connector_wait(c, 100, &fd, NULL) == 1) {
            break;
        }
    }
    g_assert_cmpint(fd, >=, 0);
    close(fd);
    connector_free(c);
    for (unsigned i = 0; i < G_N_ELEMENTS(more); i++) {
        close(more[i]);
    }
    close(listener);
    socket_unlink((struct sockaddr *)&un);
}

static void test_resolve(void)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
    GMainContext *context = g_main_context_default();
    gint64 start;

    g_assert_cmpint(resolve_wait("::1", "80", &hints, &list), ==, 0);
    g_clear_pointer(&list, freeaddrinfo);
    g_assert_cmpint(resolve_wait("localhost", "80", &hints, &list), ==, 0);
    g_clear_pointer(&list, freeaddrinfo);
    g_assert_cmpint(resolve_wait(NULL, "nosuchport", &hints, &list), !=, 0);
    g_assert_true(g_main_context_acquire(context));
    start = g_get_monotonic_time();
    g_assert_cmpint(resolve_wait("nosuch.invalid", "80", &hints, &list), !=, 0);
    g_assert_cmpint(g_get_monotonic_time() - start, <, 2000000);
    g_main_context_release(context);
}

static void test_family(void)
{
    static const struct {
        FamilyOption ipv4, ipv6;
        int family;
    } cases[] = {
        { FAMILY_AUTO, FAMILY_AUTO, AF_UNSPEC }, { FAMILY_ON, FAMILY_ON, AF_UNSPEC },
        { FAMILY_ON, FAMILY_AUTO, AF_INET },     { FAMILY_ON, FAMILY_OFF, AF_INET },
        { FAMILY_AUTO, FAMILY_OFF, AF_INET },    { FAMILY_AUTO, FAMILY_ON, AF_INET6 },
        { FAMILY_OFF, FAMILY_ON, AF_INET6 },     { FAMILY_OFF, FAMILY_AUTO, AF_INET6 },
        { FAMILY_OFF, FAMILY_OFF, -1 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_cmpint(resolve_family(cases[i].ipv4, cases[i].ipv6), ==, cases[i].family);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/connect/mode", test_mode);
    g_test_add_func("/connect/exhausted", test_exhausted);
    g_test_add_func("/connect/connect", test_connect);
    g_test_add_func("/connect/silent", test_silent);
    g_test_add_func("/connect/resolve", test_resolve);
    g_test_add_func("/connect/family", test_family);
    return g_test_run();
}
