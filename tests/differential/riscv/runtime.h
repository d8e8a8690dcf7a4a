/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of a test program offer each other. */
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

/* Of text.c: print a number in hexadecimal, with a character after it. */
void put_word(u64 value, char after);

/* Of the test program: all of it, and what step.S calls between two sequences. */
void test_main(void);
void record(int sequence_ended);

#endif
