/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the program `hostile` share: a run over one golden stream, and its cases.
 */
#ifndef TESTS_MIGRATION_HOSTILE_H
#define TESTS_MIGRATION_HOSTILE_H

#include "golden.h"
#include "rig.h"

typedef struct Run {
    Golden *g;
    Session *s; /* waits for a stream; NULL: one is to be opened */
    bool all;
    unsigned share, shares; /* with all: which of how many */
    bool harts;             /* let the harts run what was loaded, in place of a qtest script */
    unsigned reload_each;   /* of the loaded cases this one is reloaded, too */
    guint32 seed;
    unsigned cases, refused, loaded, reloaded, opened, whole;
    char what[256]; /* the case under way, for the report of a crash */
} Run;

/* How the harts of the machines are driven. */
const char *hostile_accel(const Run *run);
/* A sentence of refusal is one; must_say: what is in it, or NULL. */
void hostile_check_sentence(const char *text, const char *must_say);
/* Let a stream into a whole emulator. Returns whether it was taken; it then bore the self-check. A
 * refusal must say must_say, unless that is NULL. */
bool hostile_try_case(Run *run, const uint8_t *data, size_t len, const char *must_say);
/* Note the case under way: one bit, which may lie in a record (NULL: in none). */
void hostile_tell_flip(Run *run, const Part *p, size_t at, unsigned bit);
/* The stream with one bit wrong; whether it was taken. */
bool hostile_flip(Run *run, size_t at, unsigned bit);
/* The stream up to a byte. */
void hostile_cut(Run *run, size_t at);
/* Left out: the share of others; the items of RAM; with --harts all but what harts and their
 * timers are. */
bool hostile_left_out(const Run *run, size_t at);

/* hostile-all.c: every bit and every cut */
void hostile_all(Run *run);
/* hostile-fields.c: boundary values */
void hostile_fields(Run *run);
/* Bytes of a row of a table, of this object. */
size_t hostile_row_size(const VmField *row, void *obj);

#endif
