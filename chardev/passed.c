/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input with the descriptors that the peer of a unix socket passes.
 */
#include "internal.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void chardev_keep_passed(Chardev *c, const int *fds, size_t n)
{
    g_mutex_lock(&c->out_lock);
    for (size_t i = 0; i < n; i++) {
        if (c->n_passed < CHARDEV_PASSED) {
            c->passed[c->n_passed++] = fds[i];
        } else {
            close(fds[i]);
        }
    }
    g_mutex_unlock(&c->out_lock);
}

int chardev_take_passed_fd(Chardev *c)
{
    int fd = -1;

    g_mutex_lock(&c->out_lock);
    if (c->n_passed) {
        fd = c->passed[0];
        memmove(c->passed, c->passed + 1, --c->n_passed * sizeof(int));
    }
    g_mutex_unlock(&c->out_lock);
    return fd;
}

ssize_t chardev_read_input(Chardev *c, int fd, uint8_t *buf, size_t len)
{
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(CHARDEV_PASSED * sizeof(int))];
    } control;
    struct iovec iov = { buf, len };
    struct msghdr msg = { .msg_iov = &iov,
                          .msg_iovlen = 1,
                          .msg_control = control.bytes,
                          .msg_controllen = sizeof(control.bytes) };
    ssize_t n;

    if (!c->is_socket) {
        return read(fd, buf, len);
    }
    n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    for (struct cmsghdr *h = n >= 0 ? CMSG_FIRSTHDR(&msg) : NULL; h; h = CMSG_NXTHDR(&msg, h)) {
        if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
            int fds[CHARDEV_PASSED];
            size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

            memcpy(fds, CMSG_DATA(h), count * sizeof(int));
            chardev_keep_passed(c, fds, count);
        }
    }
    return n;
}
