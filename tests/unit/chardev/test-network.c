/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Character back ends on a network: the commands of telnet within the bytes, and datagrams of UDP.
 */
#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "chardev/chardev.h"
#include "tests/lib/wait.h"

void machine_request(Machine *m, ShutdownCause cause, int exit_status)
{
}

bool machine_open_fdset(Machine *m, const char *path, bool write, int *fd)
{
    return false;
}

typedef struct Front {
    ChardevFront f;
    GByteArray *got;
    size_t room;
    unsigned breaks;
} Front;

static size_t front_can_read(void *opaque)
{
    return ((Front *)opaque)->room;
}

static void front_read(void *opaque, const uint8_t *buf, size_t len)
{
    Front *f = opaque;

    g_assert_cmpuint(len, <=, f->room);
    g_byte_array_append(f->got, buf, (guint)len);
    f->room -= len;
}

static void front_event(void *opaque, ChardevEvent event)
{
    ((Front *)opaque)->breaks += event == CHARDEV_BREAK;
}

static void front_attach(Front *f, Chardev *c, size_t room)
{
    *f = (Front){ .f = { front_can_read, front_read, front_event, NULL, f },
                  .got = g_byte_array_new(),
                  .room = room };
    g_assert_true(chardev_attach(c, &f->f, NULL));
}

/* --- telnet --- */

#define GREETING "\377\373\1\377\373\3\377\373\0\377\375\0"

static void expect_bytes(int fd, const char *want, size_t len)
{
    uint8_t buf[64];

    g_assert_cmpuint(len, <=, sizeof(buf));
    g_assert_cmpint(recv(fd, buf, len, MSG_WAITALL), ==, len);
    g_assert_cmpmem(buf, len, want, len);
}

static int telnet_connect(const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(un.sun_path, path, sizeof(un.sun_path));
    g_assert_cmpint(connect(fd, (struct sockaddr *)&un, sizeof(un)), ==, 0);
    wait_quiet();
    expect_bytes(fd, GREETING, sizeof(GREETING) - 1);
    return fd;
}

static const struct {
    const char *name, *sent, *got, *answer;
    size_t n_sent, n_got, n_answer;
    unsigned breaks;
} telnet_cases[] = {
#define CASE(name, sent, got, answer, breaks)                                                      \
    {                                                                                              \
        name, sent, got, answer, sizeof(sent) - 1, sizeof(got) - 1, sizeof(answer) - 1, breaks     \
    }
    CASE("data", "abc", "abc", "", 0),
    CASE("byte 255", "a\377\377b", "a\377b", "", 0),
    CASE("agreement", "\377\375\1\377\375\3\377\373\0x", "x", "", 0),
    CASE("refusal of an offer", "\377\373\37x", "x", "\377\376\37", 0),
    CASE("refusal of a request", "\377\375\5x", "x", "\377\374\5", 0),
    CASE("offer of no go-ahead", "\377\373\3x", "x", "\377\375\3", 0),
    CASE("refusals get no answer", "\377\374\37\377\376\5x", "x", "", 0),
    CASE("parameters", "a\377\372\30\0\377\377x\377\360b", "ab", "", 0),
    CASE("break", "a\377\363b", "ab", "", 1),
    CASE("no operation", "a\377\361b", "ab", "", 0),
    CASE("end of line", "a\r\0b\r\n", "a\rb\r\n", "", 0),
    CASE("end of line in binary", "\377\373\0a\r\0b", "a\r\0b", "", 0),
};

/* Each case is sent in one piece, and byte by byte: a command may be divided between reads. */
static void test_telnet_input(void)
{
    g_autofree char *path = g_strdup_printf("%s/bp-%d-telnet", g_get_tmp_dir(), (int)getpid());
    g_autofree char *options = g_strdup_printf("socket,path=%s,server=on,wait=off,telnet=on", path);

    for (size_t i = 0; i < 2 * G_N_ELEMENTS(telnet_cases); i++) {
        size_t k = i / 2, step = i % 2 ? 1 : telnet_cases[k].n_sent;
        Machine m = { 0 };
        Chardev *c = chardev_new(&m, "c0", options, NULL);
        Front f;
        int fd;

        g_test_message("%s, %zu bytes per write", telnet_cases[k].name, step);
        g_assert_nonnull(c);
        front_attach(&f, c, 1 << 20);
        fd = telnet_connect(path);
        for (size_t at = 0; at < telnet_cases[k].n_sent; at += step) {
            g_assert_cmpint(write(fd, telnet_cases[k].sent + at, step), ==, step);
            wait_quiet();
        }
        g_assert_cmpmem(f.got->data, f.got->len, telnet_cases[k].got, telnet_cases[k].n_got);
        g_assert_cmpuint(f.breaks, ==, telnet_cases[k].breaks);
        chardev_write(c, "end", 3);
        expect_bytes(fd, telnet_cases[k].answer, telnet_cases[k].n_answer);
        expect_bytes(fd, "end", 3);
        close(fd);
        chardev_free_all(&m);
        g_byte_array_unref(f.got);
    }
}

/* Each byte 255 of the output arrives twice, also when the peer reads slowly. */
static void test_telnet_output(void)
{
    enum { TOTAL = 1 << 20 };
    g_autofree char *path = g_strdup_printf("%s/bp-%d-telnet", g_get_tmp_dir(), (int)getpid());
    g_autofree char *options = g_strdup_printf("socket,path=%s,server=on,wait=off,telnet=on", path);
    g_autofree uint8_t *data = g_malloc(TOTAL), *got = g_malloc(4096);
    size_t at = 0;
    bool escaped = false;
    Machine m = { 0 };
    Chardev *c = chardev_new(&m, "c0", options, NULL);
    int fd;

    g_assert_nonnull(c);
    for (size_t i = 0; i < TOTAL; i++) {
        data[i] = i % 3 ? 0xff : (uint8_t)(i / 3);
    }
    fd = telnet_connect(path);
    g_assert_cmpuint(chardev_write(c, data, TOTAL), ==, TOTAL);
    while (at < TOTAL) {
        ssize_t n = recv(fd, got, 4096, MSG_DONTWAIT);

        for (ssize_t i = 0; i < n; i++) {
            escaped = got[i] == 0xff && !escaped;
            if (!escaped) {
                g_assert_cmpuint(got[i], ==, data[at]);
                at++;
            }
        }
        g_main_context_iteration(NULL, FALSE);
    }
    close(fd);
    chardev_free_all(&m);
}

/* --- UDP --- */

static int udp_socket(struct sockaddr_in *at)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    socklen_t len = sizeof(*at);

    *at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    g_assert_cmpint(bind(fd, (struct sockaddr *)at, sizeof(*at)), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)at, &len), ==, 0);
    return fd;
}

static void test_udp(void)
{
    struct sockaddr_in peer, other, own;
    int fd = udp_socket(&peer), stranger = udp_socket(&other);
    g_autofree char *options = g_strdup_printf("udp:127.0.0.1:%d", ntohs(peer.sin_port));
    socklen_t len = sizeof(own);
    Machine m = { 0 };
    Chardev *c = chardev_new(&m, "c0", options, NULL);
    char buf[16];
    Front f;

    g_assert_nonnull(c);
    g_assert_true(chardev_is_open(c));
    front_attach(&f, c, 3);
    g_assert_cmpuint(chardev_write(c, "hello", 5), ==, 5);
    g_assert_cmpint(recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&own, &len), ==, 5);
    g_assert_cmpmem(buf, 5, "hello", 5);
    /* a datagram larger than the room arrives in parts; an empty one, and a stranger's, do not */
    g_assert_cmpint(sendto(fd, "", 0, 0, (struct sockaddr *)&own, len), ==, 0);
    g_assert_cmpint(sendto(stranger, "bad", 3, 0, (struct sockaddr *)&own, len), ==, 3);
    g_assert_cmpint(sendto(fd, "answer", 6, 0, (struct sockaddr *)&own, len), ==, 6);
    g_assert_cmpint(sendto(fd, "2", 1, 0, (struct sockaddr *)&own, len), ==, 1);
    wait_quiet();
    g_assert_cmpmem(f.got->data, f.got->len, "ans", 3);
    f.room = 10;
    chardev_accept_input(c);
    wait_quiet();
    g_assert_cmpmem(f.got->data, f.got->len, "answer2", 7);
    close(fd); /* the next datagram is refused, and the one after it is sent */
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmpuint(chardev_write(c, "lost", 4), ==, 4);
        wait_quiet();
    }
    g_assert_true(chardev_is_open(c));
    close(stranger);
    chardev_free_all(&m);
    g_byte_array_unref(f.got);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/chardev/telnet-input", test_telnet_input);
    g_test_add_func("/chardev/telnet-output", test_telnet_output);
    g_test_add_func("/chardev/udp", test_udp);
    return g_test_run();
}
