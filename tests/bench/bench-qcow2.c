/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2 compared with raw, without a guest: reads of allocated clusters, overwrites, writes that
 * allocate, and opening. Each figure is the median of alternating runs in one process. The CPU time
 * contains all threads, and depends less on other programs than the rate.
 *
 * usage: bench-qcow2 FOLDER   (FOLDER: on the file system to measure; requires qemu-img)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "../unit/block/block-fixture.h"

enum { RUNS = 5, DEPTH = 32, DISK_MIB = 128, BLOCK = 4096, REQUESTS = 20000, LARGE = 65536 };

typedef struct Bench {
    Fixture f;
    BlockNode *n;
    BlockRequest reqs[DEPTH];
    struct iovec iov[DEPTH];
    uint8_t *memory;
    BlockOp op;
    uint64_t size, len, next;
    unsigned left;
    bool random;
    double cpu_us; /* of each request of the last run */
} Bench;

static double bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static double bench_cpu(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void bench_run(const char *line)
{
    int status = 0;

    if (!g_spawn_command_line_sync(line, NULL, NULL, &status, NULL) || status != 0) {
        fprintf(stderr, "bench-qcow2: failed: %s\n", line);
        exit(1);
    }
}

static void bench_next(BlockRequest *req, int result)
{
    Bench *b = req->opaque;

    if (result < 0) {
        fprintf(stderr, "bench-qcow2: request failed: %s\n", g_strerror(-result));
        exit(1);
    }
    if (b->left > 0) {
        uint64_t blocks = b->size / b->len;

        b->left--;
        req->offset = (b->random ? g_random_int() % blocks : b->next++ % blocks) * b->len;
        block_submit(b->n, req);
    }
}

/* Perform `count` requests, DEPTH at a time. Returns requests per second. */
static double bench_requests(Bench *b, BlockOp op, uint64_t len, unsigned count, bool random)
{
    double start = bench_now(), cpu = bench_cpu();

    b->op = op;
    b->len = len;
    b->left = count;
    b->random = random;
    b->next = 0;
    for (unsigned i = 0; i < DEPTH; i++) {
        b->iov[i] = (struct iovec){ b->memory + i * LARGE, len };
        b->reqs[i] = (BlockRequest){
            .op = op, .len = len, .iov = &b->iov[i], .n_iov = 1, .done = bench_next, .opaque = b
        };
        bench_next(&b->reqs[i], 0);
    }
    block_drain(b->n);
    b->cpu_us = (bench_cpu() - cpu) * 1e6 / count;
    return count / (bench_now() - start);
}

static void bench_open(Bench *b, const char *path, const char *format)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *line = g_strdup_printf(
        "{'driver':'%s','node-name':'n','file':{'driver':'file','filename':'%s'}}", format, path);

    b->n = node(&b->f, line, false, &err);
    if (!b->n || !block_attach(b->n, &writer, "bench", &err)) {
        fprintf(stderr, "bench-qcow2: %s\n", err->message);
        exit(1);
    }
    b->size = block_size(b->n);
}

static void bench_close(Bench *b)
{
    block_detach(b->n, &writer);
    block_node_del(b->f.m, "n", NULL);
}

static int bench_by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double bench_median(double *v)
{
    qsort(v, RUNS, sizeof(*v), bench_by_value);
    return v[RUNS / 2];
}

typedef struct Row {
    const char *name;
    BlockOp op;
    uint64_t len;
    unsigned count;
    bool random, empty; /* empty: a new image for each run */
} Row;

static double bench_once(Bench *b, const Row *row, const char *folder, const char *format)
{
    g_autofree char *path = g_strdup_printf("%s/bench.%s", folder, format);
    g_autofree char *create =
        g_strdup_printf("qemu-img create -q -f %s %s %dM", format, path, DISK_MIB);
    double rate;

    if (row->empty) {
        bench_run(create);
    }
    bench_open(b, path, format);
    if (!row->empty && row->op == BLOCK_READ) { /* load the tables */
        bench_requests(b, BLOCK_READ, LARGE, DISK_MIB * 16, false);
    }
    rate = bench_requests(b, row->op, row->len, row->count, row->random);
    bench_close(b);
    return rate;
}

static void bench_row(Bench *b, const Row *row, const char *folder)
{
    double raw[RUNS], qcow2[RUNS], ratio[RUNS], raw_cpu[RUNS], qcow2_cpu[RUNS];

    for (unsigned i = 0; i < RUNS; i++) {
        raw[i] = bench_once(b, row, folder, "raw");
        raw_cpu[i] = b->cpu_us;
        qcow2[i] = bench_once(b, row, folder, "qcow2");
        qcow2_cpu[i] = b->cpu_us;
        ratio[i] = qcow2[i] / raw[i];
    }
    printf("%-42s raw %8.0f/s %6.1f us CPU  qcow2 %8.0f/s %6.1f us CPU  ratio %.2f\n", row->name,
           bench_median(raw), bench_median(raw_cpu), bench_median(qcow2), bench_median(qcow2_cpu),
           bench_median(ratio));
}

static void bench_opening(Bench *b, const char *folder)
{
    g_autofree char *path = g_strdup_printf("%s/bench.1t", folder);
    g_autofree char *create = g_strdup_printf("qemu-img create -q -f qcow2 %s 1T", path);
    double ms[RUNS];

    bench_run(create);
    for (unsigned i = 0; i < RUNS; i++) {
        double start = bench_now();

        bench_open(b, path, "qcow2");
        ms[i] = (bench_now() - start) * 1000;
        bench_close(b);
    }
    printf("%-44s %.2f ms\n", "opening an image of 1 TiB", bench_median(ms));
    g_unlink(path);
}

int main(int argc, char **argv)
{
    static const Row rows[] = {
        { "128 sectors, in order, allocating", BLOCK_WRITE, LARGE, DISK_MIB * 16, false, true },
        { "4 KiB, random, allocating", BLOCK_WRITE, BLOCK, REQUESTS / 4, true, true },
        { "128 sectors, in order, allocating, again", BLOCK_WRITE, LARGE, DISK_MIB * 16, false,
          true },
        { "4 KiB, random, allocated reads", BLOCK_READ, BLOCK, REQUESTS, true, false },
        { "128 sectors, in order, allocated reads", BLOCK_READ, LARGE, DISK_MIB * 16, false,
          false },
        { "4 KiB, random, overwrites", BLOCK_WRITE, BLOCK, REQUESTS, true, false },
    };
    Bench b = { .f = { .loop = -1 } };

    if (argc != 2) {
        fprintf(stderr, "usage: bench-qcow2 FOLDER\n");
        return 1;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    b.memory = g_malloc0((size_t)DEPTH * LARGE);
    memset(b.memory, 0x5a, (size_t)DEPTH * LARGE);
    b.f.m = machine_new();
    machine_lock(b.f.m);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bench_row(&b, &rows[i], argv[1]);
    }
    bench_opening(&b, argv[1]);
    block_free_all(b.f.m);
    machine_unlock(b.f.m);
    machine_free(b.f.m);
    g_free(b.memory);
    return 0;
}
