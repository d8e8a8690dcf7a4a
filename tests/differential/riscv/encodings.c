/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every instruction word of a list by itself, legal or not, in M, S or U mode: what it does to the
 * registers and to memory, or how it traps. Around the word, and wherever it may jump, stands
 * c.ebreak; the registers point at memory filled with it too.
 */
#include "encodings.h"
#include "runtime.h"

#define ARENA_START 0x80100000ul
#define ARENA       0x80300000ul /* jal reaches 1 MiB each way */
#define ARENA_END   0x80500000ul
#define DATA        0x80600000ul
#define DATA_SIZE   8192
#define EBREAKS     0x9002900290029002ul

#define CAUSE_BREAKPOINT   3
#define CAUSE_LOAD_ACCESS  5
#define CAUSE_STORE_ACCESS 7

#define MSTATUS_MPP_M 0x1800
#define MSTATUS_MPP_S 0x800
#define MSTATUS_SPP   0x100
#define MSTATUS_FS    0x6000
#define MSTATUS_TVM   (1ul << 20)
#define MSTATUS_TSR   (1ul << 22)

/* Made by encodings.py for each program. */
extern const u32 words[], n_words, first_case, per_line, dump_from;
extern const u64 fp_values[1024];

void enter(u64 *context, u64 pc);

static u64 context[WORDS];
static u64 checksum;
static int dumping;

static u64 mix(u64 z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void fill(u64 start, u64 end)
{
    for (u64 *p = (u64 *)start; p < (u64 *)end; p++) {
        *p = EBREAKS;
    }
}

/* The mode a case runs in, whether it has floating point, and what S mode may not do. */
static u64 choose_status(u64 z)
{
    static const u64 modes[4] = { MSTATUS_MPP_M, MSTATUS_MPP_M, MSTATUS_MPP_S, 0 };

    return modes[z & 3] | (z >> 2 & 7 ? MSTATUS_FS : 0) | (z >> 5 & 1 ? MSTATUS_SPP : 0) |
           (z >> 6 & 1 ? MSTATUS_TVM : 0) | (z >> 7 & 1 ? MSTATUS_TSR : 0);
}

/* Every register but x0 points into the middle of the data, so that any offset stays inside. */
static void choose(u32 number)
{
    u64 z = mix(number * 0x9e3779b97f4a7c15 + 7);

    for (int i = 0; i < 32; i++) {
        z = mix(z + 0x9e3779b97f4a7c15);
        context[IN_X + i] = DATA + DATA_SIZE / 2 + (z & 31) * 8 + (z & 0x700 ? 0 : z >> 12 & 7);
        context[IN_F + i] = fp_values[z >> 20 & 1023];
    }
    context[IN_X] = z >> 8 & 0xff; /* fcsr: reserved rounding modes too */
    context[IN_MSTATUS] = choose_status(mix(z));
}

static void place(u32 word)
{
    volatile unsigned short *parcel = (volatile unsigned short *)ARENA;

    parcel[0] = (unsigned short)word;
    parcel[1] = (word & 3) == 3 ? (unsigned short)(word >> 16) : 0x9002;
    __asm__ volatile("fence.i" ::: "memory");
}

static void note(u64 word)
{
    checksum = (checksum ^ word) * 0x9e3779b97f4a7c15;
    checksum ^= checksum >> 29;
    if (dumping) {
        put_word(word, ' ');
    }
}

/* Changed memory counts as part of the result, and is as before afterwards. */
static void note_memory(void)
{
    for (u64 *p = (u64 *)DATA; p < (u64 *)(DATA + DATA_SIZE); p++) {
        if (*p != EBREAKS) {
            note((u64)p);
            note(*p);
            *p = EBREAKS;
        }
    }
}

/* Where the manual leaves a choice, and where QEMU 7.2 is not as exact as we are. */
static void allow_for(void)
{
    u64 cause = context[OUT_CAUSE];

    if (cause == CAUSE_BREAKPOINT) {
        context[OUT_TVAL] = 0; /* zero, or the address of ebreak */
    } else if (cause == CAUSE_LOAD_ACCESS || cause == CAUSE_STORE_ACCESS) {
        context[OUT_TVAL] &= ~7ul; /* QEMU: the aligned address of a misaligned access */
    }
}

/* QEMU fails an SC without a reservation before it looks at the alignment. */
static void align_for(u32 word)
{
    if ((word & 0xf800007f) == 0x1800002f) {
        for (int i = 1; i < 32; i++) {
            context[IN_X + i] &= ~7ul;
        }
    }
}

static void run_case(u32 index)
{
    choose(first_case + index);
    align_for(words[index]);
    place(words[index]);
    enter(context, ARENA);
    allow_for();
    for (int i = OUT_X; i < CALLER; i++) {
        note(context[i]);
    }
    note_memory();
}

void test_main(void)
{
    fill(ARENA_START, ARENA_END);
    fill(DATA, DATA + DATA_SIZE);
    __asm__ volatile("csrw pmpaddr0, %0; csrw pmpcfg0, %1" ::"r"(-1ul), "r"(0x1ful));
    for (u32 i = 0; i < n_words; i++) {
        dumping = i >= dump_from;
        run_case(i);
        if (dumping) {
            put_text("\n");
        } else if ((i + 1) % per_line == 0) {
            put_word(checksum, '\n');
            checksum = 0;
        }
    }
    put_text("end\n");
    flush_text();
}
