/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bare-metal program for many harts: each hart starts, and receives a software interrupt, a timer
 * interrupt and an external interrupt, one hart after the other. The macro HARTS is the number of
 * harts. With IMSIC defined, the external interrupt is a message to the machine-level interrupt
 * file of the hart; otherwise it is that of the UART through the context of the hart in the PLIC.
 *
 * It runs at 0x80000000 in M-mode with `-bios none` and ends through the sifive_test device: status
 * 0 if every hart received everything, otherwise the number of the failed check.
 */
#include <stdint.h>

#define TEST_DEVICE   ((volatile uint32_t *)0x100000)
#define TEST_PASS     0x5555u
#define TEST_FAIL     0x3333u
#define MSIP(hart)    (((volatile uint32_t *)0x2000000)[hart])
#define TIMECMP(hart) (((volatile uint64_t *)0x2004000)[hart])
#define MESSAGE(hart) (*(volatile uint32_t *)(0x24000000ul + 0x1000 * (hart)))
#define PLIC(offset)  (*(volatile uint32_t *)(0x0c000000ul + (offset)))
/* Context 2 * hart: machine mode of a hart. */
#define PLIC_ENABLE(hart) PLIC(0x2000 + 0x100 * (hart))
#define PLIC_CLAIM(hart)  PLIC(0x200004 + 0x2000 * (hart))
#define UART_IER          (*(volatile uint8_t *)0x10000001)

enum { UART_SOURCE = 10, UART_IER_THRI = 2, IDENTITY = 5 };
enum { CAUSE_SOFTWARE = 3, CAUSE_TIMER = 7, CAUSE_EXTERNAL = 11 };
enum { CHECK_CAUSE = 1, CHECK_SOURCE, CHECK_STRAY };

static volatile uint32_t online;
static volatile uint8_t received[HARTS][16]; /* number of interrupts by cause */

static void finish(unsigned check)
{
    *TEST_DEVICE = check ? check << 16 | TEST_FAIL : TEST_PASS;
    for (;;) {
    }
}

static unsigned this_hart(void)
{
    unsigned long hart;

    __asm__ volatile("csrr %0, mhartid" : "=r"(hart));
    return hart;
}

#ifdef IMSIC
static void select_write(unsigned long select, unsigned long value)
{
    __asm__ volatile("csrw 0x350, %0\n\tcsrw 0x351, %1" ::"r"(select), "r"(value));
}

static void external_setup(void)
{
    select_write(0x70, 1);               /* eidelivery */
    select_write(0x72, 0);               /* eithreshold */
    select_write(0xc0, 1ul << IDENTITY); /* eie0 */
}

static void external_send(unsigned hart)
{
    MESSAGE(hart) = IDENTITY;
}

static void external_received(unsigned hart)
{
    unsigned long top;

    __asm__ volatile("csrrw %0, 0x35c, zero" : "=r"(top)); /* mtopei */
    if (top >> 16 != IDENTITY) {
        finish(CHECK_SOURCE);
    }
}
#else
static void external_setup(void)
{
    PLIC(4 * UART_SOURCE) = 1;
}

static void external_send(unsigned hart)
{
    PLIC_ENABLE(hart) = 1u << UART_SOURCE;
    UART_IER = UART_IER_THRI;
}

static void external_received(unsigned hart)
{
    uint32_t source = PLIC_CLAIM(hart);

    if (source != UART_SOURCE) {
        finish(CHECK_SOURCE);
    }
    UART_IER = 0;
    PLIC_CLAIM(hart) = source;
    PLIC_ENABLE(hart) = 0;
}
#endif

__attribute__((interrupt("machine"), aligned(4))) static void trap(void)
{
    unsigned hart = this_hart();
    unsigned long cause;

    __asm__ volatile("csrr %0, mcause" : "=r"(cause));
    if (!(cause >> 63)) {
        finish(CHECK_CAUSE);
    }
    switch (cause & 63) {
    case CAUSE_SOFTWARE:
        MSIP(hart) = 0;
        break;
    case CAUSE_TIMER:
        TIMECMP(hart) = UINT64_MAX;
        break;
    case CAUSE_EXTERNAL:
        external_received(hart);
        break;
    default:
        finish(CHECK_CAUSE);
    }
    __asm__ volatile("fence" ::: "memory");
    received[hart][cause & 15]++;
}

static void await(unsigned hart, unsigned cause)
{
    while (!received[hart][cause]) {
    }
}

static void drive(void)
{
    while (online < HARTS) {
    }
    for (unsigned hart = 0; hart < HARTS; hart++) {
        MSIP(hart) = 1;
        await(hart, CAUSE_SOFTWARE);
        TIMECMP(hart) = 0;
        await(hart, CAUSE_TIMER);
        external_send(hart);
        await(hart, CAUSE_EXTERNAL);
    }
    for (unsigned hart = 0; hart < HARTS; hart++) {
        if (received[hart][CAUSE_SOFTWARE] != 1 || received[hart][CAUSE_TIMER] != 1 ||
            received[hart][CAUSE_EXTERNAL] != 1) {
            finish(CHECK_STRAY);
        }
    }
    finish(0);
}

__attribute__((used)) static void main_of_hart(unsigned hart)
{
    external_setup();
    TIMECMP(hart) = UINT64_MAX;
    __asm__ volatile("csrw mtvec, %0" ::"r"(trap));
    __asm__ volatile(
        "csrs mie, %0" ::"r"(1ul << CAUSE_SOFTWARE | 1ul << CAUSE_TIMER | 1ul << CAUSE_EXTERNAL));
    __asm__ volatile("csrsi mstatus, 8");
    __atomic_fetch_add(&online, 1, __ATOMIC_SEQ_CST);
    if (hart == 0) {
        drive();
    }
    for (;;) {
        __asm__ volatile("wfi");
    }
}

/* The stacks, of 1 KiB for each hart. */
__asm__(".section .bss\n"
        ".balign 16\n"
        ".space 512 * 1024\n"
        "stacks_end:\n"
        ".text\n");

__attribute__((section(".text.start"), naked)) void _start(void)
{
    __asm__ volatile("csrr a0, mhartid\n\t"
                     "slli t0, a0, 10\n\t"
                     "la sp, stacks_end\n\t"
                     "sub sp, sp, t0\n\t"
                     "j main_of_hart");
}
