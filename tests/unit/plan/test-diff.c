/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Differences between two machines that are visible to a guest.
 */
#include <json-c/json.h>
#include <string.h>

#include "tests/unit/plan/test-catalog.h"

static char *diff_text(const PlanMachine *wanted, const PlanMachine *have)
{
    struct json_object *o = plan_diff(wanted, have, &tc_catalog);
    char *text = g_strdup(
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));

    json_object_put(o);
    return text;
}

/* Ids, files and the order of options are not visible to a guest. */
static void test_same(void)
{
    g_autoptr(PlanMachine) a =
        TC_RESOLVED("root-port,id=x,slot=3", "nic,id=n,bus=x,netdev=n0", "old,addr=5");
    g_autoptr(PlanMachine) b = TC_RESOLVED("old,addr=5", "root-port,slot=3,addr=1",
                                           "nic,bus=pcie.0/01.0,netdev=n1,queue-path=/dev/z");
    g_autofree char *text = diff_text(a, b);

    g_assert_cmpstr(text, ==, "[]");
}

static void test_differs(void)
{
    g_autoptr(PlanMachine) a = TC_RESOLVED("nic,id=n,vectors=5,netdev=x", "old,addr=7", "nic,id=z");
    g_autoptr(PlanMachine) b = TC_MACHINE("nic,id=n", "nic,id=m,addr=9", "old,addr=2");
    g_autoptr(PlanMachine) bad = TC_MACHINE("nothing");
    g_autofree char *text = NULL, *other = NULL;

    plan_machine_parse(b, "virt,aia=none", NULL);
    text = diff_text(a, b);
    g_assert_cmpstr(text, ==, /* word-ok: a key of the format */
                    "[{\"device\":null,\"property\":\"aia\",\"wanted\":\"aplic-imsic\","
                    "\"have\":\"none\"},"
                    "{\"device\":\"n\",\"property\":\"netdev\",\"wanted\":\"x\",\"have\":null},"
                    "{\"device\":\"n\",\"property\":\"vectors\",\"wanted\":5,\"have\":4},"
                    /* word-ok: a key of the format */
                    "{\"device\":\"pcie.0/07.0\",\"property\":\"type\",\"wanted\":\"old\","
                    "\"have\":null},"
                    "{\"device\":\"z\",\"property\":\"type\",\"wanted\":\"nic\",\"have\":\"old\"},"
                    "{\"device\":\"m\",\"property\":\"type\",\"wanted\":null,\"have\":\"nic\"}]");
    other = diff_text(a, bad);
    g_assert_nonnull(strstr(other, "unknown device type"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/diff/same", test_same);
    g_test_add_func("/diff/differs", test_differs);
    return g_test_run();
}
