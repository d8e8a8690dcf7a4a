/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line: rejected forms (status 1 and a one-line message), forms that print and end with
 * status 0, options in any order, a dumped machine read back, and the background process.
 */
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "libqtest.h"
#include "tests/lib/wait.h"

static const struct {
    const char *args, *says;
} bad[] = {
    { "-nosuch", "'-nosuch'" },
    { "disk.img", "disk.img" },
    { "-M", "needs an argument" },
    { "-M nosuch", "nosuch" },
    { "-M virt,aia=sometimes", "sometimes" },
    { "-M virt,nosuch=on", "nosuch" },
    { "-M virt -m 0", "-m" },
    { "-M virt -m lots", "lots" },
    { "-M virt -smp 513", "use a number from 1 to 512" },
    { "-M virt -smp zero", "zero" },
    { "-M virt -smp 0", "1 to 512" },
    { "-M virt -smp 4,sockets=3", "sockets (3) * cores (1) * threads (1) must be maxcpus (4)" },
    { "-M virt -smp 4,maxcpus=2", "cpus (4) must not exceed maxcpus (2)" },
    { "-M virt -smp 4,dies=2", "sockets, cores and threads" },
    { "-M virt -smp 4,hearts=2", "'hearts'" },
    { "-M none -smp 2", "CPU" },
    { "-accel warp", "warp" },
    { "-M virt -cpu nosuch -accel qtest", "nosuch" },
    { "-M virt -device nosuch", "unknown device type 'nosuch'" },
    { "-M virt -device pci-testdev,id=t,membar=32G",
      "64-bit memory window, which has 16G; the largest users are device 't' (pci-testdev) with "
      "32G" },
    { "-M virt -device pxb-pcie,id=x,bus_nr=255 -device pci-testdev,bus=x,membar=128M",
      "require 128M of the 64-bit memory window, which has 64M" },
    { "-M virt -device guest-loader,addr=0x80200000", "unknown device type 'guest-loader'" },
    { "-M virt -device e1000,addr=999,=x", "unknown device type 'e1000'" },
    { "-M virt -device '{\"addr\": 999, \"id\": \"7\", \"driver\": \"e1000\"}'",
      "unknown device type 'e1000'" },
    { "-M virt -device virtio-rgn-pci,addr=99", "did you mean 'virtio-rng-pci'" },
    { "-M virt -device tickr,help", "did you mean 'ticker'" },
    { "-M virt -device ticker,addr=00.0", "00.0" },
    { "-M virt -device ticker,addr=4.0 -device ticker,addr=4.0", "04.0" },
    { "-M virt -device ticker,bus=nowhere", "nowhere" },
    { "-M virt -device ticker,id=a -device ticker,id=a", "'a'" },
    { "-M virt -device ticker,period-ns=1", "period-ns" },
    { "-M virt -device '{'", "JSON" },
    { "-M virt -global ticker", "ticker" },
    { "-M virt -global virtio-pci.nosuch=on", "family virtio-pci" },
    { "-M virt -global virtio-pci.disable-legacy=perhaps", "disable-legacy" },
    { "-M virt -global virtio-rng-pci.vectorz=2", "did you mean 'vectors'" },
    { "-set nonsense", "nonsense" },
    { "-set device.nosuch.addr=5", "nosuch" },
    { "-chardev socket,id=a -M none", "path=" },
    { "-chardev null,id=a -chardev null,id=a -M none", "'a'" },
    { "-mon chardev=nosuch -M none", "nosuch" },
    { "-mon chardev=a,mode=psychic -chardev null,id=a -M none", "psychic" },
    { "-qmp unix:/nonexistent/dir/sock -M none", "/nonexistent/dir/sock" },
    { "-serial stdio -serial stdio -M none", "stdio" },
    { "-serial chardev:nosuch -M none", "-serial chardev:nosuch: character device 'nosuch'" },
    { "-chardev null,id=a -serial chardev:a -serial chardev:a -M none", "it is 'serial0'" },
    { "-chardev null,id=a -serial null -serial chardev:a -chardev null,id=serial1 -M none",
      "that is 'serial1'" },
    { "-display gtk -M none", "gtk" },
    { "-vga std -M none", "std" },
    { "-uuid 12 -M none", "12" },
    { "-d everything_odd -M none", "everything_odd" },
    { "-D /nonexistent/dir/log -M none", "/nonexistent/dir/log" },
    { "-trace nosuch", "-trace help" },
    { "-trace pci_msii", "did you mean 'pci_msi'" },
    { "-trace file=/nonexistent/dir/trace -M none", "/nonexistent/dir/trace" },
    { "-trace events=/nonexistent/events -M none", "/nonexistent/events" },
    { "-kernal x", "did you mean 'kernel'" },
    { "-action crash=pause", "reboot, shutdown" },
    { "-rtc bas=utc", "did you mean 'base'" },
    { "-rtc clock=sun", "host, rt" },
    { "-msg colour=on", "timestamp" },
    { "-overcommit cpu-pm=on", "cpu-pm=off" },
    { "-name a,debug-threads=off", "debug-threads" },
    { "-m 1G,slots=2,maxmem=4G", "slots=0" },
    { "-accel tcg,thread=many", "single" },
    { "-M virt -m 900000G -accel qtest", "reserve=off" },
    { "-M virt -object memory-backend-ram,id=m,size=900000G", "reserve=off" },
    { "-M none -mem-path /tmp", "has no RAM" },
    { "-M virt,memory-backend=m -object memory-backend-ram,id=m,size=128M -mem-prealloc",
      "use only one of them" },
    { "-M virt -mem-path /nonexistent/dir/ram -accel qtest", "/nonexistent/dir/ram" },
    { "-nic user,model=nosuch", "model=help" },
    { "-net nic -net nic", "only one nic" },
    { "-net user -net user", "only one back end" },
    { "-net nic,colour=red", "macaddr" },
    { "-run-with nonsense=on -M none", "nonsense" },
    { "-run-with user=no-such-user -M none", "no-such-user" },
    { "-run-with user=1:x -M none", "UID:GID" },
    { "-chroot /nonexistent/folder -M none", "/nonexistent/folder" },
    { "-sandbox sometimes -M none", "one of on, off" },
    { "-sandbox on,spawn=never -M none", "allow, deny" },
    { "-sandbox on,network=deny -M none", "'network'" },
    { "-action reboot=perhaps -M none", "perhaps" },
    { "-machine-config /nonexistent/machine", "/nonexistent/machine" },
    { "-machine-config /dev/null", "/dev/null" },
    { "-readconfig /nonexistent/file", "'/nonexistent/file'" },
    { "-preconfig -daemonize -M none", "-preconfig and -daemonize" },
    { "-nographic -daemonize -M none", "cannot use stdio with -daemonize" },
    { "-monitor stdio -daemonize -M none", "cannot use stdio with -daemonize" },
    { "-M virt -serial mon:stdio -daemonize", "cannot use stdio with -daemonize" },
    { "-M virt -serial websocket::4444,server", "websocket character devices" },
    { "-M virt -parallel vc", "use none" },
    { "-show everything", "everything" },
    { "-show state nosuch", "nosuch" },
    { "-pidfile /nonexistent/dir/pid -M none", "/nonexistent/dir/pid" },
    { "-netdev user -M virt", "id" },
    { "-object nosuch,id=x -M virt", "nosuch" },
    { "-object memory-backend-ram,id=m -M virt", "size=" },
    { "-object memory-backend-ram,id=m,size=1M,color=red -M virt", "color" },
    { "-object nosuch,help", "memory-backend-ram" },
    { "-M virt,memory-backend=m", "memory-backend=m" },
    { "-M virt,memory-backend=m -object secret,id=m,data=x", "not a memory back end" },
    { "-M virt,memory-backend=m -object memory-backend-ram,id=m,size=64M, -m 128", "67108864" },
    { "-M virt -device virtio-rng-pci,rng=r", "rng=r" },
    { "-M virt -device virtserialport", "add a virtio-serial-pci first" },
    { "-M virt -device virtio-serial-pci -device virtserialport,nr=0", "from 1 to" },
    { "-M virt -device virtio-serial-pci -device virtserialport,chardev=c", "chardev 'c'" },
    { "-M virt -device virtio-serial-pci,max_ports=3 -device virtserialport,nr=3", "max_ports=3" },
    { "-M none -device ticker", "ticker" },
    { "-M none -boot order=z", "letters from a to p" },
    { "-M none -boot once=cc", "letters from a to p" },
    { "-M none -boot menu=on,splash=x.bmp", "omit splash=" },
    { "-M none -chardev socket,id=c,host=localhost,port=65536,server=on", "0 to 65535" },
    { "-M virt -cpu max,vlen=100", "property 'vlen'" },
    { "-M virt -cpu max,v=perhaps", "accepted: off" },
    { "-M none -vnc 1", "[HOST]:N" },
    { "-M none -kernel x", "-kernel" },
};

static void test_refused(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autofree char *out = NULL, *err = NULL;
        int status = qtest_run(bad[i].args, &out, &err);

        if (status != 1 || !strchr(err, '\n') || strcmp(strchr(err, '\n'), "\n") != 0 ||
            !strstr(err, bad[i].says) || *out) {
            g_test_message("%s: status %d, stdout '%s', stderr '%s'", bad[i].args, status, out,
                           err);
            g_test_fail();
        }
    }
}

static void test_printed(void)
{
    static const struct {
        const char *args, *says;
    } good[] = {
        { "-version", "Backplane" },
        { "--help", "-device TYPE" },
        { "-M help", "virt" },
        { "-cpu help", "rv64" },
        { "-cpu rv64,help", "zba" },
        { "-accel help", "interp" },
        { "-trace help", "pci_cfg_write" },
        { "-trace enable=help", "pci_cfg_write" },
        { "-netdev help", "hostfwd" },
        { "-nic model=help", "virtio-net-pci" },
        { "-net nic,model=help", "virtio-net-pci" },
        { "-serial help", "unix:PATH" },
        { "-name help", "process" },
        { "-show options", "Keys of options" },
        { "-show options=json", "\"debug-threads\"" },
        { "-device help", "ticker" },
        { "-device ticker,help", "period-ns" },
        { "-chardev help", "socket" },
        { "-object help", "rng-random" },
        { "-object memory-backend-file,help", "mem-path" },
        { "-show machine -M virt,memory-backend=m -object memory-backend-ram,id=m,size=64M,",
          "\"ram\": 67108864" },
        { "-d help", "guest_errors" },
        { "-show default-machine", "virt-0.3\n" },
        { "-show machines", "none" },
        { "-show pci-slots -M virt -device ticker,addr=7", "07.0" },
        { "-show pci-slots -M virt -device pci-testdev,membar=8G", "8G of 16G 64-bit memory" },
        { "-show pci-slots -M virt -device virtio-rng-pci,vectors=2048",
          "64K of 1G 32-bit memory, 16K of 16G" },
        { "-show machine -M virt", "\"virt-0.3\"" },
        { "-show machine -M virt", "\"aia\": \"none\"" },
        { "-show machine -M virt-0.1", "\"aia\": \"aplic-imsic\"" },
        { "-M virt-0.1,help", "(default: aplic-imsic)" },
        { "-M help", "virt-0.1 " },
        { "-show catalog", "\"ticker\"" },
        { "-show state ticker", "timer" },
        { "-show state=ticker", "fired" },
        { "-show state=rv64", "stimecmp" },
        { "-show state=clock", "virtual_ns" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autofree char *out = NULL, *err = NULL;
        int status = qtest_run(good[i].args, &out, &err);

        if (status != 0 || !strstr(out, good[i].says) || *err || !g_str_has_suffix(out, "\n")) {
            g_test_message("%s: status %d, stdout '%s', stderr '%s'", good[i].args, status, out,
                           err);
            g_test_fail();
        }
    }
}

/* A description that is read and dumped again is identical. Removing a device from the file moves
 * no other device. */
static void test_round_trip(void)
{
    g_autofree char *path = g_strdup_printf("%s/machine-%d", g_get_tmp_dir(), (int)getpid());
    g_autofree char *first = NULL, *second = NULL, *less = NULL;
    g_autofree char *args = g_strdup_printf("-machine-config %s -show machine", path);
    const char *third;

    g_assert_cmpint(qtest_run("-M virt -m 256 -device ticker,id=a -device edu,id=b "
                              "-device ticker,id=c,msix=off -show machine",
                              &first, NULL),
                    ==, 0);
    g_assert_true(g_file_set_contents(path, first, -1, NULL));
    g_assert_cmpint(qtest_run(args, &second, NULL), ==, 0);
    g_assert_cmpstr(first, ==, second);
    third = strstr(first, "\"03.0\"");
    g_assert_nonnull(third);
    struct json_object *o = json_tokener_parse(first), *guest, *devices = NULL;

    guest = json_object_object_get(o, "guest");
    devices = json_object_object_get(guest ? guest : o, "devices");
    g_assert_nonnull(devices);
    for (size_t i = 0; i < json_object_array_length(devices); i++) {
        struct json_object *id =
            json_object_object_get(json_object_array_get_idx(devices, i), "id");

        if (id && strcmp(json_object_get_string(id), "b") == 0) {
            json_object_array_del_idx(devices, i, 1);
            break;
        }
    }
    g_assert_true(g_file_set_contents(path, json_object_to_json_string(o), -1, NULL));
    json_object_put(o);
    g_assert_cmpint(qtest_run(args, &less, NULL), ==, 0);
    g_assert_nonnull(strstr(less, "\"03.0\""));
    g_assert_null(strstr(less, "\"02.0\""));
    g_unlink(path);
}

static void test_order(void)
{
    QTest *q = qtest_start("-mon chardev=later -device '{\"driver\":\"ticker\",\"id\":\"x\"}' "
                           "-set device.x.addr=09.0 -global ticker.period-ns=5000 "
                           "-chardev null,id=later -nodefaults -no-user-config -M virt "
                           "-name guest=box -uuid 01234567-89ab-cdef-0123-456789abcdef -vga none "
                           "-net none -nic none -audiodev none,id=au -boot c -rtc base=utc "
                           "-serial none -monitor none -action reboot=reset -trace pci_bar");
    struct json_object *o = qmp_return(q, "{'execute':'query-name'}");

    g_assert_nonnull(strstr(json_object_to_json_string(o), "box"));
    json_object_put(o);
    g_assert_cmphex(pci_read(q, 0, 9, 0, 0, 4), ==, 0x71c41234);
    o = qmp_return(q, "{'execute':'qom-get','arguments':{'path':'/machine/peripheral/x','property':"
                      "'period-ns'}}");
    g_assert_cmpint(json_object_get_int(o), ==, 5000);
    json_object_put(o);
    qtest_end(q);
}

static char *read_ring(QTest *q, const char *id)
{
    struct json_object *text =
        qmp_return(q, "{'execute':'ringbuf-read','arguments':{'device':'%s','size':9}}", id);
    char *copy = g_strdup(json_object_get_string(text));

    json_object_put(text);
    return copy;
}

/* The board's serial port uses the back end that -serial names, for any id. */
static void check_serial(const char *options, const char *id)
{
    g_autofree char *args = g_strdup_printf("-M virt %s", options);
    QTest *q = qtest_start(args);
    struct json_object *list;
    unsigned named = 0;
    char *text = read_ring(q, id);

    g_assert_cmpstr(text, ==, "");
    qtest_write(q, 0x10000000, 1, 'k');
    WAIT_UNTIL (*text, 20) { /* lines are sent as a unit, with a short delay */
        g_free(text);
        text = read_ring(q, id);
    }
    g_assert_cmpstr(text, ==, "k");
    g_free(text);
    list = qmp_return(q, "{'execute':'query-chardev'}");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *label =
            json_object_object_get(json_object_array_get_idx(list, i), "label");

        named += g_str_equal(json_object_get_string(label), id);
    }
    g_assert_cmpuint(named, ==, 1);
    json_object_put(list);
    qtest_end(q);
}

static void test_serial(void)
{
    check_serial("-chardev ringbuf,id=con -serial chardev:con", "con");
    check_serial("-chardev ringbuf,id=serial0 -serial chardev:serial0", "serial0");
    check_serial("-serial ringbuf", "serial0");
}

/* A process with -daemonize responds after its parent has ended. */
static void check_daemon(const char *options)
{
    g_autofree char *folder = g_dir_make_tmp("backplane-test-XXXXXX", NULL);
    g_autofree char *pidfile = g_build_filename(folder, "pid", NULL);
    g_autofree char *args = g_strdup_printf("%s -daemonize -pidfile %s", options, pidfile);
    g_autofree char *text = NULL;
    pid_t pid;

    g_assert_cmpint(qtest_run(args, NULL, NULL), ==, 0); /* returns once everything is ready */
    g_assert_true(g_file_get_contents(pidfile, &text, NULL, NULL));
    pid = (pid_t)g_ascii_strtoll(text, NULL, 10);
    g_assert_cmpint(pid, >, 1);
    g_assert_cmpint(kill(pid, 0), ==, 0);
    g_assert_cmpint(kill(pid, SIGTERM), ==, 0);
    WAIT_UNTIL (!g_file_test(pidfile, G_FILE_TEST_EXISTS), 20) {
    }
    g_assert_cmpint(g_rmdir(folder), ==, 0);
}

static void test_daemonize(void)
{
    check_daemon("-M none -monitor none -serial none");
    /* -nographic does not use the terminal without a default serial port; libvirt probes so */
    check_daemon("-S -no-user-config -nodefaults -nographic -machine none,accel=kvm:tcg");
    check_daemon("-M none -nographic -serial null");
}

static char *config_file(const char *text)
{
    char *path;
    int fd = g_file_open_tmp("config-XXXXXX", &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    return path;
}

static const struct {
    const char *text, *says;
} bad_config[] = {
    { "driver = \"edu\"\n", "line 1: 'driver = \"edu\"' is before the first section" },
    { "\n[device\n", "line 2: a section is" },
    { "[device edu]\n", "line 1: the id of a section" },
    { "[]\n", "line 1: a section is" },
    { "[device]\ndriver\n", "line 2: a property is" },
    { "[device]\ndriver = edu\n", "line 2: the value of 'driver'" },
    { "[device]\ndriver = \"a\"b\"\n", "line 2: the value of 'driver'" },
    { "# odd\n[nosuch \"x\"]\n", "line 2: there is no option 'nosuch'" },
    { "[readconfig]\na = \"b\"\n", "line 1: there is no option 'readconfig'" },
    { "[S]\n", "line 1: there is no option 'S'" },
    { "[machine]\ntype = \"virt\"\n[device]\ndriver = \"nosuch\"\n", "'nosuch'" },
    { "\xff", "UTF-8" },
};

/* -readconfig: the same machine as from the command line, or a message with line and cause. */
static void test_readconfig(void)
{
    g_autofree char *good = config_file("# a machine\n\n[machine]\n  type = \"virt\"\n[memory]\n"
                                        "size=\"64\"\n[name]\nguest = \"a,b\"\n"
                                        "[device \"t.t\"]\r\n\tdriver = \"ticker\"\n");
    g_autofree char *args = g_strdup_printf("-readconfig %s -show machine", good);
    g_autofree char *out = NULL, *same = NULL;

    g_assert_cmpint(qtest_run(args, &out, NULL), ==, 0);
    g_assert_cmpint(
        qtest_run("-M virt -m 64 -name a,,b -device ticker,id=t.t -show machine", &same, NULL), ==,
        0);
    g_assert_cmpstr(out, ==, same);
    g_unlink(good);
    for (size_t i = 0; i < G_N_ELEMENTS(bad_config); i++) {
        g_autofree char *path = config_file(bad_config[i].text), *err = NULL;
        g_autofree char *bad_args = g_strdup_printf("-readconfig %s", path);

        g_assert_cmpint(qtest_run(bad_args, NULL, &err), ==, 1);
        if (!strstr(err, bad_config[i].says)) {
            g_error("'%s': %s", bad_config[i].text, err);
        }
        g_unlink(path);
    }
}

/* --preconfig: QMP answers before the machine exists. x-exit-preconfig creates it once. */
static void test_preconfig(void)
{
    QTest *q = qtest_start("--preconfig -device ticker,id=t");
    struct json_object *o = qmp_return(q, "{'execute':'query-status'}");
    g_autofree char *early = qmp_error_class(q, "{'execute':'query-pci'}");

    g_assert_cmpstr(json_object_get_string(json_object_object_get(o, "status")), ==, "prelaunch");
    json_object_put(o);
    g_assert_cmpstr(early, ==, "GenericError");
    json_object_put(qmp_return(q, "{'execute':'x-exit-preconfig'}"));
    json_object_put(qmp_event(q, "RESUME"));
    o = qmp_return(q, "{'execute':'query-pci'}");
    g_assert_nonnull(
        strstr(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), "\"qdev_id\":\"t\""));
    json_object_put(o);
    g_autofree char *again = qmp_error_class(q, "{'execute':'x-exit-preconfig'}");

    g_assert_cmpstr(again, ==, "GenericError");
    qtest_end(q);
}

/* A machine that cannot be created: the command returns the reason, and the process ends with
 * status 1. */
static void test_preconfig_fails(void)
{
    QTest *q = qtest_start("--preconfig -append x");
    struct json_object *o = qmp(q, "{'execute':'x-exit-preconfig'}");

    g_assert_nonnull(
        strstr(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), "it needs -kernel"));
    json_object_put(o);
    g_assert_cmpint(qtest_wait(q), ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/options/refused", test_refused);
    g_test_add_func("/options/printed", test_printed);
    g_test_add_func("/options/round-trip", test_round_trip);
    g_test_add_func("/options/order", test_order);
    g_test_add_func("/options/serial", test_serial);
    g_test_add_func("/options/daemonize", test_daemonize);
    g_test_add_func("/options/readconfig", test_readconfig);
    g_test_add_func("/options/preconfig", test_preconfig);
    g_test_add_func("/options/preconfig/fails", test_preconfig_fails);
    return g_test_run();
}
