/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A qtest client for measurements. It sends one request line repeatedly, one at a time or with many
 * in flight, and prints "seconds client-CPU server-CPU" for each of three runs. With `echo` it is a
 * server that answers every line immediately and does nothing else: the upper bound that this
 * host's sockets permit.
 *
 *   bench-qtest SOCKET PID CPU DEPTH COUNT LINE
 *   bench-qtest echo SOCKET
 */
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { RUNS = 3, BUFFER = 256 * 1024 };

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec t;

    if (clock_gettime(clock, &t) < 0) {
        die("clock");
    }
    return t.tv_sec + t.tv_nsec / 1e9;
}

static struct sockaddr_un address(const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(un.sun_path)) {
        fprintf(stderr, "socket path '%s' is too long\n", path);
        exit(1);
    }
    strcpy(un.sun_path, path);
    return un;
}

static size_t lines_in(const char *s, size_t len)
{
    size_t n = 0;

    for (const char *end = s + len; (s = memchr(s, '\n', (size_t)(end - s))); s++) {
        n++;
    }
    return n;
}

static void put(int fd, const char *s, size_t len)
{
    while (len) {
        ssize_t n = send(fd, s, len, MSG_NOSIGNAL);

        if (n <= 0) {
            die("send");
        }
        s += n;
        len -= (size_t)n;
    }
}

/* Send `count` requests in batches of `depth`. A batch is sent when the previous one is
 * answered. */
static void run(int fd, const char *piece, size_t len, size_t depth, size_t count)
{
    static char buf[BUFFER];

    for (size_t done = 0; done < count; done += depth) {
        put(fd, piece, len);
        for (size_t seen = 0; seen < depth;) {
            ssize_t n = recv(fd, buf, sizeof(buf), 0);

            if (n <= 0) {
                die("recv");
            }
            seen += lines_in(buf, (size_t)n);
        }
    }
}

static void client(char **arg)
{
    struct sockaddr_un un = address(arg[0]);
    size_t depth = strtoul(arg[3], NULL, 0), count = strtoul(arg[4], NULL, 0);
    size_t one = strlen(arg[5]) + 1;
    char *piece = malloc(depth * one);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    clockid_t server;
    cpu_set_t set;

    if (!piece || fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0 ||
        clock_getcpuclockid((pid_t)strtol(arg[1], NULL, 0), &server) != 0) {
        die(arg[0]);
    }
    for (size_t i = 0; i < depth; i++) {
        memcpy(piece + i * one, arg[5], one - 1);
        piece[(i + 1) * one - 1] = '\n';
    }
    CPU_ZERO(&set);
    CPU_SET(strtoul(arg[2], NULL, 0), &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0) {
        die("affinity");
    }
    run(fd, piece, depth * one, depth, depth * 10);
    for (int i = 0; i < RUNS; i++) {
        double wall = seconds(CLOCK_MONOTONIC), own = seconds(CLOCK_PROCESS_CPUTIME_ID);
        double theirs = seconds(server);

        run(fd, piece, depth * one, depth, count);
        printf("%.6f %.6f %.6f\n", seconds(CLOCK_MONOTONIC) - wall,
               seconds(CLOCK_PROCESS_CPUTIME_ID) - own, seconds(server) - theirs);
    }
}

/* Serve like an emulator: poll, read, and answer the lines of a batch together. */
static void serve(int fd)
{
    static const char reply[] = "OK 0x0000000000000000\n";
    static char in[BUFFER], out[BUFFER];
    struct pollfd p = { .fd = fd, .events = POLLIN };
    ssize_t n;

    /* wait-ok: a server, which its client ends */
    while (poll(&p, 1, -1) > 0 && (n = recv(fd, in, 4096, 0)) > 0) {
        size_t lines = lines_in(in, (size_t)n), len = sizeof(reply) - 1;

        for (size_t i = 0; i < lines; i++) {
            memcpy(out + i * len, reply, len);
        }
        put(fd, out, lines * len);
    }
}

static void echo(const char *path)
{
    struct sockaddr_un un = address(path);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd;

    if (listener < 0 || bind(listener, (struct sockaddr *)&un, sizeof(un)) < 0 ||
        listen(listener, 1) < 0) {
        die(path);
    }
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        serve(fd);
        close(fd);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "echo") == 0) {
        echo(argv[2]);
        return 0;
    }
    if (argc != 7) {
        fprintf(stderr, "bench-qtest: see the head of bench-qtest.c\n");
        return 1;
    }
    client(argv + 1);
    return 0;
}
