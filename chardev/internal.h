/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Character back ends inside chardev/: the const descriptor of a type, and the engine that reads
 * and writes file descriptors without blocking.
 */
#ifndef CHARDEV_INTERNAL_H
#define CHARDEV_INTERNAL_H

#include <glib-unix.h>
#include <json-c/json.h>

#include "chardev/chardev.h"
#include "util/error.h"

typedef struct ChardevKind {
    const char *name, *doc;
    const char *const *keys; /* options besides id, mux, logfile and logappend */
    size_t size;             /* of the structure, which begins with a Chardev */
    bool (*open)(Chardev *c, struct json_object *o, GError **err);
    void (*close)(Chardev *c);
    /* The following may be NULL: the descriptor engine then does the work. */
    size_t (*write)(Chardev *c, const uint8_t *buf, size_t len);
    size_t (*write_now)(Chardev *c, const uint8_t *buf, size_t len); /* NULL: as write */
    /* change input that was read; return its new length. It may deliver a part of it */
    size_t (*filter)(Chardev *c, uint8_t *buf, size_t len);
    void (*log)(Chardev *c, const uint8_t *buf, size_t len); /* of a mux's base */
    void (*flush)(Chardev *c, int timeout_ms);
    bool (*attach)(Chardev *c, const ChardevFront *front, GError **err);
    void (*detach)(Chardev *c, const ChardevFront *front);
    void (*accept_input)(Chardev *c);
    void (*hung_up)(Chardev *c);     /* the peer disconnected, and the descriptors are closed */
    void (*new_context)(Chardev *c); /* the type's own sources move to c->context */
} ChardevKind;

#define CHARDEV_PASSED 8

struct Chardev {
    const ChardevKind *kind;
    Machine *machine;
    char *id, *about;
    char *alias; /* second name (chardev_set_alias()); NULL: none */
    ChardevFront front;
    bool attached, open;
    bool front_open; /* chardev_set_front_open() */
    GMainContext *context;
    int fd_in, fd_out; /* -1: none; may be the same */
    bool is_socket;
    GSource *in_watch, *end_watch; /* for input; for the end of the peer while no input is read */
    int log_fd;                    /* -1: no log file */
    /* descriptors that the peer of a unix socket passed; under out_lock */
    int passed[CHARDEV_PASSED];
    unsigned n_passed;
    /* output; under out_lock, because any thread may write */
    GMutex out_lock;
    GByteArray *out; /* buffered bytes; the first out_sent of them were written */
    size_t out_sent;
    GSource *out_watch;
};

extern const ChardevKind chardev_null, chardev_file, chardev_stdio, chardev_pipe, chardev_pty,
    chardev_socket, chardev_udp, chardev_ringbuf, chardev_mux, chardev_vc;

/* Parse the long or a short form. The result is a JSON object with the key "backend", which the
 * caller puts; NULL with *err. */
struct json_object *chardev_parse(const char *text, GError **err);
const char *chardev_opt(struct json_object *o, const char *key); /* NULL when absent */
/* Parse on/off/true/false/yes/no or a JSON boolean. False with *err for another value. */
bool chardev_opt_bool(struct json_object *o, const char *key, bool def, bool *value, GError **err);
/* False with *err if `o` has a key that `kind` does not accept. */
bool chardev_opt_check(const ChardevKind *kind, struct json_object *o, GError **err);

/* The engine: use descriptors, which become non-blocking, and emit CHARDEV_OPENED; or close them
 * and emit CHARDEV_CLOSED. */
void chardev_set_fds(Chardev *c, int fd_in, int fd_out);
void chardev_drop_fds(Chardev *c);
void chardev_emit(Chardev *c, ChardevEvent event);
/* Create a source on the chardev's context. chardev_unwatch() destroys it. */
GSource *chardev_watch(Chardev *c, int fd, GIOCondition cond, GUnixFDSourceFunc fn);
void chardev_unwatch(GSource **source);
size_t chardev_front_room(Chardev *c);
/* Write to the descriptor, and buffer what it does not accept. Any thread. Return the number of
 * bytes accepted; without a descriptor all bytes, which are lost. */
size_t chardev_put(Chardev *c, const uint8_t *buf, size_t len);
/* As chardev_put(), for at most CHARDEV_BUFFER bytes, of which it accepts all or none: the output
 * of other threads is never between them. */
bool chardev_put_all(Chardev *c, const uint8_t *buf, size_t len);
/* Pass input to the front end, which has room for it. Without one it is lost. */
void chardev_deliver(Chardev *c, const uint8_t *buf, size_t len);
/* As read(), and keep the descriptors that a unix socket passes with the bytes. */
ssize_t chardev_read_input(Chardev *c, int fd, uint8_t *buf, size_t len);
/* Check a port: a number up to 65535, or the name of a service, which is not looked up. NULL and an
 * empty text are accepted. False with *err. */
bool chardev_port_check(const Chardev *c, const char *port, GError **err);

/* Open a file for output, or a set of descriptors ("/dev/fdset/N"), whose file is not truncated.
 * Return the descriptor, owned by the caller and non-blocking unless it is a regular file; -1 with
 * errno. */
int chardev_open_output(Chardev *c, const char *path, bool append, mode_t mode);

/* Create a mux that owns `base`. */
Chardev *chardev_mux_new(Machine *m, const char *id, Chardev *base, GError **err);
Chardev *chardev_alloc(Machine *m, const ChardevKind *kind, const char *id);
void chardev_register(Chardev *c);

#endif
