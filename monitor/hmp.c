/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The human monitor: lookup of commands and help.
 *
 * Names are not abbreviated. A name in a table may be a list of alternatives, as in "stop|s".
 */
#include "internal.h"

#include <string.h>

#define HMP_CANDIDATES_MAX 10 /* names in the message about an unknown command */

/* Return the length of the text that the line begins with and that equals the name, in which a
 * blank stands for any number of blanks; 0 if there is none. */
static size_t hmp_match_name(const char *name, size_t len, const char *line)
{
    size_t at = 0;

    for (size_t i = 0; i < len; i++) {
        if (line[at] != name[i]) {
            return 0;
        }
        at += name[i] == ' ' ? strspn(line + at, " ") : 1;
    }
    return at;
}

/* Return the length of the text that the line begins with and that equals an alternative of the
 * name; 0 if none. */
static size_t hmp_match(const HmpCommand *c, const char *line)
{
    for (const char *name = c->name, *end; *name; name = *end ? end + 1 : end) {
        size_t len;

        end = strchrnul(name, '|');
        len = hmp_match_name(name, (size_t)(end - name), line);
        if (len > 0 && (line[len] == '\0' || line[len] == ' ' ||
                        (line[len] == '/' && c->params[0] == '/'))) { /* xp/4xw */
            return len;
        }
    }
    return 0;
}

/* Return the command with the longest name that the line begins with; NULL if none matches. *rest
 * is the text after the name. */
static const HmpCommand *hmp_find(const char *line, const char **rest)
{
    const HmpCommand *best = NULL;
    size_t best_len = 0;

    for (const HmpTable *const *t = hmp_tables; *t; t++) {
        for (size_t i = 0; i < (*t)->n_rows; i++) {
            size_t len = hmp_match(&(*t)->rows[i], line);

            if (len > best_len) {
                best = &(*t)->rows[i];
                best_len = len;
            }
        }
    }
    *rest = line + best_len;
    return best;
}

const char *hmp_doc(const HmpCommand *c)
{
    size_t len = strcspn(c->name, "|");

    for (size_t i = 0; i < qmp_n_commands && !c->doc; i++) {
        const char *hmp = qmp_commands[i].hmp;

        if (hmp && strlen(hmp) == len && strncmp(hmp, c->name, len) == 0) {
            return qmp_commands[i].summary;
        }
    }
    return c->doc;
}

static void hmp_help_row(GString *out, const HmpCommand *c)
{
    g_string_append_printf(out, "%s%s%s -- %s\n", c->name, *c->params ? " " : "", c->params,
                           hmp_doc(c));
}

/* Append help for all commands (@what is ""), for one group ("info"), or for one command. */
static void hmp_help(const char *what, GString *out)
{
    g_autofree char *group = g_strdup_printf("%s ", what);
    size_t before = out->len;

    for (const HmpTable *const *t = hmp_tables; *t; t++) {
        for (size_t i = 0; i < (*t)->n_rows; i++) {
            const HmpCommand *c = &(*t)->rows[i];
            bool sub = strchr(c->name, ' ') != NULL;

            if (*what ? hmp_match(c, what) == strlen(what) || g_str_has_prefix(c->name, group)
                      : !sub) {
                hmp_help_row(out, c);
            }
        }
    }
    if (!*what) {
        g_string_append(out,
                        "info [subcommand] -- show state; 'help info' lists the subcommands\n");
    }
    if (out->len == before) {
        g_string_append_printf(out, "unknown command: '%s'\n", what);
    }
}

/* Commands of QEMU that this version does not have, and what to use in their place. */
static const struct HmpAbsent {
    const char *name, *instead;
} hmp_absent[] = {
    { "block_resize", "the QMP command block_resize changes the size of a disk" },
    { "commit", "images have no commit job; qemu-img commit works on an image that is not in use" },
    { "block_stream", "images have no jobs; qemu-img rebase works on an image that is not in use" },
    { "drive_mirror",
      "images have no jobs; qemu-img convert works on an image that is not in use" },
    { "drive_backup", "images have no jobs; savevm stores a snapshot in qcow2 images" },
    { "snapshot_blkdev", "savevm stores a snapshot in qcow2 images" },
    { "getfd", "the QMP command getfd has this function" },
    { "closefd", "the QMP command closefd has this function" },
    { "qom-get", "the QMP command qom-get has this function" },
    { "qom-list", "the QMP command qom-list has this function" },
    { "qom-set", "the QMP command qom-set has this function" },
    { "ringbuf_read", "the QMP command ringbuf-read has this function" },
    { "ringbuf_write", "the QMP command ringbuf-write has this function" },
    { "calc_dirty_rate", "the QMP command calc-dirty-rate has this function" },
    { "info dirty_rate", "the QMP command query-dirty-rate has this function" },
    { "info dump", "the QMP command query-dump has this function" },
    { "info hotpluggable-cpus", "the QMP command query-hotpluggable-cpus has this function" },
    { "info memory-devices", "the QMP command query-memory-devices has this function" },
    { "info memory_size_summary", "the QMP command query-memory-size-summary has this function" },
    { "info stats", "the QMP command query-stats has this function" },
    { "exit_preconfig", "the QMP command x-exit-preconfig has this function" },
    { "nmi", "the QMP command inject-nmi has this function" },
    { "mouse_move", "the QMP command input-send-event moves a pointer" },
    { "mouse_button", "the QMP command input-send-event presses a button" },
};

static void hmp_put_absent(const char *typed, GString *out)
{
    for (size_t i = 0; i < G_N_ELEMENTS(hmp_absent); i++) {
        if (strcmp(hmp_absent[i].name, typed) == 0) {
            g_string_append_printf(out, "this version does not have %s: %s\n", typed,
                                   hmp_absent[i].instead);
        }
    }
}

/* Append "unknown command: 'info sta'" and the names of commands that begin with that text. */
static void hmp_unknown(const char *line, GString *out)
{
    const char *group = g_str_has_prefix(line, "info ") ? "info " : "";
    const char *word = line + strlen(group) + strspn(line + strlen(group), " ");
    g_autofree char *typed = g_strdup_printf("%s%.*s", group, (int)strcspn(word, " /"), word);
    unsigned n = 0;

    g_string_append_printf(out, "unknown command: '%s'\n", typed);
    for (const HmpTable *const *t = hmp_tables; *t; t++) {
        for (size_t i = 0; i < (*t)->n_rows && n < HMP_CANDIDATES_MAX; i++) {
            if (g_str_has_prefix((*t)->rows[i].name, typed)) {
                g_string_append_printf(out, "%s%s",
                                       n++ ? ", " : "candidates: ", (*t)->rows[i].name);
            }
        }
    }
    g_string_append(out, n ? "\n" : "");
    hmp_put_absent(typed, out);
}

/* --- arguments --- */

/* Move the next word of *text, without its quotes, to the end of @word. A word in double quotes may
 * contain blanks; a backslash in quotes precedes a quote or a backslash. Return false if no word is
 * left, or if a quote is not closed (*text then points to the quote). */
static bool hmp_next_word(const char **text, GString *word)
{
    const char *p = *text + strspn(*text, " ");

    if (*p != '"') {
        size_t len = strcspn(p, " ");

        g_string_append_len(word, p, (gssize)len);
        *text = p + len;
        return len > 0;
    }
    *text = p;
    for (p++; *p && *p != '"'; p++) {
        p += *p == '\\' && p[1];
        g_string_append_c(word, *p);
    }
    if (*p != '"') {
        return false;
    }
    *text = p + 1;
    return true;
}

/* Count the arguments in the text of HmpCommand.params, as in "[-p] FILE [BEGIN LENGTH]". */
static void hmp_count_params(const char *params, unsigned *least, unsigned *most)
{
    unsigned depth = 0;

    *least = *most = 0;
    for (bool inside = false; *params; params++) {
        depth += *params == '[';
        if (*params != ' ' && !inside) {
            *least += depth == 0;
            ++*most;
        }
        inside = *params != ' ';
        depth -= *params == ']';
    }
}

/* Return true if a word is an option such as -d that the command does not have, but has others. */
static bool hmp_is_foreign_option(const HmpCommand *c, const char *word)
{
    g_autofree char *own = g_strdup_printf("[%s", word); /* [-d] or [-f FORMAT] */

    return word[0] == '-' && g_ascii_isalpha(word[1]) && !word[2] && strstr(c->params, "[-") &&
           !strstr(c->params, own);
}

/* Return the number of arguments that belong to an option of the command: 1 for [-d], 2 for
 * [-f FORMAT]; 0 if the word is not such an option. */
static unsigned hmp_option_words(const HmpCommand *c, const char *word)
{
    g_autofree char *own = g_strdup_printf("[%s", word);
    const char *at = word[0] == '-' && word[1] && !word[2] ? strstr(c->params, own) : NULL;

    return !at ? 0 : at[3] == ']' ? 1 : 2;
}

/* Return the arguments without quotes, separated by single blanks, for g_free(). NULL with a
 * message in @out if there are too few or too many. The format of x, xp and print is part of an
 * expression, which may contain blanks. */
static char *hmp_arguments(const HmpCommand *c, const char *text, GString *out)
{
    int name = (int)strcspn(c->name, "|");
    unsigned least, most, n = 0;
    GString *args = g_string_new(NULL);
    g_autofree char *option = NULL, *usage = NULL;
    const char *wrong = NULL;
    gsize start = 0;

    if (*c->params == '/') {
        g_string_append(args, text);
        return g_strstrip(g_string_free(args, FALSE));
    }
    hmp_count_params(c->params, &least, &most);
    for (; !wrong && hmp_next_word(&text, args); start = args->len) {
        if (hmp_is_foreign_option(c, args->str + start)) {
            wrong = option = g_strdup_printf("unsupported option %s", args->str + start);
        }
        least += hmp_option_words(c, args->str + start); /* an option replaces no other argument */
        n++;
        g_string_append_c(args, ' ');
    }
    if (wrong) {
        ; /* the first problem is reported */
    } else if (*text) {
        wrong = "a closing quote is missing";
    } else if (n < least) {
        wrong = usage =
            g_strdup_printf("an argument is missing: use %.*s %s", name, c->name, c->params);
    } else if (n > most) {
        wrong = "extraneous characters at the end of line";
    }
    if (wrong) {
        g_string_append_printf(out, "%.*s: %s\nTry \"help %.*s\" for more information\n", name,
                               c->name, wrong, name, c->name);
        g_string_free(args, TRUE);
        return NULL;
    }
    return g_strchomp(g_string_free(args, FALSE));
}

static void hmp_run_command(Machine *m, const char *line, GString *out)
{
    g_autofree char *args = NULL;
    const char *rest;
    const HmpCommand *c = hmp_find(line, &rest);

    if (!c) {
        hmp_unknown(line, out);
    } else if (monitor_in_preconfig(m)) {
        g_string_append_printf(out,
                               "%s: the machine does not exist yet; the QMP command "
                               "x-exit-preconfig creates it\n",
                               c->name);
    } else {
        args = hmp_arguments(c, rest, out);
        if (args) {
            c->run(m, args, out);
        }
    }
}

char *hmp_run(Machine *m, const char *line)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_autofree char *clean = g_strstrip(g_strdup(line));
    g_autofree char *args = NULL;

    if (strcmp(clean, "help") == 0 || strcmp(clean, "?") == 0) {
        hmp_help("", out);
    } else if (g_str_has_prefix(clean, "help ") || g_str_has_prefix(clean, "? ")) {
        args = g_strstrip(g_strdup(strchr(clean, ' ')));
        hmp_help(args, out);
    } else if (strcmp(clean, "info") == 0) {
        hmp_help("info", out);
    } else if (*clean) {
        hmp_run_command(m, clean, out);
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}
