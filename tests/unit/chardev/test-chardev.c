/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Character back ends: options in both forms, sockets that connect and disconnect, a mux with its
 * escape key, output that waits and output that is dropped.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "chardev/ringbuf.h"
#include "front.h"
#include "tests/lib/ok.h"
#include "tests/lib/wait.h"

static void turn(void)
{
    wait_quiet();
}

static char *temp_path(const char *name)
{
    return g_strdup_printf("%s/bp-%d-%s", g_get_tmp_dir(), (int)getpid(), name);
}

static void test_socket_server(void)
{
    Machine m = { 0 };
    Front f;
    g_autofree char *path = temp_path("sock");
    g_autofree char *options = g_strdup_printf("unix:%s,server=on,wait=off", path);
    Chardev *c = chardev_new(&m, "c0", options, NULL);
    char buf[8];

    g_assert_nonnull(c);
    front_init(&f);
    ASSERT_OK(chardev_attach(c, &f.f, &failure));
    g_assert_false(chardev_attach(c, &f.f, NULL)); /* one front end at a time */
    for (unsigned round = 1; round <= 3; round++) {
        int fd = connect_unix(path);

        turn();
        g_assert_cmpuint(f.opened, ==, round);
        g_assert_true(chardev_is_open(c));
        g_assert_cmpint(write(fd, "hello", 5), ==, 5);
        turn();
        g_assert_cmpstr(f.got->str, ==, "hello");
        g_string_truncate(f.got, 0);
        g_assert_cmpuint(chardev_write(c, "answer", 6), ==, 6);
        g_assert_cmpint(read(fd, buf, sizeof(buf)), ==, 6);
        close(fd);
        turn();
        g_assert_cmpuint(f.closed, ==, round);
        g_assert_cmpuint(chardev_write(c, "lost", 4), ==, 4); /* no peer: dropped */
    }
    chardev_free_all(&m);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    front_done(&f);
}

/* A front end that does not read is notified when its peer disconnects, but not before it could
 * have read the peer's last data. */
static void test_socket_end(void)
{
    Machine m = { 0 };
    Front f;
    g_autofree char *path = temp_path("sock");
    g_autofree char *options = g_strdup_printf("unix:%s,server=on,wait=off", path);
    Chardev *c = chardev_new(&m, "c0", options, NULL);
    int fd;

    front_init(&f);
    f.room = 0;
    ASSERT_OK(chardev_attach(c, &f.f, &failure));
    fd = connect_unix(path);
    turn();
    g_assert_cmpuint(f.opened, ==, 1);
    close(fd);
    turn();
    g_assert_cmpuint(f.closed, ==, 1);
    fd = connect_unix(path);
    turn();
    g_assert_cmpint(write(fd, "last words", 10), ==, 10);
    close(fd);
    turn();
    g_assert_cmpuint(f.closed, ==, 1);
    f.room = 4;
    chardev_accept_input(c);
    turn();
    g_assert_cmpuint(f.closed, ==, 1);
    f.room = 100;
    chardev_accept_input(c);
    turn();
    g_assert_cmpuint(f.closed, ==, 2);
    g_assert_cmpstr(f.got->str, ==, "last words");
    chardev_detach(c, &f.f);
    fd = connect_unix(path); /* with no front end attached, the server accepts the next peer */
    turn();
    g_assert_true(chardev_is_open(c));
    close(fd);
    turn();
    g_assert_false(chardev_is_open(c));
    chardev_free_all(&m);
    front_done(&f);
}

static void test_socket_client(void)
{
    Machine m = { 0 };
    Front f;
    g_autofree char *path = temp_path("client");
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;
    g_autofree char *options = g_strdup_printf("socket,path=%s,id=char0", path);
    Chardev *c;

    g_strlcpy(un.sun_path, path, sizeof(un.sun_path));
    g_assert_cmpint(bind(listener, (struct sockaddr *)&un, sizeof(un)), ==, 0);
    g_assert_cmpint(listen(listener, 1), ==, 0);
    c = chardev_new(&m, NULL, options, NULL);
    g_assert_nonnull(c);
    g_assert_true(chardev_find(&m, "char0") == c);
    fd = accept(listener, NULL, NULL);
    front_init(&f);
    ASSERT_OK(chardev_attach(c, &f.f, &failure));
    g_assert_cmpuint(f.opened, ==, 1);
    f.room = 3; /* accepts three, then no more until it signals */
    g_assert_cmpint(write(fd, "abcdef", 6), ==, 6);
    turn();
    g_assert_cmpstr(f.got->str, ==, "abc");
    f.room = 100;
    chardev_accept_input(c);
    turn();
    g_assert_cmpstr(f.got->str, ==, "abcdef");
    chardev_free_all(&m);
    close(fd);
    close(listener);
    g_unlink(path);
    front_done(&f);
}

static void test_full_peer(void)
{
    Machine m = { 0 };
    int pair[2];
    g_autofree char *options = NULL;
    g_autofree uint8_t *big = g_malloc0(1 << 20);
    Chardev *c;
    size_t taken = 0, got = 0;
    ssize_t n;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    options = g_strdup_printf("socket,id=s,fd=%d", pair[0]);
    c = chardev_new(&m, NULL, options, NULL);
    g_assert_nonnull(c);
    for (int i = 0; i < 20; i++) {
        taken += chardev_write(c, big, 1 << 20);
    }
    g_assert_cmpuint(taken, >=, CHARDEV_BUFFER); /* buffered up to the limit, then rejected */
    g_assert_cmpuint(taken, <, CHARDEV_BUFFER + (2 << 20));
    g_assert_cmpuint(chardev_write(c, "x", 1), ==, 0);
    while (got < taken) {
        g_main_context_iteration(NULL, FALSE);
        n = recv(pair[1], big, 1 << 20, MSG_DONTWAIT);
        got += n > 0 ? (size_t)n : 0;
    }
    g_assert_cmpuint(got, ==, taken); /* nothing that was accepted is lost */
    g_assert_cmpuint(chardev_write(c, "x", 1), ==, 1);
    close(pair[1]);
    chardev_free_all(&m);
}

typedef struct Sender {
    Chardev *c;
    size_t sent, total;
    unsigned woken;
} Sender;

static void send_more(void *opaque)
{
    Sender *s = opaque;
    uint8_t bytes[1000];

    s->woken++;
    while (s->sent < s->total) {
        size_t len = MIN(sizeof(bytes), s->total - s->sent), went;

        for (size_t i = 0; i < len; i++) {
            bytes[i] = (uint8_t)((s->sent + i) * 7 >> 3);
        }
        went = chardev_write_now(s->c, bytes, len);
        s->sent += went;
        if (went < len) {
            return;
        }
    }
}

/* A front end that keeps its bytes until the peer reads them: nothing is buffered, nothing lost,
 * and it is notified each time that there is space. */
static void test_write_now(void)
{
    Machine m = { 0 };
    int pair[2];
    g_autofree char *text = NULL;
    Sender s = { .total = 3 << 20 };
    ChardevFront front = { .writable = send_more, .opaque = &s };
    uint8_t buf[4096];
    size_t got = 0;
    ssize_t n;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    text = g_strdup_printf("socket,id=c,fd=%d", pair[0]);
    s.c = chardev_new(&m, NULL, text, NULL);
    g_assert_nonnull(s.c);
    g_assert_false(chardev_front_is_open(s.c));
    ASSERT_OK(chardev_attach(s.c, &front, &failure));
    g_assert_true(chardev_front_is_open(s.c));
    send_more(&s);
    g_assert_cmpuint(s.sent, <, s.total);
    while (got < s.total) {
        n = recv(pair[1], buf, sizeof(buf), MSG_DONTWAIT);
        for (ssize_t i = 0; i < n; i++) {
            g_assert_cmphex(buf[i], ==, (uint8_t)((got + i) * 7 >> 3));
        }
        got += n > 0 ? n : 0;
        g_assert_cmpuint(s.sent - got, <, 1 << 20); /* at most the socket's own buffer */
        g_main_context_iteration(NULL, FALSE);
    }
    g_assert_cmpuint(s.woken, >, 2);
    g_assert_cmpint(recv(pair[1], buf, sizeof(buf), MSG_DONTWAIT), ==, -1);
    chardev_set_front_open(s.c, false);
    g_assert_false(chardev_front_is_open(s.c));
    chardev_free_all(&m);
    close(pair[1]);
}

static void test_file_and_pipe(void)
{
    Machine m = { 0 };
    Front f;
    g_autofree char *path = temp_path("file"), *fifo = temp_path("fifo"), *text = NULL;
    g_autofree char *file_options = g_strdup_printf("file,id=f,path=%s", path);
    g_autofree char *pipe_options = g_strdup_printf("pipe:%s", fifo);
    Chardev *c = chardev_new(&m, NULL, file_options, NULL);

    g_assert_nonnull(c);
    chardev_write(c, "some\n", 5);
    ASSERT_OK(g_file_get_contents(path, &text, NULL, &failure));
    g_assert_cmpstr(text, ==, "some\n");
    g_assert_null(chardev_new(&m, "p", pipe_options, NULL)); /* the pipe does not exist yet */
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    c = chardev_new(&m, "p", pipe_options, NULL);
    g_assert_nonnull(c);
    front_init(&f);
    ASSERT_OK(chardev_attach(c, &f.f, &failure));
    chardev_write(c, "loop", 4); /* one bidirectional pipe returns the data */
    turn();
    g_assert_cmpstr(f.got->str, ==, "loop");
    chardev_free_all(&m);
    g_unlink(path);
    g_unlink(fifo);
    front_done(&f);
}

/* Type a text, then iterate the main loop. */
static void type(int fd, const char *text)
{
    g_assert_cmpint(write(fd, text, strlen(text)), ==, (ssize_t)strlen(text));
    turn();
}

static void test_mux(void)
{
    Machine m = { 0 };
    Front console, monitor;
    int pair[2];
    g_autofree char *options = NULL;
    Chardev *c;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    options = g_strdup_printf("socket,id=x,mux=on,fd=%d", pair[0]);
    c = chardev_new(&m, NULL, options, NULL);
    g_assert_nonnull(c);
    front_init(&monitor);
    front_init(&console);
    ASSERT_OK(chardev_attach(c, &monitor.f, &failure));
    ASSERT_OK(chardev_attach(c, &console.f, &failure));
    type(pair[1], "one\x01");
    g_assert_cmpuint(console.opened, ==, 1); /* it has the focus; the monitor prints nothing */
    g_assert_cmpuint(monitor.opened, ==, 0);
    type(pair[1], "ctwo\x01\x01\x01z\x01\x62");
    g_assert_cmpstr(console.got->str, ==, "one");
    g_assert_cmpstr(monitor.got->str, ==, "two\x01");
    g_assert_cmpuint(monitor.breaks, ==, 1);
    g_assert_cmpuint(monitor.opened, ==, 1);
    g_assert_cmpuint(monitor.focused, ==, 0);
    quit_requests = 0;
    type(pair[1], "\x01x");
    g_assert_cmpint(quit_requests, ==, 1);
    monitor.room = 2; /* input of the focus waits in the mux; the escape key still works */
    g_string_truncate(monitor.got, 0);
    type(pair[1], "1234\x01\x63yes");
    g_assert_cmpstr(monitor.got->str, ==, "12");
    g_assert_cmpstr(console.got->str, ==, "oneyes");
    monitor.room = 10;
    type(pair[1], "\x01\x63");
    g_assert_cmpstr(monitor.got->str, ==, "1234");
    g_assert_cmpuint(console.focused, ==, 1);
    g_assert_cmpuint(monitor.focused, ==, 1);
    g_assert_cmpuint(monitor.opened, ==, 1);
    chardev_detach(c, &monitor.f);
    type(pair[1], "!");
    g_assert_cmpstr(console.got->str, ==, "oneyes!");
    chardev_free_all(&m);
    close(pair[1]);
    front_done(&monitor);
    front_done(&console);
}

static void test_ringbuf(void)
{
    Machine m = { 0 };
    Chardev *c = chardev_new(&m, NULL, "ringbuf,id=r,size=8", NULL);
    GByteArray *out;

    g_assert_nonnull(c);
    chardev_write(c, "0123456789", 10);
    out = chardev_ringbuf_read(c, 3);
    g_assert_cmpmem(out->data, out->len, "234", 3);
    g_byte_array_unref(out);
    out = chardev_ringbuf_read(c, 100);
    g_assert_cmpmem(out->data, out->len, "56789", 5);
    g_byte_array_unref(out);
    chardev_free_all(&m);
}

static void test_refusals(void)
{
    static const struct {
        const char *options, *says;
    } bad[] = {
        { "socket,id=a", "path=" },
        { "socket,path=/tmp/x", "id=NAME" },
        { "nosuch,id=a", "'nosuch'" },
        { "null,id=a,colour=red", "'colour'" },
        { "socket,id=a,path=/nonexistent/sock", "/nonexistent/sock" },
        { "socket,id=a,path=x,server=perhaps", "perhaps" },
        { "tcp:localhost", "tcp:HOST:PORT" },
        { "websocket:x:1", "websocket:x:1" },
        { "telnet:x", "telnet:HOST:PORT" },
        { "udp:x", "udp:HOST:PORT" },
        { "udp,id=a", "port=" },
        { "udp,id=a,port=65536", "65536" },
        { "udp,id=a,port=1,ipv4=off,ipv6=off", "ipv4=off" },
        { "socket,id=a,path=x,telnet=perhaps", "telnet=perhaps" },
        { "file,id=a", "path=" },
        { "file:/nonexistent/dir/f,id=a", "/nonexistent/dir/f" },
        { "socket,id=a,fd=zzz", "zzz" },
        { "socket,id=a,path=x,wait=off", "server=on" },
        { "ringbuf,id=a,size=3", "size=3" },
        { "ringbuf,id=a,size=99999999999999", "size=" },
        { "null,=x,id=a", "no name" },
    };
    Machine m = { 0 };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_null(chardev_new(&m, NULL, bad[i].options, &err));
        g_assert_nonnull(err);
        if (!strstr(err->message, bad[i].says)) {
            g_error("'%s' gave '%s'", bad[i].options, err->message);
        }
    }
    ASSERT_OK(chardev_new(&m, "a", "null", &failure));
    g_assert_null(chardev_new(&m, "a", "null", NULL)); /* the id is in use */
    chardev_free_all(&m);
}

static void expect_file(const char *path, const char *want)
{
    g_autofree char *text = NULL;

    ASSERT_OK(g_file_get_contents(path, &text, NULL, &failure));
    g_assert_cmpstr(text, ==, want);
}

/* The log contains the guest's output, with or without a peer; with a mux and a ring. */
static void test_log(void)
{
    g_autofree char *path = temp_path("sock"), *log = temp_path("log");
    const char *const kinds[][3] = {
        { "unix:", path, ",server=on,wait=off" },
        { "unix:", path, ",server=on,wait=off,mux=on" },
        { "ringbuf", "", "" },
        { "null", "", ",mux=on" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autofree char *options =
            g_strconcat(kinds[i][0], kinds[i][1], kinds[i][2], ",logappend=on,logfile=", log, NULL);
        Machine m = { 0 };
        Chardev *c;

        ASSERT_OK(g_file_set_contents(log, "old ", -1, &failure));
        c = chardev_new(&m, "c0", options, NULL);
        g_assert_nonnull(c);
        g_assert_cmpuint(chardev_write(c, "early ", 6), ==, 6);
        g_assert_cmpuint(chardev_write_now(c, "now ", 4), ==, 4);
        chardev_log(c, "dropped", 7);
        expect_file(log, "old early now dropped");
        chardev_free_all(&m);
    }
    g_unlink(log);
}

/* The front end writes the bytes again that a full back end did not accept. */
static void test_log_once(void)
{
    g_autofree char *log = temp_path("log"), *options = NULL, *big = g_strnfill(64 << 10, 'x');
    Machine m = { 0 };
    Chardev *c;
    size_t taken = 0, n;
    int pair[2];
    struct stat st;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    options = g_strdup_printf("socket,fd=%d,logfile=%s", pair[0], log);
    c = chardev_new(&m, "c0", options, NULL);
    while ((n = chardev_write(c, big, 64 << 10)) > 0) {
        taken += n;
    }
    g_assert_cmpint(stat(log, &st), ==, 0);
    g_assert_cmpuint(st.st_size, ==, taken);
    close(pair[1]);
    chardev_free_all(&m);
    g_unlink(log);
}

static void test_mode(void)
{
    g_autofree char *path = temp_path("mode");
    g_autofree char *plain = g_strdup_printf("unix:%s,server=on,wait=off", path);
    g_autofree char *open = g_strdup_printf("unix:%s,server=on,wait=off,mode=0666", path);
    g_autofree char *wrong = g_strdup_printf("unix:%s,server=on,wait=off,mode=rw", path);
    Machine m = { 0 };
    struct stat st;

    ASSERT_OK(chardev_new(&m, "c0", plain, &failure));
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0600);
    chardev_free_all(&m);
    ASSERT_OK(chardev_new(&m, "c0", open, &failure));
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0666);
    chardev_free_all(&m);
    g_assert_null(chardev_new(&m, "c0", wrong, NULL));
    ASSERT_OK(g_file_set_contents(path, "precious", -1, &failure));
    g_assert_null(chardev_new(&m, "c0", plain, NULL));
    expect_file(path, "precious");
    g_unlink(path);
}

/* A client connects when the server listens, and again after the server was restarted. */
static void test_reconnect(void)
{
    g_autofree char *path = temp_path("again");
    g_autofree char *options = g_strdup_printf("socket,path=%s,reconnect-ms=10", path);
    g_autofree char *server = g_strdup_printf("unix:%s,server=on,wait=off", path);
    Machine m = { 0 }, other = { 0 };
    Chardev *c = chardev_new(&m, "c0", options, NULL);
    Front f;

    g_assert_nonnull(c);
    front_init(&f);
    ASSERT_OK(chardev_attach(c, &f.f, &failure));
    wait_main();
    g_assert_false(chardev_is_open(c));
    for (unsigned round = 1; round <= 3; round++) {
        Chardev *s = chardev_new(&other, "s", server, NULL);

        WAIT_MAIN(f.opened == round && chardev_is_open(s), 10);
        g_assert_cmpuint(chardev_write(s, "hi", 2), ==, 2);
        WAIT_MAIN(f.got->len == 2, 10);
        g_assert_cmpstr(f.got->str, ==, "hi");
        g_string_truncate(f.got, 0);
        chardev_free_all(&other);
        WAIT_MAIN(f.closed == round, 10);
    }
    chardev_free_all(&m);
    front_done(&f);
}

/* No operation on the main loop waits for a peer. */
static gboolean on_main_loop(gpointer opaque)
{
    g_autofree char *path = temp_path("late");
    g_autofree char *server = g_strdup_printf("unix:%s,server=on", path);
    g_autofree char *wait = g_strdup_printf("unix:%s,server=on,wait=on", path);
    gint64 start = g_get_monotonic_time();
    Machine m = { 0 };
    Chardev *c;

    g_assert_null(chardev_new(&m, "c0", wait, NULL));
    ASSERT_OK(chardev_new(&m, "c0", server, &failure));
    /* an address from a documentation network, RFC 5737: no answer, or no route */
    c = chardev_new(&m, "c1", "tcp:192.0.2.1:9", NULL);
    g_assert_true(!c || !chardev_is_open(c));
    g_assert_cmpint(g_get_monotonic_time() - start, <, 1000000);
    chardev_free_all(&m);
    *(bool *)opaque = true;
    return G_SOURCE_REMOVE;
}

static void test_no_wait(void)
{
    bool done = false;

    g_idle_add(on_main_loop, &done);
    turn();
    g_assert_true(done);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/chardev/socket-server", test_socket_server);
    g_test_add_func("/chardev/socket-end", test_socket_end);
    g_test_add_func("/chardev/socket-client", test_socket_client);
    g_test_add_func("/chardev/full-peer", test_full_peer);
    g_test_add_func("/chardev/write-now", test_write_now);
    g_test_add_func("/chardev/file-and-pipe", test_file_and_pipe);
    g_test_add_func("/chardev/mux", test_mux);
    g_test_add_func("/chardev/ringbuf", test_ringbuf);
    g_test_add_func("/chardev/log", test_log);
    g_test_add_func("/chardev/log-once", test_log_once);
    g_test_add_func("/chardev/mode", test_mode);
    g_test_add_func("/chardev/reconnect", test_reconnect);
    g_test_add_func("/chardev/no-wait", test_no_wait);
    g_test_add_func("/chardev/refusals", test_refusals);
    return g_test_run();
}
