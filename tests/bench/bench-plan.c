/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU time of planning with growth: planning a number of devices, adding one more, and reading and
 * writing the description.
 *
 * usage: bench-plan [CATALOG]
 *
 * CATALOG is a file of `-show catalog`; without it, a small catalogue is used. The devices share
 * slots (policy dense), because a machine has 256 bus numbers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plan/catalog_json.h"
#include "plan/grow.h"
#include "tests/unit/plan/test-catalog.h"

enum { BENCH_RUNS = 5, BENCH_ADDS = 100 };

static double cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void fail(const char *what, const GError *err)
{
    fprintf(stderr, "bench-plan: %s: %s\n", what, err->message);
    exit(EXIT_FAILURE);
}

static PlanMachine *devices(const char *type, unsigned n)
{
    PlanMachine *m = plan_machine_new();

    for (unsigned i = 0; i < n; i++) {
        PlanDevice *d = plan_device_new(type);

        d->id = g_strdup_printf("dev%u", i);
        g_ptr_array_add(m->devices, d);
    }
    return m;
}

static PlanMachine *plan_one(const PlanCatalog *c, const PlanPolicy *p, const char *type,
                             unsigned n, double *ms)
{
    PlanMachine *m = devices(type, n);
    GError *err = NULL;
    double start = cpu_ms();

    if (!plan_resolve_policy(m, c, p, &err)) {
        fail("planning", err);
    }
    *ms = cpu_ms() - start;
    return m;
}

/* Return the CPU time of adding one device, in milliseconds. */
static double add_one(PlanMachine *m, const PlanCatalog *c, const PlanPolicy *p, const char *type)
{
    double start = cpu_ms();

    for (unsigned i = 0; i < BENCH_ADDS; i++) {
        PlanDevice *d = plan_device_new(type);
        GError *err = NULL;
        PlanGrowth *g;

        d->id = g_strdup_printf("more%u", i);
        g = plan_grow_add(m, c, p, d, NULL, NULL, &err);
        if (!g) {
            fail("adding", err);
        }
        plan_growth_free(g);
    }
    return (cpu_ms() - start) / BENCH_ADDS;
}

/* Return the CPU time of writing and reading the description, in milliseconds. */
static double text_one(const PlanMachine *m, const PlanCatalog *c)
{
    double start = cpu_ms();
    GError *err = NULL;
    char *text = plan_to_text(m, c, false);
    PlanMachine *again = plan_from_text(text, strlen(text), &err);

    if (!again) {
        fail("reading", err);
    }
    start = cpu_ms() - start;
    plan_machine_free(again);
    g_free(text);
    return start;
}

static void row(const PlanCatalog *c, const PlanPolicy *p, const char *policy, const char *type,
                unsigned n)
{
    double plan = 1e9, add = 1e9, text = 1e9;

    for (unsigned i = 0; i < BENCH_RUNS; i++) {
        double plan_ms, text_ms, add_ms;
        PlanMachine *m = plan_one(c, p, type, n, &plan_ms);

        text_ms = text_one(m, c);
        add_ms = add_one(m, c, p, type);
        plan = MIN(plan, plan_ms);
        text = MIN(text, text_ms);
        add = MIN(add, add_ms);
        plan_machine_free(m);
    }
    printf("| %u %s, policy %s | %.1f | %.1f | %.1f |\n", n, type, policy, plan, add * 1e3, text);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    GError *err = NULL;
    PlanCatalog *loaded = argc > 1 ? plan_catalog_from_file(argv[1], &err) : NULL;
    const PlanCatalog *c = loaded ? loaded : &tc_catalog;
    const char *type = loaded ? "virtio-rng-pci" : "nic";

    if (err) {
        fail("catalogue", err);
    }
    printf(
        "| CPU time, least of %d runs | planning, ms | one more, us | writing and reading, ms |\n"
        "|---|--:|--:|--:|\n",
        BENCH_RUNS);
    for (unsigned n = 100; n <= 10000; n *= 10) {
        PlanPolicy *p = plan_policy_load(n > 100 ? "dense" : "hotplug", &err);

        row(c, p, n > 100 ? "dense" : "hotplug", type, n);
        plan_policy_free(p);
    }
    plan_catalog_free(loaded);
    return EXIT_SUCCESS;
}
