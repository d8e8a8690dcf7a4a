/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line. One table drives parsing, -help and the option reference in docs/.
 */
#include "session.h"

#include <stdio.h>
#include <string.h>

#include "chardev/chardev.h"
#include "hw/core/host_object.h"
#include "util/log.h"

typedef bool OptionFn(Session *s, const char *arg, GError **err);

typedef struct Option {
    const char *name, *arg; /* arg NULL: takes none */
    const char *help;
    OptionFn *fn;
    size_t field;     /* without fn: char * to set, or bool to make true; SIZE_MAX: neither */
    const char *only; /* without fn: the values accepted, for what has no effect here */
} Option;

static bool refuse(GError **err, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static bool refuse(GError **err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (err) {
        *err = g_error_new_valist(SYSTEM_ERROR, fmt, ap);
    }
    va_end(ap);
    return false;
}

static bool print_done(Session *s, char *text)
{
    fputs(text, stdout);
    g_free(text);
    s->mode = MODE_DONE;
    return true;
}

static bool wants_help(const char *arg)
{
    return strcmp(arg, "help") == 0 || strcmp(arg, "?") == 0;
}

/* --- the machine --- */

static bool set_string(char **field, const char *value)
{
    g_free(*field);
    *field = g_strdup(value);
    return true;
}

/* Keys of -machine that are options of their own. */
static bool machine_key(Session *s, const char *key, const char *value)
{
    const struct {
        const char *key;
        char **field;
    } keys[] = {
        { "accel", &s->accel },   { "kernel", &s->kernel }, { "initrd", &s->initrd },
        { "append", &s->append }, { "dtb", &s->dtb },       { "firmware", &s->bios },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (strcmp(keys[i].key, key) == 0) {
            return set_string(keys[i].field, value);
        }
    }
    return false;
}

static void take_machine_keys(Session *s)
{
    for (guint i = s->plan->settings->len; i-- > 0;) {
        PlanSetting *p = s->plan->settings->pdata[i];

        if (machine_key(s, p->name, p->text)) {
            g_ptr_array_remove_index(s->plan->settings, i);
        }
    }
}

static bool opt_machine(Session *s, const char *arg, GError **err)
{
    g_auto(GStrv) words = g_strsplit(arg, ",", 3);
    const PlanMachineType *t = words[0] ? plan_find_machine(s->catalog, words[0]) : NULL;

    if (wants_help(arg)) {
        return print_done(s, plan_help_machines(s->catalog));
    }
    if (t && words[1] && wants_help(words[1])) {
        return print_done(s, plan_help_machine(s->catalog, t));
    }
    if (!plan_machine_parse(s->plan, arg, err)) {
        return false;
    }
    take_machine_keys(s);
    return true;
}

static bool opt_machine_config(Session *s, const char *arg, GError **err)
{
    g_ptr_array_add(s->machine_configs, g_strdup(arg));
    return true;
}

static bool opt_accel(Session *s, const char *arg, GError **err)
{
    if (wants_help(arg)) {
        return print_done(s, g_strdup("Accelerators:\ninterp  our interpreter (the default)\n"
                                      "tcg     another name of it\n"
                                      "qtest   CPUs never run; the clock is stepped\n"));
    }
    return set_string(&s->accel, g_str_has_prefix(arg, "accel=") ? arg + 6 : arg);
}

static bool opt_cpu(Session *s, const char *arg, GError **err)
{
    GString *out;

    if (!wants_help(arg)) {
        return set_string(&s->plan->cpu, arg);
    }
    out = g_string_new("CPU types:\n");
    for (const CpuType *const *t = cpu_types; *t; t++) {
        g_string_append_printf(out, "%s\n", (*t)->name);
        for (size_t i = 0; i < (*t)->n_props; i++) {
            g_string_append_printf(out, "  %-12s %s\n", (*t)->props[i].name,
                                   (*t)->props[i].doc ? (*t)->props[i].doc : "");
        }
    }
    return print_done(s, g_string_free(out, FALSE));
}

/* "512", "1G", "size=1G,slots=0,maxmem=1G": plain numbers are MiB. */
static bool opt_memory(Session *s, const char *arg, GError **err)
{
    static const PlanProp size = { .name = "-m", .kind = PLAN_PROP_SIZE };
    struct json_object *o = plan_options_parse(arg, "size", err), *v;
    g_autofree char *text = NULL;
    PlanValue value = { 0 };
    bool ok;

    if (!o) {
        return false;
    }
    if (!json_object_object_get_ex(o, "size", &v)) {
        json_object_put(o);
        return refuse(err, "-m %s: size= is missing", arg);
    }
    text = g_strdup(json_object_get_string(v));
    json_object_put(o);
    if (*text && g_ascii_isdigit(text[strlen(text) - 1])) {
        char *mib = g_strdup_printf("%sM", text);

        g_free(text);
        text = mib;
    }
    ok = plan_value_parse(&size, text, &value, err);
    if (ok && value.u == 0) {
        return refuse(err, "-m %s: the size of RAM must not be 0", arg);
    }
    s->plan->ram_size = value.u;
    return ok;
}

static bool opt_smp(Session *s, const char *arg, GError **err)
{
    return smp_parse(arg, &s->plan->cpus, err);
}

static bool opt_global(Session *s, const char *arg, GError **err)
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
        return refuse(err, "-set %s: use GROUP.ID.KEY=VALUE, as in device.nic0.addr=05.0", arg);
    }
    o = g_new0(SetOption, 1);
    *o =
        (SetOption){ g_strdup(parts[0]), g_strdup(parts[1]), g_strdup(parts[2]), g_strdup(eq + 1) };
    g_ptr_array_add(s->sets, o);
    return true;
}

/* --- devices and host parts --- */

static bool device_help(Session *s, const char *arg, GError **err)
{
    g_auto(GStrv) words = g_strsplit(arg, ",", 0);
    const PlanType *t;

    if (wants_help(words[0])) {
        return print_done(s, plan_help_types(s->catalog));
    }
    t = plan_expect_type(s->catalog, words[0], err);
    return t && print_done(s, plan_help_type(t));
}

static bool opt_device(Session *s, const char *arg, GError **err)
{
    g_auto(GStrv) words = g_strsplit(arg, ",", 0);
    PlanDevice *d;

    if (*arg != '{' && words[0] &&
        (g_strv_contains((const char *const *)words, "help") ||
         g_strv_contains((const char *const *)words, "?"))) {
        return device_help(s, arg, err);
    }
    d = plan_device_parse_known(arg, s->catalog, err);
    if (d) {
        d->option = ++s->n_device_options;
        g_ptr_array_add(s->plan->devices, d);
    }
    return d != NULL;
}

static bool host_part(Session *s, const char *kind, const char *arg, GError **err)
{
    PlanHostPart *part = plan_host_part_parse(kind, arg, err);

    if (!part || !plan_machine_add_host(s->plan, part, err)) {
        plan_host_part_free(part);
        return false;
    }
    return true;
}

static bool opt_object(Session *s, const char *arg, GError **err)
{
    g_auto(GStrv) words = g_strsplit(arg, ",", 0);

    if (wants_help(arg)) {
        return print_done(s, host_object_help());
    }
    if (*arg != '{' && (g_strv_contains((const char *const *)words, "help") ||
                        g_strv_contains((const char *const *)words, "?"))) {
        char *text = host_object_kind_help(words[0], err);

        return text && print_done(s, text);
    }
    return host_part(s, "object", arg, err);
}

static bool opt_netdev(Session *s, const char *arg, GError **err)
{
    return host_part(s, "netdev", arg, err);
}

static bool opt_blockdev(Session *s, const char *arg, GError **err)
{
    return disks_blockdev(s, arg, err);
}

static char *take_key(struct json_object *o, const char *key)
{
    struct json_object *v;
    char *text = json_object_object_get_ex(o, key, &v) ? g_strdup(json_object_get_string(v)) : NULL;

    json_object_object_del(o, key);
    return text;
}

static bool add_device_text(Session *s, char *text, GError **err)
{
    PlanDevice *d = plan_device_parse_known(text, s->catalog, err);

    g_free(text);
    if (d) {
        g_ptr_array_add(s->plan->devices, d);
    }
    return d != NULL;
}

static bool opt_drive(Session *s, const char *arg, GError **err)
{
    return disks_drive(s, arg, err);
}

static bool opt_net(Session *s, const char *arg, GError **err)
{
    return strcmp(arg, "none") == 0 ||
           refuse(err, "-net %s: use -net none, or -netdev with -device", arg);
}

/* -nic BACKEND,model=TYPE,mac=...: a -netdev and its -device. */
static bool opt_nic(Session *s, const char *arg, GError **err)
{
    struct json_object *o;
    g_autofree char *model = NULL, *mac = NULL, *id = NULL;
    PlanHostPart *part;

    if (strcmp(arg, "none") == 0) {
        return true;
    }
    o = plan_options_parse(arg, "type", err);
    if (!o) {
        return false;
    }
    model = take_key(o, "model");
    mac = take_key(o, "mac");
    id = take_key(o, "id");
    id = id ? id : g_strdup_printf("nic%u", s->n_nics++);
    json_object_object_add(o, "id", json_object_new_string(id));
    part = plan_host_part_parse("netdev", json_object_to_json_string(o), err);
    json_object_put(o);
    if (!part || !plan_machine_add_host(s->plan, part, err)) {
        plan_host_part_free(part);
        return false;
    }
    return add_device_text(s,
                           g_strdup_printf("%s,netdev=%s%s%s", model ? model : "virtio-net-pci", id,
                                           mac ? ",mac=" : "", mac ? mac : ""),
                           err);
}

/* --- consoles and monitors --- */

static bool opt_chardev(Session *s, const char *arg, GError **err)
{
    if (wants_help(arg)) {
        return print_done(s, chardev_help());
    }
    return host_part(s, "chardev", arg, err);
}

static bool opt_serial(Session *s, const char *arg, GError **err)
{
    g_ptr_array_add(s->serials, g_strdup(arg));
    return true;
}

static void add_monitor(Session *s, const char *chardev, bool by_id, bool control, bool pretty)
{
    MonitorOption *o = g_new0(MonitorOption, 1);

    *o = (MonitorOption){ g_strdup(chardev), by_id, control, pretty };
    g_ptr_array_add(s->monitors, o);
}

static bool opt_monitor(Session *s, const char *arg, GError **err)
{
    s->have_monitor = true;
    add_monitor(s, arg, false, false, false);
    return true;
}

static bool opt_qmp(Session *s, const char *arg, GError **err)
{
    add_monitor(s, arg, false, true, false);
    return true;
}

static bool opt_qmp_pretty(Session *s, const char *arg, GError **err)
{
    add_monitor(s, arg, false, true, true);
    return true;
}

static bool opt_mon(Session *s, const char *arg, GError **err)
{
    struct json_object *o = plan_options_parse(arg, "chardev", err);
    g_autofree char *chardev = NULL, *mode = NULL, *pretty = NULL;
    bool control;

    if (!o) {
        return false;
    }
    chardev = take_key(o, "chardev");
    mode = take_key(o, "mode");
    pretty = take_key(o, "pretty");
    json_object_put(o);
    if (!chardev) {
        return refuse(err, "-mon %s: chardev= is missing", arg);
    }
    control = mode && strcmp(mode, "control") == 0;
    if (mode && !control && strcmp(mode, "readline") != 0) {
        return refuse(err, "-mon %s: mode=%s: use readline or control", arg, mode);
    }
    s->have_monitor = s->have_monitor || !control;
    add_monitor(s, chardev, true, control, pretty && strcmp(pretty, "on") == 0);
    return true;
}

/* --- running --- */

static bool opt_name(Session *s, const char *arg, GError **err)
{
    struct json_object *o = plan_options_parse(arg, "guest", err);

    if (!o) {
        return false;
    }
    g_free(s->name);
    s->name = take_key(o, "guest");
    json_object_put(o);
    return true;
}

static bool opt_uuid(Session *s, const char *arg, GError **err)
{
    if (!g_uuid_string_is_valid(arg)) {
        return refuse(err, "-uuid %s: use the form 01234567-89ab-cdef-0123-456789abcdef", arg);
    }
    return set_string(&s->uuid, arg);
}

static bool opt_run_with(Session *s, const char *arg, GError **err)
{
    struct json_object *o = plan_options_parse(arg, NULL, err);
    g_autofree char *follow = NULL, *chroot_dir = NULL, *user = NULL;
    bool ok;

    if (!o) {
        return false;
    }
    follow = take_key(o, "exit-with-parent");
    chroot_dir = take_key(o, "chroot");
    user = take_key(o, "user");
    ok = json_object_object_length(o) == 0 && (follow || chroot_dir || user) &&
         (!follow || strcmp(follow, "on") == 0 || strcmp(follow, "off") == 0);
    json_object_put(o);
    if (!ok) {
        return refuse(err,
                      "-run-with %s: use exit-with-parent=on|off, chroot=FOLDER and "
                      "user=NAME or user=UID:GID",
                      arg);
    }
    if (follow) {
        s->exit_with_parent = strcmp(follow, "on") == 0;
    }
    return (!chroot_dir || set_string(&s->chroot_dir, chroot_dir)) &&
           (!user || set_string(&s->run_as, user));
}

static bool opt_sandbox(Session *s, const char *arg, GError **err)
{
    return sandbox_policy_parse(&s->sandbox, arg, err);
}

static bool opt_action(Session *s, const char *arg, GError **err)
{
    struct json_object *o = plan_options_parse(arg, NULL, err);
    g_autofree char *reboot = NULL, *shutdown = NULL, *panic = NULL, *watchdog = NULL;
    int other;

    if (!o) {
        return false;
    }
    reboot = take_key(o, "reboot");
    shutdown = take_key(o, "shutdown");
    panic = take_key(o, "panic");
    watchdog = take_key(o, "watchdog");
    other = json_object_object_length(o);
    json_object_put(o);
    if (other || (reboot && strcmp(reboot, "reset") != 0 && strcmp(reboot, "shutdown") != 0) ||
        (shutdown && strcmp(shutdown, "poweroff") != 0 && strcmp(shutdown, "pause") != 0)) {
        return refuse(err, "-action %s: use reboot=reset|shutdown and shutdown=poweroff|pause",
                      arg);
    }
    s->no_reboot = reboot ? strcmp(reboot, "shutdown") == 0 : s->no_reboot;
    s->no_shutdown = shutdown ? strcmp(shutdown, "pause") == 0 : s->no_shutdown;
    return true;
}

static bool opt_log(Session *s, const char *arg, GError **err)
{
    return wants_help(arg) ? print_done(s, log_help()) : set_string(&s->log_items, arg);
}

static bool opt_show(Session *s, const char *arg, GError **err)
{
    const char *sep = strpbrk(arg, "=: ");

    g_free(s->show);
    s->show = sep ? g_strndup(arg, (size_t)(sep - arg)) : g_strdup(arg);
    return !sep || set_string(&s->show_arg, sep + 1);
}

static bool opt_audiodev(Session *s, const char *arg, GError **err)
{
    struct json_object *o = plan_options_parse(arg, "driver", err);
    g_autofree char *driver = o ? take_key(o, "driver") : NULL;

    if (!o) {
        return false;
    }
    json_object_put(o);
    if (!driver || strcmp(driver, "none") != 0) {
        return refuse(err, "-audiodev %s: this build has no sound: use driver none", arg);
    }
    return true;
}

static bool opt_incoming(Session *s, const char *arg, GError **err)
{
    return set_string(&s->incoming, arg);
}

static bool opt_version(Session *s, const char *arg, GError **err)
{
    return print_done(s, g_strdup("Backplane emulator version " BACKPLANE_VERSION "\n"));
}

static bool opt_help(Session *s, const char *arg, GError **err)
{
    return print_done(s, options_help(false));
}

/* --- the table --- */

#define STR(f)      NULL, offsetof(Session, f), NULL
#define FLAG(f)     NULL, offsetof(Session, f), NULL
#define FN(f)       f, SIZE_MAX, NULL
#define ONLY(words) NULL, SIZE_MAX, words

static const Option options[] = {
    { "h", NULL, "show this help", FN(opt_help) },
    { "help", NULL, "show this help", FN(opt_help) },
    { "version", NULL, "show the version", FN(opt_version) },
    { "show", "WHAT",
      "print default-machine, machines, pci-slots, machine, catalog, state=TYPE, "
      "options or commands, and end",
      FN(opt_show) },
    { "machine-config", "FILE",
      "start from a description, or a part of one, that -show machine printed; may be repeated",
      FN(opt_machine_config) },
    { "readconfig", "FILE", "take options from a file: a section [OPTION \"ID\"] each",
      FN(readconfig) },
    /* the machine */
    { "M", "TYPE[,prop=value...]", "choose the machine; help lists them", FN(opt_machine) },
    { "machine", "TYPE[,prop=value...]", "the same", FN(opt_machine) },
    { "accel", "NAME", "how CPUs run: interp, tcg (the same engine), qtest", FN(opt_accel) },
    { "cpu", "TYPE[,feature=on|off...]", "choose the CPU; help lists types and features",
      FN(opt_cpu) },
    { "smp", "[cpus=]N[,sockets=N][,cores=N][,threads=N][,maxcpus=N]",
      "number of CPUs, each run by a host thread", FN(opt_smp) },
    { "m", "SIZE", "size of RAM, in MiB or with a suffix (128M)", FN(opt_memory) },
    { "device", "TYPE[,prop=value...]", "add a device; help lists types, TYPE,help properties",
      FN(opt_device) },
    { "global", "TYPE.PROP=VALUE", "set a property of all devices of a type", FN(opt_global) },
    { "set", "GROUP.ID.KEY=VALUE", "set a property of an option with that id", FN(opt_set) },
    { "name", "NAME", "name the machine", FN(opt_name) },
    { "uuid", "UUID", "the machine's UUID", FN(opt_uuid) },
    { "rtc", "OPTIONS", "base=utc|localtime|DATE, clock=host|rt|vm of the real-time clock",
      STR(rtc) },
    { "boot", "OPTIONS", "accepted; firmware chooses what to boot", STR(boot_order) },
    /* what it boots */
    { "bios", "FILE", "firmware: a file, default or none", STR(bios) },
    { "kernel", "FILE", "kernel: a Linux Image, ELF or raw file", STR(kernel) },
    { "initrd", "FILE", "initial RAM disk", STR(initrd) },
    { "append", "TEXT", "the kernel's command line", STR(append) },
    { "dtb", "FILE", "device tree in place of our own", STR(dtb) },
    /* host parts */
    { "object", "TYPE,id=ID[,prop=value...]", "create a host object; help lists the types",
      FN(opt_object) },
    { "blockdev", "DRIVER,node-name=ID[,...]",
      "create a disk back end; help lists drivers, DRIVER,help options", FN(opt_blockdev) },
    { "drive", "file=FILE[,if=none|virtio,format=raw,id=ID,...]",
      "create a disk back end, with if=virtio its disk, too; help lists the options",
      FN(opt_drive) },
    { "snapshot", NULL, "all drives have snapshot=on: their images are not modified",
      FLAG(snapshot) },
    { "netdev", "KIND,id=ID[,...]", "create a network back end", FN(opt_netdev) },
    { "nic", "none | KIND[,model=TYPE,mac=MAC,...]", "a network back end with its device",
      FN(opt_nic) },
    { "net", "none", "no network", FN(opt_net) },
    { "chardev", "KIND,id=ID[,...]", "create a character back end; help lists the kinds",
      FN(opt_chardev) },
    /* consoles and monitors */
    { "serial", "DEV",
      "connect the serial port: stdio, mon:stdio, file:F, unix:P, tcp:H:P, "
      "chardev:ID, null, none",
      FN(opt_serial) },
    { "monitor", "DEV", "human monitor on DEV", FN(opt_monitor) },
    { "qmp", "DEV", "QMP monitor on DEV", FN(opt_qmp) },
    { "qmp-pretty", "DEV", "QMP monitor with indented output", FN(opt_qmp_pretty) },
    { "mon", "chardev=ID[,mode=readline|control,pretty=on]", "monitor on a -chardev", FN(opt_mon) },
    { "qtest", "DEV", "serve the qtest protocol on DEV", STR(qtest_chardev) },
    { "qtest-log", "FILE", "log the qtest protocol; none: do not", STR(qtest_log) },
    { "display", "none", "there is no display", ONLY("none") },
    { "nographic", NULL, "serial port and monitor on the terminal", FLAG(nographic) },
    { "vga", "none", "there is no display adapter by default", ONLY("none") },
    { "audio", "none", "there is no sound", ONLY("none") },
    { "audiodev", "none,id=ID", "there is no sound", FN(opt_audiodev) },
    { "nodefaults", NULL, "nothing that is not asked for", FLAG(nodefaults) },
    { "no-user-config", NULL, "accepted; there is no user configuration", ONLY(NULL) },
    /* running */
    { "S", NULL, "do not let the guest run before cont", FLAG(stopped) },
    { "preconfig", NULL, "build the machine when QMP says x-exit-preconfig", FLAG(preconfig) },
    { "no-reboot", NULL, "end instead of resetting", FLAG(no_reboot) },
    { "no-shutdown", NULL, "stop instead of ending when the guest powers off", FLAG(no_shutdown) },
    { "action", "reboot=reset|shutdown,shutdown=poweroff|pause", "what these events do",
      FN(opt_action) },
    { "incoming", "URI", "wait for a migration stream", FN(opt_incoming) },
    { "daemonize", NULL, "run in the background once everything is ready", FLAG(daemonize) },
    { "pidfile", "FILE", "write the process id", STR(pidfile) },
    { "run-with", "[exit-with-parent=on|off][,chroot=FOLDER][,user=NAME|UID:GID]",
      "end when the parent process ends; give up the host's file tree and the user before the "
      "guest runs",
      FN(opt_run_with) },
    { "chroot", "FOLDER", "the same as -run-with chroot=FOLDER", STR(chroot_dir) },
    { "runas", "NAME|UID:GID", "the same as -run-with user=NAME|UID:GID", STR(run_as) },
    { "sandbox",
      "on|off[,obsolete=allow|deny][,elevateprivileges=allow|deny|children]"
      "[,spawn=allow|deny][,resourcecontrol=allow|deny]",
      "on: end the process at a system call that no part of it requires; off: no filter; by "
      "default "
      "such calls fail with EPERM and are reported",
      FN(opt_sandbox) },
    { "d", "ITEM[,...]", "log; help lists what", FN(opt_log) },
    { "D", "FILE", "log to a file", STR(log_file) },
    { "trace", "PATTERN", "accepted; see -d trace", ONLY("*") },
};

/* --- parsing --- */

static const Option *find_option(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        if (strcmp(options[i].name, name) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

static bool apply(Session *s, const Option *o, const char *arg, GError **err)
{
    if (o->fn) {
        return o->fn(s, arg, err);
    }
    if (o->field == SIZE_MAX) {
        if (o->only && strcmp(o->only, "*") != 0 && strcmp(o->only, arg) != 0) {
            return refuse(err, "-%s %s: use %s", o->name, arg, o->only);
        }
        return true;
    }
    if (o->arg) {
        return set_string((char **)((char *)s + o->field), arg);
    }
    *(bool *)((char *)s + o->field) = true;
    return true;
}

bool options_apply(Session *s, const char *name, const char *arg, GError **err)
{
    const Option *o = find_option(name);

    if (!o || !o->arg || o->fn == readconfig) {
        return refuse(err, "there is no option '%s' with properties: -help lists the options",
                      name);
    }
    return apply(s, o, arg, err);
}

bool options_parse(Session *s, int argc, char **argv, GError **err)
{
    for (int i = 1; i < argc && s->mode == MODE_RUN; i++) {
        const Option *o = argv[i][0] == '-' && argv[i][1]
                              ? find_option(argv[i] + (argv[i][1] == '-' ? 2 : 1))
                              : NULL;
        const char *arg = NULL;

        if (!o && argv[i][0] == '-' && disks_no_bus(argv[i] + 1)) {
            return refuse(err, "%s: %s", argv[i], disks_no_bus(argv[i] + 1));
        }
        if (!o && argv[i][0] == '-') {
            return refuse(err, "option '%s' is not known: -help lists the options", argv[i]);
        }
        if (!o) {
            return refuse(err, "'%s' is no option: give a disk image with -drive file=%s", argv[i],
                          argv[i]);
        }
        if (o->arg) {
            if (i + 1 == argc) {
                return refuse(err, "option %s needs an argument: %s", argv[i], o->arg);
            }
            arg = argv[++i];
            if (!g_utf8_validate(arg, -1, NULL)) {
                return refuse(err, "the argument of -%s is no UTF-8 text", o->name);
            }
        }
        if (!apply(s, o, arg, err)) {
            return false;
        }
        if (o->fn == opt_show && strcmp(arg, "state") == 0 && i + 1 < argc) {
            set_string(&s->show_arg, argv[++i]);
        }
    }
    return true;
}

void options_free(Session *s)
{
    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        if (options[i].arg && options[i].field != SIZE_MAX) {
            char **field = (char **)((char *)s + options[i].field);

            g_clear_pointer(field, g_free);
        }
    }
    g_free(s->show);
    g_free(s->show_arg);
    g_free(s->accel);
    g_free(s->name);
    g_free(s->uuid);
    g_free(s->log_items);
    g_free(s->incoming);
}

char *options_help(bool markdown)
{
    GString *out = g_string_new(markdown ? "| option | what it does |\n|---|---|\n"
                                         : "usage: backplane-system-riscv64 [options]\n\n");

    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        const Option *o = &options[i];
        g_autofree char *left = g_strdup_printf("-%s %s", o->name, o->arg ? o->arg : "");

        if (markdown) {
            g_auto(GStrv) bars = g_strsplit(g_strchomp(left), "|", 0);
            g_autofree char *escaped = g_strjoinv("\\|", bars);

            g_string_append_printf(out, "| `%s` | %s |\n", escaped, o->help);
        } else if (strlen(left) > 28) {
            g_string_append_printf(out, "%s\n%-28s %s\n", left, "", o->help);
        } else {
            g_string_append_printf(out, "%-28s %s\n", left, o->help);
        }
    }
    return g_string_free(out, FALSE);
}
