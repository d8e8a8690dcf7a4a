/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command lines, one word per line, up to the complete description: accepted, or rejected with one
 * error message.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "system/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Help and -show print; they are excluded here. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    int null = open("/dev/null", O_WRONLY);

    dup2(null, STDOUT_FILENO);
    close(null);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_auto(GStrv) words = g_strsplit(text, "\n", 64);
    g_autoptr(GError) err = NULL;
    GPtrArray *argv = g_ptr_array_new();
    Session *s = session_new("fuzz");

    g_ptr_array_add(argv, (char *)"fuzz");
    for (guint i = 0; words[i]; i++) {
        g_ptr_array_add(argv, words[i]);
    }
    if (!session_prepare(s, (int)argv->len, (char **)argv->pdata, &err)) {
        g_assert_nonnull(err);
        g_assert_null(strchr(err->message, '\n'));
        g_assert_true(g_utf8_validate(err->message, -1, NULL));
    }
    session_free(s);
    g_ptr_array_unref(argv);
    return 0;
}
