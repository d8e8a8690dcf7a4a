/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Register tables: policy as data. One row says where a register stands, how wide it is, what it
 * is after reset, which bits the guest may write, which it clears by writing 1, which survive
 * all but a cold reset, and, if that is not enough, which function to call.
 *
 * A register file serves accesses of 1, 2, 4 and 8 bytes at any offset: each byte is taken from
 * the row that covers it, a write changes only the bytes written (by their masks) and calls
 * `wrote` once per row touched, after all rows are stored, lowest address first. Undeclared
 * bytes read as zero and ignore writes (with a guest_error()).
 * Bits in none of the masks are read-only. rw and w1c must not overlap (checked by a test).
 */
#ifndef HW_CORE_REG_H
#define HW_CORE_REG_H

#include "hw/core/machine.h"

/* offsetof(T, m), and a compile error unless m has exactly type C. */
#define FIELD(T, m, C) (offsetof(T, m) + 0 * sizeof((C *)0 == &((T *)0)->m))
#define LIST(a)        (a), G_N_ELEMENTS(a)
#define REG_NO_FIELD   SIZE_MAX

typedef struct RegDesc {
    uint64_t at;
    uint64_t reset, rw, w1c, sticky;
    uint8_t width;   /* bytes: 1, 2, 4, 8 */
    size_t field;    /* of the width's type, or REG_NO_FIELD */
    const char *name;
    /* Value to give instead of the field's. Must not change state unless the register says so
     * (read-to-clear). */
    uint64_t (*read)(void *dev, const struct RegDesc *r);
    /* After the field was stored under the masks; `old` is the value before, `written` what the
     * guest sent (zero-extended, shifted to the register). */
    void (*wrote)(void *dev, const struct RegDesc *r, uint64_t old, uint64_t written);
} RegDesc;

#define REG8(T, m, off, ...)                                                                       \
    { .at = (off), .width = 1, .field = FIELD(T, m, uint8_t), .name = #m, __VA_ARGS__ }
#define REG16(T, m, off, ...)                                                                      \
    { .at = (off), .width = 2, .field = FIELD(T, m, uint16_t), .name = #m, __VA_ARGS__ }
#define REG32(T, m, off, ...)                                                                      \
    { .at = (off), .width = 4, .field = FIELD(T, m, uint32_t), .name = #m, __VA_ARGS__ }
#define REG64(T, m, off, ...)                                                                      \
    { .at = (off), .width = 8, .field = FIELD(T, m, uint64_t), .name = #m, __VA_ARGS__ }
#define REG32_RO(T, m, off) REG32(T, m, off, .rw = 0)
#define REG32_CONST(n, off, v)                                                                     \
    { .at = (off), .width = 4, .name = (n), .reset = (v), .field = REG_NO_FIELD }

/* A table over one device structure; rows sorted by `at`, not overlapping (reg_table_check). */
typedef struct RegFile {
    const RegDesc *regs;
    size_t n;
    const char *name;
} RegFile;

uint64_t reg_read(const RegFile *f, void *dev, uint64_t offset, unsigned size);
void reg_write(const RegFile *f, void *dev, uint64_t offset, uint64_t value, unsigned size);
/* Put every field to its reset value; sticky bits stay unless kind is RESET_COLD. */
void reg_reset(const RegFile *f, void *dev, ResetKind kind);
/* NULL, or a sentence about the first malformed row (g_free). For the conformance test. */
char *reg_table_check(const RegFile *f);

#endif
