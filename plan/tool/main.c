/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backplane-plan: plan a machine without starting it. The program accepts the options of the
 * emulator that describe the machine, and prints the complete description, the slots, or
 * differences.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/description.h"

enum { EXIT_DIFFERS = 2 };

typedef struct Tool {
    PlanMachine *m;     /* the machine that the options describe */
    GPtrArray *files;   /* paths of -machine-config */
    unsigned n_devices; /* -device options so far */
    bool json, guest;
    const char *command;
    const char *args[2];
    int n_args;
} Tool;

typedef bool OptionFn(Tool *tool, const char *value, GError **err);

static PlanMachine *read_file(const char *path, GError **err)
{
    return plan_from_files(&path, 1, &plan_catalog, err);
}

static bool opt_machine(Tool *tool, const char *value, GError **err)
{
    return plan_machine_parse(tool->m, value, err);
}

static bool tool_opt_device(Tool *tool, const char *value, GError **err)
{
    PlanDevice *d = plan_device_parse_known(value, &plan_catalog, err);

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

static const struct {
    const char *name, *alias, *value, *doc;
    OptionFn *run;
} options[] = {
    { "machine", "M", "TYPE,...", "machine type and properties", opt_machine },
    { "machine-config", NULL, "FILE", "a description, or a part of one; other options go over it",
      opt_config },
    { "device", NULL, "TYPE,...", "add a device", tool_opt_device },
    { "global", NULL, "TYPE.PROP=VALUE", "another default", tool_opt_global },
    { "cpu", NULL, "TYPE,...", "CPU type", opt_cpu },
    { "m", NULL, "SIZE", "RAM, in MiB without a suffix", opt_ram },
    { "smp", NULL, "N", "number of CPUs", opt_smp },
    { "json", NULL, NULL, "slots as JSON", opt_json },
    { "guest", NULL, NULL, "the guest section only", opt_guest },
};

/* Return the complete description of the machine that the options describe; NULL with @err set. */
static PlanMachine *tool_resolve(Tool *tool, GError **err)
{
    PlanMachine *m;

    if (tool->files->len) {
        m = plan_from_files((const char *const *)tool->files->pdata, tool->files->len,
                            &plan_catalog, err);
        if (!m || !plan_merge(m, tool->m, &plan_catalog, err)) {
            plan_machine_free(m);
            return NULL;
        }
        plan_machine_free(tool->m);
        tool->m = m;
    }
    return plan_resolve(tool->m, &plan_catalog, err) ? tool->m : NULL;
}

static int cmd_machine(Tool *tool, GError **err)
{
    PlanMachine *m = tool_resolve(tool, err);
    g_autofree char *text = m ? plan_to_text(m, &plan_catalog, tool->guest) : NULL;

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

static int cmd_slots(Tool *tool, GError **err)
{
    PlanMachine *m = tool_resolve(tool, err);
    g_autofree char *text = NULL;

    if (!m) {
        return EXIT_FAILURE;
    }
    if (tool->json) {
        tool_print_json(plan_slots_to_json(m, &plan_catalog));
        return EXIT_SUCCESS;
    }
    text = plan_slots_to_text(m, &plan_catalog);
    fputs(text, stdout);
    return EXIT_SUCCESS;
}

/* Print the differences that a guest can observe. Return 0 if there are none, otherwise 2; 1 with
 * @err set if a description is not valid. */
static int cmd_diff(Tool *tool, GError **err)
{
    g_autoptr(PlanMachine) wanted = read_file(tool->args[0], err);
    g_autoptr(PlanMachine) have = wanted ? read_file(tool->args[1], err) : NULL;
    struct json_object *diff;

    if (!have || !plan_resolve(wanted, &plan_catalog, err) ||
        !plan_resolve(have, &plan_catalog, err)) {
        return EXIT_FAILURE;
    }
    diff = plan_diff(wanted, have, &plan_catalog);
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
    g_autofree char *text = plan_help_types(&plan_catalog);

    fputs(text, stdout);
    return EXIT_SUCCESS;
}

static int cmd_machines(Tool *tool, GError **err)
{
    g_autofree char *text = plan_help_machines(&plan_catalog);

    fputs(text, stdout);
    return EXIT_SUCCESS;
}

static int cmd_type(Tool *tool, GError **err)
{
    const PlanType *t = plan_expect_type(&plan_catalog, tool->args[0], err);
    g_autofree char *text = t ? plan_help_type(t) : NULL;

    if (!t) {
        return EXIT_FAILURE;
    }
    fputs(text, stdout);
    return EXIT_SUCCESS;
}

static const struct {
    const char *name, *args, *doc;
    int n_args;
    int (*run)(Tool *tool, GError **err);
} commands[] = {
    { "machine", "", "print the complete description", 0, cmd_machine },
    { "slots", "", "print who holds which slot, and the free ones", 0, cmd_slots },
    { "diff", " WANTED HAVE", "what differs for the guest between two files (exit status 2)", 2,
      cmd_diff },
    { "types", "", "list the device types", 0, cmd_types },
    { "type", " TYPE", "list the properties of a device type", 1, cmd_type },
    { "machines", "", "list the machine types", 0, cmd_machines },
};

static void tool_help(FILE *to)
{
    fputs("usage: backplane-plan COMMAND [OPTION...]\n\ncommands:\n", to);
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        g_autofree char *left = g_strconcat(commands[i].name, commands[i].args, NULL);

        fprintf(to, "  %-26s %s\n", left, commands[i].doc);
    }
    fputs("\noptions, as the emulator's:\n", to);
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

static bool tool_parse(Tool *tool, int argc, char **argv, GError **err)
{
    for (int i = 1; i < argc; i++) {
        int row = argv[i][0] == '-' ? tool_find_option(argv[i]) : -1;
        const char *value = row >= 0 && options[row].value ? argv[i + 1] : "";

        if (row >= 0 && value) {
            if (!options[row].run(tool, value, err)) {
                g_prefix_error(err, "-%s: ", options[row].name);
                return false;
            }
            i += options[row].value != NULL;
        } else if (argv[i][0] == '-' || tool->n_args == (int)G_N_ELEMENTS(tool->args)) {
            g_set_error(err, PLAN_ERROR, PLAN_ERROR_INVALID, "%.80s %s: try --help", argv[i],
                        row >= 0 ? "needs a value" : "is not understood");
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
        if (commands[i].n_args != tool->n_args) {
            g_set_error(err, PLAN_ERROR, PLAN_ERROR_INVALID, "%s takes %d argument%s%s",
                        tool->command, commands[i].n_args, commands[i].n_args == 1 ? ":" : "s:",
                        *commands[i].args ? commands[i].args : " none");
            return EXIT_FAILURE;
        }
        return commands[i].run(tool, err);
    }
    g_set_error(err, PLAN_ERROR, PLAN_ERROR_INVALID, "%.80s%s: try --help",
                tool->command ? tool->command : "no command",
                tool->command ? " is no command" : " is given");
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    Tool tool = { .m = plan_machine_new(), .files = g_ptr_array_new() };
    g_autoptr(GError) err = NULL;
    int status = EXIT_FAILURE;

    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        tool_help(stdout);
        status = EXIT_SUCCESS;
    } else if (tool_parse(&tool, argc, argv, &err)) {
        status = tool_run_command(&tool, &err);
    }
    if (err) {
        fprintf(stderr, "backplane-plan: %s\n", err->message);
    }
    plan_machine_free(tool.m);
    g_ptr_array_unref(tool.files);
    return status;
}
