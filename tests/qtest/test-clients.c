/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that management software executes before and while it runs a machine: versions, types
 * with their properties, options of the command line, reactions, statistics, connections.
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libqtest.h"
#include "tests/lib/wait.h"

#define RAM     0x80000000ull
#define TEST    0x100000ull /* the SiFive test device */
#define SECOND  1000000000ll
#define RAM_MIB 16

static const char *get_text(struct json_object *o, const char *key)
{
    return json_object_get_string(json_object_object_get(o, key));
}

static int64_t get_number(struct json_object *o, const char *key)
{
    return json_object_get_int64(json_object_object_get(o, key));
}

static void expect_error(QTest *q, const char *request, const char *class)
{
    g_autofree char *got = qmp_error_class(q, "%s", request);

    if (strcmp(got, class) != 0) {
        g_error("%s: error class '%s' instead of '%s'", request, got, class);
    }
}

static void expect_ok(QTest *q, const char *request)
{
    json_object_put(qmp_return(q, "%s", request));
}

static void test_version(void)
{
    QTest *q = qtest_start("-M none");
    struct json_object *o = qmp_return(q, "{'execute':'query-version'}");
    struct json_object *version = json_object_object_get(o, "qemu");

    /* libvirt accepts 4.2.0 and later */
    g_assert_cmpint(get_number(version, "major") * 100 + get_number(version, "minor"), >=, 402);
    g_assert_true(g_str_has_prefix(get_text(o, "package"), "Backplane "));
    json_object_put(o);
    qtest_end(q);
}

/* Properties can be listed for each type in the list of types. */
static void test_types(void)
{
    static const char *const known[] = {
        "tcg-accel",
        "memory-backend-ram",
        "memory-backend-file",
        "memory-backend-memfd",
        "rng-random",
        "rng-builtin",
        "iothread",
        "secret",
        "throttle-group",
        "virt-0.1-machine",
        "virt-0.2-machine",
        "virt-0.3-machine",
        "none-machine",
        "rv64",
    };
    QTest *q = qtest_start("-M none");
    struct json_object *types =
        qmp_return(q, "{'execute':'qom-list-types','arguments':{'abstract':true}}");
    size_t found = 0;

    for (size_t i = 0; i < json_object_array_length(types); i++) {
        const char *name = get_text(json_object_array_get_idx(types, i), "name");

        for (size_t j = 0; j < G_N_ELEMENTS(known); j++) {
            found += strcmp(name, known[j]) == 0;
        }
        json_object_put(
            qmp_return(q, "{'execute':'qom-list-properties','arguments':{'typename':'%s'}}", name));
    }
    g_assert_cmpuint(found, ==, G_N_ELEMENTS(known));
    json_object_put(types);
    expect_error(q, "{'execute':'qom-list-properties','arguments':{'typename':'virt-machine'}}",
                 "DeviceNotFound");
    expect_error(q, "{'execute':'qom-list-properties','arguments':{'typename':'virt-0.2'}}",
                 "DeviceNotFound");
    qtest_end(q);
}

static size_t count_types(QTest *q, const char *implements)
{
    struct json_object *list =
        qmp_return(q, "{'execute':'qom-list-types','arguments':{'implements':'%s'}}", implements);
    size_t n = json_object_array_length(list);

    json_object_put(list);
    return n;
}

static void test_type_parents(void)
{
    QTest *q = qtest_start("-M none");

    g_assert_cmpuint(count_types(q, "machine"), ==, 4);
    g_assert_cmpuint(count_types(q, "accel"), ==, 2);
    g_assert_cmpuint(count_types(q, "user-creatable"), ==, 10);
    g_assert_cmpuint(count_types(q, "object"), >,
                     count_types(q, "device") + count_types(q, "user-creatable"));
    g_assert_cmpuint(count_types(q, "secret"), ==, 1);
    g_assert_cmpuint(count_types(q, "no-such-type"), ==, 0);
    qtest_end(q);
}

static bool has_parameter(struct json_object *option, const char *name, const char *type)
{
    struct json_object *list = json_object_object_get(option, "parameters");

    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);

        if (strcmp(get_text(o, "name"), name) == 0) {
            return strcmp(get_text(o, "type"), type) == 0;
        }
    }
    return false;
}

static void test_command_line_options(void)
{
    static const struct {
        const char *option, *parameter, *type;
    } rows[] = {
        { "msg", "timestamp", "boolean" },     { "smp-opts", "cpus", "string" },
        { "machine", "usb", "string" },        { "machine", "aia", "string" },
        { "chardev", "logfile", "string" },    { "netdev", "hostfwd", "string" },
        { "sandbox", "spawn", "string" },      { "drive", "file", "string" },
        { "overcommit", "cpu-pm", "boolean" },
    };
    QTest *q = qtest_start("-M none");

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct json_object *list =
            qmp_return(q, "{'execute':'query-command-line-options','arguments':{'option':'%s'}}",
                       rows[i].option);

        g_assert_cmpuint(json_object_array_length(list), ==, 1);
        if (!has_parameter(json_object_array_get_idx(list, 0), rows[i].parameter, rows[i].type)) {
            g_error("-%s: '%s' is not a %s", rows[i].option, rows[i].parameter, rows[i].type);
        }
        json_object_put(list);
    }
    expect_ok(q, "{'execute':'query-command-line-options'}");
    expect_error(q, "{'execute':'query-command-line-options','arguments':{'option':'smp'}}",
                 "GenericError");
    qtest_end(q);
}

static void test_actions(void)
{
    QTest *q = qtest_start("-M virt -bios none");
    struct json_object *event, *o;

    expect_ok(q, "{'execute':'set-action','arguments':{'shutdown':'pause'}}");
    qtest_write(q, TEST, 4, 0x5555); /* power off */
    event = qmp_event(q, "SHUTDOWN");
    json_object_put(event);
    o = qmp_return(q, "{'execute':'query-status'}");
    g_assert_cmpstr(get_text(o, "status"), ==, "shutdown");
    json_object_put(o);
    expect_ok(q, "{'execute':'system_reset'}");
    json_object_put(qmp_event(q, "RESET"));
    expect_ok(q, "{'execute':'set-action','arguments':{}}");
    expect_ok(q, "{'execute':'cont'}");
    qtest_write(q, TEST, 4, 0x7777); /* reset: unchanged */
    json_object_put(qmp_event(q, "RESET"));
    expect_ok(q, "{'execute':'set-action','arguments':{'reboot':'shutdown','shutdown':"
                 "'poweroff'}}");
    expect_error(q, "{'execute':'set-action','arguments':{'panic':'perhaps'}}", "GenericError");
    qtest_write(q, TEST, 4, 0x7777);
    json_object_put(qmp_event(q, "SHUTDOWN"));
    g_assert_cmpint(qtest_wait(q), ==, 0);
}

/* Requests that no machine can fulfil fail with the class that clients expect. */
static void test_refusals(void)
{
    QTest *q = qtest_start("-M virt");

    expect_error(q, "{'execute':'inject-nmi'}", "GenericError");
    expect_error(q, "{'execute':'balloon','arguments':{'value':1048576}}", "DeviceNotActive");
    expect_error(q, "{'execute':'query-balloon'}", "DeviceNotActive");
    expect_error(q, "{'execute':'query-hotpluggable-cpus'}", "GenericError");
    qtest_end(q);
}

static size_t count_entries(QTest *q, const char *command)
{
    struct json_object *list = qmp_return(q, "{'execute':'%s'}", command);
    size_t n = json_object_array_length(list);

    json_object_put(list);
    return n;
}

static void test_lists(void)
{
    QTest *q = qtest_start("-M virt");

    g_assert_cmpuint(count_entries(q, "query-jobs"), ==, 0);
    g_assert_cmpuint(count_entries(q, "query-block-jobs"), ==, 0);
    g_assert_cmpuint(count_entries(q, "query-chardev-backends"), ==, 9);
    qtest_end(q);
}

static void check_dirty_rate(QTest *q, const char *status, int64_t rate)
{
    struct json_object *o = qmp_return(q, "{'execute':'query-dirty-rate'}");

    g_assert_cmpstr(get_text(o, "status"), ==, status);
    if (rate >= 0) {
        g_assert_cmpint(get_number(o, "dirty-rate"), ==, rate);
    } else {
        g_assert_false(json_object_object_get_ex(o, "dirty-rate", NULL));
    }
    json_object_put(o);
}

static void test_dirty_rate(void)
{
    static const char start[] =
        "{'execute':'calc-dirty-rate','arguments':{'calc-time':1,'mode':'page-sampling'}}";
    QTest *q = qtest_start("-M virt -bios none -m 16M");

    check_dirty_rate(q, "unstarted", -1);
    expect_ok(q, start);
    check_dirty_rate(q, "measuring", -1);
    expect_error(q, start, "GenericError");
    qtest_ok(q, "memset 0x%llx %d 0x5a", RAM, RAM_MIB << 20);
    qtest_clock_step(q, SECOND);
    check_dirty_rate(q, "measured", RAM_MIB); /* every page was written */
    expect_ok(q, start);
    qtest_clock_step(q, SECOND);
    check_dirty_rate(q, "measured", 0);
    expect_error(q, "{'execute':'calc-dirty-rate','arguments':{'calc-time':0}}", "GenericError");
    expect_error(q, "{'execute':'calc-dirty-rate','arguments':{'calc-time':61}}", "GenericError");
    expect_error(q, "{'execute':'calc-dirty-rate','arguments':{'calc-time':1,'sample-pages':127}}",
                 "GenericError");
    expect_error(q, "{'execute':'calc-dirty-rate','arguments':{'calc-time':1,'mode':'dirty-ring'}}",
                 "GenericError");
    expect_ok(q, start); /* in progress when the process ends */
    qtest_end(q);
}

static void test_yank(void)
{
    g_autofree char *folder = g_dir_make_tmp("yank-XXXXXX", NULL);
    g_autofree char *path = g_strdup_printf("%s/s", folder);
    g_autofree char *args = g_strdup_printf(
        "-M none -chardev socket,id=c,path=%s,server=on,wait=off -chardev null,id=n", path);
    QTest *q = qtest_start(args);
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    char byte;

    g_strlcpy(at.sun_path, path, sizeof(at.sun_path));
    g_assert_cmpint(connect(fd, (struct sockaddr *)&at, sizeof(at)), ==, 0);
    expect_error(q,
                 "{'execute':'yank','arguments':{'instances':[{'type':'chardev','id':'c'},"
                 "{'type':'chardev','id':'n'}]}}",
                 "DeviceNotFound");
    expect_error(q, "{'execute':'yank','arguments':{'instances':[{'type':'migration'}]}}",
                 "DeviceNotFound");
    g_assert_cmpint(recv(fd, &byte, 1, MSG_DONTWAIT), ==, -1); /* still connected */
    WAIT_UNTIL (recv(fd, &byte, 1, MSG_DONTWAIT) == 0, 10) {   /* once the client is accepted */
        expect_ok(q, "{'execute':'yank','arguments':{'instances':[{'type':'chardev','id':'c'}]}}");
    }
    close(fd);
    qtest_end(q);
    unlink(path);
    rmdir(folder);
}

static void test_rx_filter(void)
{
    QTest *q = qtest_start("-M virt -netdev hubport,id=n0,hubid=0 -device "
                           "virtio-net-pci,netdev=n0,id=nic0,mac=52:54:00:00:00:01");
    struct json_object *list =
        qmp_return(q, "{'execute':'query-rx-filter','arguments':{'name':'nic0'}}");
    struct json_object *o = json_object_array_get_idx(list, 0);

    g_assert_cmpuint(json_object_array_length(list), ==, 1);
    g_assert_cmpstr(get_text(o, "main-mac"), ==, "52:54:00:00:00:01");
    g_assert_true(json_object_get_boolean(json_object_object_get(o, "promiscuous")));
    g_assert_cmpstr(get_text(o, "vlan"), ==, "all");
    json_object_put(list);
    g_assert_cmpuint(count_entries(q, "query-rx-filter"), ==, 1);
    expect_error(q, "{'execute':'query-rx-filter','arguments':{'name':'nosuch'}}", "GenericError");
    qtest_end(q);
}

static void test_stats(void)
{
    QTest *q = qtest_start("-M virt -smp 2");
    struct json_object *list = qmp_return(q, "{'execute':'query-stats','arguments':{'target':"
                                             "'vcpu'}}");

    g_assert_cmpuint(json_object_array_length(list), ==, 2);
    json_object_put(list);
    list = qmp_return(q, "{'execute':'query-stats','arguments':{'target':'vcpu','vcpus':"
                         "['/machine/unattached/cpu[1]'],'providers':[{'provider':'interp','names':"
                         "['device-time']}]}}");
    g_assert_cmpstr(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN |
                                                             JSON_C_TO_STRING_NOSLASHESCAPE),
                    ==,
                    "[{\"provider\":\"interp\",\"qom-path\":\"/machine/unattached/"
                    "cpu[1]\",\"stats\":[{\"name\":"
                    "\"device-time\",\"value\":0}]}]");
    json_object_put(list);
    list = qmp_return(q, "{'execute':'qom-get','arguments':{'path':"
                         "'/machine/unattached/cpu[1]','property':'type'}}");
    g_assert_cmpstr(json_object_get_string(list), ==, "rv64");
    json_object_put(list);
    list = qmp_return(q, "{'execute':'query-stats','arguments':{'target':'vm'}}");
    g_assert_cmpuint(json_object_array_length(list), ==, 0);
    json_object_put(list);
    list = qmp_return(q, "{'execute':'query-stats','arguments':{'target':'vcpu','providers':"
                         "[{'provider':'kvm'}]}}");
    g_assert_cmpuint(json_object_array_length(list), ==, 0);
    json_object_put(list);
    g_assert_cmpuint(count_entries(q, "query-stats-schemas"), ==, 1);
    qtest_end(q);
}

/* A path that query-block returns can be used in qom-get; query-blockstats contains the nodes below
 * the disk. */
static void test_disk_paths(void)
{
    QTest *q = qtest_start("-M virt -blockdev null-co,node-name=s0,size=65536 -blockdev "
                           "raw,node-name=f0,file=s0 -device virtio-blk-pci,drive=f0,id=d0 "
                           "-device edu,id=e0");
    struct json_object *list = qmp_return(q, "{'execute':'query-block'}"), *o, *parent;
    const char *path = get_text(json_object_array_get_idx(list, 0), "qdev");

    g_assert_cmpstr(path, ==, "/machine/peripheral/d0/virtio-backend");
    o = qmp_return(q, "{'execute':'qom-get','arguments':{'path':'%s','property':'drive'}}", path);
    g_assert_cmpstr(json_object_get_string(o), ==, "f0");
    json_object_put(o);
    json_object_put(list);
    expect_error(q,
                 "{'execute':'qom-list','arguments':{'path':"
                 "'/machine/peripheral/e0/virtio-backend'}}",
                 "DeviceNotFound");
    list = qmp_return(q, "{'execute':'query-blockstats'}");
    o = json_object_array_get_idx(list, 0);
    parent = json_object_object_get(o, "parent");
    g_assert_cmpstr(get_text(o, "qdev"), ==, "/machine/peripheral/d0/virtio-backend");
    g_assert_cmpstr(get_text(o, "node-name"), ==, "f0");
    g_assert_cmpstr(get_text(parent, "node-name"), ==, "s0");
    g_assert_false(json_object_object_get_ex(parent, "parent", NULL));
    json_object_put(list);
    qtest_end(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/clients/version", test_version);
    g_test_add_func("/clients/types", test_types);
    g_test_add_func("/clients/type-parents", test_type_parents);
    g_test_add_func("/clients/command-line-options", test_command_line_options);
    g_test_add_func("/clients/actions", test_actions);
    g_test_add_func("/clients/refusals", test_refusals);
    g_test_add_func("/clients/lists", test_lists);
    g_test_add_func("/clients/dirty-rate", test_dirty_rate);
    g_test_add_func("/clients/yank", test_yank);
    g_test_add_func("/clients/rx-filter", test_rx_filter);
    g_test_add_func("/clients/stats", test_stats);
    g_test_add_func("/clients/disk-paths", test_disk_paths);
    return g_test_run();
}
