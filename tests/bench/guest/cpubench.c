// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Work for a guest's CPU: "cpubench ROW" does a fixed amount of one class of work and prints
 * "RESULT checksum". The CPU time is measured on the host. The checksum is that of any correct CPU.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

static uint64_t row_integer(void)
{
    uint64_t x = 88172645463325252u, sum = 0;

    for (unsigned i = 0; i < 60000000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        sum += x * 0x9e3779b97f4a7c15u;
    }
    return sum;
}

/* --- SHA-256 (FIPS 180-4) --- */

static uint32_t ror(uint32_t v, unsigned n)
{
    return v >> n | v << (32 - n);
}

static const uint32_t sha_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static NOINLINE void sha_block(uint32_t h[8], const uint32_t *data)
{
    uint32_t w[64], s[8];

    memcpy(w, data, 64);
    for (unsigned i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) +
               (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
    }
    memcpy(s, h, 32);
    for (unsigned i = 0; i < 64; i++) {
        uint32_t t1 = s[7] + (ror(s[4], 6) ^ ror(s[4], 11) ^ ror(s[4], 25)) +
                      ((s[4] & s[5]) ^ (~s[4] & s[6])) + sha_k[i] + w[i];
        uint32_t t2 = (ror(s[0], 2) ^ ror(s[0], 13) ^ ror(s[0], 22)) +
                      ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 28);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (unsigned i = 0; i < 8; i++) {
        h[i] += s[i];
    }
}

static uint64_t row_sha256(void)
{
    uint32_t h[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, data[16] = { 0 };

    for (unsigned i = 0; i < 200000; i++) {
        data[0] = i;
        sha_block(h, data);
    }
    return h[0];
}

static uint64_t row_sieve(void)
{
    enum { N = 12 << 20 };
    uint8_t *flags = calloc(N, 1);
    uint64_t n = 0;

    for (uint64_t i = 2; i < N; i++) {
        if (!flags[i]) {
            n++;
            for (uint64_t k = i * i; k < N; k += i) {
                flags[k] = 1;
            }
        }
    }
    free(flags);
    return n;
}

static uint64_t row_matmul(void)
{
    enum { N = 200 };
    static double a[N][N], b[N][N], c[N][N];

    for (unsigned i = 0; i < N; i++) {
        for (unsigned j = 0; j < N; j++) {
            a[i][j] = 1.0 / (i + j + 1);
            b[i][j] = 0.5 + i * 0.001 - j * 0.002;
        }
    }
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned i = 0; i < N; i++) {
            for (unsigned j = 0; j < N; j++) {
                double sum = 0;
                for (unsigned k = 0; k < N; k++) {
                    sum += a[i][k] * b[k][j];
                }
                c[i][j] = sum;
            }
        }
    }
    return (uint64_t)(c[17][31] * 1e9);
}

static uint64_t row_nbody(void)
{
    double p[5][3], v[5][3] = { { 0 } };

    for (unsigned i = 0; i < 15; i++) {
        p[i / 3][i % 3] = 1.0 + i * 0.37 - (i % 4) * 1.1;
    }
    for (unsigned step = 0; step < 250000; step++) {
        for (unsigned i = 0; i < 5; i++) {
            for (unsigned j = i + 1; j < 5; j++) {
                double dx = p[i][0] - p[j][0], dy = p[i][1] - p[j][1], dz = p[i][2] - p[j][2];
                double d = dx * dx + dy * dy + dz * dz + 0.1, m = 1e-5 / (d * d);
                v[i][0] -= dx * m, v[i][1] -= dy * m, v[i][2] -= dz * m;
                v[j][0] += dx * m, v[j][1] += dy * m, v[j][2] += dz * m;
            }
        }
        for (unsigned i = 0; i < 5; i++) {
            p[i][0] += 1e-3 * v[i][0], p[i][1] += 1e-3 * v[i][1], p[i][2] += 1e-3 * v[i][2];
        }
    }
    return (uint64_t)(int64_t)(p[2][1] * 1e9);
}

/* --- memory --- */

enum { BUFFER = 1 << 20, ROUNDS = 400 };

static uint64_t copy(unsigned skew)
{
    uint8_t *a = malloc(BUFFER + 64), *b = malloc(BUFFER + 64);

    memset(a, 3, BUFFER + 64);
    for (unsigned i = 0; i < ROUNDS; i++) {
        a[i] = (uint8_t)i;
        memcpy(b, a + skew, BUFFER);
        __asm__ volatile("" ::: "memory");
    }
    return b[7];
}

static uint64_t row_memcpy(void)
{
    return copy(0);
}

static uint64_t row_memcpy_skewed(void)
{
    return copy(3);
}

static uint64_t row_memset(void)
{
    uint8_t *a = malloc(BUFFER);

    for (unsigned i = 0; i < ROUNDS * 2; i++) {
        memset(a, (int)i, BUFFER);
        __asm__ volatile("" ::: "memory");
    }
    return a[9];
}

/* --- control flow --- */

static NOINLINE unsigned fib(unsigned n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static uint64_t row_calls(void)
{
    return fib(33);
}

static NOINLINE uint64_t step_a(uint64_t v)
{
    return v + 3;
}

static NOINLINE uint64_t step_b(uint64_t v)
{
    return v * 5;
}

static NOINLINE uint64_t step_c(uint64_t v)
{
    return v ^ v >> 7;
}

static uint64_t row_indirect(void)
{
    uint64_t (*volatile steps[4])(uint64_t) = { step_a, step_b, step_c, step_a };
    uint64_t v = 1;

    for (unsigned i = 0; i < 15000000; i++) {
        v = steps[i & 3](v);
    }
    return v;
}

static uint64_t row_bytecode(void)
{
    static const uint8_t program[] = { 0, 1, 2, 3, 0, 4, 2, 1, 5, 0, 3, 6 };
    uint64_t acc = 1, other = 2;

    for (unsigned n = 0, pc = 0; n < 20000000; n++) {
        switch (program[pc++]) {
        case 0:
            acc += other;
            break;
        case 1:
            acc ^= acc << 3;
            break;
        case 2:
            other += 7;
            break;
        case 3:
            acc -= other >> 2;
            break;
        case 4:
            other ^= acc;
            break;
        case 5:
            acc += acc >> 11;
            break;
        default:
            pc = 0;
        }
    }
    return acc;
}

/* --- system --- */

static uint64_t row_syscall(void)
{
    for (unsigned i = 0; i < 400000; i++) {
        syscall(SYS_getppid);
    }
    return 1;
}

static uint64_t row_page_fault(void)
{
    for (unsigned round = 0; round < 10; round++) {
        uint8_t *p =
            mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (unsigned i = 0; i < 8 << 20; i += 4096) {
            p[i] = 1;
        }
        munmap(p, 8 << 20);
    }
    return 1;
}

static uint64_t row_fork(void)
{
    for (unsigned i = 0; i < 200; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            _exit(0);
        }
        waitpid(pid, NULL, 0);
    }
    return 1;
}

static uint64_t row_pipe(void)
{
    int to[2], from[2];
    char byte = 0;

    if (pipe(to) || pipe(from)) {
        return 0;
    }
    pid_t pid = fork();
    for (unsigned i = 0; i < 20000; i++) {
        if (pid == 0) {
            if (read(to[0], &byte, 1) != 1 || write(from[1], &byte, 1) != 1) {
                _exit(1);
            }
        } else if (write(to[1], &byte, 1) != 1 || read(from[0], &byte, 1) != 1) {
            return 0;
        }
    }
    if (pid == 0) {
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    return 1;
}

static const struct {
    const char *name;
    uint64_t (*run)(void);
} rows[] = {
    { "integer", row_integer },
    { "sha256", row_sha256 },
    { "sieve", row_sieve },
    { "matmul", row_matmul },
    { "nbody", row_nbody },
    { "memcpy", row_memcpy },
    { "memcpy-skewed", row_memcpy_skewed },
    { "memset", row_memset },
    { "calls", row_calls },
    { "indirect", row_indirect },
    { "bytecode", row_bytecode },
    { "syscall", row_syscall },
    { "page-fault", row_page_fault },
    { "fork", row_fork },
    { "pipe", row_pipe },
};

int main(int argc, char **argv)
{
    for (unsigned i = 0; argc == 2 && i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].name, argv[1]) == 0) {
            printf("RESULT %llx\n", (unsigned long long)rows[i].run());
            return 0;
        }
    }
    fprintf(stderr, "usage: cpubench ROW\n");
    return 2;
}
