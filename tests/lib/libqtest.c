/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drive an emulator from a test program (documented in libqtest.h).
 */
#include "libqtest.h"
#include "qmpschema.h"
#include "tests/lib/wait.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ECAM     0x30000000ull
#define TIMEOUT  30 /* seconds for each response */
#define MAX_PINS 1024

struct QTest {
    pid_t pid;
    char *dir;
    int qtest_fd, qmp_fd;
    GString *qtest_in, *qmp_in;
    GQueue events; /* json_object* */
    bool pins[MAX_PINS];
};

static const char *binary(void)
{
    const char *path = getenv("BACKPLANE_BINARY");

    if (!path) {
        g_error("BACKPLANE_BINARY does not name the emulator");
    }
    return path;
}

/* --- starting and ending --- */

static int listen_unix(const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_strlcpy(un.sun_path, path, sizeof(un.sun_path));
    g_assert_cmpint(bind(fd, (struct sockaddr *)&un, sizeof(un)), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    return fd;
}

static int accept_one(QTest *q, int listener)
{
    struct pollfd p = { listener, POLLIN, 0 };

    WAIT_UNTIL (poll(&p, 1, 50) > 0, TIMEOUT) { /* wait-ok: a turn of this wait */
        if (waitpid(q->pid, NULL, WNOHANG) == q->pid) {
            g_error("the emulator ended before it connected");
        }
    }
    int fd = accept(listener, NULL, NULL);

    close(listener);
    return fd;
}

static pid_t spawn(const char *command)
{
    pid_t pid = fork();

    g_assert_cmpint(pid, >=, 0);
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    return pid;
}

QTest *qtest_start_raw(const char *args)
{
    QTest *q = g_new0(QTest, 1);
    g_autofree char *qtest_path = NULL, *qmp_path = NULL, *command = NULL;
    int qtest_listener, qmp_listener;

    q->dir = g_dir_make_tmp("qtest-XXXXXX", NULL);
    qtest_path = g_build_filename(q->dir, "qtest", NULL);
    qmp_path = g_build_filename(q->dir, "qmp", NULL);
    qtest_listener = listen_unix(qtest_path);
    qmp_listener = listen_unix(qmp_path);
    command = g_strdup_printf("exec %s -qtest unix:%s -qtest-log %s -chardev "
                              "socket,path=%s,id=char0 -mon chardev=char0,mode=control -display "
                              "none -audio none -run-with exit-with-parent=on %s -accel qtest",
                              binary(), qtest_path, getenv("QTEST_LOG") ? "/dev/fd/2" : "/dev/null",
                              qmp_path, args);
    q->pid = spawn(command);
    q->qmp_fd = accept_one(q, qmp_listener);
    q->qtest_fd = accept_one(q, qtest_listener);
    q->qtest_in = g_string_new(NULL);
    q->qmp_in = g_string_new(NULL);
    g_queue_init(&q->events);
    return q;
}

QTest *qtest_start(const char *args)
{
    QTest *q = qtest_start_raw(args);

    json_object_put(qmp_receive(q));
    json_object_put(qmp_return(q, "{'execute':'qmp_capabilities'}"));
    return q;
}

/* Remove the directory with its sockets and the files that a test created in it. */
static void remove_folder(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *file = g_build_filename(path, name, NULL);

        g_unlink(file);
    }
    g_clear_pointer(&dir, g_dir_close);
    if (g_rmdir(path) != 0) {
        g_test_message("%s is left behind", path);
    }
}

static void qtest_free(QTest *q)
{
    remove_folder(q->dir);
    close(q->qtest_fd);
    close(q->qmp_fd);
    g_string_free(q->qtest_in, TRUE);
    g_string_free(q->qmp_in, TRUE);
    for (struct json_object *e; (e = g_queue_pop_head(&q->events));) {
        json_object_put(e);
    }
    g_free(q->dir);
    g_free(q);
}

int qtest_wait(QTest *q)
{
    int status = 0;

    WAIT_UNTIL (waitpid(q->pid, &status, WNOHANG) != 0, TIMEOUT) {
    }
    qtest_free(q);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

unsigned long qtest_memory(QTest *q)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)q->pid);
    g_autofree char *text = NULL;
    const char *at;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    at = strstr(text, "RssAnon:");
    g_assert_nonnull(at);
    return strtoul(at + strlen("RssAnon:"), NULL, 10);
}

void qtest_end(QTest *q)
{
    kill(q->pid, SIGTERM);
    g_assert_cmpint(qtest_wait(q), ==, 0);
}

int qtest_run(const char *args, char **out, char **err)
{
    g_autofree char *command = g_strdup_printf("timeout -k 5 120 %s %s", binary(), args);
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) argv = g_new0(char *, 4);
    int status = 0;

    argv[0] = g_strdup("/bin/sh");
    argv[1] = g_strdup("-c");
    argv[2] = g_steal_pointer(&command);
    g_spawn_sync(NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, out, err, &status, &error);
    g_assert_no_error(error);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* --- bytes --- */

static void send_all(int fd, const void *bytes, size_t len)
{
    const char *p = bytes;

    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            g_error("the emulator hung up: %s", g_strerror(errno));
        }
        p += n;
        len -= (size_t)n;
    }
}

static char *receive_line(int fd, GString *in)
{
    char buf[65536], *nl, *line;

    while (!(nl = memchr(in->str, '\n', in->len))) {
        ssize_t n;

        wait_readable(fd, "an answer of the emulator", TIMEOUT);
        n = read(fd, buf, sizeof(buf));
        if (n <= 0) {
            g_error("no answer from the emulator");
        }
        g_string_append_len(in, buf, n);
    }
    line = g_strndup(in->str, (gsize)(nl - in->str));
    g_string_erase(in, 0, nl - in->str + 1);
    return line;
}

/* --- qtest --- */

void qtest_send(QTest *q, const void *bytes, size_t len)
{
    send_all(q->qtest_fd, bytes, len);
}

/* Handle an "IRQ raise 5" line. Return false if the line is not an IRQ line. */
static bool take_irq(QTest *q, const char *line)
{
    bool raise = g_str_has_prefix(line, "IRQ raise ");

    if (!raise && !g_str_has_prefix(line, "IRQ lower ")) {
        return false;
    }
    q->pins[g_ascii_strtoull(line + 10, NULL, 10) % MAX_PINS] = raise;
    return true;
}

char *qtest_receive(QTest *q)
{
    for (;;) {
        char *line = receive_line(q->qtest_fd, q->qtest_in);

        if (!take_irq(q, line)) {
            return line;
        }
        g_free(line);
    }
}

static char *ask(QTest *q, const char *fmt, va_list ap)
{
    g_autoptr(GString) text = g_string_new(NULL);

    g_string_append_vprintf(text, fmt, ap);
    g_string_append_c(text, '\n');
    qtest_send(q, text->str, text->len);
    return qtest_receive(q);
}

char *qtest_ask(QTest *q, const char *fmt, ...)
{
    va_list ap;
    char *line;

    va_start(ap, fmt);
    line = ask(q, fmt, ap);
    va_end(ap);
    return line;
}

static char *require_ok(char *line)
{
    if (strcmp(line, "OK") != 0 && !g_str_has_prefix(line, "OK ")) {
        g_error("qtest: %s", line);
    }
    return line;
}

void qtest_ok(QTest *q, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_free(require_ok(ask(q, fmt, ap)));
    va_end(ap);
}

static char suffix(unsigned size)
{
    return size == 1 ? 'b' : size == 2 ? 'w' : size == 4 ? 'l' : 'q';
}

uint64_t qtest_read(QTest *q, uint64_t addr, unsigned size)
{
    g_autofree char *line =
        require_ok(qtest_ask(q, "read%c 0x%" G_GINT64_MODIFIER "x", suffix(size), addr));

    return g_ascii_strtoull(line + 3, NULL, 16);
}

void qtest_write(QTest *q, uint64_t addr, unsigned size, uint64_t value)
{
    qtest_ok(q, "write%c 0x%" G_GINT64_MODIFIER "x 0x%" G_GINT64_MODIFIER "x", suffix(size), addr,
             value);
}

void qtest_memread(QTest *q, uint64_t addr, void *buf, size_t len)
{
    g_autofree char *line =
        require_ok(qtest_ask(q, "read 0x%" G_GINT64_MODIFIER "x %zu", addr, len));

    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)buf)[i] = (uint8_t)(g_ascii_xdigit_value(line[5 + 2 * i]) << 4 |
                                        g_ascii_xdigit_value(line[6 + 2 * i]));
    }
}

void qtest_memwrite(QTest *q, uint64_t addr, const void *buf, size_t len)
{
    g_autoptr(GString) hex = g_string_new(NULL);

    for (size_t i = 0; i < len; i++) {
        g_string_append_printf(hex, "%02x", ((const uint8_t *)buf)[i]);
    }
    qtest_ok(q, "write 0x%" G_GINT64_MODIFIER "x %zu 0x%s", addr, len, hex->str);
}

int64_t qtest_clock_step(QTest *q, int64_t ns)
{
    g_autofree char *line = require_ok(qtest_ask(q, "clock_step %" G_GINT64_FORMAT, ns));

    return g_ascii_strtoll(line + 3, NULL, 10);
}

bool qtest_irq(QTest *q, unsigned n)
{
    return q->pins[n];
}

/* --- QMP --- */

void qmp_send(QTest *q, const char *text)
{
    send_all(q->qmp_fd, text, strlen(text));
}

struct json_object *qmp_receive(QTest *q)
{
    g_autofree char *line = receive_line(q->qmp_fd, q->qmp_in);
    struct json_object *o = json_tokener_parse(line);

    if (!o || !g_str_has_suffix(line, "\r")) {
        g_error("QMP: not one message and CR LF: %s", line);
    }
    return o;
}

/* Return the schema of the emulator, which is requested once in a test program. */
static QmpSchema *qmp_schema(QTest *q)
{
    static QmpSchema *schema;
    struct json_object *o, *entries;

    if (!schema) {
        qmp_send(q, "{'execute':'query-qmp-schema'}\n");
        while (json_object_object_get_ex(o = qmp_receive(q), "event", NULL)) {
            g_queue_push_tail(&q->events, o);
        }
        if (!json_object_object_get_ex(o, "return", &entries)) {
            g_error("QMP: %s", json_object_to_json_string(o));
        }
        schema = qmpschema_new(entries);
        json_object_put(o);
    }
    return schema;
}

/* End the test if a response or event does not have the type that the schema states. */
static void qmp_check(QTest *q, const char *request, struct json_object *o)
{
    struct json_object *parsed = json_tokener_parse(request), *name, *value;
    g_autofree char *problem = NULL;

    if (json_object_object_get_ex(o, "event", NULL)) {
        problem = qmpschema_event_problem(qmp_schema(q), o);
    } else if (json_object_object_get_ex(o, "return", &value) &&
               (json_object_object_get_ex(parsed, "execute", &name) ||
                json_object_object_get_ex(parsed, "exec-oob", &name)) &&
               !g_str_equal(json_object_get_string(name), "quit") &&
               !g_str_equal(json_object_get_string(name), "qmp_capabilities")) {
        problem = qmpschema_result_problem(qmp_schema(q), json_object_get_string(name), value);
    }
    if (problem) {
        g_error("QMP: %s: %s: %s", request, problem, json_object_to_json_string(o));
    }
    json_object_put(parsed);
}

static struct json_object *qmp_ask(QTest *q, const char *fmt, va_list ap)
{
    g_autoptr(GString) text = g_string_new(NULL);

    g_string_append_vprintf(text, fmt, ap);
    g_string_append_c(text, '\n'); /* send in one piece: the emulator may close the socket after the
                                    * closing brace of a quit */
    qmp_send(q, text->str);
    for (;;) {
        struct json_object *o = qmp_receive(q);

        if (!json_object_object_get_ex(o, "event", NULL)) {
            qmp_check(q, text->str, o);
            return o;
        }
        g_queue_push_tail(&q->events, o);
    }
}

struct json_object *qmp(QTest *q, const char *fmt, ...)
{
    struct json_object *o;
    va_list ap;

    va_start(ap, fmt);
    o = qmp_ask(q, fmt, ap);
    va_end(ap);
    return o;
}

struct json_object *qmp_return(QTest *q, const char *fmt, ...)
{
    struct json_object *o, *value;
    va_list ap;

    va_start(ap, fmt);
    o = qmp_ask(q, fmt, ap);
    va_end(ap);
    if (!json_object_object_get_ex(o, "return", &value)) {
        g_error("QMP: %s", json_object_to_json_string(o));
    }
    json_object_get(value);
    json_object_put(o);
    return value;
}

char *qmp_error_class(QTest *q, const char *fmt, ...)
{
    struct json_object *o, *error, *cls = NULL;
    char *text;
    va_list ap;

    va_start(ap, fmt);
    o = qmp_ask(q, fmt, ap);
    va_end(ap);
    if (json_object_object_get_ex(o, "error", &error)) {
        json_object_object_get_ex(error, "class", &cls);
    }
    text = g_strdup(cls ? json_object_get_string(cls) : "");
    json_object_put(o);
    return text;
}

static bool is_event(struct json_object *o, const char *name)
{
    struct json_object *event;

    return json_object_object_get_ex(o, "event", &event) &&
           strcmp(json_object_get_string(event), name) == 0;
}

struct json_object *qmp_event(QTest *q, const char *name)
{
    for (GList *l = q->events.head; l; l = l->next) {
        struct json_object *o = l->data;

        if (is_event(o, name)) {
            g_queue_delete_link(&q->events, l);
            qmp_check(q, "", o);
            return o;
        }
    }
    for (;;) {
        struct json_object *o = qmp_receive(q);

        if (is_event(o, name)) {
            qmp_check(q, "", o);
            return o;
        }
        g_queue_push_tail(&q->events, o);
    }
}

char *hmp(QTest *q, const char *line)
{
    struct json_object *text = qmp_return(
        q, "{'execute':'human-monitor-command','arguments':{'command-line':'%s'}}", line);
    char *copy = g_strdup(json_object_get_string(text));

    json_object_put(text);
    return copy;
}

/* --- PCI --- */

static uint64_t ecam(unsigned bus, unsigned slot, unsigned fn, unsigned reg)
{
    return ECAM + ((uint64_t)bus << 20 | slot << 15 | fn << 12 | reg);
}

uint32_t pci_read(QTest *q, unsigned bus, unsigned slot, unsigned fn, unsigned reg, unsigned size)
{
    return (uint32_t)qtest_read(q, ecam(bus, slot, fn, reg), size);
}

void pci_write(QTest *q, unsigned bus, unsigned slot, unsigned fn, unsigned reg, unsigned size,
               uint32_t value)
{
    qtest_write(q, ecam(bus, slot, fn, reg), size, value);
}

unsigned pci_find_cap(QTest *q, unsigned bus, unsigned slot, unsigned fn, uint8_t id)
{
    unsigned at = pci_read(q, bus, slot, fn, 0x34, 1);

    for (unsigned i = 0; at && i < 48; i++) {
        if (pci_read(q, bus, slot, fn, at, 1) == id) {
            return at;
        }
        at = pci_read(q, bus, slot, fn, at + 1, 1);
    }
    return 0;
}

uint64_t pci_place_bar(QTest *q, unsigned bus, unsigned slot, unsigned fn, unsigned bar,
                       uint64_t addr)
{
    unsigned reg = 0x10 + 4 * bar;
    uint32_t low, high = 0xffffffff;
    bool is64;

    pci_write(q, bus, slot, fn, reg, 4, 0xffffffff);
    low = pci_read(q, bus, slot, fn, reg, 4);
    is64 = (low & 7) == 4;
    if (is64) {
        pci_write(q, bus, slot, fn, reg + 4, 4, 0xffffffff);
        high = pci_read(q, bus, slot, fn, reg + 4, 4);
        pci_write(q, bus, slot, fn, reg + 4, 4, (uint32_t)(addr >> 32));
    }
    pci_write(q, bus, slot, fn, reg, 4, (uint32_t)addr);
    low &= low & 1 ? ~3u : ~15u;
    return low ? ~((uint64_t)high << 32 | low) + 1 : 0;
}
