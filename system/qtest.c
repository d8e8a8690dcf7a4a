/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The qtest server (contract in system/qtest.h). Requests are rows of one const table; numbers
 * and hex data are scanned and printed by hand, since clients pipeline a million lines a second.
 */
#include "system/qtest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chardev/chardev.h"
#include "hw/core/clock.h"
#include "hw/core/cpu.h"

#define MAX_WORDS 6
#define FLUSH_AT  (1u << 20) /* bytes of replies that leave before the feed is done */

struct Qtest {
    Machine *m;
    QtestSink *sink;
    void *opaque;
    GString *line;     /* the unfinished request */
    bool skipping;     /* the rest of a line that is too long */
    GString *out;      /* replies that the sink has not taken */
    bool busy;         /* inside a feed, which sends the replies at its end */
    GByteArray *input; /* requests that wait until the client reads its replies */
    Device *watched;   /* interception: pinned; NULL for none */
    FILE *log;
    gint64 start;
    Chardev *chardev;
    ChardevFront front;
};

typedef struct Word {
    const char *s;
    size_t len;
} Word;

typedef struct Request {
    Word w[MAX_WORDS]; /* w[0] is the command */
    unsigned n;
} Request;

/* --- replies --- */

/* Offer what is ready once it is more than limit. False when the client does not read it. */
static bool flush(Qtest *q, size_t limit)
{
    size_t taken;

    if (q->out->len <= limit) {
        return true;
    }
    taken = q->sink(q->opaque, q->out->str, q->out->len);
    if (taken == q->out->len) {
        g_string_truncate(q->out, 0);
        return true;
    }
    g_string_erase(q->out, 0, (gssize)taken);
    return false;
}

static void reply(Qtest *q, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static void reply(Qtest *q, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_string_append_vprintf(q->out, fmt, ap);
    va_end(ap);
    g_string_append_c(q->out, '\n');
}

static void reply_ok(Qtest *q)
{
    g_string_append_len(q->out, "OK\n", 3);
}

static const char hex_digits[] = "0123456789abcdef";

/* "OK 0x" and `digits` hex digits. */
static void reply_hex(Qtest *q, uint64_t value, unsigned digits)
{
    char text[5 + 16 + 1] = "OK 0x";

    for (unsigned i = 0; i < digits; i++) {
        text[5 + i] = hex_digits[value >> 4 * (digits - 1 - i) & 15];
    }
    text[5 + digits] = '\n';
    g_string_append_len(q->out, text, digits + 6);
}

/* --- numbers --- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A C literal of at most 64 bits, with a sign as strtoull takes it; false on anything else. */
static bool number(Word w, uint64_t *value)
{
    const char *p = w.s, *end = w.s + w.len;
    unsigned base = 10;
    bool minus = false;
    uint64_t v = 0;

    if (p < end && (*p == '-' || *p == '+')) {
        minus = *p++ == '-';
    }
    if (end - p > 2 && p[0] == '0' && (p[1] | 0x20) == 'x') {
        base = 16;
        p += 2;
    } else if (end - p > 1 && p[0] == '0') {
        base = 8;
        p++;
    }
    if (p == end) {
        return false;
    }
    for (; p < end; p++) {
        int d = hex_value(*p);

        if (d < 0 || d >= (int)base || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
            __builtin_add_overflow(v, (uint64_t)d, &v)) {
            return false;
        }
    }
    *value = minus ? -v : v;
    return true;
}

/* Word i as a number, or an ERR reply. */
static bool arg(Qtest *q, const Request *r, unsigned i, uint64_t *value)
{
    if (number(r->w[i], value)) {
        return true;
    }
    reply(q, "ERR argument %u of %.*s is not a 64-bit number", i, (int)r->w[0].len, r->w[0].s);
    return false;
}

/* Address and length of the block commands. */
static bool range_args(Qtest *q, const Request *r, uint64_t *addr, uint64_t *len)
{
    if (!arg(q, r, 1, addr) || !arg(q, r, 2, len)) {
        return false;
    }
    if (*len > QTEST_LEN_MAX) {
        reply(q, "ERR length %" PRIu64 " is too large: at most %u bytes", *len, QTEST_LEN_MAX);
        return false;
    }
    return true;
}

static uint8_t *buffer(Qtest *q, uint64_t len)
{
    uint8_t *p = g_try_malloc0(len ? len : 1);

    if (!p) {
        reply(q, "ERR no memory for %" PRIu64 " bytes", len);
    }
    return p;
}

/* --- single accesses --- */

static unsigned width_of(char suffix)
{
    switch (suffix) {
    case 'b':
        return 1;
    case 'w':
        return 2;
    case 'l':
        return 4;
    default:
        return 8;
    }
}

static void do_read(Qtest *q, const Request *r)
{
    uint64_t addr, value = 0;

    if (arg(q, r, 1, &addr)) {
        mem_read(&q->m->memory, addr, width_of(r->w[0].s[4]), &value);
        reply_hex(q, value, 16);
    }
}

static void do_write(Qtest *q, const Request *r)
{
    uint64_t addr, value;

    if (arg(q, r, 1, &addr) && arg(q, r, 2, &value)) {
        mem_write(&q->m->memory, addr, width_of(r->w[0].s[5]), value);
        reply_ok(q);
    }
}

static bool port_arg(Qtest *q, const Request *r, uint64_t *port)
{
    if (!arg(q, r, 1, port)) {
        return false;
    }
    if (*port > 0xffff) {
        reply(q, "ERR port 0x%" PRIx64 " is too large: at most 0xffff", *port);
        return false;
    }
    return true;
}

static void do_in(Qtest *q, const Request *r)
{
    uint64_t port, value = 0;

    if (port_arg(q, r, &port)) {
        mem_read(&q->m->io, port, width_of(r->w[0].s[2]), &value);
        reply(q, "OK 0x%04" PRIx64, value);
    }
}

static void do_out(Qtest *q, const Request *r)
{
    uint64_t port, value;

    if (port_arg(q, r, &port) && arg(q, r, 2, &value)) {
        mem_write(&q->m->io, port, width_of(r->w[0].s[3]), value);
        reply_ok(q);
    }
}

/* --- blocks --- */

static void do_read_block(Qtest *q, const Request *r)
{
    uint64_t addr, len;
    g_autofree uint8_t *data = NULL;
    uint8_t small[64];
    uint8_t *p = small;
    size_t at;

    if (!range_args(q, r, &addr, &len)) {
        return;
    }
    if (len == 0) {
        reply(q, "ERR length of read is 0");
        return;
    }
    if (len > sizeof(small) && !(p = data = buffer(q, len))) {
        return;
    }
    mem_read_buf(&q->m->memory, addr, p, len);
    g_string_append_len(q->out, "OK 0x", 5);
    at = q->out->len;
    g_string_set_size(q->out, at + 2 * len);
    for (uint64_t i = 0; i < len; i++) {
        q->out->str[at + 2 * i] = hex_digits[p[i] >> 4];
        q->out->str[at + 2 * i + 1] = hex_digits[p[i] & 15];
    }
    g_string_append_c(q->out, '\n');
}

/* The bytes of "0x0123..." into p, at most len; the rest stays zero. */
static bool hex_bytes(Word w, uint8_t *p, uint64_t len)
{
    size_t have = (w.len - 2) / 2;

    for (size_t i = 0; i < MIN(have, len); i++) {
        int hi = hex_value(w.s[2 + 2 * i]), lo = hex_value(w.s[3 + 2 * i]);

        if (hi < 0 || lo < 0) {
            return false;
        }
        p[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

static void do_write_block(Qtest *q, const Request *r)
{
    uint64_t addr, len;
    g_autofree uint8_t *data = NULL;
    uint8_t small[64] = { 0 };
    uint8_t *p = small;

    if (!range_args(q, r, &addr, &len)) {
        return;
    }
    if (r->w[3].len < 3 || r->w[3].s[0] != '0' || r->w[3].s[1] != 'x') {
        reply(q, "ERR invalid argument size");
        return;
    }
    if (len > sizeof(small) && !(p = data = buffer(q, len))) {
        return;
    }
    if (!hex_bytes(r->w[3], p, len)) {
        reply(q, "ERR data of write has a character that is no hexadecimal digit");
        return;
    }
    mem_write_buf(&q->m->memory, addr, p, len);
    reply_ok(q);
}

static void do_b64read(Qtest *q, const Request *r)
{
    uint64_t addr, len;
    g_autofree uint8_t *data = NULL;
    g_autofree char *text = NULL;

    if (range_args(q, r, &addr, &len) && (data = buffer(q, len))) {
        mem_read_buf(&q->m->memory, addr, data, len);
        text = g_base64_encode(data, len);
        g_string_append(q->out, "OK ");
        g_string_append(q->out, text);
        g_string_append_c(q->out, '\n');
    }
}

static void do_b64write(Qtest *q, const Request *r)
{
    uint64_t addr, len;
    g_autofree char *text = g_strndup(r->w[3].s, r->w[3].len);
    g_autofree uint8_t *data = NULL, *padded = NULL;
    gsize have = 0;

    if (!range_args(q, r, &addr, &len) || !(padded = buffer(q, len))) {
        return;
    }
    data = g_base64_decode(text, &have);
    memcpy(padded, data, MIN(have, len));
    mem_write_buf(&q->m->memory, addr, padded, len);
    reply_ok(q);
}

static void do_memset(Qtest *q, const Request *r)
{
    uint64_t addr, len, value;

    if (arg(q, r, 1, &addr) && arg(q, r, 2, &len) && arg(q, r, 3, &value)) {
        if (len > QTEST_LEN_MAX) {
            reply(q, "ERR length %" PRIu64 " is too large: at most %u bytes", len, QTEST_LEN_MAX);
            return;
        }
        mem_set(&q->m->memory, addr, (uint8_t)value, len);
        reply_ok(q);
    }
}

/* --- the clock --- */

static void step_to(Qtest *q, int64_t from, int64_t to)
{
    if (to <= from || !clocks_step_to(q->m->clocks, to)) {
        reply(q, "FAIL the virtual clock stands at %" PRIi64 " and moves only forward", from);
        return;
    }
    reply(q, "OK %" PRIi64, clock_now_any(q->m, CLOCK_KIND_VIRTUAL));
}

static bool stepped(Qtest *q)
{
    if (!q->m->qtest) {
        reply(q, "FAIL the virtual clock is not stepped: start with -accel qtest");
    }
    return q->m->qtest;
}

static void do_clock_step(Qtest *q, const Request *r)
{
    int64_t now = clock_now_any(q->m, CLOCK_KIND_VIRTUAL), to;
    uint64_t by;

    if (!stepped(q)) {
        return;
    }
    if (r->n == 1) {
        to = clocks_deadline(q->m->clocks, CLOCK_KIND_VIRTUAL);
        if (to == CLOCK_NEVER) {
            reply(q, "FAIL no timer is pending on the virtual clock");
            return;
        }
        /* a timer that is due already runs without time passing */
        if (to <= now && clocks_step_to(q->m->clocks, now)) {
            reply(q, "OK %" PRIi64, now);
            return;
        }
        step_to(q, now, to);
    } else if (arg(q, r, 1, &by)) {
        if (by > (uint64_t)(CLOCK_NEVER - 1 - now)) {
            reply(q, "FAIL the virtual clock cannot move by %" PRIu64 " ns", by);
            return;
        }
        step_to(q, now, now + (int64_t)by);
    }
}

static void do_clock_set(Qtest *q, const Request *r)
{
    uint64_t to;

    if (!stepped(q) || !arg(q, r, 1, &to)) {
        return;
    }
    if (to >= CLOCK_NEVER) {
        reply(q, "FAIL the virtual clock cannot be set to %" PRIu64 " ns", to);
        return;
    }
    step_to(q, clock_now_any(q->m, CLOCK_KIND_VIRTUAL), (int64_t)to);
}

/* --- interrupts --- */

static Device *find_device(Qtest *q, Word path)
{
    g_autofree char *name = g_strndup(path.s, path.len);
    Device *dev = device_find_path(q->m, name);

    if (!dev) {
        reply(q, "FAIL Unknown device '%s'", name);
    }
    return dev;
}

static void on_irq(void *opaque, unsigned n, bool level)
{
    Qtest *q = opaque;

    g_string_append_printf(q->out, "IRQ %s %u\n", level ? "raise" : "lower", n);
    if (!q->busy) {
        flush(q, 0); /* raised by the host's side, between requests */
    }
}

static void unwatch(Qtest *q)
{
    for (unsigned i = 0; q->watched && i < q->watched->n_irq_in; i++) {
        q->watched->irq_in[i].watch = NULL;
    }
    if (q->watched) {
        device_unpin_any(q->watched);
    }
    q->watched = NULL;
}

static void do_intercept_in(Qtest *q, const Request *r)
{
    Device *dev = find_device(q, r->w[1]);

    if (!dev) {
        return;
    }
    if (q->watched && q->watched != dev) {
        reply(q, "FAIL IRQ intercept already enabled on '%s'", q->watched->path);
        return;
    }
    if (!dev->n_irq_in) {
        reply(q, "FAIL device '%s' has no interrupt inputs", dev->path);
        return;
    }
    if (!q->watched) {
        device_pin_any(dev);
        q->watched = dev;
        for (unsigned i = 0; i < dev->n_irq_in; i++) {
            dev->irq_in[i].watch = on_irq;
            dev->irq_in[i].watch_opaque = q;
        }
    }
    reply_ok(q);
}

static void do_intercept_out(Qtest *q, const Request *r)
{
    Device *dev = find_device(q, r->w[1]);

    if (dev) {
        reply(q,
              "FAIL outputs of '%s' cannot be watched: use irq_intercept_in on the controller "
              "they lead to",
              dev->path);
    }
}

static void do_set_irq_in(Qtest *q, const Request *r)
{
    Device *dev = find_device(q, r->w[1]);
    uint64_t n, level;

    if (!dev || !arg(q, r, 3, &n) || !arg(q, r, 4, &level)) {
        return;
    }
    if (r->w[2].len != 15 || memcmp(r->w[2].s, "unnamed-gpio-in", 15) != 0) {
        reply(q, "FAIL device '%s' has only inputs named unnamed-gpio-in", dev->path);
        return;
    }
    if (n >= dev->n_irq_in) {
        reply(q, "FAIL input %" PRIu64 " of '%s' is out of range: it has %u", n, dev->path,
              dev->n_irq_in);
        return;
    }
    irq_set(&dev->irq_in[n], level != 0);
    reply_ok(q);
}

/* --- the rest --- */

static void do_csr(Qtest *q, const Request *r)
{
    bool write = r->w[1].len == 7 && memcmp(r->w[1].s, "set_csr", 7) == 0;
    uint64_t hart, csr, value;
    Cpu *cpu;

    if (!write && !(r->w[1].len == 7 && memcmp(r->w[1].s, "get_csr", 7) == 0)) {
        reply(q, "FAIL csr takes get_csr or set_csr");
        return;
    }
    if (!arg(q, r, 2, &hart) || !arg(q, r, 3, &csr) || !arg(q, r, 4, &value)) {
        return;
    }
    if (hart >= q->m->cpus->len) {
        reply(q, "FAIL hart %" PRIu64 " does not exist: there are %u", hart, q->m->cpus->len);
        return;
    }
    cpu = q->m->cpus->pdata[hart];
    if (!q->m->qtest || !cpu->type->csr_access || csr > 0xfff ||
        !cpu->type->csr_access(cpu, (unsigned)csr, write, &value)) {
        reply(q, "FAIL CSR 0x%" PRIx64 " of hart %" PRIu64 " cannot be accessed", csr, hart);
        return;
    }
    reply(q, "OK 0 %" PRIx64, value);
}

static void do_endianness(Qtest *q, const Request *r)
{
    reply(q, "OK little");
}

/* --- dispatch --- */

typedef struct Command {
    const char *name;
    uint8_t len, min_words, max_words; /* words include the command */
    void (*run)(Qtest *q, const Request *r);
} Command;

#define CMD(name, min, max, fn)                                                                    \
    {                                                                                              \
        name, sizeof(name) - 1, min, max, fn                                                       \
    }

/* In the order of frequency. */
static const Command commands[] = {
    CMD("read", 3, 3, do_read_block),
    CMD("write", 4, 4, do_write_block),
    CMD("readl", 2, 2, do_read),
    CMD("writel", 3, 3, do_write),
    CMD("readw", 2, 2, do_read),
    CMD("writew", 3, 3, do_write),
    CMD("readq", 2, 2, do_read),
    CMD("writeq", 3, 3, do_write),
    CMD("readb", 2, 2, do_read),
    CMD("writeb", 3, 3, do_write),
    CMD("inb", 2, 2, do_in),
    CMD("inw", 2, 2, do_in),
    CMD("inl", 2, 2, do_in),
    CMD("outb", 3, 3, do_out),
    CMD("outw", 3, 3, do_out),
    CMD("outl", 3, 3, do_out),
    CMD("clock_step", 1, 2, do_clock_step),
    CMD("clock_set", 2, 2, do_clock_set),
    CMD("memset", 4, 4, do_memset),
    CMD("b64read", 3, 3, do_b64read),
    CMD("b64write", 4, 4, do_b64write),
    CMD("endianness", 1, 1, do_endianness),
    CMD("irq_intercept_in", 2, 2, do_intercept_in),
    CMD("irq_intercept_out", 2, 3, do_intercept_out),
    CMD("set_irq_in", 5, 5, do_set_irq_in),
    CMD("csr", 5, 5, do_csr),
};

static const Command *find_command(Word w)
{
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (commands[i].len == w.len && memcmp(commands[i].name, w.s, w.len) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* Words of a line; false when there are more than any request has. */
static bool split(const char *s, size_t len, Request *r)
{
    const char *end = s + len;

    r->n = 0;
    for (;;) {
        const char *space = memchr(s, ' ', (size_t)(end - s));

        if (r->n == MAX_WORDS) {
            return false;
        }
        r->w[r->n++] = (Word){ s, (size_t)((space ? space : end) - s) };
        if (!space) {
            return true;
        }
        s = space + 1;
    }
}

static void log_part(Qtest *q, char dir, const char *s, size_t len)
{
    fprintf(q->log, "[%c +%.6f] %.*s%s", dir,
            (double)(g_get_monotonic_time() - q->start) / G_USEC_PER_SEC, (int)len, s,
            dir == 'R' ? "\n" : "");
}

static void run_line(Qtest *q, const char *s, size_t len)
{
    size_t at = q->out->len;
    const Command *c = NULL;
    Request r;
    bool fits;

    if (len > 0 && s[len - 1] == '\r') {
        len--;
    }
    fits = split(s, len, &r);
    c = find_command(r.w[0]);
    if (!c) {
        g_autofree char *name = g_strndup(r.w[0].s, MIN(r.w[0].len, 64));
        g_autofree char *shown = g_strescape(name, NULL);

        reply(q, "FAIL Unknown command '%s'", shown);
    } else if (!fits || r.n < c->min_words || r.n > c->max_words) {
        reply(q, "ERR %s takes %u to %u arguments, separated by one space each", c->name,
              c->min_words - 1u, c->max_words - 1u);
    } else {
        c->run(q, &r);
    }
    if (q->log) {
        log_part(q, 'R', s, len);
        log_part(q, 'S', q->out->str + at, q->out->len - at);
    }
}

/* The unfinished line grows by len bytes, or is given up. */
static void keep(Qtest *q, const char *s, size_t len)
{
    if (q->skipping || q->line->len + len > QTEST_LINE_MAX) {
        q->skipping = true;
        g_string_truncate(q->line, 0);
        return;
    }
    g_string_append_len(q->line, s, (gssize)len);
}

static void end_line(Qtest *q, const char *s, size_t len)
{
    if (q->line->len == 0 && !q->skipping) {
        run_line(q, s, len);
        return;
    }
    keep(q, s, len);
    if (q->skipping) {
        reply(q, "ERR the line is too long: at most %u bytes", QTEST_LINE_MAX);
    } else {
        run_line(q, q->line->str, q->line->len);
    }
    q->skipping = false;
    g_string_truncate(q->line, 0);
}

/* Whole lines of [s, end); returns where it stopped because the client does not read. */
static const char *run_lines(Qtest *q, const char *s, const char *end)
{
    const char *nl;

    while ((nl = memchr(s, '\n', (size_t)(end - s)))) {
        end_line(q, s, (size_t)(nl - s));
        s = nl + 1;
        if (!flush(q, FLUSH_AT)) {
            return s;
        }
    }
    if (s < end) {
        keep(q, s, (size_t)(end - s));
    }
    return end;
}

void qtest_feed(Qtest *q, const void *bytes, size_t len)
{
    const char *end = (const char *)bytes + len, *s = bytes;

    if (q->busy || q->input->len > 0) {
        g_byte_array_append(q->input, bytes, (guint)len);
        return;
    }
    q->busy = true;
    s = run_lines(q, s, end);
    /* what a nested turn of the main loop read meanwhile comes after the rest of this */
    g_byte_array_prepend(q->input, (const guint8 *)s, (guint)(end - s));
    q->busy = false;
    if (s == end) {
        qtest_writable(q);
    } else {
        flush(q, 0);
    }
}

void qtest_writable(Qtest *q)
{
    GByteArray *waiting = q->input;

    if (!flush(q, 0) || waiting->len == 0) {
        return;
    }
    q->input = g_byte_array_new();
    qtest_feed(q, waiting->data, waiting->len);
    g_byte_array_unref(waiting);
}

/* --- life --- */

Qtest *qtest_new(Machine *m, QtestSink *sink, void *opaque)
{
    Qtest *q = g_new0(Qtest, 1);

    q->m = m;
    q->sink = sink;
    q->opaque = opaque;
    q->line = g_string_new(NULL);
    q->out = g_string_sized_new(64 * 1024);
    q->input = g_byte_array_new();
    q->start = g_get_monotonic_time();
    return q;
}

void qtest_restart(Qtest *q)
{
    unwatch(q);
    g_string_truncate(q->line, 0);
    g_string_truncate(q->out, 0);
    g_byte_array_set_size(q->input, 0);
    q->skipping = false;
}

void qtest_free(Qtest *q)
{
    if (!q) {
        return;
    }
    qtest_restart(q);
    if (q->chardev) {
        chardev_detach(q->chardev, &q->front);
    }
    if (q->log) {
        fclose(q->log);
    }
    g_string_free(q->line, TRUE);
    g_string_free(q->out, TRUE);
    g_byte_array_unref(q->input);
    g_free(q);
}

bool qtest_log_to(Qtest *q, const char *path, GError **err)
{
    if (strcmp(path, "none") == 0 || strcmp(path, "/dev/null") == 0) {
        return true;
    }
    q->log = fopen(path, "we");
    if (!q->log) {
        g_set_error(err, G_FILE_ERROR, g_file_error_from_errno(errno),
                    "qtest log '%s' cannot be written: %s", path, g_strerror(errno));
        return false;
    }
    setvbuf(q->log, NULL, _IOLBF, 0);
    return true;
}

static size_t front_can_read(void *opaque)
{
    Qtest *q = opaque;

    return q->out->len + q->input->len == 0 ? SIZE_MAX : 0;
}

static void front_writable(void *opaque)
{
    Qtest *q = opaque;

    qtest_writable(q);
    chardev_accept_input(q->chardev);
}

static void front_read(void *opaque, const uint8_t *buf, size_t len)
{
    qtest_feed(opaque, buf, len);
}

static void front_event(void *opaque, ChardevEvent event)
{
    if (event == CHARDEV_OPENED) {
        qtest_restart(opaque);
    }
}

static size_t to_chardev(void *opaque, const char *bytes, size_t len)
{
    return chardev_write(((Qtest *)opaque)->chardev, bytes, len);
}

bool qtest_serve(Qtest *q, Chardev *c, GError **err)
{
    q->front = (ChardevFront){ front_can_read, front_read, front_event, front_writable, q, true };
    q->chardev = c;
    q->sink = to_chardev;
    q->opaque = q;
    if (!chardev_attach(c, &q->front, err)) {
        q->chardev = NULL;
        return false;
    }
    return true;
}
