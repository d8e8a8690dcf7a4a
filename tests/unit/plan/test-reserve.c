/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bus numbers of ports that can take a switch later, and the parameters of the guest kernel.
 */
#include <string.h>

#include "plan/policy_internal.h"
#include "tests/unit/plan/test-catalog.h"

static const PlanProp fixed_props[] = {
    PROP_MULTIFUNCTION,
    { .name = "chassis", .kind = PLAN_PROP_U8 },
    { .name = "slot", .kind = PLAN_PROP_U16 },
    { .name = "hotplug", .kind = PLAN_PROP_BOOL, .def = 1 },
    { .name = "bus-reserve", .kind = PLAN_PROP_U32, .def = UINT32_MAX },
    { .name = "mem-reserve", .kind = PLAN_PROP_SIZE, .def = UINT64_MAX },
    { .name = "pref64-reserve", .kind = PLAN_PROP_SIZE, .def = UINT64_MAX },
    { .name = "x-fixed-bus", .kind = PLAN_PROP_U8 },
};
static const PlanType fixed_port = {
    .name = "root-port",
    .props = fixed_props,
    .n_props = G_N_ELEMENTS(fixed_props),
    .role = PLAN_PCI_ROOT_PORT,
    .provides = PLAN_BUS_PCIE_PORT,
    .user_creatable = true,
};
static const PlanType *const fixed_types[] = { &fixed_port,  &tc_nic,    &tc_old, &tc_downstream,
                                               &tc_upstream, &tc_bridge, &tc_pxb, &tc_pcie_bridge,
                                               &tc_host,     &tc_uart };
static const PlanCatalog fixed_catalog = {
    fixed_types, G_N_ELEMENTS(fixed_types), tc_machines, G_N_ELEMENTS(tc_machines), NULL, 0,
};

static PlanPolicy *policy(const char *text)
{
    g_autoptr(GError) err = NULL;
    PlanPolicy *p = *text == '{' ? plan_policy_from_text(text, strlen(text), &err)
                                 : plan_policy_load(text, &err);

    g_assert_no_error(err);
    return p;
}

static void resolve(PlanMachine *m, const PlanPolicy *p)
{
    g_autoptr(GError) err = NULL;

    plan_resolve_policy(m, &fixed_catalog, p, &err);
    g_assert_no_error(err);
}

static uint64_t number(const PlanMachine *m, const char *id, const char *prop)
{
    return plan_device_get(plan_find_device(m, id), prop)->u;
}

/* The port that stays free has all numbers that the others do not require, behind those. */
static void test_spare(void)
{
    g_autoptr(PlanPolicy) p = policy("hotplug");
    g_autoptr(PlanMachine) m = TC_MACHINE("nic,id=a", "nic,id=b");
    g_autofree char *text = NULL, *again = NULL, *parameters = NULL;
    g_autoptr(PlanMachine) copy = NULL;

    resolve(m, p);
    g_assert_cmpuint(number(m, "rp1", "x-fixed-bus"), ==, 0);
    g_assert_cmpuint(number(m, "rp1", "bus-reserve"), ==, UINT32_MAX);
    g_assert_cmpuint(number(m, "rp2", "x-fixed-bus"), ==, 0);
    g_assert_cmpuint(number(m, "rp3", "x-fixed-bus"), ==, 3); /* 0: root, 1 and 2: rp1 and rp2 */
    g_assert_cmpuint(number(m, "rp3", "bus-reserve"), ==, 252);
    g_assert_cmpuint(number(m, "rp3", "mem-reserve"), ==, 256 << 20);
    parameters = plan_kernel_parameters(m, p);
    g_assert_cmpstr(parameters, ==, "pci=hpiosize=0,hpmmiosize=256M,hpmmioprefsize=4778M");
    text = plan_to_text(m, &fixed_catalog, false);
    copy = plan_from_text(text, strlen(text), NULL);
    resolve(copy, p);
    again = plan_to_text(copy, &fixed_catalog, false);
    g_assert_cmpstr(text, ==, again);
}

/* A port that is used at the next start has no numbers in reserve any more. */
static void test_moves_on(void)
{
    g_autoptr(PlanPolicy) p = policy("hotplug");
    g_autoptr(PlanMachine) m = TC_MACHINE("nic,id=a");
    g_autoptr(PlanGrowth) g = NULL;
    PlanDevice *d;

    resolve(m, p);
    g_assert_cmpuint(number(m, "rp2", "x-fixed-bus"), ==, 2);
    d = plan_device_parse("nic,id=b", NULL);
    g = plan_grow_add(m, &fixed_catalog, p, d, NULL, NULL, NULL);
    g_assert_nonnull(g);
    g_assert_cmpstr(plan_find_device(m, "b")->place, ==, "rp2/00.0");
    g_assert_cmpuint(number(m, "rp2", "x-fixed-bus"), ==, 0);
    g_assert_cmpuint(number(m, "rp2", "mem-reserve"), ==, UINT64_MAX);
    g_assert_cmpuint(number(m, "rp3", "x-fixed-bus"), ==, 3);
    g_assert_cmpuint(number(m, "rp3", "bus-reserve"), ==, 252);
}

/* Bridges behind the port keep their numbers; a port with an address belongs to the user. */
static void test_between(void)
{
    g_autoptr(PlanPolicy) p = policy("{\"backplane-policy\":1,\"base\":\"hotplug\",\"spare-ports\":"
                                     "2}");
    g_autoptr(PlanMachine) m = TC_MACHINE("root-port,id=u,addr=1e", "pxb,id=x,bus_nr=128",
                                          "pcie-bridge,id=c,addr=1d", "bridge,bus=c,addr=3");
    unsigned first, second;

    resolve(m, p);
    first = (unsigned)number(m, "rp1", "x-fixed-bus");
    g_assert_cmpuint(number(m, "u", "x-fixed-bus"), ==, 0);
    g_assert_null(plan_find_device(m, "rp3"));
    second = (unsigned)number(m, plan_find_device(m, "rp2") ? "rp2" : "rp1", "x-fixed-bus");
    g_assert_cmpuint(first, ==, 1);
    /* up to 3 numbers behind: those of c, of the bridge on it and of u */
    g_assert_cmpuint(second + number(m, plan_find_device(m, "rp2") ? "rp2" : "rp1", "bus-reserve"),
                     <=, 127 - 3);
}

static void test_width(void)
{
    static const struct {
        unsigned buses;
        uint64_t mib;
        unsigned width;
    } rows[] = {
        { 1, 256, 0 },  { 3, 256, 0 }, { 4, 3, 2 },    { 4, 2, 0 },
        { 34, 64, 32 }, { 34, 4, 3 },  { 40, 256, 2 }, { 255, 256, 9 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        PlanReserve r = { .buses = rows[i].buses, .mem = rows[i].mib << 20 };

        g_assert_cmpuint(plan_reserve_width(&r, 32), ==, rows[i].width);
    }
}

/* A guest that has not enumerated its ports yet will reserve what the plan states. */
static bool unknown(const char *port, PlanReserve *r, void *data)
{
    return false;
}

static void test_early(void)
{
    g_autoptr(PlanPolicy) p = policy("hotplug");
    g_autoptr(PlanMachine) m = TC_MACHINE(NULL);
    PlanGuest guest = { .reserved = unknown };
    PlanDevice *d = plan_device_parse("nic,id=b", NULL);
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanGrowth) g = NULL;

    resolve(m, p);
    g = plan_grow_add(m, &fixed_catalog, p, d, NULL, &guest, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(plan_growth_count(g), >, 20);            /* two switches */
    g_assert_cmpuint(number(m, "rp1", "x-fixed-bus"), ==, 1); /* as before */
    g_assert_cmpuint(number(m, "rp1", "bus-reserve"), ==, 254);
    plan_reserve_ports(m->index); /* a restart keeps the numbers of a port with a switch */
    g_assert_cmpuint(number(m, "rp1", "bus-reserve"), ==, 254);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plan/reserve/spare", test_spare);
    g_test_add_func("/plan/reserve/moves-on", test_moves_on);
    g_test_add_func("/plan/reserve/between", test_between);
    g_test_add_func("/plan/reserve/width", test_width);
    g_test_add_func("/plan/reserve/early", test_early);
    return g_test_run();
}
