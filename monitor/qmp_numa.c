/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NUMA nodes: set-numa-node, x-query-numa and info numa.
 */
#include "internal.h"
#include "qmp-commands.h"

#define MIB_BITS 20

/* Append the nodes of the description, in the form of QEMU. */
static void hmp_info_numa(Machine *m, const char *args, GString *out)
{
    const PlanMachine *d = monitor_host(m)->description(m);
    unsigned nodes = d ? d->n_nodes : 0;

    g_string_append_printf(out, "%u nodes\n", nodes);
    for (unsigned i = 0; i < nodes; i++) {
        g_string_append_printf(out, "node %u cpus:", i);
        for (unsigned cpu = 0; cpu < d->cpus; cpu++) {
            if (plan_node_of_cpu(d, cpu) == i) {
                g_string_append_printf(out, " %u", cpu);
            }
        }
        g_string_append_printf(out,
                               "\nnode %u size: %" G_GUINT64_FORMAT " MB\nnode %u plugged: 0 MB\n",
                               i, d->nodes[i].ram_size >> MIB_BITS, i);
    }
}

struct json_object *qmp_x_query_numa(Machine *m, GError **err)
{
    g_autoptr(GString) out = g_string_new(NULL);

    hmp_info_numa(m, "", out);
    return qmp_make_human_readable_text(&(QmpHumanReadableText){ .human_readable_text = out->str });
}

bool qmp_set_numa_node(Machine *m, struct json_object *args, GError **err)
{
    if (!monitor_in_preconfig(m)) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "The command is permitted only before the machine has been created");
        return false;
    }
    return monitor_host(m)->numa_node(m, args, err);
}

static const HmpCommand hmp_commands[] = {
    { "info numa", "", NULL, hmp_info_numa },
};

const HmpTable numa_table = { LIST(hmp_commands) };
