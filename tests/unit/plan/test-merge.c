/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Merging a command line into a file, and several files.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/plan/test-catalog.h"

static void test_merge(void)
{
    g_autoptr(PlanMachine) base = TC_RESOLVED("nic,id=a,vectors=3", "nic,id=b", "old");
    g_autoptr(PlanMachine) over = TC_MACHINE("disk,id=a,drive=d", "nic,id=c", "old");
    g_autoptr(GError) err = NULL;

    plan_machine_add_host(base, plan_host_part_parse("drive", "id=d,format=raw", NULL), NULL);
    plan_machine_add_host(over, plan_host_part_parse("drive", "id=d,format=qcow2", NULL), NULL);
    plan_machine_add_host(over, plan_host_part_parse("drive", "id=e,format=raw", NULL), NULL);
    plan_machine_parse(over, "virt,aia=none", NULL);
    plan_machine_add_global(over, "nic.speed=8", NULL);
    over->cpus = 4;
    g_assert_true(plan_merge(base, over, &tc_catalog, &err));
    plan_resolve(base, &tc_catalog, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(base->cpus, ==, 4);
    g_assert_cmpuint(base->ram_size, ==, 128 << 20);
    g_assert_cmpuint(plan_machine_get(base, "aia")->u, ==, 0);
    g_assert_cmpuint(base->devices->len, ==, 3 + 5);
    g_assert_cmpstr(plan_find_device(base, "a")->type, ==, "disk");
    g_assert_cmpstr(plan_find_device(base, "a")->place, ==, "pcie.0/01.0");
    g_assert_cmpstr(plan_find_device(base, "b")->place, ==, "pcie.0/02.0");
    g_assert_cmpuint(plan_device_get(plan_find_device(base, "c"), "speed")->u, ==, 2);
    g_assert_cmpuint(base->host->len, ==, 2);
}

/* A property that the command line does not set keeps its value. */
static void test_same_device(void)
{
    static const struct {
        const char *over, *place;
        uint64_t vectors;
    } cases[] = {
        { "nic,id=n", "p/00.0", 3 },
        { "nic,id=n,vectors=5", "p/00.0", 5 },
        { "nic,id=n,bus=pcie.0", "pcie.0/01.0", 3 },
        { "nic,id=n,bus=pcie.0,addr=9", "pcie.0/09.0", 3 },
        { "nic,id=n,bus=p", "p/00.0", 3 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(PlanMachine) base =
            TC_RESOLVED("root-port,id=p,addr=4", "nic,id=n,bus=p,vectors=3");
        g_autoptr(PlanMachine) over = TC_MACHINE(cases[i].over);
        g_autoptr(GError) err = NULL;
        const PlanDevice *d;

        g_assert_true(plan_merge(base, over, &tc_catalog, &err));
        plan_resolve(base, &tc_catalog, &err);
        g_assert_no_error(err);
        d = plan_find_device(base, "n");
        g_assert_cmpstr(d->place, ==, cases[i].place);
        g_assert_cmpuint(plan_device_get(d, "vectors")->u, ==, cases[i].vectors);
    }
}

/* --- several files --- */

static PlanMachine *from_files(const char *const *texts, GError **err)
{
    g_autofree char *dir = g_dir_make_tmp("backplane-merge-XXXXXX", NULL);
    char *paths[4] = { NULL };
    PlanMachine *m;
    size_t n = 0;

    for (; texts[n]; n++) {
        paths[n] = g_strdup_printf("%s/%zu", dir, n);
        g_file_set_contents(paths[n], texts[n], -1, NULL);
    }
    m = plan_from_files((const char *const *)paths, n, &tc_catalog, err);
    for (size_t i = 0; i < n; i++) {
        remove(paths[i]);
        g_free(paths[i]);
    }
    remove(dir);
    return m;
}

#define HEAD  "{\"backplane-machine\":1,"
#define GUEST "\"guest\":{\"machine\":\"virt\",\"devices\":["
#define ALIAS "\"guest\":{\"machine\":\"virt-0.1\",\"devices\":["
#define NIC   "{\"type\":\"nic\",\"id\":\"n\",\"bus\":\"pcie.0\",\"addr\":\"05.0\""

static void test_files(void)
{
    static const char guest[] = HEAD GUEST NIC ",\"properties\":{\"netdev\":\"u\"}},"
                                               "{\"type\":\"old\",\"bus\":\"pcie.0\","
                                               "\"addr\":\"07.0\"}]}}";
    static const char more[] = HEAD ALIAS NIC ",\"properties\":{\"vectors\":3}},"
                                              "{\"type\":\"old\",\"bus\":\"pcie.0\","
                                              "\"addr\":\"07.0\"}]}}";
    static const char host[] =
        HEAD "\"host\":{\"devices\":[{\"device\":\"n\",\"properties\":{\"queue-path\":\"/q\"}}],"
             "\"parts\":[{\"kind\":\"netdev\",\"id\":\"u\",\"options\":{\"type\":\"user\"}}]}}";
    static const char *const orders[][4] = { { guest, more, host }, { host, more, guest } };

    for (size_t i = 0; i < G_N_ELEMENTS(orders); i++) {
        g_autoptr(GError) err = NULL;
        g_autoptr(PlanMachine) m = from_files(orders[i], &err);

        g_assert_no_error(err);
        plan_resolve(m, &tc_catalog, &err);
        g_assert_no_error(err);
        g_assert_cmpuint(plan_device_get(plan_find_device(m, "n"), "vectors")->u, ==, 3);
        g_assert_cmpstr(plan_device_get(plan_find_device(m, "n"), "queue-path")->s, ==, "/q");
        g_assert_nonnull(plan_find_device(m, "pcie.0/07.0"));
        g_assert_nonnull(plan_find_host(m, "netdev", "u"));
    }
}

#define PART(options)                                                                              \
    HEAD "\"host\":{\"parts\":[{\"kind\":\"drive\",\"id\":\"d\",\"options\":" options "}]}}"
#define GLOBAL(value)                                                                              \
    HEAD "\"guest\":{\"globals\":[{\"type\":\"nic\",\"property\":\"speed\",\"value\":\"" value     \
         "\"}]}}"

/* If two files differ, the error names the object and both values. */
static void test_conflicts(void)
{
    static const struct {
        const char *one, *two, *why;
    } cases[] = {
        { HEAD "\"guest\":{\"ram\":4096}}", HEAD "\"guest\":{\"ram\":8192}}",
          "the machine: ram is '8192' here and '4096' in an earlier file" },
        { HEAD "\"guest\":{\"cpu\":\"a\"}}", HEAD "\"guest\":{\"cpu\":\"b\"}}",
          "the machine: cpu is 'b' here and 'a'" },
        { HEAD "\"guest\":{\"properties\":{\"aia\":\"none\"}}}",
          HEAD "\"guest\":{\"properties\":{\"aia\":\"aplic\"}}}",
          "the machine: property 'aia' is 'aplic' here and 'none'" },
        { HEAD GUEST NIC "}]}}", HEAD GUEST "{\"type\":\"disk\",\"id\":\"n\"}]}}",
          "device 'n' (nic): type is 'disk' here and 'nic'" },
        { HEAD GUEST NIC "}]}}", HEAD GUEST "{\"type\":\"nic\",\"id\":\"n\",\"addr\":\"6\"}]}}",
          "device 'n' (nic): addr is '06.0' here and '05.0'" },
        { HEAD GUEST NIC ",\"properties\":{\"vectors\":2}}]}}",
          HEAD GUEST NIC ",\"properties\":{\"vectors\":3}}]}}",
          "device 'n' (nic): property 'vectors' is '3' here and '2'" },
        { HEAD GUEST NIC "}]}}", HEAD "\"host\":{\"devices\":[{\"device\":\"x\"}]}}", "'x'" },
        { PART("{\"file\":\"a\"}"), PART("{\"file\":\"b\"}"), "'d'" },
        { GLOBAL("8"), GLOBAL("9"), "-global nic.speed: the value is '9' here and '8'" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *files[] = { cases[i].one, cases[i].two, NULL };
        g_autoptr(GError) err = NULL;

        g_assert_null(from_files(files, &err));
        if (!strstr(err->message, cases[i].why) || !strstr(err->message, "/1: ")) {
            g_error("%s instead of %s", err->message, cases[i].why);
        }
    }
}

/* Equal values in both files are not a conflict. */
static void test_repeated(void)
{
    const char *files[] = { PART("{\"file\":\"a\"}"), PART("{\"file\":\"a\"}"), GLOBAL("8"), NULL };
    const char *globals[] = { GLOBAL("8"), GLOBAL("8"), NULL };
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanMachine) one = from_files(files, &err), two = NULL;

    g_assert_no_error(err);
    g_assert_cmpuint(one->host->len, ==, 1);
    two = from_files(globals, &err);
    g_assert_no_error(err);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/merge/merge", test_merge);
    g_test_add_func("/merge/same-device", test_same_device);
    g_test_add_func("/merge/files", test_files);
    g_test_add_func("/merge/conflicts", test_conflicts);
    g_test_add_func("/merge/repeated", test_repeated);
    return g_test_run();
}
