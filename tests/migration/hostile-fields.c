/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values at and beyond the limits of every field of every saved-state table of a golden stream, and
 * hostile numbers in records without a table.
 */
#include <stdio.h>

#include "hostile.h"

typedef struct Fields {
    Run *run;
    const Part *part;
    const VmState *vm;
    size_t at; /* offset in the record of the current row */
    unsigned tables, rows;
} Fields;

static void patch(uint8_t *p, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        p[i] = v >> 8 * (bytes - 1 - i);
    }
}

static uint64_t peek(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

/* Write a value to a position. Returns true if the stream was accepted. */
static bool try_value(Fields *f, size_t at, unsigned bytes, uint64_t value, const char *must_say)
{
    uint8_t *p = f->run->g->bytes->data + at;
    uint64_t old = peek(p, bytes);
    bool taken;

    g_snprintf(f->run->what, sizeof(f->run->what), "%s at byte %zu (%zu): 0x%" PRIx64 " of %u",
               must_say ? must_say : "container", at, f->part ? at - f->part->record : 0, value,
               bytes);
    patch(p, value, bytes);
    taken = hostile_try_case(f->run, f->run->g->bytes->data, f->run->g->bytes->len, must_say);
    patch(p, old, bytes);
    return taken;
}

/* Return true if the row itself must reject this value. */
static bool outside(const VmField *row, uint64_t v, unsigned bytes)
{
    bool is_signed = row->kind == VM_KIND_I32 || row->kind == VM_KIND_I64;
    int64_t s = (int64_t)(v << (64 - 8 * bytes)) >> (64 - 8 * bytes);

    if (row->kind == VM_KIND_BOOL) {
        return v > 1;
    }
    if (row->kind == VM_KIND_TIMER) {
        return s < 0;
    }
    if (row->mask && (v & ~row->mask)) {
        return true;
    }
    if (!row->max) {
        return false;
    }
    return is_signed ? s < (int64_t)row->min || s > (int64_t)row->max
                     : v < row->min || v > row->max;
}

/* Without --all: the values that the row must reject, and a few of the others. */
static bool wanted(const Run *run, unsigned i, bool must)
{
    return run->all || must || (i + run->cases) % 13 == 0;
}

static void try_scalar(Fields *f, const VmField *row, size_t at, const char *path)
{
    unsigned bytes = vm_kind_bytes(row->kind);
    uint64_t ones = bytes == 8 ? UINT64_MAX : (1ull << 8 * bytes) - 1;
    uint64_t now = peek(f->run->g->bytes->data + at, bytes);
    const uint64_t values[] = {
        0,         1,          row->min,      row->min - 1, row->max,  row->max + 1,
        row->mask, ~row->mask, row->mask + 1, ones,         ones >> 1, (ones >> 1) + 1,
        now + 1,   now - 1
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(values); i++) {
        uint64_t v = values[i] & ones;
        bool twice = false, must = outside(row, v, bytes);

        for (unsigned k = 0; k < i; k++) {
            twice |= (values[k] & ones) == v;
        }
        /* the message of a row names the field, that of a check names the device */
        if (!twice && wanted(f->run, i, must) &&
            try_value(f, at, bytes, v, must ? path : f->part->name) && must) {
            g_error("%s: 0x%" PRIx64 " is outside the row's limits and was accepted", path, v);
        }
    }
}

/* The step between tested bytes. Not every byte of a long buffer is tested, even with --all. */
static size_t raw_step(const Run *run, size_t at, size_t len)
{
    if (len > 1024 && at > 300) {
        return run->all ? 61 : 1021;
    }
    return run->all ? 1 : 23;
}

/* Try numbers of every width in records without a table and in raw bytes, because they may be
 * lengths, indices or addresses. */
static void try_raw(Fields *f, size_t at, size_t len)
{
    size_t i = f->run->all ? 0 : (f->rows + f->run->seed) % 23;

    for (; i < len; i += raw_step(f->run, i, len)) {
        for (unsigned bytes = 1; bytes <= 4 && i + bytes <= len; bytes *= 2) {
            uint64_t ones = (1ull << 8 * bytes) - 1;

            try_value(f, at + i, bytes, ones, f->part->name);
            try_value(f, at + i, bytes, ones >> 1, f->part->name);
            try_value(f, at + i, bytes, 0, f->part->name);
        }
    }
}

size_t hostile_row_size(const VmField *row, void *obj)
{
    g_autoptr(GByteArray) scratch = g_byte_array_new();
    ByteWriter w = { scratch };
    VmState one = { .fields = row, .n_fields = 1 };

    return vm_save(&one, obj, &w);
}

static void try_table(Fields *f, const VmState *vm, uint32_t version, void *obj, const char *path);

static void try_row(Fields *f, const VmField *row, void *obj, const char *path)
{
    size_t at = f->part->record + f->at, size = hostile_row_size(row, obj);

    f->rows++;
    if (row->kind == VM_KIND_RECORD || row->kind == VM_KIND_BYTES) {
        try_raw(f, at, size);
        f->at += size;
        return;
    }
    for (unsigned i = 0; i < MAX(row->count, 1); i++) {
        g_autofree char *each = row->count ? g_strdup_printf("%s[%u]", path, i) : g_strdup(path);

        if (row->kind == VM_KIND_STRUCT) {
            try_table(f, row->sub, row->sub->version, (uint8_t *)obj + row->field + i * row->stride,
                      each);
        } else {
            /* of long arrays, the ends and some elements between */
            if (i < 4 || i + 2 > row->count || i % 37 == 0) {
                try_scalar(f, row, f->part->record + f->at, each);
            }
            f->at += vm_kind_bytes(row->kind);
        }
    }
}

/* The rows of a register table. */
static void try_bank(Fields *f, const VmField *bank, void *obj, const char *path)
{
    VmField row;

    for (size_t i = 0; i < bank->n_bank; i++) {
        if (vm_bank_field(bank, i, &row)) {
            g_autofree char *at = g_strdup_printf("%s/%s", path, row.name);

            try_row(f, &row, obj, at);
        }
    }
}

/* The rows that exist in the stream's version. */
static void try_table(Fields *f, const VmState *vm, uint32_t version, void *obj, const char *path)
{
    f->tables++;
    for (size_t i = 0; i < vm->n_fields; i++) {
        const VmField *row = &vm->fields[i];
        g_autofree char *at = g_strdup_printf("%s/%s", path, row->name);

        if (row->since <= version && row->kind == VM_KIND_BANK) {
            try_bank(f, row, obj, path);
        } else if (row->since <= version) {
            try_row(f, row, obj, at);
        }
    }
}

/* Walk the tables over the objects of a machine that loaded the unmodified stream. */
static bool try_object(Fields *f, const char *name, uint32_t instance, const VmState *vm, void *obj)
{
    for (unsigned i = 0; i < f->run->g->parts->len; i++) {
        f->part = &g_array_index(f->run->g->parts, Part, i);
        if (g_str_equal(f->part->name, name) && f->part->instance == instance) {
            f->at = 0;
            try_table(f, vm, f->part->version, obj, name);
            g_assert_cmpuint(f->at, ==, f->part->len);
            return true;
        }
    }
    g_error("the stream has no section %s", name);
}

static bool try_device(void *opaque, Device *dev)
{
    if (dev->type->vmstate) {
        g_autofree char *name = g_strdup_printf("%s/%s", dev->plan_id, dev->type->name);

        try_object(opaque, name, 0, dev->type->vmstate, dev);
    }
    return true;
}

/* Try name lengths, ids, instances, versions and record lengths, and the two sections that belong
 * to no device. */
static void try_container(Fields *f)
{
    for (unsigned i = 0; i < f->run->g->parts->len; i++) {
        const Part *p = &g_array_index(f->run->g->parts, Part, i);

        f->part = NULL;
        for (size_t at = p->start; at < p->record; at += f->run->all ? 1 : 3) {
            for (unsigned bytes = 1; bytes <= 4; bytes *= 4) {
                uint64_t ones = (1ull << 8 * bytes) - 1;

                try_value(f, at, bytes, ones, NULL);
                try_value(f, at, bytes, ones >> 1, NULL);
                try_value(f, at, bytes, 0, NULL);
            }
        }
        for (int by = -9; by <= 9; by += f->run->all ? 1 : 4) {
            try_value(f, p->record - 4, 4, p->len + by, NULL);
        }
        try_value(f, p->record - 4, 4, STREAM_MAX_RECORD + 1, NULL);
        f->part = p;
        if (g_str_equal(p->name, "clock") || g_str_equal(p->name, "globalstate")) {
            try_raw(f, p->record, p->len);
        }
    }
}

void hostile_fields(Run *run)
{
    Fields f = { .run = run };
    Session *model = rig_open(hostile_accel(run));
    g_autofree char *refusal = rig_load(model, run->g->bytes->data, run->g->bytes->len);

    g_assert_cmpstr(refusal, ==, NULL);
    for (unsigned i = 0; i < model->m->cpus->len; i++) {
        Cpu *cpu = g_ptr_array_index(model->m->cpus, i);

        try_object(&f, "cpu", i, cpu->type->vmstate, cpu);
    }
    device_visit(model->m->root, try_device, &f);
    try_container(&f);
    session_free(model);
    printf("%s: %u tables, %u rows\n", run->g->path, f.tables, f.rows);
}
