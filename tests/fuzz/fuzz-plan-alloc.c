/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Texts of addresses and ranges of every address type, and operations on a set, one per line:
 * "+RANGE" adds a pool, "-N" removes one, "OWNER RANGE" reserves, "!OWNER" releases.
 */
#include <stdlib.h>
#include <string.h>

#include "plan/address_types.h"
#include "tests/fuzz/fuzz-plan.h"

/* The text of what was parsed is parsed to the same. */
static void check_text(const PlanAddrType *t, const char *text)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *once = NULL, *twice = NULL;
    PlanAddrRange range;
    uint64_t addr, again;

    if (plan_range_parse(t, text, &range, &err)) {
        once = plan_range_format(t, &range);
        g_assert_true(plan_range_parse(t, once, &range, NULL));
        twice = plan_range_format(t, &range);
        g_assert_cmpstr(once, ==, twice);
    } else {
        tc_sentence(err);
    }
    if (plan_address_parse(t, text, &addr, NULL)) {
        g_autofree char *canonical = plan_address_format(t, addr);

        g_assert_true(plan_address_parse(t, canonical, &again, NULL));
        g_assert_cmpuint(addr, ==, again);
    }
}

static void run_line(PlanAlloc *a, unsigned i, const char *line)
{
    const PlanAddrType *t = plan_alloc_type(a);
    const char *blank = strchr(line, ' ');
    g_autofree char *owner = g_strndup(line, blank ? (size_t)(blank - line) : strlen(line));
    g_autoptr(GError) err = NULL;
    PlanRequest r;
    bool ok;

    plan_request_init(&r, t);
    r.views = 1 + i % 3;
    r.options = i % 4 == 3 ? PLAN_RESERVE_GROUP : 0;
    if (*line == '+') {
        ok = plan_range_parse(t, line + 1, &r.range, &err) &&
             plan_alloc_add_pool(a, &r.range, r.views, i, NULL, &err);
    } else if (*line == '-') {
        ok = plan_alloc_remove_pool(a, (uint32_t)strtoul(line + 1, NULL, 10), &err);
    } else if (*line == '!') {
        ok = plan_alloc_release(a, line + 1, r.views, NULL, &err);
    } else {
        ok = plan_range_parse(t, blank ? blank + 1 : "", &r.range, &err) &&
             plan_alloc_reserve(a, &r, owner, NULL, &err);
    }
    if (!ok) {
        tc_sentence(err);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_auto(GStrv) lines = g_strsplit(text, "\n", 32);
    const PlanAddrType *t = plan_address_type(plan_address_type_name(size % 8));
    g_autoptr(PlanAlloc) a = plan_alloc_new(t, PLAN_BOTH, NULL, 0, NULL);

    for (unsigned i = 0; lines[i]; i++) {
        for (size_t k = 0; plan_address_type_name(k); k++) {
            check_text(plan_address_type(plan_address_type_name(k)), lines[i]);
        }
        if (i == 4) {
            plan_alloc_begin(a, NULL);
        }
        run_line(a, i, lines[i]);
    }
    plan_alloc_rollback(a, NULL);
    return 0;
}
