/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backplane-plan: plan a machine without starting it. The program accepts the options of the
 * emulator that describe the machine, prints and compares descriptions, and edits files that
 * contain one.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/catalog_json.h"
#include "plan/edit.h"

enum { EXIT_DIFFERS = 2, TOOL_ARGS = 3 };

typedef struct Tool {
    PlanMachine *m;     /* the machine that the options describe */
    GPtrArray *files;   /* paths of -machine-config */
    unsigned n_devices; /* -device options so far */
    const PlanCatalog *c;
    PlanCatalog *loaded; /* of -catalog, or NULL */
    bool json, guest;
    PlanTarget target;
    const char *command;
    const char *args[TOOL_ARGS];
    int n_args;
} Tool;

typedef bool OptionFn(Tool *tool, const char *value, GError **err);

static PlanMachine *read_file(const Tool *tool, const char *path, GError **err)
{
    return plan_from_files(&path, 1, tool->c, err);
}

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

static bool tool_opt_catalog(Tool *tool, const char *value, GError **err)
{
    plan_catalog_free(tool->loaded);
    tool->loaded = plan_catalog_from_file(value, err);
    tool->c = tool->loaded;
    return tool->loaded != NULL;
}

static bool tool_opt_for(Tool *tool, const char *value, GError **err)
{
    static const char *const names[] = { "backplane", "qemu" };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(value, names[i]) == 0) {
            tool->target = i;
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
    { "json", NULL, NULL, "print JSON", opt_json },
    { "catalog", NULL, "FILE",
      "device types from a catalogue (-show catalog) instead of the built-in", tool_opt_catalog,
      true },
    { "for", NULL, "PROGRAM", "args: backplane (default) or qemu", tool_opt_for },
    { "guest", NULL, NULL, "the guest section only", opt_guest },
};

/* Return the complete description of the machine that the options describe; NULL with @err set. */
static PlanMachine *tool_resolve(Tool *tool, GError **err)
{
    PlanMachine *m;

    if (tool->files->len) {
        m = plan_from_files((const char *const *)tool->files->pdata, tool->files->len, tool->c,
                            err);
        if (!m || !plan_merge(m, tool->m, tool->c, err)) {
            plan_machine_free(m);
            return NULL;
        }
        plan_machine_free(tool->m);
        tool->m = m;
    }
    return plan_resolve(tool->m, tool->c, err) ? tool->m : NULL;
}

static int cmd_machine(Tool *tool, GError **err)
{
    PlanMachine *m = tool_resolve(tool, err);
    g_autofree char *text = m ? plan_to_text(m, tool->c, tool->guest) : NULL;

    if (text) {
        fputs(text, stdout);
    }
    return m ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void tool_print_json(struct json_object *o)
{
    puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                               JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
}

/* Use the file that an argument names as a description, if it is given. */
static void tool_use_file(Tool *tool, int arg)
{
    if (tool->n_args > arg) {
        g_ptr_array_add(tool->files, (char *)tool->args[arg]);
    }
}

static int cmd_slots(Tool *tool, GError **err)
{
    PlanMachine *m = (tool_use_file(tool, 0), tool_resolve(tool, err));
    g_autofree char *text = NULL;

    if (!m) {
        return EXIT_FAILURE;
    }
    if (tool->json) {
        tool_print_json(plan_slots_to_json(m, tool->c));
        return EXIT_SUCCESS;
    }
    text = plan_slots_to_text(m, tool->c);
    fputs(text, stdout);
    return EXIT_SUCCESS;
}

/* Print the differences that a guest can observe. Return 0 if there are none, otherwise 2; 1 with
 * @err set if a description is not valid. */
static int cmd_diff(Tool *tool, GError **err)
{
    g_autoptr(PlanMachine) wanted = read_file(tool, tool->args[0], err);
    g_autoptr(PlanMachine) have = wanted ? read_file(tool, tool->args[1], err) : NULL;
    struct json_object *diff;

    if (!have || !plan_resolve(wanted, tool->c, err) || !plan_resolve(have, tool->c, err)) {
        return EXIT_FAILURE;
    }
    diff = plan_diff(wanted, have, tool->c);
    plan_diff_boot(diff, wanted, have);
    if (json_object_array_length(diff) == 0) {
        json_object_put(diff);
        return EXIT_SUCCESS;
    }
    tool_print_json(diff);
    return EXIT_DIFFERS;
}

static int cmd_types(Tool *tool, GError **err)
{
    const PlanType *t = tool->n_args ? plan_expect_type(tool->c, tool->args[0], err) : NULL;
    g_autofree char *text = NULL;

    if (tool->n_args && !t) {
        return EXIT_FAILURE;
    }
    if (tool->json) {
        tool_print_json(t ? plan_type_to_json(t) : plan_catalog_to_json(tool->c));
        return EXIT_SUCCESS;
    }
    text = t ? plan_help_type(t) : plan_help_types(tool->c);
    fputs(text, stdout);
    return EXIT_SUCCESS;
}

static int cmd_machines(Tool *tool, GError **err)
{
    g_autofree char *text = plan_help_machines(tool->c);

    fputs(text, stdout);
    return EXIT_SUCCESS;
}

/* --- editing a file --- */

/* Replace the file by the description. The file is either the old one or the new one. */
static bool tool_write(Tool *tool, const char *path, GError **err)
{
    g_autofree char *text = NULL;
    GError *error = NULL;

    tool->m->planning = true;
    text = plan_to_text(tool->m, tool->c, false);
    if (!g_file_set_contents(path, text, -1, &error)) {
        g_set_error(err, PLAN_ERROR, PLAN_ERROR_INVALID, "%s", error->message);
        g_error_free(error);
        return false;
    }
    return true;
}

/* Print where a device is. */
static void tool_print_place(const Tool *tool, const PlanDevice *d)
{
    if (tool->json) {
        tool_print_json(plan_explain(tool->m, plan_device_name(d), NULL));
    } else {
        printf("%s: %s at %s\n", plan_device_name(d), d->type, d->place);
    }
}

static int cmd_new(Tool *tool, GError **err)
{
    if (g_file_test(tool->args[0], G_FILE_TEST_EXISTS)) {
        g_set_error(err, PLAN_ERROR, PLAN_ERROR_INVALID, "%s exists", tool->args[0]);
        return EXIT_FAILURE;
    }
    return tool_resolve(tool, err) && tool_write(tool, tool->args[0], err) ? EXIT_SUCCESS
                                                                           : EXIT_FAILURE;
}

static int cmd_add(Tool *tool, GError **err)
{
    PlanDevice *d;

    tool_use_file(tool, 0);
    if (!tool_resolve(tool, err)) {
        return EXIT_FAILURE;
    }
    d = plan_device_parse_known(tool->args[1], tool->c, err);
    if (!d || !plan_add_device(tool->m, tool->c, d, false, err)) {
        plan_device_free(d);
        return EXIT_FAILURE;
    }
    if (!tool_write(tool, tool->args[0], err)) {
        return EXIT_FAILURE;
    }
    tool_print_place(tool, d);
    return EXIT_SUCCESS;
}

static bool edit_remove(Tool *tool, GError **err)
{
    return plan_edit_remove(tool->m, tool->args[1], err);
}

static bool edit_set(Tool *tool, GError **err)
{
    const char *value = strchr(tool->args[2], '=');
    g_autofree char *name =
        g_strndup(tool->args[2], value ? (size_t)(value - tool->args[2]) : strlen(tool->args[2]));

    return plan_edit_set(tool->m, tool->c, tool->args[1], name, value ? value + 1 : NULL, err);
}

static bool edit_move(Tool *tool, GError **err)
{
    return plan_edit_move(tool->m, tool->c, tool->args[1], tool->args[2], err);
}

static bool edit_freeze(Tool *tool, GError **err)
{
    return plan_edit_set_dynamic(tool->m, tool->n_args > 1 ? tool->args[1] : NULL, false, err);
}

static bool edit_thaw(Tool *tool, GError **err)
{
    return plan_edit_set_dynamic(tool->m, tool->n_args > 1 ? tool->args[1] : NULL, true, err);
}

/* Edit the description in a file. The file is unchanged on failure. */
static int tool_edit(Tool *tool, bool (*edit)(Tool *tool, GError **err), GError **err)
{
    PlanDevice *d;

    tool_use_file(tool, 0);
    if (!tool_resolve(tool, err) || !edit(tool, err) || !tool_write(tool, tool->args[0], err)) {
        return EXIT_FAILURE;
    }
    d = tool->n_args > 1 ? plan_find_device(tool->m, tool->args[1]) : NULL;
    if (d) {
        tool_print_place(tool, d);
    }
    return EXIT_SUCCESS;
}

static int cmd_remove(Tool *tool, GError **err)
{
    return tool_edit(tool, edit_remove, err);
}

static int cmd_set(Tool *tool, GError **err)
{
    return tool_edit(tool, edit_set, err);
}

static int cmd_move(Tool *tool, GError **err)
{
    return tool_edit(tool, edit_move, err);
}

static int cmd_freeze(Tool *tool, GError **err)
{
    return tool_edit(tool, edit_freeze, err);
}

static int cmd_thaw(Tool *tool, GError **err)
{
    return tool_edit(tool, edit_thaw, err);
}

static int cmd_check(Tool *tool, GError **err)
{
    tool_use_file(tool, 0);
    return tool_resolve(tool, err) ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void tool_print_args(const Tool *tool, char **args)
{
    struct json_object *list = json_object_new_array();

    for (char **arg = args; *arg; arg++) {
        g_autofree char *quoted =
            strspn(*arg,
                   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=,.:/+@%") ==
                    strlen(*arg)
                ? g_strdup(*arg)
                : g_shell_quote(*arg);

        json_object_array_add(list, json_object_new_string(*arg));
        if (!tool->json) {
            printf("%s%s", arg == args ? "" : **arg == '-' ? " \\\n    " : " ", quoted);
        }
    }
    if (tool->json) {
        tool_print_json(list);
    } else {
        printf("\n");
        json_object_put(list);
    }
}

static int cmd_args(Tool *tool, GError **err)
{
    PlanMachine *m = (tool_use_file(tool, 0), tool_resolve(tool, err));
    g_auto(GStrv) args = m ? plan_command_line(m, tool->c, tool->target, err) : NULL;

    if (args) {
        tool_print_args(tool, args);
    }
    return args ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Print an element of a list of an explanation: a name, or "SLOT REASON by DEVICE". */
static void tool_print_element(struct json_object *o)
{
    struct json_object *device = NULL;

    if (!json_object_is_type(o, json_type_object)) {
        printf("  %s\n", json_object_get_string(o));
        return;
    }
    json_object_object_get_ex(o, "device", &device);
    printf("  %s %s%s%s\n", json_object_get_string(json_object_object_get(o, "slot")),
           json_object_get_string(json_object_object_get(o, "reason")), device ? " by " : "",
           device ? json_object_get_string(device) : "");
}

/* Print the members of an explanation, one per line. */
static void tool_print_members(struct json_object *o)
{
    json_object_object_foreach(o, key, value)
    {
        if (!json_object_is_type(value, json_type_array)) {
            printf("%s: %s\n", key, json_object_get_string(value));
            continue;
        }
        printf("%s:\n", key);
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            tool_print_element(json_object_array_get_idx(value, i));
        }
    }
}

static int cmd_explain(Tool *tool, GError **err)
{
    PlanMachine *m = (tool_use_file(tool, 0), tool_resolve(tool, err));
    struct json_object *o = m ? plan_explain(m, tool->args[1], err) : NULL;

    if (!o) {
        return EXIT_FAILURE;
    }
    if (tool->json) {
        tool_print_json(o);
    } else {
        tool_print_members(o);
        json_object_put(o);
    }
    return EXIT_SUCCESS;
}

static const struct {
    const char *name, *args, *doc;
    int min_args, max_args;
    int (*run)(Tool *tool, GError **err);
} commands[] = {
    { "new", " FILE", "write the complete description that the options describe", 1, 1, cmd_new },
    { "add", " FILE DEVICE", "add a device: TYPE,property=value,...", 2, 2, cmd_add },
    { "remove", " FILE ID", "remove a device; no other device moves", 2, 2, cmd_remove },
    { "set", " FILE ID PROP[=VALUE]", "set a property, or restore its default", 3, 3, cmd_set },
    { "move", " FILE ID PLACE", "move a device to ADDR, BUS/ADDR, or the lowest address of BUS/", 3,
      3, cmd_move },
    { "freeze", " FILE [ID]", "record addresses as chosen by the user", 1, 2, cmd_freeze },
    { "thaw", " FILE [ID]", "record addresses as chosen by the planner", 1, 2, cmd_thaw },
    { "check", " FILE", "check a description", 1, 1, cmd_check },
    { "args", " FILE", "print the command line that starts the machine", 1, 1, cmd_args },
    { "explain", " FILE ID", "print why a device is where it is", 2, 2, cmd_explain },
    { "machine", "", "print the complete description", 0, 0, cmd_machine },
    { "slots", " [FILE]", "print the devices and the free slots of each bus", 0, 1, cmd_slots },
    { "diff", " WANTED HAVE", "print what differs for the guest between two files (exit status 2)",
      2, 2, cmd_diff },
    { "types", " [TYPE]", "list the device types, or the properties of one", 0, 1, cmd_types },
    { "machines", "", "list the machine types", 0, 0, cmd_machines },
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
        } else if (argv[i][0] == '-' || tool->n_args == (int)G_N_ELEMENTS(tool->args)) {
            g_set_error(err, PLAN_ERROR, PLAN_ERROR_INVALID, "%.80s %s: try --help", argv[i],
                        row >= 0 ? "requires a value" : "is unknown");
            return false;
        } else if (!tool->command) {
            tool->command = argv[i];
        } else {
            tool->args[tool->n_args++] = argv[i];
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
        if (tool->n_args < commands[i].min_args || tool->n_args > commands[i].max_args) {
            g_set_error(err, PLAN_ERROR, PLAN_ERROR_INVALID,
                        "%s has the arguments%s, not %d of them", tool->command,
                        *commands[i].args ? commands[i].args : " (none)", tool->n_args);
            return EXIT_FAILURE;
        }
        return commands[i].run(tool, err);
    }
    g_set_error(err, PLAN_ERROR, PLAN_ERROR_INVALID, "%.80s%s: try --help",
                tool->command ? tool->command : "no command",
                tool->command ? " is not a command" : " is given");
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    Tool tool = { .m = plan_machine_new(), .files = g_ptr_array_new(), .c = &plan_catalog };
    g_autoptr(GError) err = NULL;
    int status = EXIT_FAILURE;

    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        tool_help(stdout);
        status = EXIT_SUCCESS;
    } else if (tool_parse(&tool, argc, argv, true, &err) &&
               tool_parse(&tool, argc, argv, false, &err)) {
        status = tool_run_command(&tool, &err);
    }
    if (err) {
        fprintf(stderr, "backplane-plan: %s\n", err->message);
    }
    plan_machine_free(tool.m);
    plan_catalog_free(tool.loaded);
    g_ptr_array_unref(tool.files);
    return status;
}
