/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drive an emulator from a test program through qtest and QMP over unix sockets.
 *
 * BACKPLANE_BINARY names the emulator. A protocol failure ends the test program. A test that
 * expects a request to be rejected uses qtest_ask() or qmp().
 */
#ifndef TESTS_LIBQTEST_H
#define TESTS_LIBQTEST_H

#include <glib.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct QTest QTest;

/* Start the emulator with @args (shell words) before "-accel qtest". Connects both sockets and
 * completes the QMP handshake. */
QTest *qtest_start(const char *args);
/* Like qtest_start(), without the QMP handshake: the first qmp_receive() returns the greeting. */
QTest *qtest_start_raw(const char *args);
/* Send SIGTERM. The exit status must be 0. Frees @q. */
void qtest_end(QTest *q);
/* Wait until the emulator ends by itself. Return the exit status, or -1 if a signal ended it.
 * Frees @q. */
int qtest_wait(QTest *q);
/* Return the private memory of the emulator in KiB (RssAnon), with the guest RAM in use. */
unsigned long qtest_memory(QTest *q);
/* Run the emulator with @args and without sockets. Return the exit status, which is 124 if the
 * emulator had to be ended after 120 seconds. Store its outputs in *out and *err (g_free) unless
 * these are NULL. */
int qtest_run(const char *args, char **out, char **err);

/* --- qtest --- */
/* Return the reply line to one request line, without IRQ lines; g_free. */
char *qtest_ask(QTest *q, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* Like qtest_ask(), but the request must succeed. */
void qtest_ok(QTest *q, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
void qtest_send(QTest *q, const void *bytes, size_t len);
char *qtest_receive(QTest *q);                               /* one line, g_free */
uint64_t qtest_read(QTest *q, uint64_t addr, unsigned size); /* size 1, 2, 4, 8 */
void qtest_write(QTest *q, uint64_t addr, unsigned size, uint64_t value);
void qtest_memread(QTest *q, uint64_t addr, void *buf, size_t len);
void qtest_memwrite(QTest *q, uint64_t addr, const void *buf, size_t len);
int64_t qtest_clock_step(QTest *q, int64_t ns);
/* Return the level of an intercepted pin according to the IRQ lines so far (irq_intercept_in). */
bool qtest_irq(QTest *q, unsigned n);

/* --- QMP: each result and event is checked against the schema of the emulator --- */
/* Return the response to one request ('single quotes' allowed). Events are kept for qmp_event(). */
struct json_object *qmp(QTest *q, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* Return the "return" member of the response, which must exist. The caller owns it. */
struct json_object *qmp_return(QTest *q, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* Return the error class of the response, "" if the request succeeded; g_free. */
char *qmp_error_class(QTest *q, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
void qmp_send(QTest *q, const char *text);
struct json_object *qmp_receive(QTest *q);
/* Wait for the next event with that name and return it. The caller owns it. */
struct json_object *qmp_event(QTest *q, const char *name);
char *hmp(QTest *q, const char *line); /* g_free */

/* --- PCI on `virt` --- */
uint32_t pci_read(QTest *q, unsigned bus, unsigned slot, unsigned fn, unsigned reg, unsigned size);
void pci_write(QTest *q, unsigned bus, unsigned slot, unsigned fn, unsigned reg, unsigned size,
               uint32_t value);
/* Return the offset of a capability, 0 if the function does not have it. */
unsigned pci_find_cap(QTest *q, unsigned bus, unsigned slot, unsigned fn, uint8_t id);
/* Measure a memory BAR by writing all ones, and set its address (64-bit BARs too). Return its
 * size. */
uint64_t pci_place_bar(QTest *q, unsigned bus, unsigned slot, unsigned fn, unsigned bar,
                       uint64_t addr);

#endif
