/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Character back ends: where bytes of consoles, monitors and qtest go.
 *
 * A Chardev is made from its options (-chardev KIND,id=...,...; -serial, -qtest, -qmp and
 * -monitor take the short forms: "unix:PATH,server=on,wait=off", "stdio", "tcp:HOST:PORT", ...).
 * It has one front end at a time, except a mux, which passes input to the one in focus.
 * Everything runs on the main loop with the machine lock held. Writing never blocks: what the
 * peer does not take is buffered up to CHARDEV_BUFFER bytes; what chardev_write() does not take
 * then is lost for devices that ignore its result.
 */
#ifndef CHARDEV_CHARDEV_H
#define CHARDEV_CHARDEV_H

#include <json-c/json.h>

#include "hw/core/machine.h"

#define CHARDEV_BUFFER (16u << 20)

typedef struct Chardev Chardev;
typedef enum ChardevEvent {
    CHARDEV_OPENED, /* a peer is there; on a mux, not before input first comes to this front end */
    CHARDEV_CLOSED,
    CHARDEV_BREAK,
    CHARDEV_FOCUSED, /* on a mux: input comes to this front end again */
} ChardevEvent;

/* The front end. All may be NULL. */
typedef struct ChardevFront {
    size_t (*can_read)(void *opaque); /* how many bytes it takes now; NULL: any number */
    void (*read)(void *opaque, const uint8_t *buf, size_t len);
    void (*event)(void *opaque, ChardevEvent event);
    void (*writable)(void *opaque); /* the buffer drained below its half */
    void *opaque;
    /* read() may be entered from inside itself, by a nested turn of the main loop. Saves GLib's
     * blocking of the source, which costs three system calls an event. */
    bool nests;
} ChardevFront;

/* "socket,id=c0,path=P,server=on,wait=off" or the short forms; options as a JSON object from a
 * description. NULL and a sentence naming the option. A socket server with wait=on returns only
 * when a peer is there. */
Chardev *chardev_new(Machine *m, const char *id, const char *options, GError **err);
Chardev *chardev_new_json(Machine *m, struct json_object *options, GError **err);
void chardev_free(Chardev *c);
/* Free the one of this id; refused while a front end has it. */
bool chardev_del(Machine *m, const char *id, GError **err);
/* Flush for a short while and free all (end of the process). */
void chardev_free_all(Machine *m);
Chardev *chardev_find(Machine *m, const char *id); /* or by its alias */
/* Let it be found under the name that a board looks for (serial0), too; monitors show its id. False
 * and a sentence if another has that name, or this one has one already. */
bool chardev_set_alias(Chardev *c, const char *alias, GError **err);

/* Take or give back (front NULL) the back end; false if another front end has it. The front end
 * gets CHARDEV_OPENED at once if a peer is connected; on a mux the one in focus gets it from the
 * main loop, so that only the last of those attached at start greets. */
bool chardev_attach(Chardev *c, const ChardevFront *front, GError **err);
void chardev_detach(Chardev *c, const ChardevFront *front);
/* Queue len bytes; returns how many were taken (all, up to the buffer's limit; all while no peer is
 * connected, and they are lost). What is taken is written to logfile=. */
size_t chardev_write(Chardev *c, const void *buf, size_t len);
/* Hand over only what goes without waiting and return how much that was; writable() is called
 * when more goes. For front ends that hold their bytes back themselves. */
size_t chardev_write_now(Chardev *c, const void *buf, size_t len);
/* Write to logfile= only: bytes of a front end that it drops itself, because nobody is connected
 * or the buffer is full. */
void chardev_log(Chardev *c, const void *buf, size_t len);
/* can_read() may have grown: offer input again. */
void chardev_accept_input(Chardev *c);
bool chardev_is_open(const Chardev *c);
/* Whether somebody listens at the front end, for query-chardev. Attaching says so; a front end
 * whose own user comes and goes (a port that the guest opens and closes) corrects it. */
void chardev_set_front_open(Chardev *c, bool open);
bool chardev_front_is_open(const Chardev *c);
/* Call fn for each, for query-chardev: id, its description ("unix:/x,server=on"), open. */
void chardev_foreach(Machine *m, void (*fn)(void *opaque, Chardev *c), void *opaque);
const char *chardev_id(const Chardev *c);
const char *chardev_describe(const Chardev *c);
/* Read and deliver events on another context (a monitor's own thread; without the machine lock
 * there), or on the default one again (NULL). False for a mux, which stays on the main loop.
 * chardev_write() may be called from any thread. */
bool chardev_set_context(Chardev *c, GMainContext *context);
/* The oldest descriptor that the peer of a unix socket passed and nobody took; the caller's. -1:
 * none. At most 8 wait; more are closed. */
int chardev_take_passed_fd(Chardev *c);
/* One line a kind, for -chardev help. g_free. */
char *chardev_help(void);
/* The i-th kind and the keys it accepts beside id, mux, logfile and logappend (NULL-terminated, or
 * NULL for none); false at the end. */
bool chardev_kind(size_t i, const char **name, const char *const **keys);
/* Write out what is buffered, waiting at most timeout_ms (end of the process). */
void chardev_flush(Chardev *c, int timeout_ms);

#endif
