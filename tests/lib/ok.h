/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls that must succeed in C tests.
 */
#ifndef TESTS_LIB_OK_H
#define TESTS_LIB_OK_H

#include <glib.h>
#include <stdbool.h>

/* End the program unless a call returns true or a pointer. The call passes &failure as its GError
 * **, whose message is printed. */
#define ASSERT_OK(call)                                                                            \
    do {                                                                                           \
        g_autoptr(GError) failure = NULL;                                                          \
        bool succeeded_ = (call);                                                                  \
        g_assert_no_error(failure);                                                                \
        g_assert_true(succeeded_);                                                                 \
    } while (0)

#endif
