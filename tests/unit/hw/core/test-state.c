/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saved-state tables: round trip, every check, versions, description sizes.
 */
#include "hw/core/state.h"

#include <string.h>

#include "fake-types.h"

typedef struct Inner {
    uint8_t a;
    uint32_t b;
} Inner;

typedef struct Obj {
    uint32_t ranged, masked;
    int32_t temp;
    bool flag;
    uint16_t list[3];
    uint8_t raw[5];
    Inner one, many[2];
    uint32_t added;
    Timer timer;
} Obj;

static const VmField inner_fields[] = { VM_U8(Inner, a), VM_U32(Inner, b) };
static const VmState inner_state = { .name = "inner", .version = 1, .fields = LIST(inner_fields) };

static bool obj_check(void *obj, GError **err)
{
    Obj *o = obj;

    if (o->ranged == 7 && o->flag) {
        g_set_error(err, G_FILE_ERROR, 0, "flag must be off when ranged is 7");
        return false;
    }
    return true;
}

static const VmField obj_fields[] = {
    VM_U32(Obj, ranged, .min = 1, .max = 10),
    VM_U32(Obj, masked, .mask = 0xff00),
    VM_I32(Obj, temp, .min = (uint64_t)-5, .max = 5),
    VM_BOOL(Obj, flag),
    VM_U16_ARRAY(Obj, list),
    VM_BYTES(Obj, raw),
    VM_STRUCT(Obj, one, &inner_state),
    VM_STRUCT_ARRAY(Obj, many, &inner_state),
    VM_TIMER(Obj, timer),
    VM_U32(Obj, added, .since = 2),
};
static const VmState obj_state = {
    .name = "obj", .version = 2, .fields = LIST(obj_fields), .check = obj_check
};

static Obj sample(void)
{
    return (Obj){ .ranged = 3,
                  .masked = 0x1200,
                  .temp = -4,
                  .flag = true,
                  .list = { 1, 2, 65535 },
                  .raw = "abcd",
                  .one = { 9, 0xdeadbeef },
                  .many = { { 1, 2 }, { 3, 4 } },
                  .added = 77,
                  .timer = { .deadline = 12345 } };
}

static GByteArray *save(Obj *o)
{
    GByteArray *out = g_byte_array_new();
    ByteWriter w = { out };

    g_assert_cmpuint(vm_save(&obj_state, o, &w), ==, out->len);
    return out;
}

static bool load(Obj *o, const GByteArray *bytes, unsigned version, char **why)
{
    g_autoptr(GError) err = NULL;
    ByteReader r;
    bool ok;

    reader_init(&r, bytes->data, bytes->len);
    ok = vm_load(&obj_state, o, version, &r, "dev", &err);
    g_assert_true(ok == (err == NULL));
    *why = err ? g_strdup(err->message) : NULL;
    return ok;
}

static void test_round_trip(void)
{
    Obj a = sample(), b = { 0 };
    g_autoptr(GByteArray) bytes = save(&a), again = NULL;
    g_autofree char *why = NULL;

    g_assert_cmpuint(bytes->len, ==, 4 + 4 + 4 + 1 + 6 + 5 + 5 + 10 + 8 + 4);
    g_assert_true(load(&b, bytes, 2, &why));
    g_assert_cmpint(b.timer.loaded, ==, 12345);
    b.timer.deadline = b.timer.loaded;
    again = save(&b);
    g_assert_cmpmem(bytes->data, bytes->len, again->data, again->len);
    g_assert_cmpint(b.temp, ==, -4);
}

/* Each fault: byte offset, new value, and a text that the message must contain. */
static void test_refusals(void)
{
    static const struct {
        unsigned at;
        uint8_t value;
        const char *says;
    } rows[] = {
        { 3, 0, "dev/ranged: the value 0x0 is outside 0x1 to 0xa" },
        { 3, 11, "dev/ranged: the value 0xb is outside 0x1 to 0xa" },
        { 7, 1, "dev/masked: the value 0x1201 has bits outside 0xff00" },
        { 11, 0xfa, "dev/temp: the value -6 is outside -5 to 5" },
        { 8, 0, "dev/temp: the value 16777212 is outside -5 to 5" },
        { 12, 2, "dev/flag: the value 2 is neither 0 nor 1" },
        { 39, 0xff, "dev/timer: the deadline" },
        { 3, 7, "dev: flag must be off when ranged is 7" },
    };
    Obj a = sample();

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) bytes = save(&a);
        g_autofree char *why = NULL;
        Obj b = { 0 };

        bytes->data[rows[i].at] = rows[i].value;
        g_assert_false(load(&b, bytes, 2, &why));
        g_assert_nonnull(strstr(why, rows[i].says));
    }
}

static void test_truncated(void)
{
    Obj a = sample();
    g_autoptr(GByteArray) bytes = save(&a);

    while (bytes->len > 0) {
        g_autofree char *why = NULL;
        Obj b = { 0 };

        g_byte_array_set_size(bytes, bytes->len - 1);
        g_assert_false(load(&b, bytes, 2, &why));
        g_assert_nonnull(strstr(why, "the record ends before this field"));
    }
}

static void test_versions(void)
{
    Obj a = sample(), b = { .added = 5 };
    g_autoptr(GByteArray) bytes = save(&a);
    g_autofree char *why = NULL, *why3 = NULL, *why0 = NULL;

    g_byte_array_set_size(bytes, bytes->len - 4);
    g_assert_true(load(&b, bytes, 1, &why));
    g_assert_cmpuint(b.added, ==, 5);
    g_assert_false(load(&b, bytes, 3, &why3));
    g_assert_false(load(&b, bytes, 0, &why0));
    g_assert_nonnull(strstr(why3, "version 3"));
}

static uint64_t described_bytes(const VmDescription *d)
{
    uint64_t sum = 0;

    for (guint i = 0; i < d->fields->len; i++) {
        const VmFieldInfo *f = &g_array_index(d->fields, VmFieldInfo, i);

        sum += f->size * MAX(f->array_len, 1);
    }
    return sum;
}

static void assert_same_description(const VmDescription *a, const VmDescription *b)
{
    g_assert_cmpuint(a->fields->len, ==, b->fields->len);
    for (guint i = 0; i < a->fields->len; i++) {
        const VmFieldInfo *fa = &g_array_index(a->fields, VmFieldInfo, i);
        const VmFieldInfo *fb = &g_array_index(b->fields, VmFieldInfo, i);

        g_assert_cmpstr(fa->name, ==, fb->name);
        g_assert_cmpstr(fa->type, ==, fb->type);
        g_assert_cmpuint(fa->size, ==, fb->size);
        g_assert_cmpuint(fa->array_len, ==, fb->array_len);
    }
}

static void test_describe(void)
{
    Obj a = sample();
    g_autoptr(GByteArray) bytes = save(&a);
    g_autoptr(VmDescription) d = vm_describe(&obj_state, &a);
    g_autofree char *doc = vm_document(&obj_state);

    g_assert_cmpuint(described_bytes(d), ==, bytes->len);
    g_assert_nonnull(strstr(doc, "ranged"));
    g_assert_nonnull(strstr(doc, "since version 2"));
    g_assert_null(vm_table_check(&obj_state));
}

static bool refuse_late(void *obj, GError **err)
{
    g_set_error(err, G_FILE_ERROR, 0, "derived state does not fit");
    return false;
}

/* The path of a rejected field, at any depth. */
static void test_paths(void)
{
    static const VmState late = { .name = "late", .version = 1, .post_load = refuse_late };
    static const VmField small[] = { VM_U8(Inner, a, .max = 5) };
    static const VmState small_state = { .name = "small", .version = 1, .fields = LIST(small) };
    static const VmField deep[] = { VM_STRUCT_ARRAY(Obj, many, &small_state),
                                    VM_U16_ARRAY(Obj, list, .max = 9), VM_STRUCT(Obj, one, &late) };
    static const VmState deep_state = { .name = "deep", .version = 1, .fields = LIST(deep) };
    static const struct {
        const char *bytes;
        size_t len;
        const char *says;
    } rows[] = {
        { "\1\6", 2, "dev/many[1]/a: the value 0x6 is outside 0x0 to 0x5" },
        { "\1\2\0\1\0\2\0\12", 8, "dev/list[2]: the value 0xa is outside 0x0 to 0x9" },
        { "\1\2\0\1\0", 5, "dev/list[1]: the record ends before this field" },
        { "\1\2\0\1\0\2\0\3", 8, "dev/one: derived state does not fit" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) err = NULL;
        Obj o = { 0 };
        ByteReader r;

        reader_init(&r, rows[i].bytes, rows[i].len);
        g_assert_false(vm_load(&deep_state, &o, 1, &r, "dev", &err));
        g_assert_cmpstr(err->message, ==, rows[i].says);
    }
}

/* --- a register bank --- */

typedef struct Bank {
    uint8_t small;
    uint32_t ctrl, status;
    uint64_t wide;
} Bank;

static const RegDesc bank_regs[] = {
    REG_ROW("id", 0, 4, .reset = 7),
    REG32(Bank, ctrl, 4, .rw = 3, .identity = REG_ALL),
    REG32(Bank, status, 8, .w1c = 0x80, .reset = 0x100, .identity = (uint32_t)~1u),
    REG8(Bank, small, 12),
    REG64(Bank, wide, 16, .rw = UINT64_MAX, .identity = REG_ALL),
};
static const VmField bank_fields[] = { VM_BANK(bank_regs) };
static const VmField list_fields[] = { VM_U32(Bank, ctrl, .mask = 3),
                                       VM_U32(Bank, status, .mask = 0x181), VM_U8(Bank, small),
                                       VM_U64(Bank, wide) };
static const VmState bank_state = { .name = "bank", .version = 1, .fields = LIST(bank_fields) };
static const VmState list_state = { .name = "bank", .version = 1, .fields = LIST(list_fields) };

/* The rows of a bank are equivalent to the fields of a table: they give equal bytes, description,
 * documentation and refusals. */
static void test_bank(void)
{
    static const Bank values[] = { { 0xff, 3, 0x181, UINT64_MAX }, { 0, 4, 0, 0 }, { 0, 0, 2, 0 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autoptr(GByteArray) a = g_byte_array_new(), b = g_byte_array_new();
        ByteWriter wa = { a }, wb = { b };
        Bank from = values[i], to = { 0 };
        ByteReader r;
        g_autoptr(GError) err = NULL;
        g_autoptr(VmDescription) da = vm_describe(&bank_state, &from);
        g_autoptr(VmDescription) db = vm_describe(&list_state, &from);

        vm_save(&bank_state, &from, &wa);
        vm_save(&list_state, &from, &wb);
        g_assert_cmpmem(a->data, a->len, b->data, b->len);
        assert_same_description(da, db);
        r = (ByteReader){ a->data, a->len, 0, false };
        g_assert_true(vm_load(&bank_state, &to, 1, &r, "b", &err) == (i == 0));
        if (i == 0) {
            g_assert_true(to.small == from.small && to.ctrl == from.ctrl &&
                          to.status == from.status && to.wide == from.wide);
        } else {
            g_assert_nonnull(strstr(err->message, i == 1 ? "b/ctrl" : "b/status"));
        }
    }
}

static void test_bank_documented(void)
{
    g_autofree char *a = vm_document(&bank_state), *b = vm_document(&list_state);
    static const VmField empty[] = { { .name = "e", .kind = VM_KIND_BANK } };
    static const VmState bad = { .name = "bad", .version = 1, .fields = LIST(empty) };
    g_autofree char *good = vm_table_check(&bank_state), *why = vm_table_check(&bad);

    g_assert_cmpstr(a, ==, b);
    g_assert_cmpstr(good, ==, NULL);
    g_assert_nonnull(why);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/state/round-trip", test_round_trip);
    g_test_add_func("/state/refusals", test_refusals);
    g_test_add_func("/state/truncated", test_truncated);
    g_test_add_func("/state/paths", test_paths);
    g_test_add_func("/state/versions", test_versions);
    g_test_add_func("/state/describe", test_describe);
    g_test_add_func("/state/bank", test_bank);
    g_test_add_func("/state/bank-documented", test_bank_documented);
    return g_test_run();
}
