/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A random machine that is dumped, read and dumped again is identical. Removing a device from a
 * file moves no other device.
 */
#include <json-c/json.h>
#include <string.h>

#include "tests/unit/plan/test-catalog.h"

static PlanMachine *read_back(const char *text)
{
    g_autoptr(GError) err = NULL;
    PlanMachine *m = plan_from_text(text, strlen(text), &err);

    g_assert_no_error(err);
    return m;
}

static void assert_round_trip(const PlanMachine *m)
{
    g_autofree char *first = plan_to_text(m, &tc_catalog, false);
    g_autoptr(PlanMachine) again = read_back(first);
    g_autofree char *unresolved = plan_to_text(again, NULL, false);
    g_autoptr(PlanMachine) twice = read_back(unresolved); /* an unresolved dump can be read, too */
    g_autofree char *second = NULL, *third = NULL;
    g_autoptr(GError) err = NULL;
    struct json_object *diff;

    g_assert_cmpuint(twice->devices->len, ==, again->devices->len);
    plan_resolve(again, &tc_catalog, &err);
    g_assert_no_error(err);
    second = plan_to_text(again, &tc_catalog, false);
    g_assert_cmpstr(first, ==, second);
    plan_resolve(again, &tc_catalog, &err);
    g_assert_no_error(err);
    third = plan_to_text(again, &tc_catalog, false);
    g_assert_cmpstr(first, ==, third);
    diff = plan_diff(m, again, &tc_catalog);
    g_assert_cmpuint(json_object_array_length(diff), ==, 0);
    json_object_put(diff);
}

static const char *pick(GRand *rand, const char *const *from, guint n)
{
    return from[g_rand_int_range(rand, 0, (gint32)n)];
}

/* Create one random -device option. Buses are those of earlier devices, or none. */
static char *random_option(GRand *rand, guint i, GPtrArray *buses)
{
    static const char *const types[] = { "nic",         "nic",      "nic",        "old",
                                         "disk",        "bridge",   "root-port",  "root-port",
                                         "pcie-bridge", "upstream", "downstream", "serial-pci",
                                         "serialport",  "pxb" };
    static const char *const extra[] = {
        ",msix=off",          ",msix=0x98",   ",speed=8",   ",bias=-7",
        ",model=a,,b\"\\",    ",csum=auto",   ",netdev=n0", ",mac=52:54:00:00:00:01",
        ",queue-path=/dev/x", ",bar-size=1M", ",ari=on",    ",aer=0x200"
    };
    const char *type = pick(rand, types, G_N_ELEMENTS(types));
    GString *s = g_string_new(type);

    if (g_rand_int_range(rand, 0, 3)) {
        g_string_append_printf(s, ",id=d%u", i);
        if (strcmp(type, "nic") && strcmp(type, "old") && strcmp(type, "disk")) {
            g_ptr_array_add(buses, g_strdup_printf("d%u", i));
        }
    }
    if (buses->len && g_rand_boolean(rand)) {
        g_string_append_printf(s, ",bus=%s",
                               (char *)buses->pdata[g_rand_int_range(rand, 0, (gint32)buses->len)]);
    }
    if (g_rand_int_range(rand, 0, 4) == 0) {
        g_string_append_printf(s, ",addr=%x", g_rand_int_range(rand, 0, 32));
    }
    if (strcmp(type, "nic") == 0 && g_rand_boolean(rand)) {
        g_string_append(s, pick(rand, extra, G_N_ELEMENTS(extra)));
    }
    if (strcmp(type, "disk") == 0) {
        g_string_append_printf(s, ",drive=d%u", i);
    }
    if (strcmp(type, "pxb") == 0) {
        g_string_append_printf(s, ",bus_nr=%d", g_rand_int_range(rand, 1, 256));
    }
    return g_string_free(s, FALSE);
}

/* Add random options to a machine. Rejected options (each with a message) are left out. */
static PlanMachine *random_machine(GRand *rand)
{
    PlanMachine *m = tc_resolved(NULL);
    g_autoptr(GPtrArray) buses = g_ptr_array_new_with_free_func(g_free);
    guint n = (guint)g_rand_int_range(rand, 0, 40);

    g_assert_true(
        plan_machine_add_host(m, plan_host_part_parse("netdev", "user,id=n0", NULL), NULL));
    for (guint i = 0; i < n; i++) {
        g_autofree char *option = random_option(rand, i, buses);
        g_autoptr(GError) err = NULL;
        PlanDevice *d = plan_device_parse(option, &err);

        g_assert_no_error(err);
        if (!plan_add_device(m, &tc_catalog, d, false, &err)) {
            tc_sentence(err);
            plan_device_free(d);
        }
    }
    return m;
}

static void test_random(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)g_test_rand_int());

    for (int i = 0; i < 300; i++) {
        g_autoptr(PlanMachine) m = random_machine(rand);

        assert_round_trip(m);
    }
}

/* Remove a leaf device from the text. Every other device keeps its address. */
static void test_remove(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)g_test_rand_int());

    for (int i = 0; i < 100; i++) {
        g_autoptr(PlanMachine) m = random_machine(rand);
        g_autofree char *text = plan_to_text(m, &tc_catalog, false);
        g_autoptr(PlanMachine) again = read_back(text);
        guint at = (guint)g_rand_int_range(rand, 0, (gint32)m->devices->len);
        PlanDevice *gone = m->devices->pdata[at];
        g_autoptr(GError) err = NULL;

        if (gone->implicit || gone->t->provides) {
            continue;
        }
        g_ptr_array_remove_index(again->devices, at);
        if (!plan_resolve(again, &tc_catalog, &err)) {
            tc_sentence(err); /* function 0 was removed, the others remain */
            continue;
        }
        g_assert_cmpuint(again->devices->len, ==, m->devices->len - 1);
        for (guint j = 0; j < again->devices->len; j++) {
            const PlanDevice *was = m->devices->pdata[j + (j >= at)];

            g_assert_cmpstr(((PlanDevice *)again->devices->pdata[j])->place, ==, was->place);
        }
    }
}

static void test_sections(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("nic,id=n,netdev=net,queue-path=/tmp/q",
                                           "nic,addr=9,"
                                           "queue-path=/tmp/r",
                                           "disk,drive=d");
    g_autofree char *guest = plan_to_text(m, &tc_catalog, true);
    g_autofree char *all = plan_to_text(m, &tc_catalog, false);
    g_autoptr(PlanMachine) from_guest = read_back(guest);
    g_autoptr(GError) err = NULL;

    g_assert_null(strstr(guest, "/tmp"));
    g_assert_null(strstr(guest, "\"host\":"));
    g_assert_nonnull(strstr(guest, "\"kind\":"));
    g_assert_nonnull(strstr(all, "/tmp/q"));
    g_assert_nonnull(strstr(all, "\"device\": \"pcie.0/09.0\""));
    g_assert_false(plan_check_guest_only(m, &tc_catalog, &err));
    tc_sentence(err);
    g_assert_true(plan_resolve(from_guest, &tc_catalog, NULL));
    g_assert_true(plan_check_guest_only(from_guest, &tc_catalog, NULL));
}

static void test_partial(void)
{
    static const char text[] = "{\"backplane-machine\": 1, \"guest\": {\"devices\": ["
                               "{\"type\": \"nic\", \"id\": \"x\", \"properties\": "
                               "{\"vectors\": 7, \"msix\": \"off\", \"model\": null}}]}}\n";
    g_autoptr(PlanMachine) m = read_back(text);
    PlanDevice *d;

    g_assert_true(plan_resolve(m, &tc_catalog, NULL));
    d = plan_find_device(m, "x");
    g_assert_cmpuint(plan_device_get(d, "vectors")->u, ==, 7);
    g_assert_null(plan_device_get(d, "model")->s);
    g_assert_cmpstr(d->place, ==, "pcie.0/01.0");
    assert_round_trip(m);
}

/* The text is that of the JSON value, with and without resolving, and with characters that are
 * escaped. */
static void test_text(void)
{
    g_autoptr(PlanMachine) m = TC_MACHINE("nic,id=x,model=a\"b\\c,vectors=3", "old", "disk,drive=d",
                                          "nic,model=\x01/\xc3\xa9", "root-port");

    for (int resolved = 0; resolved < 2; resolved++) {
        struct json_object *o;
        g_autofree char *text = NULL, *expected = NULL;

        g_assert_true(!resolved || plan_resolve(m, &tc_catalog, NULL));
        o = plan_to_json(m, &tc_catalog, false);
        text = plan_to_text(m, &tc_catalog, false);
        expected = g_strconcat(
            json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                  JSON_C_TO_STRING_NOSLASHESCAPE),
            "\n", NULL);
        g_assert_cmpstr(text, ==, expected);
        json_object_put(o);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dump/random", test_random);
    g_test_add_func("/dump/remove", test_remove);
    g_test_add_func("/dump/sections", test_sections);
    g_test_add_func("/dump/partial", test_partial);
    g_test_add_func("/dump/text", test_text);
    return g_test_run();
}
