/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared parts of the program `hostile`: a run over one golden stream, and its cases.
 */
#ifndef TESTS_MIGRATION_HOSTILE_H
#define TESTS_MIGRATION_HOSTILE_H

#include "golden.h"
#include "rig.h"

typedef struct Run {
    Golden *g;
    Session *s; /* an emulator that waits for a stream; NULL: one has to be created */
    bool all;
    unsigned share, shares; /* with --all: the share of this run, and the number of shares */
    bool harts;             /* let the harts run the loaded state, instead of a qtest script */
    unsigned reload_each;   /* of that many loaded cases, one is reloaded */
    guint32 seed;
    unsigned cases, refused, loaded, reloaded, opened, whole;
    char what[256]; /* the current case, for the report of a crash */
} Run;

/* The accelerator of the machines. */
const char *hostile_accel(const Run *run);
/* Check a message: it is one sentence, and contains must_say unless that is NULL. */
void hostile_check_sentence(const char *text, const char *must_say);
/* Load a stream in a complete emulator. Returns true if the stream was accepted; the machine then
 * passed the self-check. A message must contain must_say, unless that is NULL. */
bool hostile_try_case(Run *run, const uint8_t *data, size_t len, const char *must_say);
/* Record the current case: one bit, which may be in a record (NULL: in none). */
void hostile_tell_flip(Run *run, const Part *p, size_t at, unsigned bit);
/* Load the stream with one inverted bit. Returns true if the stream was accepted. */
bool hostile_flip(Run *run, size_t at, unsigned bit);
/* Load the stream up to a byte. */
void hostile_cut(Run *run, size_t at);
/* Return true if the byte is excluded: shares of other runs; the items of RAM; with --harts
 * everything except the harts and their timers. */
bool hostile_left_out(const Run *run, size_t at);

/* hostile-all.c: every single-bit change and every truncation */
void hostile_all(Run *run);
/* hostile-fields.c: boundary values */
void hostile_fields(Run *run);
/* Return the bytes of a row of a table, of this object. */
size_t hostile_row_size(const VmField *row, void *obj);

#endif
