/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bare-metal program for two harts: atomics, memory ordering, and code that one hart changes
 * while the other executes it. It runs at 0x80000000 in M-mode with `-bios none` and ends through
 * the sifive_test device: status 0 if every check held, otherwise the number of the failed check.
 */
#include <stdint.h>

#define TEST_DEVICE ((volatile uint32_t *)0x100000)
#define TEST_PASS   0x5555u
#define TEST_FAIL   0x3333u

enum { ADDS = 100000, ROUNDS = 50000, STORES = 200, PATCHES = 150 };

/* Number of failed checks. */
enum { CHECK_AMO = 1, CHECK_LRSC, CHECK_MESSAGE, CHECK_STORE_BUFFER, CHECK_PATCH };

static volatile uint64_t counter, reserved_counter;
static volatile uint64_t data, flag, x, y, seen[2];
static volatile uint64_t arrived[2];

/* Code of two functions, and data in the same page. */
static struct {
    uint32_t code[16];
    volatile uint64_t beside[64];
} __attribute__((aligned(4096))) page;

static void finish(unsigned check)
{
    *TEST_DEVICE = check ? check << 16 | TEST_FAIL : TEST_PASS;
    for (;;) {
    }
}

static void fence(void)
{
    __asm__ volatile("fence rw, rw" ::: "memory");
}

/* Barrier: both harts leave the round after both have reached it. */
static void meet(unsigned hart, uint64_t round)
{
    fence();
    arrived[hart] = round;
    while (arrived[!hart] < round) {
    }
    fence();
}

static void add_atomic(void)
{
    for (unsigned i = 0; i < ADDS; i++) {
        __asm__ volatile("amoadd.d zero, %0, (%1)" ::"r"(1ul), "r"(&counter) : "memory");
    }
}

static void add_reserved(void)
{
    for (unsigned i = 0; i < ADDS; i++) {
        uint64_t value, failed;

        do {
            __asm__ volatile("lr.d.aq %0, (%2)\n\taddi %0, %0, 1\n\tsc.d.rl %1, %0, (%2)"
                             : "=&r"(value), "=&r"(failed)
                             : "r"(&reserved_counter)
                             : "memory");
        } while (failed);
    }
}

/* Message passing: a hart that sees the flag also sees the data. */
static void pass_messages(unsigned hart, uint64_t *round)
{
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        if (hart == 0) {
            data = i;
            fence();
            flag = i;
        } else {
            uint64_t f = flag;

            fence();
            if (data < f) {
                finish(CHECK_MESSAGE);
            }
        }
    }
    meet(hart, ++*round);
}

/* Store buffering with fences: at least one hart sees the other's store. */
static void buffer_stores(unsigned hart, uint64_t *round)
{
    for (unsigned i = 0; i < STORES; i++) {
        volatile uint64_t *mine = hart ? &y : &x, *other = hart ? &x : &y;

        *mine = 0;
        meet(hart, ++*round);
        *mine = 1;
        fence();
        seen[hart] = *other;
        meet(hart, ++*round);
        if (!seen[0] && !seen[1]) {
            finish(CHECK_STORE_BUFFER);
        }
        meet(hart, ++*round);
    }
}

/* li a0, n; ret */
static void write_code(unsigned n)
{
    page.code[0] = 0x00000513 | n << 20;
    page.code[1] = 0x00008067;
}

/* One hart changes the function, and data beside it; the other executes fence.i and calls it. */
static void patch_code(unsigned hart, uint64_t *round)
{
    for (unsigned i = 0; i < PATCHES; i++) {
        if (hart == 0) {
            write_code(i & 1023);
            for (unsigned n = 0; n < (i & 127); n++) {
                page.beside[n & 63] = n;
            }
        }
        meet(hart, ++*round);
        __asm__ volatile("fence.i" ::: "memory");
        if (((uint64_t(*)(void))(uintptr_t)page.code)() != (i & 1023)) {
            finish(CHECK_PATCH);
        }
        meet(hart, ++*round);
    }
}

void main_of_hart(unsigned long hart)
{
    uint64_t round = 0;

    if (hart > 1) {
        for (;;) {
            __asm__ volatile("wfi");
        }
    }
    add_atomic();
    add_reserved();
    meet(hart, ++round);
    if (counter != 2 * ADDS) {
        finish(CHECK_AMO);
    }
    if (reserved_counter != 2 * ADDS) {
        finish(CHECK_LRSC);
    }
    pass_messages(hart, &round);
    buffer_stores(hart, &round);
    patch_code(hart, &round);
    if (hart == 0) {
        finish(0);
    }
    for (;;) {
    }
}

/* Each hart has a stack of 4 KiB. */
__attribute__((section(".text.start"), naked)) void _start(void)
{
    __asm__ volatile("la sp, stacks_end\n\t"
                     "slli t0, a0, 12\n\t"
                     "sub sp, sp, t0\n\t"
                     "j main_of_hart\n\t"
                     ".pushsection .bss\n\t"
                     ".balign 4096\n\t"
                     ".space 8 * 4096\n"
                     "stacks_end:\n\t"
                     ".popsection");
}
