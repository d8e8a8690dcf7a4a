/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Completion of command names in the human monitor, from the command tables.
 */
#include "internal.h"

#include <string.h>

/* Names that hmp_run() processes itself. */
static const char *const hmp_own_names[] = { "help", "info" };

static int hmp_compare_words(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Return the text without blanks at its beginning and with single blanks; g_free. */
static char *hmp_single_blanks(const char *text)
{
    GString *out = g_string_new(NULL);

    for (text += strspn(text, " "); *text; text++) {
        if (*text != ' ' || text[1] != ' ') {
            g_string_append_c(out, *text);
        }
    }
    return g_string_free(out, FALSE);
}

/* Add the word of a name that completes the last word of @typed, if the name begins with @typed. */
static void hmp_add_word(GPtrArray *words, const char *name, size_t len, const char *typed)
{
    const char *blank = strrchr(typed, ' ');
    size_t skip = blank ? (size_t)(blank + 1 - typed) : 0;

    if (len < strlen(typed) || strncmp(name, typed, strlen(typed)) != 0) {
        return;
    }
    len = MIN(len, skip + strcspn(name + skip, " "));
    g_ptr_array_add(words, g_strndup(name + skip, len - skip));
}

static void hmp_add_names(GPtrArray *words, const char *names, const char *typed)
{
    for (const char *name = names, *end; *name; name = *end ? end + 1 : end) {
        end = strchrnul(name, '|');
        hmp_add_word(words, name, (size_t)(end - name), typed);
    }
}

static void hmp_sort_unique(GPtrArray *words)
{
    guint n = 0;

    g_ptr_array_sort(words, hmp_compare_words);
    for (guint i = 0; i < words->len; i++) {
        if (n > 0 && strcmp(words->pdata[n - 1], words->pdata[i]) == 0) {
            g_free(words->pdata[i]);
        } else {
            words->pdata[n++] = words->pdata[i];
        }
    }
    for (guint i = n; i < words->len; i++) {
        words->pdata[i] = NULL; /* moved or freed */
    }
    g_ptr_array_set_size(words, (gint)n);
}

GPtrArray *hmp_complete(const char *text, size_t *start)
{
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *clean = hmp_single_blanks(text);
    const char *blank = strrchr(text, ' ');
    const char *typed = clean;

    *start = blank ? (size_t)(blank + 1 - text) : 0;
    if (g_str_has_prefix(clean, "help ") || g_str_has_prefix(clean, "? ")) {
        typed = strchr(clean, ' ') + 1;
    }
    for (const HmpTable *const *t = hmp_tables; *t; t++) {
        for (size_t i = 0; i < (*t)->n_rows; i++) {
            hmp_add_names(words, (*t)->rows[i].name, typed);
        }
    }
    for (size_t i = 0; i < G_N_ELEMENTS(hmp_own_names); i++) {
        hmp_add_names(words, hmp_own_names[i], typed);
    }
    hmp_sort_unique(words);
    return words;
}
