/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log: categories by name, complete lines in the file, guest errors counted and rate-limited.
 */
#include "util/log.h"

#include <glib/gstdio.h>
#include <unistd.h>
#include <string.h>
#include "tests/lib/ok.h"

static void test_categories(void)
{
    g_autoptr(GError) err = NULL;

    ASSERT_OK(log_set("int,guest_errors", &failure));
    g_assert_true(log_on(LOG_INT));
    g_assert_true(log_on(LOG_GUEST_ERROR));
    g_assert_false(log_on(LOG_MMU));
    g_assert_false(log_set("int,wrong", &err));
    g_assert_nonnull(strstr(err->message, "'wrong'"));
    g_assert_nonnull(strstr(err->message, "in_asm"));
    g_assert_true(log_on(LOG_INT)); /* a rejected list changes nothing */
    ASSERT_OK(log_set("none", &failure));
    g_assert_cmphex(log_mask, ==, 0);
}

static unsigned count_lines(const char *s)
{
    unsigned n = 0;

    while ((s = strchr(s, '\n'))) {
        n++;
        s++;
    }
    return n;
}

static void test_burst(void)
{
    g_autofree char *path = g_strdup_printf("%s/log-%d", g_get_tmp_dir(), (int)getpid());
    g_autofree char *text = NULL;
    uint64_t before = guest_error_count();

    ASSERT_OK(log_to_file(path, &failure));
    ASSERT_OK(log_set("guest_errors", &failure));
    for (unsigned i = 0; i < 5000; i++) {
        guest_error("dev", "write %u", i);
    }
    g_assert_cmpuint(guest_error_count() - before, ==, 5000);
    ASSERT_OK(g_file_get_contents(path, &text, NULL, &failure));
    /* the loop may take longer than a second on a busy host */
    g_assert_cmpuint(count_lines(text), >=, GUEST_ERROR_BURST);
    g_assert_cmpuint(count_lines(text), <=, 4 * GUEST_ERROR_BURST);
    g_assert_nonnull(strstr(text, "guest error: dev: write 0\n"));
    g_unlink(path);
    ASSERT_OK(log_set("", &failure));
    guest_error("dev", "silent");
    g_assert_cmpuint(guest_error_count() - before, ==, 5001);
}

static void test_bad_file(void)
{
    g_autoptr(GError) err = NULL;

    g_assert_false(log_to_file("/nonexistent/x", &err));
    g_assert_nonnull(strstr(err->message, "/nonexistent/x"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/log/categories", test_categories);
    g_test_add_func("/log/burst", test_burst);
    g_test_add_func("/log/bad-file", test_bad_file);
    return g_test_run();
}
