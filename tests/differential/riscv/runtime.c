/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of a test program that is the same on both sides: it takes the state each sequence
 * ends with, prints a checksum of it (DUMP: all of it), and chooses what the next starts with.
 */
#include "layout.h"
#include "runtime.h"

/* Made by generate.py for each program. */
extern const u64 int_values[1024], fp_values[1024];
extern const u64 first_state, round_step;
extern const u32 rounds, per_line;

void run_sequences(void);
extern u64 scratch[SCRATCH_SIZE / 8], saved_x[32], saved_f[32]; /* of step.S */

static u64 state_number; /* which starting state the next sequence has */
#ifndef DUMP
static u64 checksum;
static u32 recorded;
#endif

static u64 mix(u64 z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

#ifdef DUMP
static void put_words(const u64 *words, int count, char after)
{
    for (int i = 0; i < count; i++) {
        put_word(words[i], i < count - 1 ? ' ' : after);
    }
}
#else
static void fold(const u64 *words, int count)
{
    for (int i = 0; i < count; i++) {
        checksum = (checksum ^ words[i]) * 0x9e3779b97f4a7c15;
        checksum ^= checksum >> 29;
    }
}
#endif

static void note_state(void)
{
#ifdef DUMP
    put_words(saved_x, 32, ' ');
    put_words(saved_f, 32, ' ');
    put_words(scratch, SCRATCH_SIZE / 8, '\n');
#else
    fold(saved_x, 32);
    fold(saved_f, 32);
    fold(scratch, SCRATCH_SIZE / 8);
    if (++recorded == per_line) {
        put_word(checksum, '\n');
        recorded = 0;
        checksum = 0;
    }
#endif
}

/* Registers that address the scratch memory have the same value in every state. */
static void choose_state(void)
{
    u64 z = mix(state_number * 0x9e3779b97f4a7c15 + 1), *x = saved_x;

    for (int i = 0; i < 32; i++) {
        z = mix(z + 0x9e3779b97f4a7c15);
        x[i] = int_values[z & 1023];
        saved_f[i] = fp_values[z >> 10 & 1023];
        scratch[i] = z & 1 << 20 ? int_values[z >> 21 & 1023] : fp_values[z >> 21 & 1023];
        scratch[i + 32] = mix(z);
    }
    x[0] = (z >> 8) % 5 << 5 | (z & 1 << 12 ? z >> 13 & 31 : 0);
    x[8] = (u64)scratch + 128;
    x[9] = (u64)scratch + 256;
    x[15] = (u64)scratch + 200;
}

void record(int sequence_ended)
{
    if (sequence_ended) {
        note_state();
        state_number += STATE_STEP;
    }
    choose_state();
}

void test_main(void)
{
    for (u32 i = 0; i < rounds; i++) {
        state_number = first_state + i * round_step;
        run_sequences();
    }
    put_text("end\n");
    flush_text();
}
