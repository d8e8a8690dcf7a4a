/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state table of an outgoing migration: complete, every state reachable, and consistent with
 * docs/migration.md.
 */
#include <string.h>

#include "migration/outgoing_state_internal.h"

static void test_rows(void)
{
    for (unsigned i = 0; i < OUTGOING_STATES; i++) {
        const OutgoingStateRow *row = &outgoing_states[i];
        bool final = row->flags & OUTGOING_FINAL;

        g_assert_nonnull(row->name);
        g_assert_cmpint(final, ==, i >= OUTGOING_COMPLETED);
        g_assert_cmpint(final, ==, row->next == 0);
        /* a guest that was handed over cannot be kept by migrate_cancel */
        if (row->guest == OUTGOING_GUEST_GIVEN) {
            g_assert_false(row->flags & OUTGOING_CANCEL);
            g_assert_false(row->next >> OUTGOING_CANCELLING & 1);
        }
        if (row->flags & OUTGOING_CANCEL) {
            g_assert_true(row->next >> OUTGOING_CANCELLING & 1);
        }
        /* until the end every state can fail */
        if (!final && i != OUTGOING_CANCELLING) {
            g_assert_true(row->next >> OUTGOING_FAILED & 1);
        }
        /* a return path is needed to wait for an answer */
        if (row->answer) {
            g_assert_cmpint(row->channel, ==, OUTGOING_CHANNEL_TWO_WAY);
        }
    }
}

static void test_reachable(void)
{
    uint32_t seen = 1u << OUTGOING_CONNECT, before = 0;

    while (seen != before) {
        before = seen;
        for (unsigned i = 0; i < OUTGOING_STATES; i++) {
            seen |= before >> i & 1 ? outgoing_states[i].next : 0;
        }
    }
    g_assert_cmpuint(seen, ==, (1u << OUTGOING_STATES) - 1);
    /* the guest is never handed over before the target has verified everything */
    for (unsigned i = 0; i < OUTGOING_STATES; i++) {
        if (outgoing_states[i].guest != OUTGOING_GUEST_GIVEN && i != OUTGOING_VERIFY) {
            g_assert_false(outgoing_states[i].next >> OUTGOING_HANDED_OVER & 1);
        }
    }
}

/* One row of the documentation for each state: | `name` | status | states that may follow | ... */
static void test_documented(void)
{
    static const char *const paths[] = { "docs/migration.md", "../docs/migration.md" };
    g_autofree char *text = NULL;

    /* the program runs in the source folder or in a build folder below it */
    for (size_t i = 0; i < G_N_ELEMENTS(paths) && !text; i++) {
        g_file_get_contents(paths[i], &text, NULL, NULL);
    }
    if (!text) {
        g_test_skip("docs/migration.md was not found");
        return;
    }
    for (unsigned i = 0; i < OUTGOING_COMPLETED; i++) {
        const OutgoingStateRow *row = &outgoing_states[i];
        g_autoptr(GString) next = g_string_new(NULL);
        g_autofree char *start = g_strdup_printf("\n| `%s` |", row->name), *line = NULL;
        const char *at = strstr(text, start);

        for (unsigned j = 0; j < OUTGOING_STATES; j++) {
            if (row->next >> j & 1 && j != OUTGOING_FAILED && j != OUTGOING_CANCELLING) {
                g_string_append_printf(next, "%s%s", next->len ? ", " : "",
                                       outgoing_states[j].name);
            }
        }
        g_assert_nonnull(at);
        line = g_strndup(at + 1, strcspn(at + 1, "\n"));
        if (!strstr(line, next->str)) {
            g_error("docs/migration.md: state '%s': '%s' may follow, the row is: %s", row->name,
                    next->str, line);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/outgoing-state/rows", test_rows);
    g_test_add_func("/outgoing-state/reachable", test_reachable);
    g_test_add_func("/outgoing-state/documented", test_documented);
    return g_test_run();
}
