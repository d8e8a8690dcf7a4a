/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Placement with a policy and growth: preferences, controllers, spare ports, units for a running
 * guest, refusals, explanations. Devices that have an address never move.
 */
#include <json-c/json.h>
#include <string.h>

#include "plan/grow.h"
#include "plan/policy_internal.h"
#include "tests/unit/plan/test-catalog.h"

static PlanPolicy *policy(const char *text)
{
    g_autoptr(GError) err = NULL;
    PlanPolicy *p = *text == '{' ? plan_policy_from_text(text, strlen(text), &err)
                                 : plan_policy_load(text, &err);

    g_assert_no_error(err);
    return p;
}

static PlanGrowth *try_add(PlanMachine *m, const PlanPolicy *p, const char *option,
                           const char *wishes, const PlanGuest *guest, GError **err)
{
    PlanDevice *d = plan_device_parse(option, NULL);
    PlanPrefs prefs;
    PlanGrowth *g;

    g_assert_nonnull(d);
    g_assert_true(plan_prefs_parse(&prefs, wishes, NULL));
    g = plan_grow_add(m, &tc_catalog, p, d, &prefs, guest, err);
    plan_prefs_clear(&prefs);
    if (!g) {
        plan_device_free(d);
    }
    return g;
}

/* Add a device and return its place; g_free(). */
static char *grow_place(PlanMachine *m, const PlanPolicy *p, const char *option, const char *wishes)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanGrowth) g = try_add(m, p, option, wishes, NULL, &err);
    const PlanDevice *d;
    g_autofree char *addr = NULL;

    g_assert_no_error(err);
    d = plan_growth_device(g, plan_growth_count(g) - 1);
    addr = plan_addr_format(&d->addr, false);
    return g_strdup_printf("%s/%s", d->bus, addr);
}

static void expect_place(PlanMachine *m, const PlanPolicy *p, const char *option,
                         const char *wishes, const char *place)
{
    g_autofree char *found = grow_place(m, p, option, wishes);

    g_assert_cmpstr(found, ==, place);
}

/* A refusal is one message with these words, and the machine does not change. */
static void expect_refusal(PlanMachine *m, const PlanPolicy *p, const char *option,
                           const char *wishes, const PlanGuest *guest, const char *words)
{
    g_autofree char *before = plan_to_text(m, &tc_catalog, false), *after = NULL;
    g_auto(GStrv) word = g_strsplit(words, "|", -1);
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanGrowth) g = try_add(m, p, option, wishes, guest, &err);

    g_assert_null(g);
    tc_sentence(err);
    for (guint i = 0; word[i]; i++) {
        if (!strstr(err->message, word[i])) {
            g_error("'%s' is not in: %s", word[i], err->message);
        }
    }
    after = plan_to_text(m, &tc_catalog, false);
    g_assert_cmpstr(before, ==, after);
}

static const char *place_of(const PlanMachine *m, const char *id)
{
    const PlanDevice *d = plan_find_device(m, id);

    g_assert_nonnull(d);
    return d->place;
}

/* --- root ports --- */

static void test_root_ports(void)
{
    g_autoptr(PlanPolicy) p = policy("default");
    g_autoptr(PlanMachine) m = TC_RESOLVED("old,id=first,addr=3");

    expect_place(m, p, "nic,id=n0", "", "rp1/00.0");
    g_assert_cmpstr(place_of(m, "rp1"), ==, "pcie.0/01.0");
    g_assert_cmpstr(place_of(m, "rp2"), ==, "pcie.0/01.1");
    g_assert_null(plan_find_device(m, "rp3"));
    expect_place(m, p, "nic,id=n1", "", "rp2/00.0");
    g_assert_cmpstr(place_of(m, "rp3"), ==, "pcie.0/01.2");
    expect_place(m, p, "old,id=o", "", "pcie.0/02.0"); /* does not require hot plug */
    for (int i = 0; i < 8; i++) {
        g_autofree char *option = g_strdup_printf("disk,drive=d%d", i);
        g_free(grow_place(m, p, option, "hotplug=required"));
    }
    /* eight to a slot; function 0 has multifunction=on */
    g_assert_cmpstr(place_of(m, "rp9"), ==, "pcie.0/04.0");
    g_assert_cmpstr(place_of(m, "first"), ==, "pcie.0/03.0");
    g_assert_true(plan_device_get(plan_find_device(m, "rp1"), "multifunction")->b);
    g_assert_cmpuint(plan_free_ports(m->index), ==, 1);
}

static void test_resolve(void)
{
    g_autoptr(PlanPolicy) p = policy("default");
    g_autoptr(PlanMachine) m = TC_MACHINE(
        "nic,id=a", "nic,id=b,bus=auto", "old,id=c", "nic,id=d,addr=7", "root-port,id=mine",
        "nic,id=e,bus=mine,addr=auto", "serialport,bus=s.0", "serial-pci,id=s");
    g_autoptr(PlanMachine) again = NULL;
    g_autofree char *first = NULL, *second = NULL;
    g_autoptr(GError) err = NULL;

    plan_resolve_policy(m, &tc_catalog, p, &err);
    g_assert_no_error(err);
    g_assert_cmpstr(place_of(m, "d"), ==, "pcie.0/07.0");
    g_assert_cmpstr(place_of(m, "e"), ==, "mine/00.0");
    g_assert_cmpstr(place_of(m, "a"), ==, "rp1/00.0");
    g_assert_cmpstr(place_of(m, "b"), ==, "rp2/00.0");
    first = plan_to_text(m, &tc_catalog, false);
    again = plan_from_text(first, strlen(first), &err);
    g_assert_no_error(err);
    plan_resolve_policy(again, &tc_catalog, p, &err);
    g_assert_no_error(err);
    second = plan_to_text(again, &tc_catalog, false);
    g_assert_cmpstr(first, ==, second);
}

/* Planning a set of devices and adding them one by one have the same result. */
static void test_same(void)
{
    static const char *const names[] = { "default", "hotplug", "static", "dense" };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(PlanPolicy) p = policy(names[i]);
        g_autoptr(PlanMachine) whole = TC_MACHINE(NULL);
        g_autoptr(PlanMachine) one = TC_RESOLVED(NULL);
        g_autoptr(GError) err = NULL;
        g_autofree char *place = NULL;

        for (unsigned n = 0; n < 60; n++) {
            g_autofree char *id = g_strdup_printf("%s,id=d%u", n % 6 ? "nic" : "old", n);

            g_ptr_array_add(whole->devices, plan_device_parse(id, NULL));
            g_free(place);
            place = grow_place(one, p, id, "");
        }
        plan_resolve_policy(whole, &tc_catalog, p, &err);
        g_assert_no_error(err);
        for (unsigned n = 0; n < 60; n++) {
            g_autofree char *id = g_strdup_printf("d%u", n);

            g_assert_cmpstr(place_of(whole, id), ==, place_of(one, id));
        }
    }
}

/* --- switches, bridges, extra roots --- */

static void test_switch_options(void)
{
    g_autoptr(PlanPolicy) p = policy("default");
    g_autoptr(PlanMachine) m =
        TC_MACHINE("upstream,id=up", "downstream,id=p0", "downstream,id=p1", "downstream,id=p2",
                   "downstream,id=p3", "downstream,id=p4", "downstream,id=p5", "downstream,id=p6",
                   "downstream,id=p7", "downstream,id=p8", "downstream,id=p9");
    g_autoptr(GError) err = NULL;

    plan_resolve_policy(m, &tc_catalog, p, &err);
    g_assert_no_error(err);
    g_assert_cmpstr(place_of(m, "up"), ==, "rp1/00.0");
    for (unsigned i = 0; i < 10; i++) {
        g_autofree char *id = g_strdup_printf("p%u", i), *place = g_strdup_printf("up/%02x.0", i);

        g_assert_cmpstr(place_of(m, id), ==, place);
    }
    g_assert_cmpuint(m->devices->len, ==, 3 + 11 + 1); /* board, options, root port */
}

static void test_switch(void)
{
    g_autoptr(PlanPolicy) p =
        policy("{\"backplane-policy\":1,\"base\":\"default\",\"growth\":[\"switch\"]}");
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=only");

    expect_place(m, p, "nic,id=a", "", "sw1.0/00.0");
    g_assert_cmpstr(place_of(m, "sw1"), ==, "only/00.0");
    g_assert_cmpstr(place_of(m, "sw1.7"), ==, "sw1/07.0");
    for (unsigned i = 1; i < 7; i++) {
        g_autofree char *place = g_strdup_printf("sw1.%u/00.0", i);

        expect_place(m, p, "nic", "", place);
    }
    expect_place(m, p, "nic,id=h", "", "sw2.0/00.0"); /* the last port is extended */
    g_assert_cmpstr(place_of(m, "sw2"), ==, "sw1.7/00.0");
}

static void test_bridges(void)
{
    g_autoptr(PlanPolicy) p = policy("default");
    g_autoptr(PlanMachine) m = TC_RESOLVED(NULL);
    unsigned bridges = 0;

    expect_place(m, p, "old,id=a", "link=conventional", "br1/00.0");
    g_assert_cmpstr(place_of(m, "br1"), ==, "rp1/00.0");
    for (unsigned i = 0; i < 100; i++) {
        g_free(grow_place(m, p, "old", "link=conventional"));
    }
    for (guint i = 0; i < m->devices->len; i++) {
        bridges += ((const PlanDevice *)m->devices->pdata[i])->t->role == PLAN_PCI_BRIDGE;
    }
    g_assert_cmpuint(bridges, ==, 3); /* 31 slots of each bus, and one for bridges */
    g_assert_cmpstr(place_of(m, "br2"), ==, "br1/1f.0");
    g_assert_cmpstr(place_of(m, "br3"), ==, "br1/1f.1");
    g_assert_cmpuint(plan_free_ports(m->index), ==, 1);
}

static void test_numa(void)
{
    g_autoptr(PlanPolicy) p = policy("default");
    g_autoptr(PlanMachine) m = TC_RESOLVED(NULL);

    expect_place(m, p, "nic,id=a", "numa=1", "rp1/00.0");
    g_assert_cmpstr(plan_find_device(m, "rp1")->on->name, ==, "root1");
    g_assert_cmpuint(plan_device_get(plan_find_device(m, "root1"), "bus_nr")->u, ==, 224);
    expect_place(m, p, "nic,id=b", "numa=0", "rp3/00.0");
    g_assert_cmpstr(plan_find_device(m, "rp3")->on->name, ==, "pcie.0");
    expect_place(m, p, "nic,id=c", "numa=1,near=a", "rp2/00.0");
}

/* --- preferences --- */

static void test_preferences(void)
{
    g_autoptr(PlanPolicy) p = policy("static");
    g_autoptr(PlanMachine) m =
        TC_RESOLVED("root-port,id=x,addr=10", "upstream,id=up,bus=x", "downstream,id=d0,bus=up",
                    "downstream,id=d1,bus=up", "root-port,id=y,addr=11", "nic,id=far,bus=d0");

    expect_place(m, p, "nic", "at=9", "pcie.0/09.0");
    expect_place(m, p, "nic", "at=9", "pcie.0/01.0"); /* taken: the lowest free one */
    expect_place(m, p, "nic,id=s0", "slot=shared", "pcie.0/02.0");
    expect_place(m, p, "nic,id=s1", "slot=shared", "pcie.0/02.1");
    expect_place(m, p, "nic", "hotplug=required,near=far", "d1/00.0");
    expect_place(m, p, "nic", "hotplug=required,apart=far", "y/00.0");
    g_assert_true(plan_device_get(plan_find_device(m, "s0"), "multifunction")->b);
}

static void test_own_line(void)
{
    g_autoptr(PlanPolicy) p = policy("static");
    g_autoptr(PlanMachine) m = TC_RESOLVED("nic,addr=4", "nic,addr=1"); /* pin A: lines 0 and 1 */

    expect_place(m, p, "nic", "interrupt=own", "pcie.0/02.0");
    expect_place(m, p, "nic", "interrupt=own", "pcie.0/07.0"); /* 03: a port */
    expect_place(m, p, "nic", "interrupt=own", "pcie.0/05.0"); /* no line is left */
}

/* --- a running guest --- */

typedef struct Reserved {
    PlanReserve r;
} Reserved;

/* The guest divides what it has reserved behind a port among the ports of a switch. */
static bool reserved(const char *port, PlanReserve *r, void *data)
{
    *r = ((Reserved *)data)->r;
    return !strchr(port, '.');
}

static void test_running(void)
{
    g_autoptr(PlanPolicy) p = policy("default");
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=a", "root-port,id=b");
    Reserved data = { { .buses = 7, .mem = 16 << 20 } };
    PlanGuest guest = { .reserved = reserved, .data = &data };
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanGrowth) one = try_add(m, p, "nic,id=n0", "", &guest, &err);
    g_autoptr(PlanGrowth) two = NULL;

    g_assert_no_error(err);
    g_assert_cmpuint(plan_growth_count(one), ==, 1 + 5 + 1); /* 7 bus numbers: 5 ports */
    g_assert_cmpstr(plan_growth_device(one, 0)->type, ==, "upstream");
    g_assert_cmpstr(place_of(m, "sw1"), ==, "a/00.0");
    g_assert_cmpstr(place_of(m, "n0"), ==, "sw1.0/00.0");
    two = try_add(m, p, "nic,id=n1", "", &guest, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(plan_growth_count(two), ==, 1);
    g_assert_cmpstr(place_of(m, "n1"), ==, "sw1.1/00.0");
}

/* A port without further bus numbers accepts a device, and the last free port is kept. */
static void test_running_leaves(void)
{
    g_autoptr(PlanPolicy) p = policy("default");
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=a", "root-port,id=b");
    Reserved data = { { .buses = 1, .mem = 2 << 20, .pref64 = 2 << 20 } };
    PlanGuest guest = { .reserved = reserved, .data = &data };
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanGrowth) one = NULL;

    expect_refusal(m, p, "nic,id=n,bar-size=4M", "", &guest, "2 ports have too small windows");
    one = try_add(m, p, "nic,id=n0", "", &guest, &err);
    g_assert_no_error(err);
    g_assert_cmpstr(place_of(m, "n0"), ==, "a/00.0");
    expect_refusal(m, p, "nic,id=n1", "", &guest, "kept free for growth|has reserved 1");
    data.r.buses = 0;
    expect_refusal(m, p, "nic,id=n1", "", &guest, "1 port has no bus number");
}

/* Numbers and windows are divided equally, so that few wide switches reach most devices. */
static void test_running_deep(void)
{
    g_autoptr(PlanPolicy) p = policy("default");
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=a");
    Reserved data = { { .buses = 255, .mem = 256 << 20, .pref64 = 1 << 30 } };
    PlanGuest guest = { .reserved = reserved, .data = &data };
    unsigned n = 0, switches = 0;

    for (;; n++) {
        g_autofree char *option = g_strdup_printf("nic,id=n%u", n);
        g_autoptr(GError) err = NULL;
        g_autoptr(PlanGrowth) g = try_add(m, p, option, "", &guest, &err);

        if (!g) {
            tc_sentence(err);
            break;
        }
        for (unsigned i = 0; i < plan_growth_count(g); i++) {
            switches += strcmp(plan_growth_device(g, i)->type, "upstream") == 0;
        }
    }
    g_assert_cmpuint(n, >=, 230);
    g_assert_cmpuint(switches, <=, 10);
}

/* Linux gives each hot-plug port of an added switch the same number again: a bridge is added. */
static void test_running_bridge(void)
{
    g_autoptr(PlanPolicy) p = policy("default");
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=a");
    Reserved data = { { .buses = 9, .mem = 64 << 20 } };
    PlanGuest guest = { .hotplug_buses = 9, .reserved = reserved, .data = &data };
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanGrowth) g = NULL;

    expect_refusal(m, p, "nic,id=n", "link=express", &guest,
                   "no place in the running machine|link=express|a switch behind port 'a'|20 bus "
                   "numbers|has reserved 9|hpbussize");
    data.r.buses = 1;
    expect_refusal(m, p, "nic,id=n", "", &guest, "kept free|requires|has reserved 1");
    data.r.buses = 9;
    g = try_add(m, p, "nic,id=n", "hotplug=any", &guest, &err);
    g_assert_null(g); /* the bridge of this catalogue has no hot-plug controller */
    tc_sentence(err);
}

static void test_dry(void)
{
    g_autoptr(PlanPolicy) p = policy("hotplug");
    g_autoptr(PlanMachine) m = TC_RESOLVED("nic,id=x");
    g_autofree char *before = plan_to_text(m, &tc_catalog, false), *after = NULL;
    g_autoptr(PlanDevice) d = plan_device_parse("nic,id=n,vectors=7", NULL);
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanGrowth) g = plan_grow(m, &tc_catalog, p, d, NULL, NULL, &err);
    struct json_object *o;

    g_assert_no_error(err);
    after = plan_to_text(m, &tc_catalog, false);
    g_assert_cmpstr(before, ==, after);
    g_assert_cmpuint(plan_growth_count(g), ==, 3);
    for (unsigned i = 0; i < plan_growth_count(g); i++) {
        PlanDevice *copy = plan_growth_copy(g, i);

        plan_add_device(m, &tc_catalog, copy, false, &err);
        g_assert_no_error(err);
    }
    g_assert_cmpstr(place_of(m, "n"), ==, "rp1/00.0");
    g_assert_cmpuint(plan_device_get(plan_find_device(m, "n"), "vectors")->u, ==, 7);
    o = plan_growth_to_json(g);
    g_assert_cmpuint(json_object_array_length(json_object_object_get(o, "controllers")), ==, 2);
    json_object_put(o);
}

/* --- refusals --- */

static void test_refusals(void)
{
    g_autoptr(PlanPolicy) p = policy("default");
    g_autoptr(PlanPolicy) fixed =
        policy("{\"backplane-policy\":1,\"devices\":[{\"hotplug\":\"required\"}]}");
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=rp");

    expect_refusal(m, p, "old", "link=express", NULL, "link=express|conventional one");
    expect_refusal(m, p, "disk,drive=d", "link=conventional", NULL, "link=conventional|Express");
    expect_refusal(m, p, "nic", "near=nowhere", NULL, "near='nowhere'|no such device");
    {
        g_autoptr(PlanDevice) d = plan_device_parse("nic,bus=auto", NULL);
        g_autoptr(GError) err = NULL;

        g_assert_false(plan_add_device(m, &tc_catalog, d, false, &err));
        g_assert_nonnull(strstr(err->message, "bus=auto requires a placement policy"));
    }
    expect_refusal(m, p, "nic,bus=nothing", "", NULL, "no bus 'nothing'");
    expect_refusal(m, p, "nic,bar-size=64G", "", NULL,
                   "64-bit memory window|which has 16G|largest users");
    expect_place(m, fixed, "nic,bus=rp", "", "rp/00.0");
    expect_refusal(m, fixed, "nic,id=last", "", NULL,
                   "device 'last'|satisfies hotplug=required|1 bus is full|permits no growth");
    expect_refusal(m, fixed, "nic,bus=rp", "", NULL, "'rp' has one slot");
}

static void test_full(void)
{
    g_autoptr(PlanPolicy) p = policy("hotplug");
    g_autoptr(PlanMachine) m = TC_RESOLVED(NULL);
    g_autoptr(GError) err = NULL;
    unsigned n = 0;

    for (; n < 300; n++) {
        g_autoptr(PlanGrowth) g = try_add(m, p, "nic", "", NULL, &err);

        if (!g) {
            break;
        }
    }
    tc_sentence(err);
    g_test_message("%s (%u)", err->message, n);
    g_assert_nonnull(strstr(err->message, "bus numbers"));
    g_assert_cmpuint(n, >=, 250);
    g_assert_cmpuint(plan_free_ports(m->index), ==, 1);
}

static void test_strict(void)
{
    g_autoptr(PlanPolicy) p =
        policy("{\"backplane-policy\":1,\"base\":\"static\",\"strict\":[\"io\",\"msi\"]}");
    g_autoptr(PlanMachine) m = TC_RESOLVED(NULL);
    g_autoptr(GError) err = NULL;

    for (unsigned i = 0; i < 20; i++) {
        g_free(grow_place(m, p, "nic,vectors=6", ""));
    }
    g_assert_true(plan_check_space(m, p, &err));
    expect_refusal(m, p, "nic,id=big,vectors=200", "", NULL,
                   "320 of interrupt messages, which has 255|device 'big'");
    expect_refusal(m, p, "hungry", "", NULL, "I/O window|which has 64K|'hungry'");
}

/* --- questions --- */

static void test_fit(void)
{
    g_autoptr(PlanPolicy) p = policy("default");
    g_autoptr(PlanMachine) m = TC_RESOLVED(NULL);
    PlanDevice *list[] = { plan_device_parse("nic,id=a", NULL),
                           plan_device_parse("nic,id=b,bar-size=64G", NULL),
                           plan_device_parse("nic,id=c", NULL) };
    g_autofree char *before = plan_to_text(m, &tc_catalog, false), *after = NULL;
    struct json_object *o = plan_fit(m, &tc_catalog, p, list, NULL, G_N_ELEMENTS(list), NULL, NULL);
    static const bool fits[] = { true, false, true };

    for (size_t i = 0; i < G_N_ELEMENTS(list); i++) {
        struct json_object *e = json_object_array_get_idx(o, i);

        g_assert_true(json_object_get_boolean(json_object_object_get(e, "fits")) == fits[i]);
        g_assert_true(!json_object_object_get(e, "reason") == fits[i]);
        plan_device_free(list[i]);
    }
    after = plan_to_text(m, &tc_catalog, false);
    g_assert_cmpstr(before, ==, after);
    json_object_put(o);
}

static bool has_pair(struct json_object *list, const char *key, const char *value,
                     const char *other, const char *expected)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *e = json_object_array_get_idx(list, i);

        if (strcmp(json_object_get_string(json_object_object_get(e, key)), value) == 0) {
            return strcmp(json_object_get_string(json_object_object_get(e, other)), expected) == 0;
        }
    }
    return false;
}

static void expect_explained(const PlanMachine *m, const PlanPolicy *p, const char *id,
                             const char *rule, const char *wanted, const char *bus,
                             const char *reason)
{
    g_autoptr(GError) err = NULL;
    struct json_object *o = plan_explain_policy(m, &tc_catalog, p, id, NULL, &err);

    g_assert_no_error(err);
    g_assert_true(has_pair(json_object_object_get(o, "rules"), "rule", rule, "value", wanted));
    g_assert_true(has_pair(json_object_object_get(o, "rules"), "rule", rule, "satisfied", "true"));
    g_assert_true(has_pair(json_object_object_get(o, "rejected"), "bus", bus, "reason", reason));
    json_object_put(o);
}

static void test_explain(void)
{
    g_autoptr(PlanPolicy) p = policy("default");
    g_autoptr(PlanMachine) m = TC_RESOLVED(NULL);
    g_free(grow_place(m, p, "nic,id=nic0", ""));
    g_free(grow_place(m, p, "old,id=old0", "link=conventional"));
    g_free(grow_place(m, p, "serial-pci,id=s0", ""));

    expect_explained(m, p, "nic0", "hotplug", "required", "pcie.0", "no-hotplug");
    expect_explained(m, p, "nic0", "hotplug", "required", "rp3", "spare-port");
    expect_explained(m, p, "old0", "hotplug", "any", "rp1", "full");
    expect_explained(m, p, "s0", "link", "either", "br1", "farther");
}

static void test_parameters(void)
{
    g_autoptr(PlanPolicy) plain = policy("default");
    g_autoptr(PlanPolicy) p = policy("{\"backplane-policy\":1,\"base\":\"default\",\"reserve\":{"
                                     "\"buses\":12,\"mem\":\"64M\",\"pref64\":\"1G\"}}");
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=rp");
    g_autofree char *none = plan_kernel_parameters(m, plain), *some = plan_kernel_parameters(m, p);

    g_assert_cmpstr(none, ==, "");
    g_assert_cmpstr(some, ==, "pci=hpbussize=12,hpmmiosize=64M,hpmmioprefsize=1024M");
    for (unsigned i = 0; i < 19; i++) {
        g_free(grow_place(m, p, "nic", ""));
    }
    /* 21 ports with 12 bus numbers each are 252; one more does not fit. */
    g_free(grow_place(m, p, "nic", ""));

    expect_refusal(m, p, "nic", "", NULL, "reserved behind each hot-plug port");
}

/* --- policies as data --- */

static void test_policies(void)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        { "[]", "must be an object" },
        { "{}", "backplane-policy: must be 1" },
        { "{\"backplane-policy\":1,\"x\":1}", "x: unknown key" },
        { "{\"backplane-policy\":1,\"base\":\"none\"}", "no policy 'none'" },
        { "{\"backplane-policy\":1,\"spare-ports\":-1}", "spare-ports: must be an integer" },
        { "{\"backplane-policy\":1,\"growth\":[\"moon\"]}", "growth: must be one of root-port" },
        { "{\"backplane-policy\":1,\"growth\":[\"switch\",\"switch\"]}", "twice" },
        { "{\"backplane-policy\":1,\"reserve\":{\"buses\":900}}", "reserve.buses: must be" },
        { "{\"backplane-policy\":1,\"reserve\":{\"mem\":\"x\"}}", "reserve.mem: " },
        { "{\"backplane-policy\":1,\"types\":{\"hub\":\"x\"}}", "types: there is no key 'hub'" },
        { "{\"backplane-policy\":1,\"devices\":[{},{\"hotplug\":\"maybe\"}]}",
          "devices[1]: hotplug='maybe'" },
        { "{\"backplane-policy\":1,\"devices\":[{\"class\":\"gpu\"}]}", "devices[0]: class must" },
        { "{\"backplane-policy\":1,\"strict\":[\"cpu\"]}", "strict: must be one of io" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_null(plan_policy_from_text(bad[i].text, strlen(bad[i].text), &err));
        tc_sentence(err);
        if (!strstr(err->message, bad[i].words)) {
            g_error("'%s' is not in: %s", bad[i].words, err->message);
        }
    }
    for (size_t i = 0; plan_policy_name(i); i++) {
        g_autoptr(PlanPolicy) p = policy(plan_policy_name(i));
        struct json_object *o = plan_policy_to_json(p);
        g_autoptr(PlanPolicy) again = policy(json_object_to_json_string(o));
        struct json_object *two = plan_policy_to_json(again);

        g_assert_true(json_object_equal(o, two));
        json_object_put(two);
        json_object_put(o);
    }
    g_assert_null(plan_policy_load("nothing", NULL));
    g_assert_null(plan_policy_load("./nothing.json", NULL));
}

static void test_prefs_text(void)
{
    static const char *const bad[] = { "hotplug=no", "numa=-1", "numa=128", "at=20",
                                       "at=1.0",     "near=",   "x=1",      "slot=half" };
    PlanPrefs p;

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;

        g_assert_false(plan_prefs_parse(&p, bad[i], &err));
        tc_sentence(err);
        plan_prefs_clear(&p);
    }
    g_assert_true(plan_prefs_parse(&p, "near=a,near=b,numa=any,at=1f", NULL));
    g_assert_cmpstr(p.near, ==, "b");
    g_assert_cmpint(p.slot, ==, 31);
    plan_prefs_clear(&p);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plan/grow/root-ports", test_root_ports);
    g_test_add_func("/plan/grow/resolve", test_resolve);
    g_test_add_func("/plan/grow/same", test_same);
    g_test_add_func("/plan/grow/switch-options", test_switch_options);
    g_test_add_func("/plan/grow/switch", test_switch);
    g_test_add_func("/plan/grow/bridges", test_bridges);
    g_test_add_func("/plan/grow/numa", test_numa);
    g_test_add_func("/plan/grow/preferences", test_preferences);
    g_test_add_func("/plan/grow/own-line", test_own_line);
    g_test_add_func("/plan/grow/running-leaves", test_running_leaves);
    g_test_add_func("/plan/grow/running-deep", test_running_deep);
    g_test_add_func("/plan/grow/running", test_running);
    g_test_add_func("/plan/grow/running-bridge", test_running_bridge);
    g_test_add_func("/plan/grow/dry", test_dry);
    g_test_add_func("/plan/grow/refusals", test_refusals);
    g_test_add_func("/plan/grow/full", test_full);
    g_test_add_func("/plan/grow/strict", test_strict);
    g_test_add_func("/plan/grow/fit", test_fit);
    g_test_add_func("/plan/grow/explain", test_explain);
    g_test_add_func("/plan/grow/parameters", test_parameters);
    g_test_add_func("/plan/policy/json", test_policies);
    g_test_add_func("/plan/policy/prefs", test_prefs_text);
    return g_test_run();
}
