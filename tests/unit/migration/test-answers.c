/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The return path: answers that arrive byte by byte or several together, long lists, and invalid
 * answers.
 */
#include "fixture.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

typedef struct Path {
    Answers answers;
    Channel *ch;
    int fd, peer;
} Path;

static void path_init(Path *p)
{
    g_autofree char *uri = NULL;
    int fds[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
    uri = g_strdup_printf("fd:%d", fds[0]);
    p->ch = channel_open_out(uri, NULL, NULL);
    p->fd = fds[0]; /* owned by the channel */
    p->peer = fds[1];
    answers_init(&p->answers);
}

static void path_clear(Path *p)
{
    answers_clear(&p->answers);
    channel_free(p->ch);
    if (p->peer >= 0) {
        close(p->peer);
    }
}

static void put(Path *p, uint16_t type, const char *text)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    ByteWriter w = { out };

    stream_put_answer(&w, type, text, strlen(text));
    g_assert_cmpint(write(p->peer, out->data, out->len), ==, out->len);
}

static void test_pieces(void)
{
    static const char bytes[] = "\x42\x06\0\3abc";
    Answer a;
    Path p;

    path_init(&p);
    for (unsigned i = 0; i < sizeof(bytes) - 1; i++) {
        g_assert_cmpint(answers_next(&p.answers, p.ch, &a, NULL), ==, 0);
        g_assert_cmpint(write(p.peer, bytes + i, 1), ==, 1);
    }
    g_assert_cmpint(answers_next(&p.answers, p.ch, &a, NULL), ==, 1);
    g_assert_cmphex(a.type, ==, ANSWER_ERROR);
    g_assert_cmpmem(a.data, a.len, "abc", 3);
    put(&p, ANSWER_ACCEPT, "");
    put(&p, ANSWER_DIGEST, "digest");
    g_assert_cmpint(answers_next(&p.answers, p.ch, &a, NULL), ==, 1);
    g_assert_cmphex(a.type, ==, ANSWER_ACCEPT);
    g_assert_cmpuint(a.len, ==, 0);
    g_assert_cmpint(answers_next(&p.answers, p.ch, &a, NULL), ==, 1);
    g_assert_cmpmem(a.data, a.len, "digest", 6);
    path_clear(&p);
}

static void test_list(void)
{
    g_autoptr(GError) err = NULL;
    Answer a;
    Path p;

    path_init(&p);
    put(&p, ANSWER_MORE, "[{\"device\":");
    g_assert_cmpint(answers_next(&p.answers, p.ch, &a, NULL), ==, 0);
    put(&p, ANSWER_MORE, "\"d0\"}");
    put(&p, ANSWER_DEFICITS, "]");
    g_assert_cmpint(answers_next(&p.answers, p.ch, &a, NULL), ==, 1);
    g_assert_cmpuint(json_object_array_length(a.deficits), ==, 1);
    json_object_put(a.deficits);
    put(&p, ANSWER_DEFICITS, "{}");
    g_assert_cmpint(answers_next(&p.answers, p.ch, &a, &err), ==, -1);
    g_assert_nonnull(strstr(err->message, "malformed"));
    path_clear(&p);
}

static void test_endless_list(void)
{
    g_autofree char *fill = g_strnfill(60000, '[');
    g_autoptr(GError) err = NULL;
    int got = 0;
    Answer a;
    Path p;

    path_init(&p);
    for (unsigned sent = 0; got == 0; sent += 60000) {
        g_assert_cmpuint(sent, <=, MAX_DEFICIT_TEXT);
        put(&p, ANSWER_MORE, fill);
        got = answers_next(&p.answers, p.ch, &a, &err);
    }
    g_assert_cmpint(got, ==, -1);
    g_assert_nonnull(strstr(err->message, "longer than"));
    path_clear(&p);
}

/* Empty pieces do not add to the length of the list. One call reads a part of them only. */
static void test_empty_pieces(void)
{
    static const uint8_t more[4] = { ANSWER_MORE >> 8, ANSWER_MORE & 0xff };
    g_autofree uint8_t *flood = g_malloc(1 << 20);
    int room = 1 << 20, left = 0, calls = 0, got;
    ssize_t sent;
    Answer a;
    Path p;

    path_init(&p);
    setsockopt(p.peer, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    for (size_t at = 0; at < 1 << 20; at += sizeof(more)) {
        memcpy(flood + at, more, sizeof(more));
    }
    sent = send(p.peer, flood, 1 << 20, MSG_DONTWAIT);
    g_assert_cmpint(sent, >, 160 << 10);
    g_assert_cmpint(answers_next(&p.answers, p.ch, &a, NULL), ==, 0);
    g_assert_cmpint(ioctl(p.fd, FIONREAD, &left), ==, 0);
    g_assert_cmpint(left, >, 0);
    g_assert_cmpint(left, <, sent);
    for (; left > 0; calls++) {
        g_assert_cmpint(answers_next(&p.answers, p.ch, &a, NULL), ==, 0);
        g_assert_cmpint(ioctl(p.fd, FIONREAD, &left), ==, 0);
    }
    g_assert_cmpint(calls, <, 1000);
    if (sent % 4) {
        g_assert_cmpint(write(p.peer, more + sent % 4, 4 - sent % 4), ==, 4 - sent % 4);
    }
    put(&p, ANSWER_ACCEPT, "");
    for (got = 0; got == 0;) {
        got = answers_next(&p.answers, p.ch, &a, NULL);
    }
    g_assert_cmpint(got, ==, 1);
    g_assert_cmphex(a.type, ==, ANSWER_ACCEPT);
    path_clear(&p);
}

static void test_closed(void)
{
    g_autoptr(GError) err = NULL;
    Answer a;
    Path p;

    path_init(&p);
    put(&p, ANSWER_RUNS, "");
    close(p.peer);
    p.peer = -1;
    g_assert_cmpint(answers_next(&p.answers, p.ch, &a, &err), ==, 1); /* sent before */
    g_assert_cmpint(answers_next(&p.answers, p.ch, &a, &err), ==, -1);
    g_assert_nonnull(strstr(err->message, "closed"));
    path_clear(&p);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/migration/answers/pieces", test_pieces);
    g_test_add_func("/migration/answers/list", test_list);
    g_test_add_func("/migration/answers/endless-list", test_endless_list);
    g_test_add_func("/migration/answers/empty-pieces", test_empty_pieces);
    g_test_add_func("/migration/answers/closed", test_closed);
    return g_test_run();
}
