/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options in both forms, nesting, and host parts.
 */
#include <json-c/json.h>
#include <string.h>

#include "tests/unit/plan/test-catalog.h"

static void parses(const char *text, const char *implied, bool nest, const char *json)
{
    g_autoptr(GError) err = NULL;
    struct json_object *o = plan_options_parse(text, implied, &err), *nested = NULL;

    g_assert_no_error(err);
    if (nest) {
        nested = plan_options_nest(o, &err);
        g_assert_no_error(err);
    }
    g_assert_cmpstr(json_object_to_json_string_ext(
                        nest ? nested : o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                    ==, json);
    json_object_put(o);
    json_object_put(nested);
}

static void refused(const char *text, bool nest, const char *word)
{
    g_autoptr(GError) err = NULL;
    struct json_object *o = plan_options_parse(text, NULL, &err);

    if (o && nest) {
        g_assert_null(plan_options_nest(o, &err));
    } else {
        g_assert_null(o);
    }
    tc_sentence(err);
    if (!strstr(err->message, word)) {
        g_error("'%s' is not in: %s", word, err->message);
    }
    json_object_put(o);
}

static void test_plain(void)
{
    parses("edu,id=x", "driver", false, "{\"driver\":\"edu\",\"id\":\"x\"}");
    parses("driver=edu,id=x", "driver", false, "{\"driver\":\"edu\",\"id\":\"x\"}");
    parses("a=1,,2,b=,c", NULL, false, "{\"a\":\"1,2\",\"b\":\"\",\"c\":\"on\"}");
    parses("a=1,a=2", NULL, false, "{\"a\":\"2\"}");
    parses("arg=1,arg=2,,3", NULL, false, "{\"arg\":[\"1\",\"2,3\"]}");
    parses("a=x=y", NULL, false, "{\"a\":\"x=y\"}");
    parses("size=256M,", NULL, false, "{\"size\":\"256M\"}");
    parses("a=1,,,b=2", NULL, false, "{\"a\":\"1,\",\"b\":\"2\"}");
    parses("", NULL, false, "{}");
    parses("a,,b", "driver", false, "{\"driver\":\"a,b\"}");
}

static void test_json(void)
{
    parses("{'driver': 'edu', \"n\": 3}", "driver", false, "{\"driver\":\"edu\",\"n\":3}");
    parses("{\"a\": {\"b\": [1, 2]}} ", NULL, false, "{\"a\":{\"b\":[1,2]}}");
}

static void test_nested(void)
{
    parses("driver=qcow2,file.driver=file,file.filename=x.y", NULL, true,
           "{\"driver\":\"qcow2\",\"file\":{\"driver\":\"file\",\"filename\":\"x.y\"}}");
    parses("h.1=b,h.0=a,m.0.x=1", NULL, true, "{\"h\":[\"a\",\"b\"],\"m\":[{\"x\":\"1\"}]}");
    parses("0=a,1=b", NULL, true, "{\"0\":\"a\",\"1\":\"b\"}");
    parses("a.0=x,a.2=y", NULL, true, "{\"a\":{\"0\":\"x\",\"2\":\"y\"}}");
}

static void test_bad(void)
{
    g_autofree char *key = g_strnfill(300, 'k'), *deep = NULL, *big = NULL;
    GString *dots = g_string_new("a");

    refused("=1", false, "invalid name");
    refused(key, false, "invalid name");
    refused("a=\xff", false, "UTF-8");
    refused("\xff=a", false, "UTF-8");
    refused("{'a': 1", false, "JSON");
    refused("{'a': '\xff'}", false, "JSON");
    refused("{'a': 1} trailing", false, "more text follows");
    refused("a=1,a.b=2", true, "both as a value and as a group");
    refused("a.b=1,a=2", true, "both as a value and as a group");
    refused("a..b=1", true, "empty part");
    for (int i = 0; i < 20; i++) {
        g_string_append(dots, ".a");
    }
    g_string_append(dots, "=1");
    refused(dots->str, true, "nested 21 deep");
    g_string_free(dots, TRUE);
    deep = g_strdup_printf("{'a':%.*s", 100, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");
    refused(deep, false, "JSON");
    big = g_strnfill((2 << 20), 'x');
    refused(big, false, "longer than");
}

static void test_parts(void)
{
    static const struct {
        const char *kind, *text, *id, *key, *value;
    } rows[] = {
        { "blockdev", "file,node-name=f0,filename=/a.b", "f0", "driver", "file" },
        { "blockdev", "{'driver': 'null-co', 'node-name': 'n'}", "n", "driver", "null-co" },
        { "drive", "if=none,id=d0,file=null-co://,file.read-zeroes=on", NULL, NULL, NULL },
        { "drive", "if=none,id=d0,format=raw", "d0", "format", "raw" },
        { "netdev", "user,id=n0,hostfwd=tcp::1-:2", "n0", "type", "user" },
        { "chardev", "socket,id=c0,path=/x", "c0", "backend", "socket" },
        { "object", "memory-backend-ram,id=m,size=16", "m", "qom-type", "memory-backend-ram" },
        { "object", "rng-random,filename=/dev/x", NULL, NULL, NULL },
        { "netdev", "{'id': 5}", NULL, NULL, NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) err = NULL;
        PlanHostPart *part = plan_host_part_parse(rows[i].kind, rows[i].text, &err);
        struct json_object *value;

        if (!rows[i].id) {
            g_assert_null(part);
            tc_sentence(err);
            continue;
        }
        g_assert_no_error(err);
        g_assert_cmpstr(part->id, ==, rows[i].id);
        g_assert_cmpstr(part->kind, ==, rows[i].kind);
        g_assert_true(json_object_object_get_ex(part->options, rows[i].key, &value));
        g_assert_cmpstr(json_object_get_string(value), ==, rows[i].value);
        plan_host_part_free(part);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/options/plain", test_plain);
    g_test_add_func("/options/json", test_json);
    g_test_add_func("/options/nested", test_nested);
    g_test_add_func("/options/bad", test_bad);
    g_test_add_func("/options/parts", test_parts);
    return g_test_run();
}
