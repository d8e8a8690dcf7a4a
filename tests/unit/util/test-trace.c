/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trace events: names and patterns, the option that enabled them, an events file and the trace
 * file.
 */
#include "util/trace.h"

#include <glib/gstdio.h>
#include <string.h>

#include "util/log.h"
#include "tests/lib/ok.h"

static unsigned count_on(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < TRACE_EVENTS; i++) {
        n += trace_on((TraceEvent)i);
    }
    return n;
}

static void test_patterns(void)
{
    g_autoptr(GError) err = NULL;

    ASSERT_OK(trace_set("pci_cfg_*", TRACE_BY_USER, &failure));
    g_assert_cmpuint(count_on(), ==, 2);
    ASSERT_OK(trace_set("-pci_cfg_read", TRACE_BY_USER, &failure));
    g_assert_true(trace_on(TRACE_PCI_CFG_WRITE));
    g_assert_cmpuint(count_on(), ==, 1);
    g_assert_false(trace_set("pci_msii", TRACE_BY_USER, &err));
    g_assert_nonnull(strstr(err->message, "did you mean 'pci_msi'"));
    trace_clear(TRACE_BY_USER);
    g_assert_cmpuint(count_on(), ==, 0);
}

/* -d replaces what -d enabled, and keeps what -trace enabled. */
static void test_log(void)
{
    ASSERT_OK(trace_set("pci_bar", TRACE_BY_USER, &failure));
    ASSERT_OK(log_set("trace:pci_msi,int", &failure));
    g_assert_true(trace_on(TRACE_PCI_MSI));
    g_assert_cmpuint(count_on(), ==, 2);
    g_assert_false(log_set("trace:nosuch", NULL));
    g_assert_cmpuint(count_on(), ==, 2);
    ASSERT_OK(log_set("all", &failure));
    g_assert_cmpuint(count_on(), ==, TRACE_EVENTS);
    ASSERT_OK(log_set("none", &failure));
    g_assert_cmpuint(count_on(), ==, 1);
    trace_clear(TRACE_BY_USER);
}

static void test_files(void)
{
    g_autofree char *dir = g_dir_make_tmp("trace-XXXXXX", NULL);
    g_autofree char *events = g_build_filename(dir, "events", NULL);
    g_autofree char *file = g_build_filename(dir, "trace", NULL);
    g_autofree char *text = NULL;
    g_autoptr(GError) err = NULL;

    ASSERT_OK(g_file_set_contents(events, "# comment\n\n pci_bar \nreg_*\n", -1, &failure));
    ASSERT_OK(trace_events_from(events, &failure));
    g_assert_cmpuint(count_on(), ==, 3);
    ASSERT_OK(g_file_set_contents(events, "pci_bar\nnosuch\n", -1, &failure));
    g_assert_false(trace_events_from(events, &err));
    g_assert_nonnull(strstr(err->message, "line 2"));
    g_assert_false(trace_events_from("/dev/zero", NULL)); /* endless input */
    ASSERT_OK(trace_to_file(file, &failure));
    trace(TRACE_PCI_BAR, "bar %u", 3);
    trace(TRACE_PCI_MSI, "not on");
    ASSERT_OK(g_file_get_contents(file, &text, NULL, &failure));
    g_assert_cmpstr(text, ==, "pci_bar bar 3\n");
    g_unlink(events);
    g_unlink(file);
    g_rmdir(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/trace/patterns", test_patterns);
    g_test_add_func("/trace/log", test_log);
    g_test_add_func("/trace/files", test_files);
    return g_test_run();
}
