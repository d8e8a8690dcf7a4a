/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line. One table drives parsing, -help and the option reference in docs/.
 */
#include <stdio.h>
#include <string.h>

#include "chardev/chardev.h"
#include "hw/core/host_object.h"
#include "options_internal.h"
#include "util/suggest.h"
#include "util/trace.h"

bool option_print(Session *s, char *text)
{
    fputs(text, stdout);
    g_free(text);
    s->mode = MODE_DONE;
    return true;
}

bool option_wants_help(const char *arg)
{
    return strcmp(arg, "help") == 0 || strcmp(arg, "?") == 0;
}

bool option_has_help(const char *arg)
{
    g_auto(GStrv) words = g_strsplit(arg, ",", 0);

    return *arg != '{' && (g_strv_contains((const char *const *)words, "help") ||
                           g_strv_contains((const char *const *)words, "?"));
}

bool option_set_string(char **field, const char *value)
{
    char *copy = g_strdup(value); /* @value may be *field */

    g_free(*field);
    *field = copy;
    return true;
}

static bool options_opt_global(Session *s, const char *arg, GError **err)
{
    return plan_machine_add_global(s->plan, arg, err);
}

static bool opt_set(Session *s, const char *arg, GError **err)
{
    const char *eq = strchr(arg, '=');
    g_autofree char *left = eq ? g_strndup(arg, (size_t)(eq - arg)) : g_strdup(arg);
    g_auto(GStrv) parts = g_strsplit(left, ".", 3);
    SetOption *o;

    if (!eq || g_strv_length(parts) != 3) {
        return error_set(err, ERROR_USER,
                         "-set %s: use GROUP.ID.KEY=VALUE, as in device.nic0.addr=05.0", arg);
    }
    o = g_new0(SetOption, 1);
    *o =
        (SetOption){ g_strdup(parts[0]), g_strdup(parts[1]), g_strdup(parts[2]), g_strdup(eq + 1) };
    g_ptr_array_add(s->sets, o);
    return true;
}

/* --- devices and host parts --- */

static bool options_device_help(Session *s, const char *arg, GError **err)
{
    g_auto(GStrv) words = g_strsplit(arg, ",", 0);
    const PlanType *t;

    if (option_wants_help(words[0])) {
        return option_print(s, plan_help_types(s->catalog));
    }
    t = plan_expect_type(s->catalog, words[0], err);
    return t && option_print(s, plan_help_type(t));
}

static bool options_opt_device(Session *s, const char *arg, GError **err)
{
    PlanDevice *d;

    if (option_has_help(arg)) {
        return options_device_help(s, arg, err);
    }
    if (*arg == '{' && !option_types_check_device(s->catalog, arg, err)) {
        return false;
    }
    d = plan_device_parse_known(arg, s->catalog, err);
    if (d) {
        d->option = ++s->n_device_options;
        g_ptr_array_add(s->plan->devices, d);
    }
    return d != NULL;
}

bool option_host_part(Session *s, const char *kind, const char *arg, GError **err)
{
    PlanHostPart *part = plan_host_part_parse(kind, arg, err);

    if (!part || (*arg == '{' && !option_types_check_part(part, err)) ||
        !plan_machine_add_host(s->plan, part, err)) {
        plan_host_part_free(part);
        return false;
    }
    return true;
}

static bool opt_object(Session *s, const char *arg, GError **err)
{
    g_auto(GStrv) words = g_strsplit(arg, ",", 0);

    if (option_wants_help(arg)) {
        return option_print(s, host_object_help());
    }
    if (option_has_help(arg)) {
        char *text = host_object_kind_help(words[0], err);

        return text && option_print(s, text);
    }
    return option_host_part(s, "object", arg, err);
}

static bool options_opt_fw_cfg(Session *s, const char *arg, GError **err)
{
    return option_host_part(s, "fw_cfg", arg, err);
}

static bool opt_blockdev(Session *s, const char *arg, GError **err)
{
    return disks_blockdev(s, arg, err);
}

char *option_take_key(struct json_object *o, const char *key)
{
    struct json_object *v;
    char *text = json_object_object_get_ex(o, key, &v) ? g_strdup(json_object_get_string(v)) : NULL;

    json_object_object_del(o, key);
    return text;
}

bool option_add_device(Session *s, char *text, GError **err)
{
    PlanDevice *d = plan_device_parse_known(text, s->catalog, err);

    g_free(text);
    if (d) {
        g_ptr_array_add(s->plan->devices, d);
    }
    return d != NULL;
}

/* -hda to -hdd and -cdrom. In QEMU they create a drive on the default bus of the machine, which
 * virt does not have. Here disks_add_devices() creates a disk unless a device uses the drive. */
#define IMAGE_OPTION(name, index, media)                                                           \
    static bool opt_##name(Session *s, const char *arg, GError **err)                              \
    {                                                                                              \
        return disks_image(s, "-" #name, index, media, arg, err);                                  \
    }
IMAGE_OPTION(hda, 0, "disk")
IMAGE_OPTION(hdb, 1, "disk")
IMAGE_OPTION(hdc, 2, "disk")
IMAGE_OPTION(hdd, 3, "disk")
IMAGE_OPTION(cdrom, 2, "cdrom")

static bool options_opt_pflash(Session *s, const char *arg, GError **err)
{
    return disks_pflash(s, arg, err);
}

static bool opt_drive(Session *s, const char *arg, GError **err)
{
    return disks_drive(s, arg, err);
}

/* --- consoles and monitors --- */

#define SHORT_FORMS                                                                                \
    "  null, none, vc, stdio, pty, ringbuf\n"                                                      \
    "  file:PATH, pipe:PATH, chardev:ID\n"                                                         \
    "  unix:PATH[,server=on,wait=off], tcp:HOST:PORT[,server=on,wait=off,nodelay=on]\n"            \
    "  mon:KIND: the human monitor on the same back end\n"

static bool opt_chardev(Session *s, const char *arg, GError **err)
{
    if (option_wants_help(arg)) {
        return option_print(s, chardev_help());
    }
    return option_host_part(s, "chardev", arg, err);
}

static bool serial_help(Session *s)
{
    g_autofree char *kinds = chardev_help();

    return option_print(s, g_strdup_printf("%s\nShort forms for -serial, -monitor, -qmp and "
                                           "-qtest:\n" SHORT_FORMS,
                                           kinds));
}

static bool opt_serial(Session *s, const char *arg, GError **err)
{
    if (option_wants_help(arg)) {
        return serial_help(s);
    }
    g_ptr_array_add(s->serials, g_strdup(arg));
    return true;
}

static void options_add_monitor(Session *s, const char *chardev, bool by_id, bool control,
                                bool pretty)
{
    MonitorOption *o = g_new0(MonitorOption, 1);

    *o = (MonitorOption){ g_strdup(chardev), by_id, control, pretty };
    g_ptr_array_add(s->monitors, o);
}

static bool opt_monitor(Session *s, const char *arg, GError **err)
{
    if (option_wants_help(arg)) {
        return serial_help(s);
    }
    s->have_monitor = true;
    options_add_monitor(s, arg, false, false, false);
    return true;
}

static bool opt_qmp(Session *s, const char *arg, GError **err)
{
    if (option_wants_help(arg)) {
        return serial_help(s);
    }
    options_add_monitor(s, arg, false, true, false);
    return true;
}

static bool opt_qmp_pretty(Session *s, const char *arg, GError **err)
{
    if (option_wants_help(arg)) {
        return serial_help(s);
    }
    options_add_monitor(s, arg, false, true, true);
    return true;
}

static bool opt_gdb_default(Session *s, const char *arg, GError **err)
{
    return option_set_string(&s->gdb_device, GDB_DEFAULT_DEVICE);
}

static bool opt_mon(Session *s, const char *arg, GError **err)
{
    struct json_object *o = plan_options_parse(arg, "chardev", err);
    g_autofree char *chardev = NULL, *mode = NULL, *pretty = NULL;
    bool control;

    if (!o) {
        return false;
    }
    chardev = option_take_key(o, "chardev");
    mode = option_take_key(o, "mode");
    pretty = option_take_key(o, "pretty");
    json_object_put(o);
    if (!chardev) {
        return error_set(err, ERROR_USER, "-mon %s: property 'chardev' is required: chardev=ID",
                         arg);
    }
    control = mode && strcmp(mode, "control") == 0;
    if (mode && !control && strcmp(mode, "readline") != 0) {
        return error_set(err, ERROR_USER, "-mon %s: mode=%s: use readline or control", arg, mode);
    }
    s->have_monitor = s->have_monitor || !control;
    options_add_monitor(s, chardev, true, control, pretty && strcmp(pretty, "on") == 0);
    return true;
}

/* --- running --- */

static bool opt_sandbox(Session *s, const char *arg, GError **err)
{
    return sandbox_policy_parse(&s->sandbox, arg, err);
}

/* Set the reactions that keys with a field do not set. */
static bool opt_action(Session *s, const char *arg, GError **err)
{
    struct json_object *o = plan_options_parse(arg, NULL, err);
    g_autofree char *reboot = o ? option_take_key(o, "reboot") : NULL;
    g_autofree char *shutdown = o ? option_take_key(o, "shutdown") : NULL;
    GuestActions *a = &s->actions;

    json_object_put(o);
    a->reboot_shuts_down = reboot ? strcmp(reboot, "shutdown") == 0 : a->reboot_shuts_down;
    a->shutdown_pauses = shutdown ? strcmp(shutdown, "pause") == 0 : a->shutdown_pauses;
    return o != NULL;
}

static bool opt_version(Session *s, const char *arg, GError **err)
{
    return option_print(s, g_strdup("Backplane emulator version " BACKPLANE_VERSION "\n"));
}

static bool opt_help(Session *s, const char *arg, GError **err)
{
    return option_print(s, options_help(false));
}

/* --- the table --- */

#define STR(f)             NULL, offsetof(Session, f), NULL
#define FLAG(f)            NULL, offsetof(Session, f), NULL
#define FN(f)              f, SIZE_MAX, NULL
#define ONLY(words)        NULL, SIZE_MAX, words
#define NO_FN              NULL, SIZE_MAX, NULL
#define KEYS(table, first) .keys = (table), .n_keys_at = &n_##table, .implied = (first)

static const Option options[] = {
    { "h", NULL, "show this help", FN(opt_help) },
    { "help", NULL, "show this help", FN(opt_help) },
    { "version", NULL, "show the version", FN(opt_version) },
    { "show", "WHAT",
      "print default-machine, machines, pci-slots, machine, kernel-parameters, topology[=FILE], "
      "catalog, catalog-c, "
      "state=TYPE, registers=TYPE, options, commands or absent, and exit",
      FN(opt_show), .kinds = KINDS_SHOW },
    { "machine-config", "FILE",
      "start from a description, or a part of one, that -show machine printed; may be repeated",
      FN(opt_machine_config) },
    { "readconfig", "FILE", "read options from a file with a section [OPTION \"ID\"] for each",
      FN(readconfig) },
    /* the machine */
    { "M", "TYPE[,prop=value...]", "choose the machine; help lists them", FN(opt_machine),
      .kinds = KINDS_MACHINE },
    { "machine", "TYPE[,prop=value...]", "like -M", FN(opt_machine), .kinds = KINDS_MACHINE },
    { "accel", "NAME[:NAME...][,thread=single|multi]",
      "execution of guest CPUs: tcg (translator), interp (interpreter) or qtest; the first "
      "available "
      "one of a list",
      FN(opt_accel), KEYS(accel_keys, "accel") },
    { "cpu", "TYPE[,feature=on|off...]", "choose the CPU; help lists types and features",
      FN(opt_cpu), .kinds = KINDS_CPU },
    { "smp", "[cpus=]N[,sockets=N][,cores=N][,threads=N][,maxcpus=N]",
      "number of CPUs, each run by a host thread", FN(opt_smp), KEYS(smp_keys, "cpus") },
    { "numa", "node|dist|cpu[,key=value...]",
      "NUMA nodes: their CPUs and memory (node), their distances (dist), the node of a CPU (cpu)",
      FN(opt_numa), KEYS(numa_keys, "type") },
    { "icount", "[shift=]N|auto[,sleep=on|off][,align=on|off]",
      "virtual time counts instructions of 2^N ns, and is deterministic; auto follows the host",
      FN(opt_icount), KEYS(icount_keys, "shift") },
    { "seed", "NUMBER", "fixed random numbers for the guest", FN(opt_seed) },
    { "m", "[size=]SIZE", "size of RAM, in MiB or with a suffix (128M)", FN(opt_memory),
      KEYS(memory_keys, "size") },
    { "mem-path", "PATH", "use a file as RAM, or an unnamed file in a folder (hugetlbfs)",
      STR(mem_path) },
    { "mem-prealloc", NULL, "allocate all RAM at startup", FLAG(mem_prealloc) },
    { "overcommit", "mem-lock=on|off,cpu-pm=off", "lock the memory of the process",
      FN(opt_overcommit), KEYS(overcommit_keys, NULL) },
    { "device", "TYPE[,prop=value...]", "add a device; help lists types, TYPE,help properties",
      FN(options_opt_device), .kinds = KINDS_DEVICE },
    { "global", "TYPE.PROP=VALUE", "set a property of all devices of a type",
      FN(options_opt_global) },
    { "set", "GROUP.ID.KEY=VALUE", "set a property of the option with this id", FN(opt_set) },
    { "name", "[guest=]NAME[,process=NAME,debug-threads=on]",
      "name the guest, and the process for ps and top", NO_FN, KEYS(name_keys, "guest") },
    { "uuid", "UUID", "UUID of the machine", FN(opt_uuid) },
    { "rtc", "OPTIONS", "base=utc|localtime|DATE, clock=host|rt|vm of the real-time clock",
      STR(rtc), KEYS(rtc_keys, NULL) },
    { "boot", "[order=]DRIVES[,menu=on|off][,strict=on|off][,...]",
      "boot menu and times for the firmware; drive letters have no effect, use bootindex=",
      FN(opt_boot), KEYS(boot_keys, "order") },
    /* boot images */
    { "bios", "FILE", "firmware: a file, default or none", STR(bios) },
    { "kernel", "FILE", "kernel: a Linux Image, ELF or raw file", STR(kernel) },
    { "initrd", "FILE", "initial RAM disk", STR(initrd) },
    { "append", "TEXT", "command line of the kernel", STR(append) },
    { "dtb", "FILE", "device tree that replaces the generated one", STR(dtb) },
    /* host parts */
    { "object", "TYPE,id=ID[,prop=value...]", "create a host object; help lists the types",
      FN(opt_object), .kinds = KINDS_OBJECT },
    { "fw_cfg", "[name=]NAME,file=FILE|string=TEXT",
      "file that firmware and guest read from fw_cfg; the name begins with opt/",
      FN(options_opt_fw_cfg), KEYS(fw_cfg_keys, "name") },
    { "blockdev", "DRIVER,node-name=ID[,...]",
      "create a disk back end; help lists drivers, DRIVER,help options", FN(opt_blockdev),
      .kinds = KINDS_BLOCKDEV },
    { "drive", "file=FILE[,if=none|virtio|scsi|pflash,format=raw,id=ID,...]",
      "create a disk back end; with if=virtio or if=scsi also a disk, with if=pflash it is the "
      "contents "
      "of a flash bank; help lists the options",
      FN(opt_drive), .kinds = KINDS_DRIVE },
    { "hda", "FILE", "create the drive none0, and a virtio disk unless a -device uses the drive",
      FN(opt_hda) },
    { "hdb", "FILE", "like -hda, with index=1 (none1)", FN(opt_hdb) },
    { "hdc", "FILE", "like -hda, with index=2 (none2)", FN(opt_hdc) },
    { "hdd", "FILE", "like -hda, with index=3 (none3)", FN(opt_hdd) },
    { "cdrom", "FILE",
      "create the read-only drive none2, and a SCSI CD-ROM drive unless a -device uses it",
      FN(opt_cdrom) },
    { "pflash", "FILE", "like -drive if=pflash,file=FILE: contents of the next flash bank",
      FN(options_opt_pflash) },
    { "snapshot", NULL, "all drives have snapshot=on: their images are not modified",
      FLAG(snapshot) },
    { "netdev", "KIND,id=ID[,...]", "create a network back end; help lists the types",
      FN(opt_netdev), .kinds = KINDS_NETDEV },
    { "nic", "none | KIND[,model=TYPE,mac=MAC,addr=ADDR,...]",
      "create a network back end and its device; model=help lists the types", FN(opt_nic),
      .kinds = KINDS_NIC },
    { "net", "none | nic[,model=TYPE,macaddr=MAC,addr=ADDR,name=ID,netdev=ID] | KIND[,...]",
      "older form: -net nic and -net KIND together are -nic KIND", FN(opt_net),
      .kinds = KINDS_NET },
    { "chardev", "KIND,id=ID[,...]", "create a character back end; help lists the types",
      FN(opt_chardev), .kinds = KINDS_CHARDEV },
    { "add-fd", "set=SET,fd=FD[,opaque=NOTE]",
      "the path /dev/fdset/SET opens this descriptor of the process", FN(opt_add_fd),
      KEYS(add_fd_keys, NULL) },
    /* consoles and monitors */
    { "serial", "DEV",
      "connect the serial port: stdio, mon:stdio, file:F, unix:P, tcp:H:P, "
      "chardev:ID, null, none",
      FN(opt_serial) },
    { "monitor", "DEV", "human monitor on DEV", FN(opt_monitor) },
    { "qmp", "DEV", "QMP monitor on DEV", FN(opt_qmp) },
    { "qmp-pretty", "DEV", "QMP monitor with indented output", FN(opt_qmp_pretty) },
    { "mon", "[chardev=]ID[,mode=readline|control,pretty=on,id=NAME]", "monitor on a -chardev",
      FN(opt_mon), KEYS(mon_keys, "chardev") },
    { "qtest", "DEV", "serve the qtest protocol on DEV", STR(qtest_chardev) },
    { "qtest-log", "FILE", "write a log of the qtest protocol; none: no log", STR(qtest_log) },
    { "gdb", "DEV",
      "wait for gdb on DEV: tcp::PORT, unix:PATH,server=on,wait=off, stdio, chardev:ID, none",
      STR(gdb_device) },
    { "s", NULL, "like -gdb " GDB_DEFAULT_DEVICE, FN(opt_gdb_default) },
    { "display", "TYPE", "none: no window on the host; vnc=ADDRESS[,...]: as -vnc ADDRESS",
      FN(opt_display) },
    { "vnc", "[HOST]:N|unix:PATH|none[,to=L,password=on,password-secret=ID,...]",
      "VNC server on the TCP port 5900 + N of HOST (127.0.0.1), or on a unix socket", FN(opt_vnc),
      KEYS(vnc_keys, "address") },
    { "semihosting", NULL, "carry out semihosting calls of the guest", FN(opt_semihosting) },
    { "semihosting-config",
      "[enable=]on|off[,target=native|auto][,userspace=on|off][,chardev=ID][,folder=FOLDER][,arg="
      "TEXT...]",
      "semihosting calls: their console, files and arguments", FN(opt_semihosting_config),
      KEYS(semihosting_keys, "enable") },
    { "nographic", NULL, "serial port and monitor on the terminal", FLAG(nographic) },
    { "vga", "none", "the machine has no display adapter by default", FN(opt_vga), .compat = true },
    { "parallel", "none", "the machine has no parallel port", ONLY("none"), .compat = true },
    { "audio", "none", "the machine has no audio device", ONLY("none"), .compat = true },
    { "audiodev", "none,id=ID", "silence, for audiodev= of -vnc", FN(opt_audiodev),
      KEYS(audiodev_keys, "driver") },
    { "nodefaults", NULL, "create no default devices", FLAG(nodefaults) },
    { "no-user-config", NULL, "there are no user configuration files", ONLY(NULL), .compat = true },
    { "no-acpi", NULL, "the machine has no ACPI tables", ONLY(NULL), .compat = true },
    /* running */
    { "S", NULL, "do not start the guest before the command cont", FLAG(stopped) },
    { "preconfig", NULL, "create the machine only at the QMP command x-exit-preconfig",
      FLAG(preconfig) },
    { "no-reboot", NULL, "exit instead of resetting", FLAG(actions.reboot_shuts_down) },
    { "no-shutdown", NULL, "stop instead of exiting when the guest powers off",
      FLAG(actions.shutdown_pauses) },
    { "action",
      "reboot=reset|shutdown,shutdown=poweroff|pause,panic=pause|shutdown|exit-failure|none,"
      "watchdog=reset|shutdown|poweroff|pause|debug|none",
      "actions for these events", FN(opt_action), KEYS(action_keys, NULL) },
    { "watchdog-action", "reset|shutdown|poweroff|pause|debug|none",
      "like -action watchdog=", NO_FN, KEYS(watchdog_action_keys, "watchdog") },
    { "incoming", "URI", "wait for a migration stream", STR(incoming) },
    { "loadvm", "TAG", "start from a snapshot of savevm in the disk images", STR(loadvm) },
    { "daemonize", NULL, "run in the background when startup is complete", FLAG(daemonize) },
    { "pidfile", "FILE", "write the process id to a file", STR(pidfile) },
    { "run-with", "[exit-with-parent=on|off][,chroot=FOLDER][,user=NAME|UID:GID]",
      "exit when the parent process ends; change the root folder and the user before the "
      "guest runs",
      NO_FN, KEYS(run_with_keys, NULL) },
    { "chroot", "FOLDER", "like -run-with chroot=FOLDER", STR(chroot_dir) },
    { "runas", "NAME|UID:GID", "like -run-with user=NAME|UID:GID", STR(run_as) },
    { "sandbox",
      "on|off[,obsolete=allow|deny][,elevateprivileges=allow|deny|children]"
      "[,spawn=allow|deny][,resourcecontrol=allow|deny]",
      "filter of system calls that the configuration does not require; on: such a call ends the "
      "process; off: no filter; default: such a call fails with EPERM and is reported",
      FN(opt_sandbox), KEYS(sandbox_keys, "enable") },
    { "msg", "timestamp=on|off,guest-name=on|off", "prefix of each message", NO_FN,
      KEYS(msg_keys, NULL) },
    { "d", "ITEM[,...]", "enable log items; help lists them", FN(opt_log), .kinds = KINDS_LOG },
    { "D", "FILE", "write the log to a file", STR(log_file) },
    { "trace", "[enable=]PATTERN[,events=FILE,file=FILE]", "enable trace events; help lists them",
      FN(opt_trace), KEYS(trace_keys, "enable"), .kinds = KINDS_TRACE },
};

/* --- parsing --- */

static const Option *options_find(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        if (strcmp(options[i].name, name) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

static const char *option_name(const void *table, size_t i)
{
    return options[i].name;
}

const Option *option_table(size_t *n)
{
    *n = G_N_ELEMENTS(options);
    return options;
}

static bool options_apply_row(Session *s, const Option *o, const char *arg, GError **err)
{
    bool help = o->keys && option_has_help(arg);

    if (help && !(o->fn && o->kinds != KINDS_NONE) && o->fn != opt_accel) {
        return option_print(s, option_keys_help(o));
    }
    if (o->keys && !help && !option_keys_store(s, o, arg, err)) {
        return false;
    }
    if (o->fn) {
        return o->fn(s, arg, err);
    }
    if (o->field == SIZE_MAX) {
        if (o->only && strcmp(o->only, arg) != 0) {
            return error_set(err, ERROR_USER, "-%s %s: use %s", o->name, arg, o->only);
        }
        return true;
    }
    if (o->arg) {
        return option_set_string((char **)((char *)s + o->field), arg);
    }
    *(bool *)((char *)s + o->field) = true;
    return true;
}

bool options_apply(Session *s, const char *name, const char *arg, GError **err)
{
    const Option *o = options_find(name);

    if (!o || !o->arg || o->fn == readconfig) {
        return error_set(err, ERROR_USER,
                         "there is no option '%s' with properties; -help lists the options", name);
    }
    return options_apply_row(s, o, arg, err);
}

static bool refuse_option(const char *given, GError **err)
{
    const char *name = given + strspn(given, "-");
    g_autofree char *absent = absent_option_text(name);
    g_autofree char *hint = suggest_hint_of(name, option_name, NULL, G_N_ELEMENTS(options));

    if (absent) {
        return error_set(err, ERROR_USER, "%s", absent);
    }
    return error_set(err, ERROR_USER, "option '%s' is unknown%s; -help lists the options", given,
                     hint);
}

bool options_parse(Session *s, int argc, char **argv, GError **err)
{
    for (int i = 1; i < argc && s->mode == MODE_RUN; i++) {
        const Option *o = argv[i][0] == '-' && argv[i][1]
                              ? options_find(argv[i] + (argv[i][1] == '-' ? 2 : 1))
                              : NULL;
        const char *arg = NULL;

        if (!o && argv[i][0] == '-') {
            return refuse_option(argv[i], err);
        }
        if (!o) {
            return error_set(err, ERROR_USER,
                             "'%s' is not an option: use -drive file=%s for a disk image", argv[i],
                             argv[i]);
        }
        if (o->arg) {
            if (i + 1 == argc) {
                return error_set(err, ERROR_USER, "option %s needs an argument: %s", argv[i],
                                 o->arg);
            }
            arg = argv[++i];
            if (!g_utf8_validate(arg, -1, NULL)) {
                return error_set(err, ERROR_USER, "the argument of -%s is not UTF-8 text", o->name);
            }
        }
        if (!options_apply_row(s, o, arg, err)) {
            return false;
        }
        if (o->fn == opt_show && strcmp(arg, "state") == 0 && i + 1 < argc) {
            option_set_string(&s->show_arg, argv[++i]);
        }
    }
    return s->mode == MODE_DONE || options_net_finish(s, err);
}

void options_free(Session *s)
{
    options_net_free(s);
    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        if (options[i].arg && options[i].field != SIZE_MAX) {
            char **field = (char **)((char *)s + options[i].field);

            g_clear_pointer(field, g_free);
        }
        option_keys_free(s, &options[i]);
    }
    g_free(s->show);
    g_free(s->show_arg);
    g_free(s->accel);
    g_free(s->pci_policy);
    g_free(s->dump_guest_core);
    g_free(s->mem_merge);
    g_free(s->uuid);
    g_free(s->log_items);
}

char *options_help(bool markdown)
{
    const char *mark = " [compatibility: no effect]";
    GString *out = g_string_new(markdown ? "| option | description |\n|---|---|\n"
                                         : "usage: backplane-system-riscv64 [options]\n\n");

    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        const Option *o = &options[i];
        g_autofree char *left = g_strdup_printf("-%s %s", o->name, o->arg ? o->arg : "");

        if (markdown) {
            g_auto(GStrv) bars = g_strsplit(g_strchomp(left), "|", 0);
            g_autofree char *escaped = g_strjoinv("\\|", bars);

            g_string_append_printf(out, "| `%s` | %s%s |\n", escaped, o->help,
                                   o->compat ? mark : "");
        } else if (strlen(left) > 28) {
            g_string_append_printf(out, "%s\n%-28s %s%s\n", left, "", o->help,
                                   o->compat ? mark : "");
        } else {
            g_string_append_printf(out, "%-28s %s%s\n", left, o->help, o->compat ? mark : "");
        }
    }
    return g_string_free(out, FALSE);
}
