/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A front end that records input and events, and the functions of the machine that chardev/ uses.
 * A test program includes this header once.
 */
#ifndef TESTS_UNIT_CHARDEV_FRONT_H
#define TESTS_UNIT_CHARDEV_FRONT_H

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "chardev/chardev.h"

static int quit_requests;

void machine_request(Machine *m, ShutdownCause cause, int exit_status)
{
    quit_requests++;
}

/* No path of these tests denotes a set of descriptors. */
bool machine_open_fdset(Machine *m, const char *path, bool write, int *fd)
{
    return false;
}

typedef struct Front {
    ChardevFront f;
    GString *got;
    size_t room;
    unsigned opened, closed, breaks, focused;
    size_t at_break; /* number of bytes before the last break */
} Front;

static size_t front_can_read(void *opaque)
{
    return ((Front *)opaque)->room;
}

static void front_read(void *opaque, const uint8_t *buf, size_t len)
{
    Front *f = opaque;

    g_assert_cmpuint(len, <=, f->room);
    g_string_append_len(f->got, (const char *)buf, (gssize)len);
    f->room -= len;
}

static void front_event(void *opaque, ChardevEvent event)
{
    Front *f = opaque;

    f->opened += event == CHARDEV_OPENED;
    f->closed += event == CHARDEV_CLOSED;
    f->breaks += event == CHARDEV_BREAK;
    f->focused += event == CHARDEV_FOCUSED;
    if (event == CHARDEV_BREAK) {
        f->at_break = f->got->len;
    }
}

static inline void front_init(Front *f)
{
    *f = (Front){ .f = { front_can_read, front_read, front_event, NULL, f },
                  .got = g_string_new(NULL),
                  .room = 1 << 20 };
}

static inline void front_done(Front *f)
{
    g_string_free(f->got, TRUE);
}

/* Connect to a unix socket. */
static inline int connect_unix(const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(un.sun_path, path, sizeof(un.sun_path));
    g_assert_cmpint(connect(fd, (struct sockaddr *)&un, sizeof(un)), ==, 0);
    return fd;
}

#endif
