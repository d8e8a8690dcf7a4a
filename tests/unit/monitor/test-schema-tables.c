/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The schema and the tables of the back ends list the same classes and options. A class or option
 * that is added to one side only fails a test here, and so does a new use of the type any.
 */
#include "block/block.h"
#include "chardev/chardev.h"
#include "hw/core/host_object.h"
#include "monitor/schema.h"
#include "net/net.h"

typedef bool KindAt(size_t i, const char **name, const char *const **keys);

/* host_object_kinds as a KindAt; the keys are those of its properties. */
static bool object_kind(size_t i, const char **name, const char *const **keys)
{
    static const char *names[64];
    const HostObjectKind *kind = host_object_kinds[i];

    if (!kind) {
        return false;
    }
    g_assert_cmpuint(kind->n_props, <, G_N_ELEMENTS(names));
    for (size_t p = 0; p < kind->n_props; p++) {
        g_auto(GStrv) parts = g_strsplit(kind->props[p].name, ".", 2);

        names[p] = g_intern_string(parts[0]); /* a member of a structure */
    }
    names[kind->n_props] = NULL;
    *name = kind->name;
    *keys = names;
    return true;
}

static const struct {
    const char *enumeration, *options; /* options NULL: the schema has another form of options */
    KindAt *at;
} tables[] = {
    { "BlockdevDriver", "BlockdevOptions", block_driver_keys },
    { "NetClientDriver", "Netdev", netdev_kind },
    { "ChardevBackendKind", NULL, chardev_kind },
    { "ObjectType", "ObjectOptions", object_kind },
};

static const QmpType *find_type(const char *name)
{
    for (size_t i = 0; i < qmp_n_types; i++) {
        if (g_str_equal(qmp_types[i]->name, name)) {
            return qmp_types[i];
        }
    }
    g_error("the schema has no type %s", name);
}

static void test_enums(void)
{
    for (size_t t = 0; t < G_N_ELEMENTS(tables); t++) {
        const QmpType *type = find_type(tables[t].enumeration);
        const char *const *keys;
        const char *name;
        size_t n = 0;

        for (; tables[t].at(n, &name, &keys); n++) {
            if (!g_strv_contains(type->values, name)) {
                g_error("%s lacks the value '%s'", type->name, name);
            }
        }
        if (n != g_strv_length((char **)type->values)) {
            g_error("%s has %u values; the table of the back ends has %zu rows", type->name,
                    g_strv_length((char **)type->values), n);
        }
    }
}

static const QmpType *find_variant(const QmpType *type, const char *value)
{
    for (size_t i = 0; i < type->n_variants; i++) {
        if (g_str_equal(type->variants[i].value, value)) {
            return type->variants[i].type;
        }
    }
    g_error("%s has no variant '%s'", type->name, value);
}

static bool has_member(const QmpType *type, const char *name)
{
    for (size_t i = 0; i < type->n_members; i++) {
        if (g_str_equal(type->members[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Every key of the row is a member, and every member of the variant is a key. The common members of
 * a union, such as id and the tag, need not be keys. */
static void check_keys(const QmpType *options, const char *name, const char *const *keys)
{
    const QmpType *variant = find_variant(options, name);

    for (const char *const *key = keys; *key; key++) {
        if (!has_member(variant, *key) && !has_member(options, *key)) {
            g_error("%s lacks '%s' of %s", options->name, *key, name);
        }
    }
    for (size_t i = 0; i < variant->n_members; i++) {
        if (!g_strv_contains(keys, variant->members[i].name)) {
            g_error("%s: '%s' of the schema is not a key of %s", options->name,
                    variant->members[i].name, name);
        }
    }
}

static void test_keys(void)
{
    for (size_t t = 0; t < G_N_ELEMENTS(tables); t++) {
        const char *const *keys;
        const char *name;

        for (size_t i = 0; tables[t].options && tables[t].at(i, &name, &keys); i++) {
            check_keys(find_type(tables[t].options), name, keys);
        }
    }
}

static bool is_any(const QmpType *type)
{
    while (type->meta == QMP_META_ARRAY) {
        type = type->element;
    }
    return type->meta == QMP_META_BUILTIN && type->builtin == QMP_ANY;
}

/* The uses of the type any. docs/reference/qmp.md gives the reason for each. A new use requires a
 * row here, and a reason in the schema. */
static void test_any(void)
{
    static const char *const expected[] = {
        "SchemaInfoObjectMember.default",
        "MachineDescription.guest",
        "MachineDescription.boot",
        "MachineDescription.host",
        "ObjectPropertyValue.value",
        "ObjectPropertyInfo.default-value",
        "Incompatibility.wanted",
        "Incompatibility.have",
        "qom-set-arg.value",
        "result of qom-get",
        NULL,
    };
    size_t n = 0;

    for (size_t t = 0; t < qmp_n_types; t++) {
        for (size_t i = 0; i < qmp_types[t]->n_members; i++) {
            const QmpMember *m = &qmp_types[t]->members[i];
            g_autofree char *where = g_strdup_printf("%s.%s", qmp_types[t]->name, m->name);

            if (is_any(m->type)) {
                g_assert_true(g_strv_contains(expected, where));
                n++;
            }
        }
    }
    for (size_t i = 0; i < qmp_n_commands; i++) {
        g_autofree char *where = g_strdup_printf("result of %s", qmp_commands[i].name);

        if (is_any(qmp_commands[i].returns)) {
            g_assert_true(g_strv_contains(expected, where));
            n++;
        }
    }
    g_assert_cmpuint(n, ==, G_N_ELEMENTS(expected) - 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/monitor/schema-tables/enums", test_enums);
    g_test_add_func("/monitor/schema-tables/keys", test_keys);
    g_test_add_func("/monitor/schema-tables/any", test_any);
    return g_test_run();
}
