/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VNC server: the order of clients, keys that the keyboard cannot report yet, and their
 * releases.
 */
#include <arpa/inet.h>
#include <linux/input.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hw/core/clock.h"
#include "hw/core/keyboard.h"
#include "tests/lib/wait.h"
#include "ui/vnc_internal.h"

static GString *reported; /* "+30 -30 " */
static unsigned room;     /* number of keys that the keyboard accepts */

static bool keyboard_record(void *opaque, uint16_t code, bool down)
{
    if (room == 0)
        return false;
    room--;
    g_string_append_printf(reported, "%c%u ", down ? '+' : '-', code);
    return true;
}

static char *socket_path(void)
{
    return g_strdup_printf("%s/bp-%d-vnc", g_get_tmp_dir(), (int)getpid());
}

static Machine *vnc_machine(void)
{
    g_autofree char *path = socket_path(), *address = g_strdup_printf("unix:%s", path);
    const VncOptions options = { .address = address, .connections = 3 };
    Machine *m = machine_new();
    g_autoptr(GError) err = NULL;

    machine_lock(m);
    clocks_attach(m->clocks);
    keyboard_register(m, keyboard_record, m);
    machine_set_state(m, RUN_RUNNING);
    reported = g_string_new(NULL);
    vnc_start(m, &options, &err);
    g_assert_no_error(err);
    return m;
}

static void vnc_end(Machine *m)
{
    vnc_stop(m);
    keyboard_unregister(m, keyboard_record, m);
    machine_free(m);
    g_string_free(reported, TRUE);
}

/* Receive bytes, which the thread of the client sends without the main loop. */
static void rfb_receive(int fd, size_t n)
{
    char bytes[64];
    ssize_t got;

    g_assert_cmpuint(n, <=, sizeof(bytes));
    for (; n; n -= (size_t)got) {
        wait_readable(fd, "a message of the VNC server", 20);
        got = recv(fd, bytes, n, 0);
        g_assert_cmpint(got, >, 0);
    }
}

/* Connect a client, for which the server starts a thread. */
static int rfb_open(void)
{
    g_autofree char *path = socket_path();
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    char version[12];

    g_strlcpy(un.sun_path, path, sizeof(un.sun_path));
    g_assert_cmpint(connect(fd, (struct sockaddr *)&un, sizeof(un)), ==, 0);
    WAIT_UNTIL (recv(fd, version, sizeof(version), MSG_DONTWAIT) == sizeof(version), 20)
        g_main_context_iteration(NULL, FALSE);
    return fd;
}

static void rfb_handshake(int fd, bool shared)
{
    const char flag = shared;

    g_assert_cmpint(send(fd, "RFB 003.008\n", 12, 0), ==, 12);
    rfb_receive(fd, 2);
    g_assert_cmpint(send(fd, "\1", 1, 0), ==, 1); /* no password */
    rfb_receive(fd, 4);
    g_assert_cmpint(send(fd, &flag, 1, 0), ==, 1);
    rfb_receive(fd, 24 + 9);
}

static int rfb_connect(void)
{
    int fd = rfb_open();

    rfb_handshake(fd, true);
    return fd;
}

static void rfb_key(int fd, char letter, bool down)
{
    const char message[] = { 4, (char)down, 0, 0, 0, 0, 0, letter };

    g_assert_cmpint(send(fd, message, sizeof(message), 0), ==, sizeof(message));
}

static void expect_keys(const char *text)
{
    WAIT_UNTIL (g_str_has_suffix(reported->str, text), 20)
        g_main_context_iteration(NULL, FALSE);
    g_assert_cmpstr(reported->str, ==, text);
}

/* A client that asks for a session of its own disconnects those that were served before it, and not
 * the next one, whenever the main loop runs. */
static void test_exclusive(void)
{
    Machine *m = vnc_machine();
    int first = rfb_open(), owner = rfb_open(), next = rfb_open();
    char byte;

    rfb_handshake(first, true);
    rfb_handshake(owner, false);
    rfb_handshake(next, true);
    wait_readable(first, "the end of the connection", 20);
    g_assert_cmpint(recv(first, &byte, 1, 0), ==, 0);
    WAIT_UNTIL (!m->vnc->clients[0].thread && m->vnc->clients[2].reported == VNC_SERVING, 20)
        g_main_context_iteration(NULL, FALSE);
    room = 2;
    rfb_key(owner, 'a', true);
    expect_keys("+30 ");
    rfb_key(next, 's', true);
    expect_keys("+30 +31 ");
    close(first);
    close(owner);
    close(next);
    vnc_end(m);
}

/* The keyboard is full when a client disconnects that holds a key: the release follows later,
 * before keys of other clients. */
static void test_disconnect(void)
{
    Machine *m = vnc_machine();
    int fd = rfb_connect();

    room = 2;
    rfb_key(fd, 'a', true);
    rfb_key(fd, 's', true);
    for (unsigned i = 0; i < 20; i++) {
        rfb_key(fd, 'b', true);
        rfb_key(fd, 'b', false);
    }
    rfb_key(fd, 's', false); /* waits, and is lost */
    expect_keys("+30 +31 ");
    close(fd);
    WAIT_UNTIL (!m->vnc->clients[0].thread, 20)
        g_main_context_iteration(NULL, FALSE);
    g_assert_cmpstr(reported->str, ==, "+30 +31 ");
    room = 1;
    expect_keys("+30 +31 -30 ");
    room = 100;
    fd = rfb_connect();
    rfb_key(fd, 'a', true);
    rfb_key(fd, 'a', false);
    expect_keys("+30 +31 -30 -31 +30 -30 ");
    close(fd);
    vnc_end(m);
}

static unsigned keys_waiting(Machine *m)
{
    g_mutex_lock(&m->vnc->lock);
    unsigned n = m->vnc->n_keys;
    g_mutex_unlock(&m->vnc->lock);
    return n;
}

/* A client that stays connected: after a second the keyboard's presses are lost, but no release. */
static void test_lost(void)
{
    Machine *m = vnc_machine();
    int fd = rfb_connect();

    room = 1;
    rfb_key(fd, 'a', true);
    expect_keys("+30 ");
    rfb_key(fd, 'a', false);
    rfb_key(fd, 'b', true);
    WAIT_UNTIL (keys_waiting(m) == 2, 20) {
    }
    WAIT_UNTIL (m->vnc->releases[KEY_A / 8] & 1 << KEY_A % 8, 20)
        g_main_context_iteration(NULL, FALSE);
    room = 100;
    expect_keys("+30 -30 ");
    rfb_key(fd, 'b', false); /* was not reported as pressed */
    rfb_key(fd, 'c', true);
    expect_keys("+30 -30 +46 ");
    close(fd);
    expect_keys("+30 -30 +46 -46 ");
    vnc_end(m);
}

/* The keyboard is full when the machine stops: the release follows when the machine continues. */
static void test_stop(void)
{
    Machine *m = vnc_machine();
    int fd = rfb_connect();

    room = 1;
    rfb_key(fd, 'a', true);
    expect_keys("+30 ");
    machine_set_state(m, RUN_PAUSED);
    room = 100;
    WAIT_DURING (50)
        g_main_context_iteration(NULL, FALSE);
    g_assert_cmpstr(reported->str, ==, "+30 ");
    machine_set_state(m, RUN_RUNNING);
    expect_keys("+30 -30 ");
    rfb_key(fd, 'b', true);
    expect_keys("+30 -30 +48 ");
    machine_set_state(m, RUN_PAUSED);
    g_assert_cmpstr(reported->str, ==, "+30 -30 +48 -48 ");
    close(fd);
    vnc_end(m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vnc/exclusive", test_exclusive);
    g_test_add_func("/vnc/disconnect", test_disconnect);
    g_test_add_func("/vnc/lost", test_lost);
    g_test_add_func("/vnc/stop", test_stop);
    return g_test_run();
}
