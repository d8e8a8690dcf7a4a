/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU time of operations on the address allocator at several fill levels. Each measurement has 10^6
 * operations: half of them release a random owner, half reserve an address again.
 *
 * usage: bench-alloc
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "plan/address_types.h"

enum { DOMAINS = 16, SPACE = DOMAINS << 16, OPERATIONS = 1000000 };

typedef struct Bench {
    PlanAlloc *a;
    char (*names)[16];
    unsigned n;
    uint64_t random;
} Bench;

static double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static unsigned pick(Bench *b, unsigned n)
{
    b->random ^= b->random << 13;
    b->random ^= b->random >> 7;
    b->random ^= b->random << 17;
    return (unsigned)(b->random >> 33) % n;
}

/* Fill a set at random places to @percent. */
static void fill(Bench *b, unsigned views, unsigned percent)
{
    const PlanAddrType *t = plan_address_type("pci");
    PlanAddrRange range;
    PlanRequest r;
    unsigned want = (unsigned)((uint64_t)SPACE * percent / 100);

    b->a = plan_alloc_new(t, views, NULL, 0, NULL);
    plan_range_all(t, &range);
    range.hi[0] = DOMAINS - 1;
    plan_alloc_add_pool(b->a, &range, views, 0, NULL, NULL);
    plan_request_init(&r, t);
    r.views = views;
    for (b->n = 0; b->n < want;) {
        /* Beyond one half, random places are mostly taken: continue in order. */
        if (b->n < SPACE / 2) {
            plan_request_exactly(&r, t, pick(b, SPACE));
        } else {
            plan_range_all(t, &r.range);
        }
        g_snprintf(b->names[b->n], sizeof(b->names[0]), "dev%u", b->n);
        b->n += plan_alloc_reserve(b->a, &r, b->names[b->n], NULL, NULL);
    }
}

/* Return the CPU time of one operation in nanoseconds. */
static double run(Bench *b, unsigned views, bool any)
{
    const PlanAddrType *t = plan_address_type("pci");
    PlanRequest r;
    double start = cpu_seconds();

    plan_request_init(&r, t);
    r.views = views;
    for (unsigned i = 0; i < OPERATIONS / 2; i++) {
        const char *name = b->names[pick(b, b->n)];
        uint64_t addr = 0;

        plan_alloc_find(b->a, name, &addr, NULL, NULL);
        plan_alloc_release(b->a, name, views, NULL, NULL);
        if (!any) {
            plan_request_exactly(&r, t, addr);
        }
        if (!plan_alloc_reserve(b->a, &r, name, NULL, NULL)) {
            fprintf(stderr, "an address that was released is not free\n");
        }
    }
    return (cpu_seconds() - start) * 1e9 / OPERATIONS;
}

int main(void)
{
    static const unsigned percents[] = { 1, 10, 50, 90, 99 };
    Bench b = { .names = g_malloc0(SPACE * sizeof(*b.names)), .random = 88172645463325252ull };

    printf(
        "| %u PCI addresses, CPU time of an operation, ns | specific | any | specific, two views "
        "| any, two views |\n|---|--:|--:|--:|--:|\n",
        (unsigned)SPACE);
    for (size_t i = 0; i < G_N_ELEMENTS(percents); i++) {
        printf("| %u %% held |", percents[i]);
        for (unsigned views = PLAN_LIVE; views <= PLAN_BOTH; views += PLAN_PERSISTENT) {
            fill(&b, views, percents[i]);
            for (unsigned any = 0; any < 2; any++) {
                printf(" %.0f |", run(&b, views, any));
            }
            plan_alloc_free(b.a);
        }
        printf("\n");
        fflush(stdout);
    }
    g_free(b.names);
    return 0;
}
