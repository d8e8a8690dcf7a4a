/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saved-state tables: the format of a device's state, its documentation and its checks.
 *
 * A VmState lists the members of one structure that make up guest-visible state. vm_save()
 * writes them in table order, big-endian; vm_load() reads, checks each value against its row,
 * then runs the table's check and post_load. Derived state is not in the table: post_load
 * recomputes it. A row with `since` above 1 is present from that version of the table on; older
 * streams leave the member at its reset value.
 *
 * Errors name the path ("0000:00:01.0/edu/fact"), the value and the range. The members of an object
 * are undefined after a failed load; its owner resets or discards it.
 *
 * Every function requires the machine lock.
 */
#ifndef HW_CORE_STATE_H
#define HW_CORE_STATE_H

#include "hw/core/clock.h"
#include "hw/core/reg.h"
#include "util/bytestream.h"

typedef enum VmKind {
    VM_KIND_U8,
    VM_KIND_U16,
    VM_KIND_U32,
    VM_KIND_U64,
    VM_KIND_I32,
    VM_KIND_I64,
    VM_KIND_BOOL,   /* one byte, 0 or 1; any other value is refused */
    VM_KIND_BYTES,  /* `count` raw bytes */
    VM_KIND_TIMER,  /* i64 absolute virtual deadline; armed by the core after all devices are loaded
                     */
    VM_KIND_STRUCT, /* `sub`, `count` of them `stride` apart (count 0: one) */
    VM_KIND_RECORD, /* `ops`: a record of a core (PCI, virtio), self-describing */
    VM_KIND_BANK, /* `bank`, `n_bank`: the members of a register table, in the order of its rows */
} VmKind;

typedef struct VmDescription VmDescription;

/* One field of a description. */
typedef struct VmFieldInfo {
    const char *name, *type; /* not owned; those of a table or literals */
    uint64_t size;           /* bytes of the field, or of one element of an array */
    uint32_t array_len;      /* number of elements; 0: not an array */
    bool indexed;            /* the field is element `index` of an array of structures */
    uint32_t index;
    VmDescription *sub; /* the fields of a structure; owned; NULL: not a structure */
} VmFieldInfo;

/* The layout of the bytes that vm_save() writes for one object. */
struct VmDescription {
    const char *name; /* not owned */
    unsigned version;
    GArray *fields; /* VmFieldInfo, in stream order */
};

/* A record whose format is implemented by functions, not rows: the PCI record, virtio queues. */
typedef struct VmOps {
    const char *type; /* the name in a description: "pci config", "msix state" */
    void (*save)(void *field, ByteWriter *w);
    bool (*load)(void *field, ByteReader *r, const char *path, GError **err);
    /* Return a description of the bytes that save() writes now, for vm_description_free(). NULL:
     * bytes of that type. */
    VmDescription *(*describe)(void *field);
} VmOps;

struct VmState;
typedef struct VmField {
    const char *name;
    VmKind kind;
    size_t field;
    uint32_t count;    /* array length (0: a scalar), or bytes of BYTES */
    size_t grow;       /* offset of a uint32_t with the length of an array that may have more than
                        * `count` elements; 0: none. A property of the object determines it. */
    size_t stride;     /* of STRUCT arrays */
    uint64_t min, max; /* legal range of integers when max > 0 (signed kinds: as signed) */
    uint64_t mask;     /* legal bits when non-zero */
    const struct VmState *sub;
    const VmOps *ops;
    const RegDesc *bank;
    size_t n_bank;
    uint16_t since; /* table version that introduced the row; 0 means 1 */
} VmField;

typedef struct VmState {
    const char *name;
    uint16_t version, min_version; /* 0 in min_version means 1 */
    const VmField *fields;
    size_t n_fields;
    void (*pre_save)(void *obj);
    /* Check fields that depend on each other. Return false with an error. Called when all rows are
     * loaded. */
    bool (*check)(void *obj, GError **err);
    /* Recompute derived state. Called after check; other devices may not be loaded yet. */
    bool (*post_load)(void *obj, GError **err);
    /* Return the reason why the object cannot be saved now (static text), or NULL. */
    const char *(*blocked)(void *obj);
} VmState;

#define VM_U8(T, m, ...)                                                                           \
    {                                                                                              \
        .name = #m, .kind = VM_KIND_U8, .field = FIELD(T, m, uint8_t), __VA_ARGS__                 \
    }
#define VM_U16(T, m, ...)                                                                          \
    {                                                                                              \
        .name = #m, .kind = VM_KIND_U16, .field = FIELD(T, m, uint16_t), __VA_ARGS__               \
    }
#define VM_U32(T, m, ...)                                                                          \
    {                                                                                              \
        .name = #m, .kind = VM_KIND_U32, .field = FIELD(T, m, uint32_t), __VA_ARGS__               \
    }
#define VM_U64(T, m, ...)                                                                          \
    {                                                                                              \
        .name = #m, .kind = VM_KIND_U64, .field = FIELD(T, m, uint64_t), __VA_ARGS__               \
    }
#define VM_I32(T, m, ...)                                                                          \
    {                                                                                              \
        .name = #m, .kind = VM_KIND_I32, .field = FIELD(T, m, int32_t), __VA_ARGS__                \
    }
#define VM_I64(T, m, ...)                                                                          \
    {                                                                                              \
        .name = #m, .kind = VM_KIND_I64, .field = FIELD(T, m, int64_t), __VA_ARGS__                \
    }
#define VM_BOOL(T, m, ...)                                                                         \
    {                                                                                              \
        .name = #m, .kind = VM_KIND_BOOL, .field = FIELD(T, m, bool), __VA_ARGS__                  \
    }
#define VM_TIMER(T, m)                                                                             \
    {                                                                                              \
        .name = #m, .kind = VM_KIND_TIMER, .field = FIELD(T, m, Timer)                             \
    }
/* Arrays: the member must be an array of the element type. */
#define VM_ARRAY_(T, m, C, K, ...)                                                                 \
    {                                                                                              \
        .name = #m, .kind = (K), .field = offsetof(T, m) + 0 * sizeof(&((T *)0)->m[0] == (C *)0),  \
        .count = G_N_ELEMENTS(((T *)0)->m), __VA_ARGS__                                            \
    }
#define VM_U8_ARRAY(T, m, ...)  VM_ARRAY_(T, m, uint8_t, VM_KIND_U8, __VA_ARGS__)
#define VM_U16_ARRAY(T, m, ...) VM_ARRAY_(T, m, uint16_t, VM_KIND_U16, __VA_ARGS__)
#define VM_U32_ARRAY(T, m, ...) VM_ARRAY_(T, m, uint32_t, VM_KIND_U32, __VA_ARGS__)
#define VM_U64_ARRAY(T, m, ...) VM_ARRAY_(T, m, uint64_t, VM_KIND_U64, __VA_ARGS__)
#define VM_BYTES(T, m)          VM_ARRAY_(T, m, uint8_t, VM_KIND_BYTES)
/* Arrays whose length is the member n, and at least `least`. */
#define VM_U32_GROWING(T, m, least, n, ...)                                                        \
    {                                                                                              \
        .name = #m, .kind = VM_KIND_U32, .count = (least), .grow = FIELD(T, n, uint32_t),          \
        .field = offsetof(T, m) + 0 * sizeof(&((T *)0)->m[0] == (uint32_t *)0), __VA_ARGS__        \
    }
#define VM_U64_GROWING(T, m, least, n, ...)                                                        \
    {                                                                                              \
        .name = #m, .kind = VM_KIND_U64, .count = (least), .grow = FIELD(T, n, uint32_t),          \
        .field = offsetof(T, m) + 0 * sizeof(&((T *)0)->m[0] == (uint64_t *)0), __VA_ARGS__        \
    }
#define VM_STRUCT_GROWING(T, m, s, least, n)                                                       \
    {                                                                                              \
        .name = #m, .kind = VM_KIND_STRUCT, .field = offsetof(T, m), .sub = (s), .count = (least), \
        .grow = FIELD(T, n, uint32_t), .stride = sizeof(((T *)0)->m[0])                            \
    }
#define VM_STRUCT(T, m, s)                                                                         \
    {                                                                                              \
        .name = #m, .kind = VM_KIND_STRUCT, .field = offsetof(T, m), .sub = (s)                    \
    }
#define VM_STRUCT_ARRAY(T, m, s)                                                                   \
    {                                                                                              \
        .name = #m, .kind = VM_KIND_STRUCT, .field = offsetof(T, m), .sub = (s),                   \
        .count = G_N_ELEMENTS(((T *)0)->m), .stride = sizeof(((T *)0)->m[0])                       \
    }
/* The members of a register table of the structure: one integer for each row with a member. The
 * legal bits of a row with an identity are those that are writable or not part of the identity. */
#define VM_BANK(regs)                                                                              \
    {                                                                                              \
        .name = #regs, .kind = VM_KIND_BANK, .bank = (regs), .n_bank = G_N_ELEMENTS(regs)          \
    }
#define VM_RECORD(T, m, C, o)                                                                      \
    {                                                                                              \
        .name = #m, .kind = VM_KIND_RECORD, .field = FIELD(T, m, C), .ops = (o)                    \
    }

/* Return in *out the field that saves row i of a bank; false if the row has no member. */
bool vm_bank_field(const VmField *bank, size_t i, VmField *out);
/* Return the number of elements of an array of obj; 0: a scalar. */
uint32_t vm_field_count(const VmField *f, const void *obj);
/* Return the bytes of one element in a stream; 0 for a structure, a record and a bank. */
unsigned vm_kind_bytes(VmKind kind);
/* Append the state of obj. Returns the bytes written. */
size_t vm_save(const VmState *vm, void *obj, ByteWriter *w);
/* Load the state of obj in a table version, from the section header. The caller checks that all
 * bytes of the section were read. Return false with an error. */
bool vm_load(const VmState *vm, void *obj, unsigned version, ByteReader *r, const char *path,
             GError **err);
/* Arm the timers of obj at the deadlines that vm_load() stored. */
void vm_arm_timers(const VmState *vm, void *obj);

/* Return the description of the bytes that vm_save() writes for this object, for
 * vm_description_free(). Migration writes it as JSON at the end of a stream. */
VmDescription *vm_describe(const VmState *vm, void *obj);
/* Return an empty description, for vm_description_free(). @name must outlive it. */
VmDescription *vm_description_new(const char *name, unsigned version);
/* Append a field. @name and @type must outlive @d. Returns the field, which is valid until the next
 * one is added; the caller may set its other members. */
VmFieldInfo *vm_description_add(VmDescription *d, const char *name, const char *type,
                                uint64_t size);
/* Free a description and its structures. NULL is accepted. */
void vm_description_free(VmDescription *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmDescription, vm_description_free)

/* Return the documentation of a table (-show state TYPE), one line for each row. The caller frees
 * it with g_free(). */
char *vm_document(const VmState *vm);
/* Check a table. Return NULL, or a message about the first malformed row, which the caller frees
 * with g_free(). For the conformance test. */
char *vm_table_check(const VmState *vm);

#endif
