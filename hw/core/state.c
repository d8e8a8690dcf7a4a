/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saving and loading by saved-state tables (contract in hw/core/state.h).
 */
#include "hw/core/state.h"

#include <string.h>

#define STATE_ERROR g_quark_from_static_string("state-error")

unsigned vm_kind_bytes(VmKind kind)
{
    static const uint8_t bytes[] = {
        [VM_KIND_U8] = 1,    [VM_KIND_U16] = 2,    [VM_KIND_U32] = 4,    [VM_KIND_U64] = 8,
        [VM_KIND_I32] = 4,   [VM_KIND_I64] = 8,    [VM_KIND_BOOL] = 1,   [VM_KIND_BYTES] = 1,
        [VM_KIND_TIMER] = 8, [VM_KIND_STRUCT] = 0, [VM_KIND_RECORD] = 0, [VM_KIND_BANK] = 0,
    };

    return bytes[kind];
}

static bool vm_is_signed(VmKind kind)
{
    return kind == VM_KIND_I32 || kind == VM_KIND_I64;
}

uint32_t vm_field_count(const VmField *f, const void *obj)
{
    return f->grow ? MAX(f->count, *(const uint32_t *)((const uint8_t *)obj + f->grow)) : f->count;
}

static uint32_t vm_elements(const VmField *f, const void *obj)
{
    return MAX(vm_field_count(f, obj), 1);
}

static size_t vm_element_stride(const VmField *f)
{
    return f->kind == VM_KIND_STRUCT ? f->stride : vm_kind_bytes(f->kind);
}

static void *vm_element(const VmField *f, void *obj, uint32_t i)
{
    return (uint8_t *)obj + f->field + i * vm_element_stride(f);
}

/* Bits that a register can have: those that the guest writes, and those that are not constant. */
static uint64_t vm_legal_bits(const RegDesc *r)
{
    uint64_t all = reg_width_mask(r);
    uint64_t legal = (r->rw | r->w1c | ~r->identity | r->reset) & all;

    return legal == all ? 0 : legal; /* 0: no check */
}

bool vm_bank_field(const VmField *bank, size_t i, VmField *out)
{
    static const VmKind kinds[] = {
        [1] = VM_KIND_U8, [2] = VM_KIND_U16, [4] = VM_KIND_U32, [8] = VM_KIND_U64
    };
    const RegDesc *r = &bank->bank[i];

    if (r->field == REG_NO_FIELD) {
        return false;
    }
    *out = (VmField){ .name = r->name,
                      .kind = kinds[r->width],
                      .field = r->field,
                      .mask = vm_legal_bits(r),
                      .since = bank->since };
    return true;
}

/* --- saving --- */

static void vm_put_scalar(ByteWriter *w, const void *p, unsigned bytes)
{
    uint64_t v = 0;

    memcpy(&v, p, bytes); /* little-endian host: reg.c checks */
    for (unsigned i = bytes; i > 0; i--) {
        put_u8(w, v >> (8 * (i - 1)));
    }
}

static void vm_save_element(const VmField *f, void *p, ByteWriter *w)
{
    switch (f->kind) {
    case VM_KIND_TIMER:
        vm_put_scalar(w, &((Timer *)p)->deadline, 8);
        break;
    case VM_KIND_STRUCT:
        vm_save(f->sub, p, w);
        break;
    case VM_KIND_RECORD:
        f->ops->save(p, w);
        break;
    default:
        vm_put_scalar(w, p, vm_kind_bytes(f->kind));
    }
}

static void vm_save_field(const VmField *f, void *obj, ByteWriter *w)
{
    if (f->kind == VM_KIND_BYTES) {
        put_bytes(w, vm_element(f, obj, 0), f->count);
        return;
    }
    for (uint32_t i = 0; i < vm_elements(f, obj); i++) {
        vm_save_element(f, vm_element(f, obj, i), w);
    }
}

static void vm_save_bank(const VmField *f, void *obj, ByteWriter *w)
{
    VmField row;

    for (size_t i = 0; i < f->n_bank; i++) {
        if (vm_bank_field(f, i, &row)) {
            vm_save_field(&row, obj, w);
        }
    }
}

size_t vm_save(const VmState *vm, void *obj, ByteWriter *w)
{
    size_t start = w->out->len;

    if (vm->pre_save) {
        vm->pre_save(obj);
    }
    for (size_t i = 0; i < vm->n_fields; i++) {
        const VmField *f = &vm->fields[i];

        if (f->kind == VM_KIND_BANK) {
            vm_save_bank(f, obj, w);
        } else {
            vm_save_field(f, obj, w);
        }
    }
    return w->out->len - start;
}

/* --- loading --- */

static uint64_t vm_get_scalar(ByteReader *r, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++) {
        v = v << 8 | get_u8(r);
    }
    return v;
}

static int64_t vm_sign_extend(uint64_t v, unsigned bytes)
{
    unsigned shift = 64 - 8 * bytes;

    return (int64_t)(v << shift) >> shift;
}

static bool vm_refuse_range(const VmField *f, uint64_t v, GError **err)
{
    if (vm_is_signed(f->kind)) {
        g_set_error(err, STATE_ERROR, 0,
                    "the value %" G_GINT64_FORMAT " is outside %" G_GINT64_FORMAT
                    " to %" G_GINT64_FORMAT,
                    vm_sign_extend(v, vm_kind_bytes(f->kind)), (int64_t)f->min, (int64_t)f->max);
    } else {
        g_set_error(err, STATE_ERROR, 0,
                    "the value 0x%" G_GINT64_MODIFIER "x is outside 0x%" G_GINT64_MODIFIER
                    "x to 0x%" G_GINT64_MODIFIER "x",
                    v, f->min, f->max);
    }
    return false;
}

static bool vm_in_range(const VmField *f, uint64_t v)
{
    if (vm_is_signed(f->kind)) {
        int64_t s = vm_sign_extend(v, vm_kind_bytes(f->kind));

        return s >= (int64_t)f->min && s <= (int64_t)f->max;
    }
    return v >= f->min && v <= f->max;
}

static bool vm_check_scalar(const VmField *f, uint64_t v, GError **err)
{
    if (f->kind == VM_KIND_BOOL && v > 1) {
        g_set_error(err, STATE_ERROR, 0, "the value %u is neither 0 nor 1", (unsigned)v);
        return false;
    }
    if (f->mask && (v & ~f->mask)) {
        g_set_error(err, STATE_ERROR, 0,
                    "the value 0x%" G_GINT64_MODIFIER "x has bits outside 0x%" G_GINT64_MODIFIER
                    "x",
                    v, f->mask);
        return false;
    }
    return !f->max || vm_in_range(f, v) ? true : vm_refuse_range(f, v, err);
}

static bool vm_refuse_short(GError **err)
{
    g_set_error(err, STATE_ERROR, 0, "the record ends before this field");
    return false;
}

static bool vm_load_timer(Timer *t, ByteReader *r, GError **err)
{
    int64_t deadline = vm_get_scalar(r, 8);

    if (!reader_ok(r)) {
        return vm_refuse_short(err);
    }
    if (deadline < 0) {
        g_set_error(err, STATE_ERROR, 0, "the deadline %" G_GINT64_FORMAT " is negative", deadline);
        return false;
    }
    timer_cancel(t);
    t->loaded = deadline;
    return true;
}

static bool vm_load_scalar(const VmField *f, void *p, ByteReader *r, GError **err)
{
    uint64_t v = vm_get_scalar(r, vm_kind_bytes(f->kind));

    if (!reader_ok(r)) {
        return vm_refuse_short(err);
    }
    if (!vm_check_scalar(f, v, err)) {
        return false;
    }
    memcpy(p, &v, vm_kind_bytes(f->kind));
    return true;
}

static bool vm_load_plain(const VmField *f, void *p, ByteReader *r, GError **err)
{
    switch (f->kind) {
    case VM_KIND_BYTES:
        return get_bytes(r, p, f->count) ? true : vm_refuse_short(err);
    case VM_KIND_TIMER:
        return vm_load_timer(p, r, err);
    default:
        return vm_load_scalar(f, p, r, err);
    }
}

static char *vm_element_path(const VmField *f, uint32_t i, const char *path)
{
    return f->count && f->kind != VM_KIND_BYTES ? g_strdup_printf("%s/%s[%u]", path, f->name, i)
                                                : g_strdup_printf("%s/%s", path, f->name);
}

/* Most elements are plain. Their path is composed only for an error message. */
static bool vm_load_element(const VmField *f, uint32_t i, void *p, ByteReader *r, const char *path,
                            GError **err)
{
    bool plain = f->kind != VM_KIND_STRUCT && f->kind != VM_KIND_RECORD;
    g_autofree char *at = NULL;

    if (plain && vm_load_plain(f, p, r, err)) {
        return true;
    }
    at = vm_element_path(f, i, path);
    if (plain) {
        g_prefix_error(err, "%s: ", at);
        return false;
    }
    return f->kind == VM_KIND_STRUCT ? vm_load(f->sub, p, f->sub->version, r, at, err)
                                     : f->ops->load(p, r, at, err);
}

static bool vm_load_field(const VmField *f, void *obj, ByteReader *r, const char *path,
                          GError **err)
{
    uint32_t n = f->kind == VM_KIND_BYTES ? 1 : vm_elements(f, obj);

    for (uint32_t i = 0; i < n; i++) {
        if (!vm_load_element(f, i, vm_element(f, obj, i), r, path, err)) {
            return false;
        }
    }
    return true;
}

static bool vm_load_bank(const VmField *f, void *obj, ByteReader *r, const char *path, GError **err)
{
    VmField row;

    for (size_t i = 0; i < f->n_bank; i++) {
        if (vm_bank_field(f, i, &row) && !vm_load_field(&row, obj, r, path, err)) {
            return false;
        }
    }
    return true;
}

static bool vm_check_loaded(const VmState *vm, void *obj, const char *path, GError **err)
{
    GError *why = NULL;

    if ((vm->check && !vm->check(obj, &why)) || (vm->post_load && !vm->post_load(obj, &why))) {
        g_propagate_prefixed_error(err, why, "%s: ", path);
        return false;
    }
    return true;
}

bool vm_load(const VmState *vm, void *obj, unsigned version, ByteReader *r, const char *path,
             GError **err)
{
    if (version > vm->version || version < MAX(vm->min_version, 1)) {
        g_set_error(err, STATE_ERROR, 0,
                    "%s: version %u of this state is not one this build reads (%u to %u)", path,
                    version, MAX(vm->min_version, 1), vm->version);
        return false;
    }
    for (size_t i = 0; i < vm->n_fields; i++) {
        const VmField *f = &vm->fields[i];

        bool bank = f->kind == VM_KIND_BANK;

        if (f->since <= version &&
            !(bank ? vm_load_bank(f, obj, r, path, err) : vm_load_field(f, obj, r, path, err))) {
            return false;
        }
    }
    return vm_check_loaded(vm, obj, path, err);
}

void vm_arm_timers(const VmState *vm, void *obj)
{
    for (size_t i = 0; i < vm->n_fields; i++) {
        const VmField *f = &vm->fields[i];

        for (uint32_t j = 0; j < vm_elements(f, obj); j++) {
            if (f->kind == VM_KIND_STRUCT) {
                vm_arm_timers(f->sub, vm_element(f, obj, j));
            } else if (f->kind == VM_KIND_TIMER) {
                Timer *t = vm_element(f, obj, j);

                timer_arm_at(t, t->loaded);
            }
        }
    }
}
