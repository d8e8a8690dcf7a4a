/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Register tables: the one row type for the registers of BARs, of the configuration header and of
 * capabilities.
 *
 * One row describes one register. Rows of a BAR are used as they are by reg_read() and reg_write();
 * the value is a member of the device structure. Rows of the configuration header and of
 * capabilities are compiled into the byte masks of hw/pci/config.h; the value is in the
 * configuration bytes.
 *
 * A write access is processed in this order:
 *  1. The rows that the access touches are determined, lowest offset first, and the new value of
 *     each is computed from its masks.
 *  2. accept() of each row is called. If one returns false, the access changes nothing.
 *  3. All new values are stored.
 *  4. wrote() of each row is called. The effects that the calls return are OR-ed, and the caller of
 *     the access applies the result once.
 *
 * Accesses have 1, 2, 4 or 8 bytes at any offset. Each byte belongs to the row that covers it.
 * Bytes that no row covers read as zero and ignore writes; an access without any row is reported
 * with guest_error().
 */
#ifndef HW_CORE_REG_H
#define HW_CORE_REG_H

#include "hw/core/machine.h"

/* offsetof(T, m), and a compile error unless m has exactly type C. */
#define FIELD(T, m, C) (offsetof(T, m) + 0 * sizeof((C *)0 == &((T *)0)->m))
#define LIST(a)        (a), G_N_ELEMENTS(a)
#define REG_NO_FIELD   SIZE_MAX
#define REG_ALL        UINT64_MAX /* every bit of the register */

/* Bits of a register that are in none of rw, w1c and trigger are read-only. rw, w1c and trigger
 * must not overlap (reg_table_check). */
typedef struct RegDesc {
    uint64_t offset;   /* bytes from the start of the BAR, the header or the capability */
    uint64_t rw;       /* bits that the guest writes */
    uint64_t w1c;      /* bits that the guest clears by writing 1 */
    uint64_t trigger;  /* bits that act when 1 is written; not stored, they read as zero */
    uint64_t sticky;   /* bits that only a cold reset changes */
    uint64_t reset;    /* value after reset; constant bits always have this value */
    uint64_t identity; /* bits that a saved state must have in common with the device; bits of rw
                          and w1c are never compared */
    uint8_t width;     /* bytes: 1, 2, 4, 8; more for an array of bytes in configuration space */
    size_t field;      /* offset of the member, of the width's type; or REG_NO_FIELD */
    const char *name;
    const char *doc; /* meaning, for the documentation; may be NULL */
    /* Return the value to read instead of the member's. Must not change state unless the register
     * is specified as read-to-clear. */
    uint64_t (*read)(void *dev, const struct RegDesc *r);
    /* Return whether the write is possible now. `value` is the register's value if the write is
     * stored, with the trigger bits that were written. Must not change state. NULL: always. */
    bool (*accept)(void *dev, const struct RegDesc *r, uint64_t value);
    /* Process a write of the register. `old` is the value before the access; `new` is the stored
     * value with the trigger bits that were written. For a row with REG_NO_FIELD `old` is the reset
     * value and `new` is what was written. Returns effects, as the caller of the access defines
     * them (PCI: PCI_EFFECT_*), or 0. */
    uint32_t (*wrote)(void *dev, const struct RegDesc *r, uint64_t old, uint64_t new);
} RegDesc;

#define REG8(T, m, off, ...)                                                                       \
    {                                                                                              \
        .offset = (off), .width = 1, .field = FIELD(T, m, uint8_t), .name = #m, __VA_ARGS__        \
    }
#define REG16(T, m, off, ...)                                                                      \
    {                                                                                              \
        .offset = (off), .width = 2, .field = FIELD(T, m, uint16_t), .name = #m, __VA_ARGS__       \
    }
#define REG32(T, m, off, ...)                                                                      \
    {                                                                                              \
        .offset = (off), .width = 4, .field = FIELD(T, m, uint32_t), .name = #m, __VA_ARGS__       \
    }
#define REG64(T, m, off, ...)                                                                      \
    {                                                                                              \
        .offset = (off), .width = 8, .field = FIELD(T, m, uint64_t), .name = #m, __VA_ARGS__       \
    }
/* A row whose value is not a member: a constant, or a register that read() and wrote() serve. */
#define REG_ROW(n, off, w, ...)                                                                    \
    {                                                                                              \
        .offset = (off), .width = (w), .field = REG_NO_FIELD, .name = (n), __VA_ARGS__             \
    }
#define REG32_RO(T, m, off, ...)    REG32(T, m, off, .rw = 0, ##__VA_ARGS__)
#define REG32_CONST(n, off, v, ...) REG_ROW(n, off, 4, .reset = (v), ##__VA_ARGS__)

/* A table over one device structure; rows sorted by offset, not overlapping (reg_table_check). */
typedef struct RegFile {
    const RegDesc *regs;
    size_t n;
    const char *name;
} RegFile;

/* Read `size` bytes (1, 2, 4 or 8) at `offset`, little-endian, zero-extended. Requires the machine
 * lock. */
uint64_t reg_read(const RegFile *f, void *dev, uint64_t offset, unsigned size);
/* Write `size` bytes at `offset`, in the order given at the top of this file. Returns the effects
 * of all rows, which the caller must apply; 0 if a row refused the access. Requires the machine
 * lock. */
uint32_t reg_write(const RegFile *f, void *dev, uint64_t offset, uint64_t value, unsigned size);
/* Set every member to its reset value; sticky bits stay unless kind is RESET_COLD. */
void reg_reset(const RegFile *f, void *dev, ResetKind kind);
/* Return the bits that fit the width of a row: 0xffff for 2 bytes. */
uint64_t reg_width_mask(const RegDesc *r);
/* Append the head of a Markdown table of registers, or the line of one register at `offset`: its
 * width in bits, access ("ro", "rw", "w1c 3h"), reset value, name and description. */
void reg_describe_head(GString *out);
void reg_describe(GString *out, const RegDesc *r, uint64_t offset);
/* Check a table. Return NULL, or a message about the first malformed row, which the caller frees
 * with g_free(). For the conformance test. */
char *reg_table_check(const RegFile *f);

#endif
