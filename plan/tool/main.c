/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backplane-plan: plan a machine without starting it. The program accepts the options of the
 * emulator that describe the machine, prints and compares descriptions, and edits files that
 * contain one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/tool/tool_internal.h"

typedef bool OptionFn(Tool *tool, const char *value, GError **err);

const char *tool_arg(const Tool *tool, guint i)
{
    return i < tool->args->len ? tool->args->pdata[i] : NULL;
}

void tool_use_file(Tool *tool, guint i)
{
    if (tool_arg(tool, i)) {
        g_ptr_array_add(tool->files, (char *)tool_arg(tool, i));
    }
}

void tool_print_json(struct json_object *o)
{
    puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                               JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
}

void tool_print_result(const Tool *tool, const char *key, const char *text)
{
    struct json_object *o;

    if (tool->json) {
        o = json_object_new_object();
        json_object_object_add(o, key, json_object_new_string(text));
        tool_print_json(o);
    }
}

/* --- options --- */

static bool opt_machine(Tool *tool, const char *value, GError **err)
{
    return plan_machine_parse(tool->m, value, err);
}

static bool tool_opt_device(Tool *tool, const char *value, GError **err)
{
    PlanDevice *d = plan_device_parse_known(value, tool->c, err);

    if (d) {
        d->option = ++tool->n_devices;
        g_ptr_array_add(tool->m->devices, d);
    }
    return d != NULL;
}

static bool tool_opt_global(Tool *tool, const char *value, GError **err)
{
    return plan_machine_add_global(tool->m, value, err);
}

static bool opt_cpu(Tool *tool, const char *value, GError **err)
{
    g_free(tool->m->cpu);
    tool->m->cpu = g_strdup(value);
    return true;
}

static bool opt_ram(Tool *tool, const char *value, GError **err)
{
    static const PlanProp ram = {
        .name = "-m", .kind = PLAN_PROP_SIZE, .def = 1, .min = 1, .max = 1ull << 52
    };
    bool plain = strspn(value, "0123456789") == strlen(value);
    g_autofree char *text = g_strconcat(value, plain ? "M" : "", NULL);
    PlanValue v;

    if (!plan_value_parse(&ram, text, &v, err)) {
        return false;
    }
    tool->m->ram_size = v.u;
    return true;
}

static bool opt_smp(Tool *tool, const char *value, GError **err)
{
    static const PlanProp smp = {
        .name = "-smp", .kind = PLAN_PROP_U32, .def = 1, .min = 1, .max = 1 << 16
    };
    PlanValue v;

    if (!plan_value_parse(&smp, value, &v, err)) {
        return false;
    }
    tool->m->cpus = (unsigned)v.u;
    return true;
}

static bool opt_config(Tool *tool, const char *value, GError **err)
{
    g_ptr_array_add(tool->files, (char *)value);
    return true;
}

static bool opt_json(Tool *tool, const char *value, GError **err)
{
    return tool->json = true;
}

static bool opt_guest(Tool *tool, const char *value, GError **err)
{
    return tool->guest = true;
}

static bool opt_hints(Tool *tool, const char *value, GError **err)
{
    return tool->hints = true;
}

static bool tool_load_catalog(Tool *tool, const char *name, GError **err)
{
    plan_catalog_free(tool->loaded);
    tool->loaded = plan_catalog_open(name, err);
    tool->c = tool->loaded ? tool->loaded : &plan_catalog;
    tool->catalog = name;
    return tool->loaded != NULL;
}

static bool tool_opt_catalog(Tool *tool, const char *value, GError **err)
{
    return tool_load_catalog(tool, value, err);
}

static bool tool_opt_emulator(Tool *tool, const char *value, GError **err)
{
    tool->emulator = value;
    return true;
}

static bool tool_opt_policy(Tool *tool, const char *value, GError **err)
{
    tool->policy_name = value;
    return true;
}

static bool tool_opt_prefer(Tool *tool, const char *value, GError **err)
{
    plan_prefs_clear(&tool->prefs);
    plan_prefs_init(&tool->prefs);
    return plan_prefs_parse(&tool->prefs, value, err);
}

static bool tool_opt_machine_type(Tool *tool, const char *value, GError **err)
{
    plan_site_free(tool->site);
    tool->site = plan_site_from_file(value, err);
    return tool->site != NULL;
}

static bool tool_add_part(Tool *tool, const char *kind, const char *value, GError **err)
{
    PlanHostPart *part = plan_host_part_parse(kind, value, err);

    if (part && plan_machine_add_host(tool->m, part, err)) {
        return true;
    }
    plan_host_part_free(part);
    return false;
}

static bool tool_opt_drive(Tool *tool, const char *value, GError **err)
{
    struct json_object *o = plan_options_parse(value, NULL, err), *interface = NULL;
    bool none = o && json_object_object_get_ex(o, "if", &interface) &&
                strcmp(json_object_get_string(interface), "none") == 0;
    g_autofree char *text = NULL;

    if (!none) {
        if (o) {
            g_set_error(err, PLAN_ERROR, PLAN_ERROR_INVALID,
                        "if=none is required: add the disk with -device");
        }
        json_object_put(o);
        return false;
    }
    json_object_object_del(o, "if");
    text = g_strdup(json_object_to_json_string(o));
    json_object_put(o);
    return tool_add_part(tool, "drive", text, err);
}

static bool tool_opt_blockdev(Tool *tool, const char *value, GError **err)
{
    return tool_add_part(tool, "blockdev", value, err);
}

static bool tool_opt_netdev(Tool *tool, const char *value, GError **err)
{
    return tool_add_part(tool, "netdev", value, err);
}

static bool tool_opt_chardev(Tool *tool, const char *value, GError **err)
{
    return tool_add_part(tool, "chardev", value, err);
}

static bool tool_opt_object(Tool *tool, const char *value, GError **err)
{
    return tool_add_part(tool, "object", value, err);
}

static bool tool_opt_for(Tool *tool, const char *value, GError **err)
{
    static const char *const names[] = { "backplane", "qemu" };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(value, names[i]) == 0) {
            tool->target = i;
            tool->has_target = true;
            return true;
        }
    }
    g_set_error(err, PLAN_ERROR, PLAN_ERROR_INVALID, "'%.80s' must be backplane or qemu", value);
    return false;
}

static const struct {
    const char *name, *alias, *value, *doc;
    OptionFn *run;
    bool early; /* applied before the other options */
} options[] = {
    { "machine", "M", "TYPE,...", "machine type and properties", opt_machine },
    { "machine-config", NULL, "FILE", "a description, or a part of one; other options override it",
      opt_config },
    { "device", NULL, "TYPE,...", "add a device", tool_opt_device },
    { "global", NULL, "TYPE.PROP=VALUE", "another default", tool_opt_global },
    { "cpu", NULL, "TYPE,...", "CPU type", opt_cpu },
    { "m", NULL, "SIZE", "RAM, in MiB without a suffix", opt_ram },
    { "smp", NULL, "N", "number of CPUs", opt_smp },
    { "drive", NULL, "if=none,id=ID,...", "a disk of the host; devices refer to its id",
      tool_opt_drive },
    { "blockdev", NULL, "DRIVER,node-name=ID,...", "a disk of the host", tool_opt_blockdev },
    { "netdev", NULL, "TYPE,id=ID,...", "a network of the host", tool_opt_netdev },
    { "chardev", NULL, "BACKEND,id=ID,...", "a character device of the host", tool_opt_chardev },
    { "object", NULL, "TYPE,id=ID,...", "another object of the host", tool_opt_object },
    { "json", NULL, NULL, "print JSON, also {\"error\": MESSAGE}", opt_json, true },
    { "catalog", NULL, "NAME",
      "device types from a catalogue: a file, the name of an installed one, or program:PATH",
      tool_opt_catalog, true },
    { "machine-type", NULL, "FILE", "a machine type that the site defines", tool_opt_machine_type,
      true },
    { "policy", NULL, "NAME", "placement policy: a built-in one, a file, or none; new: default",
      tool_opt_policy },
    { "prefer", NULL, "KEY=VALUE,...", "add, grow, fit: preferences of the device",
      tool_opt_prefer },
    { "emulator", NULL, "PATH", "xml: path of the program that runs the domain",
      tool_opt_emulator },
    { "for", NULL, "PROGRAM", "args and xml: backplane or qemu; default: that of the catalogue",
      tool_opt_for },
    { "hints", NULL, NULL, "merge: only the addresses of devices that exist", opt_hints },
    { "guest", NULL, NULL, "the guest section only", opt_guest },
};

/* --- descriptions --- */

bool tool_use_catalog(Tool *tool, const PlanMachine *m, GError **err)
{
    if (tool->catalog || !m->catalog) {
        return true;
    }
    return tool_load_catalog(tool, g_intern_string(m->catalog), err);
}

/* Read files as one description, with the catalogue that they name. */
static PlanMachine *tool_read_files(Tool *tool, const char *const *paths, guint n, GError **err)
{
    PlanMachine *m = plan_from_files(paths, n, tool->c, err);
    const PlanCatalog *before = tool->c;

    if (m && !tool_use_catalog(tool, m, err)) {
        g_clear_pointer(&m, plan_machine_free);
    }
    if (m && tool->c != before) { /* aliases of types differ */
        plan_machine_free(m);
        m = plan_from_files(paths, n, tool->c, err);
    }
    return m;
}

PlanMachine *tool_read(Tool *tool, const char *path, GError **err)
{
    PlanMachine *m = tool_read_files(tool, &path, 1, err);

    if (m && !plan_resolve(m, tool->c, err)) {
        g_prefix_error(err, "%s: ", path);
        g_clear_pointer(&m, plan_machine_free);
    }
    return m;
}

bool tool_use_policy(Tool *tool, const char *otherwise, GError **err)
{
    const char *name = tool->policy_name ? tool->policy_name : tool->m->policy;

    name = name ? name : otherwise;
    plan_policy_free(tool->policy);
    tool->policy = NULL;
    if (tool->m->policy != name) {
        g_free(tool->m->policy);
        tool->m->policy = g_strdup(name);
    }
    if (!name || strcmp(name, "none") == 0) {
        return true;
    }
    tool->policy = plan_policy_load(name, err);
    return tool->policy != NULL;
}

PlanMachine *tool_resolve(Tool *tool, GError **err)
{
    PlanMachine *m;

    if (tool->files->len) {
        m = tool_read_files(tool, (const char *const *)tool->files->pdata, tool->files->len, err);
        if (!m || !plan_merge(m, tool->m, tool->c, err)) {
            plan_machine_free(m);
            return NULL;
        }
        plan_machine_free(tool->m);
        tool->m = m;
    }
    if (tool->site && !plan_site_apply(tool->site, tool->m, tool->c, err)) {
        return NULL;
    }
    return tool_use_policy(tool, tool->command_new ? "default" : NULL, err) &&
                   plan_resolve_policy(tool->m, tool->c, tool->policy, err)
               ? tool->m
               : NULL;
}

/* --- commands --- */

static const struct {
    const char *name, *args, *doc;
    guint min_args, max_args;
    int (*run)(Tool *tool, GError **err);
} commands[] = {
    { "new", " FILE", "write the complete description that the options describe", 1, 1, tool_new },
    { "import", " FILE SOURCE",
      "write the description of a libvirt domain XML or a QEMU command line (- for standard input)",
      2, 2, tool_import },
    { "add", " FILE DEVICE", "add a device: TYPE,property=value,...", 2, 2, tool_add },
    { "grow", " FILE DEVICE N", "add N devices, numbered from 0, with the controllers they require",
      3, 3, tool_grow },
    { "fit", " FILE DEVICE...", "print which of the devices still fit, and where", 2, G_MAXUINT,
      tool_fit },
    { "remove", " FILE ID", "remove a device; no other device moves", 2, 2, tool_remove },
    { "set", " FILE ID PROP[=VALUE]", "set a property, or restore its default", 3, 3, tool_set },
    { "move", " FILE ID PLACE", "move a device to ADDR, BUS/ADDR, or the lowest address of BUS/", 3,
      3, tool_move },
    { "merge", " FILE OTHER", "merge another description, or with -hints its addresses, into FILE",
      2, 2, tool_merge },
    { "freeze", " FILE [ID]", "record addresses as chosen by the user", 1, 2, tool_freeze },
    { "thaw", " FILE [ID]", "record addresses as chosen by the planner", 1, 2, tool_thaw },
    { "check", " FILE", "check a description", 1, 1, tool_check },
    { "args", " FILE", "print the command line that starts the machine", 1, 1, tool_args },
    { "xml", " FILE", "print the domain XML for libvirt", 1, 1, tool_xml },
    { "explain", " FILE ID", "print why a device is where it is", 2, 2, tool_explain },
    { "machine", "", "print the complete description", 0, 0, tool_machine },
    { "slots", " [FILE]", "print the devices and the free slots of each bus", 0, 1, tool_slots },
    { "diff", " WANTED HAVE", "print what differs for the guest between two files (exit status 2)",
      2, 2, tool_diff },
    { "types", " [TYPE]", "list the device types, or the properties of one", 0, 1, tool_types },
    { "machines", "", "list the machine types", 0, 0, tool_machines },
};

static void tool_help(FILE *to)
{
    fputs("usage: backplane-plan COMMAND [OPTION...]\n\ncommands:\n", to);
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autofree char *left = g_strconcat(commands[i].name, commands[i].args, NULL);

        fprintf(to, "  %-26s %s\n", left, commands[i].doc);
    }
    fputs("\noptions, as in the emulator:\n", to);
    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        g_autofree char *left = g_strdup_printf(
            "-%s%s%s %s", options[i].name, options[i].alias ? ", -" : "",
            options[i].alias ? options[i].alias : "", options[i].value ? options[i].value : "");

        fprintf(to, "  %-26s %s\n", left, options[i].doc);
    }
}

/* Return the row of "-name" or "--name"; -1 if the option is unknown. */
static int tool_find_option(const char *word)
{
    const char *name = word + 1 + (word[1] == '-');

    for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
        if (strcmp(name, options[i].name) == 0 ||
            (options[i].alias && strcmp(name, options[i].alias) == 0)) {
            return (int)i;
        }
    }
    return -1;
}

/* Apply the early options, or the others and the words without a dash. */
static bool tool_parse(Tool *tool, int argc, char **argv, bool early, GError **err)
{
    for (int i = 1; i < argc; i++) {
        int row = argv[i][0] == '-' ? tool_find_option(argv[i]) : -1;
        const char *value = row >= 0 && options[row].value ? argv[i + 1] : "";

        if (row >= 0 && value) {
            if (options[row].early == early && !options[row].run(tool, value, err)) {
                g_prefix_error(err, "-%s: ", options[row].name);
                return false;
            }
            i += options[row].value != NULL;
        } else if (early) {
            continue;
        } else if (argv[i][0] == '-' && argv[i][1]) {
            g_set_error(err, PLAN_ERROR, PLAN_ERROR_INVALID, "%.80s %s: try --help", argv[i],
                        row >= 0 ? "requires a value" : "is unknown");
            return false;
        } else if (!tool->command) {
            tool->command = argv[i];
        } else {
            g_ptr_array_add(tool->args, argv[i]);
        }
    }
    return true;
}

static int tool_run_command(Tool *tool, GError **err)
{
    for (size_t i = 0; tool->command && i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(commands[i].name, tool->command) != 0) {
            continue;
        }
        if (tool->args->len < commands[i].min_args || tool->args->len > commands[i].max_args) {
            g_set_error(err, PLAN_ERROR, PLAN_ERROR_INVALID,
                        "%s has the arguments%s, not %u of them", tool->command,
                        *commands[i].args ? commands[i].args : " (none)", tool->args->len);
            return EXIT_FAILURE;
        }
        tool->command_new = commands[i].run == tool_new;
        return commands[i].run(tool, err);
    }
    g_set_error(err, PLAN_ERROR, PLAN_ERROR_INVALID, "%.80s%s: try --help",
                tool->command ? tool->command : "no command",
                tool->command ? " is not a command" : " is given");
    return EXIT_FAILURE;
}

/* Return a message in which the commands of this program replace the options of the emulator;
 * g_free(). */
static char *tool_message(const char *text)
{
    static const char *const rows[][2] = {
        { "-device help lists the types", "backplane-plan types lists the types" },
        { "-M help lists", "backplane-plan machines lists" },
    };
    char *out = g_strdup(text);

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(GStrv) parts = g_strsplit(out, rows[i][0], -1);

        g_free(out);
        out = g_strjoinv(rows[i][1], parts);
    }
    return out;
}

int main(int argc, char **argv)
{
    Tool tool = { .m = plan_machine_new(),
                  .files = g_ptr_array_new(),
                  .args = g_ptr_array_new(),
                  .c = &plan_catalog };
    g_autoptr(GError) err = NULL;
    int status = EXIT_FAILURE;

    plan_prefs_init(&tool.prefs);
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        tool_help(stdout);
        status = EXIT_SUCCESS;
    } else if (tool_parse(&tool, argc, argv, true, &err) &&
               tool_parse(&tool, argc, argv, false, &err)) {
        status = tool_run_command(&tool, &err);
    }
    if (err) {
        g_autofree char *message = tool_message(err->message);

        fprintf(stderr, "backplane-plan: %s\n", message);
        tool_print_result(&tool, "error", message);
    }
    plan_machine_free(tool.m);
    plan_prefs_clear(&tool.prefs);
    plan_policy_free(tool.policy);
    plan_site_free(tool.site);
    plan_catalog_free(tool.loaded);
    g_ptr_array_unref(tool.files);
    g_ptr_array_unref(tool.args);
    return status;
}
