/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding catalogues: a file, an installed one by name, or the catalogue that a program prints.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plan/catalog_json.h"
#include "plan/internal.h"

enum { OPEN_BYTES = 16 << 20 };

/* Return the folder of the installed catalogues. */
static const char *open_folder(void)
{
    const char *folder = g_getenv("BACKPLANE_CATALOGS");

    return folder ? folder : BACKPLANE_DATADIR "/catalogs";
}

static int open_by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Return the names of the installed catalogues as "a, b", or "none"; g_free(). */
static char *open_names(void)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) folder = g_dir_open(open_folder(), 0, NULL);
    const char *file;

    while (folder && (file = g_dir_read_name(folder)) && names->len < 64) {
        if (g_str_has_suffix(file, ".json")) {
            g_ptr_array_add(names, g_strndup(file, strlen(file) - 5));
        }
    }
    g_ptr_array_sort(names, open_by_name);
    g_ptr_array_add(names, NULL);
    return names->len > 1 ? g_strjoinv(", ", (char **)names->pdata) : g_strdup("none");
}

/* Read from a descriptor until its end. Return false if there are more than OPEN_BYTES. */
static bool open_read(int fd, GString *text)
{
    char piece[4096];
    ssize_t n;

    while ((n = read(fd, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR)) {
        if (n > 0) {
            g_string_append_len(text, piece, n);
        }
        if (text->len > OPEN_BYTES) {
            return false;
        }
    }
    return n == 0;
}

PlanCatalog *plan_catalog_from_program(const char *path, GError **err)
{
    char *argv[] = { (char *)path, "-show", "catalog", NULL };
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *quoted = plan_quote(path);
    GError *error = NULL;
    PlanCatalog *c = NULL;
    int out = -1, status = 0;
    GPid pid;

    if (!g_spawn_async_with_pipes(NULL, argv, NULL,
                                  G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
                                  NULL, &pid, NULL, &out, NULL, &error)) {
        plan_fail(err, "program %s cannot be started: %s", quoted, error->message);
        g_error_free(error);
        return NULL;
    }
    if (!open_read(out, text)) {
        kill(pid, SIGKILL);
    }
    close(out);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        plan_fail(err, "program %s prints no catalogue with -show catalog", quoted);
        return NULL;
    }
    c = plan_catalog_from_text(text->str, text->len, &error);
    if (!c) {
        plan_fail(err, "program %s: %s", quoted, error->message);
        g_error_free(error);
    }
    return c;
}

PlanCatalog *plan_catalog_open(const char *name, GError **err)
{
    static const char program[] = "program:";
    g_autofree char *path = NULL, *quoted = NULL, *names = NULL;

    if (g_str_has_prefix(name, program)) {
        return plan_catalog_from_program(name + strlen(program), err);
    }
    if (strchr(name, '/') || g_str_has_suffix(name, ".json")) {
        return plan_catalog_from_file(name, err);
    }
    path = g_strdup_printf("%s/%s.json", open_folder(), name);
    if (g_file_test(path, G_FILE_TEST_EXISTS)) {
        return plan_catalog_from_file(path, err);
    }
    quoted = plan_quote(name);
    names = open_names();
    plan_fail(err, "there is no installed catalogue %s in %s: available are %s", quoted,
              open_folder(), names);
    return NULL;
}
