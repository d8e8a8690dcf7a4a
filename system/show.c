/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -show: print the description, the slots and other properties of a machine without starting it.
 */
#include <stdio.h>
#include <string.h>

#include "hw/core/cpu.h"
#include "migration/savevm.h"
#include "monitor/monitor.h"
#include "options_internal.h"
#include "plan/catalog_json.h"
#include "plan/grow.h"
#include "util/outfile.h"

static void show_print_json(struct json_object *o)
{
    printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
                                                         JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
}

/* Print a text, and a newline if the text does not end with one. */
static void print_text(const char *text)
{
    size_t len = strlen(text);

    printf("%s%s", text, len && text[len - 1] == '\n' ? "" : "\n");
}

static bool show_default(Session *s, GError **err)
{
    g_autofree char *text = plan_help_default_machine(s->catalog);

    fputs(text, stdout);
    return true;
}

static bool show_machines(Session *s, GError **err)
{
    g_autofree char *text = plan_help_machines(s->catalog);

    print_text(text);
    return true;
}

static bool show_slots(Session *s, GError **err)
{
    g_autofree char *text = NULL;

    if (!session_complete(s, err)) {
        return false;
    }
    text = plan_slots_to_text(s->plan, s->catalog);
    if (!session_check(s, err)) {
        return false;
    }
    print_text(text);
    return true;
}

static bool show_topology(Session *s, GError **err)
{
    g_autofree char *svg = NULL;

    if (!session_complete(s, err)) {
        return false;
    }
    svg = plan_topology_svg(s->plan, s->catalog);
    if (!session_check(s, err)) {
        return false;
    }
    if (s->show_arg) {
        return out_file_write(s->show_arg, svg, strlen(svg), err);
    }
    fputs(svg, stdout);
    return true;
}

static bool show_kernel_parameters(Session *s, GError **err)
{
    g_autofree char *text = NULL;

    if (!session_complete(s, err)) {
        return false;
    }
    if (!s->policy) {
        return error_set(err, ERROR_USER,
                         "-show kernel-parameters: the machine has no policy: add -machine "
                         "pci-policy=NAME");
    }
    text = plan_kernel_parameters(s->plan, s->policy);
    print_text(text);
    return true;
}

static bool show_machine(Session *s, GError **err)
{
    g_autofree char *text = NULL;

    if (!session_complete(s, err)) {
        return false;
    }
    if (!boot_digests_now(s, err)) {
        return false;
    }
    text = plan_to_text(s->plan, s->catalog, false);
    if (!session_check(s, err)) {
        return false;
    }
    print_text(text);
    return true;
}

/* Return the table of saved state of a CPU type or of a part of the machine; NULL if the name is
 * unknown. */
static const VmState *other_table(const char *name)
{
    const CpuType *cpu = cpu_type_find(name);

    return cpu ? cpu->vmstate : savevm_table(name);
}

static bool show_state(Session *s, GError **err)
{
    const char *name = s->show_arg ? s->show_arg : "";
    const DeviceType *t = device_type_find(name);
    const VmState *vm = t ? t->vmstate : other_table(name);
    g_autofree char *text = NULL;

    if (!t && !vm) {
        return error_set(err, ERROR_USER,
                         "-show state=%s: unknown type; use -device help or -cpu help for a list",
                         name);
    }
    if (!vm) {
        printf("%s: %s\n", t->name, t->no_state ? t->no_state : "has no state of its own");
        return true;
    }
    text = vm_document(vm);
    print_text(text);
    return true;
}

static bool show_register_rows(Session *s, GError **err)
{
    const DeviceType *t = device_type_find(s->show_arg ? s->show_arg : "");
    g_autofree char *text = NULL;

    if (!t) {
        return error_set(err, ERROR_USER,
                         "-show registers=%s: unknown device type; use -device help for a list",
                         s->show_arg ? s->show_arg : "");
    }
    if (!t->kind || !t->kind->registers) {
        printf("%s: has no registers\n", t->name);
        return true;
    }
    text = t->kind->registers(t, err);
    if (text) {
        printf("%s: %s\n\n", t->name, t->doc ? t->doc : "");
        print_text(text);
    }
    return text != NULL;
}

/* --- the catalogue --- */

static bool show_catalog(Session *s, GError **err)
{
    show_print_json(plan_catalog_to_json(s->catalog));
    return true;
}

/* Print the catalogue as C source. The build uses it for backplane-plan. */
static bool show_catalog_c(Session *s, GError **err)
{
    g_autofree char *text = plan_catalog_to_c(s->catalog);

    fputs(text, stdout);
    return true;
}

/* --- references --- */

static bool show_options(Session *s, GError **err)
{
    g_autofree char *text = NULL;
    g_autoptr(GString) keys = g_string_new(NULL);

    if (g_strcmp0(s->show_arg, "json") == 0) {
        show_print_json(options_json(s));
        return true;
    }
    text = options_help(true);
    options_keys_markdown(keys);
    print_text(text);
    print_text(keys->str);
    return true;
}

static bool show_commands(Session *s, GError **err)
{
    printf("[qmp.md](qmp.md) describes QMP in full.\n\n| QMP command | description |\n|---|---|\n");
    for (size_t i = 0; i < qmp_n_commands; i++) {
        printf("| `%s` | %s |\n", qmp_commands[i].name, qmp_commands[i].summary);
    }
    printf("\n| HMP command | description |\n|---|---|\n");
    for (const HmpTable *const *t = hmp_tables; *t; t++) {
        for (size_t i = 0; i < (*t)->n_rows; i++) {
            const HmpCommand *c = &(*t)->rows[i];

            printf("| `%s%s%s` | %s |\n", c->name, *c->params ? " " : "", c->params, hmp_doc(c));
        }
    }
    return true;
}

static bool show_absent(Session *s, GError **err)
{
    g_autoptr(GString) text = g_string_new(NULL);

    absent_markdown(text);
    print_text(text->str);
    return true;
}

static const struct {
    const char *name;
    bool (*run)(Session *s, GError **err);
} shows[] = {
    { "catalog-c", show_catalog_c }, { "default-machine", show_default },
    { "machines", show_machines },   { "pci-slots", show_slots },
    { "machine", show_machine },     { "kernel-parameters", show_kernel_parameters },
    { "catalog", show_catalog },     { "state", show_state },
    { "options", show_options },     { "registers", show_register_rows },
    { "commands", show_commands },   { "topology", show_topology },
    { "absent", show_absent },
};

bool show_name(size_t i, const char **name)
{
    if (i < G_N_ELEMENTS(shows)) {
        *name = shows[i].name;
    }
    return i < G_N_ELEMENTS(shows);
}

bool show(Session *s, GError **err)
{
    g_autoptr(GString) list = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(shows); i++) {
        if (strcmp(shows[i].name, s->show) == 0) {
            s->mode = MODE_DONE;
            return shows[i].run(s, err);
        }
        g_string_append_printf(list, "%s%s", i ? ", " : "", shows[i].name);
    }
    return error_set(err, ERROR_USER, "-show %s: use one of %s", s->show, list->str);
}
