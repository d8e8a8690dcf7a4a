/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NUMA nodes of a description: JSON, checks, merging and differences.
 */
#include <json-c/json.h>
#include <string.h>

#include "tests/unit/plan/test-catalog.h"

#define HEAD "{'backplane-machine': 1, 'guest': {'machine': 'virt', 'cpus': 4, 'ram': 1048576"
#define TWO  ", 'nodes': [{'cpus': 1, 'ram': 786432}, {'cpus': 3, 'ram': 262144}]"

/* The catalogue of the other tests, with a machine that accepts nodes. */
static PlanMachineType numa_type;
static const PlanMachineType *const numa_machines[] = { &numa_type, &tc_virt0 };
static PlanCatalog numa_catalog;

static void numa_setup(void)
{
    numa_type = tc_virt;
    numa_type.max_nodes = 4;
    numa_catalog = tc_catalog;
    numa_catalog.machines = numa_machines;
    numa_catalog.n_machines = G_N_ELEMENTS(numa_machines);
}

/* Return the description that a text with single quotes contains; NULL with @err set. */
static PlanMachine *numa_machine(const char *text, GError **err)
{
    g_autofree char *json = g_strdelimit(g_strdup(text), "'", '"');

    return plan_from_text(json, strlen(json), err);
}

static PlanMachine *numa_resolved(const char *text)
{
    g_autoptr(GError) err = NULL;
    PlanMachine *m = numa_machine(text, &err);

    g_assert_no_error(err);
    plan_resolve(m, &numa_catalog, &err);
    g_assert_no_error(err);
    return m;
}

/* Check that reading or resolving a description fails with a message. */
static void numa_fails(const char *text, const char *words)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanMachine) m = numa_machine(text, &err);

    g_assert_true(!m || !plan_resolve(m, &numa_catalog, &err));
    if (!strstr(err->message, words)) {
        g_error("%s: \"%s\" does not contain \"%s\"", text, err->message, words);
    }
}

static void test_round_trip(void)
{
    g_autoptr(PlanMachine) m =
        numa_resolved(HEAD ", 'nodes': [{'cpus': 1, 'ram': 786432, 'distances': [10, 15]},"
                           "{'cpus': 3, 'ram': 262144, 'distances': [20, 10]}]}, 'host': "
                           "{'node-memory': ['a', 'b']}}");
    g_autofree char *text = plan_to_text(m, &numa_catalog, false);
    g_autofree char *guest = plan_to_text(m, &numa_catalog, true);
    g_autoptr(PlanMachine) again = plan_from_text(text, strlen(text), NULL);
    g_autoptr(PlanMachine) copy = plan_machine_copy(m);
    g_autofree char *same = NULL, *copied = plan_to_text(copy, &numa_catalog, false);
    g_autoptr(GError) err = NULL;

    g_assert_true(plan_resolve(again, &numa_catalog, NULL));
    same = plan_to_text(again, &numa_catalog, false);
    g_assert_cmpstr(text, ==, same);
    g_assert_cmpstr(text, ==, copied);
    g_assert_null(strstr(guest, "node-memory"));
    g_assert_cmpuint(plan_node_of_cpu(m, 0), ==, 0);
    g_assert_cmpuint(plan_node_of_cpu(m, 1), ==, 1);
    g_assert_cmpuint(plan_node_of_cpu(m, 3), ==, 1);
    g_assert_cmpuint(m->nodes[1].distance[0], ==, 20);
    g_assert_false(plan_check_guest_only(m, &numa_catalog, &err));
    g_assert_nonnull(strstr(err->message, "node-memory"));
}

static void test_refused(void)
{
    static const struct {
        const char *nodes, *words;
    } rows[] = {
        { "'nodes': []", "guest.nodes must be a list of 1 to 4 nodes" },
        { "'nodes': 3", "guest.nodes must be a list of 1 to 4 nodes" },
        { "'nodes': [3]", "guest.nodes[0] must be an object" },
        { "'nodes': [{'cpu': 1}]", "guest.nodes[0] has the unknown key 'cpu': known are cpus" },
        { "'nodes': [{'cpus': 0}]", "guest.nodes[0].cpus must be a number from 1 to 65536" },
        { "'nodes': [{'cpus': 4, 'ram': -1}]", "guest.nodes[0].ram must be a number from 1" },
        { "'nodes': [{'distances': [9]}]", "distances must be a number from 10 to 255" },
        { "'nodes': [{'distances': [10,10,10,10,10]}]", "a list of at most 4 distances" },
        { "'nodes': [{'cpus': 4}]", "node 0 has 4 CPUs and 0 bytes of RAM" },
        { "'nodes': [{'cpus': 4, 'ram': 1000}]", "requires a CPU and RAM in multiples of 4096" },
        { "'nodes': [{'cpus': 3, 'ram': 1048576}]", "the NUMA nodes have 3 CPUs, the machine 4" },
        { "'nodes': [{'cpus': 4, 'ram': 4096}]", "have 4096 bytes of RAM, the machine 1048576" },
        { "'nodes': [{'cpus': 4, 'ram': 1048576, 'distances': [11]}]", "distance 11 to node 0" },
        { "'nodes': [{'cpus': 4, 'ram': 1048576, 'distances': [10, 20]}]",
          "distance 20 to node 1" },
        { "'nodes': [{'cpus': 1, 'ram': 786432, 'distances': [10, 20]}, "
          "{'cpus': 3, 'ram': 262144}]",
          "node 1 has the distance 0 to node 0" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text = g_strconcat(HEAD ", ", rows[i].nodes, "}}", NULL);

        numa_fails(text, rows[i].words);
    }
    numa_fails(HEAD TWO "}, 'host': {'node-memory': ['a']}}",
               "1 memory back ends for 2 NUMA nodes");
    numa_fails(HEAD TWO "}, 'host': {'node-memory': [1]}}", "host.node-memory[0] must be a string");
    numa_fails(HEAD "}, 'host': {'node-memory': []}}", "host.node-memory must be a list of 1 to 4");
    numa_fails("{'backplane-machine': 1, 'guest': {'machine': 'virt-0.0', 'cpus': 4, "
               "'ram': 1048576" TWO "}}",
               "machine virt-0.0 accepts 0 NUMA nodes at most, not 2");
}

/* The nodes of the command line replace those of a file; differences are visible to the guest. */
static void test_merge_and_diff(void)
{
    g_autoptr(PlanMachine) two = numa_resolved(HEAD TWO "}}");
    g_autoptr(PlanMachine) none = numa_resolved(HEAD "}}");
    g_autoptr(PlanMachine) base =
        numa_machine(HEAD ", 'nodes': [{'cpus': 4, 'ram': 1048576}]}}", NULL);
    g_autoptr(PlanMachine) over =
        numa_machine(HEAD TWO "}, 'host': {'node-memory': ['a','b']}}", NULL);
    struct json_object *diff = plan_diff(two, none, &numa_catalog);

    g_assert_cmpstr(json_object_to_json_string_ext(diff, JSON_C_TO_STRING_PLAIN), ==,
                    "[{\"device\":null,\"property\":\"NUMA nodes\","
                    /* word-ok: a key of the format */
                    "\"wanted\":\"1 CPU and 768K, 3 CPUs and 256K\",\"have\":\"none\"}]");
    json_object_put(diff);
    g_assert_true(plan_merge(base, over, &numa_catalog, NULL));
    g_assert_cmpuint(base->n_nodes, ==, 2);
    g_assert_cmpstr(base->node_memory->pdata[1], ==, "b");
    g_assert_true(plan_resolve(base, &numa_catalog, NULL));
    diff = plan_diff(two, base, &numa_catalog);
    g_assert_cmpuint(json_object_array_length(diff), ==, 0);
    json_object_put(diff);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    numa_setup();
    g_test_add_func("/numa/round-trip", test_round_trip);
    g_test_add_func("/numa/refused", test_refused);
    g_test_add_func("/numa/merge-and-diff", test_merge_and_diff);
    return g_test_run();
}
