/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QMP through a socket: greeting, handshake, ids, error classes, argument checks, events, random
 * input, out-of-band commands while another is blocked, the schema; and HMP lines.
 */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../hw/fixture.h"
#include "block/block.h"
#include "hw/core/type_catalog.h"
#include "monitor/host.h"
#include "monitor/monitor.h"
#include "net/net.h"
#include "tests/lib/ok.h"
#include "tests/lib/wait.h"

typedef struct Rig {
    Machine *m;
    MonitorHost host;
    PlanCatalog *catalog;
    int fd;
    GString *in;
    bool stopped;
} Rig;

static PlanCatalog *the_catalog;
static const PlanCatalog *get_catalog(Machine *m)
{
    return the_catalog;
}

static const PlanMachine *get_description(Machine *m)
{
    return NULL;
}

static bool host_add(Machine *m, const char *kind, struct json_object *options, GError **err)
{
    g_set_error(err, QMP_ERROR, QMP_GENERIC_ERROR, "no %s here", kind);
    return false;
}

static bool host_del(Machine *m, const char *kind, const char *id, GError **err)
{
    g_set_error(err, QMP_ERROR, QMP_GENERIC_ERROR, "no %s named %s", kind, id);
    return false;
}

static bool drive_add(Machine *m, const char *text, GError **err)
{
    g_set_error(err, QMP_ERROR, QMP_GENERIC_ERROR, "no drive of %s here", text);
    return false;
}

static bool boot_digests(Machine *m, GError **err)
{
    return true;
}

static bool dump_machine(Machine *m, const char *path, GError **err)
{
    g_set_error(err, QMP_ERROR, QMP_GENERIC_ERROR, "%s cannot be written", path);
    return false;
}

static bool do_cont(Machine *m, GError **err)
{
    machine_set_state(m, RUN_RUNNING);
    return true;
}

static bool do_gdbserver(Machine *m, const char *device, GError **err)
{
    return true;
}

static void do_stop(Machine *m)
{
    machine_set_state(m, RUN_PAUSED);
}

static struct json_object *command_line_options(Machine *m, const char *option, GError **err)
{
    return json_object_new_array();
}

static GuestActions *actions(Machine *m)
{
    static GuestActions a;

    return &a;
}

static void rig_init(Rig *r, bool control)
{
    int pair[2];
    g_autofree char *options = NULL;
    Chardev *c;

    *r = (Rig){ .m = fixture_new(1), .in = g_string_new(NULL) };
    the_catalog = r->catalog = type_catalog_new();
    r->host = (MonitorHost){ .name = "guest1",
                             .description = get_description,
                             .catalog = get_catalog,
                             .boot_digests = boot_digests,
                             .dump_machine = dump_machine,
                             .host_add = host_add,
                             .host_del = host_del,
                             .drive_add = drive_add,
                             .cont = do_cont,
                             .stop = do_stop,
                             .command_line_options = command_line_options,
                             .actions = actions,
                             .gdbserver = do_gdbserver };
    r->m->host = &r->host;
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    options = g_strdup_printf("socket,id=q,fd=%d", pair[0]);
    c = chardev_new(r->m, NULL, options, NULL);
    g_assert_nonnull(c);
    r->fd = pair[1];
    ASSERT_OK(monitor_open(r->m, c, control, false, &failure));
}

static void rig_done(Rig *r)
{
    monitor_close_all(r->m);
    netdev_free_all(r->m);
    chardev_free_all(r->m);
    machine_free(r->m);
    type_catalog_free(r->catalog);
    g_string_free(r->in, TRUE);
    close(r->fd);
}

static void send_raw(Rig *r, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(r->fd, text, len, MSG_DONTWAIT);

        if (n > 0) {
            text += n;
            len -= (size_t)n;
        }
        while (g_main_context_iteration(NULL, FALSE)) {
        }
    }
}

static void send_text(Rig *r, const char *text)
{
    send_raw(r, text, strlen(text));
}

/* Return the next line. Runs the main loop unless `blocked`. NULL if none arrives in time. */
static char *next_line(Rig *r, bool blocked, int ms)
{
    Wait w = wait_begin("a line", G_STRLOC, ms / 1000.0);
    char buf[65536], *nl;

    while (!(nl = strchr(r->in->str, '\n'))) {
        struct pollfd p = { r->fd, POLLIN, 0 };

        if (!blocked) {
            while (g_main_context_iteration(NULL, FALSE)) {
            }
        }
        if (poll(&p, 1, 1) > 0) { /* wait-ok: a turn of the wait `w` */
            ssize_t n = read(r->fd, buf, sizeof(buf));

            g_assert_cmpint(n, >, 0);
            g_string_append_len(r->in, buf, n);
        } else if (wait_over(&w)) {
            return NULL;
        }
    }
    char *line = g_strndup(r->in->str, (gsize)(nl - r->in->str));

    g_string_erase(r->in, 0, nl - r->in->str + 1);
    return line;
}

static char *expect_line(Rig *r)
{
    char *line = next_line(r, false, 5000);

    g_assert_nonnull(line);
    g_assert_true(g_str_has_suffix(line, "\r"));
    line[strlen(line) - 1] = '\0';
    return line;
}

static char *ask(Rig *r, const char *text)
{
    send_text(r, text);
    return expect_line(r);
}

static void expect(Rig *r, const char *text, const char *answer)
{
    g_autofree char *line = ask(r, text);

    if (!strstr(line, answer)) {
        g_error("'%s' gave '%s', not '%s'", text, line, answer);
    }
}

static void handshake(Rig *r, const char *request)
{
    g_free(expect_line(r)); /* the greeting */
    expect(r, request, "{\"return\":{}}");
}

static void test_handshake(void)
{
    Rig r;
    g_autofree char *greeting = NULL;

    rig_init(&r, true);
    greeting = expect_line(&r);
    g_assert_cmpstr(greeting, ==,
                    "{\"QMP\":{\"version\":{\"qemu\":{\"micro\":0,\"minor\":2,\"major\":7},"
                    "\"package\":\"Backplane 0.1.0\"},\"capabilities\":[\"oob\"]}}");
    expect(&r, "{'execute':'query-version','id':7}\n", "CommandNotFound");
    expect(&r, "{'execute':'qmp_capabilities','arguments':{'enable':['fast']}}\n", "'fast'");
    expect(&r, "{'execute':'qmp_capabilities','id':{'a':[1]}}\n",
           "{\"return\":{},\"id\":{\"a\":[1]}}");
    expect(&r, "{'execute':'qmp_capabilities'}\n", "CommandNotFound");
    expect(&r, "{'execute':'query-name','id':18446744073709551615}",
           "{\"return\":{\"name\":\"guest1\"},\"id\":18446744073709551615}");
    rig_done(&r);
}

static void test_errors(void)
{
    static const char *const bad[][2] = {
        { "{'execute':'nosuch','id':null}\n", "\"id\":null" },
        { "{'execute':'nosuch'}\n", "\"CommandNotFound\"" },
        { "{}\n", "'execute'" },
        { "[]\n", "JSON object" },
        { "null\n", "JSON object" },
        { "{'execute':true}\n", "must be a string" },
        { "{'execute':'query-name','arguments':[]}\n", "must be an object" },
        { "{'execute':'query-name','extra':1,'id':5}\n", "'extra' is unexpected" },
        { "{'execute':'query-name','extra':1,'id':5}\n", "\"id\":5" },
        { "{'execute':'query-name','exec-oob':'quit'}\n", "use one" },
        { "{'exec-oob':'query-name'}\n", "not negotiated" },
        { "{'execute':'query-name','arguments':{'x':1}}\n", "'x' is unexpected" },
        { "{'execute':'qom-get','arguments':{'path':'/'}}\n", "'property' is missing" },
        { "{'execute':'qom-get','arguments':{'path':1,'property':'x'}}\n", "expected: string" },
        { "{'execute':'qom-get','arguments':{'path':'/nowhere','property':'x'}}\n",
          "DeviceNotFound" },
        { "{'execute':'qom-set','arguments':{'path':'/machine','property':'x'}}\n", "'value'" },
        { "{'execute':'device_del','arguments':{'id':'nobody'}}\n", "DeviceNotFound" },
        { "{'execute':'device_add','arguments':{}}\n", "'driver' is missing" },
        { "{'execute':'device_add','arguments':{'driver':'ticker'}}\n", "'none' has no buses" },
        { "{'execute':'query-machine-description'}\n", "no machine" },
        { "{'execute':'query-hotpluggable-cpus'}\n", "GenericError" },
        { "{]\n", "JSON parse error" },
        { "{'execute':\xff}\n", "JSON parse error" },
        { "{'execute':'query-name','id':99999999999999999999}\n", "64 bits" },
    };
    Rig r;

    rig_init(&r, true);
    handshake(&r, "{'execute':'qmp_capabilities'}\n");
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        expect(&r, bad[i][0], bad[i][1]);
        expect(&r, "{'execute':'query-target'}\n", "riscv64"); /* exactly one response each */
    }
    send_text(&r, "{'execute':'query-t");
    g_assert_null(next_line(&r, false, 20)); /* an incomplete request has no response */
    expect(&r, "arget'}\n", "riscv64");
    rig_done(&r);
}

static void test_noise(void)
{
    g_autofree char *noise = g_malloc(1 << 20);
    Rig r;

    for (unsigned i = 0; i < 1 << 20; i++) {
        noise[i] = (char)g_test_rand_int_range(11, 256); /* one line */
    }
    rig_init(&r, true);
    handshake(&r, "{'execute':'qmp_capabilities'}\n");
    send_raw(&r, noise, 1 << 20);
    expect(&r, "\n{'execute':'query-target'}\n", "JSON parse error");
    g_free(expect_line(&r));
    rig_done(&r);
}

static void test_events(void)
{
    const EventField device = { "device", EVENT_STR, { .str = "d0" } };
    g_autofree char *line = NULL;
    Rig r;

    rig_init(&r, true);
    monitor_event(r.m, &(const Event){ "EARLY" }); /* no client has completed the handshake */
    handshake(&r, "{'execute':'qmp_capabilities'}\n");
    monitor_event(r.m, &(const Event){ "DEVICE_DELETED", { &device, 1 } });
    line = expect_line(&r);
    g_assert_true(g_str_has_prefix(line, "{\"timestamp\":{\"seconds\":"));
    g_assert_true(
        g_str_has_suffix(line, "},\"event\":\"DEVICE_DELETED\",\"data\":{\"device\":\"d0\"}}"));
    expect(&r, "{'execute':'query-status'}\n", "\"prelaunch\"");
    expect(&r, "{'execute':'cont'}\n", "{\"return\":{}}");
    expect(&r, "{'execute':'query-status'}\n", "\"running\":true");
    rig_done(&r);
}

/* The main loop is not iterated (as if a command blocked): ordinary requests wait, out-of-band ones
 * are executed. */
static void test_oob(void)
{
    g_autofree char *line = NULL, *late = NULL;
    Rig r;

    rig_init(&r, true);
    handshake(&r, "{'execute':'qmp_capabilities','arguments':{'enable':['oob']}}\n");
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    g_assert_cmpint(write(r.fd, "{'execute':'query-target','id':1}\n", 34), ==, 34);
    g_assert_null(next_line(&r, true, 30));
    g_assert_cmpint(write(r.fd, "{'exec-oob':'query-target','id':2}\n", 35), ==, 35);
    line = next_line(&r, true, 3000);
    g_assert_nonnull(line);
    g_assert_nonnull(strstr(line, "\"id\":2"));
    g_assert_nonnull(strstr(line, "does not support OOB"));
    late = next_line(&r, false, 3000);
    g_assert_nonnull(strstr(late, "\"id\":1"));
    rig_done(&r);
}

static void test_schema(void)
{
    struct json_object *schema = qmp_schema(), *type, *name;
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    static const char *const refs[] = { "arg-type", "ret-type", "element-type" };

    for (size_t i = 0; i < json_object_array_length(schema); i++) {
        struct json_object *e = json_object_array_get_idx(schema, i);

        g_assert_true(json_object_object_get_ex(e, "meta-type", &type));
        g_assert_true(json_object_object_get_ex(e, "name", &name));
        g_assert_true(g_hash_table_add(names, (char *)json_object_get_string(name)));
    }
    for (size_t i = 0; i < json_object_array_length(schema); i++) {
        for (size_t k = 0; k < G_N_ELEMENTS(refs); k++) {
            if (json_object_object_get_ex(json_object_array_get_idx(schema, i), refs[k], &name)) {
                g_assert_true(g_hash_table_contains(names, json_object_get_string(name)));
            }
        }
    }
    g_assert_true(g_hash_table_contains(names, "device_add"));
    json_object_put(schema);
}

/* Each row is documented and has a unique name. */
static void test_tables(void)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);

    for (size_t i = 0; i < qmp_n_commands; i++) {
        g_assert_true(g_hash_table_add(names, (char *)qmp_commands[i].name));
    }
    for (const HmpTable *const *t = hmp_tables; *t; t++) {
        for (size_t i = 0; i < (*t)->n_rows; i++) {
            g_autofree char *key = g_strdup_printf("hmp %s", (*t)->rows[i].name);

            g_assert_nonnull(hmp_doc(&(*t)->rows[i]));
            g_assert_false(g_hash_table_contains(names, key));
            g_hash_table_add(names, (char *)g_intern_string(key));
        }
    }
}

/* Arguments that the schema rejects, with the message. */
static void test_check(void)
{
    static const struct {
        const char *command, *args, *message;
    } rows[] = {
        { "query-status", "{'x':1}", "Parameter 'x' is unexpected" },
        { "device_del", "{}", "Parameter 'id' is missing" },
        { "device_del", "{'id':1}", "Invalid parameter type for 'id', expected: string" },
        { "device_add", "{'bus':'b'}", "Parameter 'driver' is missing" },
        { "set_link", "{'name':'n','up':'on'}",
          "Invalid parameter type for 'up', expected: boolean" },
        { "block_resize", "{'size':1.5}", "Invalid parameter type for 'size', expected: integer" },
        { "block_resize", "{'size':18446744073709551615}",
          "Parameter 'size' expects int64, not 18446744073709551615" },
        { "query-pci-config", "{'bus':-1}", "Parameter 'bus' expects uint64, not -1" },
        { "ringbuf-read", "{'device':'c','size':1,'format':'x'}",
          "Parameter 'format' does not accept value 'x'; use one of utf8, base64" },
        { "qom-list-get", "{'paths':['/',7]}",
          "Invalid parameter type for 'paths[1]', expected: string" },
        { "blockdev-add", "{'driver':'null-co','node-name':'n','read-only':'on'}",
          "Invalid parameter type for 'read-only', expected: boolean" },
        { "blockdev-add", "{'driver':'null-co','filename':'x'}",
          "Parameter 'filename' is unexpected" },
        { "blockdev-add", "{'driver':'raw','file':7}",
          "Invalid parameter type for 'file', expected: BlockdevRef" },
        { "blockdev-add", "{'driver':'raw','file':{'driver':'file'}}",
          "Parameter 'file.filename' is missing" },
        { "netdev_add", "{'type':'x','id':'n'}",
          "Parameter 'type' does not accept value 'x'; use one of dgram, hubport, socket, "
          "stream, tap, user" },
        { "migrate-set-capabilities", "{'capabilities':[{'capability':'events'}]}",
          "Parameter 'capabilities[0].state' is missing" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct json_object *args = json_tokener_parse(rows[i].args);
        g_autoptr(GError) err = NULL;

        g_assert_null(qmp_call(NULL, qmp_find(rows[i].command), args, &err));
        g_assert_error(err, QMP_ERROR, QMP_GENERIC_ERROR);
        g_assert_cmpstr(err->message, ==, rows[i].message);
        json_object_put(args);
    }
}

static void expect_hmp(Machine *m, const char *line, const char *want)
{
    g_autofree char *got = hmp_run(m, line);

    g_assert_cmpstr(got, ==, want);
}

/* The output is that of QEMU 7.2 for the same lines, except for the list of candidates. */
static void test_hmp_wording(void)
{
    Rig r;

    rig_init(&r, false);
    expect_hmp(r.m, "print 1+2", "0x3\n");
    expect_hmp(r.m, "p/d -1", "-1\n");
    expect_hmp(r.m, "p/u -1", "18446744073709551615\n");
    expect_hmp(r.m, "p/x 4*(2+1)", "0xc\n");
    expect_hmp(r.m, "p /o 8", "010\n");
    expect_hmp(r.m, "p/c 65", "'A'\n");
    expect_hmp(r.m, "p 0", "0\n");
    expect_hmp(r.m, "p 'A'", "0x41\n");
    expect_hmp(r.m, "p 4+4&3", "0x4\n");
    expect_hmp(r.m, "p 2*3&1", "0\n");
    expect_hmp(r.m, "p 10-3-2", "0x5\n");
    expect_hmp(r.m, "p --5", "0x5\n");
    expect_hmp(r.m, "xp/2dw 0x80000000+8", "0000000080000008:          0          0\n");
    expect_hmp(r.m, "p 5/0", "print: division by zero\nTry \"help print\" for more information\n");
    expect_hmp(r.m, "p/t 5",
               "print: invalid char in format: 't'\nTry \"help print\" for more information\n");
    expect_hmp(r.m, "info statu", "unknown command: 'info statu'\ncandidates: info status\n");
    expect_hmp(r.m, "unplug_ x",
               "unknown command: 'unplug_'\ncandidates: unplug_force, unplug_cancel\n");
    expect_hmp(r.m, "nosuch x", "unknown command: 'nosuch'\n");
    expect_hmp(r.m, "info   dump",
               "unknown command: 'info dump'\nthis version does not have info dump: "
               "the QMP command query-dump has this function\n");
    expect_hmp(r.m, "info   statu", "unknown command: 'info statu'\ncandidates: info status\n");
    expect_hmp(r.m, "info   uuid  ", "00000000-0000-0000-0000-000000000000\n");
    expect_hmp(r.m, "help   info   uuid", "info uuid -- Return the UUID given with -uuid.\n");
    expect_hmp(r.m, "help s", "stop|s -- Stop the guest.\n");
    rig_done(&r);
}

/* Arguments are counted, and double quotes are removed. */
static void test_hmp_arguments(void)
{
    static const char try_stop[] = "Try \"help stop\" for more information\n";
    g_autofree char *extra =
        g_strconcat("stop: extraneous characters at the end of line\n", try_stop, NULL);
    g_autofree char *open = g_strconcat("stop: a closing quote is missing\n", try_stop, NULL);
    Rig r;

    rig_init(&r, false);
    expect_hmp(r.m, "stop now", extra);
    expect_hmp(r.m, "s \"\"", extra);
    expect_hmp(r.m, "stop \"now", open);
    expect_hmp(r.m, "stop \"no\\\"", open);
    expect_hmp(r.m, "stop  ", "");
    expect_hmp(r.m, "pmemsave 0 4",
               "pmemsave: an argument is missing: use pmemsave ADDRESS SIZE FILE\nTry \"help "
               "pmemsave\" for more information\n");
    expect_hmp(r.m, "device_del \"a b\\\"c\"", "Error: Device 'a b\"c' not found\n");
    expect_hmp(r.m, "migrate -b tcp:h:1",
               "migrate: unsupported option -b\nTry \"help migrate\" for more information\n");
    expect_hmp(r.m, "migrate -d",
               "migrate: an argument is missing: use migrate [-d] uri\nTry \"help migrate\" for "
               "more information\n");
    expect_hmp(r.m, "print 1 + 2", "0x3\n");
    rig_done(&r);
}

static void test_machines(void)
{
    static const char *const allowed[] = {
        "name",
        "alias",
        "is-default",
        "cpu-max",
        "deprecated",
        "acpi",
        "hotpluggable-cpus",
        "numa-mem-supported",
        "default-cpu-type",
        "default-ram-id",
        NULL,
    };
    struct json_object *none = json_object_new_object(), *list;

    list = qmp_call(NULL, qmp_find("query-machines"), none, NULL);
    g_assert_cmpuint(json_object_array_length(list), >=, 2);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *e = json_object_array_get_idx(list, i);

        json_object_object_foreach(e, key, value)
        {
            (void)value;
            g_assert_true(g_strv_contains(allowed, key));
        }
        g_assert_true(json_object_object_get_ex(e, "acpi", NULL));
        g_assert_true(json_object_object_get_ex(e, "cpu-max", NULL));
    }
    json_object_put(none);
    json_object_put(list);
}

static void test_hmp(void)
{
    char buf[4096];
    g_autoptr(GString) got = g_string_new(NULL);
    Rig r;

    rig_init(&r, false);
    send_text(&r, "info stx\x7f"
                  "atus\r\x1b[A\rnosuch\r");
    WAIT_UNTIL (strstr(got->str, "unknown command: 'nosuch'"), 20) {
        ssize_t n = recv(r.fd, buf, sizeof(buf), MSG_DONTWAIT);

        if (n > 0) {
            g_string_append_len(got, buf, n);
        }
        while (g_main_context_iteration(NULL, FALSE)) {
        }
    }
    g_assert_nonnull(strstr(got->str, "(qemu) "));
    g_assert_nonnull(strstr(got->str, "VM status: paused (prelaunch)\r\n"));
    g_assert_nonnull(
        strstr(strstr(got->str, "VM status") + 1, "VM status: paused (prelaunch)\r\n"));
    g_assert_nonnull(strstr(got->str, "unknown command: 'nosuch'"));
    rig_done(&r);
}

/* Each command of the tables returns output or an error for any arguments. */
static void test_hmp_all(void)
{
    static const char *const args[] = { "", "x", "-a", "/4xw 0x80000000", "help", "\xff\x01 %s%n" };
    Rig r;

    rig_init(&r, true);
    for (const HmpTable *const *t = hmp_tables; *t; t++) {
        for (size_t i = 0; i < (*t)->n_rows; i++) {
            for (size_t k = 0; k < G_N_ELEMENTS(args); k++) {
                g_auto(GStrv) names = g_strsplit((*t)->rows[i].name, "|", 2);
                g_autofree char *line = g_strdup_printf("%s %s", names[0], args[k]);

                g_free(hmp_run(r.m, line));
            }
        }
    }
    g_free(hmp_run(r.m, ""));
    g_autofree char *help = hmp_run(r.m, "help info");

    g_assert_nonnull(strstr(help, "info qtree"));
    block_free_all(r.m); /* a query created the set of nodes */
    rig_done(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qmp/handshake", test_handshake);
    g_test_add_func("/qmp/errors", test_errors);
    g_test_add_func("/qmp/noise", test_noise);
    g_test_add_func("/qmp/events", test_events);
    g_test_add_func("/qmp/oob", test_oob);
    g_test_add_func("/qmp/schema", test_schema);
    g_test_add_func("/qmp/tables", test_tables);
    g_test_add_func("/qmp/check", test_check);
    g_test_add_func("/qmp/machines", test_machines);
    g_test_add_func("/hmp/session", test_hmp);
    g_test_add_func("/hmp/all", test_hmp_all);
    g_test_add_func("/hmp/wording", test_hmp_wording);
    g_test_add_func("/hmp/arguments", test_hmp_arguments);
    return g_test_run();
}
