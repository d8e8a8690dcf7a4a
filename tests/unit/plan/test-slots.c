/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report of slots as text and as JSON.
 */
#include <json-c/json.h>
#include <string.h>

#include "tests/unit/plan/test-catalog.h"

static void test_text(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=rp", "nic,id=n,bus=rp", "old,addr=3");
    g_autofree char *text = plan_slots_to_text(m, &tc_catalog);
    g_autoptr(PlanMachine) none = plan_machine_new();
    g_autofree char *empty = NULL;

    g_assert_cmpstr(text, ==,
                    "bus 'pcie.0': a PCI Express root bus, bus number 0x00\n"
                    "  slots    00-1f, free: 02, 04-1f\n"
                    "  accepts  integrated endpoints, root ports, bridges and extra root buses\n"
                    "  hotplug  no\n"
                    "  room     64B of 64K I/O, 1536K of 1G 32-bit memory, 1M of 16G 64-bit "
                    "memory\n"
                    "  00.0     host, created by the machine\n"
                    "  01.0     root-port 'rp', provides bus 'rp'\n"
                    "  03.0     old\n"
                    "\n"
                    "bus 'rp': the link below a PCI Express port\n"
                    "  slots    00-00, free: none\n"
                    "  accepts  one device, a switch upstream port or a bridge\n"
                    "  hotplug  yes\n"
                    "  room     4K of 1M 32-bit memory, 4K of 1M 64-bit memory\n"
                    "  00.0     nic 'n'\n");
    plan_machine_parse(none, "none", NULL);
    g_assert_true(plan_resolve(none, &tc_catalog, NULL));
    empty = plan_slots_to_text(none, &tc_catalog);
    g_assert_cmpstr(empty, ==, "machine none has no PCI bus\n");
}

static void test_json(void)
{
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=rp,addr=1", "nic,id=n,bus=rp");
    struct json_object *o = plan_slots_to_json(m, &tc_catalog);
    struct json_object *port = json_object_array_get_idx(o, 1);

    g_assert_cmpuint(json_object_array_length(o), ==, 2);
    g_assert_cmpstr(json_object_to_json_string_ext(port, JSON_C_TO_STRING_PLAIN), ==,
                    /* word-ok: a key of the format */
                    "{\"bus\":\"rp\",\"kind\":\"pcie-port\",\"owner\":\"rp\",\"takes\":"
                    "\"one device, a switch upstream port or a bridge\","
                    "\"hotplug\":true,\"first-slot\":0,\"last-slot\":0,\"free-slots\":[],\"room\":["
                    "{\"resource\":\"32-bit memory\",\"need\":4096,\"window\":1048576},"
                    "{\"resource\":\"64-bit memory\",\"need\":4096,\"window\":1048576}],"
                    "\"held\":[{\"addr\":\"00.0\",\"device\":\"n\",\"type\":\"nic\","
                    "\"interrupts\":\"MSI-X, INTA on line 1\"}]}");
    json_object_put(o);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/slots/text", test_text);
    g_test_add_func("/slots/json", test_json);
    return g_test_run();
}
