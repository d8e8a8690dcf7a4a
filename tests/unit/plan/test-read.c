/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptions as text: rejected input, and random mutations.
 */
#include <string.h>

#include "tests/unit/plan/test-catalog.h"

static PlanMachine *read_back(const char *text)
{
    g_autoptr(GError) err = NULL;
    PlanMachine *m = plan_from_text(text, strlen(text), &err);

    g_assert_no_error(err);
    return m;
}

static void refuse_text(const char *text, size_t len, const char *word)
{
    g_autoptr(GError) err = NULL;
    PlanMachine *m = plan_from_text(text, len, &err);

    g_assert_null(m);
    tc_sentence(err);
    if (!strstr(err->message, word)) {
        g_error("'%s' is not in: %s", word, err->message);
    }
}

static void test_bad(void)
{
    static const struct {
        const char *guest, *word;
    } rows[] = {
        { "\"x\": 1", "guest has the unknown key 'x'" },
        { "\"devices\": {}", "guest.devices must be a list" },
        { "\"devices\": [1]", "guest.devices[0] must be an object" },
        { "\"devices\": [{}]", "guest.devices[0] requires a type" },
        { "\"devices\": [{\"type\": \"nic\", \"slot\": 1}]", "unknown key 'slot'" },
        { "\"devices\": [{\"type\": 1}]", "guest.devices[0].type must be a string" },
        { "\"devices\": [{\"type\": \"a\\u0000b\"}]", "NUL" },
        { "\"devices\": [{\"type\": \"nic\", \"addr\": \"zz\"}]", "address 'zz'" },
        { "\"devices\": [{\"type\": \"nic\", \"properties\": {\"a\": {}}}]", "plain value" },
        { "\"devices\": [{\"type\": \"nic\", \"implicit\": 1}]", "true or false" },
        { "\"cpus\": 0", "guest.cpus must be a number" },
        { "\"cpus\": 99999999999999999999999", "a number does not fit 64 bits" },
        { "\"ram\": -1", "guest.ram must be a number" },
        { "\"ram\": 1.5", "guest.ram must be a number" },
        { "\"machine\": []", "guest.machine must be a string" },
        { "\"globals\": [{\"type\": \"nic\"}]", "requires type, property and value" },
        { "\"parts\": [{\"path\": \"/x\"}]", "unknown key 'path'" },
    };
    g_autofree char *deep = g_strnfill(100000, '['), *big = NULL, *big_id = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text =
            g_strdup_printf("{\"backplane-machine\": 1, \"guest\": {%s}}", rows[i].guest);

        refuse_text(text, strlen(text), rows[i].word);
    }
    refuse_text("", 0, "JSON");
    refuse_text("{}", 2, "backplane-machine");
    refuse_text("[]", 2, "backplane-machine");
    refuse_text("{\"backplane-machine\": 2}", 24, "format 1");
    refuse_text("{\"backplane-machine\": \"1\"}", 26, "format 1");
    refuse_text("{\"backplane-machine\": 1} x", 26, "more text follows");
    refuse_text("{\"backplane-machine\": 1, \"y\": 1}", 32, "unknown key 'y'");
    refuse_text("{\"backplane-machine\": 1", 23, "ends too early");
    refuse_text("{\"backplane-machine\"\0: 1}", 25, "JSON");
    refuse_text(deep, 100000, "JSON");
    big_id = g_strnfill(65536, 'a');
    big = g_strdup_printf("{\"backplane-machine\": 1, \"guest\": {\"devices\": [{\"type\": \"nic\","
                          "\"id\": \"%s\"}]}}",
                          big_id);
    refuse_text(big, strlen(big), "at most 127");
    big_id[300] = '\0';
    g_free(big);
    big = g_strdup_printf("{\"backplane-machine\": 1, \"%s\": 1}", big_id);
    refuse_text(big, strlen(big), "aaa...'");
}

static void test_implicit(void)
{
    static const char text[] = "{\"backplane-machine\": 1, \"guest\": {\"devices\": ["
                               "{\"type\": \"nic\", \"implicit\": true}]}}";

    tc_refused(read_back(text), "implicit|virt-0.1 does not create it");
}

/* Mutated dumps never crash. Each is accepted and resolved, or rejected with a message. */
static void test_mutated(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)g_test_rand_int());
    g_autoptr(PlanMachine) m =
        TC_RESOLVED("root-port,id=rp", "nic,bus=rp,netdev=n", "pxb,bus_nr=9", "bridge,id=b",
                    "old,bus=b", "serial-pci,id=s", "serialport,bus=s.0");
    g_autofree char *text = plan_to_text(m, &tc_catalog, false);
    size_t len = strlen(text);

    for (int i = 0; i < 3000; i++) {
        g_autofree char *mutant = g_memdup2(text, len + 1);
        g_autoptr(GError) err = NULL;
        PlanMachine *got;

        for (int j = g_rand_int_range(rand, 1, 4); j > 0; j--) {
            mutant[g_rand_int_range(rand, 0, (gint32)len)] = (char)g_rand_int_range(rand, 0, 256);
        }
        got = plan_from_text(mutant, len, &err);
        if (got) {
            plan_resolve(got, &tc_catalog, &err);
        }
        if (err) {
            tc_sentence(err);
        }
        plan_machine_free(got);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/read/bad", test_bad);
    g_test_add_func("/read/implicit", test_implicit);
    g_test_add_func("/read/mutated", test_mutated);
    return g_test_run();
}
