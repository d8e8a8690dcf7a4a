/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What runtime.c needs from either side, and offers it. */
#ifndef RUNTIME_H
#define RUNTIME_H

typedef unsigned long u64;
typedef unsigned int u32;

/* DUMP programs run prefixes of one sequence, all from the same state. */
#ifdef DUMP
#define STATE_STEP 0
#else
#define STATE_STEP 1
#endif

/* Of the side: print, and make sure that what was printed is out. */
void put_text(const char *text);
void flush_text(void);

/* Of runtime.c: everything, and one 64-bit number in hexadecimal with a character after it. */
void test_main(void);
void put_word(u64 value, char after);
void record(int sequence_ended);

#endif
