/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Character back ends on a network: the commands of telnet within the bytes, and datagrams of UDP.
 */
#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front.h"
#include "tests/lib/ok.h"
#include "tests/lib/wait.h"

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
    int fd = connect_unix(path);

    wait_quiet();
    expect_bytes(fd, GREETING, sizeof(GREETING) - 1);
    return fd;
}

static const struct {
    const char *name, *sent, *got, *answer;
    size_t n_sent, n_got, n_answer;
    unsigned breaks;
    size_t at_break;
} telnet_cases[] = {
#define CASE(name, sent, got, answer, ...)                                                         \
    {                                                                                              \
        name, sent, got, answer, sizeof(sent) - 1, sizeof(got) - 1, sizeof(answer) - 1,            \
            __VA_ARGS__                                                                            \
    }
    CASE("data", "abc", "abc", "", 0),
    CASE("byte 255", "a\377\377b", "a\377b", "", 0),
    CASE("agreement", "\377\375\1\377\375\3\377\373\0x", "x", "", 0),
    CASE("refusal of an offer", "\377\373\37x", "x", "\377\376\37", 0),
    CASE("refusal of a request", "\377\375\5x", "x", "\377\374\5", 0),
    CASE("offer of no go-ahead", "\377\373\3x", "x", "\377\375\3", 0),
    CASE("refusals get no answer", "\377\374\37\377\376\5x", "x", "", 0),
    CASE("parameters", "a\377\372\30\0\377\377x\377\360b", "ab", "", 0),
    CASE("break", "ab\377\363c", "abc", "", 1, 2),
    CASE("two breaks", "\377\363\377\363a\377\363", "a", "", 3, 1),
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
        front_init(&f);
        ASSERT_OK(chardev_attach(c, &f.f, &failure));
        fd = telnet_connect(path);
        for (size_t at = 0; at < telnet_cases[k].n_sent; at += step) {
            g_assert_cmpint(write(fd, telnet_cases[k].sent + at, step), ==, step);
            wait_quiet();
        }
        g_assert_cmpmem(f.got->str, f.got->len, telnet_cases[k].got, telnet_cases[k].n_got);
        g_assert_cmpuint(f.breaks, ==, telnet_cases[k].breaks);
        g_assert_cmpuint(f.at_break, ==, telnet_cases[k].at_break);
        chardev_write(c, "end", 3);
        expect_bytes(fd, telnet_cases[k].answer, telnet_cases[k].n_answer);
        expect_bytes(fd, "end", 3);
        close(fd);
        chardev_free_all(&m);
        front_done(&f);
    }
}

/* Reads the output of a telnet server: data, and refusals of the option that the peer offered. */
typedef struct Output {
    uint8_t command[3];
    unsigned n; /* bytes of a command, received so far */
    size_t at;  /* bytes of data */
    unsigned refusals;
} Output;

enum { OUTPUT_TOTAL = 12 << 20, OUTPUT_ODD = 1 << 20 };

/* The data is 255 except for one byte, behind which the free space of the buffer is odd. */
static void output_byte(Output *o, uint8_t byte)
{
    o->command[o->n++] = byte;
    if (o->n == 1 && byte == 0xff) {
        return;
    }
    if (o->n == 2 && byte == 0xfe) {
        return;
    }
    if (o->n == 3) {
        g_assert_cmpuint(byte, ==, 0x1f);
        o->refusals++;
    } else {
        g_assert_cmpuint(o->n, ==, o->at == OUTPUT_ODD ? 1 : 2);
        g_assert_cmpuint(byte, ==, o->at == OUTPUT_ODD ? 'x' : 0xff);
        o->at++;
    }
    o->n = 0;
}

static void output_read(Output *o, int fd, size_t limit)
{
    g_autofree uint8_t *bytes = g_malloc(limit);
    ssize_t n = recv(fd, bytes, limit, MSG_DONTWAIT);

    for (ssize_t i = 0; i < n; i++) {
        output_byte(o, bytes[i]);
    }
}

/* Each byte 255 of the output arrives twice, and answers arrive complete and between bytes, also
 * when the peer lets the buffer fill. */
static void test_telnet_output(void)
{
    g_autofree char *path = g_strdup_printf("%s/bp-%d-telnet", g_get_tmp_dir(), (int)getpid());
    g_autofree char *options = g_strdup_printf("socket,path=%s,server=on,wait=off,telnet=on", path);
    g_autofree uint8_t *data = g_malloc(OUTPUT_TOTAL);
    Machine m = { 0 };
    Chardev *c = chardev_new(&m, "c0", options, NULL);
    Output o = { 0 };
    size_t sent;
    Front f;
    int fd;

    g_assert_nonnull(c);
    front_init(&f);
    ASSERT_OK(chardev_attach(c, &f.f, &failure));
    memset(data, 0xff, OUTPUT_TOTAL);
    data[OUTPUT_ODD] = 'x';
    fd = telnet_connect(path);
    sent = chardev_write(c, data, OUTPUT_TOTAL);
    g_assert_cmpuint(sent, >, CHARDEV_BUFFER / 2 - 1);
    g_assert_cmpuint(sent, <, OUTPUT_TOTAL);
    while (o.at < OUTPUT_TOTAL) {
        output_read(&o, fd, 256 << 10);
        wait_quiet(); /* the buffer has room for the answer, between two calls of chardev_write() */
        g_assert_cmpint(write(fd, "\377\373\37", 3), ==, 3);
        wait_quiet();
        sent += chardev_write(c, data + sent, OUTPUT_TOTAL - sent);
    }
    g_assert_cmpuint(sent, ==, OUTPUT_TOTAL);
    g_assert_cmpuint(o.refusals, >, 0);
    close(fd);
    chardev_free_all(&m);
    front_done(&f);
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
    front_init(&f);
    f.room = 3;
    ASSERT_OK(chardev_attach(c, &f.f, &failure));
    g_assert_cmpuint(chardev_write(c, "hello", 5), ==, 5);
    g_assert_cmpint(recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&own, &len), ==, 5);
    g_assert_cmpmem(buf, 5, "hello", 5);
    /* a datagram larger than the room arrives in parts; an empty one, and a stranger's, do not */
    g_assert_cmpint(sendto(fd, "", 0, 0, (struct sockaddr *)&own, len), ==, 0);
    g_assert_cmpint(sendto(stranger, "bad", 3, 0, (struct sockaddr *)&own, len), ==, 3);
    g_assert_cmpint(sendto(fd, "answer", 6, 0, (struct sockaddr *)&own, len), ==, 6);
    g_assert_cmpint(sendto(fd, "2", 1, 0, (struct sockaddr *)&own, len), ==, 1);
    WAIT_MAIN(f.got->len >= 3, 20);
    g_assert_cmpmem(f.got->str, f.got->len, "ans", 3);
    f.room = 10;
    chardev_accept_input(c);
    WAIT_MAIN(f.got->len >= 7, 20);
    g_assert_cmpmem(f.got->str, f.got->len, "answer2", 7);
    close(fd); /* the datagrams are refused, and the error is reported with the next one */
    for (unsigned i = 0; i < 3; i++) {
        g_assert_cmpuint(chardev_write(c, "lost", 4), ==, 4);
        wait_quiet();
    }
    g_assert_true(chardev_is_open(c));
    fd = socket(AF_INET, SOCK_DGRAM, 0); /* the peer is back */
    g_assert_cmpint(bind(fd, (struct sockaddr *)&peer, sizeof(peer)), ==, 0);
    g_assert_cmpuint(chardev_write(c, "after", 5), ==, 5);
    if (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) != 5) {
        g_assert_cmpuint(chardev_write(c, "after", 5), ==, 5);
        g_assert_cmpint(recv(fd, buf, sizeof(buf), 0), ==, 5);
    }
    g_assert_cmpmem(buf, 5, "after", 5);
    g_assert_cmpint(sendto(fd, "3", 1, 0, (struct sockaddr *)&own, len), ==, 1);
    WAIT_MAIN(f.got->len >= 8, 20);
    g_assert_cmpmem(f.got->str, f.got->len, "answer23", 8);
    close(fd);
    close(stranger);
    chardev_free_all(&m);
    front_done(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/chardev/telnet-input", test_telnet_input);
    g_test_add_func("/chardev/telnet-output", test_telnet_output);
    g_test_add_func("/chardev/udp", test_udp);
    return g_test_run();
}
