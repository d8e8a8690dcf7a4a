/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bare-metal program in machine mode, as written for QEMU's `virt`: addresses are built in, and
 * no device tree is read. It handles the UART's interrupt through the PLIC and answers each
 * character with the number of the hart, the interrupt source and the character in upper case. A
 * digit moves the interrupt to that hart. "q" powers off. All harts start in _start().
 */
#include <stdint.h>

enum { UART_SOURCE = 10, HARTS = 8 };

static volatile uint8_t *const uart = (uint8_t *)0x10000000;
enum {
    UART_DATA = 0,
    UART_IER = 1,
    UART_LSR = 5,
    UART_IER_RX = 1,
    UART_LSR_RX = 1,
    UART_LSR_TX = 0x20
};

#define PLIC(offset)          (*(volatile uint32_t *)(0x0c000000ul + (offset)))
#define PLIC_PRIORITY(source) PLIC(4 * (source))
/* Context 2 * hart: machine mode of a hart; sources 0 to 31. */
#define PLIC_ENABLE(hart)    PLIC(0x2000 + 0x100 * (hart))
#define PLIC_THRESHOLD(hart) PLIC(0x200000 + 0x2000 * (hart))
#define PLIC_CLAIM(hart)     PLIC(0x200004 + 0x2000 * (hart))

static volatile uint32_t *const finisher = (uint32_t *)0x100000;
enum { POWER_OFF = 0x5555 };

enum { MSTATUS_MIE = 1 << 3, MIE_MEIE = 1 << 11, MCAUSE_EXTERNAL = 11 };

static void put(char c)
{
    while (!(uart[UART_LSR] & UART_LSR_TX)) {
    }
    uart[UART_DATA] = c;
}

static void print(const char *s)
{
    while (*s) {
        put(*s++);
    }
}

static unsigned this_hart(void)
{
    uintptr_t hart;

    __asm__ volatile("csrr %0, mhartid" : "=r"(hart));
    return hart;
}

static void answer(char c)
{
    unsigned hart = this_hart();

    if (c == 'q') {
        print("bye\n");
        *finisher = POWER_OFF;
    }
    if (c >= '0' && c < '0' + HARTS) {
        PLIC_ENABLE(hart) = 0;
        PLIC_ENABLE(c - '0') = 1 << UART_SOURCE;
    }
    print("hart ");
    put('0' + hart);
    print(", source 10: ");
    put(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    put('\n');
}

__attribute__((interrupt("machine"), aligned(4))) static void trap(void)
{
    unsigned hart = this_hart();
    uintptr_t cause;
    uint32_t source;

    __asm__ volatile("csrr %0, mcause" : "=r"(cause));
    if (cause != (1ul << 63 | MCAUSE_EXTERNAL)) {
        print("unexpected trap\n");
        *finisher = POWER_OFF;
    }
    while ((source = PLIC_CLAIM(hart)) != 0) {
        if (source != UART_SOURCE) {
            print("unexpected source\n");
        }
        while (uart[UART_LSR] & UART_LSR_RX) {
            answer(uart[UART_DATA]);
        }
        /* The completion is accepted only while the source is enabled for the context. */
        uint32_t enabled = PLIC_ENABLE(hart);
        PLIC_ENABLE(hart) = 1 << UART_SOURCE;
        PLIC_CLAIM(hart) = source;
        PLIC_ENABLE(hart) = enabled;
    }
}

__attribute__((noreturn, used)) static void run(unsigned hart)
{
    PLIC_THRESHOLD(hart) = 0;
    __asm__ volatile("csrw mtvec, %0" ::"r"(trap));
    __asm__ volatile("csrs mie, %0" ::"r"(MIE_MEIE));
    __asm__ volatile("csrs mstatus, %0" ::"r"(MSTATUS_MIE));
    if (hart == 0) {
        PLIC_PRIORITY(UART_SOURCE) = 1;
        PLIC_ENABLE(0) = 1 << UART_SOURCE;
        uart[UART_IER] = UART_IER_RX;
        print("PLIC ready\n");
    }
    for (;;) {
        __asm__ volatile("wfi");
    }
}

/* The stacks, one for each hart. */
__asm__(".section .bss\n"
        ".balign 16\n"
        ".space 8 * 4096\n"
        "stack_end:\n"
        ".text\n");

__attribute__((naked, noreturn, section(".text.start"))) void _start(void)
{
    __asm__ volatile("csrr a0, mhartid\n"
                     "slli t0, a0, 12\n"
                     "lla sp, stack_end\n"
                     "sub sp, sp, t0\n"
                     "j run");
}
