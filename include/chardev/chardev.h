/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Character back ends: the other end of consoles, monitors and qtest.
 *
 * A Chardev is created from its options (-chardev TYPE,id=...,...). -serial, -qtest, -qmp and
 * -monitor also accept short forms: "unix:PATH,server=on,wait=off", "stdio", "tcp:HOST:PORT" and so
 * on. A chardev has one front end at a time. A mux has several and passes input to the one in
 * focus.
 *
 * Writing never blocks. Bytes that the peer does not accept are buffered, up to CHARDEV_BUFFER
 * bytes.
 *
 * Locking: the machine lock, on the main loop, unless stated otherwise.
 */
#ifndef CHARDEV_CHARDEV_H
#define CHARDEV_CHARDEV_H

#include "hw/core/machine.h"

#define CHARDEV_BUFFER (16u << 20) /* bytes */

struct json_object; /* <json-c/json.h>: options of chardevs */
typedef struct Chardev Chardev;
typedef enum ChardevEvent {
    CHARDEV_OPENED,  /* a peer is connected; on a mux, when the front end has the focus at first */
    CHARDEV_CLOSED,  /* the peer disconnected */
    CHARDEV_BREAK,   /* the peer sent a break */
    CHARDEV_FOCUSED, /* on a mux: the front end has the focus again */
} ChardevEvent;

/* A front end. All function pointers may be NULL. */
typedef struct ChardevFront {
    size_t (*can_read)(void *opaque); /* the number of bytes it accepts now; NULL: any number */
    void (*read)(void *opaque, const uint8_t *buf, size_t len);
    void (*event)(void *opaque, ChardevEvent event);
    void (*writable)(void *opaque); /* less than half of the buffer is used again */
    void *opaque;
    /* read() may be called recursively by a nested turn of the main loop. This saves three system
     * calls for each event (util/watch.h). */
    bool nests;
} ChardevFront;

/* --- creation --- */

/**
 * chardev_new() - Create a chardev from text.
 * @id:      its id; NULL: the id= of the options
 * @options: "socket,id=c0,path=P,server=on,wait=off", or a short form
 * @err:     names the chardev and the option
 *
 * A socket server with wait=on waits until a peer connects. chardev_del() removes the chardev.
 *
 * Return: the chardev, owned by the machine; NULL on failure.
 */
Chardev *chardev_new(Machine *m, const char *id, const char *options, GError **err);
/** chardev_new_json() - As chardev_new(), with the options as a JSON object. */
Chardev *chardev_new_json(Machine *m, struct json_object *options, GError **err);

/** chardev_free() - Close and free a chardev that has no front end. */
void chardev_free(Chardev *c);

/** chardev_del() - Remove a chardev. False with @err set if it does not exist or has a front end.
 */
bool chardev_del(Machine *m, const char *id, GError **err);

/** chardev_free_all() - Flush all chardevs for a short time and free them when the process ends. */
void chardev_free_all(Machine *m);

/** chardev_stdio_taken() - Return whether a chardev uses the terminal. */
bool chardev_stdio_taken(Machine *m);

/** chardev_find() - Find a chardev by its id or alias; NULL if there is none. */
Chardev *chardev_find(Machine *m, const char *id);

/**
 * chardev_set_alias() - Set a second name, under which a board looks for the chardev (serial0).
 *
 * Monitors show the id. Return: false with @err set if another chardev has the name, or this one
 * already has an alias.
 */
bool chardev_set_alias(Chardev *c, const char *alias, GError **err);

/* --- front ends --- */

/**
 * chardev_attach() - Connect a front end.
 * @front: remains owned by the caller until chardev_detach()
 *
 * CHARDEV_OPENED follows immediately if a peer is connected. On a mux the front end in focus
 * receives it from the main loop, so that only the last of those attached at start prints a banner.
 *
 * Return: false with @err set if another front end is attached.
 */
bool chardev_attach(Chardev *c, const ChardevFront *front, GError **err);
/** chardev_detach() - Undo chardev_attach(). */
void chardev_detach(Chardev *c, const ChardevFront *front);

/**
 * chardev_write() - Write bytes, and buffer those that the peer does not accept now.
 *
 * Any thread. Accepted bytes are written to logfile=.
 *
 * Return: the number of bytes accepted. Without a peer all bytes are accepted, and lost.
 */
size_t chardev_write(Chardev *c, const void *buf, size_t len);

/**
 * chardev_write_now() - Write the bytes that the peer accepts without buffering.
 *
 * For front ends that keep their bytes themselves. ChardevFront.writable is called when the peer
 * accepts more.
 *
 * Return: the number of bytes accepted.
 */
size_t chardev_write_now(Chardev *c, const void *buf, size_t len);

/** chardev_log() - Write bytes to logfile= only, which the front end drops because no peer is
 * connected or the buffer is full. */
void chardev_log(Chardev *c, const void *buf, size_t len);

/** chardev_accept_input() - Offer input again: can_read() may return more. */
void chardev_accept_input(Chardev *c);

/** chardev_is_open() - Return whether a peer is connected. */
bool chardev_is_open(const Chardev *c);

/**
 * chardev_set_front_open() - Set whether the front end is in use, for query-chardev.
 *
 * Attaching sets it. A front end that the guest opens and closes updates it.
 */
void chardev_set_front_open(Chardev *c, bool open);
bool chardev_front_is_open(const Chardev *c);

/**
 * chardev_set_context() - Read and deliver events on another main context.
 * @context: the context of a thread, where the machine lock is not held; NULL: the default one
 *
 * Return: false for a mux, which remains on the main loop.
 */
bool chardev_set_context(Chardev *c, GMainContext *context);

/**
 * chardev_take_passed_fd() - Take the oldest file descriptor that the peer of a unix socket passed.
 *
 * At most 8 descriptors are kept; further ones are closed.
 *
 * Return: the descriptor, owned by the caller; -1 if there is none.
 */
int chardev_take_passed_fd(Chardev *c);

/**
 * chardev_disconnect() - Close the connection of the peer of a socket.
 *
 * The front end receives CHARDEV_CLOSED before the function returns, and may call it from its
 * read(). A server then waits for the next peer. No effect on other types and without a peer.
 */
void chardev_disconnect(Chardev *c);

/**
 * chardev_may_hang_up() - Return whether a chardev is a socket, which chardev_hang_up()
 * disconnects.
 */
bool chardev_may_hang_up(const Chardev *c);
/** chardev_hang_up() - Disconnect the peer of a socket, as if the peer had disconnected. No effect
 * without a peer. A client with reconnect= connects again. */
void chardev_hang_up(Chardev *c);

/** chardev_flush() - Write buffered bytes, waiting at most @timeout_ms, when the process ends. */
void chardev_flush(Chardev *c, int timeout_ms);

/* --- monitors and help --- */

/** chardev_foreach() - Call @fn for each chardev. */
void chardev_foreach(Machine *m, void (*fn)(void *opaque, Chardev *c), void *opaque);
const char *chardev_id(const Chardev *c);
/** chardev_describe() - Get the description, such as "unix:/x,server=on". Owned by the chardev. */
const char *chardev_describe(const Chardev *c);

/** chardev_help() - Get the help text of -chardev: a line for each type; g_free. */
char *chardev_help(void);

/** chardev_kind() - Get the name of type @i, and the keys that it accepts besides id, mux, logfile
 * and logappend (NULL-terminated, or NULL for none). False behind the last type. */
bool chardev_kind(size_t i, const char **name, const char *const **keys);

#endif
