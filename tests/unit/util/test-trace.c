/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trace events: names and patterns, the option that enabled them, an events file and the trace
 * file.
 */
#include "util/trace.h"

#include <glib/gstdio.h>
#include <string.h>

#include "util/log.h"

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

    g_assert_true(trace_set("pci_cfg_*", TRACE_BY_USER, NULL));
    g_assert_cmpuint(count_on(), ==, 2);
    g_assert_true(trace_set("-pci_cfg_read", TRACE_BY_USER, NULL));
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
    g_assert_true(trace_set("pci_bar", TRACE_BY_USER, NULL));
    g_assert_true(log_set("trace:pci_msi,int", NULL));
    g_assert_true(trace_on(TRACE_PCI_MSI));
    g_assert_cmpuint(count_on(), ==, 2);
    g_assert_false(log_set("trace:nosuch", NULL));
    g_assert_cmpuint(count_on(), ==, 2);
    g_assert_true(log_set("all", NULL));
    g_assert_cmpuint(count_on(), ==, TRACE_EVENTS);
    g_assert_true(log_set("none", NULL));
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

    g_assert_true(g_file_set_contents(events, "# comment\n\n pci_bar \nreg_*\n", -1, NULL));
    g_assert_true(trace_events_from(events, NULL));
    g_assert_cmpuint(count_on(), ==, 3);
    g_assert_true(g_file_set_contents(events, "pci_bar\nnosuch\n", -1, NULL));
    g_assert_false(trace_events_from(events, &err));
    g_assert_nonnull(strstr(err->message, "line 2"));
    g_assert_false(trace_events_from("/dev/zero", NULL)); /* endless input */
    g_assert_true(trace_to_file(file, NULL));
    trace(TRACE_PCI_BAR, "bar %u", 3);
    trace(TRACE_PCI_MSI, "not on");
    g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
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
