/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of backplane-plan that create and change a description in a file.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "plan/tool/tool_internal.h"

enum { SOURCE_BYTES = 32 << 20 };

/* Replace the contents of a file in one step; the mode stays. A symbolic link stays, and the file
 * that it names is replaced. */
static bool tool_replace(const char *path, const char *text, GError **err)
{
    g_autofree char *real = realpath(path, NULL); /* NULL: a new file */
    GError *error = NULL;
    struct stat st;
    int mode = real && stat(real, &st) == 0 ? (int)(st.st_mode & 07777) : 0666;

    if (!g_file_set_contents_full(real ? real : path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT,
                                  mode, &error)) {
        g_set_error(err, PLAN_ERROR, PLAN_ERROR_INVALID, "%s", error->message);
        g_error_free(error);
        return false;
    }
    return !real || chmod(real, (mode_t)mode) == 0 ||
           (g_set_error(err, PLAN_ERROR, PLAN_ERROR_INVALID, "%s: %s", real, g_strerror(errno)),
            false);
}

/* Replace the file by the description. The file is either the old one or the new one. */
static bool tool_write(Tool *tool, const char *path, GError **err)
{
    g_autofree char *text = NULL;

    tool->m->planning = true;
    tool->m->complete = true;
    if (tool->catalog && !tool->m->catalog) {
        tool->m->catalog = g_strdup(tool->catalog);
    }
    text = plan_to_text(tool->m, tool->c, false);
    return tool_replace(path, text, err);
}

/* Fail if the file of a new description exists. */
static bool tool_check_new(const Tool *tool, GError **err)
{
    if (g_file_test(tool_arg(tool, 0), G_FILE_TEST_EXISTS)) {
        g_set_error(err, PLAN_ERROR, PLAN_ERROR_INVALID, "%s exists", tool_arg(tool, 0));
        return false;
    }
    return true;
}

int tool_new(Tool *tool, GError **err)
{
    if (!tool_check_new(tool, err) || !tool_resolve(tool, err) ||
        !tool_write(tool, tool_arg(tool, 0), err)) {
        return EXIT_FAILURE;
    }
    tool_print_result(tool, "file", tool_arg(tool, 0));
    return EXIT_SUCCESS;
}

/* --- import --- */

/* Read a file, or the standard input for "-". */
static GString *import_read(const char *path, GError **err)
{
    FILE *from = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    g_autoptr(GString) text = g_string_new(NULL);
    char piece[4096];
    size_t n;

    if (!from) {
        g_set_error(err, PLAN_ERROR, PLAN_ERROR_INVALID, "%s cannot be read", path);
        return NULL;
    }
    while (text->len <= SOURCE_BYTES && (n = fread(piece, 1, sizeof(piece), from)) > 0) {
        g_string_append_len(text, piece, (gssize)n);
    }
    if (from != stdin) {
        fclose(from);
    }
    return g_steal_pointer(&text);
}

/* Replace the machine of the tool by the one of a document: XML begins with '<'. */
static bool import_parse(Tool *tool, const char *path, GError **err)
{
    g_autoptr(GString) text = import_read(path, err);
    const char *first = text ? text->str : "";
    PlanMachine *m;

    if (!text) {
        return false;
    }
    while (g_ascii_isspace(*first)) {
        first++;
    }
    m = *first == '<' ? plan_from_libvirt(text->str, text->len, tool->c, err)
                      : plan_from_command_line(text->str, text->len, tool->c, err);
    if (!m) {
        g_prefix_error(err, "%s: ", path);
        return false;
    }
    plan_machine_free(tool->m);
    tool->m = m;
    return true;
}

int tool_import(Tool *tool, GError **err)
{
    if (!tool_check_new(tool, err) || !import_parse(tool, tool_arg(tool, 1), err) ||
        !plan_resolve(tool->m, tool->c, err) || !tool_write(tool, tool_arg(tool, 0), err)) {
        return EXIT_FAILURE;
    }
    tool_print_result(tool, "file", tool_arg(tool, 0));
    return EXIT_SUCCESS;
}

/* --- changing --- */

/* Print where a device is. */
static void tool_print_place(const Tool *tool, const PlanDevice *d)
{
    if (tool->json) {
        tool_print_json(plan_explain(tool->m, plan_device_name(d), NULL));
    } else {
        printf("%s: %s at %s\n", plan_device_name(d), d->type, d->place);
    }
}

/* Print the result of growth: the controllers that were added, and the device. */
static void tool_print_growth(const Tool *tool, const PlanGrowth *g, struct json_object *list)
{
    if (list) {
        json_object_array_add(list, plan_growth_to_json(g));
        return;
    }
    for (unsigned i = 0; i < plan_growth_count(g); i++) {
        const char *name = plan_growth_device(g, i)->id;
        const PlanDevice *d = name ? plan_find_device(tool->m, name) : NULL;

        if (!d && i + 1 == plan_growth_count(g)) { /* without an id: the last device */
            d = tool->m->devices->pdata[tool->m->devices->len - 1];
        }
        if (d) {
            printf("%s: %s at %s\n", plan_device_name(d), d->type, d->place);
        }
    }
}

/* Add a device as the policy demands. */
static bool add_with_policy(Tool *tool, PlanDevice *d, struct json_object *list, GError **err)
{
    g_autoptr(PlanGrowth) g =
        plan_grow_add(tool->m, tool->c, tool->policy, d, &tool->prefs, NULL, err);

    if (!g) {
        plan_device_free(d);
        return false;
    }
    tool_print_growth(tool, g, list);
    return true;
}

int tool_add(Tool *tool, GError **err)
{
    struct json_object *list = NULL;
    PlanDevice *d;
    bool ok;

    tool_use_file(tool, 0);
    d = tool_resolve(tool, err) ? plan_device_parse_known(tool_arg(tool, 1), tool->c, err) : NULL;
    if (!d) {
        return EXIT_FAILURE;
    }
    if (!tool->policy) {
        if (!plan_add_device(tool->m, tool->c, d, false, err)) {
            plan_device_free(d);
            return EXIT_FAILURE;
        }
        if (!tool_write(tool, tool_arg(tool, 0), err)) {
            return EXIT_FAILURE;
        }
        tool_print_place(tool, d);
        return EXIT_SUCCESS;
    }
    list = json_object_new_array();
    ok = add_with_policy(tool, d, tool->json ? list : NULL, err) &&
         tool_write(tool, tool_arg(tool, 0), err);
    if (ok && tool->json) {
        tool_print_json(json_object_get(json_object_array_get_idx(list, 0)));
    }
    json_object_put(list);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Return device @i of a series: its number is appended to its id. */
static PlanDevice *grow_device(Tool *tool, unsigned i, GError **err)
{
    PlanDevice *d = plan_device_parse_known(tool_arg(tool, 1), tool->c, err);
    char *id = d && d->id ? g_strdup_printf("%s%u", d->id, i) : NULL;

    if (id) {
        g_free(d->id);
        d->id = id;
    }
    return d;
}

/* Add several devices. The file is unchanged if one of them has no place. */
int tool_grow(Tool *tool, GError **err)
{
    static const PlanProp count = {
        .name = "N", .kind = PLAN_PROP_U32, .def = 1, .min = 1, .max = 1 << 17
    };
    struct json_object *list = tool->json ? json_object_new_array() : NULL;
    PlanValue n = { .u = 0 };
    bool ok;

    tool_use_file(tool, 0);
    ok = plan_value_parse(&count, tool_arg(tool, 2), &n, err) && tool_resolve(tool, err);
    if (ok && !tool->policy) {
        ok = tool_use_policy(tool, "default", err);
    }
    for (unsigned i = 0; ok && i < n.u; i++) {
        PlanDevice *d = grow_device(tool, i, err);

        ok = d && tool->policy && add_with_policy(tool, d, list, err);
    }
    if (ok && (ok = tool_write(tool, tool_arg(tool, 0), err)) && list) {
        tool_print_json(json_object_get(list));
    }
    json_object_put(list);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool edit_remove(Tool *tool, GError **err)
{
    return plan_edit_remove(tool->m, tool_arg(tool, 1), err);
}

static bool edit_set(Tool *tool, GError **err)
{
    const char *text = tool_arg(tool, 2), *value = strchr(text, '=');
    g_autofree char *name = g_strndup(text, value ? (size_t)(value - text) : strlen(text));

    return plan_edit_set(tool->m, tool->c, tool_arg(tool, 1), name, value ? value + 1 : NULL, err);
}

static bool edit_move(Tool *tool, GError **err)
{
    return plan_edit_move(tool->m, tool->c, tool_arg(tool, 1), tool_arg(tool, 2), err);
}

static bool edit_freeze(Tool *tool, GError **err)
{
    return plan_edit_set_dynamic(tool->m, tool_arg(tool, 1), false, err);
}

static bool edit_thaw(Tool *tool, GError **err)
{
    return plan_edit_set_dynamic(tool->m, tool_arg(tool, 1), true, err);
}

/* Edit the description in a file. The file is unchanged on failure. */
static int tool_edit(Tool *tool, bool (*edit)(Tool *tool, GError **err), GError **err)
{
    PlanDevice *d;

    tool_use_file(tool, 0);
    if (!tool_resolve(tool, err) || !edit(tool, err) || !tool_write(tool, tool_arg(tool, 0), err)) {
        return EXIT_FAILURE;
    }
    d = tool_arg(tool, 1) ? plan_find_device(tool->m, tool_arg(tool, 1)) : NULL;
    if (d) {
        tool_print_place(tool, d);
    } else {
        tool_print_result(tool, "device", tool_arg(tool, 1) ? tool_arg(tool, 1) : "*");
    }
    return EXIT_SUCCESS;
}

int tool_remove(Tool *tool, GError **err)
{
    return tool_edit(tool, edit_remove, err);
}

int tool_set(Tool *tool, GError **err)
{
    return tool_edit(tool, edit_set, err);
}

int tool_move(Tool *tool, GError **err)
{
    return tool_edit(tool, edit_move, err);
}

int tool_freeze(Tool *tool, GError **err)
{
    return tool_edit(tool, edit_freeze, err);
}

int tool_thaw(Tool *tool, GError **err)
{
    return tool_edit(tool, edit_thaw, err);
}

/* Merge a second file over the first one: all of it, or with -hints the addresses of devices that
 * exist. Print the number of hints, or the differences. */
int tool_merge(Tool *tool, GError **err)
{
    const char *path = tool_arg(tool, 1);
    g_autoptr(PlanMachine) before = tool_read(tool, tool_arg(tool, 0), err);
    g_autoptr(PlanMachine) over = before ? plan_from_files(&path, 1, tool->c, err) : NULL;
    struct json_object *result;
    unsigned n = 0;

    if (!over) {
        return EXIT_FAILURE;
    }
    plan_machine_free(tool->m);
    tool->m = plan_machine_copy(before);
    if (tool->hints) {
        n = plan_merge_hints(tool->m, over);
    }
    if ((!tool->hints && !plan_merge(tool->m, over, tool->c, err)) ||
        !plan_resolve(tool->m, tool->c, err) || !tool_write(tool, tool_arg(tool, 0), err)) {
        return EXIT_FAILURE;
    }
    if (tool->hints && !tool->json) {
        printf("%u device%s received an address\n", n, n == 1 ? "" : "s");
        return EXIT_SUCCESS;
    }
    result = plan_diff(before, tool->m, tool->c);
    if (tool->json || json_object_array_length(result)) {
        tool_print_json(result);
    } else {
        json_object_put(result);
    }
    return EXIT_SUCCESS;
}
