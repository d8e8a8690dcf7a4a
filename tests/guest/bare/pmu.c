/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bare-metal program for the performance counters of one hart with Sscofpmf: counting,
 * inhibiting, privilege modes, and the interrupt of an overflow for cycles, instructions and TLB
 * misses. It runs at 0x80000000 in M-mode with `-bios none`, prints the addresses of interrupted
 * instructions, and ends through the sifive_test device: status 0 if every check held, otherwise
 * the number of the failed check.
 */
#include <stdint.h>

#define TEST_DEVICE ((volatile uint32_t *)0x100000)
#define TEST_PASS   0x5555u
#define TEST_FAIL   0x3333u
#define UART        (*(volatile uint8_t *)0x10000000)

#define EVENT_OF   (1ul << 63)
#define EVENT_MINH (1ul << 62)
#define EVENT_UINH (1ul << 60)
enum { CYCLES = 1, INSTRUCTIONS = 2, TLB_LOAD = 0x10019, TLB_STORE = 0x1001b };
enum { LCOFI = 13, CAUSE_ECALL_U = 8, LOOPS = 1000 };

enum {
    CHECK_TRAP = 1,
    CHECK_INSTRUCTIONS,
    CHECK_INHIBIT,
    CHECK_MINH,
    CHECK_UINH,
    CHECK_USER,
    CHECK_CYCLES,
    CHECK_OVERFLOW,
    CHECK_ONCE,
    CHECK_SCOUNTOVF,
    CHECK_MISSES,
    CHECK_MISS_OVERFLOW,
    CHECK_ABSENT,
};

#define csr_read(csr)                                                                              \
    ({                                                                                             \
        unsigned long v_;                                                                          \
        __asm__ volatile("csrr %0, " #csr : "=r"(v_)::"memory");                                   \
        v_;                                                                                        \
    })
#define csr_write(csr, v) __asm__ volatile("csrw " #csr ", %0" ::"r"((unsigned long)(v)) : "memory")

static volatile unsigned interrupts;
static volatile unsigned long interrupted;
static uint64_t root[512] __attribute__((aligned(4096)));

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

static void print_hex(unsigned long v)
{
    for (int shift = 60; shift >= 0; shift -= 4) {
        UART = "0123456789abcdef"[v >> shift & 15];
    }
    UART = '\n';
}

__attribute__((interrupt("machine"), aligned(4))) static void trap(void)
{
    unsigned long cause = csr_read(mcause);

    if (cause == CAUSE_ECALL_U) { /* continue in M-mode behind ecall */
        csr_write(mepc, csr_read(mepc) + 4);
        csr_write(mstatus, csr_read(mstatus) | 3ul << 11);
        return;
    }
    expect(cause == (1ul << 63 | LCOFI), CHECK_TRAP);
    interrupts++;
    interrupted = csr_read(mepc);
    __asm__ volatile("csrc mip, %0" ::"r"(1ul << LCOFI));
}

/* Execute 2 * n + 1 instructions or a few more. */
static void loop(unsigned long n)
{
    __asm__ volatile("1: addi %0, %0, -1\n\tbnez %0, 1b" : "+r"(n));
}

/* Execute a loop in U-mode. */
static void loop_user(unsigned long n)
{
    csr_write(mstatus, csr_read(mstatus) & ~(3ul << 11));
    __asm__ volatile("la t0, 1f\n\t"
                     "csrw mepc, t0\n\t"
                     "mret\n"
                     "1: addi %0, %0, -1\n\t"
                     "bnez %0, 1b\n\t"
                     ".option push\n\t.option norvc\n\tecall\n\t.option pop"
                     : "+r"(n)::"t0", "memory");
}

static unsigned long counted(unsigned long event, void (*fn)(unsigned long))
{
    csr_write(mhpmevent3, 0);
    csr_write(mhpmcounter3, 0);
    csr_write(mhpmevent3, event);
    fn(LOOPS);
    csr_write(mhpmevent3, 0);
    return csr_read(mhpmcounter3);
}

static void check_counting(void)
{
    unsigned long n = counted(INSTRUCTIONS, loop);

    expect(n >= 2 * LOOPS && n < 2 * LOOPS + 50, CHECK_INSTRUCTIONS);
    csr_write(mcountinhibit, 1 << 3);
    expect(counted(INSTRUCTIONS, loop) == 0, CHECK_INHIBIT);
    csr_write(mcountinhibit, 0);
    expect(counted(INSTRUCTIONS | EVENT_MINH, loop) == 0, CHECK_MINH);
    n = counted(INSTRUCTIONS | EVENT_MINH, loop_user);
    expect(n >= 2 * LOOPS && n < 2 * LOOPS + 4, CHECK_USER);
    n = counted(INSTRUCTIONS | EVENT_UINH, loop_user);
    expect(n > 0 && n < 100, CHECK_UINH);
    expect(counted(CYCLES, loop) > 0, CHECK_CYCLES);
    csr_write(mhpmevent31, INSTRUCTIONS); /* pmu-num=16: 3 to 18 */
    csr_write(mhpmcounter31, 5);
    expect(csr_read(mhpmevent31) == 0 && csr_read(mhpmcounter31) == 0, CHECK_ABSENT);
}

static void check_overflow(unsigned long event)
{
    unsigned before = interrupts;

    csr_write(mhpmcounter4, -20000ul);
    csr_write(mhpmevent4, event);
    for (unsigned i = 0; i < 200000 && interrupts == before; i++) {
        loop(100);
    }
    print_hex(interrupted);
    expect(interrupts == before + 1, CHECK_OVERFLOW);
    expect(csr_read(mhpmevent4) == (event | EVENT_OF), CHECK_OVERFLOW);
    expect(csr_read(scountovf) == 1 << 4, CHECK_SCOUNTOVF);
    csr_write(mhpmcounter4, -10ul); /* OF is set: no other interrupt */
    loop(100000);
    expect(interrupts == before + 1, CHECK_ONCE);
    csr_write(mhpmevent4, 0);
    expect(csr_read(scountovf) == 0, CHECK_SCOUNTOVF);
}

/* Load through Sv39 with MPRV, and flush the TLB each time. */
static void load_flushed(unsigned long n)
{
    root[2] = 0x80000000ul >> 2 | 0xcf; /* a page of 1 GiB */
    csr_write(satp, 8ul << 60 | (unsigned long)root >> 12);
    for (unsigned long i = 0; i < n; i++) {
        __asm__ volatile("sfence.vma\n\t"
                         "csrs mstatus, %0\n\t"
                         "lb t0, (%1)\n\t"
                         "csrc mstatus, %0" ::"r"(1ul << 17 | 1ul << 11),
                         "r"(0x80000000ul)
                         : "t0", "memory");
    }
    csr_write(satp, 0);
}

static void check_misses(void)
{
    unsigned before = interrupts;

    csr_write(mstatus, csr_read(mstatus) & ~(3ul << 11));
    csr_write(mhpmcounter5, 0);
    csr_write(mhpmevent5, TLB_LOAD);
    load_flushed(10);
    expect(csr_read(mhpmcounter5) >= 10, CHECK_MISSES);
    csr_write(mhpmcounter5, -5ul);
    load_flushed(10);
    expect(interrupts == before + 1, CHECK_MISS_OVERFLOW);
    csr_write(mhpmevent5, 0);
}

__attribute__((used)) static void run(void)
{
    csr_write(mtvec, trap);
    csr_write(pmpaddr0, -1ul);
    csr_write(pmpcfg0, 0x1f);
    csr_write(mie, 1ul << LCOFI);
    __asm__ volatile("csrsi mstatus, 8");
    check_counting();
    check_overflow(INSTRUCTIONS);
    check_overflow(CYCLES);
    check_misses();
    print_hex(csr_read(minstret));
    finish(0);
}

__attribute__((section(".text.start"), naked)) void _start(void)
{
    __asm__ volatile("la sp, stack_end\n\t"
                     "j run\n\t"
                     ".pushsection .bss\n\t"
                     ".balign 16\n\t"
                     ".space 4096\n"
                     "stack_end:\n\t"
                     ".popsection");
}
