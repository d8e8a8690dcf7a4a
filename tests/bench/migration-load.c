/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The load of tests/bench/migration: a Linux program without a library, for riscv64.
 *
 *   load RATE    rewrite 256 MiB of nonzero data at RATE MiB/s, and write a dot to standard
 *                output every millisecond, from a busy loop that needs no timer
 *   load work    count the pages that are rewritten in 16 MiB, and print the count every 100 ms
 */
#define PAGE   4096ul
#define DATA   (256ul << 20)
#define WORK   (16ul << 20)
#define HZ     10000000ul /* frequency of the time CSR of the `virt` machines */
#define TICK   (HZ / 1000)
#define REPORT (HZ / 10)

static long call(long number, long a, long b, long c, long d, long e, long f)
{
    register long a0 asm("a0") = a, a1 asm("a1") = b, a2 asm("a2") = c, a3 asm("a3") = d,
                     a4 asm("a4") = e, a5 asm("a5") = f, a7 asm("a7") = number;

    asm volatile("ecall"
                 : "+r"(a0)
                 : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7)
                 : "memory");
    return a0;
}

enum { SYS_WRITE = 64, SYS_MMAP = 222 };

static unsigned long now(void)
{
    unsigned long t;

    asm volatile("rdtime %0" : "=r"(t));
    return t;
}

static void say(const char *text, unsigned long len)
{
    call(SYS_WRITE, 1, (long)text, len, 0, 0, 0);
}

static void write_page(volatile unsigned long *p, unsigned long value)
{
    for (unsigned i = 0; i < PAGE / 8; i += 8) {
        p[i] = p[i + 1] = p[i + 2] = p[i + 3] = value;
        p[i + 4] = p[i + 5] = p[i + 6] = p[i + 7] = value;
    }
}

static void say_number(unsigned long v)
{
    char text[24], *p = text + sizeof(text);

    *--p = '\n';
    do {
        *--p = '0' + v % 10;
        v /= 10;
    } while (v);
    *--p = '#';
    say(p, text + sizeof(text) - p);
}

static void work(char *data)
{
    unsigned long done = 0, next = now() + REPORT;

    for (unsigned long at = 0;; at = (at + PAGE) % WORK) {
        write_page((unsigned long *)(data + at), done | 1);
        done++;
        if (now() >= next) {
            next += REPORT;
            say_number(done);
        }
    }
}

static void rewrite(char *data, unsigned long rate)
{
    unsigned long start = now(), ticks = 0, pages = 0, at = 0;

    for (;;) {
        unsigned long passed = now() - start;

        if (passed / TICK > ticks) {
            ticks = passed / TICK;
            say(".", 1);
        }
        if (pages * PAGE < passed / TICK * (rate << 20) / 1000) {
            write_page((unsigned long *)(data + at), pages++ | 1);
            at = (at + PAGE) % DATA;
        }
    }
}

__attribute__((used)) void run(long *stack)
{
    const char *arg = ((const char **)stack)[2];
    char *data = (char *)call(SYS_MMAP, 0, DATA, 3, 0x22, -1, 0); /* private, anonymous */
    unsigned long rate = 0;

    if (stack[0] < 2 || (long)data < 0) {
        for (;;) {
        }
    }
    if (*arg == 'w') {
        work(data);
    }
    for (; *arg; arg++) {
        rate = rate * 10 + *arg - '0';
    }
    for (unsigned long at = 0; rate && at < DATA; at += PAGE) {
        write_page((unsigned long *)(data + at), at | 1);
    }
    say("@ready\n", 7);
    rewrite(data, rate);
}

asm(".globl _start\n_start: mv a0, sp\n tail run\n");
