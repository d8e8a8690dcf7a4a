/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hand-over record: the first side that claims the guest owns it, and later claims return the
 * same result.
 */
#include "migration/handover_internal.h"

#include <glib/gstdio.h>
#include <string.h>
#include "tests/lib/ok.h"

static char *folder;

static unsigned count(void)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    unsigned n = 0;

    while (g_dir_read_name(dir)) {
        n++;
    }
    g_dir_close(dir);
    return n;
}

static bool there(const char *token, const char *step)
{
    g_autofree char *path = g_strdup_printf("%s/%s.%s", folder, token, step);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void given(char token[HANDOVER_TOKEN + 1])
{
    ASSERT_OK(handover_offer(folder, token, &failure));
    g_assert_true(handover_token_ok(token));
    g_assert_true(handover_is_offered(folder, token));
    ASSERT_OK(handover_give(folder, token, &failure));
    g_assert_false(handover_is_offered(folder, token));
    g_assert_true(there(token, "given"));
}

static void test_claim(void)
{
    for (int target_first = 0; target_first < 2; target_first++) {
        char token[HANDOVER_TOKEN + 1];
        bool first = target_first;

        given(token);
        for (int again = 0; again < 2; again++) {
            g_assert_cmpint(handover_claim(folder, token, first, NULL), ==, HANDOVER_MINE);
            g_assert_cmpint(handover_claim(folder, token, !first, NULL), ==, HANDOVER_THEIRS);
        }
        g_assert_true(there(token, first ? "target" : "source"));
        g_assert_cmpuint(count(), ==, 1);
        handover_forget(folder, token);
        g_assert_cmpuint(count(), ==, 0);
    }
}

typedef struct Race {
    const char *token;
    bool target;
    HandoverClaim got;
} Race;

static gpointer race(gpointer opaque)
{
    Race *r = opaque;

    r->got = handover_claim(folder, r->token, r->target, NULL);
    return NULL;
}

static void test_race(void)
{
    for (int i = 0; i < 200; i++) {
        char token[HANDOVER_TOKEN + 1];
        Race a = { token, false, HANDOVER_UNKNOWN }, b = { token, true, HANDOVER_UNKNOWN };
        GThread *t;

        given(token);
        t = g_thread_new("race", race, &a);
        race(&b);
        g_thread_join(t);
        g_assert_cmpint(a.got, !=, b.got);
        g_assert_true(a.got == HANDOVER_MINE || b.got == HANDOVER_MINE);
        handover_forget(folder, token);
    }
}

/* A guest that was not handed over, or whose record was settled and removed, is claimed by no
 * side. */
static void test_unknown(void)
{
    char token[HANDOVER_TOKEN + 1];
    g_autoptr(GError) err = NULL;

    ASSERT_OK(handover_offer(folder, token, &failure));
    g_assert_cmpint(handover_claim(folder, token, true, &err), ==, HANDOVER_UNKNOWN);
    g_assert_nonnull(strstr(err->message, folder));
    g_clear_error(&err);
    g_assert_true(handover_is_offered(folder, token));
    handover_forget(folder, token);
    g_assert_false(handover_give(folder, token, &err));
    g_clear_error(&err);
    g_assert_cmpint(handover_claim(folder, token, true, &err), ==, HANDOVER_UNKNOWN);
    g_clear_error(&err);
    g_assert_false(handover_offer("/nowhere/at/all", token, &err));
    g_assert_nonnull(strstr(err->message, "/nowhere/at/all"));
    g_assert_cmpuint(count(), ==, 0);
}

static void test_token(void)
{
    g_assert_true(handover_token_ok("0123456789abcdef0123456789abcdef"));
    g_assert_false(handover_token_ok("0123456789abcdef0123456789abcdeF"));
    g_assert_false(handover_token_ok("0123456789abcdef0123456789abcdef0"));
    g_assert_false(handover_token_ok("../../../../../../../../etc/passw"));
    g_assert_false(handover_token_ok(""));
}

int main(int argc, char **argv)
{
    int rc;

    g_test_init(&argc, &argv, NULL);
    folder = g_dir_make_tmp("backplane-handover-XXXXXX", NULL);
    g_test_add_func("/migration/handover/claim", test_claim);
    g_test_add_func("/migration/handover/race", test_race);
    g_test_add_func("/migration/handover/unknown", test_unknown);
    g_test_add_func("/migration/handover/token", test_token);
    rc = g_test_run();
    g_rmdir(folder);
    g_free(folder);
    return rc;
}
