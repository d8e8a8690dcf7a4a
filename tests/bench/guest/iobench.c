// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Measurements inside a guest: one row per run, for a number of seconds. Prints
 * "RESULT count seconds" (count: requests, or bytes if a row transfers bytes). The program uses
 * only Linux system calls, so that it is linked statically by the cross compiler and needs no
 * library in the guest.
 *
 *   iobench blk DEVICE BLOCK DEPTH SECONDS     random aligned O_DIRECT reads, DEPTH in flight
 *   iobench seq DEVICE BLOCK DEPTH SECONDS     sequential reads; wraps around at the end
 *   iobench config FILE SECONDS                4-byte reads of a function's sysfs config file
 *   iobench load FILE OFFSET SECONDS           32-bit loads from a mapping (resourceN, /dev/mem)
 *   iobench irqs REPORT SECONDS                interrupts that the test driver counted
 *   iobench rr|in|out HOST PORT SECONDS        TCP: 1-byte round trips, bytes in, bytes out
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAX_DEPTH = 128, LOADS = 10000, CHUNK = 64 * 1024 };

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static int report(uint64_t count, double start)
{
    printf("RESULT %llu %.6f\n", (unsigned long long)count, now() - start);
    return 0;
}

static int open_or_die(const char *path, int flags)
{
    int fd = open(path, flags);

    if (fd < 0) {
        die(path);
    }
    return fd;
}

/* --- block: the kernel's asynchronous reads --- */

static void submit(aio_context_t ctx, struct iocb *cb, uint64_t blocks, size_t block, int in_order)
{
    static uint64_t seed = 1, next;

    seed = seed * 6364136223846793005u + 1442695040888963407u;
    cb->aio_offset = (int64_t)((in_order ? next++ : seed >> 20) % blocks * block);
    if (syscall(SYS_io_submit, ctx, 1, &cb) != 1) {
        die("io_submit");
    }
}

static int reads(char **arg, int in_order)
{
    int fd = open_or_die(arg[0], O_RDONLY | O_DIRECT);
    size_t block = strtoul(arg[1], NULL, 0);
    int depth = atoi(arg[2]);
    double start, end = atof(arg[3]);
    struct iocb cb[MAX_DEPTH] = { 0 };
    struct io_event ev[MAX_DEPTH];
    aio_context_t ctx = 0;
    uint64_t size, done = 0;

    if (depth < 1 || depth > MAX_DEPTH || ioctl(fd, BLKGETSIZE64, &size) < 0 ||
        syscall(SYS_io_setup, MAX_DEPTH, &ctx) < 0) {
        die("set-up");
    }
    start = now();
    for (int i = 0; i < depth; i++) {
        void *buf = mmap(NULL, block, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        cb[i] = (struct iocb){ .aio_fildes = (uint32_t)fd,
                               .aio_lio_opcode = IOCB_CMD_PREAD,
                               .aio_buf = (uintptr_t)buf,
                               .aio_nbytes = block };
        submit(ctx, &cb[i], size / block, block, in_order);
    }
    while (now() - start < end) {
        long n = syscall(SYS_io_getevents, ctx, 1, depth, ev, NULL);

        for (long i = 0; i < n; i++) {
            if (ev[i].res != (int64_t)block) {
                fprintf(stderr, "a read gave %lld\n", (long long)ev[i].res);
                return 1;
            }
            submit(ctx, (struct iocb *)(uintptr_t)ev[i].obj, size / block, block, in_order);
            done++;
        }
    }
    return report(done, start);
}

static int blk(char **arg)
{
    return reads(arg, 0);
}

static int seq(char **arg)
{
    return reads(arg, 1);
}

/* --- registers --- */

static int config(char **arg)
{
    int fd = open_or_die(arg[0], O_RDONLY);
    double start = now(), end = atof(arg[1]);
    uint64_t done = 0;
    uint32_t id;

    while (now() - start < end) {
        for (int i = 0; i < 100; i++) {
            if (pread(fd, &id, 4, 0) != 4) {
                die("pread");
            }
        }
        done += 100;
    }
    return report(done, start);
}

static int load(char **arg)
{
    int fd = open_or_die(arg[0], O_RDWR | O_SYNC);
    off_t offset = (off_t)strtoull(arg[1], NULL, 0);
    double start, end = atof(arg[2]);
    volatile uint32_t *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    uint64_t done = 0;

    if (p == MAP_FAILED) {
        die("mmap");
    }
    start = now();
    while (now() - start < end) {
        for (int i = 0; i < LOADS; i++) {
            (void)*p;
        }
        done += LOADS;
    }
    return report(done, start);
}

static uint64_t irq_count(const char *path)
{
    char text[256] = "";
    int fd = open_or_die(path, O_RDONLY);
    const char *at;

    if (read(fd, text, sizeof(text) - 1) <= 0 || !(at = strstr(text, "irqs="))) {
        die(path);
    }
    close(fd);
    return strtoull(at + 5, NULL, 10);
}

static int irqs(char **arg)
{
    uint64_t before = irq_count(arg[0]);
    double start = now();

    usleep((useconds_t)(atof(arg[1]) * 1e6));
    return report(irq_count(arg[0]) - before, start);
}

/* --- network --- */

static int dial(char **arg)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arg[1])) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    inet_pton(AF_INET, arg[0], &to.sin_addr);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        die("connect");
    }
    return fd;
}

static int round_trips(char **arg)
{
    int fd = dial(arg);
    double start = now(), end = atof(arg[2]);
    uint64_t done = 0;
    char c = 'r';

    while (now() - start < end) {
        if (write(fd, &c, 1) != 1 || read(fd, &c, 1) != 1) {
            die("round trip");
        }
        done++;
    }
    return report(done, start);
}

static int stream(char **arg, int out)
{
    static char buf[CHUNK];
    int fd = dial(arg);
    double start = now(), end = atof(arg[2]);
    uint64_t done = 0;

    while (now() - start < end) {
        ssize_t n = out ? write(fd, buf, sizeof(buf)) : read(fd, buf, sizeof(buf));

        if (n <= 0) {
            die("stream");
        }
        done += (uint64_t)n;
    }
    return report(done, start);
}

static int in(char **arg)
{
    return stream(arg, 0);
}

static int out(char **arg)
{
    return stream(arg, 1);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int args;
        int (*run)(char **arg);
    } rows[] = {
        { "blk", 4, blk },   { "seq", 4, seq },        { "config", 2, config }, { "load", 3, load },
        { "irqs", 2, irqs }, { "rr", 3, round_trips }, { "in", 3, in },         { "out", 3, out },
    };

    for (size_t i = 0; argc > 1 && i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(argv[1], rows[i].name) == 0 && argc == rows[i].args + 2) {
            return rows[i].run(argv + 2);
        }
    }
    fprintf(stderr, "iobench: see the head of iobench.c\n");
    return 1;
}
