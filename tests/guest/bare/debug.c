/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bare-metal program for gdb: a loop that calls a function and changes variables. */

volatile unsigned long counter, table[4];

__attribute__((noinline)) void tick(unsigned long n)
{
    counter += n;
    table[n & 3] = counter;
}

void loop(void)
{
    for (unsigned long i = 0;; i++) {
        tick(i);
    }
}

__attribute__((naked, section(".text.first"))) void _start(void)
{
    __asm__ volatile("la sp, _start + 0x10000\n\tj loop");
}
