/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of refusals in docs/plan-library.md: in a set with the pool of a row, whose second
 * address is held by 'a', the third address is refused with the message of the row.
 */
#include <string.h>

#include "plan/address_types.h"
#include "plan/description.h"

enum { TYPE, POOL, HELD, REFUSED, MESSAGE, COLUMNS };

/* Return the message with which an address is refused; g_free(). */
static char *refusal(char **cell)
{
    const PlanAddrType *type = plan_address_type(cell[TYPE]);
    g_autoptr(GError) err = NULL;
    g_autoptr(PlanAlloc) a = NULL;
    PlanAddrRange range;
    PlanRequest request;
    uint64_t addr;

    g_assert_nonnull(type);
    a = plan_alloc_new(type, PLAN_LIVE, NULL, 0, &err);
    g_assert_no_error(err);
    plan_range_parse(type, cell[POOL], &range, &err);
    g_assert_no_error(err);
    plan_alloc_add_pool(a, &range, PLAN_LIVE, 0, NULL, &err);
    g_assert_no_error(err);
    plan_address_parse(type, cell[HELD], &addr, &err);
    g_assert_no_error(err);
    plan_request_init(&request, type);
    plan_request_exactly(&request, type, addr);
    plan_alloc_reserve(a, &request, "a", NULL, &err);
    g_assert_no_error(err);
    if (plan_address_parse(type, cell[REFUSED], &addr, &err)) {
        plan_request_exactly(&request, type, addr);
        plan_alloc_reserve(a, &request, "b", NULL, &err);
    }
    g_assert_nonnull(err);
    return g_strdup(err->message);
}

/* Check a row of the table. Return its type, which is borrowed from the library, or NULL for
 * another line. */
static const char *check_line(const char *line)
{
    g_auto(GStrv) part = g_strsplit(line, "|", -1);
    g_autofree char *message = NULL;
    char *cell[COLUMNS];

    if (g_strv_length(part) != COLUMNS + 2) {
        return NULL;
    }
    for (unsigned i = 0; i < COLUMNS; i++) {
        cell[i] = g_strstrip(part[i + 1]);
        if (*cell[i] == '`') {
            cell[i][strlen(cell[i]) - 1] = '\0';
            cell[i]++;
        }
    }
    if (!plan_address_type(cell[TYPE])) {
        return NULL;
    }
    message = refusal(cell);
    g_assert_cmpstr(message, ==, cell[MESSAGE]);
    return plan_address_type(cell[TYPE])->name;
}

static void test_table(void)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    const char *name, *start;

    g_assert_true(g_file_get_contents(SOURCE_ROOT "/docs/plan-library.md", &text, NULL, NULL));
    start = strstr(text, "#### Refusals");
    g_assert_nonnull(start);
    lines = g_strsplit(start, "\n", -1);
    for (char **line = lines; *line && !(line > lines && g_str_has_prefix(*line, "#")); line++) {
        name = check_line(*line);
        if (name) {
            g_hash_table_add(seen, (gpointer)name);
        }
    }
    for (size_t i = 0; (name = plan_address_type_name(i)); i++) {
        g_assert_true(g_hash_table_contains(seen, name)); /* each type has a row */
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/plan/address-table/refusals", test_table);
    return g_test_run();
}
