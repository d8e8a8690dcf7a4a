/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Capabilities, parameters and query-migrate: names, limits, rejection by name.
 */
#include "fixture.h"
#include "tests/lib/ok.h"

static struct json_object *parse(const char *text)
{
    struct json_object *o = json_tokener_parse(text);

    g_assert_nonnull(o);
    return o;
}

static void set(Box *b, const char *text, const char *why)
{
    struct json_object *o = parse(text);
    g_autoptr(GError) err = NULL;
    bool ok = migration_set_parameters(b->mig, o, &err);

    json_object_put(o);
    if (why) {
        g_assert_false(ok);
        g_assert_nonnull(strstr(err->message, why));
    } else {
        g_assert_no_error(err);
        g_assert_true(ok);
    }
}

static int64_t parameter(Box *b, const char *name)
{
    struct json_object *o = migration_query_parameters(b->mig);
    int64_t v = json_object_get_int64(json_object_object_get(o, name));

    json_object_put(o);
    return v;
}

static void test_parameters(void)
{
    Box *b = box_new(NULL);

    g_assert_cmpint(parameter(b, "downtime-limit"), ==, 300);
    g_assert_cmpint(parameter(b, "max-bandwidth"), ==, 134217728);
    set(b, "{\"downtime-limit\": 20, \"max-bandwidth\": 0}", NULL);
    g_assert_cmpint(parameter(b, "downtime-limit"), ==, 20);
    g_assert_cmpint(parameter(b, "max-bandwidth"), ==, 0);
    set(b, "{\"downtime-limit\": 5, \"max-cpu-throttle\": 100}", "max-cpu-throttle");
    g_assert_cmpint(parameter(b, "downtime-limit"), ==, 20); /* all or none */
    set(b, "{\"downtime-limit\": -1}", "from 0 to 2000000, not -1");
    set(b, "{\"downtime-limit\": \"5\"}", "downtime-limit");
    set(b, "{\"tls-creds\": \"x\"}", "'tls-creds' does not exist");
    box_free(b);
}

static void test_capabilities(void)
{
    Box *b = box_new(NULL);
    struct json_object *list;
    g_autoptr(GError) err = NULL;

    ASSERT_OK(migration_set_capability(b->mig, "auto-converge", true, &failure));
    g_assert_false(migration_set_capability(b->mig, "xbzrle", true, &err));
    g_assert_nonnull(strstr(err->message, "'xbzrle'"));
    g_assert_nonnull(strstr(err->message, "pause-before-switchover"));
    list = migration_query_capabilities(b->mig);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *o = json_object_array_get_idx(list, i);
        const char *name = json_object_get_string(json_object_object_get(o, "capability"));

        g_assert_true(json_object_get_boolean(json_object_object_get(o, "state")) ==
                      g_str_equal(name, "auto-converge"));
    }
    json_object_put(list);
    box_free(b);
}

static void test_query(void)
{
    g_autofree char *path = temp_path("q"), *uri = g_strdup_printf("file:%s", path);
    static const char *const ram_keys[] = { "transferred",   "remaining",        "total",
                                            "duplicate",     "skipped",          "normal",
                                            "normal-bytes",  "dirty-pages-rate", "mbps",
                                            "page-size",     "dirty-sync-count", "multifd-bytes",
                                            "precopy-bytes", "pages-per-second" };
    Box *b = box_new(NULL);
    struct json_object *o = migration_query(b->mig), *ram;

    g_assert_cmpint(json_object_object_length(o), ==, 0);
    json_object_put(o);
    ASSERT_OK(migration_start(b->mig, uri, &failure));
    wait_status(b, "completed", "failed");
    o = migration_query(b->mig);
    g_assert_cmpstr(json_object_get_string(json_object_object_get(o, "status")), ==, "completed");
    g_assert_true(json_object_object_get_ex(o, "downtime", NULL));
    g_assert_true(json_object_object_get_ex(o, "ram", &ram));
    for (unsigned i = 0; i < G_N_ELEMENTS(ram_keys); i++) {
        g_assert_true(json_object_object_get_ex(ram, ram_keys[i], NULL));
    }
    g_assert_cmpint(json_object_get_int64(json_object_object_get(ram, "duplicate")), ==, 256);
    json_object_put(o);
    box_free(b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/migration/query/parameters", test_parameters);
    g_test_add_func("/migration/query/capabilities", test_capabilities);
    g_test_add_func("/migration/query/query", test_query);
    return g_test_run();
}
