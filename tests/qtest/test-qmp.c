/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QMP through the emulator, as clients use it: handshake, run state and its events, types and their
 * properties, every query, plug and unplug, quit.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libqtest.h"

static void test_handshake(void)
{
    QTest *q = qtest_start_raw("-machine none");
    struct json_object *greeting = qmp_receive(q), *caps;

    g_assert_true(json_object_object_get_ex(greeting, "QMP", &caps));
    g_assert_true(json_object_object_get_ex(caps, "capabilities", NULL));
    json_object_put(greeting);
    g_autofree char *early = qmp_error_class(q, "{'execute':'query-status'}");

    g_assert_cmpstr(early, ==, "CommandNotFound");
    json_object_put(qmp_return(q, "{'execute':'qmp_capabilities'}"));
    g_autofree char *twice = qmp_error_class(q, "{'execute':'qmp_capabilities'}");

    g_assert_cmpstr(twice, ==, "CommandNotFound");
    qtest_end(q);
}

static char *status(QTest *q)
{
    struct json_object *o = qmp_return(q, "{'execute':'query-status'}");
    char *text = g_strdup(json_object_get_string(json_object_object_get(o, "status")));

    json_object_put(o);
    return text;
}

static void test_run_state(void)
{
    QTest *q = qtest_start("-M virt -S");
    g_autofree char *before = status(q), *running = NULL, *paused = NULL;

    g_assert_cmpstr(before, ==, "prelaunch");
    json_object_put(qmp_return(q, "{'execute':'cont'}"));
    json_object_put(qmp_event(q, "RESUME"));
    running = status(q);
    g_assert_cmpstr(running, ==, "running");
    json_object_put(qmp_return(q, "{'execute':'stop'}"));
    json_object_put(qmp_event(q, "STOP"));
    paused = status(q);
    g_assert_cmpstr(paused, ==, "paused");
    json_object_put(qmp_return(q, "{'execute':'quit'}"));
    json_object_put(qmp_event(q, "SHUTDOWN"));
    g_assert_cmpint(qtest_wait(q), ==, 0);
}

static void test_not_stopped(void)
{
    QTest *q = qtest_start("-M virt");
    g_autofree char *now = status(q);

    g_assert_cmpstr(now, ==, "running"); /* immediately: the CPUs never run */
    qtest_end(q);
}

/* The properties of every device type can be listed, and listing them has no side effect. */
static void test_introspection(void)
{
    QTest *q = qtest_start("-M virt");
    g_autofree char *tree = hmp(q, "info qom-tree"), *again = NULL;
    struct json_object *types = qmp_return(
        q, "{'execute':'qom-list-types','arguments':{'implements':'device','abstract':false}}");

    g_assert_cmpuint(json_object_array_length(types), >, 5);
    for (size_t i = 0; i < json_object_array_length(types); i++) {
        struct json_object *o = json_object_array_get_idx(types, i);
        const char *name = json_object_get_string(json_object_object_get(o, "name"));
        g_autofree char *line = g_strdup_printf("device_add %s,help", name);
        g_autofree char *help = hmp(q, line);

        g_assert_true(json_object_object_get_ex(o, "parent", NULL));
        json_object_put(qmp_return(
            q, "{'execute':'device-list-properties','arguments':{'typename':'%s'}}", name));
        g_assert_cmpuint(strlen(help), >, 0);
    }
    again = hmp(q, "info qom-tree");
    g_assert_cmpstr(tree, ==, again);
    json_object_put(types);
    qtest_end(q);
}

/* Every query command without required arguments. */
static void test_queries(void)
{
    QTest *q = qtest_start("-M virt");
    struct json_object *list = qmp_return(q, "{'execute':'query-commands'}");

    for (size_t i = 0; i < json_object_array_length(list); i++) {
        const char *name = json_object_get_string(
            json_object_object_get(json_object_array_get_idx(list, i), "name"));

        if (g_str_has_prefix(name, "query-")) {
            json_object_put(qmp(q, "{'execute':'%s'}", name)); /* any valid response */
        }
    }
    json_object_put(list);
    json_object_put(qmp_return(q, "{'execute':'query-machine-description'}"));
    qtest_end(q);
}

static void answers(QTest *q, const char *line, const char *want)
{
    g_autofree char *text = hmp(q, line);

    g_assert_cmpstr(text, ==, want);
}

/* Lines that scripts compare completely, including line ends. */
static void test_wording(void)
{
    QTest *q = qtest_start("-M virt -netdev hubport,id=n0,hubid=3 -device "
                           "virtio-net-pci,netdev=n0,id=nic0,mac=52:54:00:00:00:01 -device "
                           "virtio-net-pci,mac=52:54:00:00:00:02 -drive "
                           "if=none,id=d0,file=null-co://,readonly=on,cache=directsync "
                           "-device virtio-blk-pci,drive=d0,id=disk0");
    struct json_object *cpus;

    answers(q, "info network",
            "hub 3\r\n \\ n0: nic0: index=0,type=nic,model=virtio-net-pci,"
            "macaddr=52:54:00:00:00:01\r\n"
            "virtio-net-pci.1: index=0,type=nic,model=virtio-net-pci,"
            "macaddr=52:54:00:00:00:02\r\n");
    answers(q, "info block",
            "d0 (#block-d0): null-co:// (raw, read-only)\r\n"
            "    Attached to:      /machine/peripheral/disk0/virtio-backend\r\n"
            "    Cache mode:       writethrough, direct\r\n");
    answers(q, "info block -n d0", "");
    answers(q, "info block -v #block-d0",
            "d0 (#block-d0): null-co:// (raw, read-only)\r\n"
            "    Attached to:      /machine/peripheral/disk0/virtio-backend\r\n"
            "    Cache mode:       writethrough, direct\r\n"
            "\r\nImages:\r\nimage: null-co://\r\nfile format: raw\r\n"
            "virtual size: 1 GiB (1073741824 bytes)\r\n");
    answers(q, "announce_self", "");
    answers(q, "announce_self nic0 series", "");
    answers(q, "announce_self nobody", "Error: network device 'nobody' does not exist\r\n");
    json_object_put(qmp_return(q, "{'execute':'announce-self','arguments':{'initial':50,"
                                  "'max':100,'rounds':0,'step':10,'id':'series'}}"));
    g_autofree char *wrong = qmp_error_class(
        q, "{'execute':'announce-self','arguments':{'initial':50,'max':100,'rounds':9999,"
           "'step':10}}");

    g_assert_cmpstr(wrong, ==, "GenericError");
    cpus = qmp_return(q, "{'execute':'query-cpus-fast'}");
    g_assert_cmpint(
        json_object_get_int(json_object_object_get(
            json_object_object_get(json_object_array_get_idx(cpus, 0), "props"), "core-id")),
        ==, 0);
    json_object_put(cpus);
    qtest_end(q);
}

static bool has_type(QTest *q, const char *type)
{
    g_autofree char *cls = qmp_error_class(
        q, "{'execute':'device-list-properties','arguments':{'typename':'%s'}}", type);

    return *cls == '\0';
}

/* The picture shows plugged devices, and the human monitor writes the same text. */
static void test_topology(void)
{
    QTest *q = qtest_start("-M virt -S -device pcie-root-port,id=rp");
    g_autofree char *folder = g_dir_make_tmp("backplane-test-XXXXXX", NULL);
    g_autofree char *file = g_build_filename(folder, "topology.svg", NULL);
    g_autofree char *line = g_strdup_printf("{'execute':'human-monitor-command','arguments':"
                                            "{'command-line':'topology %s'}}",
                                            file);
    g_autofree char *written = NULL;
    struct json_object *svg;

    json_object_put(qmp_return(q, "{'execute':'device_add','arguments':"
                                  "{'driver':'ticker','id':'plugged','bus':'rp'}}"));
    svg = qmp_return(q, "{'execute':'query-topology'}");
    g_assert_nonnull(strstr(json_object_get_string(svg), ">ticker  plugged<"));
    json_object_put(qmp_return(q, "%s", line));
    g_assert_true(g_file_get_contents(file, &written, NULL, NULL));
    g_assert_cmpstr(written, ==, json_object_get_string(svg));
    json_object_put(svg);
    g_assert_cmpint(remove(file), ==, 0);
    g_assert_cmpint(rmdir(folder), ==, 0);
    qtest_end(q);
}

static void test_plug(void)
{
    QTest *q = qtest_start("-M virt");
    struct json_object *event;

    if (!has_type(q, "pcie-root-port")) {
        g_test_skip("no type of this build provides a bus for it");
        qtest_end(q);
        return;
    }
    qtest_end(q);
    q = qtest_start("-M virt -device pcie-root-port,id=rp");
    for (unsigned i = 0; i < 3; i++) {
        json_object_put(qmp_return(
            q, "{'execute':'device_add','arguments':{'driver':'ticker','id':'t','bus':'rp'}}"));
        g_autofree char *twice = qmp_error_class(
            q, "{'execute':'device_add','arguments':{'driver':'ticker','id':'t','bus':'rp'}}");

        g_assert_cmpstr(twice, ==, "GenericError");
        json_object_put(qmp_return(q, "{'execute':'device_del','arguments':{'id':'t'}}"));
        event = qmp_event(q, "DEVICE_DELETED");
        g_assert_nonnull(
            strstr(json_object_to_json_string_ext(event, JSON_C_TO_STRING_NOSLASHESCAPE),
                   "/machine/peripheral/t"));
        json_object_put(event);
    }
    qtest_end(q);
}

static void test_refused_plug(void)
{
    static const char *const bad[] = {
        "{'driver':'nosuch'}",
        "{'driver':'ticker','bus':'nowhere'}",
        "{'driver':'ticker','period-ns':'never'}",
        "{'driver':'ticker','colour':1}",
        "{'driver':'ticker','addr':'99.0'}",
        "{'driver':'gpex-root'}",
    };
    QTest *q = qtest_start("-M virt");

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *cls =
            qmp_error_class(q, "{'execute':'device_add','arguments':%s}", bad[i]);

        g_assert_cmpstr(cls, ==, "GenericError");
    }
    qtest_end(q);
}

/* Disks are added and removed. A name can be used once. A disk that a device uses stays. */
static void test_disks(void)
{
    static const char add[] = "{'execute':'blockdev-add','arguments':{'driver':'null-co',"
                              "'node-name':'n0','size':1048576}}";
    QTest *q = qtest_start("-M virt -blockdev null-co,node-name=first,size=65536");
    struct json_object *nodes;

    json_object_put(qmp_return(q, add));
    g_autofree char *twice = qmp_error_class(q, add);

    g_assert_cmpstr(twice, ==, "GenericError");
    nodes = qmp_return(q, "{'execute':'query-named-block-nodes'}");
    g_assert_cmpuint(json_object_array_length(nodes), ==, 2);
    json_object_put(nodes);
    json_object_put(qmp_return(q, "{'execute':'blockdev-del','arguments':{'node-name':'n0'}}"));
    g_autofree char *gone =
        qmp_error_class(q, "{'execute':'blockdev-del','arguments':{'node-name':'n0'}}");

    g_assert_cmpstr(gone, ==, "GenericError");
    g_autofree char *odd =
        qmp_error_class(q, "{'execute':'object-add','arguments':{'qom-type':'nosuch','id':'o'}}");

    g_assert_cmpstr(odd, ==, "GenericError");
    json_object_put(qmp_return(q, "{'execute':'query-block'}"));
    qtest_end(q);
}

static void test_noise(void)
{
    QTest *q = qtest_start("-M virt");
    g_autofree char *noise = g_malloc(100001);
    struct json_object *o;

    for (unsigned i = 0; i < 100000; i++) {
        noise[i] = (char)g_test_rand_int_range(14, 256);
    }
    noise[100000] = '\0';
    qmp_send(q, noise);
    qmp_send(q, "\n{\"execute\": \"query-status\", \"id\": 99}\n");
    for (unsigned answers = 1;; answers++) {
        o = qmp_receive(q);
        g_assert_cmpuint(answers, <, 1000);
        if (json_object_object_get_ex(o, "id", NULL)) {
            break;
        }
        json_object_put(o);
    }
    json_object_put(o);
    qtest_end(q);
}

static char *error_text(QTest *q, const char *request)
{
    struct json_object *answer = qmp(q, "%s", request), *error, *desc;
    char *text;

    g_assert_true(json_object_object_get_ex(answer, "error", &error));
    g_assert_true(json_object_object_get_ex(error, "desc", &desc));
    text = g_strdup(json_object_get_string(desc));
    json_object_put(answer);
    return text;
}

static void check_answer(QTest *q, const char *request, const char *says)
{
    struct json_object *answer = qmp_return(q, "%s", request);
    const char *text = json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN);

    if (!strstr(text, says)) {
        g_error("%s: '%s' does not contain '%s'", request, text, says);
    }
    json_object_put(answer);
}

/* Objects are created, shown, used and removed, but not while they are in use. */
static void test_objects(void)
{
    QTest *q =
        qtest_start("-M virt,memory-backend=mem -object memory-backend-memfd,id=mem,size=32M, "
                    "-object iothread,id=io -device pcie-root-port,id=rp "
                    "-device virtio-serial-pci,id=vs -chardev null,id=c");
    g_autofree char *ram = NULL, *used = NULL, *gone = NULL;

    check_answer(q, "{'execute':'query-memdev'}", "\"id\":\"mem\",\"size\":33554432");
    check_answer(q, "{'execute':'query-iothreads'}", "\"id\":\"io\",\"thread-id\":");
    check_answer(q, "{'execute':'query-memory-size-summary'}", "33554432");
    check_answer(q, "{'execute':'qom-list','arguments':{'path':'/objects'}}",
                 "{\"name\":\"mem\",\"type\":\"child<memory-backend-memfd>\"}");
    check_answer(q, "{'execute':'qom-get','arguments':{'path':'/objects/mem','property':'size'}}",
                 "33554432");
    ram = error_text(q, "{'execute':'object-del','arguments':{'id':'mem'}}");
    g_assert_cmpstr(ram, ==, "object 'mem' is in use by 'machine'");
    json_object_put(
        qmp_return(q, "{'execute':'object-add','arguments':{'qom-type':'rng-builtin','id':'r'}}"));
    json_object_put(qmp_return(q, "{'execute':'device_add','arguments':{'driver':"
                                  "'virtio-rng-pci','id':'rng','bus':'rp','rng':'r'}}"));
    used = error_text(q, "{'execute':'object-del','arguments':{'id':'r'}}");
    g_assert_cmpstr(used, ==, "object 'r' is in use by 'rng'");
    json_object_put(qmp_return(q, "{'execute':'object-del','arguments':{'id':'io'}}"));
    gone = error_text(q, "{'execute':'object-del','arguments':{'id':'io'}}");
    g_assert_cmpstr(gone, ==, "there is no object named 'io'");
    qtest_end(q);
}

/* object-add accepts only values of the property's JSON type, and only an existing directory. */
static void test_object_types(void)
{
    static const char *const bad[] = {
        "'qom-type':'memory-backend-ram','id':'b','size':'1048576'",
        "'qom-type':'memory-backend-ram','id':'b','size':1048576,'share':'on'",
        "'qom-type':'memory-backend-file','id':'b','size':1048576,'mem-path':5",
        "'qom-type':'memory-backend-file','id':'b','size':1048576,'mem-path':'/nonexistent/x'",
    };
    QTest *q = qtest_start("-M virt");

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *class =
            qmp_error_class(q, "{'execute':'object-add','arguments':{%s}}", bad[i]);

        g_assert_cmpstr(class, ==, "GenericError");
    }
    json_object_put(qmp_return(q, "{'execute':'object-add','arguments':{'qom-type':"
                                  "'memory-backend-ram','id':'b','size':1048576,'share':true}}"));
    qtest_end(q);
}

/* Every listed property can be read, with a value of the listed type. Repeated slashes are
 * accepted. */
static void test_properties(void)
{
    QTest *q = qtest_start("-M virt -device virtio-rng-pci,id=r -device ticker,id=t "
                           "-object secret,id=s,data=x");
    static const char *const paths[] = { "/machine/peripheral/r", "//machine//peripheral/t/",
                                         "/objects/s", "//machine", "/objects/" };
    unsigned bools = 0, numbers = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
        struct json_object *list =
            qmp_return(q, "{'execute':'qom-list','arguments':{'path':'%s'}}", paths[i]);

        for (size_t j = 0; j < json_object_array_length(list); j++) {
            struct json_object *row = json_object_array_get_idx(list, j), *value;
            const char *name = json_object_get_string(json_object_object_get(row, "name"));
            const char *type = json_object_get_string(json_object_object_get(row, "type"));

            if (g_str_has_prefix(type, "child<")) {
                continue;
            }
            value = qmp_return(q, "{'execute':'qom-get','arguments':{'path':'%s','property':'%s'}}",
                               paths[i], name);
            if (g_str_equal(type, "bool")) {
                g_assert_true(json_object_is_type(value, json_type_boolean));
                bools++;
            } else if (g_str_has_prefix(type, "uint") || g_str_equal(type, "size")) {
                g_assert_true(json_object_is_type(value, json_type_int));
                numbers++;
            }
            json_object_put(value);
        }
        json_object_put(list);
    }
    g_assert_cmpuint(bools, >, 0);
    g_assert_cmpuint(numbers, >, 0);
    qtest_end(q);
}

/* The format in its common form, without a space. */
static void test_xp(void)
{
    QTest *q = qtest_start("-M virt");
    g_autofree char *apart = hmp(q, "xp /4xw 0x80000000"), *joined = hmp(q, "xp/4xw 0x80000000");

    g_assert_nonnull(strstr(joined, "80000000: 0x"));
    g_assert_cmpstr(apart, ==, joined);
    qtest_end(q);
}

/* Instructions, of both lengths and unknown ones, and the end of memory. */
static void test_instructions(void)
{
    QTest *q = qtest_start("-M virt -m 128");

    qtest_write(q, 0x87fffff0, 4, 0xfff50513);
    qtest_write(q, 0x87fffff4, 4, 0xe406852e);
    qtest_write(q, 0x87fffff8, 4, 0xffffffff);
    qtest_write(q, 0x87fffffc, 4, 0x05130000);
    g_autofree char *text = hmp(q, "xp/7i 0x87fffff0"), *virtual = hmp(q, "x /2i 0x87fffff0");
    g_assert_cmpstr(text, ==,
                    "0x0000000087fffff0:  fff50513          addi                    a0,a0,-1\r\n"
                    "0x0000000087fffff4:  852e              c.mv                    a0,a1\r\n"
                    "0x0000000087fffff6:  e406              c.sdsp                  ra,8(sp)\r\n"
                    "0x0000000087fffff8:  ffffffff          .4byte                  0xffffffff\r\n"
                    "0x0000000087fffffc:  0000              .2byte                  0x0\r\n"
                    "0x0000000087fffffe: Cannot access memory\r\n");
    g_assert_true(g_str_has_prefix(text, virtual));
    qtest_end(q);
}

/* Registers in expressions have the names of info registers. */
static void test_registers(void)
{
    static const struct {
        const char *command, *text;
    } rows[] = {
        { "p $pc", "0x1000\r\n" },
        { "p/d $pc+4*2", "4104\r\n" },
        { "print ($a0)", "0\r\n" },
        { "p $misa", "0x800000000014112d\r\n" },
        { "p $x99", "print: unknown register '$x99'; info registers lists the names\r\n"
                    "Try \"help print\" for more information\r\n" },
        { "p $", "print: unknown register '$'; info registers lists the names\r\n"
                 "Try \"help print\" for more information\r\n" },
        { "x/1xw $pc+0x10", "0000000000001010: 0x0182b283\r\n" },
        { "x/1i $pc", "0x0000000000001000:  00000297          auipc                   t0,0x0\r\n" },
    };
    QTest *q = qtest_start("-M virt -m 128");

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = hmp(q, rows[i].command);
        g_assert_cmpstr(text, ==, rows[i].text);
    }
    qtest_end(q);
}

/* Ports are added and removed immediately. DEVICE_DELETED has their path, and the description has
 * their number. */
static void test_ports(void)
{
    QTest *q =
        qtest_start("-M virt -device virtio-serial-pci,id=vs,max_ports=4 -chardev null,id=c");
    g_autofree char *held = NULL, *in_use = NULL, *full = NULL;
    struct json_object *event;

    json_object_put(qmp_return(q, "{'execute':'device_add','arguments':{'driver':'virtserialport',"
                                  "'id':'p','bus':'vs.0','chardev':'c','name':'org.x'}}"));
    check_answer(q, "{'execute':'query-chardev'}",
                 "\"label\":\"c\",\"filename\":\"null\","
                 "\"frontend-open\":false");
    check_answer(q, "{'execute':'query-machine-description','arguments':{'guest-only':true}}",
                 "\"id\":\"p\",\"bus\":\"vs.0\",\"properties\":{\"nr\":1,");
    held = error_text(q, "{'execute':'device_add','arguments':{'driver':'virtconsole','id':'x',"
                         "'bus':'vs.0','nr':1}}");
    g_assert_nonnull(strstr(held, "nr=1 on bus 'vs.0' is already used by device 'p'"));
    in_use = error_text(q, "{'execute':'device_add','arguments':{'driver':'virtserialport',"
                           "'id':'x','bus':'vs.0','chardev':'c'}}");
    g_assert_nonnull(strstr(in_use, "'c' is already in use"));
    for (unsigned i = 0; i < 3; i++) {
        json_object_put(qmp_return(q,
                                   "{'execute':'device_add','arguments':{'driver':'virtconsole',"
                                   "'id':'c%u','bus':'vs.0'}}",
                                   i));
    }
    full = error_text(q, "{'execute':'device_add','arguments':{'driver':'virtserialport',"
                         "'bus':'vs.0'}}");
    g_assert_nonnull(strstr(full, "bus 'vs.0' is full: max_ports=4"));
    json_object_put(qmp_return(q, "{'execute':'device_del','arguments':{'id':'p'}}"));
    event = qmp_event(q, "DEVICE_DELETED");
    g_assert_nonnull(strstr(json_object_to_json_string_ext(event, JSON_C_TO_STRING_NOSLASHESCAPE),
                            "/machine/peripheral/p"));
    json_object_put(event);
    json_object_put(qmp_return(q, "{'execute':'device_add','arguments':{'driver':'virtserialport',"
                                  "'id':'p','bus':'vs.0','chardev':'c','name':'org.x'}}"));
    qtest_end(q);
}

/* Character devices are added and removed with the nested form of QMP, and are part of the
 * description. */
static void test_chardevs(void)
{
    QTest *q = qtest_start("-M virt -device virtio-serial-pci,id=vs");
    g_autofree char *in_use = NULL, *odd = NULL, *gone = NULL, *taken = NULL, *shape = NULL;

    json_object_put(qmp_return(q, "{'execute':'chardev-add','arguments':{'id':'c','backend':{"
                                  "'type':'socket','data':{'addr':{'type':'inet','data':{'host':"
                                  "'127.0.0.1','port':'0'}}}}}}"));
    check_answer(q, "{'execute':'query-machine-description'}", "\"kind\":\"chardev\",\"id\":\"c\"");
    json_object_put(qmp_return(q, "{'execute':'device_add','arguments':{'driver':'virtserialport',"
                                  "'id':'p','chardev':'c'}}"));
    in_use = error_text(q, "{'execute':'chardev-remove','arguments':{'id':'c'}}");
    g_assert_cmpstr(in_use, ==, "character device 'c' is in use");
    json_object_put(qmp_return(q, "{'execute':'device_del','arguments':{'id':'p'}}"));
    json_object_put(qmp_return(q, "{'execute':'chardev-remove','arguments':{'id':'c'}}"));
    gone = error_text(q, "{'execute':'chardev-remove','arguments':{'id':'c'}}");
    g_assert_nonnull(strstr(gone, "'c'"));
    check_answer(q, "{'execute':'chardev-add','arguments':{'id':'t','backend':{'type':'pty'}}}",
                 "\"pty\":\"\\/dev\\/pts\\/");
    taken = error_text(q, "{'execute':'chardev-add','arguments':{'id':'t','backend':{'type':"
                          "'null','data':{}}}}");
    g_assert_nonnull(strstr(taken, "'t'"));
    odd = error_text(q, "{'execute':'chardev-add','arguments':{'id':'o','backend':{'type':'null',"
                        "'data':{'speed':9600}}}}");
    g_assert_cmpstr(odd, ==, "Parameter 'backend.data.speed' is unexpected");
    shape = error_text(q, "{'execute':'chardev-add','arguments':{'id':'o','backend':{'data':{}}}}");
    g_assert_cmpstr(shape, ==, "Parameter 'backend.type' is missing");
    qtest_end(q);
}

/* system_powerdown presses the button of the board for 100 ms. */
static void test_powerdown(void)
{
    enum { GPIO = 0x10060000, INPUT_EN = 4 };
    QTest *q = qtest_start("-M virt");

    qtest_write(q, GPIO + INPUT_EN, 4, 1);
    json_object_put(qmp_return(q, "{'execute':'system_powerdown'}"));
    json_object_put(qmp_event(q, "POWERDOWN"));
    g_assert_cmpuint(qtest_read(q, GPIO, 4), ==, 1);
    qtest_clock_step(q, 100000000);
    g_assert_cmpuint(qtest_read(q, GPIO, 4), ==, 0);
    qtest_end(q);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/qmp/handshake", test_handshake);
    g_test_add_func("/qmp/run-state", test_run_state);
    g_test_add_func("/qmp/not-stopped", test_not_stopped);
    g_test_add_func("/qmp/introspection", test_introspection);
    g_test_add_func("/qmp/queries", test_queries);
    g_test_add_func("/qmp/topology", test_topology);
    g_test_add_func("/qmp/wording", test_wording);
    g_test_add_func("/qmp/plug", test_plug);
    g_test_add_func("/qmp/refused-plug", test_refused_plug);
    g_test_add_func("/qmp/disks", test_disks);
    g_test_add_func("/qmp/objects", test_objects);
    g_test_add_func("/qmp/object-types", test_object_types);
    g_test_add_func("/qmp/properties", test_properties);
    g_test_add_func("/qmp/xp", test_xp);
    g_test_add_func("/qmp/instructions", test_instructions);
    g_test_add_func("/qmp/registers", test_registers);
    g_test_add_func("/qmp/ports", test_ports);
    g_test_add_func("/qmp/chardevs", test_chardevs);
    g_test_add_func("/qmp/powerdown", test_powerdown);
    g_test_add_func("/qmp/noise", test_noise);
    return g_test_run();
}
