/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bare-metal program that makes each semihosting call and prints its results with SYS_WRITE0. It
 * ends with the status 42, or 7 after a trap. MODE is the privilege mode of the calls: 3, 1 or 0.
 */
#include <stddef.h>
#include <stdint.h>

enum {
    SYS_OPEN = 1,
    SYS_CLOSE,
    SYS_WRITEC,
    SYS_WRITE0,
    SYS_WRITE,
    SYS_READ,
    SYS_READC,
    SYS_ISERROR,
    SYS_ISTTY,
    SYS_SEEK,
    SYS_FLEN = 0xc,
    SYS_TMPNAM,
    SYS_REMOVE,
    SYS_RENAME,
    SYS_CLOCK,
    SYS_TIME,
    SYS_SYSTEM,
    SYS_ERRNO,
    SYS_GET_CMDLINE = 0x15,
    SYS_HEAPINFO,
    SYS_EXIT = 0x18,
    SYS_EXIT_EXTENDED = 0x20,
    SYS_ELAPSED = 0x30,
    SYS_TICKFREQ = 0x31
};

/* The three instructions are in one page, because they do not cross 16 bytes. */
__attribute__((naked, noinline, aligned(16))) static long call(long number,
                                                               const volatile void *arg)
{
    __asm__ volatile(".option push\n\t.option norvc\n\tslli x0, x0, 0x1f\n\tebreak\n\t"
                     "srai x0, x0, 7\n\tret\n\t.option pop");
}

static long call4(long number, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    volatile uintptr_t block[4] = { a, b, c, d };

    return call(number, block);
}

static size_t length(const char *text)
{
    size_t n = 0;

    while (text[n]) {
        n++;
    }
    return n;
}

static void print(const char *text)
{
    call(SYS_WRITE0, text);
}

static void result(const char *name, long value)
{
    char text[24], *p = text + sizeof(text) - 1;
    unsigned long n = value < 0 ? -value : value;

    *p = '\0';
    *--p = '\n';
    do {
        *--p = '0' + n % 10;
    } while (n /= 10);
    if (value < 0) {
        *--p = '-';
    }
    print(name);
    print(" ");
    print(p);
}

static long open(const char *name, long mode)
{
    return call4(SYS_OPEN, (uintptr_t)name, mode, length(name), 0);
}

static long transfer(long number, long handle, const void *data, size_t n)
{
    return call4(number, handle, (uintptr_t)data, n, 0);
}

static void files(void)
{
    static const char name[] = "made.txt", other[] = "renamed.txt", hello[] = "Hello, file.\n";
    char text[32] = "";
    long f = open(name, 6); /* w+ */

    result("open is a handle", f > 0);
    result("write", transfer(SYS_WRITE, f, hello, sizeof(hello) - 1));
    result("flen", call4(SYS_FLEN, f, 0, 0, 0));
    result("seek", call4(SYS_SEEK, f, 7, 0, 0));
    result("read", transfer(SYS_READ, f, text, 20));
    print(text);
    result("read at the end", transfer(SYS_READ, f, text, 20));
    result("istty", call4(SYS_ISTTY, f, 0, 0, 0));
    result("close", call4(SYS_CLOSE, f, 0, 0, 0));
    result("close again", call4(SYS_CLOSE, f, 0, 0, 0));
    result("rename", call4(SYS_RENAME, (uintptr_t)name, sizeof(name) - 1, (uintptr_t)other,
                           sizeof(other) - 1));
    result("open the old name", open(name, 0));
    result("errno", call(SYS_ERRNO, NULL));
    result("remove", call4(SYS_REMOVE, (uintptr_t)other, sizeof(other) - 1, 0, 0));
    result("remove again", call4(SYS_REMOVE, (uintptr_t)other, sizeof(other) - 1, 0, 0));
}

static void consoles(void)
{
    static const char out[] = "to :tt\n";
    char c[2] = "", features[8] = "";
    long f = open(":tt", 4);

    result("write to :tt", transfer(SYS_WRITE, f, out, sizeof(out) - 1));
    result("istty of :tt is 0 or 1", (unsigned long)call4(SYS_ISTTY, f, 0, 0, 0) <= 1);
    call(SYS_WRITEC, "c");
    call(SYS_WRITEC, "\n");
    f = open(":semihosting-features", 0);
    result("features", transfer(SYS_READ, f, features, 8));
    print(features);
    print("\n");
    result("flen", call4(SYS_FLEN, f, 0, 0, 0));
#ifdef INPUT
    c[0] = call(SYS_READC, NULL);
    print(c);
    f = open(":tt", 0);
    result("read from :tt", transfer(SYS_READ, f, c, 1));
    print(c);
#else
    print(c);
#endif
}

#ifndef FOR_QEMU
/* Transfers that fail. The end of RAM is below 0x90000000. */
static void transfers(void)
{
    long f = open(":semihosting-features", 0);

    result("read too much", transfer(SYS_READ, f, (void *)&f, (size_t)1 << 63));
    result("its errno", call(SYS_ERRNO, NULL));
    result("read to no memory", transfer(SYS_READ, f, (void *)0x90000000, 2));
    result("errno of that", call(SYS_ERRNO, NULL));
    call4(SYS_CLOSE, f, 0, 0, 0);
}
#endif

static void other(void)
{
    char text[80] = "";
    volatile uintptr_t cmdline[2] = { (uintptr_t)text, sizeof(text) }, info[4] = { 1, 1, 1, 1 };
    volatile uint64_t ticks[2] = { 0, 0 };

    result("cmdline", call(SYS_GET_CMDLINE, cmdline));
    print(text);
    result("\nlength", cmdline[1]);
    result("heapinfo", call4(SYS_HEAPINFO, (uintptr_t)info, 0, 0, 0));
    result("iserror of -1 is not 0", call4(SYS_ISERROR, -1, 0, 0, 0) != 0);
    result("iserror of 0", call4(SYS_ISERROR, 0, 0, 0, 0));
    result("elapsed", call(SYS_ELAPSED, ticks));
    result("ticks passed", ticks[0] > 0);
    result("tickfreq", call(SYS_TICKFREQ, NULL));
    result("time is after 2020", call(SYS_TIME, NULL) > 1577836800);
    result("clock is valid", call(SYS_CLOCK, NULL) >= 0);
#ifndef FOR_QEMU
    result("opened outside", open("../outside", 0) > 0 || open("link", 0) > 0);
    result("system", call4(SYS_SYSTEM, (uintptr_t) "true", 4, 0, 0));
    result("unknown operation", call(0x7f, NULL));
    transfers();
#endif
}

#ifdef HELD
/* Use a handle before and after input is received. */
static void held(void)
{
    long f = open("held.txt", 6);

    for (int i = 0; i < 2; i++) {
        print("waiting\n");
        call(SYS_READC, NULL);
        result("write to the handle", transfer(SYS_WRITE, f, "text", 4));
    }
    call4(SYS_EXIT, 0x20026, 42, 0, 0);
}
#endif

__attribute__((noreturn)) void run(void)
{
#ifdef HELD
    held();
#endif
    files();
    consoles();
    other();
    call4(SYS_EXIT, 0x20026, 42, 0, 0);
    for (;;) {
    }
}

__attribute__((naked, section(".text.start"))) void _start(void)
{
    __asm__ volatile("csrr t0, mhartid\n0:\tbnez t0, 0b\n\tla sp, _start + 0x20000\n\t"
                     "li t0, -1\n\tcsrw pmpaddr0, t0\n\tli t0, 0x1f\n\tcsrw pmpcfg0, t0\n\t"
                     "la t0, 1f\n\tcsrw mtvec, t0\n\t"
                     "li t0, 0x1800\n\tcsrc mstatus, t0\n\tli t0, %0 << 11\n\tcsrs mstatus, t0\n\t"
                     "la t0, run\n\tcsrw mepc, t0\n\tmret\n\t.balign 4\n1:\tli t0, 0x100000\n\t"
                     "li t1, 0x73333\n\tsw t1, (t0)\n2:\tj 2b" ::"i"(MODE));
}
