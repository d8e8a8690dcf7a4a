/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints where timer interrupts occur: the time, the retired instructions and the iterations of a
 * loop at each, and the time after waiting for an interrupt. With -icount, each run prints the
 * same. The last lines are the instructions and the ticks (100 ns) of a loop without interrupts.
 */
typedef unsigned long u64;

#define UART     ((volatile unsigned char *)0x10000000)
#define MTIMECMP ((volatile u64 *)0x2004000)
#define MTIME    ((volatile u64 *)0x200bff8)
#define FINISHER ((volatile unsigned int *)0x100000)

static volatile u64 loops;
static volatile unsigned interrupts;
static u64 seen[8][3];

__asm__(".globl _start\n"
        "_start: csrr t0, mhartid\n"
        "bnez t0, 2f\n"
        ".option push\n"
        ".option norelax\n"
        "la gp, __global_pointer$\n"
        ".option pop\n"
        "la sp, stack_end\n"
        "j run\n"
        "2: wfi\n"
        "j 2b\n");

static char stack[4096] __attribute__((aligned(16), used));
__asm__(".globl stack_end\n.set stack_end, stack + 4096\n");

static u64 read_instret(void)
{
    u64 v;

    __asm__ volatile("csrr %0, minstret" : "=r"(v));
    return v;
}

static void print(u64 v)
{
    for (int i = 60; i >= 0; i -= 4) {
        *UART = "0123456789abcdef"[v >> i & 15];
    }
    *UART = '\n';
}

__attribute__((interrupt("machine"), aligned(4))) static void handler(void)
{
    if (interrupts < 8) {
        seen[interrupts][0] = *MTIME;
        seen[interrupts][1] = read_instret();
        seen[interrupts][2] = loops;
    }
    interrupts++;
    *MTIMECMP = *MTIME + 777;
}

__attribute__((used)) static void run(void)
{
    __asm__ volatile("csrw mtvec, %0" ::"r"(handler));
    *MTIMECMP = *MTIME + 1000;
    __asm__ volatile("csrs mie, %0" ::"r"(0x80));
    __asm__ volatile("csrsi mstatus, 8");
    while (interrupts < 8) {
        loops++;
    }
    for (int i = 0; i < 4; i++) {
        *MTIMECMP = *MTIME + 100000;
        __asm__ volatile("wfi");
        print(*MTIME);
    }
    __asm__ volatile("csrci mstatus, 8");
    for (int i = 0; i < 8; i++) {
        print(seen[i][0]);
        print(seen[i][1]);
        print(seen[i][2]);
    }
    u64 instret = read_instret(), time = *MTIME;
    for (volatile int i = 0; i < 20000; i++) {
    }
    print(read_instret() - instret);
    print(*MTIME - time);
    *FINISHER = 0x5555;
    for (;;) {
    }
}
