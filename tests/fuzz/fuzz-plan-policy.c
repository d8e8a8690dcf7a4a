/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policies and preferences: the first line is a policy in JSON or the name of a built-in one; each
 * further line is "PREFERENCES DEVICE", added to a machine or to a running one.
 */
#include <json-c/json.h>

#include "plan/grow.h"
#include "tests/fuzz/fuzz-plan.h"

static bool fuzz_reserved(const char *port, PlanReserve *r, void *data)
{
    *r = *(const PlanReserve *)data;
    return true;
}

/* The JSON of a policy is read to the same policy. */
static void fuzz_check_policy(const PlanPolicy *p)
{
    struct json_object *o = plan_policy_to_json(p), *two;
    const char *text = json_object_to_json_string(o);
    g_autoptr(PlanPolicy) again = plan_policy_from_text(text, strlen(text), NULL);

    g_assert_nonnull(again);
    two = plan_policy_to_json(again);
    g_assert_true(json_object_equal(o, two));
    json_object_put(two);
    json_object_put(o);
}

static void fuzz_add(PlanMachine *m, const PlanPolicy *p, unsigned i, const char *line)
{
    const char *blank = strchr(line, ' ');
    g_autofree char *wishes = g_strndup(line, blank ? (size_t)(blank - line) : strlen(line));
    PlanReserve reserve = { .buses = i % 12, .mem = (uint64_t)(i % 5) << 20 };
    PlanGuest guest = { .hotplug_buses = i % 3, .reserved = fuzz_reserved, .data = &reserve };
    g_autoptr(GError) err = NULL;
    PlanDevice *d = plan_device_parse(blank ? blank + 1 : "nic", &err);
    PlanPrefs prefs;
    PlanGrowth *g = NULL;

    if (plan_prefs_parse(&prefs, wishes, err ? NULL : &err) && d) {
        g = plan_grow_add(m, &tc_catalog, p, d, &prefs, i % 4 == 3 ? &guest : NULL, &err);
    }
    if (!g) {
        tc_sentence(err);
        plan_device_free(d);
    }
    plan_growth_free(g);
    plan_prefs_clear(&prefs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_auto(GStrv) lines = g_strsplit(text, "\n", 24);
    const char *first = lines[0] ? lines[0] : "";
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanPolicy) p = *first == '{'
                                  ? plan_policy_from_text(first, strlen(first), &err)
                                  : plan_policy_load(strpbrk(first, "/.") ? "" : first, &err);
    g_autoptr(PlanMachine) m = TC_RESOLVED("root-port,id=rp", "bridge,id=b,shpc=on");

    if (!p) {
        tc_sentence(err);
        return 0;
    }
    fuzz_check_policy(p);
    for (unsigned i = 1; lines[0] && lines[i]; i++) {
        fuzz_add(m, p, i, lines[i]);
    }
    fuzz_check_resolve(m);
    return 0;
}
