/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What kinds of character back end share: the const descriptor of a kind, and the engine that
 * reads and writes file descriptors without blocking.
 */
#ifndef CHARDEV_INT_H
#define CHARDEV_INT_H

#include <glib-unix.h>

#include "chardev/chardev.h"

typedef struct ChardevKind {
    const char *name, *doc;
    const char *const *keys; /* options it takes beside id, mux, logfile, logappend */
    size_t size;             /* of the structure, which starts with a Chardev */
    bool (*open)(Chardev *c, struct json_object *o, GError **err);
    void (*close)(Chardev *c);
    /* The rest may be NULL: the descriptor engine does it. */
    size_t (*write)(Chardev *c, const uint8_t *buf, size_t len);
    size_t (*write_now)(Chardev *c, const uint8_t *buf, size_t len); /* NULL: as write */
    void (*log)(Chardev *c, const uint8_t *buf, size_t len);         /* of a back end below */
    void (*flush)(Chardev *c, int timeout_ms);
    bool (*attach)(Chardev *c, const ChardevFront *front, GError **err);
    void (*detach)(Chardev *c, const ChardevFront *front);
    void (*accept_input)(Chardev *c);
    void (*hung_up)(Chardev *c);     /* the peer is gone; descriptors are closed already */
    void (*new_context)(Chardev *c); /* watches of the kind's own move to c->context */
} ChardevKind;

#define CHARDEV_PASSED 8

struct Chardev {
    const ChardevKind *kind;
    Machine *machine;
    char *id, *about;
    char *alias; /* what a board looks for; NULL: none */
    ChardevFront front;
    bool attached, open;
    bool front_open; /* the front end is there and listens */
    GMainContext *context;
    int fd_in, fd_out; /* -1: none; may be the same */
    bool is_socket;
    GSource *in_watch, *end_watch; /* for input; for the peer's going while none is taken */
    int log_fd;                    /* -1: no log file */
    /* descriptors that a unix socket's peer passed and nobody took; under out_lock */
    int passed[CHARDEV_PASSED];
    unsigned n_passed;
    /* output, under out_lock since any thread may write */
    GMutex out_lock;
    GByteArray *out; /* waiting for the descriptor; the first out_sent bytes are gone */
    size_t out_sent;
    GSource *out_watch;
};

extern const ChardevKind chardev_null, chardev_file, chardev_stdio, chardev_pipe, chardev_pty,
    chardev_socket, chardev_ringbuf, chardev_mux, chardev_vc;

/* Options as a JSON object with the key "backend": from the long or a short form. NULL and a
 * sentence. */
struct json_object *chardev_parse(const char *text, GError **err);
const char *chardev_opt(struct json_object *o, const char *key); /* NULL when absent */
/* on/off/true/false/yes/no or a JSON boolean; false and a sentence when it is none of them. */
bool chardev_opt_bool(struct json_object *o, const char *key, bool def, bool *value, GError **err);
/* False when `o` has a key that `kind` does not take. */
bool chardev_opt_check(const ChardevKind *kind, struct json_object *o, GError **err);

/* The engine: take descriptors (made non-blocking) and become open, or closed again. */
void chardev_set_fds(Chardev *c, int fd_in, int fd_out);
void chardev_drop_fds(Chardev *c);
void chardev_emit(Chardev *c, ChardevEvent event);
/* A watch on the chardev's context; unref with chardev_unwatch(). */
GSource *chardev_watch(Chardev *c, int fd, GIOCondition cond, GUnixFDSourceFunc fn);
void chardev_unwatch(GSource **source);
size_t chardev_front_room(Chardev *c);

/* A mux over base, which it owns. */
Chardev *chardev_mux_new(Machine *m, const char *id, Chardev *base, GError **err);
Chardev *chardev_alloc(Machine *m, const ChardevKind *kind, const char *id);
void chardev_register(Chardev *c);

#endif
