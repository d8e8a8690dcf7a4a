/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The error domain: class, message and return value of both functions. */
#include <errno.h>

#include "util/error.h"

static void test_set(void)
{
    g_autoptr(GError) err = NULL;

    g_assert_false(error_set(&err, ERROR_GUEST, "slot %u: %s", 3u, "empty"));
    g_assert_error(err, BACKPLANE_ERROR, (int)ERROR_GUEST);
    g_assert_cmpstr(err->message, ==, "slot 3: empty");
    g_assert_false(error_set(NULL, ERROR_USER, "an unused message"));
    g_assert_false(error_set(&err, ERROR_USER, "a consequence"));
    g_assert_error(err, BACKPLANE_ERROR, (int)ERROR_GUEST);
    g_assert_cmpstr(err->message, ==, "slot 3: empty");
}

static void test_errno(void)
{
    g_autoptr(GError) err = NULL;

    g_assert_false(error_set_errno(&err, ENOENT, "file '%s' cannot be read", "a.img"));
    g_assert_error(err, BACKPLANE_ERROR, (int)ERROR_HOST);
    g_assert_cmpstr(err->message, ==, "file 'a.img' cannot be read: No such file or directory");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/error/set", test_set);
    g_test_add_func("/error/errno", test_errno);
    return g_test_run();
}
