/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Monitor sessions with clients that read slowly or not at all: no message is truncated or lost,
 * requests wait, memory is bounded, and the last event of each subject arrives. Also the hand-over
 * of a session to the session thread, and clients that disconnect during a command.
 */
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../../monitor/internal.h"
#include "../hw/fixture.h"
#include "tests/lib/ok.h"
#include "tests/lib/wait.h"

typedef struct Rig {
    Machine *m;
    MonitorHost host;
    int fd;
    GString *got;
} Rig;

static void rig_init(Rig *r, bool control, const char *hello)
{
    g_autofree char *options = NULL;
    int pair[2];

    *r = (Rig){ .m = fixture_new(1), .got = g_string_new(NULL) };
    r->host = (MonitorHost){ .name = "guest1" };
    r->m->host = &r->host;
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    options = g_strdup_printf("socket,id=q,fd=%d", pair[0]);
    r->fd = pair[1];
    ASSERT_OK(monitor_open(r->m, chardev_new(r->m, NULL, options, NULL), control, false, &failure));
    g_assert_cmpint(send(r->fd, hello, strlen(hello), 0), ==, (ssize_t)strlen(hello));
}

static void rig_done(Rig *r)
{
    monitor_close_all(r->m);
    chardev_free_all(r->m);
    machine_free(r->m);
    g_string_free(r->got, TRUE);
    close(r->fd);
}

static Monitor *monitor(Rig *r)
{
    return ((MonitorSet *)r->m->monitors)->all->pdata[0];
}

static void turn(void)
{
    for (unsigned i = 0; i < 20 && g_main_context_iteration(NULL, FALSE); i++) {
    }
}

/* Write as many bytes as the socket accepts now. Return their number. */
static size_t push(Rig *r, const char *text, size_t len)
{
    ssize_t n = send(r->fd, text, len, MSG_DONTWAIT);

    turn();
    return MAX(n, 0);
}

static bool pull(Rig *r)
{
    static char buf[1 << 16];
    ssize_t n = recv(r->fd, buf, sizeof(buf), MSG_DONTWAIT);

    if (n > 0) {
        g_string_append_len(r->got, buf, n);
    }
    turn();
    return n > 0;
}

/* Read until the text ends with @end. */
static void pull_until(Rig *r, const char *end)
{
    WAIT_UNTIL (g_str_has_suffix(r->got->str, end), 20) {
        while (pull(r)) {
        }
    }
}

/* Send 60 requests with an id of 256 KiB. No response is read until the socket is full. */
static void slow_reader(const char *hello)
{
    enum { COUNT = 60, BIG = 1 << 18 };
    g_autofree char *filler = g_strnfill(BIG, 'x');
    g_autoptr(GString) all = g_string_new(NULL);
    size_t sent = 0;
    unsigned answers = 0;
    Rig r;

    for (unsigned i = 0; i < COUNT; i++) {
        g_string_append_printf(all, "{'execute':'query-name','id':'%03u%s'}\n", i, filler);
    }
    rig_init(&r, true, hello);
    for (size_t n = 1; n > 0;) { /* the client only writes until it is blocked */
        n = push(&r, all->str + sent, all->len - sent);
        if (!n) {
            wait_quiet();
            n = push(&r, all->str + sent, all->len - sent);
        }
        sent += n;
    }
    g_assert_cmpuint(sent, <, all->len * 2 / 3);
    g_mutex_lock(&monitor(&r)->lock);
    g_assert_cmpuint(monitor(&r)->out->len, <, MONITOR_OUT_MAX + (QMP_QUEUE_MAX + 4) * BIG);
    g_mutex_unlock(&monitor(&r)->lock);
    while (sent < all->len) {
        pull(&r);
        sent += push(&r, all->str + sent, all->len - sent);
    }
    WAIT_UNTIL (answers == COUNT, 60) {
        char *end;

        pull(&r);
        while ((end = strstr(r.got->str, "\r\n"))) {
            g_autofree char *want = g_strdup_printf("\"id\":\"%03u", answers);

            if (strstr(r.got->str, "\"guest1\"") && strstr(r.got->str, "\"guest1\"") < end) {
                g_assert_nonnull(g_strstr_len(r.got->str, 200, want));
                g_assert_cmpint(end - r.got->str, >, BIG);
                answers++;
            }
            g_string_erase(r.got, 0, end + 2 - r.got->str);
        }
    }
    g_mutex_lock(&monitor(&r)->lock);
    g_assert_cmpuint(monitor(&r)->out->allocated_len, <=, MONITOR_KEEP);
    g_mutex_unlock(&monitor(&r)->lock);
    rig_done(&r);
}

static void test_slow(void)
{
    slow_reader("{'execute':'qmp_capabilities'}\n");
}

static void test_slow_oob(void)
{
    slow_reader("{'execute':'qmp_capabilities','arguments':{'enable':['oob']}}\n");
}

static void test_slow_hmp(void)
{
    enum { COUNT = 20000 };
    g_autoptr(GString) all = g_string_new(NULL);
    size_t sent = 0, n = 0;
    Rig r;

    for (unsigned i = 0; i < COUNT; i++) {
        g_string_append_printf(all, "help\rnosuch%05u\r", i);
    }
    rig_init(&r, false, "\r");
    while (sent < all->len) {
        n = push(&r, all->str + sent, all->len - sent);
        sent += n;
        g_assert_cmpuint(monitor(&r)->out->len, <, 2 * MONITOR_OUT_MAX);
        if (!n) {
            pull(&r);
            g_string_truncate(r.got, 0);
        }
    }
    pull_until(&r, "unknown command: 'nosuch19999'\r\n(qemu) ");
    rig_done(&r);
}

static void raise_event(Rig *r, const char *id, unsigned n)
{
    const EventField fields[] = { { "id", EVENT_STR, { .str = id } },
                                  { "n", EVENT_INT, { .number = n } } };

    monitor_event(r->m, &(const Event){ "TEST", { fields, 2 } });
}

static void test_late_events(void)
{
    static const char hello[] = "{'execute':'qmp_capabilities'}\n";
    enum { COUNT = 100000 };
    g_auto(GStrv) lines = NULL;
    Rig r;

    rig_init(&r, true, hello);
    pull_until(&r, "{\"return\":{}}\r\n");
    g_string_truncate(r.got, 0);
    for (unsigned i = 0; i <= COUNT; i++) {
        raise_event(&r, i & 1 ? "odd" : "even", i);
    }
    g_assert_cmpuint(monitor(&r)->out->len, <, 2 * MONITOR_OUT_MAX);
    g_assert_cmpuint(monitor(&r)->late.length, ==, 2);
    pull_until(&r, "\"n\":100000}}\r\n");
    g_assert_nonnull(strstr(r.got->str, "\"n\":99999}}\r\n"));
    g_assert_cmpuint(monitor(&r)->late.length, ==, 0);
    lines = g_strsplit(r.got->str, "\r\n", -1);
    for (char **line = lines; *line && **line; line++) {
        struct json_object *o = json_tokener_parse(*line);

        g_assert_nonnull(o);
        json_object_put(o);
    }
    rig_done(&r);
}

static void test_refused(void)
{
    g_autoptr(GString) ones = g_string_new("{'execute':'query-name','id':[1");
    g_autofree char *digits = g_strnfill(7000000, '1');
    Rig r;

    rig_init(&r, true, "{'execute':'qmp_capabilities'}\n{'execute':'a','execute':'b'}\n");
    pull_until(&r, "the request has 'execute' twice in one object\"}}\r\n");
    for (unsigned i = 0; i < 7000000; i++) {
        g_string_append(ones, ",1");
    }
    for (size_t at = 0; at < ones->len;) {
        at += push(&r, ones->str + at, ones->len - at);
    }
    pull_until(&r, "the text has too many values\"}}\r\n");
    push(&r, "\n{'id':", 7);
    for (size_t at = 0; at < 7000000;) {
        at += push(&r, digits + at, 7000000 - at);
    }
    pull_until(&r, "a number is too long\"}}\r\n");
    push(&r, "\n{'execute':'query-name'}", 25);
    pull_until(&r, "{\"return\":{\"name\":\"guest1\"}}\r\n");
    rig_done(&r);
}

/*
 * A client negotiates out-of-band commands and sends further requests in one write. None of them
 * runs in the session thread. query-commands would fail there, because it is not marked QMP_OOB,
 * and MonitorSet.current is set only by the main loop.
 */
static void test_hand_over(void)
{
    for (unsigned i = 0; i < 200; i++) {
        Rig r;

        rig_init(&r, true,
                 "{'execute':'qmp_capabilities','arguments':{'enable':['oob']}}\n"
                 "{'execute':'query-name','id':1}\n");
        WAIT_UNTIL (__atomic_load_n(&monitor(&r)->threaded, __ATOMIC_ACQUIRE), 20) {
            turn();
        }
        g_assert_cmpint(send(r.fd, "{'execute':'query-name','id':2}\n", 32, 0), ==, 32);
        wait_elapse(i % 3 ? 0 : 500, "the session thread is at another place");
        pull_until(&r, "\"id\":2}\r\n");
        rig_done(&r);
    }
}

/* --- a client that disconnects while the main loop executes its command --- */

typedef struct Departure {
    Rig rig;
    char *folder, *path;
    bool before; /* the client is replaced before the command defers its response */
    QmpDeferred *deferred;
} Departure;

static Departure *departure; /* of the running test: MonitorHost has no argument for it */

static int departure_connect(const Departure *d)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(to.sun_path, d->path, sizeof(to.sun_path));
    g_assert_cmpint(connect(fd, (struct sockaddr *)&to, sizeof(to)), ==, 0);
    return fd;
}

/* Disconnect, and connect the next client. Each changes the number of the connection. */
static void departure_replace_client(Departure *d)
{
    Monitor *mon = monitor(&d->rig);
    unsigned generation = __atomic_load_n(&mon->generation, __ATOMIC_RELAXED);

    close(d->rig.fd);
    d->rig.fd = departure_connect(d);
    WAIT_UNTIL (__atomic_load_n(&mon->generation, __ATOMIC_RELAXED) == generation + 2, 20) {
    }
}

/* The command chardev-add, which defers its response. */
static bool departure_add(Machine *m, const char *kind, struct json_object *o, GError **err)
{
    if (departure->before) {
        departure_replace_client(departure);
    }
    departure->deferred = qmp_defer(m);
    if (!departure->before) {
        departure_replace_client(departure);
    }
    return false;
}

/* The next client receives its own responses only, and does not wait for the deferred command. */
static void check_departure(bool before)
{
    static const char hello[] = "{'execute':'qmp_capabilities','arguments':{'enable':['oob']}}\n",
                      add[] = "{'execute':'chardev-add','arguments':{'id':'x',"
                              "'backend':{'type':'null','data':{}}}}\n",
                      name[] = "{'execute':'query-name'}\n";
    Departure d = { .before = before, .folder = g_dir_make_tmp("test-session-XXXXXX", NULL) };
    g_autofree char *options = NULL;
    Rig *r = &d.rig;

    departure = &d;
    d.path = g_build_filename(d.folder, "qmp", NULL);
    options = g_strdup_printf("socket,id=q,path=%s,server=on,wait=off", d.path);
    *r = (Rig){ .m = fixture_new(1), .got = g_string_new(NULL) };
    r->host = (MonitorHost){ .name = "guest1", .host_add = departure_add };
    r->m->host = &r->host;
    ASSERT_OK(monitor_open(r->m, chardev_new(r->m, NULL, options, NULL), true, false, &failure));
    r->fd = departure_connect(&d);
    g_assert_cmpint(send(r->fd, hello, strlen(hello), 0), ==, (ssize_t)strlen(hello));
    WAIT_UNTIL (__atomic_load_n(&monitor(r)->threaded, __ATOMIC_ACQUIRE), 20) {
        turn();
    }
    g_assert_cmpint(send(r->fd, add, strlen(add), 0), ==, (ssize_t)strlen(add));
    WAIT_UNTIL (d.deferred != NULL, 20) {
        turn();
    }
    g_assert_cmpint(send(r->fd, hello, strlen(hello), 0), ==, (ssize_t)strlen(hello));
    pull_until(r, "{\"return\":{}}\r\n");
    g_string_truncate(r->got, 0);
    g_assert_cmpint(send(r->fd, name, strlen(name), 0), ==, (ssize_t)strlen(name));
    pull_until(r, "{\"return\":{\"name\":\"guest1\"}}\r\n");
    qmp_deferred_finish(d.deferred, json_object_new_object(), NULL);
    g_string_truncate(r->got, 0);
    g_assert_cmpint(send(r->fd, name, strlen(name), 0), ==, (ssize_t)strlen(name));
    pull_until(r, "\r\n");
    g_assert_cmpstr(r->got->str, ==, "{\"return\":{\"name\":\"guest1\"}}\r\n");
    rig_done(r);
    g_rmdir(d.folder);
    g_free(d.folder);
    g_free(d.path);
}

static void test_departure_before(void)
{
    check_departure(true);
}

static void test_departure_after(void)
{
    check_departure(false);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/session/slow", test_slow);
    g_test_add_func("/session/slow-oob", test_slow_oob);
    g_test_add_func("/session/slow-hmp", test_slow_hmp);
    g_test_add_func("/session/late-events", test_late_events);
    g_test_add_func("/session/refused", test_refused);
    g_test_add_func("/session/hand-over", test_hand_over);
    g_test_add_func("/session/departure-before", test_departure_before);
    g_test_add_func("/session/departure-after", test_departure_after);
    return g_test_run();
}
