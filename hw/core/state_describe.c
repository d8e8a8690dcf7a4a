/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saved-state tables as text: the stream's description JSON, the documentation of a table, and
 * the check of its rows (contract in hw/core/state.h).
 */
#include "hw/core/state.h"

#include <json-c/json.h>

static const char *const kind_names[] = {
    [VM_KIND_U8] = "uint8",      [VM_KIND_U16] = "uint16",    [VM_KIND_U32] = "uint32",
    [VM_KIND_U64] = "uint64",    [VM_KIND_I32] = "int32",     [VM_KIND_I64] = "int64",
    [VM_KIND_BOOL] = "bool",     [VM_KIND_BYTES] = "buffer",  [VM_KIND_TIMER] = "timer",
    [VM_KIND_STRUCT] = "struct", [VM_KIND_RECORD] = "record",
};

static const char *type_name(const VmField *f)
{
    return f->kind == VM_KIND_RECORD ? f->ops->type : kind_names[f->kind];
}

static bool described(const VmField *f)
{
    return f->kind == VM_KIND_RECORD && f->ops->describe;
}

static void *member(const VmField *f, void *obj, uint32_t i)
{
    return (uint8_t *)obj + f->field + i * f->stride;
}

static void add(struct json_object *o, const char *key, struct json_object *value)
{
    json_object_object_add(o, key, value);
}

/* Bytes that one element of the row occupies in the stream: what saving it writes. */
static size_t element_size(const VmField *f, void *obj, uint32_t i)
{
    g_autoptr(GByteArray) scratch = g_byte_array_new();
    ByteWriter w = { scratch };
    VmField one = *f;
    VmState row = { .fields = &one, .n_fields = 1 };

    if (f->kind != VM_KIND_BYTES) {
        one.count = 0;
        one.field = (uint8_t *)member(f, obj, i) - (uint8_t *)obj;
    }
    return vm_save(&row, obj, &w);
}

static struct json_object *struct_json(const VmField *f, void *p)
{
    struct json_object *o = json_object_new_object();

    add(o, "vmsd_name", json_object_new_string(f->sub->name));
    add(o, "version", json_object_new_int(f->sub->version));
    add(o, "fields", vm_describe(f->sub, p));
    return o;
}

static struct json_object *field_json(const VmField *f, void *obj, uint32_t i)
{
    struct json_object *o = json_object_new_object();

    add(o, "name", json_object_new_string(f->name));
    if (f->count && f->kind == VM_KIND_STRUCT) {
        add(o, "index", json_object_new_int64(i));
    } else if (f->count && f->kind != VM_KIND_BYTES) {
        add(o, "array_len", json_object_new_int64(f->count));
    }
    add(o, "type", json_object_new_string(described(f) ? "struct" : type_name(f)));
    if (described(f)) {
        add(o, "struct", f->ops->describe(member(f, obj, i)));
    } else if (f->kind == VM_KIND_STRUCT) {
        add(o, "struct", struct_json(f, member(f, obj, i)));
    }
    add(o, "size", json_object_new_int64(element_size(f, obj, i)));
    return o;
}

struct json_object *vm_describe(const VmState *vm, void *obj)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; i < vm->n_fields; i++) {
        const VmField *f = &vm->fields[i];
        uint32_t n = f->kind == VM_KIND_STRUCT ? MAX(f->count, 1) : 1;

        for (uint32_t j = 0; j < n; j++) {
            json_object_array_add(list, field_json(f, obj, j));
        }
    }
    return list;
}

static void document_row(const VmField *f, unsigned depth, GString *out)
{
    g_string_append_printf(out, "%*s%-*s %s", depth * 2, "", 28 - (int)(depth * 2), f->name,
                           type_name(f));
    if (f->count) {
        g_string_append_printf(out, "[%u]", f->count);
    }
    if (f->mask) {
        g_string_append_printf(out, ", bits 0x%" G_GINT64_MODIFIER "x", f->mask);
    }
    if (f->max && (f->kind == VM_KIND_I32 || f->kind == VM_KIND_I64)) {
        g_string_append_printf(out, ", %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, (int64_t)f->min,
                               (int64_t)f->max);
    } else if (f->max) {
        g_string_append_printf(out, ", 0x%" G_GINT64_MODIFIER "x to 0x%" G_GINT64_MODIFIER "x",
                               f->min, f->max);
    }
    if (f->since > 1) {
        g_string_append_printf(out, ", since version %u", f->since);
    }
    g_string_append_c(out, '\n');
}

static void document(const VmState *vm, unsigned depth, GString *out)
{
    for (size_t i = 0; i < vm->n_fields; i++) {
        document_row(&vm->fields[i], depth, out);
        if (vm->fields[i].sub) {
            document(vm->fields[i].sub, depth + 1, out);
        }
    }
}

char *vm_document(const VmState *vm)
{
    GString *out = g_string_new(NULL);

    g_string_append_printf(out, "%s version %u\n", vm->name, vm->version);
    document(vm, 1, out);
    return g_string_free(out, FALSE);
}

static const char *row_fault(const VmField *f, const VmState *vm)
{
    if (!f->name || !*f->name) {
        return "has no name";
    }
    if ((f->kind == VM_KIND_STRUCT) != (f->sub != NULL)) {
        return "is a structure without a table, or has a table without being one";
    }
    if ((f->kind == VM_KIND_RECORD) != (f->ops != NULL)) {
        return "is a record without operations, or has operations without being one";
    }
    if (f->kind == VM_KIND_STRUCT && f->count && !f->stride) {
        return "is an array of structures without a stride";
    }
    if (f->kind == VM_KIND_TIMER && f->count) {
        return "is an array of timers: put each in a structure";
    }
    return f->since > vm->version ? "came after the table's version" : NULL;
}

char *vm_table_check(const VmState *vm)
{
    for (size_t i = 0; i < vm->n_fields; i++) {
        const VmField *f = &vm->fields[i];
        const char *fault = row_fault(f, vm);
        char *inner = fault || !f->sub ? NULL : vm_table_check(f->sub);

        if (fault) {
            return g_strdup_printf("%s: row %zu (%s) %s", vm->name, i, f->name ? f->name : "?",
                                   fault);
        }
        if (inner) {
            return inner;
        }
    }
    return NULL;
}
