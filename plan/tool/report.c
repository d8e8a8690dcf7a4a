/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of backplane-plan that print something and change nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/tool/tool_internal.h"

int tool_machine(Tool *tool, GError **err)
{
    PlanMachine *m = tool_resolve(tool, err);
    g_autofree char *text = m ? plan_to_text(m, tool->c, tool->guest) : NULL;

    if (text) {
        fputs(text, stdout);
    }
    return m ? EXIT_SUCCESS : EXIT_FAILURE;
}

int tool_slots(Tool *tool, GError **err)
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

/* Check a description, and its use of windows, bus numbers and vectors. Print the kernel parameters
 * that it requires. */
int tool_check(Tool *tool, GError **err)
{
    PlanMachine *m = (tool_use_file(tool, 0), tool_resolve(tool, err));
    g_autofree char *parameters = NULL;
    struct json_object *o;

    if (!m || (tool->policy && !plan_check_space(m, tool->policy, err))) {
        return EXIT_FAILURE;
    }
    parameters = tool->policy ? plan_kernel_parameters(m, tool->policy) : g_strdup("");
    if (tool->json) {
        o = json_object_new_object();
        json_object_object_add(o, "valid", json_object_new_boolean(true));
        json_object_object_add(o, "machine", json_object_new_string(m->type));
        json_object_object_add(o, "devices", json_object_new_int((int)m->devices->len));
        json_object_object_add(o, "kernel-parameters", json_object_new_string(parameters));
        json_object_object_add(o, "space", plan_space_to_json(m));
        tool_print_json(o);
    } else if (*parameters) {
        printf("kernel parameters: %s\n", parameters);
    }
    return EXIT_SUCCESS;
}

/* --- fit --- */

/* Print "TYPE 'ID' at BUS/ADDR (controllers: ...)", or the reason why a device does not fit. */
static bool fit_print(struct json_object *o)
{
    bool fits = json_object_get_boolean(json_object_object_get(o, "fits"));
    const char *type = json_object_get_string(json_object_object_get(o, "type"));
    const char *id = json_object_get_string(json_object_object_get(o, "id"));
    struct json_object *controllers = json_object_object_get(o, "controllers");

    if (!fits) {
        printf("%s%s%s: no: %s\n", type, id ? " " : "", id ? id : "",
               json_object_get_string(json_object_object_get(o, "reason")));
        return false;
    }
    printf("%s%s%s: %s/%s", type, id ? " " : "", id ? id : "",
           json_object_get_string(json_object_object_get(o, "bus")),
           json_object_get_string(json_object_object_get(o, "addr")));
    for (size_t i = 0; controllers && i < json_object_array_length(controllers); i++) {
        struct json_object *c = json_object_array_get_idx(controllers, i);

        printf("%s%s", i ? ", " : ", after ",
               json_object_get_string(json_object_object_get(c, "id")));
    }
    printf("\n");
    return true;
}

/* Return the devices of the arguments behind the file; NULL with @err set. */
static GPtrArray *fit_devices(Tool *tool, GError **err)
{
    GPtrArray *devices = g_ptr_array_new_with_free_func((GDestroyNotify)plan_device_free);

    for (guint i = 1; i < tool->args->len; i++) {
        PlanDevice *d = plan_device_parse_known(tool_arg(tool, i), tool->c, err);

        if (!d) {
            g_ptr_array_unref(devices);
            return NULL;
        }
        g_ptr_array_add(devices, d);
    }
    return devices;
}

/* Print which devices fit. Return 0 if all do, otherwise 2. */
int tool_fit(Tool *tool, GError **err)
{
    PlanMachine *m =
        (g_ptr_array_add(tool->files, (char *)tool_arg(tool, 0)), tool_resolve(tool, err));
    g_autoptr(GPtrArray) devices = NULL;
    g_autofree const PlanPrefs **prefs = g_new0(const PlanPrefs *, tool->args->len);
    struct json_object *list;
    bool all = true;

    if (!m || !tool_use_policy(tool, "default", err) || !(devices = fit_devices(tool, err))) {
        return EXIT_FAILURE;
    }
    for (guint i = 0; i < devices->len; i++) {
        prefs[i] = &tool->prefs;
    }
    list = plan_fit(m, tool->c, tool->policy, (PlanDevice *const *)devices->pdata, prefs,
                    devices->len, NULL, err);
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);

        all &= tool->json ? json_object_get_boolean(json_object_object_get(o, "fits")) != 0
                          : fit_print(o);
    }
    if (list && tool->json) {
        tool_print_json(json_object_get(list));
    }
    json_object_put(list);
    return !list ? EXIT_FAILURE : all ? EXIT_SUCCESS : EXIT_DIFFERS;
}

/* Print the differences that a guest can observe. Return 0 if there are none, otherwise 2; 1 with
 * @err set if a description is not valid. */
int tool_diff(Tool *tool, GError **err)
{
    g_autoptr(PlanMachine) wanted = tool_read(tool, tool_arg(tool, 0), err);
    g_autoptr(PlanMachine) have = wanted ? tool_read(tool, tool_arg(tool, 1), err) : NULL;
    struct json_object *diff;
    size_t n;

    if (!have) {
        return EXIT_FAILURE;
    }
    diff = plan_diff(wanted, have, tool->c);
    plan_diff_boot(diff, wanted, have);
    n = json_object_array_length(diff);
    if (n || tool->json) {
        tool_print_json(diff);
    } else {
        json_object_put(diff);
    }
    return n ? EXIT_DIFFERS : EXIT_SUCCESS;
}

int tool_types(Tool *tool, GError **err)
{
    const char *name = tool_arg(tool, 0);
    const PlanType *t = name ? plan_expect_type(tool->c, name, err) : NULL;
    g_autofree char *text = NULL;

    if (name && !t) {
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

int tool_machines(Tool *tool, GError **err)
{
    g_autofree char *text = NULL;
    struct json_object *o, *list = NULL;

    if (tool->json) {
        o = plan_catalog_to_json(tool->c);
        json_object_object_get_ex(o, "machines", &list);
        tool_print_json(list ? json_object_get(list) : json_object_new_array());
        json_object_put(o);
        return EXIT_SUCCESS;
    }
    text = plan_help_machines(tool->c);
    fputs(text, stdout);
    return EXIT_SUCCESS;
}

/* --- for other programs --- */

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

/* Return the program of -for; by default, that of the catalogue. */
static PlanTarget tool_target(const Tool *tool)
{
    bool qemu = g_strcmp0(tool->c->program, "qemu") == 0;

    return tool->has_target ? tool->target : qemu ? PLAN_FOR_QEMU : PLAN_FOR_BACKPLANE;
}

int tool_args(Tool *tool, GError **err)
{
    PlanMachine *m = (tool_use_file(tool, 0), tool_resolve(tool, err));
    g_auto(GStrv) args = m ? plan_command_line(m, tool->c, tool_target(tool), err) : NULL;

    if (args) {
        tool_print_args(tool, args);
    }
    return args ? EXIT_SUCCESS : EXIT_FAILURE;
}

int tool_xml(Tool *tool, GError **err)
{
    PlanMachine *m = (tool_use_file(tool, 0), tool_resolve(tool, err));
    g_autofree char *text = m ? plan_to_libvirt(m, tool_target(tool), tool->emulator, err) : NULL;

    if (!text) {
        return EXIT_FAILURE;
    }
    if (tool->json) {
        tool_print_result(tool, "xml", text);
    } else {
        fputs(text, stdout);
    }
    return EXIT_SUCCESS;
}

/* --- explanations --- */

/* Print an element of a list of an explanation: a name, or "SLOT REASON by DEVICE", or the values
 * of its members. */
static void tool_print_element(struct json_object *o)
{
    struct json_object *device = NULL, *slot = NULL;
    const char *before = "  ";

    if (!json_object_is_type(o, json_type_object)) {
        printf("  %s\n", json_object_get_string(o));
        return;
    }
    if (json_object_object_get_ex(o, "slot", &slot)) {
        json_object_object_get_ex(o, "device", &device);
        printf("  %s %s%s%s\n", json_object_get_string(slot),
               json_object_get_string(json_object_object_get(o, "reason")), device ? " by " : "",
               device ? json_object_get_string(device) : "");
        return;
    }
    json_object_object_foreach(o, key, value)
    {
        printf("%s%s %s", before, key, value ? json_object_get_string(value) : "none");
        before = ", ";
    }
    printf("\n");
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

int tool_explain(Tool *tool, GError **err)
{
    PlanMachine *m = (tool_use_file(tool, 0), tool_resolve(tool, err));
    const char *name = tool_arg(tool, 1);
    struct json_object *o =
        !m             ? NULL
        : tool->policy ? plan_explain_policy(m, tool->c, tool->policy, name, &tool->prefs, err)
                       : plan_explain(m, name, err);

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
