/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bare-metal program for the triggers of Sdtrig: execution, loads and stores at an address and in
 * a range, the privilege mode, and the legal values of tdata1. It runs at 0x80000000 in M-mode with
 * `-bios none` and ends through the sifive_test device: status 0 if every check held, otherwise the
 * number of the failed check.
 */
#include <stdint.h>

#define TEST_DEVICE ((volatile uint32_t *)0x100000)
#define TEST_PASS   0x5555u
#define TEST_FAIL   0x3333u
#define TYPE6       (6ul << 60)
#define HIT6        (1ul << 22)
#define DISABLED    (15ul << 60)

enum { LOAD = 1, STORE = 2, EXECUTE = 4, MODE_U = 8, MODE_M = 64, MATCH_LT = 3 << 7 };
enum { CHECK_LEGAL = 1, CHECK_CAUSE, CHECK_COUNT, CHECK_ADDRESS, CHECK_HIT, CHECK_VALUE };
enum { CHECK_MODE, CHECK_MASKED, CHECK_SELECT };

#define csr_read(csr)                                                                              \
    ({                                                                                             \
        unsigned long v_;                                                                          \
        __asm__ volatile("csrr %0, " #csr : "=r"(v_)::"memory");                                   \
        v_;                                                                                        \
    })
#define csr_write(csr, v) __asm__ volatile("csrw " #csr ", %0" ::"r"((unsigned long)(v)) : "memory")

static volatile unsigned traps;
static volatile unsigned long trapped, address;
static volatile uint64_t words[4];

static void finish(unsigned check)
{
    *TEST_DEVICE = check ? check << 16 | TEST_FAIL : TEST_PASS;
    for (;;) {
    }
}

static void expect(int good, unsigned check)
{
    if (!good) {
        finish(check);
    }
}

/* Disable the selected trigger, so that the instruction is executed after mret. */
__attribute__((interrupt("machine"), aligned(4))) static void trap(void)
{
    expect(csr_read(mcause) == 3, CHECK_CAUSE);
    expect((csr_read(tdata1) & HIT6) != 0, CHECK_HIT);
    trapped = csr_read(mepc);
    address = csr_read(mtval);
    traps++;
    csr_write(tdata1, 0);
}

__attribute__((noinline)) static unsigned long target(unsigned long n)
{
    __asm__ volatile("" : "+r"(n));
    return n * 3 + 1;
}

static void arm(unsigned long control, const volatile void *at)
{
    csr_write(tdata1, 0);
    csr_write(tdata2, at);
    csr_write(tdata1, TYPE6 | control);
}

/* Expect one exception since `before`, with an address in mtval. */
static void expect_trap(unsigned before, const volatile void *at)
{
    expect(traps == before + 1, CHECK_COUNT);
    expect(address == (unsigned long)at, CHECK_ADDRESS);
    expect(csr_read(tdata1) == DISABLED, CHECK_LEGAL);
}

static void check_legal(void)
{
    csr_write(tdata1, -1ul); /* type 15 */
    expect(csr_read(tdata1) == DISABLED, CHECK_LEGAL);
    csr_write(tdata1, TYPE6 | 0x0ffffffffffffffful);
    expect(csr_read(tdata1) == (TYPE6 | HIT6 | 0x5f), CHECK_LEGAL);
    csr_write(tselect, 1);
    expect(csr_read(tselect) == 1 && csr_read(tdata1) != (TYPE6 | HIT6 | 0x5f), CHECK_SELECT);
    csr_write(tselect, 2);
    expect(csr_read(tselect) == 1, CHECK_SELECT);
    csr_write(tselect, 0);
    csr_write(tdata1, 0);
}

static void check_execute(void)
{
    for (unsigned round = 0; round < 100; round++) { /* translated code, too */
        unsigned before = traps;

        arm(EXECUTE | MODE_M, (void *)target);
        expect(target(5) == 16, CHECK_VALUE);
        expect_trap(before, (void *)target);
        expect(trapped == (unsigned long)target, CHECK_ADDRESS);
        expect(target(7) == 22 && traps == before + 1, CHECK_COUNT);
    }
}

static void check_data(void)
{
    for (unsigned round = 0; round < 100; round++) {
        unsigned before = traps;

        words[1] = round;
        arm(LOAD | MODE_M, &words[1]);
        words[1] = round + 1;
        expect(traps == before, CHECK_COUNT);
        expect(words[0] == 0 && words[1] == round + 1, CHECK_VALUE);
        expect_trap(before, &words[1]);
        arm(STORE | MODE_M, &words[2]);
        words[2] = round;
        expect_trap(before + 1, &words[2]);
        expect(words[2] == round, CHECK_VALUE);
    }
}

static void check_conditions(void)
{
    unsigned before = traps;

    arm(STORE | MODE_U, &words[1]);
    words[1] = 1;
    expect(traps == before, CHECK_MODE);
    __asm__ volatile("csrci mstatus, 8");
    arm(STORE | MODE_M, &words[1]);
    words[1] = 2;
    expect(traps == before, CHECK_MASKED);
    __asm__ volatile("csrsi mstatus, 8");
    words[1] = 3;
    expect_trap(before, &words[1]);
    arm(LOAD | MODE_M | MATCH_LT, (void *)0x80000000);
    (void)*(volatile uint32_t *)0x2000000; /* a device */
    expect_trap(before + 1, (void *)0x2000000);
}

__attribute__((used)) static void run(void)
{
    csr_write(mtvec, trap);
    __asm__ volatile("csrsi mstatus, 8");
    check_legal();
    check_execute();
    check_data();
    check_conditions();
    finish(0);
}

__attribute__((section(".text.start"), naked)) void _start(void)
{
    __asm__ volatile(".option push\n\t"
                     ".option norelax\n\t"
                     "la gp, __global_pointer$\n\t"
                     ".option pop\n\t"
                     "la sp, stack_end\n\t"
                     "j run\n\t"
                     ".pushsection .bss\n\t"
                     ".balign 16\n\t"
                     ".space 4096\n"
                     "stack_end:\n\t"
                     ".popsection");
}
