/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The human monitor: finding a command in the tables, and help.
 */
#include "internal.h"

#include <string.h>

/* A row whose name is the line's first words; the longest name wins. *rest: what follows it. */
static const HmpCommand *find(const char *line, const char **rest)
{
    const HmpCommand *best = NULL;
    size_t best_len = 0;

    for (const CommandTable *const *t = command_tables; *t; t++) {
        for (size_t i = 0; i < (*t)->n_hmp; i++) {
            const HmpCommand *c = &(*t)->hmp[i];
            size_t len = strlen(c->name);

            if (len > best_len && strncmp(line, c->name, len) == 0 &&
                (line[len] == '\0' || line[len] == ' ' ||
                 (line[len] == '/' && c->params[0] == '/'))) { /* xp/4xw */
                best = c;
                best_len = len;
            }
        }
    }
    if (best) {
        *rest = line + best_len;
    }
    return best;
}

static void help_row(GString *out, const HmpCommand *c)
{
    g_string_append_printf(out, "%s%s%s -- %s\n", c->name, *c->params ? " " : "", c->params,
                           c->doc);
}

/* All rows, those of one word group ("info"), or one. */
static void help(const char *what, GString *out)
{
    g_autofree char *group = g_strdup_printf("%s ", what);
    size_t before = out->len;

    for (const CommandTable *const *t = command_tables; *t; t++) {
        for (size_t i = 0; i < (*t)->n_hmp; i++) {
            const HmpCommand *c = &(*t)->hmp[i];
            bool sub = strchr(c->name, ' ') != NULL;

            if (*what ? strcmp(c->name, what) == 0 || g_str_has_prefix(c->name, group) : !sub) {
                help_row(out, c);
            }
        }
    }
    if (!*what) {
        g_string_append(out, "info [subcommand] -- state of the machine; 'help info' lists what\n");
    }
    if (out->len == before) {
        g_string_append_printf(out, "unknown command: '%s'\n", what);
    }
}

char *hmp_run(Machine *m, const char *line)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autofree char *clean = g_strstrip(g_strdup(line));
    g_autofree char *args = NULL;
    const char *rest = "";
    const HmpCommand *c;

    if (strcmp(clean, "help") == 0 || strcmp(clean, "?") == 0) {
        help("", out);
    } else if (g_str_has_prefix(clean, "help ") || g_str_has_prefix(clean, "? ")) {
        args = g_strstrip(g_strdup(strchr(clean, ' ')));
        help(args, out);
    } else if (strcmp(clean, "info") == 0) {
        help("info", out);
    } else if (*clean) {
        c = find(clean, &rest);
        if (c && monitor_in_preconfig(m)) {
            g_string_append_printf(out,
                                   "%s: the machine is not built yet: the QMP command "
                                   "x-exit-preconfig builds it\n",
                                   c->name);
        } else if (c) {
            args = g_strstrip(g_strdup(rest));
            c->run(m, args, out);
        } else {
            g_string_append_printf(out, "unknown command: '%s'\n", clean);
        }
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}
