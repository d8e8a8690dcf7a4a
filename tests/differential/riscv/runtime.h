/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interfaces between the files of a test program. */
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

/* Of the variant: print, and flush the output. */
void put_text(const char *text);
void flush_text(void);

/* Of text.c: print a number in hexadecimal, followed by a character. */
void put_word(u64 value, char after);

/* Of the test program: its entry, and the function that step.S calls between two sequences. */
void test_main(void);
void record(int sequence_ended);

#endif
