/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Write and verify a file with direct I/O in random order. Runs in a guest.
 *
 *   random-io FILE MIB SEED          write each unit of the file once; verify a random earlier unit
 * after each random-io --verify FILE MIB SEED verify each unit
 *
 * The contents of a unit follow from the seed and its number. Four threads own a quarter of the
 * units each. A unit is transferred in pieces of random length, multiples of 512 bytes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    N_THREADS = 4,
    UNIT_SIZE = 64 * 1024,
    UNIT_WORDS = UNIT_SIZE / 8,
    SECTOR_SIZE = 512,
    BUFFER_ALIGNMENT = 4096
};

typedef struct Worker {
    pthread_t thread;
    int fd;
    bool verify_only;
    uint64_t seed;
    uint64_t first, n_units; /* the units of this thread */
    uint64_t random;         /* state of its random numbers */
    uint64_t *buffer;
} Worker;

/* Return the next number of the sequence `state` (splitmix64). */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* Return the start of the number sequence that is the contents of a unit. */
static uint64_t unit_state(const Worker *w, uint64_t unit)
{
    uint64_t state = w->seed ^ unit * 0xd1342543de82ef95;

    return random_next(&state);
}

/* Transfer the buffer from or to a unit, in pieces. */
static void unit_transfer(Worker *w, uint64_t unit, bool write)
{
    uint8_t *at = (uint8_t *)w->buffer;
    off_t offset = (off_t)(unit * UNIT_SIZE);

    for (size_t left = UNIT_SIZE; left;) {
        size_t piece = SECTOR_SIZE * (1 + random_next(&w->random) % (UNIT_SIZE / SECTOR_SIZE));

        piece = piece < left ? piece : left;
        ssize_t n = write ? pwrite(w->fd, at, piece, offset) : pread(w->fd, at, piece, offset);
        if (n != (ssize_t)piece) {
            fprintf(stderr, "random-io: %s of %zu bytes at %jd: %s\n", write ? "write" : "read",
                    piece, (intmax_t)offset, n < 0 ? strerror(errno) : "too short");
            exit(1);
        }
        at += piece;
        offset += n;
        left -= piece;
    }
}

/* Read a unit and compare it with what was written. */
static void unit_verify(Worker *w, uint64_t unit)
{
    uint64_t state = unit_state(w, unit);

    memset(w->buffer, 0, UNIT_SIZE);
    unit_transfer(w, unit, false);
    for (unsigned i = 0; i < UNIT_WORDS; i++) {
        uint64_t expected = random_next(&state);

        if (w->buffer[i] != expected) {
            fprintf(stderr,
                    "random-io: BAD at %" PRIu64 ": read %016" PRIx64 ", wrote %016" PRIx64 "\n",
                    unit * UNIT_SIZE + i * 8, w->buffer[i], expected);
            exit(1);
        }
    }
}

static void unit_write(Worker *w, uint64_t unit)
{
    uint64_t state = unit_state(w, unit);

    for (unsigned i = 0; i < UNIT_WORDS; i++) {
        w->buffer[i] = random_next(&state);
    }
    unit_transfer(w, unit, true);
}

/* Process the units of a worker in random order. */
static void *worker_run(void *opaque)
{
    Worker *w = opaque;
    uint64_t *order = calloc(w->n_units, sizeof(*order));

    w->buffer = aligned_alloc(BUFFER_ALIGNMENT, UNIT_SIZE);
    if (!order || !w->buffer) {
        fprintf(stderr, "random-io: not enough memory\n");
        exit(1);
    }
    for (uint64_t i = 0; i < w->n_units; i++) {
        uint64_t j = random_next(&w->random) % (i + 1);

        order[i] = order[j];
        order[j] = w->first + i;
    }
    for (uint64_t i = 0; i < w->n_units; i++) {
        if (w->verify_only) {
            unit_verify(w, order[i]);
        } else {
            unit_write(w, order[i]);
            unit_verify(w, order[random_next(&w->random) % (i + 1)]);
            if (i % (w->n_units / 8 ? w->n_units / 8 : 1) == 0) {
                printf("random-io: thread %" PRIu64 " at %" PRIu64 "/%" PRIu64 "\n",
                       w->first / w->n_units, i, w->n_units);
                fflush(stdout);
            }
        }
    }
    free(w->buffer);
    free(order);
    return NULL;
}

int main(int argc, char **argv)
{
    bool verify = argc > 1 && strcmp(argv[1], "--verify") == 0;
    char **operand = argv + 1 + verify;

    if (argc - verify != 4 || atoi(operand[1]) < 1) {
        fprintf(stderr, "usage: random-io [--verify] FILE MIB SEED\n");
        return 2;
    }
    uint64_t n_units = (uint64_t)atoi(operand[1]) * (1 << 20) / UNIT_SIZE;
    int fd = open(operand[0], (verify ? O_RDONLY : O_RDWR | O_CREAT) | O_DIRECT, 0600);
    if (fd < 0) {
        fprintf(stderr, "random-io: cannot open '%s': %s\n", operand[0], strerror(errno));
        return 1;
    }
    Worker worker[N_THREADS];
    for (unsigned i = 0; i < N_THREADS; i++) {
        worker[i] = (Worker){ .fd = fd,
                              .verify_only = verify,
                              .seed = strtoull(operand[2], NULL, 0),
                              .first = i * (n_units / N_THREADS),
                              .n_units = n_units / N_THREADS,
                              .random = strtoull(operand[2], NULL, 0) + i };
        if (pthread_create(&worker[i].thread, NULL, worker_run, &worker[i])) {
            fprintf(stderr, "random-io: cannot create a thread\n");
            return 1;
        }
    }
    for (unsigned i = 0; i < N_THREADS; i++) {
        pthread_join(worker[i].thread, NULL);
    }
    if (fsync(fd)) {
        fprintf(stderr, "random-io: fsync: %s\n", strerror(errno));
        return 1;
    }
    printf("random-io: %s %" PRIu64 " MiB\n", verify ? "verified" : "wrote and verified",
           n_units * UNIT_SIZE >> 20);
    return 0;
}
