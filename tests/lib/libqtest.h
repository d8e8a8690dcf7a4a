/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Driving an emulator from a test: qtest and QMP over unix sockets.
 *
 * The binary is the one named by BACKPLANE_BINARY. Failures of the protocol end the test
 * program; refusals that a test expects are asked for with qtest_ask() and qmp().
 */
#ifndef TESTS_LIBQTEST_H
#define TESTS_LIBQTEST_H

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct QTest QTest;

/* Start it with `args` (shell words) in front of "-accel qtest"; both sockets are connected and
 * the QMP handshake is done. */
QTest *qtest_start(const char *args);
/* Without the handshake: the greeting is the first qmp_receive(). */
QTest *qtest_start_raw(const char *args);
/* SIGTERM; the exit status must be 0. */
void qtest_end(QTest *q);
/* Wait for it to end by itself: the exit status, or -1 if a signal ended it. Frees q. */
int qtest_wait(QTest *q);
/* Its private memory in KiB, guest RAM left out (RssAnon of Linux). */
unsigned long qtest_memory(QTest *q);
/* Run with args and no sockets: exit status, and what it wrote (g_free) if the pointers are given.
 */
int qtest_run(const char *args, char **out, char **err);

/* --- qtest --- */
/* The reply line to one request line, IRQ lines taken out; g_free. */
char *qtest_ask(QTest *q, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* The same, which must succeed. */
void qtest_ok(QTest *q, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
void qtest_send(QTest *q, const void *bytes, size_t len);
char *qtest_receive(QTest *q);                               /* one line, g_free */
uint64_t qtest_read(QTest *q, uint64_t addr, unsigned size); /* size 1, 2, 4, 8 */
void qtest_write(QTest *q, uint64_t addr, unsigned size, uint64_t value);
void qtest_memread(QTest *q, uint64_t addr, void *buf, size_t len);
void qtest_memwrite(QTest *q, uint64_t addr, const void *buf, size_t len);
int64_t qtest_clock_step(QTest *q, int64_t ns);
/* Level of a watched pin by the IRQ lines so far (irq_intercept_in). */
bool qtest_irq(QTest *q, unsigned n);

/* --- QMP --- */
/* The response to one request ('single quotes' allowed); events are kept for qmp_event(). */
struct json_object *qmp(QTest *q, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* Its "return" (owned by the caller), which must be there. */
struct json_object *qmp_return(QTest *q, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* Its error class; "" if it succeeded. Static text of the answer's lifetime is copied: g_free. */
char *qmp_error_class(QTest *q, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
void qmp_send(QTest *q, const char *text);
struct json_object *qmp_receive(QTest *q);
/* The next event of that name, waiting for it; owned. */
struct json_object *qmp_event(QTest *q, const char *name);
char *hmp(QTest *q, const char *line); /* g_free */

/* --- PCI on `virt` --- */
uint32_t pci_read(QTest *q, unsigned bus, unsigned slot, unsigned fn, unsigned reg, unsigned size);
void pci_write(QTest *q, unsigned bus, unsigned slot, unsigned fn, unsigned reg, unsigned size,
               uint32_t value);
/* Offset of a capability, 0 if there is none. */
unsigned pci_find_cap(QTest *q, unsigned bus, unsigned slot, unsigned fn, uint8_t id);
/* Size of a memory BAR: all ones written, read back, address put there (64-bit BARs too). */
uint64_t pci_place_bar(QTest *q, unsigned bus, unsigned slot, unsigned fn, unsigned bar,
                       uint64_t addr);

#endif
