/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Adding single options to a description, copies, and lookups before resolving.
 */
#include <string.h>

#include "tests/unit/plan/test-catalog.h"

static void test_device(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanDevice) d = plan_device_parse("nic,id=n,bus=rp,addr=5.1,msix=off,msix=on", &err);

    g_assert_no_error(err);
    g_assert_cmpstr(d->type, ==, "nic");
    g_assert_cmpstr(d->id, ==, "n");
    g_assert_cmpstr(d->bus, ==, "rp");
    g_assert_true(d->has_addr);
    g_assert_cmpuint(d->addr.slot, ==, 5);
    g_assert_cmpuint(d->addr.fn, ==, 1);
    g_assert_cmpuint(d->settings->len, ==, 1);
    g_assert_cmpstr(((PlanSetting *)d->settings->pdata[0])->text, ==, "on");
    g_assert_cmpstr(plan_device_name(d), ==, "n");
}

static void test_json(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanDevice) d =
        plan_device_parse("{'driver': 'nic', 'addr': 41, 'vectors': 3, 'multifunction': true, "
                          "'netdev': null, 'bias': -4}",
                          &err);

    g_assert_no_error(err);
    g_assert_cmpuint(d->addr.slot, ==, 5);
    g_assert_cmpuint(d->addr.fn, ==, 1);
    g_assert_null(d->id);
    g_assert_cmpuint(d->settings->len, ==, 4);
    g_assert_cmpstr(((PlanSetting *)d->settings->pdata[1])->text, ==, "on");
    g_assert_null(((PlanSetting *)d->settings->pdata[2])->text);
    g_assert_cmpstr(((PlanSetting *)d->settings->pdata[3])->text, ==, "-4");
}

/* An unknown type is reported before any other error of the option, in both forms. */
static void test_unknown_type(void)
{
    static const char *const rows[] = {
        "nik,addr=0x80200000", "nik,id=1x", "nik,=x",
        "driver=nik,id=1x",    "nik",       "{'id': '1x', 'x': [], 'addr': 999, 'driver': 'nik'}",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_null(plan_device_parse_known(rows[i], &tc_catalog, &err));
        tc_sentence(err);
        g_assert_nonnull(strstr(err->message, "unknown device type 'nik' (did you mean 'nic'?)"));
    }
}

/* Types that only the machine creates are not suggested. Aliases are suggested. */
static void test_suggested_types(void)
{
    g_autoptr(GError) host = NULL, alias = NULL;

    g_assert_null(plan_expect_type(&tc_catalog, "hosr", &host));
    g_assert_null(strstr(host->message, "did you mean"));
    g_assert_null(plan_expect_type(&tc_catalog, "nic-pcie", &alias));
    g_assert_nonnull(strstr(alias->message, "did you mean 'nic-pci'"));
}

static void test_bad(void)
{
    static const char *const rows[] = {
        "id=x",
        "",
        "{}",
        "{'driver': 3}",
        "{'driver': 'nic', 'addr': 256}",
        "{'driver': 'nic', 'addr': 'x'}",
        "{'driver': 'nic', 'x': []}",
        "{'driver': 'nic', 'id': '\\u0000'}",
        "nic,id=1x",
        "nic,id=a/b",
        "nic,id=",
        "nic,id=a b",
        "nic,addr=20",
        "nic,addr=",
    };
    g_autofree char *id = g_strnfill(65536, 'a'), *big = g_strdup_printf("nic,id=%s", id);

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_null(plan_device_parse(rows[i], &err));
        tc_sentence(err);
    }
    {
        g_autoptr(GError) err = NULL;

        g_assert_null(plan_device_parse(big, &err));
        tc_sentence(err);
    }
}

static void test_machine(void)
{
    g_autoptr(PlanMachine) m = plan_machine_new();
    g_autoptr(GError) err = NULL;

    g_assert_true(plan_machine_parse(m, "virt,aclint=on,aia=aplic-imsic", &err));
    g_assert_cmpstr(m->type, ==, "virt");
    g_assert_true(plan_machine_parse(m, "type=virt-0.0,aia=none", &err));
    g_assert_cmpstr(m->type, ==, "virt-0.0");
    g_assert_cmpuint(m->settings->len, ==, 2);
    g_assert_true(plan_resolve(m, &tc_catalog, &err));
    g_assert_true(plan_machine_get(m, "aclint")->b);
    g_assert_null(plan_machine_get(m, "nope"));
    plan_machine_set(m, "aia", "plic");
    g_assert_false(plan_resolve(m, &tc_catalog, &err));
    tc_sentence(err);
    g_assert_nonnull(strstr(err->message, "none, aplic, aplic-imsic"));
    g_clear_error(&err);
    g_assert_false(plan_machine_parse(m, "{'type': ['virt']}", &err));
    tc_sentence(err);
}

static void check_global(const PlanMachine *m, guint n, const char *type, const char *prop,
                         const char *value)
{
    const PlanGlobal *g = m->globals->pdata[n];

    g_assert_cmpstr(g->type, ==, type);
    g_assert_cmpstr(g->prop, ==, prop);
    g_assert_cmpstr(g->value, ==, value);
}

static void test_globals(void)
{
    static const char *const bad[] = { "", "x", "x=1", "nic.=1", ".p=1", "driver=nic,value=1" };
    g_autoptr(PlanMachine) m = plan_machine_new();

    g_assert_true(plan_machine_add_global(m, "virtio-mmio.force-legacy=false", NULL));
    g_assert_true(plan_machine_add_global(m, "driver=nic,property=model,value=a.b=c", NULL));
    check_global(m, 0, "virtio-mmio", "force-legacy", "false");
    check_global(m, 1, "nic", "model", "a.b=c");
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_false(plan_machine_add_global(m, bad[i], &err));
        tc_sentence(err);
    }
    g_assert_true(plan_machine_add_global(m, "nic.nope=1", NULL));
    tc_refused(g_steal_pointer(&m), "-global|nic has no property 'nope'");
    m = plan_machine_new();
    g_assert_true(plan_machine_add_global(m, "nic.vectors=x", NULL));
    tc_refused(g_steal_pointer(&m), "-global nic.vectors|'vectors' does not accept 'x'");
}

static void test_host(void)
{
    g_autoptr(PlanMachine) m = plan_machine_new();
    g_autoptr(GError) err = NULL;
    PlanHostPart *twice = plan_host_part_parse("netdev", "user,id=n", NULL);

    g_assert_true(
        plan_machine_add_host(m, plan_host_part_parse("netdev", "user,id=n", NULL), NULL));
    g_assert_true(plan_machine_add_host(m, plan_host_part_parse("drive", "id=n", NULL), NULL));
    g_assert_false(plan_machine_add_host(m, twice, &err));
    tc_sentence(err);
    plan_host_part_free(twice);
    g_assert_nonnull(plan_find_host(m, "drive", "n"));
    g_assert_null(plan_find_host(m, "drive", "x"));
}

static void test_copy(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=rp", "nic,bus=rp,netdev=x,model=y");
    g_autoptr(PlanMachine) copy = NULL;
    g_autofree char *before = NULL, *after = NULL;

    plan_machine_add_host(m, plan_host_part_parse("netdev", "user,id=x", NULL), NULL);
    before = plan_to_text(m, &tc_catalog, false);
    copy = plan_machine_copy(m);
    plan_machine_free(g_steal_pointer(&m));
    after = plan_to_text(copy, &tc_catalog, false);
    g_assert_cmpstr(before, ==, after);
    g_assert_cmpstr(plan_find_device(copy, "rp/00.0")->type, ==, "nic");
    g_assert_null(plan_find_device(copy, "nope"));
}

/* An option with too many properties is rejected before duplicates are searched. */
static void test_many(void)
{
    g_autoptr(GString) text = g_string_new("edu");
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanMachine) m = plan_machine_new();
    gint64 start = g_get_monotonic_time();

    for (unsigned i = 0; i < 60000; i++) {
        g_string_append_printf(text, ",p%u=1", i);
    }
    g_assert_null(plan_device_parse(text->str, &err));
    tc_sentence(err);
    g_clear_error(&err);
    g_assert_false(plan_machine_parse(m, text->str, &err));
    tc_sentence(err);
    g_test_message("%d ms", (int)((g_get_monotonic_time() - start) / 1000));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/description/device", test_device);
    g_test_add_func("/description/json", test_json);
    g_test_add_func("/description/bad", test_bad);
    g_test_add_func("/description/unknown-type", test_unknown_type);
    g_test_add_func("/description/suggested-types", test_suggested_types);
    g_test_add_func("/description/machine", test_machine);
    g_test_add_func("/description/globals", test_globals);
    g_test_add_func("/description/host", test_host);
    g_test_add_func("/description/many", test_many);
    g_test_add_func("/description/copy", test_copy);
    return g_test_run();
}
