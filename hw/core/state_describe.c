/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saved-state tables for readers: the description of saved bytes, the documentation of a table,
 * and the check of its rows (contract in hw/core/state.h).
 */
#include "hw/core/state.h"

static const char *const vm_kind_names[] = {
    [VM_KIND_U8] = "uint8",      [VM_KIND_U16] = "uint16",    [VM_KIND_U32] = "uint32",
    [VM_KIND_U64] = "uint64",    [VM_KIND_I32] = "int32",     [VM_KIND_I64] = "int64",
    [VM_KIND_BOOL] = "bool",     [VM_KIND_BYTES] = "buffer",  [VM_KIND_TIMER] = "timer",
    [VM_KIND_STRUCT] = "struct", [VM_KIND_RECORD] = "record", [VM_KIND_BANK] = "registers",
};

static const char *vm_type_name(const VmField *f)
{
    return f->kind == VM_KIND_RECORD ? f->ops->type : vm_kind_names[f->kind];
}

static bool vm_is_described(const VmField *f)
{
    return f->kind == VM_KIND_RECORD && f->ops->describe;
}

static void *vm_member(const VmField *f, void *obj, uint32_t i)
{
    return (uint8_t *)obj + f->field + i * f->stride;
}

VmDescription *vm_description_new(const char *name, unsigned version)
{
    VmDescription *d = g_new0(VmDescription, 1);

    d->name = name;
    d->version = version;
    d->fields = g_array_new(FALSE, TRUE, sizeof(VmFieldInfo));
    return d;
}

void vm_description_free(VmDescription *d)
{
    for (guint i = 0; d && i < d->fields->len; i++) {
        vm_description_free(g_array_index(d->fields, VmFieldInfo, i).sub);
    }
    if (d) {
        g_array_unref(d->fields);
    }
    g_free(d);
}

VmFieldInfo *vm_description_add(VmDescription *d, const char *name, const char *type, uint64_t size)
{
    VmFieldInfo info = { .name = name, .type = type, .size = size };

    g_array_append_val(d->fields, info);
    return &g_array_index(d->fields, VmFieldInfo, d->fields->len - 1);
}

/* Return the bytes that one element of the row occupies in the stream. */
static size_t vm_element_size(const VmField *f, void *obj, uint32_t i)
{
    g_autoptr(GByteArray) scratch = g_byte_array_new();
    ByteWriter w = { scratch };
    VmField one = *f;
    VmState row = { .fields = &one, .n_fields = 1 };

    if (f->kind != VM_KIND_BYTES) {
        one.count = 0;
        one.grow = 0;
        one.field = (uint8_t *)vm_member(f, obj, i) - (uint8_t *)obj;
    }
    return vm_save(&row, obj, &w);
}

static void vm_describe_field(VmDescription *d, const VmField *f, void *obj, uint32_t i)
{
    const char *type = vm_is_described(f) ? "struct" : vm_type_name(f);
    VmFieldInfo *info = vm_description_add(d, f->name, type, vm_element_size(f, obj, i));

    if (f->count && f->kind == VM_KIND_STRUCT) {
        info->indexed = true;
        info->index = i;
    } else if (f->count && f->kind != VM_KIND_BYTES) {
        info->array_len = vm_field_count(f, obj);
    }
    if (vm_is_described(f)) {
        info->sub = f->ops->describe(vm_member(f, obj, i));
    } else if (f->kind == VM_KIND_STRUCT) {
        info->sub = vm_describe(f->sub, vm_member(f, obj, i));
    }
}

/* Describe a bank as the fields of its rows. */
static void vm_describe_bank(VmDescription *d, const VmField *bank, void *obj)
{
    VmField row;

    for (size_t i = 0; i < bank->n_bank; i++) {
        if (vm_bank_field(bank, i, &row)) {
            vm_describe_field(d, &row, obj, 0);
        }
    }
}

VmDescription *vm_describe(const VmState *vm, void *obj)
{
    VmDescription *d = vm_description_new(vm->name, vm->version);

    for (size_t i = 0; i < vm->n_fields; i++) {
        const VmField *f = &vm->fields[i];
        uint32_t n = f->kind == VM_KIND_STRUCT ? MAX(vm_field_count(f, obj), 1) : 1;

        if (f->kind == VM_KIND_BANK) {
            vm_describe_bank(d, f, obj);
            continue;
        }
        for (uint32_t j = 0; j < n; j++) {
            vm_describe_field(d, f, obj, j);
        }
    }
    return d;
}

static void vm_document_row(const VmField *f, unsigned depth, GString *out)
{
    g_string_append_printf(out, "%*s%-*s %s", depth * 2, "", 28 - (int)(depth * 2), f->name,
                           vm_type_name(f));
    if (f->count) {
        g_string_append_printf(out, "[%u%s]", f->count, f->grow ? " or more" : "");
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

static void vm_document_bank(const VmField *bank, unsigned depth, GString *out)
{
    VmField row;

    for (size_t i = 0; i < bank->n_bank; i++) {
        if (vm_bank_field(bank, i, &row)) {
            vm_document_row(&row, depth, out);
        }
    }
}

static void vm_document_rows(const VmState *vm, unsigned depth, GString *out)
{
    for (size_t i = 0; i < vm->n_fields; i++) {
        const VmField *f = &vm->fields[i];

        if (f->kind == VM_KIND_BANK) {
            vm_document_bank(f, depth, out);
            continue;
        }
        vm_document_row(f, depth, out);
        if (f->sub) {
            vm_document_rows(f->sub, depth + 1, out);
        }
    }
}

char *vm_document(const VmState *vm)
{
    GString *out = g_string_new(NULL);

    g_string_append_printf(out, "%s version %u\n", vm->name, vm->version);
    vm_document_rows(vm, 1, out);
    return g_string_free(out, FALSE);
}

static const char *vm_row_fault(const VmField *f, const VmState *vm)
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
    if ((f->kind == VM_KIND_BANK) != (f->bank != NULL)) {
        return "is a bank without registers, or has registers without being one";
    }
    if (f->kind == VM_KIND_STRUCT && f->count && !f->stride) {
        return "is an array of structures without a stride";
    }
    if (f->grow && (!f->count || f->kind == VM_KIND_BYTES)) {
        return "grows without being an array";
    }
    if (f->kind == VM_KIND_TIMER && f->count) {
        return "is an array of timers: put each in a structure";
    }
    return f->since > vm->version ? "was added after the version of the table" : NULL;
}

char *vm_table_check(const VmState *vm)
{
    for (size_t i = 0; i < vm->n_fields; i++) {
        const VmField *f = &vm->fields[i];
        const char *fault = vm_row_fault(f, vm);
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
