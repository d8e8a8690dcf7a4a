/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events: each reaches the client with its data and the time at which it was raised. Events that
 * guests can raise at any rate are sent immediately, then once per interval with the latest data,
 * separately for each port. No state is kept for a port without events.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../../monitor/internal.h"
#include "../hw/fixture.h"
#include "hw/core/clock.h"
#include "tests/lib/ok.h"

enum { SECOND = 1000000000 };

typedef struct Rig {
    Machine *m;
    int fd;
    int64_t now;
} Rig;

/* Return the received event without the members that the tests do not compare; g_free. */
static char *heard(Rig *r)
{
    char text[8192];
    ssize_t n;

    for (unsigned i = 0; i < 50; i++) {
        g_main_context_iteration(NULL, FALSE);
    }
    n = recv(r->fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    return g_strndup(text, MAX(n, 0));
}

static void rig_init(Rig *r)
{
    static const char hello[] = "{'execute':'qmp_capabilities'}\n";
    g_autofree char *options = NULL, *answer = NULL;
    int pair[2];

    *r = (Rig){ .m = fixture_new(1) };
    r->m->qtest = true;
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    options = g_strdup_printf("socket,id=q,fd=%d", pair[0]);
    r->fd = pair[1];
    ASSERT_OK(monitor_open(r->m, chardev_new(r->m, NULL, options, NULL), true, false, &failure));
    g_assert_cmpint(send(r->fd, hello, strlen(hello), 0), ==, (ssize_t)strlen(hello));
    answer = heard(r);
    g_assert_nonnull(strstr(answer, "return"));
}

static void rig_done(Rig *r)
{
    monitor_close_all(r->m);
    chardev_free_all(r->m);
    machine_free(r->m);
    close(r->fd);
}

static void step(Rig *r, int64_t ns)
{
    g_assert_true(clocks_step_to(r->m->clocks, r->now += ns));
}

static void port(Rig *r, const char *id, bool open)
{
    const EventField fields[] = { { "id", EVENT_STR, { .str = id } },
                                  { "open", EVENT_BOOL, { .on = open } } };

    monitor_event(r->m, &(const Event){ "VSERPORT_CHANGE", { fields, 2 } });
}

/* Check the ports that opened and closed, in order, as in "p0+ p1-". */
static void expect(Rig *r, const char *want)
{
    g_autofree char *text = heard(r);
    g_auto(GStrv) lines = g_strsplit(text, "\r\n", -1);
    g_autoptr(GString) got = g_string_new(NULL);

    for (char **line = lines; *line && **line; line++) {
        struct json_object *o = json_tokener_parse(*line), *data;

        g_assert_true(json_object_object_get_ex(o, "data", &data));
        g_assert_nonnull(json_object_object_get(o, "timestamp"));
        g_string_append_printf(got, "%s%s%c", got->len ? " " : "",
                               json_object_get_string(json_object_object_get(data, "id")),
                               json_object_get_boolean(json_object_object_get(data, "open")) ? '+'
                                                                                             : '-');
        json_object_put(o);
    }
    g_assert_cmpstr(got->str, ==, want);
}

static void test_limited(void)
{
    Rig r;

    rig_init(&r);
    port(&r, "p0", true);
    expect(&r, "p0+");
    for (unsigned i = 0; i < 1000; i++) {
        port(&r, "p0", i & 1);
    }
    port(&r, "p0", false);
    port(&r, "p1", true); /* another port is not delayed */
    expect(&r, "p1+");
    step(&r, SECOND - 1);
    expect(&r, "");
    step(&r, 1);
    expect(&r, "p0-");
    port(&r, "p0", true); /* the delayed event started its own interval */
    expect(&r, "");
    step(&r, SECOND);
    expect(&r, "p0+");
    step(&r, SECOND);
    expect(&r, "");
    port(&r, "p0", false);
    expect(&r, "p0-");
    rig_done(&r);
}

/* Intervals without events are freed, for any number of names. */
static void test_forgotten(void)
{
    Rig r;

    rig_init(&r);
    for (unsigned i = 0; i < 100; i++) {
        g_autofree char *id = g_strdup_printf("p%u", i);

        port(&r, id, true);
        port(&r, id, false);
    }
    g_assert_cmpuint(g_hash_table_size(((MonitorSet *)r.m->monitors)->held), ==, 100);
    step(&r, 2ll * SECOND);
    g_assert_cmpuint(g_hash_table_size(((MonitorSet *)r.m->monitors)->held), ==, 0);
    port(&r, "p0", true);
    port(&r, "p0", false); /* pending when the monitor closes */
    rig_done(&r);
}

/* Other events are not delayed at any rate, and do not require a client. */
static void test_others(void)
{
    Rig r;
    g_autofree char *text = NULL;
    Machine *alone = machine_new();

    rig_init(&r);
    for (unsigned i = 0; i < 3; i++) {
        monitor_event(r.m, &(const Event){ "STOP" });
    }
    text = heard(&r);
    for (unsigned i = 0; i < 3; i++) {
        char *at = strstr(text, "\"STOP\"");

        g_assert_nonnull(at);
        *at = ' ';
    }
    g_assert_null(strstr(text, "\"data\""));
    rig_done(&r);
    monitor_event(alone, &(const Event){ "VSERPORT_CHANGE" });
    machine_free(alone);
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;

    for (const char *at = text; (at = strstr(at, what)); at++) {
        n++;
    }
    return n;
}

static void raise_event(Rig *r, const char *event, const char *key, const char *name, unsigned n)
{
    const EventField fields[] = { { key, EVENT_STR, { .str = name } },
                                  { "n", EVENT_INT, { .number = n } },
                                  { "guest", EVENT_BOOL, { .on = true } } };

    monitor_event(r->m, &(const Event){ event, { fields, G_N_ELEMENTS(fields) } });
}

/* The first events of a burst are sent immediately, then one per second with the latest data,
 * separately for each device. */
static void test_bursts(void)
{
    static const char *const events[] = { "BLOCK_IO_ERROR", "RESET" };
    Rig r;

    rig_init(&r);
    for (size_t i = 0; i < G_N_ELEMENTS(events); i++) {
        g_autofree char *first = NULL, *later = NULL;

        for (unsigned n = 1; n <= 100000; n++) {
            raise_event(&r, events[i], "qom-path", "/d0", n);
        }
        first = heard(&r);
        g_assert_cmpuint(count(first, "/d0"), ==, 16);
        step(&r, SECOND);
        later = heard(&r);
        g_assert_cmpuint(count(later, "/d0"), ==, 1);
        g_assert_nonnull(strstr(later, "\"n\":100000,"));
        step(&r, 2ll * SECOND);
    }
    for (unsigned n = 0; n < 50; n++) { /* requested by the user: all are sent */
        monitor_event(r.m, &(const Event){ "RESET" });
    }
    g_autofree char *users = heard(&r);

    g_assert_cmpuint(count(users, "RESET"), ==, 50);
    rig_done(&r);
}

/* Of two related events, the one that was raised last is sent last. */
static void test_pair(void)
{
    static const char *const events[] = { "NETDEV_STREAM_CONNECTED", "NETDEV_STREAM_DISCONNECTED" };
    Rig r;

    for (unsigned last = 100; last < 102; last++) {
        g_autofree char *text = NULL, *end = NULL;

        rig_init(&r);
        for (unsigned n = 0; n <= last; n++) {
            raise_event(&r, events[n & 1], "netdev-id", "n0", n);
        }
        text = heard(&r);
        g_assert_cmpuint(count(text, "NETDEV_STREAM"), ==, 16);
        step(&r, SECOND);
        end = heard(&r);
        g_assert_cmpuint(count(end, "NETDEV_STREAM"), ==, 1);
        g_assert_nonnull(strstr(end, events[last & 1]));
        rig_done(&r);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/events/limited", test_limited);
    g_test_add_func("/events/forgotten", test_forgotten);
    g_test_add_func("/events/others", test_others);
    g_test_add_func("/events/bursts", test_bursts);
    g_test_add_func("/events/pair", test_pair);
    return g_test_run();
}
