/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The QMP schema at run time: tables that scripts/gen-qmp generates from monitor/schema/. Requests
 * are checked and unmarshalled with these tables, and query-qmp-schema returns them.
 *
 * All tables are constant; any thread may use them.
 */
#ifndef MONITOR_SCHEMA_H
#define MONITOR_SCHEMA_H

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Machine Machine;

typedef enum QmpMeta {
    QMP_META_BUILTIN,
    QMP_META_ENUM,
    QMP_META_ARRAY,
    QMP_META_OBJECT,
    QMP_META_ALTERNATE,
} QmpMeta;

typedef enum QmpBuiltin {
    QMP_STR,
    QMP_INT,    /* signed, 64 bits */
    QMP_UINT,   /* unsigned, 64 bits */
    QMP_SIZE,   /* bytes; unsigned, 64 bits */
    QMP_NUMBER, /* with or without a fraction */
    QMP_BOOL,
    QMP_NULL,
    QMP_ANY,
} QmpBuiltin;

typedef struct QmpType QmpType;

/* A member of an object type, or (with type alone) a branch of an alternate. */
typedef struct QmpMember {
    const char *name;
    const QmpType *type;
    bool optional;
    bool has_flag;             /* the structure has a flag for the presence of the member */
    size_t offset, has_offset; /* in the structure of the arguments of a command, or of a result */
} QmpMember;

/* Further members of an object whose tag has a value. */
typedef struct QmpVariant {
    const char *value;
    const QmpType *type;
} QmpVariant;

struct QmpType {
    const char *name;
    QmpMeta meta;
    QmpBuiltin builtin;        /* BUILTIN */
    const char *json_type;     /* BUILTIN */
    const char *const *values; /* ENUM; NULL-terminated */
    const QmpType *element;    /* ARRAY */
    const QmpMember *members;  /* OBJECT, ALTERNATE */
    size_t n_members;
    const char *tag; /* OBJECT with variants: name of the member that selects one; else NULL */
    const QmpVariant *variants;
    size_t n_variants;
    bool open; /* OBJECT: other members are accepted, with any value */
};

enum {
    QMP_OOB = 1 << 0,       /* may run out of band */
    QMP_PRECONFIG = 1 << 1, /* may run before the machine exists */
};

typedef struct QmpCommand {
    const char *name, *summary;
    /* Unmarshal args, which the type `args` accepts, and run the command. Returns the value of
     * "return" (owned by the caller), NULL with *err set, or NULL after qmp_defer(). Machine lock.
     */
    struct json_object *(*run)(Machine *m, struct json_object *args, GError **err);
    const char *hmp; /* the corresponding HMP command, or NULL */
    const QmpType *args, *returns;
    unsigned flags;
    const char *const *features; /* NULL-terminated, or NULL */
} QmpCommand;

typedef struct QmpEventSchema {
    const char *name;
    const QmpType *data;
} QmpEventSchema;

extern const QmpType *const qmp_types[];
extern const size_t qmp_n_types;
extern const QmpCommand qmp_commands[];
extern const size_t qmp_n_commands;
extern const QmpEventSchema qmp_events[];
extern const size_t qmp_n_events;

/* Return the command with this name; NULL if it does not exist. */
const QmpCommand *qmp_find(const char *name);
/* Return the text of a value of an enum type. Both must exist in the schema. */
const char *qmp_enum_name(const char *type, int value);

/**
 * qmp_schema_check() - Check a value against a type.
 * @type: the type
 * @value: the value; NULL is the JSON value null
 * @path: name of the value in messages; "" for the arguments of a command
 * @err: on failure, QMP_ERROR with class GenericError and a message that names the member by its
 *       path, its value and what would be accepted
 *
 * Return: true if the value has the type.
 */
bool qmp_schema_check(const QmpType *type, struct json_object *value, const char *path,
                      GError **err);

/**
 * qmp_schema_unmarshal() - Store checked arguments in the structure of a command.
 * @type: type of the arguments, which has offsets
 * @args: arguments that qmp_schema_check() accepted
 * @out: structure, zeroed by the caller; strings and objects in it are borrowed from @args
 */
void qmp_schema_unmarshal(const QmpType *type, struct json_object *args, void *out);

/**
 * qmp_schema_marshal() - Make a JSON object from the structure of a result.
 * @type: type of the result, which has offsets
 * @from: structure with every required member; JSON values in it are consumed
 *
 * Return: the object, owned by the caller.
 */
struct json_object *qmp_schema_marshal(const QmpType *type, const void *from);

/* Return the result of query-qmp-schema, owned by the caller. */
struct json_object *qmp_schema(void);

#endif
