/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of host objects: ids, properties from text and JSON, users, help.
 */
#include "host-objects.h"
#include "tests/lib/ok.h"

static void note(void *opaque, HostObject *o)
{
    g_string_append_printf(opaque, "%s ", o->id);
}

static void test_list(void)
{
    Machine *m = machine_with_lock();
    GString *seen = g_string_new(NULL);
    HostObject *a = object(m, "secret,id=a,data=x"), *b = object(m, "rng-builtin,id=b");

    g_assert_true(host_object_find(m, "a") == a);
    g_assert_true(host_object_find(m, "b") == b);
    g_assert_null(host_object_find(m, "c"));
    host_object_foreach(m, note, seen);
    g_assert_cmpstr(seen->str, ==, "a b ");
    refused(m, "secret,id=a,data=y", "object 'a' exists already");
    ASSERT_OK(host_object_del(m, "a", &failure));
    g_assert_null(host_object_find(m, "a"));
    object(m, "secret,id=a,data=z");
    g_string_free(seen, TRUE);
    machine_end(m);
}

static void test_refusals(void)
{
    Machine *m = machine_with_lock();

    refused(m, "secret,data=x", "an object requires qom-type and id");
    refused(m, "qom-type=nope,id=a", "object type 'nope' is unknown; use one of iothread, memory-");
    refused(m, "rng-builtin,id=a,rate=3",
            "object 'a': rng-builtin has no property 'rate'; -object rng-builtin,help lists them");
    refused(m, "memory-backend-ram,id=a", "object 'a': memory-backend-ram requires size=");
    refused(m, "memory-backend-ram,id=a,size=lots", "use a size in bytes");
    refused(m, "memory-backend-ram,id=a,size=1M,share=perhaps", "on or off");
    g_assert_null(host_object_find(m, "a"));
    machine_end(m);
}

/* QMP passes numbers and booleans where options have text. */
static void test_json(void)
{
    Machine *m = machine_with_lock();
    HostObject *o =
        object(m, "{\"qom-type\":\"memory-backend-memfd\",\"id\":\"m\",\"size\":4194304,"
                  "\"share\":false,\"prealloc\":true}");
    g_autofree char *share = host_object_prop_text(o, "share");
    g_autofree char *seal = host_object_prop_text(o, "seal");

    g_assert_cmpuint(host_memory_size(o), ==, 4 << 20);
    g_assert_cmpstr(share, ==, "off");
    g_assert_cmpstr(seal, ==, "on");
    g_assert_true(host_memory_source(o)->prealloc);
    g_assert_null(host_object_prop_text(o, "nothing"));
    machine_end(m);
}

static void test_users(void)
{
    Machine *m = machine_with_lock();
    HostObject *o = object(m, "rng-builtin,id=r");
    g_autoptr(GError) err = NULL, none = NULL;

    host_object_use(o, "rng0");
    host_object_use(o, "rng1");
    g_assert_false(host_object_del(m, "r", &err));
    g_assert_cmpstr(err->message, ==, "object 'r' is in use by 'rng0', 'rng1'");
    host_object_unuse(o, "rng0");
    host_object_unuse(o, "stranger");
    g_assert_false(host_object_del(m, "r", NULL));
    host_object_unuse(o, "rng1");
    ASSERT_OK(host_object_del(m, "r", &failure));
    g_assert_false(host_object_del(m, "r", &none));
    g_assert_cmpstr(none->message, ==, "there is no object named 'r'");
    machine_end(m);
}

static void test_help(void)
{
    g_autofree char *all = host_object_help();

    for (size_t i = 0; host_object_kinds[i]; i++) {
        const HostObjectKind *k = host_object_kinds[i];
        g_autofree char *text = host_object_kind_help(k->name, NULL);

        g_assert_nonnull(strstr(all, k->name));
        for (size_t p = 0; p < k->n_props; p++) {
            g_assert_nonnull(strstr(text, k->props[p].name));
            g_assert_nonnull(k->props[p].doc);
        }
        g_assert_true(i == 0 || strcmp(host_object_kinds[i - 1]->name, k->name) < 0);
    }
    g_assert_null(host_object_kind_help("nope", NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/host-object/list", test_list);
    g_test_add_func("/host-object/refusals", test_refusals);
    g_test_add_func("/host-object/json", test_json);
    g_test_add_func("/host-object/users", test_users);
    g_test_add_func("/host-object/help", test_help);
    return g_test_run();
}
