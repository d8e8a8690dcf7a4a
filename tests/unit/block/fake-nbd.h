/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An NBD server that follows the protocol up to a point and then violates it. It serves one client
 * after another in a thread.
 */
#ifndef TESTS_BLOCK_FAKE_NBD_H
#define TESTS_BLOCK_FAKE_NBD_H

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <glib.h>
#include <glib/gstdio.h>
#include <unistd.h>

typedef enum FakeFault {
    FAKE_SILENT_GREETING, /* accepts a connection and sends nothing */
    FAKE_CLOSES,
    FAKE_BAD_MAGIC,
    FAKE_BAD_OPTION_LENGTH,
    FAKE_BAD_SIZE, /* an export of 2^63 + 4096 bytes */
    FAKE_SILENT_ANSWER,
    FAKE_ANSWER_CLOSES,
    FAKE_ANSWER_MAGIC,
    FAKE_ANSWER_COOKIE,
    FAKE_ANSWER_SHORT /* half of the data, and the end of the connection */
} FakeFault;

static const FakeFault fake_bad_greetings[] = { FAKE_CLOSES, FAKE_BAD_MAGIC, FAKE_BAD_OPTION_LENGTH,
                                                FAKE_BAD_SIZE };
static const FakeFault fake_bad_answers[] = { FAKE_ANSWER_CLOSES, FAKE_ANSWER_MAGIC,
                                              FAKE_ANSWER_COOKIE, FAKE_ANSWER_SHORT };

typedef struct FakeNbd {
    int listener, client;
    FakeFault fault;
    GMutex lock; /* client, stop */
    bool stop;
    GThread *thread;
} FakeNbd;

static inline bool fake_read(int fd, void *buf, size_t len)
{
    return len == 0 || recv(fd, buf, len, MSG_WAITALL) == (ssize_t)len;
}

static inline void fake_put(GByteArray *a, uint64_t value, unsigned bytes)
{
    for (unsigned i = bytes; i-- > 0;) {
        uint8_t b = (uint8_t)(value >> 8 * i);

        g_byte_array_append(a, &b, 1);
    }
}

static inline void fake_send(int fd, GByteArray *a)
{
    if (send(fd, a->data, a->len, MSG_NOSIGNAL) < 0) {
        shutdown(fd, SHUT_RDWR);
    }
    g_byte_array_set_size(a, 0);
}

static inline uint64_t fake_get(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

/* Answer one option. Returns true when the transmission phase begins. */
static inline bool fake_option(const FakeNbd *s, int fd, GByteArray *out, bool *ok)
{
    enum { OPT_GO = 7, REP_ACK = 1, REP_INFO = 3, FLAGS = 1 };
    const uint64_t reply = 0x3e889045565a9, unsupported = 0x80000001;
    uint8_t head[16], data[4096];
    uint32_t option, len;

    *ok = fake_read(fd, head, sizeof(head));
    option = (uint32_t)fake_get(head + 8, 4);
    len = (uint32_t)fake_get(head + 12, 4);
    *ok = *ok && len <= sizeof(data) && fake_read(fd, data, len);
    if (!*ok) {
        return false;
    }
    fake_put(out, reply, 8);
    fake_put(out, option, 4);
    if (option != OPT_GO) {
        fake_put(out, unsupported, 4);
        fake_put(out, s->fault == FAKE_BAD_OPTION_LENGTH ? 0xfffffff0 : 0, 4);
        fake_send(fd, out);
        return false;
    }
    fake_put(out, REP_INFO, 4);
    fake_put(out, 12, 4);
    fake_put(out, 0, 2);
    fake_put(out, s->fault == FAKE_BAD_SIZE ? (1ull << 63) + 4096 : 1 << 20, 8);
    fake_put(out, FLAGS, 2);
    fake_put(out, reply, 8);
    fake_put(out, option, 4);
    fake_put(out, REP_ACK, 4);
    fake_put(out, 0, 4);
    fake_send(fd, out);
    return true;
}

/* Returns false if the client has disconnected or the greeting is to fail. */
static inline bool fake_greet(const FakeNbd *s, int fd, GByteArray *out)
{
    uint8_t flags[4];
    bool ok;

    if (s->fault == FAKE_SILENT_GREETING) {
        fake_read(fd, flags, sizeof(flags)); /* until the client closes */
        return false;
    }
    if (s->fault == FAKE_CLOSES) {
        return false;
    }
    fake_put(out, s->fault == FAKE_BAD_MAGIC ? 1 : 0x4e42444d41474943, 8);
    fake_put(out, 0x49484156454f5054, 8);
    fake_put(out, 3, 2); /* fixed newstyle, no zeroes */
    fake_send(fd, out);
    ok = fake_read(fd, flags, sizeof(flags));
    while (ok && !fake_option(s, fd, out, &ok)) {
    }
    return ok;
}

static inline void fake_serve(const FakeNbd *s, int fd, GByteArray *out)
{
    uint8_t request[28];
    uint32_t len;

    if (!fake_greet(s, fd, out) || !fake_read(fd, request, sizeof(request)) ||
        s->fault == FAKE_ANSWER_CLOSES) {
        return;
    }
    len = (uint32_t)fake_get(request + 24, 4);
    if (s->fault == FAKE_SILENT_ANSWER) {
        while (fake_read(fd, request, sizeof(request))) {
        }
        return;
    }
    fake_put(out, s->fault == FAKE_ANSWER_MAGIC ? 0x12345678 : 0x67446698, 4);
    fake_put(out, 0, 4);
    fake_put(out, fake_get(request + 8, 8) + (s->fault == FAKE_ANSWER_COOKIE), 8);
    for (uint32_t i = 0; i < len / 2; i++) {
        fake_put(out, 0, 1);
    }
    fake_send(fd, out);
}

static inline gpointer fake_thread(gpointer opaque)
{
    FakeNbd *s = opaque;
    GByteArray *out = g_byte_array_new();
    bool stop = false;

    while (!stop) {
        int fd = accept(s->listener, NULL, NULL);

        g_mutex_lock(&s->lock);
        stop = s->stop || fd < 0;
        s->client = fd;
        g_mutex_unlock(&s->lock);
        if (!stop) {
            fake_serve(s, fd, out);
            g_byte_array_set_size(out, 0);
        }
        g_mutex_lock(&s->lock);
        s->client = -1;
        g_mutex_unlock(&s->lock);
        if (fd >= 0) {
            close(fd);
        }
    }
    g_byte_array_unref(out);
    return NULL;
}

static inline FakeNbd *fake_nbd_start(const char *path, FakeFault fault)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    FakeNbd *s = g_new0(FakeNbd, 1);

    g_strlcpy(un.sun_path, path, sizeof(un.sun_path));
    g_unlink(path);
    s->fault = fault;
    s->client = -1;
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(s->listener, (struct sockaddr *)&un, sizeof(un)), ==, 0);
    g_assert_cmpint(listen(s->listener, 5), ==, 0);
    g_mutex_init(&s->lock);
    s->thread = g_thread_new("fake-nbd", fake_thread, s);
    return s;
}

static inline void fake_nbd_stop(FakeNbd *s)
{
    g_mutex_lock(&s->lock);
    s->stop = true;
    if (s->client >= 0) {
        shutdown(s->client, SHUT_RDWR);
    }
    g_mutex_unlock(&s->lock);
    shutdown(s->listener, SHUT_RDWR);
    g_thread_join(s->thread);
    close(s->listener);
    g_mutex_clear(&s->lock);
    g_free(s);
}

#endif
