/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A description received in a stream must not contain host settings, in any form.
 */
#include <string.h>

#include "tests/unit/plan/test-catalog.h"

static void check(const char *guest, const char *host, const char *word)
{
    g_autofree char *text = g_strdup_printf("{\"backplane-machine\": 1, \"guest\": {%s}, "
                                            "\"host\": {%s}}",
                                            guest, host);
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanMachine) m = plan_from_text(text, strlen(text), &err);

    g_assert_no_error(err);
    g_assert_true(plan_check_guest_only(m, &tc_catalog, &err) == !word);
    if (word) {
        tc_sentence(err);
        g_assert_nonnull(strstr(err->message, word));
    }
}

static void test_ways(void)
{
    check("", "", NULL);
    check("\"devices\": [{\"type\": \"nic\"}]", "", NULL);
    check("\"devices\": [{\"type\": \"nic-pci\", \"properties\": {\"queue-path\": \"/x\"}}]", "",
          "'queue-path'");
    check("\"globals\": [{\"type\": \"nic\", \"property\": \"queue-path\", \"value\": \"/x\"}]", "",
          "'queue-path'");
    check("\"machine\": \"virt\", \"properties\": {\"dump\": \"/x\"}", "", "'dump'");
    check("", "\"parts\": [{\"kind\": \"drive\", \"id\": \"d\", \"options\": {}}]", "'d'");
    check("", "\"globals\": [{\"type\": \"nic\", \"property\": \"queue-path\", \"value\": \"/x\"}]",
          "'queue-path'");
    check("\"globals\": [{\"type\": \"nic\", \"property\": \"speed\", \"value\": \"8\"}]", "",
          NULL);
}

/* A global for a host property is dumped with the host part. */
static void test_dump(void)
{
    g_autoptr(PlanMachine) m = plan_machine_new();
    g_autofree char *guest = NULL, *all = NULL, *again_text = NULL;
    g_autoptr(PlanMachine) again = NULL;

    plan_machine_add_global(m, "nic.queue-path=/x", NULL);
    plan_machine_add_global(m, "nic.speed=8", NULL);
    plan_machine_parse(m, "virt,dump=/y", NULL);
    g_assert_true(plan_resolve(m, &tc_catalog, NULL));
    guest = plan_to_text(m, &tc_catalog, true);
    all = plan_to_text(m, &tc_catalog, false);
    g_assert_null(strstr(guest, "/x"));
    g_assert_null(strstr(guest, "/y"));
    g_assert_nonnull(strstr(all, "/x"));
    g_assert_nonnull(strstr(all, "/y"));
    again = plan_from_text(all, strlen(all), NULL);
    g_assert_true(plan_resolve(again, &tc_catalog, NULL));
    again_text = plan_to_text(again, &tc_catalog, false);
    g_assert_cmpstr(all, ==, again_text);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/guest/ways", test_ways);
    g_test_add_func("/guest/dump", test_dump);
    return g_test_run();
}
