/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a command line of QEMU. One table lists the options: what each contributes to the
 * description, and which are ignored because they configure the process.
 */
#include <json-c/json.h>

#include "plan/exchange.h"
#include "plan/internal.h"

enum { ARGUMENTS_BYTES = 16 << 20, ARGUMENTS_MAX = 1 << 18, DRIVES_MAX = 1 << 16 };

typedef struct ArgumentReader {
    const PlanCatalog *c;
    PlanMachine *m;
    const PlanMachineType *machine; /* set after all options have been read */
    GPtrArray *drives;              /* struct json_object*: -drive with an interface */
    unsigned n_devices, n_nics, n_drives;
    bool nodefaults, net, vga, no_firmware;
} ArgumentReader;

typedef bool ArgumentFn(ArgumentReader *r, const char *option, const char *value, GError **err);

static bool arg_machine(ArgumentReader *r, const char *option, const char *value, GError **err)
{
    return plan_machine_parse(r->m, value, err);
}

static bool arg_cpu(ArgumentReader *r, const char *option, const char *value, GError **err)
{
    g_free(r->m->cpu);
    r->m->cpu = g_strdup(value);
    return true;
}

/* Return the string of an option, borrowed, or NULL. */
static const char *arg_get(struct json_object *o, const char *key)
{
    struct json_object *value;

    return json_object_object_get_ex(o, key, &value) &&
                   !json_object_is_type(value, json_type_object) &&
                   !json_object_is_type(value, json_type_array)
               ? json_object_get_string(value)
               : NULL;
}

static bool arg_ram(ArgumentReader *r, const char *option, const char *value, GError **err)
{
    static const PlanProp size = {
        .name = "size", .kind = PLAN_PROP_SIZE, .def = 1, .min = 1, .max = 1ull << 52
    };
    struct json_object *o = plan_options_parse(value, "size", err);
    const char *text = o ? arg_get(o, "size") : NULL;
    bool plain = text && strspn(text, "0123456789") == strlen(text);
    g_autofree char *with_unit = text ? g_strconcat(text, plain ? "M" : "", NULL) : NULL;
    PlanValue v;
    bool ok = o && (!text || plan_value_parse(&size, with_unit, &v, err));

    if (ok && text) {
        r->m->ram_size = v.u;
    }
    json_object_put(o);
    return ok;
}

static bool arg_smp(ArgumentReader *r, const char *option, const char *value, GError **err)
{
    static const PlanProp count = {
        .name = "cpus", .kind = PLAN_PROP_U32, .def = 1, .min = 1, .max = 1 << 16
    };
    static const char *const levels[] = { "sockets", "dies", "clusters", "cores", "threads" };
    struct json_object *o = plan_options_parse(value, "cpus", err);
    const char *cpus = o ? arg_get(o, "cpus") : NULL;
    uint64_t product = 1;
    bool ok = o != NULL;
    PlanValue v;

    for (size_t i = 0; ok && !cpus && i < G_N_ELEMENTS(levels); i++) {
        const char *text = arg_get(o, levels[i]);

        ok = !text || plan_value_parse(&count, text, &v, err);
        product = ok && text ? MIN(product * v.u, 1u << 16) : product;
    }
    if (ok && cpus) {
        ok = plan_value_parse(&count, cpus, &v, err);
        product = ok ? v.u : 0;
    }
    if (ok) {
        r->m->cpus = (unsigned)product;
    }
    json_object_put(o);
    return ok;
}

static bool arg_device(ArgumentReader *r, const char *option, const char *value, GError **err)
{
    PlanDevice *d = plan_device_parse_known(value, r->c, err);

    if (d && r->m->devices->len >= PLAN_DEVICES_MAX) {
        plan_device_free(d);
        return plan_fail(err, "more than %d devices", PLAN_DEVICES_MAX);
    }
    if (d) {
        d->option = ++r->n_devices;
        r->vga |= strstr(d->type, "VGA") || strstr(d->type, "vga");
        g_ptr_array_add(r->m->devices, d);
    }
    return d != NULL;
}

static bool arg_global(ArgumentReader *r, const char *option, const char *value, GError **err)
{
    return plan_machine_add_global(r->m, value, err);
}

static bool arg_text(ArgumentReader *r, const char *option, const char *value, GError **err)
{
    struct json_object *o;
    const char *name;

    if (strcmp(option, "uuid") == 0) {
        g_free(r->m->uuid);
        r->m->uuid = g_strdup(value);
        return g_uuid_string_is_valid(value) || plan_fail(err, "is not a UUID");
    }
    if (strcmp(option, "rtc") == 0) {
        g_free(r->m->rtc);
        r->m->rtc = g_strdup(value);
        return strlen(value) <= PLAN_NAME_MAX || plan_fail(err, "is too long");
    }
    o = plan_options_parse(value, "guest", err);
    name = o ? arg_get(o, "guest") : NULL;
    if (name && strlen(name) <= PLAN_NAME_MAX) {
        g_free(r->m->name);
        r->m->name = g_strdup(name);
    }
    json_object_put(o);
    return o != NULL;
}

static bool arg_boot(ArgumentReader *r, const char *option, const char *value, GError **err)
{
    static const struct {
        const char *option, *role;
    } rows[] = {
        { "bios", "firmware" }, { "kernel", "kernel" }, { "initrd", "initrd" }, { "dtb", "dtb" }
    };

    if (strcmp(option, "append") == 0) {
        g_free(r->m->append);
        r->m->append = g_strdup(value);
        return true;
    }
    if (strcmp(option, "bios") == 0 && strcmp(value, "none") == 0) {
        plan_remove_boot(r->m, "firmware");
        return r->m->has_boot = r->no_firmware = true;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (strcmp(rows[i].option, option) == 0) {
            plan_remove_boot(r->m, rows[i].role);
            plan_add_boot(r->m, rows[i].role)->path = g_strdup(value);
        }
    }
    return true;
}

static bool arg_serial(ArgumentReader *r, const char *option, const char *value, GError **err)
{
    if (!r->m->serials) {
        r->m->serials = g_ptr_array_new_with_free_func(g_free);
    }
    if (r->m->serials->len >= 16) {
        return plan_fail(err, "more than 16 serial ports");
    }
    g_ptr_array_add(r->m->serials, g_strdup(value));
    return true;
}

static bool arg_add_part(ArgumentReader *r, PlanHostPart *part, GError **err)
{
    if (!part) {
        return false;
    }
    if (r->m->host->len >= PLAN_PARTS_MAX || !plan_machine_add_host(r->m, part, err)) {
        plan_fail(err, "more than %d host parts", PLAN_PARTS_MAX);
        plan_host_part_free(part);
        return false;
    }
    return true;
}

static bool arg_part(ArgumentReader *r, const char *option, const char *value, GError **err)
{
    r->net |= strcmp(option, "netdev") == 0;
    return arg_add_part(r, plan_host_part_parse(option, value, err), err);
}

/* Add the host part of an option, without the keys that describe the device. */
static bool arg_part_of(ArgumentReader *r, const char *kind, struct json_object *o,
                        const char *const *omit, GError **err)
{
    struct json_object *copy = json_object_new_object();
    bool ok;

    json_object_object_foreach(o, key, value)
    {
        if (!g_strv_contains(omit, key)) {
            json_object_object_add(copy, key, json_object_get(value));
        }
    }
    ok = arg_add_part(r, plan_host_part_parse(kind, json_object_to_json_string(copy), err), err);
    json_object_put(copy);
    return ok;
}

/* --- drives: the device is created behind all -device options, as in QEMU --- */

static const char *const drive_omit[] = { "if", "index", "bus", "unit", "media", "serial", NULL };

static bool arg_drive(ArgumentReader *r, const char *option, const char *value, GError **err)
{
    struct json_object *o = plan_options_parse(value, NULL, err);
    const char *interface = o ? arg_get(o, "if") : NULL;
    bool ok;

    if (!o) {
        return false;
    }
    if (r->n_drives++ >= DRIVES_MAX) {
        json_object_put(o);
        return plan_fail(err, "more than %d drives", DRIVES_MAX);
    }
    if (g_strcmp0(interface, "none") == 0) {
        ok = arg_part_of(r, "drive", o, drive_omit, err);
        json_object_put(o);
        return ok;
    }
    g_ptr_array_add(r->drives, o);
    return true;
}

/* -hda FILE, -cdrom FILE */
static bool arg_disk_file(ArgumentReader *r, const char *option, const char *value, GError **err)
{
    bool cd = strcmp(option, "cdrom") == 0;
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "file", json_object_new_string(value));
    json_object_object_add(o, "index", json_object_new_int(cd ? 2 : option[2] - 'a'));
    json_object_object_add(o, "media", json_object_new_string(cd ? "cdrom" : "disk"));
    g_ptr_array_add(r->drives, o);
    return r->n_drives++ < DRIVES_MAX || plan_fail(err, "more than %d drives", DRIVES_MAX);
}

/* Set bus and unit of an IDE or SATA disk: on an Express machine, each bus has one unit. */
static void drive_ide_place(const ArgumentReader *r, PlanDevice *d, unsigned index)
{
    unsigned units = r->machine->root_kind == PLAN_BUS_PCIE_ROOT ? 1 : 2;
    g_autofree char *unit = g_strdup_printf("%u", index % units);

    d->bus = g_strdup_printf("ide.%u", index / units);
    plan_device_set(d, "unit", unit);
}

static bool drive_device(ArgumentReader *r, struct json_object *o, unsigned *next, GError **err)
{
    const char *interface = arg_get(o, "if"), *media = arg_get(o, "media");
    const char *index = arg_get(o, "index"), *id = arg_get(o, "id"), *serial = arg_get(o, "serial");
    bool riscv = g_strcmp0(r->c->arch, "riscv64") == 0;
    bool ide = strcmp(interface ? interface : riscv ? "virtio" : "ide", "ide") == 0;
    bool cd = g_strcmp0(media, "cdrom") == 0;
    const char *name = !ide ? (riscv && !interface ? "virtio-blk-device" : "virtio-blk-pci")
                       : cd ? "ide-cd"
                            : "ide-hd";
    unsigned n = index ? (unsigned)g_ascii_strtoull(index, NULL, 10) : *next;
    g_autofree char *made = g_strdup_printf("%s%u", ide ? "ide" : "virtio", n);
    PlanDevice *d;

    if (interface && !ide && strcmp(interface, "virtio") != 0) {
        return plan_fail(err, "-drive: if=%.32s is not supported; use if=none and -device",
                         interface);
    }
    if (n >= DRIVES_MAX || r->m->devices->len >= PLAN_DEVICES_MAX) {
        return plan_fail(err, "-drive: index=%u is too large", n);
    }
    *next = MAX(*next, n + 1);
    json_object_object_add(o, "id", json_object_new_string(id ? id : made));
    if (!arg_part_of(r, "drive", o, drive_omit, err)) {
        return false;
    }
    d = plan_device_new(name);
    plan_device_set(d, "drive", arg_get(o, "id"));
    if (serial) {
        plan_device_set(d, "serial", serial);
    }
    if (ide) {
        drive_ide_place(r, d, n);
    }
    g_ptr_array_add(r->m->devices, d);
    return true;
}

static bool arguments_drives(ArgumentReader *r, GError **err)
{
    unsigned next[2] = { 0, 0 };

    for (guint i = 0; i < r->drives->len; i++) {
        struct json_object *o = r->drives->pdata[i];
        const char *interface = arg_get(o, "if");

        if (!drive_device(r, o, &next[g_strcmp0(interface, "virtio") == 0], err)) {
            return false;
        }
    }
    return true;
}

/* --- networks --- */

/* -nic TYPE,model=MODEL,...: a device and a host part. */
static bool arg_nic(ArgumentReader *r, const char *option, const char *value, GError **err)
{
    static const char *const omit[] = { "model", "mac", "macaddr", "vectors", "addr", NULL };
    struct json_object *o = plan_options_parse(value, "type", err);
    const char *type = o ? arg_get(o, "type") : NULL, *model = o ? arg_get(o, "model") : NULL;
    const char *mac = o ? arg_get(o, "mac") : NULL, *id = o ? arg_get(o, "id") : NULL;
    g_autofree char *made = g_strdup_printf("nic%u", r->n_nics), *name = NULL;
    PlanDevice *d;
    bool ok;

    r->net = true;
    if (!o || g_strcmp0(type, "none") == 0) {
        json_object_put(o);
        return o != NULL;
    }
    if (r->n_nics++ >= DRIVES_MAX || r->m->devices->len >= PLAN_DEVICES_MAX) {
        json_object_put(o);
        return plan_fail(err, "more than %d networks", DRIVES_MAX);
    }
    name = g_strdup(!model || strcmp(model, "virtio") == 0 ? "virtio-net-pci" : model);
    d = plan_device_new(plan_find_type(r->c, name) ? name : "");
    if (!*d->type) {
        plan_device_free(d);
        json_object_put(o);
        return plan_expect_type(r->c, name, err) != NULL;
    }
    json_object_object_add(o, "id", json_object_new_string(id ? id : made));
    plan_device_set(d, "netdev", arg_get(o, "id"));
    if (mac) {
        plan_device_set(d, "mac", mac);
    }
    g_ptr_array_add(r->m->devices, d);
    ok = arg_part_of(r, "netdev", o, omit, err);
    json_object_put(o);
    return ok;
}

static bool arg_old_net(ArgumentReader *r, const char *option, const char *value, GError **err)
{
    r->net = true;
    return strcmp(value, "none") == 0 ||
           plan_fail(err, "-net is obsolete: use -nic, or -netdev and -device");
}

static bool arg_vga(ArgumentReader *r, const char *option, const char *value, GError **err)
{
    static const struct {
        const char *name, *type;
    } rows[] = { { "std", "VGA" },
                 { "cirrus", "cirrus-vga" },
                 { "qxl", "qxl-vga" },
                 { "vmware", "vmware-svga" },
                 { "virtio", "virtio-vga" } };

    r->vga = true;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (strcmp(rows[i].name, value) == 0) {
            return plan_expect_type(r->c, rows[i].type, err) &&
                   (g_ptr_array_add(r->m->devices, plan_device_new(rows[i].type)), true);
        }
    }
    return strcmp(value, "none") == 0 ||
           plan_fail(err, "is not none, std, cirrus, qxl, vmware or virtio");
}

static bool arg_nodefaults(ArgumentReader *r, const char *option, const char *value, GError **err)
{
    r->nodefaults = true;
    return true;
}

/* --- the table --- */

static const struct ArgumentRow {
    const char *name;
    bool value;
    ArgumentFn *read; /* NULL: an option of the process */
} argument_rows[] = {
    { "machine", true, arg_machine },
    { "M", true, arg_machine },
    { "cpu", true, arg_cpu },
    { "m", true, arg_ram },
    { "smp", true, arg_smp },
    { "device", true, arg_device },
    { "global", true, arg_global },
    { "name", true, arg_text },
    { "uuid", true, arg_text },
    { "rtc", true, arg_text },
    { "bios", true, arg_boot },
    { "kernel", true, arg_boot },
    { "initrd", true, arg_boot },
    { "dtb", true, arg_boot },
    { "append", true, arg_boot },
    { "serial", true, arg_serial },
    { "drive", true, arg_drive },
    { "hda", true, arg_disk_file },
    { "hdb", true, arg_disk_file },
    { "hdc", true, arg_disk_file },
    { "hdd", true, arg_disk_file },
    { "cdrom", true, arg_disk_file },
    { "blockdev", true, arg_part },
    { "netdev", true, arg_part },
    { "chardev", true, arg_part },
    { "object", true, arg_part },
    { "fsdev", true, arg_part },
    { "audiodev", true, arg_part },
    { "nic", true, arg_nic },
    { "net", true, arg_old_net },
    { "vga", true, arg_vga },
    { "nodefaults", false, arg_nodefaults },
    { "accel", true, NULL },
    { "action", true, NULL },
    { "add-fd", true, NULL },
    { "boot", true, NULL },
    { "chroot", true, NULL },
    { "D", true, NULL },
    { "d", true, NULL },
    { "debugcon", true, NULL },
    { "display", true, NULL },
    { "enable-kvm", false, NULL },
    { "daemonize", false, NULL },
    { "gdb", true, NULL },
    { "incoming", true, NULL },
    { "k", true, NULL },
    { "L", true, NULL },
    { "loadvm", true, NULL },
    { "mon", true, NULL },
    { "monitor", true, NULL },
    { "msg", true, NULL },
    { "no-reboot", false, NULL },
    { "no-shutdown", false, NULL },
    { "no-user-config", false, NULL },
    { "nographic", false, NULL },
    { "only-migratable", false, NULL },
    { "overcommit", true, NULL },
    { "pidfile", true, NULL },
    { "preconfig", false, NULL },
    { "qmp", true, NULL },
    { "qmp-pretty", true, NULL },
    { "qtest", true, NULL },
    { "qtest-log", true, NULL },
    { "runas", true, NULL },
    { "run-with", true, NULL },
    { "s", false, NULL },
    { "S", false, NULL },
    { "semihosting", false, NULL },
    { "semihosting-config", true, NULL },
    { "sandbox", true, NULL },
    { "snapshot", false, NULL },
    { "spice", true, NULL },
    { "trace", true, NULL },
    { "vnc", true, NULL },
};

static const char *argument_name(const void *table, size_t i)
{
    return argument_rows[i].name;
}

static const struct ArgumentRow *argument_find(const char *word, GError **err)
{
    const char *name = word + (word[0] == '-') + (word[0] == '-' && word[1] == '-');
    g_autofree char *quoted = NULL, *hint = NULL;

    for (size_t i = 0; word[0] == '-' && i < G_N_ELEMENTS(argument_rows); i++) {
        if (strcmp(argument_rows[i].name, name) == 0) {
            return &argument_rows[i];
        }
    }
    quoted = plan_quote(word);
    hint = suggest_hint_of(name, argument_name, NULL, G_N_ELEMENTS(argument_rows));
    plan_fail(err, "%s is not an option that describes a machine%s", quoted, hint);
    return NULL;
}

/* Read the option at *i and its value. */
static bool arguments_read(ArgumentReader *r, const char *const *args, guint *i, GError **err)
{
    const struct ArgumentRow *row = argument_find(args[*i], err);
    const char *value = row && row->value ? args[*i + 1] : "";

    if (!row) {
        return false;
    }
    if (!value) {
        return plan_fail(err, "-%s requires a value", row->name);
    }
    if (!g_utf8_validate(value, -1, NULL) || strlen(value) > PLAN_OPTION_MAX) {
        return plan_fail(err, "the value of -%s is not UTF-8 of at most %d bytes", row->name,
                         PLAN_OPTION_MAX);
    }
    if (row->read && !row->read(r, row->name, value, err)) {
        g_prefix_error(err, "-%s: ", row->name);
        return false;
    }
    *i += row->value;
    return true;
}

/* Add the devices that the machine has by default, in front of the others. */
static bool arguments_defaults(ArgumentReader *r, GError **err)
{
    guint n = 0;

    for (size_t i = 0; !r->nodefaults && r->machine->defaults && r->machine->defaults[i]; i++) {
        PlanDevice *d = plan_device_parse(r->machine->defaults[i], err);
        bool vga = d && strcmp(d->type, "VGA") == 0;

        if (!d) {
            return false;
        }
        if (vga ? r->vga : r->net) {
            plan_device_free(d);
        } else {
            g_ptr_array_insert(r->m->devices, (gint)n++, d);
        }
    }
    return true;
}

static bool arguments_all(ArgumentReader *r, const char *const *args, GError **err)
{
    for (guint i = 0; args[i]; i++) {
        guint at = i;

        if (i >= ARGUMENTS_MAX) {
            return plan_fail(err, "more than %d arguments", ARGUMENTS_MAX);
        }
        if (!arguments_read(r, args, &i, err)) {
            g_prefix_error(err, "argument %u: ", at + 1);
            return false;
        }
    }
    r->machine = plan_choose_machine(r->m, r->c, err);
    if (!r->no_firmware) {
        plan_boot_default(r->m, r->c);
    }
    return r->machine && arguments_defaults(r, err) && arguments_drives(r, err);
}

static void arguments_put(gpointer o)
{
    json_object_put(o);
}

PlanMachine *plan_from_arguments(const char *const *args, const PlanCatalog *c, GError **err)
{
    g_autoptr(PlanMachine) m = plan_machine_new();
    ArgumentReader r = { .c = c, .m = m };
    bool ok;

    r.drives = g_ptr_array_new_with_free_func(arguments_put);
    ok = arguments_all(&r, args, err);
    g_ptr_array_unref(r.drives);
    return ok ? g_steal_pointer(&m) : NULL;
}

PlanMachine *plan_from_command_line(const char *text, size_t len, const PlanCatalog *c,
                                    GError **err)
{
    g_autofree char *copy = len <= ARGUMENTS_BYTES ? g_strndup(text, len) : NULL;
    g_auto(GStrv) words = NULL;
    GError *error = NULL;

    if (!copy) {
        plan_fail(err, "the command line has %zu bytes: at most %d are accepted", len,
                  ARGUMENTS_BYTES);
        return NULL;
    }
    if (!g_shell_parse_argv(copy, NULL, &words, &error)) {
        g_autofree char *quoted = plan_quote(error->message);

        plan_fail(err, "the command line is malformed: %.*s", (int)strlen(quoted) - 2, quoted + 1);
        g_error_free(error);
        return NULL;
    }
    return plan_from_arguments((const char *const *)words + (words[0] && words[0][0] != '-'), c,
                               err);
}
